"""The functions of measures: each as SQL, and what its result is compared with in place of a value."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import Any

import sqlalchemy as sa

from api.index import layout as index_layout
from api.index.sqlite import EXACT
from api.model import decimals, types
from api.model.descriptor import Field, Table
from api.query.conditions import measured
from api.query.engines import Mean, Middle, Total
from api.query.fields import stored
from api.query.measures import ADDING, Measure
from api.query.sql import Rows

DIGITS = Context(prec=15)  # of an average
KEPT = {"min": "a", "max": "z"}  # columns of a rollup
Parts = dict[str, sa.ColumnElement[Any]]
Edges = tuple[Any, Any]
INTEGER, NUMBER = (types.kind(Field("", name, "default", "", "", None, {}, {})) for name in types.NUMERIC)


def parts(measure: Measure, rows: Rows) -> Parts:
    """The columns of one measure: `m` is what is sorted by and compared; an average has its sum and count too."""
    position, function = measure.position, measure.function
    if position < 0:
        return {"m": rows.counted}
    detail, value = rows.layout.columns[position], measured(rows.layout, position)
    if function == "count_distinct":
        return {"m": sa.func.count(sa.distinct(value))}
    if function in KEPT:
        kept = rows.pair is not None and position not in rows.pair
        of = sa.column(f"{KEPT[function]}{position}") if kept else value
        return {"m": sa.func.min(of) if function == "min" else sa.func.max(of)}
    if rows.pair:
        return _adding(function, sa.func.sum(sa.column(f"s{position}")), sa.func.sum(sa.column(f"k{position}")))
    units: sa.ColumnElement[Any] = sa.literal_column(index_layout.whole(f"c{position}", detail.scale))
    if detail.apart:
        units = sa.column(f"e{position}")
    if function == "median":
        return {"m": Middle(value, units)}
    counted = sa.func.count(value)
    if not detail.apart:
        return _adding(function, sa.func.sum(units), counted)
    total = Total(value, units)
    power: sa.ColumnElement[str] = sa.literal_column(f"'e-{detail.scale}'")
    return {"m": total} if function == "sum" else {"m": Mean(value, units, power), "s": total, "k": counted}


def _adding(function: str, total: sa.ColumnElement[Any], counted: sa.ColumnElement[Any]) -> Parts:
    if function == "sum":
        return {"m": total}
    return {"m": sa.cast(total, sa.Double) / sa.func.nullif(counted, 0), "s": total, "k": counted}


# Comparing: a value becomes two, the least and the greatest of what `m` may be where it equals the value. Where nothing
# equals it, the first is the greater one.


def kind(measure: Measure, table: Table) -> types.Kind:
    """How a value is read that is compared with a measure."""
    if measure.function in KEPT:
        return types.kind(table.fields[measure.position])
    return NUMBER if measure.function in (*ADDING, "median") else INTEGER


def edges(measure: Measure, table: Table, rows: Rows, value: Any) -> Edges:
    """The two values that `m` of `parts` is compared with in place of one."""
    if measure.position < 0 or measure.function == "count_distinct":
        return _whole(value)
    detail = rows.layout.columns[measure.position]
    if measure.function in KEPT:
        of = kind(measure, table)
        return stored(value, of, detail, "gte"), stored(value, of, detail, "lte")
    if measure.function == "median":
        return rows.engine.edges(EXACT.multiply(value, Decimal(2)), detail)
    if measure.function == "avg":
        return _near(value if detail.apart else EXACT.scaleb(value, detail.scale))
    return rows.engine.edges(value, detail) if detail.apart else _whole(EXACT.scaleb(value, detail.scale))


def wide(measure: Measure, rows: Rows) -> bool:
    """Whether `m` is compared as a number of any size."""
    return measure.function == "median" or (measure.function == "sum" and rows.layout.columns[measure.position].apart)


def _whole(number: Decimal) -> Edges:
    """Of whole numbers that 64 bits hold."""
    up, down = int(number.to_integral_value(ROUND_CEILING)), int(number.to_integral_value(ROUND_FLOOR))
    return _held(up), _held(down)


def _held(number: int) -> int:
    return min(max(number, -decimals.INT64), decimals.INT64 - 1)


def _near(number: Decimal) -> Edges:
    """Of doubles that are shown to 15 digits: half a unit of the last one to both sides."""
    shown = DIGITS.plus(number)
    half = Decimal(5).scaleb(shown.adjusted() - DIGITS.prec) if shown else Decimal(0)
    return float(shown - half), float(shown + half)
