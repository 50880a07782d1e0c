"""Rows as a query wants them: only some fields, foreign keys as the rows they name."""

import json
from contextlib import suppress
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any

import sqlalchemy as sa

from api.index import sqlite
from api.index.layout import FIELD_SEPARATOR, ROW_SEPARATOR, Layout
from api.model import types
from api.model.descriptor import Table
from api.query.engines import SQLITE, OneOf, Statement, statement
from api.query.fields import stored
from api.query.find import Selection, run
from api.query.sql import column, number, source
from api.store.releases import Release


def reshape(selection: Selection, text: str) -> str:
    """Rows with only the fields that the query picks, foreign keys as objects where it expands them."""
    release, table, _, query, *_ = selection
    lines = [row[1:-1].split(FIELD_SEPARATOR) for row in text.split(ROW_SEPARATOR)] if text else []
    for position in query.expand:
        _expand(release, table, position, lines)
    picked = query.fields if query.fields is not None else range(len(table.fields))
    return ROW_SEPARATOR.join("{" + FIELD_SEPARATOR.join(parts[i] for i in picked) + "}" for parts in lines)


def _expand(release: Release, table: Table, position: int, lines: list[list[str]]) -> None:
    """Replace the values of a foreign key by the rows that they name."""
    name = table.fields[position].name
    key = next(k for k in table.foreign_keys if k.fields == (name,))
    target = release.package.table(key.resource)
    if target is None:
        return
    head = field_head(name)
    raw = {parts[position][len(head) :] for parts in lines} - {"null"}
    if not raw:
        return
    layout, place = sqlite.layouts(release.index)[target.name], target.index[key.reference[0]]
    kind, keys = types.kind(target.fields[place]), dict[str, Any]()
    for text in sorted(raw):
        with suppress(ValueError):  # of another type than the key, so that it names no row
            parsed = kind.parse(json.loads(text) if text.startswith('"') else text)
            keys[text] = stored(parsed, kind, layout.columns[place])
    numbers = dict(run(release, _referred(layout, place), {"keys": tuple(keys.values())}))
    texts = sqlite.json_text(release.index, layout.number, list(numbers.values())).split(ROW_SEPARATOR)
    objects = dict(zip(numbers, texts, strict=False))
    for parts in lines:
        text = parts[position][len(head) :]
        if text != "null":
            parts[position] = head + objects.get(keys.get(text), text)


@lru_cache(maxsize=128)
def _referred(layout: Layout, position: int) -> Statement:
    """The rows with these values (bound as keys) of a field: value and number."""
    found = sa.select(column(position), number(layout)).select_from(source(layout, [position]))
    return statement(SQLITE, found.where(OneOf(column(position), sa.bindparam("keys"))))


def every_row(release: Release, table: Table) -> list[tuple[dict[str, Any], str]]:
    """All rows of a small table in the order of its key: each parsed, and as its JSON."""
    layout = sqlite.layouts(release.index)[table.name]
    text = sqlite.json_text(release.index, layout.number, range(1, layout.rows + 1))
    return [(json.loads(line), line) for line in text.split(ROW_SEPARATOR)] if text else []


def field_head(name: str) -> str:
    """What a field begins with in a row's JSON."""
    return encode_basestring(name) + ":"
