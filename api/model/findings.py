"""What validation found, for people and for machines; nothing in it depends on the clock or the machine."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: where it stands, what stands there and what was expected.

    `row` is the line in the file, the header being line 1; `key` is the row's primary key.
    """

    type: str
    message: str
    file: str = ""
    resource: str | None = None
    row: int | None = None
    field: str | None = None
    key: str | None = None
    value: str | None = None
    expected: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "file": self.file,
            "resource": self.resource,
            "row": self.row,
            "field": self.field,
            "key": self.key,
            "value": self.value,
            "expected": self.expected,
            "type": self.type,
            "message": self.message,
        }

    def text(self) -> str:
        """One line: data/exports.csv:14 field "value" of exs-0013: "abc" is not a number (expected: a number)."""
        place = self.file if self.row is None else f"{self.file}:{self.row}"
        field = "" if self.field is None else f' field "{self.field}"'
        key = "" if not self.key else (f" of {self.key}" if field else f" {self.key}")
        where = f"{place}{field}{key}".strip()
        expected = f" (expected: {self.expected})" if self.expected else ""
        return f"{where}: {self.message}{expected}" if where else f"{self.message}{expected}"


@dataclass(frozen=True)
class TableReport:
    """One table as it was read."""

    name: str
    path: str
    rows: int

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "path": self.path, "rows": self.rows}


@dataclass(frozen=True)
class Report:
    """All that validation found."""

    errors: tuple[Finding, ...]
    warnings: tuple[Finding, ...]
    tables: tuple[TableReport, ...]

    @property
    def valid(self) -> bool:
        return not self.errors

    def to_json(self) -> dict[str, Any]:
        return {
            "valid": self.valid,
            "errors": [problem.to_json() for problem in self.errors],
            "warnings": [problem.to_json() for problem in self.warnings],
            "tables": [table.to_json() for table in self.tables],
        }

    def text(self) -> str:
        """One line for each finding, and a last one that sums up."""
        lines = [problem.text() for problem in self.errors]
        lines += [f"warning: {problem.text()}" for problem in self.warnings]
        verdict = "valid" if self.valid else "not valid"
        rows = sum(table.rows for table in self.tables)
        lines.append(
            f"{verdict}: {_count(len(self.tables), 'table')}, {_count(rows, 'row')}, "
            f"{_count(len(self.errors), 'error')}, {_count(len(self.warnings), 'warning')}"
        )
        return "\n".join(lines)


def unique(problems: Iterable[Finding]) -> tuple[Finding, ...]:
    """The problems without repetitions, in the order given."""
    return tuple(dict.fromkeys(problems))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
