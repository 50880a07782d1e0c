"""Rows as a query wants them: only some fields, foreign keys as the rows they name."""

import json
from json.encoder import encode_basestring
from typing import Any

from api.index import database
from api.index.layout import FIELD_SEPARATOR, ROW_SEPARATOR
from api.index.rows import json_text
from api.model.descriptor import Table
from api.query.find import Selection
from api.store.releases import Release


def reshape(selection: Selection, text: str) -> str:
    """Rows with only the fields that the query picks, foreign keys as objects where it expands them."""
    release, table, _, query, *_ = selection
    lines = [row[1:-1].split(FIELD_SEPARATOR) for row in text.split(ROW_SEPARATOR)] if text else []
    for position in query.expand:
        _expand(release, table, position, lines, selection.seconds)
    picked = query.fields if query.fields is not None else range(len(table.fields))
    return ROW_SEPARATOR.join("{" + FIELD_SEPARATOR.join(parts[i] for i in picked) + "}" for parts in lines)


def _expand(release: Release, table: Table, position: int, lines: list[list[str]], seconds: float) -> None:
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
    number = database.layouts(release.index)[target.name].number
    column = target.index[key.reference[0]]
    named = f"c{column} IN (SELECT value FROM json_each(?))"
    sql = f"SELECT json_group_array(json_array(c{column}, n)) FROM t{number} WHERE {named}"
    row = database.row(release.index, sql, ("[" + ",".join(sorted(raw)) + "]",), seconds)
    numbers = dict(json.loads(row[0])) if row else {}
    texts = json_text(release.index, target, list(numbers.values())).split(ROW_SEPARATOR)
    objects = dict(zip(numbers, texts, strict=False))
    for parts in lines:
        text = parts[position][len(head) :]
        if text != "null":
            parts[position] = head + objects.get(json.loads(text), text)


def every_row(release: Release, table: Table) -> list[tuple[dict[str, Any], str]]:
    """All rows of a small table in the order of its key: each parsed, and as its JSON."""
    text = json_text(release.index, table, range(1, database.layouts(release.index)[table.name].rows + 1))
    return [(json.loads(line), line) for line in text.split(ROW_SEPARATOR)] if text else []


def field_head(name: str) -> str:
    """What a field begins with in a row's JSON."""
    return encode_basestring(name) + ":"
