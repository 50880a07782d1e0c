"""Whether an index is what was made: nothing is ever served from files that changed.

SQLite has no checksums of its own: a changed byte would be served as a wrong value. So each file's size and SHA-256 are
in index.json beside the files. They are checked when an index is first asked, once in a process; from then on the
states of the files (size, inode, times) are compared before and after each question, which takes microseconds.
"""

import hashlib
import json
import logging
import time
from pathlib import Path

from api.index.sqlite import Known, state_of
from api.model.files import INDEX_LIST

DAMAGED = "is damaged"
TICK = 0.02  # seconds within which two changes of a file may have the same time
log = logging.getLogger("lantern")


def listed(folder: Path, format: str) -> bytes:
    """index.json of a folder that holds the files of an index of a format."""
    paths = sorted(folder.iterdir())
    files = [{"name": path.name, "bytes": path.stat().st_size, "sha256": _digest(str(path))} for path in paths]
    return (json.dumps({"format": format, "files": files}, indent=2) + "\n").encode()


def looked_at(index: Path) -> Known:
    """Hash every file of an index, while none of them changes; what is damaged is logged."""
    known = _hashed(index)
    if known.reason.startswith(DAMAGED):
        log.warning("the index %s %s", index, known.reason)
    return known


def _hashed(index: Path) -> Known:
    paths: tuple[str, ...] = (str(index / INDEX_LIST),)
    state = tuple(map(state_of, paths))
    try:
        listing = json.loads(Path(paths[0]).read_bytes())
        files = [(str(index / entry["name"]), entry["bytes"], entry["sha256"]) for entry in listing["files"]]
        other = listing["format"] != index.parent.name
    except OSError:
        return Known(paths, state, "is missing")
    except (ValueError, LookupError, TypeError) as error:
        return Known(paths, state, f"{DAMAGED}: {INDEX_LIST} cannot be read ({error!r})")
    if other:
        return Known(paths, state, f"is of the format {listing['format']!r}")
    paths += tuple(path for path, _, _ in files)
    state += tuple(map(state_of, paths[1:]))
    changed = max((one[2] for one in state if one), default=0)
    time.sleep(min(max(changed / 1e9 + TICK - time.time(), 0), TICK))  # a later change has another time
    for (path, size, sha256), one in zip(files, state[1:], strict=True):
        if one[:1] != (size,) or _digest(path) != sha256:
            return Known(paths, state, f"{DAMAGED}: {Path(path).name} is not as it was made")
    if tuple(map(state_of, paths)) != state:
        return Known(paths, state, "is being changed")
    return Known(paths, state, "")


def _digest(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
