"""A question answered in plain Python: rows read from CSV, filtered, sorted and cut with nothing of the program."""

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
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
}
FOLDED: Mapping[str, Callable[[str, str], bool]] = {
    "contains": lambda value, asked: asked in value,
    "not_contains": lambda value, asked: asked not in value,
    "startswith": str.startswith,
    "endswith": str.endswith,
    "iexact": str.__eq__,
}
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
