"""Opens data packages wherever they come from: a folder, a descriptor, a zip; v1 or v2; JSON or YAML."""

import csv
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import ijson
import yaml

from api.model import descriptor
from api.model.errors import LanternError
from api.model.files import CHANGES, HISTORY, TEXTS
from api.model.findings import Finding
from api.package import guessing, loading, shapes, tables, upgrade
from api.package.reading import Source
from api.package.tables import Given, delimited, unpacking
from api.package.upgrade import paths

JSON = Any
DESCRIPTORS = ("datapackage.json", "datapackage.yaml", "datapackage.yml")
MOST_RESOURCES, MOST_FIELDS = 5_000, 50_000  # as many of either take a minute to check
UNREADABLE = (*unpacking.UNREADABLE, csv.Error, ijson.JSONError, ValueError)


class PackageError(LanternError):
    """A package that cannot be read; each finding names the file and what was expected."""

    def __init__(self, *findings: Finding) -> None:
        super().__init__("\n".join(finding.text() for finding in findings))
        self.findings = findings


@contextmanager
def open_source(path: Path) -> Iterator[Source]:
    """The package in a folder, a descriptor file or a zip; raises PackageError where any part cannot be read."""
    with opened(path) as source:
        if errors := [finding for finding in source.findings if finding.level == "error"]:
            raise PackageError(*errors)
        yield source


@contextmanager
def opened(path: Path) -> Iterator[Source]:
    """Like open_source, but what cannot be read is left out and reported in `findings`."""
    with tempfile.TemporaryDirectory(prefix="lantern-") as temporary:
        scratch = Path(temporary)
        if path.suffix.lower() == ".zip" and path.is_file():
            path = _extracted(path, scratch / "zip")
        yield _source(_descriptor_path(path), scratch)


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


def _source(path: Path, scratch: Path) -> Source:
    _refuse_links(path)
    raw = _loaded(path, path.name)
    entries = raw.get("resources") if isinstance(raw, Mapping) else None
    if not isinstance(entries, list) or not entries:
        raise _unreadable(path.name, "the descriptor lists no resources", "a list of at least one resource")
    _refuse_many(len(entries), MOST_RESOURCES, "resources", path.name)
    _refuse_misfits(raw, shapes.PACKAGE, path.name, None)
    v2 = upgrade.V2 in str(raw.get("$schema", ""))
    resources: list[JSON] = []
    findings: list[Finding] = []
    names: list[str] = []
    ready: dict[str, Path] = {}
    for position, entry in enumerate(entries, 1):
        try:
            resource = upgrade.resource(entry, position)
            names.append(str(resource["name"]))
            _refuse_misfits(resource, shapes.RESOURCE, path.name, names[-1])
            resource = _resource(resource, path, v2)
            resource, noticed = _as_table(resource, path, scratch / f"{position}.csv")
            resources.append(resource)
            findings += noticed
            if (scratch / f"{position}.csv").exists():
                ready[names[-1]] = scratch / f"{position}.csv"
        except PackageError as error:
            findings += error.findings
    package = descriptor.package({**upgrade.package(raw), "resources": resources})
    _refuse_many(sum(len(table.fields) for table in package.tables), MOST_FIELDS, "fields", path.name)
    return Source(package, path.parent, path, tuple(names), _declared(entries), ready, tuple(findings))


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
    values = [entry.get(key) for entry in entries for key in ("schema", "dialect", "path")]
    named = [path for value in values for path in (value if isinstance(value, list) else [value])]
    parts = [PurePosixPath(path) for path in named if isinstance(path, str)]
    return tuple(str(path) for path in parts if not path.is_absolute() and ".." not in path.parts)


def _loaded(path: Path, name: str) -> JSON:
    """A JSON or YAML file of a descriptor."""
    kind = "YAML" if path.suffix.lower() in loading.YAML else "JSON"
    try:
        loading.refuse_size(path.stat().st_size, kind)
        return loading.value(path.read_text("utf-8-sig"), kind)
    except UnicodeDecodeError:
        raise _unreadable(name, "the file is not UTF-8", "UTF-8") from None
    except loading.Refused as error:
        raise _unreadable(name, str(error), error.expected) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        message = f"not valid {kind}: {' '.join(str(error).split())}"
        raise _unreadable(name, message, f"a complete {kind} document") from None


def _refuse_misfits(part: JSON, shape: shapes.Shape, file: str, resource: str | None) -> None:
    """Raises PackageError where a part of the descriptor lacks the shape that the rest of the program relies on."""
    findings = [Finding("descriptor", misfit, file, resource) for misfit in shapes.misfits(part, shape)]
    if findings:
        raise PackageError(*findings)


def _resource(resource: dict[str, JSON], described: Path, v2: bool) -> dict[str, JSON]:
    """A resource whose files exist, with schema and dialect read in; `described` is the descriptor's path."""
    name, file = resource["name"], described.name
    if ("path" in resource) == ("data" in resource):
        message = "the resource has neither path nor data, or both"
        raise PackageError(Finding("descriptor", message, file, name, expected="either path or data"))
    for path in paths(resource):
        _local(described, path, name)
    for key, shape in (("schema", shapes.SCHEMA), ("dialect", shapes.DIALECT)):
        if isinstance(resource.get(key), str):
            resource[key] = _loaded(_local(described, resource[key], name), resource[key])
        if key in resource:
            _refuse_misfits(resource[key], shape, file, name)
    if resource.get("schema"):
        resource["schema"] = upgrade.schema(resource["schema"], name, v2)
    if "dialect" in resource:
        resource["dialect"] = upgrade.dialect(resource["dialect"])
    return resource


def _local(described: Path, path: str, resource: str) -> Path:
    """A file inside the package's folder, links followed."""
    pure, folder = PurePosixPath(path.replace("\\", "/")), described.parent
    target = folder / path
    if "://" in path:
        type, message, expected = "remote-file", "is on the network, which is never read", "a file of the package"
    elif pure.is_absolute() or ".." in pure.parts or _leads_out(target, folder):
        type, message, expected = "unsafe-path", "escapes the package's folder", "a path inside it"
    elif not target.is_file():
        type, message, expected = "missing-file", "does not exist", "an existing file"
    else:
        return target
    message = f'the file "{path}" {message}'
    raise PackageError(Finding(type, message, described.name, resource, value=path, expected=expected))


def _as_table(resource: dict[str, JSON], described: Path, target: Path) -> tuple[dict[str, JSON], tuple[Finding, ...]]:
    """A table, written as plain CSV to `target`, with its schema and delimiter, guessed where the descriptor is silent.

    Other resources stay as they are. Also what was noticed.
    """
    format = upgrade.format_of(resource)
    declared = resource.get("type") == "table" or descriptor.is_table(resource)
    if not (declared or format in upgrade.TABULAR or isinstance(resource.get("data"), list)):
        return resource, ()
    given = Given({**resource, "type": "table"}, described.parent, described.name)
    file = (*given.paths, described.name)[0]
    if declared and format not in tables.READ:
        message = f"tables in the format {format or 'without a name'} cannot be read"
        raise PackageError(
            Finding("unreadable-table", message, file, given.name, expected=f"one of {', '.join(tables.READ)}")
        )
    try:
        if format in upgrade.TABULAR:
            dialect = {"delimiter": delimited.delimiter(given), **given.dialect}
            given = replace(given, resource={**given.resource, "dialect": dialect})
        noticed = tables.plain(given, target)
        table = dict(given.resource)
        return (table if given.names is not None else {**table, "schema": guessing.schema(target)}), noticed
    except tables.BadTable as error:
        findings = error.findings
    except UnicodeDecodeError as error:
        findings = (_undecodable(given, error, file),)
    except UNREADABLE as error:
        findings = (Finding("unreadable-table", f"the table cannot be read: {error}", file, given.name),)
    if not declared:
        return resource, ()
    raise PackageError(*findings)


def _undecodable(given: Given, error: UnicodeDecodeError, file: str) -> Finding:
    message = f"the file is not in {given.encoding}"
    return Finding("encoding", message, file, given.name, expected=f"{given.encoding} throughout")
