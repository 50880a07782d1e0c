"""The engines that run statements, and in what they differ: the one surface is SQLAlchemy Core, compiled once a shape.

DuckDB runs what SQLAlchemy writes for PostgreSQL. What no dialect has is an element below, with its SQL for each
engine.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.dialects.sqlite.base import SQLiteDialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from api.index import duckdb, sqlite
from api.index.layout import Column
from api.model import types

EXACT = Context(prec=2000)


class DuckDBDialect(PGDialect):
    """PostgreSQL's, under a name by which elements can tell the two apart."""

    name = "duckdb"
    supports_statement_cache = True


class ConditionsAsTheyAre(SQLiteDialect):
    """SQLite's, which then writes no `= 1` behind an element that is a condition: MATCH works only alone."""

    supports_native_boolean = True
    supports_statement_cache = True


@dataclass(frozen=True, eq=False)
class Engine:
    """One engine: how statements are written for it, how a list is bound, how it is asked, and what number a result of
    `Total`, `Low` or `High` is.
    """

    dialect: sa.Dialect
    listed: Callable[[list[Any]], Any]
    rows: Callable[[Path, str, Sequence[Any]], list[tuple[Any, ...]]]
    number: Callable[[Any, Column], Decimal]


def _json(values: list[Any]) -> str:
    """A list as JSON, which has no infinity (a number that equals no stored one, as no text does)."""
    return types.canonical(["infinity" if one == float("inf") else one for one in values])


def _of_units(value: Any, column: Column) -> Decimal:
    """Whole numbers of 10^-scale come as text, being of any size."""
    return EXACT.scaleb(Decimal(value), -column.scale) if isinstance(value, str) else sqlite.decimal(value)


SQLITE = Engine(ConditionsAsTheyAre(paramstyle="qmark"), _json, sqlite.rows, lambda value, _: sqlite.decimal(value))
DUCKDB = Engine(
    DuckDBDialect(paramstyle="numeric_dollar"),  # type: ignore[no-untyped-call]  # PGDialect's is not annotated
    lambda value: value,
    duckdb.rows,
    _of_units,
)


@dataclass(frozen=True, eq=False)
class Statement:
    """A statement of one engine: SQL, the names of its parameters in the order in which they are bound, and the values
    of those that never change.
    """

    engine: Engine
    sql: str
    names: tuple[str, ...]
    fixed: Mapping[str, Any]


def statement(engine: Engine, selected: sa.sql.expression.SelectBase) -> Statement:
    """A statement written for an engine."""
    compiled = selected.compile(dialect=engine.dialect, compile_kwargs={"render_postcompile": True})
    assert isinstance(compiled, SQLCompiler)
    return Statement(engine, str(compiled), tuple(compiled.positiontup or ()), dict(compiled.params))


# Elements of statements


class Element(FunctionElement[Any]):
    """What the engines write differently. `forms`: for each dialect, "" for all others, SQL with {} for each clause."""

    inherit_cache = True
    forms: Mapping[str, str]


@compiles(Element)
def _written(element: Element, compiler: SQLCompiler, **options: Any) -> str:
    form = element.forms.get(compiler.dialect.name, element.forms[""])
    return form.format(*(compiler.process(clause, **options) for clause in element.clauses))


class Unindexed(Element):
    """A column that SQLite must not look up in an index: https://sqlite.org/optoverview.html ."""

    name, forms = "unindexed", {"sqlite": "+{}", "": "{}"}


class Holds(Element):
    """Whether a text holds another."""

    name, forms, type = "holds", {"sqlite": "(instr({}, {}) > 0)", "": "(strpos({}, {}) > 0)"}, sa.Boolean()


class Begins(Element):
    """Whether a text begins with another (given twice)."""

    name, type = "begins", sa.Boolean()
    forms = {"sqlite": "(substr({0}, 1, length({1})) = {2})", "": "starts_with({0}, {1})"}


class OneOf(Element):
    """Whether a column has one of the values of a list."""

    name, type = "one_of", sa.Boolean()
    forms = {"sqlite": "({} IN (SELECT value FROM json_each({})))", "": "({} = ANY({}))"}


class Found(Element):
    """Whether a row is found by full text: its number, the name of the full text, what is searched for. DuckDB, which
    has no full text of its own, takes a byte for each row, 1 for those that SQLite found.
    """

    name, type = "found", sa.Boolean()
    forms = {
        "sqlite": "({0} IN (SELECT rowid FROM {1} WHERE {1} MATCH {2}))",
        "duckdb": "(get_bit(CAST({2} AS BIT), {0} * 8 + 7) = 1)",
        "": "({0} IN (SELECT n FROM {1} WHERE words @@ to_tsquery('simple', {2})))",
    }


class Matches(Element):
    """Whether a row of full text matches what is searched for."""

    name, type = "matches", sa.Boolean()
    forms = {"sqlite": "({} MATCH {})", "": "({0}.words @@ to_tsquery('simple', {1}))"}


DOUBLE = "CAST(CAST({} AS TEXT) || {{2}} AS DOUBLE PRECISION)"  # 300 digits are no double, but 1e300 is


class Total(Element):
    """The exact sum of a column's numbers: the column (SQLite), and the same as whole numbers (the others)."""

    name, forms = "total", {"sqlite": "exact_sum({0})", "": "sum({1})"}


class Mean(Element):
    """Their mean as a double, to sort by: the same, and what turns the digits of whole numbers into the number."""

    name, type = "mean", sa.Double()
    forms = {"sqlite": "exact_mean({0})", "": f"({DOUBLE.format('sum({1})')} / count({{1}}))"}


class Low(Element):
    """The lower of a column's two middle numbers."""

    name, forms = "low", {"sqlite": "middle_low({0})", "": "percentile_disc(0.5) WITHIN GROUP (ORDER BY {1})"}


class High(Element):
    """The higher of them."""

    name, forms = "high", {"sqlite": "middle_high({0})", "": "percentile_disc(0.5) WITHIN GROUP (ORDER BY {1} DESC)"}


class Middle(Element):
    """Their sum as a double, to sort by: as for `Mean`."""

    name, type = "middle", sa.Double()
    forms = {
        "sqlite": "middle({0})",
        "": f"({DOUBLE.format(Low.forms[''])} + {DOUBLE.format(High.forms[''])})",
    }
