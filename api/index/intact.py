"""Whether an index is what was made: nothing is ever served from files that changed.

SQLite has no checksums of its own: a changed byte would be served as a wrong value. So each file's size and the SHA-256
of its pieces are in index.json beside the files. They are checked when an index is first asked, once in a process; from
then on the states of the files (size, inode, times) are compared before and after each question, which takes
microseconds.
"""

import hashlib
import json
import logging
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from api.index.sqlite import Known, state_of
from api.model.files import INDEX_LIST
from api.store import manifest

PIECE, READ = 1 << 26, 1 << 20  # bytes that are hashed by themselves, and read at once
DAMAGED = "is damaged"
TICK = 0.02  # seconds within which two changes of a file may have the same time
log = logging.getLogger("lantern")


def listed(folder: Path, format: str) -> bytes:
    """index.json of a folder that holds the files of an index of a format."""
    paths = sorted(folder.iterdir())
    files = [{"name": path.name, "bytes": path.stat().st_size, "sha256": _digests(str(path))} for path in paths]
    return manifest.dump({"format": format, "files": files}).encode()


def looked_at(index: Path) -> Known:
    """Hash every file of an index, while none of them changes; what is damaged is logged."""
    known = _hashed(index)
    if known.reason.startswith(DAMAGED):
        log.warning("the index %s %s", index, known.reason)
    return known


def sized(index: Path) -> bool:
    """Whether an index is there with all its files, each of the size that it was made with."""
    return not _hashed(index, deep=False).reason


def _hashed(index: Path, deep: bool = True) -> Known:
    paths: tuple[str, ...] = (str(index), str(index / INDEX_LIST))
    state = tuple(map(state_of, paths))
    try:
        listing = json.loads(Path(paths[1]).read_bytes())
        files = [(str(index / entry["name"]), entry["bytes"], entry["sha256"]) for entry in listing["files"]]
        other = listing["format"] != index.parent.name
        unlisted = {*os.listdir(index)} ^ {INDEX_LIST, *(entry["name"] for entry in listing["files"])}
    except OSError:
        return Known(paths, state, "is missing")
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        return Known(paths, state, f"{DAMAGED}: {INDEX_LIST} cannot be read ({error!r})")
    if other:
        return Known(paths, state, f"is of the format {listing['format']!r}")
    if unlisted or not files:
        return Known(paths, state, f"{DAMAGED}: {', '.join(sorted(unlisted)) or INDEX_LIST} is not as it was made")
    paths += tuple(path for path, _, _ in files)
    state += tuple(map(state_of, paths[2:]))
    changed = max((one[2] for one in state if one), default=0)
    time.sleep(min(max(changed / 1e9 + TICK - time.time(), 0), TICK))  # a later change has another time
    for (path, size, sha256), one in zip(files, state[2:], strict=True):
        if one[:1] != (size,) or deep and _digests(path) != sha256:
            return Known(paths, state, f"{DAMAGED}: {Path(path).name} is not as it was made")
    if tuple(map(state_of, paths)) != state:
        return Known(paths, state, "is being changed")
    return Known(paths, state, "")


def _digests(path: str) -> list[str]:
    """The SHA-256 of each piece of a file, made side by side; [] for one that cannot be read."""

    def digest(start: int) -> str:
        made, end = hashlib.sha256(), start + PIECE
        with open(path, "rb", buffering=0) as file:
            file.seek(start)
            while start < end and (some := file.read(min(READ, end - start))):
                made.update(some)
                start += len(some)
        return made.hexdigest()

    try:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return list(pool.map(digest, range(0, os.stat(path).st_size, PIECE)))
    except OSError:
        return []
