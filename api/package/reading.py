"""Reads the tables of an opened package cell by cell, as text; never cast."""

import csv
import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import frictionless
from frictionless import system
from frictionless.formats.csv.parser import CsvParser

from api.model import descriptor
from api.model.descriptor import Package, Table, edits
from api.model.files import HISTORY
from api.model.findings import Edit, Finding
from api.package import fields, tables, upgrade
from api.package.locating import Place
from api.package.upgrade import paths

JSON = Any
BY_NAME = ("equal", "subset", "superset", "partial")
COUNTED = ("rows", "fields")
PLAIN: Mapping[str, JSON] = {
    **{"type": "table", "scheme": "file", "format": "csv", "encoding": "utf-8"},
    "dialect": {"headerRows": [1], "csv": {"delimiter": ",", "quoteChar": '"', "skipInitialSpace": False}},
}
KEYS = ("primaryKey", "foreignKeys")
FED_OF_SCHEMAS = ("fieldsMatch", *KEYS)


@dataclass(frozen=True)
class Source:
    """An opened package.

    `names` are those of all resources, also of those that cannot be read (`findings` says why); `declared` are all
    files that the descriptor names; `ready` holds the data of each table as plain CSV, a line of which may hold more
    or fewer cells than the header; `unread` are the resources that cannot be read, by name.
    """

    package: Package
    folder: Path
    descriptor_path: Path
    place: Place
    names: tuple[str, ...] = ()
    declared: tuple[str, ...] = ()
    ready: Mapping[str, Path] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    unread: Mapping[str, Mapping[str, JSON]] = field(default_factory=dict)

    @property
    def former(self) -> bool:
        """Whether this is a previous version of a package, as a package carries it (api.release.history)."""
        return self.folder.parent.name == HISTORY

    def file(self, table: Table) -> str:
        """The file of a table: its first one, or the descriptor."""
        return (paths(table.descriptor) or (self.descriptor_path.name,))[0]

    def places(self, table: Table, rows: Collection[int]) -> dict[int, tuple[str, int]]:
        """The file and the line where each of some rows begins; the header is row 1."""
        given = tables.Given(table.descriptor, self.folder, self.descriptor_path.name)
        numbered = enumerate(islice(tables.records(given), max(rows, default=0)), 1)
        return {number: (row.file, row.line) for number, row in numbered if number in rows}


class _CsvParser(CsvParser):
    """Plain CSV, read as such: the guess of frictionless (csv.Sniffer) never ends for some texts in quotes."""

    def read_cell_stream_create(self) -> Iterator[list[str]]:
        return csv.reader(self.loader.text_stream)


class _Csv(frictionless.Plugin):
    """Frictionless's own way to choose parsers."""

    def create_parser(self, resource: Any) -> CsvParser | None:
        return _CsvParser(resource) if resource.format == "csv" else None


system.register("lantern-csv", _Csv())
system.plugins.move_to_end("lantern-csv", last=False)  # the first one that has a parser is asked


# What frictionless is given


def table_resource(source: Source, resource: Mapping[str, JSON], *others: Mapping[str, JSON]) -> Any:
    """A table as frictionless reads it, beside the tables it refers to; nothing is left for frictionless to guess."""
    entries = [_fed(source, entry) for entry in (resource, *others)]
    package = frictionless.Package.from_descriptor({"$schema": upgrade.PACKAGE, "resources": entries})
    for entry in package.resources:
        entry.basepath = str(source.ready[str(entry.name)].parent)
    return package.get_table_resource(str(resource["name"]))


def _fed(source: Source, resource: Mapping[str, JSON]) -> dict[str, JSON]:
    """A table as plain CSV, every option spelled out; its texts for people are checked elsewhere."""
    schema, given = resource["schema"], fields.given(descriptor.table(resource))
    return {
        **{key: resource[key] for key in COUNTED if key in resource},
        **PLAIN,
        "name": resource["name"],
        "path": source.ready[str(resource["name"])].name,
        "schema": {**{key: schema[key] for key in FED_OF_SCHEMAS if key in schema}, "fields": given},
    }


def bare(table: Table) -> dict[str, JSON]:
    """A table to be read and not checked: no keys, no counts."""
    uncounted = {key: value for key, value in table.descriptor.items() if key not in COUNTED}
    return {**uncounted, "schema": {key: value for key, value in table.schema.items() if key not in KEYS}}


# Rows


def cells(source: Source, table: Table) -> Iterator[tuple[int, list[str]]]:
    """Each row's number (the header's is 1) and its cells as text, in the order of the schema's fields.

    A cell that the row does not have is a missing value.
    """
    absent = ["" if "" in field.missing or not field.missing else field.missing[0] for field in table.fields]
    with source.ready[table.name].open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        labels = next(reader, [])
        places: list[int | None] = list(range(len(table.fields)))
        if table.schema.get("fieldsMatch") in BY_NAME:
            places = [labels.index(field.name) if field.name in labels else None for field in table.fields]
        plain = places == list(range(len(labels)))
        for number, row in enumerate(reader, 2):
            width = len(row)
            if plain and width == len(places):
                yield number, row
            else:
                pairs = zip(places, absent, strict=True)
                yield number, [text if place is None or place >= width else row[place] for place, text in pairs]


def rows(source: Source, table: Table) -> Iterator[tuple[int, dict[str, str | None]]]:
    """Each row's number, and its cells as text by field name with missing values as None."""
    names = [(field.name, frozenset(field.missing)) for field in table.fields]
    for number, row in cells(source, table):
        pairs = zip(names, row, strict=True)
        yield number, {name: None if text in missing else text for (name, missing), text in pairs}


# What is told of a table


def edits_of(package: Package) -> tuple[Edit, ...]:
    """What was edited in a published descriptor, as it says itself: of the package, then of each resource."""
    parts = (package.descriptor, *package.descriptor["resources"])
    entries = [entry for part in parts for entry in edits(part)]
    return tuple(
        Edit(
            str(entry.get("table") or ""),
            None if entry.get("field") is None else str(entry["field"]),
            str(entry.get("was") or ""),
            str(entry.get("is") or ""),
            int(entry["cells"]) if isinstance(entry.get("cells"), int) else 0,
            None if entry.get("first") is None else str(entry["first"]),
        )
        for entry in entries
    )


# Files


def digest(source: Source, table: Table) -> str:
    """A checksum of a table's files; data in the descriptor counts as JSON."""
    total = hashlib.sha256()
    for path in paths(table.descriptor):
        with (source.folder / path).open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    if "data" in table.descriptor:
        total.update(json.dumps(table.descriptor["data"], sort_keys=True).encode())
    return total.hexdigest()
