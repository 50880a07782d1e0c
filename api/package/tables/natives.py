"""Values that a file keeps with their types (JSON, spreadsheets) as cells of text, and the schemas that they fit.

A value is written as text that its field's type reads. Where the field's type is not the value's own, as a number in a
field of text, that is told; where its type cannot read the text, the checks of all tables say so. Null is null: where
the schema has no text for it, the field gets one that no cell has. Source of what each type may hold natively:
https://datapackage.org/standard/table-schema/#field-types .
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Any

from api.model import descriptor, types, untyped
from api.model.descriptor import Field
from api.model.findings import Finding
from api.package.tables import cells, headers
from api.package.tables.base import BadTable, Given, Record, refuse_wide
from api.package.tables.lists import Row
from api.package.tables.parsing import Number

JSON = Any
Table = tuple[Record, Iterator[Row]]
# Texts for null where the empty text is a value, or the schema names none.
NULLS = ("", "null", "NULL", "NA", "N/A", "None", "nil", "(null)", "<null>", "[null]", "no value", "missing")
_NAMES: Mapping[type, str] = {
    **{type(None): "null", bool: "boolean", int: "integer", float: "number", Number: "number", str: "string"},
    **{datetime: "datetime", date: "date", time: "time", timedelta: "duration", list: "array"},
}
# By type of a field: the values that are its own.
_OWN: Mapping[str, frozenset[str]] = {
    "string": frozenset({"string"}),
    "integer": frozenset({"integer", "number"}),
    "number": frozenset({"integer", "number"}),
    "boolean": frozenset({"boolean"}),
    "year": frozenset({"integer", "number", "string"}),
    "yearmonth": frozenset({"string"}),
    "date": frozenset({"date", "string"}),
    "time": frozenset({"time", "string"}),
    "datetime": frozenset({"datetime", "date", "string"}),
    "duration": frozenset({"duration", "string"}),
    "object": frozenset({"object"}),
    "geojson": frozenset({"object"}),
    "array": frozenset({"array"}),
    "list": frozenset({"array", "string"}),
    "geopoint": frozenset({"array", "object", "string"}),
}
_GUESSED: Mapping[frozenset[str], str] = {
    **{frozenset({name}): name for name in ("integer", "number", "string", "boolean", "date", "datetime", "time")},
    frozenset({"duration"}): "duration",
    frozenset({"integer", "number"}): "number",
    frozenset({"date", "datetime"}): "datetime",
}


def name(value: JSON) -> str:
    """The type of a value."""
    return _NAMES.get(type(value), "object")


# Schemas


@dataclass
class _Seen:
    """What is known of a column's values: their types, whether one is null, which of NULLS are among them."""

    names: set[str] = field(default_factory=set)
    null: bool = False
    texts: set[str] = field(default_factory=set)

    def unused(self) -> str:
        return next(text for text in NULLS if text not in self.texts)


def described(given: Given, table: Callable[[Given], Table]) -> Given:
    """A table with a schema that keeps every value: guessed where there is none, else as little changed as possible."""
    header, rows = table(given)
    refuse_wide(header, given)  # before anything is kept for each column
    labels = [label or "" for label in header.cells]
    if not labels:
        raise ValueError("it has no columns")
    seen = [_Seen() for _ in labels]
    for row in rows:
        for value, column in zip(row.values, seen, strict=False):
            if value is None:
                column.null = True
            else:
                column.names.add(name(value))
                if type(value) is str and value in NULLS:
                    column.texts.add(value)
    schema = given.resource.get("schema") or {}
    if given.names is None:
        names = headers.named(labels, header, given)
        schema = {**schema, "fields": [_guessed(*pair) for pair in zip(names, seen, strict=True)]}
    else:
        known = dict(zip(labels, seen, strict=True))
        fields = descriptor.table(given.resource).fields
        schema = {**schema, "fields": [_completed(given, one, known.get(one.name, _Seen())) for one in fields]}
    return replace(given, resource={**given.resource, "schema": schema})


def _guessed(name: str, seen: _Seen) -> dict[str, JSON]:
    type = _GUESSED.get(frozenset(seen.names), "any")
    said = {untyped.PROPERTY: True} if type == "any" else {}
    return {"name": name, "type": type, **said, **({"missingValues": [seen.unused()]} if "" in seen.texts else {})}


def _completed(given: Given, field: Field, seen: _Seen) -> dict[str, JSON]:
    completed = dict(field.descriptor)
    if field.type == "any" and seen.names - {"string"}:
        completed[untyped.PROPERTY] = True
    if seen.null and not field.missing:
        text = completed["missingValues"] = [seen.unused()]
        message = f'the field has no missing values, but null is among its values: it is written as "{text[0]}"'
        given.warn(
            Finding("missing-values", message, given.file, given.name, field=field.name, value="null", level="warning")
        )
    return completed


# Cells


def records(given: Given, table: Callable[[Given], Table]) -> Iterator[Record]:
    """The header and the rows of a table as text. Raises BadTable for a value that cannot be written."""
    header, rows = table(given)
    yield header
    fields = {field.name: field for field in descriptor.table(given.resource).fields}
    names = given.names or ()
    if headers.unique([label or "" for label in header.cells]) == list(names):
        columns = [_Column(fields[one]) for one in names]
    else:
        columns = [_Column(fields.get(label or "", _ANY)) for label in header.cells]
    extra = _Column(_ANY)
    for row in rows:
        beyond = [extra] * (len(row.values) - len(columns))
        try:
            written = [column(value, row) for column, value in zip([*columns, *beyond], row.values, strict=False)]
        except cells.Unwritable as error:
            place = (row.file, given.name, row.number, error.field)
            raise BadTable(Finding("unreadable-table", str(error), *place, expected=error.expected)) from None
        yield Record(row.file, row.number, written)
    for column in columns:
        for finding in column.told(given):
            given.warn(finding)


_ANY = Field("", "any", "default", "", "", None, {}, {untyped.PROPERTY: True})


class _Column:
    """Writes the values of a field, and counts those that are not of its type."""

    def __init__(self, field: Field) -> None:
        self.field, self.own = field, _OWN.get(field.type)
        self.own_items = _OWN.get(str(field.descriptor.get("itemType") or "string")) if field.type == "list" else None
        self.write = cells.writer(field)
        self.missing = frozenset(field.missing)
        self.reads = partial(types.expectation, types.kind(field).read)
        self.counts: dict[tuple[str, str], list[Any]] = {}  # by type and what it becomes: how many, the first, its row

    def __call__(self, value: JSON, row: Row) -> str | None:
        if value is None:
            return None
        kind = name(value)
        if self.own_items is not None and value == []:
            self._count(kind, "null: no text stands for a list without items", "[]", row)
            return None
        text = self.write(value)
        null = text in self.missing
        if self._takes(kind, value) and not null or null and kind == "string":
            return text
        if null or self.reads(text) is None:
            words = "null, which the schema's missing values say" if null else f"a value of type {self.field.type}"
            self._count(kind, words, text, row)
        return text

    def _count(self, kind: str, becomes: str, text: str, row: Row) -> None:
        found = self.counts.setdefault((kind, becomes), [0, text, row])
        found[0] += 1

    def _takes(self, kind: str, value: JSON) -> bool:
        """Whether a value is of the field's type."""
        if self.own_items is not None and kind == "array":
            return all(name(item) in self.own_items for item in value)
        return self.own is None or kind in self.own

    def told(self, given: Given) -> Iterator[Finding]:
        expected = " or ".join(sorted(self.own or ())) or None
        for (kind, becomes), (count, text, row) in self.counts.items():
            more = f", and {count - 1} more of the column" if count > 1 else ""
            message = f"the {kind} {text} is read as {becomes}{more}"
            place = (row.file, given.name, row.number, self.field.name)
            yield Finding("retyped", message, *place, value=text, expected=expected, level="warning")
