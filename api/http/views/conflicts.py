"""Conflicts and corrections, joined for reading."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, Response

from api.http.request import acceptable, of_dataset, picked, tables
from api.http.responses import JSON_TYPE, compact
from api.http.rows import row_if_any, row_path
from api.http.views.records import page, row_control, single
from api.index.layout import FIELD_SEPARATOR
from api.model.descriptor import Table
from api.model.files import CONFLICTS, CORRECTIONS
from api.query import parameters
from api.query.conflicts import conflicts
from api.query.retractions import retraction
from api.store.releases import Release

control = picked("limit", "cursor", "sort", "q", "version", "as_of", "shape")  # a joined row is always whole
blueprint = Blueprint("conflicts", __name__)


@blueprint.get("/v1/conflicts")
def all_conflicts() -> Response:
    """The conflicts, each with its positions and the figures they name."""
    data_request = of_dataset(CONFLICTS, CONFLICTS, control=control, filtered=True, below=False)
    acceptable({"json": JSON_TYPE})
    return page(data_request, _with_positions, including=False)


@blueprint.get("/v1/conflicts/<raw:key>")
def conflict(key: str) -> Response:
    """One conflict by its key, with its positions and the figures they name."""
    return single(of_dataset(CONFLICTS, CONFLICTS, below=False), key, _with_positions, including=False)


def _with_positions(release: Release, table: Table, lines: Sequence[str], _: Sequence[str]) -> list[str]:
    known = conflicts(release).joined
    key = table.primary_key[0] if len(table.primary_key) == 1 else ""
    return [known.get(str(row.get(key)), json.dumps(row)) for row in map(json.loads, lines)]


@blueprint.get("/v1/corrections")
def all_corrections() -> Response:
    """The corrections of published figures, each with the row as it is now (null where there is none).

    With `fields` only what these name.
    """
    data_request = of_dataset(CORRECTIONS, CORRECTIONS, control=parameters.control, filtered=True, below=False)
    acceptable({"json": JSON_TYPE})
    return page(data_request, joined if data_request.query.fields is None else None)


@blueprint.get("/v1/corrections/<raw:key>")
def correction(key: str) -> Response:
    """One correction by its key, with the row as it is now (null where there is none)."""
    return single(of_dataset(CORRECTIONS, CORRECTIONS, control=row_control, below=False), key, joined)


def joined(release: Release, table: Table, lines: Sequence[str], shown: Sequence[str]) -> list[str]:
    """Corrections (in `shown` foreign keys may be objects) with the row that each is about, and its address."""
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
