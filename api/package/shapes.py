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


ANYTHING: Shape = {}
TEXT: Shape = {"type": "string"}
FLAG: Shape = {"type": "boolean"}
OBJECT: Shape = {"type": "object"}
NAMES: Shape = {"anyOf": [TEXT, _list(TEXT)]}

RULE = ("through", "resource", "field")
AGREES: Shape = {"type": "object", "additionalProperties": _object(dict.fromkeys(RULE, TEXT), *RULE)}
REFERENCE = _object({"resource": TEXT, "fields": NAMES}, "fields")
VALUE: Shape = {"type": ["string", "number"]}
LABELLED = _list({"anyOf": [VALUE, {"type": "null"}, _object({"value": VALUE}, "value")]})
CATEGORY: Shape = {"anyOf": [VALUE, _object({"value": VALUE}, "value")]}
CONSTRAINTS = _object(
    {
        **dict.fromkeys(("required", "unique"), FLAG),
        **dict.fromkeys(("minLength", "maxLength"), {"type": "integer"}),
        **{"pattern": TEXT, "enum": _list({}), "jsonSchema": OBJECT},
        **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), ANYTHING),
    }
)
CODES = _object({"list": {"enum": [*codes.LISTS]}, "also": _list(TEXT)}, "list")
FIELD = {
    **dict.fromkeys(("name", "type", "format", "itemType", "groupChar", "decimalChar", "delimiter"), TEXT),
    **dict.fromkeys(("trueValues", "falseValues"), _list(TEXT)),
    **{"bareNumber": FLAG, "missingValues": LABELLED, "categories": _list(CATEGORY), "constraints": CONSTRAINTS},
    codes.PROPERTY: CODES,
}
SCHEMA = _object(
    {
        "fields": _list(_object(FIELD, "name")),
        "primaryKey": NAMES,
        "uniqueKeys": _list(NAMES),
        "foreignKeys": _list(_object({"fields": NAMES, "reference": REFERENCE}, "fields", "reference")),
        "missingValues": LABELLED,
        "fieldsMatch": ANYTHING,
        "lantern:figure": {**_object({"series": _list(TEXT), "agrees": AGREES}), "additionalProperties": TEXT},
    }
)
DIALECT = _object({"csv": OBJECT, "excel": OBJECT})  # tables.dialects judges the rest
RESOURCE = _object(
    {
        "name": {"type": "string", "minLength": 1},
        "path": NAMES,
        **dict.fromkeys(("data", "bytes", "hash"), ANYTHING),
        **dict.fromkeys(("format", "encoding", "compression", "innerpath"), TEXT),
        **dict.fromkeys(("schema", "dialect"), {"type": ["object", "string"]}),
        "lantern:indexes": _list(_list(TEXT, minItems=1)),
    }
)
TOTAL: Shape = {"type": ["string", "number"]}
SUM = {"name": TEXT, "resource": TEXT, "field": TEXT, "parts": _list(TEXT, minItems=1), "total": TOTAL}
PACKAGE = _object(
    {
        "resources": _list({}, minItems=1),
        "lantern:sums": _list(_object(SUM, *SUM)),
    },
    "resources",
)


def said(part: Any, shape: Shape) -> Any:
    """A part of a descriptor without the members of its shape that are null, as many programs write what they do not
    say.
    """
    if isinstance(part, list):
        return [said(item, shape.get("items", ANYTHING)) for item in part]
    if not isinstance(part, Mapping):
        return part
    named = shape.get("properties", ANYTHING)
    kept = {name: value for name, value in part.items() if value is not None or name not in named}
    return {name: said(value, named[name]) if name in named else value for name, value in kept.items()}


def misfits(part: Any, shape: Shape) -> Iterator[str]:
    """Where a part of a descriptor does not have a shape, in one line each."""
    for error in jsonschema.Draft7Validator(shape).iter_errors(part):
        place, inner = "", part
        for step in error.absolute_path:
            inner = inner[step]
            place += f"[{_named(inner, step)}]" if isinstance(step, int) else f".{step}"
        message = error.message if len(error.message) < 200 else f"{error.message[:200]}…"
        yield f"{place.lstrip('.')}: {message}" if place else message


def _named(part: Any, position: int) -> str:
    """What a part of a list is told by: its name, or its place."""
    name = part.get("name") if isinstance(part, Mapping) else None
    return f'"{name}"' if isinstance(name, str) else str(position)
