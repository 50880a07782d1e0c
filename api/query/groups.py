"""Groups of rows with their measures: a query of groups → SQL, and what that gives → JSON."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from json.encoder import encode_basestring
from operator import attrgetter
from typing import Any, NamedTuple

import sqlalchemy as sa

from api.index import sqlite
from api.index.layout import FIELD_SEPARATOR, ROW_SEPARATOR
from api.index.sqlite import EXACT
from api.model import decimals, moments
from api.query import functions, having
from api.query.conditions import column, measured, number
from api.query.engines import DUCKDB, SHAPES, OneOf, Statement, statement
from api.query.find import Selection, access, counted, pieces
from api.query.having import Condition
from api.query.indexes import rollup_pair
from api.query.measures import Group, Measure
from api.query.reshape import field_head
from api.query.sql import LIMIT, Rows

SKIP, VALUES = "skip", "values"  # the names under which the number of groups that come before, and values, are bound
Order = tuple[tuple[int, bool], ...]
Row = tuple[Any, ...]


@dataclass(frozen=True)
class Shape:
    """All of a question for groups that changes the SQL; `order` sorts by place, first groups, then measures."""

    rows: Rows
    groups: tuple[Group, ...]
    measures: tuple[Measure, ...]
    order: Order
    having: tuple[having.Shape, ...]


class Grouping(NamedTuple):
    """A question for groups, ready to be asked: the selection binds what `having` compares with; `places` are those of
    the measures as they were asked for, in `shape`.
    """

    selection: Selection
    shape: Shape
    places: tuple[int, ...]


def grouping(
    selection: Selection,
    groups: tuple[Group, ...],
    measures: tuple[Measure, ...] = (),
    order: Order = (),
    conditions: Sequence[Condition] = (),
) -> Grouping:
    """How the rows of a selection are grouped, measured and sorted; `order` sorts by place: first the groups, then the
    measures.

    A rollup is asked where it has all that is filtered, grouped by and measured.
    """
    rows = _rows(selection, groups, measures)
    # One statement serves the same measures in every order.
    listed = tuple(sorted(measures, key=attrgetter("name")))
    places = tuple([listed.index(measure) for measure in measures])
    first = len(groups)
    moved = tuple([(place if place < first else first + places[place - first], down) for place, down in order])
    shape = Shape(rows, groups, listed, moved, tuple([having.shape(one) for one in conditions]))
    if conditions:
        bound = {**selection.bound, **having.bound(conditions, selection.table, rows)}
        selection = selection._replace(bound=bound)
    return Grouping(selection, shape, places)


def _rows(selection: Selection, groups: Sequence[Group], measures: Sequence[Measure]) -> Rows:
    """How the rows are reached. A rollup has of its own two fields all, and of those that add the totals."""
    layout, where = selection.layout, selection.plan.where
    used, totals = {group.position for group in groups}, True
    for measure in measures:
        if measure.function in ("min", "max", "count_distinct"):
            adds = measure.function != "count_distinct" and layout.columns[measure.position].adds
            used |= set() if adds else {measure.position}
        elif measure.position >= 0:
            totals = totals and measure.function != "median" and layout.columns[measure.position].adds
    pair = rollup_pair(layout, where, tuple(sorted(used))) if totals else None
    return Rows(layout, where, pair=pair) if pair else access(selection)


def some(grouping: Grouping, skip: int, most: int) -> list[Row]:
    """At most so many groups behind the first `skip`. All are computed again for it, whatever its place."""
    selection, shape, _ = grouping
    asked = selection._replace(bound={**selection.bound, SKIP: skip, LIMIT: most})
    return asked.rows(_listing(shape, limited=True).statement)


def every(grouping: Grouping, skip: int) -> Iterator[list[Row]]:
    """All groups behind the first `skip`, piece by piece."""
    selection, shape, _ = grouping
    asked = selection._replace(bound={**selection.bound, SKIP: skip})
    return pieces(asked, _listing(shape, limited=False).statement)


def total(grouping: Grouping, rows: Sequence[Row]) -> int:
    """How many groups there are, of which `some` gave these rows; without any they are counted."""
    if rows and grouping.shape.rows.engine is DUCKDB:
        return int(rows[0][-1])
    return several(grouping, len(grouping.shape.groups))


def several(grouping: Grouping, first: int) -> int:
    """How many different combinations of their `first` so many values the groups have."""
    return counted(grouping.selection, _counting(grouping.shape, first))


# As SQL


class Listing(NamedTuple):
    """The statement that gives a row a group: the group's values, then the columns of each measure, at these places;
    a limited one that scans then how many groups there are, so that they need not be computed twice. For the few rows
    that SQLite is asked for, this costs more than it saves.
    """

    statement: Statement
    at: tuple[slice, ...]


@lru_cache(SHAPES)
def _listing(shape: Shape, limited: bool) -> Listing:
    found, at = _grouped(shape)
    if limited and shape.rows.engine is DUCKDB:
        every = found.cte("every").prefix_with("MATERIALIZED")
        found = sa.select(*every.c, sa.select(sa.func.count()).select_from(every).scalar_subquery().label("groups"))
    keys = [f"g{place}" for place in range(len(shape.groups))]
    names = [*keys, *(f"m{place}" for place in range(len(shape.measures)))]
    for name, down in [*((names[place], down) for place, down in shape.order), *((key, False) for key in keys)]:
        key: sa.ColumnElement[Any] = sa.literal_column(name)
        found = found.order_by((key.desc() if down else key.asc()).nulls_last())
    found = found.offset(sa.bindparam(SKIP))
    return Listing(statement(shape.rows.engine, found.limit(sa.bindparam(LIMIT)) if limited else found), at)


@lru_cache(SHAPES)
def _counting(shape: Shape, first: int) -> Statement:
    found = _grouped(shape)[0].subquery("counted")
    if first < len(shape.groups):
        found = sa.select(*list(found.c)[:first]).distinct().subquery("several")
    return statement(shape.rows.engine, sa.select(sa.func.count()).select_from(found))


def _grouped(shape: Shape) -> tuple[sa.Select[Any], tuple[slice, ...]]:
    """The groups under the conditions, and the place of each measure's columns."""
    rows = shape.rows
    columns: dict[str, sa.ColumnElement[Any]]
    keys = [sa.literal_column(g.sql) if g.part else measured(rows.layout, g.position) for g in shape.groups]
    columns = {f"g{place}": key for place, key in enumerate(keys)}
    at = []
    for place, measure in enumerate(shape.measures):
        parts = functions.parts(measure, rows)
        at.append(slice(len(columns), len(columns) + len(parts)))
        columns |= {f"{part}{place}": sql for part, sql in parts.items()}
    used = [group.position for group in shape.groups]
    used += [measure.position for measure in shape.measures if measure.position >= 0]
    found = rows.select(*(sql.label(name) for name, sql in columns.items()), of=used)
    found = found.group_by(*map(rows.free, keys))
    if shape.having:  # in a query around it: not every SQLite has HAVING without groups
        inner = found.subquery("grouped")
        found = sa.select(*inner.c)
        for place, condition in enumerate(shape.having):
            main = inner.c[f"m{shape.measures.index(condition[0])}"]
            found = found.where(having.sql(place, condition, main, rows))
    return found, tuple(at)


# As JSON


def texts(grouping: Grouping, rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """The values and measures of groups as JSON, in the order of the query."""
    selection, shape, places = grouping
    at = _listing(shape, limited=True).at
    written = [
        _values(selection, group.position, group.part, [row[place] for row in rows])
        for place, group in enumerate(shape.groups)
    ]
    for place in places:
        written.append(_measured(selection, shape.measures[place], shape.rows, [row[at[place]] for row in rows]))
    return list(zip(*written, strict=True))


def objects(names: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Rows of JSON texts as JSON objects."""
    form = "{" + ",".join(encode_basestring(name).replace("%", "%%") + ":%s" for name in names) + "}"
    return [form % tuple(row) for row in rows]


def _measured(selection: Selection, measure: Measure, rows: Rows, found: Sequence[Row]) -> list[str]:
    """The columns of a measure as JSON: numbers exactly, an average to 15 digits, others as rows have them; null
    without values.
    """
    if measure.position < 0 or measure.function == "count_distinct":
        return [str(row[0]) for row in found]
    if measure.function in functions.KEPT:
        return _values(selection, measure.position, "", [row[0] for row in found])
    number = _number(measure, rows)
    return ["null" if row[0] is None else decimals.to_json(number(*row)) for row in found]


def _number(measure: Measure, rows: Rows) -> Callable[..., Decimal]:
    """The exact number in the columns of a measure."""
    detail, engine = rows.layout.columns[measure.position], rows.engine
    if measure.function == "median":
        return lambda both: EXACT.divide(engine.number(both, detail), Decimal(2))

    def total(value: Any) -> Decimal:
        return engine.number(value, detail) if detail.apart else EXACT.scaleb(Decimal(int(value)), -detail.scale)

    return total if measure.function == "sum" else lambda _, s, k: functions.DIGITS.divide(total(s), Decimal(k))


def _values(selection: Selection, position: int, part: str, values: Sequence[Any]) -> list[str]:
    """Values of a field, or of a part of its dates, as JSON."""
    kind = selection.table.fields[position].type
    if kind == "duration":
        return _durations(selection, position, values)
    one = _plain if part else _JSON.get(kind, _plain)
    return ["null" if value is None else one(value) for value in values]


def _plain(value: str | int) -> str:
    return encode_basestring(value) if isinstance(value, str) else str(value)


def _shortest(value: str | int | float) -> str:
    return str(value) if isinstance(value, int) else decimals.to_json(sqlite.decimal(value))


# By type, where the compared value is not the JSON already.
_JSON: Mapping[str, Callable[[Any], str]] = {
    "integer": _shortest,
    "number": _shortest,
    "boolean": lambda value: "true" if value else "false",
    "datetime": '"{}Z"'.format,
    "yearmonth": lambda months: f'"{moments.month_text(months)}"',
}


def _durations(selection: Selection, position: int, values: Sequence[Any]) -> list[str]:
    """Durations, which compare by their seconds: each as the first of the rows under the filters that has it."""
    wanted = tuple({value for value in values if value is not None})
    if not wanted:
        return ["null"] * len(values)
    asked = selection._replace(bound={**selection.bound, VALUES: wanted})
    first = dict(asked.rows(_first(access(selection), position)))
    rows = sqlite.json_text(selection.release.index, selection.layout.number, list(first.values()))
    head = len(field_head(selection.table.fields[position].name))
    texts = [row[1:-1].split(FIELD_SEPARATOR)[position][head:] for row in rows.split(ROW_SEPARATOR)]
    known: dict[Any, str] = {None: "null", **dict(zip(first, texts, strict=True))}
    return [known[value] for value in values]


@lru_cache(SHAPES)
def _first(rows: Rows, position: int) -> Statement:
    """Each of some values of a field, with the number of the first row that has it."""
    value = column(position)
    found = rows.select(value, sa.func.min(number(rows.layout)), of=[position])
    return statement(rows.engine, found.where(OneOf(value, sa.bindparam(VALUES))).group_by(value))
