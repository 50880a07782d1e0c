"""The OpenAPI document as generators of clients need it: small, with plain names, one type for each response."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openapi_schema_validator import OAS30Validator
from packages import table
from served import served

BYTES_MAX, PARAMETERS_MAX = 250_000, 60
LISTS = {"sort", "fields", "expand", "facet", "group_by", "measure", "or", "where"}


@pytest.fixture(scope="module")
def document(app: Flask) -> dict[str, Any]:
    found: dict[str, Any] = app.test_client().get("/openapi.json").get_json()
    return found


def described(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    assert document["paths"]
    for path, item in document["paths"].items():
        yield path, item["get"]


def component(document: dict[str, Any], entry: dict[str, Any]) -> dict[str, Any]:
    """An entry, or the component that it refers to."""
    if "$ref" not in entry:
        return entry
    *_, kind, name = entry["$ref"].split("/")
    found: dict[str, Any] = document["components"][kind][name]
    return found


def test_the_document_is_small_in_both_forms_and_no_operation_has_many_parameters(
    client: FlaskClient, document: dict[str, Any]
) -> None:
    for path in ("/openapi.json", "/openapi.yaml"):
        assert len(client.get(path).data) <= BYTES_MAX, path
    most = max(len(operation.get("parameters", [])) for _, operation in described(document))
    assert 30 < most <= PARAMETERS_MAX


def test_the_fields_of_a_wide_table_are_no_parameters_but_conditions(tmp_path: Path) -> None:
    names = [f"f{number}" for number in range(41)]
    client = served(tmp_path, table("wide", names, [[*"ab" * 20, "z"]]), table("less", names[:40], [["a"] * 40]))
    found = client.get("/openapi.json").get_json()
    known = {
        name: {component(found, entry)["name"] for entry in found["paths"][path]["get"]["parameters"]}
        for name in ("wide", "less")
        for path in [f"/v1/datasets/{name}/records"]
    }
    assert "where" in known["wide"] and not known["wide"] & {*names}
    assert known["less"] - known["wide"] == {*names[:40]}
    assert client.get("/v1/datasets/wide/records?where=f40=z&f0=a").get_json()["meta"]["total"] == 1


def test_a_field_with_the_name_of_a_parameter_is_reached_by_its_operator(tmp_path: Path) -> None:
    """Also where only one operation has that parameter."""
    client = served(tmp_path, table("t", ["id", "limit", "facet", "where"], [["a", "b", "c", "d"]]))
    found = client.get("/openapi.json").get_json()
    for view, expected in (("records", "facet"), ("facets", "facet__eq")):
        path = f"/v1/datasets/t/{view}"
        names = [component(found, entry)["name"] for entry in found["paths"][path]["get"]["parameters"]]
        assert len(names) == len({*names})
        assert {"id", "limit__eq", "where__eq", expected} <= {*names}
        asked = f"{path}?limit__eq=b&where__eq=d&{expected}=c" + ("&facet=id" if view == "facets" else "")
        assert client.get(asked).get_json()["meta"]["total"] == 1, asked


def test_names_of_components_stay_apart_and_all_are_used(document: dict[str, Any]) -> None:
    """Generators drop case and punctuation; some take a schema's title for its name."""
    referred = set(re.findall(r'"#/components/([^"]+)"', json.dumps(document)))
    for kind, components in document["components"].items():
        assert len({re.sub("[^a-z0-9]", "", name.lower()) for name in components}) == len(components), kind
        assert {f"{kind}/{name}" for name in components} <= referred
    of_objects = [s for s in document["components"]["schemas"].values() if s.get("type") == "object"]
    assert len(of_objects) > 20 and not [schema["title"] for schema in of_objects if "title" in schema]


def test_tables_whose_names_differ_in_case_and_punctuation_only_have_types_of_their_own(tmp_path: Path) -> None:
    tables = [table(name, ["id"], [["a"]], path=f"data/{n}.csv") for n, name in enumerate(["a-b", "A b", "ab", "表"])]
    for one in tables:
        one["path"] = one["schema"].pop("path")
    found = served(tmp_path, *tables).get("/openapi.json").get_json()
    rows = [name for name in found["components"]["schemas"] if name.endswith("_row")]
    assert rows == ["a_b_row", "A_b_2_row", "ab_3_row", "table_row"]
    ids = [operation["operationId"] for _, operation in described(found)]
    assert len({re.sub("[^a-z0-9]", "", name.lower()) for name in ids}) == len(ids)


def test_a_response_has_one_media_type_and_every_error_is_a_problem_document(document: dict[str, Any]) -> None:
    statuses = set()
    for path, operation in described(document):
        for status, entry in operation["responses"].items():
            content = component(document, entry).get("content", {})
            assert len(content) == (status not in ("302", "304")), (path, status)
            assert status < "400" or [*content] == ["application/problem+json"], (path, status)
            statuses.add(status)
    assert {"200", "304", "400", "404", "406", "409", "410", "414", "503"} <= statuses


def test_lists_repeat_the_parameter_and_need_no_constants(document: dict[str, Any]) -> None:
    """Java makes a set of `uniqueItems`, and of an enum all make constants, for which `-year` is no name."""
    found = set()
    for entry in document["components"]["parameters"].values():
        if entry["schema"].get("type") == "array":
            assert (entry["style"], entry["explode"]) == ("form", True)
            assert not {"uniqueItems"} & {*entry["schema"]} and not {"enum"} & {*entry["schema"]["items"]}
            found.add(entry["name"])
    assert found >= LISTS


def test_nothing_needs_a_key(document: dict[str, Any]) -> None:
    assert document["security"] == [] and "securitySchemes" not in document["components"]


def test_rows_keep_the_type_of_a_foreign_key(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert schemas["exports_row"]["properties"]["indicator"]["type"] == "string"
    assert "anyOf" not in json.dumps(schemas) and "oneOf" not in json.dumps(schemas)


def test_examples_are_values_of_their_schemas(document: dict[str, Any]) -> None:
    examples = 0
    for schema in document["components"]["schemas"].values():
        for field in (schema, *schema.get("properties", {}).values()):
            if "example" in field:
                OAS30Validator(field).validate(field["example"])
                examples += 1
    known = json.loads(json.dumps(document["components"]))
    problem = {**known["schemas"]["Problem"], "additionalProperties": True}
    for response in known["responses"].values():
        for example in response.get("content", {}).get("application/problem+json", {}).get("examples", {}).values():
            OAS30Validator(problem).validate(example["value"])
            examples += 1
    assert examples > 50
