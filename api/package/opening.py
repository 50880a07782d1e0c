"""Opens data packages wherever they come from: a folder, a descriptor, a zip; v1 or v2; JSON or YAML."""

import csv
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from api.model import descriptor
from api.model.files import CHANGES, HISTORY, TEXTS
from api.model.findings import Edit, Finding
from api.package import guessing, halves, loading, locating, metadata, shapes, tables, upgrade
from api.package.locating import PackageError, Place
from api.package.reading import Source
from api.package.tables import Given, delimited, headers, unpacking
from api.package.upgrade import paths

JSON = Any
DESCRIPTORS = ("datapackage.json", "datapackage.yaml", "datapackage.yml")
MOST_RESOURCES, MOST_FIELDS = 5_000, 50_000  # as many of either take a minute to check
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
            path = _extracted(path, scratch / "zip")
        yield _source(_descriptor_path(path), scratch, copies, apart)


def _descriptor_path(path: Path) -> Path:
    if path.is_dir():
        if inside := _descriptor_in(path):
            return inside
        raise _unreadable(path.name or str(path), "the folder has no descriptor", DESCRIPTORS[0])
    if not path.is_file():
        raise _unreadable(path.name, "no such file or folder", "a data package")
    if path.suffix.lower() not in (".json", *loading.YAML):
        raise _unreadable(path.name, "not a data package", "a folder, a datapackage.json or .yaml, or a .zip")
    return path


def _descriptor_in(folder: Path) -> Path | None:
    return next((folder / name for name in DESCRIPTORS if (folder / name).is_file()), None)


def _unreadable(file: str, message: str, expected: str) -> PackageError:
    return PackageError(Finding("unreadable-package", message, file=file, expected=expected))


def _extracted(archive: Path, target: Path) -> Path:
    """The folder that holds the descriptor, after unpacking: at the root of the archive or one level down."""
    try:
        unpacking.extract(archive, target)
    except unpacking.UNREADABLE as error:
        raise _unreadable(archive.name, f"the archive cannot be read: {error}", "an intact zip file") from None
    folders = [target, *sorted(entry for entry in target.iterdir() if entry.is_dir())]
    packages = [folder for folder in folders if _descriptor_in(folder)]
    if packages[:1] != [target] and len(packages) != 1:
        message = f"the archive has {'several packages' if packages else 'no descriptor'}"
        raise _unreadable(archive.name, message, f"{DESCRIPTORS[0]} at its root or in its only folder")
    return packages[0]


def _source(path: Path, scratch: Path, copies: Path | None, apart: bool) -> Source:
    _refuse_links(path)
    raw, noticed = _loaded(path, path.name)
    entries = raw.get("resources") if isinstance(raw, Mapping) else None
    if not isinstance(entries, list) or not entries:
        raise _unreadable(path.name, "the descriptor lists no resources", "a list of at least one resource")
    _refuse_many(len(entries), MOST_RESOURCES, "resources", path.name)
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
        if sum(file.lstat().st_size for file in ready.values()) > unpacking.LARGEST:
            raise _unreadable(path.name, "the tables are too large", f"at most {unpacking.LARGEST} bytes of CSV in all")
    package = descriptor.package({**upgraded, "resources": resources})
    _refuse_many(sum(len(table.fields) for table in package.tables), MOST_FIELDS, "fields", path.name)
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


def _refuse_links(described: Path) -> None:
    """Raises PackageError where what is taken from a package's folder by its name alone is a link that leads out."""
    folder = described.parent
    for path in (described, *(folder / name for name in (*TEXTS, CHANGES, HISTORY)), *folder.glob(f"{HISTORY}/*")):
        if _leads_out(path, folder):
            name = path.relative_to(folder).as_posix()
            raise PackageError(Finding("unsafe-path", "the link leads out of the package's folder", name))


def _leads_out(path: Path, folder: Path) -> bool:
    """Whether a path, links followed, is outside of a folder; of links in a circle no file is found."""
    return not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def _refuse_many(number: int, most: int, what: str, file: str) -> None:
    if number > most:
        raise _unreadable(file, f"the package has {number:,} {what}", f"at most {most:,}")


def _declared(entries: list[JSON]) -> tuple[str, ...]:
    """All files that the descriptor names, also those of schemas, dialects and resources that cannot be read."""
    objects = [entry for entry in entries if isinstance(entry, Mapping)]
    values = [entry.get(key) for entry in objects for key in ("schema", "dialect", "path", "url")]
    named = [path for value in values for path in (value if isinstance(value, list) else [value])]
    parts = [PurePosixPath(path) for path in named if isinstance(path, str)]
    return tuple(str(path) for path in parts if not path.is_absolute() and ".." not in path.parts)


def _loaded(path: Path, name: str) -> tuple[JSON, list[Finding]]:
    """A JSON or YAML file of a descriptor, and what was noticed."""
    kind = "YAML" if path.suffix.lower() in loading.YAML else "JSON"
    try:
        loading.refuse_size(path.stat().st_size, kind)
        text = path.read_text("utf-8-sig")
        loaded = loading.value(text, kind)
        return loaded, halves.mended(loaded, text, name)
    except UnicodeDecodeError:
        raise _unreadable(name, "the file is not UTF-8", "UTF-8") from None
    except loading.Refused as error:
        raise _unreadable(name, str(error), error.expected) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        message = f"not valid {kind}: {' '.join(str(error).split())}"
        raise _unreadable(name, message, f"a complete {kind} document") from None


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
            resource[key], noticed = _loaded(found, resource[key])
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
        findings = (Finding("unreadable-table", f"the table cannot be read: {error}", file, given.name),)
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
