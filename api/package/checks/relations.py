"""Checks between rows: order, sums that must hold, and conflicts that must be real."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

import attrs

from api.model.descriptor import Package, Table
from api.model.files import CONFLICTS, POSITIONS
from api.model.findings import Finding
from api.package.checks.base import CheckError, TableCheck, check_error, key, key_of, value_of
from api.package.checks.figures import PERIOD, PREFERRED, QUANTITY

CONFLICT_FIELDS = ("id", "preferred_record")
POSITION_FIELDS = ("conflict", "dataset", "record", "role")


@attrs.define(kw_only=True, repr=False)
class Sorted(TableCheck):
    """Rows are in the order of their primary key, so that a difference between two versions is easy to read."""

    last: tuple[Any, ...] = ()

    def validate_row(self, row: Any) -> Iterable[CheckError]:
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

    wanted: dict[str, Any] = attrs.field(factory=dict)  # each row that a sum names, by its key; None until it is read

    def validate_start(self) -> Iterable[CheckError]:
        for rule in sums_of(self.context.package, self.table):
            self.wanted.update(dict.fromkeys(_keys(rule)))
        yield from ()

    def validate_row(self, row: Any) -> Iterable[CheckError]:
        name = key(self.table, row)
        if name in self.wanted:
            self.wanted[name] = row
        yield from ()

    def validate_end(self) -> Iterable[CheckError]:
        for rule in sums_of(self.context.package, self.table):
            yield from self._broken(rule)

    def _broken(self, rule: Mapping[str, Any]) -> Iterator[CheckError]:
        field, title, keys = str(rule["field"]), f'the sum "{rule["name"]}"', _keys(rule)
        cells = {name: None if self.wanted[name] is None else self.wanted[name][field] for name in keys}
        for name in [name for name in keys if cells[name] is None]:
            what = "does not exist" if self.wanted[name] is None else f"has no {field}"
            yield self._at_key(name, field, f"the row {name} of {title} {what}", "a row with a number")
        if None in cells.values():
            return
        added = sum(Decimal(str(cells[str(part)])) for part in rule["parts"])
        total = Decimal(str(cells.get(rule["total"], rule["total"])))
        if added != total:
            message = f"{title} fails: the parts add up to {added}, the total is {total}"
            yield self._at_key(keys[-1], field, message, str(added))

    def _at_key(self, name: str, field: str, message: str, expected: str) -> CheckError:
        if self.wanted[name] is not None:
            return self.at(self.wanted[name], field, "sum", message, expected)
        place = (self.context.file(self.table), self.table.name)
        return check_error(Finding("sum", message, *place, field=field, key=name, expected=expected))


def sums_of(package: Package, table: Table) -> list[Mapping[str, Any]]:
    """The sums (lantern:sums) whose rows are in a table."""
    return [rule for rule in package.descriptor.get("lantern:sums") or [] if rule["resource"] == table.name]


def _keys(rule: Mapping[str, Any]) -> list[str]:
    """The rows that a sum names: its parts, then its total where that is a row and not a number."""
    return [str(name) for name in [*rule["parts"], rule["total"]] if isinstance(name, str)]


@attrs.define(kw_only=True, repr=False)
class Conflicts(TableCheck):
    """Conflicts name rows that exist and really differ; checked from the table of their positions."""

    positions: dict[str, list[Any]] = attrs.field(factory=dict)
    records: dict[tuple[str, str], Mapping[str, str | None]] = attrs.field(factory=dict)

    def validate_row(self, row: Any) -> Iterable[CheckError]:
        if all(row[field] is not None for field in POSITION_FIELDS):
            self.positions.setdefault(str(row["conflict"]), []).append(row)
        yield from ()

    def validate_end(self) -> Iterable[CheckError]:
        self._read_records()
        for rows in self.positions.values():
            for row in rows:
                yield from self._dangling(row)
        for number, conflict in self.context.rows(CONFLICTS):
            yield from self._unreal(number, conflict)
            yield from self._preference(number, conflict)

    def _read_records(self) -> None:
        """Read the rows that positions name, by dataset and key; other rows are not kept."""
        wanted = {_record(row) for rows in self.positions.values() for row in rows}
        for name in sorted({dataset for dataset, _ in wanted}):
            table = self.context.package.table(name)
            for _, row in self.context.rows(name) if table else ():
                if table and (name, key_of(table, row)) in wanted:
                    self.records[name, key_of(table, row)] = row

    def _dangling(self, row: Any) -> Iterator[CheckError]:
        dataset, record = _record(row)
        if self.context.package.table(dataset) is None:
            yield self.at(row, "dataset", "conflict", f'the table "{dataset}" does not exist', "a table of the package")
        elif (dataset, record) not in self.records:
            message = f'the row "{record}" does not exist in {dataset}'
            yield self.at(row, "record", "conflict", message, f"the key of a row of {dataset}")

    def _unreal(self, number: int, conflict: Mapping[str, str | None]) -> Iterator[CheckError]:
        positions = [self._position(row) for row in self.positions.get(conflict["id"] or "", [])]
        if len(positions) < 2:
            message = f"the conflict has {len(positions)} position{'' if len(positions) == 1 else 's'}"
            yield self._of(number, conflict, "id", message, "at least two positions")
        elif None not in positions and positions.count(positions[0]) == len(positions):
            expected = "figures that differ in value, bounds, series or period"
            yield self._of(number, conflict, "id", "the positions do not differ", expected)

    def _position(self, row: Any) -> list[Any] | None:
        """What a position says: its numbers, series and period, each as a value."""
        table = self.context.package.table(str(row["dataset"]))
        figure = self.records.get(_record(row))
        if table is None or figure is None:
            return None
        named = [str(table.figure[part]) for part in (*QUANTITY, *PERIOD) if part in table.figure]
        named += table.figure.get("series") or []
        return [table.name, *(value_of(table, name, figure[name]) for name in named if name in table.index)]

    def _preference(self, number: int, conflict: Mapping[str, str | None]) -> Iterator[CheckError]:
        name = conflict["id"] or ""
        chosen = [row for row in self.positions.get(name, []) if row["role"] == PREFERRED]
        for row in chosen[1:]:
            yield self.at(row, "role", "conflict", f"{name} already has a preferred position", "at most one")
        preferred = str(chosen[0]["record"]) if chosen else None
        if len(chosen) <= 1 and preferred != conflict["preferred_record"]:
            message = f"the preferred position is {preferred or 'none'}"
            yield self._of(number, conflict, "preferred_record", message, preferred or "nothing")
        for row in chosen[:1]:
            table = self.context.package.table(str(row["dataset"]))
            field = table.figure.get("standing") if table else None
            figure = self.records.get(_record(row))
            if field and figure and figure.get(field) != PREFERRED:
                message = f'{row["record"]} is preferred here but its {field} is "{figure.get(field)}"'
                yield self.at(row, "role", "conflict", message, f"a figure whose {field} is preferred")

    def _of(
        self, number: int, conflict: Mapping[str, str | None], field: str, message: str, expected: str
    ) -> CheckError:
        """A finding at a row of the table of conflicts."""
        table = self.context.package.table(CONFLICTS)
        assert table is not None
        place = (self.context.file(table), table.name, number, field, conflict["id"] or "")
        return check_error(Finding("conflict", message, *place, conflict[field] or "", expected))


def _record(position: Any) -> tuple[str, str]:
    return str(position["dataset"]), str(position["record"])


def has_conflicts(package: Package) -> bool:
    """Whether the package has the tables of conflicts with the fields that this check reads."""
    tables = ((package.table(CONFLICTS), CONFLICT_FIELDS), (package.table(POSITIONS), POSITION_FIELDS))
    return all(table is not None and set(fields) <= table.index.keys() for table, fields in tables)
