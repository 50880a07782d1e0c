"""Opens data packages: their resources are found and read, each table as plain CSV; v1 or v2."""

import csv
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from api import settings
from api.model import descriptor
from api.model.findings import Edit, Finding
from api.package import descriptors, guessing, locating, metadata, shapes, tables, upgrade
from api.package.locating import PackageError, Place
from api.package.reading import Source
from api.package.tables import Given, delimited, headers, unpacking
from api.package.upgrade import paths

JSON = Any
UNREADABLE = (*unpacking.UNREADABLE, csv.Error, ValueError)


@contextmanager
def open_source(path: Path, copies: Path | None = None) -> Iterator[Source]:
    """The package in a folder, a descriptor file or a zip; raises PackageError where any part cannot be read.

    `copies` is a folder with copies of what the package names by an address (api.package.locating).
    """
    with opened(path, copies) as source:
        if errors := [finding for finding in source.findings if finding.level == "error"]:
            raise PackageError(*errors)
        yield source


@contextmanager
def opened(path: Path, copies: Path | None = None, apart: bool = False) -> Iterator[Source]:
    """Like open_source, but what cannot be read is left out and reported in `findings`.

    Where resources are to be kept `apart`, a name that another resource has gets a number, which is told as an edit.
    """
    with tempfile.TemporaryDirectory(prefix="lantern-") as temporary:
        scratch = Path(temporary)
        if path.suffix.lower() == ".zip" and path.is_file():
            path = descriptors.extracted(path, scratch / "zip")
        yield _source(descriptors.find(path), scratch, copies, apart)


def _source(path: Path, scratch: Path, copies: Path | None, apart: bool) -> Source:
    descriptors.refuse_links(path)
    raw, noticed = descriptors.loaded(path, path.name)
    entries = raw.get("resources") if isinstance(raw, Mapping) else None
    if not isinstance(entries, list) or not entries:
        raise descriptors.unreadable(path.name, "the descriptor lists no resources", "a list of at least one resource")
    _refuse_many(len(entries), "resources", path.name)
    _refuse_misfits(raw, shapes.PACKAGE, path.name, None)
    place = locating.place(path, scratch, copies, entries)
    v2 = upgrade.is_v2(raw)
    upgraded, told = metadata.package(raw, path.name)
    findings = [*noticed, *told]
    unread: dict[str, JSON] = {}
    resources: list[JSON] = []
    names: list[str] = []
    ready: dict[str, Path] = {}
    for position, entry in enumerate(entries, 1):
        try:
            if not isinstance(entry, Mapping):
                message = f"resource {position} is no object"
                raise PackageError(Finding("descriptor", message, path.name, expected="an object"))
            resource, noticed = metadata.resource(shapes.said(entry, shapes.RESOURCE), position, path.name)
            findings += noticed
        except PackageError as error:
            findings += error.findings
            continue
        if apart:
            resource = _apart(resource, names)
        name, target = str(resource["name"]), scratch / f"{position}.csv"
        try:
            resource, noticed = _located(resource, place, v2)
            findings += noticed
            read, noticed = _as_table(resource, place, target)
        except PackageError as error:
            findings += error.findings
            if all(finding.level != "error" for finding in error.findings):
                continue  # nothing is there, and nothing need be
            unread.setdefault(name, resource)
        else:
            findings += noticed
            resources.append(read)
            if target.exists():
                ready[name] = target
        names.append(name)
        size, (most, expected) = sum(file.lstat().st_size for file in ready.values()), unpacking.largest()
        if size > most:
            raise descriptors.unreadable(path.name, f"the tables have {size:,} bytes of CSV or more", expected)
    package = descriptor.package({**upgraded, "resources": resources})
    _refuse_many(sum(len(table.fields) for table in package.tables), "fields", path.name)
    declared = (*_declared(entries), *place.local.values())
    found = (tuple(names), declared, ready, tuple(findings), unread)
    return Source(package, place.folder, place.descriptor, place, *found)


def _apart(resource: dict[str, JSON], names: list[str]) -> dict[str, JSON]:
    """A resource whose name no other has."""
    taken, was = {descriptor.file_key(name) for name in names}, str(resource["name"])
    numbered = (was, *(f"{was}_{number}" for number in range(2, len(names) + 3)))
    name = next(name for name in numbered if descriptor.file_key(name) not in taken)
    if name == was:
        return resource
    edit = Edit(name, None, f"the name {was}", f"the name {name}", first=f'another resource is named "{was}"')
    return {**resource, "name": name, descriptor.EDITS: [edit.to_json()]}


def opened_resource(
    resource: Mapping[str, JSON], place: Place, target: Path, v2: bool = True
) -> tuple[dict[str, JSON], list[Finding]]:
    """A resource that has a name, with its files found and its schema inside; a table as plain CSV in `target`.

    Also what was noticed. Raises PackageError where it cannot be read: with errors, or with warnings where there is
    nothing to read.
    """
    located, noticed = _located(resource, place, v2)
    read, more = _as_table(located, place, target)
    return read, noticed + more


def _located(resource: Mapping[str, JSON], place: Place, v2: bool) -> tuple[dict[str, JSON], list[Finding]]:
    """A resource with its files found and its schema inside, and what was noticed. Raises as opened_resource."""
    _refuse_misfits(resource, shapes.RESOURCE, place.descriptor.name, str(resource["name"]))
    located, noticed = _resource(dict(resource), place, v2)
    return located, noticed + ([] if v2 else list(_rename_fields(located, place.descriptor.name)))


def _refuse_many(number: int, what: str, file: str) -> None:
    setting = f"MAX_{what.upper()}"
    most = settings.load()[setting]
    if number > most:
        raise descriptors.unreadable(file, f"the package has {number:,} {what}", settings.at_most(setting, most, what))


def _declared(entries: list[JSON]) -> tuple[str, ...]:
    """All files that the descriptor names, also those of schemas, dialects and resources that cannot be read."""
    objects = [entry for entry in entries if isinstance(entry, Mapping)]
    values = [entry.get(key) for entry in objects for key in ("schema", "dialect", "path", "url")]
    named = [path for value in values for path in (value if isinstance(value, list) else [value])]
    parts = [PurePosixPath(path) for path in named if isinstance(path, str)]
    return tuple(str(path) for path in parts if not path.is_absolute() and ".." not in path.parts)


def _refuse_misfits(part: JSON, shape: shapes.Shape, file: str, resource: str | None) -> None:
    """Raises PackageError where a part of the descriptor lacks the shape that the rest of the program relies on."""
    of = "" if resource is None else f'in the resource "{resource}" '
    findings = [Finding("descriptor", f"{of}{misfit}", file, resource) for misfit in shapes.misfits(part, shape)]
    if findings:
        raise PackageError(*findings)


def _resource(resource: dict[str, JSON], place: Place, v2: bool) -> tuple[dict[str, JSON], list[Finding]]:
    """A resource whose files exist, with schema and dialect read in. Also what was noticed."""
    name, file, findings = resource["name"], place.descriptor.name, []
    if ("path" in resource) == ("data" in resource):
        message = "the resource has neither path nor data, or both"
        raise PackageError(Finding("descriptor", message, file, name, expected="either path or data"))
    resource, noticed = locating.here(resource, place)
    findings += noticed
    for key, shape in (("schema", shapes.SCHEMA), ("dialect", shapes.DIALECT)):
        if descriptor.addresses(resource) and descriptor.is_address(resource.get(key)):
            continue  # it stays beside the address of the data
        if isinstance(resource.get(key), str):
            found = locating.part(resource, key, place)
            if isinstance(found, Finding):
                findings.append(found)
                del resource[key]
                continue
            resource[key], noticed = descriptors.loaded(found, resource[key])
            findings += noticed
        if key in resource:
            resource[key] = shapes.said(resource[key], shape)
            _refuse_misfits(resource[key], shape, file, name)
    if resource.get("schema") and isinstance(resource["schema"], Mapping):
        resource["schema"] = upgrade.schema(resource["schema"], name, v2)
    if isinstance(resource.get("dialect"), Mapping):
        resource["dialect"] = upgrade.dialect(resource["dialect"])
    return resource, findings


def _rename_fields(resource: dict[str, JSON], file: str) -> Iterator[Finding]:
    """Give each field of a schema a name of its own, which v1 did not ask for; what was renamed."""
    schema = resource.get("schema")
    fields = (schema.get("fields") or []) if isinstance(schema, Mapping) else []  # that of remote data is an address
    labels = [str(field["name"]) for field in fields]
    for field, label, name in zip(fields, labels, headers.unique(labels), strict=True):
        if label and name != label:
            field["name"] = name
            message = f'{labels.count(label)} fields have the name "{label}": this one is named {name}'
            expected = "a different name for each field"
            yield Finding("descriptor", message, file, resource["name"], field=name, expected=expected, level="warning")


def _as_table(resource: dict[str, JSON], place: Place, target: Path) -> tuple[dict[str, JSON], list[Finding]]:
    """A table, written as plain CSV to `target`, with its schema and delimiter, guessed where the descriptor is silent.

    Other resources stay as they are, and so does what cannot be read as a table and need not be one. Also what was
    noticed.
    """
    format, file = upgrade.format_of(resource), (*paths(resource), place.descriptor.name)[0]
    declared = resource.get("type") == "table" or descriptor.is_table(resource)
    if resource.get(descriptor.AS_FILE) is False or descriptor.addresses(resource):
        return resource, []
    if not (declared or format in upgrade.TABULAR or isinstance(resource.get("data"), list)):
        return resource, []
    given = Given({**resource, "type": "table"}, place.folder, place.descriptor.name)
    if declared and format not in tables.READ:
        message = f"tables in the format {format or 'without a name'} cannot be read: it is offered as a file"
        expected = f"one of {', '.join(tables.READ)}"
        warning = Finding("unreadable-table", message, file, given.name, expected=expected, level="warning")
        return {**resource, descriptor.AS_FILE: False}, [warning]
    try:
        if format in upgrade.TABULAR:
            given, noticed = delimited.settled(given)
        else:
            noticed = ()
        given, more = tables.plain(given, target)
        noticed += more
        table = dict(given.resource)
        return (table if given.names is not None else {**table, "schema": guessing.schema(target)}), list(noticed)
    except tables.BadTable as error:
        findings = error.findings
    except UNREADABLE as error:
        message, room = f"the table cannot be read: {error}", getattr(error, "expected", None)
        findings = (Finding("unreadable-table", message, file, given.name, expected=room),)
    target.unlink(missing_ok=True)
    if declared and format == "geojson" and resource.get("type") != "table":  # a schema belongs to tables only
        message = f"the schema is ignored and the file offered as it is: {findings[0].message}"
        ignored = Finding("schema", message, file, given.name, expected="a schema of tables only", level="warning")
        kept = {key: value for key, value in resource.items() if key != "schema"}
        return {**kept, descriptor.AS_FILE: False}, [ignored]
    if declared:
        raise PackageError(*findings)
    warnings = [replace(finding, level="warning") for finding in findings] if format in upgrade.TABULAR else []
    return {**resource, descriptor.AS_FILE: False}, warnings
