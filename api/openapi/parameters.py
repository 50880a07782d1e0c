"""Parameters: from the marshmallow fields that load a query string to OpenAPI."""

import re
from collections.abc import Mapping, Sequence
from itertools import chain, count
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import fields

from api.model import types
from api.model.descriptor import Table
from api.openapi import rows
from api.openapi.responses import Entry, ref
from api.query import parameters
from api.query.fields import Separated, Value

SEVERAL: Entry = {"style": "form", "explode": False}


def references(spec: APISpec, owner: tuple[str, str], declared: list[Entry], plain: Sequence[Entry] = ()) -> list[str]:
    """Names of component parameters with that content, added where they are new.

    What is the same for every table (it is in `plain`) has its own name; the rest is prefixed with its table's name,
    and with its view's where two views of a table differ.
    """
    return [_reference(spec, owner, entry, entry in plain) for entry in declared]


def _reference(spec: APISpec, owner: tuple[str, str], entry: Entry, shared: bool) -> str:
    clean = re.sub(r"[^A-Za-z0-9._-]", "_", entry["name"])
    slug, view = owner
    names = [clean] if shared else []
    names += [f"{slug}.{clean}", f"{slug}.{view}.{clean}"]
    for name in chain(names, (f"{slug}.{clean}-{number}" for number in count(2))):
        known = spec.components.parameters.get(name)
        if known is None:
            spec.components.parameter(name, "query", entry)
        if known is None or known == entry:
            return name
    raise AssertionError("names never end")


def filters(table: Table) -> list[Entry]:
    """Every filter of a table, in the order of its fields."""
    return [_filter(name, field) for name, field in parameters.filters(table).items()]


def _filter(name: str, field: Value) -> Entry:
    entry: Entry = {"name": name, "in": "query", "description": _words(field), **_shape(field)}
    if field.operator.name == "eq":
        constraints = rows.constraints(field.field)
        entry |= {f"x-{k.removeprefix('x-')}": v for k, v in constraints.items() if k != "x-unique"}
    return entry


def _words(field: Value) -> str:
    title = field.field.title or field.field.name
    words = f"{title} {field.operator.words}."
    if field.operator.name != "eq":
        return words
    words = f"{words} {field.field.description}".strip()
    enum = field.field.constraints.get("enum")
    return f"{words} Values: {', '.join(map(str, enum))}." if enum else words


def _shape(field: Value) -> Entry:
    """How a filter's value is written. A value outside an enum or range is not an error: no row has it."""
    written = field.operator.written or field.kind.written
    if field.kind.type in types.JSON_TYPES and not field.operator.written:
        return {"content": {"application/json": {"schema": ref(written)}}}
    if field.operator.many or field.kind.type == "list" and not field.operator.written:
        return {"schema": {"type": "array", "items": ref(written), "minItems": 1}, **SEVERAL}
    return {"schema": ref(written)}


def control(
    plugin: MarshmallowPlugin, declared: Mapping[str, fields.Field[Any]], required: tuple[str, ...] = ()
) -> list[Entry]:
    """The parameters beside the filters, without lists of names that can have no entry."""
    return [
        _control(plugin, name, field, field.required or name in required)
        for name, field in declared.items()
        if not isinstance(field, Separated) or field.known != ()
    ]


def _control(plugin: MarshmallowPlugin, name: str, field: fields.Field[Any], required: bool) -> Entry:
    assert plugin.converter is not None
    schema = plugin.converter.field2property(field)
    entry: Entry = {"name": name, "in": "query", "description": schema.pop("description", ""), "required": required}
    if isinstance(field, Separated) and field.known is not None:
        names = [*field.known, *(f"-{name}" for name in field.known if field.signed)]
        schema = {"type": "array", "items": {"type": "string", "enum": names}, "minItems": 1, "uniqueItems": True}
        entry |= SEVERAL | ({"example": names[:1]} if required else {})
    elif isinstance(field, Separated) or schema.get("type") == "string" and "format" not in schema:
        schema |= types.PLAIN
    return entry | {"schema": schema}
