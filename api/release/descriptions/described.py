"""What the documents for catalogues share: the release they speak of, its addresses and periods."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from api.index.survey import Survey, records
from api.model.descriptor import Field, Package, Table
from api.model.files import ARCHIVE, DATABASE, WORKBOOK
from api.release import media_types as types_of_files
from api.release.formats import FORMATS
from api.store import manifest

JSON = Any
WHOLE = (ARCHIVE, DATABASE, WORKBOOK)
UNITS = ("unit", "lantern:unit", "x-unit", "uom")
TITLES = {
    ARCHIVE: "Everything: the data package as a zip file",
    DATABASE: "All tables as a SQLite database",
    WORKBOOK: "All tables as a workbook",
}


@dataclass(frozen=True)
class Release:
    """What the three documents say, gathered once."""

    package: Package
    surveys: Sequence[Survey]
    folder: Path
    base_url: str

    @property
    def address(self) -> str:
        """Where the release stands; relative where no address is known."""
        return address(self.package, self.base_url)

    def url(self, path: str) -> str:
        return self.address + quote(path)

    def size(self, path: str) -> int:
        return (self.folder / path).stat().st_size

    def sha256(self, path: str) -> str:
        return manifest.digest(self.folder / path)


def address(package: Package, base_url: str) -> str:
    """The address of a release's folder, with a slash at its end; empty where nobody said where it will stand."""
    return f"{base_url.rstrip('/')}/releases/{quote(package.version)}/" if base_url else ""


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


def language_codes(release: Release) -> list[str]:
    return [str(code) for code in release.package.descriptor.get("languages") or []] or ["en"]


def agent(entry: Mapping[str, JSON]) -> dict[str, JSON]:
    """Who made it: a person where the descriptor gives a family name."""
    person = bool(entry.get("familyName") or entry.get("givenName"))
    whole = " ".join(str(entry[key]) for key in ("givenName", "familyName") if entry.get(key))
    return present(
        {
            "@type": "sc:Person" if person else "sc:Organization",
            "name": entry.get("title") or whole,
            "url": entry.get("path"),
        }
    )


def coverage(surveys: Iterable[Survey]) -> tuple[str, str] | None:
    """First and last day of the periods that tables of figures cover, where all figures say so in ISO dates."""
    days: list[str] = []
    for found in surveys:
        names = [str(found.table.figure.get(key) or "") for key in ("periodStart", "periodEnd")]
        if not all(name in found.table.index and found.table.field(name).type == "date" for name in names):
            continue
        places = [found.table.index[name] for name in names]
        makers = [found.columns[place].kind.read if place in places else str for place in range(len(found.columns))]
        for row in records(found, makers):
            days += [row[place].isoformat() for place in places if row[place] is not None]
    return (min(days), max(days)) if days else None
