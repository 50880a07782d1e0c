"""Conditions on measures: `having=MEASURE__op=value`, or `having=MEASURE=value`."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from api.model import types
from api.model.descriptor import Table
from api.model.nearest import nearest
from api.query import functions, parse
from api.query.engines import Big
from api.query.measures import Measure
from api.query.parameters import SEPARATOR
from api.query.sql import Rows

PARAMETER = "having"
EXAMPLE = "sum:value__gte=1000"
Column = sa.ColumnElement[Any]
# Each operator as SQL: a measure, and of its value or values the least and the greatest that equal it
# (api.query.functions.edges).
OPERATORS: Mapping[str, Callable[[Column, Column, Column], sa.ColumnElement[bool]]] = {
    "eq": lambda measure, low, high: sa.and_(measure >= low, measure <= high),
    "ne": lambda measure, low, high: sa.or_(measure < low, measure > high),
    "lt": lambda measure, low, _: measure < low,
    "lte": lambda measure, _, high: measure <= high,
    "gt": lambda measure, _, high: measure > high,
    "gte": lambda measure, low, _: measure >= low,
    "between": lambda measure, low, high: sa.and_(measure >= low, measure <= high),
}
NULL = "isnull"


class Condition(NamedTuple):
    """A condition on a measure: operator and value (of between two, of isnull whether it is null)."""

    measure: Measure
    operator: str
    value: Any


Shape = tuple[Measure, str, bool]  # a condition without its values; for isnull whether


def read(texts: Sequence[str], measures: Sequence[Measure], table: Table) -> list[Condition]:
    """The conditions on the measures of a query. Raises QueryError for one that cannot be read."""
    return [_read(text, measures, table) for text in texts]


def _read(text: str, measures: Sequence[Measure], table: Table) -> Condition:
    for measure in sorted(measures, key=lambda one: len(one.name), reverse=True):
        named = re.fullmatch(f"{re.escape(measure.name)}(?:{SEPARATOR}([^=]*))?=(.*)", text, re.DOTALL)
        if named:
            return Condition(measure, operator := named[1] or "eq", _value(measure, operator, named[2], table))
    name, equals, _ = text.partition("=")
    if not equals:
        raise parse.wrong(PARAMETER, f"expected a measure, an operator and a value, such as {EXAMPLE}")
    names = [measure.name for measure in measures]
    bare = name.rpartition(SEPARATOR)[0] or name
    reason = f"{bare[:60]!r} is not a measure of this response ({', '.join(names) or 'none was asked for'})"
    raise parse.wrong(PARAMETER, reason, did_you_mean=nearest(bare, names))


def _value(measure: Measure, operator: str, text: str, table: Table) -> Any:
    if operator == NULL:
        if text not in ("true", "false"):
            raise parse.wrong(PARAMETER, f"{measure.name}{SEPARATOR}{NULL}: expected true or false")
        return text == "true"
    if operator not in OPERATORS:
        reason = f"{operator[:60]!r} is not one of {', '.join((*OPERATORS, NULL))}"
        raise parse.wrong(PARAMETER, reason, did_you_mean=nearest(operator, (*OPERATORS, NULL)))
    parts = text.split(",") if operator == "between" else [text]
    if operator == "between" and len(parts) != 2:
        raise parse.wrong(PARAMETER, f"{measure.name}{SEPARATOR}{operator}: expected two values, comma-separated")
    kind = functions.kind(measure, table)
    expected = next(filter(None, (types.expectation(kind.parse, part) for part in parts)), None)
    if expected is not None:
        raise parse.wrong(PARAMETER, f"{measure.name}{SEPARATOR}{operator}: {text[:60]!r} is not {expected}")
    values = [kind.parse(part) for part in parts]
    return values[0] if len(values) == 1 else values


def shape(condition: Condition) -> Shape:
    """All of a condition that changes the SQL."""
    return condition.measure, condition.operator, condition.operator == NULL and condition.value


def bound(conditions: Sequence[Condition], table: Table, rows: Rows) -> dict[str, Any]:
    """The values that conditions bind, by name."""
    values = {}
    for place, (measure, operator, value) in enumerate(conditions):
        if operator != NULL:
            low, high = value if operator == "between" else (value, value)
            values[f"low{place}"] = functions.edges(measure, table, rows, low)[0]
            values[f"high{place}"] = functions.edges(measure, table, rows, high)[1]
    return values


def sql(place: int, condition: Shape, main: Column, rows: Rows) -> sa.ColumnElement[bool]:
    """The condition at a place, on what a measure is compared by."""
    measure, operator, flag = condition
    if operator == NULL:
        return main.is_(None) if flag else main.is_not(None)
    low: Column = sa.bindparam(f"low{place}")
    high: Column = sa.bindparam(f"high{place}")
    if functions.wide(measure, rows):
        low, high = Big(low), Big(high)
    return OPERATORS[operator](main, low, high)
