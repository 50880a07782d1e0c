"""Reads the tables of an opened package cell by cell, as text; never cast."""

import csv
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import frictionless
from frictionless import system

from api.model import descriptor
from api.model.descriptor import Field, Package, Table
from api.model.findings import Finding
from api.package import upgrade

JSON = Any
REMEMBERED = 10_000  # texts of each column
REMEMBERING = ("boolean", "date", "datetime", "duration", "integer", "number", "string", "time", "year", "yearmonth")
BY_NAME = ("equal", "subset", "superset", "partial")
COUNTED = ("rows", "fields")
FED_TO_FRICTIONLESS = ("name", "data", *COUNTED)
KEYS = ("primaryKey", "foreignKeys")
FED_OF_SCHEMAS = ("missingValues", "fieldsMatch", *KEYS)
FED_OF_FIELDS = (
    *("name", "type", "format", "constraints", "missingValues", "trueValues", "falseValues"),
    *("bareNumber", "groupChar", "decimalChar", "floatNumber", "delimiter", "itemType"),
)


@dataclass(frozen=True)
class Part:
    """One file of a table that is in several: its first line in the whole, and how many of its lines were left out."""

    path: str
    first_line: int
    skipped: int


@dataclass(frozen=True)
class Ready:
    """A table's data as one unpacked file with a harmless name, and the parts it was joined from.

    `empty`: JSON that has no rows, so that nothing names its columns.
    """

    path: Path
    parts: tuple[Part, ...] = ()
    empty: bool = False


@dataclass(frozen=True)
class Source:
    """An opened package.

    `names` are those of all resources, also of those that cannot be read (`findings` says why); `declared` are all
    files that the descriptor names; `ready` holds the data of each table that is in files.
    """

    package: Package
    folder: Path
    descriptor_path: Path
    names: tuple[str, ...] = ()
    declared: tuple[str, ...] = ()
    ready: Mapping[str, Ready] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    def file(self, table: Table) -> str:
        """The file of a table: its first one, or the descriptor."""
        return (paths(table.descriptor) or (self.descriptor_path.name,))[0]

    def empty(self, table: Table) -> bool:
        """Whether frictionless has nothing to read: it needs a first row."""
        return table.descriptor.get("data") == [] or (table.name in self.ready and self.ready[table.name].empty)

    def place(self, table: Table, line: int) -> tuple[str, int]:
        """The file and the line in it, of a line of the table."""
        parts = reversed(self.ready[table.name].parts)
        part = next((part for part in parts if part.first_line <= line), None)
        return (part.path, line - part.first_line + 1 + part.skipped) if part else (self.file(table), line)


def paths(resource: Mapping[str, JSON]) -> tuple[str, ...]:
    """The files of a resource, relative to the package; none where its data is in the descriptor."""
    path = resource.get("path") or []
    return tuple(path) if isinstance(path, list) else (str(path),)


def encoding(resource: Mapping[str, JSON]) -> str:
    return str(resource.get("encoding") or "utf-8")


# How frictionless reads: most columns repeat their values, so that its fields are made to remember texts


def _remembering(plain: type[Any]) -> type[Any]:
    """A field that reads each text once; cells with errors are read again, since the caller changes their notes."""

    def create_cell_reader(self: Any) -> Callable[[Any], Any]:
        read = plain.create_cell_reader(self)
        results: dict[str, Any] = {}

        def reader(cell: Any) -> Any:
            if type(cell) is not str:
                return read(cell)
            result = results.get(cell)
            if result is None:
                result = read(cell)
                if not result[1] and len(results) < REMEMBERED:
                    results[cell] = result
            return result

        return reader

    return type(plain.__name__, (plain,), {"create_cell_reader": create_cell_reader})


class _Fields(frictionless.Plugin):
    """Frictionless's own way to choose the classes of fields."""

    remembering = {name: _remembering(system.select_field_class(name)) for name in REMEMBERING}

    def select_field_class(self, type: str | None = None) -> type[Any] | None:
        return self.remembering.get(type or "")


system.register("lantern", _Fields())


# What frictionless is given


def table_resource(source: Source, resource: Mapping[str, JSON], *others: Mapping[str, JSON]) -> Any:
    """A table as frictionless reads it, beside the tables it refers to; nothing is left for frictionless to guess."""
    entries = [_fed(source, entry) for entry in (resource, *others)]
    package = frictionless.Package.from_descriptor({"$schema": upgrade.PACKAGE, "resources": entries})
    for entry in package.resources:
        if entry.name in source.ready:
            entry.basepath = str(source.ready[str(entry.name)].path.parent)
    return package.get_table_resource(str(resource["name"]))


def _fed(source: Source, resource: Mapping[str, JSON]) -> dict[str, JSON]:
    name = str(resource["name"])
    format = upgrade.format_of(resource)
    dialect = upgrade.for_frictionless(resource.get("dialect") or {}, format)
    fed = {key: resource[key] for key in FED_TO_FRICTIONLESS if key in resource}
    fed |= {"type": "table", "format": format, "dialect": dialect}
    if name in source.ready and source.ready[name].empty:
        fed |= {"data": [], "format": "inline"}
    elif name in source.ready:
        fed |= {"path": source.ready[name].path.name, "scheme": "file", "encoding": encoding(resource)}
    if descriptor.is_table(resource):
        schema = resource["schema"]  # its texts for people are checked elsewhere
        fields = [{key: field[key] for key in FED_OF_FIELDS if key in field} for field in schema["fields"]]
        fed["schema"] = {**{key: schema[key] for key in FED_OF_SCHEMAS if key in schema}, "fields": fields}
    return fed


def bare(table: Table) -> dict[str, JSON]:
    """A table to be read and not checked: no keys, no counts."""
    uncounted = {key: value for key, value in table.descriptor.items() if key not in COUNTED}
    return {**uncounted, "schema": {key: value for key, value in table.schema.items() if key not in KEYS}}


# Rows


def cells(source: Source, table: Table) -> Iterator[tuple[int, list[str]]]:
    """Each row's number and cells as text, in the order of the schema's fields."""
    if source.empty(table):
        return
    writers = [_writer(field) for field in table.fields]
    with table_resource(source, bare(table)) as opened:
        places: list[int | None] = list(range(len(table.fields)))
        if table.schema.get("fieldsMatch") in BY_NAME:
            labels = list(opened.labels)
            places = [labels.index(field.name) if field.name in labels else None for field in table.fields]
        writing = list(zip(writers, places, strict=True))
        for number, row in opened.dialect.read_enumerated_content_stream(opened.cell_stream):
            width = len(row)
            yield number, [write(None if place is None or place >= width else row[place]) for write, place in writing]


def rows(source: Source, table: Table) -> Iterator[tuple[int, dict[str, str | None]]]:
    """Each row's number, and its cells as text by field name with missing values as None."""
    names = [(field.name, frozenset(field.missing)) for field in table.fields]
    for number, row in cells(source, table):
        pairs = zip(names, row, strict=True)
        yield number, {name: None if text in missing else text for (name, missing), text in pairs}


def _writer(field: Field) -> Callable[[Any], str]:
    """How a cell becomes text that api.model.types can read: text stays as it is."""
    empty = "" if "" in field.missing else next(iter(field.missing), "")
    true, false = (field.descriptor.get(key) for key in ("trueValues", "falseValues"))
    words = {True: (true or ["true"])[0], False: (false or ["false"])[0]}
    point = str(field.descriptor.get("decimalChar") or ".")

    def write(cell: Any) -> str:
        if isinstance(cell, str):
            return cell
        if cell is None:
            return empty
        if isinstance(cell, bool):
            return str(words[cell])
        if isinstance(cell, int | float | Decimal):
            return _digits(cell).replace(".", point)
        if field.type == "geopoint" and field.format == "default" and isinstance(cell, list):
            return ",".join(_digits(number) for number in cell)
        if field.type == "list" and isinstance(cell, list):
            return str(field.descriptor.get("delimiter") or ",").join(map(write, cell))
        return _json(cell)

    return write


def _json(value: Any) -> str:
    """A list or object as JSON, decimals with all their digits."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(str(k), ensure_ascii=False)}: {_json(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_json, value)) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)


def _digits(number: Any) -> str:
    """Plain digits, without exponent; a whole number gets no fraction."""
    if isinstance(number, float) and number.is_integer():
        return str(int(number))
    return f"{Decimal(repr(number)):f}" if isinstance(number, float) else str(number)


# Files


def lines(source: Source, table: Table) -> Iterator[int]:
    """The line at which each row of a text table begins, the header's first: a cell may hold line ends."""
    dialect = table.descriptor.get("dialect") or {}
    options = {key.lower(): dialect[key] for key in upgrade.CSV_PROPERTIES if dialect.get(key) is not None}
    path = source.ready[table.name].path
    with path.open(encoding=encoding(table.descriptor), errors="replace", newline="") as stream:
        reader = csv.reader(stream, **options)  # named as the standard does, in lower case
        begins = 1
        for _ in reader:
            yield begins
            begins = reader.line_num + 1


def digest(source: Source, table: Table) -> str:
    """A checksum of a table's files; data in the descriptor counts as JSON."""
    total = hashlib.sha256()
    for path in paths(table.descriptor):
        with (source.folder / path).open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    if "data" in table.descriptor:
        total.update(json.dumps(table.descriptor["data"], sort_keys=True).encode())
    return total.hexdigest()
