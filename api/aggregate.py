"""Groups and their measures → SQL, and the check that a sum is honest.

A field may say, with the custom property `lantern:additiveWithin`, within which other fields its values are parts of
one whole; with `lantern:additiveIf`, that the row a foreign key leads to must allow adding; and the schema's
`lantern:figure` says which fields hold the period. A sum or average over rows that differ in such a field, or whose
periods overlap, is no number but a list of what varies.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any

from api import layout as laid
from api import values
from api.descriptor import Field, Package, Table
from api.engine import Layout
from api.layout import CHUNK
from api.query import Shape, Statement, conditions_sql, rollup

FUNCTIONS = ("count", "sum", "avg", "min", "max", "median")
ADDING = ("sum", "avg")
WITHIN = "lantern:additiveWithin"
IF = "lantern:additiveIf"
DIGITS = Context(prec=15)
EXACT = Context(prec=2000)


@dataclass(frozen=True)
class Measure:
    """A function of a field; `name` is how it was asked and how the answer names it. position -1: rows."""

    name: str
    function: str
    position: int

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Variation:
    """Why rows must not be added: a field that varies inside a group, and some of its values."""

    field: str
    reason: str
    found: tuple[Any, ...] = ()


def group_sql(
    shape: Shape, layout: Layout, groups: Sequence[int], measures: Sequence[Measure], order: Sequence[tuple[int, bool]]
) -> tuple[Statement, list[str]]:
    """The statement that gives a row a group: the group's values, a row number, then the columns of each measure.

    `order` sorts by place: first the groups, then the measures. The second value names the columns, in order.
    """
    where = conditions_sql(shape)
    kept = _rollup(shape, layout, groups, measures)
    columns = [(f"g{place}", f"c{position}") for place, position in enumerate(groups)]
    columns.append(("n", "min(n)"))
    for place, measure in enumerate(measures):
        columns += _measure_columns(place, measure, layout, kept is not None)
    selected = ", ".join(f"{sql} AS {name}" for name, sql in columns if sql)
    grouped = f" GROUP BY {', '.join(f'c{p}' for p in groups)}" if groups else ""
    sql = f"SELECT {selected} FROM {kept or f't{shape.number}'}{where.sql}{grouped}"
    names = list(where.names)
    keys = [f"g{place}" for place in range(len(groups))]
    for place, measure in enumerate(measures):
        if measure.function == "median":
            exact = layout.columns[measure.position]["exact"]
            sql = _with_median(sql, keys, place, measure, shape, groups, where.sql, exact)
            names = [*names, *where.names]
    ordering = [*(_order(groups, measures, place, down) for place, down in order), *(f"{k} IS NULL, {k}" for k in keys)]
    if ordering:
        sql += " ORDER BY " + ", ".join(ordering)
    every = [name for name, _ in columns]
    return Statement(f"SELECT {', '.join(every)} FROM ({sql} LIMIT ?)", (*names, "rows"), where.fixed), every


def _rollup(shape: Shape, layout: Layout, groups: Sequence[int], measures: Sequence[Measure]) -> str | None:
    """The rollup that answers, if all measures are in it."""
    for measure in measures:
        if measure.function == "median":
            return None
        if measure.position >= 0 and not laid.scaled(layout.columns[measure.position]):
            return None
    return rollup(shape, layout.pairs, groups)


def _order(groups: Sequence[int], measures: Sequence[Measure], place: int, down: bool) -> str:
    name = f"g{place}" if place < len(groups) else f"m{place - len(groups)}"
    return f"{name} IS NULL, {name}{' DESC' if down else ''}"


def _measure_columns(place: int, measure: Measure, layout: Layout, kept: bool) -> list[tuple[str, str]]:
    """The columns of one measure: `m` sorts and, with its parts, gives the exact number. `kept`: from a rollup."""
    name, position = f"m{place}", measure.position
    if measure.function == "count":
        return [(name, "coalesce(sum(rows), 0)" if kept else "count(*)")]
    column = f"c{position}"
    if measure.function == "median":
        return [(name, ""), (f"u{place}", ""), (f"w{place}", "")]
    if measure.function in ("min", "max"):
        source = {"min": f"a{position}", "max": f"z{position}"}[measure.function] if kept else column
        return [(name, f"{measure.function}({source})")]
    detail = layout.columns[position]
    counted = f"sum(k{position})" if kept else f"count({column})"
    if detail["exact"]:
        return [(name, f"exact_{measure.function}({column})"), (f"k{place}", counted)]
    if not laid.scaled(detail):
        found = [(name, f"{measure.function}({column} * 1.0)"), (f"k{place}", counted)]
        return found if detail["scale"] else [*found, *_whole_parts(place, column)]
    amount = laid.whole(column, detail["scale"])
    high = f"sum(h{position})" if kept else f"sum({amount} / {CHUNK})"
    low = f"sum(l{position})" if kept else f"sum({amount} % {CHUNK})"
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


def number(measure: Measure, layout: Layout, row: Mapping[str, Any], place: int) -> str:
    """A measure's value as JSON, exact where the values are decimals of up to 15 digits; null without values."""
    found = row[f"m{place}"]
    if found is None:
        return "null"
    if measure.function == "count":
        return str(found)
    detail = layout.columns[measure.position]
    if measure.function == "median":
        low, high = (_decimal(row[f"{part}{place}"]) for part in "uw")
        return values.number_json(EXACT.divide(EXACT.add(low, high), Decimal(2)))
    if measure.function not in ADDING or detail["exact"]:
        return values.number_json(_decimal(found))
    if f"h{place}" not in row:
        return values.number_json(DIGITS.create_decimal(repr(found))) if math.isfinite(found) else "null"
    whole = row[f"h{place}"] * CHUNK + row[f"l{place}"]
    if measure.function == "sum" and not detail["scale"] and not row.get(f"r{place}"):
        return str(whole)
    total = EXACT.scaleb(Decimal(whole), -detail["scale"])
    if row.get(f"r{place}"):
        total = EXACT.add(total, _decimal(row[f"r{place}"]))
    if measure.function == "avg":
        total = DIGITS.divide(total, Decimal(row[f"k{place}"]))
    return values.number_json(total)


def _decimal(stored: values.Stored) -> Decimal:
    """A number as it stands in a column."""
    if isinstance(stored, str):
        return values.unsorted(stored)
    return Decimal(repr(stored)) if isinstance(stored, float) else Decimal(stored or 0)


def guarded(field: Field) -> bool:
    """Whether a field says anything of what may be added."""
    return WITHIN in field.descriptor or IF in field.descriptor


def check_sql(
    package: Package, layouts: Mapping[str, Layout], shape: Shape, table: Table, groups: Sequence[int], measure: Measure
) -> tuple[Statement, list[str]]:
    """One row that says of each field that must not vary whether it does in any group; the fields, in order.

    Only rows that have a value are looked at, and groups of one row can hold no bad sum.
    """
    field = table.fields[measure.position]
    where = conditions_sql(shape)
    column = f"c{measure.position}"
    within = [name for name in field.descriptor.get(WITHIN, ()) if name in table.index]
    checks = {name: _varies(f"c{table.index[name]}") for name in within if table.index[name] not in groups}
    source = f"t{shape.number}"
    condition = field.descriptor.get(IF)
    if condition and condition["resource"] in layouts and condition["through"] in table.index:
        joined, check = _allowed(package, layouts, table, condition)
        source += joined
        checks.setdefault(condition["through"], "0")
        checks[condition["through"]] = f"({checks[condition['through']]} OR {check})"
    names = list(checks)
    by = f" GROUP BY {', '.join(f'c{p}' for p in groups)}" if groups else ""
    present = f"{where.sql}{' AND' if where.sql else ' WHERE'} {column} IS NOT NULL"
    inner = ", ".join(f"({sql}) AS x{i}" for i, sql in enumerate(checks.values())) or "0 AS x0"
    outer = ", ".join(f"max(x{i})" for i in range(max(len(checks), 1)))
    return Statement(
        f"SELECT {outer} FROM (SELECT {inner} FROM {source}{present}{by})", where.names, where.fixed
    ), names


def _varies(column: str) -> str:
    return f"min({column}) IS NOT max({column}) OR count({column}) NOT IN (0, count(*))"


def _allowed(
    package: Package, layouts: Mapping[str, Layout], table: Table, condition: Mapping[str, Any]
) -> tuple[str, str]:
    """A join to the rows that allow adding, and the check that a group of several rows has none that do not."""
    target = package.table(condition["resource"])
    assert target is not None
    key = next((k for k in table.foreign_keys if k.fields == (condition["through"],)), None)
    reference = key.reference[0] if key else target.primary_key[0]
    own, other, says = table.index[condition["through"]], target.index[reference], target.index[condition["field"]]
    allowed = str(condition["equals"]).replace("'", "''")
    lookup = f"(SELECT c{other} AS reference, c{says} AS says FROM t{layouts[target.name].number})"
    return (
        f" LEFT JOIN {lookup} AS allowed ON allowed.reference = c{own}",
        f"(count(*) > 1 AND max(allowed.says IS NOT '{allowed}'))",
    )


def overlap_sql(shape: Shape, table: Table, groups: Sequence[int], measure: Measure) -> Statement | None:
    """A row where two periods in a group overlap or cannot be told apart; None for a table without periods."""
    figure = table.figure
    start, end, year = (str(figure.get(key, "")) for key in ("periodStart", "periodEnd", "year"))
    if start not in table.index or end not in table.index:
        return None
    first, last = f"c{table.index[start]}", f"c{table.index[end]}"
    named = f"c{table.index[year]}" if year in table.index else "NULL"
    where = conditions_sql(shape)
    column = f"c{measure.position}"
    by = ", ".join(f"c{p}" for p in groups)
    window = f"PARTITION BY {by} " if by else ""
    before = f"max({last}) OVER ({window}ORDER BY {first}, n ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)"
    beside = f"count(*) OVER (PARTITION BY {by + ', ' if by else ''}{named})"
    every = f"count(*) OVER ({window})"
    present = f"{where.sql}{' AND' if where.sql else ' WHERE'} {column} IS NOT NULL"
    inner = (
        f"SELECT {first} AS first, {last} AS last, {named} AS year, {before} AS before, {beside} AS beside, "
        f"{every} AS every, count({named}) OVER ({window}) AS named FROM t{shape.number}{present}"
    )
    # A row that has but a year is known to stand apart only where all have a year, each another one.
    undated = "(first IS NULL OR last IS NULL) AND every > 1 AND (year IS NULL OR beside > 1 OR named < every)"
    return Statement(f"SELECT 1 FROM ({inner}) WHERE first <= before OR ({undated}) LIMIT 1", where.names, where.fixed)
