"""One entry of a table is all that an operator or an output format takes; the document follows the fields that load."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from packages import table
from served import app_of, get, problem, rows_path, served

from api.query import parameters
from api.query.fields import OPERATORS, Operator
from api.query.find import Selection
from api.release.formats import FORMATS, Format, delimited

PLACES = table("places", ["id:integer", "name"], [[1, "Juárez"], [2, "Nogales"], [3, "TOLUCA"], [4, ""]])


def documented(client: FlaskClient, path: str) -> dict[str, Any]:
    """The document's operation at a path, its parameters by name."""
    document = client.get("/openapi.json").get_json()
    operation = document["paths"][path]["get"]
    named = [entry["$ref"].rpartition("/")[2] for entry in operation["parameters"]]
    entries = [document["components"]["parameters"][name] for name in named]
    response = document["components"]["responses"][operation["responses"]["200"]["$ref"].rpartition("/")[2]]
    return {**operation, "parameters": {entry["name"]: entry for entry in entries}, "response": response}


def test_an_operator_is_one_entry_of_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = served(tmp_path, PLACES)
    unknown = problem(client, rows_path("places", "name__ends=s"))
    assert unknown["type"] == "/problems/unknown-parameter"
    entry = Operator(
        "ends",
        "ends with this, ignoring case",
        frozenset({"string"}),
        lambda operand, value: operand.folded.like(value),
        read=lambda _, text: text,
        bind=lambda value, *_: f"%{value.casefold()}",
        folded=True,
    )
    monkeypatch.setitem(OPERATORS, "ends", entry)
    client = served(tmp_path / "again", PLACES)
    for path, ids in (
        ("name__ends=S", [2]),
        ("name__ends=ez", [1]),
        ("name__ends=a&sort=-id", [3]),
        ("name__ends=x", []),
    ):
        rows = client.get(rows_path("places", path)).get_json()["data"]
        assert [row["id"] for row in rows] == ids, path
    words = documented(client, "/v1/datasets/places/records")["parameters"]["where"]["description"]
    assert "- `ends`: the field ends with this, ignoring case; string" in words.splitlines()
    assert client.get("/v1/datasets/places/aggregate?name__ends=a").get_json()["data"] == [{"count": 1}]
    assert client.get(rows_path("places", "id__ends=1")).status_code == 400


def _tab_separated(selection: Selection, batches: Iterable[Sequence[int]]) -> Iterable[str]:
    rows = csv.reader(io.StringIO("".join(delimited.part(selection, batches)), newline=""))
    return ("\t".join(row) + "\n" for row in rows)


def test_an_output_format_is_one_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    media_type = "text/tab-separated-values; charset=utf-8"
    served(tmp_path, PLACES)
    client = app_of(tmp_path / "store").test_client()
    assert client.get(rows_path("places", extension=".tabs")).status_code == 406
    monkeypatch.setitem(FORMATS, "tabs", Format("tabs", "Tab-separated", media_type, part=_tab_separated))
    client = app_of(tmp_path / "store").test_client()
    expected = "id\tname\n3\tTOLUCA\n2\tNogales\n"
    query = "id__in=2,3&sort=-id"
    for answer in (
        client.get(rows_path("places", query, ".tabs")),
        get(client, rows_path("places", query), Accept="text/tab-separated-values"),
    ):
        assert (answer.status_code, answer.content_type, answer.text) == (200, media_type, expected)
        assert answer.headers["Content-Disposition"] == 'inline; filename="places.tabs"'
    whole = client.get(rows_path("places", extension=".tabs")).text
    assert whole.splitlines()[0] == "id\tname" and len(whole.splitlines()) == 5
    operation = documented(client, "/v1/datasets/{dataset}/records.tabs")
    assert operation["operationId"] == "records_tabs"
    assert [*operation["response"]["content"]] == ["text/tab-separated-values"]


def test_the_document_changes_with_the_field_that_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = served(tmp_path, PLACES)
    assert documented(client, "/v1/datasets/places/records")["parameters"]["limit"]["schema"]["maximum"] == 1000
    assert client.get(rows_path("places", "limit=8")).status_code == 200
    monkeypatch.setattr(parameters, "LIMIT_MAX", 7)
    monkeypatch.setitem(OPERATORS, "gte", OPERATORS["gte"]._replace(words="is no less than this"))
    client = served(tmp_path / "again", PLACES)
    known = documented(client, "/v1/datasets/places/records")["parameters"]
    assert known["limit"]["schema"]["maximum"] == 7
    assert "- `gte`: the field is no less than this;" in known["where"]["description"]
    assert problem(client, rows_path("places", "limit=8"))["detail"] == "limit: expected 1 to 7"
