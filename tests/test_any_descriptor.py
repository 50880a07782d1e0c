"""Whatever JSON stands in the description of a field, validation ends with a report: never with a traceback."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packages import table, write

from api.model import types
from api.model.findings import Report
from api.package import validate

JSON = Any
PROPERTIES = (
    *("type", "format", "title", "example", "constraints", "categories", "categoriesOrdered", "missingValues"),
    *("trueValues", "falseValues", "bareNumber", "groupChar", "decimalChar", "delimiter", "itemType", "rdfType"),
)
CONSTRAINTS = (
    *("required", "unique", "enum", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
    *("minLength", "maxLength", "pattern", "jsonSchema"),
)
CELLS = (
    *(
        "",
        "a",
        "1",
        "-1.5",
        "1,000",
        "NaN",
        "INF",
        "true",
        "2007-10-01",
        "2007-10-01T24:00:00Z",
        "23:59:60",
        "-0044-03",
    ),
    *("P1Y", "[1, 2]", '{"a": 1}', "1,2", '{"type": "Point", "coordinates": [1, 2]}', "\u0000", "1e999999999", "٣"),
)
WORDS = st.sampled_from(
    [
        *(
            "",
            "a",
            "(",
            "\\i",
            "%d/%m/%Y",
            "%d%d",
            "%",
            "fmt:%Y",
            "any",
            "email",
            "array",
            "object",
            "topojson",
            "x" * 300,
        ),
        *types.TYPES,
        *CELLS,
    ]
)
NUMBERS = st.sampled_from([0, 1, -1, 1.5, 10**400, 1e308, True, False, None])
VALUES = st.recursive(
    WORDS | NUMBERS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["value", "label", "type", "$ref"]), inner)
    ),
    max_leaves=5,
)
# Of the shapes that the standard asks for, so that values are read
TEXTS, ANY, FLAG = st.lists(WORDS, max_size=3), st.lists(VALUES, max_size=3), st.booleans()
SHAPED: dict[str, st.SearchStrategy[JSON]] = {
    **{"type": st.sampled_from(types.TYPES), "format": WORDS, "example": VALUES, "bareNumber": FLAG},
    **dict.fromkeys(("groupChar", "decimalChar", "delimiter", "itemType"), WORDS),
    **dict.fromkeys(("trueValues", "falseValues", "missingValues"), TEXTS),
    "categories": st.lists(WORDS | st.integers() | st.fixed_dictionaries({"value": WORDS}), max_size=3),
    "constraints": st.fixed_dictionaries(
        {},
        optional={
            **dict.fromkeys(CONSTRAINTS, VALUES),
            **{
                "required": FLAG,
                "unique": FLAG,
                "enum": ANY,
                "pattern": WORDS,
                "jsonSchema": st.dictionaries(WORDS, VALUES),
            },
            **dict.fromkeys(("minLength", "maxLength"), st.integers()),
        },
    ),
}
FIELDS = st.fixed_dictionaries({}, optional=SHAPED) | st.dictionaries(st.sampled_from(PROPERTIES), VALUES, max_size=3)


def judged(folder: Path, field: dict[str, JSON], **schema: JSON) -> Report:
    made = table("t", ["id:integer", "v"], [[n, cell] for n, cell in enumerate(CELLS)], **schema)
    made["schema"]["fields"][1] = {"name": "v", **field}
    return validate(write(folder, made))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(FIELDS, st.sampled_from([["id"], ["v"], ["id", "v"]]))
def test_any_field_gets_a_report(tmp_path: Path, field: dict[str, JSON], key: list[str]) -> None:
    report = judged(tmp_path, field, primaryKey=key)
    assert json.loads(json.dumps(report.to_json()))["valid"] == report.valid
    assert all(line.isprintable() or "\u0000" in line for line in report.text().splitlines())


@pytest.mark.parametrize("property", PROPERTIES)
def test_each_property_may_be_any_json(tmp_path: Path, property: str) -> None:
    values: list[JSON] = [
        None,
        True,
        0,
        -1,
        1.5,
        10**400,
        "",
        "x",
        [],
        [None],
        [[]],
        [1],
        {},
        {"value": 1},
        [{"value": []}],
    ]
    for number, value in enumerate(values):
        for type in random.Random(number).sample(types.TYPES, 3):
            report = judged(tmp_path / f"{number}-{type}", {"type": type, property: value})
            assert report.text().splitlines()[-1].startswith(("valid: ", "not valid: "))


@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_each_constraint_may_be_any_json(tmp_path: Path, constraint: str) -> None:
    values: list[JSON] = [
        None,
        True,
        -1,
        1.5,
        10**400,
        "",
        "(",
        "2007-02-29",
        [],
        [None],
        [[1]],
        {},
        {"type": "x"},
        {"$ref": "x"},
    ]
    for number, value in enumerate(values):
        for type in random.Random(number).sample(types.TYPES, 4):
            report = judged(tmp_path / f"{number}-{type}", {"type": type, "constraints": {constraint: value}})
            assert report.text().splitlines()[-1].startswith(("valid: ", "not valid: "))
