"""Parameters: from the marshmallow fields that read a question to OpenAPI."""

import re
from collections.abc import Mapping, Sequence
from itertools import chain, count
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import fields

from api.model.descriptor import Field, Table
from api.openapi import rows
from api.query import parameters

Entry = dict[str, Any]
NO_NULL = r"^[^\x00]*$"
PLAIN: Entry = {"type": "string", "pattern": NO_NULL}

# How values of filters are written, by name: component schemas. Without examples: Swagger UI puts an example, also that
# of a schema, into every question.
WRITTEN: Mapping[str, Entry] = {
    "Text": {**PLAIN, "description": "Any text but the null character."},
    "Whole": {"type": "integer", "description": "A whole number of any size."},
    "Number": {"type": "number"},
    "Flag": {"type": "boolean", "description": "true or false."},
    "Year": {"type": "integer", "minimum": -999999999, "maximum": 999999999},
    "YearMonth": {"type": "string", "pattern": "^-?[0-9]{4}-(0[1-9]|1[0-2])$", "description": "Such as 2007-03."},
    "Day": {"type": "string", "format": "date"},
    "Clock": {
        "type": "string",
        "pattern": r"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?$",
        "description": "Such as 13:30:00.",
    },
    "Moment": {"type": "string", "format": "date-time"},
    "Duration": {
        "type": "string",
        "pattern": "^-?P(?=.)([0-9]+W)?([0-9]+Y)?([0-9]+M)?([0-9]+D)?(T(?=.)([0-9]+H)?([0-9]+M)?([0-9]+S)?)?$",
        "description": "An ISO 8601 duration, such as P1Y2M.",
    },
    "Point": {
        "type": "string",
        "pattern": r"^-?(180|(1[0-7][0-9]|[0-9]{1,2})(\.[0-9]+)?),-?(90|[0-8]?[0-9](\.[0-9]+)?)$",
        "description": "Longitude (-180 to 180), a comma, latitude (-90 to 90), such as -99.13,19.43.",
    },
}
BY_TYPE: Mapping[str, str] = {
    "integer": "Whole",
    "number": "Number",
    "boolean": "Flag",
    "year": "Year",
    "yearmonth": "YearMonth",
    "date": "Day",
    "time": "Clock",
    "datetime": "Moment",
    "duration": "Duration",
    "geopoint": "Point",
}
JSON_TEXT: Mapping[str, Entry] = {
    "object": {"type": "object"},
    "geojson": {"type": "object"},
    "array": {"type": "array", "items": {}},
}
PHRASES: Mapping[str, str] = {
    "ne": "differs from this (nulls are left out)",
    "lt": "is less than this",
    "lte": "is at most this",
    "gt": "is greater than this",
    "gte": "is at least this",
    "in": "is one of these, comma-separated; a comma inside a value is written %2C",
    "not_in": "is none of these (nulls are left out)",
    "contains": "contains this, capitals and small letters alike",
    "startswith": "begins with this, capitals and small letters alike",
    "isnull": "is null (true) or is not (false)",
}
SEVERAL: Entry = {"style": "form", "explode": False}


def references(spec: APISpec, owner: tuple[str, str], declared: list[Entry], plain: Sequence[Entry] = ()) -> list[str]:
    """Names of component parameters with that content, put in where they are new.

    What is the same for every table (it is in `plain`) has its own name; the rest has its table's before it, and its
    view's where two views of a table differ.
    """
    return [_reference(spec, owner, entry, entry in plain) for entry in declared]


def _reference(spec: APISpec, owner: tuple[str, str], entry: Entry, shared: bool) -> str:
    clean = re.sub(r"[^A-Za-z0-9._-]", "_", entry["name"])
    slug, view = owner
    names = [clean] if shared else []
    names += [f"{slug}.{clean}", f"{slug}.{view}.{clean}"]
    for name in chain(names, (f"{slug}.{clean}-{number}" for number in count(2))):
        found = spec.components.parameters.get(name)
        if found is None:
            spec.components.parameter(name, "query", entry)
        if found is None or found == entry:
            return name
    raise AssertionError("names never end")


def filters(table: Table) -> list[Entry]:
    """Every filter of a table, in the order of its fields."""
    return [_filter(name, value.field, value.operator) for name, value in parameters.filters(table).items()]


def _filter(name: str, field: Field, operator: str) -> Entry:
    entry: Entry = {"name": name, "in": "query", "description": _words(field, operator), **_shape(field, operator)}
    if operator == "eq":
        entry |= {f"x-{k.removeprefix('x-')}": v for k, v in rows.constraints(field).items() if k != "x-unique"}
    return entry


def _words(field: Field, operator: str) -> str:
    title = field.title or field.name
    if operator != "eq":
        return f"{title} {PHRASES[operator]}."
    said = f"{title} is this. {field.description}".strip()
    enum = field.constraints.get("enum")
    return f"{said} Values: {', '.join(map(str, enum))}." if enum else said


def _shape(field: Field, operator: str) -> Entry:
    """How a filter's value is written. Values outside an enum or range are no error: they find nothing."""
    if operator == "isnull":
        return {"schema": _ref("Flag")}
    if field.type in JSON_TEXT:
        return {"content": {"application/json": {"schema": JSON_TEXT[field.type]}}}
    if field.type == "list":
        item = BY_TYPE.get(str(field.descriptor.get("itemType") or "string"), "Text")
        return {"schema": {"type": "array", "items": _ref(item), "minItems": 1}, **SEVERAL}
    if operator in ("in", "not_in"):
        items = _ref(BY_TYPE.get(field.type, "Text"))
        return {"schema": {"type": "array", "items": items, "minItems": 1}, **SEVERAL}
    return {"schema": _ref(BY_TYPE.get(field.type, "Text"))}


def _ref(name: str) -> Entry:
    return {"$ref": f"#/components/schemas/{name}"}


def control(
    plugin: MarshmallowPlugin, declared: Mapping[str, fields.Field[Any]], required: tuple[str, ...] = ()
) -> list[Entry]:
    """The parameters beside the filters; a list that no name can stand in is left out."""
    return [
        _control(plugin, name, field, field.required or name in required)
        for name, field in declared.items()
        if getattr(field, "known", True)
    ]


def _control(plugin: MarshmallowPlugin, name: str, field: fields.Field[Any], required: bool) -> Entry:
    assert plugin.converter is not None
    schema = plugin.converter.field2property(field)
    entry: Entry = {"name": name, "in": "query", "description": schema.pop("description", ""), "required": required}
    known = getattr(field, "known", None)
    if known is not None:
        names = [*known, *(f"-{n}" for n in known)] if getattr(field, "signed", False) else list(known)
        schema = {"type": "array", "items": {"type": "string", "enum": names}, "minItems": 1, "uniqueItems": True}
        entry |= SEVERAL | ({"example": names[:1]} if required else {})
    elif schema.get("type") == "string" and "format" not in schema:
        schema["pattern"] = NO_NULL
    return entry | {"schema": schema}
