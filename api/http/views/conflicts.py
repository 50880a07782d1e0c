"""Conflicts and corrections, joined for reading."""

import json
from collections.abc import Sequence
from functools import partial

from flask import Blueprint, Response

from api.http import request as ask
from api.http.errors import ProblemError
from api.http.responses import JSON_TYPE, address, compact, envelope, finish, pinned, unless_known, with_query
from api.http.views.page import page, row_if_any, row_path, rows
from api.index.layout import FIELD_SEPARATOR
from api.model.descriptor import Table
from api.model.files import CONFLICTS, CORRECTIONS
from api.query import parameters, parse
from api.query.conflicts import conflicts
from api.query.find import select, total
from api.store.releases import Release

blueprint = Blueprint("evidence", __name__)


@blueprint.get("/v1/conflicts")
def all_conflicts() -> Response:
    """The conflicts, each with its positions and the figures they name."""
    given = ask.given()
    release = ask.chosen(given)
    table = ask.tables(release).get(CONFLICTS)
    if table is None:
        raise ProblemError("not-found", f"The package has no table {CONFLICTS!r}.")
    asked = parse.read(table, given, control)
    ask.acceptable({"json": JSON_TYPE})
    path = address("v1", CONFLICTS)
    unless_known(release, path, asked.canonical)
    selection = select(release, table, asked, ask.seconds())
    found, _, after = rows(selection, path)
    known = conflicts(release).joined
    key = table.primary_key[0] if len(table.primary_key) == 1 else ""
    data = [known.get(str(row.get(key)), json.dumps(row)) for row in json.loads(b"[" + found + b"]")]
    schema = address("v1", "datasets", CONFLICTS, "schema")
    links = {
        "self": with_query(path, asked.canonical),
        "next": after,
        "describedby": schema,
        "permalink": pinned(path, asked.canonical, release),
    }
    meta = {"dataset": CONFLICTS, "count": len(data), "total": total(selection)}
    body = envelope("[\n" + ",\n".join(data) + "\n]" if data else "[]", release, meta, links)
    return finish(body, release, path, asked.canonical, links={"next": after, "describedby": schema})


def control(table: Table) -> ask.Parameters:
    """A joined row is always whole."""
    return {k: v for k, v in parameters.control(table).items() if k not in ("fields", "expand")}


@blueprint.get("/v1/corrections")
def all_corrections() -> Response:
    """The corrections of published figures, each with the row as it is now (null where there is none)."""
    given = ask.given()
    release = ask.chosen(given)
    table = ask.tables(release).get(CORRECTIONS)
    if table is None:
        raise ProblemError("not-found", f"The package has no table {CORRECTIONS!r}.")
    asked = parse.read(table, given, parameters.control)
    ask.acceptable({"json": JSON_TYPE})
    return page(release, table, asked, address("v1", CORRECTIONS), joined)


def joined(release: Release, table: Table, lines: Sequence[str], shown: Sequence[str]) -> list[str]:
    """Corrections (`shown` may hold only some of the fields) with the row that each is about, and its address."""
    return [
        f'{text[:-1]}{FIELD_SEPARATOR}"row":{row},"links":{compact({"record": path})}}}'
        for text, (row, path) in zip(shown, map(partial(_row_of, release), lines), strict=True)
    ]


def _row_of(release: Release, line: str) -> tuple[str, str | None]:
    """The JSON and the address of the row that a correction is about; null where the table has no such row."""
    said = json.loads(line)
    table = ask.tables(release).get(str(said.get("dataset")))
    if table is None:
        return "null", None
    record = str(said.get("record"))
    parts = record.split(",") if len(table.primary_key) > 1 else [record]
    found = row_if_any(release, table, parts)
    return (found[1] if found else "null"), row_path(table, parts)
