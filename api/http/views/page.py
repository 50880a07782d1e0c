"""Pages of rows, and rows by their key."""

import json
from collections.abc import Callable, Sequence
from json.encoder import encode_basestring
from typing import Any

from flask import Response

from api.http import request as ask
from api.http.errors import ProblemError
from api.http.responses import address, envelope, finish, pinned, quoted, unless_known, with_query
from api.index import database
from api.index.layout import FIELD_SEPARATOR, ROW_SEPARATOR
from api.index.rows import json_bytes, json_text
from api.model.descriptor import Table
from api.query import cursor
from api.query import sql as query
from api.query.conflicts import conflicts
from api.query.find import Selection, numbers, select, total
from api.query.parse import Question
from api.query.retractions import retraction
from api.store.releases import Release

Join = Callable[[Release, Table, Sequence[str], Sequence[str]], list[str]]


def page(release: Release, table: Table, asked: Question, path: str, join: Join | None = None) -> Response:
    """The page that a question asks for, in the envelope; `join` adds to rows (whole, as shown) what they name."""
    unless_known(release, path, asked.canonical)
    selection = select(release, table, asked, ask.seconds())
    data, shown, after = rows(selection, path)
    if data and (asked.fields is not None or asked.expand or join is not None):
        whole = data.decode()
        text = reshape(release, table, asked, whole) if asked.fields is not None or asked.expand else whole
        if join is not None:
            text = ROW_SEPARATOR.join(join(release, table, whole.split(ROW_SEPARATOR), text.split(ROW_SEPARATOR)))
        data = text.encode()
    schema = address("v1", "datasets", table.name, "schema")
    meta = {"dataset": table.name, "count": len(shown), "total": total(selection)}
    links = {
        "self": with_query(path, asked.canonical),
        "next": after,
        "describedby": schema,
        "permalink": pinned(path, asked.canonical, release),
    }
    found = included(release, table, shown)
    body = envelope(b"[\n" + data + b"\n]" if data else b"[]", release, meta, links, found)
    return finish(body, release, path, asked.canonical, links={"next": after, "describedby": schema})


def rows(selection: Selection, path: str) -> tuple[bytes, Sequence[int], str | None]:
    """The page's rows as JSON, their numbers, and the address of the next page if more rows follow."""
    most = selection.asked.limit
    found = numbers(selection, most + 1)
    kept = found[:most]
    after = following(selection, kept[-1], path) if len(found) > most else None
    return json_bytes(selection.release.folder, selection.table, kept), kept, after


def following(selection: Selection, last: int, path: str) -> str:
    """The address of the page after the row with that number."""
    asked = selection.asked
    sealed = cursor.write(last.to_bytes(6, "big"), asked, selection.release.tag, selection.table.name)
    rest = [entry for entry in asked.canonical if entry[0] != "cursor"]
    return with_query(path, tuple(sorted([*rest, ("cursor", sealed)])))


def included(release: Release, table: Table, numbers: Sequence[int]) -> str:
    """The conflicts that rows of the page take part in, as a member of the envelope (without positions)."""
    known = conflicts(release)
    of_row = known.of_row.get(table.name)
    if not of_row:
        return ""
    names = dict.fromkeys(name for number in numbers for name in of_row.get(number, ()))
    if not names:
        return ""
    return ',\n"included":{"conflicts":[' + ",".join(known.alone[name] for name in names) + "]}"


def reshape(release: Release, table: Table, asked: Question, text: str) -> str:
    """Rows with only the fields asked for, foreign keys as objects where asked."""
    lines = [row[1:-1].split(FIELD_SEPARATOR) for row in text.split(ROW_SEPARATOR)] if text else []
    for position in asked.expand:
        _expand(release, table, position, lines)
    kept = asked.fields if asked.fields is not None else range(len(table.fields))
    return ROW_SEPARATOR.join("{" + FIELD_SEPARATOR.join(parts[i] for i in kept) + "}" for parts in lines)


def _expand(release: Release, table: Table, position: int, lines: list[list[str]]) -> None:
    """Put the row that a foreign key names in the place of its value."""
    name = table.fields[position].name
    key = next(k for k in table.foreign_keys if k.fields == (name,))
    target = ask.tables(release).get(key.resource)
    if target is None:
        return
    head = field_head(name)
    raw = {parts[position][len(head) :] for parts in lines} - {"null"}
    if not raw:
        return
    number = database.layouts(release.folder)[target.name].number
    column = target.index[key.reference[0]]
    wanted = f"c{column} IN (SELECT value FROM json_each(?))"
    sql = f"SELECT json_group_array(json_array(c{column}, n)) FROM t{number} WHERE {wanted}"
    found = database.row(release.folder, sql, ("[" + ",".join(sorted(raw)) + "]",), ask.seconds())
    there = dict(json.loads(found[0])) if found else {}
    texts = json_text(release.folder, target, list(there.values())).split(ROW_SEPARATOR)
    objects = dict(zip(there, texts, strict=False))
    for parts in lines:
        text = parts[position][len(head) :]
        if text != "null":
            parts[position] = head + objects.get(json.loads(text), text)


def field_head(name: str) -> str:
    """How a field begins in a row's JSON."""
    return encode_basestring(name) + ":"


def row_path(table: Table, parts: list[str]) -> str:
    """The address of a row: a compound key is joined by commas, in key order."""
    return f"{address('v1', 'datasets', table.name, 'records')}/{','.join(map(quoted, parts))}"


def key_path(table: Table, text: str, number: int) -> str:
    """The address of the row with that JSON and number."""
    if not table.primary_key:
        return row_path(table, [str(number)])
    row = json.loads(text, parse_float=str, parse_int=str)
    return row_path(table, [key_text(row[name]) for name in table.primary_key])


def key_text(value: Any) -> str:
    """A key's value as it stands in an address; a list is a point."""
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def row_of(release: Release, table: Table, parts: list[str]) -> tuple[int, str]:
    """The number and JSON of the row with a key; for a table without a key, of the row at that position.

    Raises a problem where there is none: gone, with its retraction, for one that was published and retracted.
    """
    found = row_if_any(release, table, parts)
    if found is not None:
        return found
    name = ",".join(parts)
    why = retraction(release, table.name, name)
    if why is None:
        raise ProblemError("not-found", f"There is no row {name!r} in {table.name!r}.")
    told = json.loads(why)
    detail = f"The row {name!r} of {table.name!r} was retracted in version {told['version']}: {told.get('reason')}"
    raise ProblemError("gone", detail, retraction=told)


def row_if_any(release: Release, table: Table, parts: list[str]) -> tuple[int, str] | None:
    """The number and JSON of the row with a key, or at a position; None where there is none."""
    layout = database.layouts(release.folder)[table.name]
    conditions: list[str] = ["n = ?"]
    bound: list[Any] = []
    if not table.primary_key:
        if not (parts[0].isascii() and parts[0].isdigit() and len(parts[0]) < 18):
            return None
        bound = [int(parts[0])]
    elif len(parts) != len(table.primary_key):
        return None
    else:
        positions = [table.index[name] for name in table.primary_key]
        conditions = [f"c{i} = ?" for i in positions]
        try:
            bound = [query.stored(table, layout, i, part) for i, part in zip(positions, parts, strict=True)]
        except ValueError:
            return None
    sql = f"SELECT n FROM t{layout.number} WHERE {' AND '.join(conditions)}"
    found = database.row(release.folder, sql, bound, ask.seconds())
    return None if found is None else (found[0], json_text(release.folder, table, found))


def row_links(release: Release, table: Table, text: str) -> dict[str, str]:
    """Links to the rows that the row's foreign keys name, by field."""
    parts = text[1:-1].split(FIELD_SEPARATOR)
    links = {}
    for key in table.foreign_keys:
        target = ask.tables(release).get(key.resource)
        if len(key.fields) != 1 or target is None or key.reference != target.primary_key:
            continue
        name = key.fields[0]
        value = json.loads(parts[table.index[name]][len(field_head(name)) :])
        if value is not None:
            links[name] = address("v1", "datasets", target.name, "records", str(value))
    return links
