"""The rows that a query selects: which, in what order, how many, of how many bytes. It knows of no request."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

from api.index import database, orders
from api.index.database import Layout, Statement
from api.index.layout import ROW_NUMBER
from api.model import types
from api.model.descriptor import Table
from api.query import cursor, parse, sql
from api.query.parse import Filter, Query
from api.query.sql import Shape
from api.store.releases import Release

FIRST_BATCH, NEXT_BATCH = 1_000, 20_000  # rows
FEW = 50  # groups that have so many rows each, on average, are sooner merged than their rows found one by one


@dataclass(frozen=True, eq=False)
class Plan:
    """What follows from the form of a query, whatever its values.

    `where` has the filters alone; `kept` names the rollup that knows of them all, if one does, and `pair` says of which
    pair of fields it is; `sliced` says how the rows stand in the orders, if they do.
    """

    shape: Shape
    where: Shape
    conditions: Statement
    kept: str | None
    pair: int | None
    count: Statement
    keys: str
    sliced: tuple[int, int, bool] | None


class Selection(NamedTuple):
    """A query of a table, ready to be run: its plan, and the values that are bound, by name."""

    release: Release
    table: Table
    layout: Layout
    query: Query
    plan: Plan
    bound: Mapping[str, Any]
    seconds: float


def select(release: Release, table: Table, query: Query, seconds: float) -> Selection:
    """What a query selects; no query may take longer than so many `seconds` (0: no limit)."""
    layout = database.layouts(release.folder)[table.name]
    filters = tuple([(one.position, one.operator.name, _literal(one)) for one in query.filters])
    plan = _plan(table, layout, filters, query.sort, query.q is not None)
    return Selection(release, table, layout, query, plan, _bound(table, layout, query), seconds)


def _literal(one: Filter) -> Any:
    return one.value if one.operator.literal else None


def _bound(table: Table, layout: Layout, query: Query) -> dict[str, Any]:
    """The values that a query binds, by name."""
    bound: dict[str, Any] = {sql.LIMIT: query.limit + 1}
    for place, (position, operator, value) in enumerate(query.filters):
        if not operator.literal:
            kind = types.kind(table.fields[position])
            bound[f"v{place}"] = operator.bind(value, kind, layout.columns[position]["exact"], operator.name)
    if query.q is not None:
        bound[sql.FULL_TEXT] = match(query.q)
    return bound


def match(text: str) -> str:
    """Full text as FTS5 reads it: every word must occur, "quoted words" as a phrase, a star ends a beginning.

    Each word is quoted, so no word is an operator of FTS5.
    """
    parts: list[str] = []
    for place, piece in enumerate(text.split('"')):
        if place % 2:
            parts.append(f'"{piece}"')
            continue
        for word in piece.split():
            bare = word.rstrip("*")
            parts.append(f'"{bare}"' + ("*" if bare and bare != word else ""))
    return " ".join(part for part in parts if any(c.isalnum() for c in part)) or '""'


@lru_cache(maxsize=128)
def _plan(table: Table, layout: Layout, filters: sql.Filters, sort: tuple[tuple[int, bool], ...], search: bool) -> Plan:
    where = sql.shape(table, layout, filters, (), search)
    shape = sql.shape(table, layout, filters, sort, search)
    pair = sql.pair(where, layout.pairs)
    kept = sql.rollup(where, layout.pairs)
    return Plan(
        shape=shape,
        where=where,
        conditions=sql.conditions_sql(where),
        kept=kept,
        pair=layout.pairs.index(pair) if pair else None,
        count=sql.count(where, kept),
        keys=sql.keys(shape),
        sliced=_slices(shape, layout),
    )


def _slices(shape: Shape, layout: Layout) -> tuple[int, int, bool] | None:
    """Which pair, which sort and whether descending a query is; None for one that no order answers."""
    if len(shape.filters) != 2 or shape.search or len(shape.sort) > 1:
        return None
    if any(name != "eq" for _, name, _ in shape.filters):
        return None
    fixed = tuple(sorted(position for position, _, _ in shape.filters))
    position, down, _ = shape.sort[0] if shape.sort else (ROW_NUMBER, False, False)
    if fixed not in layout.pairs or position not in layout.orders:
        return None
    return layout.pairs.index(fixed), layout.orders.index(position), down


def numbers(selection: Selection, most: int, last: int = 0) -> Sequence[int]:
    """The numbers of the first `most` rows (-1: all), in the order of the query.

    They begin after the row that its cursor names, or else after the row `last` (0: from the start).
    """
    release, table, layout, query, plan, *_ = selection
    if query.cursor is not None:
        last = int.from_bytes(cursor.read(query, release.tag, table.name), "big")
    if not query.filters and not query.sort and query.q is None:
        return range(last + 1, (min(last + most, layout.rows) if most >= 0 else layout.rows) + 1)
    if plan.sliced is not None:
        there, begins = _count(selection)
        return orders.page(orders.open_orders(release.folder, table, layout), plan.sliced, begins, there, last, most)
    bound = {**selection.bound, "rows": most}
    sort, nulls = plan.shape.sort, None
    if last:
        after = database.row(release.folder, plan.keys, (last,), selection.seconds) if sort else ()
        if after is None:
            raise parse.wrong("cursor", "does not belong to this query")
        bound["last"] = last
        for place, value in enumerate(after):
            bound[f"k{place}"] = value
        nulls = tuple([value is None for value in after])
    walk = bool(most > 0 and sort and plan.kept and sql.walks(layout.rows, _count(selection)[0], most))
    statement = _numbers(plan, nulls, walk)
    return database.numbers(release.folder, statement.sql, statement.bind(bound), selection.seconds)


@lru_cache(maxsize=128)
def _numbers(plan: Plan, after: tuple[bool, ...] | None, walk: bool) -> Statement:
    return sql.numbers(replace(plan.shape, after=after, walk=walk))


def batches(selection: Selection) -> Iterator[Sequence[int]]:
    """The numbers of all rows, in the order of the query, piece by piece.

    Rows in the order of their key that a rollup knows of are merged out of its groups, where those are not many.
    """
    plan, release = selection.plan, selection.release
    if plan.pair is not None and not plan.shape.sort:
        where = plan.conditions
        statement = f"SELECT json_group_array(json_array(begins, rows)) FROM {plan.kept}{where.sql}"
        found = database.row(release.folder, statement, where.bind(selection.bound), selection.seconds)
        groups = json.loads(found[0]) if found else []
        if len(groups) * FEW < sum(rows for _, rows in groups):
            there = orders.open_orders(release.folder, selection.table, selection.layout)
            yield from orders.merged(there, plan.pair, groups)
            return
    most, last = FIRST_BATCH, 0
    while piece := numbers(selection, most, last):
        yield piece
        most, last = NEXT_BATCH, piece[-1]


def total(selection: Selection) -> int:
    """How many rows the filters leave; counted once for each set of filters."""
    if not selection.query.filters and selection.query.q is None:
        return selection.layout.rows
    return _count(selection)[0]


def _count(selection: Selection) -> tuple[int, int]:
    """How many rows the filters leave and, where a pair of fields is fixed, where they begin in its orders."""
    statement = selection.plan.count
    return _counted(selection.release, statement, tuple(statement.bind(selection.bound)), selection.seconds)


@lru_cache(maxsize=1_000)
def _counted(release: Release, statement: Statement, bound: Sequence[Any], seconds: float) -> tuple[int, int]:
    found = database.row(release.folder, statement.sql, bound, seconds)
    return (int(found[0]), int(found[1] or 0)) if found else (0, 0)


def size(selection: Selection, kind: str) -> int | None:
    """How many bytes the rows under the filters have in the file of a format; None where no rollup knows."""
    kept, where = selection.plan.kept, selection.plan.conditions
    if kept is None:
        return None
    statement = f"SELECT coalesce(sum({kind}_bytes), 0) FROM {kept}{where.sql}"
    found = database.row(selection.release.folder, statement, where.bind(selection.bound), selection.seconds)
    return int(found[0]) if found else None


def in_pieces(selection: Selection) -> bool:
    """Whether the rows can be found piece by piece without sorting them again for each."""
    shape = selection.plan.shape
    return not shape.search and (not shape.sort or selection.plan.sliced is not None)
