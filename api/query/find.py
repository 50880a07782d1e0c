"""The rows that a query selects: which, in what order, how many. It knows of no request.

Which engine answers: SQLite where an index or a rollup gives the answer, where some filter's index holds at most FEW
rows, by a bounded count, or the table has no more; else DuckDB, which scans. (What was measured: bench/RESULTS.md.)
"""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

from api.index import duckdb, sqlite
from api.index.layout import FEW, ROW_SEPARATOR, Layout
from api.model import types
from api.model.descriptor import Table
from api.query import indexes, parse, sql
from api.query.conditions import FULL_TEXT, Far, Filters, Other, Others, Shape
from api.query.engines import DUCKDB, SHAPES, SQLITE, Engine, Statement
from api.query.parse import Alternatives, Query
from api.query.sql import Rows
from api.store.releases import Release

SEAL = 9  # bytes
# Parameters that may differ from one page to the next.
FREE = frozenset({"cursor", "limit", "fields", "expand", "version", "as_of", "shape", "excel"})
FIRST_BATCH, NEXT_BATCH = 1_000, 20_000  # rows
BATCH_CELLS = 200_000  # of the rows that are found at once for a file: some tens of milliseconds of work
KEPT_TEXT = 500  # characters of values under which a count is kept: what clients write must not stay in memory
BACK = b"<"  # how the place in a cursor begins where the page ends before it; without that it begins behind it


class Plan(NamedTuple):
    """What follows from the form of a query, whatever its values.

    `where` is the shape of the filters alone; `walked`: an index holds the rows in their order; `rolled`: the statement
    that counts them by a rollup, if one does; `ranked`: they are sorted by relevance.
    """

    shape: Shape
    where: Shape
    walked: bool
    rolled: Statement | None
    ranked: bool


class Selection(NamedTuple):
    """A query of a table, ready to be run: its plan, and the values that are bound, by name."""

    release: Release
    table: Table
    layout: Layout
    query: Query
    plan: Plan
    bound: Mapping[str, Any]

    def rows(self, statement: Statement) -> list[tuple[Any, ...]]:
        """What a statement gives for these values. Raises TooSlow where that is not done in time, and NoIndex."""
        return run(self.release, statement, _given(self.release, self.layout, statement, self.bound))


class Question(NamedTuple):
    """A statement for the numbers of rows, with what is bound to it."""

    engine: Engine
    sql: str
    values: list[Any]


def run(release: Release, statement: Statement, bound: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """What a statement gives for values by name."""
    return statement.engine.rows(release.index, statement.sql, _values(statement, bound))


def pieces(selection: Selection, statement: Statement) -> Iterator[list[tuple[Any, ...]]]:
    """What a statement of which nothing bounds the number of rows gives for the values of a selection, some at a time;
    TooSlow is raised where the first are not found in time.
    """
    given = _given(selection.release, selection.layout, statement, selection.bound)
    if statement.engine is DUCKDB:
        values = _values(statement, given)
        return duckdb.batches(selection.release.index, statement.sql, values, FIRST_BATCH, NEXT_BATCH)
    return iter([run(selection.release, statement, given)])


def _values(statement: Statement, bound: Mapping[str, Any]) -> list[Any]:
    """What is bound to a statement, out of values by name."""
    values = [bound[name] if name in bound else statement.fixed[name] for name in statement.names]
    return [statement.engine.listed(value) if isinstance(value, tuple) else value for value in values]


def select(release: Release, table: Table, query: Query) -> Selection:
    """What a query selects."""
    layout = sqlite.layouts(release.index)[table.name]
    filters = tuple([(place, one.name, value if one.literal else None) for place, one, value, _ in query.filters])
    others, bound = _others(release, table, query.others) if query.others else ((), {})
    plan = _plan(table, layout, filters, others, query.sort, query.q is not None)
    return Selection(release, table, layout, query, plan, {**_bound(table, layout, query), **bound})


def _others(release: Release, table: Table, groups: Sequence[Alternatives]) -> tuple[Others, dict[str, Any]]:
    """The shape of the conditions that no index takes, and the values that they bind, by name."""
    layouts, bound, made = sqlite.layouts(release.index), dict[str, Any](), []
    for group in groups:
        alternatives = []
        for conditions in group:
            alternative = []
            for position, operator, value, leads in conditions:
                of, far = leads.table if leads else table, None
                if leads:
                    pairs = zip(leads.key.fields, leads.key.reference, strict=True)
                    keys = tuple([(table.index[here], of.index[there]) for here, there in pairs])
                    far = Far(layouts[of.name], keys)
                name = f"w{len(bound)}"
                kind, column = types.kind(of.fields[position]), layouts[of.name].columns[position]
                bound[name] = None if operator.literal else operator.bind(value, kind, column, operator.name)
                literal = value if operator.literal else None
                alternative.append(Other(position, operator.name, literal, far, name))
            alternatives.append(tuple(alternative))
        made.append(tuple(alternatives))
    return tuple(made), bound


def _bound(table: Table, layout: Layout, query: Query) -> dict[str, Any]:
    """The values that a query binds, by name."""
    bound: dict[str, Any] = {sql.LIMIT: query.limit + 1}
    for place, (position, operator, value, _) in enumerate(query.filters):
        if not operator.literal:
            kind = types.kind(table.fields[position])
            bound[f"v{place}"] = operator.bind(value, kind, layout.columns[position], operator.name)
    if query.q is not None:
        bound[FULL_TEXT] = match(query.q)
    return bound


def _given(release: Release, layout: Layout, statement: Statement, bound: Mapping[str, Any]) -> Mapping[str, Any]:
    """The values for a statement: DuckDB is given which rows full text finds."""
    if statement.engine is SQLITE or FULL_TEXT not in bound:
        return bound
    return {**bound, FULL_TEXT: sqlite.found_by_text(release.index, layout, bound[FULL_TEXT])}


@lru_cache(SHAPES)
def _plan(
    table: Table,
    layout: Layout,
    filters: Filters,
    others: Others,
    sort: tuple[tuple[int, bool], ...],
    search: bool,
) -> Plan:
    key = table.index[table.primary_key[0]] if len(table.primary_key) == 1 else None
    where = Shape(filters, others, search)
    shape = replace(where, sort=sql.sort_of(layout, key, filters, sort))
    pair = indexes.rollup_pair(layout, where)
    rolled = sql.count(Rows(layout, where, pair=pair)) if pair else None
    return Plan(shape, where, indexes.walked(layout, shape), rolled, shape.ranked)


# Which engine


def access(selection: Selection) -> Rows:
    """How the rows under the filters are reached, where no rollup gives the answer."""
    layout, where = selection.layout, selection.plan.where
    if layout.rows <= FEW:
        return Rows(layout, where)
    words = selection.bound.get(FULL_TEXT)
    if words:
        found = sqlite.found_by_text(selection.release.index, layout, words)
        if int.from_bytes(found, "big").bit_count() <= FEW:
            return Rows(layout, where, SQLITE, frozenset())
    for places, statement in _narrowing(layout, where):
        if counted(selection, statement) <= FEW:
            return Rows(layout, where, SQLITE, places)
    return Rows(layout, where, DUCKDB)


@lru_cache(SHAPES)
def _narrowing(layout: Layout, where: Shape) -> list[tuple[frozenset[int], Statement]]:
    """The filters that some index takes together, by place, with the statement that counts their rows up to FEW."""
    every = indexes.narrowing(layout, where.filters)
    return [(places, sql.bounded(layout, where, places, FEW + 1)) for places in every]


def counted(selection: Selection, statement: Statement) -> int:
    """What a statement counts, once for each set of values."""
    values = tuple([(name, selection.bound[name]) for name in statement.names if name in selection.bound])
    count = (
        _count if sum([len(value) for _, value in values if isinstance(value, str)]) < KEPT_TEXT else _count.__wrapped__
    )
    return count(selection.release, selection.layout, statement, values)


@lru_cache(maxsize=4_000)
def _count(release: Release, layout: Layout, statement: Statement, values: tuple[tuple[str, Any], ...]) -> int:
    return int(run(release, statement, _given(release, layout, statement, dict(values)))[0][0])


# Which rows


def shown(selection: Selection) -> tuple[Sequence[int], bool, bool]:
    """The numbers of the rows of the page that a query asks for, and whether any stand before and after."""
    return _shown(selection, _found(selection, selection.query.limit + 1))


def _shown(selection: Selection, found: Question | range) -> tuple[Sequence[int], bool, bool]:
    every, limit = _numbers(selection, found), selection.query.limit
    more, shown = len(every) > limit, every[:limit]
    back = _place(selection)[1]
    return (shown[::-1], more, True) if back else (shown, selection.query.cursor is not None, more)


def _numbers(selection: Selection, found: Question | range) -> Sequence[int]:
    if isinstance(found, range):
        return found
    if found.engine is SQLITE:
        return sqlite.numbers(selection.release.index, found.sql, found.values)
    return [number for (number,) in found.engine.rows(selection.release.index, found.sql, found.values)]


def page(selection: Selection) -> tuple[Sequence[int], str, bool, bool]:
    """The same with the JSON of the rows, separated by ROW_SEPARATOR, behind the numbers."""
    index, number, limit = selection.release.index, selection.layout.number, selection.query.limit
    found = _found(selection, limit + 1)
    if isinstance(found, range) or found.engine is not SQLITE or _place(selection)[1]:
        shown, before, after = _shown(selection, found)
        return shown, sqlite.json_text(index, number, shown), before, after
    every, text = sqlite.page(index, number, found.sql, found.values)
    more = len(every) > limit
    text = text.rpartition(ROW_SEPARATOR)[0] if more else text
    return every[:limit], text, selection.query.cursor is not None, more


def batches(selection: Selection) -> Iterator[Sequence[int]]:
    """The numbers of all rows from behind the cursor's, in the order of the query, piece by piece; TooSlow is raised
    where the first are not found in time.
    """
    size, back = max(100, BATCH_CELLS // (len(selection.layout.columns) or 1)), _place(selection)[1]
    found = _found(selection, selection.layout.rows if back else None)
    if not back and not isinstance(found, range) and found.engine is DUCKDB:
        for some in duckdb.batches(selection.release.index, found.sql, found.values, min(FIRST_BATCH, size), size):
            yield [number for (number,) in some]
        return
    every = _numbers(selection, found)[:: -1 if back else 1]
    yield from (every[at : at + size] for at in range(0, len(every), size))


def _found(selection: Selection, most: int | None = None) -> Question | range:
    """What gives the numbers of the first `most` rows (or all) behind the cursor's, or before it, from there backwards;
    these numbers themselves where all rows are asked for in their order.
    """
    release, layout, plan, shape = selection.release, selection.layout, selection.plan, selection.plan.shape
    bound, (last, back) = dict(selection.bound), _place(selection)
    if selection.query.cursor is not None:
        bound[sql.LAST] = last
        rows = run(release, sql.keys(layout, shape), bound)
        if not rows:
            raise parse.wrong("cursor", "does not belong to this query")
        keys = rows[0][1:]
        bound |= {f"k{place}": value for place, value in enumerate(keys)}
        shape = replace(shape, after=tuple([value is None for value in keys]), back=back)
    if plan.shape == Shape():
        return (range(last - 1, 0, -1) if back else range(last + 1, layout.rows + 1))[:most]
    if plan.walked and most is not None:
        statement = sql.walk(layout, shape)
    else:
        # Full text ranks the rows that it finds, which only SQLite has.
        reached = Rows(layout, shape, SQLITE, frozenset()) if plan.ranked else access(selection)
        statement = sql.page(replace(reached, shape=shape), limited=most is not None)
    given = _given(release, layout, statement, {**bound, sql.LIMIT: most})
    return Question(statement.engine, statement.sql, _values(statement, given))


def _place(selection: Selection) -> tuple[int, bool]:
    """The number of the row that the cursor names, 0 without one; and whether the page is the one before it."""
    if selection.query.cursor is None:
        return 0, False
    body = place_of(selection.query, selection.release.tag, selection.table.name)
    return int.from_bytes(body.removeprefix(BACK), "big"), body.startswith(BACK)


def total(selection: Selection) -> int:
    """How many rows the filters select."""
    plan, layout = selection.plan, selection.layout
    if plan.where == Shape():
        return layout.rows
    if plan.rolled is not None:
        return counted(selection, plan.rolled)
    rows = Rows(layout, plan.where) if plan.where == Shape(search=True) else access(selection)
    return counted(selection, sql.count(rows))


def size(selection: Selection, lines: str) -> int | None:
    """How many bytes the rows under the filters have as `lines` (csv, jsonl); None where they are few."""
    rows = access(selection)
    return None if rows.engine is SQLITE else int(selection.rows(sql.size(rows, lines))[0][0] or 0)


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
