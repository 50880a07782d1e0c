"""Parameters: from the marshmallow fields that load a query string to OpenAPI."""

import re
from collections.abc import Mapping
from itertools import chain, count
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import fields

from api.model import types
from api.model.descriptor import Table
from api.openapi import rows
from api.openapi.responses import Entry
from api.query import parameters
from api.query.fields import Separated, Value

# What changes the form of a response, not what it holds. With these a typed client would have two types for each
# response, so they are described in words (shared.yaml).
IN_WORDS = ("shape", "excel")
SEVERAL: Entry = {"style": "form", "explode": False}
CONVERTER = OpenAPIConverter("3.0.3", lambda _: None, APISpec("", "", "3.0.3"))


def ref(name: str) -> Entry:
    """A reference to a component schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def reference(spec: APISpec, owner: tuple[str, str], entry: Entry, shared: bool) -> str:
    """The name of the component parameter with that content, which is added where it is new.

    What is the same for every table (`shared`) has its own name; the rest is prefixed with its table's name, and with
    its view's where two views of a table differ. `owner` are these two.
    """
    slug, view = owner
    clean = re.sub(r"[^A-Za-z0-9._-]", "_", entry["name"])
    names = [*([clean] if shared else []), f"{slug}.{clean}", f"{slug}.{view}.{clean}"]
    known = spec.components.parameters
    more = (f"{slug}.{clean}-{number}" for number in count(2))
    name = next(name for name in chain(names, more) if known.get(name, entry) == entry)
    if name not in known:
        spec.components.parameter(name, "query", entry)
    return name


def filters(table: Table) -> list[Entry]:
    """Every filter of a table, in the order of its fields."""
    return [_filter(name, field) for name, field in parameters.filters(table).items()]


def _filter(name: str, value: Value) -> Entry:
    field, words = value.field, f"{value.field.title or value.field.name} {value.operator.words}."
    if value.operator.name != "eq":
        return {"name": name, "in": "query", "description": words, **_shape(value)}
    words = f"{words} {field.description}".strip()
    if enum := field.constraints.get("enum"):
        words += f" Values: {', '.join(map(str, enum))}."
    more = {f"x-{k.removeprefix('x-')}": v for k, v in rows.constraints(field).items() if k != "x-unique"}
    return {"name": name, "in": "query", "description": words, **_shape(value), **more}


def _shape(field: Value) -> Entry:
    """How a filter's value is written. A value outside an enum or range is not an error: no row has it."""
    written = field.operator.written or field.kind.written
    if field.kind.type in types.JSON_TYPES and not field.operator.written:
        return {"content": {"application/json": {"schema": ref(written)}}}
    if field.operator.many or field.kind.type == "list" and not field.operator.written:
        return {"schema": {"type": "array", "items": ref(written), "minItems": 1}, **SEVERAL}
    return {"schema": ref(written)}


def control(declared: Mapping[str, fields.Field[Any]], required: tuple[str, ...] = ()) -> list[Entry]:
    """The parameters beside the filters, without lists of names that can have no entry."""
    return [
        _control(name, field, field.required or name in required)
        for name, field in declared.items()
        if name not in IN_WORDS and (not isinstance(field, Separated) or field.known != ())
    ]


def _control(name: str, field: fields.Field[Any], required: bool) -> Entry:
    schema = CONVERTER.field2property(field)
    entry: Entry = {"name": name, "in": "query", "description": schema.pop("description", ""), "required": required}
    if isinstance(field, Separated) and field.known is not None:
        names = [*field.known, *(f"-{name}" for name in field.known if field.signed)]
        schema = {"type": "array", "items": {"type": "string", "enum": names}, "minItems": 1, "uniqueItems": True}
        entry |= SEVERAL | ({"example": names[:1]} if required else {})
    elif isinstance(field, Separated) or schema.get("type") == "string" and "format" not in schema:
        schema |= types.PLAIN
    return entry | {"schema": schema}
