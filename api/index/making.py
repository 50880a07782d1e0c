"""Making indexes: from the files of a release, aside, put in place by one rename, one maker at a time.

As a process of its own, `python -P -m api.index.making RELEASE ASIDE` writes the files of an index from the folder of a
release into an empty one, so that what made a large one leaves no memory behind.
"""

import json
import logging
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path

from api.index import intact, write
from api.index.sqlite import NoIndex, check
from api.model import descriptor
from api.model.errors import LanternError
from api.model.files import DESCRIPTOR, INDEX_LIST
from api.store import atomic_files, manifest
from api.store.releases import Release

LARGE = 20_000_000  # bytes of CSV, from which a process of its own pays
ASIDE = ".aside-"  # how the folders of indexes under way begin
FAILED = ".failed"  # ends the name of a file that says why an index could not be made
PATIENCE = 3_600.0  # seconds to wait for another maker
AGAIN = 5.0  # seconds until a server tries again what failed
DATA = "data"  # the folder of a release that an index is made of
log = logging.getLogger("lantern")
_failures: dict[Path, str] = {}  # of this process: the file beside the index may be what cannot be written


class NotMade(LanternError):
    """An index that cannot be made; the message says why."""


def good(release: Release) -> bool:
    """Whether the index of a release is there and as it was made."""
    try:
        check(release.index)
    except NoIndex:
        return False
    return True


def reason(release: Release) -> str:
    """Why a release has no index: what the last maker said, if one failed."""
    return failed(release) or "its index is being made"


def failed(release: Release) -> str:
    """Why the index of a release could not be made, "" where nobody tried and failed."""
    try:
        return _failure(release.index).read_text(encoding="utf-8")
    except OSError:
        return _failures.get(release.index, "")


def make(release: Release, again: bool = False, apart: bool = False) -> bool:
    """Put the index of a release in place, unless it is there and good (or `again`); whether it was made.

    `apart`: by a process of its own, however small it is. Raises NotMade, and leaves the reason beside the index.
    """
    if not again and good(release):
        return False
    if not os.path.isdir(release.folder):  # nor is the store: nothing is made in its place
        raise NotMade("its files are not there")
    folder = release.index.parent
    try:
        with alone(folder):
            if not again and good(release):  # another maker was first
                return False
            _verify(release)
            with beside(release.folder, folder, apart) as finished:
                place(finished(), release.index)
    except OSError as error:
        raise NotMade(_failed(release.index, f"its index cannot be written: {_said(error)}")) from error
    except NotMade as error:
        _failed(release.index, str(error))
        raise
    return True


def alone(folder: Path) -> AbstractContextManager[None]:
    """One maker at a time; `folder` is that of a format."""
    return atomic_files.locked(folder.parent, PATIENCE)


def _verify(release: Release) -> None:
    """Raises NotMade where what the index is made of is not all there as the manifest has it."""
    files = {file.path: file for file in manifest.read(release.raw).files}
    data = [path for path in files if path.startswith(f"{DATA}/")]
    for path in [DESCRIPTOR, *data, *(table.path for table in release.package.tables)]:
        if path not in files or not manifest.holds(release.folder / path, files[path]):
            raise NotMade(f"{path} is not as the manifest has it")


@contextmanager
def beside(release: Path, folder: Path, apart: bool = False) -> Iterator[Callable[[], Path]]:
    """The index of a release, made by a second process meanwhile if it is large, or `apart`.

    Of the folder `release` only the descriptor and data/ need be there. Gives a function that gives the finished index,
    to be put in place (below `folder`, of a format). Raises NotMade, then or later.
    """
    with ExitStack() as stack:
        try:
            aside = stack.enter_context(atomic_files.workplace(folder, ASIDE))
        except OSError as error:
            raise NotMade(f"no index can be written: {_said(error)}") from error
        if not apart and sum(path.stat().st_size for path in (release / DATA).rglob("*")) < LARGE:
            yield lambda: _write(release, aside)
            return
        command = [sys.executable, "-P", "-m", "api.index.making", str(release.absolute()), str(aside.absolute())]
        maker = stack.enter_context(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
        stack.callback(maker.kill)

        def finished() -> Path:
            _, said = maker.communicate()
            if maker.returncode:
                raise NotMade(said.strip() or f"its maker ended with status {maker.returncode}")
            return aside

        yield finished


def _write(release: Path, aside: Path) -> Path:
    try:
        write.write(descriptor.package(json.loads((release / DESCRIPTOR).read_bytes())), release, aside)
    except OSError:
        raise
    except sqlite3.OperationalError as error:  # such as a full disk
        if error.sqlite_errorname in ("SQLITE_ERROR", "SQLITE_TOOBIG"):  # or more than SQLite takes
            raise NotMade(f"its data cannot be indexed: {error}") from error
        raise OSError(str(error)) from error
    except Exception as error:  # whatever a stranger's file makes a reader fail with
        import duckdb  # loaded already, by the writer

        if isinstance(error, duckdb.IOException):
            raise OSError(str(error).rpartition("Original error: ")[2]) from error
        raise NotMade(f"its data cannot be indexed: {error!r}") from error
    return aside


def place(aside: Path, index: Path) -> None:
    """Put a finished index in place, with the list of its files, in the place of one that is there."""
    (aside / INDEX_LIST).write_bytes(intact.listed(aside, index.parent.name))
    atomic_files.settle(aside)
    atomic_files.swap(aside, index, aside.with_name("old"))
    _failures.pop(index, None)
    _failure(index).unlink(missing_ok=True)


def _said(error: OSError) -> str:
    """What the system said, without a path of this machine: everybody may read it."""
    return f"{Path(error.filename).name}: {error.strerror}" if error.filename else str(error)


def _failure(index: Path) -> Path:
    return index.with_name(index.name + FAILED)


def _failed(index: Path, why: str) -> str:
    _failures[index] = why
    if os.path.isdir(index.parent):
        with suppress(OSError):
            atomic_files.write_new(_failure(index), why.encode())
    return why


def prune(folder: Path, keep: Iterable[Path]) -> list[str]:
    """Remove the indexes of other formats and those not to be kept; what was removed. `folder` is of a format."""
    kept = set(keep)
    removed = []
    with alone(folder):
        for other in sorted(path for path in folder.parent.iterdir() if path.is_dir()):
            for index in sorted(path.parent for path in other.glob(f"*/{INDEX_LIST}")):
                if index not in kept and _made_here(index):
                    shutil.rmtree(index)
                    removed.append(f"{other.name}/{index.name}")
            if removed and other != folder and all(map(_ours, other.iterdir())):
                shutil.rmtree(other)
    return removed


def _made_here(index: Path) -> bool:
    """Whether a folder holds an index of the format that its parent is named after, and nothing else."""
    try:
        listing = json.loads((index / INDEX_LIST).read_bytes())
        names = {INDEX_LIST, *(entry["name"] for entry in listing["files"])}
        return bool(listing["format"] == index.parent.name and {*os.listdir(index)} <= names)
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return False


def _ours(path: Path) -> bool:
    """Whether it is what makers leave beside indexes."""
    return path.name == atomic_files.LOCK or path.suffix == FAILED or path.name.startswith(ASIDE)


class Background:
    """What makes the indexes that a running server lacks, one after the other, by processes of their own.

    A call with the releases returns at once; what cannot be made is logged once.
    """

    def __init__(self) -> None:
        self._wanted: dict[Path, Release] = {}
        self._failed: dict[Path, float] = {}
        self._said: set[str] = set()
        self._lock = threading.Lock()
        self._working = False

    def __call__(self, releases: Sequence[Release]) -> None:
        now = time.monotonic()
        with self._lock:
            self._wanted |= {one.index: one for one in releases if now - self._failed.get(one.index, -AGAIN) >= AGAIN}
            if self._wanted and not self._working:
                self._working = True
                threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        while release := self._next():
            try:
                make(release, apart=True)
            except LanternError as error:
                self._failed[release.index] = time.monotonic()
                message = f"release {release.version} has no index: {error}"
                if message not in self._said:
                    log.warning("%s", message)
                    self._said.add(message)

    def _next(self) -> Release | None:
        with self._lock:
            self._working = bool(self._wanted)
            return self._wanted.pop(next(iter(self._wanted))) if self._wanted else None


if __name__ == "__main__":
    try:
        _write(*map(Path, sys.argv[1:]))
    except (NotMade, OSError) as problem:
        sys.exit(str(problem))
