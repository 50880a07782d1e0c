"""Every file of a release that is made from its rows and its descriptor: typed formats, descriptions, charts.

Imports of heavy libraries stay inside: nothing here is needed to serve a release.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from api import descriptor
from api.descriptor import Package, file_stem
from api.release.formats import archive
from api.release.formats.survey import Survey, surveys

JSON = Any
Say = Callable[[str], None]
DESCRIPTOR = "datapackage.json"


def write(
    package: Package,
    described: Mapping[str, JSON],
    folder: Path,
    report: Mapping[str, JSON],
    extra: Mapping[str, str],
    base_url: str,
    say: Say = lambda _: None,
) -> None:
    """Write into a release folder, where datapackage.json and data/*.csv stand, every other file that people download.

    `described` is the release's datapackage.json, `report` what validation found, `extra` the texts of the package's
    folder by name. Nothing is taken from the clock, the machine or the folder's place.
    """
    package = descriptor.package(described)
    found = surveys(package, folder)
    for table in found:
        say(f"writing the typed files of {table.table.name}")
        _typed(package, table, folder)
    say("writing package.sqlite and package.xlsx")
    _whole(package, found, folder)


def _typed(package: Package, found: Survey, folder: Path) -> None:
    from api.release.formats import jsonlines, parquet

    for kind in ("jsonl", "parquet"):
        (folder / kind).mkdir(exist_ok=True)
    stem = file_stem(found.table.name)
    jsonlines.write(found, folder / "jsonl" / f"{stem}.jsonl")
    parquet.write(package, found, folder / "parquet" / f"{stem}.parquet")


def _whole(package: Package, found: Sequence[Survey], folder: Path) -> None:
    from api.release.formats import database, workbook

    database.write(package, found, folder / "package.sqlite")
    workbook.write(package, found, folder / "package.xlsx")
