"""Tables in spreadsheets, XLSX and OpenDocument: dates are dates, errors are errors, and nothing is left out unsaid."""

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from packages import V2
from served import all_rows, answer, client_of, rows_path

from api.package import validate

JSON = Any
TYPES = ("id:integer", "n:number", "b:boolean", "d:date", "at:datetime", "t:time", "p:number", "s:string", "y:year")
VALUES = [
    *[1, 1.1, True, date(2007, 10, 1), datetime(2007, 10, 1, 13, 30)],
    *[time(13, 30), 0.5, "01", 2007],
]
ROW = {
    **{"id": 1, "n": 1.1, "b": True, "d": "2007-10-01", "at": "2007-10-01T13:30:00Z"},
    **{"t": "13:30:00", "p": 0.5, "s": "01", "y": 2007},
}
NULLS = dict.fromkeys(ROW)


def xlsx(*sheets: tuple[str, list[list[Any]]], touch: Callable[[Any], object] = lambda _: None) -> bytes:
    """A workbook of sheets of rows; `touch` changes the first sheet."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets:
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    touch(book.worksheets[0])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def ods(*sheets: tuple[str, str]) -> bytes:
    """An OpenDocument spreadsheet of sheets of rows, written as XML."""
    spaces = {"office": "office", "table": "table", "text": "text"}
    named = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{value}:1.0"' for name, value in spaces.items()
    )
    named += ' xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"'
    tables = "".join(f'<table:table table:name="{name}">{rows}</table:table>' for name, rows in sheets)
    body = f"<office:body><office:spreadsheet>{tables}</office:spreadsheet></office:body>"
    return packed({"content.xml": f"<office:document-content {named}>{body}</office:document-content>"})


def packed(parts: Mapping[str, str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return out.getvalue()


def row(*cells: str) -> str:
    return f"<table:table-row>{''.join(cells)}</table:table-row>"


def cell(kind: str = "", text: str = "", value: str = "", more: str = "") -> str:
    name = {"date": "date-value", "time": "time-value", "boolean": "boolean-value"}.get(kind, "value")
    said = f'office:value-type="{kind}" office:{name}="{value}"' if kind else ""
    return f"<table:table-cell {said} {more}><text:p>{text}</text:p></table:table-cell>"


def texts(*labels: str) -> str:
    return row(*(cell("string", label) for label in labels))


def package(folder: Path, name: str, data: bytes, *fields: str, **words: JSON) -> Path:
    """A package of one table in a spreadsheet; fields are written "name:type"; without any there is no schema."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
    named = [dict(zip(("name", "type"), field.split(":"), strict=True)) for field in fields]
    schema = {"schema": {"fields": named, **words.pop("schema", {})}} if named else {}
    resource = {"name": "t", "type": "table", "path": name, **schema, **words}
    described = {"$schema": V2, "name": "p", "version": "1.0.0", "resources": [resource]}
    (folder / "datapackage.json").write_text(json.dumps(described), encoding="utf-8")
    return folder


def found(source: Path) -> list[str]:
    return validate(source).text().splitlines()


def one(label: str, *rows: list[Any], touch: Callable[[Any], object] = lambda _: None) -> bytes:
    """A spreadsheet of one sheet of one column."""
    return xlsx(("Data", [[label], *rows]), touch=touch)


# What a spreadsheet holds


DATA = xlsx(("Data", [list(ROW), VALUES, [None] * 8 + [2008]]))
ODS = ods(
    (
        "Data",
        texts(*ROW)
        + row(
            cell("float", "1", "1"),
            cell("float", "1,1", "1.1"),
            cell("boolean", "WAHR", "true"),
            cell("date", "01.10.07", "2007-10-01"),
            cell("date", "01.10.07 13:30", "2007-10-01T13:30:00"),
            cell("time", "13:30", "PT13H30M00S"),
            cell("percentage", "50 %", "0.5"),
            cell("string", "01"),
            cell("float", "2007", "2007"),
            cell(more='table:number-columns-repeated="16375"'),
        )
        + row(cell(more='table:number-columns-repeated="8"'), cell("float", "2008", "2008"))
        + '<table:table-row table:number-rows-repeated="1048573"><table:table-cell/></table:table-row>',
    )
)


@pytest.mark.parametrize(("name", "data"), [("t.xlsx", DATA), ("t.ods", ODS)])
@pytest.mark.parametrize("fields", [TYPES, ()])
def test_the_values_of_a_spreadsheet_are_read_by_their_types(
    tmp_path: Path, name: str, data: bytes, fields: tuple[str, ...]
) -> None:
    source = package(tmp_path / "p", name, data, *fields)
    assert found(source) == ["valid: 1 table, 2 rows, 0 errors, 0 warnings"]
    client = client_of(source, tmp_path / "s")
    assert all_rows(client, rows_path("t")) == [ROW, {**NULLS, "y": 2008}]
    types = [f"{field['name']}:{field['type']}" for field in answer(client, "/v1/datasets/t/schema")["fields"]]
    assert types == list(fields or [*TYPES[:-1], "y:integer"])


def test_numbers_of_a_spreadsheet_are_written_as_it_shows_them(tmp_path: Path) -> None:
    source = package(tmp_path / "p", "t.xlsx", one("v", [1.1], [1.0], [1e21]), "v:number")
    client = client_of(source, tmp_path / "s")
    text = client.get("/releases/1.0.0/data/t.csv").data.decode()
    assert text == "v\n1.1\n1\n1000000000000000000000\n"


def test_the_digits_that_a_double_does_not_have_are_not_read(tmp_path: Path) -> None:
    data = one("v", [1.1])
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    parts[sheet] = parts[sheet].replace("<v>1.1</v>", "<v>1.1000000000000001</v>")
    source = package(tmp_path / "p", "t.xlsx", packed(parts), "v:number")
    assert client_of(source, tmp_path / "s").get("/releases/1.0.0/data/t.csv").data == b"v\n1.1\n"


def test_a_workbook_of_a_release_is_read_back(tmp_path: Path) -> None:
    client = client_of(package(tmp_path / "p", "t.xlsx", DATA, *TYPES), tmp_path / "s")
    data = client.get("/releases/1.0.0/package.xlsx").data
    source = package(tmp_path / "q", "t.xlsx", data, *TYPES, dialect={"sheetName": "t"})
    assert all_rows(client_of(source, tmp_path / "r"), rows_path("t")) == [ROW, {**NULLS, "y": 2008}]


def test_rich_text_is_text_and_escapes_are_characters(tmp_path: Path) -> None:
    data = one("v", ["a"])
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    rich = "<r><t>two</t></r><rPh><t>no</t></rPh><r><rPr><b/></rPr><t xml:space='preserve'> words_x0021_</t></r>"
    parts[sheet] = parts[sheet].replace("<t>a</t>", rich)
    client = client_of(package(tmp_path / "p", "t.xlsx", packed(parts), "v:string"), tmp_path / "s")
    assert all_rows(client, rows_path("t")) == [{"v": "two words!"}]


@pytest.mark.parametrize(
    ("value", "look", "type", "text"),
    [
        (date(1900, 1, 1), None, "date", "1900-01-01"),
        (date(1900, 3, 1), None, "date", "1900-03-01"),
        (datetime(2007, 10, 1), "yyyy-mm-dd hh:mm", "datetime", "2007-10-01T00:00:00"),
        (datetime(2007, 10, 1), "yyyy-mm-dd hh:mm", "date", "2007-10-01"),
        (date(2007, 10, 1), 'd "de" mmmm', "datetime", "2007-10-01T00:00:00"),
        (date(2007, 10, 1), "mmm yy", "string", "2007-10-01"),
        (timedelta(hours=30, seconds=1.5), "[h]:mm:ss", "duration", "PT30H0M1.5S"),
        (0.5, '0.0" days"', "number", "0.5"),
        (5, "General", "number", "5"),
        (5, "#,##0_d;[Red]-#,##0", "integer", "5"),
    ],
)
def test_a_number_format_says_whether_a_number_is_a_date(
    tmp_path: Path, value: Any, look: str | None, type: str, text: str
) -> None:
    def touch(sheet: Any) -> None:
        if look:
            sheet["A2"].number_format = look

    source = package(tmp_path / "p", "t.xlsx", one("v", [value], touch=touch), f"v:{type}")
    client = client_of(source, tmp_path / "s")
    assert client.get("/releases/1.0.0/data/t.csv").data.decode() == f"v\n{text}\n"


def test_dates_counted_from_1904_are_the_same_dates(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.epoch = openpyxl.utils.datetime.MAC_EPOCH
    book.active.append(["v"])
    book.active.append([date(2007, 10, 1)])
    out = io.BytesIO()
    book.save(out)
    client = client_of(package(tmp_path / "p", "t.xlsx", out.getvalue(), "v:date"), tmp_path / "s")
    assert all_rows(client, rows_path("t")) == [{"v": "2007-10-01"}]


def test_a_date_is_written_in_the_format_of_its_field(tmp_path: Path) -> None:
    source = package(tmp_path / "p", "t.xlsx", one("v", [date(2007, 10, 1)]), "v:date")
    path = source / "datapackage.json"
    path.write_text(path.read_text().replace('"type": "date"', '"type": "date", "format": "%d/%m/%Y"'))
    client = client_of(source, tmp_path / "s")
    assert client.get("/releases/1.0.0/data/t.csv").data == b"v\n01/10/2007\n"
    assert all_rows(client, rows_path("t")) == [{"v": "2007-10-01"}]


def test_a_number_in_a_field_of_text_is_told(tmp_path: Path) -> None:
    assert found(package(tmp_path, "t.xlsx", one("v", [101]), "v:string"))[0] == (
        'warning: t.xlsx row 2 field "v": the integer 101 is read as a value of type string (expected: string)'
    )


# Errors


TWICE = {
    "xl/workbook.xml": '<w xmlns:r="r"><sheets><sheet name="S" r:id="a"/></sheets></w>',
    "xl/_rels/workbook.xml.rels": '<r><Relationship Id="a" Type="x/worksheet" Target="s.xml"/></r>',
    "xl/s.xml": '<w><row r="1"><c r="A1" t="str"><v>v</v></c></row>'
    '<row r="2"><c r="A2"><v>1</v></c><c r="A2"><v>2</v></c></row></w>',
}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (one("v", ["x"], ["#N/A"]), "t.xlsx row 3: the cell A3 holds the error #N/A (expected: a value)"),
        (
            one("v", ["=1+1"]),
            "t.xlsx row 2: the cell A2 has a formula that was never calculated "
            "(expected: a file saved by a spreadsheet program)",
        ),
        (one("v", ["x"], [None, "y"]), "t.xlsx row 3: the row has 2 cells, the header has 1"),
        (b"PK", "t.xlsx: the file is no xlsx spreadsheet: File is not a zip file"),
        (packed({"a": ""}), "t.xlsx: the file is no xlsx spreadsheet: "),
        (packed({"xl/_rels/workbook.xml.rels": "<a", "xl/workbook.xml": "<a"}), "t.xlsx: the file is no xlsx"),
        (packed(TWICE), "t.xlsx: the file is no xlsx spreadsheet: the cell A2 is there twice"),
        (xlsx(("Data", [["w"], [1]])), 't.xlsx row 1 field "v": the header has "w" in place of "v" (expected: v'),
    ],
)
def test_what_is_wrong_in_a_spreadsheet_names_the_cell(tmp_path: Path, data: bytes, message: str) -> None:
    assert found(package(tmp_path, "t.xlsx", data, "v:string"))[0][: len(message)] == message


def test_an_error_that_missing_values_name_is_null(tmp_path: Path) -> None:
    source = package(
        tmp_path / "p", "t.xlsx", one("v", ["#N/A"], ["a"]), "v:string", schema={"missingValues": ["#N/A"]}
    )
    assert all_rows(client_of(source, tmp_path / "s"), rows_path("t")) == [{"v": None}, {"v": "a"}]


def test_an_error_in_an_opendocument_sheet_names_the_cell(tmp_path: Path) -> None:
    wrong = cell("string", "Err:502", more='calcext:value-type="error"')
    source = package(tmp_path, "t.ods", ods(("Data", texts("v") + row(wrong))), "v:string")
    assert found(source)[0] == "t.ods row 2: the cell A2 holds the error Err:502 (expected: a value)"


def test_a_sheet_that_repeats_cells_for_ever_is_refused(tmp_path: Path) -> None:
    many = cell("float", "1", "1", 'table:number-columns-repeated="16000"')
    rows = f'<table:table-row table:number-rows-repeated="1000000">{many}</table:table-row>'
    source = package(tmp_path, "t.ods", ods(("Data", texts("v") + rows)), "v:integer")
    assert "has 16,000,000,001 cells or more (expected: at most 50,000,000)" in found(source)[0]


def test_two_cells_far_apart_take_no_memory(tmp_path: Path) -> None:
    def touch(sheet: Any) -> None:
        sheet["A1048576"] = 1

    source = package(tmp_path, "t.xlsx", one("v", touch=touch), "v:integer")
    assert found(source) == [
        "warning: t.xlsx row 2: a blank row is left out (expected: a row, or no row)",
        "valid: 1 table, 1 row, 0 errors, 1 warning",
    ]


def test_merged_cells_are_told_unless_they_are_above_the_rows(tmp_path: Path) -> None:
    def touch(sheet: Any) -> None:
        sheet.merge_cells("A1:B1")
        sheet.merge_cells("A2:A3")

    data = xlsx(("Data", [["v", None], ["a"], [None], ["b"]]), touch=touch)
    assert found(package(tmp_path, "t.xlsx", data, "v:string"))[0] == (
        "warning: t.xlsx row 2: the cells A2:A3 are merged: only the first of them has a value "
        "(expected: a value in each)"
    )


# Sheets and headers


BLANK = "warning: t.xlsx row {}: a blank row is left out (expected: a row, or no row)"
TWO = xlsx(("One", [["v"], [1]]), ("Two", [["Title"], [], ["v"], [2]]))


@pytest.mark.parametrize(
    ("dialect", "value"),
    [
        ({"sheetName": "Two", "headerRows": [3]}, 2),
        ({"sheetNumber": 2, "headerRows": [3]}, 2),
        ({"sheetNumber": 1}, 1),
        ({"excel": {"sheet": "One"}}, 1),
    ],
)
def test_a_dialect_says_which_sheet_and_where_its_header_is(tmp_path: Path, dialect: JSON, value: int) -> None:
    source = package(tmp_path / "p", "t.xlsx", TWO, "v:integer", dialect=dialect)
    assert found(source) == ["valid: 1 table, 1 row, 0 errors, 0 warnings"]
    assert all_rows(client_of(source, tmp_path / "s"), rows_path("t")) == [{"v": value}]


@pytest.mark.parametrize(
    ("dialect", "message"),
    [
        (
            {},
            'warning: t.xlsx: only the first of 2 sheets is read, "One" '
            "(expected: sheetName or sheetNumber in the dialect)",
        ),
        ({"sheetName": "Tow"}, 't.xlsx: there is no sheet "Tow" (expected: one of "One", "Two")'),
        ({"sheetNumber": 3}, 't.xlsx: there is no sheet number 3 (expected: one of "One", "Two")'),
        (
            {"sheetNumber": "2"},
            "datapackage.json: \"sheetNumber\" of the dialect cannot be '2' (expected: a number from 1)",
        ),
        (
            {"sheetNumber": 1, "headerRows": [9]},
            "t.xlsx row 2: the header is not where the dialect says (expected: labels in the rows [9])",
        ),
    ],
)
def test_what_a_dialect_leaves_open_or_gets_wrong_is_told(tmp_path: Path, dialect: JSON, message: str) -> None:
    assert found(package(tmp_path, "t.xlsx", TWO, "v:integer", dialect=dialect))[0] == message


GAPS: dict[str, tuple[list[list[JSON]], JSON, list[str]]] = {
    "a blank row in the place of a row of labels": ([["v"], [], [1], [2]], {"headerRows": [1, 2]}, [BLANK.format(2)]),
    "a blank row above the header": ([[], ["v"], [1], [2]], {}, []),
    "blank rows among others": ([["v"], [1], [], [], [2]], {}, [BLANK.format(3)]),
}


@pytest.mark.parametrize("kind", GAPS)
def test_no_row_is_lost_where_a_row_is_blank(tmp_path: Path, kind: str) -> None:
    rows, dialect, said = GAPS[kind]
    source = package(tmp_path / "p", "t.xlsx", xlsx(("Data", rows)), "v:integer", dialect=dialect)
    assert found(source)[:-1] == said
    assert all_rows(client_of(source, tmp_path / "s"), rows_path("t")) == [{"v": 1}, {"v": 2}]


def test_the_sheets_of_several_files_are_one_table(tmp_path: Path) -> None:
    source = package(
        tmp_path / "p", "a.xlsx", xlsx(("Data", [["T"], ["v"], [1]])), "v:integer", dialect={"headerRows": [2]}
    )
    (source / "b.xlsx").write_bytes(xlsx(("Data", [["T"], ["v"], [2], [], [3]])))
    described = json.loads((source / "datapackage.json").read_text())
    described["resources"][0]["path"] = ["a.xlsx", "b.xlsx"]
    (source / "datapackage.json").write_text(json.dumps(described))
    assert found(source)[:-1] == [BLANK.format(4).replace("t.xlsx", "b.xlsx")]
    assert all_rows(client_of(source, tmp_path / "s"), rows_path("t")) == [{"v": 1}, {"v": 2}, {"v": 3}]


def test_labels_in_several_rows_are_joined_over_merged_cells(tmp_path: Path) -> None:
    rows = [["fruit", None, "price"], ["id", "name", None], [1, "apple", 2.5]]
    source = package(tmp_path / "p", "t.xlsx", xlsx(("Data", rows)), dialect={"headerRows": [1, 2]})
    assert all_rows(client_of(source, tmp_path / "s"), rows_path("t")) == [
        {"fruit id": 1, "fruit name": "apple", "price": 2.5}
    ]


def test_a_spreadsheet_beside_tables_stays_a_file(tmp_path: Path) -> None:
    source = package(tmp_path / "p", "t.xlsx", one("v", [1]), "v:integer")
    path = source / "datapackage.json"
    described = json.loads(path.read_text())
    described["resources"].append({"name": "book", "path": "book.xlsx"})
    path.write_text(json.dumps(described))
    (source / "book.xlsx").write_bytes(TWO)
    client = client_of(source, tmp_path / "s")
    assert client.get("/releases/1.0.0/book.xlsx").data == TWO
    assert [entry["name"] for entry in answer(client, "/v1/datasets")["data"]] == ["t"]


def test_hidden_rows_and_columns_are_read(tmp_path: Path) -> None:
    def touch(sheet: Any) -> None:
        sheet.row_dimensions[2].hidden = sheet.column_dimensions["A"].hidden = True

    source = package(tmp_path / "p", "t.xlsx", one("v", [1], [2], touch=touch), "v:integer")
    assert all_rows(client_of(source, tmp_path / "s"), rows_path("t")) == [{"v": 1}, {"v": 2}]


def test_values_of_several_types_in_a_column_keep_them(tmp_path: Path) -> None:
    source = package(tmp_path / "p", "t.xlsx", one("v", [1], ["1"], [True], ["a"], [date(2007, 10, 1)]))
    rows = all_rows(client_of(source, tmp_path / "s"), rows_path("t"))
    assert [row["v"] for row in rows] == [1, "1", True, "a", "2007-10-01"]
