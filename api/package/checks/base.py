"""What every check of a table shares: what it may look at, and how it says what is wrong."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import attrs
import frictionless

from api.model.descriptor import Package, Table
from api.model.findings import Finding

Rows = Callable[[str], Iterator[tuple[int, Mapping[str, str | None]]]]


@dataclass(frozen=True)
class Context:
    """The package a table stands in; `rows` reads any table of it as text, `file` names a table's file."""

    package: Package
    rows: Rows
    file: Callable[[Table], str]

    @property
    def strict(self) -> bool:
        return self.package.descriptor.get("lantern:strict") is True


@attrs.define(kw_only=True, repr=False)
class Defect(frictionless.errors.DataError):
    """What our own checks find: a problem as the report shows it."""

    type = "defect"
    title = "Defect"
    description = "A check of Lantern's found something."
    template = "{note}"

    problem: Finding
    warning: bool = False


def defect(problem: Finding, warning: bool = False) -> Defect:
    return Defect(note=problem.message, problem=problem, warning=warning)


@attrs.define(kw_only=True, repr=False)
class TableCheck(frictionless.Check):
    """A check of one table."""

    type = "lantern"

    context: Context
    table: Table

    def at(self, row: Any, field: str | None, type: str, message: str, expected: str | None = None) -> Defect:
        """A defect of one row, at one field or at the whole row; a finding about several fields names the first."""
        return defect(
            Finding(
                type,
                message,
                file=self.context.file(self.table),
                resource=self.table.name,
                row=row.row_number,
                field=field,
                key=key(self.table, row),
                value=None if field is None else text(row, field),
                expected=expected,
            )
        )


def text(row: Any, field: str) -> str:
    """A cell as it stands in the file."""
    place = row.field_names.index(field)
    cell = row.cells[place] if place < len(row.cells) else None
    return "" if cell is None else str(cell)


def key(table: Table, row: Any) -> str | None:
    """A row's primary key as text, the parts of a compound key joined by commas."""
    if not table.primary_key or not set(table.primary_key) <= set(row.field_names):
        return None
    return ",".join(text(row, name) for name in table.primary_key)


def key_of(table: Table, row: Mapping[str, str | None]) -> str:
    """The same of a row that was read as text; a key that names a missing field is told as such."""
    return ",".join(row.get(name) or "" for name in table.primary_key)
