"""A query → SQL. Pure: no connection, no request.

SQLAlchemy Core writes the statement once for each shape of query (which fields, operators and sorts, not which values);
the text is kept and run with bound parameters.

A page is one or more ranges, in order, each of which an index gives without sorting: the rows that tie with the
last one seen and come after it, then the rows beyond it, then the nulls. So a page costs the same at any depth.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from api.index import layout as laid
from api.index.database import Layout, Statement
from api.index.layout import texts
from api.model.descriptor import Table
from api.query.fields import OPERATORS, Operand

_DIALECT = sqlite.dialect(paramstyle="qmark")
ROW_NUMBER = -1  # the position that stands for a row's number
FULL_TEXT = "q"  # the names under which the words to search for and the limit are bound
LIMIT = "rows"
Filters = tuple[tuple[int, str, Any], ...]


@dataclass(frozen=True)
class Shape:
    """All of a query that changes the SQL, and none of its values.

    `filters`: position, operator and, where it is part of the statement, value of each; `sort`: position, whether
    descending, whether it has nulls, of each key; `after`: for a later page, whether the last row's value of each sort
    key is null. `walk`: whether to go along the index of the sort rather than that of a filter.
    """

    number: int
    filters: Filters
    folded: frozenset[int]
    search: bool
    sort: tuple[tuple[int, bool, bool], ...] = ()
    after: tuple[bool, ...] | None = None
    walk: bool = False


def shape(table: Table, layout: Layout, filters: Filters, sort: tuple[tuple[int, bool], ...], search: bool) -> Shape:
    """The shape of a query, from the fields and operators of its filters, the fields of its sort and whether it has
    words to search for.

    Sorting by a field that a filter fixes, or beyond a key, changes nothing and is left out. Rows are stored in the
    order of their key, so a sort by the key is one by their number.
    """
    fixed = {position for position, name, _ in filters if name == "eq"}
    unique = table.index[table.primary_key[0]] if len(table.primary_key) == 1 else None
    keys: list[tuple[int, bool, bool]] = []
    for position, down in sort:
        if position == unique:
            if down:
                keys.append((ROW_NUMBER, True, False))
            break
        if position not in fixed:
            keys.append((position, down, layout.columns[position]["nulls"]))
    return Shape(layout.number, filters, frozenset(texts(table)), search, tuple(keys))


def _limited(found: Shape) -> sa.sql.expression.SelectBase:
    """The page's ranges one after another, up to the limit."""
    ranges = _ranges(found)
    limit: sa.BindParameter[int] = sa.bindparam(LIMIT)
    if len(ranges) == 1:
        return ranges[0].limit(limit)
    parts = [sa.select(r.limit(limit).subquery().c.n) for r in ranges]
    return sa.union_all(*parts).limit(limit)


@lru_cache(maxsize=128)
def count(found: Shape, kept: str | None) -> Statement:
    """One row: how many rows the filters leave (from a rollup where one is `kept`), where they begin in its orders."""
    where = conditions_sql(found)
    what = f"coalesce(sum(rows), 0), min(begins) FROM {kept}" if kept else f"count(*), 0 FROM t{found.number}"
    return Statement(f"SELECT {what}{where.sql}", where.names, where.fixed)


def walks(rows: int, total: int, most: int) -> bool:
    """Whether a page is sooner found by walking the index of the sort and leaving out what the filters leave out.

    SQLite does not know how many rows it would have to sort; the rollup does. One step of such a walk reads a row, as
    one row to sort does.
    """
    return total > 0 and most * rows < total * total


def rollup(found: Shape, pairs: tuple[tuple[int, int], ...], groups: Sequence[int] = ()) -> str | None:
    """The rollup that knows of all fields that are filtered and grouped by, if there is one."""
    known = pair(found, pairs, groups)
    return laid.rollup(found.number, known) if known else None


def pair(found: Shape, pairs: tuple[tuple[int, int], ...], groups: Sequence[int] = ()) -> tuple[int, int] | None:
    """The pair of fields of that rollup."""
    used = {position for position, _, _ in found.filters} | set(groups)
    if found.search or not used or any(OPERATORS[name].folded for _, name, _ in found.filters):
        return None
    return next((pair for pair in pairs if used <= set(pair)), None)


@lru_cache(maxsize=128)
def numbers(found: Shape) -> Statement:
    """The numbers of the rows, in the order of the sort; a limit of -1 gives all."""
    return _compile(_limited(found))


@lru_cache(maxsize=128)
def conditions_sql(found: Shape) -> Statement:
    """The filters alone, as a WHERE clause (empty without any) for statements that are put together elsewhere."""
    t = _table(found.number)
    compiled = _compile(sa.select(t.c.n).select_from(t).where(*_conditions(found, t)))
    _, where, rest = compiled.sql.partition("WHERE ")
    return Statement(f" WHERE ({rest})" if where else "", compiled.names, compiled.fixed)


def keys(found: Shape) -> str:
    """SQL for the values of the sort keys of one row, by its number."""
    names = ", ".join(_name(position) for position, _, _ in found.sort)
    return f"SELECT {names} FROM t{found.number} WHERE n = ?"


def _compile(selected: sa.sql.expression.SelectBase) -> Statement:
    compiled = selected.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
    return Statement(str(compiled), tuple(compiled.positiontup or ()), dict(compiled.params))


@lru_cache(maxsize=256)
def _table(number: int) -> sa.TableClause:
    return sa.table(f"t{number}", sa.column("n"))


def _column(position: int) -> sa.ColumnClause[Any]:
    return sa.column(_name(position))


def _name(position: int) -> str:
    return "n" if position == ROW_NUMBER else f"c{position}"


def _conditions(found: Shape, t: sa.TableClause) -> list[sa.ColumnElement[bool]]:
    """The filters as conditions; comparing leaves nulls out by itself."""
    conditions = [_condition(found, place, *entry) for place, entry in enumerate(found.filters)]
    if found.search:
        text: sa.TextClause = sa.text(f"q{found.number} MATCH :{FULL_TEXT}")
        inner: sa.Select[Any] = sa.select(sa.column("rowid")).select_from(sa.table(f"q{found.number}")).where(text)
        conditions.append(t.c.n.in_(inner))
    return conditions


def _condition(shape: Shape, place: int, position: int, name: str, literal: Any) -> sa.ColumnElement[bool]:
    # A plus before a column keeps SQLite from its index: https://sqlite.org/optoverview.html
    column: sa.ColumnElement[Any] = sa.literal_column(f"+c{position}") if shape.walk else _column(position)
    folded: Any = sa.func.coalesce(sa.column(f"f{position}"), column) if position in shape.folded else None
    operator = OPERATORS[name]
    value: Any = literal if operator.literal else sa.bindparam(f"v{place}")
    return operator.sql(Operand(column, folded), value)


def _ranges(found: Shape) -> list[sa.Select[Any]]:
    """The page's ranges in order."""
    t = _table(found.number)
    where = _conditions(found, t)
    if found.after is None:
        return _first(found, t, where)
    last: sa.BindParameter[Any] = sa.bindparam("last")
    ranges: list[sa.Select[Any]] = []
    for depth in range(len(found.sort), -1, -1):
        ties = [_tie(found, place) for place in range(depth)]
        if depth == len(found.sort):
            if found.sort and found.sort[-1][0] == ROW_NUMBER:
                continue
            beyond: list[sa.ColumnElement[bool]] = [t.c.n > last]
            ranges.append(_range(t, [*where, *ties, *beyond], ()))
            continue
        position, down, nulls = found.sort[depth]
        if found.after[depth]:
            continue
        column = _column(position)
        value: sa.BindParameter[Any] = sa.bindparam(f"k{depth}")
        step = column < value if down else column > value
        ranges.append(_range(t, [*where, *ties, step], found.sort[depth:], valued=True))
        if nulls:
            ranges.append(_range(t, [*where, *ties, column.is_(None)], found.sort[depth + 1 :]))
    return ranges


def _first(found: Shape, t: sa.TableClause, where: list[sa.ColumnElement[bool]]) -> list[sa.Select[Any]]:
    """Nulls come last, so where the first key has any they are a range of their own."""
    if not found.sort or not found.sort[0][2]:
        return [_range(t, where, found.sort, valued=True)]
    column = _column(found.sort[0][0])
    return [
        _range(t, [*where, column.is_not(None)], found.sort, valued=True),
        _range(t, [*where, column.is_(None)], found.sort[1:]),
    ]


def _tie(found: Shape, place: int) -> sa.ColumnElement[bool]:
    assert found.after is not None
    column = _column(found.sort[place][0])
    return column.is_(None) if found.after[place] else column == sa.bindparam(f"k{place}")


def _range(
    t: sa.TableClause,
    where: list[sa.ColumnElement[bool]],
    sort: tuple[tuple[int, bool, bool], ...],
    valued: bool = False,
) -> sa.Select[Any]:
    """One range; `valued` says that its first key needs no care for nulls."""
    order: list[Any] = []
    for place, (position, down, nulls) in enumerate(sort):
        column = _column(position)
        if nulls and not down and not (valued and place == 0):
            order.append(column.is_(None))
        order.append(column.desc() if down else column)
    if not sort or sort[-1][0] != ROW_NUMBER:
        order.append(t.c.n)
    return sa.select(t.c.n).select_from(t).where(*where).order_by(*order)
