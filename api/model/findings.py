"""What validation found, for people and for machines; nothing in it depends on the clock or the machine."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from api.model.printing import printable

# Files whose rows are not lines, packed or not: a reader counts the items of a list, or sees the rows of a sheet.
_OF_ROWS = re.compile(r"\.(json|geojson|ya?ml|xlsx|ods)(\.\w{2,3})?$", re.IGNORECASE)
Level = Literal["error", "warning", "note"]
Kind = tuple[str, str, str | None, str | None, str | None, Level]
REPORTED = ("file", "resource", "row", "field", "key", "value", "expected", "type", "message")
MENDED = "; lantern format mends this"  # the end of a message
FEW = 5  # findings of one kind that are told one by one
PLACES = 10  # of more than these, how many places are told


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: where it is, the value there and what was expected.

    `row` is the line in the file, the header being line 1, or of a file without lines (JSON, a spreadsheet) the number
    of the row there; `key` is the row's primary key. An error is about rows, types, keys or files; a warning is what
    people should mend, and nothing is lost; a note is about words that no reader needs. `count` is how many findings
    it stands for, and `other` the table beside its own that it rests on: where that cannot be read, it is no finding.
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
    count: int = 1
    other: str | None = None

    @property
    def kind(self) -> Kind:
        """What findings that differ only in their rows share."""
        return self.file, self.type, self.resource, self.field, self.other, self.level

    def to_json(self) -> dict[str, Any]:
        reported = {name: getattr(self, name) for name in REPORTED}
        return reported if self.count == 1 else {**reported, "count": self.count}

    def text(self) -> str:
        """One line: data/exports.csv:14 field "value" of exs-0013: "abc" is not a number (expected: a number)."""
        between = " row " if _OF_ROWS.search(self.file) else ":"
        place = self.file if self.row is None else f"{self.file}{between}{self.row}"
        field = "" if self.field is None else f' field "{self.field}"'
        key = "" if not self.key else (f" of {self.key}" if field else f" {self.key}")
        where = f"{place}{field}{key}".strip()
        expected = f" (expected: {self.expected})" if self.expected else ""
        return printable(f"{where}: {self.message}{expected}" if where else f"{self.message}{expected}")


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
        """One line for each finding, or for many of one kind, errors first and notes last; a last one sums up."""
        lines = [*_lines(self.errors), *(edit.text() for edit in self.edits)]
        lines += [f"warning: {line}" for line in _lines(self.warnings)] + [
            f"note: {line}" for line in _lines(self.notes)
        ]
        counts = {"table": len(self.tables), "row": sum(table.rows for table in self.tables)}
        counts |= {"error": _count(self.errors), "warning": _count(self.warnings)}
        counts |= {"note": _count(self.notes)} if self.notes else {}
        counted = (f"{number} {noun}" if number == 1 else f"{number} {noun}s" for noun, number in counts.items())
        return "\n".join([*lines, f"{'valid' if self.valid else 'not valid'}: {', '.join(counted)}"])


def _count(findings: Iterable[Finding]) -> int:
    return sum(finding.count for finding in findings)


def _lines(findings: Iterable[Finding]) -> Iterator[str]:
    """The lines that tell findings: many of one kind are one line, with their number and the places of the first."""
    kinds: dict[Kind, list[Finding]] = {}
    for finding in findings:
        kinds.setdefault(finding.kind, []).append(finding)
    for alike in kinds.values():
        # What stands for others may come before them: it has no row.
        first, *others = sorted(alike, key=lambda finding: finding.message.startswith("and "))
        if len(alike) <= FEW and _count(alike) == len(alike):
            yield from (finding.text() for finding in alike)
            continue
        rows = [str(finding.row) for finding in others if finding.row is not None]
        places = f", on lines {', '.join(rows[:PLACES])}{' …' if len(rows) > PLACES else ''}" if rows else ""
        yield f"{first.text()}; and {_count(others):,} more like it{places}"
