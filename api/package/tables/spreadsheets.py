"""What the readers of spreadsheets share: what they yield, and how they read XML piece by piece."""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from api import settings
from api.package.tables.unpacking import Unsafe

MOST_COLUMNS, MOST_ROWS = 16_384, 2**20  # of a sheet
LIMIT = "MAX_SHEET_MB"


@dataclass(frozen=True)
class Fault:
    """A cell that holds an error, such as #N/A; without a text a formula that was never calculated."""

    text: str


@dataclass(frozen=True)
class Merged:
    """Cells of which only the first has a value, such as A2:A4, and the row of the first."""

    range: str
    row: int


Cells = dict[int, Any]  # by column, from 0; empty cells are left out
Sheet = Iterator[tuple[int, Cells] | Merged]  # rows by number, from 1, in order; merged cells before, between or after


@lru_cache(maxsize=1_000)
def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def local(element: Element) -> str:
    """The name of an element without its namespace, of which there is one for each edition of a standard."""
    return _local(element.tag)


def attribute(element: Element, name: str) -> str | None:
    """An attribute by its name without namespace."""
    return next((value for key, value in element.attrib.items() if _local(key) == name), None)


def largest() -> int:
    """How many bytes a spreadsheet may unpack to."""
    return int(settings.load()[LIMIT]) * 2**20


def refuse_large(size: int, what: str = "it", share: int = 1) -> None:
    """Raises Unsafe for a spreadsheet of too many bytes, or for a part of it of more than its share."""
    most = largest() // share
    if size > most:
        raise Unsafe(f"{what} unpacks to {size:,} bytes", settings.at_most(LIMIT, most, "bytes"))


def pieces(archive: zipfile.ZipFile, part: str, *names: str) -> Iterator[Element]:
    """The elements of these names in a part, each read whole and then emptied."""
    with archive.open(part) as file:
        for _, element in ElementTree.iterparse(file):  # noqa: S314 (expat limits entities)
            if _local(element.tag) in names:
                yield element
                element.clear()


def cell_name(row: int, column: int) -> str:
    """The name that a spreadsheet gives to a cell: B4 for row 4 and column 1."""
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return f"{letters}{row}"
