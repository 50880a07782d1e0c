"""The types of a table without a schema are guessed; a guess never judges and never changes a value."""

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from packages import V2
from served import all_rows, client_of, rows_path

from api.package import open_source, validate, write_csv


def package(folder: Path, content: str) -> Path:
    (folder / "t.csv").write_text(content, encoding="utf-8", newline="")
    described = {"$schema": V2, "name": "p", "version": "1.0.0", "resources": [{"name": "t", "path": "t.csv"}]}
    (folder / "datapackage.json").write_text(json.dumps(described))
    return folder


def guessed(folder: Path, content: str) -> dict[str, str]:
    """The names of the columns with their types; the table must be valid."""
    report = validate(package(folder, content))
    assert report.valid, report.text()
    with open_source(folder) as source:
        return {field.name: field.type for field in source.package.tables[0].fields}


CELLS = {
    "whole numbers": ("1 -20 0 999999999999999", "integer"),
    "long whole numbers": ("1 1234567890123456", "string"),
    "leading zeros": ("007 010", "string"),
    "a plus": ("+15551234567 +4", "string"),
    "minus zero": ("-0 1", "string"),
    "exponents": ("12e5 1E3", "string"),
    "digits of other scripts": ("\u0661\u0662 \uff11", "string"),
    "decimals": ("1.5 -0.25 3", "number"),
    "decimals as programs print them": ("1.0 2.25 10.0", "number"),
    "decimals of one length": ("1.10 2.25 3.00", "number"),
    "versions": ("1.10 1.9", "string"),
    "sections": ("1 1.0 2", "string"),
    "minus zero as a decimal": ("-0.0 0.5", "string"),
    "decimals without a zero before the point": (".5 1.5", "string"),
    "decimals of many digits": ("0.1234567890123456 1.5", "string"),
    "decimal commas": ("1,5 2,5", "string"),
    "groups of three": ("1,000 2,000", "string"),
    "infinities": ("1.5 NaN inf", "string"),
    "numbers beside NA": ("1 NA", "string"),
    "numbers beside a dash": ("1 -", "string"),
    "numbers beside null": ("1 null", "string"),
    "numbers beside nothing": ("1  2", "integer"),
    "mixed": ("1 a 2001-01-01", "string"),
    "booleans": ("true false", "boolean"),
    "booleans of a spreadsheet": ("TRUE FALSE", "boolean"),
    "yes and no": ("yes no", "string"),
    "zero and one": ("0 1", "integer"),
    "days": ("2001-01-31 0001-01-01", "date"),
    "days that do not exist": ("2001-02-30 2001-01-01", "string"),
    "days as others write them": ("10/01/02 31.12.2001", "string"),
    "days without zeros": ("2001-1-1", "string"),
    "months": ("2001-01 2001-02", "string"),
    "moments": ("2001-01-31T10:00:00Z 2001-01-31T10:00:00.5Z", "datetime"),
    "moments finer than a microsecond": ("2001-01-31T10:00:00.1234567Z", "string"),
    "moments of other zones": ("2001-01-31T10:00:00+02:00", "string"),
    "moments without a zone": ("2001-01-31T10:00:00", "string"),
    "clocks": ("10:00:00 23:59:59", "time"),
    "clocks beyond the day": ("24:00:00 10:00:00", "string"),
    "clocks without seconds": ("10:00", "string"),
    "JSON": ("[1,5] {}", "string"),
    "nothing": (" ", "string"),
}


@pytest.mark.parametrize("kind", CELLS)
def test_a_type_is_taken_only_where_every_cell_is_written_as_its_values_are(tmp_path: Path, kind: str) -> None:
    cells, type = CELLS[kind]
    rows = "".join(f'"{n}","{cell}"\n'.replace('""', "") for n, cell in enumerate(cells.split(" ")))
    assert guessed(tmp_path, "n,v\n" + rows) == {"n": "integer", "v": type}


def test_spaces_are_kept_and_make_text(tmp_path: Path) -> None:
    assert guessed(tmp_path, "a,b,c\n1 000, 1,1 \n") == {"a": "string", "b": "string", "c": "string"}


def test_late_cells_count_as_much_as_early_ones(tmp_path: Path) -> None:
    assert guessed(tmp_path, "v\n" + "1\n" * 5000 + "x\n") == {"v": "string"}


HEADERS = {
    "a name that is blank": ("id,\n1,a\n", ["id", "field2"], "column 2 has no name: it is named field2"),
    "a name of spaces": ("id, \n1,a\n", ["id", "field2"], "column 2 has no name: it is named field2"),
    "a name twice": ("a,a\n1,2\n", ["a", "a_2"], 'column 2 has the name "a" again: it is named a_2'),
    "a name that is made up already": ("a,a_2,a\n1,2,3\n", ["a", "a_2", "a_3"],
        'column 3 has the name "a" again: it is named a_3'),
    "a name in spaces": ("id, b \n1,a\n", ["id", "b"], 'column 2 has the name " b ": it is named b'),
    "numbers": ("1,2\n3,4\n", ["1", "2"],
        "the header holds numbers only: where it is data, the dialect says so with header false"),
}  # fmt: skip


@pytest.mark.parametrize("kind", HEADERS)
def test_a_header_gives_names_and_what_is_made_up_is_told(tmp_path: Path, kind: str) -> None:
    content, names, message = HEADERS[kind]
    assert list(guessed(tmp_path, content)) == names
    assert [warning.message for warning in validate(tmp_path).warnings] == [message]


def test_only_a_header_is_an_empty_table(tmp_path: Path) -> None:
    assert guessed(tmp_path, "a,b\n") == {"a": "string", "b": "string"}
    assert validate(tmp_path).tables[0].rows == 0


def test_what_was_guessed_is_served_as_it_is_written(tmp_path: Path) -> None:
    content = 'phone,part,price,version\n+1555,12e5,"1,5",1.10\n+1556,,2,1.9\n'
    assert all_rows(client_of(package(tmp_path, content), tmp_path / "store"), rows_path("t")) == [
        {"phone": "+1555", "part": "12e5", "price": "1,5", "version": "1.10"},
        {"phone": "+1556", "part": None, "price": "2", "version": "1.9"},
    ]


LIKELY = st.one_of(
    st.sampled_from([*" ".join(cells for cells, _ in CELLS.values()).split(" ")]),
    st.text(st.sampled_from("01529-+.,:/TZ eE%"), max_size=10),
    st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=4),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(LIKELY, LIKELY), min_size=1, max_size=5))
@example([("2001-02-29", "0000-01-01"), ("24:00:00", "99:99:99")])
def test_a_guess_never_judges_and_loses_nothing(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, quoting=csv.QUOTE_ALL).writerows([("a", "b"), *rows])
    assert set(guessed(tmp_path, out.getvalue())) == {"a", "b"}
    with open_source(tmp_path) as source:
        write_csv(source, source.package.tables[0], tmp_path / "written")
    with (tmp_path / "written").open(encoding="utf-8", newline="") as file:
        assert [tuple(row) for row in csv.reader(file)] == [("a", "b"), *rows]
