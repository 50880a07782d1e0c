"""Full text over the rows of all datasets."""

import json
from typing import Any

from flask import Blueprint, Response

from api.http.request import DataRequest, acceptable, following, of_release, picked
from api.http.responses import JSON_TYPE, Body, compact, envelope, respond
from api.http.rows import key_path
from api.index import sqlite
from api.index.layout import texts
from api.query import empty, parse
from api.query.find import match, place_of
from api.query.parse import Query
from api.store.releases import Release

control = picked("q", "limit", "cursor", "version", "as_of")
blueprint = Blueprint("search", __name__)


@blueprint.get("/v1/search")
def search() -> Response:
    """Rows of all datasets that hold every word, best first."""
    data_request = of_release("v1", "search", control=control)
    if data_request.query.q is None:
        raise parse.wrong("q", "expected words to search for")
    acceptable({"json": JSON_TYPE})
    return respond(data_request, lambda: _hits(data_request))


def _hits(data_request: DataRequest) -> Body:
    release, _, query, _ = data_request
    ranked, counts = hits(release, query)
    page, more = ranked[: query.limit], len(ranked) > query.limit
    links = {"next": following(data_request, json.dumps(page[-1]).encode(), "search") if more else None}
    meta = {"count": len(page), "total": sum(counts.values()), "datasets": counts}
    if not counts and (said := empty.not_read(query.q or "")):
        meta["hints"] = [{"parameter": "q", "reason": said}]
    data = ",\n".join([_hit(release, *entry) for entry in page])
    return Body(envelope(data_request, f"[{data}]", meta, links), links)


def hits(release: Release, query: Query) -> tuple[list[tuple[float, int, int]], dict[str, int]]:
    """Rank, dataset and row of each hit (one more than the page holds), and how many each dataset has."""
    assert query.q is not None
    searched = [(i, t) for i, t in enumerate(release.package.tables) if texts(t)]
    if not searched:
        return [], {}
    bound: list[Any] = [match(query.q)] * len(searched)
    counted = ", ".join(f"(SELECT count(*) FROM q{i} WHERE q{i} MATCH ?)" for i, _ in searched)
    (numbers,) = sqlite.rows(release.index, f"SELECT {counted}", bound)
    counts = {table.name: n for (_, table), n in zip(searched, numbers, strict=True) if n}
    parts = [f"SELECT rank AS r, {i} AS d, rowid AS n FROM q{i} WHERE q{i} MATCH ?" for i, _ in searched]
    after = ""
    if query.cursor is not None:
        after = " WHERE (r, d, n) > (?, ?, ?)"
        bound += json.loads(place_of(query, release.tag, "search"))
    sql = f"SELECT r, d, n FROM ({' UNION ALL '.join(parts)}){after} ORDER BY r, d, n LIMIT ?"
    return sqlite.rows(release.index, sql, [*bound, query.limit + 1]), counts


def _hit(release: Release, rank: float, number: int, row: int) -> str:
    table = release.package.tables[number]
    text = sqlite.json_text(release.index, number, (row,))
    dataset, links = compact(table.name), compact({"self": key_path(table, text, row)})
    return f'{{"dataset":{dataset},"score":{round(-rank, 6)},"record":{text},"links":{links}}}'
