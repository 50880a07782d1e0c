"""docs/CONFORMANCE.md names a test for each clause of the standard; here are also those that belong nowhere else."""

import re
from pathlib import Path
from typing import Any

import pytest
from packages import table, write
from served import all_rows, client_of, rows_path

from api.model import types
from api.package import validate
from api.package.checks import constraints

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "CONFORMANCE.md").read_text(encoding="utf-8")
ROWS = [line for line in TEXT.splitlines() if line.startswith("| ") and not line.startswith(("| ---", "| clause"))]
HEADS = ("| type |", "| constraint |")
NAMED = re.compile(r"`(tests/\w+\.py)::(\w+)`")


def test_each_clause_has_a_test_that_exists() -> None:
    clauses = [row for row in ROWS if not row.startswith(HEADS)]
    assert len(clauses) > 40
    assert [row for row in clauses if not NAMED.search(row.split(" | ")[2])] == []
    named = set(NAMED.findall(TEXT))
    assert [name for file, name in sorted(named) if f"\ndef {name}(" not in (ROOT / file).read_text("utf-8")] == []


def test_every_type_and_constraint_has_its_clause() -> None:
    clauses = " ".join(row.split(" | ")[0] for row in ROWS)
    for name in (*types.TYPES, *constraints.OF_ALL_TYPES, *constraints.TYPES):
        assert f"`{name}`" in clauses


def served_rows(folder: Path, data: str, schema: dict[str, Any]) -> list[dict[str, Any]]:
    source = write(folder / "package", {"name": "t", "schema": schema, "rows": []})
    (source / "data/t.csv").write_text(data)
    return all_rows(client_of(source, folder / "store"), rows_path("t"))


ORDER = "data/t.csv:1: the columns are in another order, b, a; lantern format mends this (expected: a, b)"
MORE = (
    'warning: data/t.csv:1: the column "c" is left out: the schema has no such field, and its fieldsMatch allows more'
)


@pytest.mark.parametrize(
    ("match", "data", "valid", "said"),
    [
        ("exact", "a,b\n1,x\n", True, []),
        ("exact", "b,a\nx,1\n", False, [ORDER]),
        ("equal", "b,a\nx,1\n", True, []),
        ("equal", "b,a,c\nx,1,y\n", False, ['data/t.csv:1: the column "c" is not in the schema']),
        ("subset", "c,b,a\ny,x,1\n", True, [MORE]),
        ("subset", "a\n1\n", False, ['data/t.csv:1 field "b": the column "b" is missing in the header (expected: b)']),
        ("superset", "a\n1\n", True, []),
        ("superset", "a,c\n1,y\n", False, ['data/t.csv:1: the column "c" is not in the schema']),
        ("partial", "c,a\ny,1\n", True, [MORE]),
        ("partial", "c,d\ny,z\n", False, ["data/t.csv:1: no column has the name of a field"]),
    ],
)
def test_fields_match_as_the_schema_says(tmp_path: Path, match: str, data: str, valid: bool, said: list[str]) -> None:
    schema = {"fields": [{"name": "a", "type": "integer"}, {"name": "b", "type": "string"}], "fieldsMatch": match}
    if valid:
        assert served_rows(tmp_path, data, schema) == [{"a": 1, "b": "x" if "x" in data else None}]
    else:
        write(tmp_path / "package", {"name": "t", "schema": schema, "rows": []})
        (tmp_path / "package/data/t.csv").write_text(data)
    report = validate(tmp_path / "package")
    assert (report.valid, report.text().splitlines()[: len(said)]) == (valid, said)


def test_missing_values_are_null_before_anything_is_read(tmp_path: Path) -> None:
    fields = [
        {"name": "a", "type": "number"},
        {"name": "b", "type": "integer", "missingValues": [{"value": "-99", "label": "refused"}, {"value": "-"}]},
        {"name": "c", "type": "string", "missingValues": []},
    ]
    schema = {"fields": fields, "missingValues": ["", "NaN", "n/a"]}
    assert served_rows(tmp_path, "a,b,c\nNaN,-99,\nn/a,-,n/a\n1,1,-\n", schema) == [
        {"a": None, "b": None, "c": ""},
        {"a": None, "b": None, "c": "n/a"},
        {"a": 1, "b": 1, "c": "-"},
    ]


def test_a_field_without_a_type_takes_any_text(tmp_path: Path) -> None:
    made = table("t", ["id", "v"], [["1", "x"], ["2", "5"]])
    del made["schema"]["fields"][1]["type"]
    source = write(tmp_path / "package", made)
    assert validate(source).text() == "valid: 1 table, 2 rows, 0 errors, 0 warnings"
    rows = all_rows(client_of(source, tmp_path / "store"), rows_path("t"))
    assert [row["v"] for row in rows] == ["x", "5"]
