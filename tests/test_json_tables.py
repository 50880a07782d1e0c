"""Tables in JSON keep their values: null, numbers, texts, lists; what is read otherwise than it is written is told."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from packages import V2
from served import all_rows, answer, client_of, loads, parameter, rows_path

from api.package import validate

JSON = Any


def package(folder: Path, resource: JSON, files: dict[str, str | bytes] | None = None, **words: JSON) -> Path:
    """A package of one table `t`, and its files."""
    folder.mkdir(parents=True, exist_ok=True)
    for path, data in (files or {}).items():
        (folder / path).write_bytes(data if isinstance(data, bytes) else data.encode())
    described = {"$schema": V2, "name": "p", "version": "1.0.0", "resources": [{"name": "t", **resource}], **words}
    (folder / "datapackage.json").write_text(json.dumps(described), encoding="utf-8")
    return folder


def in_json(folder: Path, text: str, *fields: str, **words: JSON) -> Path:
    """A table in a file t.json; fields are written "name:type"; without any there is no schema."""
    named = [dict(zip(("name", "type"), field.split(":"), strict=True)) for field in fields]
    schema = {"schema": {"fields": named, **words.pop("schema", {})}} if named else {}
    return package(folder, {"type": "table", "path": "t.json", **schema, **words}, {"t.json": text})


def found(source: Path) -> list[str]:
    """What validation finds, line by line."""
    return validate(source).text().splitlines()


def served(source: Path, store: Path) -> tuple[JSON, JSON, str]:
    """The fields, the rows and the CSV of the table."""
    client = client_of(source, store)
    schema = answer(client, "/v1/datasets/t/schema")
    rows = all_rows(client, rows_path("t"))
    lines = client.get(rows_path("t", "limit=1000", ".jsonl")).data.splitlines()
    assert [loads(line) for line in lines] == rows
    return schema["fields"], rows, client.get("/releases/1.0.0/data/t.csv").data.decode()


# Type any


ANY = '[{"id":1,"v":"apple"},{"id":2,"v":1.50},{"id":3,"v":true},{"id":4,"v":[1,2]},{"id":5,"v":null}]'


def test_values_of_type_any_keep_the_type_of_json(tmp_path: Path) -> None:
    source = in_json(tmp_path / "p", ANY, "id:any", "v:any")
    assert found(source) == ["valid: 1 table, 5 rows, 0 errors, 0 warnings"]
    fields, rows, text = served(source, tmp_path / "s")
    assert [json.dumps(row) for row in rows] == [
        '{"id": 1, "v": "apple"}',
        '{"id": 2, "v": 1.5}',
        '{"id": 3, "v": true}',
        '{"id": 4, "v": [1, 2]}',
        '{"id": 5, "v": null}',
    ]
    assert fields == [{"name": name, "type": "any", "lantern:json": True} for name in ("id", "v")]
    assert text == 'id,v\n1,apple\n2,1.5\n3,true\n4,"[1,2]"\n5,\n'


def test_a_text_that_looks_like_json_is_no_number_and_no_null(tmp_path: Path) -> None:
    values = ["1", 1, "true", True, "null", None, "[1]", [1], '"a"', "a", " 1", "NaN", "", {"b": 1, "a": [None]}]
    values += [12345678901234567890, "1e5", "[" * 2000]
    source = in_json(tmp_path / "p", json.dumps([{"v": value} for value in values]))
    assert [row["v"] for row in served(source, tmp_path / "s")[1]] == values


def test_values_of_any_are_found_counted_and_kept_in_every_format(tmp_path: Path) -> None:
    client = client_of(in_json(tmp_path / "p", ANY), tmp_path / "s")
    for value, number in (("apple", 1), ("1.5", 2), ("1.50", 2), ("true", 3), ("[1, 2]", 4)):
        rows = answer(client, rows_path("t", parameter("v__eq", value)))["data"]
        assert [row["id"] for row in rows] == [number]
    assert answer(client, rows_path("t", "v__isnull=true"))["meta"]["total"] == 1
    facet = answer(client, "/v1/datasets/t/facets?facet=v")["data"]["v"]
    assert sum(value["count"] for value in facet) == 5
    assert [row["id"] for row in answer(client, rows_path("t", "sort=v"))["data"]] == [2, 4, 1, 3, 5]
    for extension in (".csv", ".parquet", ".xlsx"):
        assert client.get(rows_path("t", "", extension)).status_code == 200
    document = answer(client, "/openapi.json")
    text = json.dumps(document["components"]["schemas"])
    assert '"v": {"nullable": true}' in text


def test_a_release_built_again_from_its_own_package_is_the_same(tmp_path: Path) -> None:
    client = client_of(in_json(tmp_path / "p", ANY, "id:any", "v:any"), tmp_path / "s")
    (tmp_path / "again.zip").write_bytes(client.get("/releases/1.0.0/package.zip").data)
    again = client_of(tmp_path / "again.zip", tmp_path / "t")
    assert all_rows(again, rows_path("t")) == all_rows(client, rows_path("t"))


def test_in_csv_type_any_stays_text(tmp_path: Path) -> None:
    schema = {"fields": [{"name": "v", "type": "any"}]}
    source = package(tmp_path / "p", {"type": "table", "path": "t.csv", "schema": schema}, {"t.csv": "v\n1\n[1]\n"})
    assert served(source, tmp_path / "s")[1] == [{"v": "1"}, {"v": "[1]"}]


def test_texts_alone_of_type_any_are_texts_as_in_csv(tmp_path: Path) -> None:
    source = in_json(tmp_path / "p", '[{"v": "1"}, {"v": "a"}, {"v": null}]', "v:any")
    fields, rows, text = served(source, tmp_path / "s")
    assert (fields, rows) == ([{"name": "v", "type": "any"}], [{"v": "1"}, {"v": "a"}, {"v": None}])
    assert text == 'v\n1\na\n""\n'


def test_a_key_of_any_value_has_an_address(tmp_path: Path) -> None:
    rows = [{"id": value, "s": "same"} for value in ("1", 1, "a", 1.5, [1, 2], {"a": 1}, True)]
    source = in_json(tmp_path / "p", json.dumps(rows), "id:any", "s:string", schema={"primaryKey": "id"})
    client = client_of(source, tmp_path / "s")
    found = answer(client, "/v1/search?q=same")["data"]
    assert len(found) == len(rows)
    for entry in found:
        assert answer(client, entry["links"]["self"])["data"] == entry["record"]


def test_the_codebook_says_how_values_of_any_are_written(tmp_path: Path) -> None:
    client = client_of(in_json(tmp_path / "p", ANY, "id:any", "v:any"), tmp_path / "s")
    text = client.get("/releases/1.0.0/codebook.md").data.decode()
    assert "what is no text, or a text that could be taken for something else, is written as JSON" in text


# Tables without a schema


@pytest.mark.parametrize(
    ("values", "type"),
    [
        ([1, 2, None], "integer"),
        ([1, 2.5], "number"),
        ([2.0], "number"),
        (["1", "2007-10-01"], "string"),
        ([True, False], "boolean"),
        ([1, "a", True, 1.5], "any"),
        ([[1], {"a": 1}], "any"),
        ([[1], [2]], "any"),
        ([None], "any"),
    ],
)
def test_without_a_schema_the_types_are_those_of_the_values(tmp_path: Path, values: list[JSON], type: str) -> None:
    data = [{"v": value} for value in values]
    source = package(tmp_path / "p", {"type": "table", "data": data})
    assert found(source) == [f"valid: 1 table, {len(values)} row{'s' * (len(values) > 1)}, 0 errors, 0 warnings"]
    fields, rows, _ = served(source, tmp_path / "s")
    assert ([field["type"] for field in fields], rows) == ([type], data)


def test_a_profile_of_tables_named_by_its_address_means_a_table(tmp_path: Path) -> None:
    profile = "https://specs.frictionlessdata.io/schemas/tabular-data-resource.json"
    source = package(tmp_path / "p", {"path": "t.json", "profile": profile}, {"t.json": '[{"a":1},{"a":2}]'})
    assert served(source, tmp_path / "s")[1] == [{"a": 1}, {"a": 2}]


# Null


def test_a_row_of_null_alone_is_a_row(tmp_path: Path) -> None:
    source = package(tmp_path / "p", {"type": "table", "data": [{"v": None}, {"v": 5}]})
    _, rows, text = served(source, tmp_path / "s")
    assert (rows, text) == ([{"v": None}, {"v": 5}], 'v\n""\n5\n')


def test_null_beside_the_empty_text_gets_a_text_that_no_cell_has(tmp_path: Path) -> None:
    values = [None, "", "null", "a"]
    source = package(tmp_path / "p", {"type": "table", "data": [{"v": value} for value in values]})
    fields, rows, text = served(source, tmp_path / "s")
    assert [row["v"] for row in rows] == values
    assert fields == [{"name": "v", "type": "string", "missingValues": ["NULL"]}]
    assert text == 'v\nNULL\n""\nnull\na\n'


def test_null_in_a_field_without_missing_values_is_null_with_a_warning(tmp_path: Path) -> None:
    source = in_json(tmp_path / "p", '[{"v": ""}, {"v": null}]', "v:string", schema={"missingValues": []})
    message = (
        'warning: t.json field "v": the field has no missing values, but null is among its values: '
        'it is written as "null"'
    )
    assert found(source) == [message, "valid: 1 table, 2 rows, 0 errors, 1 warning"]
    assert served(source, tmp_path / "s")[1] == [{"v": ""}, {"v": None}]


def test_null_is_written_as_the_missing_value_of_the_schema(tmp_path: Path) -> None:
    source = in_json(tmp_path / "p", '[{"v": ""}, {"v": null}]', "v:string", schema={"missingValues": ["-"]})
    _, rows, text = served(source, tmp_path / "s")
    assert (rows, text) == ([{"v": ""}, {"v": None}], 'v\n""\n-\n')


def test_a_number_that_missing_values_name_is_null_with_a_warning(tmp_path: Path) -> None:
    source = in_json(tmp_path / "p", '[{"v": 1}, {"v": -99}]', "v:integer", schema={"missingValues": ["-99"]})
    assert found(source)[0] == (
        'warning: t.json row 2 field "v": the integer -99 is read as null, which the schema\'s missing values say '
        "(expected: integer or number)"
    )
    assert served(source, tmp_path / "s")[1] == [{"v": 1}, {"v": None}]


# Values of another type than the field's


@pytest.mark.parametrize(
    ("type", "value", "becomes", "said"),
    [
        ("string", "1", "1", ""),
        ("string", 1, "1", 'row 1 field "v": the integer 1 is read as a value of type string (expected: string)'),
        ("string", True, "true", 'row 1 field "v": the boolean true is read as a value of type string'),
        ("string", [1], "[1]", 'row 1 field "v": the array [1] is read as a value of type string (expected: string)'),
        ("integer", "1", 1, 'row 1 field "v": the string 1 is read as a value of type integer'),
        ("integer", 1.0, 1, ""),
        ("number", "1.5", 1.5, 'row 1 field "v": the string 1.5 is read as a value of type number'),
        ("number", 1, 1, ""),
        ("boolean", True, True, ""),
        ("boolean", "true", True, 'row 1 field "v": the string true is read as a value of type boolean'),
        ("boolean", 1, True, 'row 1 field "v": the integer 1 is read as a value of type boolean'),
        ("year", 2007, 2007, ""),
        ("year", "2007", 2007, ""),
        ("date", "2007-10-01", "2007-10-01", ""),
        ("object", {"a": 1}, {"a": 1}, ""),
        ("object", '{"a": 1}', {"a": 1}, 'row 1 field "v": the string {"a": 1} is read as a value of type object'),
        ("array", [1], [1], ""),
        ("list", ["a", "b"], ["a", "b"], ""),
        ("list", [1], ["1"], 'row 1 field "v": the array 1 is read as a value of type list'),
        ("list", [], None, 'row 1 field "v": the array [] is read as null: no text stands for a list without items'),
        ("geopoint", [1.5, 2], [1.5, 2], ""),
    ],
)
def test_a_value_that_its_field_can_read_is_served_and_told_where_its_type_is_another(
    tmp_path: Path, type: str, value: JSON, becomes: JSON, said: str
) -> None:
    source = in_json(tmp_path / "p", json.dumps([{"v": value}]), f"v:{type}")
    *warnings, last = found(source)
    assert [line.removeprefix("warning: t.json ")[: len(said)] for line in warnings] == ([said] if said else [])
    assert last.startswith("valid")
    assert served(source, tmp_path / "s")[1] == [{"v": becomes}]


def test_values_of_another_type_are_one_warning_for_each_column(tmp_path: Path) -> None:
    source = in_json(tmp_path / "p", json.dumps([{"v": n} for n in (1, 2, 3)]), "v:string")
    assert found(source) == [
        'warning: t.json row 1 field "v": the integer 1 is read as a value of type string, and 2 more of the column '
        "(expected: string)",
        "valid: 1 table, 3 rows, 0 errors, 1 warning",
    ]


@pytest.mark.parametrize(
    ("type", "value", "message"),
    [
        ("integer", True, 't.json row 2 field "v": "true" is not a whole number (expected: a whole number)'),
        ("integer", 1.5, 't.json row 2 field "v": "1.5" is not a whole number (expected: a whole number)'),
        ("number", True, 't.json row 2 field "v": "true" is not a number (expected: a number)'),
        ("date", 5, 't.json row 2 field "v": "5" is not a date, such as 2007-10-01'),
        ("object", [1], 't.json row 2 field "v": "[1]" is not a JSON object (expected: a JSON object)'),
        (
            "list",
            ["a,b", "c"],
            't.json row 2 field "v": the item "a,b" holds the delimiter of its list: it cannot be told apart '
            '(expected: items without ",")',
        ),
        ("list", [None], 't.json row 2 field "v": null is an item of a list (expected: items of type string)'),
    ],
)
def test_a_value_that_its_field_cannot_read_is_an_error_that_names_row_and_member(
    tmp_path: Path, type: str, value: JSON, message: str
) -> None:
    source = in_json(tmp_path / "p", json.dumps([{"v": None}, {"v": value}]), f"v:{type}")
    assert found(source)[0][: len(message)] == message


# What a file may hold that is no such table


BROKEN = {
    "no list": ('{"a": 1}', "t.json: the table cannot be read: it is an object, not a list: "),
    "empty file": ("", 't.json: the table cannot be read: "[" is missing before its end'),
    "torn": ('[{"v": 1}, {"v', "t.json row 1: the table cannot be read: the row after row 1 is broken: unterminated "),
    "more after the end": ("[] x", "t.json: the table cannot be read: text follows after"),
    "not a number": ('[{"v": NaN}]', "t.json: the table cannot be read: NaN is not a JSON "),
    "infinite": ('[{"v": -Infinity}]', "t.json: the table cannot be read: -Infinity is not "),
    "numbers": ("[1]", "t.json row 1: row 1 is not an object (expected: an object)"),
    "mixed": ('[{"v": 1}, [2]]', "t.json row 2: row 2 is not an object (expected: an object)"),
    "a member twice": ('[{"v": 1}, {"v": 1, "v": 2}]', 't.json row 2 field "v": row 2 has the member "v" twice '),
    "twice inside": ('[{"v": {"a": 1, "a": 2}}]', 't.json row 1 field "v": an object has the member "a" twice '),
    "half a character": ('[{"v": "\\ud800"}]', 't.json row 1 field "v": "\\ud800" holds half a character '),
    "half inside": ('[{"v": ["\\udc00"]}]', 't.json row 1 field "v": "["\\udc00"]" holds half a character '),
    "deep": ('[{"v": ' + "[" * 5000 + "]" * 5000 + "}]", "t.json: the table cannot be read: "),
    "deeper than is written": ('[{"v": ' + "[" * 700 + "]" * 700 + "}]", 't.json row 1 field "v": the value is nested'),
    "endless integer": ('[{"v": ' + "9" * 5000 + "}]", "t.json: the table cannot be read: "),
    "extra member": (
        '[{"v": 1}, {"v": 2, "w": 1}]',
        't.json row 2 field "w": the member "w" is not a field of the schema (expected: one of v)',
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_no_table_is_refused_with_the_row_and_the_reason(tmp_path: Path, case: str) -> None:
    text, message = BROKEN[case]
    assert found(in_json(tmp_path, text, "v:any"))[0][: len(message)] == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"v": 1}, {"": 2}]', "t.json row 2: a member has no name (expected: a name)"),
        ('[{"\\udc00": 1}]', "t.json row 1: the name of a member, '\\udc00', is broken (expected: a name)"),
    ],
)
def test_a_member_that_cannot_name_a_column_is_an_error(tmp_path: Path, text: str, message: str) -> None:
    assert found(in_json(tmp_path, text))[0] == message


def test_members_may_have_any_other_name(tmp_path: Path) -> None:
    data = [{" a ": 1, "a": 2, "A": 3, "a b": 4, "'": 5}]
    source = package(tmp_path / "p", {"type": "table", "data": data})
    assert [line[: line.find(" (")] for line in found(source)[:-1]] == [
        'warning: datapackage.json field "a": column 1 has the name " a ": it is named a',
        'warning: datapackage.json field "a_2": column 2 has the name "a" again: it is named a_2',
    ]
    assert served(source, tmp_path / "s")[1] == [{"a": 1, "a_2": 2, "A": 3, "a b": 4, "'": 5}]


def test_a_broken_line_of_json_lines_is_named_by_its_number(tmp_path: Path) -> None:
    source = package(tmp_path, {"type": "table", "path": "t.jsonl"}, {"t.jsonl": '{"v": 1}\n\n{"v"\n'})
    assert found(source)[0][:54] == "t.jsonl:3: the table cannot be read: line 3 is broken:"


def test_a_wrong_cell_of_json_lines_is_named_by_its_line(tmp_path: Path) -> None:
    schema = {"fields": [{"name": "v", "type": "integer"}]}
    source = package(
        tmp_path, {"type": "table", "path": "t.jsonl", "schema": schema}, {"t.jsonl": '{"v": 1}\n\n{"v": "a"}'}
    )
    assert found(source)[0].startswith('t.jsonl:3 field "v": "a" is not a whole number')


def test_inline_data_keeps_its_digits_and_has_no_member_twice(tmp_path: Path) -> None:
    descriptor = '{"name": "p", "version": "1.0.0", "resources": [{"name": "t", "data": %s}]}'
    (tmp_path / "datapackage.json").write_text(descriptor % '[{"v": 0.12345678901234567890}, {"v": 1e400}]')
    client = client_of(tmp_path, tmp_path / "store")
    text = client.get("/releases/1.0.0/data/t.csv").data.decode()
    assert text == "v\n0.12345678901234567890\n1e400\n"
    resource = {"type": "table", "data": [{"v": 1}]}
    assert found(package(tmp_path / "p", resource))[-1].startswith("valid")
    path = tmp_path / "p/datapackage.json"
    path.write_text(path.read_text().replace('{"v": 1}', '{"v": 1, "v": 2}'))
    assert found(path)[0].startswith("datapackage.json: an object has the member 'v' twice")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ('[{"v": 1.50}, {"v": null}]', []),
        ("[1", ["datapackage.json: the table cannot be read: Expecting ',' delimiter: line 1 column 3 (char 2)"]),
    ],
)
def test_inline_data_may_be_json_text(tmp_path: Path, data: str, said: list[str]) -> None:
    source = package(tmp_path / "p", {"type": "table", "format": "json", "data": data})
    assert [line.removesuffix(" (expected: JSON)") for line in found(source)[:-1]] == said
    if not said:
        assert served(source, tmp_path / "s")[1:] == ([{"v": 1.5}, {"v": None}], 'v\n1.50\n""\n')


def test_a_list_longer_than_what_is_read_at_once_is_read_whole(tmp_path: Path) -> None:
    rows = [{"v": f"{n}" * 50} for n in range(30_000)]
    source = package(
        tmp_path / "p", {"type": "table", "path": "t.json.gz"}, {"t.json.gz": gzip.compress(json.dumps(rows).encode())}
    )
    assert found(source) == ["valid: 1 table, 30000 rows, 0 errors, 0 warnings"]


# Dialects


def dialect(folder: Path, text: str, dialect: JSON, *fields: str) -> Path:
    return in_json(folder, text, *(fields or ("id:integer", "name:string")), dialect=dialect)


FRUIT = [{"id": 1, "name": "apple"}, {"id": 2, "name": "orange"}]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[{"name":"apple","id":1,"count":2},{"id":2,"name":"orange","count":5}]', {"itemKeys": ["id", "name"]}),
        ('[{"name":"apple","id":1,"count":2},{"id":2,"name":"orange","count":5}]', {"itemKeys": ["name", "id"]}),
        ('{"n": [1], "rows": [{"id":1,"name":"apple"},{"id":2,"name":"orange"}], "m": {}}', {"property": "rows"}),
        ('[["id","name"],[1,"apple"],[2,"orange"]]', {"itemType": "array"}),
        ('[[1,"apple"],[2,"orange"]]', {"header": False}),
        ('[["fruit"],["id","name"],[1,"apple"],[2,"orange"]]', {"headerRows": [2]}),
        ('[["id","name"],["#", "x"],[1,"apple"],[2,"orange"]]', {"commentChar": "#"}),
        ('[["id","name"],["a", "x"],[1,"apple"],[2,"orange"]]', {"commentRows": [2]}),
    ],
)
def test_a_dialect_says_where_rows_and_names_are(tmp_path: Path, text: str, said: JSON) -> None:
    source = dialect(tmp_path / "p", text, said)
    assert found(source) == ["valid: 1 table, 2 rows, 0 errors, 0 warnings"]
    assert served(source, tmp_path / "s")[1] == FRUIT


PARTS: dict[str, tuple[str, str, JSON, str]] = {
    "a header in each": ('[["id","name"],[1,"apple"]]', '[["id","name"],[2,"orange"]]', {}, ""),
    "a header in the first": ('[["id","name"],[1,"apple"]]', '[[2,"orange"]]', {}, ""),
    "a header in capitals": ('[["id","name"],[1,"apple"]]', '[["ID"," Name"],[2,"orange"]]', {},
        "warning: b.json row 1: the header is written otherwise than in a.json (expected: id,name)"),
    "another order": ('[["id","name"],[1,"apple"]]', '[["name","id"],["orange",2]]', {},
        "b.json row 1: the header is not the one of a.json (expected: id,name)"),
    "a title above each": ('[["T"],["id","name"],[1,"apple"]]', '[["T"],["id","name"],[2,"orange"]]',
        {"headerRows": [2]}, ""),
    "a title above the first": ('[["T"],["id","name"],[1,"apple"]]', '[[2,"orange"]]', {"headerRows": [2]},
        "b.json row 1: the header is not where the dialect says (expected: labels in the rows [2])"),
    "labels in two rows": ('[["i","na"],["d","me"],[1,"apple"]]', '[["i","na"],["d","me"],[2,"orange"]]',
        {"headerRows": [1, 2], "headerJoin": ""}, ""),
    "an empty first file": ("[]", '[["id","name"],[1,"apple"],[2,"orange"]]', {}, ""),
    "no header": ('[[1,"apple"]]', '[[2,"orange"]]', {"header": False}, ""),
}  # fmt: skip


@pytest.mark.parametrize("kind", PARTS)
def test_lists_in_several_files_are_joined_row_by_row(tmp_path: Path, kind: str) -> None:
    *texts, said, message = PARTS[kind]
    schema = {"fields": [{"name": "id", "type": "integer"}, {"name": "name", "type": "string"}]}
    resource = {"type": "table", "path": ["a.json", "b.json"], "dialect": said, "schema": schema}
    source = package(tmp_path / "p", resource, dict(zip(resource["path"], texts, strict=True)))
    assert found(source)[:-1] == [message] * bool(message)
    if validate(source).valid:
        assert served(source, tmp_path / "s")[1] == FRUIT


@pytest.mark.parametrize(
    ("text", "said", "message"),
    [
        (
            '{"a": []}',
            {"property": "b"},
            't.json: the table cannot be read: it has no property "b"',
        ),
        (
            '{"b": {}}',
            {"property": "b"},
            't.json: the table cannot be read: the property "b" is not',
        ),
        (
            '[{"id": 1, "name": "a"}]',
            {"itemKeys": ["id", "nmae"]},
            'datapackage.json: itemKeys names a member "nmae" that',
        ),
        ('[{"id": 1, "name": "a"}]', {"itemType": "array"}, "t.json row 1: row 1 is not a list (expected: a list)"),
    ],
)
def test_a_dialect_that_does_not_fit_is_refused(tmp_path: Path, text: str, said: JSON, message: str) -> None:
    assert found(dialect(tmp_path, text, said))[0][: len(message)] == message


def test_a_list_with_more_values_than_the_header_is_an_error_of_its_row(tmp_path: Path) -> None:
    source = in_json(tmp_path, '[["v"],[1],[2,3]]', "v:integer")
    assert found(source)[0] == "t.json row 3: the row has 2 cells, the header has 1 (expected: 1 cell)"


def test_members_beyond_the_fields_are_left_out_where_the_schema_says_so(tmp_path: Path) -> None:
    source = in_json(tmp_path / "p", '[{"v": 1, "w": 2}]', "v:integer", schema={"fieldsMatch": ["subset"]})
    left_out = 'the member "w" is left out: the schema has no such field, and its fieldsMatch allows more'
    assert found(source)[:-1] == [f'warning: t.json row 1 field "w": {left_out}']
    assert served(source, tmp_path / "s")[1] == [{"v": 1}]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"itemType": "objects"}, "\"itemType\" of the dialect cannot be 'objects' (expected: array or object)"),
        ({"itemKeys": "id"}, "\"itemKeys\" of the dialect cannot be 'id' (expected: a list of names)"),
        ({"property": 1}, '"property" of the dialect cannot be 1 (expected: the name of a member)'),
    ],
)
def test_a_dialect_that_says_nothing_that_can_be_done_is_refused(tmp_path: Path, said: JSON, message: str) -> None:
    assert found(dialect(tmp_path, "[]", said))[0] == f"datapackage.json: {message}"


# Fields of one name, which the first generation of schemas allows


def test_the_second_field_of_a_name_gets_its_own_in_a_package_of_the_first_generation(tmp_path: Path) -> None:
    schema = {"fields": [{"name": "a"}, {"name": "a"}]}
    resource = {"path": "t.csv", "profile": "tabular-data-resource", "schema": schema}
    source = package(tmp_path / "p", resource, {"t.csv": "a,a\n1,2\n"}, **{"$schema": ""})
    assert found(source) == [
        'warning: datapackage.json field "a_2": 2 fields have the name "a": this one is named a_2 '
        "(expected: a different name for each field)",
        "valid: 1 table, 1 row, 0 errors, 1 warning",
    ]
    _, rows, text = served(source, tmp_path / "s")
    assert (rows, text) == ([{"a": "1", "a_2": "2"}], "a,a_2\n1,2\n")


# Numbers


def test_doubles_as_they_are_printed_are_exact(tmp_path: Path) -> None:
    schema = {"fields": [{"name": "v", "type": "number"}]}
    text = "v\n0.1234567890123456\n3521418059.923445\n1.7976931348623157e308\n"
    source = package(tmp_path, {"type": "table", "path": "t.csv", "schema": schema}, {"t.csv": text})
    assert found(source) == ["valid: 1 table, 3 rows, 0 errors, 0 warnings"]


def test_a_number_inside_an_object_that_no_double_holds_is_told(tmp_path: Path) -> None:
    schema = {"fields": [{"name": "v", "type": "object"}]}
    text = 'v\n"{""a"": [12345678901234567890.123456789, 0.1]}"\n'
    text += '"{""a"": 0.1234567890123456, ""b"": 12345678901234567890}"\n'
    source = package(tmp_path, {"type": "table", "path": "t.csv", "schema": schema}, {"t.csv": text})
    assert found(source) == [
        'warning: t.csv:2 field "v": 12345678901234567890.123456789 has more digits than are kept exactly',
        "valid: 1 table, 2 rows, 0 errors, 1 warning",
    ]


# GeoJSON


def geo(folder: Path, features: JSON, fields: list[JSON] | None, **words: JSON) -> Path:
    """A package of features in x.geojson, named x, beside a table t."""
    schema = {"schema": {"fields": fields}} if fields else {}
    described = {"name": "x", "path": "x.geojson", **schema, **words}
    table = {"name": "t", "type": "table", "data": [{"id": 1}]}
    text = json.dumps({"type": "FeatureCollection", "features": features})
    source = package(folder, {}, {"x.geojson": text}, resources=[described, table])
    return source


POINT = {"type": "Point", "coordinates": [1.5, 2]}
FEATURES = [
    {"type": "Feature", "id": 7, "properties": {"a": "x", "b": 1}, "geometry": POINT},
    {"type": "Feature", "id": 8, "properties": {"a": None, "b": 2.5}, "geometry": None},
]


def test_geojson_whose_schema_names_its_properties_is_a_table(tmp_path: Path) -> None:
    named = {"id": "integer", "a": "string", "b": "number", "shape": "geojson"}
    source = geo(tmp_path / "p", FEATURES, [{"name": name, "type": type} for name, type in named.items()])
    assert found(source) == ["valid: 2 tables, 3 rows, 0 errors, 0 warnings"]
    rows = all_rows(client_of(source, tmp_path / "s"), rows_path("x"))
    assert rows == [{"id": 7, "a": "x", "b": 1, "shape": POINT}, {"id": 8, "a": None, "b": 2.5, "shape": None}]


def test_a_geometry_that_the_schema_has_no_field_for_is_left_out_with_a_warning(tmp_path: Path) -> None:
    source = geo(tmp_path / "p", FEATURES, [{"name": "a", "type": "string"}, {"name": "b", "type": "number"}])
    assert found(source) == [
        "warning: x.geojson: the geometry of the features is left out: the schema has no field for it "
        "(expected: a field of type geojson)",
        "warning: x.geojson: the id of the features is left out: the schema has no field for it "
        '(expected: a field named "id")',
        "valid: 2 tables, 3 rows, 0 errors, 2 warnings",
    ]


def test_a_property_of_the_name_of_a_part_of_the_feature_is_told(tmp_path: Path) -> None:
    feature = {"type": "Feature", "id": 7, "properties": {"id": 9, "geometry": "flat"}, "geometry": POINT}
    source = geo(tmp_path / "p", [feature], None, type="table")
    assert found(source)[:-1] == [
        f"warning: x.geojson: the {what} of the features is left out: a property has the same name "
        "(expected: different names)"
        for what in ("geometry", "id")
    ]
    assert all_rows(client_of(source, tmp_path / "s"), rows_path("x")) == [{"id": 9, "geometry": "flat"}]


@pytest.mark.parametrize(
    ("features", "reason"),
    [
        ([], 'no feature has the property "a"'),
        (FEATURES, 'the member "b" is not a field of the schema'),
        ([1], "row 1 is not a feature with properties"),
    ],
)
def test_geojson_that_its_schema_does_not_fit_is_offered_as_a_file(tmp_path: Path, features: JSON, reason: str) -> None:
    source = geo(tmp_path / "p", features, [{"name": "a", "type": "string"}])
    assert f"x.geojson: the schema is ignored and the file offered as it is: {reason}" in found(source)[-2]
    client = client_of(source, tmp_path / "s")
    assert [entry["name"] for entry in answer(client, "/v1/datasets")["data"]] == ["t"]
    assert client.get("/releases/1.0.0/x.geojson").data == (source / "x.geojson").read_bytes()
    assert "schema" not in answer(client, "/releases/1.0.0/datapackage.json")["resources"][0]


def test_geojson_of_type_table_that_its_schema_does_not_fit_is_refused(tmp_path: Path) -> None:
    source = geo(tmp_path, FEATURES, [{"name": "a", "type": "string"}], type="table")
    assert found(source)[0].startswith('x.geojson row 1 field "b": the member "b" is not a field of the schema')


def test_geojson_without_a_schema_stays_a_file_unless_it_says_that_it_is_a_table(tmp_path: Path) -> None:
    assert found(geo(tmp_path / "p", FEATURES, None)) == ["valid: 1 table, 1 row, 0 errors, 0 warnings"]
    source = geo(tmp_path / "q", FEATURES, None, type="table")
    rows = all_rows(client_of(source, tmp_path / "s"), rows_path("x"))
    assert rows == [{"a": "x", "b": 1, "geometry": POINT, "id": 7}, {"a": None, "b": 2.5, "geometry": None, "id": 8}]
