"""The engines that run statements, and in what they differ: the one surface is SQLAlchemy Core, compiled once a shape.

DuckDB runs what SQLAlchemy writes for PostgreSQL. What no dialect has is an element below, with its SQL for each
engine.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import partial
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
from api.model import decimals, types

SHAPES = 1_000  # shapes of each kind whose statements are kept: SQLAlchemy writes one in a millisecond


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
    """One engine: how statements are written for it, how a list is bound, how it is asked, what number a result of
    `Total` or `Middle` is, and what such a result is compared with (`Big`): the least and the greatest that equal a
    number, the greater one first where none does.
    """

    dialect: sa.Dialect
    listed: Callable[[tuple[Any, ...]], Any]
    rows: Callable[[Path, str, Sequence[Any]], list[tuple[Any, ...]]]
    number: Callable[[Any, Column], Decimal]
    edges: Callable[[Decimal, Column], tuple[str, str]]


def _json(values: Sequence[Any]) -> str:
    """A list as JSON, which has no infinity (a number that equals no stored one, as no text does)."""
    return types.canonical(["infinity" if one == float("inf") else one for one in values])


def _of_units(value: Any, column: Column) -> Decimal:
    """Whole numbers of 10^-scale, those of any size as text."""
    return sqlite.EXACT.scaleb(Decimal(value), -column.scale)


def _in_units(number: Decimal, column: Column) -> tuple[str, str]:
    units = sqlite.EXACT.scaleb(number, column.scale)
    return str(int(units.to_integral_value(ROUND_CEILING))), str(int(units.to_integral_value(ROUND_FLOOR)))


SQLITE = Engine(
    ConditionsAsTheyAre(paramstyle="qmark"),
    _json,
    sqlite.rows,
    lambda value, _: sqlite.decimal(value),
    lambda number, _: (decimals.sortable(number),) * 2,
)
DUCKDB = Engine(
    DuckDBDialect(paramstyle="numeric_dollar"),  # type: ignore[no-untyped-call]  # PGDialect's is not annotated
    list,
    duckdb.rows,
    _of_units,
    _in_units,
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

    inherit_cache = False  # the forms are no part of a key

    def __init__(self, forms: Mapping[str, str], type: sa.types.TypeEngine[Any], *clauses: Any) -> None:
        super().__init__(*clauses)
        self.forms = forms
        self.type = type


@compiles(Element)
def _written(element: Element, compiler: SQLCompiler, **options: Any) -> str:
    form = element.forms.get(compiler.dialect.name, element.forms[""])
    return form.format(*(compiler.process(clause, **options) for clause in element.clauses))


ANY, TRUTH = sa.types.NULLTYPE, sa.Boolean()
DOUBLE: sa.types.TypeEngine[Any] = sa.Double()

# A column that SQLite must not look up in an index: https://sqlite.org/optoverview.html
Unindexed = partial(Element, {"sqlite": "+{}", "": "{}"}, ANY)

# Whether a text holds another, begins with it (given twice) or ends with it (three times); whether a column has one of
# the values of a list.
Holds = partial(Element, {"sqlite": "(instr({}, {}) > 0)", "": "(strpos({}, {}) > 0)"}, TRUTH)
Begins = partial(Element, {"sqlite": "(substr({0}, 1, length({1})) = {2})", "": "starts_with({0}, {1})"}, TRUTH)
# In bytes, of which there is at least one: for SQLite a text's length ends at its first NUL, and no bytes are null.
_BYTES, _SOUGHT = "CAST('.' || {0} AS BLOB)", "length(CAST({1} AS BLOB))"
_TAIL = f"substr({_BYTES}, length({_BYTES}) - {_SOUGHT.replace('1', '2')} + 1) = CAST({{3}} AS BLOB)"
Ends = partial(
    Element,
    {"sqlite": f"(length({_BYTES}) > {_SOUGHT} AND {_TAIL})", "": "(right({0}, length({1})) = {2})"},
    TRUTH,
)
OneOf = partial(Element, {"sqlite": "({} IN (SELECT value FROM json_each({})))", "": "({} = ANY({}))"}, TRUTH)

# Whether a row is found by full text: its number, the name of the full text, what is searched for. DuckDB, which has no
# full text of its own, takes a bit for each row, 1 for those that SQLite found: it casts them anew every 2,048 rows.
Found = partial(
    Element,
    {
        "sqlite": "({0} IN (SELECT rowid FROM {1} WHERE {1} MATCH {2}))",
        "duckdb": "(get_bit(CAST({2} AS BIT), {0}) = 1)",
        "": "({0} IN (SELECT n FROM {1} WHERE words @@ to_tsquery('simple', {2})))",
    },
    TRUTH,
)
# Whether a row of full text, by its name, matches what is searched for.
Matches = partial(Element, {"sqlite": "({} MATCH {})", "": "({0}.words @@ to_tsquery('simple', {1}))"}, TRUTH)

# Figures of a column's numbers: given the column (for SQLite), the same as whole numbers of 10^-scale (for the others)
# and, for a double, the text that makes digits of these the number: 300 digits are no double, but 1e300 is.
_SUM = "sum({1})"
_LOWER, _HIGHER = (f"percentile_disc(0.5) WITHIN GROUP (ORDER BY {{1}}{down})" for down in ("", " DESC"))
_MEAN = f"(CAST(CAST({_SUM} AS TEXT) || {{2}} AS DOUBLE PRECISION) / count({{1}}))"
# The exact sum, and that of the two in the middle; the mean, to sort by.
Total = partial(Element, {"sqlite": "exact_sum({0})", "": _SUM}, ANY)
Middle = partial(Element, {"sqlite": "middle({0})", "": f"({_LOWER} + {_HIGHER})"}, ANY)
Mean = partial(Element, {"sqlite": "exact_mean({0})", "": _MEAN}, DOUBLE)
# A bound value that is compared with the first two.
Big = partial(Element, {"sqlite": "{}", "duckdb": "CAST({} AS BIGNUM)", "": "CAST({} AS NUMERIC)"}, ANY)
