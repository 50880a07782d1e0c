"""A question answered in plain Python: rows read from CSV, filtered, sorted and cut with nothing of the program."""

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from decimal import Context, Decimal
from fractions import Fraction
from statistics import median
from typing import Any

Row = Mapping[str, Any]
MEANS: Mapping[str, Callable[[str], Any]] = {
    "string": str,
    "any": str,
    "integer": int,
    "year": int,
    "number": Decimal,
    "boolean": "true".__eq__,
    "date": date.fromisoformat,
    "yearmonth": str,
    "datetime": str,
}
FOLDED: Mapping[str, Callable[[str, str], bool]] = {
    "contains": lambda value, asked: asked in value,
    "not_contains": lambda value, asked: asked not in value,
    "startswith": str.startswith,
    "endswith": str.endswith,
    "iexact": str.__eq__,
}
DIGITS, EXACT = Context(prec=15), Context(prec=200)
COMPARED = {"eq": "eq", "ne": "ne", "lt": "lt", "lte": "le", "gt": "gt", "gte": "ge"}


def means(fields: Mapping[str, str], cells: Iterable[Mapping[str, str]], missing: Sequence[str] = ("",)) -> list[Row]:
    """Rows of values: `fields` gives the type of each by name; missing values are None."""
    return [
        {name: None if row[name] in missing else MEANS[kind](row[name]) for name, kind in fields.items()}
        for row in cells
    ]


def holds(value: Any, name: str, asked: Any) -> bool:
    """Whether a condition holds for a value; of what is null nothing holds but isnull."""
    if name == "isnull":
        return (value is None) == asked
    if value is None:
        return False
    if name in ("in", "not_in"):
        return (value in asked) == (name == "in")
    if name == "between":
        return asked[0] <= value <= asked[1]
    if name in FOLDED:
        return FOLDED[name](value.casefold(), asked.casefold())
    return bool(getattr(operator, COMPARED[name])(value, asked))


def ordered(rows: Iterable[Row], sort: Sequence[tuple[str, bool]], key: Sequence[str]) -> list[Row]:
    """Rows by the fields of a sort (name, descending), nulls last, then by the key; without one as they stand."""
    found = list(rows)
    for name, down in reversed([*sort, *((name, False) for name in key)]):
        valued = [row for row in found if row[name] is not None]
        valued.sort(key=lambda row: row[name], reverse=False)
        if down:  # equal ones stay in their order
            valued = _turned(valued, name)
        found = valued + [row for row in found if row[name] is None]
    return found


def _turned(rows: Sequence[Row], name: str) -> list[Row]:
    groups: list[list[Row]] = []
    for row in rows:
        if groups and groups[-1][0][name] == row[name]:
            groups[-1].append(row)
        else:
            groups.append([row])
    return [row for group in reversed(groups) for row in group]


def shown(row: Row, names: Iterable[str] | None = None) -> dict[str, Any]:
    """A row as JSON shows it, numbers as decimals."""
    return {name: row[name].isoformat() if isinstance(row[name], date) else row[name] for name in (names or row.keys())}


def part(row: Row, name: str) -> Any:
    """The value of a field, or the year or month of its date."""
    if name in row:
        return row[name]
    field, _, wanted = name.rpartition("__")
    if row[field] is None:
        return None
    month = re.match(r"(-?\d{4})-\d{2}", str(row[field]))
    assert month is not None
    return month[0] if wanted == "month" else int(month[1])


def grouped(rows: Iterable[Row], by: Sequence[str], measures: Sequence[str]) -> list[dict[str, Any]]:
    """The groups of rows with their measures, in no order; without fields to group by all rows are one group."""
    held: dict[tuple[Any, ...], list[Row]] = {} if by else {(): []}
    for row in rows:
        held.setdefault(tuple(part(row, name) for name in by), []).append(row)
    return [
        {**dict(zip(by, values, strict=True)), **{name: measured(some, name) for name in measures}}
        for values, some in held.items()
    ]


def measured(rows: Sequence[Row], name: str) -> Any:
    """A measure: numbers exactly, averages to 15 digits; None without values."""
    function, _, field = name.partition(":")
    if function == "count":
        return len(rows)
    present = [row[field] for row in rows if row[field] is not None]
    if function == "count_distinct":
        return len(set(present))
    if not present:
        return None
    if function in ("min", "max"):
        return min(present) if function == "min" else max(present)
    numbers = [Fraction(value) for value in present]
    if function == "avg":
        total = sum(numbers)
        return DIGITS.divide(Decimal(total.numerator), Decimal(total.denominator * len(numbers)))
    exact = sum(numbers) if function == "sum" else Fraction(median(numbers))
    return EXACT.divide(Decimal(exact.numerator), Decimal(exact.denominator))
