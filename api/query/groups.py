"""Groups and their measures → SQL, and its rows → JSON."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from functools import lru_cache
from typing import Any

from api.index import layout as laid
from api.index.database import Layout, Statement
from api.index.layout import CHUNK
from api.model import decimals, types
from api.query.sql import Shape, conditions_sql, pair, rollup

FUNCTIONS = ("count", "sum", "avg", "min", "max", "median")
ADDING = ("sum", "avg")
DIGITS = Context(prec=15)
EXACT = Context(prec=2000)
Row = Sequence[Any]


@dataclass(frozen=True)
class Measure:
    """A function of a field; `name` is how it was asked and how the answer names it. position -1: rows."""

    name: str
    function: str
    position: int

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, eq=False)
class Grouping:
    """The statement that gives a row a group, where the number of one of its rows stands in it (the group's values
    stand first), and how each measure of the row is written as JSON.
    """

    statement: Statement
    row_at: int
    measures: tuple[Callable[[Row], str], ...]


@lru_cache(maxsize=128)
def grouping(
    shape: Shape,
    layout: Layout,
    groups: tuple[int, ...],
    measures: tuple[Measure, ...],
    order: tuple[tuple[int, bool], ...],
) -> Grouping:
    """How rows are grouped: a row a group, with the group's values, a row's number, and the columns of each measure.

    `order` sorts by place: first the groups, then the measures.
    """
    where = conditions_sql(shape)
    kept = _rollup(shape, layout, groups, measures)
    alone = kept is not None and _alone(shape, layout, groups)
    told = None if kept is None else _as_it_is if alone else _over_rows
    columns = [(f"g{place}", f"c{position}") for place, position in enumerate(groups)]
    columns.append(("n", "n" if alone else "min(n)"))
    for place, measure in enumerate(measures):
        columns += _measure_columns(place, measure, layout, told)
    selected = ", ".join(f"{sql} AS {name}" for name, sql in columns if sql)
    grouped = f" GROUP BY {', '.join(f'c{p}' for p in groups)}" if groups and not alone else ""
    sql = f"SELECT {selected} FROM {kept or f't{shape.number}'}{where.sql}{grouped}"
    names = list(where.names)
    keys = [f"g{place}" for place in range(len(groups))]
    for place, measure in enumerate(measures):
        if measure.function == "median":
            exact = layout.columns[measure.position]["exact"]
            sql = _with_median(sql, keys, place, measure, shape, groups, where.sql, exact)
            names = [*names, *where.names]
    last = [f"{k} IS NULL, {k}" if layout.columns[p]["nulls"] else k for k, p in zip(keys, groups, strict=True)]
    ordering = [*(_order(groups, measures, place, down) for place, down in order), *last]
    if ordering:
        sql += " ORDER BY " + ", ".join(ordering)
    every = [name for name, _ in columns]
    statement = Statement(f"SELECT {', '.join(every)} FROM ({sql} LIMIT ?)", (*names, "rows"), where.fixed)
    at = {name: i for i, name in enumerate(every)}
    written = tuple(_writer(measure, layout, at, place) for place, measure in enumerate(measures))
    return Grouping(statement, at["n"], written)


def _rollup(shape: Shape, layout: Layout, groups: Sequence[int], measures: Sequence[Measure]) -> str | None:
    """The rollup that answers, if all measures are in it."""
    for measure in measures:
        if measure.function == "median":
            return None
        if measure.position >= 0 and not laid.scaled(layout.columns[measure.position]):
            return None
    return rollup(shape, layout.pairs, groups)


def _alone(shape: Shape, layout: Layout, groups: Sequence[int]) -> bool:
    """Whether each group is one row of the rollup: of its two fields those that are not grouped by have one value."""
    known = pair(shape, layout.pairs, groups)
    fixed = {position for position, name, _ in shape.filters if name == "eq"}
    return bool(groups) and known is not None and set(known) <= fixed | set(groups)


def _over_rows(function: str, column: str) -> str:
    return f"{function}({column})"


def _as_it_is(_: str, column: str) -> str:
    return column


def _order(groups: Sequence[int], measures: Sequence[Measure], place: int, down: bool) -> str:
    name = f"g{place}" if place < len(groups) else f"m{place - len(groups)}"
    return f"{name} IS NULL, {name}{' DESC' if down else ''}"


def _measure_columns(
    place: int, measure: Measure, layout: Layout, kept: Callable[[str, str], str] | None
) -> list[tuple[str, str]]:
    """The columns of one measure: `m` sorts and, with its parts, gives the exact number.

    From a rollup, `kept` says how a function of a column of its rows is written.
    """
    name, position = f"m{place}", measure.position
    if measure.function == "count":
        return [(name, f"coalesce({kept('sum', 'rows')}, 0)" if kept else "count(*)")]
    column = f"c{position}"
    if measure.function == "median":
        return [(name, ""), (f"u{place}", ""), (f"w{place}", "")]
    if measure.function in ("min", "max"):
        source = {"min": f"a{position}", "max": f"z{position}"}[measure.function]
        return [(name, kept(measure.function, source) if kept else f"{measure.function}({column})")]
    detail = layout.columns[position]
    counted = kept("sum", f"k{position}") if kept else f"count({column})"
    if detail["exact"]:
        return [(name, f"exact_{measure.function}({column})"), (f"k{place}", counted)]
    if not laid.scaled(detail):
        found = [(name, f"{measure.function}({column} * 1.0)"), (f"k{place}", counted)]
        return found if detail["scale"] else [*found, *_whole_parts(place, column)]
    amount = laid.whole(column, detail["scale"])
    high = kept("sum", f"h{position}") if kept else f"sum({amount} / {CHUNK})"
    low = kept("sum", f"l{position}") if kept else f"sum({amount} % {CHUNK})"
    total = f"({high} * {CHUNK}.0 + {low})"
    sorts = f"{total} / {counted}" if measure.function == "avg" else total
    return [(name, sorts), (f"k{place}", counted), (f"h{place}", high), (f"l{place}", low)]


def _whole_parts(place: int, column: str) -> list[tuple[str, str]]:
    """The parts of a sum of whole numbers some of which no 64-bit integer holds: those are doubles, added apart."""

    def part(sql: str) -> str:
        return f"coalesce(sum(CASE typeof({column}) WHEN 'integer' THEN {sql} END), 0)"

    doubles = f"total(CASE typeof({column}) WHEN 'real' THEN {column} END)"
    return [
        (f"h{place}", part(f"{column} / {CHUNK}")),
        (f"l{place}", part(f"{column} % {CHUNK}")),
        (f"r{place}", doubles),
    ]


def _with_median(
    sql: str,
    keys: Sequence[str],
    place: int,
    measure: Measure,
    shape: Shape,
    groups: Sequence[int],
    where: str,
    exact: bool,
) -> str:
    """Join the median: the middle one or two values of each group, and their mean to sort by."""
    column = f"c{measure.position}"
    by = ", ".join(f"c{p}" for p in groups)
    window = f"PARTITION BY {by}" if by else ""
    named = "".join(f"c{p} AS {k}, " for p, k in zip(groups, keys, strict=True))
    present = f"{where}{' AND' if where else ' WHERE'} {column} IS NOT NULL"
    inner = (
        f"SELECT {named}{column} AS v, row_number() OVER ({window} ORDER BY {column}) AS r, "
        f"count({column}) OVER ({window}) AS s FROM t{shape.number}{present}"
    )
    kept = "".join(f"{k}, " for k in keys)
    grouped = f" GROUP BY {', '.join(keys)}" if keys else ""
    found = f"{'exact_avg' if exact else 'avg'}(v) AS m{place}, min(v) AS u{place}, max(v) AS w{place}"
    middle = f"SELECT {kept}{found} FROM ({inner}) WHERE r IN ((s + 1) / 2, (s + 2) / 2){grouped}"
    on = " AND ".join(f"a.{k} IS b.{k}" for k in keys) or "1"
    joined = f"SELECT a.*, b.m{place}, b.u{place}, b.w{place} FROM ({sql}) AS a LEFT JOIN ({middle}) AS b ON {on}"
    return f"SELECT * FROM ({joined})"


def _writer(measure: Measure, layout: Layout, at: Mapping[str, int], place: int) -> Callable[[Row], str]:
    """How a measure's value becomes JSON: exact where the values are decimals of up to 15 digits; null without values.

    `at` says where the columns of a row stand.
    """
    main = at[f"m{place}"]
    if measure.function == "count":
        return lambda row: str(row[main])
    detail = layout.columns[measure.position]
    if measure.function == "median":
        low, high = at[f"u{place}"], at[f"w{place}"]
        return lambda row: "null" if row[main] is None else _middle(row[low], row[high])
    if measure.function not in ADDING or detail["exact"]:
        return lambda row: "null" if row[main] is None else decimals.to_json(_decimal(row[main]))
    if f"h{place}" not in at:
        return lambda row: "null" if row[main] is None or not math.isfinite(row[main]) else _shortest(row[main])
    upper, lower, counted, scale = at[f"h{place}"], at[f"l{place}"], at[f"k{place}"], detail["scale"]
    doubles = at.get(f"r{place}")
    mean, scaled = measure.function == "avg", _scaled(scale)
    if not mean and doubles is None:
        return lambda row: "null" if row[main] is None else scaled(row[upper] * CHUNK + row[lower])

    def written(row: Row) -> str:
        if row[main] is None:
            return "null"
        whole = row[upper] * CHUNK + row[lower]
        if not mean and (doubles is None or not row[doubles]):
            return scaled(whole)
        total = EXACT.scaleb(Decimal(whole), -scale)
        if doubles is not None and row[doubles]:
            total = EXACT.add(total, _decimal(row[doubles]))
        return decimals.to_json(DIGITS.divide(total, Decimal(row[counted])) if mean else total)

    return written


def _middle(low: types.Stored, high: types.Stored) -> str:
    return decimals.to_json(EXACT.divide(EXACT.add(_decimal(low), _decimal(high)), Decimal(2)))


def _shortest(found: float) -> str:
    return decimals.to_json(DIGITS.create_decimal(repr(found)))


def _scaled(scale: int) -> Callable[[int], str]:
    """How a whole number of 10^-scale becomes JSON, as api.model.decimals.to_json writes it."""
    if not scale:
        return str
    one, form = 10**scale, f"%d.%0{scale}d"

    def text(whole: int) -> str:
        units, rest = divmod(abs(whole), one)
        found = (form % (units, rest)).rstrip("0") if rest else str(units)
        return f"-{found}" if whole < 0 else found

    return text


def _decimal(stored: types.Stored) -> Decimal:
    """A number as it stands in a column."""
    if isinstance(stored, str):
        return decimals.unsorted(stored)
    return Decimal(repr(stored)) if isinstance(stored, float) else Decimal(stored or 0)
