"""A data package's descriptor as plain, immutable values.

The one model of packages, resources, schemas and fields that every other module reads. It holds what a
descriptor says and nothing of where it came from; reading files and validating is api.package's work, which also
turns descriptors of Data Package v1 into those of v2.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from api.model import dates, filenames, words
from api.model.files import TABLE_FILES

JSON = Any
AS_FILE = "lantern:table"  # false: a resource that says it is a table is offered as the file that it is
EDITS = "lantern:edits"  # what was changed in the descriptor so that what can be read is served
MORE_ALLOWED = ("subset", "partial")  # what the schema's fieldsMatch says of data that has more than its fields
NO_VERSION = "0.0.0"  # of a package that does not say
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
        return TABLE_FILES["csv"].format(filenames.stem(self.name))


class License(NamedTuple):
    """A licence: its short name, its title and its address or file, each empty where it is not known."""

    name: str
    title: str
    path: str


@dataclass(frozen=True, eq=False)
class Package:
    """A data package whose schemas are inlined: its words and its tables, in the descriptor's order.

    `published` is the whole descriptor; `descriptor` is without what is odd in its words (api.model.words). `created`
    is the day or time at which it was made, empty where the descriptor says none.
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
        return self.license_of(None).name

    @property
    def license_path(self) -> str:
        """The address of the licence of the compilation, empty where none is given."""
        return self.license_of(None).path

    def license_of(self, table: Table | None) -> License:
        """The licence of a table: its own, else that of the compilation."""
        named = (table.descriptor.get("licenses") if table else None) or self.descriptor.get("licenses")
        entries = named if isinstance(named, list) else []
        first: Mapping[str, JSON] = next((entry for entry in entries if isinstance(entry, Mapping)), {})
        name, title, path = (str(first.get(key) or "") for key in ("name", "title", "path"))
        return License(name or title or path, title or name or path, path)

    @property
    def licenses(self) -> list[License]:
        """The licence of the compilation and those that tables of it have of their own."""
        found = (self.license_of(table) for table in (None, *self.tables))
        return [one for one in dict.fromkeys(found) if one.name]

    @property
    def publisher(self) -> str:
        names = [str(c.get("title", "")) for c in self.descriptor.get("contributors") or []]
        return ", ".join(name for name in names if name)

    @property
    def citation(self) -> str:
        """How to cite the package: publisher (year). Title (version) [data set]. Without a date there is no year."""
        year = f" ({self.created[:4]})" if self.created else ""
        return f"{self.publisher or self.name}{year}. {self.title} (version {self.version}) [Data set]."

    @property
    def published_at(self) -> str | None:
        """When it was made, in UTC as responses have it."""
        made = dates.moment(self.created)
        return None if made is None else dates.utc(made)


def package(published: Mapping[str, JSON]) -> Package:
    """The model of a descriptor whose schemas are inlined; resources that are not tables are left out."""
    resources = [words.sound(resource) for resource in published.get("resources", [])]
    descriptor = {**words.sound(published), "resources": resources}
    return Package(
        name=str(descriptor.get("name") or "package"),
        title=str(descriptor.get("title") or descriptor.get("name") or "Data package"),
        description=str(descriptor.get("description") or ""),
        version=NO_VERSION if descriptor.get("version") is None else str(descriptor["version"]),
        created=dates.stated(descriptor.get("created")),
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
    return filenames.folded(filenames.stem(name))


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
