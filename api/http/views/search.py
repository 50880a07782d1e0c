"""Full text over the rows of all datasets."""

import json
from typing import Any

from flask import Blueprint, Response
from marshmallow import fields, validate

from api.http.request import DataRequest, acceptable, altered, of_release, picked, pinned, tables, turned
from api.http.responses import JSON_TYPE, Body, compact, envelope, respond
from api.http.rows import key_path
from api.index import sqlite
from api.index.layout import texts
from api.model.descriptor import Table
from api.model.nearest import nearest
from api.query import empty, parse
from api.query.fields import Parameters
from api.query.find import BACK, match, place_of
from api.query.parse import Query
from api.store.releases import Release

blueprint = Blueprint("search", __name__)


def control(table: Table) -> Parameters:
    """The parameters of search."""
    words = {"description": "Only rows of this dataset."}
    dataset = fields.String(validate=validate.Length(1, 200), metadata=words)
    return {**picked("q", "limit", "cursor", "version", "as_of", "shape")(table), "dataset": dataset}


@blueprint.get("/v1/search")
def search() -> Response:
    """Rows of all datasets that hold every word, best first."""
    data_request = of_release("v1", "search", control=control)
    if data_request.query.q is None:
        raise parse.wrong("q", "expected words to search for")
    known, name = tables(data_request.release), data_request.query.more.get("dataset")
    if name is not None and name not in known:
        reason = f"there is no dataset {name[:60]!r} in release {data_request.release.version}"
        raise parse.wrong("dataset", reason, did_you_mean=nearest(name, known))
    acceptable({"json": JSON_TYPE})
    return respond(data_request, lambda: _hits(data_request))


def _hits(data_request: DataRequest) -> Body:
    release, _, query, _ = data_request
    page, counts, before, after = hits(release, query)
    links = {
        "first": altered(data_request.path, query.canonical, "cursor"),
        "prev": turned(data_request, BACK + json.dumps(page[0]).encode(), "search") if before and page else None,
        "next": turned(data_request, json.dumps(page[-1]).encode(), "search") if after and page else None,
    }
    meta = {"count": len(page), "total": sum(counts.values()), "datasets": counts}
    said = empty.not_read(query.q or "") or (
        "" if counts else "no row has all of this; a star ends the beginning of a word"
    )
    if said:
        meta["hints"] = [{"parameter": "q", "reason": said}]
    data = ",\n".join([_hit(data_request, *entry) for entry in page])
    return Body(envelope(data_request, f"[{data}]", meta, links), links)


def hits(release: Release, query: Query) -> tuple[list[tuple[float, int, int]], dict[str, int], bool, bool]:
    """Rank, dataset and row of each hit of the page, how many each dataset has, and whether any stand before and after
    the page.
    """
    assert query.q is not None
    only = query.more.get("dataset")
    searched = [(i, t) for i, t in enumerate(release.package.tables) if texts(t) and only in (None, t.name)]
    if not searched:
        return [], {}, False, False
    bound: list[Any] = [match(query.q)] * len(searched)
    counted = ", ".join(f"(SELECT count(*) FROM q{i} WHERE q{i} MATCH ?)" for i, _ in searched)
    (numbers,) = sqlite.rows(release.index, f"SELECT {counted}", bound)
    counts = {table.name: n for (_, table), n in zip(searched, numbers, strict=True) if n}
    parts = [f"SELECT rank AS r, {i} AS d, rowid AS n FROM q{i} WHERE q{i} MATCH ?" for i, _ in searched]
    place = place_of(query, release.tag, "search") if query.cursor is not None else b""
    back, where = place.startswith(BACK), ""
    if place:
        where = f" WHERE (r, d, n) {'<' if back else '>'} (?, ?, ?)"
        bound += json.loads(place.removeprefix(BACK))
    order = "r DESC, d DESC, n DESC" if back else "r, d, n"
    sql = f"SELECT r, d, n FROM ({' UNION ALL '.join(parts)}){where} ORDER BY {order} LIMIT ?"
    found = sqlite.rows(release.index, sql, [*bound, query.limit + 1])
    more, page = len(found) > query.limit, found[: query.limit]
    return (page[::-1], counts, more, True) if back else (page, counts, bool(place), more)


def _hit(data_request: DataRequest, rank: float, number: int, row: int) -> str:
    release = data_request.release
    table = release.package.tables[number]
    text = sqlite.json_text(release.index, number, (row,))
    dataset, links = compact(table.name), compact(pinned(data_request, {"self": key_path(table, text, row)}))
    return f'{{"dataset":{dataset},"score":{round(-rank, 6)},"record":{text},"links":{links}}}'
