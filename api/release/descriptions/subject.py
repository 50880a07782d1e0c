"""What the documents for catalogues share: the release that they describe, its addresses and periods."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from api.index.survey import Survey, records
from api.model.descriptor import Field, Package, Table
from api.model.files import ARCHIVE, DATABASE, WORKBOOK
from api.release import media_types as types_of_files
from api.release.descriptions import citation
from api.release.formats import FORMATS
from api.store import manifest

JSON = Any
UNITS = ("unit", "lantern:unit", "x-unit", "uom")
TITLES = {
    ARCHIVE: "Everything: the data package as a zip file",
    DATABASE: "All tables as a SQLite database",
    WORKBOOK: "All tables as a workbook",
}


@dataclass(frozen=True)
class Subject:
    """The release that the three documents describe, while it is made: its package, surveys and folder."""

    package: Package
    surveys: Sequence[Survey]
    folder: Path

    @property
    def wholes(self) -> list[tuple[str, str]]:
        """The files that hold all tables, each with its title."""
        return [(path, title) for path, title in TITLES.items() if (self.folder / path).is_file()]

    @property
    def languages(self) -> list[str]:
        """The codes of the package's languages; English where it names none."""
        return [str(code) for code in self.package.descriptor.get("languages") or ["en"]]

    def url(self, path: str) -> str:
        """The address of a file; relative where the package does not say where it is served."""
        return citation.address(self.package) + quote(path)

    def size(self, path: str) -> int:
        return (self.folder / path).stat().st_size

    def sha256(self, path: str) -> str:
        return manifest.digest(self.folder / path)


def present(entry: Mapping[str, JSON]) -> dict[str, JSON]:
    """Without what is not known."""
    return {key: value for key, value in entry.items() if value not in (None, "", [], {})}


def files_of(table: Table) -> Iterator[tuple[str, str]]:
    """The files of one table, each with its format's name."""
    yield from ((one.file(table), one.title) for one in FORMATS.values() if one.path)


def media_type(path: str) -> str:
    return types_of_files.media_type(path).partition(";")[0]


def unit(field: Field) -> str:
    return next((str(field.descriptor[key]) for key in UNITS if field.descriptor.get(key)), "")


def agent(entry: Mapping[str, JSON]) -> dict[str, JSON]:
    """A contributor: a person where the descriptor gives a family name."""
    kind = "sc:Person" if citation.is_person(entry) else "sc:Organization"
    return present({"@type": kind, "name": citation.name_of(entry), "url": entry.get("path")})


def coverage(surveys: Iterable[Survey]) -> tuple[str, str] | None:
    """First and last day of the periods that tables of figures cover, where all figures say so in ISO dates."""
    days: list[str] = []
    for survey in surveys:
        table = survey.table
        names = [str(table.figure.get(key) or "") for key in ("periodStart", "periodEnd")]
        if not all(name in table.index and table.field(name).type == "date" for name in names):
            continue
        places = [table.index[name] for name in names]
        makers = [column.kind.read if place in places else str for place, column in enumerate(survey.columns)]
        for row in records(survey, makers):
            days += [row[place].isoformat() for place in places if row[place] is not None]
    return (min(days), max(days)) if days else None
