"""Opens data packages wherever they come from: a folder, a descriptor, a zip; v1 or v2; JSON or YAML."""

import csv
import json
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import frictionless
import ijson
import yaml

from api.model import descriptor, types
from api.model.errors import LanternError
from api.model.findings import Finding
from api.package import shapes, unpacking, upgrade
from api.package.reading import Ready, Source, encoding, paths, rows, table_resource

JSON = Any
DESCRIPTORS = ("datapackage.json", "datapackage.yaml", "datapackage.yml")
YAML = (".yaml", ".yml")
READ = (*upgrade.TABULAR, *upgrade.JSON_FORMATS)
UNREADABLE = (*unpacking.UNREADABLE, frictionless.FrictionlessException, csv.Error, ijson.JSONError, ValueError)
LARGEST_DESCRIPTOR = 64 * 2**20


class PackageError(LanternError):
    """A package that cannot be read; each finding names the file and what was expected."""

    def __init__(self, *findings: Finding) -> None:
        super().__init__("\n".join(finding.text() for finding in findings))
        self.findings = findings


@contextmanager
def open_source(path: Path) -> Iterator[Source]:
    """The package in a folder, a descriptor file or a zip; raises PackageError where any part cannot be read."""
    with opened(path) as source:
        if source.findings:
            raise PackageError(*source.findings)
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
    if not path.exists():
        raise _unreadable(path.name, "no such file or folder", "a data package")
    if path.suffix.lower() not in (".json", *YAML):
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
    raw = _loaded(path, path.name)
    entries = raw.get("resources") if isinstance(raw, Mapping) else None
    if not isinstance(entries, list) or not entries:
        raise _unreadable(path.name, "the descriptor lists no resources", "a list of at least one resource")
    _refuse_misfits(raw, shapes.PACKAGE, path.name, None)
    v2 = upgrade.V2 in str(raw.get("$schema", ""))
    resources: list[JSON] = []
    findings: list[Finding] = []
    names: list[str] = []
    ready: dict[str, Ready] = {}
    for position, entry in enumerate(entries, 1):
        try:
            resource = upgrade.resource(entry, position)
            names.append(str(resource["name"]))
            _refuse_misfits(resource, shapes.RESOURCE, path.name, names[-1])
            resource = _resource(resource, path, v2)
            resources.append(_as_table(resource, path, ready, scratch / f"{position}"))
        except PackageError as error:
            findings += error.findings
    package = descriptor.package({**upgrade.package(raw), "resources": resources})
    return Source(package, path.parent, path, tuple(names), _declared(entries), ready, tuple(findings))


def _declared(entries: list[JSON]) -> tuple[str, ...]:
    """All files that the descriptor names, also those of schemas, dialects and resources that cannot be read."""
    values = [entry.get(key) for entry in entries for key in ("schema", "dialect", "path")]
    named = [path for value in values for path in (value if isinstance(value, list) else [value])]
    parts = [PurePosixPath(path) for path in named if isinstance(path, str)]
    return tuple(str(path) for path in parts if not path.is_absolute() and ".." not in path.parts)


def _loaded(path: Path, name: str) -> JSON:
    """A JSON or YAML file; JSON is strict, and YAML's dates stay text."""
    if path.stat().st_size > LARGEST_DESCRIPTOR:
        raise _unreadable(name, "the file is too large", f"at most {LARGEST_DESCRIPTOR} bytes")
    kind = "YAML" if path.suffix.lower() in YAML else "JSON"
    try:
        text = path.read_text("utf-8-sig")
        if kind == "YAML":
            return yaml.load(text, Loader=_PlainLoader)  # noqa: S506 (a SafeLoader)
        return json.loads(text, parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        raise _unreadable(name, "the file is not UTF-8", "UTF-8") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        message = f"not valid {kind}: {' '.join(str(error).split())}"
        raise _unreadable(name, message, f"a complete {kind} document") from None


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"{constant} is not a JSON value")


class _PlainLoader(yaml.SafeLoader):
    """YAML without dates: a version or a day is text in a descriptor."""


_PlainLoader.add_constructor("tag:yaml.org,2002:timestamp", lambda _, node: node.value)


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
    elif pure.is_absolute() or ".." in pure.parts or not target.resolve().is_relative_to(folder.resolve()):
        type, message, expected = "unsafe-path", "escapes the package's folder", "a path inside it"
    elif not target.is_file():
        type, message, expected = "missing-file", "does not exist", "an existing file"
    else:
        return target
    message = f'the file "{path}" {message}'
    raise PackageError(Finding(type, message, described.name, resource, value=path, expected=expected))


def _as_table(resource: dict[str, JSON], described: Path, ready: dict[str, Ready], target: Path) -> dict[str, JSON]:
    """A table with its schema and delimiter, inferred where the descriptor is silent; other resources as they are."""
    format = upgrade.format_of(resource)
    declared = resource.get("type") == "table" or descriptor.is_table(resource)
    if not (declared or format in upgrade.TABULAR or isinstance(resource.get("data"), list)):
        return resource
    name, table, file = resource["name"], {**resource, "type": "table"}, (*paths(resource), described.name)[0]
    if declared and format not in READ:
        message = f"tables in the format {format or 'without a name'} cannot be read"
        raise PackageError(Finding("unreadable-table", message, file, name, expected=f"one of {', '.join(READ)}"))
    try:
        if paths(resource):
            ready[name] = unpacking.ready(resource, described.parent, target)
        dialect = resource.get("dialect") or {}
        if format in upgrade.TABULAR:
            table["dialect"] = {"delimiter": _delimiter(resource, format, ready[name].path), **dialect}
        if format in upgrade.JSON_FORMATS:
            table["dialect"] = {**dialect, **_members(resource, file, ready)}
        return table if descriptor.is_table(resource) else {**table, "schema": _inferred(table, described, ready)}
    except UNREADABLE as error:
        if not declared:
            return resource
        raise PackageError(Finding("unreadable-table", f"the table cannot be read: {error}", file, name)) from None


def _members(resource: Mapping[str, JSON], file: str, ready: dict[str, Ready]) -> dict[str, JSON]:
    """Which members of its objects are a table's columns, as a dialect says it; rows may leave some out."""
    name = str(resource["name"])
    first: dict[str, int] = {}  # each member, as they appear, with the first row (from 1) that has it
    for number, item in enumerate(_items(resource, ready.get(name)), 1):
        if not isinstance(item, Mapping):
            return {}
        for member in item:
            first.setdefault(str(member), number)
    if not first and name in ready:
        ready[name] = replace(ready[name], empty=True)
    if not descriptor.is_table(resource):
        return {"itemKeys": list(first)}
    names = [field["name"] for field in resource["schema"]["fields"]]
    for member, row in first.items():
        if member not in names:
            message, expected = f'the member "{member}" is not a field of the schema', f"one of {', '.join(names)}"
            raise PackageError(Finding("extra-label", message, file, name, row + 1, member, expected=expected))
    return {"itemKeys": names}


def _items(resource: Mapping[str, JSON], ready: Ready | None) -> Iterator[JSON]:
    """The rows of a table in JSON, inline or in a file."""
    if ready is None:
        yield from resource["data"] if isinstance(resource.get("data"), list) else ()
    elif upgrade.format_of(resource) == "json":
        inside = (resource.get("dialect") or {}).get("property")
        with ready.path.open("rb") as file:
            yield from ijson.items(file, f"{inside}.item" if inside else "item")
    else:
        with ready.path.open(encoding=encoding(resource)) as lines:
            yield from (json.loads(line) for line in lines if line.strip())


def _delimiter(resource: Mapping[str, JSON], format: str, path: Path) -> str:
    """A comma, as the standard says, unless the first line has none and has another delimiter."""
    if format == "tsv":
        return "\t"
    with path.open(encoding=encoding(resource), errors="replace") as file:
        line = file.readline(65_536)
    return "," if "," in line else max(",;\t|", key=line.count)


def _inferred(resource: dict[str, JSON], described: Path, ready: Mapping[str, Ready]) -> JSON:
    """A schema that fits every row: frictionless infers from a sample, and what the rest contradicts becomes text."""
    source = Source(descriptor.package({}), described.parent, described, ready=ready)
    with table_resource(source, resource) as sample:
        fields = [{"name": field.name, "type": field.type} for field in sample.schema.fields]
    if not fields:
        raise ValueError("it has no columns")
    table = descriptor.table({**resource, "schema": {"fields": fields}})
    readers = {field.name: types.kind(field).read for field in table.fields if field.type not in ("string", "any")}
    for _, row in rows(source, table):
        for name in [name for name in readers if (text := row[name]) is not None and not _fits(readers[name], text)]:
            del readers[name]
    settled = [{**field, "type": field["type"] if field["name"] in readers else "string"} for field in fields]
    return {"fields": settled, "missingValues": [""]}


def _fits(read: Callable[[str], Any], text: str) -> bool:
    """Whether a value is of a type; a code with leading zeros is not, since as a number it would lose them."""
    return not re.match(r"[+-]*0\d", text) and types.expectation(read, text) is None
