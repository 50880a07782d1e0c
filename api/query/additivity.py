"""Whether a sum is honest.

A field may say, with the custom property `lantern:additiveWithin`, within which other fields its values are parts of
one whole; with `lantern:additiveIf`, that the row a foreign key leads to must allow adding; and the schema's
`lantern:figure` says which fields hold the period. A sum or average over rows that differ in such a field, or whose
periods overlap, is no number but a list of what varies.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.index import database
from api.index.database import Layout, Statement
from api.model.descriptor import Field, Package, Table
from api.query.find import Selection
from api.query.groups import Measure
from api.query.sql import Shape, conditions_sql

WITHIN = "lantern:additiveWithin"
IF = "lantern:additiveIf"
EXAMPLES = 5


@dataclass(frozen=True)
class Variation:
    """Why rows must not be added: a field that varies inside a group, and some of its values."""

    field: str
    reason: str
    found: tuple[Any, ...] = ()


def variations(selection: Selection, groups: Sequence[int], measure: Measure) -> list[Variation]:
    """Why the measure must not be taken of these groups; nothing when it may."""
    release, table = selection.release, selection.table
    layouts = database.layouts(release.folder)
    statement, names = _check(release.package, layouts, selection.plan.where, table, groups, measure)
    bound = statement.bind(selection.bound)
    row = database.row(release.folder, statement.sql, bound, selection.seconds) or ()
    bad = [name for name, varies in zip(names, row, strict=False) if varies]
    found = [_variation(selection, measure, name, table.index[name] in groups) for name in bad]
    overlap = _overlap(selection.plan.where, table, groups, measure) if not bad else None
    if overlap is not None:
        if database.row(release.folder, overlap.sql, overlap.bind(selection.bound), selection.seconds):
            figure = table.figure
            found.append(Variation(figure["periodStart"], "periods overlap or are not known"))
            found.append(Variation(figure["periodEnd"], "periods overlap or are not known"))
    return found


def _variation(selection: Selection, measure: Measure, name: str, grouped: bool) -> Variation:
    position, where = selection.table.index[name], selection.plan.conditions
    present = f"{where.sql}{' AND' if where.sql else ' WHERE'} c{measure.position} IS NOT NULL"
    sql = f"SELECT DISTINCT c{position} FROM t{selection.layout.number}{present} ORDER BY 1 LIMIT {EXAMPLES + 1}"
    rows = database.rows(selection.release.folder, sql, where.bind(selection.bound), selection.seconds)
    found = tuple(row[0] for row in rows)
    if grouped or len(found) == 1:
        return Variation(name, "its values must never be added", found[:EXAMPLES])
    return Variation(name, "varies", found[:EXAMPLES])


def wider(
    selection: Selection, groups: Sequence[int], measure: Measure, found: Sequence[Variation]
) -> tuple[int, ...] | None:
    """Groups that would work: by what varies too, by the period too if need be, at last by the key."""
    table = selection.table
    figure = table.figure
    varying = [table.index[v.field] for v in found if v.reason == "varies"]
    period = [
        table.index[figure[k]] for k in ("periodType", "periodStart", "periodEnd") if figure.get(k) in table.index
    ]
    key = [table.index[name] for name in table.primary_key]
    for more in (varying, [*varying, *period], [*varying, *period, *key]):
        tried = tuple(dict.fromkeys([*groups, *more]))
        if tried != tuple(groups) and not variations(selection, tried, measure):
            return tried
    return None


def guarded(field: Field) -> bool:
    """Whether a field says anything of what may be added."""
    return WITHIN in field.descriptor or IF in field.descriptor


def _check(
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


def _overlap(shape: Shape, table: Table, groups: Sequence[int], measure: Measure) -> Statement | None:
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
