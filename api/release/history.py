"""The versions of a package that were published before, as the package itself carries them.

Beside its descriptor a package keeps `history/{version}/` for each previous version: what the release's package.zip
holds, as plain files (the descriptor with its schemas inside and the bytes, hash and rows of each table; the data; the
texts). So a fresh machine can build every version again from the repository alone, in order, and what a release states
about the one before (`previous`, changes.jsonl) depends on the package and never on which releases a store happens to
hold. Plain files and not a zip: git stores a file that did not change once, people can read and compare them, and the
hashes in the descriptor make validation fail if one is altered.

A package.zip has no history: its descriptor names the previous version (`lantern:previous`) and it brings the finished
changes.jsonl, which is all that a release takes from the version before.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from api import package
from api.model.files import CHANGES, DESCRIPTOR, HISTORY
from api.model.findings import Finding
from api.package import PackageError, Source
from api.release.changes import Side
from api.store.releases import order

PREVIOUS = "lantern:previous"


@dataclass(frozen=True)
class Previous:
    """The version before: its package where the history holds it, else the finished list of what changed since."""

    version: str
    folder: Path | None
    changes: Path | None


def earlier(folder: Path, version: str) -> tuple[Path, ...]:
    """The packages of the versions below `version` that a package's folder carries, oldest first.

    Raises PackageError for a folder that is not named like the version in it.
    """
    own = folder / HISTORY
    shelf = own if own.is_dir() else folder.parent if folder.parent.name == HISTORY else None
    if shelf is None:
        return ()
    folders = [path for path in shelf.iterdir() if path.is_dir() and order(path.name) < order(version)]
    for path in folders:
        place = f"{HISTORY}/{path.name}"
        try:
            held = json.loads((path / DESCRIPTOR).read_bytes()).get("version")
        except (OSError, ValueError, AttributeError) as error:
            message = f"the previous version cannot be read: {error}"
            raise PackageError(Finding("history", message, f"{place}/{DESCRIPTOR}")) from None
        if held != path.name:
            raise PackageError(Finding("history", f"the folder holds version {held}", place, expected=path.name))
    return tuple(sorted(folders, key=lambda path: order(path.name)))


def previous(source: Source) -> Previous | None:
    """The version before that of an opened package; None for a first version.

    Raises PackageError for a descriptor that names one that is missing.
    """
    folders = earlier(source.folder, source.package.version)
    if folders:
        return Previous(folders[-1].name, folders[-1], None)
    version = source.package.descriptor.get(PREVIOUS)
    if not version:
        return None
    finished = source.folder / CHANGES
    if not finished.is_file():
        message = f"the descriptor names the previous version {version}, which is missing"
        expected = f"{HISTORY}/{version} or {CHANGES}"
        raise PackageError(Finding("history", message, source.descriptor_path.name, expected=expected))
    return Previous(str(version), None, finished)


def of(path: Path) -> Path | None:
    """The package to validate a package against: its newest previous version, where it carries one that can be read."""
    try:
        with package.opened(path) as opened:
            folders = earlier(opened.folder, opened.package.version)
    except PackageError:  # validation reports it
        return None
    return folders[-1] if folders else None


@contextmanager
def side(path: Path, scratch: Path) -> Iterator[Side]:
    """A version, from a package (folder, descriptor, zip) or a release's folder; `scratch` is an empty folder."""
    with package.open_source(path) as opened:
        yield plain(opened, scratch)


def plain(source: Source, scratch: Path) -> Side:
    """An opened package with every table as plain CSV."""
    paths = {}
    for number, table in enumerate(source.package.tables):
        paths[table.name] = scratch / f"{number}.csv"
        package.write_csv(source, table, paths[table.name])
    return Side(source.package, paths)
