"""Whether values may be added.

A field may say, with the custom property `lantern:additiveWithin`, within which other fields its values are parts of
one whole; with `lantern:additiveIf`, that the row a foreign key leads to must allow adding; and the schema's
`lantern:figure` says which fields hold the period. For a sum or average over rows that differ in such a field, or whose
periods overlap, the result is a list of what varies instead of a number.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from api.index import database
from api.index.database import Layout, Statement
from api.model.descriptor import Field, Package, Table
from api.query.find import Selection
from api.query.groups import Measure
from api.query.sql import Shape, with_value
from api.store.releases import Release

WITHIN = "lantern:additiveWithin"
IF = "lantern:additiveIf"
EXAMPLES = 5


@dataclass(frozen=True)
class Variation:
    """Why rows must not be added: a field that varies inside a group, and some of its values (`found`)."""

    field: str
    reason: str
    values: tuple[Any, ...] = ()


def variations(selection: Selection, groups: Sequence[int], measure: Measure) -> list[Variation]:
    """Why the measure must not be taken of these groups; nothing when it may."""
    release, table, where = selection.release, selection.table, selection.plan.where
    check, names = _check(release, where, table, tuple(groups), measure)
    row = _first(selection, check) or ()
    varying = [name for name, varies in zip(names, row, strict=False) if varies]
    if varying:
        return [_variation(selection, measure, name, table.index[name] in groups) for name in varying]
    overlap = _overlap(where, table, tuple(groups), measure)
    if overlap is None or _first(selection, overlap) is None:
        return []
    ends = (table.figure["periodStart"], table.figure["periodEnd"])
    return [Variation(name, "periods overlap or are not known") for name in ends]


def _first(selection: Selection, statement: Statement) -> tuple[Any, ...] | None:
    bound = statement.bind(selection.bound)
    return database.row(selection.release.index, statement.sql, bound, selection.seconds)


def _variation(selection: Selection, measure: Measure, name: str, grouped: bool) -> Variation:
    where = with_value(selection.plan.where, measure.position)
    column = f"c{selection.table.index[name]}"
    sql = f"SELECT DISTINCT {column} FROM t{selection.layout.number}{where.sql} ORDER BY 1 LIMIT {EXAMPLES}"
    rows = database.rows(selection.release.index, sql, where.bind(selection.bound), selection.seconds)
    reason = "its values must never be added" if grouped or len(rows) == 1 else "varies"
    return Variation(name, reason, tuple(value for (value,) in rows))


def wider(
    selection: Selection, groups: Sequence[int], measure: Measure, varied: Sequence[Variation]
) -> tuple[int, ...] | None:
    """Groups that would work: by what varies too, then by the period too, at last by the key too; None without any."""
    table, tried = selection.table, tuple(groups)
    varying = [variation.field for variation in varied if variation.reason == "varies"]
    period = [table.figure[key] for key in ("periodType", "periodStart", "periodEnd") if key in table.figure]
    for names in (varying, period, table.primary_key):
        more = [table.index[name] for name in names if name in table.index]
        wide = tuple(dict.fromkeys([*tried, *more]))
        if wide != tried and not variations(selection, wide, measure):
            return wide
        tried = wide
    return None


def guarded(field: Field) -> bool:
    """Whether a field's schema limits what may be added."""
    return WITHIN in field.descriptor or IF in field.descriptor


@lru_cache(maxsize=128)
def _check(
    release: Release, shape: Shape, table: Table, groups: tuple[int, ...], measure: Measure
) -> tuple[Statement, list[str]]:
    """One row: whether each field that must not vary does so in any group; and these fields, in order.

    Only rows that have a value count, and groups of one row can hold no bad sum.
    """
    descriptor, layouts = table.fields[measure.position].descriptor, database.layouts(release.index)
    checks: dict[str, str] = {}
    for name in descriptor.get(WITHIN, ()):
        if name in table.index and table.index[name] not in groups:
            column = f"c{table.index[name]}"
            checks[name] = f"min({column}) IS NOT max({column}) OR count({column}) NOT IN (0, count(*))"
    source, condition = f"t{shape.number}", descriptor.get(IF)
    if condition and condition["resource"] in layouts and condition["through"] in table.index:
        join, refused = _refused(release.package, layouts, table, condition)
        source += join
        checks[condition["through"]] = f"({checks.get(condition['through'], '0')} OR {refused})"
    inner = ", ".join(f"({sql}) AS x{i}" for i, sql in enumerate(checks.values())) or "0 AS x0"
    outer = ", ".join(f"max(x{i})" for i in range(max(len(checks), 1)))
    where = with_value(shape, measure.position)
    by = f" GROUP BY {', '.join(f'c{p}' for p in groups)}" if groups else ""
    sql = f"SELECT {outer} FROM (SELECT {inner} FROM {source}{where.sql}{by})"
    return replace(where, sql=sql), list(checks)


def _refused(
    package: Package, layouts: Mapping[str, Layout], table: Table, condition: Mapping[str, Any]
) -> tuple[str, str]:
    """A join to the rows that a foreign key leads to, and the check whether one of them, in a group of several rows,
    does not allow adding.
    """
    target = package.table(condition["resource"])
    assert target is not None
    key = next((k for k in table.foreign_keys if k.fields == (condition["through"],)), None)
    reference = key.reference[0] if key else target.primary_key[0]
    own, other, field = table.index[condition["through"]], target.index[reference], target.index[condition["field"]]
    allowing = str(condition["equals"]).replace("'", "''")
    lookup = f"(SELECT c{other} AS reference, c{field} AS value FROM t{layouts[target.name].number})"
    return (
        f" LEFT JOIN {lookup} AS target ON target.reference = c{own}",
        f"(count(*) > 1 AND max(target.value IS NOT '{allowing}'))",
    )


@lru_cache(maxsize=128)
def _overlap(shape: Shape, table: Table, groups: tuple[int, ...], measure: Measure) -> Statement | None:
    """A row where two periods in a group overlap or cannot be told apart; None for a table without periods."""
    start, end, year = (table.index.get(table.figure.get(key, "")) for key in ("periodStart", "periodEnd", "year"))
    if start is None or end is None:
        return None
    first, last, named = f"c{start}", f"c{end}", "NULL" if year is None else f"c{year}"
    by = ", ".join(f"c{p}" for p in groups)
    window = f"PARTITION BY {by} " if by else ""
    before = f"max({last}) OVER ({window}ORDER BY {first}, n ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)"
    beside = f"count(*) OVER (PARTITION BY {by + ', ' if by else ''}{named})"
    where = with_value(shape, measure.position)
    periods = (
        f"SELECT {first} AS first, {last} AS last, {named} AS year, {before} AS before, {beside} AS beside, "
        f"count(*) OVER ({window}) AS every, count({named}) OVER ({window}) AS named FROM t{shape.number}{where.sql}"
    )
    # A row that has but a year is known not to overlap only where all have a year, each another one.
    undated = "(first IS NULL OR last IS NULL) AND every > 1 AND (year IS NULL OR beside > 1 OR named < every)"
    return replace(where, sql=f"SELECT 1 FROM ({periods}) WHERE first <= before OR ({undated}) LIMIT 1")
