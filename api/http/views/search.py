"""Full text over the rows of all datasets."""

import struct
from typing import Any

from flask import Blueprint, Response

from api.http import request as ask
from api.http.responses import JSON_TYPE, Raw, address, envelope, finish, pinned, raw_json, unless_known, with_query
from api.http.views.page import key_path
from api.index import database
from api.index.layout import texts
from api.index.rows import json_text
from api.model.descriptor import Table
from api.query import cursor, parameters, parse
from api.query import sql as query
from api.query.parse import Question
from api.store.releases import Release

blueprint = Blueprint("search", __name__)
PLACE = struct.Struct(">dIQ")


def control(table: Table) -> ask.Parameters:
    """The parameters of the search."""
    known = parameters.control(table)
    return {name: known[name] for name in ("q", "limit", "cursor", "version", "as_of")}


@blueprint.get("/v1/search")
def search() -> Response:
    """Rows of all datasets that hold every word, best first."""
    asked = ask.plain(control)
    release = ask.chosen([entry for entry in asked.canonical if entry[0] in ("version", "as_of")])
    if asked.q is None:
        raise parse.wrong("q", "expected words to search for")
    ask.acceptable({"json": JSON_TYPE})
    path = address("v1", "search")
    unless_known(release, path, asked.canonical)
    found, counts = hits(release, asked)
    more = len(found) > asked.limit
    found = found[: asked.limit]
    data = [_hit(release, *entry) for entry in found]
    after = None
    if more:
        sealed = cursor.write(PLACE.pack(*found[-1]), asked, release.tag, "search")
        rest = [entry for entry in asked.canonical if entry[0] != "cursor"]
        after = with_query(path, tuple(sorted([*rest, ("cursor", sealed)])))
    meta = {"count": len(data), "total": sum(counts.values()), "datasets": counts}
    links = {
        "self": with_query(path, asked.canonical),
        "next": after,
        "permalink": pinned(path, asked.canonical, release),
    }
    body = envelope(raw_json(data), release, meta, links)
    return finish(body, release, path, asked.canonical, links={"next": after})


def hits(release: Release, asked: Question) -> tuple[list[tuple[float, int, int]], dict[str, int]]:
    """Rank, dataset and row of each hit (one more than the page holds), and how many each dataset has."""
    assert asked.q is not None
    searched = [(i, t) for i, t in enumerate(release.package.tables) if texts(t)]
    limit = ask.seconds()
    words = query.match(asked.q)
    parts = [f"SELECT rank AS r, {i} AS d, rowid AS n FROM q{i} WHERE q{i} MATCH ?" for i, _ in searched]
    counted = [f"SELECT count(*) FROM q{i} WHERE q{i} MATCH ?" for i, _ in searched]
    if not parts:
        return [], {}
    counts_sql = "SELECT " + ", ".join(f"({part})" for part in counted)
    numbers = database.row(release.folder, counts_sql, [words] * len(parts), limit) or ()
    counts = {table.name: n for (_, table), n in zip(searched, numbers, strict=True) if n}
    bound: list[Any] = [words] * len(parts)
    after = ""
    if asked.cursor is not None:
        after = " WHERE (r, d, n) > (?, ?, ?)"
        bound += PLACE.unpack(cursor.read(asked, release.tag, "search"))
    sql = f"SELECT r, d, n FROM ({' UNION ALL '.join(parts)}){after} ORDER BY r, d, n LIMIT ?"
    return database.rows(release.folder, sql, [*bound, asked.limit + 1], limit), counts


def _hit(release: Release, rank: float, number: int, row: int) -> dict[str, Any]:
    table = release.package.tables[number]
    text = json_text(release.folder, table, (row,))
    path = key_path(table, text, row)
    return {"dataset": table.name, "score": round(-rank, 6), "record": Raw(text), "links": {"self": path}}
