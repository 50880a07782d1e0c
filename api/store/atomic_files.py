"""Writing that survives a crash: aside, to the disk, then one rename; and one writer at a time."""

import ctypes
import errno
import fcntl
import itertools
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from api.model.errors import LanternError

LOCK = ".lock"
_HERE = -100  # AT_FDCWD
_EXCHANGE = 2  # RENAME_EXCHANGE
_CANNOT = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)


class Busy(LanternError):
    """Another process holds the folder's lock."""


def write(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Put a file in place whole: readers see the old bytes or the new, also after a crash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, aside = tempfile.mkstemp(dir=path.parent, prefix=".aside-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.replace(aside, path)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise
    sync(path.parent)


def write_new(path: Path, data: bytes) -> None:
    """Like write, but a file that has these bytes already is not touched."""
    if not path.is_file() or path.read_bytes() != data:
        write(path, data)


def sync(path: Path) -> None:
    """A file's bytes or a folder's names are on the disk when this returns."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def locked(folder: Path, wait: float = 60.0) -> Iterator[None]:
    """Hold the folder's lock; the system releases it when the process ends, however it ends.

    Raises Busy, naming the process that holds it, when it is not free within `wait` seconds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + wait
    with open(folder / LOCK, "a+b", buffering=0) as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= end:
                    file.seek(0)
                    holder = file.read(20).decode("ascii", "replace") or "?"
                    raise Busy(f"process {holder} is at work in {folder}: try again when it has finished") from None
                time.sleep(0.05)
        file.truncate(0)
        file.write(str(os.getpid()).encode())
        yield


def sweep(folder: Path) -> None:
    """Remove what an interrupted write left aside; only for the holder of the lock."""
    for path in folder.glob(".aside-*"):
        path.unlink(missing_ok=True)


@contextmanager
def workplace(place: Path, prefix: str) -> Iterator[Path]:
    """An empty folder below `place`, from which what is made goes where it belongs by one rename; gone afterwards.

    Its lock marks it as in use; the folders that makers with this prefix left when they died are removed here.
    """
    with ExitStack() as stack:
        with locked(place):
            for dead in place.glob(f"{prefix}*"):
                with suppress(Busy, OSError), locked(dead, wait=0):
                    shutil.rmtree(dead, ignore_errors=True)
            work = Path(tempfile.mkdtemp(dir=place, prefix=prefix))
            stack.enter_context(locked(work))
        stack.callback(shutil.rmtree, work, ignore_errors=True)
        folder = work / "new"
        folder.mkdir()
        yield folder


def settle(folder: Path) -> None:
    """A folder and all that is in it is on the disk, and can be read by everyone, when this returns."""
    for path in [*folder.rglob("*"), folder]:
        path.chmod(0o755 if path.is_dir() else 0o644)
        sync(path)


def readable(folder: Path) -> None:
    """A folder and all that is in it can be read by everyone when this returns; what can be already is not touched."""
    for path in itertools.chain([folder], folder.rglob("*")):  # each folder before it is looked into
        mode = stat.S_IMODE(path.lstat().st_mode)
        wanted = mode | (0o755 if path.is_dir() else 0o644)
        if mode != wanted and not path.is_symlink():
            path.chmod(wanted)


def swap(new: Path, shown: Path, away: Path) -> None:
    """Put the folder `new` where `shown` is, at once; the folder that was shown goes to `away`.

    One rename where nothing is shown yet; an exchange on Linux; two renames where the system has no exchange.
    """
    if not shown.exists():
        os.rename(new, shown)
    elif _exchange(new, shown):
        os.rename(new, away)
    else:
        os.rename(shown, away)
        os.rename(new, shown)
    sync(shown.parent)


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
