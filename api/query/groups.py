"""Groups and their measures → SQL, and its rows → JSON."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from functools import lru_cache
from typing import Any

from api.index.database import Layout, Statement
from api.index.layout import CHUNK, scaled, whole
from api.index.layout import rollup as rollup_name
from api.model import decimals, types
from api.query.sql import LIMIT, Shape, conditions, rollup_pair, with_value

FUNCTIONS = ("count", "sum", "avg", "min", "max", "median")
ADDING = ("sum", "avg")
DIGITS = Context(prec=15)
EXACT = Context(prec=2000)
Row = Sequence[Any]


@dataclass(frozen=True)
class Measure:
    """A function of a field; `name` is how the query and the response name it. position -1: rows."""

    name: str
    function: str
    position: int

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, eq=False)
class Grouping:
    """The statement that gives a row a group (the group's values first), which of its columns has the number of one of
    the group's rows, and how each measure is written as JSON.
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
    where = conditions(shape)
    in_rollups = all(_in_rollups(measure, layout) for measure in measures)
    pair = rollup_pair(shape, layout.pairs, groups) if in_rollups else None
    fixed = {position for position, name, _ in shape.filters if name == "eq"}
    # Where those fields of the pair that are not grouped by have one value, each group is one row of the rollup.
    single = bool(groups) and pair is not None and set(pair) <= fixed | set(groups)

    def taken(function: str, column: str, of_rows: str) -> str:
        if pair is None:
            return of_rows
        return column if single else f"{function}({column})"

    columns = [(f"g{place}", f"c{position}") for place, position in enumerate(groups)]
    columns.append(("n", "n" if single else "min(n)"))
    for place, measure in enumerate(measures):
        columns += _measure_columns(place, measure, layout, taken)
    selected = ", ".join(f"{sql} AS {name}" for name, sql in columns if sql)
    source = rollup_name(shape.number, pair) if pair else f"t{shape.number}"
    grouped = f" GROUP BY {', '.join(f'c{p}' for p in groups)}" if groups and not single else ""
    sql = f"SELECT {selected} FROM {source}{where.sql}{grouped}"
    names = [*where.names]
    for place, measure in enumerate(measures):
        if measure.function == "median":
            sql = _with_median(sql, place, measure, shape, layout, groups)
            names += where.names
    keys = [f"g{place}" for place in range(len(groups))]
    sortable = [*keys, *(f"m{place}" for place in range(len(measures)))]
    ordering = [f"{sortable[place]} IS NULL, {sortable[place]}{' DESC' if down else ''}" for place, down in order]
    ordering += [f"{k} IS NULL, {k}" if layout.columns[p]["nulls"] else k for k, p in zip(keys, groups, strict=True)]
    if ordering:
        sql += " ORDER BY " + ", ".join(ordering)
    every = [name for name, _ in columns]
    statement = Statement(f"SELECT {', '.join(every)} FROM ({sql} LIMIT ?)", (*names, LIMIT), where.fixed)
    at = {name: i for i, name in enumerate(every)}
    written = tuple(_writer(measure, layout, at, place) for place, measure in enumerate(measures))
    return Grouping(statement, at["n"], written)


def _in_rollups(measure: Measure, layout: Layout) -> bool:
    """Whether rollups hold what the measure needs."""
    if measure.function == "median":
        return False
    return measure.position < 0 or scaled(layout.columns[measure.position])


def _measure_columns(
    place: int, measure: Measure, layout: Layout, taken: Callable[[str, str, str], str]
) -> list[tuple[str, str]]:
    """The columns of one measure: `m` sorts and, with its parts, gives the exact number.

    `taken` gives the SQL for a function of a rollup's column, or for rows where no rollup is read.
    """
    name, position = f"m{place}", measure.position
    if measure.function == "count":
        return [(name, f"coalesce({taken('sum', 'rows', 'count(*)')}, 0)")]
    column = f"c{position}"
    if measure.function == "median":
        return [(name, ""), (f"u{place}", ""), (f"w{place}", "")]
    if measure.function in ("min", "max"):
        extreme = {"min": f"a{position}", "max": f"z{position}"}[measure.function]
        return [(name, taken(measure.function, extreme, f"{measure.function}({column})"))]
    detail = layout.columns[position]
    counted = taken("sum", f"k{position}", f"count({column})")
    if detail["exact"]:
        return [(name, f"exact_{measure.function}({column})"), (f"k{place}", counted)]
    if not scaled(detail):
        doubles = [(name, f"{measure.function}({column} * 1.0)"), (f"k{place}", counted)]
        return doubles if detail["scale"] else [*doubles, *_whole_parts(place, column)]
    amount = whole(column, detail["scale"])
    high = taken("sum", f"h{position}", f"sum({amount} / {CHUNK})")
    low = taken("sum", f"l{position}", f"sum({amount} % {CHUNK})")
    total = f"({high} * {CHUNK}.0 + {low})"
    sorts = f"{total} / {counted}" if measure.function == "avg" else total
    return [(name, sorts), (f"k{place}", counted), (f"h{place}", high), (f"l{place}", low)]


def _whole_parts(place: int, column: str) -> list[tuple[str, str]]:
    """The parts of a sum of whole numbers, some of which are beyond 64 bits: those are doubles, added apart."""
    integer, double = (f"CASE typeof({column}) WHEN '{kind}' THEN {column} END" for kind in ("integer", "real"))
    return [
        (f"h{place}", f"coalesce(sum({integer} / {CHUNK}), 0)"),
        (f"l{place}", f"coalesce(sum({integer} % {CHUNK}), 0)"),
        (f"r{place}", f"total({double})"),
    ]


def _with_median(sql: str, place: int, measure: Measure, shape: Shape, layout: Layout, groups: Sequence[int]) -> str:
    """Join the median: the middle one or two values of each group, and their mean to sort by."""
    column = f"c{measure.position}"
    mean = "exact_avg" if layout.columns[measure.position]["exact"] else "avg"
    keys = [f"g{at}" for at in range(len(groups))]
    grouped = f" GROUP BY {', '.join(keys)}" if keys else ""
    window = f"PARTITION BY {', '.join(f'c{p}' for p in groups)}" if groups else ""
    ranked = (
        f"SELECT {''.join(f'c{p} AS {k}, ' for p, k in zip(groups, keys, strict=True))}{column} AS v, "
        f"row_number() OVER ({window} ORDER BY {column}) AS r, count({column}) OVER ({window}) AS s "
        f"FROM t{shape.number}{with_value(shape, measure.position).sql}"
    )
    middle = (
        f"SELECT {''.join(f'{k}, ' for k in keys)}{mean}(v) AS m{place}, min(v) AS u{place}, max(v) AS w{place} "
        f"FROM ({ranked}) WHERE r IN ((s + 1) / 2, (s + 2) / 2){grouped}"
    )
    on = " AND ".join(f"a.{k} IS b.{k}" for k in keys) or "1"
    joined = f"SELECT a.*, b.m{place}, b.u{place}, b.w{place} FROM ({sql}) AS a LEFT JOIN ({middle}) AS b ON {on}"
    return f"SELECT * FROM ({joined})"


def _writer(measure: Measure, layout: Layout, at: Mapping[str, int], place: int) -> Callable[[Row], str]:
    """How a measure's value becomes JSON: exact where the values are decimals of up to 15 digits; null without values.

    `at` has each column's place in a row.
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
    mean, text = measure.function == "avg", _scaled_text(scale)
    if not mean and doubles is None:
        return lambda row: "null" if row[main] is None else text(row[upper] * CHUNK + row[lower])

    def written(row: Row) -> str:
        if row[main] is None:
            return "null"
        units = row[upper] * CHUNK + row[lower]
        if not mean and (doubles is None or not row[doubles]):
            return text(units)
        total = EXACT.scaleb(Decimal(units), -scale)
        if doubles is not None and row[doubles]:
            total = EXACT.add(total, _decimal(row[doubles]))
        return decimals.to_json(DIGITS.divide(total, Decimal(row[counted])) if mean else total)

    return written


def _middle(low: types.Stored, high: types.Stored) -> str:
    return decimals.to_json(EXACT.divide(EXACT.add(_decimal(low), _decimal(high)), Decimal(2)))


def _shortest(number: float) -> str:
    return decimals.to_json(DIGITS.create_decimal(repr(number)))


def _scaled_text(scale: int) -> Callable[[int], str]:
    """How a whole number of 10^-scale becomes JSON, as api.model.decimals.to_json writes it."""
    if not scale:
        return str
    one, form = 10**scale, f"%d.%0{scale}d"

    def text(whole: int) -> str:
        units, rest = divmod(abs(whole), one)
        digits = (form % (units, rest)).rstrip("0") if rest else str(units)
        return f"-{digits}" if whole < 0 else digits

    return text


def _decimal(stored: types.Stored) -> Decimal:
    """A number from what a column holds."""
    if isinstance(stored, str):
        return decimals.unsorted(stored)
    return Decimal(repr(stored)) if isinstance(stored, float) else Decimal(stored or 0)
