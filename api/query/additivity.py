"""Whether values may be added.

A field may say, with the custom property `lantern:additiveWithin`, within which other fields its values are parts of
one whole; with `lantern:additiveIf`, that the row a foreign key leads to must allow adding; and the schema's
`lantern:figure` says which fields hold the period. For a sum or average over rows that differ in such a field, or whose
periods overlap, the result is a list of what varies instead of a number.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from api.index import sqlite
from api.index.layout import Layout
from api.model.descriptor import Field, Package, Table
from api.query.engines import Engine, Statement, statement
from api.query.find import Selection, access
from api.query.groups import Measure
from api.query.sql import Shape, Uses, column, conditions, free, number, source
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
    release, table, by, reached = selection.release, selection.table, tuple(groups), access(selection)
    check, names = _check(release, selection.layout, selection.plan.where, table, by, measure, *reached)
    (row,) = selection.rows(check)
    varying = [name for name, varies in zip(names, row, strict=False) if varies]
    if varying:
        return [_variation(selection, measure, name, table.index[name] in groups) for name in varying]
    overlap = _overlap(selection.layout, selection.plan.where, table, by, measure, *reached)
    if overlap is None or not selection.rows(overlap):
        return []
    ends = (table.figure["periodStart"], table.figure["periodEnd"])
    return [Variation(name, "periods overlap or are not known") for name in ends]


def _variation(selection: Selection, measure: Measure, name: str, grouped: bool) -> Variation:
    position = selection.table.index[name]
    rows = selection.rows(_values(selection.layout, selection.plan.where, measure, position, *access(selection)))
    reason = "its values must never be added" if grouped or len(rows) == 1 else "varies"
    return Variation(name, reason, tuple(_plain(value) for (value,) in rows))


def _plain(value: Any) -> Any:
    """A value as JSON has it: a whole number is no fraction."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


@lru_cache(maxsize=128)
def _values(layout: Layout, where: Shape, measure: Measure, position: int, engine: Engine, uses: Uses) -> Statement:
    """Some of the values that a field has among the rows that are measured."""
    value = free(column(position), uses).label("value")
    found = sa.select(value).distinct().select_from(source(layout, [*where.positions, position, measure.position]))
    found = found.where(*_measured(layout, where, measure, uses)).order_by(sa.literal_column("value").nulls_first())
    return statement(engine, found.limit(sa.literal_column(str(EXAMPLES))))


def _measured(layout: Layout, where: Shape, measure: Measure, uses: Uses) -> list[sa.ColumnElement[bool]]:
    """The rows under the filters that have a value: only they count."""
    return [*conditions(layout, where, uses), column(measure.position).is_not(None)]


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
    release: Release,
    layout: Layout,
    where: Shape,
    table: Table,
    groups: tuple[int, ...],
    measure: Measure,
    engine: Engine,
    uses: Uses,
) -> tuple[Statement, list[str]]:
    """One row: whether each field that must not vary does so in any group; and these fields, in order.

    Groups of one row can hold no bad sum.
    """
    descriptor, layouts = table.fields[measure.position].descriptor, sqlite.layouts(release.index)
    within = [name for name in descriptor.get(WITHIN, ()) if name in table.index and table.index[name] not in groups]
    checks = {name: _varies(column(table.index[name])) for name in within}
    used = [*where.positions, *groups, measure.position, *(table.index[name] for name in checks)]
    condition = descriptor.get(IF) or {}
    through = str(condition.get("through"))
    joined = through in table.index and condition["resource"] in layouts
    tables = source(layout, [*used, table.index[through]] if joined else used)
    if joined:
        target = _target(release.package, layouts, table, condition)
        tables = tables.outerjoin(target, target.c.reference == column(table.index[through]))
        refusing = sa.case((target.c.value.is_distinct_from(str(condition["equals"])), 1), else_=0)
        refused = sa.and_(sa.func.count() > 1, sa.func.max(refusing) == 1)
        checks[through] = sa.or_(checks[through], refused) if through in checks else refused
    flags = [sa.case((check, 1), else_=0).label(f"x{i}") for i, check in enumerate(checks.values())]
    inner = sa.select(*(flags or [sa.literal_column("0").label("x0")])).select_from(tables)
    inner = inner.where(*_measured(layout, where, measure, uses)).group_by(
        *(free(column(position), uses) for position in groups)
    )
    every = inner.subquery()
    return statement(engine, sa.select(*(sa.func.max(flag) for flag in every.c))), list(checks)


def _varies(value: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """Whether a column has several values in a group, or one in some rows and none in others."""
    some = sa.func.count(value)
    return sa.or_(sa.func.min(value) != sa.func.max(value), sa.and_(some != 0, some != sa.func.count()))


def _target(package: Package, layouts: Mapping[str, Layout], table: Table, condition: Mapping[str, Any]) -> sa.Subquery:
    """The rows that a foreign key leads to: what refers to them, and what decides whether adding is allowed."""
    target = package.table(condition["resource"])
    assert target is not None
    key = next((k for k in table.foreign_keys if k.fields == (condition["through"],)), None)
    reference = target.index[key.reference[0] if key else target.primary_key[0]]
    value = target.index[condition["field"]]
    pair = column(reference).label("reference"), column(value).label("value")
    return sa.select(*pair).select_from(source(layouts[target.name], [reference, value])).subquery("target")


@lru_cache(maxsize=128)
def _overlap(
    layout: Layout, where: Shape, table: Table, groups: tuple[int, ...], measure: Measure, engine: Engine, uses: Uses
) -> Statement | None:
    """A row where two periods in a group overlap or cannot be told apart; None for a table without periods."""
    start, end, year = (table.index.get(table.figure.get(key, "")) for key in ("periodStart", "periodEnd", "year"))
    if start is None or end is None:
        return None
    first, last = free(column(start), uses), free(column(end), uses)
    named: sa.ColumnElement[Any] = sa.null() if year is None else column(year)
    by = [free(column(position), uses) for position in groups]
    ordered = [first.nulls_first(), number(layout)]
    periods = sa.select(
        first.label("first"),
        last.label("last"),
        named.label("year"),
        sa.func.max(last).over(partition_by=by, order_by=ordered, rows=(None, -1)).label("before"),
        sa.func.count().over(partition_by=[*by, named]).label("beside"),
        sa.func.count().over(partition_by=by).label("every"),
        sa.func.count(named).over(partition_by=by).label("named"),
    )
    used = [*where.positions, *groups, measure.position, start, end, *([] if year is None else [year])]
    periods = periods.select_from(source(layout, used)).where(*_measured(layout, where, measure, uses))
    of = periods.subquery().c
    # A row that has but a year is known not to overlap only where all have a year, each another one.
    unknown = sa.or_(of.year.is_(None), of.beside > 1, of.named < of.every)
    undated = sa.and_(sa.or_(of.first.is_(None), of.last.is_(None)), of.every > 1, unknown)
    found: sa.Select[Any] = sa.select(sa.literal_column("1")).where(sa.or_(of.first <= of.before, undated))
    return statement(engine, found.limit(sa.literal_column("1")))
