"""The shapes of a descriptor's parts that the rest of the program relies on, as JSON Schema.

No more than that: frictionless checks the other requirements of the standard.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema  # type: ignore[import-untyped]

Shape = Mapping[str, Any]
TEXT: Shape = {"type": "string"}
NAMES: Shape = {"anyOf": [TEXT, {"type": "array", "items": TEXT}]}
OBJECT_OR_PATH: Shape = {"type": ["object", "string"]}


def _object(required: tuple[str, ...] = (), **properties: Shape) -> Shape:
    return {"type": "object", "required": list(required), "properties": properties}


def _list(items: Shape, **more: int) -> Shape:
    return {"type": "array", "items": items, **more}


FIELD = _object(("name",), name=TEXT, type=TEXT, format=TEXT, constraints={"type": "object"}, categories=_list({}))
REFERENCE = _object(("fields",), resource=TEXT, fields=NAMES)
FOREIGN_KEY = _object(("fields", "reference"), fields=NAMES, reference=REFERENCE)
MISSING_VALUE: Shape = {"anyOf": [TEXT, _object(("value",), value=TEXT)]}
RULE = _object(("through", "resource", "field"), through=TEXT, resource=TEXT, field=TEXT)
AGREES: Shape = {"type": "object", "additionalProperties": RULE}
FIGURE: Shape = {**_object(series=_list(TEXT), agrees=AGREES), "additionalProperties": TEXT}
SCHEMA: Shape = {
    **_object(fields=_list(FIELD), primaryKey=NAMES, uniqueKeys=_list(NAMES)),
    "patternProperties": {
        "^foreignKeys$": _list(FOREIGN_KEY),
        "^missingValues$": _list(MISSING_VALUE),
        "^lantern:figure$": FIGURE,
    },
}
DIALECT = _object(
    header={"type": "boolean"},
    headerRows=_list({"type": "integer"}),
    delimiter={"type": "string", "minLength": 1, "maxLength": 1},
    csv={"type": "object"},
    excel={"type": "object"},
)
RESOURCE = _object(
    name={"type": "string", "minLength": 1},
    path=NAMES,
    format=TEXT,
    encoding=TEXT,
    compression=TEXT,
    innerpath=TEXT,
    schema=OBJECT_OR_PATH,
    dialect=OBJECT_OR_PATH,
)
SUM = _object(
    ("name", "resource", "field", "parts", "total"),
    name=TEXT,
    resource=TEXT,
    field=TEXT,
    parts=_list(TEXT, minItems=1),
    total={"type": ["string", "number"]},
)
PACKAGE: Shape = {
    **_object(("resources",), resources=_list({"type": "object"}, minItems=1), licenses=_list({"type": "object"})),
    "patternProperties": {"^lantern:sums$": _list(SUM), "^contributors$": _list({"type": "object"})},
}


def misfits(part: Any, shape: Shape) -> Iterator[str]:
    """Where a part of a descriptor does not have a shape, in one line each."""
    for error in jsonschema.Draft7Validator(shape).iter_errors(part):
        place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.absolute_path)
        message = error.message if len(error.message) < 200 else f"{error.message[:200]}…"
        yield f"{place.lstrip('.')}: {message}" if place else message
