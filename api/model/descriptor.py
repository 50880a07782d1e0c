"""A data package's descriptor as plain, immutable values.

The one model of packages, resources, schemas and fields that every other module reads. It holds what a
descriptor says and nothing of where it came from; reading files and validating is api.package's work, which also
turns descriptors of Data Package v1 into those of v2.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from api.model import words

JSON = Any
AS_FILE = "lantern:table"  # false: a resource that says it is a table is offered as the file that it is
EDITS = "lantern:edits"  # what was changed in the descriptor so that what can be read is served
_ADDRESS = re.compile(r"(?!file:)[a-z][a-z0-9+.-]+://", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Field:
    """One field of a Table Schema: `custom` keeps what the standard does not name."""

    name: str
    type: str
    format: str
    title: str
    description: str
    example: JSON
    constraints: Mapping[str, JSON]
    descriptor: Mapping[str, JSON]
    missing: tuple[str, ...] = ("",)

    @property
    def required(self) -> bool:
        return bool(self.constraints.get("required"))


@dataclass(frozen=True, eq=False)
class ForeignKey:
    """Fields of this table that name a row of another (`resource` is never empty: self is spelled out)."""

    fields: tuple[str, ...]
    resource: str
    reference: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Table:
    """A tabular resource: its name, words and Table Schema.

    `figure` is what the schema says of its figures (custom property lantern:figure); empty for other tables.
    """

    name: str
    title: str
    description: str
    fields: tuple[Field, ...]
    primary_key: tuple[str, ...]
    foreign_keys: tuple[ForeignKey, ...]
    missing_values: tuple[str, ...]
    schema: Mapping[str, JSON]
    descriptor: Mapping[str, JSON]
    index: Mapping[str, int] = field(repr=False)
    figure: Mapping[str, JSON] = field(repr=False)

    def field(self, name: str) -> Field:
        return self.fields[self.index[name]]

    @property
    def path(self) -> str:
        """Where a release keeps the table as CSV."""
        return f"data/{file_stem(self.name)}.csv"


@dataclass(frozen=True, eq=False)
class Package:
    """A data package whose schemas are inlined: its words and its tables, in the descriptor's order.

    `published` is the whole descriptor; `descriptor` is without what is odd in its words (api.model.words).
    """

    name: str
    title: str
    description: str
    version: str
    created: str
    tables: tuple[Table, ...]
    descriptor: Mapping[str, JSON]
    published: Mapping[str, JSON]

    def table(self, name: str) -> Table | None:
        return next((table for table in self.tables if table.name == name), None)

    @property
    def license(self) -> str:
        """The licence of the compilation, as its short name (empty where none is named)."""
        first: Mapping[str, JSON] = next(iter(self.descriptor.get("licenses") or []), {})
        return str(first.get("name") or first.get("title") or first.get("path") or "")

    @property
    def license_path(self) -> str:
        """The address of the licence of the compilation, empty where none is given."""
        first: Mapping[str, JSON] = next(iter(self.descriptor.get("licenses") or []), {})
        return str(first.get("path") or "")

    @property
    def publisher(self) -> str:
        names = [str(c.get("title", "")) for c in self.descriptor.get("contributors") or []]
        return ", ".join(name for name in names if name)

    @property
    def citation(self) -> str:
        """How to cite the package: publisher (year). Title (version) [data set]."""
        return f"{self.publisher or self.name} ({self.created[:4]}). {self.title} (version {self.version}) [Data set]."


def package(published: Mapping[str, JSON]) -> Package:
    """The model of a descriptor whose schemas are inlined; resources that are not tables are left out."""
    resources = [words.sound(resource) for resource in published.get("resources", [])]
    descriptor = {**words.sound(published), "resources": resources}
    return Package(
        name=str(descriptor.get("name") or "package"),
        title=str(descriptor.get("title") or descriptor.get("name") or "Data package"),
        description=str(descriptor.get("description") or ""),
        version=str(descriptor.get("version") or "0.0.0"),
        created=str(descriptor.get("created") or "1970-01-01T00:00:00Z"),
        tables=tuple(table(resource) for resource in resources if is_table(resource)),
        descriptor=descriptor,
        published=published,
    )


def is_table(resource: Mapping[str, JSON]) -> bool:
    """Whether a resource is a table: it has fields, its files are here, and it is not offered as a file."""
    schema = resource.get("schema")
    has_fields = isinstance(schema, Mapping) and bool(schema.get("fields"))
    return has_fields and resource.get(AS_FILE) is not False and not addresses(resource)


def edits(part: Mapping[str, JSON]) -> list[Mapping[str, JSON]]:
    """What was edited in a package or a resource so that it could be served, as it says itself."""
    told = part.get(EDITS)
    return [entry for entry in told if isinstance(entry, Mapping)] if isinstance(told, list) else []


def addresses(resource: Mapping[str, JSON]) -> tuple[str, ...]:
    """The addresses, on the network, of a resource's files; they are never read."""
    path = resource.get("path")
    return tuple(str(part) for part in (path if isinstance(path, list) else [path]) if is_address(part))


def is_address(path: JSON) -> bool:
    """Whether a path is an address on the network, such as https://example.org/t.csv."""
    return isinstance(path, str) and _ADDRESS.match(path) is not None


def table(resource: Mapping[str, JSON]) -> Table:
    """The model of one tabular resource."""
    schema = resource["schema"]
    name = str(resource["name"])
    missing = _missing(schema.get("missingValues"))
    fields = tuple(field_of(entry, missing) for entry in schema["fields"])
    return Table(
        name=name,
        title=str(resource.get("title") or name),
        description=str(resource.get("description") or ""),
        fields=fields,
        primary_key=tuple(schema.get("primaryKey") or ()),
        foreign_keys=tuple(_foreign_key(entry, name) for entry in schema.get("foreignKeys") or []),
        missing_values=missing,
        schema=schema,
        descriptor=resource,
        index={entry.name: position for position, entry in enumerate(fields)},
        figure=schema.get("lantern:figure") or {},
    )


def file_key(name: str) -> str:
    """What two resources must not share, since their files would be one on many systems."""
    return unicodedata.normalize("NFC", file_stem(name)).casefold()


@lru_cache(maxsize=1024)
def file_stem(name: str) -> str:
    """A resource name as a file name: only characters that some file system refuses are escaped, as in a URL."""
    safe = "".join(f"%{ord(c):02X}" if c in '/\\:*?"<>|%' or c < " " else c for c in name)
    return "%2E" + safe[1:] if safe.startswith(".") else safe


def field_of(entry: Mapping[str, JSON], missing: tuple[str, ...] = ("",)) -> Field:
    """A field; its own missing values come before those of the schema (Data Package v2)."""
    said = words.sound(entry)
    return Field(
        name=str(entry["name"]),
        type=str(entry.get("type") or "any"),
        format=str(entry.get("format") or "default"),
        title=str(said.get("title") or ""),
        description=str(said.get("description") or ""),
        example=entry.get("example"),
        constraints=entry.get("constraints") or {},
        descriptor=entry,
        missing=_missing(entry["missingValues"]) if "missingValues" in entry else missing,
    )


def _foreign_key(entry: Mapping[str, JSON], own: str) -> ForeignKey:
    reference = entry["reference"]
    return ForeignKey(tuple(entry["fields"]), str(reference.get("resource") or own), tuple(reference["fields"]))


def _missing(value: JSON) -> tuple[str, ...]:
    """The texts that mean null. v2 allows labelled missing values: objects with a value."""
    if value is None:
        return ("",)
    return tuple(entry["value"] if isinstance(entry, Mapping) else str(entry) for entry in value)
