"""Tables wider or longer than some format holds: served whole, and what lacks them says so."""

import io
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import openpyxl
import pyarrow.parquet as pq
import pytest
from flask.testing import FlaskClient
from packages import table, write
from served import answer, app_of, client_of, served

from api.release.build import build
from api.release.formats import SHEET_ROWS

COLUMNS = 2_500
LAST = COLUMNS - 1
WHY = "2,500 columns: a table of SQLite holds at most 2,000"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of 2,500 text fields with two rows, r-c in row r and column c, and a narrow one that refers to it."""
    folder = tmp_path_factory.mktemp("wide")
    wide = table("wide", [f"c{n}" for n in range(COLUMNS)], [[f"{r}w{n} x{r}" for n in range(COLUMNS)] for r in (1, 2)])
    keys = [{"fields": ["of"], "reference": {"resource": "wide", "fields": ["c0"]}}]
    narrow = table("narrow", ["id", "of"], [["a", "2w0 x2"]], foreignKeys=keys)
    build(write(folder / "package", wide, narrow), folder / "store")
    return folder / "store"


@pytest.fixture(scope="module")
def client(store: Path) -> FlaskClient:
    return app_of(store).test_client()


def test_every_column_is_served_filtered_and_sorted(client: FlaskClient) -> None:
    rows = answer(client, "/v1/datasets/wide/records")["data"]
    assert [list(row.values()) for row in rows] == [[f"{r}w{n} x{r}" for n in range(COLUMNS)] for r in (1, 2)]
    for query in (f"c{LAST}=2w{LAST}%20x2", f"sort=-c{LAST}&limit=1", "c1200__startswith=2w"):
        assert answer(client, f"/v1/datasets/wide/records?{query}")["data"] == [rows[1]]
    joined = answer(client, f"/v1/datasets/narrow/records?fields=id,of.c{LAST}")["data"]
    assert joined == [{"id": "a", f"of.c{LAST}": f"2w{LAST} x2"}]


def test_every_column_is_searched_and_no_phrase_spans_two(client: FlaskClient) -> None:
    for column in (0, 1, 999, 1000, 2000, LAST):
        found = answer(client, f"/v1/datasets/wide/records?q=2w{column}&fields=c0")["data"]
        assert found == [{"c0": "2w0 x2"}], column
    assert answer(client, '/v1/datasets/wide/records?q="1w1 x1"')["meta"]["total"] == 1
    assert answer(client, '/v1/datasets/wide/records?q="x1 1w1"')["meta"]["total"] == 0


@pytest.mark.parametrize("extension", ["csv", "jsonl", "parquet", "xlsx"])
def test_every_format_has_every_column(client: FlaskClient, extension: str) -> None:
    data = client.get(f"/v1/datasets/wide/records.{extension}").data
    if extension == "csv":
        assert data.splitlines()[0].count(b",") == LAST
    elif extension == "jsonl":
        assert len(json.loads(data.splitlines()[0])) == COLUMNS
    elif extension == "parquet":
        assert pq.read_table(io.BytesIO(data)).num_columns == COLUMNS
    else:
        assert openpyxl.load_workbook(io.BytesIO(data))["wide"].max_column == COLUMNS


def test_what_the_database_lacks_is_said_wherever_one_looks(client: FlaskClient, store: Path) -> None:
    folder = store / "releases/1.0.0"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["left_out"] == [{"file": "package.sqlite", "dataset": "wide", "reason": WHY}]
    with closing(sqlite3.connect(folder / "package.sqlite")) as db:
        assert db.execute("SELECT * FROM _tables").fetchall() == [
            ("narrow", "narrow", "narrow", "", 1),
            (None, "wide", "wide", f"[Left out: {WHY}; data/wide.csv has them all.]", 2),
        ]
        assert db.execute("SELECT * FROM narrow").fetchall() == [("a", "2w0 x2")]
    described = answer(client, "/v1/datasets/wide")["data"]
    assert described["left_out"] == [{"file": "package.sqlite", "reason": WHY}]
    assert (len(described["fields"]), len(described["profile"])) == (COLUMNS, 300)
    assert "left_out" not in answer(client, "/v1/datasets/narrow")["data"]
    assert f"without wide: {WHY}" in client.get("/", headers={"Accept": "text/html"}).get_data(as_text=True)


def test_rows_beyond_what_a_sheet_takes_are_left_out_of_the_workbook_alone(tmp_path: Path) -> None:
    client = served(tmp_path, table("long", ["id:integer"], [[n] for n in range(SHEET_ROWS + 1)]))
    why = f"{SHEET_ROWS + 1:,} rows: tables of more than {SHEET_ROWS:,} rows are left out of the workbook"
    assert answer(client, "/v1/datasets/long")["data"]["left_out"] == [{"file": "package.xlsx", "reason": why}]


def test_a_field_name_of_ten_thousand_characters_is_served(tmp_path: Path) -> None:
    name = "n" * 10_000
    client = client_of(write(tmp_path / "package", table("t", ["id", name], [["a", "b"]])), tmp_path / "store")
    assert answer(client, "/v1/datasets/t/records")["data"] == [{"id": "a", name: "b"}]
    for path in ("/v1/datasets/t", "/v1/datasets/t/schema", "/openapi.json", "/v1/datasets/t/records.xlsx", "/docs/"):
        assert client.get(path).status_code == 200, path
    with closing(sqlite3.connect(tmp_path / "store/releases/1.0.0/package.sqlite")) as db:
        assert db.execute(f'SELECT "{name[:1000]}" FROM t').fetchall() == [("b",)]
        assert db.execute('SELECT field FROM _fields WHERE "column" = ?', [name[:1000]]).fetchall() == [(name,)]
