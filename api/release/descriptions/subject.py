"""What the documents for catalogues share: the release that they describe, its addresses and periods."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from api.index.survey import Survey, records
from api.model.descriptor import Field, Package, Table
from api.model.files import ARCHIVE, DATABASE, WORKBOOK
from api.release.descriptions import citation
from api.release.formats import FORMATS
from api.release.media_types import media_type
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

    def files(self, table: Table | None) -> list[tuple[str, str]]:
        """The files of one table, or those that hold all tables, each with its title."""
        if table is None:
            return [(path, title) for path, title in TITLES.items() if (self.folder / path).is_file()]
        return [(one.file(table), f"{table.title} as {one.title}") for one in FORMATS.values() if one.path]

    @property
    def languages(self) -> list[str]:
        """The codes of the package's languages; English where it names none."""
        return [str(code) for code in self.package.descriptor.get("languages") or ["en"]]

    def url(self, path: str) -> str:
        """The address of a file; relative where the package does not say where it is served."""
        return citation.address(self.package) + quote(path)

    def media_type(self, path: str) -> str:
        return media_type(path).partition(";")[0]

    def size(self, path: str) -> int:
        return (self.folder / path).stat().st_size

    def sha256(self, path: str) -> str:
        return manifest.digest(self.folder / path)


def present(entry: Mapping[str, JSON]) -> dict[str, JSON]:
    """An entry without unknown values."""
    return {key: value for key, value in entry.items() if value not in (None, "", [], {})}


def unit(field: Field) -> str:
    return next((str(field.descriptor[key]) for key in UNITS if field.descriptor.get(key)), "")


def agent(entry: Mapping[str, JSON]) -> dict[str, JSON]:
    """A contributor: a person where the descriptor gives a family name."""
    kind = "sc:Person" if citation.is_person(entry) else "sc:Organization"
    return present({"@type": kind, "name": citation.name_of(entry), "url": entry.get("path")})


def coverage(surveys: Iterable[Survey]) -> list[str]:
    """First and last day of the periods that tables of figures cover, where all of them are dates; else nothing."""
    days: list[str] = []
    for survey in surveys:
        table = survey.table
        names = [str(table.figure.get(key) or "") for key in ("periodStart", "periodEnd")]
        if all(name in table.index and table.field(name).type == "date" for name in names):
            places = [table.index[name] for name in names]
            makers = [column.kind.read if place in places else str for place, column in enumerate(survey.columns)]
            for row in records(survey, makers):
                days += [row[place].isoformat() for place in places if row[place] is not None]
    return [min(days), max(days)] if days else []
