"""The shapes of a descriptor's parts that the rest of the program relies on, as JSON Schema.

No more than that: frictionless checks the other requirements of the standard.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema  # type: ignore[import-untyped]

from api.package.checks import codes

Shape = Mapping[str, Any]


def _object(properties: Mapping[str, Shape], *required: str) -> Shape:
    return {"type": "object", "required": list(required), "properties": properties}


def _list(items: Shape, **more: int) -> Shape:
    return {"type": "array", "items": items, **more}


TEXT: Shape = {"type": "string"}
OBJECT: Shape = {"type": "object"}
NAMES: Shape = {"anyOf": [TEXT, _list(TEXT)]}

RULE = ("through", "resource", "field")
AGREES: Shape = {"type": "object", "additionalProperties": _object(dict.fromkeys(RULE, TEXT), *RULE)}
REFERENCE = _object({"resource": TEXT, "fields": NAMES}, "fields")
CODES = _object({"list": {"enum": [*codes.LISTS]}, "also": _list(TEXT)}, "list")
FIELD = {
    "name": TEXT,
    "type": TEXT,
    "format": TEXT,
    "constraints": OBJECT,
    "categories": _list({}),
    codes.PROPERTY: CODES,
}
SCHEMA = _object(
    {
        "fields": _list(_object(FIELD, "name")),
        "primaryKey": NAMES,
        "uniqueKeys": _list(NAMES),
        "foreignKeys": _list(_object({"fields": NAMES, "reference": REFERENCE}, "fields", "reference")),
        "missingValues": _list({"anyOf": [TEXT, _object({"value": TEXT}, "value")]}),
        "lantern:figure": {**_object({"series": _list(TEXT), "agrees": AGREES}), "additionalProperties": TEXT},
    }
)
DIALECT = _object({"csv": OBJECT, "excel": OBJECT})  # tables.dialects judges the rest
RESOURCE = _object(
    {
        "name": {"type": "string", "minLength": 1},
        "path": NAMES,
        **dict.fromkeys(("format", "encoding", "compression", "innerpath"), TEXT),
        **dict.fromkeys(("schema", "dialect"), {"type": ["object", "string"]}),
        "lantern:indexes": _list(_list(TEXT, minItems=1)),
    }
)
TOTAL: Shape = {"type": ["string", "number"]}
SUM = {"name": TEXT, "resource": TEXT, "field": TEXT, "parts": _list(TEXT, minItems=1), "total": TOTAL}
PACKAGE = _object(
    {
        "resources": _list(OBJECT, minItems=1),
        "licenses": _list(OBJECT),
        "lantern:sums": _list(_object(SUM, *SUM)),
        "contributors": _list(OBJECT),
    },
    "resources",
)


def misfits(part: Any, shape: Shape) -> Iterator[str]:
    """Where a part of a descriptor does not have a shape, in one line each."""
    for error in jsonschema.Draft7Validator(shape).iter_errors(part):
        place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.absolute_path)
        message = error.message if len(error.message) < 200 else f"{error.message[:200]}…"
        yield f"{place.lstrip('.')}: {message}" if place else message
