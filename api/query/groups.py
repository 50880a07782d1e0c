"""Groups and their measures → SQL, and its rows → JSON."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Context, Decimal
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from api.index import layout as index_layout
from api.index.layout import Column
from api.index.sqlite import EXACT, decimal
from api.model import decimals
from api.query.engines import SHAPES, Engine, High, Low, Mean, Middle, Statement, Total, statement
from api.query.find import Selection, access
from api.query.indexes import rollup_pair
from api.query.sql import LIMIT, Rows, column, number

FUNCTIONS = ("count", "sum", "avg", "min", "max", "median")
ADDING = ("sum", "avg")
DIGITS = Context(prec=15)
Row = Sequence[Any]
Order = tuple[tuple[int, bool], ...]
Parts = dict[str, sa.ColumnElement[Any]]


@dataclass(frozen=True)
class Measure:
    """A function of a field; `name` is how the query and the response name it. position -1: rows."""

    name: str
    function: str
    position: int

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, eq=False)
class Grouping:
    """The statement that gives a row a group (the group's values first), which of its columns has the number of one of
    the group's rows, and how each measure is written as JSON.
    """

    statement: Statement
    row_at: int
    measures: tuple[Callable[[Row], str], ...]


def grouping(selection: Selection, groups: tuple[int, ...], measures: tuple[Measure, ...], order: Order) -> Grouping:
    """How the rows of a selection are grouped. `order` sorts by place: first the groups, then the measures.

    A rollup is asked where it has all that is filtered, grouped by and measured.
    """
    layout, where = selection.layout, selection.plan.where
    pair = None
    if all(m.position < 0 or (m.function != "median" and layout.columns[m.position].adds) for m in measures):
        pair = rollup_pair(layout, where, groups)
    rows = Rows(layout, where, pair=pair) if pair else access(selection)
    # One statement serves the same measures in every order.
    listed = tuple(sorted(measures, key=str))
    places = [listed.index(measure) for measure in measures]
    first = len(groups)
    moved = tuple([(place if place < first else first + places[place - first], down) for place, down in order])
    made = _grouping(rows, groups, listed, moved)
    return replace(made, measures=tuple([made.measures[place] for place in places]))


@lru_cache(SHAPES)
def _grouping(rows: Rows, groups: tuple[int, ...], measures: tuple[Measure, ...], order: Order) -> Grouping:
    columns = {f"g{place}": column(position) for place, position in enumerate(groups)}
    columns["n"] = sa.func.min(sa.column("n") if rows.pair else number(rows.layout))
    for place, measure in enumerate(measures):
        columns |= {f"{part}{place}": sql for part, sql in _parts(measure, rows).items()}
    used = [*groups, *(m.position for m in measures if m.position >= 0)]
    found = rows.select(*(sql.label(name) for name, sql in columns.items()), of=used)
    found = found.group_by(*(rows.free(column(position)) for position in groups))
    keys = [f"g{place}" for place in range(len(groups))]
    names = [*keys, *(f"m{place}" for place in range(len(measures)))]
    for name, down in [*((names[place], down) for place, down in order), *((key, False) for key in keys)]:
        key: sa.ColumnElement[Any] = sa.literal_column(name)
        found = found.order_by((key.desc() if down else key.asc()).nulls_last())
    at = {name: place for place, name in enumerate(columns)}
    made = statement(rows.engine, found.limit(sa.bindparam(LIMIT)))
    return Grouping(made, at["n"], tuple(_writer(m, rows, at, place) for place, m in enumerate(measures)))


def _parts(measure: Measure, rows: Rows) -> Parts:
    """The columns of one measure: `m` is what is sorted by; with the others it gives the exact number."""
    position, function = measure.position, measure.function
    if position < 0:
        return {"m": rows.counted}
    detail, value = rows.layout.columns[position], column(position)
    if function in ("min", "max"):
        least, most = (sa.column(f"{name}{position}") if rows.pair else value for name in ("a", "z"))
        return {"m": sa.func.min(least) if function == "min" else sa.func.max(most)}
    if rows.pair:
        return _adding(function, sa.func.sum(sa.column(f"s{position}")), sa.func.sum(sa.column(f"k{position}")))
    numbers = sa.column(f"e{position}") if detail.apart else value
    power: sa.ColumnElement[str] = sa.literal_column(f"'e-{detail.scale}'" if detail.apart else "''")
    if function == "median":
        return {"m": Middle(value, numbers, power), "u": Low(value, numbers), "w": High(value, numbers)}
    counted = sa.func.count(value)
    if detail.apart:
        total = Total(value, numbers)
        return {"m": total} if function == "sum" else {"m": Mean(value, numbers, power), "s": total, "k": counted}
    whole: sa.ColumnElement[int] = sa.literal_column(index_layout.whole(f"c{position}", detail.scale))
    return _adding(function, sa.func.sum(whole), counted)


def _adding(function: str, total: sa.ColumnElement[Any], counted: sa.ColumnElement[Any]) -> Parts:
    if function == "sum":
        return {"m": total}
    return {"m": sa.cast(total, sa.Double) / sa.func.nullif(counted, 0), "s": total, "k": counted}


def _writer(measure: Measure, rows: Rows, at: Mapping[str, int], place: int) -> Callable[[Row], str]:
    """How a measure's value becomes JSON: exact; an average to 15 digits; null without values.

    `at` has each column's place in a row.
    """
    main, function = at[f"m{place}"], measure.function
    if measure.position < 0:
        return lambda row: str(row[main])
    detail, engine = rows.layout.columns[measure.position], rows.engine
    low, high, total, counted = (at.get(f"{part}{place}", main) for part in ("u", "w", "s", "k"))

    def value(row: Row) -> Decimal:
        if function == "median":
            both = EXACT.add(engine.number(row[low], detail), engine.number(row[high], detail))
            return EXACT.divide(both, Decimal(2))
        if function == "avg":
            return DIGITS.divide(_total(row[total], detail, engine), Decimal(row[counted]))
        return _total(row[main], detail, engine) if function == "sum" else decimal(row[main])

    return lambda row: "null" if row[main] is None else decimals.to_json(value(row))


def _total(stored: Any, detail: Column, engine: Engine) -> Decimal:
    """A sum as a number."""
    return EXACT.scaleb(Decimal(int(stored)), -detail.scale) if detail.adds else engine.number(stored, detail)
