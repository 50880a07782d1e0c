"""The descriptors are valid by the published profiles of Data Package v2, which the package dplib-py carries."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

PACKAGE = Path(__file__).resolve().parents[1] / "datapackage"
SCHEMAS = sorted((PACKAGE / "schemas").glob("*.json"))


def profile(name: str) -> Draft7Validator:
    return Draft7Validator(json.loads((files("dplib") / "profiles" / "2.0" / f"{name}.json").read_text("utf-8")))


def faults(name: str, descriptor: Any) -> list[str]:
    return [f"{list(error.absolute_path)}: {error.message}" for error in profile(name).iter_errors(descriptor)]


def test_the_package_is_a_data_package() -> None:
    descriptor = json.loads((PACKAGE / "datapackage.json").read_text("utf-8"))
    assert faults("datapackage", descriptor) == []


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.stem)
def test_each_schema_is_a_table_schema(path: Path) -> None:
    assert faults("tableschema", json.loads(path.read_text("utf-8"))) == []


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.stem)
def test_every_field_says_what_it_is(path: Path) -> None:
    fields = json.loads(path.read_text("utf-8"))["fields"]
    assert fields
    for field in fields:
        assert field["title"] and field["description"] and "example" in field, field["name"]
        assert "required" in field["constraints"], field["name"]


@pytest.mark.parametrize("version", ["1.0.0", "1.1.0", "1.2.0"])
def test_the_descriptor_of_a_release_is_a_data_package(store: Path, version: str) -> None:
    descriptor = json.loads((store / "releases" / version / "datapackage.json").read_text("utf-8"))
    assert faults("datapackage", descriptor) == []
    former = PACKAGE / "history" / version
    source = json.loads(((former if former.exists() else PACKAGE) / "datapackage.json").read_text("utf-8"))
    assert [one["name"] for one in descriptor["resources"]] == [one["name"] for one in source["resources"]]
    assert descriptor["resources"]
    for resource in descriptor["resources"]:
        assert faults("tableschema", resource["schema"]) == []
        assert {"bytes", "hash", "rows"} <= set(resource)


def test_the_profiles_refuse_what_is_wrong() -> None:
    assert faults("datapackage", {"resources": [{"name": 1}]}) != []
    assert faults("tableschema", {"fields": [{"type": "integer"}]}) != []
