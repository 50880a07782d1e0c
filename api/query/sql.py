"""A query → SQL. Pure: no connection, no request.

SQLAlchemy Core writes a statement once for each shape of query (which fields, operators and sorts, not which values);
its text is kept and run with bound parameters.

A page is found in one of two ways. Where an index holds the rows in the order of the query it is walked (`walk`), in
one or more ranges (`_ranges`), so that it costs the same at any depth. Else the rows under the filters are sorted
(`page`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from api.index.layout import RELEVANCE, ROW_NUMBER, Layout, rollup
from api.query.conditions import (
    FULL_TEXT,
    Conditions,
    Far,
    Filters,
    Shape,
    Sort,
    Uses,
    column,
    conditions,
    far_table,
    measured,
    number,
    source,
)
from api.query.engines import SHAPES, SQLITE, Engine, Matches, OneOf, Statement, Unindexed, statement

LIMIT, LAST = "rows", "last"  # the names under which the limit and the last row's number are bound


def sort_of(layout: Layout, key: int | None, filters: Filters, sort: tuple[tuple[int, bool], ...]) -> Sort:
    """The keys of a sort that change the order; `key` is the position of a primary key of one field.

    Sorting by a field that a filter fixes, or beyond a key, changes nothing. Rows are numbered in the order of their
    key, so a sort by the key is one by their number.
    """
    fixed = {position for position, name, _ in filters if name == "eq"}
    keys: list[tuple[int, bool, bool]] = []
    for position, down in sort:
        if position == key:
            if down:
                keys.append((ROW_NUMBER, True, False))
            break
        if position not in fixed and position not in [known for known, *_ in keys]:
            keys.append((position, down, position != RELEVANCE and layout.columns[position].nulls))
    return tuple(keys)


@dataclass(frozen=True)
class Rows:
    """The rows under the filters of a query, and how they are reached: by which engine; `uses`: by the index of which
    filters (their places) SQLite does, None: as it likes; `pair`: by the rollup of which fields instead.
    """

    layout: Layout
    shape: Shape
    engine: Engine = SQLITE
    uses: Uses = None
    pair: tuple[int, int] | None = None

    def select(self, *what: sa.ColumnElement[Any], of: Iterable[int] = ()) -> sa.Select[Any]:
        """What is selected of the rows; `of` these fields."""
        tables = _ranked(self.layout, self.shape, source(self.layout, [*self.shape.positions, *of]))
        if self.pair is not None:
            tables = sa.table(rollup(self.layout.number, self.pair))
        return sa.select(*what).select_from(tables).where(*conditions(self.layout, self.shape, self.uses))

    def free(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """A column to sort or group by that does not tempt SQLite from the index it is to use."""
        return column if self.uses is None else Unindexed(column)

    @property
    def counted(self) -> sa.ColumnElement[int]:
        """How many they are."""
        return sa.func.coalesce(sa.func.sum(sa.column("rows")), 0) if self.pair else sa.func.count()


@lru_cache(SHAPES)
def count(rows: Rows) -> Statement:
    """How many rows there are."""
    if rows.shape == Shape(search=True):
        return statement(SQLITE, _searched(rows.layout, sa.func.count()))
    return statement(rows.engine, rows.select(rows.counted))


def _ranked(layout: Layout, shape: Shape, tables: sa.FromClause) -> sa.FromClause:
    """Where rows are sorted by relevance, joined with what full text finds: FTS5's rank is the less, the better."""
    if not shape.ranked:
        return tables
    rank, rowid = sa.column("rank", sa.Double), sa.column("rowid", sa.Integer)
    found = _searched(layout, rowid.label("found")).add_columns(rank.label("rank")).subquery("ranked")
    return tables.join(found, found.c.found == number(layout))


def _searched(layout: Layout, what: sa.ColumnElement[Any]) -> sa.Select[Any]:
    """What is selected of the rows that full text alone finds."""
    matches = Matches(sa.literal_column(f"q{layout.number}"), sa.bindparam(FULL_TEXT))
    return sa.select(what).select_from(sa.table(f"q{layout.number}")).where(matches)


def bounded(layout: Layout, shape: Shape, places: frozenset[int], most: int) -> Statement:
    """How many rows some of the filters leave, counted up to `most`, in an index."""
    where = [one for place, one in enumerate(conditions(layout, shape)) if place in places]
    few: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(source(layout, shape.positions)).where(*where)
    counted = few.limit(sa.literal_column(str(most))).subquery()
    return statement(SQLITE, sa.select(sa.func.count()).select_from(counted))


@lru_cache(SHAPES)
def size(rows: Rows, lines: str) -> Statement:
    """How many bytes the lines of the rows have, which DuckDB knows."""
    return statement(rows.engine, rows.select(sa.func.sum(sa.column(f"{lines}_bytes"))))


@lru_cache(SHAPES)
def without(rows: Rows, positions: tuple[int, ...]) -> Statement:
    """How many rows have no value of each of these fields."""
    counts = [sa.func.count() - sa.func.count(measured(rows.layout, position)) for position in positions]
    return statement(rows.engine, rows.select(*counts, of=positions))


@lru_cache(SHAPES)
def page(rows: Rows, limited: bool = True) -> Statement:
    """The numbers of the rows, sorted: as many as the limit says, or all."""
    layout, shape = rows.layout, rows.shape
    found = rows.select(number(layout).label("n")).order_by(*_order(rows, shape.sort, shape.back))
    if shape.after is not None:
        found = found.where(sa.or_(*(sa.and_(*where) for where, _ in _ranges(layout, shape))))
    return statement(rows.engine, found.limit(sa.bindparam(LIMIT)) if limited else found)


@lru_cache(SHAPES)
def walk(layout: Layout, shape: Shape) -> Statement:
    """The numbers of the rows, as an index holds them."""
    limit: sa.BindParameter[int] = sa.bindparam(LIMIT)
    if shape.search:
        rowid: sa.ColumnElement[int] = sa.column("rowid", sa.Integer)
        found = _searched(layout, rowid.label("n")).order_by(rowid.desc() if shape.back else rowid)
        if shape.after is not None:
            last: sa.BindParameter[int] = sa.bindparam(LAST)
            found = found.where(rowid < last if shape.back else rowid > last)
        return statement(SQLITE, found.limit(limit))
    rows = Rows(layout, shape)
    every = rows.select(number(layout).label("n")).limit(limit)
    ranges = [every.where(*where).order_by(*_order(rows, rest, shape.back)) for where, rest in _ranges(layout, shape)]
    if len(ranges) == 1:
        return statement(SQLITE, ranges[0])
    return statement(SQLITE, sa.union_all(*(sa.select(each.subquery().c.n) for each in ranges)).limit(limit))


def _ranges(layout: Layout, shape: Shape) -> list[tuple[Conditions, Sort]]:
    """The ranges of rows that a page is taken from, in order, each with what sorts its rows.

    After a row come those that tie with it in all sort keys, then those that tie in fewer and are beyond it in the
    next; of each range first the rows with a value of that key, then those without one: nulls come last. `back` is the
    same the other way round: before a row without a value come all those that have one.
    """
    sort, after, keys = shape.sort, shape.after, [_key(layout, position) for position, *_ in shape.sort]
    if after is None:
        if not sort or not sort[0][2]:
            return [([], sort)]
        (position, down, _), *rest = sort
        return [([keys[0].is_not(None)], ((position, down, False), *rest)), ([keys[0].is_(None)], tuple(rest))]
    values: list[sa.BindParameter[Any]] = [sa.bindparam(f"k{depth}") for depth in range(len(sort))]
    compared = zip(keys, values, after, strict=True)
    ties = [key.is_(None) if null else key == value for key, value, null in compared]
    ranges: list[tuple[Conditions, Sort]] = []
    if not _numbered(sort):
        last: sa.BindParameter[int] = sa.bindparam(LAST)
        ranges.append(([*ties, number(layout) < last if shape.back else number(layout) > last], ()))
    for depth, (position, down, nulls) in reversed(list(enumerate(sort))):
        key, value, following = keys[depth], values[depth], sort[depth + 1 :]
        if not after[depth]:
            beyond = key < value if down != shape.back else key > value
            ranges.append(([*ties[:depth], beyond], ((position, down, False), *following)))
            if nulls and not shape.back:
                ranges.append(([*ties[:depth], key.is_(None)], following))
        elif shape.back:
            ranges.append(([*ties[:depth], key.is_not(None)], ((position, down, False), *following)))
    return ranges


def _numbered(sort: Sort) -> bool:
    """Whether the last key of a sort is the row's number."""
    return sort[-1:] != () and sort[-1][0] == ROW_NUMBER


def _order(rows: Rows, sort: Sort, back: bool) -> list[sa.ColumnElement[Any]]:
    """What rows are ordered by: the sort keys, then their number; `back` reverses it."""
    order: list[sa.ColumnElement[Any]] = []
    for position, down, nulls in sort if _numbered(sort) else (*sort, (ROW_NUMBER, False, False)):
        key = rows.free(_key(rows.layout, position))
        key = key.desc() if down != back else key.asc()
        order.append((key.nulls_first() if back else key.nulls_last()) if nulls else key)
    return order


@lru_cache(SHAPES)
def led_to(layout: Layout, far: Far) -> Statement:
    """The numbers of rows (bound as `numbers`), each with that of the row that a foreign key leads to, if any."""
    table, key = far_table(far, number(far.layout).label("number"))
    here = source(layout, [at for at, _ in far.keys]).join(table, key(layout))
    found = sa.select(number(layout), table.c.number).select_from(here)
    return statement(SQLITE, found.where(OneOf(number(layout), sa.bindparam("numbers"))))


def _key(layout: Layout, position: int) -> sa.ColumnElement[Any]:
    if position == RELEVANCE:
        return sa.literal_column("ranked.rank", sa.Double)
    return number(layout) if position == ROW_NUMBER else column(position)


@lru_cache(SHAPES)
def keys(layout: Layout, shape: Shape) -> Statement:
    """A row's number (bound as the last row's) and its values of the sort keys."""
    names = [number(layout), *(_key(layout, position) for position, *_ in shape.sort)]
    found = sa.select(*names).select_from(_ranked(layout, shape, source(layout, shape.positions)))
    return statement(SQLITE, found.where(number(layout) == sa.bindparam(LAST)))


@lru_cache(SHAPES)
def by_value(layout: Layout, positions: tuple[int, ...]) -> Statement:
    """The number of the row with these values (bound as k0, k1, …) of fields; without any, with that number."""
    where = [column(position) == sa.bindparam(f"k{i}") for i, position in enumerate(positions)]
    where = where or [number(layout) == sa.bindparam("k0")]
    return statement(SQLITE, sa.select(number(layout)).select_from(source(layout, positions)).where(*where).limit(1))
