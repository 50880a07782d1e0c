"""Rows as CSV, TSV, JSON Lines, XLSX and Parquet hold the same values as the rows as JSON.

Spreadsheets and formulas. A cell that begins with = + - @ is a formula to a spreadsheet that opens CSV, quoted or not;
what hides it from the spreadsheet (an apostrophe, a space) is read as part of the value by everybody else. So the
two are kept apart: CSV is for machines and stays the release's text, byte for byte, and XLSX is for spreadsheets and
holds text as text, whatever it begins with. Our own package has no cell that begins so, which a test proves: its
CSV is safe in a spreadsheet as it is. Who must open CSV in a spreadsheet asks for `excel=1`, which adds an apostrophe.
"""

import csv
import datetime
import io
import json
import re
import zipfile
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import plainly
import pyarrow.parquet as pq
import pytest
from conftest import PACKAGE
from flask.testing import FlaskClient
from packages import table, write
from served import client_of, problem, rows_path, served

from api.http.views.records import offered

FIELDS = {
    **{"id": "integer", "text": "string", "whole": "integer", "amount": "number", "long": "number", "day": "date"},
    **{"year": "year", "known": "boolean", "month": "yearmonth"},
}
FORMULAS = (
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "=cmd|' /C calc'!A0",
    '=HYPERLINK("http://a.org")',
    "\t=1",
    "\n=1",
    "-",
    "=",
)
TEXTS = (
    *FORMULAS,
    *(
        "plain",
        "a,b",
        'say "so"',
        "two\nlines",
        "two\r\nlines",
        "tab\there",
        "é",
        "日本",
        "😀",
        " spaced ",
        "'quoted'",
        "0012",
    ),
    *(
        "http://a.org",
        "mailto:a@b.org",
        "internal:'x'!A1",
        "_x0041_",
        "<&>",
        "1e5",
        "TRUE",
        "2004-02-29",
        "null",
        "%2C",
    ),
)
ROWS = [
    [
        *(str(n), text, ("9007199254740993", "-5", "")[n % 3], ("0.1", "1.50", "-2.25", "")[n % 4]),
        *(("12345678901234567890.5", "0.1", "")[n % 3], ("2004-02-29", "1899-12-31", "")[n % 3]),
        *(("2007", "")[n % 2], ("true", "false", "")[n % 3], ("2007-03", "")[n % 2]),
    ]
    for n, text in enumerate(TEXTS)
]
QUERIES = (
    *(
        "",
        "id__lt=20",
        "sort=-id",
        "sort=text&limit=7",
        "id=-1",
        "q=plain",
        "fields=text,id",
        "fields=amount&sort=-amount",
    ),
    *("fields=long&limit=1", "known=true&fields=day,known,year,month", "text__startswith=%3D", "limit=3"),
)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    """A row for each text that may be taken for something else."""
    rows = table("rows", [f"{name}:{kind}" for name, kind in FIELDS.items()], ROWS)
    return served(
        tmp_path_factory.mktemp("formats"),
        rows,
        table("none", ["id", "v:number"], []),
        created="2025-01-02T03:04:05Z",  # so that it is found by day
    )


def asked(client: FlaskClient, query: str, kind: str, dataset: str = "rows") -> bytes:
    response = client.get(rows_path(dataset, query, f".{kind}"))
    assert response.status_code == 200, response.get_data(as_text=True)
    return response.data


def as_json(client: FlaskClient, query: str, dataset: str = "rows") -> list[dict[str, Any]]:
    """All rows: a page of JSON has a hundred rows by default, a file all of them."""
    full = query if "limit=" in query else f"{query}&limit=1000"
    return json.loads(asked(client, full, "json", dataset), parse_float=Decimal)["data"]  # type: ignore[no-any-return]


def from_csv(data: bytes) -> list[dict[str, Any]]:
    cells = list(csv.DictReader(io.StringIO(data.decode(), newline="")))
    names = {name: FIELDS[name] for name in (cells[0] if cells else ())}
    return [plainly.shown(row) for row in plainly.means(names, cells)]


def cells_of(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def plain(value: Any) -> Any:
    """A value of a spreadsheet or of Arrow, as JSON shows it."""
    if isinstance(value, datetime.datetime):
        return value.date().isoformat()
    if isinstance(value, datetime.date):
        return value.isoformat()
    return value


def from_parquet(data: bytes) -> list[dict[str, Any]]:
    return [{name: plain(value) for name, value in row.items()} for row in pq.read_table(io.BytesIO(data)).to_pylist()]


def sheet(data: bytes, name: str = "rows") -> Iterable[tuple[Any, ...]]:
    return openpyxl.load_workbook(io.BytesIO(data))[name].iter_rows()  # type: ignore[no-any-return]


def from_xlsx(data: bytes) -> list[dict[str, Any]]:
    head, *rows = ([cell.value for cell in row] for row in sheet(data))
    return [{name: plain(value) for name, value in zip(head, row, strict=True)} for row in rows]


def as_sheet(row: dict[str, Any]) -> dict[str, Any]:
    """What a spreadsheet can hold of a row: of numbers 16 digits, of others the digits as text."""

    def held(name: str, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            return value
        number = Decimal(value)
        return float(number) if len(number.normalize().as_tuple().digits) <= 15 else f"{number:f}"

    return {name: held(name, value) for name, value in row.items()}


@pytest.mark.parametrize("query", QUERIES)
def test_json_lines_are_the_rows(small: FlaskClient, query: str) -> None:
    lines = asked(small, query, "jsonl").decode().removesuffix("\n").split("\n")
    rows = [json.loads(line, parse_float=Decimal) for line in lines if line]
    assert rows == as_json(small, query)


@pytest.mark.parametrize("query", QUERIES)
def test_csv_is_the_rows(small: FlaskClient, query: str) -> None:
    data = asked(small, query, "csv")
    assert from_csv(data) == as_json(small, query)
    names = dict(part.split("=") for part in query.split("&") if part).get("fields", ",".join(FIELDS))
    assert data.splitlines()[0].decode() == names


@pytest.mark.parametrize("query", QUERIES)
def test_tsv_is_csv_with_tabs_for_commas(small: FlaskClient, query: str) -> None:
    """What holds a tab or the end of a line is quoted, and read by whoever reads CSV with another delimiter."""
    tabs = asked(small, query, "tsv").decode()
    assert list(csv.reader(io.StringIO(tabs, newline=""), delimiter="\t")) == cells_of(asked(small, query, "csv"))
    assert "\n" in tabs and "a,b,c" not in tabs


@pytest.mark.parametrize("query", QUERIES)
def test_ndjson_is_json_lines(small: FlaskClient, query: str) -> None:
    assert asked(small, query, "ndjson") == asked(small, query, "jsonl")
    by_accept = small.get(rows_path("rows", query), headers={"Accept": "application/x-ndjson"})
    assert (by_accept.data, by_accept.content_type) == (asked(small, query, "jsonl"), "application/x-ndjson")


@pytest.mark.parametrize("query", QUERIES)
def test_csv_for_spreadsheets_has_a_mark_and_no_formula(small: FlaskClient, query: str) -> None:
    """Numbers stay numbers, whatever their sign; every other cell that would be a formula begins with an apostrophe."""
    data = asked(small, f"{query}&excel=1", "csv")
    assert data.startswith(b"\xef\xbb\xbf")
    head, *rows = cells_of(data)
    plain_head, *plain_rows = cells_of(asked(small, query, "csv"))
    assert head == plain_head
    numeric = {name for name, kind in FIELDS.items() if kind in ("integer", "number")}
    assert rows == [
        [
            f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) and name not in numeric else cell
            for name, cell in zip(head, row, strict=True)
        ]
        for row in plain_rows
    ]


def test_a_mark_of_nothing_in_a_column_of_numbers_is_no_way_to_a_formula(tmp_path: Path) -> None:
    rows = table(
        "=rows", ["+k", "=n:number", "-y:year"], [["a", "-", "1999"], ["b", "=1+1", "2000"], ["c", "-1.5e3", "2001"]]
    )
    client = served(tmp_path, {**rows, "schema": {**rows["schema"], "missingValues": ["", "-", "=1+1"]}})
    data = asked(client, "excel=1", "csv", "=rows").decode("utf-8-sig")
    assert data == "'+k,'=n,'-y\na,-,1999\nb,'=1+1,2000\nc,-1.5e3,2001\n"


def test_the_form_for_spreadsheets_is_of_csv_alone_and_says_so(small: FlaskClient) -> None:
    for kind in ("", ".json", ".jsonl", ".tsv", ".xlsx", ".parquet"):
        body = problem(small, rows_path("rows", "excel=1", kind))
        assert body["detail"] == "excel: is for records.csv alone"
    assert problem(small, rows_path("rows", "excel=yes", ".csv"))["detail"] == "excel: expected 1"


def test_a_list_alone_is_the_data_of_the_envelope_with_its_headers(small: FlaskClient) -> None:
    for query in QUERIES:
        bare, whole = (small.get(rows_path("rows", f"{query}&shape={shape}")) for shape in ("array", "envelope"))
        assert bare.get_json() == whole.get_json()["data"]
        assert bare.content_type == whole.content_type
        assert bare.headers["ETag"] != whole.headers["ETag"]
        assert ('rel="next"' in bare.headers["Link"]) == (whole.get_json()["links"]["next"] is not None)
    pages, link = [], rows_path("rows", "shape=array&limit=7&sort=-id")
    while link:
        page = small.get(link)
        pages += page.get_json()
        link = "".join(re.findall('<([^>]*)>; rel="next"', page.headers["Link"]))
    assert pages == small.get(rows_path("rows", "sort=-id")).get_json()["data"]
    for kind in ("csv", "jsonl", "parquet"):
        detail = f"shape: {kind} has one shape: shape works with json"
        assert problem(small, rows_path("rows", "shape=array", f".{kind}"))["detail"] == detail
    assert problem(small, rows_path("rows", "shape=list"))["detail"] == "shape: expected envelope or array"


@pytest.mark.parametrize("query", ["", "id__lt=3"])
def test_the_first_sheet_of_a_workbook_of_rows_has_the_rows(small: FlaskClient, query: str) -> None:
    book = openpyxl.load_workbook(io.BytesIO(asked(small, query, "xlsx")))
    assert book.sheetnames == ["rows", "Contents"]
    assert [cell.value for cell in book.worksheets[0][1]] == list(FIELDS)


@pytest.mark.parametrize("query", QUERIES)
def test_parquet_is_the_rows(small: FlaskClient, query: str) -> None:
    assert from_parquet(asked(small, query, "parquet")) == as_json(small, query)


@pytest.mark.parametrize("query", QUERIES)
def test_a_workbook_is_the_rows(small: FlaskClient, query: str) -> None:
    found = from_xlsx(asked(small, query, "xlsx"))
    for row in found:
        if isinstance(row.get("text"), str):  # how XML of spreadsheets writes what it cannot hold
            row["text"] = row["text"].replace("_x000D_", "\r").replace("_x005F_", "_")
    wanted = [as_sheet(row) for row in as_json(small, query)]
    while wanted and set(wanted[-1].values()) == {None}:  # a sheet ends with its last cell
        wanted.pop()
    assert [{k: plain(v) for k, v in row.items()} for row in found] == wanted


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "xlsx", "parquet"])
def test_an_empty_answer_is_a_whole_file(small: FlaskClient, kind: str) -> None:
    for dataset, query, names in (
        ("none", "", "id,v"),
        ("rows", "id=-1", ",".join(FIELDS)),
        ("none", "id=a&fields=v", "v"),
    ):
        data = asked(small, query, kind, dataset)
        if kind == "csv":
            assert data.decode() == names + "\n"
        elif kind == "tsv":
            assert data.decode() == names.replace(",", "\t") + "\n"
        elif kind == "jsonl":
            assert data == b""
        elif kind == "parquet":
            empty = pq.read_table(io.BytesIO(data))
            assert (empty.num_rows, empty.column_names) == (0, names.split(","))
        else:
            assert [[cell.value for cell in row] for row in sheet(data, dataset)] == [names.split(",")]


def test_text_is_never_a_formula_or_a_link_in_a_workbook(small: FlaskClient) -> None:
    for query in ("", "id__lt=50"):
        data = asked(small, query, "xlsx")
        texts = {cell.value: cell for row in sheet(data) for cell in row if cell.column == 2}
        for text in FORMULAS:
            cell = texts[text.replace("\r", "_x000D_")]
            assert (cell.data_type, cell.hyperlink) == ("s", None)
        with zipfile.ZipFile(io.BytesIO(data)) as book:
            sheets = [book.read(name) for name in book.namelist() if name.startswith("xl/worksheets/sheet")]
        assert sheets
        assert not any(b"<f>" in one or b"<f " in one for one in sheets)


def test_a_workbook_of_the_release_has_no_formula_either(small: FlaskClient) -> None:
    with zipfile.ZipFile(io.BytesIO(small.get("/releases/1.0.0/package.xlsx").data)) as book:
        sheets = [book.read(name) for name in book.namelist() if name.startswith("xl/worksheets/sheet")]
    assert len(sheets) == 3
    assert not any(b"<f>" in one or b"<f " in one for one in sheets)


def test_no_cell_of_our_own_package_begins_like_a_formula() -> None:
    """So its CSV may be opened with a spreadsheet as it is; a number may be negative."""
    cells = []
    for path in (PACKAGE / "data").glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            cells += [(path.name, number, cell) for number, row in enumerate(csv.reader(file), 1) for cell in row]
    assert len(cells) > 10_000
    formula = re.compile(r"[=+@\t\r]|-(?![\d.]+$)")
    assert [place for place in cells if formula.match(place[-1])] == []


def test_csv_keeps_what_begins_like_a_formula_as_it_is(small: FlaskClient) -> None:
    texts = [row["text"] for row in csv.DictReader(io.StringIO(asked(small, "", "csv").decode(), newline=""))]
    assert texts == list(TEXTS)


@pytest.mark.parametrize(
    ("kind", "path"), [("csv", "data/rows.csv"), ("jsonl", "jsonl/rows.jsonl"), ("parquet", "parquet/rows.parquet")]
)
def test_a_whole_dataset_is_the_file_of_the_release(small: FlaskClient, kind: str, path: str) -> None:
    file = small.get(f"/releases/1.0.0/{path}")
    for query in ("", "version=1.0.0", "as_of=2026-01-01"):
        response = small.get(rows_path("rows", query, f".{kind}"))
        assert response.data == file.data
        assert response.headers["ETag"] == file.headers["ETag"]
        assert response.headers["Repr-Digest"] == file.headers["Repr-Digest"]


def test_the_file_of_the_release_is_the_curated_one(small: FlaskClient) -> None:
    curated = Path(small.application.config["STORE"]).parent / "package" / "data" / "rows.csv"
    assert asked(small, "", "csv") == curated.read_bytes()


def test_part_of_csv_is_the_same_text(small: FlaskClient) -> None:
    whole = asked(small, "", "csv")
    part = asked(small, "id__gte=5&sort=-id", "csv")
    head = whole[: whole.index(b"\n") + 1]
    backwards = []
    for n in reversed(range(5, len(ROWS))):
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerow(ROWS[n])
        backwards.append(out.getvalue().encode())
    assert part == head + b"".join(backwards)
    assert all(row in whole for row in backwards)


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "ndjson"])
def test_a_file_has_all_rows_unless_a_limit_is_given(small: FlaskClient, kind: str) -> None:
    assert len(asked(small, "sort=-id", "jsonl").splitlines()) == len(ROWS)
    response = small.get(rows_path("rows", "limit=5", f".{kind}"))
    assert 'rel="next"' in response.headers["Link"]
    assert response.headers["Content-Disposition"] == f'inline; filename="rows.{kind}"'
    assert 'rel="next"' not in small.get(rows_path("rows", "id__lt=5", f".{kind}")).headers["Link"]


# Files as they come


ODD = {
    "no end of the last line": b"id,v\na,1\nb,2",
    "crlf": b"id,v\r\na,1\r\nb,2\r\n",
    "crlf, no end": b"id,v\r\na,1\r\nb,2",
    "cr": b"id,v\ra,1\rb,2\r",
    "quote inside": b'id,v\na 5" gun,1\nb,2\nc 3" gun,4\nd,4\n',
    "quoted lines": b'id,v\n"a\n\nb",1\n"c\r\nd",2\n',
    "quoted quotes": b'id,v\n"a ""b"" c",1\nd,2\n',
    "everything quoted": b'"id","v"\n"a","1"\n"b","2"\n',
    "byte order mark": b"\xef\xbb\xbfid,v\na,1\nb,2\n",
    "no rows, no end": b"id,v",
    "carriage returns": b'id,v\n"\r=1",1\n"b\r",2\n',
    "unsorted": b"id,v\nc,1\na,2\nb,3\n",
}


@pytest.mark.parametrize("name", ODD)
def test_rows_are_cut_out_of_any_file_in_any_order(tmp_path: Path, name: str) -> None:
    source = write(tmp_path / "package", table("rows", ["id", "v"], []))
    (source / "data" / "rows.csv").write_bytes(ODD[name])
    client = client_of(source, tmp_path / "store")
    with io.StringIO(ODD[name].decode("utf-8-sig"), newline="") as file:
        wanted = sorted(csv.DictReader(file), key=lambda row: row["id"])
    for query, rows in (
        ("", wanted),
        ("sort=-id", wanted[::-1]),
        ("sort=id", wanted),
        ("sort=-id&fields=v,id", wanted[::-1]),
    ):
        text = client.get(rows_path("rows", query, ".csv")).data.decode()
        found = list(csv.DictReader(io.StringIO(text, newline="")))
        lines = [json.loads(line) for line in client.get(rows_path("rows", query, ".jsonl")).data.splitlines()]
        shown = as_json(client, query)
        if not query:  # whole files keep the order of the curated one, which no sort asks to change
            found, lines = (sorted(rows, key=lambda row: row["id"]) for rows in (found, lines))
        assert found == rows
        assert lines == shown


def test_lines_end_as_in_the_file(tmp_path: Path) -> None:
    source = write(tmp_path / "package", table("rows", ["id", "v"], []))
    (source / "data" / "rows.csv").write_bytes(b"id,v\r\nb,1\r\na,2\r\n")
    client = client_of(source, tmp_path / "store")
    assert client.get(rows_path("rows", "sort=id", ".csv")).data == b"id,v\r\na,2\r\nb,1\r\n"


def test_a_sheet_that_no_spreadsheet_opens_is_refused(small: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.release.formats.SHEET_CELLS", 90)
    body = problem(small, rows_path("rows", "id__gte=0", ".xlsx"))
    detail = f"A sheet holds at most 10 of these rows, and {len(ROWS)} match: add filters, or request csv."
    assert (body["status"], body["detail"]) == (406, detail)
    assert small.get(rows_path("rows", "id__lt=9", ".xlsx")).status_code == 200


# The real package


@pytest.mark.parametrize("dataset", ["exports", "vetting", "sources", "conflict_positions"])
def test_every_format_of_the_real_package_holds_the_same_rows(client: FlaskClient, dataset: str) -> None:
    query = "note__isnull=false&limit=200"
    rows = as_json(client, query, dataset)
    assert rows
    lines = asked(client, query, "jsonl", dataset).decode().removesuffix("\n").split("\n")
    assert [json.loads(line, parse_float=Decimal) for line in lines] == rows
    assert from_parquet(asked(client, query, "parquet", dataset)) == rows
    cells = list(csv.DictReader(io.StringIO(asked(client, query, "csv", dataset).decode(), newline="")))
    assert [[cell for cell in row.values() if cell] for row in cells] == [
        [str(value) for value in row.values() if value is not None] for row in rows
    ]
    head, *found = ([cell.value for cell in row] for row in sheet(asked(client, query, "xlsx", dataset), dataset))
    assert head == list(rows[0])
    assert [[plain(v) for v in row] for row in found] == [list(as_sheet(row).values()) for row in rows]


def test_the_formats_that_are_tested_are_all_there_are() -> None:
    assert {*offered()} == {"json", "csv", "tsv", "jsonl", "ndjson", "xlsx", "parquet"}
