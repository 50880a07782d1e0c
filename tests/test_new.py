"""`lantern new`: a package of the files that somebody has, valid at once, with what only a person knows left open."""

import gzip
import json
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow
import pyarrow.parquet
import pytest
from click.testing import CliRunner, Result
from served import all_rows, client_of, rows_path

from api.cli import main

EPOCH = {"SOURCE_DATE_EPOCH": "1800000000"}  # 2027-01-15T08:00:00Z
SALES = "order_no,customer,day,amount\n1,c1,2026-01-05,12.50\n2,c2,2026-01-06,\n3,c1,2026-01-06,7.25\n"
CUSTOMERS = "id,name\nc1,Ann\nc2,Bob\nc3,Cy\n"


def lantern(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [*map(str, arguments)], env=EPOCH)


def new(folder: Path, *options: str, **files: str | bytes) -> tuple[Path, str]:
    """The package made of files (a name with __ for its dot), which must be valid; and what was said."""
    target = folder / "made"
    done = lantern("new", *_written(folder, files), "--into", target, *options)
    assert done.exit_code == 0, done.output
    checked = lantern("validate", target)
    assert checked.exit_code == 0 and " 0 errors" in checked.output, checked.output
    return target, done.stderr


def refused(folder: Path, *options: str, **files: str | bytes) -> str:
    """What is said where no package can be made; nothing of one is left."""
    target = folder / "made"
    done = lantern("new", *_written(folder, files), "--into", target, *options)
    assert (done.exit_code, target.exists()) == (1, False), done.output
    return done.stderr


def _written(folder: Path, files: dict[str, str | bytes]) -> list[Path]:
    paths = []
    for name, content in files.items():
        paths.append(folder / name.replace("__", "."))
        paths[-1].write_bytes(content if isinstance(content, bytes) else content.encode())
    return paths


def descriptor(package: Path) -> Any:
    return json.loads((package / "datapackage.json").read_text("utf-8"))


def schema(package: Path, table: int = 0) -> Any:
    return descriptor(package)["resources"][table]["schema"]


def types(package: Path, table: int = 0) -> dict[str, str]:
    return {field["name"]: field["type"] for field in schema(package, table)["fields"]}


def test_a_package_has_types_titles_keys_and_foreign_keys_as_far_as_the_data_bear_them(tmp_path: Path) -> None:
    package, said = new(tmp_path, sales__csv=SALES, customers__csv=CUSTOMERS)
    assert descriptor(package) == {
        "$schema": "https://datapackage.org/profiles/2.0/datapackage.json",
        "name": "made",
        "title": "Made",
        "version": "0.1.0",
        "created": "2027-01-15T08:00:00Z",
        "resources": [
            {
                "name": "sales",
                "type": "table",
                "title": "Sales",
                "path": "data/sales.csv",
                "format": "csv",
                "mediatype": "text/csv",
                "encoding": "utf-8",
                "schema": {
                    "fields": [
                        {"name": "order_no", "title": "Order no", "type": "integer"},
                        {"name": "customer", "title": "Customer", "type": "string"},
                        {"name": "day", "title": "Day", "type": "date"},
                        {"name": "amount", "title": "Amount", "type": "number"},
                    ],
                    "missingValues": [""],
                    "primaryKey": ["order_no"],
                    "foreignKeys": [{"fields": ["customer"], "reference": {"resource": "customers", "fields": ["id"]}}],
                },
            },
            {
                "name": "customers",
                "type": "table",
                "title": "Customers",
                "path": "data/customers.csv",
                "format": "csv",
                "mediatype": "text/csv",
                "encoding": "utf-8",
                "schema": {
                    "fields": [
                        {"name": "id", "title": "Id", "type": "string"},
                        {"name": "name", "title": "Name", "type": "string"},
                    ],
                    "missingValues": [""],
                    "primaryKey": ["id"],
                },
            },
        ],
    }
    assert said == (
        "data/sales.csv: 3 rows; order_no (integer), customer (string), day (date), amount (number); key order_no; "
        "customer is a key of customers\n"
        "data/customers.csv: 3 rows; id (string), name (string); key id\n"
    )


def test_a_package_is_served_as_it_was_made(tmp_path: Path) -> None:
    package, _ = new(tmp_path, sales__csv=SALES, customers__csv=CUSTOMERS)
    client = client_of(package, tmp_path / "store")
    assert [row["amount"] for row in all_rows(client, rows_path("sales", "customer.name=Ann"))] == [12.5, 7.25]


def test_the_readme_asks_what_only_a_person_knows_and_explains_the_properties_of_lantern(tmp_path: Path) -> None:
    package, _ = new(tmp_path, sales__csv=SALES)
    text = (package / "README.md").read_text("utf-8")
    assert text.startswith("# Made\n")
    for part in ("data/sales.csv", "Who collected them", "No licence is named yet", "lantern:additiveWithin"):
        assert part in text
    assert "licenses" not in descriptor(package)


@pytest.mark.parametrize("taken", ["datapackage.json", "datapackage.yaml", "README.md", "data"])
def test_nothing_is_overwritten(tmp_path: Path, taken: str) -> None:
    target = tmp_path / "made"
    target.mkdir()
    (target / taken).mkdir() if taken == "data" else (target / taken).write_text("mine")
    done = lantern("new", *_written(tmp_path, {"sales__csv": SALES}), "--into", target)
    assert (done.exit_code, [path.name for path in target.iterdir()]) == (1, [taken])
    assert done.stderr == f"{target / taken} is there already and is not replaced: name another folder (--into)\n"


def test_a_package_may_be_made_in_the_folder_of_its_files(tmp_path: Path) -> None:
    [file] = _written(tmp_path, {"sales__csv": SALES})
    assert lantern("new", file, "--into", tmp_path).exit_code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.md", "data", "datapackage.json", "sales.csv"]


def test_without_a_folder_the_package_is_named_like_the_first_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _written(tmp_path, {"Été 2026__csv": SALES})
    done = lantern("new", "Été 2026.csv")
    assert done.stdout == (
        "ete-2026 is a package: answer the questions in ete-2026/README.md, then see it\n"
        "  lantern preview ete-2026    while you edit\n"
        "  lantern serve ete-2026      as its first release\n"
    )
    assert descriptor(Path("ete-2026"))["resources"][0]["title"] == "Été 2026"


# Keys


@pytest.mark.parametrize(
    ("files", "key"),
    [
        ({"things": "id,n\na,1\nb,2\n"}, ["id"]),
        ({"things": "n,thing_id\n1,a\n2,b\n"}, ["thing_id"]),
        ({"countries": "country,n\nAT,1\nDE,2\n"}, ["country"]),
        ({"things": "isoCode,n\nAT,1\nDE,2\n"}, ["isoCode"]),
        ({"things": "id,n\na,1\na,2\n"}, None),  # not unique
        ({"things": "id,n\na,1\n,2\n"}, None),  # not complete
        ({"things": "name,n\na,1\nb,2\n"}, None),  # unique, but not called like a key
        ({"things": "n,code\n1,a\n2,b\n"}, None),  # called like a key, but not the first
        ({"things": "id,n\na,1\n"}, None),  # one row proves nothing
        ({"sales": "region,sales\na,100\nb,200\n"}, None),  # figures
        ({"sales": "sales,region\n12 %,a\n9 %,b\n"}, None),
        ({"orders": "customer_id,n\n1,a\n2,b\n", "customers": "id,x\n1,a\n2,b\n"}, None),  # the key of another table
    ],
)
def test_a_key_is_proposed_where_names_and_rows_agree(
    tmp_path: Path, files: dict[str, str], key: list[str] | None
) -> None:
    package, _ = new(tmp_path, **{f"{name}__csv": text for name, text in files.items()})
    assert schema(package).get("primaryKey") == key


@pytest.mark.parametrize(
    ("orders", "customers", "field"),
    [
        ("n,customer_id\n1,1\n2,1\n", "id,name\n1,Ann\n2,Bob\n", "customer_id"),
        ("n,customerId\n1,1\n2,\n", "customer_id,name\n1,Ann\n2,Bob\n", "customerId"),
        ("n,customer\n1,1\n2,NA\n", "id,name\n1,Ann\n2,Bob\n", "customer"),
        ("n,customer\n1,1\n2,3\n", "id,name\n1,Ann\n2,Bob\n", None),  # a value that is no key
        ("n,client\n1,1\n2,1\n", "id,name\n1,Ann\n2,Bob\n", None),  # called otherwise
        ("n,customer\n1,\n2,\n", "id,name\n1,Ann\n2,Bob\n", None),  # no value
        ("id,n\n1,1\n2,1\n", "id,name\n1,Ann\n2,Bob\n", None),  # two keys of their own
    ],
)
def test_a_foreign_key_is_proposed_where_names_and_values_agree(
    tmp_path: Path, orders: str, customers: str, field: str | None
) -> None:
    package, _ = new(tmp_path, orders__csv=orders, customers__csv=customers)
    assert [key["fields"] for key in schema(package).get("foreignKeys", [])] == ([[field]] if field else [])


def test_two_tables_with_the_same_key_do_not_refer_to_each_other_in_a_circle(tmp_path: Path) -> None:
    rows = "person_id,x\n1,a\n2,b\n"
    package, _ = new(tmp_path, people__csv=rows, details__csv=rows)
    assert sum(len(schema(package, table).get("foreignKeys", [])) for table in (0, 1)) == 1


# Missing values


def test_words_for_no_value_are_proposed_where_a_column_is_numeric_but_for_them(tmp_path: Path) -> None:
    package, said = new(tmp_path, t__csv="a,b,c\n1,2026-01-01,x\nNA,n/a,y\n2,-,z\n")
    assert types(package) == {"a": "integer", "b": "date", "c": "string"}
    assert schema(package)["missingValues"] == ["", "-", "NA", "n/a"]
    assert said.endswith("no value where it says - or NA or n/a\n")


def test_a_word_that_is_a_value_elsewhere_is_missing_in_the_numeric_column_alone(tmp_path: Path) -> None:
    package, _ = new(tmp_path, t__csv="country,n\nNA,NA\nDE,1\n")
    assert schema(package) == {
        "fields": [
            {"name": "country", "title": "Country", "type": "string"},
            {"name": "n", "title": "N", "type": "integer", "missingValues": ["", "NA"]},
        ],
        "missingValues": [""],
    }
    client = client_of(package, tmp_path / "store")
    assert all_rows(client, rows_path("t")) == [{"country": "NA", "n": None}, {"country": "DE", "n": 1}]


def test_a_column_of_words_for_no_value_alone_keeps_them(tmp_path: Path) -> None:
    package, _ = new(tmp_path, t__csv="a,b\nNA,1\nNA,2\n")
    assert (types(package)["a"], schema(package)["missingValues"]) == ("string", [""])


# Numbers as others write them


@pytest.mark.parametrize(
    ("cells", "field"),
    [
        ("1,5 -2,25 3", {"decimalChar": ","}),
        ("1,234 0,5 NA", {"decimalChar": ",", "missingValues": ["", "NA"]}),
        ("1234,567 1,5", {"decimalChar": ","}),
        ("1.234,50 5,25 100", {"decimalChar": ",", "groupChar": "."}),
        ("1,234.50 5.25 1,000 2,000", {"groupChar": ","}),
        ("1,234 5,678", None),  # a thousand, or one and a bit
        ("1.234 5.678,1 1,234.5", None),  # two ways
        ("1,5 1.5", None),
        ("1,2 1 2 3", None),  # more likely a list of choices
        ("01,5 2,5", None),
        ("1,5 2,5 x", None),
    ],
)
def test_numbers_as_others_write_them_are_numbers_where_no_cell_leaves_a_doubt(
    tmp_path: Path, cells: str, field: dict[str, Any] | None
) -> None:
    package, _ = new(tmp_path, t__csv="a;v\n" + "".join(f"x;{cell}\n" for cell in cells.split()))
    given = {key: value for key, value in schema(package)["fields"][1].items() if key not in ("name", "title")}
    missing = {"missingValues": schema(package)["missingValues"]} if schema(package)["missingValues"] != [""] else {}
    assert {**given, **missing} == ({"type": "number", **field} if field else {"type": "string"})
    assert (
        client_of(package, tmp_path / "store").get("/releases/0.1.0/data/t.csv").data.count(b"\n")
        == len(cells.split()) + 1
    )


# Awkward files


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("a\n1\n2\n", [{"a": 1}, {"a": 2}]),
        ("a,b\n", []),
        ("a,a,\n1,2,3\n", [{"a": 1, "a_2": 2, "field3": 3}]),
        ("a,A\n1,2\n", [{"a": 1, "A": 2}]),
        ("day,b\n3 March 2026,x\n", [{"day": "3 March 2026", "b": "x"}]),
        ('price\n"1,5"\n', [{"price": 1.5}]),
        ('price\n"1,234"\n', [{"price": "1,234"}]),
        ('a,b\n"x\ny","say ""hi"""\n', [{"a": "x\ny", "b": 'say "hi"'}]),
        (",".join(f"c{n}" for n in range(100)) + "\n" + ",".join("1" * 100), [{f"c{n}": 1 for n in range(100)}]),
        ("limit,cursor,id,data\n1,2,3,4\n", [{"limit": 1, "cursor": 2, "id": 3, "data": 4}]),
        ("unit price (€),b/c\n1,2\n", [{"unit price (€)": 1, "b/c": 2}]),
        ("id,n\n007,1\n008,2\n", [{"id": "007", "n": 1}, {"id": "008", "n": 2}]),
    ],
)
def test_an_awkward_file_becomes_a_package_that_is_served(
    tmp_path: Path, content: str, rows: list[dict[str, Any]]
) -> None:
    package, _ = new(tmp_path, t__csv=content)
    assert all_rows(client_of(package, tmp_path / "store"), rows_path("t")) == rows


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("t__csv", "a;b\n1;2\n", "t.csv: semicolons made commas\n"),
        ("t__tsv", "a\tb\n1\t2\n", "t.tsv: tabs made commas\n"),
        ("t__csv", "a,b\n1,2\n".encode("utf-16"), "t.csv: utf-16 made UTF-8\n"),
        ("t__json", '[{"a": 1, "b": 2}]', "t.json: JSON made CSV\n"),
        ("t__jsonl", '{"a": 1, "b": 2}\n', "t.jsonl: JSONL made CSV\n"),
        ("t__csv", "a,b\n1,2\n".encode("utf-8-sig"), ""),
        ("t__csv", "a,b\r\n1,2\r\n", ""),
    ],
)
def test_every_kind_of_file_becomes_plain_csv_with_a_word(
    tmp_path: Path, file: str, content: str | bytes, said: str
) -> None:
    package, told = new(tmp_path, **{file: content})
    assert (package / "data/t.csv").read_bytes() == b"a,b\n1,2\n"
    assert told == f"{said}data/t.csv: 1 row; a (integer), b (integer)\n"


def test_a_file_that_is_not_utf_8_is_refused_until_its_encoding_is_named(tmp_path: Path) -> None:
    content = "name\nZoë\n".encode("latin-1")
    assert "--encoding names another, such as windows-1252" in refused(tmp_path, t__csv=content)
    package, said = new(tmp_path, "--encoding", "latin-1", t__csv=content)
    assert (package / "data/t.csv").read_text("utf-8") == "name\nZoë\n"
    assert said.startswith("t.csv: latin-1 made UTF-8\n")


def test_a_first_row_of_values_is_asked_about_and_read_as_one_when_told(tmp_path: Path) -> None:
    rows = "Ann,12.5,2026-01-01\nBob,7.5,2026-01-02\nCy,1.5,2026-01-03\n"
    [file] = _written(tmp_path, {"t__csv": rows})
    done = lantern("new", file, "--into", tmp_path / "wrong")
    question = "t: the first row was read as the header, and has values (12.5, 2026-01-01): is --no-header right?\n"
    assert question in done.stderr
    package, _ = new(tmp_path, "--no-header", t__csv=rows)
    assert (package / "data/t.csv").read_text() == f"field1,field2,field3\n{rows}"


def test_years_as_names_of_columns_are_no_reason_to_ask(tmp_path: Path) -> None:
    _, said = new(tmp_path, t__csv="country,1990,1991\nAT,1.5,2\n")
    assert "--no-header" not in said


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("t__csv", "", "t.csv"),
        ("t__csv", "a,b\n1,2\n3\n", "t.csv:3: the row has 1 cell (expected: 2, as the header)"),
        ("t__csv", 'a,b\n"x\ny",2\n3,4,5\n', "t.csv:4: the row has 3 cells (expected: 2, as the header)"),
        ("t__csv", 'a,b\n"1,2\n3,4\n', "a quote is opened here"),
        ("t__xlsx", "PK", "t.xlsx: the file is no xlsx spreadsheet"),
        ("t__parquet", "PAR1", "t.parquet cannot be read"),
        ("t__sqlite", "none", "t.sqlite cannot be read: file is not a database"),
        ("t__sqlite", "", "t.sqlite holds no tables"),
        ("t__pdf", "%PDF", "t.pdf is no table that can be read (expected: csv, tsv, json,"),
        ("t", "a,b\n1,2\n", "t is no table that can be read (expected: csv, tsv, json,"),
        ("t__json", "[1, 2]", "t.json"),
        ("t__json", '{"a": 1}', "t.json"),
        ("t__json", "[{", "t.json"),
    ],
)
def test_a_file_that_is_no_table_is_refused_in_words(tmp_path: Path, file: str, content: str, said: str) -> None:
    told = refused(tmp_path, **{file: content})
    assert said in told and "Traceback" not in told


def test_a_table_is_named_like_its_file_without_what_says_how_it_is_written(tmp_path: Path) -> None:
    package, _ = new(tmp_path, **{"Sales 2024__01__csv": "a\n1\n", "b__csv__gz": gzip.compress(b"a\n1\n")})
    assert [(r["name"], r["title"]) for r in descriptor(package)["resources"]] == [
        ("sales-2024-01", "Sales 2024.01"),
        ("b", "B"),
    ]


def test_files_of_one_name_become_tables_of_two(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "t.csv").write_text(f"x\n{name}\n")
    done = lantern("new", tmp_path / "a/t.csv", tmp_path / "b/t.csv", "--into", tmp_path / "made")
    assert done.exit_code == 0, done.output
    assert [entry["name"] for entry in descriptor(tmp_path / "made")["resources"]] == ["t", "t-2"]
    assert (tmp_path / "made/data/t-2.csv").read_text() == "x\nb\n"


def test_each_table_of_a_database_becomes_one(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.sqlite")) as db:
        db.executescript("""
            CREATE TABLE customers (id TEXT, name TEXT); INSERT INTO customers VALUES ('c1', 'Ann'), ('c2', 'Zoë, jr');
            CREATE TABLE sales (n INTEGER, customer_id TEXT, amount REAL, note);
            INSERT INTO sales VALUES (1, 'c1', 12.5, NULL), (2, 'c1', 0.1, 'x
y'), (3, NULL, 1e3, 'z');
            CREATE VIEW all_sales AS SELECT * FROM sales;
        """)
    done = lantern("new", tmp_path / "shop.sqlite", "--into", tmp_path / "made")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "made/data/customers.csv").read_text("utf-8") == 'id,name\nc1,Ann\nc2,"Zoë, jr"\n'
    sales = 'n,customer_id,amount,note\n1,c1,12.5,\n2,c1,0.1,"x\ny"\n3,,1000.0,z\n'
    assert (tmp_path / "made/data/sales.csv").read_text("utf-8") == sales
    assert [key["fields"] for key in schema(tmp_path / "made", 1)["foreignKeys"]] == [["customer_id"]]
    assert "shop.sqlite: the view all_sales is left out\n" in done.stderr


def workbook(path: Path, **sheets: list[list[Any]]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def test_each_sheet_with_a_value_becomes_a_table(tmp_path: Path) -> None:
    people = [["id", "name", "born", "pay"], ["p1", "Ann", date(1990, 5, 1), 12.5], ["p2", "Bob", None, "n/a"]]
    file = workbook(tmp_path / "staff.xlsx", People=people, Empty=[], Leave=[["person", "days"], ["p1", 3]])
    done = lantern("new", file, "--into", tmp_path / "made")
    assert done.exit_code == 0, done.output
    made = tmp_path / "made"
    assert (made / "data/staff-people.csv").read_text() == "id,name,born,pay\np1,Ann,1990-05-01,12.5\np2,Bob,,n/a\n"
    assert types(made) == {"id": "string", "name": "string", "born": "date", "pay": "number"}
    assert [entry["title"] for entry in descriptor(made)["resources"]] == ["Staff People", "Staff Leave"]
    assert types(made, 1) == {"person": "string", "days": "integer"}


def test_the_only_sheet_of_a_file_is_called_like_the_file(tmp_path: Path) -> None:
    file = workbook(tmp_path / "staff.xlsx", Sheet1=[["Ann", 3], ["Bob", 4]])
    assert lantern("new", file, "--no-header", "--into", tmp_path / "made").exit_code == 0
    assert (tmp_path / "made/data/staff.csv").read_text() == "field1,field2\nAnn,3\nBob,4\n"


def test_what_is_said_of_text_files_is_not_said_of_databases(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.sqlite")) as db:
        db.executescript("CREATE TABLE t (name); INSERT INTO t VALUES ('Zoë')")
    latin = tmp_path / "datapackage.csv"
    latin.write_bytes("Zoë\n".encode("latin-1"))
    options = ["--into", tmp_path / "made", "--encoding", "latin-1", "--no-header"]
    assert lantern("new", tmp_path / "shop.sqlite", latin, *options).exit_code == 0
    assert (tmp_path / "made/data/t.csv").read_text("utf-8") == "name\nZoë\n"
    assert (tmp_path / "made/data/datapackage.csv").read_text("utf-8") == "field1\nZoë\n"


def test_a_table_may_be_called_like_a_descriptor(tmp_path: Path) -> None:
    package, _ = new(tmp_path, datapackage__json='[{"a": 1}]')
    assert (package / "data/datapackage.csv").read_text() == "a\n1\n"


def test_a_parquet_file_keeps_what_its_types_say(tmp_path: Path) -> None:
    rows = {
        "flag": [True, None],
        "day": [date(2026, 1, 5), date(2026, 1, 6)],
        "moment": [datetime(2026, 1, 5, 12, tzinfo=UTC), None],
        "price": [Decimal("12.50"), Decimal("0.10")],
        "share": [0.1, 1e-7],
        "tags": [["a", "b"], []],
    }
    pyarrow.parquet.write_table(pyarrow.table(rows), tmp_path / "t.parquet")
    done = lantern("new", tmp_path / "t.parquet", "--into", tmp_path / "made")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "made/data/t.csv").read_text("utf-8") == (
        "flag,day,moment,price,share,tags\n"
        'true,2026-01-05,2026-01-05T12:00:00Z,12.50,0.1,"[""a"", ""b""]"\n'
        ",2026-01-06,,0.10,0.0000001,[]\n"
    )


@pytest.mark.parametrize("kind", ["sqlite", "parquet"])
def test_bytes_in_a_table_are_refused(tmp_path: Path, kind: str) -> None:
    file = tmp_path / f"t.{kind}"
    if kind == "sqlite":
        with closing(sqlite3.connect(file)) as db:
            db.executescript("CREATE TABLE t (a, b); INSERT INTO t VALUES (1, 2), (3, x'00')")
    else:
        pyarrow.parquet.write_table(pyarrow.table({"a": [1, 3], "b": [b"2", b"\0"]}), file)
    done = lantern("new", file, "--into", tmp_path / "made")
    row = 3 if kind == "sqlite" else 2
    assert (done.exit_code, done.stderr) == (
        1,
        f'{file.name}: t, row {row}, "b" holds bytes: expected text, a number or a time\n',
    )
