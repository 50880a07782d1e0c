"""Whether an index is what was made: nothing is ever served from files that changed.

SQLite has no checksums of its own: a changed byte would be served as a wrong value. So each file's size and SHA-256 are
in index.json beside the files. They are checked when an index is first asked, once in a process; from then on the
states of the files (size, inode, times) are compared before and after each question, which takes microseconds.
"""

import hashlib
import json
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

from api.model.errors import LanternError
from api.model.files import INDEX_LIST

Found = TypeVar("Found")
State = tuple[tuple[int, ...], ...]
TRIES = 3
DAMAGED = "is damaged"
TICK = 0.02  # seconds within which two changes of a file may have the same time
_hashing = threading.Lock()
log = logging.getLogger("lantern")


class NoIndex(LanternError):
    """The index of a release is missing, damaged or of another format."""

    def __init__(self, index: Path, reason: str) -> None:
        super().__init__(f"the index {index.name} {reason}")
        self.index = index


class _Known(NamedTuple):
    """What was found out of an index when its files were in a state; `reason`: what is wrong with it, or ""."""

    paths: tuple[str, ...]
    state: State
    reason: str


_known: dict[Path, _Known] = {}


def check(index: Path) -> State:
    """The state of an index that is as it was made. Raises NoIndex for one that is not.

    Two calls that return the same have met the same files: what was read in between is right.
    """
    known = _known.get(index)
    if known is None or known.state != _states(known.paths):
        with _hashing:
            known = _known.get(index)
            if known is None or known.state != _states(known.paths):
                known = _known[index] = _looked_at(index)
                if known.reason.startswith(DAMAGED):
                    log.warning("the index %s %s", index, known.reason)
    if known.reason:
        raise NoIndex(index, known.reason)
    return known.state


def asked(index: Path, ask: Callable[[State], Found]) -> Found:
    """What `ask` finds in an index that was as it was made all the while; it is given its state.

    What is kept open of an index must be kept with that state: of another one nothing is the same. Raises NoIndex.
    """
    for _ in range(TRIES):
        state = check(index)
        try:
            found = ask(state)
        except Exception:
            if check(index) == state:
                raise
            continue
        if check(index) == state:
            return found
    raise NoIndex(index, "is being changed")


def unchanged(index: Path, state: State) -> None:
    """Raises NoIndex where an index is not in that state any more: what was read of it may be wrong."""
    if check(index) != state:
        raise NoIndex(index, "was changed")


def listed(folder: Path, format: str) -> bytes:
    """index.json of a folder that holds the files of an index of a format."""
    paths = sorted(folder.iterdir())
    files = [{"name": path.name, "bytes": path.stat().st_size, "sha256": _digest(str(path))} for path in paths]
    return (json.dumps({"format": format, "files": files}, indent=2) + "\n").encode()


def _states(paths: tuple[str, ...]) -> State:
    return tuple([_state(path) for path in paths])


def _state(path: str) -> tuple[int, ...]:
    try:
        stat = os.stat(path)
    except OSError:
        return ()
    return (stat.st_size, stat.st_ino, stat.st_ctime_ns, stat.st_mtime_ns)


def _looked_at(index: Path) -> _Known:
    """Hash every file of an index, while none of them changes."""
    paths: tuple[str, ...] = (str(index / INDEX_LIST),)
    state = _states(paths)
    try:
        listing = json.loads(Path(paths[0]).read_bytes())
        files = [(str(index / entry["name"]), entry["bytes"], entry["sha256"]) for entry in listing["files"]]
        other = listing["format"] != index.parent.name
    except OSError:
        return _Known(paths, state, "is missing")
    except (ValueError, LookupError, TypeError) as error:
        return _Known(paths, state, f"{DAMAGED}: {INDEX_LIST} cannot be read ({error!r})")
    if other:
        return _Known(paths, state, f"is of the format {listing['format']!r}")
    paths += tuple(path for path, _, _ in files)
    state += _states(paths[1:])
    changed = max((one[2] for one in state if one), default=0)
    time.sleep(min(max(changed / 1e9 + TICK - time.time(), 0), TICK))  # a later change has another time
    for (path, size, sha256), one in zip(files, state[1:], strict=True):
        if one[:1] != (size,) or _digest(path) != sha256:
            return _Known(paths, state, f"{DAMAGED}: {Path(path).name} is not as it was made")
    if _states(paths) != state:
        return _Known(paths, state, "is being changed")
    return _Known(paths, state, "")


def _digest(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
