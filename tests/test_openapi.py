"""The OpenAPI document says what is served, all of it and nothing else; its page shows it."""

import csv
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import packages
import pytest
import yaml
from click.testing import CliRunner, Result
from fitting import FITS, fit
from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import validate
from openapi_spec_validator.validation.exceptions import OpenAPIValidationError

from api.app import create_app
from api.cli import main
from api.model import descriptor, types
from api.model.descriptor import Table
from api.openapi import rows
from api.openapi.operations import OPERATIONS
from api.openapi.parameters import IN_WORDS
from api.query import parameters, parse
from api.query.fields import OPERATORS
from api.release.build import build
from api.release.formats import FORMATS

ROOT = Path(__file__).resolve().parents[1]
COMMITTED = ROOT / "openapi" / "openapi.yaml"


@pytest.fixture(scope="module")
def document(app: Flask) -> dict[str, Any]:
    found: dict[str, Any] = app.test_client().get("/openapi.json").get_json()
    return found


def parsed(text: str) -> Any:
    return yaml.load(text, Loader=yaml.CSafeLoader)


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any], list[dict[str, Any]]]]:
    """Path, operation and parameters (references followed, those to an enum too) of everything in a document."""
    parts = document["components"]
    assert document["paths"] and parts["parameters"]
    for path, item in document["paths"].items():
        entries = [parts["parameters"][p["$ref"].rpartition("/")[2]] for p in item["get"].get("parameters", [])]
        yield path, item["get"], [{**entry, "schema": resolved(parts["schemas"], entry["schema"])} for entry in entries]


def resolved(schemas: Mapping[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """A schema, or the one with an enum that it refers to."""
    found = schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    return found if "enum" in found else schema


def written(entry: Mapping[str, Any], value: Any) -> str:
    """A parameter in a query string, as OpenAPI's style=form, explode=true says."""
    parts = value if isinstance(value, list) else [value]
    name = quote(entry["name"], safe="")
    return "&".join(f"{name}={quote(str(p).lower() if isinstance(p, bool) else str(p), safe='')}" for p in parts)


def sample(path: str, entries: list[dict[str, Any]]) -> str:
    """The operation's address with its own examples for what must be given; any text where it has none."""
    for entry in entries:
        if entry["in"] == "path":
            value = entry.get("example", entry["schema"].get("enum", ["1"])[0])
            path = path.replace("{" + entry["name"] + "}", quote(str(value), safe=",/"))
    required = [entry for entry in entries if entry["in"] == "query" and entry.get("required")]
    needed = [written(entry, entry.get("example", "x")) for entry in required]
    return f"{path}?{'&'.join(needed)}" if needed else path


def optional(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [entry for entry in entries if entry["in"] == "query" and not entry.get("required")]


def alone(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that answer by themselves, whatever the rows: `columns` wants a field of few values."""
    return [entry for entry in optional(entries) if entry["name"] != "columns"]


def no_row(path: str) -> set[int]:
    """What an address may answer besides: of a row by its key, whose example need not be the key of a row."""
    return {404} if "{key}" in path else set()


def fitting(entry: Mapping[str, Any]) -> Any:
    """A value as the document wants it; None for a text that only the service knows (cursor, version, as_of …)."""
    schema = entry["schema"]
    if entry["name"] == "measure":
        return ["count"]
    if schema.get("type") == "array":
        names = [name for name in listed(schema["items"]) if name != "relevance"]  # of what is searched for alone
        return [*dict.fromkeys([names[0], names[-1]])] if names else None
    if "$ref" in schema:
        return FITS[schema["$ref"].rpartition("/")[2]]
    return schema.get("enum", [schema.get("minimum")])[0]


def listed(items: Mapping[str, Any]) -> list[str]:
    """The names that the pattern of a list's entries allows."""
    found = re.fullmatch(r"\^(?:-\?)?\((.*)\)\$", items["pattern"], re.DOTALL)
    return [re.sub(r"\\(.)", r"\1", name) for name in re.split(r"(?<!\\)\|", found[1])] if found else []


def with_parameter(address: str, entry: Mapping[str, Any], value: Any) -> str:
    return f"{address}{'&' if '?' in address else '?'}{written(entry, value)}"


def test_the_committed_document_is_the_one_served(document: dict[str, Any]) -> None:
    assert parsed(COMMITTED.read_text(encoding="utf-8")) == document, "run lantern openapi"


def test_the_yaml_served_is_the_committed_text(client: FlaskClient) -> None:
    assert client.get("/openapi.yaml").text == COMMITTED.read_text(encoding="utf-8")


def test_the_committed_document_shares_nothing_between_places() -> None:
    assert not re.search(r"(^|[\s\[{,-])[&*]id\d+", COMMITTED.read_text(encoding="utf-8"))


def test_documented_paths_are_the_routes(app: Flask, document: dict[str, Any]) -> None:
    """Those that differ from dataset to dataset for each; every format of rows has its own."""
    package = app.extensions["store"].latest().package
    missing = {rule.endpoint for rule in app.url_map.iter_rules()} - set(OPERATIONS)
    assert not missing, f"add a line to api.openapi.document.operations.OPERATIONS for each of {sorted(missing)}"
    gone = set(OPERATIONS) - {rule.endpoint for rule in app.url_map.iter_rules()}
    assert not gone, f"OPERATIONS describes views that are no more: {sorted(gone)}"
    expected = set()
    for rule in app.url_map.iter_rules():
        operation = OPERATIONS[rule.endpoint]
        if operation is None:
            continue
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        below = path.startswith("/v1/datasets/{name}")
        names = [table.name for table in package.tables] if operation.each else ["{dataset}"] if below else ["{name}"]
        extensions = operation.formats() if operation.formats else [""]
        expected |= {path.replace("{name}", n).replace("{extension}", e) for n in names for e in extensions}
    assert set(document["paths"]) == expected
    assert {"/v1/datasets/exports/records", "/v1/datasets/{dataset}/records.csv", "/tuf/{name}"} <= expected


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    validate(document)
    with pytest.raises(OpenAPIValidationError):
        validate({**document, "paths": {"/x": {"get": {}}}})


def test_operation_ids_are_unique(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, operation, _ in operations(document)]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]+", name) for name in names)


def test_documented_parameters_are_those_that_are_read(
    app: Flask, document: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What each view hands to parse.read is what the document says of it. Two things that are read stand elsewhere: the
    operators of filters in the text of `where`, and `expand` where rows have no types."""
    asked: list[tuple[set[str], set[str]]] = []
    plain = parse.read

    def spying(table: Table, given: Any, control: Any, filtered: bool = True, *rest: Any) -> parse.Query:
        named = {n for n, field in control(table).items() if getattr(field, "known", None) != ()}
        named |= set(parameters.conditions()) if filtered else set()
        asked.append((named, set(parameters.filters(table) if filtered else ())))
        return plain(table, given, control, filtered, *rest)

    monkeypatch.setattr(parse, "read", spying)
    client = app.test_client()
    equal = []
    for number, (path, operation, entries) in enumerate(operations(document)):
        asked.clear()
        address = sample(path, entries)
        # An Accept header that nobody sent before: the answer is not taken from the cache.
        client.get(address, headers={"Accept": f"*/*;q=0.9, text/x-{number}"})
        known = {entry["name"] for entry in entries if entry["in"] == "query"}
        controls, filters = max(asked, key=lambda pair: len(pair[0] | pair[1]), default=(set[str](), set[str]()))
        assert controls - known - {*IN_WORDS} in (set(), {"expand"}), address
        assert known - controls <= filters and bool(filters) == ("where" in known), address
        if {"tags": operation["tags"], "filters": bool(filters)} == {"tags": ["exports"], "filters": True}:
            equal.append(known - controls)
    assert equal and all({"year", "standing", "as_of__eq"} <= names for names in equal)
    expanding = {path for path, _, entries in operations(document) if "expand" in {entry["name"] for entry in entries}}
    assert expanding >= {f"/v1/datasets/{{dataset}}/records.{kind}" for kind in ("json", "jsonl")}
    assert not expanding & {f"/v1/datasets/{{dataset}}/records.{kind}" for kind, of in FORMATS.items() if of.flat}


def test_parameters_that_change_the_form_of_a_response_are_described_in_words(document: dict[str, Any]) -> None:
    assert IN_WORDS == ("shape", "excel")
    assert all(f"{name}=" in document["info"]["description"] for name in IN_WORDS)


def test_every_operator_stands_in_the_text_of_where_and_works_there(
    client: FlaskClient, document: dict[str, Any]
) -> None:
    words = document["components"]["parameters"]["where"]["description"]
    assert re.findall(r"^- `(\w+)`", words, re.MULTILINE) == list(OPERATORS)
    tried = set()
    for table in client.application.extensions["store"].latest().package.tables:
        conditions = [f"{name}={fit(value)}" for name, value in parameters.filters(table).items()]
        for start in range(0, len(conditions), 30):
            query = urlencode([("where", one) for one in conditions[start : start + 30]])
            found = client.get(f"/v1/datasets/{table.name}/records?{query}")
            assert found.status_code == 200, (query, found.text)
        tried |= {value.operator.name for value in parameters.filters(table).values()}
    assert tried == set(OPERATORS)


def test_every_optional_parameter_is_accepted_as_it_is_described(client: FlaskClient, document: dict[str, Any]) -> None:
    """Each by itself, with a value that fits: its address answers, or says that this sum must not be made."""
    tried = []
    for path, _, entries in operations(document):
        address = sample(path, entries)
        answers = {200, 409, *no_row(path)}
        for entry in alone(entries):
            if (value := fitting(entry)) is not None:
                found = client.get(with_parameter(address, entry, value))
                assert found.status_code in answers, (address, entry["name"], found.text)
                tried.append(entry["name"])
    assert {"limit", "sort", "fields", "year", "standing", "measure", "group_by"} <= set(tried)


def test_optional_parameters_have_no_values_to_begin_with(document: dict[str, Any]) -> None:
    """Swagger UI and others put an example or a default, also those of a schema, into the question."""
    schemas_of_values = document["components"]["schemas"]
    names = []
    for path, _, entries in operations(document):
        for entry in optional(entries):
            schema = entry.get("schema", {})
            items = schema.get("items", schema)
            used = schemas_of_values[items["$ref"].rpartition("/")[2]] if "$ref" in items else items
            assert not {"example", "examples", "default"} & {*entry, *schema, *used}, (path, entry["name"])
            names.append(entry["name"])
    assert {"limit", "sort", "year", "standing", "where", "measure"} <= set(names)


def test_every_filter_of_a_type_that_has_wrong_values_refuses_them(
    client: FlaskClient, document: dict[str, Any]
) -> None:
    tried = []
    for path, _, entries in operations(document):
        if not path.endswith("/records"):
            continue
        for entry in entries:
            schema = entry["schema"]
            if "/Text" in json.dumps(schema) or schema.get("pattern") == types.PLAIN["pattern"]:
                continue
            found = client.get(with_parameter(path, entry, " x "))
            assert found.status_code == 400, (path, entry["name"])
            assert found.get_json()["errors"][0]["parameter"] == entry["name"]
            tried.append(entry["name"])
    assert {"limit", "sort", "where", "as_of", "year", "standing", "period_start"} <= set(tried)


def test_values_outside_a_pattern_or_range_find_nothing_and_are_no_error(client: FlaskClient) -> None:
    for question_text in ("id=NOT%20AN%20ID", "year=1", "value__lt=-1e300"):
        found = client.get(f"/v1/datasets/exports/records?{question_text}")
        assert (found.status_code, found.get_json()["data"]) == (200, [])


def test_rows_have_exactly_the_documented_keys(client: FlaskClient, document: dict[str, Any], store: Path) -> None:
    tables = client.application.extensions["store"].latest().package.tables
    assert tables
    for table in tables:
        row = client.get(f"/v1/datasets/{table.name}/records?limit=1").get_json()["data"][0]
        documented = document["components"]["schemas"][f"{table.name}_row"]["properties"]
        assert list(row) == list(documented)


def test_every_answer_says_what_it_is_and_what_can_go_wrong(document: dict[str, Any]) -> None:
    for path, operation, entries in operations(document):
        answers = operation["responses"]
        assert answers.keys() & {"200", "302"}, path
        assert all(answer.get("description") or "$ref" in answer for answer in answers.values()), path
        assert ("400" in answers) == (path not in ("/docs/", "/problems/{kind}")), path
        if any(entry["in"] == "query" and entry["name"] == "version" for entry in entries):
            assert "404" in answers, path


def test_every_type_of_field_is_described() -> None:
    assert set(rows.TYPES) == set(types.TYPES)
    every = descriptor.table({"name": "", "schema": {"fields": [{"name": name, "type": name} for name in types.TYPES]}})
    assert {types.kind(field).written for field in every.fields} == set(types.WRITTEN)


def test_links_and_servers_follow_the_public_address(store: Path) -> None:
    app = create_app(STORE=store, BASE_URL="https://data.example.org/lantern")
    found = app.test_client().get("/openapi.json").get_json()
    assert found["servers"] == [{"url": "https://data.example.org/lantern"}]
    assert "connect-src 'self' data.example.org;" in unescape(app.test_client().get("/docs/").text)


def test_the_document_is_a_finished_answer(client: FlaskClient) -> None:
    for path, media_type in (("/openapi.json", "application/json"), ("/openapi.yaml", "application/yaml")):
        first = client.get(path, headers={"Accept-Encoding": "gzip"})
        assert first.mimetype == media_type
        assert first.headers["Content-Encoding"] == "gzip"
        again = client.get(path, headers={"Accept-Encoding": "gzip", "If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b"")
        assert client.get(path, headers={"Accept": "image/png"}).status_code == 406
        assert client.get(f"{path}?x=1").status_code == 400


def test_unknown_parts_of_the_documentation_are_problems(client: FlaskClient) -> None:
    for path in (
        "/docs/nothing",
        "/docs/static/",
        "/docs/static/..%2f..%2fapp.py",
        "/docs/static/%00",
        "/docs/index.html",
    ):
        found = client.get(path)
        assert (found.status_code, found.mimetype) == (404, "application/problem+json"), path
    for path in ("/docs/", "/docs/static/swagger-ui.css", "/openapi.json", "/openapi.yaml"):
        found = client.post(path)
        assert (found.status_code, found.mimetype) == (405, "application/problem+json"), path
        assert set(found.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


def test_a_new_release_is_described_at_once(tmp_path: Path) -> None:
    def small(version: str, name: str) -> Path:
        folder = tmp_path / version
        return packages.write(folder, packages.table("t", ["id", name], [["a", "b"]]), version=version)

    store = tmp_path / "store"
    build(small("1.0.0", "old"), store)
    app = create_app(STORE=store, BASE_URL="")
    client = app.test_client()
    assert "old" in client.get("/openapi.json").get_json()["components"]["schemas"]["t_row"]["properties"]
    build(small("1.1.0", "new"), store)
    app.extensions["store"]._checked = float("-inf")
    found = client.get("/openapi.json").get_json()
    assert "new" in found["components"]["schemas"]["t_row"]["properties"]


ODD = [
    "id",
    "limit",
    "select",
    "a b",
    'say "x"',
    "Größe:integer",
    "数:number",
    "a{b}",
    "x__in",
    "день:date",
    "q:boolean",
]
ROW = ["k/1", "5", "*", "1", "2", "3", "4.5", "6", "7", "2001-02-03", "true"]
KINDS = [
    "t:time",
    "m:yearmonth",
    "d:datetime",
    "p:duration",
    "o:object",
    "a:array",
    "g:geopoint",
    "l:list",
    "j:geojson",
]
KIND_ROW = [
    "10:30:00",
    "2001-02",
    "2001-02-03T04:05:06Z",
    "P1D",
    "{}",
    "[1]",
    "1.5,2",
    "a,b",
    '{"type": "Point", "coordinates": [1, 2]}',
]


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    """A package from elsewhere with names that nobody would choose."""
    folder = tmp_path_factory.mktemp("odd")
    source = packages.write(
        folder / "package",
        packages.table("Année 1", ODD, [ROW], path="data/one.csv"),
        packages.table("select", ["order", *KINDS], [["1", *KIND_ROW]], path="data/two.csv"),
        packages.table("表", ["a", "b"], [["1", "2"]], path="data/three.csv", primaryKey=[]),
        packages.table("conflicts", ["id"], [], path="data/four.csv"),
    )
    build(source, folder / "store")
    return create_app(STORE=folder / "store", BASE_URL="").test_client()


def test_packages_with_odd_names_are_described(odd: FlaskClient) -> None:
    found = odd.get("/openapi.json").get_json()
    validate(found)
    assert "/v1/datasets/Ann%C3%A9e%201/records" in found["paths"]
    for path, _, entries in operations(found):
        address = sample(path, entries)
        for entry in alone(entries):
            if (value := fitting(entry)) is not None:
                answer = odd.get(with_parameter(address, entry, value))
                assert answer.status_code in {200, *no_row(path)}, (path, entry["name"], answer.text)
    names = {e["name"] for p, _, entries in operations(found) if p.endswith("1/records") for e in entries}
    assert {"limit", "limit__eq", "a b", 'say "x"', "Größe", "数", "a{b}", "день", "q__eq", "x__in"} <= names
    rows_of = [name for name in found["components"]["schemas"] if name.endswith("_row")]
    assert rows_of == ["Annee_1_row", "select_row", "table_row", "conflicts_row"]
    assert odd.get("/docs/").status_code == 200
    assert parsed(odd.get("/openapi.yaml").text) == found


LAZY = """
import sys
from wsgi import app
answer = app.test_client().get("/v1/datasets/exports/records?limit=1")
assert answer.status_code == 200, answer.text
print(sorted(set(sys.modules) & {"flasgger", "apispec", "flask_swagger_ui", "api.openapi.document"}))
"""


def test_answering_questions_imports_nothing_of_the_documentation(store: Path) -> None:
    environ = {"LANTERN_STORE": str(store), "PATH": "/usr/bin"}
    done = subprocess.run(
        [sys.executable, "-c", LAZY], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60
    )
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_the_command_writes_the_document_and_notices_another(tmp_path: Path) -> None:
    package = packages.write(tmp_path / "package", packages.table("t", ["id", "b"], [["a", "b"]]))
    path = tmp_path / "somewhere" / "openapi.yaml"
    settings = {"LANTERN_PACKAGE": str(package), "LANTERN_BASE_URL": "https://example.org"}
    check = ["openapi", "--check", "--output", str(path)]
    assert CliRunner().invoke(main, check, env=settings).exit_code == 1
    assert CliRunner().invoke(main, ["openapi", "--output", str(path)], env=settings).exit_code == 0
    assert parsed(path.read_text(encoding="utf-8"))["servers"] == [{"url": "/"}]
    assert CliRunner().invoke(main, check, env=settings).exit_code == 0
    path.write_text(path.read_text(encoding="utf-8") + "# by hand\n", encoding="utf-8")
    assert CliRunner().invoke(main, check, env=settings).exit_code == 1


def lantern(*arguments: str | Path, package: Path, store: Path) -> Result:
    """A command about a package and a store, at a time after all that our own package was published."""
    environ = {"LANTERN_PACKAGE": str(package), "LANTERN_STORE": str(store), "SOURCE_DATE_EPOCH": "1900000000"}
    return CliRunner().invoke(main, [*map(str, arguments)], env=environ)


def test_a_release_with_other_data_leaves_the_committed_document_as_it_is(store: Path, tmp_path: Path) -> None:
    """The steps of datapackage/README.md, on a copy of our package: a row changes, a row is added."""
    package, copied = tmp_path / "package", tmp_path / "store"
    shutil.copytree(ROOT / "datapackage", package)
    shutil.copytree(store, copied)
    with (package / "data/sources.csv").open(encoding="utf-8", newline="") as file:
        head, *listed = csv.reader(file)
    note = head.index("note")
    listed[0][note] += " Read again."
    listed.append(["a-new-source", *listed[0][1:]])
    with (package / "data/sources.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([head, *listed])
    steps = (["format"], ["release", "--bump", "patch", "--note", "One more source."], ["validate"], ["build"])
    for step in steps:
        done = lantern(*step, package=package, store=copied)
        assert done.exit_code == 0, done.output
        ledger = package / "data/corrections.csv"
        ledger.write_text(ledger.read_text(encoding="utf-8").replace("TODO", "Read again."), encoding="utf-8")
    checked = lantern("openapi", "--check", "--output", COMMITTED, package=package, store=copied)
    assert checked.exit_code == 0, checked.output
    old, new = (create_app(STORE=root, BASE_URL="").test_client().get("/openapi.json") for root in (store, copied))
    assert old.headers["X-Data-Version"] != new.headers["X-Data-Version"]
    assert old.data == new.data


def test_another_schema_is_another_document(tmp_path: Path) -> None:
    path, rows_of_t = tmp_path / "openapi.yaml", [["a", "b"]]
    former = packages.write(tmp_path / "former", packages.table("t", ["id", "b"], rows_of_t))
    other_rows = packages.write(tmp_path / "rows", packages.table("t", ["id", "b"], [["c", "d"]]), version="2.0.0")
    other_field = packages.write(tmp_path / "field", packages.table("t", ["id", "c"], rows_of_t))
    check = ["openapi", "--check", "--output", path]
    assert lantern("openapi", "--output", path, package=former, store=tmp_path / "none").exit_code == 0
    assert lantern(*check, package=other_rows, store=tmp_path / "none").exit_code == 0
    assert lantern(*check, package=other_field, store=tmp_path / "none").exit_code == 1
