"""Conflicts and corrections, joined for reading."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, Response

from api.http.request import DataRequest, acceptable, address, of_dataset, tables
from api.http.responses import JSON_TYPE, Body, compact, envelope, respond
from api.http.rows import row_if_any, row_path
from api.http.views.records import page, rows
from api.index.layout import FIELD_SEPARATOR
from api.model.descriptor import Table
from api.model.files import CONFLICTS, CORRECTIONS
from api.query import parameters
from api.query.conflicts import conflicts
from api.query.fields import Parameters
from api.query.find import select
from api.query.retractions import retraction
from api.store.releases import Release

blueprint = Blueprint("conflicts", __name__)


@blueprint.get("/v1/conflicts")
def all_conflicts() -> Response:
    """The conflicts, each with its positions and the figures they name."""
    data_request = of_dataset(CONFLICTS, CONFLICTS, control=control, filtered=True, below=False)
    acceptable({"json": JSON_TYPE})
    return respond(data_request, lambda: _conflicts(data_request))


def _conflicts(data_request: DataRequest) -> Body:
    release, table, query, _ = data_request
    text, _, every, after = rows(data_request, select(release, table, query))
    known = conflicts(release).joined
    key = table.primary_key[0] if len(table.primary_key) == 1 else ""
    data = [known.get(str(row.get(key)), json.dumps(row)) for row in json.loads(f"[{text}]")]
    links = {"next": after, "describedby": address("v1", "datasets", CONFLICTS, "schema")}
    meta = {"dataset": CONFLICTS, "count": len(data), "total": every}
    return Body(envelope(data_request, "[\n" + ",\n".join(data) + "\n]" if data else "[]", meta, links), links)


def control(table: Table) -> Parameters:
    """A joined row is always whole."""
    return {k: v for k, v in parameters.control(table).items() if k not in ("fields", "expand")}


@blueprint.get("/v1/corrections")
def all_corrections() -> Response:
    """The corrections of published figures, each with the row as it is now (null where there is none)."""
    data_request = of_dataset(CORRECTIONS, CORRECTIONS, control=parameters.control, filtered=True, below=False)
    acceptable({"json": JSON_TYPE})
    return page(data_request, joined)


def joined(release: Release, table: Table, lines: Sequence[str], shown: Sequence[str]) -> list[str]:
    """Corrections (`shown` may hold only some of the fields) with the row that each is about, and its address."""
    return [
        f'{text[:-1]}{FIELD_SEPARATOR}"row":{row},"links":{compact({"record": path})}}}'
        for text, (row, path) in zip(shown, (corrected(release, json.loads(line)) for line in lines), strict=True)
    ]


def corrected(release: Release, correction: Mapping[str, Any]) -> tuple[str, str | None]:
    """The JSON and the address of the row that a correction is about.

    The JSON is null where the table has no such row; the address too, unless the row was retracted and says so.
    """
    table = tables(release).get(str(correction.get("dataset")))
    if table is None:
        return "null", None
    record = str(correction.get("record"))
    parts = record.split(",") if len(table.primary_key) > 1 else [record]
    row = row_if_any(release, table, parts)
    known = row or retraction(release, table.name, record)
    return (row[1] if row else "null"), row_path(table, parts) if known else None
