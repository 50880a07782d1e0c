"""Checks of tables of figures, switched on by the schema's property lantern:figure.

The property says which fields hold a figure's value, bounds, qualifier, period, wording and so on; a part that it
does not name is not checked. Nothing here knows what the figures are about.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from api.model.findings import Finding
from api.package.checks import labels, periods, wording
from api.package.checks.base import Checked, key
from api.package.checks.spelling import alike

QUANTITY = ("value", "low", "high")
PERIOD = ("year", "periodType", "periodStart", "periodEnd")
# Which of value, low and high a qualifier allows, and how that is said.
SHAPES: Mapping[str, tuple[str, tuple[tuple[str, ...], ...]]] = {
    "exact": ("a value and no bounds", (("value",),)),
    "approximate": ("a value, or both bounds, or a value between both", (("value",), QUANTITY, ("low", "high"))),
    **dict.fromkeys(("more_than", "at_least"), ("a lower bound alone", (("low",),))),
    **dict.fromkeys(("less_than", "at_most"), ("an upper bound alone", (("high",),))),
    "unquantified": ("no numbers", ((),)),
}
SUMMED = "summed"
NOT_IN_FIGURES = ("worded", SUMMED)
PREFERRED, ALTERNATIVE, EXACT = "preferred", "alternative", "exact"
RIVALS = ("competesWith", "conflict")


def quantity(checked: Checked, row: Any) -> Iterator[Finding]:
    """A quantity matches its qualifier, and lies between its bounds."""
    if not checked.readable(row, *QUANTITY, "qualifier"):
        return
    numbers = {part: number for part in QUANTITY if (number := _number(checked.part(row, part))) is not None}
    qualifier = checked.part(row, "qualifier")
    expected, allowed = SHAPES.get(qualifier, ("", (tuple(numbers),)))
    ordered = [numbers[part] for part in ("low", "value", "high") if part in numbers]
    if tuple(numbers) not in allowed:
        # At the field of the first part that is present and should not be, or is missing.
        differences = min(({*numbers} ^ {*shape} for shape in allowed), key=len)
        first = next(part for part in QUANTITY if part in differences)
        field = checked.fields(first, "qualifier")[0]
        yield checked.at(row, field, "quantity", f'"{qualifier}" goes with {expected}', expected)
    elif ordered != sorted(ordered):
        message = f"the bounds are out of order: {' to '.join(map(str, ordered))}"
        yield checked.at(row, checked.fields(*QUANTITY)[0], "bounds", message, "low <= value <= high")


def precision(checked: Checked, row: Any) -> Iterator[Finding]:
    """A rounded number is a multiple of what it is rounded to, and is not called exact."""
    unit = _number(checked.part(row, "precision"))
    if unit is None or unit <= 0 or not checked.readable(row, *QUANTITY, "qualifier", "precision"):
        return
    field = checked.fields("precision")[0]
    numbers = [number for part in QUANTITY if (number := _number(checked.part(row, part))) is not None]
    uneven = [number for number in numbers if number % unit]
    if uneven or not numbers:
        message = f"{uneven[0] if uneven else 'no number'} is not a multiple of {unit}"
        yield checked.at(row, field, "precision", message, "the unit of the last digit that the source states")
    elif unit > 1 and checked.part(row, "qualifier") == EXACT:
        message = f"a number that is rounded to {unit} is not exact"
        yield checked.at(row, field, "precision", message, "nothing, or another qualifier")


def competes(checked: Checked, row: Any) -> Iterator[Finding]:
    """An alternative, and nothing else, names what is preferred to it: a figure, or a conflict, not both."""
    if not checked.readable(row, "standing", *RIVALS):
        return
    fields = checked.fields(*RIVALS)
    named = [field for field in fields if row[field] is not None]
    alternative = checked.part(row, "standing") == ALTERNATIVE
    if len(named) != alternative:
        message = f"{'an' if alternative else 'no'} alternative, which names {' and '.join(named) or 'nothing'}"
        expected = " or ".join(fields) if alternative else "nothing"
        yield checked.at(row, (named or fields)[0], "competes", message, expected)


def period(checked: Checked, row: Any) -> Iterator[Finding]:
    """A period is what its kind says, and only one-year periods have a year."""
    year, kind, start, end = (checked.part(row, part) for part in PERIOD)
    if kind is None or not checked.readable(row, *PERIOD):
        return
    try:
        expected = periods.expectation(str(kind), year, start, end)
    except (ValueError, OverflowError):
        expected = "a year of the calendar"
    if expected is None:
        return
    if expected.startswith(("a year", "no year")):
        parts, what = ["year"], "no year" if year is None else f"year {year}"
    else:
        parts = ["periodStart", "periodEnd"]
        what = "no dates" if start is None and end is None else f"{start or '?'} to {end or '?'}"
    message = f'"{kind}" does not go with {what}'
    yield checked.at(row, checked.fields(*parts, "periodType")[0], "period", message, expected)


def label(checked: Checked, row: Any) -> Iterator[Finding]:
    """The label of a period is words for it."""
    label, kind = checked.part(row, "periodLabel"), checked.part(row, "periodType")
    if label is None or kind is None or not checked.readable(row, *PERIOD, "periodLabel"):
        return
    year, start, end = (checked.part(row, part) for part in ("year", "periodStart", "periodEnd"))
    expected = labels.expectation(str(label), str(kind), year, start, end)
    if expected is not None and not any(period(checked, row)):  # else what it should fit is not known
        message = f'"{label}" does not name this period'
        yield checked.at(row, checked.fields("periodLabel")[0], "period-label", message, expected)


def evidence(checked: Checked, row: Any) -> Iterator[Finding]:
    """Every figure says where it comes from."""
    parts = ("source", "locator")
    for field in checked.fields(*parts):
        if row[field] is None and not checked.table.field(field).required and checked.readable(row, *parts):
            yield checked.at(row, field, "evidence", f"a figure without {field}", f"a {field}")


def as_stated(checked: Checked, row: Any) -> Iterator[Finding]:
    """Every number occurs in the words of the source, unless it is spelled out there or was added up here."""
    if not checked.readable(row, "asStated", "derivation", *QUANTITY):
        return
    figure = checked.table.figure
    field, note, unit = str(figure["asStated"]), str(figure.get("note", "note")), str(figure.get("unit", "unit"))
    phrase, derivation = row[field], checked.part(row, "derivation")
    summed = derivation == SUMMED
    if summed and phrase is not None:
        yield checked.at(row, field, "as-stated", "a figure added up here has no wording", "nothing")
    if not summed and phrase is None and "derivation" in figure:
        yield checked.at(row, field, "as-stated", "the figure's wording is missing", "the words of the source")
    if summed and note in checked.table.index and row[note] is None:
        yield checked.at(row, note, "note", "a figure added up here does not say from what", "a note")
    if phrase is None or derivation in NOT_IN_FIGURES:
        return
    in_percent = unit in checked.table.index and "percent" in str(row[unit]).lower()
    stated = wording.numbers(str(phrase), in_percent)
    for part in QUANTITY:
        number = _number(checked.part(row, part))
        if number is not None and number not in stated:
            message = f"{checked.fields(part)[0]} {number} does not occur in the wording"
            yield checked.at(row, field, "as-stated", message, f"a phrase with {number}")


def preferred(checked: Checked, preferred: dict[tuple[Any, ...], str], row: Any) -> Iterator[Finding]:
    """At most one figure is preferred in a series and period; nulls count as equal.

    Series are compared as they look. Figures without dates are of one period if their labels are the same.
    """
    if checked.part(row, "standing") != PREFERRED or not checked.readable(row, "series", *PERIOD):
        return
    period = tuple(checked.part(row, part) for part in PERIOD)
    dated = any(part is not None for part in (period[0], *period[2:]))
    label = None if dated else checked.part(row, "periodLabel")
    series = (row[name] for name in checked.fields("series"))
    same = (alike(text).casefold() if isinstance(text, str) else text for text in (*series, label))
    group = (*same, *period)
    if group in preferred:
        message = f"{preferred[group]} is preferred for the same series and period"
        yield checked.at(row, checked.fields("standing")[0], "preferred", message, "one preferred figure at most")
    else:
        preferred[group] = key(checked.table, row) or f"line {row.row_number}"


def referred(checked: Checked) -> dict[str, dict[str, str | None]]:
    """For each field that must agree with another table: the values there, by what the foreign key refers to."""
    values: dict[str, dict[str, str | None]] = {}
    for field, rule in (checked.table.figure.get("agrees") or {}).items():
        ends = ((rule["through"],), rule["resource"])
        foreign = next((key for key in checked.table.foreign_keys if (key.fields, key.resource) == ends), None)
        rows = checked.rows(rule["resource"]) if foreign else ()
        values[field] = {str(row[foreign.reference[0]]): row[rule["field"]] for _, row in rows if foreign}
    return values


def agrees(checked: Checked, referred: Mapping[str, Mapping[str, str | None]], row: Any) -> Iterator[Finding]:
    """A field has the value that the row of another table, which the figure refers to, has."""
    for field, rule in checked.table.figure["agrees"].items():
        through = row[rule["through"]]
        if through is None or row[field] is None or str(through) not in referred[field]:
            continue
        expected = referred[field][str(through)]
        if str(row[field]) != expected:
            message = f'"{row[field]}" is not the {rule["field"]} of {through}'
            yield checked.at(row, field, "disagrees", message, expected or "nothing")


def _number(value: Any) -> Decimal | None:
    try:
        number = None if value is None else Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number is None or number.is_finite() else None
