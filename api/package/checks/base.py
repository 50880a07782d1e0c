"""What every check of a table shares: what it may look at, and how it reports a finding."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from api.model import types
from api.model.descriptor import Package, Table
from api.model.findings import Finding


@dataclass(frozen=True)
class Checked:
    """The table that is checked, in its package; `rows` reads any table as text, `file` names a table's file."""

    package: Package
    table: Table
    rows: Callable[[str], Iterator[tuple[int, Mapping[str, str | None]]]]
    file: Callable[[Table], str]

    @property
    def own(self) -> str:
        """The file of the table that is checked."""
        return self.file(self.table)

    def at(self, row: Any, field: str, type: str, message: str, expected: str | None = None) -> Finding:
        """A finding at one field of a row; one about several fields names the first."""
        place = (self.own, self.table.name, row.row_number, field, key(self.table, row))
        return Finding(type, message, *place, text(row, field), expected)

    def fields(self, *parts: str) -> list[str]:
        """The fields of the parts that lantern:figure names; a series has several."""
        named = [self.table.figure[part] for part in parts if part in self.table.figure]
        return [name for names in named for name in ([names] if isinstance(names, str) else names)]

    def part(self, row: Any, part: str) -> Any:
        field = self.table.figure.get(part)
        return None if field is None else row[field]

    def readable(self, row: Any, *parts: str) -> bool:
        """Whether no cell of the parts has an error of its own: one mistake is reported once."""
        return not row.error_cells or row.error_cells.keys().isdisjoint(self.fields(*parts))

    def has_error(self, row: Any, field: str) -> bool:
        """Whether a cell has an error that frictionless reports."""
        return bool(row.errors) and any(getattr(error, "field_name", None) == field for error in row.errors)


def text(row: Any, field: str) -> str:
    """A cell as it is written in the file."""
    place = row.field_names.index(field)
    cell = row.cells[place] if place < len(row.cells) else None
    return "" if cell is None else str(cell)


def key(table: Table, row: Any) -> str | None:
    """A row's primary key as text, the parts of a compound key joined by commas."""
    if not table.primary_key or not set(table.primary_key) <= set(row.field_names):
        return None
    return ",".join(text(row, name) for name in table.primary_key)


def key_of(table: Table, row: Mapping[str, str | None]) -> str:
    """The same for a row that was read as text; fields of the key that the table lacks count as empty."""
    return ",".join(row.get(name) or "" for name in table.primary_key)


def value_of(table: Table, field: str, text: str | None) -> Any:
    """A cell's value, so that 1 and 1.0 are equal; text that cannot be read stays text."""
    try:
        return None if text is None else types.kind(table.field(field)).read(text)
    except ValueError:
        return text
