"""Checks of tables of figures, switched on by the schema's property lantern:figure.

The property says which fields hold a figure's value, bounds, qualifier, period, wording and so on; a part that it
does not name is not checked. Nothing here knows what the figures are about.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import attrs

from api.package.checks import periods, wording
from api.package.checks.base import CheckError, TableCheck, key

QUANTITY = ("value", "low", "high")
PERIOD = ("year", "periodType", "periodStart", "periodEnd")
# Which of value, low and high a qualifier allows, and how that is said.
SHAPES: Mapping[str, tuple[str, tuple[tuple[str, ...], ...]]] = {
    "exact": ("a value and no bounds", (("value",),)),
    "approximate": ("a value, or both bounds, or a value between both", (("value",), QUANTITY, ("low", "high"))),
    "more_than": ("a lower bound alone", (("low",),)),
    "at_least": ("a lower bound alone", (("low",),)),
    "less_than": ("an upper bound alone", (("high",),)),
    "at_most": ("an upper bound alone", (("high",),)),
    "unquantified": ("no numbers", ((),)),
}
SUMMED = "summed"
NOT_IN_FIGURES = ("worded", SUMMED)
PREFERRED = "preferred"


@attrs.define(kw_only=True, repr=False)
class FigureCheck(TableCheck):
    """Reads the parts of a figure by the names that lantern:figure gives them."""

    def fields(self, *parts: str) -> list[str]:
        """The fields of the parts that the schema names; a series has several."""
        named = [self.table.figure[part] for part in parts if part in self.table.figure]
        return [name for names in named for name in ([names] if isinstance(names, str) else names)]

    def part(self, row: Any, part: str) -> Any:
        field = self.table.figure.get(part)
        return None if field is None else row[field]

    def readable(self, row: Any, *parts: str) -> bool:
        """Whether no cell of the parts has an error of its own: one mistake is reported once."""
        return not row.error_cells or row.error_cells.keys().isdisjoint(self.fields(*parts))


@attrs.define(kw_only=True, repr=False)
class Quantity(FigureCheck):
    """A quantity matches its qualifier, and lies between its bounds."""

    def validate_row(self, row: Any) -> Iterable[CheckError]:
        if not self.readable(row, *QUANTITY, "qualifier"):
            return
        value, low, high = (_number(self.part(row, part)) for part in QUANTITY)
        shape = tuple(part for part, number in zip(QUANTITY, (value, low, high), strict=True) if number is not None)
        qualifier = self.part(row, "qualifier")
        expected, allowed = SHAPES.get(qualifier, ("", (shape,)))
        ordered = [number for number in (low, value, high) if number is not None]
        if shape not in allowed:
            yield self.at(
                row, self._misfit(shape, allowed), "quantity", f'"{qualifier}" goes with {expected}', expected
            )
        elif ordered != sorted(ordered):
            message = f"the bounds are out of order: {' to '.join(map(str, ordered))}"
            yield self.at(row, self.fields(*QUANTITY)[0], "bounds", message, "low <= value <= high")

    def _misfit(self, shape: tuple[str, ...], allowed: Sequence[tuple[str, ...]]) -> str:
        """The field of the first part that is present and should not be, or is missing."""
        differences = min(({*shape} ^ {*other} for other in allowed), key=len)
        first = next(part for part in QUANTITY if part in differences)
        return next(iter(self.fields(first)), self.table.figure["qualifier"])


@attrs.define(kw_only=True, repr=False)
class Period(FigureCheck):
    """A period is what its kind says, and only one-year periods have a year."""

    def validate_row(self, row: Any) -> Iterable[CheckError]:
        year, kind, start, end = (self.part(row, part) for part in PERIOD)
        if kind is None or not self.readable(row, *PERIOD):
            return
        try:
            expected = periods.expectation(str(kind), year, start, end)
        except (ValueError, OverflowError):
            expected = "a year of the calendar"
        if expected is None:
            return
        at_year = expected.startswith(("a year", "no year"))
        field = self.fields(*(("year",) if at_year else ("periodStart", "periodEnd")), "periodType")[0]
        dates = "no dates" if start is None and end is None else f"{start or '?'} to {end or '?'}"
        what = f"year {year}" if at_year and year is not None else "no year" if at_year else dates
        yield self.at(row, field, "period", f'"{kind}" with {what}', expected)


@attrs.define(kw_only=True, repr=False)
class Evidence(FigureCheck):
    """Every figure says where it comes from."""

    def validate_row(self, row: Any) -> Iterable[CheckError]:
        for field in self.fields("source", "locator"):
            if row[field] is None and not self.table.field(field).required and self.readable(row, "source", "locator"):
                yield self.at(row, field, "evidence", f"a figure without {field}", f"a {field}")


@attrs.define(kw_only=True, repr=False)
class Wording(FigureCheck):
    """Every number occurs in the words of the source, unless it is spelled out there or was added up here."""

    def validate_row(self, row: Any) -> Iterable[CheckError]:
        if not self.readable(row, "asStated", "derivation", *QUANTITY):
            return
        field = str(self.table.figure["asStated"])
        phrase, derivation = row[field], self.part(row, "derivation")
        summed = derivation == SUMMED
        if summed and phrase is not None:
            yield self.at(row, field, "as-stated", "a figure added up here has no wording", "nothing")
        if not summed and phrase is None and "derivation" in self.table.figure:
            yield self.at(row, field, "as-stated", "the figure's wording is missing", "the words of the source")
        note = str(self.table.figure.get("note", "note"))
        if summed and note in self.table.index and row[note] is None:
            yield self.at(row, note, "note", "a figure added up here does not say from what", "a note")
        if phrase is not None and derivation not in NOT_IN_FIGURES:
            yield from self._unfounded(row, field, str(phrase))

    def _unfounded(self, row: Any, field: str, phrase: str) -> Iterable[CheckError]:
        unit = str(self.table.figure.get("unit", "unit"))
        in_percent = unit in self.table.index and "percent" in str(row[unit]).lower()
        stated = wording.numbers(phrase, in_percent)
        for part in QUANTITY:
            number = _number(self.part(row, part))
            if number is not None and number not in stated:
                message = f"{self.fields(part)[0]} {number} does not occur in the wording"
                yield self.at(row, field, "as-stated", message, f"a phrase with {number}")


@attrs.define(kw_only=True, repr=False)
class Preferred(FigureCheck):
    """At most one figure is preferred in a series and period; nulls count as equal."""

    preferred: dict[tuple[Any, ...], str] = attrs.field(factory=dict)

    def validate_row(self, row: Any) -> Iterable[CheckError]:
        if self.part(row, "standing") != PREFERRED or not self.readable(row, "series", *PERIOD):
            return
        group = tuple(row[name] for name in self.fields("series", *PERIOD))
        first = self.preferred.get(group)
        if first is not None:
            message = f"{first} is preferred for the same series and period"
            yield self.at(row, self.fields("standing")[0], "preferred", message, "one preferred figure at most")
        else:
            self.preferred[group] = key(self.table, row) or f"line {row.row_number}"


@attrs.define(kw_only=True, repr=False)
class Agrees(FigureCheck):
    """A field has the value that the row of another table, which the figure refers to, has."""

    expected: dict[str, dict[str, str | None]] = attrs.field(factory=dict)

    def validate_start(self) -> Iterable[CheckError]:
        for field, rule in self.table.figure["agrees"].items():
            reference = self._reference(rule)
            rows = self.context.rows(rule["resource"])
            self.expected[field] = {str(row[reference]): row[rule["field"]] for _, row in rows if reference}
        yield from ()

    def validate_row(self, row: Any) -> Iterable[CheckError]:
        for field, rule in self.table.figure["agrees"].items():
            through = row[rule["through"]]
            if through is None or str(through) not in self.expected[field]:
                continue
            expected = self.expected[field][str(through)]
            if row[field] is not None and str(row[field]) != expected:
                message = f'"{row[field]}" is not the {rule["field"]} of {through}'
                yield self.at(row, field, "disagrees", message, expected or "nothing")

    def _reference(self, rule: Mapping[str, str]) -> str | None:
        """The field of the other table that the foreign key refers to."""
        for foreign in self.table.foreign_keys:
            if foreign.fields == (rule["through"],) and foreign.resource == rule["resource"]:
                return foreign.reference[0]
        return None


def _number(value: Any) -> Decimal | None:
    try:
        number = None if value is None else Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number is None or number.is_finite() else None
