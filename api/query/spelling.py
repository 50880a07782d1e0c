"""Compared values → JSON, as rows spell them."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any

import sqlalchemy as sa

from api.index import sqlite
from api.index.layout import FIELD_SEPARATOR, ROW_SEPARATOR
from api.model import decimals
from api.query.engines import SHAPES, OneOf, Statement, statement
from api.query.find import Selection, access
from api.query.reshape import field_head
from api.query.sql import Rows, column, number

VALUES = "values"  # the name under which they are bound
Spell = Callable[[Sequence[Any]], list[str]]


def spelled(selection: Selection, position: int, part: str = "") -> Spell:
    """How values of a field, or a part of its dates, become JSON."""
    field = selection.table.fields[position]
    if field.type == "duration":
        return lambda values: _durations(selection, position, values)
    one = _plain if part else _JSON.get(field.type, _plain)
    return lambda values: ["null" if value is None else one(value) for value in values]


def _plain(value: str | int) -> str:
    return encode_basestring(value) if isinstance(value, str) else str(value)


def _number(value: str | int | float) -> str:
    return str(value) if isinstance(value, int) else decimals.to_json(sqlite.decimal(value))


# By type, where the compared value is not the JSON already.
_JSON: Mapping[str, Callable[[Any], str]] = {
    "integer": _number,
    "number": _number,
    "boolean": lambda value: "true" if value else "false",
    "datetime": '"{}Z"'.format,
}


def _durations(selection: Selection, position: int, values: Sequence[Any]) -> list[str]:
    """Durations, which compare by their seconds: each as the first of the rows under the filters that has it."""
    wanted = tuple({value for value in values if value is not None})
    if not wanted:
        return ["null"] * len(values)
    asked = selection._replace(bound={**selection.bound, VALUES: wanted})
    first = dict(asked.rows(_first(access(selection), position)))
    rows = sqlite.json_text(selection.release.index, selection.layout.number, list(first.values()))
    head = len(field_head(selection.table.fields[position].name))
    texts = [row[1:-1].split(FIELD_SEPARATOR)[position][head:] for row in rows.split(ROW_SEPARATOR)]
    known: dict[Any, str] = {None: "null", **dict(zip(first, texts, strict=True))}
    return [known[value] for value in values]


@lru_cache(SHAPES)
def _first(rows: Rows, position: int) -> Statement:
    """Each of some values of a field, with the number of the first row that has it."""
    value = column(position)
    found = rows.select(value, sa.func.min(number(rows.layout)), of=[position])
    return statement(rows.engine, found.where(OneOf(value, sa.bindparam(VALUES))).group_by(value))
