"""What validation found, for people and for machines; nothing in it depends on the clock or the machine."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

# Files whose rows are not lines, packed or not: a reader counts the items of a list, or sees the rows of a sheet.
_OF_ROWS = re.compile(r"\.(json|geojson|ya?ml|xlsx|ods)(\.\w{2,3})?$", re.IGNORECASE)
Level = Literal["error", "warning", "note"]
REPORTED = ("file", "resource", "row", "field", "key", "value", "expected", "type", "message")


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: where it is, the value there and what was expected.

    `row` is the line in the file, the header being line 1, or of a file without lines (JSON, a spreadsheet) the number
    of the row there; `key` is the row's primary key. An error is about rows, types, keys or files; a warning is what
    people should mend, and nothing is lost; a note is about words that no reader needs.
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
class Edit:
    """What was changed in a published descriptor so that what can be read is served (`--lenient`).

    `field` is None for what concerns the whole table; `cells` counts those that did not fit, of which `first` is one.
    """

    table: str
    field: str | None
    was: str
    now: str
    cells: int = 0
    first: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {"is" if name == "now" else name: value for name, value in asdict(self).items()}

    def text(self) -> str:
        """One line: edited: u field "n": integer → string (2 cells do not fit, the first: data/u.csv:3 …)."""
        place = self.table if self.field is None else f'{self.table} field "{self.field}"'
        fit = f"{self.cells} cell{' does' if self.cells == 1 else 's do'} not fit, the first: "
        first = f" ({fit if self.cells else ''}{self.first})" if self.first else ""
        return f"edited: {place}: {self.was} → {self.now}{first}"


@dataclass(frozen=True)
class Report:
    """All that validation found, and what was edited before it.

    `counts` says how often a table has a finding of a type at a field, also where only the first are in `findings`.
    """

    findings: tuple[Finding, ...]
    tables: tuple[TableReport, ...]
    edits: tuple[Edit, ...] = ()
    counts: Mapping[tuple[str | None, str, str | None], int] = field(default_factory=dict)

    @property
    def errors(self) -> tuple[Finding, ...]:
        return self._of("error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        return self._of("warning")

    @property
    def notes(self) -> tuple[Finding, ...]:
        return self._of("note")

    def _of(self, level: Level) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.level == level)

    @property
    def valid(self) -> bool:
        return not self.errors

    def to_json(self) -> dict[str, Any]:
        return {
            "valid": self.valid,
            "errors": [finding.to_json() for finding in self.errors],
            "warnings": [finding.to_json() for finding in self.warnings],
            "notes": [finding.to_json() for finding in self.notes],
            "edits": [edit.to_json() for edit in self.edits],
            "tables": [asdict(table) for table in self.tables],
        }

    def text(self) -> str:
        """One line for each finding, errors first and notes last, and a last one that sums up."""
        lines = [finding.text() for finding in self.errors]
        lines += [edit.text() for edit in self.edits]
        lines += [f"{finding.level}: {finding.text()}" for finding in (*self.warnings, *self.notes)]
        counts = {"table": len(self.tables), "row": sum(table.rows for table in self.tables)}
        counts |= {"error": len(self.errors), "warning": len(self.warnings)}
        counts |= {"note": len(self.notes)} if self.notes else {}
        counted = (f"{number} {noun}" if number == 1 else f"{number} {noun}s" for noun, number in counts.items())
        return "\n".join([*lines, f"{'valid' if self.valid else 'not valid'}: {', '.join(counted)}"])
