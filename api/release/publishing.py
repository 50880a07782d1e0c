"""Where a release is made, aside from the store's readers, and how it is published: by one rename."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from api.store import atomic_files

PLACE = "build-"  # how the folders of builds under way begin


@contextmanager
def workplace(root: Path) -> Iterator[Path]:
    """A folder on the store's own file system, so that publishing is one rename; gone afterwards in any case.

    Its lock marks it as in use; the folders of builds that died are removed here.
    """
    (root / "releases").mkdir(parents=True, exist_ok=True)
    place = root / "tmp"
    with ExitStack() as stack:
        with atomic_files.locked(place):
            _sweep(place)
            work = Path(tempfile.mkdtemp(dir=place, prefix=PLACE))
            stack.enter_context(atomic_files.locked(work))
        stack.callback(shutil.rmtree, work, ignore_errors=True)
        folder = work / "release"
        folder.mkdir()
        yield folder


def _sweep(place: Path) -> None:
    for work in place.glob(f"{PLACE}*"):
        with contextlib.suppress(atomic_files.Busy), atomic_files.locked(work, wait=0):
            shutil.rmtree(work, ignore_errors=True)


def publish(folder: Path, target: Path) -> bool:
    """Everything on disk first, then one rename: a crash leaves the old state or the new one.

    False where another build was first.
    """
    for path in [*folder.rglob("*"), folder]:
        path.chmod(0o755 if path.is_dir() else 0o644)
        atomic_files.sync(path)
    try:
        os.rename(folder, target)
    except OSError:
        if target.exists():
            return False
        raise
    atomic_files.sync(target.parent)
    return True
