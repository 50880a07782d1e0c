"""Where a release keeps what: the names of its own files, and of the files that a package brings."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from api.model import filenames
from api.model.descriptor import Package
from api.model.files import CHART_FILES, OWN, TABLE_FILES, TEXTS

CHARTS = "lantern:charts"
ELSEWHERE = "files"  # the folder of those files whose names a release needs itself


def own(package: Package) -> Iterator[str]:
    """Every file that a release writes itself, or might: names that no other file can have there."""
    yield from OWN
    yield from tables(package)
    for chart in charts(package):
        yield from (path.format(filenames.stem(str(chart["name"]))) for path in CHART_FILES)


def tables(package: Package) -> dict[str, str]:
    """The table of each file that holds one table alone."""
    stems = {filenames.stem(table.name): table.name for table in package.tables}
    return {path.format(stem): name for stem, name in stems.items() for path in TABLE_FILES.values()}


def charts(package: Package) -> list[Mapping[str, Any]]:
    """The charts that a package names."""
    entries = package.descriptor.get(CHARTS)
    named = entries if isinstance(entries, list) else []
    return [entry for entry in named if isinstance(entry, Mapping) and entry.get("name")]


def places(paths: Iterable[str], package: Package) -> dict[str, str]:
    """Where a release keeps the files that a package brings, by their paths: under these, where it can.

    Where the name is one of the release's own, or cannot be a file on every system, another is made, always the same.
    The texts beside the descriptor are the package's own.
    """
    found, taken, folders = dict[str, str](), set[str](), set[str]()

    def take(path: str) -> None:
        taken.add(filenames.folded(path))
        folders.update(filenames.folded(str(folder)) for folder in PurePosixPath(path).parents)

    def free(path: str) -> bool:
        above = {filenames.folded(str(folder)) for folder in PurePosixPath(path).parents}
        return filenames.folded(path) not in taken | folders and taken.isdisjoint(above)

    for path in own(package):
        take(path)
    for path in dict.fromkeys(paths):
        if path in TEXTS:
            found[path] = path
            continue
        whole = filenames.allowed(path)
        tried = (whole, f"{ELSEWHERE}/{whole}", *(f"{ELSEWHERE}/{n}/{whole}" for n in range(2, len(taken) + 3)))
        found[path] = next(filter(free, tried))
        take(found[path])
    return found
