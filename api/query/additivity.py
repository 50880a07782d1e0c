"""Whether values may be added.

A field may say, with the custom property `lantern:additiveWithin`, within which other fields its values are parts of
one whole; with `lantern:additiveIf`, that the row a foreign key leads to must allow adding; and the schema's
`lantern:figure` says which fields hold the period. For a sum or average over rows that differ in such a field, or whose
periods overlap, the result is a list of what varies instead of a number. Grouping by a field fixes it; grouping by a
part of a date does not.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from api.index import sqlite
from api.index.layout import Layout
from api.model import moments
from api.model.descriptor import Field, Package, Table
from api.query.conditions import column, number, source
from api.query.engines import SHAPES, Statement, statement
from api.query.find import Selection, access
from api.query.measures import Group, Measure
from api.query.measures import groups as groupable
from api.query.sql import Rows
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


def variations(selection: Selection, groups: Sequence[Group], measure: Measure) -> list[Variation]:
    """Why the measure must not be taken of these groups; nothing when it may."""
    table, by, rows = selection.table, tuple(groups), access(selection)
    check, names = _check(selection.release, rows, table, by, measure)
    (row,) = selection.rows(check)
    found = []
    for name in (name for name, varies in zip(names, row, strict=False) if varies):
        position = table.index[name]
        values = [
            _plain(table.fields[position].type, value) for (value,) in selection.rows(_values(rows, measure, position))
        ]
        reason = "its values must never be added" if position in _fixed(by) or len(values) == 1 else "varies"
        found.append(Variation(name, reason, tuple(values)))
    if found:
        return found
    overlap = _overlap(rows, table, by, measure)
    if overlap is None or not selection.rows(overlap):
        return []
    return [Variation(table.figure[key], "periods overlap or are not known") for key in ("periodStart", "periodEnd")]


def _fixed(groups: Iterable[Group]) -> set[int]:
    """The fields that have one value in each group."""
    return {group.position for group in groups if not group.part}


def _free(rows: Rows, groups: Iterable[Group]) -> list[sa.ColumnElement[Any]]:
    """What rows are grouped by."""
    return [rows.free(sa.literal_column(group.sql)) for group in groups]


def _plain(type: str, value: Any) -> Any:
    """A value as JSON has it: a whole number is no fraction."""
    if type == "yearmonth" and value is not None:
        return moments.month_text(value)
    return int(sqlite.decimal(value)) if isinstance(value, float) and value.is_integer() else value


@lru_cache(SHAPES)
def _values(rows: Rows, measure: Measure, position: int) -> Statement:
    """Some of the values that a field has among the rows that are measured."""
    value = rows.free(column(position)).label("value")
    found = _measured(rows, measure, value, of=[position]).distinct()
    found = found.order_by(sa.literal_column("value").nulls_first())
    return statement(rows.engine, found.limit(sa.literal_column(str(EXAMPLES))))


def _measured(rows: Rows, measure: Measure, *what: sa.ColumnElement[Any], of: Iterable[int]) -> sa.Select[Any]:
    """What is selected of the rows that have a value: only they count."""
    return rows.select(*what, of=[*of, measure.position]).where(column(measure.position).is_not(None))


def wider(
    selection: Selection, groups: Sequence[Group], measure: Measure, varied: Sequence[Variation]
) -> tuple[Group, ...] | None:
    """Groups that would work: by what varies too, then by the period too, at last by the key too; None without any."""
    table, tried, known = selection.table, tuple(groups), groupable(selection.table)
    varying = [variation.field for variation in varied if variation.reason == "varies"]
    period = [table.figure[key] for key in ("periodType", "periodStart", "periodEnd") if key in table.figure]
    for names in (varying, period, table.primary_key):
        more = [known[name] for name in names if name in known and name in table.index]
        wide = tuple(dict.fromkeys([*tried, *more]))
        if wide != tried and not variations(selection, wide, measure):
            return wide
        tried = wide
    return None


def guarded(field: Field) -> bool:
    """Whether a field's schema limits what may be added."""
    return WITHIN in field.descriptor or IF in field.descriptor


@lru_cache(SHAPES)
def _check(
    release: Release, rows: Rows, table: Table, groups: tuple[Group, ...], measure: Measure
) -> tuple[Statement, list[str]]:
    """One row: whether each field that must not vary does so in any group; and these fields, in order.

    Groups of one row can hold no bad sum.
    """
    descriptor, layouts = table.fields[measure.position].descriptor, sqlite.layouts(release.index)
    fixed = _fixed(groups)
    within = [name for name in descriptor.get(WITHIN, ()) if name in table.index and table.index[name] not in fixed]
    checks = {name: _varies(column(table.index[name])) for name in within}
    condition = descriptor.get(IF) or {}
    through, target = str(condition.get("through", "")), None
    if through in table.index and condition["resource"] in layouts:
        target = _target(release.package, layouts, table, condition)
        refusing = sa.case((target.c.value.is_distinct_from(str(condition["equals"])), 1), else_=0)
        refused = sa.and_(sa.func.count() > 1, sa.func.max(refusing) == 1)
        checks[through] = sa.or_(checks[through], refused) if through in checks else refused
    flags = [sa.case((check, 1), else_=0).label(f"x{i}") for i, check in enumerate(checks.values())]
    used = [*(group.position for group in groups), *(table.index[name] for name in checks)]
    inner = _measured(rows, measure, *(flags or [sa.literal_column("0").label("x0")]), of=used)
    if target is not None:
        inner = inner.join(target, target.c.reference == column(table.index[through]), isouter=True)
    every = inner.group_by(*_free(rows, groups)).subquery()
    return statement(rows.engine, sa.select(*(sa.func.max(flag) for flag in every.c))), list(checks)


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


@lru_cache(SHAPES)
def _overlap(rows: Rows, table: Table, groups: tuple[Group, ...], measure: Measure) -> Statement | None:
    """A row where two periods in a group overlap or cannot be told apart; None for a table without periods."""
    start, end, year = (table.index.get(table.figure.get(key, "")) for key in ("periodStart", "periodEnd", "year"))
    if start is None or end is None:
        return None
    first, last = rows.free(column(start)), rows.free(column(end))
    named: sa.ColumnElement[Any] = sa.null() if year is None else column(year)
    by = _free(rows, groups)
    ordered = [first.nulls_first(), number(rows.layout)]
    used = [*(group.position for group in groups), start, end, *([] if year is None else [year])]
    periods = _measured(
        rows,
        measure,
        first.label("first"),
        last.label("last"),
        named.label("year"),
        sa.func.max(last).over(partition_by=by, order_by=ordered, rows=(None, -1)).label("before"),
        sa.func.count().over(partition_by=[*by, named]).label("beside"),
        sa.func.count().over(partition_by=by).label("every"),
        sa.func.count(named).over(partition_by=by).label("named"),
        of=used,
    )
    of = periods.subquery().c
    # A row that has but a year is known not to overlap only where all have a year, each another one.
    unknown = sa.or_(of.year.is_(None), of.beside > 1, of.named < of.every)
    undated = sa.and_(sa.or_(of.first.is_(None), of.last.is_(None)), of.every > 1, unknown)
    found: sa.Select[Any] = sa.select(sa.literal_column("1")).where(sa.or_(of.first <= of.before, undated))
    return statement(rows.engine, found.limit(sa.literal_column("1")))
