"""Counts the findings of a table: the first of each kind are described, since describing costs more than counting."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from api.model.descriptor import Table
from api.model.findings import Finding, Kind
from api.package import translation

MOST_SHOWN = 100  # findings of one kind in one table
LIKE = ("type-error", "constraint-error", "foreign-key", "unique-error")  # each is told wherever one like it is


class Tally:
    """The first findings of each kind in a table, and how many more there were."""

    def __init__(self, file: str, table: Table) -> None:
        self.file, self.table = file, table
        self.first: dict[Finding, None] = {}
        self.last: dict[Kind, Finding] = {}
        self.counts: Counter[Kind] = Counter()
        self.kinds: dict[tuple[Any, ...], Kind] = {}  # of the errors that frictionless reports

    def take(self, errors: Iterable[Any], row: Any = None) -> None:
        """Add the errors that frictionless reports."""
        for error in errors:
            if error.type == "foreign-key" and None in (row[name] for name in error.field_names):
                continue  # a key with a null in it refers to nothing, as in SQL
            limit = error.note if error.type == "constraint-error" else None
            like = (error.type, getattr(error, "field_name", None) or tuple(getattr(error, "field_names", ())), limit)
            kind = self.kinds.get(like)
            if kind is not None and self.counts[kind] >= MOST_SHOWN:
                self.counts[kind] += 1
                continue
            found = [one for one in translation.findings(error, self.table, self.file, row) if one is not None]
            self.add(found)
            if found and error.type in LIKE:
                self.kinds[like] = found[0].kind

    def add(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            if finding in self.first:
                continue
            kind = finding.kind
            self.counts[kind] += 1
            if self.counts[kind] <= MOST_SHOWN:
                self.first[finding] = None
                self.last[kind] = finding

    def findings(self) -> Iterator[Finding]:
        """Those that are described, and for each kind with more of them one that stands for the others."""
        yield from self.first
        for kind, count in self.counts.items():
            if count > MOST_SHOWN:
                left, last = count - MOST_SHOWN, self.last[kind]
                yield replace(last, message=f"and {left:,} more like it", row=None, key=None, value=None, count=left)
