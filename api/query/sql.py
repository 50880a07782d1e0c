"""A query → SQL. Pure: no connection, no request.

SQLAlchemy Core writes a statement once for each shape of query (which fields, operators and sorts, not which values);
its text is kept and run with bound parameters.

A page is found in one of two ways. Where an index holds the rows in the order of the query it is walked (`walk`), in
one or more ranges (`_ranges`), so that it costs the same at any depth. Else the rows under the filters are sorted
(`page`).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from api.index.layout import RELEVANCE, ROW_NUMBER, Layout, part, rollup
from api.query.engines import SHAPES, SQLITE, Engine, Found, Matches, OneOf, Statement, Unindexed, statement
from api.query.fields import OPERATORS, Operand

FULL_TEXT = "q"  # the names under which the words to search for, the limit and the last row's number are bound
LIMIT = "rows"
LAST = "last"
Filters = tuple[tuple[int, str, Any], ...]
Others = tuple[tuple[tuple["Other", ...], ...], ...]
Sort = tuple[tuple[int, bool, bool], ...]
Uses = frozenset[int] | None
Conditions = list[sa.ColumnElement[bool]]


@dataclass(frozen=True)
class Far:
    """The table that a foreign key leads to, and the positions of the key's fields: here, and there."""

    layout: Layout
    keys: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Other:
    """A condition that no index takes: as in `Shape.filters`, of a field of this table or of one that a key leads to;
    and the name under which its value is bound.
    """

    position: int
    operator: str
    literal: Any
    far: Far | None
    bound: str

    @property
    def positions(self) -> list[int]:
        """The fields of this table that it needs."""
        return [here for here, _ in self.far.keys] if self.far else [self.position]


@dataclass(frozen=True)
class Shape:
    """All of a query that changes the SQL, and none of its values.

    `filters`: position, operator and, where it is part of the statement, value of each; `others`: of each one
    alternative must hold, with all its conditions; `sort`: position, whether descending, whether it has nulls, of each
    key; `after`: for a page that begins behind a row, whether that row's value of each sort key is null; `back`: the
    page ends before that row instead, in the reverse order.
    """

    filters: Filters = ()
    others: Others = ()
    search: bool = False
    sort: Sort = ()
    after: tuple[bool, ...] | None = None
    back: bool = False

    @property
    def ranked(self) -> bool:
        """Whether rows are sorted by how well full text fits them."""
        return any(position == RELEVANCE for position, *_ in self.sort)

    @property
    def positions(self) -> list[int]:
        """The fields that are filtered and sorted by."""
        others = [one for group in self.others for alternative in group for one in alternative]
        return [position for position, *_ in (*self.filters, *self.sort)] + [p for one in others for p in one.positions]


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


def conditions(layout: Layout, shape: Shape, uses: Uses = None) -> Conditions:
    """The filters; comparing leaves nulls out by itself. `uses`: the places of those that SQLite takes from an index;
    None: as it likes.
    """
    made = []
    for place, (position, name, literal) in enumerate(shape.filters):
        compared = column(position)
        if uses is not None and place not in uses:
            compared = Unindexed(compared)
        operator, operand = OPERATORS[name], Operand(compared, _folded(layout, position, compared))
        made.append(operator.sql(operand, literal if operator.literal else sa.bindparam(f"v{place}")))
    if shape.search and not shape.ranked:
        made.append(Found(number(layout), sa.literal_column(f"q{layout.number}"), sa.bindparam(FULL_TEXT)))
    for group in shape.others:
        made.append(sa.or_(*(sa.and_(*(_other(layout, one, uses) for one in each)) for each in group)))
    return made


def _folded(layout: Layout, position: int, compared: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """The text of a field with case folded; `compared` is its column."""
    return sa.func.coalesce(sa.column(f"f{position}"), compared) if layout.columns[position].folded else compared


def _other(layout: Layout, one: Other, uses: Uses) -> sa.ColumnElement[bool]:
    """A condition on a field of the table, or on one of the row that a foreign key leads to: where there is no such row
    the field is null.
    """
    operator = OPERATORS[one.operator]
    value = one.literal if operator.literal else sa.bindparam(one.bound)
    if one.far is None:
        compared = column(one.position) if uses is None else Unindexed(column(one.position))
        return operator.sql(Operand(compared, _folded(layout, one.position, compared)), value)
    held = column(one.position)
    folded = _folded(one.far.layout, one.position, held)
    far, key = far_table(one.far, held.label("held"), folded.label("folded"), of=[one.position])
    null = operator.name == "isnull" and one.literal
    holds = far.c.held.is_not(None) if null else operator.sql(Operand(far.c.held, far.c.folded), value)
    found = sa.exists(sa.select(sa.literal_column("1")).select_from(far).where(key(layout), holds))
    return ~found if null else found


def far_table(
    far: Far, *what: sa.ColumnElement[Any], of: Iterable[int] = ()
) -> tuple[sa.Subquery, Callable[[Layout], sa.ColumnElement[bool]]]:
    """What is selected of the table that a foreign key leads to (`of` these fields), and the condition under which its
    row is the one that a row of a layout leads to.
    """
    named = [column(key).label(f"k{place}") for place, (_, key) in enumerate(far.keys)]
    found = sa.select(*named, *what).select_from(source(far.layout, [*of, *(key for _, key in far.keys)]))
    table = found.subquery("far")

    def key(layout: Layout) -> sa.ColumnElement[bool]:
        # Named with its table: both have columns of the same names.
        here: list[sa.ColumnElement[Any]] = [
            sa.literal_column(f"{part(layout.number, at)}.c{at}") for at, _ in far.keys
        ]
        return sa.and_(*(table.c[f"k{place}"] == column for place, column in enumerate(here)))

    return table, key


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
    counts = [sa.func.count() - sa.func.count(column(position)) for position in positions]
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
