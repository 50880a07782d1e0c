"""Every typed file of a release holds the same rows, has the same bytes everywhere, and opens in other tools."""

import csv
import hashlib
import json
import os
import sqlite3
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import frictionless
import openpyxl
import pandas
import pyarrow.parquet as pq
import pytest
import release_made
from openpyxl.utils.escape import unescape

from api import package
from api.index.survey import survey
from api.model import descriptor
from api.model import types as values
from api.model.descriptor import Field, Table
from api.model.filenames import stem
from api.release.formats import parquet, workbook

WHOLE = ("package.sqlite", "package.xlsx", "package.zip")


@pytest.fixture(scope="module", params=["own", "awkward"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release of our own package, and one of a package that tries every type."""
    return release_made.release(tmp_path_factory.mktemp(request.param), getattr(release_made, request.param)())


@pytest.fixture(scope="module")
def awkward(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return release_made.release(tmp_path_factory.mktemp("awkward"), release_made.awkward())


def test_jsonl_parquet_sqlite_and_xlsx_hold_the_values_of_the_csv(made: Path) -> None:
    model = opened(made)
    for table in model.tables:
        expected = truth(made, table)
        assert list(jsonl_rows(made, table)) == expected, f"{table.name} as JSON Lines"
        assert list(parquet_rows(made, table)) == expected, f"{table.name} as Parquet"
        assert by_key(table, sqlite_rows(made, table)) == by_key(table, expected), f"{table.name} in SQLite"
        emptied = [{name: None if value == "" else value for name, value in row.items()} for row in expected]
        assert list(xlsx_rows(made, table)) == emptied, f"{table.name} in the workbook"


def test_parquet_has_the_types_of_the_schema(awkward: Path) -> None:
    schema = pq.read_schema(awkward / "parquet" / "Order By.parquet")
    assert {name: str(kind) for name, kind in zip(schema.names, schema.types, strict=True)} == {
        **dict.fromkeys([field["name"] for field in release_made.AWKWARD_FIELDS], "string"),
        "整数": "int64",
        "big": "decimal128(38, 0)",
        "grouped": "int64",
        "amount": "decimal128(18, 2)",
        "share": "decimal128(18, 1)",
        "exact": "decimal128(38, 37)",
        "tiny": "decimal128(38, 20)",
        "yes": "bool",
        "year": "int32",
        "day": "date32[day]",
        "plain day": "date32[day]",
        "clock": "time64[us]",
        "moment": "timestamp[us, tz=UTC]",
        "tags": "list<element: string>",
        "counts": "list<element: int64>",
        "shares": "list<element: double>",
    }


def test_parquet_carries_the_table_schema_and_the_words_of_its_fields(awkward: Path) -> None:
    schema = pq.read_schema(awkward / "parquet" / "Order By.parquet")
    assert json.loads(schema.metadata[b"table_schema"])["fields"] == release_made.AWKWARD_FIELDS
    assert schema.metadata[b"license"] == b"CC-BY-4.0"
    assert schema.field(0).metadata[b"description"] == b"With | and <b> and `tick`."


def test_sqlite_has_keys_and_types_and_passes_its_own_checks(awkward: Path) -> None:
    with closing(sqlite3.connect(f"file:{awkward / 'package.sqlite'}?mode=ro", uri=True)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        keys = db.execute('SELECT "table", "from", "to" FROM pragma_foreign_key_list(\'order by_2\')').fetchall()
        assert keys == [("Order By", "to", "Clave única")]
        columns = db.execute("SELECT name, type, \"notnull\", pk FROM pragma_table_info('Order By')").fetchall()
    assert columns[:5] == [
        ("Clave única", "TEXT", 1, 1),
        ('select "x"', "TEXT", 0, 0),
        ("Select", "TEXT", 0, 0),
        ("SELECT_2", "TEXT", 0, 0),
        ("整数", "INTEGER", 0, 0),
    ]
    types = {name: kind for name, kind, *_ in columns}
    assert [types[name] for name in ("big", "amount", "exact", "tiny", "yes")] == [
        *("TEXT", "REAL", "TEXT", "REAL", "INTEGER")
    ]


def test_sqlite_explains_its_fields(awkward: Path) -> None:
    with closing(sqlite3.connect(awkward / "package.sqlite")) as db:
        said = db.execute("SELECT field, type, stored FROM _fields WHERE \"column\" = 'SELECT_2'").fetchall()
        title = db.execute("SELECT value FROM _package WHERE property = 'title'").fetchone()
    assert said == [("SELECT", "any", "TEXT")]
    assert title == ('Odd: "names" & more',)


def test_sqlite_leaves_a_foreign_key_out_that_rows_break(tmp_path: Path) -> None:
    key = {"fields": ["to"], "reference": {"resource": "a", "fields": ["id"]}}
    child = {"fields": [{"name": "to", "type": "string"}], "foreignKeys": [key]}
    parent = {"fields": [{"name": "id", "type": "string"}], "primaryKey": ["id"]}
    folder = release_made.release(
        tmp_path, release_made.package({"a": (parent, [["x"]]), "b": (child, [["x"], ["y"]]), "c": (child, [["x"]])})
    )
    with closing(sqlite3.connect(folder / "package.sqlite")) as db:
        found = [db.execute(f"PRAGMA foreign_key_list({name})").fetchall() for name in "bc"]
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        assert db.execute('SELECT "to" FROM b').fetchall() == [("x",), ("y",)]
    assert [len(keys) for keys in found] == [0, 1]


def test_a_table_named_like_one_of_ours_keeps_its_name(tmp_path: Path) -> None:
    schema = {"fields": [{"name": "id", "type": "integer"}]}
    folder = release_made.release(tmp_path, release_made.package({"_fields": (schema, [["1"]])}))
    with closing(sqlite3.connect(folder / "package.sqlite")) as db:
        assert db.execute("SELECT id FROM _fields").fetchall() == [(1,)]
        assert db.execute("SELECT field FROM __fields").fetchall() == [("id",)]


def test_the_workbook_opens_on_its_contents_and_each_sheet_has_a_frozen_filtered_header(made: Path) -> None:
    book = openpyxl.load_workbook(made / "package.xlsx")
    model = opened(made)
    contents = book.worksheets[0]
    assert contents.title == "Contents"
    told = [cell.value for row in contents.iter_rows() for cell in row if cell.value is not None]
    assert {model.title, model.version, model.citation} <= set(told)
    for sheet, table in zip(book.worksheets[1:], model.tables, strict=True):
        assert len(sheet.title) <= 31
        assert sheet.freeze_panes == "A2"
        assert sheet.auto_filter.ref is not None
        assert [cell.value for cell in sheet[1]] == [field.name for field in table.fields]
        assert all(cell.font.bold for cell in sheet[1])
        assert sheet.title in told
        assert all(cell.data_type != "f" for row in sheet.iter_rows() for cell in row)
    book.close()


def test_sheet_names_are_short_unique_and_allowed() -> None:
    long = "x" * 40
    assert workbook.sheet_names([long, long.upper(), "a/b:c", "contents", "'quoted'", "history"]) == [
        *("x" * 31, "X" * 27 + " (2)", "a_b_c", "contents (2)", "_quoted_", "history (2)")
    ]


def test_a_table_too_long_for_the_workbook_is_named_there_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbook, "SHEET_ROWS", 2)
    schema = {"fields": [{"name": "n", "type": "integer"}]}
    tables = {"long": (schema, [["1"], ["2"], ["3"]]), "short": (schema, [["1"], ["2"]])}
    book = openpyxl.load_workbook(release_made.release(tmp_path, release_made.package(tables)) / "package.xlsx")
    assert book.sheetnames == ["Contents", "short"]
    told = " ".join(str(cell.value) for row in book.worksheets[0].iter_rows() for cell in row)
    assert "tables of more than 2 rows are left out of the workbook; data/long.csv has them all" in told
    book.close()


def test_the_zip_is_a_package_that_can_be_built_again(made: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(made / "package.zip") as archive:
        names = archive.namelist()
        assert archive.testzip() is None
        archive.extractall(tmp_path)
    model = opened(made)
    texts = {"README.md", "CHANGELOG.md", "LICENSE", "CITATION.cff"}
    assert names == sorted({"datapackage.json", *texts, *(table.path for table in model.tables)})
    brought = {name: (tmp_path / name).read_text("utf-8") for name in texts}
    again = tmp_path / "again"
    copied = json.loads((tmp_path / "datapackage.json").read_text("utf-8"))
    for resource in copied["resources"]:
        with (tmp_path / resource["path"]).open(encoding="utf-8", newline="") as file:
            resource["rows of"] = list(csv.reader(file))[1:]
    release_made.release(again, copied, brought)
    assert digests(again) == digests(made)


def test_the_zip_is_read_by_our_own_reader(made: Path) -> None:
    with package.open_source(made / "package.zip") as source:
        assert [table.name for table in source.package.tables] == [table.name for table in opened(made).tables]


def test_a_resource_that_is_no_table_travels_in_the_zip(tmp_path: Path) -> None:
    tables = release_made.package({"a": ({"fields": [{"name": "n", "type": "integer"}]}, [["1"]])})
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "method.pdf").write_bytes(b"%PDF")
    described = {**tables, "resources": tables["resources"]}
    release_made.release(tmp_path, described)
    with_file = json.loads((tmp_path / "datapackage.json").read_text("utf-8"))
    with_file["resources"].append({"name": "method", "path": "notes/method.pdf"})
    from api.release import files

    (tmp_path / "METHOD.md").write_text("How.\n")
    files.write(with_file, tmp_path, {}, ["METHOD.md"])
    with zipfile.ZipFile(tmp_path / "package.zip") as archive:
        assert archive.read("notes/method.pdf") == b"%PDF"
        assert archive.read("METHOD.md") == b"How.\n"


def test_entries_of_archives_have_the_time_of_the_package_and_one_mode(made: Path) -> None:
    created = datetime.fromisoformat(opened(made).created).astimezone(UTC)
    for name in ("package.zip", "package.xlsx"):
        with zipfile.ZipFile(made / name) as archive:
            assert archive.infolist()
            for entry in archive.infolist():
                assert entry.date_time == created.timetuple()[:6]
                assert stat.filemode(entry.external_attr >> 16) == "-rw-r--r--"


def test_files_are_the_same_bytes_in_any_folder_zone_locale_umask_and_hash_seed(tmp_path: Path) -> None:
    first = elsewhere(tmp_path / "one", TZ="America/Mexico_City", LC_ALL="C", PYTHONHASHSEED="1", umask=0o077)
    second = elsewhere(tmp_path / "deep" / "two", TZ="Asia/Kolkata", LC_ALL="C.UTF-8", PYTHONHASHSEED="2", umask=0o002)
    assert len(first) > 20
    assert first == second


def test_nothing_in_a_release_names_the_folder_it_was_made_in(awkward: Path) -> None:
    place = str(awkward).encode()
    files = [path for path in awkward.rglob("*") if path.is_file()]
    assert len(files) > 20
    assert [path.name for path in files if place in path.read_bytes()] == []


def test_a_number_longer_than_any_decimal_becomes_a_double_or_text(tmp_path: Path) -> None:
    schema = {"fields": [{"name": "double", "type": "number"}, {"name": "text", "type": "number"}]}
    rows = [["1e300", "1e300"], ["1e-300", "0.12345678901234567890"], ["", "-0"]]
    folder = release_made.release(tmp_path, release_made.package({"t": (schema, rows)}))
    assert [str(kind) for kind in pq.read_schema(folder / "parquet" / "t.parquet").types] == ["double", "string"]
    table = opened(folder).tables[0]
    assert list(parquet_rows(folder, table)) == truth(folder, table)
    assert list(sqlite_rows(folder, table)) == truth(folder, table)


def test_two_hundred_columns_and_no_rows_make_every_file(awkward: Path) -> None:
    table = opened(awkward).tables[2]
    assert len(table.fields) == 200
    assert (awkward / "jsonl" / f"{stem(table.name)}.jsonl").read_bytes() == b""
    assert pq.read_table(awkward / "parquet" / f"{stem(table.name)}.parquet").num_rows == 0


def test_row_groups_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "GROUP_ROWS", 1_000)
    schema = {"fields": [{"name": "n", "type": "integer"}]}
    folder = release_made.release(tmp_path, release_made.package({"t": (schema, [[str(n)] for n in range(3_000)])}))
    found = pq.read_metadata(folder / "parquet" / "t.parquet")
    assert [found.row_group(i).num_rows for i in range(found.num_row_groups)] == [1_024, 1_024, 952]


def test_pandas_and_duckdb_read_parquet_with_its_types(awkward: Path) -> None:
    path = awkward / "parquet" / "Order By.parquet"
    frame = pandas.read_parquet(path)
    assert frame["amount"].tolist()[:2] == [Decimal("12.50"), Decimal("-0.07")]
    assert str(frame["moment"].dtype) == "datetime64[us, UTC]"
    query = f'SELECT sum("整数"), sum(amount), min("plain day") FROM read_parquet(\'{path}\')'
    assert duckdb.sql(query).fetchall() == [(-5, Decimal("12.43"), date(1899, 12, 31))]


def test_pandas_reads_sqlite_and_adds_up(made: Path) -> None:
    with closing(sqlite3.connect(made / "package.sqlite")) as db:
        assert len(pandas.read_sql("SELECT * FROM _fields", db)) == sum(len(t.fields) for t in opened(made).tables)


def test_frictionless_finds_the_zip_valid(tmp_path: Path) -> None:
    fields = [{"name": "n", "type": "integer"}, {"name": "día", "type": "date"}]
    rows = [["1", "2020-01-01"], ["2", ""]]
    folder = release_made.release(
        tmp_path, release_made.package({"t": ({"fields": fields, "primaryKey": ["n"]}, rows)})
    )
    report = frictionless.validate(str(folder / "package.zip"), type="package")
    assert (report.valid, [task.name for task in report.tasks]) == (True, ["t"])


def test_a_survey_finds_digits_scale_and_missing_values(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1.50,\n-22,x\n", encoding="utf-8")
    fields = [{"name": "a", "type": "number"}, {"name": "b", "type": "string"}]
    found = survey(descriptor.table({"name": "t", "schema": {"fields": fields}}), path)
    number, text = found.columns
    assert (found.rows, number.digits, number.scale, number.whole, number.doubles) == (2, 2, 1, False, True)
    assert (number.nulls, text.nulls, text.width) == (False, True, 1)


def test_serving_needs_none_of_the_heavy_libraries() -> None:
    heavy = {"pyarrow", "xlsxwriter", "pandas", "altair", "vl_convert"}
    code = f"import sys, api.release.files; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# What the files say, each read by another tool, in one shape


def opened(folder: Path) -> descriptor.Package:
    return descriptor.package(json.loads((folder / "datapackage.json").read_text("utf-8")))


def truth(folder: Path, table: Table) -> list[dict[str, Any]]:
    """The rows of the CSV file, each cell read as its field says."""
    with (folder / table.path).open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[1:]
    readers = [(field, values.kind(field)) for field in table.fields]
    return [
        {
            field.name: None if cell in table.missing_values else comparable(kind.read(cell))
            for (field, kind), cell in zip(readers, row, strict=True)
        }
        for row in rows
    ]


def comparable(value: Any) -> Any:
    """A value in the one shape in which all formats are compared: numbers as decimals, moments as ISO text in UTC."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return Decimal(repr(value))
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, list):
        return [comparable(item) for item in value]
    if isinstance(value, dict):
        return {key: comparable(item) for key, item in value.items()}
    return value


def by_type(field: Field) -> Callable[[Any], Any]:
    """How a format's own value of a field becomes comparable, where the format has no such type."""

    def read(value: Any) -> Any:
        if value is None:
            return None
        if field.type in values.NUMERIC:
            return Decimal(value) if isinstance(value, str) else comparable(value)
        if field.type in values.STRUCTURED and isinstance(value, str):
            return comparable(json.loads(value))
        if field.type == "boolean":
            return bool(value)
        if field.type == "datetime" and isinstance(value, str):
            return value.removesuffix("Z")
        if field.type == "datetime" and value.tzinfo is None:
            return value.isoformat()
        if field.type == "date" and isinstance(value, datetime):
            return value.date().isoformat()
        return comparable(value)

    return read


def rows_of(table: Table, rows: Iterator[Any]) -> Iterator[dict[str, Any]]:
    readers = [(field.name, by_type(field)) for field in table.fields]
    for row in rows:
        yield {name: read(value) for (name, read), value in zip(readers, row, strict=True)}


def jsonl_rows(folder: Path, table: Table) -> Iterator[dict[str, Any]]:
    lines = (folder / "jsonl" / f"{stem(table.name)}.jsonl").read_text("utf-8").split("\n")
    assert lines.pop() == ""
    rows = [json.loads(line, parse_float=Decimal) for line in lines]
    assert all(list(row) == [field.name for field in table.fields] for row in rows)
    yield from rows_of(table, (row.values() for row in rows))


def parquet_rows(folder: Path, table: Table) -> Iterator[dict[str, Any]]:
    found = pq.read_table(folder / "parquet" / f"{stem(table.name)}.parquet")
    yield from rows_of(table, zip(*(column.to_pylist() for column in found.columns), strict=True))


def sqlite_rows(folder: Path, table: Table) -> Iterator[dict[str, Any]]:
    with closing(sqlite3.connect(folder / "package.sqlite")) as db:
        (name,) = db.execute('SELECT "table" FROM _tables WHERE dataset = ?', (table.name,)).fetchone()
        quoted = name.replace('"', '""')
        yield from rows_of(table, iter(db.execute(f'SELECT * FROM "{quoted}"').fetchall()))


def xlsx_rows(folder: Path, table: Table) -> Iterator[dict[str, Any]]:
    book = openpyxl.load_workbook(folder / "package.xlsx", read_only=True)
    sheet = book.worksheets[1 + [t.name for t in opened(folder).tables].index(table.name)]
    rows = [
        [unescape(value) if isinstance(value, str) else value for value in row]
        for row in sheet.iter_rows(min_row=2, max_col=len(table.fields), values_only=True)
    ]
    yield from rows_of(table, iter(rows))
    book.close()


def by_key(table: Table, rows: Any) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: str([row[name] for name in table.primary_key]))


def digests(folder: Path) -> dict[str, str]:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in found}


def elsewhere(folder: Path, umask: int, **environment: str) -> dict[str, str]:
    """The digests of a release that another process makes, as another machine would."""
    folder.mkdir(parents=True)
    script = (
        "import os, sys, pathlib, json\n"
        f"os.umask({umask})\n"
        "import release_made\n"
        "made = release_made.awkward()\n"
        "made['lantern:charts'] = json.loads(sys.argv[2])\n"
        "release_made.release(pathlib.Path(sys.argv[1]), made)\n"
    )
    here = Path(__file__).parent
    day = {"field": "plain day", "type": "temporal"}
    chart = {"name": "days", "title": "Days", "resource": "Order By", "fields": ["plain day"]}
    charts = [{**chart, "spec": {"mark": "bar", "encoding": {"x": day}}}]
    subprocess.run(
        [sys.executable, "-W", "error", "-c", script, str(folder), json.dumps(charts)],
        env={**os.environ, "PYTHONPATH": f"{here}{os.pathsep}{here.parent}", **environment},
        cwd=folder,
        check=True,
    )
    return digests(folder)
