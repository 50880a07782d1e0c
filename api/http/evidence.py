"""Conflicts and corrections, joined for reading."""

import json
from collections.abc import Sequence
from functools import partial

from flask import Blueprint, Response

from api import question, schemas
from api.descriptor import Table
from api.evidence import CONFLICTS, conflicts
from api.http import ask
from api.http.page import page, row_if_any, row_path, rows
from api.http.problems import ProblemError
from api.http.respond import JSON_TYPE, address, compact, envelope, finish, pinned, unless_known, with_query
from api.layout import FIELD_SEPARATOR
from api.retractions import CORRECTIONS
from api.selection import select, total
from api.store import Release

blueprint = Blueprint("evidence", __name__)


@blueprint.get("/v1/conflicts")
def all_conflicts() -> Response:
    """The conflicts, each with its positions and the figures they name."""
    given = ask.given()
    release = ask.chosen(given)
    table = ask.tables(release).get(CONFLICTS)
    if table is None:
        raise ProblemError("not-found", f"The package has no table {CONFLICTS!r}.")
    asked = question.read(table, given, control)
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
    return {k: v for k, v in schemas.control(table).items() if k not in ("fields", "expand")}


@blueprint.get("/v1/corrections")
def all_corrections() -> Response:
    """The corrections of published figures, each with the row as it is now (null where there is none)."""
    given = ask.given()
    release = ask.chosen(given)
    table = ask.tables(release).get(CORRECTIONS)
    if table is None:
        raise ProblemError("not-found", f"The package has no table {CORRECTIONS!r}.")
    asked = question.read(table, given, schemas.control)
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
