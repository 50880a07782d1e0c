"""Constraints, categories, types and formats of Table Schema: what holds is valid, what does not is one line."""

import time
from pathlib import Path
from typing import Any

import pytest
from packages import table, write

from api.model.findings import Report
from api.package import validate

JSON = Any


def judged(folder: Path, field: dict[str, JSON], *cells: str, **schema: JSON) -> Report:
    """The report of a table t whose field v is described so and has these cells."""
    made = table("t", ["id:integer", "v"], [[n, cell] for n, cell in enumerate(cells, 1)], **schema)
    made["schema"]["fields"][1] = {"name": "v", **field}
    return validate(write(folder, made))


def lines(report: Report) -> list[str]:
    return report.text().splitlines()[:-1]


# What is valid, with cells that are not


@pytest.mark.parametrize(
    ("field", "good", "bad", "expected"),
    [
        ({"type": "duration", "constraints": {"minimum": "P1M"}}, "P1Y", "P1D", "at least P1M"),
        ({"type": "duration", "constraints": {"maximum": "PT90M"}}, "PT1H", "PT2H", "at most PT90M"),
        ({"type": "year", "constraints": {"minimum": -50}}, "-0044", "-0100", "at least -50"),
        ({"type": "year", "constraints": {"exclusiveMaximum": "12000"}}, "11999", "12000", "less than 12000"),
        ({"type": "yearmonth", "constraints": {"minimum": "-0044-03"}}, "-0044-04", "-0044-02", "at least -0044-03"),
        ({"type": "number", "constraints": {"exclusiveMinimum": 0.5}}, "0.6", "0.5", "more than 0.5"),
        ({"type": "number", "constraints": {"maximum": 5}}, "-INF", "INF", "at most 5"),
        ({"type": "number", "constraints": {"minimum": 5}}, "INF", "NaN", "at least 5"),
        ({"type": "integer", "groupChar": ",", "constraints": {"maximum": "1,000"}}, "1,000", "1,001", "at most 1,000"),
        ({"type": "integer", "constraints": {"maximum": 9.0}}, "9", "10", "at most 9.0"),
        (
            {"type": "date", "format": "%d/%m/%Y", "constraints": {"minimum": "2017-01-01"}},
            *("02/01/2017", "31/12/2016", "at least 2017-01-01"),
        ),
        (
            {"type": "datetime", "constraints": {"minimum": "2017-01-01T00:00:00+01:00"}},
            "2016-12-31T23:00:00Z",
            "2016-12-31T22:59:59Z",
            "at least 2017-01-01T00:00:00+01:00",
        ),  # fmt: skip
        ({"type": "time", "constraints": {"maximum": "12:00:00"}}, "12:00:00", "12:00:00.0000001", "at most 12:00:00"),
        ({"type": "list", "constraints": {"minLength": 2}}, "a,b", "a", "at least 2 items"),
        ({"type": "list", "constraints": {"enum": ["a,b", ["c"]]}}, "c", "b,a", 'one of a,b, ["c"]'),
        ({"type": "list", "itemType": "integer", "constraints": {"enum": [[1, 2]]}}, "1,2", "2", "one of [1,2]"),
        ({"type": "array", "constraints": {"maxLength": 1}}, "[1]", "[1,2]", "at most 1 items"),
        ({"type": "object", "constraints": {"minLength": 1}}, '{"a": 1}', "{}", "at least 1 members"),
        (
            {"type": "object", "constraints": {"jsonSchema": {"properties": {"value": {"type": "integer"}}}}},
            *('{"value": 1}', '{"value": "x"}', 'a value that fits {"properties":{"value":{"type":"integer"}}}'),
        ),
        (
            {"type": "array", "constraints": {"jsonSchema": {"items": {"pattern": "^\\p{Lu}"}}}},
            '["É"]',
            '["é"]',
            'a value that fits {"items":{"pattern":"^\\\\p{Lu}"}}',
        ),  # fmt: skip
        (
            {"type": "boolean", "trueValues": ["yes"], "falseValues": ["no"], "constraints": {"enum": [True]}},
            "yes",
            "no",
            "one of true",
        ),  # fmt: skip
        ({"type": "string", "constraints": {"pattern": "\\p{Lu}[a-z]"}}, "Éa", "éa", "text that matches \\p{Lu}[a-z]"),
        ({"type": "string", "constraints": {"pattern": "\\i\\c*"}}, "a-b.c", "-b", "text that matches \\i\\c*"),
        (
            {"type": "string", "constraints": {"pattern": "[a-z-[aeiou]]+"}},
            "xyz",
            "xay",
            "text that matches [a-z-[aeiou]]+",
        ),  # fmt: skip
        ({"type": "string", "constraints": {"pattern": "(?<x>a)1"}}, "a1", "a2", "text that matches (?<x>a)1"),
        ({"type": "string", "constraints": {"pattern": "a|bc"}}, "bc", "ac", "text that matches a|bc"),
        ({"type": "string", "categories": [{"value": "a", "label": "A"}, {"value": "b"}]}, "b", "c", "one of a, b"),
        ({"type": "integer", "categories": [0, 1], "categoriesOrdered": True}, "01", "2", "one of 0, 1"),
        (
            {"type": "geopoint", "constraints": {"enum": [[1, 2], {"lon": 3, "lat": 4}]}},
            "3.0,4.0",
            "4,3",
            'one of [1,2], {"lat":4,"lon":3}',
        ),  # fmt: skip
        ({"type": "any", "constraints": {"enum": ["a", 1]}}, "1", "b", "one of a, 1"),
    ],
)
def test_a_constraint_judges_values_however_they_are_written(
    tmp_path: Path, field: dict[str, JSON], good: str, bad: str, expected: str
) -> None:
    report = judged(tmp_path, field, good, bad, "")
    assert [(found.row, found.field, found.value, found.expected) for found in report.findings if found.row] == [
        (3, "v", bad, expected)
    ], report.text()


@pytest.mark.parametrize(
    ("field", "good", "bad", "expected"),
    [
        ({"type": "number"}, "-inf", "Infinity", "a number, NaN, INF or -INF"),
        ({"type": "number", "decimalChar": ","}, "1,5", "1.5", "a number with , before its decimals"),
        ({"type": "number", "groupChar": " "}, "1 0", "1_0", "a number"),
        ({"type": "number", "bareNumber": False}, "-$1.5 m", "(5)", "a number whose sign stands before it"),
        (
            {"type": "number", "bareNumber": False, "decimalChar": ","},
            "€ -,5",
            "5-",
            "a number whose sign stands before it",
        ),  # fmt: skip
        ({"type": "number"}, "1e6000", "1e7000", "a number between 1e-6144 and 1e6144"),
        ({"type": "integer", "bareNumber": False}, "95%", "9.5%", "a whole number"),
        ({"type": "integer", "groupChar": " "}, "1 000", "1,000", "a whole number"),
        ({"type": "yearmonth"}, "-0044-03", "2007-13", "a year and month, such as 2007-03"),
        ({"type": "year"}, "12000", "207", "a year, such as 2007"),
        ({"type": "date", "format": "any"}, "2007-10-01", "1 Oct 2007", "a date, such as 2007-10-01"),
        ({"type": "date", "format": "fmt:%d/%m/%Y"}, "01/02/2003", "2003-02-01", "a date written as %d/%m/%Y"),
        ({"type": "date", "format": "%F"}, "2003-02-01", "01/02/2003", "a date written as %F"),
        ({"type": "date", "format": "%e %h %y"}, " 1 Feb 03", "1 02 03", "a date written as %e %h %y"),
        ({"type": "date", "format": "%-d/%-m/%Y"}, "1/2/2003", "1-2-2003", "a date written as %-d/%-m/%Y"),
        ({"type": "datetime", "format": "%D %T"}, "02/01/03 10:30:00", "x", "a datetime written as %D %T"),
        ({"type": "date", "format": "%Y-%j"}, "2016-366", "2017-366", "a date written as %Y-%j"),
        ({"type": "date", "format": "%a %F"}, "Mon 2017-01-02", "Tue 2017-01-02", "a date written as %a %F"),
        ({"type": "date", "format": "%Y-W%W-%u"}, "2017-W01-1", "2017-W54-1", "a date written as %Y-W%W-%u"),
        ({"type": "time", "format": "%H:%M %p"}, "13:30 PM", "01:30 PM", "a time written as %H:%M %p"),
        ({"type": "time", "format": "%I:%M %p"}, "01:30 PM", "13:30 PM", "a time written as %I:%M %p"),
        ({"type": "date"}, "2008-02-29", "2007-02-29", "a date that exists, such as 2007-10-01"),
        (
            {"type": "datetime"},
            "2016-12-31T24:00:00Z",
            "2016-12-31T24:01:00Z",
            "a date and time, such as 2007-10-01T13:30:00Z",
        ),  # fmt: skip
        (
            {"type": "datetime"},
            "2017-01-01T00:59:60+01:00",
            "2017-01-01T00:58:60+01:00",
            "a date and time, such as 2007-10-01T13:30:00Z",
        ),  # fmt: skip
        ({"type": "time"}, "24:00", "25:00", "a time, such as 13:30:00"),
        ({"type": "time", "format": "%H.%M"}, "13.30", "13:30", "a time written as %H.%M"),
        ({"type": "duration"}, "P0,5Y", "1Y", "an ISO 8601 duration, such as P1Y2M3DT4H"),
        ({"type": "list", "itemType": "integer", "delimiter": ";"}, "1;2", "1;a", "a list, each item a whole number"),
        ({"type": "boolean", "trueValues": ["ja"], "falseValues": ["nein"]}, "ja", "true", "one of ja, nein"),
        (
            {"type": "geopoint", "format": "object"},
            '{"lon": 1, "lat": 2}',
            "1,2",
            "a point, longitude then latitude, such as -99.13,19.43",
        ),  # fmt: skip
        ({"type": "geojson"}, '{"type": "Point", "coordinates": [1, 2]}', '{"type": "Pint"}', "a GeoJSON object"),
        (
            {"type": "geojson", "format": "topojson"},
            '{"type": "Topology", "objects": {}, "arcs": []}',
            '{"type": "Pint", "coordinates": [1, 2]}',
            "a TopoJSON object",
        ),
        ({"type": "string", "format": "email"}, "a@example.org", "a", "an e-mail address"),
        (
            {"type": "string", "format": "uri"},
            "https://example.org/",
            "example",
            "an address, such as https://example.org/page",
        ),
        ({"type": "string", "format": "uuid"}, "123e4567-e89b-12d3-a456-426614174000", "1", "a UUID"),
        ({"type": "string", "format": "binary"}, "aGk=", "a?", "Base64"),
        ({"type": "object"}, '{"a": null}', '{"a": NaN}', "a JSON object"),
        (
            {"type": "string", "constraints": {"required": True}, "missingValues": [{"value": "-", "label": "none"}]},
            "",
            "-",
            "a value",
        ),  # fmt: skip
    ],
)
def test_a_cell_is_read_as_its_field_says(
    tmp_path: Path, field: dict[str, JSON], good: str, bad: str, expected: str
) -> None:
    report = judged(tmp_path, field, good, bad)
    assert [(e.row, e.field, e.value, e.expected) for e in report.errors] == [(3, "v", bad, expected)], report.text()


# What a descriptor says and cannot be


@pytest.mark.parametrize(
    ("field", "line"),
    [
        (
            {"type": "date", "constraints": {"minimum": "2017-02-29"}},
            'the minimum "2017-02-29" is not a date that exists, such as 2007-10-01'
            " (expected: a date that exists, such as 2007-10-01)",
        ),
        (
            {"type": "year", "constraints": {"minimum": "1999-01-01"}},
            'the minimum "1999-01-01" is not a year, such as 2007 (expected: a year, such as 2007)',
        ),
        (
            {"type": "integer", "constraints": {"enum": [1, "x"]}},
            'the enum "x" is not a whole number (expected: a whole number)',
        ),
        (
            {"type": "string", "constraints": {"pattern": "(["}},
            'the pattern "([" is no regular expression: unterminated character set at position 2'
            " (expected: a regular expression)",
        ),
        (
            {"type": "object", "constraints": {"jsonSchema": {"type": "nonsense"}}},
            "the jsonSchema is not valid: 'nonsense' is not valid under any of the given schemas"
            " (expected: a JSON Schema)",
        ),
        (
            {"type": "integer", "categories": ["x"]},
            'the categories "x" is not a whole number (expected: a whole number)',
        ),
        (
            {"type": "number", "groupChar": "."},
            'groupChar and decimalChar are both "." (expected: two different characters)',
        ),
        (
            {"type": "boolean", "trueValues": ["1"]},
            None,
        ),
        (
            {"type": "boolean", "trueValues": ["0"]},
            '"0" is both true and false (expected: different trueValues and falseValues)',
        ),
    ],
)
def test_what_a_schema_cannot_mean_is_one_error_that_names_table_and_field(
    tmp_path: Path, field: dict[str, JSON], line: str | None
) -> None:
    report = judged(tmp_path, field, "")
    assert lines(report) == ([f'datapackage.json field "v": in the table "t" {line}'] if line else [])


def test_an_enum_is_a_subset_of_the_categories(tmp_path: Path) -> None:
    field = {"type": "string", "categories": ["a", "b"], "constraints": {"enum": ["a", "z"]}}
    assert lines(judged(tmp_path, field, "a", "z", "b")) == [
        'datapackage.json field "v": in the table "t" the enum has "z", which is no category'
        " (expected: values of the categories)",
        'data/t.csv:3 field "v" of 2: "z" is not allowed here (expected: one of a, b)',
        'data/t.csv:4 field "v" of 3: "b" is not allowed here (expected: one of a, z)',
    ]


@pytest.mark.parametrize(
    ("field", "line"),
    [
        ({"type": "float"}, 'the type "float" is read as text'),
        ({"type": "string", "format": "%d/%m/%Y"}, 'the format "%d/%m/%Y" is read as the default'),
        ({"type": "date", "format": "YYYY-MM-DD"}, 'the format "YYYY-MM-DD" is read as the default'),
        ({"type": "date", "format": "%d %d"}, 'the format "%d %d" is read as the default'),
        ({"type": "date", "format": "%Y-W%W"}, 'the format "%Y-W%W" is read as the default'),
        ({"type": "integer", "format": "currency"}, 'the format "currency" is read as the default'),
        (
            {"type": "integer", "constraints": {"pattern": "x"}},
            'the constraint pattern of a field of type "integer" is not checked',
        ),
        (
            {"type": "string", "constraints": {"maxlength": 3}},
            'the constraint maxlength of a field of type "string" is not checked',
        ),
        ({"type": "string", "required": True}, "required is not checked"),
        ({"type": "list", "itemType": "year"}, 'the items of type "year" are read as text'),
        ({"type": "integer", "example": "x"}, "the example is not a whole number"),
    ],
)
def test_what_a_schema_says_and_nobody_understands_is_a_warning(
    tmp_path: Path, field: dict[str, JSON], line: str
) -> None:
    report = judged(tmp_path, field, "")
    assert [found.level for found in report.findings] == ["warning"]
    assert lines(report)[0].startswith(f'warning: datapackage.json field "v": in the table "t" {line} (expected: ')


# Keys


def test_a_foreign_key_with_a_null_in_it_refers_to_nothing(tmp_path: Path) -> None:
    key = {"fields": ["pa", "pb"], "reference": {"resource": "t", "fields": ["a", "b"]}}
    rows = [["1", "1", "", ""], ["1", "2", "1", ""], ["2", "1", "1", "1"], ["3", "1", "9", "1"]]
    report = validate(
        write(tmp_path, table("t", ["a", "b", "pa", "pb"], rows, primaryKey=["a", "b"], foreignKeys=[key]))
    )
    assert lines(report) == [
        'data/t.csv:5 field "pa" of 3,1: "9,1" does not exist in t.a,b (expected: a value of t.a,b)'
    ]


@pytest.mark.parametrize(
    ("type", "same", "other"),
    [
        ("datetime", ("2016-12-31T23:59:59Z", "2017-01-01T00:59:59+01:00"), "2016-12-31T23:59:60Z"),
        ("datetime", ("2016-12-31T24:00:00Z", "2017-01-01T00:00:00Z"), "2017-01-01T00:00:00.0000001Z"),
        (
            "datetime",
            ("2016-12-31T23:59:59.1234567Z", "2016-12-31T23:59:59.12345670Z"),
            "2016-12-31T23:59:59.12345671Z",
        ),
        ("time", ("12:00:00.1234567", "12:00:00.12345670"), "12:00:00.1234568"),
        ("duration", ("P1Y", "P12M"), "P13M"),
        ("geopoint", ("1,2", "1.0,2.0"), "2,1"),
        ("number", ("1.0", "1"), "1.1"),
    ],
)
def test_keys_are_equal_where_values_are(tmp_path: Path, type: str, same: tuple[str, str], other: str) -> None:
    report = validate(write(tmp_path, table("t", [f"k:{type}"], [[same[0]], [other], [same[1]]])))
    assert [(e.row, e.type) for e in report.errors] == [(4, "duplicate-key")], report.text()


def test_numbers_that_json_does_not_have_are_no_keys(tmp_path: Path) -> None:
    report = validate(write(tmp_path, table("t", ["k:number"], [["1"], ["NaN"]])))
    assert [line.partition(" (")[0] for line in lines(report)][0] == (
        'data/t.csv:3 field "k" of NaN: "NaN" is no key, since JSON has no such number'
    )


# Time


@pytest.mark.parametrize("pattern", ["(a+)+b", "(a|aa)+$", "(a|aa)+b|(a|aa)+c"])
def test_a_pattern_has_a_limit_of_time(tmp_path: Path, pattern: str) -> None:
    began = time.process_time()
    field = {"type": "string", "constraints": {"pattern": pattern}}
    report = judged(tmp_path, field, *(f"{'a' * 40}{n}" for n in range(200)))
    assert not report.valid and report.errors[0].field == "v"
    assert time.process_time() - began < 5


def test_a_pattern_inside_a_json_schema_has_the_same_limit_and_nothing_is_fetched(tmp_path: Path) -> None:
    began = time.process_time()
    evil = {"items": {"pattern": "^(a|aa)+$"}}
    report = judged(tmp_path, {"type": "array", "constraints": {"jsonSchema": evil}}, f'["{"a" * 60}!"]', "[]")
    assert [e.message.partition("; ")[2] for e in report.errors] == ["the field is not checked any further"]
    assert time.process_time() - began < 5
    remote = {"$ref": "http://127.0.0.1:9/schema.json"}
    report = judged(tmp_path / "remote", {"type": "array", "constraints": {"jsonSchema": remote}}, "[]")
    assert [e.type for e in report.errors] == ["json-schema"]


def test_a_json_schema_that_refers_to_itself_ends(tmp_path: Path) -> None:
    began = time.process_time()
    wide = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)}
    bomb = {"$ref": "#/$defs/d0", "$defs": {**wide, "d40": {}}}
    assert not judged(tmp_path, {"type": "array", "constraints": {"jsonSchema": bomb}}, "[]").valid
    assert not judged(tmp_path / "loop", {"type": "array", "constraints": {"jsonSchema": {"$ref": "#"}}}, "[]").valid
    assert time.process_time() - began < 8


@pytest.mark.parametrize(
    "pattern",
    [
        "a{1000000000}",
        "((a{100}){100}){100}",
        "([ab]{1000}){1000}",
        "(a|b{99}){9999}",
        "a{99999999999}",
        pytest.param("a" * 200_000, id="long"),
    ],
)
def test_a_pattern_that_is_very_long_when_its_repeats_are_written_out_is_refused(tmp_path: Path, pattern: str) -> None:
    [line] = lines(judged(tmp_path, {"type": "string", "constraints": {"pattern": pattern}}, "a"))
    assert "is no regular expression: with its repeats written out it has more than 100,000 parts" in line


@pytest.mark.parametrize(
    "pattern", ["a{0,1000000}b?", "[{9999999}]{2}\\{99999999}|.*", "([a-z]{2,100}-){3}x{9,}|.*", "(a{99}){99}|b"]
)
def test_a_pattern_with_repeats_within_reason_is_taken(tmp_path: Path, pattern: str) -> None:
    assert lines(judged(tmp_path, {"type": "string", "constraints": {"pattern": pattern}}, "b")) == []
