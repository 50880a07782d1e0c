"""One folder in the place of another, at once."""

import ctypes
import errno
import os
from pathlib import Path

_HERE = -100  # AT_FDCWD
_EXCHANGE = 2  # RENAME_EXCHANGE
_CANNOT = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)


def swap(new: Path, shown: Path, away: Path) -> None:
    """Put `new` where `shown` is; the folder that was shown goes to `away`.

    One rename where nothing is shown yet; an exchange on Linux; two renames where the system has no exchange.
    """
    if not shown.exists():
        os.rename(new, shown)
    elif _exchange(new, shown):
        os.rename(new, away)
    else:
        os.rename(shown, away)
        os.rename(new, shown)


def _exchange(one: Path, other: Path) -> bool:
    """Whether the system let two folders change names."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    if rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _CANNOT:
        return False
    raise OSError(number, os.strerror(number), str(other))
