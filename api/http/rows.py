"""Single rows: their addresses, how they are found by key, and the rows and conflicts that they lead to."""

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

from api.http.errors import ProblemError
from api.http.request import address, quoted, store, tables
from api.index import sqlite
from api.index.layout import FIELD_SEPARATOR, Layout
from api.index.sqlite import NoIndex
from api.model import types, untyped
from api.model.descriptor import Table
from api.query.fields import stored
from api.query.find import run
from api.query.reshape import field_head
from api.query.retractions import retraction
from api.query.sql import by_value
from api.store.releases import Release, has_index

LOOKED_INTO = 12  # other releases


def row_path(table: Table, parts: Sequence[str]) -> str:
    """The address of a row: a compound key is joined by commas, in key order."""
    return f"{address('v1', 'datasets', table.name, 'records')}/{','.join(map(quoted, parts))}"


def key_path(table: Table, text: str, number: int) -> str:
    """The address of the row with that JSON and number."""
    if not table.primary_key:
        return row_path(table, [str(number)])
    row = json.loads(text, parse_float=str, parse_int=str)
    fields = [table.field(name) for name in table.primary_key]
    typed = json.loads(text, parse_float=Decimal) if any(map(untyped.keeps_types, fields)) else {}
    every = (untyped.cell(typed[f.name]) if untyped.keeps_types(f) else _key_text(row[f.name]) for f in fields)
    return row_path(table, [*every])


def _key_text(value: Any) -> str:
    """A key's value as an address has it; a list is a point."""
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def key_parts(table: Table, text: str) -> list[str]:
    """The parts of a key as an address has them, with its escapes: cut at bare commas, which a value cannot hold.

    Most clients escape the commas between parts too: those are cut at where that gives as many parts as the key has.
    """
    fields = len(table.primary_key)
    if fields < 2:
        return [unquote(text)]
    parts, every = [unquote(part) for part in text.split(",")], unquote(text).split(",")
    return every if len(parts) != fields == len(every) else parts


def row_of(release: Release, table: Table, parts: Sequence[str]) -> tuple[int, str]:
    """The number and JSON of the row with a key; for a table without a key, of the row at that position.

    Raises a problem where there is none: gone, with its retraction, for one that was published and retracted.
    """
    row = row_if_any(release, table, parts)
    if row is not None:
        return row
    name = ",".join(parts)
    retracted = retraction(release, table.name, name)
    if retracted is None:
        versions = _having(release, table.name, parts)
        there = f" It is in {', '.join(versions)}: {row_path(table, parts)}?version={versions[0]}" if versions else ""
        more = {"versions": versions} if versions else {}
        raise ProblemError("not-found", f"There is no row {name!r} in {table.name!r}.{there}", **more)
    correction = json.loads(retracted)
    version, reason = correction["version"], correction.get("reason")
    detail = f"The row {name!r} of {table.name!r} was retracted in version {version}: {reason}"
    raise ProblemError("gone", detail, retraction=correction)


def _having(release: Release, name: str, parts: Sequence[str]) -> list[str]:
    """The versions that have a row which a release has not, newest first; the newest LOOKED_INTO are asked."""
    found = []
    others = [one for one in store().releases() if one is not release and one.withdrawn is None and has_index(one)]
    for other in others[:LOOKED_INTO]:
        table = tables(other).get(name)
        with suppress(NoIndex):
            if table is not None and row_if_any(other, table, parts):
                found.append(other.version)
    return found


def row_if_any(release: Release, table: Table, parts: Sequence[str]) -> tuple[int, str] | None:
    """The number and JSON of the row with a key, or at a position; None where there is none."""
    layout = sqlite.layouts(release.index)[table.name]
    positions = tuple(table.index[name] for name in table.primary_key)
    try:
        if positions:
            bound = [_key(table, layout, i, part) for i, part in zip(positions, parts, strict=True)]
        elif re.fullmatch("[0-9]{1,17}", parts[0]):
            bound = [int(parts[0])]
        else:
            return None
    except ValueError:
        return None
    rows = run(release, by_value(layout, positions), {f"k{i}": value for i, value in enumerate(bound)})
    return (rows[0][0], sqlite.json_text(release.index, layout.number, rows[0])) if rows else None


def _key(table: Table, layout: Layout, position: int, text: str) -> types.Stored:
    """A key's value, as its column holds it. Raises ValueError for one that cannot be read."""
    kind = types.kind(table.fields[position])
    return stored(kind.parse(text), kind, layout.columns[position])


def row_links(release: Release, table: Table, text: str) -> dict[str, str]:
    """Links to the rows that the row's foreign keys name, by field."""
    parts = text[1:-1].split(FIELD_SEPARATOR)
    links = {}
    for key in table.foreign_keys:
        target = tables(release).get(key.resource)
        if len(key.fields) != 1 or target is None or key.reference != target.primary_key:
            continue
        name = key.fields[0]
        value = json.loads(parts[table.index[name]][len(field_head(name)) :], parse_float=str, parse_int=str)
        if value is not None:
            links[name] = row_path(target, [_key_text(value)])
    return links
