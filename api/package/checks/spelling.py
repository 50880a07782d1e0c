"""What nobody sees in a key, a code or the series of a figure: white space, and letters of another script.

Two cells that look alike and are not are two codes, two rows or two series. Errors in a package that is
`lantern:strict`, warnings elsewhere. In a strict package also what programs do to cells: text that was read in another
encoding, numbers with an exponent.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from api.model import letters, types, white_space
from api.model.findings import MENDED, Finding, Level
from api.package.checks.base import Checked

TYPES = ("white-space", "look-alike")  # of its findings
REMEMBERED = 10_000
# UTF-8 that was read as windows-1252 or Latin-1: each letter beyond ASCII becomes two or three of these.
GARBLED = re.compile(
    "[\u00c3\u00c2][\u0080-\u00bf\u0152-\u0178\u2013-\u2122]|\u00e2[\u0080-\u009f\u20ac][\u0080-\u00bf\u0152-\u0178\u2013-\u2122]"
)
# What Excel writes for a character that XML does not have, and what stands for bytes that nobody could read.
REPLACED = re.compile("_x[0-9A-F]{4}_|\ufffd")
LOST = ", which may have left digits out"
Column = tuple[str, int]  # the name and the place of a field


def columns(checked: Checked, header: Any) -> list[Column]:
    """The fields whose cells are compared with others."""
    places = {field.name: place for place, field in enumerate(header.get_expected_fields())}
    return [(name, places[name]) for name in white_space.compared(checked.table) if name in places]


def alike(text: str) -> str:
    """A text as it looks: what is equal by this is equal for a reader."""
    return text if text.isascii() and text.isprintable() and " " not in text else _alike(text)


@lru_cache(REMEMBERED)
def _alike(text: str) -> str:
    return letters.latin(white_space.cleaned(text))


def unseen(checked: Checked, columns: Sequence[Column], level: Level, row: Any) -> Iterable[Finding]:
    """Cells with white space or letters that cannot be seen."""
    cells = row.cells
    odd = [(name, cells[place]) for name, place in columns if (cell := cells[place]) and alike(cell) != cell]
    return _unseen(checked, odd, level, row) if odd else ()


def _unseen(checked: Checked, odd: Sequence[tuple[str, str]], level: Level, row: Any) -> Iterator[Finding]:
    for name, cell in odd:
        looks = alike(cell)
        if looks and looks != letters.latin(cell):
            message, expected = f'"{cell}" has white space or characters that cannot be seen{MENDED}', f'"{looks}"'
            yield replace(checked.at(row, name, "white-space", message, expected), level=level)
        elif looks:
            other = next(one for one, latin in zip(cell, looks, strict=True) if one != latin)
            message = f'"{cell}" has a letter of another script, "{other}", that looks like a Latin one'
            yield replace(checked.at(row, name, "look-alike", message, f'"{looks}" in Latin letters'), level=level)


def garbled(checked: Checked, row: Any) -> Iterable[Finding]:
    """Text of which the letters beyond ASCII were read in another encoding: CalderÃ³n for Calderón."""
    text = "".join(row.cells)
    return () if text.isascii() and "_x" not in text else _garbled(checked, row)


def _garbled(checked: Checked, row: Any) -> Iterator[Finding]:
    for name, cell in zip(row.field_names, row.cells, strict=True):
        if match := GARBLED.search(cell) or REPLACED.search(cell):
            read, lost = "looks like a letter that was read in another encoding", "stands for a character that was lost"
            message = f'"{match[0]}" in "{cell[:80]}" {read if match.re is GARBLED else lost}'
            yield checked.at(row, name, "garbled", message, "the text as it was before it was opened and saved")


def numbers(checked: Checked, header: Any) -> list[Column]:
    """The fields of numbers."""
    places = {field.name: place for place, field in enumerate(header.get_expected_fields())}
    fields = (field for field in checked.table.fields if field.type in types.NUMERIC)
    return [(field.name, places[field.name]) for field in fields if field.name in places]


def exponent(checked: Checked, columns: Sequence[Column], row: Any) -> Iterable[Finding]:
    """Numbers as a spreadsheet shows large ones, 1.587E+04: it may have left digits out."""
    cells = row.cells
    odd = [(name, cell) for name, place in columns if not (cell := cells[place]).isdecimal() and "e" in cell.lower()]
    return [
        checked.at(
            row, name, "exponent", f'"{cell}" is written with an exponent, as by a spreadsheet{LOST}', "all digits"
        )
        for name, cell in odd
        if name not in row.error_cells and row[name] is not None
    ]
