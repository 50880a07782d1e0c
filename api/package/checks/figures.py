"""Checks of tables of figures, switched on by the schema's property lantern:figure.

The property says which fields hold a figure's value, bounds, qualifier, period, wording and so on; a part that it
does not name is not checked. Nothing here knows what the figures are about.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import attrs

from api.package.checks import periods, wording
from api.package.checks.base import Defect, TableCheck, key

# Which of value, low and high a qualifier allows.
SHAPES: Mapping[str, tuple[tuple[bool, bool, bool], ...]] = {
    "exact": ((True, False, False),),
    "approximate": ((True, False, False), (True, True, True), (False, True, True)),
    "more_than": ((False, True, False),),
    "at_least": ((False, True, False),),
    "less_than": ((False, False, True),),
    "at_most": ((False, False, True),),
    "unquantified": ((False, False, False),),
}
SHAPE_WORDS = {
    "exact": "a value and no bounds",
    "approximate": "a value, or both bounds, or a value between both",
    "more_than": "a lower bound alone",
    "at_least": "a lower bound alone",
    "less_than": "an upper bound alone",
    "at_most": "an upper bound alone",
    "unquantified": "no numbers",
}
SUMMED = "summed"
NOT_IN_FIGURES = ("worded", SUMMED)
PREFERRED = "preferred"


@attrs.define(kw_only=True, repr=False)
class FigureCheck(TableCheck):
    """Reads the parts of a figure by the names that lantern:figure gives them."""

    def fields(self, *parts: str) -> list[str]:
        """The fields of the parts that the schema names."""
        return [str(self.table.figure[part]) for part in parts if part in self.table.figure]

    def part(self, row: Any, part: str) -> Any:
        field = self.table.figure.get(part)
        return None if field is None else row[field]

    def readable(self, row: Any, *parts: str) -> bool:
        """Whether none of the parts is wrong in itself already: one mistake is told once."""
        return not row.error_cells or row.error_cells.keys().isdisjoint(self.fields(*parts))


@attrs.define(kw_only=True, repr=False)
class Quantity(FigureCheck):
    """A quantity matches its qualifier, and lies between its bounds."""

    def validate_row(self, row: Any) -> Iterable[Defect]:
        if not self.readable(row, "value", "low", "high", "qualifier"):
            return
        value, low, high = (_number(self.part(row, part)) for part in ("value", "low", "high"))
        qualifier = self.part(row, "qualifier")
        shape = (value is not None, low is not None, high is not None)
        if qualifier in SHAPES and shape not in SHAPES[qualifier]:
            yield self._misfit(row, str(qualifier), shape)
            return
        known = [number for number in (low, value, high) if number is not None]
        if known != sorted(known):
            field = self.fields("value", "low", "high")[0]
            numbers = " to ".join(map(str, known))
            yield self.at(row, field, "bounds", f"the bounds are out of order: {numbers}", "low <= value <= high")

    def _misfit(self, row: Any, qualifier: str, shape: tuple[bool, bool, bool]) -> Defect:
        """The defect stands at the first part that is there and should not be, or is missing."""
        parts = ("value", "low", "high")
        nearest = min(SHAPES[qualifier], key=lambda allowed: sum(a != b for a, b in zip(allowed, shape, strict=True)))
        wrong = next(part for part, a, b in zip(parts, nearest, shape, strict=True) if a != b)
        field = next(iter(self.fields(wrong)), self.table.figure["qualifier"])
        message = f'"{qualifier}" goes with {SHAPE_WORDS[qualifier]}'
        return self.at(row, field, "quantity", message, SHAPE_WORDS[qualifier])


@attrs.define(kw_only=True, repr=False)
class Period(FigureCheck):
    """A period is what its kind says, and a year stands only with one-year periods."""

    def validate_row(self, row: Any) -> Iterable[Defect]:
        parts = ("year", "periodType", "periodStart", "periodEnd")
        kind = self.part(row, "periodType")
        if kind is None or not self.readable(row, *parts):
            return
        year, start, end = (self.part(row, part) for part in ("year", "periodStart", "periodEnd"))
        try:
            expected = periods.complaint(str(kind), year, start, end)
        except (ValueError, OverflowError):
            expected = "a year of the calendar"
        if expected is None:
            return
        at_year = expected.startswith(("a year", "no year"))
        field = self.fields(*(("year",) if at_year else ("periodStart", "periodEnd")), "periodType")[0]
        dates = "no dates" if start is None and end is None else f"{start or '?'} to {end or '?'}"
        what = f"year {year}" if at_year and year is not None else "no year" if at_year else dates
        yield self.at(row, field, "period", f'{what} is no "{kind}"', expected)


@attrs.define(kw_only=True, repr=False)
class Evidence(FigureCheck):
    """Every figure says where it was read."""

    def validate_row(self, row: Any) -> Iterable[Defect]:
        for field in self.fields("source", "locator"):
            told = self.table.field(field).required
            if row[field] is None and not told and self.readable(row, "source", "locator"):
                yield self.at(row, field, "evidence", f"a figure without {field}", f"a {field}")


@attrs.define(kw_only=True, repr=False)
class Wording(FigureCheck):
    """Every number occurs in the words of the source, unless those are words or the number was added up here."""

    def validate_row(self, row: Any) -> Iterable[Defect]:
        if not self.readable(row, "asStated", "derivation", "value", "low", "high"):
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

    def _unfounded(self, row: Any, field: str, phrase: str) -> Iterable[Defect]:
        unit = str(self.table.figure.get("unit", "unit"))
        in_percent = unit in self.table.index and "percent" in str(row[unit]).lower()
        stated = wording.numbers(phrase, in_percent)
        for part in ("value", "low", "high"):
            number = _number(self.part(row, part))
            if number is not None and number not in stated:
                message = f"{self.fields(part)[0]} {number} does not occur in it"
                yield self.at(row, field, "as-stated", message, f"a phrase with {number}")


@attrs.define(kw_only=True, repr=False)
class Preferred(FigureCheck):
    """At most one figure is preferred in a series and period; nulls count as equal."""

    preferred: dict[tuple[Any, ...], str] = attrs.field(factory=dict)

    def validate_row(self, row: Any) -> Iterable[Defect]:
        if self.part(row, "standing") != PREFERRED:
            return
        names = self.table.figure.get("series") or []
        period = self.fields("year", "periodType", "periodStart", "periodEnd")
        if row.error_cells and not row.error_cells.keys().isdisjoint([*names, *period]):
            return
        group = tuple(row[name] for name in [*names, *period])
        first = self.preferred.get(group)
        if first is not None:
            message = f"{first} is preferred for the same series and period"
            yield self.at(row, self.fields("standing")[0], "preferred", message, "one preferred figure at most")
            return
        self.preferred[group] = key(self.table, row) or f"line {row.row_number}"


@attrs.define(kw_only=True, repr=False)
class Agrees(FigureCheck):
    """A field says the same as the row of another table that the figure refers to."""

    expected: dict[str, dict[str, str | None]] = attrs.field(factory=dict)

    def validate_start(self) -> Iterable[Defect]:
        for field, rule in self.table.figure["agrees"].items():
            reference = self._reference(rule)
            found = self.context.rows(rule["resource"])
            self.expected[field] = {str(row[reference]): row[rule["field"]] for _, row in found if reference}
        yield from ()

    def validate_row(self, row: Any) -> Iterable[Defect]:
        for field, rule in self.table.figure["agrees"].items():
            through = row[rule["through"]]
            if through is None or str(through) not in self.expected[field]:
                continue
            expected = self.expected[field][str(through)]
            if row[field] is not None and str(row[field]) != expected:
                message = f'"{row[field]}" is not the {rule["field"]} of {through}'
                yield self.at(row, field, "disagrees", message, expected or "nothing")

    def _reference(self, rule: Mapping[str, str]) -> str | None:
        """The field of the other table that the foreign key leads to."""
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
