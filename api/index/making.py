"""Making indexes: from the files of a release, aside, put in place by one rename, one maker at a time.

As a process of its own, `python -P -m api.index.making missing|again FOLDER RELEASE…` makes the indexes of releases (by
their folders) in the folder of a format, so that what made a large one leaves no memory behind.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from api.index import intact, sqlite, write
from api.model import descriptor
from api.model.descriptor import Package
from api.model.errors import LanternError
from api.model.files import INDEX_LIST
from api.store import atomic_files, manifest
from api.store.releases import Release, open_release
from api.store.swap import swap

LARGE = 20_000_000  # bytes of CSV, from which a process of its own pays
ASIDE = ".aside-"  # how the folders of indexes under way begin
FAILED = ".failed"  # ends the name of a file that says why an index could not be made
PATIENCE = 3_600.0  # seconds to wait for another maker
READ = "data/"  # what an index is made of


class NotMade(LanternError):
    """An index that cannot be made; the message says why."""


def good(release: Release) -> bool:
    """Whether the index of a release is there and as it was made."""
    try:
        sqlite.check(release.index)
    except sqlite.NoIndex:
        return False
    return True


def reason(release: Release) -> str:
    """Why a release has no index: what the last maker said, if one failed."""
    try:
        return _failure(release.index).read_text(encoding="utf-8")
    except OSError:
        return "its index is being made"


def make(release: Release, again: bool = False) -> bool:
    """Put the index of a release in place, unless it is there and good (or `again`); whether it was made.

    Raises NotMade, and leaves the reason beside the index.
    """
    if not again and good(release):
        return False
    if _bytes(release.package, release.folder) < LARGE:
        return _make(release, again)
    failure = _failure(release.index)
    failure.unlink(missing_ok=True)
    done = subprocess.run(command([release], again), capture_output=True, text=True)
    if done.returncode and not failure.exists():
        _failed(release.index, done.stderr.strip() or f"its maker ended with status {done.returncode}")
    if done.returncode:
        raise NotMade(reason(release))
    return True


def command(releases: list[Release], again: bool = False) -> list[str]:
    """The process that makes the indexes of releases; it prints what it cannot make, and ends with 1."""
    places = [str(releases[0].index.parent.absolute()), *(str(release.folder.absolute()) for release in releases)]
    return [sys.executable, "-P", "-m", "api.index.making", "again" if again else "missing", *places]


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One maker at a time; `folder` is that of a format."""
    with atomic_files.locked(folder.parent, PATIENCE):
        yield


def _make(release: Release, again: bool) -> bool:
    """The same in this process."""
    folder = release.index.parent
    try:
        with alone(folder):
            if not again and good(release):  # another maker was first
                return False
            with atomic_files.workplace(folder, ASIDE) as aside:
                _verify(release)
                _write(release.package, release.folder, aside)
                place(aside, release.index)
    except NotMade as error:
        _failed(release.index, str(error))
        raise
    except OSError as error:
        raise NotMade(_failed(release.index, f"its index cannot be written: {error}")) from error
    return True


def _verify(release: Release) -> None:
    """Raises NotMade where what the index is made of is not all there as the manifest has it."""
    files = {file.path: file for file in manifest.read(release.raw).files if file.path.startswith(READ)}
    for path in [*files, *(table.path for table in release.package.tables)]:
        if path not in files or not manifest.holds(release.folder / path, files[path]):
            raise NotMade(f"{path} is not as the manifest has it")


def _write(package: Package, release: Path, aside: Path) -> None:
    try:
        write.write(package, release, aside)
    except OSError:
        raise
    except Exception as error:  # whatever a stranger's file makes a reader fail with
        raise NotMade(f"its data cannot be indexed: {error!r}") from error


def place(aside: Path, index: Path) -> None:
    """Put a finished index in place, with the list of its files, in the place of one that is there."""
    (aside / INDEX_LIST).write_bytes(intact.listed(aside, index.parent.name))
    atomic_files.settle(aside)
    swap(aside, index, aside.with_name("old"))
    atomic_files.sync(index.parent)
    _failure(index).unlink(missing_ok=True)


def _failure(index: Path) -> Path:
    return index.with_name(index.name + FAILED)


def _failed(index: Path, why: str) -> str:
    with suppress(OSError):
        atomic_files.write_new(_failure(index), why.encode())
    return why


def _bytes(package: Package, folder: Path) -> int:
    files = (folder / table.path for table in package.tables)
    return sum(path.stat().st_size for path in files if path.is_file())


# While a release is built


@contextmanager
def beside(described: dict[str, Any], release: Path, folder: Path) -> Iterator[Callable[[], Path]]:
    """The index of a release that is being written, of a large one by a second process meanwhile.

    The descriptor and data/ of the folder `release` are there. Gives a function that gives the finished index, to be
    put in place (below `folder`, of a format). Raises NotMade, then or later.
    """
    package = descriptor.package(described)
    with ExitStack() as stack:
        try:
            aside = stack.enter_context(atomic_files.workplace(folder, ASIDE))
        except OSError as error:
            raise NotMade(f"no index can be written in {folder}: {error.strerror}") from error
        if _bytes(package, release) < LARGE:
            yield lambda: _finished(package, release, aside)
            return
        import multiprocessing  # no server needs it

        context = multiprocessing.get_context("spawn")
        process = context.Process(target=_beside, args=(described, release, aside), daemon=True)
        process.start()

        def finished() -> Path:
            process.join()
            if process.exitcode:  # again, in this process, whose errors are reported
                for path in aside.iterdir():
                    path.unlink()
                return _finished(package, release, aside)
            return aside

        try:
            yield finished
        finally:
            process.terminate()
            process.join()


def _finished(package: Package, release: Path, aside: Path) -> Path:
    _write(package, release, aside)
    return aside


def _beside(described: dict[str, Any], release: Path, aside: Path) -> None:
    try:
        _write(descriptor.package(described), release, aside)
    except NotMade:
        sys.exit(1)


# By command


def prune(folder: Path, keep: Iterable[Path]) -> list[str]:
    """Remove the indexes of other formats and those not to be kept; what was removed. `folder` is of a format."""
    kept = set(keep)
    removed = []
    with alone(folder):
        for other in sorted(path for path in folder.parent.iterdir() if path.is_dir()):
            for index in sorted(path.parent for path in other.glob(f"*/{INDEX_LIST}")):
                if index not in kept:
                    shutil.rmtree(index)
                    removed.append(f"{other.name}/{index.name}")
            if removed and other != folder and all(map(_ours, other.iterdir())):
                shutil.rmtree(other)
    return removed


def _ours(path: Path) -> bool:
    """Whether it is what makers leave beside indexes."""
    return path.name == atomic_files.LOCK or path.suffix == FAILED or path.name.startswith(ASIDE)


def main(how: str, folder: str, *releases: str) -> int:
    """What the process does; its exit status."""
    status = 0
    for path in map(Path, releases):
        before = ""
        try:
            release = open_release(path, Path(folder))
            before = reason(release)
            _make(release, how == "again")
        except LanternError as error:
            status = 1
            if str(error) != before:
                print(f"release {path.name} has no index: {error}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
