"""Parameters: from the marshmallow fields that load a query string to OpenAPI.

The document names equality alone, field by field; every other operator goes through `where`, which tells them all: with
a parameter for each neither Swagger UI nor the generators of clients can use it.
"""

import re
from collections.abc import Container, Mapping
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import fields

from api.model import types
from api.model.descriptor import Field, Table
from api.openapi import rows
from api.openapi.names import Draft, plain
from api.openapi.responses import Entry
from api.query import foreign, parameters
from api.query.fields import OPERATORS, Moment, Names, Repeated, Separated, Value, choices
from api.query.measures import COUNT, FUNCTIONS, Measures

# What changes the form of a response, not what it holds. With these a typed client would have two types for each
# response, so they are described in words (shared.yaml).
IN_WORDS = ("shape", "excel")
SEVERAL: Entry = {"style": "form", "explode": True}
FIELDS_NAMED = 40  # the fields of a wider table are not parameters: `where` has them too
NAMES_MATCHED = 10  # a longer list of names is in no pattern: those of wide tables made a third of the document
CONVERTER = OpenAPIConverter("3.0.3", lambda _: None, APISpec("", "", "3.0.3"))
MOMENT: Entry = {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:.]+(Z|[+-][0-9]{2}:[0-9]{2})?)?$"}
# What changes the type of a field. Where rows have types it is left out, so that a client that checks them meets no
# other; the server reads it there too.
RETYPING = ("expand",)


def ref(name: str) -> Entry:
    """A reference to a component schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def reference(draft: Draft, slug: str, entry: Entry) -> str:
    """The name of the component parameter with that content, which is added where it is new."""
    name = plain(entry["name"], "field")
    return draft.component("parameter", [name, f"{slug or 'any'}.{name}"], entry)


def filters(draft: Draft, table: Table, controls: Container[str]) -> list[Entry]:
    """The equality of every field with one value, in the order of fields, beside parameters with these names."""
    named: dict[str, Entry] = {}
    for name, value in parameters.filters(table).items():
        if value.operator.name == "eq" and name not in controls and value.field.type not in types.STRUCTURED:
            named.setdefault(value.field.name, _filter(draft, table, name, value))
    return [*named.values()] if len(named) <= FIELDS_NAMED else []


def _filter(draft: Draft, table: Table, name: str, value: Value) -> Entry:
    field = value.field
    words = f"{field.title or field.name}. {field.description}".strip()
    schema = ref(_choice(draft, table, field) if choices(field) is not None else value.kind.written)
    return {"name": name, "in": "query", "description": words, "schema": schema}


def _choice(draft: Draft, table: Table, field: Field) -> str:
    """The component with the values of a field's `enum`: others are refused."""
    values = [rows.as_json(field, one) for one in field.constraints["enum"]]
    name = plain(field.name, "field")
    schema = {"type": types.WRITTEN[types.kind(field).written]["type"], "enum": values}
    return draft.component("schema", [name, f"{draft.slugs[table.name]}_{name}"], schema)


def control(
    draft: Draft, table: Table | None, declared: Mapping[str, fields.Field[Any]], required: tuple[str, ...] = ()
) -> list[Entry]:
    """The parameters beside the filters, without lists of names that can have no entry; of no table: of any."""
    return [
        _control(draft, table, name, field, field.required or name in required)
        for name, field in declared.items()
        if name not in IN_WORDS and not (table and isinstance(field, Separated) and field.known == ())
    ]


def _control(draft: Draft, table: Table | None, name: str, field: fields.Field[Any], required: bool) -> Entry:
    schema = CONVERTER.field2property(field)
    words = schema.pop("description", "") + (_operators() if name == parameters.WHERE else "")
    entry: Entry = {"name": name, "in": "query", "description": words, **({"required": True} if required else {})}
    if isinstance(field, Separated | Repeated) or schema.get("type") == "array":
        known = _known(draft, table, field)
        schema = {"type": "array", "items": _item(field, known), "minItems": 1}
        entry |= SEVERAL
        for of in draft.package.tables[:1] if required else ():  # what is the same for all: of the first
            of = table or of
            names = known or [one.name for one in of.fields if one.type not in types.STRUCTURED]
            entry |= {"example": [_telling(of, names)]} if names else {}
    elif isinstance(field, Moment):
        schema = MOMENT
    elif schema.get("type") == "string" and "format" not in schema:
        schema |= types.PLAIN
    return entry | {"schema": schema}


def _known(draft: Draft, table: Table | None, field: fields.Field[Any]) -> list[str]:
    """The names that a list may hold; none where they are not known."""
    if not isinstance(field, Names) or isinstance(field, Measures) or not table:
        return []
    far = foreign.names(draft.package, table) if field.foreign else []
    return [*(field.known or ()), *far]


def _item(field: fields.Field[Any], known: list[str]) -> Entry:
    """An entry of a list. Names are a pattern, no enum: typed clients make constants of an enum, and have no name for
    that of `-year`, or one for those of `a b` and `a_b`.
    """
    if isinstance(field, Repeated):
        return {"type": "string", "pattern": "^[^=\\x00]+=[^\\x00]*$"}
    if isinstance(field, Measures):
        of_fields = "|".join(name for name in FUNCTIONS if name != COUNT.name)
        return {"type": "string", "pattern": f"^({COUNT.name}|({of_fields}):[^\\x00]+)$"}
    if not 0 < len(known) <= NAMES_MATCHED:
        return {**types.PLAIN, "minLength": 1}
    sign = "-?" if isinstance(field, Separated) and field.signed else ""
    names = "|".join(re.sub(r"([\\^$.|?*+()\[\]{}/])", r"\\\1", name) for name in known)
    return {"type": "string", "pattern": f"^{sign}({names})$"}


def _telling(table: Table, known: list[str]) -> str:
    """A name to begin with: a field of few values, if there is one."""
    return next((f.name for f in table.fields if f.name in known and choices(f) is not None), known[0])


def _operators() -> str:
    """All operators, as the description of `where` ends."""
    lines = [f"- `{one.name}`: the field {one.words}; {_of(one.types)}" for one in OPERATORS.values()]
    examples = "Such as `price__gte=10` or `name__contains=steel`."
    return f" {examples} The operators, with the types of fields that have them:\n\n" + "\n".join(lines)


def _of(kinds: frozenset[str]) -> str:
    """Types of fields, in few words."""
    others = [kind for kind in types.TYPES if kind not in kinds]
    if not others:
        return "any type"
    listed = [kind for kind in types.TYPES if kind in kinds]
    return f"any but {', '.join(others)}" if len(others) < len(listed) else ", ".join(listed)
