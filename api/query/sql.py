"""A query → SQL. Pure: no connection, no request.

SQLAlchemy Core writes a statement once for each shape of query (which fields, operators and sorts, not which values);
its text is kept and run with bound parameters.

A page is found in one of two ways. Where an index holds the rows in the order of the query it is walked (`walk`), in
one or more ranges: the rows that tie with the last one seen and come after it, then the rows beyond it, then the nulls;
so it costs the same at any depth. Else the rows under the filters are sorted (`page`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from api.index.layout import ROW_NUMBER, Layout, part, rollup
from api.query.engines import DUCKDB, SQLITE, Engine, Found, Matches, Statement, Unindexed, statement
from api.query.fields import OPERATORS, Operand

FULL_TEXT = "q"  # the names under which the words to search for, the limit and the last row's number are bound
LIMIT = "rows"
LAST = "last"
Filters = tuple[tuple[int, str, Any], ...]
Sort = tuple[tuple[int, bool, bool], ...]
Uses = frozenset[int] | None


@dataclass(frozen=True)
class Shape:
    """All of a query that changes the SQL, and none of its values.

    `filters`: position, operator and, where it is part of the statement, value of each; `sort`: position, whether
    descending, whether it has nulls, of each key; `after`: for a later page, whether the last row's value of each sort
    key is null.
    """

    filters: Filters = ()
    search: bool = False
    sort: Sort = ()
    after: tuple[bool, ...] | None = None

    @property
    def positions(self) -> list[int]:
        """The fields that are filtered and sorted by."""
        return [position for position, *_ in (*self.filters, *self.sort)]


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
            keys.append((position, down, layout.columns[position].nulls))
    return tuple(keys)


def source(layout: Layout, positions: Iterable[int]) -> sa.FromClause:
    """The tables that hold these fields, joined."""
    first = f"t{layout.number}"
    joined: sa.FromClause = sa.table(first)
    for name in sorted({part(layout.number, position) for position in positions} - {first}):
        more = sa.table(name, sa.column("n"))
        joined = joined.join(more, more.c.n == number(layout))
    return joined


def number(layout: Layout) -> sa.ColumnElement[int]:
    """The number of a row."""
    return sa.literal_column(f"t{layout.number}.n", sa.Integer)


def column(position: int) -> sa.ColumnElement[Any]:
    """The compared value of a field."""
    return sa.column(f"c{position}")


def free(column: sa.ColumnElement[Any], uses: Uses) -> sa.ColumnElement[Any]:
    """A column to sort or group by that does not tempt SQLite from the index it is to use."""
    return column if uses is None else Unindexed(column)


def conditions(layout: Layout, shape: Shape, uses: Uses = None) -> list[sa.ColumnElement[bool]]:
    """The filters; comparing leaves nulls out by itself. `uses`: the places of those that SQLite takes from an index;
    None: as it likes.
    """
    made = []
    for place, (position, name, literal) in enumerate(shape.filters):
        compared = column(position) if uses is None or place in uses else Unindexed(column(position))
        folded: Any = sa.func.coalesce(sa.column(f"f{position}"), compared) if OPERATORS[name].folded else None
        operator = OPERATORS[name]
        value: Any = literal if operator.literal else sa.bindparam(f"v{place}")
        made.append(operator.sql(Operand(compared, folded), value))
    if shape.search:
        made.append(Found(number(layout), sa.literal_column(f"q{layout.number}"), sa.bindparam(FULL_TEXT)))
    return made


@lru_cache(maxsize=256)
def count(layout: Layout, shape: Shape, engine: Engine, uses: Uses = None) -> Statement:
    """How many rows the filters leave."""
    if shape == Shape(search=True):
        words = sa.table(f"q{layout.number}")
        found = sa.select(sa.func.count()).select_from(words).where(_matches(layout))
        return statement(engine, found)
    found = sa.select(sa.func.count()).select_from(source(layout, shape.positions))
    return statement(engine, found.where(*conditions(layout, shape, uses)))


def _matches(layout: Layout) -> Matches:
    return Matches(sa.literal_column(f"q{layout.number}"), sa.bindparam(FULL_TEXT))


def bounded(layout: Layout, shape: Shape, places: frozenset[int], most: int) -> Statement:
    """How many rows some of the filters leave, counted up to `most`, in an index."""
    where = [one for place, one in enumerate(conditions(layout, shape)) if place in places]
    few: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(source(layout, shape.positions)).where(*where)
    counted = few.limit(sa.literal_column(str(most))).subquery()
    return statement(SQLITE, sa.select(sa.func.count()).select_from(counted))


@lru_cache(maxsize=256)
def size(layout: Layout, shape: Shape, lines: str) -> Statement:
    """How many bytes the lines of the rows under the filters have."""
    found: sa.Select[Any] = sa.select(sa.func.sum(sa.column(f"{lines}_bytes"))).select_from(
        source(layout, shape.positions)
    )
    return statement(DUCKDB, found.where(*conditions(layout, shape)))


@lru_cache(maxsize=256)
def without(layout: Layout, shape: Shape, positions: tuple[int, ...], engine: Engine, uses: Uses = None) -> Statement:
    """How many rows under the filters have no value of each of these fields."""
    counts = [sa.func.count() - sa.func.count(column(position)) for position in positions]
    found = sa.select(*counts).select_from(source(layout, [*shape.positions, *positions]))
    return statement(engine, found.where(*conditions(layout, shape, uses)))


@lru_cache(maxsize=256)
def rolled_count(layout: Layout, shape: Shape, pair: tuple[int, int]) -> Statement:
    """How many rows the filters leave, by a rollup."""
    rolled = sa.table(rollup(layout.number, pair))
    counted: sa.ColumnElement[int] = sa.func.coalesce(sa.func.sum(sa.column("rows")), 0)
    return statement(SQLITE, sa.select(counted).select_from(rolled).where(*conditions(layout, shape)))


@lru_cache(maxsize=256)
def page(layout: Layout, shape: Shape, engine: Engine, uses: Uses = None, limited: bool = True) -> Statement:
    """The numbers of the rows, sorted: as many as the limit says, or all."""
    where = conditions(layout, shape, uses)
    if shape.after is not None:
        where.append(_beyond(layout, shape))
    order = _order(layout, shape.sort, uses)
    selected = sa.select(number(layout).label("n")).select_from(source(layout, shape.positions)).where(*where)
    selected = selected.order_by(*order)
    return statement(engine, selected.limit(sa.bindparam(LIMIT)) if limited else selected)


def _order(layout: Layout, sort: Sort, uses: Uses = None) -> list[sa.ColumnElement[Any]]:
    """What rows are ordered by: the sort keys, then their number."""
    order: list[sa.ColumnElement[Any]] = []
    numbered = sort if sort and sort[-1][0] == ROW_NUMBER else (*sort, (ROW_NUMBER, False, False))
    for position, down, nulls in numbered:
        key = free(_key(layout, position), uses)
        key = key.desc() if down else key.asc()
        order.append(key.nulls_last() if nulls else key)
    return order


def _key(layout: Layout, position: int) -> sa.ColumnElement[Any]:
    return number(layout) if position == ROW_NUMBER else column(position)


def _beyond(layout: Layout, shape: Shape) -> sa.ColumnElement[bool]:
    """The rows after the last one of the page before: they tie with it in some sort keys and follow in the next."""
    assert shape.after is not None
    ties, some = _ties(layout, shape), []
    for depth, ((position, down, nulls), null) in enumerate(zip(shape.sort, shape.after, strict=True)):
        if not null:
            key, value = _key(layout, position), _value(depth)
            after = key < value if down else key > value
            some.append(sa.and_(*ties[:depth], sa.or_(after, key.is_(None)) if nulls else after))
    if not shape.sort or shape.sort[-1][0] != ROW_NUMBER:
        some.append(sa.and_(*ties, number(layout) > sa.bindparam(LAST)))
    return sa.or_(*some)


def _value(depth: int) -> sa.BindParameter[Any]:
    """The last row's value of a sort key."""
    return sa.bindparam(f"k{depth}")


def _ties(layout: Layout, shape: Shape) -> list[sa.ColumnElement[bool]]:
    """That a row has the values of the last one, for each sort key."""
    assert shape.after is not None
    keys = [_key(layout, position) for position, *_ in shape.sort]
    ties = enumerate(zip(keys, shape.after, strict=True))
    return [key.is_(None) if null else key == _value(depth) for depth, (key, null) in ties]


@lru_cache(maxsize=256)
def walk(layout: Layout, shape: Shape) -> Statement:
    """The numbers of the rows, as an index holds them."""
    limit: sa.BindParameter[int] = sa.bindparam(LIMIT)
    if shape.search:
        words = sa.table(f"q{layout.number}")
        where: list[sa.ColumnElement[bool]] = [_matches(layout)]
        rowid: sa.ColumnElement[int] = sa.column("rowid", sa.Integer)
        if shape.after is not None:
            where.append(rowid > sa.bindparam(LAST))
        return statement(
            SQLITE, sa.select(rowid.label("n")).select_from(words).where(*where).order_by(rowid).limit(limit)
        )
    ranges = [each.limit(limit) for each in _ranges(layout, shape)]
    if len(ranges) == 1:
        return statement(SQLITE, ranges[0])
    return statement(SQLITE, sa.union_all(*(sa.select(each.subquery().c.n) for each in ranges)).limit(limit))


def _ranges(layout: Layout, shape: Shape) -> list[sa.Select[Any]]:
    """The page's ranges in order; after a row, those that tie with it in the most sort keys come first."""
    sort, after, where = shape.sort, shape.after, conditions(layout, shape)
    if after is None:
        return _keyed(layout, where, shape, sort, [])
    ties = _ties(layout, shape)
    ranges: list[sa.Select[Any]] = []
    if not sort or sort[-1][0] != ROW_NUMBER:
        ranges.append(_range(layout, [*where, *ties, number(layout) > sa.bindparam(LAST)], shape, ()))
    for depth in reversed(range(len(sort))):
        if not after[depth]:
            key, value, down = _key(layout, sort[depth][0]), _value(depth), sort[depth][1]
            beyond = [key < value if down else key > value]
            ranges += _keyed(layout, [*where, *ties[:depth]], shape, sort[depth:], beyond)
    return ranges


def _keyed(
    layout: Layout,
    where: list[sa.ColumnElement[bool]],
    shape: Shape,
    sort: Sort,
    beyond: list[sa.ColumnElement[bool]],
) -> list[sa.Select[Any]]:
    """The rows with a value of the first sort key (with `beyond`, only those after the last row's), then those without
    one: nulls come last.
    """
    if not sort:
        return [_range(layout, where, shape, ())]
    (position, down, nulls), rest = sort[0], sort[1:]
    valued = beyond or ([column(position).is_not(None)] if nulls else [])
    ranges = [_range(layout, [*where, *valued], shape, ((position, down, False), *rest))]
    return [*ranges, _range(layout, [*where, column(position).is_(None)], shape, rest)] if nulls else ranges


def _range(layout: Layout, where: list[sa.ColumnElement[bool]], shape: Shape, sort: Sort) -> sa.Select[Any]:
    found = sa.select(number(layout).label("n")).select_from(source(layout, shape.positions))
    return found.where(*where).order_by(*_order(layout, sort))


@lru_cache(maxsize=256)
def keys(layout: Layout, shape: Shape) -> Statement:
    """A row's number (bound as the last row's) and its values of the sort keys."""
    names = [number(layout), *(_key(layout, position) for position, *_ in shape.sort)]
    selected = (
        sa.select(*names).select_from(source(layout, shape.positions)).where(number(layout) == sa.bindparam(LAST))
    )
    return statement(SQLITE, selected)


@lru_cache(maxsize=256)
def by_value(layout: Layout, positions: tuple[int, ...]) -> Statement:
    """The number of the row with these values (bound as k0, k1, …) of fields; without any, with that number."""
    where = [column(position) == sa.bindparam(f"k{i}") for i, position in enumerate(positions)]
    where = where or [number(layout) == sa.bindparam("k0")]
    return statement(SQLITE, sa.select(number(layout)).select_from(source(layout, positions)).where(*where).limit(1))
