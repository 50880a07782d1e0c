"""What nobody sees in a key, a code or the series of a figure: white space, and letters of another script.

Two cells that look alike and are not are two codes, two rows or two series. Errors in a package that is
`lantern:strict`, warnings elsewhere.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from api.model import letters, white_space
from api.model.findings import MENDED, Finding, Level
from api.package.checks.base import Checked

TYPES = ("white-space", "look-alike")  # of its findings
REMEMBERED = 10_000
Column = tuple[str, int]  # the name and the place of a field


def columns(checked: Checked, header: Any) -> list[Column]:
    """The fields whose cells are compared with others."""
    places = {field.name: place for place, field in enumerate(header.get_expected_fields())}
    return [(name, places[name]) for name in white_space.compared(checked.table) if name in places]


@lru_cache(REMEMBERED)
def alike(text: str) -> str:
    """A text as it looks: what is equal by this is equal for a reader."""
    return letters.latin(white_space.cleaned(text))


def unseen(checked: Checked, columns: Sequence[Column], level: Level, row: Any) -> Iterator[Finding]:
    """Cells with white space or letters that cannot be seen."""
    for name, place in columns:
        cell = row.cells[place] if place < len(row.cells) else None
        if not isinstance(cell, str) or cell.isascii() and cell.isprintable() and " " not in cell:
            continue
        looks = alike(cell)
        if looks == cell or not looks:
            continue
        if looks != letters.latin(cell):
            message, expected = f'"{cell}" has white space that nobody sees{MENDED}', f'"{looks}"'
            yield replace(checked.at(row, name, "white-space", message, expected), level=level)
        else:
            other = next(one for one, latin in zip(cell, looks, strict=True) if one != latin)
            message = f'"{cell}" has a letter of another script, "{other}", that looks like a Latin one'
            yield replace(checked.at(row, name, "look-alike", message, f'"{looks}" in Latin letters'), level=level)
