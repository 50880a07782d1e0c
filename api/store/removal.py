"""Taking a release away: every place of a store that may hold something of it, emptied."""

import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from api.model.files import RELEASES, UNSIGNED, WITHDRAWN
from api.store import atomic_files


def left(root: Path, indexes: Path, version: str) -> list[Path]:
    """What a store holds of a release: its files, the copy of its manifest for TUF clients, its indexes of any format.

    `indexes` is the folder of the indexes of one format.
    """
    aside = [root, *sorted((root / UNSIGNED).glob("*"))]  # where a mirror puts what the publisher did not sign
    places = [folder / name / version for folder in aside for name in (RELEASES, WITHDRAWN)]
    places.append(root / "tuf" / "targets" / RELEASES / version)
    # The names that api.store.releases and api.mirror.release give: 1.0.0-beta is another version than 1.0.0.
    named = re.compile(rf"({re.escape(version)}-[0-9a-f]{{16}}|damaged-{re.escape(version)})(\.failed)?").fullmatch
    both = (indexes.parent.glob("*/*"), (root / "tmp" / "mirror").glob("*"))
    places += sorted(path for paths in both for path in paths if named(path.name))
    return [path for path in places if path.is_symlink() or path.exists()]


def erase(paths: Iterable[Path]) -> list[str]:
    """Delete files and folders; why something could not be deleted, a sentence each."""
    failed = []
    for path in paths:
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
            atomic_files.sync(path.parent)
        except OSError as error:
            failed.append(f"{error.filename or path} cannot be deleted: {error.strerror}")
    return failed
