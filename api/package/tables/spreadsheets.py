"""What the readers of spreadsheets share: what they yield, and how they read XML piece by piece."""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from api.package.tables.unpacking import Unsafe

MOST_COLUMNS, MOST_ROWS = 16_384, 2**20  # of a sheet
LIMIT = "MAX_SHEET_MB"
BLOCK, LONGEST_PIECE = 2**16, 2**23  # bytes of XML


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


def pieces(archive: zipfile.ZipFile, part: str, *names: str, around: str = "") -> Iterator[Element]:
    """The elements of these names in a part, each read whole; nothing else of it is kept.

    Those that are named `around` come when they begin, with their attributes. Raises ValueError for a document type,
    which declares entities, and Unsafe where LONGEST_PIECE bytes have no end of an element that is wanted: what goes
    on for ever must not fill the memory.
    """
    ready: list[Element] = []
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True

    def outside(tag: str, attributes: dict[str, str]) -> None:
        name = _local(tag)
        if name == around:
            ready.append(Element(tag, attributes))
        if name not in names:
            return
        builder = TreeBuilder()
        piece = builder.start(tag, attributes)

        def end(tag: str) -> None:
            if builder.end(tag) is piece:
                ready.append(piece)
                listen(outside, None, None)

        listen(builder.start, end, builder.data)

    def listen(*handlers: Any) -> None:
        parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = handlers

    def refuse(*_: object) -> None:
        raise ValueError("it has a document type")

    listen(outside, None, None)
    parser.StartDoctypeDeclHandler = refuse
    length = 0
    with archive.open(part) as file:
        while block := file.read(BLOCK):
            parser.Parse(block)
            length = 0 if ready else length + len(block)
            yield from ready
            ready.clear()
            if length > LONGEST_PIECE:
                raise Unsafe(f"{part} has {length:,} bytes without a {names[0]}", f"at most {LONGEST_PIECE:,}")
    parser.Parse(b"", True)


def cell_name(row: int, column: int) -> str:
    """The name that a spreadsheet gives to a cell: B4 for row 4 and column 1."""
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return f"{letters}{row}"
