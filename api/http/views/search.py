"""Full text over the rows of all datasets."""

import json
from typing import Any

from flask import Blueprint, Response

from api.http.json_text import Raw, raw_json
from api.http.request import DataRequest, acceptable, of_release, with_query
from api.http.responses import JSON_TYPE, Body, envelope, respond
from api.http.rows import key_path
from api.index import sqlite
from api.index.layout import texts
from api.model.descriptor import Table
from api.query import parameters, parse
from api.query.fields import Parameters
from api.query.find import cursor_of, match, place_of
from api.query.parse import Query
from api.store.releases import Release

blueprint = Blueprint("search", __name__)


def control(table: Table) -> Parameters:
    """The parameters of the search."""
    known = parameters.control(table)
    return {name: known[name] for name in ("q", "limit", "cursor", "version", "as_of")}


@blueprint.get("/v1/search")
def search() -> Response:
    """Rows of all datasets that hold every word, best first."""
    data_request = of_release("v1", "search", control=control)
    if data_request.query.q is None:
        raise parse.wrong("q", "expected words to search for")
    acceptable({"json": JSON_TYPE})
    return respond(data_request, lambda: _hits(data_request))


def _hits(data_request: DataRequest) -> Body:
    release, _, query, path = data_request
    ranked, counts = hits(release, query)
    page = ranked[: query.limit]
    data = [_hit(release, *entry) for entry in page]
    after = None
    if len(ranked) > query.limit:
        sealed = cursor_of(json.dumps(page[-1]).encode(), query, release.tag, "search")
        rest = [entry for entry in query.canonical if entry[0] != "cursor"]
        after = with_query(path, tuple(sorted([*rest, ("cursor", sealed)])))
    meta = {"count": len(data), "total": sum(counts.values()), "datasets": counts}
    return Body(envelope(data_request, raw_json(data), meta, {"next": after}), {"next": after})


def hits(release: Release, query: Query) -> tuple[list[tuple[float, int, int]], dict[str, int]]:
    """Rank, dataset and row of each hit (one more than the page holds), and how many each dataset has."""
    assert query.q is not None
    searched = [(i, t) for i, t in enumerate(release.package.tables) if texts(t)]
    words = match(query.q)
    parts = [f"SELECT rank AS r, {i} AS d, rowid AS n FROM q{i} WHERE q{i} MATCH ?" for i, _ in searched]
    counted = [f"SELECT count(*) FROM q{i} WHERE q{i} MATCH ?" for i, _ in searched]
    if not parts:
        return [], {}
    counts_sql = "SELECT " + ", ".join(f"({part})" for part in counted)
    (numbers,) = sqlite.rows(release.index, counts_sql, [words] * len(parts))
    counts = {table.name: n for (_, table), n in zip(searched, numbers, strict=True) if n}
    bound: list[Any] = [words] * len(parts)
    after = ""
    if query.cursor is not None:
        after = " WHERE (r, d, n) > (?, ?, ?)"
        bound += json.loads(place_of(query, release.tag, "search"))
    sql = f"SELECT r, d, n FROM ({' UNION ALL '.join(parts)}){after} ORDER BY r, d, n LIMIT ?"
    return sqlite.rows(release.index, sql, [*bound, query.limit + 1]), counts


def _hit(release: Release, rank: float, number: int, row: int) -> dict[str, Any]:
    table = release.package.tables[number]
    text = sqlite.json_text(release.index, number, (row,))
    path = key_path(table, text, row)
    return {"dataset": table.name, "score": round(-rank, 6), "record": Raw(text), "links": {"self": path}}
