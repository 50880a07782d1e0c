"""What every check of a table shares: what it may look at, and how it reports a finding."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import attrs
import frictionless

from api.model import types
from api.model.descriptor import Package, Table
from api.model.findings import Finding, Level

Rows = Callable[[str], Iterator[tuple[int, Mapping[str, str | None]]]]


@dataclass(frozen=True)
class Context:
    """The package that a table is part of; `rows` reads any of its tables as text, `file` names a table's file."""

    package: Package
    rows: Rows
    file: Callable[[Table], str]

    @property
    def strict(self) -> bool:
        return self.package.descriptor.get("lantern:strict") is True


@attrs.define(kw_only=True, repr=False)
class CheckError(frictionless.errors.DataError):
    """A finding of our own checks, as frictionless has them return it."""

    type = "lantern"
    title = "Finding"
    description = "A check of Lantern's found something."
    template = "{note}"

    finding: Finding


def check_error(finding: Finding) -> CheckError:
    return CheckError(note=finding.message, finding=finding)


@attrs.define(kw_only=True, repr=False)
class TableCheck(frictionless.Check):
    """A check of one table."""

    type = "lantern"

    context: Context
    table: Table

    def at(
        self, row: Any, field: str, type: str, message: str, expected: str | None = None, level: Level = "error"
    ) -> CheckError:
        """A finding at one field of a row; one about several fields names the first."""
        place = (self.context.file(self.table), self.table.name, row.row_number, field, key(self.table, row))
        return check_error(Finding(type, message, *place, text(row, field), expected, level))


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


def value_of(table: Table, field: str, text: str | None) -> Any:
    """A cell's value, so that 1 and 1.0 are equal; text that cannot be read stays text."""
    try:
        return None if text is None else types.kind(table.field(field)).read(text)
    except ValueError:
        return text


def key_of(table: Table, row: Mapping[str, str | None]) -> str:
    """The same for a row that was read as text; fields of the key that the table lacks count as empty."""
    return ",".join(row.get(name) or "" for name in table.primary_key)
