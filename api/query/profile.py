"""What a column holds: how many values, how many nulls, the least and the greatest; counted once for each release."""

from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

import sqlalchemy as sa

from api.index import sqlite
from api.index.layout import FIELD_SEPARATOR
from api.model.descriptor import Table
from api.query.conditions import measured
from api.query.engines import SHAPES, Statement, statement
from api.query.fields import OPERATORS, operators
from api.query.find import access, select, shown
from api.query.parse import Filter, Query
from api.query.reshape import field_head
from api.query.sql import Rows
from api.store.releases import Release


class Profile(NamedTuple):
    """Of one field: how many different values, how many nulls, the least and the greatest value as JSON ("" where there
    is none, or they have no order).
    """

    distinct: int
    nulls: int
    least: str = ""
    greatest: str = ""


@lru_cache(maxsize=20_000)
def profile(release: Release, table: Table, position: int) -> Profile:
    """The profile of a field. Raises TooSlow; what was counted by then is kept, and the next request gets further."""
    selection = select(release, table, Query())
    ((distinct, nulls),) = selection.rows(_counts(access(selection), position))
    if not distinct or OPERATORS["lt"] not in operators(table.fields[position]):
        return Profile(distinct, nulls)
    return Profile(distinct, nulls, *(_first(release, table, position, down) for down in (False, True)))


@lru_cache(SHAPES)
def _counts(rows: Rows, position: int) -> Statement:
    """How many values a field has, and how many rows have none."""
    value = measured(rows.layout, position)
    counts: list[sa.ColumnElement[Any]] = [sa.func.count(sa.distinct(value)), sa.func.count() - sa.func.count(value)]
    return statement(rows.engine, rows.select(*counts, of=[position]))


def _first(release: Release, table: Table, position: int, down: bool) -> str:
    """The value, as JSON, of the row that comes first in the order of a field: nulls come last, NaN and infinity are
    none.
    """
    finite = sqlite.layouts(release.index)[table.name].columns[position].finite
    ends = {"gt": Decimal("-inf"), "lt": Decimal("inf")} if not finite else {}
    filters = tuple(Filter(position, OPERATORS[name], end) for name, end in ends.items())
    numbers, _, _ = shown(select(release, table, Query(filters=filters, sort=((position, down),), limit=1)))
    return cell(release, table, position, numbers[0])


def cell(release: Release, table: Table, position: int, number: int) -> str:
    """The value of a field in a row, as JSON."""
    layout = sqlite.layouts(release.index)[table.name]
    text = sqlite.json_text(release.index, layout.number, [number])
    return text[1:-1].split(FIELD_SEPARATOR)[position][len(field_head(table.fields[position].name)) :]
