"""What validation found, for people and for machines; nothing in it depends on the clock or the machine."""

import re
from dataclasses import asdict, dataclass
from typing import Any, Literal

# Files whose rows are not lines, packed or not: a reader counts the items of a list, or sees the rows of a sheet.
_OF_ROWS = re.compile(r"\.(json|geojson|ya?ml|xlsx|ods)(\.\w{2,3})?$", re.IGNORECASE)
Level = Literal["error", "warning"]
REPORTED = ("file", "resource", "row", "field", "key", "value", "expected", "type", "message")


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: where it is, the value there and what was expected.

    `row` is the line in the file, the header being line 1, or of a file without lines (JSON, a spreadsheet) the number
    of the row there; `key` is the row's primary key.
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
    level: Level = "error"

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in REPORTED}

    def text(self) -> str:
        """One line: data/exports.csv:14 field "value" of exs-0013: "abc" is not a number (expected: a number)."""
        between = " row " if _OF_ROWS.search(self.file) else ":"
        place = self.file if self.row is None else f"{self.file}{between}{self.row}"
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


@dataclass(frozen=True)
class Report:
    """All that validation found."""

    findings: tuple[Finding, ...]
    tables: tuple[TableReport, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.level == "error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.level == "warning")

    @property
    def valid(self) -> bool:
        return not self.errors

    def to_json(self) -> dict[str, Any]:
        return {
            "valid": self.valid,
            "errors": [finding.to_json() for finding in self.errors],
            "warnings": [finding.to_json() for finding in self.warnings],
            "tables": [asdict(table) for table in self.tables],
        }

    def text(self) -> str:
        """One line for each finding, and a last one that sums up."""
        lines = [finding.text() for finding in self.errors]
        lines += [f"warning: {finding.text()}" for finding in self.warnings]
        counts = {"table": len(self.tables), "row": sum(table.rows for table in self.tables)}
        counts |= {"error": len(self.errors), "warning": len(self.warnings)}
        counted = (f"{number} {noun}" if number == 1 else f"{number} {noun}s" for noun, number in counts.items())
        return "\n".join([*lines, f"{'valid' if self.valid else 'not valid'}: {', '.join(counted)}"])
