"""Conditions on measures: `having=MEASURE__op=value`, or `having=MEASURE=value`."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from api.model.descriptor import Table
from api.model.nearest import nearest
from api.query import functions, parse
from api.query.engines import Big
from api.query.fields import COMMA
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
    said = text.replace(COMMA, ",")
    for measure in sorted(measures, key=lambda one: len(one.name), reverse=True):
        named = re.fullmatch(f"{re.escape(measure.name)}(?:{SEPARATOR}([^=]*))?=(.*)", said, re.DOTALL)
        if named:
            operator = named[1] or "eq"
            return Condition(measure, operator, _value(measure, operator, text[named.start(2) :], table))
    name, equals, _ = said.partition("=")
    if not equals:
        raise parse.wrong(PARAMETER, f"expected a measure, an operator and a value, such as {EXAMPLE}")
    names = [measure.name for measure in measures]
    bare = name.rpartition(SEPARATOR)[0] or name
    reason = f"{bare[:60]!r} is not a measure of this response ({', '.join(names) or 'none was asked for'})"
    raise parse.wrong(PARAMETER, reason, did_you_mean=nearest(bare, names))


def _value(measure: Measure, operator: str, text: str, table: Table) -> Any:
    """The value of a condition, in whose text an escaped comma is COMMA."""
    known, which = (*OPERATORS, NULL), f"{measure.name}{SEPARATOR}{operator}"
    if operator not in known:
        reason = f"{operator[:60]!r} is not one of {', '.join(known)}"
        raise parse.wrong(PARAMETER, reason, did_you_mean=nearest(operator, known))
    if operator == NULL:
        if text.lower() not in ("true", "false"):
            raise parse.wrong(PARAMETER, f"{which}: expected true or false")
        return text.lower() == "true"
    parts = [text]
    if operator == "between":
        parts = text.split(",") if "," in text else text.split(COMMA)
        if len(parts) != 2:
            raise parse.wrong(
                PARAMETER, f"{which}: expected two values, the least and the greatest, found {len(parts)}"
            )
    kind, values = functions.kind(measure, table), []
    for part in (part.replace(COMMA, ",") for part in parts):
        try:
            values.append(kind.parse(part))
        except ValueError as error:
            raise parse.wrong(PARAMETER, f"{which}: {part[:60]!r} is not {error}") from None
    return values if operator == "between" else values[0]


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
