"""Where a release is made, aside from the store's readers, and how it is published: by one rename."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from api.model.files import RELEASES
from api.store import atomic_files

PLACE = "build-"  # how the folders of builds under way begin


@contextmanager
def workplace(root: Path) -> Iterator[Path]:
    """A folder on the store's own file system, so that publishing is one rename; gone afterwards in any case."""
    (root / RELEASES).mkdir(parents=True, exist_ok=True)
    with atomic_files.workplace(root / "tmp", PLACE) as folder:
        yield folder


def publish(folder: Path, target: Path) -> bool:
    """Everything on disk first, then one rename: a crash leaves the old state or the new one.

    False where another build was first.
    """
    atomic_files.settle(folder)
    try:
        os.rename(folder, target)
    except OSError:
        if target.exists():
            return False
        raise
    atomic_files.sync(target.parent)
    return True
