"""The rows that a query selects: which, in what order, how many, of how many bytes. It knows of no request."""

import hashlib
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

from api.index import database, intact, orders
from api.index.database import Layout, Statement
from api.index.layout import ROW_NUMBER
from api.index.layout import rollup as rollup_name
from api.model import types
from api.model.descriptor import Table
from api.query import parse, sql
from api.query.parse import Query
from api.query.sql import Shape
from api.store.releases import Release

SEAL = 9  # bytes
# Parameters that may differ from one page to the next.
FREE = frozenset({"cursor", "limit", "fields", "expand", "version", "as_of"})
FIRST_BATCH, NEXT_BATCH = 1_000, 20_000  # rows
FEW = 50  # groups of so many rows each, on average, are merged sooner than their rows are selected one by one


@dataclass(frozen=True, eq=False)
class Plan:
    """What follows from the form of a query, whatever its values.

    `where` is the shape of the filters alone, `conditions` their SQL. `rollup` names the table that covers them all,
    if one does, and `pair` says of which pair of fields it is. `count` is the statement for `_count`, `keys` that for
    the sort keys of a row. `slice`: which pair, which sort, and whether descending, if an order holds the rows.
    """

    shape: Shape
    where: Shape
    conditions: Statement
    rollup: str | None
    pair: int | None
    count: Statement
    keys: str
    slice: tuple[int, int, bool] | None


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
    """What a query selects; no statement may take longer than so many `seconds` (0: no limit)."""
    layout = database.layouts(release.index)[table.name]
    filters = tuple([(place, one.name, value if one.literal else None) for place, one, value in query.filters])
    plan = _plan(table, layout, filters, query.sort, query.q is not None)
    return Selection(release, table, layout, query, plan, _bound(table, layout, query), seconds)


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
    where = sql.shape_of(table, layout, filters, (), search)
    shape = sql.shape_of(table, layout, filters, sort, search)
    conditions = sql.conditions(where)
    pair = sql.rollup_pair(where, layout.pairs)
    rollup = rollup_name(layout.number, pair) if pair else None
    counts = f"coalesce(sum(rows), 0), coalesce(min(begins), 0) FROM {rollup}"
    if rollup is None:
        counts = f"count(*), 0 FROM t{layout.number}"
    return Plan(
        shape=shape,
        where=where,
        conditions=conditions,
        rollup=rollup,
        pair=layout.pairs.index(pair) if pair else None,
        count=replace(conditions, sql=f"SELECT {counts}{conditions.sql}"),
        keys=sql.keys(shape),
        slice=_slice(shape, layout),
    )


def _slice(shape: Shape, layout: Layout) -> tuple[int, int, bool] | None:
    fixed = tuple(sorted(position for position, name, _ in shape.filters if name == "eq"))
    position, down, _ = shape.sort[0] if shape.sort else (ROW_NUMBER, False, False)
    if len(shape.filters) != 2 or shape.search or len(shape.sort) > 1:
        return None
    if fixed not in layout.pairs or position not in layout.orders:
        return None
    return layout.pairs.index(fixed), layout.orders.index(position), down


def numbers(selection: Selection, most: int, last: int = 0) -> Sequence[int]:
    """The numbers of the first `most` rows (-1: all), in the order of the query.

    They begin after the row that its cursor names, or else after the row `last` (0: from the start).
    """
    release, table, layout, query, plan, *_ = selection
    if query.cursor is not None:
        last = int.from_bytes(place_of(query, release.tag, table.name), "big")
    if not query.filters and not query.sort and query.q is None:
        return range(last + 1, (min(last + most, layout.rows) if most >= 0 else layout.rows) + 1)
    if plan.slice is not None:
        rows, begins = _count(selection)
        place, index = plan.slice, release.index

        def page(state: intact.State) -> Sequence[int]:
            return orders.page(orders.open_orders(index, table, layout, state), place, begins, rows, last, most)

        return intact.asked(index, page)
    bound = {**selection.bound, sql.LIMIT: most}
    sort, nulls = plan.shape.sort, None
    if last:
        after = database.row(release.index, plan.keys, (last,), selection.seconds) if sort else ()
        if after is None:
            raise parse.wrong("cursor", "does not belong to this query")
        bound |= {sql.LAST: last, **{f"k{place}": value for place, value in enumerate(after)}}
        nulls = tuple([value is None for value in after])
    walk = bool(most > 0 and sort and plan.rollup and sql.walks(layout.rows, _count(selection)[0], most))
    statement = _numbers(plan, nulls, walk)
    return database.numbers(release.index, statement.sql, statement.bind(bound), selection.seconds)


@lru_cache(maxsize=128)
def _numbers(plan: Plan, after: tuple[bool, ...] | None, walk: bool) -> Statement:
    return sql.numbers(replace(plan.shape, after=after, walk=walk))


def batches(selection: Selection) -> Iterator[Sequence[int]]:
    """The numbers of all rows, in the order of the query, piece by piece.

    Rows in the order of their key that a rollup counts are merged out of its groups, where those are not many.
    """
    release, table, layout, _, plan, *_ = selection
    if plan.pair is not None and not plan.shape.sort:
        groups = json.loads(_of_rollup(selection, "json_group_array(json_array(begins, rows))"))
        if len(groups) * FEW < sum(rows for _, rows in groups):
            state = intact.check(release.index)
            for piece in orders.merged(orders.open_orders(release.index, table, layout, state), plan.pair, groups):
                intact.unchanged(release.index, state)
                yield piece
            return
    most, last = FIRST_BATCH, 0
    while found := numbers(selection, most, last):
        yield found
        most, last = NEXT_BATCH, found[-1]


def total(selection: Selection) -> int:
    """How many rows the filters select; counted once for each set of filters."""
    if not selection.query.filters and selection.query.q is None:
        return selection.layout.rows
    return _count(selection)[0]


def _count(selection: Selection) -> tuple[int, int]:
    """How many rows the filters select and, where a pair of fields is fixed, where they begin in its orders."""
    statement = selection.plan.count
    return _counted(selection.release, statement, tuple(statement.bind(selection.bound)), selection.seconds)


@lru_cache(maxsize=1_000)
def _counted(release: Release, statement: Statement, bound: Sequence[Any], seconds: float) -> tuple[int, int]:
    rows, begins = database.row(release.index, statement.sql, bound, seconds) or (0, 0)
    return rows, begins


def size(selection: Selection, kind: str) -> int | None:
    """How many bytes the rows under the filters have in the file of a format; None where no rollup counts them."""
    if selection.plan.rollup is None:
        return None
    return int(_of_rollup(selection, f"coalesce(sum({kind}_bytes), 0)"))


def _of_rollup(selection: Selection, value: str) -> Any:
    """A value (SQL) of all groups of the plan's rollup that the filters select."""
    where = selection.plan.conditions
    statement = f"SELECT {value} FROM {selection.plan.rollup}{where.sql}"
    row = database.row(selection.release.index, statement, where.bind(selection.bound), selection.seconds)
    return row[0] if row else None


def in_pieces(selection: Selection) -> bool:
    """Whether the rows can be selected piece by piece without sorting them again for each."""
    shape = selection.plan.shape
    return not shape.search and (not shape.sort or selection.plan.slice is not None)


# Cursors: where the next page begins, sealed with the query, so that no other query can use it.


def _seal(body: bytes, query: Query, *scope: str) -> bytes:
    """What a cursor is bound to: the release, the resource, and all of the query but how much of it."""
    rest = [entry for entry in query.canonical if entry[0] not in FREE]
    text = "\0".join((*scope, parse.written(rest), "")).encode()
    return hashlib.blake2b(text + body, digest_size=SEAL).digest()


def cursor_of(body: bytes, query: Query, *scope: str) -> str:
    """A cursor that holds `body`, for this query in this scope (release tag, resource)."""
    return urlsafe_b64encode(body + _seal(body, query, *scope)).rstrip(b"=").decode()


def place_of(query: Query, *scope: str) -> bytes:
    """What a cursor holds. Raises QueryError for one that was altered or belongs to another query."""
    assert query.cursor is not None
    try:
        text = query.cursor.encode("ascii")
        raw = urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    except ValueError:
        raw = b""
    body = raw[:-SEAL]
    if not body or query.cursor != cursor_of(body, query, *scope):
        raise parse.wrong("cursor", "was altered, or belongs to another query or release: take it from links.next")
    return body
