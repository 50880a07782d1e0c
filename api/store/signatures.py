"""Until when a store's signatures are valid, read from its tuf/ without verifying them: cheap, for whoever warns.

`lantern verify` verifies (api.trust), with libraries that a server does without.
"""

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from api.model.files import RELEASE_INDEX

FOLDER = "tuf"
SIGNED_AT = "lantern:signed_at"  # of the timestamp: when it was signed, by the clock that signed it
# Days before its end from which a signature is said to end soon; at most a quarter of its validity. `lantern sign
# --refresh` renews in the last third of it: whoever runs it every day never gets that far.
SOON = {"root": 60, "targets": 30, "snapshot": 7, "timestamp": 3}


class Signature(NamedTuple):
    """One role's signature: its number, when it expires (ISO 8601, UTC), and `problem`, "" where there is none.

    Of one that cannot be read the number is 0 and the time "".
    """

    role: str
    version: int
    expires: str
    problem: str

    def days_left(self, now: datetime) -> float | None:
        """Days until it expires, less than 0 after that; None where that is not known."""
        return (datetime.fromisoformat(self.expires) - now) / timedelta(days=1) if self.expires else None

    def warning(self, days: Mapping[str, Any], now: datetime) -> str:
        """What is wrong with it, or will be soon; "" for nothing. `days`: the settings, with {ROLE}_DAYS."""
        left = self.days_left(now)
        if left is None:
            return f"the {self.role} signature cannot be read: {self.problem}"
        if left <= 0:
            return f"the {self.role} signature expired on {self.expires}"
        soon = left < min(SOON[self.role], days[f"{self.role.upper()}_DAYS"] / 4)
        return f"the {self.role} signature expires soon, on {self.expires}" if soon else ""


def of(root: Path) -> tuple[Signature, ...]:
    """The signatures of a store: root, timestamp, snapshot, targets, as far as each names the next.

    () for a store that was never signed.
    """
    folder = root / FOLDER
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        lost = os.path.lexists(root / RELEASE_INDEX)
        return (Signature("root", 0, "", f"{FOLDER} is missing"),) if lost else ()
    except OSError as error:
        return (Signature("root", 0, "", f"{FOLDER}: {error.strerror}"),)
    roots = [
        int(first)
        for first, *rest in (name.split(".") for name in names)
        if rest == ["root", "json"]
        if first.isdecimal()
    ]
    if not roots and "timestamp.json" not in names:
        return ()
    found = [_read(folder, "root", f"{max(roots, default=1)}.root.json")[0]]
    name = "timestamp.json"
    for role, named in (("timestamp", "snapshot"), ("snapshot", "targets"), ("targets", "")):
        signature, version = _read(folder, role, name, named)
        found.append(signature)
        if not version:
            break
        name = f"{version}.{named}.json"
    return tuple(found)


def _read(folder: Path, role: str, name: str, named: str = "") -> tuple[Signature, int]:
    """A role's signature from its file, and the version of the role that it names (0 for none)."""
    path = folder / name
    try:
        stat = path.stat()
        return _parsed(path, role, named, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
    except OSError as error:
        return Signature(role, 0, "", f"{name}: {error.strerror}"), 0
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        return Signature(role, 0, "", f"{name} is damaged ({type(error).__name__})"), 0


@lru_cache(maxsize=64)
def _parsed(path: Path, role: str, named: str, *_state: int) -> tuple[Signature, int]:
    signed = json.loads(path.read_bytes())["signed"]
    expires = datetime.fromisoformat(signed["expires"]).astimezone(UTC)
    following = signed["meta"][f"{named}.json"]["version"] if named else 0
    return Signature(role, int(signed["version"]), f"{expires:%Y-%m-%dT%H:%M:%SZ}", ""), int(following)
