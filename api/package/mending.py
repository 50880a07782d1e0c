"""What an error asks to be edited in the descriptor of a table, so that the table can be served as it is."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from api.model import descriptor
from api.model.findings import Finding
from api.package import shapes, translation, upgrade
from api.package.checks import declared, structure
from api.package.reading import Source
from api.package.validation import described

JSON = Any
Change = tuple[str | None, str, str]  # the field, if it is one; what was; what is now
CHECKS = "lantern:checks"
GONE = "left out"
HEADERS = (*translation.OF_HEADERS, "header", "column-order")
FILES = ("unreadable-table", "encoding", "quote", "extra-cell", "missing-cell", "blank-row")
DESCRIPTORS = ("descriptor", "duplicate-resource", "constraint")
TYPES = ("wrong-type",)
KEYS = {"duplicate-key": "primaryKey", "unique-key": "uniqueKeys", "foreign-key": "foreignKeys"}
# By the type of a finding: the constraints that a cell does not meet.
CONSTRAINTS: Mapping[str, Sequence[str]] = {
    "required": ("required",),
    "unique": ("unique",),
    "enum": ("enum", "categories"),
    "minimum": ("minimum", "exclusiveMinimum"),
    "maximum": ("maximum", "exclusiveMaximum"),
    "min-length": ("minLength",),
    "max-length": ("maxLength",),
    "pattern": ("pattern",),
    "json-schema": ("jsonSchema",),
}
# The most urgent first: what depends on an edit may be well after it.
URGENCY = (FILES, HEADERS, DESCRIPTORS, TYPES, tuple(CONSTRAINTS), ("duplicate-key", "unique-key"), ("foreign-key",))
KEPT_OF_TEXT = ("required", "unique")  # constraints that text may have as any other type


class Mended(NamedTuple):
    """A table's resource after an edit, and what was changed."""

    resource: Mapping[str, JSON]
    edits: Sequence[Change]


def urgency(finding: Finding) -> int:
    return next((n for n, types in enumerate(URGENCY) if finding.type in types), len(URGENCY))


def of_file(finding: Finding) -> bool:
    """Whether it keeps a table from being read, whatever its schema says."""
    return finding.type in FILES


def of_checks(finding: Finding) -> bool:
    """Whether it is found by a check beyond the standard."""
    return urgency(finding) == len(URGENCY) and finding.type not in translation.COUNTED


def mended(source: Source, resource: Mapping[str, JSON], finding: Finding) -> Mended | None:
    """The table after the smallest edit for an error; None where its schema or its file is wrong as a whole."""
    schema, field = resource["schema"], finding.field
    if finding.type in (*FILES, *HEADERS):
        return None
    if finding.type in DESCRIPTORS:
        return _sounder(source, resource)
    if finding.type in translation.COUNTED:
        counted = finding.type.removesuffix("-count") + "s"
        return _without(resource, counted) if counted in resource else None
    if finding.type in KEYS:
        return _key(source, resource, finding)
    entries = [entry["name"] for entry in schema["fields"]]
    if field not in entries:
        return None
    entry, place = schema["fields"][entries.index(field)], entries.index(field)
    constraints = dict(entry.get("constraints") or {})
    if finding.type == "required" and field in schema.get("primaryKey", []):
        return _without_key(resource, "primaryKey", ",".join(schema["primaryKey"]))
    broken = [name for name in CONSTRAINTS.get(finding.type, ()) if name in constraints]
    without = {key: value for key, value in entry.items() if key not in CONSTRAINTS.get(finding.type, ())}
    if finding.type not in TYPES and (broken or len(without) < len(entry)):
        kept = {name: value for name, value in constraints.items() if name not in broken}
        said = ", ".join(f"{name} {constraints[name]}" for name in broken) or ", ".join(set(entry) - set(without))
        return _with_field(resource, place, {**without, "constraints": kept}, (field, said, GONE))
    return as_text(resource, place)


def as_text(resource: Mapping[str, JSON], place: int) -> Mended | None:
    """The table with a field as text of any kind; None where it is that."""
    entry = resource["schema"]["fields"][place]
    constraints = {key: value for key, value in (entry.get("constraints") or {}).items() if key in KEPT_OF_TEXT}
    named = {key: entry[key] for key in entry if key in ("name", "title", "description", "missingValues")}
    named |= {key: value for key, value in entry.items() if ":" in key and key != "lantern:json"}
    text = {**named, "type": "string", **({"constraints": constraints} if constraints else {})}
    if text == entry:
        return None
    was = str(entry.get("type") or "any")
    lost = {"format": entry.get("format", "default")} if entry.get("format", "default") != "default" else {}
    lost |= {key: value for key, value in (entry.get("constraints") or {}).items() if key not in KEPT_OF_TEXT}
    was += f" ({', '.join(f'{name} {value}' for name, value in lost.items())})" if lost else ""
    return _with_field(resource, place, text, (str(entry["name"]), was, "string"))


def schema_by_names(schema: JSON, guessed: Mapping[str, JSON], own: str, plain: Path | None) -> dict[str, JSON]:
    """The schema of the table `own` by its header: the declared fields where a column has their name, else text.

    What has not the shape of a schema is left out. `plain` is the table as it was read with the declared schema, for
    the header as it is written.
    """
    declared = upgrade.schema(_shapely(schema), own, v2=True)
    fields = declared.pop("fields")
    by_name = {field["name"]: field for field in reversed(fields)}
    labels: list[str] = []
    if plain is not None:
        with plain.open(encoding="utf-8", newline="") as file:
            labels = next(csv.reader(file), [])
    made = []
    for place, entry in enumerate(guessed["fields"]):
        alike = len(labels) == len(guessed["fields"]) and place < len(fields)
        field = by_name.get(entry["name"], {"type": "string"})
        if alike and fields[place]["name"] == labels[place]:
            field = fields[place]
        made.append({**field, "name": entry["name"]})
    return {**guessed, **{key: value for key, value in declared.items() if key != "fieldsMatch"}, "fields": made}


def _shapely(schema: JSON) -> dict[str, JSON]:
    """The parts of a schema that have the shape of theirs."""
    members = schema if isinstance(schema, Mapping) else {}
    entries = members.get("fields")
    fields = entries if isinstance(entries, list) else []
    kept = {key: value for key, value in members.items() if key != "fields"}
    kept = {key: value for key, value in kept.items() if _fits({"fields": [], key: value})}
    return {**kept, "fields": [field for field in fields if _fits({"fields": [field]})]}


def _fits(schema: Mapping[str, JSON]) -> bool:
    return not any(shapes.misfits(schema, shapes.SCHEMA))


# Keys


def _key(source: Source, resource: Mapping[str, JSON], finding: Finding) -> Mended | None:
    schema, name = resource["schema"], KEYS[finding.type]
    if name == "primaryKey":
        return _without_key(resource, name, ",".join(schema["primaryKey"])) if schema.get(name) else None
    for number, key in enumerate(schema.get(name) or []):
        fields = key["fields"] if name == "foreignKeys" else key
        if finding.field in fields:
            if name == "foreignKeys":
                like = _alike(source, resource, key)
                if like is not None:
                    return like
            return _without_key(resource, name, _words(name, key), number)
    return None


def _alike(source: Source, resource: Mapping[str, JSON], key: Mapping[str, JSON]) -> Mended | None:
    """The table with the fields of a foreign key as text where those that they refer to are text."""
    other = source.package.table(key["reference"]["resource"])
    names = [entry["name"] for entry in resource["schema"]["fields"]]
    for own, referred in zip(key["fields"], key["reference"]["fields"], strict=False):
        if other is not None and referred in other.index and other.field(referred).type == "string":
            if own in names and resource["schema"]["fields"][names.index(own)].get("type") != "string":
                return as_text(resource, names.index(own))
    return None


def _words(name: str, key: JSON) -> str:
    if name != "foreignKeys":
        return ",".join(key)
    reference = key["reference"]
    return f"{','.join(key['fields'])} in {reference['resource']}.{','.join(reference['fields'])}"


# Descriptors that contradict themselves


def _sounder(source: Source, resource: Mapping[str, JSON]) -> Mended | None:
    """The table with the smallest part of its descriptor less (or as text), so that fewer errors are left."""
    before = _wrong(source, resource)
    return next((one for one in _smaller(resource) if _wrong(source, one.resource) < before), None)


def _wrong(source: Source, resource: Mapping[str, JSON]) -> int:
    """How many errors the descriptor of a table has."""
    name, published = resource["name"], source.package.published
    resources = [resource if other["name"] == name else other for other in published["resources"]]
    changed = replace(source, package=descriptor.package({**published, "resources": resources}))
    file = changed.descriptor_path.name
    found = [*structure.findings(changed.package, file, changed.names)]
    table = changed.package.table(name)
    found += declared.findings(table, file) if table is not None else ()
    others = {str(other["name"]) for other in resources} - {name}
    found += described.findings(changed, {*others})
    return sum(finding.resource == name and finding.level == "error" for finding in found)


def _smaller(resource: Mapping[str, JSON]) -> Iterator[Mended]:
    schema = resource["schema"]
    for name in ("foreignKeys", "uniqueKeys"):
        for number, key in enumerate(schema.get(name) or []):
            yield _without_key(resource, name, _words(name, key), number)
    if schema.get("primaryKey"):
        yield _without_key(resource, "primaryKey", ",".join(schema["primaryKey"]))
    if "lantern:indexes" in resource:
        yield _without(resource, "lantern:indexes")
    for name in [key for key in schema if key not in ("fields", "primaryKey", "foreignKeys", "uniqueKeys")]:
        kept = {key: value for key, value in schema.items() if key != name}
        yield Mended({**resource, "schema": kept}, [(None, name, GONE)])
    for place, entry in enumerate(schema["fields"]):
        constraints = entry.get("constraints") or {}
        for name in constraints:
            kept = {key: value for key, value in constraints.items() if key != name}
            yield _with_field(
                resource, place, {**entry, "constraints": kept}, (entry["name"], f"{name} {constraints[name]}", GONE)
            )
        for name in [key for key in entry if key not in ("name", "type", "constraints")]:
            kept = {key: value for key, value in entry.items() if key != name}
            yield _with_field(resource, place, kept, (entry["name"], name, GONE))
        text = as_text(resource, place)
        if text is not None:
            yield text


# Edits


def _without(resource: Mapping[str, JSON], name: str) -> Mended:
    kept = {key: value for key, value in resource.items() if key != name}
    return Mended(kept, [(None, f"{name} {resource[name]}", GONE)])


def _without_key(resource: Mapping[str, JSON], name: str, words: str, number: int | None = None) -> Mended:
    schema = {key: value for key, value in resource["schema"].items() if key != name}
    if number is not None:
        keys = [key for place, key in enumerate(resource["schema"][name]) if place != number]
        schema |= {name: keys} if keys else {}
    return Mended({**resource, "schema": schema}, [(None, f"{name} {words}", GONE)])


def _with_field(resource: Mapping[str, JSON], place: int, entry: Mapping[str, JSON], edit: Change) -> Mended:
    kept = {key: value for key, value in entry.items() if key != "constraints" or value}
    fields = [kept if number == place else other for number, other in enumerate(resource["schema"]["fields"])]
    return Mended({**resource, "schema": {**resource["schema"], "fields": fields}}, [edit])
