"""A query → SQL. Pure: no connection, no request.

SQLAlchemy Core writes the statement once for each shape of query (which fields, operators and sorts, not which values);
the text is cached and run with bound parameters.

A page is one or more ranges, in order, each of which an index gives without sorting: the rows that tie with the
last one seen and come after it, then the rows beyond it, then the nulls. So a page costs the same at any depth.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from api.index.database import Layout, Statement
from api.index.layout import ROW_NUMBER, texts
from api.model.descriptor import Table
from api.query.fields import OPERATORS, Operand

_DIALECT = sqlite.dialect(paramstyle="qmark")
FULL_TEXT = "q"  # the names under which the words to search for, the limit and the last row's number are bound
LIMIT = "rows"
LAST = "last"
Filters = tuple[tuple[int, str, Any], ...]
Sort = tuple[tuple[int, bool, bool], ...]
Pair = tuple[int, int]


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
    sort: Sort = ()
    after: tuple[bool, ...] | None = None
    walk: bool = False


def shape_of(table: Table, layout: Layout, filters: Filters, sort: tuple[tuple[int, bool], ...], search: bool) -> Shape:
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


def walks(rows: int, total: int, most: int) -> bool:
    """Whether a page is found sooner by walking the index of the sort and skipping the rows that the filters exclude.

    SQLite does not know how many rows it would have to sort; the rollup does. One step of such a walk reads a row, as
    one row to sort does.
    """
    return total > 0 and most * rows < total * total


def rollup_pair(shape: Shape, pairs: Sequence[Pair], groups: Sequence[int] = ()) -> Pair | None:
    """The pair of fields whose rollup covers all fields that are filtered and grouped by, if there is one."""
    used = {position for position, _, _ in shape.filters} | set(groups)
    if shape.search or not used or any(OPERATORS[name].folded for _, name, _ in shape.filters):
        return None
    return next((pair for pair in pairs if used <= set(pair)), None)


def numbers(shape: Shape) -> Statement:
    """The numbers of the rows, in the order of the sort; a limit of -1 gives all."""
    limit: sa.BindParameter[int] = sa.bindparam(LIMIT)
    ranges = [each.limit(limit) for each in _ranges(shape)]
    if len(ranges) == 1:
        return _compile(ranges[0])
    return _compile(sa.union_all(*(sa.select(each.subquery().c.n) for each in ranges)).limit(limit))


@lru_cache(maxsize=128)
def conditions(shape: Shape) -> Statement:
    """The filters alone, as a WHERE clause (empty without any) for statements that are put together elsewhere."""
    t = _table(shape.number)
    compiled = _compile(sa.select(t.c.n).select_from(t).where(*_conditions(shape, t)))
    _, where, rest = compiled.sql.partition("WHERE ")
    return replace(compiled, sql=f" WHERE ({rest})" if where else "")


def with_value(shape: Shape, position: int) -> Statement:
    """The same, for the rows that have a value of a field."""
    return conditions(replace(shape, filters=(*shape.filters, (position, "isnull", False))))


def keys(shape: Shape) -> str:
    """SQL for the values of the sort keys of one row, by its number."""
    names = ", ".join(_name(position) for position, _, _ in shape.sort)
    return f"SELECT {names} FROM t{shape.number} WHERE n = ?"


def _compile(selected: sa.sql.expression.SelectBase) -> Statement:
    compiled = selected.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
    return Statement(str(compiled), tuple(compiled.positiontup or ()), dict(compiled.params))


def _table(number: int) -> sa.TableClause:
    return sa.table(f"t{number}", sa.column("n"))


def _column(position: int) -> sa.ColumnClause[Any]:
    return sa.column(_name(position))


def _name(position: int) -> str:
    return "n" if position == ROW_NUMBER else f"c{position}"


def _conditions(shape: Shape, t: sa.TableClause) -> list[sa.ColumnElement[bool]]:
    """The filters as conditions; comparing leaves nulls out by itself."""
    filters = [_condition(shape, place, *entry) for place, entry in enumerate(shape.filters)]
    if not shape.search:
        return filters
    words: sa.TextClause = sa.text(f"q{shape.number} MATCH :{FULL_TEXT}")
    rowids: sa.Select[Any] = sa.select(sa.column("rowid")).select_from(sa.table(f"q{shape.number}")).where(words)
    return [*filters, t.c.n.in_(rowids)]


def _condition(shape: Shape, place: int, position: int, name: str, literal: Any) -> sa.ColumnElement[bool]:
    # A plus before a column keeps SQLite from its index: https://sqlite.org/optoverview.html
    column: sa.ColumnElement[Any] = sa.literal_column(f"+c{position}") if shape.walk else _column(position)
    folded: Any = sa.func.coalesce(sa.column(f"f{position}"), column) if position in shape.folded else None
    operator = OPERATORS[name]
    value: Any = literal if operator.literal else sa.bindparam(f"v{place}")
    return operator.sql(Operand(column, folded), value)


def _ranges(shape: Shape) -> list[sa.Select[Any]]:
    """The page's ranges in order; after a row, those that tie with it in the most sort keys come first."""
    t, sort, after = _table(shape.number), shape.sort, shape.after
    where = _conditions(shape, t)
    if after is None:
        return _keyed(t, where, sort, []) if sort else [_range(t, where, sort)]
    columns = [_column(position) for position, _, _ in sort]
    values: list[sa.BindParameter[Any]] = [sa.bindparam(f"k{place}") for place in range(len(sort))]
    ties = [c.is_(None) if null else c == value for c, value, null in zip(columns, values, after, strict=True)]
    ranges: list[sa.Select[Any]] = []
    if not sort or sort[-1][0] != ROW_NUMBER:
        last: sa.BindParameter[Any] = sa.bindparam(LAST)
        ranges.append(_range(t, [*where, *ties, t.c.n > last], ()))
    for depth in reversed(range(len(sort))):
        if not after[depth]:
            column, value = columns[depth], values[depth]
            beyond = [column < value if sort[depth][1] else column > value]
            ranges += _keyed(t, [*where, *ties[:depth]], sort[depth:], beyond)
    return ranges


def _keyed(
    t: sa.TableClause, where: list[sa.ColumnElement[bool]], sort: Sort, beyond: list[sa.ColumnElement[bool]]
) -> list[sa.Select[Any]]:
    """The rows with a value of the first sort key (with `beyond`, only those after the last row's), then those without
    one: nulls come last.
    """
    (position, down, nulls), rest = sort[0], sort[1:]
    column = _column(position)
    valued = beyond or ([column.is_not(None)] if nulls else [])
    ranges = [_range(t, [*where, *valued], ((position, down, False), *rest))]
    return [*ranges, _range(t, [*where, column.is_(None)], rest)] if nulls else ranges


def _range(t: sa.TableClause, where: list[sa.ColumnElement[bool]], sort: Sort) -> sa.Select[Any]:
    order: list[Any] = []
    for position, down, nulls in sort:
        column = _column(position)
        if nulls and not down:
            order.append(column.is_(None))
        order.append(column.desc() if down else column)
    if not sort or sort[-1][0] != ROW_NUMBER:
        order.append(t.c.n)
    return sa.select(t.c.n).select_from(t).where(*where).order_by(*order)
