"""Every file of a release that is made from its rows and its descriptor: typed formats, descriptions, charts.

Imports of heavy libraries stay inside: nothing here is needed to serve a release.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from api.index.survey import Survey, surveys
from api.model import descriptor
from api.model.descriptor import Package
from api.model.files import (
    ARCHIVE,
    CHANGELOG,
    CHANGES,
    CITATION,
    DATABASE,
    DESCRIPTOR,
    LICENSE,
    README,
    TEXTS,
    WORKBOOK,
)
from api.release import charts
from api.release.descriptions import catalogues, citation, codebook, described, validation
from api.release.formats import FORMATS, archive

JSON = Any
Say = Callable[[str], None]


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
    say("drawing the charts")
    charts.write(package, found, folder)
    say("writing package.zip")
    texts = _texts(package, extra, base_url)
    _save(folder, texts)
    since = [CHANGES] if described.get("lantern:previous") else []  # a zip carries no history: see history.py
    archive.write(folder, [*_packed(described, extra), *since], folder / ARCHIVE, package.created)
    say("writing the descriptions")
    _save(folder, _descriptions(package, found, folder, report, base_url))


def _typed(package: Package, survey: Survey, folder: Path) -> None:
    for one in FORMATS.values():
        if one.path and one.write is not None:
            target = folder / one.file(survey.table)
            target.parent.mkdir(exist_ok=True)
            one.write(package, survey, target)


def _whole(package: Package, found: Sequence[Survey], folder: Path) -> None:
    from api.release.formats import database, workbook

    database.write(package, found, folder / DATABASE)
    workbook.write(package, found, folder / WORKBOOK)


def _texts(package: Package, extra: Mapping[str, str], base_url: str) -> dict[str, str]:
    """The texts of the package, those it brings as they are."""
    where = described.address(package, base_url)
    made = {
        README: citation.readme(package),
        CHANGELOG: citation.changelog(package),
        LICENSE: citation.licence(package),
        CITATION: citation.cff(package, where),
    }
    own = {
        "citation.txt": citation.text(package, where),
        "citation.bib": citation.bibtex(package, where),
    }
    return {**made, **extra, **own}


def _packed(described: Mapping[str, JSON], extra: Mapping[str, str]) -> list[str]:
    """The files of package.zip: all that a build takes from a package's folder, so that it can be built again."""
    resources = described.get("resources") or []
    paths = [path for r in resources for path in _paths(r.get("path"))]
    return [DESCRIPTOR, *TEXTS, *extra, *paths]


def _paths(path: JSON) -> list[str]:
    return [] if path is None else [str(path)] if isinstance(path, str) else [str(one) for one in path]


def _descriptions(
    package: Package, found: Sequence[Survey], folder: Path, report: Mapping[str, JSON], base_url: str
) -> dict[str, str]:
    cite = citation.text(package, described.address(package, base_url))
    return {
        **codebook.write(package, found, cite),
        **validation.write(package, report),
        **catalogues.write(package, found, folder, base_url),
    }


def _save(folder: Path, texts: Mapping[str, str]) -> None:
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
