"""Turns the errors that frictionless reports into findings."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from api.model.descriptor import Table
from api.model.findings import Finding, Level
from api.package.checks.base import key, shown, text
from api.package.tables.base import mended

COUNTED = ("row-count", "field-count")
# By frictionless' type of an error: the message; of rows also what was expected.
OF_HEADERS: Mapping[str, str] = {
    "blank-header": "the header is empty",
    "blank-label": "a column has no name",
    "extra-label": 'the column "{label}" is not in the schema',
    "missing-label": 'the column "{name}" is missing in the header',
    "incorrect-label": 'the header has "{label}" in place of "{name}"',
    "duplicate-label": "the name is listed twice in the header",
    "unmatched-header": "no column has the name of a field",
}
COUNTS = re.compile(r'expected is "(.*)" and actual is "(.*)"')


def of_descriptor(error: Any, file: str, resource: str | None, level: Level = "error") -> Finding:
    """The finding for an error in a descriptor."""
    return Finding("descriptor", error.note.replace('"resources.0.', '"'), file, resource, level=level)


def findings(error: Any, table: Table, file: str, row: Any = None) -> Iterator[Finding | None]:
    """What is said of an error that frictionless reports."""
    if error.type == "blank-row":
        yield from _of_blank_row(table, row, {"file": file, "resource": table.name, "row": row.row_number})
    else:
        yield finding(error, table, file, row)


def _of_blank_row(table: Table, row: Any, place: dict[str, Any]) -> Iterator[Finding]:
    """A row of nulls is a row; frictionless puts this one error in place of all others."""
    required = [field for field in table.fields if field.required or field.name in table.primary_key]
    if len(row.field_names) > 1:
        message, expected = f"all cells of the row are empty{mended(table.descriptor)}", "a row with a value"
        yield Finding("blank-row", message, **place, expected=expected, level="error" if required else "warning")
        return
    for field in required:
        said = {**place, "field": field.name, "value": text(row, field.name), "expected": "a value"}
        yield Finding("required", "a value is missing", **said)


def finding(error: Any, table: Table, file: str, row: Any = None) -> Finding | None:
    """The finding for an error that frictionless reports; None where another finding reports the same."""
    place: dict[str, Any] = {"file": file, "resource": table.name}
    if row is not None:
        return _of_row(error, table, row, {**place, "row": row.row_number, "key": key(table, row)})
    if error.type in COUNTED:
        counts = COUNTS.match(error.note)
        expected, actual = counts.groups() if counts else (None, None)
        message = f"the {error.type.replace('-', ' ')} differs from the descriptor"
        return Finding(error.type, message, **place, value=actual, expected=expected)
    if error.type in OF_HEADERS:
        label, name = getattr(error, "label", "") or None, getattr(error, "field_name", "") or None
        message = OF_HEADERS[error.type].format(label=label, name=name)
        return Finding(error.type, message, **place, row=1, field=name, value=label, expected=name)
    return Finding("unreadable-table", f"the table cannot be read: {error.note}", **place)


def _of_row(error: Any, table: Table, row: Any, place: dict[str, Any]) -> Finding | None:
    """The finding for an error of a row; one of a single cell has its text as value."""
    name, cell = getattr(error, "field_name", None), ""
    if name and name in row.field_names:
        place |= {"field": name, "value": text(row, name)}
        cell = shown(place["value"])
    if error.type == "type-error":
        return Finding("wrong-type", f"{cell} is not {error.note}", **place, expected=error.note)
    if error.type == "unique-error":
        if table.primary_key == (name,):  # reported as a key
            return None
        return Finding("unique", f"{cell} duplicates an earlier row", **place, expected="a value that no other row has")
    if error.type == "primary-key":
        if "None" in error.note:  # the key is empty: its fields are required, which is reported
            return None
        place |= {"field": table.primary_key[0] if len(table.primary_key) == 1 else None, "value": place["key"]}
        message = f'the key "{place["key"]}" duplicates an earlier row'
        return Finding("duplicate-key", message, **place, expected="a key that no other row has")
    if error.type == "foreign-key":
        if any(row[name] is None for name in error.field_names):  # as in SQL, a key with a null refers to nothing
            return None
        value = ",".join(text(row, name) for name in error.field_names)
        where = f"{error.reference_name}.{','.join(error.reference_field_names)}"
        place |= {"field": error.field_names[0], "value": value, "expected": f"a value of {where}"}
        return Finding("foreign-key", f"{shown(value)} does not exist in {where}", **place, other=error.reference_name)
    return Finding(error.type, error.note, **place)
