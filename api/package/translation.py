"""Turns the errors that frictionless reports into findings."""

import re
from collections.abc import Mapping
from typing import Any

from api.model import types
from api.model.descriptor import Field, Table
from api.model.findings import Finding
from api.package.checks.base import CheckError, key, text

# By frictionless' type of an error: the message; of constraints also our type, and what was expected.
OF_TABLES: Mapping[str, str] = {
    "row-count": "the row count differs from the descriptor",
    "field-count": "the field count differs from the descriptor",
}
OF_HEADERS: Mapping[str, str] = {
    "blank-header": "the header is empty",
    "blank-label": "a column has no name",
    "extra-label": "the column is not a field of the schema",
    "missing-label": "the column is missing",
    "incorrect-label": "this is not the name of the field",
    "duplicate-label": "the name is listed twice in the header",
    "unmatched-header": "no column has the name of a field",
}
CONSTRAINTS: Mapping[str, tuple[str, str, str]] = {
    "required": ("required", "a value is missing", "a value"),
    "enum": ("enum", "{cell} is not allowed here", "one of {limit}"),
    "minimum": ("minimum", "{cell} is too small", "at least {limit}"),
    "maximum": ("maximum", "{cell} is too large", "at most {limit}"),
    "exclusiveMinimum": ("minimum", "{cell} is too small", "more than {limit}"),
    "exclusiveMaximum": ("maximum", "{cell} is too large", "less than {limit}"),
    "minLength": ("min-length", "{cell} is too short", "at least {limit} characters"),
    "maxLength": ("max-length", "{cell} is too long", "at most {limit} characters"),
    "pattern": ("pattern", "{cell} does not match the pattern", "text that matches {limit}"),
    "jsonSchema": ("json-schema", "{cell} does not fit its JSON Schema", "a value that fits"),
}
TYPES: Mapping[str, str] = {
    "string": "text",
    "geojson": "a GeoJSON object",
    "geopoint": "a point, longitude then latitude",
}
CONSTRAINT = re.compile(r'constraint "(\w+)" is "(.*)"', re.DOTALL)
COUNTS = re.compile(r'expected is "(.*)" and actual is "(.*)"')
LONGEST_SHOWN = 200


def of_descriptor(error: Any, file: str, resource: str | None) -> Finding:
    """The finding for an error in a descriptor."""
    return Finding("descriptor", error.note.replace('"resources.0.', '"'), file, resource)


def finding(error: Any, table: Table, file: str, row: Any = None) -> Finding | None:
    """The finding for an error of frictionless or of a check of ours; None where another finding reports the same."""
    if isinstance(error, CheckError):
        return error.finding
    place: dict[str, Any] = {"file": file, "resource": table.name}
    if row is not None:
        return _of_row(error, table, row, {**place, "row": row.row_number, "key": key(table, row)})
    if error.type in OF_TABLES:
        counts = COUNTS.match(error.note)
        expected, actual = counts.groups() if counts else (None, None)
        return Finding(error.type, OF_TABLES[error.type], **place, value=actual, expected=expected)
    if error.type in OF_HEADERS:
        label, name = getattr(error, "label", "") or None, getattr(error, "field_name", "") or None
        return Finding(error.type, OF_HEADERS[error.type], **place, row=1, field=name, value=label, expected=name)
    if error.type == "encoding-error":
        encoding = str(table.descriptor.get("encoding") or "utf-8")
        return Finding("encoding", f"the file is not in {encoding}", **place, expected=f"{encoding} throughout")
    return Finding("unreadable-table", f"the table cannot be read: {error.note}", **place)


def _of_row(error: Any, table: Table, row: Any, place: Mapping[str, Any]) -> Finding | None:
    """The finding for an error of a row; one of a single cell has its text as value."""
    name = getattr(error, "field_name", None)
    if name and name in row.field_names:
        place = {**place, "field": name, "value": text(row, name)}
    if error.type == "type-error":
        expected = _expected(table.field(str(name)), place["value"])
        return Finding("wrong-type", f"{_shown(place['value'])} is not {expected}", **place, expected=expected)
    if error.type == "constraint-error":
        return _of_constraint(error, place)
    if error.type == "unique-error":
        if table.primary_key == (name,):  # reported as a key
            return None
        message = f"{_shown(place['value'])} duplicates an earlier row"
        return Finding("unique", message, **place, expected="a value that no other row has")
    if error.type == "primary-key":
        return _of_key(error, table, place)
    if error.type == "foreign-key":
        return _of_reference(error, row, place)
    if error.type == "blank-row":
        return Finding("blank-row", "the row is empty", **place, expected="a row, or no line")
    if error.type == "extra-cell":
        return Finding("extra-cell", "the row has more cells than the header", **place, value=error.cell)
    if error.type == "missing-cell":
        return Finding("missing-cell", "the row ends before this field", **place, expected="a cell")
    return Finding(error.type, error.note, **place)


def _of_constraint(error: Any, place: Mapping[str, Any]) -> Finding:
    constraint, limit = CONSTRAINT.match(error.note).groups()  # type: ignore[union-attr]
    type, message, expected = CONSTRAINTS.get(constraint, (constraint, "{cell} is not allowed", "{limit}"))
    words = {"cell": _shown(place["value"]), "limit": _listed(limit)}
    return Finding(type, message.format(**words), **place, expected=expected.format(**words))


def _of_key(error: Any, table: Table, place: Mapping[str, Any]) -> Finding | None:
    if "None" in error.note:  # the key is empty: its fields are required, which is reported
        return None
    name = table.primary_key[0] if len(table.primary_key) == 1 else None
    message, expected = f'the key "{place["key"]}" duplicates an earlier row', "a key that no other row has"
    return Finding("duplicate-key", message, **place, field=name, value=place["key"], expected=expected)


def _of_reference(error: Any, row: Any, place: Mapping[str, Any]) -> Finding:
    value = ",".join(text(row, name) for name in error.field_names)
    where = f"{error.reference_name}.{','.join(error.reference_field_names)}"
    place = {**place, "field": error.field_names[0], "value": value, "expected": f"a value of {where}"}
    return Finding("foreign-key", f"{_shown(value)} does not exist in {where}", **place)


def _expected(field: Field, cell: str) -> str:
    """What the type requires, in the words of api.model.types."""
    expected = types.expectation(types.kind(field).read, cell)
    if expected is not None:
        return expected
    named = TYPES.get(field.type, f"a value of type {field.type}")
    return named if field.format == "default" else f"{named} ({field.format})"


def _shown(cell: str) -> str:
    return f'"{cell}"' if len(cell) <= LONGEST_SHOWN else f'"{cell[:LONGEST_SHOWN]}…"'


def _listed(limit: str) -> str:
    """An enum as frictionless prints it, without Python's brackets."""
    inner = re.fullmatch(r"\[(.*)\]", limit, re.DOTALL)
    return re.sub(r"'([^']*)'", r"\1", inner[1]) if inner else limit
