"""Conflicts and corrections, joined for reading."""

import json

from flask import Blueprint, Response, current_app

from api import engine, question, schemas
from api.descriptor import Table
from api.evidence import CONFLICTS, conflicts
from api.http import ask
from api.http.page import following, page, rows, total_of
from api.http.problems import ProblemError
from api.http.respond import JSON_TYPE, address, envelope, finish, pinned, with_query

blueprint = Blueprint("evidence", __name__)
CORRECTIONS = "corrections"


@blueprint.get("/v1/conflicts")
def all_conflicts() -> Response:
    """The conflicts, each with its positions and the figures they name."""
    given = ask.given()
    release = ask.chosen(given)
    table = ask.tables(release).get(CONFLICTS)
    if table is None:
        raise ProblemError("not-found", f"The package has no table {CONFLICTS!r}.")
    asked = question.read(table, given, _control)
    ask.acceptable({"json": JSON_TYPE})
    layout = engine.layouts(release.folder)[table.name]
    limit = current_app.config["TIME_LIMIT"]
    text, numbers, more = rows(release, table, layout, asked, limit)
    known = conflicts(release).joined
    key = table.primary_key[0] if len(table.primary_key) == 1 else ""
    data = [known.get(str(row.get(key)), json.dumps(row)) for row in json.loads(f"[{text}]")]
    path = address("v1", CONFLICTS)
    after = following(release, table, asked, numbers[-1], path) if more else None
    total = total_of(release, table, layout, asked, limit)
    schema = address("v1", "datasets", CONFLICTS, "schema")
    links = {
        "self": with_query(path, asked.canonical),
        "next": after,
        "describedby": schema,
        "permalink": pinned(path, asked.canonical, release),
    }
    meta = {"dataset": CONFLICTS, "count": len(data), "total": total}
    body = envelope("[\n" + ",\n".join(data) + "\n]" if data else "[]", release, meta, links)
    return finish(body, release, path, asked.canonical, links={"next": after, "describedby": schema})


def _control(table: Table) -> ask.Parameters:
    """A joined row is always whole."""
    return {k: v for k, v in schemas.control(table).items() if k not in ("fields", "expand")}


@blueprint.get("/v1/corrections")
def all_corrections() -> Response:
    """The corrections of published figures."""
    given = ask.given()
    release = ask.chosen(given)
    table = ask.tables(release).get(CORRECTIONS)
    if table is None:
        raise ProblemError("not-found", f"The package has no table {CORRECTIONS!r}.")
    asked = question.read(table, given, schemas.control)
    ask.acceptable({"json": JSON_TYPE})
    return page(release, table, asked, address("v1", CORRECTIONS))
