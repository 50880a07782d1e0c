"""Checks of sums: what is said to be the sum of other figures is, exactly."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from typing import Any

from api.model.descriptor import Table
from api.model.files import TOTALS
from api.model.findings import Finding
from api.package.checks.base import Checked, key, key_of
from api.package.checks.figures import SUMMED

READ = ("sum", "dataset", "total", "part", "note")
FIGURE = ("value", "derivation")  # what lantern:figure must name in a table whose totals are checked
Row = Mapping[str, str | None]


class Rules:
    """Parts that must add up do, exactly (package property lantern:sums): the total may be a number that no row has."""

    def __init__(self, checked: Checked) -> None:
        self.checked = checked
        sums = checked.package.descriptor.get("lantern:sums") or []
        self.rules = [rule for rule in sums if rule["resource"] == checked.table.name]
        # Each row that a sum names, by its key; None until it is read.
        self.rows: dict[str, Any] = {name: None for rule in self.rules for name in _keys(rule)}

    def of_row(self, row: Any) -> tuple[()]:
        name = key(self.checked.table, row)
        if name in self.rows:
            self.rows[name] = row
        return ()

    def at_end(self) -> Iterator[Finding]:
        for rule in self.rules:
            field, title, keys = str(rule["field"]), f'the sum "{rule["name"]}"', _keys(rule)
            cells = {name: None if self.rows[name] is None else self.rows[name][field] for name in keys}
            read = {name: _number(str(cell)) for name, cell in cells.items()}
            numbers = {name: number for name, number in read.items() if number is not None}
            for name in [name for name in keys if name not in numbers]:
                what = f"has no {field}" if cells[name] is None else f"has no number in {field}"
                what = "does not exist" if self.rows[name] is None else what
                yield self._at_key(name, field, f"the row {name} of {title} {what}", "a row with a number")
            if len(numbers) < len(cells):
                continue
            added = sum(numbers[str(part)] for part in rule["parts"])
            total = rule["total"]
            total = numbers[total] if total in numbers else Decimal(str(total))
            if added != total:
                message = f"{title} fails: the parts add up to {added}, the total is {total}"
                yield self._at_key(keys[-1], field, message, str(added))

    def _at_key(self, name: str, field: str, message: str, expected: str) -> Finding:
        if self.rows[name] is not None:
            return self.checked.at(self.rows[name], field, "sum", message, expected)
        own = self.checked.table.name
        return Finding("sum", message, self.checked.own, own, field=field, key=name, expected=expected, other=own)


def _keys(rule: Mapping[str, Any]) -> list[str]:
    """The rows that a sum names: its parts, then its total where that is a row and not a number."""
    return [str(name) for name in [*rule["parts"], rule["total"]] if isinstance(name, str)]


@dataclass
class _Sum:
    """The rows of one sum in the table of sums: the first, and those that name a part."""

    first: Any
    parts: list[Any] = field(default_factory=list)


class Sums:
    """The table `sums` says what each total is the sum of (sum, dataset, total, part, note), a part a row.

    Parts and total are rows of the dataset. A sum whose parts are not in the package has one row without a part, whose
    note says why. Every figure whose derivation is "summed" is the total of a sum.
    """

    def __init__(self, checked: Checked) -> None:
        self.checked = checked
        named = reversed(checked.package.tables)  # of one name, the first
        self.tables = {table.name: table for table in named if {*FIGURE} <= table.figure.keys()}
        self.sums: dict[str, _Sum] = {}

    @property
    def apply(self) -> bool:
        table = self.checked.table
        return table.name == TOTALS and {*READ} <= table.index.keys() and bool(table.primary_key)

    def of_row(self, row: Any) -> Iterator[Finding]:
        if None in (row["sum"], row["dataset"], row["total"]):
            return
        one = self.sums.setdefault(row["sum"], _Sum(row))
        if (one.first["dataset"], one.first["total"]) != (row["dataset"], row["total"]):
            message, expected = f"the sum {row['sum']} has another total above", str(one.first["total"])
            yield self.checked.at(row, "total", "sum", message, expected)
        elif row["part"] is None and row["note"] is None:
            message = "the sum has neither a part nor a reason why its parts are not in the package"
            yield self.checked.at(row, "part", "sum", message, "a part, or a note")
        elif row["part"] is not None and row["part"] in (row["total"], *(other["part"] for other in one.parts)):
            yield self.checked.at(row, "part", "sum", f"{row['part']} is in the sum already", "another part")
        elif row["part"] is not None:
            one.parts.append(row)

    def at_end(self) -> Iterator[Finding]:
        by_table: dict[str, dict[str, _Sum]] = defaultdict(dict)
        for name, one in self.sums.items():
            if one.first["dataset"] in self.tables:
                by_table[one.first["dataset"]][name] = one
            else:
                dataset, expected = one.first["dataset"], "a table of figures"
                found = self.checked.at(one.first, "dataset", "sum", f'there is no table "{dataset}"', expected)
                yield replace(found, other=dataset)
        for dataset, table in self.tables.items():
            yield from self._of_table(table, by_table[dataset])

    def _of_table(self, table: Table, sums: Mapping[str, _Sum]) -> Iterator[Finding]:
        wanted = {
            str(row[end]) for one in sums.values() for row in (one.first, *one.parts) for end in ("total", "part")
        }
        totals = {str(one.first["total"]) for one in sums.values()}
        found: dict[str, tuple[int, Row]] = {}
        derivation = str(table.figure["derivation"])
        for number, row in self.checked.rows(table.name):
            name = key_of(table, row)
            if name in wanted:
                found[name] = (number, row)
            if row.get(derivation) == SUMMED and name not in totals:
                message = f"the table {TOTALS} does not say from what this figure is added up"
                lacking = self._at(
                    table, number, derivation, name, SUMMED, message, f"rows in {TOTALS} with total {name}"
                )
                yield lacking if self.sums else replace(lacking, other=None)
        for name, one in sums.items():
            yield from self._of_sum(table, name, one, found)

    def _of_sum(self, table: Table, name: str, one: _Sum, found: Mapping[str, tuple[int, Row]]) -> Iterator[Finding]:
        value, ends = str(table.figure["value"]), [(one.first, "total"), *((row, "part") for row in one.parts)]
        numbers: list[Decimal] = []
        for row, end in ends:
            text = found[row[end]][1].get(value) if row[end] in found else None
            number = _number(text)
            if number is None and text is not None:
                return  # it is no number, which its own table reports
            if number is None:
                what = f"has no {value}" if row[end] in found else f"does not exist in {table.name}"
                finding = self.checked.at(
                    row, end, "sum", f"the row {row[end]} {what}", "the id of a row with a number"
                )
                yield replace(finding, other=table.name)
            else:
                numbers.append(number)
        if not one.parts or len(numbers) != len(ends):
            return
        total, *parts = numbers
        if sum(parts) != total:
            line, row = found[one.first["total"]]
            added = " + ".join(f"{number:f} ({part['part']})" for number, part in zip(parts, one.parts, strict=True))
            message = f"the total {total:f} is not the sum of its parts, {added}"
            yield self._at(
                table,
                line,
                value,
                key_of(table, row),
                row.get(value) or "",
                message,
                f"{sum(parts):f}, or other parts in {TOTALS}",
            )

    def _at(self, table: Table, row: int, field: str, key: str, value: str, message: str, expected: str) -> Finding:
        place = (self.checked.file(table), table.name, row, field, key, value)
        return Finding("sum", message, *place, expected, other=TOTALS)


def _number(text: str | None) -> Decimal | None:
    """The number of a cell; None for none, and for those that cannot be added up: NaN and INF."""
    try:
        number = None if text is None else Decimal(text)
    except InvalidOperation:
        return None
    return number if number is not None and number.is_finite() else None
