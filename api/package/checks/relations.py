"""Checks between rows: order, sums that must hold, and conflicts that must be real."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

import attrs

from api.model import types
from api.model.descriptor import Package, Table
from api.model.files import CONFLICTS, POSITIONS
from api.model.findings import Finding
from api.package.checks.base import Defect, TableCheck, defect, key, key_of

CONFLICT_FIELDS = ("id", "preferred_record")
POSITION_FIELDS = ("conflict", "dataset", "record", "role")
PREFERRED = "preferred"
COMPARED = ("value", "low", "high", "year", "periodType", "periodStart", "periodEnd")


@attrs.define(kw_only=True, repr=False)
class Sorted(TableCheck):
    """Rows stand in the order of their primary key, so that a difference between two versions is easy to read."""

    last: tuple[Any, ...] = ()

    def validate_row(self, row: Any) -> Iterable[Defect]:
        parts = tuple(row[name] for name in self.table.primary_key)
        if None in parts:
            return
        if self.last and parts < self.last:
            expected = f"a place before {','.join(map(str, self.last))}"
            yield self.at(row, self.table.primary_key[0], "unsorted", "the rows are not sorted by key", expected)
        self.last = parts


@attrs.define(kw_only=True, repr=False)
class Sums(TableCheck):
    """Parts that must add up do, exactly (package property lantern:sums)."""

    rules: list[Mapping[str, Any]]
    wanted: set[str] = attrs.field(factory=set)
    found: dict[str, Any] = attrs.field(factory=dict)

    def validate_start(self) -> Iterable[Defect]:
        for rule in self.rules:
            self.wanted.update(map(str, rule["parts"]))
            if isinstance(rule["total"], str):
                self.wanted.add(rule["total"])
        yield from ()

    def validate_row(self, row: Any) -> Iterable[Defect]:
        name = key(self.table, row)
        if name in self.wanted:
            self.found[name] = row
        yield from ()

    def validate_end(self) -> Iterable[Defect]:
        for rule in self.rules:
            yield from self._broken(rule)

    def _broken(self, rule: Mapping[str, Any]) -> Iterator[Defect]:
        field, total = str(rule["field"]), rule["total"]
        names = [str(part) for part in rule["parts"]] + ([total] if isinstance(total, str) else [])
        absent = [name for name in names if name not in self.found or self.found[name][field] is None]
        for name in absent:
            what = f"has no {field}" if name in self.found else "does not exist"
            message = f'the row {name} of the sum "{rule["name"]}" {what}'
            yield self._problem(name, field, "sum", message, "a row with a number")
        if absent:
            return
        added = sum(Decimal(str(self.found[str(part)][field])) for part in rule["parts"])
        stated = Decimal(str(self.found[total][field] if isinstance(total, str) else total))
        if added != stated:
            message = f'the sum "{rule["name"]}" fails: the parts make {added}, the total is {stated}'
            yield self._problem(total if isinstance(total, str) else names[-1], field, "sum", message, str(added))

    def _problem(self, name: str, field: str, type: str, message: str, expected: str) -> Defect:
        if name in self.found:
            return self.at(self.found[name], field, type, message, expected)
        place = (self.context.file(self.table), self.table.name)
        return defect(Finding(type, message, *place, field=field, key=name, expected=expected))


@attrs.define(kw_only=True, repr=False)
class Conflicts(TableCheck):
    """Conflicts name rows that exist and really differ; checked from the table of their positions."""

    positions: dict[str, list[Any]] = attrs.field(factory=dict)

    def validate_row(self, row: Any) -> Iterable[Defect]:
        if all(row[field] is not None for field in POSITION_FIELDS):
            self.positions.setdefault(str(row["conflict"]), []).append(row)
        yield from ()

    def validate_end(self) -> Iterable[Defect]:
        records = self._records()
        for rows in self.positions.values():
            for row in rows:
                yield from self._dangling(row, records)
        for number, conflict in self.context.rows(CONFLICTS):
            yield from self._unreal(number, conflict, records)

    def _records(self) -> dict[tuple[str, str], Mapping[str, str | None]]:
        """The rows that positions name, by dataset and key; other rows are not kept."""
        wanted = {(str(row["dataset"]), str(row["record"])) for rows in self.positions.values() for row in rows}
        found = {}
        for name in sorted({dataset for dataset, _ in wanted}):
            table = self.context.package.table(name)
            for _, row in self.context.rows(name) if table else ():
                if table and (name, key_of(table, row)) in wanted:
                    found[name, key_of(table, row)] = row
        return found

    def _dangling(self, row: Any, records: Mapping[tuple[str, str], Any]) -> Iterator[Defect]:
        dataset, record = str(row["dataset"]), str(row["record"])
        if self.context.package.table(dataset) is None:
            yield self.at(row, "dataset", "conflict", f'there is no table "{dataset}"', "a table of the package")
        elif (dataset, record) not in records:
            message = f'there is no row "{record}" in {dataset}'
            yield self.at(row, "record", "conflict", message, f"the key of a row of {dataset}")

    def _unreal(
        self, number: int, conflict: Mapping[str, str | None], records: Mapping[tuple[str, str], Any]
    ) -> Iterator[Defect]:
        name = conflict["id"] or ""
        rows = self.positions.get(name, [])
        stands = [self._stand(row, records.get((str(row["dataset"]), str(row["record"])))) for row in rows]
        if len(rows) < 2:
            message = f"the conflict has {len(rows)} position{'' if len(rows) == 1 else 's'}"
            yield self._of(number, name, "id", name, message, "at least two positions")
        elif None not in stands and len(set(stands)) == 1:
            message = "the positions do not differ"
            yield self._of(number, name, "id", name, message, "figures that differ in value, bounds, series or period")
        yield from self._preference(number, name, conflict["preferred_record"], rows, records)

    def _stand(self, row: Any, figure: Mapping[str, str | None] | None) -> tuple[Any, ...] | None:
        """What a position says: its numbers, series and period, each as a value."""
        table = self.context.package.table(str(row["dataset"]))
        if table is None or figure is None:
            return None
        named = [str(table.figure[part]) for part in COMPARED if part in table.figure]
        named += table.figure.get("series") or []
        return (table.name, *(_value(table, name, figure[name]) for name in named if name in table.index))

    def _preference(
        self,
        number: int,
        name: str,
        preferred: str | None,
        rows: list[Any],
        records: Mapping[tuple[str, str], Any],
    ) -> Iterator[Defect]:
        chosen = [row for row in rows if row["role"] == PREFERRED]
        for row in chosen[1:]:
            yield self.at(row, "role", "conflict", f"{name} has a preferred position already", "one at most")
        said = str(chosen[0]["record"]) if chosen else None
        if len(chosen) <= 1 and said != preferred:
            message = f"the preferred position is {said or 'none'}"
            yield self._of(number, name, "preferred_record", preferred or "", message, said or "nothing")
        for row in chosen[:1]:
            table = self.context.package.table(str(row["dataset"]))
            field = table.figure.get("standing") if table else None
            figure = records.get((str(row["dataset"]), str(row["record"])))
            if field and figure and figure.get(field) != PREFERRED:
                message = f'{row["record"]} is preferred here but its {field} is "{figure.get(field)}"'
                yield self.at(row, "role", "conflict", message, f"a figure whose {field} is preferred")

    def _of(self, number: int, name: str, field: str, value: str, message: str, expected: str) -> Defect:
        """A defect of a row in the table of conflicts."""
        table = self.context.package.table(CONFLICTS)
        assert table is not None
        place = (self.context.file(table), table.name, number, field, name)
        return defect(Finding("conflict", message, *place, value=value, expected=expected))


def _value(table: Table, name: str, text: str | None) -> Any:
    """A cell as its value, so that 1 and 1.0 are the same figure; what cannot be read stays text."""
    try:
        return None if text is None else types.kind(table.field(name)).store(types.kind(table.field(name)).read(text))
    except ValueError:
        return text


def has_conflicts(package: Package) -> bool:
    """Whether the package keeps conflicts as this check knows them."""
    conflicts, positions = package.table(CONFLICTS), package.table(POSITIONS)
    return (
        conflicts is not None
        and positions is not None
        and set(CONFLICT_FIELDS) <= conflicts.index.keys()
        and set(POSITION_FIELDS) <= positions.index.keys()
    )
