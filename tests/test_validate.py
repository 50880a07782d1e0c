"""What is wrong with a package is told with file, line, field, value and what was expected."""

import json
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from packages import table, write

from api.cli import main
from api.index import sqlite
from api.model.findings import Finding, Report
from api.package import validate
from api.package.checks.wording import numbers
from api.release.build import build

SOURCES = table("sources", ["id"], [["s1"], ["s2"]])
UNITS = table("indicators", ["id", "unit"], [["guns", "firearms"], ["part", "share"]])
FIGURE_FIELDS = (
    *("id", "indicator", "year:year", "period_type", "period_start:date", "period_end:date"),
    *("value:number", "value_low:number", "value_high:number", "unit", "qualifier", "derivation", "as_stated"),
    *("source", "locator", "standing", "note"),
)
FIGURE = {
    "value": "value",
    "low": "value_low",
    "high": "value_high",
    "qualifier": "qualifier",
    "asStated": "as_stated",
    "derivation": "derivation",
    "source": "source",
    "locator": "locator",
    "year": "year",
    "periodType": "period_type",
    "periodStart": "period_start",
    "periodEnd": "period_end",
    "standing": "standing",
    "series": ["indicator"],
    "agrees": {"unit": {"through": "indicator", "resource": "indicators", "field": "unit"}},
}
GOOD = {
    "id": "f1",
    "indicator": "guns",
    "year": "2007",
    "period_type": "fiscal_year",
    "period_start": "2006-10-01",
    "period_end": "2007-09-30",
    "value": "12",
    "value_low": "",
    "value_high": "",
    "unit": "firearms",
    "qualifier": "exact",
    "derivation": "stated",
    "as_stated": "all 12 of them",
    "source": "s1",
    "locator": "page 1",
    "standing": "preferred",
    "note": "",
}


def figures(*changes: dict[str, str]) -> dict[str, Any]:
    """A table of figures: one good row for each set of changes to it."""
    rows = [[*{**GOOD, "id": f"f{number}", **change}.values()] for number, change in enumerate(changes, 1)]
    made = table("figures", FIGURE_FIELDS, rows)
    made["schema"]["lantern:figure"] = FIGURE
    made["schema"]["foreignKeys"] = [
        {"fields": ["source"], "reference": {"resource": "sources", "fields": ["id"]}},
        {"fields": ["indicator"], "reference": {"resource": "indicators", "fields": ["id"]}},
    ]
    made["schema"]["fields"][12]["constraints"] = {"maxLength": 100}
    return made


def with_figures(folder: Path, *changes: dict[str, str], **words: Any) -> Path:
    return write(folder, figures(*changes), SOURCES, UNITS, **words)


def only(report: Report) -> Finding:
    """The one error of a report."""
    assert len(report.errors) == 1, report.text()
    return report.errors[0]


def place(finding: Finding) -> tuple[str, int | None, str | None, str | None, str]:
    return finding.file, finding.row, finding.field, finding.value, finding.type


def test_a_package_without_defects_is_valid(tmp_path: Path) -> None:
    report = validate(with_figures(tmp_path, {}))
    assert report.to_json() == {
        "valid": True,
        "errors": [],
        "warnings": [],
        "notes": [],
        "edits": [],
        "tables": [
            {"name": "figures", "path": "data/figures.csv", "rows": 1},
            {"name": "sources", "path": "data/sources.csv", "rows": 2},
            {"name": "indicators", "path": "data/indicators.csv", "rows": 2},
        ],
    }
    assert report.text() == "valid: 3 tables, 5 rows, 0 errors, 0 warnings"


def test_an_error_is_one_line_for_people_and_one_record_for_machines(tmp_path: Path) -> None:
    report = validate(write(tmp_path, table("t", ["id", "value:number"], [["a", "1"], ["b", "abc"]])))
    assert report.to_json()["errors"] == [
        {
            "file": "data/t.csv",
            "resource": "t",
            "row": 3,
            "field": "value",
            "key": "b",
            "value": "abc",
            "expected": "a number",
            "type": "wrong-type",
            "message": '"abc" is not a number',
        }
    ]
    assert report.text().splitlines()[0] == (
        'data/t.csv:3 field "value" of b: "abc" is not a number (expected: a number)'
    )


# The standard


def test_a_broken_foreign_key_is_an_error(tmp_path: Path) -> None:
    found = only(validate(with_figures(tmp_path, {"source": "nobody"})))
    assert place(found) == ("data/figures.csv", 2, "source", "nobody", "foreign-key")
    assert found.expected == "a value of sources.id"


def test_a_foreign_key_with_a_null_in_it_refers_to_nothing(tmp_path: Path) -> None:
    foreign = [{"fields": ["x", "y"], "reference": {"resource": "t", "fields": ["a", "b"]}}]
    rows = [["1", "p", "q"], ["2", "p", ""], ["3", "", ""], ["4", "p", "z"]]
    other = table("u", ["id", "x", "y"], rows, foreignKeys=foreign)
    found = only(validate(write(tmp_path, table("t", ["a", "b"], [["p", "q"]]), other)))
    assert place(found) == ("data/u.csv", 5, "x", "p,z", "foreign-key")


def test_a_duplicate_key_is_an_error_told_once(tmp_path: Path) -> None:
    small = table("t", ["id"], [["a"], ["b"], ["a"]])
    small["schema"]["fields"][0]["constraints"] = {"unique": True, "required": True}
    found = only(validate(write(tmp_path, small)))
    assert place(found) == ("data/t.csv", 4, "id", "a", "duplicate-key")


def test_a_missing_key_is_an_error_told_once(tmp_path: Path) -> None:
    found = only(validate(write(tmp_path, table("t", ["id", "n"], [["a", "1"], ["", "2"]]))))
    assert place(found) == ("data/t.csv", 3, "id", "", "required")


@pytest.mark.parametrize(
    ("type", "constraints", "cell", "kind", "expected"),
    [
        ("string", {"required": True}, "", "required", "a value"),
        ("string", {"enum": ["a", "b"]}, "c", "enum", "one of a, b"),
        ("string", {"pattern": "[a-z]+"}, "A1", "pattern", "text that matches [a-z]+"),
        ("string", {"maxLength": 2}, "abc", "max-length", "at most 2 characters"),
        ("integer", {"minimum": 5}, "4", "minimum", "at least 5"),
        ("date", {"maximum": "2000-01-01"}, "2000-01-02", "maximum", "at most 2000-01-01"),
    ],
)
def test_a_constraint_is_enforced(
    tmp_path: Path, type: str, constraints: dict[str, Any], cell: str, kind: str, expected: str
) -> None:
    small = table("t", ["id", f"x:{type}"], [["a", cell]])
    small["schema"]["fields"][1]["constraints"] = constraints
    found = only(validate(write(tmp_path, small)))
    assert (*place(found), found.expected) == ("data/t.csv", 2, "x", cell, kind, expected)


def test_categories_are_the_only_values_allowed(tmp_path: Path) -> None:
    small = table("t", ["id", "x"], [["a", "red"], ["b", "green"]])
    small["schema"]["fields"][1]["categories"] = [{"value": "red", "label": "Red"}]
    assert place(only(validate(write(tmp_path, small)))) == ("data/t.csv", 3, "x", "green", "enum")


def test_unique_keys_are_enforced_except_where_they_are_null(tmp_path: Path) -> None:
    rows = [["a", "1", "x"], ["b", "1", "x"], ["c", "1", ""], ["d", "1", ""]]
    small = table("t", ["id", "x", "y"], rows, uniqueKeys=[["x", "y"]])
    assert place(only(validate(write(tmp_path, small)))) == ("data/t.csv", 3, "x", "1", "unique-key")


def test_a_value_that_cannot_be_served_is_an_error(tmp_path: Path) -> None:
    found = only(validate(write(tmp_path, table("t", ["id", "x:integer"], [["a", "1_000"]]))))
    assert place(found) == ("data/t.csv", 2, "x", "1_000", "wrong-type")


def test_numbers_that_lose_digits_are_warned_of(tmp_path: Path) -> None:
    rows = [["a", "1234567890.12345678"], ["b", "12345678901234567"], ["c", "0.10000000000000000"]]
    report = validate(write(tmp_path, table("t", ["id", "x:number"], rows)))
    assert report.valid
    assert [place(w) for w in report.warnings] == [("data/t.csv", 2, "x", "1234567890.12345678", "long-number")]


def test_a_line_is_counted_as_in_an_editor(tmp_path: Path) -> None:
    rows = [["a", "two\nlines"], ["b", "x"], ["a", "x"]]
    assert only(validate(write(tmp_path, table("t", ["id", "x"], rows)))).row == 5


def test_all_errors_come_at_once_and_many_of_one_kind_are_counted(tmp_path: Path) -> None:
    rows = [[f"{number:04}", "x", "1"] for number in range(1500)] + [["2000", "7", "y"]]
    small = table("t", ["id", "n:integer", "m:integer"], rows)
    report = validate(write(tmp_path, small, table("u", ["id:integer"], [["x"]])))
    assert report.text().splitlines() == [
        'data/t.csv:2 field "n" of 0000: "x" is not a whole number (expected: a whole number); and 1,499 more like it, '
        "on lines 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 …",
        'data/t.csv:1502 field "m" of 2000: "y" is not a whole number (expected: a whole number)',
        'data/u.csv:2 field "id" of x: "x" is not a whole number (expected: a whole number)',
        "not valid: 2 tables, 1502 rows, 1502 errors, 0 warnings",
    ]
    told = [(entry["field"], entry["message"], entry.get("count")) for entry in report.to_json()["errors"]]
    assert len(told) == 103
    assert told[-2:] == [("n", "and 1,400 more like it", 1400), ("id", '"x" is not a whole number', None)]


def test_a_wrong_header_is_one_error_and_not_one_for_each_row(tmp_path: Path) -> None:
    folder = write(tmp_path, table("t", ["id", "x:number"], [["a", "1"], ["b", "2"]]))
    (folder / "data/t.csv").write_text("id,y\na,1\nb,2\n")
    assert place(only(validate(folder))) == ("data/t.csv", 1, "x", "y", "incorrect-label")


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("id,X,y", 'field "x": the header has "X" in place of "x" (expected: x)'),
        ("id,y,x", ": the columns are in another order, y, x; lantern format mends this (expected: x, y)"),
        ("id,x", 'field "y": the column "y" is missing in the header (expected: y)'),
        (
            "id,x,y,z",
            'field "z": the column "z" is not in the schema '
            "(expected: no such column, or a field of this name in the schema)",
        ),
        (
            "id,x,y,,",
            ": the header has 2 more columns, which have no name; lantern format mends this (expected: 3 columns)",
        ),
        ("id,x,y,y", ': the header lists "y" twice (expected: each name once)'),
        ("id,y,z", 'field "x": "x" is missing in the header, "z" is too much (expected: x)'),
        ("a,1,2", ': the first line is not the header: it begins "a", "1", "2" (expected: id, x, y)'),
    ],
)
def test_a_wrong_header_is_one_line_that_names_what_was_found_and_expected(
    tmp_path: Path, header: str, said: str
) -> None:
    folder = write(tmp_path, table("t", ["id", "x:number", "y:date"], []))
    row = ",".join(["a"] * len(header.split(",")))
    (folder / "data/t.csv").write_text(f"{header}\n{row}\n{row}\n")
    first, last = validate(folder).text().splitlines()
    assert first.removeprefix("data/t.csv:1").removeprefix(" ") == said
    assert last == "not valid: 1 table, 2 rows, 1 error, 0 warnings"


@pytest.mark.parametrize(
    ("row", "said"),
    [("b,1,2,3", "b: the row has 4 cells, the header has 3"), ("b,x", "b: the row has 2 cells, the header has 3")],
)
def test_a_row_with_another_number_of_cells_is_one_line_with_both_numbers(tmp_path: Path, row: str, said: str) -> None:
    folder = write(tmp_path, table("t", ["id", "x:number", "y:number"], []))
    (folder / "data/t.csv").write_text(f"id,x,y\na,1,2\n{row}\n")
    assert validate(folder).text().splitlines()[:-1] == [f"data/t.csv:3 {said} (expected: 3 cells)"]


@pytest.mark.parametrize(
    "content",
    [b"", b"id,n\nse\xf1or,1\n", b'id,n\n"a,1\nb,2\n', b"n,id\n1,a\n", b"id,n\na,1,2\n", b"id\na\n", None],
    ids=["empty", "Latin-1", "open quote", "other order", "a cell too many", "a column too few", "no file"],
)
def test_tables_that_refer_to_one_that_cannot_be_read_are_not_judged_by_it(
    tmp_path: Path, content: bytes | None
) -> None:
    foreign = [{"fields": ["t"], "reference": {"resource": "t", "fields": ["id"]}}]
    positions = [["c1", "t", "a", "preferred"], ["c1", "t", "b", "rival"], ["c1", "t", "gone", "rival"]]
    key = ["conflict", "dataset", "record"]
    package = write(
        tmp_path,
        table("conflicts", ["id", "preferred_record"], [["c1", "a"]]),
        table("conflict_positions", ["conflict", "dataset", "record", "role"], positions, primaryKey=key),
        table("others", ["id", "t"], [["x", "a"], ["y", "z"]], foreignKeys=foreign),
        table("t", ["id", "n:number"], [["a", "1"], ["b", "2"]]),
        table("corrections", ["id", "dataset", "record", "field", "version"], []),
    )
    old = write(tmp_path / "old", table("t", ["id", "n:number"], [["a", "7"]]))
    assert [error.type for error in validate(package, old).errors] == ["conflict", "foreign-key", "correction"]
    file = package / "data/t.csv"
    file.unlink() if content is None else file.write_bytes(content)
    assert only(validate(package, old)).resource == "t"


def test_a_table_that_is_wrong_throughout_is_told_in_a_bounded_time(tmp_path: Path) -> None:
    rows = [[str(number), "x", "x", "x", "x"] for number in range(20_000)]
    fields = ["id", "a:number", "b:integer", "c:date", "d:number"]
    folder = write(tmp_path, table("t", fields, rows))
    began = time.process_time()
    report = validate(folder)
    assert time.process_time() - began < 6
    assert len(report.errors) == 404 and report.text().endswith("80000 errors, 0 warnings")


def test_control_characters_of_a_cell_do_not_reach_the_terminal(tmp_path: Path) -> None:
    evil = "\x1b]0;owned\x07\x1b[2J\x9b1m\u202e\x7f"
    folder = write(tmp_path, table("t", ["id", "n:number"], [["a", evil]]))
    plain = CliRunner().invoke(main, ["validate", str(folder)])
    assert plain.output.splitlines()[0] == (
        'data/t.csv:2 field "n" of a: "\\u001b]0;owned\\u0007\\u001b[2J\\u009b1m\\u202e\\u007f" is not a number '
        "(expected: a number)"
    )
    told = CliRunner().invoke(main, ["validate", str(folder), "--json"])
    assert json.loads(told.output)["errors"][0]["value"] == evil
    for done in (plain, told, CliRunner().invoke(main, ["build", str(folder), "--store", str(tmp_path / "store")])):
        assert done.exit_code == 1 and done.output.replace("\n", "").isprintable()


@pytest.mark.parametrize(("words", "kind"), [({"bytes": 1}, "bytes"), ({"hash": "sha256:" + "0" * 64}, "hash")])
def test_a_previous_version_that_is_not_what_was_published_is_an_error(
    tmp_path: Path, words: dict[str, Any], kind: str
) -> None:
    """Elsewhere a stale checksum is none: tests/test_tolerance.py."""
    report = validate(write(tmp_path / "history/1.0.0", {**table("t", ["id"], [["a"]]), **words}))
    assert [finding.type for finding in report.findings] == [kind]
    assert report.valid == (kind == "bytes")


def test_a_file_in_another_encoding_is_an_error(tmp_path: Path) -> None:
    folder = write(tmp_path, table("t", ["id"], [["a"]]))
    (folder / "data/t.csv").write_bytes("id\nañb\n".encode("latin-1"))
    assert (only(validate(folder)).type, only(validate(folder)).row) == ("encoding", 2)


# The descriptor


def test_a_truncated_descriptor_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path, SOURCES) / "datapackage.json"
    path.write_text(path.read_text()[:-20])
    found = only(validate(tmp_path))
    assert (found.file, found.type, found.expected) == (
        "datapackage.json",
        "unreadable-package",
        "a complete JSON document",
    )


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("datapackage.json", '{"name": "x"}'),
        ("datapackage.json", '{"resources": []}'),
        ("datapackage.json", "[1]"),
        ("datapackage.json", '{"resources": [NaN]}'),
        ("datapackage.json", ""),
        ("datapackage.yaml", "just: words\n"),
        ("datapackage.yml", "a: [1\n"),
        ("data.csv", "id\n1\n"),
        ("package.zip", "no zip"),
    ],
)
def test_what_is_no_package_is_never_valid(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    found = only(validate(tmp_path / name))
    assert (found.file, found.type) == (name, "unreadable-package")


def test_an_empty_folder_and_a_missing_one_are_errors(tmp_path: Path) -> None:
    assert only(validate(tmp_path)).type == "unreadable-package"
    assert only(validate(tmp_path / "nowhere")).type == "unreadable-package"


@pytest.mark.parametrize(
    ("words", "kind", "value"),
    [
        ({"path": "data/gone.csv"}, "missing-file", "data/gone.csv"),
        ({"schema": "gone.json"}, "missing-file", "gone.json"),
        ({"path": "../x.csv"}, "unsafe-path", "../x.csv"),
        ({"path": "/etc/hostname"}, "unsafe-path", "/etc/hostname"),
    ],
)
def test_a_file_that_is_not_there_is_an_error_and_the_rest_is_checked(
    tmp_path: Path, words: dict[str, Any], kind: str, value: str
) -> None:
    write(tmp_path, table("t", ["id"], [["a"]]), table("u", ["id:integer"], [["x"]]))
    descriptor = json.loads((tmp_path / "datapackage.json").read_text())
    descriptor["resources"][0] |= words
    (tmp_path / "datapackage.json").write_text(json.dumps(descriptor))
    first, second = validate(tmp_path).errors
    assert (first.file, first.resource, first.type, first.value) == ("datapackage.json", "t", kind, value)
    assert (second.resource, second.type) == ("u", "wrong-type")


def test_a_link_out_of_the_package_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("id\na\n")
    folder = write(tmp_path / "package", table("t", ["id"], [["a"]]))
    (folder / "data/t.csv").unlink()
    (folder / "data/t.csv").symlink_to(tmp_path / "secret.csv")
    assert only(validate(folder)).type == "unsafe-path"


@pytest.mark.parametrize(("names", "value"), [(("a", "a"), "a"), (("Straße", "STRASSE"), "STRASSE"), (("a", "A"), "A")])
def test_resources_whose_names_collide_are_errors(tmp_path: Path, names: tuple[str, str], value: str) -> None:
    first, second = ({**table(name, ["id"], [["x"]]), "path": f"data/{n}.csv"} for n, name in enumerate(names))
    found = only(validate(write(tmp_path, first, second)))
    assert (found.file, found.type, found.value) == ("datapackage.json", "duplicate-resource", value)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"primaryKey": ["nothing"]}, "nothing"),
        ({"uniqueKeys": [["nothing"]]}, "nothing"),
        ({"foreignKeys": [{"fields": ["no"], "reference": {"resource": "t", "fields": ["id"]}}]}, "no"),
        ({"foreignKeys": [{"fields": ["id"], "reference": {"resource": "nowhere", "fields": ["id"]}}]}, "nowhere"),
        ({"foreignKeys": [{"fields": ["id"], "reference": {"resource": "t", "fields": ["no"]}}]}, "no"),
        ({"lantern:figure": {"value": "no"}}, "no"),
    ],
)
def test_a_schema_that_names_what_does_not_exist_is_an_error(
    tmp_path: Path, schema: dict[str, Any], value: str
) -> None:
    found = only(validate(write(tmp_path, table("t", ["id"], [["a"]], **schema))))
    assert (found.file, found.resource, found.type, found.value) == ("datapackage.json", "t", "descriptor", value)


def test_fields_with_one_name_are_an_error(tmp_path: Path) -> None:
    found = only(validate(write(tmp_path, table("t", ["id", "x", "x"], [["a", "1", "2"]]))))
    assert (found.type, found.value) == ("descriptor", "x")


def test_words_that_are_no_text_withhold_nothing(tmp_path: Path) -> None:
    small = table("t", ["id"], [["a"]])
    small["schema"]["fields"][0]["title"] = 5
    report = validate(write(tmp_path, small, SOURCES))
    assert (report.valid, [(one.level, one.resource) for one in report.findings]) == (True, [("warning", "t")])


# Files


def test_an_undeclared_file_is_an_error_in_a_strict_package_and_a_warning_elsewhere(tmp_path: Path) -> None:
    folder = write(tmp_path, SOURCES, **{"lantern:strict": True})
    (folder / "data/more.csv").write_text("id\na\n")
    assert place(only(validate(folder))) == ("data/more.csv", None, None, None, "undeclared-file")
    report = validate(write(tmp_path, SOURCES))
    assert (report.valid, [w.file for w in report.warnings]) == (True, ["data/more.csv"])


def test_an_unsorted_file_is_an_error_in_a_strict_package_only(tmp_path: Path) -> None:
    small = table("t", ["id"], [["b"], ["a"], ["c"]])
    found = only(validate(write(tmp_path, small, **{"lantern:strict": True})))
    assert place(found) == ("data/t.csv", 3, "id", "a", "unsorted")
    assert validate(write(tmp_path, small)).valid


def test_numbers_are_sorted_as_numbers(tmp_path: Path) -> None:
    small = table("t", ["id:integer"], [["9"], ["10"]])
    assert validate(write(tmp_path, small, **{"lantern:strict": True})).valid


@pytest.mark.parametrize(
    ("content", "row", "kind"),
    [
        (b"id\na\r\nb\n", 2, "line-end"),
        (b"id\na\nb", 3, "line-end"),
        (b"\xef\xbb\xbfid\na\nb\n", 1, "byte-order-mark"),
    ],
)
def test_an_untidy_file_is_an_error_in_a_strict_package_only(
    tmp_path: Path, content: bytes, row: int, kind: str
) -> None:
    folder = write(tmp_path, table("t", ["id"], []), **{"lantern:strict": True})
    (folder / "data/t.csv").write_bytes(content)
    assert place(only(validate(folder))) == ("data/t.csv", row, None, None, kind)
    write(folder, table("t", ["id"], []))
    (folder / "data/t.csv").write_bytes(content)
    assert validate(folder).valid


# Figures


@pytest.mark.parametrize(
    ("change", "field", "kind"),
    [
        ({"value_low": "1", "derivation": "worded"}, "value_low", "quantity"),
        ({"value": ""}, "value", "quantity"),
        ({"qualifier": "more_than"}, "value", "quantity"),
        ({"qualifier": "unquantified"}, "value", "quantity"),
        ({"qualifier": "at_most", "value": "", "value_low": "12"}, "value_low", "quantity"),
        (
            {"qualifier": "approximate", "value_low": "13", "value_high": "14", "derivation": "worded"},
            "value",
            "bounds",
        ),
        ({"year": "2008"}, "period_start", "period"),
        ({"year": ""}, "year", "period"),
        ({"period_start": "2006-09-30"}, "period_start", "period"),
        ({"period_type": "calendar_year"}, "period_start", "period"),
        ({"period_type": "fiscal_years"}, "year", "period"),
        ({"period_type": "day", "year": ""}, "period_start", "period"),
        ({"period_type": "month", "year": ""}, "period_start", "period"),
        ({"period_type": "undated", "year": ""}, "period_start", "period"),
        ({"period_type": "span", "year": "", "period_start": "2008-01-01"}, "period_start", "period"),
        ({"year": "1975", "period_start": "1974-10-01", "period_end": "1975-09-30"}, "period_start", "period"),
        ({"source": ""}, "source", "evidence"),
        ({"locator": ""}, "locator", "evidence"),
        ({"as_stated": "all of them"}, "as_stated", "as-stated"),
        ({"as_stated": "some 12 million"}, "as_stated", "as-stated"),
        ({"as_stated": ""}, "as_stated", "as-stated"),
        ({"as_stated": "12" + "x" * 99}, "as_stated", "max-length"),
        ({"derivation": "summed", "note": "Added up."}, "as_stated", "as-stated"),
        ({"derivation": "summed", "as_stated": ""}, "note", "note"),
        ({"unit": "rifles"}, "unit", "disagrees"),
    ],
)
def test_a_figure_that_contradicts_itself_is_an_error(
    tmp_path: Path, change: dict[str, str], field: str, kind: str
) -> None:
    found = only(validate(with_figures(tmp_path, change)))
    value = {**GOOD, **change}[field]
    assert place(found) == ("data/figures.csv", 2, field, value, kind)
    assert found.key == "f1"


@pytest.mark.parametrize(
    "change",
    [
        {"qualifier": "approximate", "value_low": "10", "value_high": "20", "as_stated": "12, from 10 to 20"},
        {"qualifier": "more_than", "value": "", "value_low": "12"},
        {"qualifier": "less_than", "value": "", "value_high": "12"},
        {"qualifier": "unquantified", "value": ""},
        {"derivation": "worded", "as_stated": "a dozen"},
        {"derivation": "summed", "as_stated": "", "note": "5 and 7."},
        {"year": "1975", "period_start": "", "period_end": ""},
        {"year": "", "period_type": "fiscal_years", "period_start": "2000-10-01", "period_end": "2004-09-30"},
        {"year": "", "period_type": "calendar_years", "period_start": "2000-01-01", "period_end": "2004-12-31"},
        {"year": "", "period_type": "month", "period_start": "2000-02-01", "period_end": "2000-02-29"},
        {"year": "", "period_type": "day", "period_start": "2000-02-01", "period_end": "2000-02-01"},
        {"year": "", "period_type": "span", "period_start": "2000-02-01", "period_end": ""},
        {"year": "", "period_type": "undated", "period_start": "", "period_end": ""},
    ],
)
def test_a_figure_that_is_consistent_is_valid(tmp_path: Path, change: dict[str, str]) -> None:
    report = validate(with_figures(tmp_path, change))
    assert report.valid, report.text()


def test_one_mistake_is_told_once(tmp_path: Path) -> None:
    assert only(validate(with_figures(tmp_path, {"value": "abc"}))).type == "wrong-type"


def test_two_preferred_figures_of_one_series_and_period_are_an_error(tmp_path: Path) -> None:
    found = only(validate(with_figures(tmp_path, {}, {"standing": "alternative"}, {"value": "13", "as_stated": "13"})))
    assert place(found) == ("data/figures.csv", 4, "standing", "preferred", "preferred")
    assert found.message.startswith("f1 is preferred")


ROUNDED = {"value": "n", "qualifier": "q", "precision": "p"}
WEIGHED = {"standing": "s", "competesWith": "c", "conflict": "k"}


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["177000000", "approximate", "1000000"], ""),
        (["12", "exact", ""], ""),
        (["12", "exact", "1"], ""),
        (["177500000", "approximate", "1000000"], "177500000 is not a multiple of 1000000"),
        (["177000000", "exact", "1000000"], "a number that is rounded to 1000000 is not exact"),
        (["", "unquantified", "10"], "no number is not a multiple of 10"),
    ],
)
def test_a_rounded_figure_is_a_multiple_of_its_precision_and_is_not_exact(
    tmp_path: Path, cells: list[str], message: str
) -> None:
    fields = ["id", "n:number", "q", "p:number"]
    source = write(tmp_path, table("t", fields, [["a", *cells]], **{"lantern:figure": ROUNDED}))
    found = [(place(error), error.message) for error in validate(source).errors]
    assert found == ([(("data/t.csv", 2, "p", cells[2], "precision"), message)] if message else [])


@pytest.mark.parametrize(
    ("cells", "where"),
    [
        (["preferred", "", ""], None),
        (["alternative", "a", ""], None),
        (["alternative", "", "con-1"], None),
        (["alternative", "", ""], ("c", "")),
        (["alternative", "a", "con-1"], ("c", "a")),
        (["context", "", "con-1"], ("k", "con-1")),
    ],
)
def test_an_alternative_and_nothing_else_names_one_thing_that_is_preferred_to_it(
    tmp_path: Path, cells: list[str], where: tuple[str, str] | None
) -> None:
    source = write(tmp_path, table("t", ["id", "s", "c", "k"], [["b", *cells]], **{"lantern:figure": WEIGHED}))
    errors = [place(error) for error in validate(source).errors]
    assert errors == ([("data/t.csv", 2, *where, "competes")] if where else [])


@pytest.mark.parametrize(
    ("phrase", "number"),
    [
        ("some $240 million", "240000000"),
        ("$1.2bn", "1200000000"),
        ("81,000 requests", "81000"),
        ("56.000 policías", "56000"),
        ("1 234 567", "1234567"),
        ("123 mil 218", "123218"),
        ("mil 252 casos", "1252"),
        ("10 mil 170 millones de pesos", "10170000000"),
        ("1.5 mil millones", "1500000000"),
        ("89 percent", "0.89"),
        ("33.3 por ciento", "0.333"),
        (".25%", "0.0025"),
        ("20-30%", "0.2"),
        ("between 5 and 10 million", "5000000"),
        ("FY2007", "2007"),
        ("346 - 1 percent", "346"),
    ],
)
def test_numbers_are_read_as_people_write_them(phrase: str, number: str) -> None:
    assert float(number) in {float(found) for found in numbers(phrase)}


@pytest.mark.parametrize(
    ("phrase", "number"),
    [
        ("some $240 million", 240),
        ("89 percent", 89),
        ("123 mil 218", 123),
        ("1,234", 234),
        ("M16", 16),
        ("5 to 10 million", 5),
        ("12.5", 125),
    ],
)
def test_another_number_is_never_accepted(phrase: str, number: int) -> None:
    assert number not in numbers(phrase)


# Sums and conflicts


def test_parts_that_do_not_make_their_total_are_an_error(tmp_path: Path) -> None:
    rows = [["a", "1"], ["b", "2"], ["c", "4"]]
    rule = {"name": "a + b", "resource": "t", "field": "n", "parts": ["a", "b"], "total": "c"}
    found = only(validate(write(tmp_path, table("t", ["id", "n:number"], rows), **{"lantern:sums": [rule]})))
    assert (*place(found), found.key, found.expected) == ("data/t.csv", 4, "n", "4", "sum", "c", "3")
    rule["total"] = 3
    assert validate(write(tmp_path, table("t", ["id", "n:number"], rows), **{"lantern:sums": [rule]})).valid
    rule["parts"] = ["a", "z"]
    found = only(validate(write(tmp_path, table("t", ["id", "n:number"], rows), **{"lantern:sums": [rule]})))
    assert (*place(found), found.key) == ("data/t.csv", None, "n", None, "sum", "z")
    rule["parts"], rows[1][1] = ["a", "b"], "two"
    found = only(validate(write(tmp_path, table("t", ["id", "n"], rows), **{"lantern:sums": [rule]})))
    assert (found.key, found.message) == ("b", f'the row b of the sum "{rule["name"]}" has no number in n')


def with_conflict(
    folder: Path, positions: list[list[str]], preferred: str = "f1", **change: str
) -> tuple[Path, list[Finding]]:
    rival = {"value": "13", "as_stated": "13", "standing": "alternative", **change}
    package = write(
        folder,
        figures({}, rival),
        SOURCES,
        UNITS,
        table("conflicts", ["id", "preferred_record"], [["c1", preferred]]),
        table(
            "conflict_positions",
            ["conflict", "dataset", "record", "role"],
            positions,
            primaryKey=["conflict", "dataset", "record"],
        ),
    )
    return package, list(validate(package).errors)


PREFERRED = ["c1", "figures", "f1", "preferred"]
RIVAL = ["c1", "figures", "f2", "rival"]


def test_a_conflict_of_rows_that_differ_is_valid(tmp_path: Path) -> None:
    assert with_conflict(tmp_path, [PREFERRED, RIVAL])[1] == []


@pytest.mark.parametrize(
    ("positions", "where"),
    [
        (
            [PREFERRED, RIVAL, ["c1", "figures", "gone", "rival"]],
            ("data/conflict_positions.csv", 4, "record", "gone", "conflict"),
        ),
        (
            [PREFERRED, RIVAL, ["c1", "nowhere", "f1", "rival"]],
            ("data/conflict_positions.csv", 4, "dataset", "nowhere", "conflict"),
        ),
        ([PREFERRED], ("data/conflicts.csv", 2, "id", "c1", "conflict")),
        ([["c1", "figures", "f1", "context"], RIVAL], ("data/conflicts.csv", 2, "preferred_record", "f1", "conflict")),
    ],
)
def test_a_conflict_that_is_not_real_is_an_error(
    tmp_path: Path, positions: list[list[str]], where: tuple[str, int, str, str, str]
) -> None:
    _, errors = with_conflict(tmp_path, positions)
    assert [place(error) for error in errors] == [where]


def test_a_conflict_whose_positions_do_not_differ_is_an_error(tmp_path: Path) -> None:
    _, errors = with_conflict(tmp_path, [PREFERRED, RIVAL], value="12.0", as_stated="12")
    assert [(place(e), e.message) for e in errors] == [
        (("data/conflicts.csv", 2, "id", "c1", "conflict"), "the positions do not differ")
    ]


def test_a_preferred_position_whose_figure_is_not_preferred_is_an_error(tmp_path: Path) -> None:
    _, errors = with_conflict(tmp_path, [RIVAL[:3] + ["preferred"], PREFERRED[:3] + ["context"]], preferred="f2")
    assert [place(e) for e in errors] == [("data/conflict_positions.csv", 2, "role", "preferred", "conflict")]


@pytest.mark.parametrize(("said", "told"), [(WEIGHED, [3]), ({"standing": "s"}, [])])
def test_a_rival_whose_figure_is_preferred_is_an_error_where_alternatives_name_theirs(
    tmp_path: Path, said: dict[str, str], told: list[int]
) -> None:
    rows = [["a", "alternative", "b", ""], ["b", "preferred", "", ""]]
    source = write(
        tmp_path,
        table("t", ["id", "s", "c", "k"], rows, **{"lantern:figure": {**said, "series": ["id"]}}),
        table("conflicts", ["id", "preferred_record"], [["c1", ""]]),
        table(
            "conflict_positions",
            ["conflict", "dataset", "record", "role"],
            [["c1", "t", "a", "rival"], ["c1", "t", "b", "rival"]],
            primaryKey=["conflict", "dataset", "record"],
        ),
    )
    found = [(error.row, error.message) for error in validate(source).errors]
    assert found == [(row, 'b is rival here but its s is "preferred"') for row in told]


# Corrections

LEDGER = ("id", "dataset", "record", "field", "version")


def released(folder: Path, rows: list[list[str]], corrections: list[list[str]], version: str) -> Path:
    tables = table("t", ["id", "n:number"], rows), table("corrections", LEDGER, corrections)
    return write(folder, *tables, version=version)


def test_a_changed_value_without_a_correction_is_an_error(tmp_path: Path) -> None:
    old = released(tmp_path / "old", [["a", "1"], ["b", "2"]], [], "1.0.0")
    new = released(tmp_path / "new", [["0", "0"], ["a", "1.0"], ["b", "3"]], [], "1.1.0")
    found = only(validate(new, old))
    assert (*place(found), found.key) == ("data/t.csv", 4, "n", "3", "correction", "b")
    assert found.message == 't b: n changed from "2" to "3" without a correction'
    assert found.expected == "a row in corrections with version 1.1.0"


def test_a_removed_row_without_a_correction_is_an_error(tmp_path: Path) -> None:
    old = released(tmp_path / "old", [["a", "1"], ["b", "2"]], [], "1.0.0")
    found = only(validate(released(tmp_path / "new", [["b", "2"]], [], "1.1.0"), old))
    assert (*place(found), found.key) == ("data/t.csv", None, None, None, "correction", "a")


@pytest.mark.parametrize(("field", "version", "count"), [("n", "1.1.0", 0), ("", "1.1.0", 0), ("n", "1.0.0", 1)])
def test_a_correction_of_this_version_explains_a_change(tmp_path: Path, field: str, version: str, count: int) -> None:
    old = released(tmp_path / "old", [["a", "1"]], [], "1.0.0")
    new = released(tmp_path / "new", [["a", "2"]], [["c1", "t", "a", field, version]], "1.1.0")
    assert len(validate(new, old).errors) == count


def test_a_published_correction_stays_as_it_is(tmp_path: Path) -> None:
    old = released(tmp_path / "old", [], [["c1", "t", "a", "n", "1.0.0"], ["c2", "t", "b", "n", "1.0.0"]], "1.0.0")
    new = released(tmp_path / "new", [], [["c2", "t", "b", "", "1.0.0"]], "1.1.0")
    errors = validate(new, old).errors
    assert [(e.file, e.key, e.message) for e in errors] == [
        ("data/corrections.csv", "c1", "the published correction c1 was removed"),
        ("data/corrections.csv", "c2", "the published correction c2 was changed"),
    ]


# Speed


def test_a_table_without_errors_is_remembered_until_anything_it_depends_on_changes(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    folder = with_figures(tmp_path / "package", {})
    first = validate(folder, cache=cache)
    kept = sorted(cache.iterdir())
    assert (len(kept), validate(folder, cache=cache)) == (3, first)
    for file in kept:
        file.write_text('{"rows": 77, "findings": [], "counts": []}')
    assert [entry.rows for entry in validate(folder, cache=cache).tables] == [77, 77, 77]
    (folder / "data/sources.csv").write_text("id\ns2\n")
    report = validate(folder, cache=cache)
    assert [entry.rows for entry in report.tables] == [1, 1, 77]
    assert only(report).type == "foreign-key"
    assert only(validate(folder, cache=cache)).type == "foreign-key"


def test_a_broken_cache_is_as_good_as_none(tmp_path: Path) -> None:
    folder = write(tmp_path / "package", SOURCES)
    first = validate(folder, cache=tmp_path / "cache")
    for file in (tmp_path / "cache").iterdir():
        file.write_text("{")
    assert validate(folder, cache=tmp_path / "cache") == first


def test_two_processes_find_what_one_finds(tmp_path: Path) -> None:
    rows = [["a", "1"], ["b", "x"]]
    folder = write(tmp_path, table("t", ["id", "n:number"], rows), table("u", ["id", "n:number"], rows))
    script = tmp_path / "script.py"
    script.write_text(
        "import pathlib, sys\n"
        "from api.package import validate, validation\n"
        "if __name__ == '__main__':\n"
        "    validation.WORTH_A_PROCESS = int(sys.argv[1])\n"
        f"    print(validate(pathlib.Path({str(folder)!r})).text())\n"
    )
    run = [sys.executable, str(script)]
    root = Path(__file__).parent.parent
    one, two = (
        subprocess.run([*run, size], capture_output=True, text=True, check=True, env={"PYTHONPATH": str(root)}).stdout
        for size in ("1000000", "0")
    )
    assert one == two
    assert one.count("wrong") + one.count("is not a number") == 2


def test_a_zip_of_a_package_is_validated_like_its_folder(tmp_path: Path) -> None:
    folder = write(tmp_path / "package", table("t", ["id:integer"], [["x"]]))
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(tmp_path))
    assert validate(tmp_path / "p.zip") == validate(folder)


@pytest.mark.parametrize(
    "rule",
    [
        {"name": "s", "resource": "t", "field": "no", "parts": ["a"], "total": "a"},
        {"name": "s", "resource": "nowhere", "field": "n", "parts": ["a"], "total": "a"},
        {"name": "s", "resource": "t"},
        "a + b",
    ],
)
def test_a_sum_that_cannot_be_checked_is_an_error(tmp_path: Path, rule: Any) -> None:
    report = validate(write(tmp_path, table("t", ["id", "n:number"], [["a", "1"]]), **{"lantern:sums": [rule]}))
    assert {error.type for error in report.errors} == {"descriptor"}


def test_an_index_that_is_asked_for_is_made_and_names_fields_of_the_table(tmp_path: Path) -> None:
    small = table("t", ["id", "x", "y:integer"], [["a", "b", "1"]])
    wrong = validate(write(tmp_path / "wrong", {**small, "lantern:indexes": [["x", "z"]]}))
    found = only(wrong)
    assert (found.type, found.value) == ("descriptor", "z") and "lantern:indexes" in found.message
    shape = validate(write(tmp_path / "shape", {**small, "lantern:indexes": ["x"]}))
    assert "lantern:indexes" in only(shape).message
    build(write(tmp_path / "right", {**small, "lantern:indexes": [["x", "y"]]}), tmp_path / "store")
    (index,) = tmp_path.glob("store/index/*/1.0.0-*")
    assert (1, 2) in sqlite.layouts(index)["t"].indexes
