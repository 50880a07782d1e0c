"""Rows as a query wants them: only some fields, foreign keys as the rows they name."""

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any

import sqlalchemy as sa

from api.index import sqlite
from api.index.layout import FIELD_SEPARATOR, ROW_SEPARATOR, Layout
from api.model import types
from api.model.descriptor import Table
from api.query.conditions import Far, column, number, source
from api.query.engines import SQLITE, OneOf, Statement, statement
from api.query.fields import stored
from api.query.find import Selection, run
from api.query.foreign import Foreign
from api.query.sql import led_to
from api.store.releases import Release


def reshape(selection: Selection, numbers: Sequence[int], text: str) -> str:
    """Rows, by number and as JSON, with only the fields that the query picks, foreign keys as objects where it expands
    them.
    """
    release, table, _, query, *_ = selection
    lines = [row[1:-1].split(FIELD_SEPARATOR) for row in text.split(ROW_SEPARATOR)] if text else []
    for position in query.expand:
        _expand(release, table, position, lines)
    columns: list[Sequence[str]] = list(zip(*lines, strict=True))
    picked = range(len(table.fields)) if query.fields is None else query.fields
    shown = [columns[i] if isinstance(i, int) else _foreign_json(selection, numbers, i) for i in picked if lines]
    return ROW_SEPARATOR.join("{" + FIELD_SEPARATOR.join(row) + "}" for row in zip(*shown, strict=True))


def _foreign_json(selection: Selection, numbers: Sequence[int], leads: Foreign) -> list[str]:
    """A field of the rows that a foreign key leads to, for rows by number: name and value as JSON."""

    def value(row: str) -> str:
        return row[1:-1].split(FIELD_SEPARATOR)[leads.position][len(field_head(leads.field.name)) :]

    head = field_head(leads.name)
    return [head + text for text in foreign_cells(selection, numbers, leads, "json", value, "null")]


def foreign_cells(
    selection: Selection,
    numbers: Sequence[int],
    leads: Foreign,
    column: str,
    cell: Callable[[str], str],
    absent: str,
) -> list[str]:
    """What `cell` makes of the text (`column` json or csv) of the row that a foreign key leads to, for each of these
    rows; `absent` where it leads to none.
    """
    release, table, layout = selection.release, selection.table, selection.layout
    there = sqlite.layouts(release.index)[leads.table.name]
    pairs = zip(leads.key.fields, leads.key.reference, strict=True)
    keys = tuple([(table.index[here], leads.table.index[far]) for here, far in pairs])
    led = dict(run(release, led_to(layout, Far(there, keys)), {"numbers": tuple(numbers)}))
    texts = sqlite.texts(release.index, there.number, column, {*led.values()})
    cells = {number: cell(text) for number, text in texts.items()}
    return [cells[led[number]] if number in led else absent for number in numbers]


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
