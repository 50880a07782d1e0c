"""Checks between rows: order, and conflicts that must be real."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from api.model.files import CONFLICTS, POSITIONS
from api.model.findings import MENDED, Finding
from api.package.checks.base import Checked, key_of, value_of
from api.package.checks.figures import PERIOD, PREFERRED, QUANTITY

RIVAL = "rival"
READ = {CONFLICTS: ("id", "preferred_record"), POSITIONS: ("conflict", "dataset", "record", "role")}


def in_order(checked: Checked, last: list[Any], row: Any) -> Iterator[Finding]:
    """Rows are in the order of their primary key, so that a difference between two versions is easy to read."""
    parts = [row[name] for name in checked.table.primary_key]
    if None in parts:
        return
    if last and parts < last:
        expected = f"a place before {','.join(map(str, last))}"
        yield checked.at(
            row, checked.table.primary_key[0], "unsorted", f"the rows are not sorted by key{MENDED}", expected
        )
    last[:] = parts


class Conflicts:
    """Conflicts name rows that exist and really differ; checked from the table of their positions."""

    def __init__(self, checked: Checked) -> None:
        self.checked = checked
        self.tables = {table.name: table for table in reversed(checked.package.tables)}  # of one name, the first
        self.positions: dict[str, list[Any]] = defaultdict(list)
        self.records: dict[tuple[str, str], Mapping[str, str | None]] = {}

    @property
    def apply(self) -> bool:
        """Whether the table is that of positions, and both tables have the fields that this check reads."""
        exist = all(name in self.tables and {*READ[name]} <= self.tables[name].index.keys() for name in READ)
        return exist and self.checked.table.name == POSITIONS

    def of_row(self, row: Any) -> tuple[()]:
        if all(row[field] is not None for field in READ[POSITIONS]):
            self.positions[str(row["conflict"])].append(row)
        return ()

    def at_end(self) -> Iterator[Finding]:
        rows = [row for rows in self.positions.values() for row in rows]
        wanted = {_record(row) for row in rows}
        for name in {dataset for dataset, _ in wanted} & self.tables.keys():
            keyed = (((name, key_of(self.tables[name], row)), row) for _, row in self.checked.rows(name))
            self.records |= {record: row for record, row in keyed if record in wanted}
        for row in rows:
            yield from self._dangling(row)
        for number, conflict in self.checked.rows(CONFLICTS):
            name = conflict["id"] or ""
            place = (self.checked.file(self.tables[CONFLICTS]), CONFLICTS, number)
            for field, message, expected in self._unreal(self.positions.get(name, []), conflict):
                yield Finding(
                    "conflict", message, *place, field, name, conflict[field] or "", expected, other=POSITIONS
                )
            yield from self._unlike(name)

    def _dangling(self, row: Any) -> Iterator[Finding]:
        dataset, record = _record(row)
        if dataset not in self.tables:
            message = f'the table "{dataset}" does not exist'
            found = self.checked.at(row, "dataset", "conflict", message, "a table of the package")
            yield replace(found, other=dataset)
        elif (dataset, record) not in self.records:
            message = f'the row "{record}" does not exist in {dataset}'
            found = self.checked.at(row, "record", "conflict", message, f"the key of a row of {dataset}")
            yield replace(found, other=dataset)

    def _unreal(self, rows: list[Any], conflict: Mapping[str, str | None]) -> Iterator[tuple[str, str, str]]:
        """What is wrong with a conflict itself: field, message, and what was expected."""
        positions = [self._position(row) for row in rows]
        if len(positions) < 2:
            message = f"the conflict has {len(positions)} position{'' if len(positions) == 1 else 's'}"
            yield "id", message, f"at least two rows in {POSITIONS}"
            return
        if None not in positions and positions.count(positions[0]) == len(positions):
            yield "id", "the positions do not differ", "figures that differ in value, bounds, series or period"
        chosen = [str(row["record"]) for row in rows if row["role"] == PREFERRED]
        preferred = chosen[0] if chosen else None
        if len(chosen) <= 1 and preferred != conflict["preferred_record"]:
            message = f"the position that is preferred in {POSITIONS} is {preferred or 'none'}"
            yield "preferred_record", message, preferred or "nothing"

    def _position(self, row: Any) -> list[Any] | None:
        """What a position says: its numbers, series and period, each as a value."""
        figure = self.records.get(_record(row))
        if figure is None:
            return None
        table = self.tables[str(row["dataset"])]
        named = [str(table.figure[part]) for part in (*QUANTITY, *PERIOD) if part in table.figure]
        named += table.figure.get("series") or []
        return [table.name, *(value_of(table, name, figure[name]) for name in named if name in table.index)]

    def _unlike(self, name: str) -> Iterator[Finding]:
        """Preferred positions beyond the first; one whose figure is not preferred, and rivals whose figures are.

        Rivals are judged in tables whose alternatives say what they compete with: others never told them from answers
        to another question.
        """
        positions = self.positions.get(name, [])
        chosen = [row for row in positions if row["role"] == PREFERRED]
        for row in chosen[1:]:
            message = f"{name} already has a preferred position"
            yield self.checked.at(row, "role", "conflict", message, "at most one")
        for row in [*chosen[:1], *(row for row in positions if row["role"] == RIVAL)]:
            figure, table = self.records.get(_record(row)), self.tables.get(str(row["dataset"]))
            field = table.figure.get("standing") if table else None
            judged = row["role"] == PREFERRED or (table and "competesWith" in table.figure)
            if figure and field and judged and (figure.get(field) == PREFERRED) != (row["role"] == PREFERRED):
                message = f'{row["record"]} is {row["role"]} here but its {field} is "{figure.get(field)}"'
                expected = f"a figure whose {field} is {'' if row['role'] == PREFERRED else 'not '}preferred"
                yield replace(self.checked.at(row, "role", "conflict", message, expected), other=str(row["dataset"]))


def _record(position: Any) -> tuple[str, str]:
    return str(position["dataset"]), str(position["record"])
