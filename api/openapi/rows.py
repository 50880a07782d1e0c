"""Table Schema → marshmallow: the rows that responses hold, for apispec to describe."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from marshmallow import EXCLUDE, Schema, fields

from api.model import types, untyped
from api.model.descriptor import Field, Table

ARRAY = {"type": "array", "items": {}}
POINT = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}

# Table Schema type: marshmallow field, further properties in OpenAPI
TYPES: Mapping[str, tuple[Callable[..., fields.Field[Any]], Mapping[str, Any]]] = {
    "string": (fields.String, {}),
    "any": (fields.String, {}),
    "integer": (fields.Integer, {}),
    "number": (fields.Float, {}),
    "boolean": (fields.Boolean, {}),
    "year": (fields.Integer, {}),
    "yearmonth": (fields.String, {"pattern": "^-?[0-9]{4,9}-[0-9]{2}$"}),
    "date": (fields.Date, {}),
    "time": (fields.String, {"pattern": r"^[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?$"}),
    "datetime": (fields.DateTime, {}),
    "duration": (fields.String, {"x-format": "ISO 8601 duration"}),
    "object": (fields.Dict, {}),
    "geojson": (fields.Dict, {"x-format": "GeoJSON"}),
    "array": (fields.Raw, ARRAY),
    "list": (fields.Raw, ARRAY),
    "geopoint": (fields.Raw, POINT),
}
NUMERIC = ("integer", "number", "year")
FORMATS = {"email": "email", "uri": "uri", "uuid": "uuid", "binary": "byte"}
# Table Schema's bounds, each with the one of OpenAPI 3.0, where "exclusive" is true or false.
BOUNDS = {
    **{"minimum": "minimum", "maximum": "maximum"},
    **{"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"},
}
SIZES = {"minLength": "minItems", "maxLength": "maxItems"}


def row(table: Table) -> Schema:
    """The schema of a table's rows, with the Table Schema's examples; clients must ignore keys they do not know."""
    declared = {f"p{i}": _declared(field) for i, field in enumerate(table.fields)}
    return Schema.from_dict(declared, name="Row")(unknown=EXCLUDE)


def _declared(field: Field) -> fields.Field[Any]:
    make, properties = TYPES.get(field.type, TYPES["any"])
    if untyped.keeps_types(field):
        make = fields.Raw
    words = {"title": field.title or None, "description": field.description or None, "example": example(field)}
    metadata = {**properties, **{name: value for name, value in words.items() if value is not None}}
    metadata |= constraints(field)
    if field.type == "string" and field.format in FORMATS:
        metadata["format"] = FORMATS[field.format]
    return make(data_key=field.name, allow_none=not field.required, metadata=metadata)


def example(field: Field) -> Any:
    """The schema's own example of the field, as JSON has it; None without one that can be read."""
    return None if field.example is None else as_json(field, field.example)


def as_json(field: Field, value: Any) -> Any:
    """A value of a descriptor (text in the field's format, or JSON already) as rows hold it; None if it is invalid."""
    kind = types.kind(field)
    if not isinstance(value, str):
        return value
    for read in (kind.read, kind.parse):
        try:
            return json.loads(kind.json(read(value)))
        except (ValueError, TypeError):
            continue
    return None


def constraints(field: Field) -> dict[str, Any]:
    """The constraints of a field in JSON Schema; those that it does not know begin with x-."""
    entry: dict[str, Any] = {}
    for name, value in field.constraints.items():
        if name == "enum":
            values = [as_json(field, one) for one in value]
            entry["enum"] = values if field.required else [*values, None]
        elif name == "pattern":
            entry |= _pattern(field, str(value))
        elif name in BOUNDS:
            bound, limit = BOUNDS[name], as_json(field, value)
            entry[bound if field.type in NUMERIC and isinstance(limit, int | float) else f"x-{bound}"] = limit
            entry |= {name: True} if name != bound else {}
        elif name in SIZES:
            entry[name if field.type in ("string", "any") else SIZES[name]] = value
        elif name == "unique" and value:
            entry["x-unique"] = True
    return entry


def _pattern(field: Field, pattern: str) -> dict[str, str]:
    """A pattern in JSON Schema, where it may match a part of the text; in Table Schema it matches the whole."""
    whole = pattern.startswith("^") and pattern.endswith("$") and "|" not in pattern
    try:
        re.compile(pattern)
        subtracts = "-[" in pattern  # XML Schema's [a-z-[aeiou]], which is something else elsewhere
        name = "pattern" if field.type == "string" and not subtracts else "x-pattern"
    except re.error:
        name = "x-pattern"
    return {name: pattern if whole else f"^(?:{pattern})$"}
