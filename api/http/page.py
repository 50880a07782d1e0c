"""Pages of rows, and rows by their key."""

import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any

from flask import Response, current_app

from api import cursor, engine, orders, query, question
from api.descriptor import Table
from api.evidence import conflicts
from api.http import ask
from api.http.problems import ProblemError
from api.http.respond import address, envelope, finish, pinned, quoted, with_query
from api.layout import FIELD_SEPARATOR, ROW_SEPARATOR
from api.question import Question
from api.retractions import retraction
from api.rowfile import json_text
from api.store import Release

Join = Callable[[Release, Table, Sequence[str], Sequence[str]], list[str]]


def page(release: Release, table: Table, asked: Question, path: str, join: Join | None = None) -> Response:
    """The page that a question asks for, in the envelope; `join` adds to rows (whole, as shown) what they name."""
    layout = engine.layouts(release.folder)[table.name]
    limit = current_app.config["TIME_LIMIT"]
    text, numbers, more = rows(release, table, layout, asked, limit)
    total = total_of(release, table, layout, asked, limit)
    after = following(release, table, asked, numbers[-1], path) if more else None
    whole = text
    if asked.fields is not None or asked.expand:
        text = reshape(release, table, asked, text)
    if join is not None and text:
        text = ROW_SEPARATOR.join(join(release, table, whole.split(ROW_SEPARATOR), text.split(ROW_SEPARATOR)))
    schema = address("v1", "datasets", table.name, "schema")
    meta = {"dataset": table.name, "count": len(numbers), "total": total}
    links = {
        "self": with_query(path, asked.canonical),
        "next": after,
        "describedby": schema,
        "permalink": pinned(path, asked.canonical, release),
    }
    found = included(release, table, numbers)
    body = envelope(f"[\n{text}\n]" if text else "[]", release, meta, links, found)
    return finish(body, release, path, asked.canonical, links={"next": after, "describedby": schema})


def rows(
    release: Release, table: Table, layout: engine.Layout, asked: Question, limit: float
) -> tuple[str, Sequence[int], bool]:
    """The page's rows as JSON text, their numbers, and whether more follow."""
    found = numbers(release, table, layout, asked, asked.limit + 1, limit)
    more = len(found) > asked.limit
    kept = found[: asked.limit]
    return json_text(release.folder, table, kept), kept, more


def numbers(
    release: Release, table: Table, layout: engine.Layout, asked: Question, most: int, limit: float, last: int = 0
) -> Sequence[int]:
    """The numbers of the first `most` rows (-1: all) that a question asks for, in its order.

    They begin after the row that its cursor names, or else after the row `last` (0: from the start).
    """
    if asked.cursor is not None:
        last = int.from_bytes(cursor.read(asked, release.tag, table.name), "big")
    if not asked.filters and not asked.sort and asked.q is None:
        return range(last + 1, (min(last + most, layout.rows) if most >= 0 else layout.rows) + 1)
    shape = query.shape(table, layout, asked)
    sliced = orders.slices(shape, layout)
    if sliced is not None:
        total, begins = counted(release, table, layout, asked, limit)
        return orders.page(orders.open_orders(release.folder, table, layout), sliced, begins, total, last, most)
    bound = query.parameters(table, layout, asked)
    bound["rows"] = most
    after = None
    if last:
        after = engine.row(release.folder, query.keys(shape), (last,), limit) if shape.sort else ()
        if after is None:
            raise question.wrong("cursor", "does not belong to this question")
        bound |= {f"k{place}": value for place, value in enumerate(after)} | {"last": last}
    walk = False
    if most > 0 and shape.sort and query.rollup(shape, layout.pairs):
        total, _ = counted(release, table, layout, asked, limit)
        walk = query.walks(layout.rows, total, most)
    statement = query.numbers(query.shape(table, layout, asked, after, walk))
    return engine.numbers(release.folder, statement.sql, statement.bind(bound), limit)


def total_of(release: Release, table: Table, layout: engine.Layout, asked: Question, limit: float) -> int:
    """How many rows the filters leave; counted once for each set of filters."""
    if not asked.filters and asked.q is None:
        return layout.rows
    return counted(release, table, layout, asked, limit)[0]


def size_of(
    release: Release, table: Table, layout: engine.Layout, asked: Question, kind: str, limit: float
) -> int | None:
    """How many bytes the rows under the filters have in the file of a format; None where no rollup knows."""
    shape = query.shape(table, layout, Question(filters=asked.filters, q=asked.q))
    kept = query.rollup(shape, layout.pairs)
    if kept is None:
        return None
    where = query.conditions_sql(shape)
    sql = f"SELECT coalesce(sum({kind}_bytes), 0) FROM {kept}{where.sql}"
    found = engine.row(release.folder, sql, where.bind(query.parameters(table, layout, asked)), limit)
    return int(found[0]) if found else None


def in_pieces(table: Table, layout: engine.Layout, asked: Question) -> bool:
    """Whether the rows of a question can be found piece by piece without sorting them again for each."""
    shape = query.shape(table, layout, asked)
    return not shape.search and (not shape.sort or orders.slices(shape, layout) is not None)


def counted(release: Release, table: Table, layout: engine.Layout, asked: Question, limit: float) -> tuple[int, int]:
    """How many rows the filters leave and, where a pair of fields is fixed, where they begin in its orders."""
    shape = query.shape(table, layout, Question(filters=asked.filters, q=asked.q))
    statement = query.count(shape, query.rollup(shape, layout.pairs))
    bound = statement.bind(query.parameters(table, layout, asked))
    return _counted(release, statement, tuple(bound), limit)


@lru_cache(maxsize=4_000)
def _counted(release: Release, statement: query.Statement, bound: Sequence[Any], limit: float) -> tuple[int, int]:
    found = engine.row(release.folder, statement.sql, bound, limit)
    return (int(found[0]), int(found[1] or 0)) if found else (0, 0)


def following(release: Release, table: Table, asked: Question, last: int, path: str) -> str:
    """The address of the page after the row with that number."""
    sealed = cursor.write(last.to_bytes(6, "big"), asked, release.tag, table.name)
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
    number = engine.layouts(release.folder)[target.name].number
    column = target.index[key.reference[0]]
    wanted = f"c{column} IN (SELECT value FROM json_each(?))"
    sql = f"SELECT json_group_array(json_array(c{column}, n)) FROM t{number} WHERE {wanted}"
    found = engine.row(release.folder, sql, ("[" + ",".join(sorted(raw)) + "]",), current_app.config["TIME_LIMIT"])
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
    layout = engine.layouts(release.folder)[table.name]
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
    found = engine.row(release.folder, sql, bound, current_app.config["TIME_LIMIT"])
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
