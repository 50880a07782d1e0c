"""Opens data packages wherever they come from: a folder, a descriptor, a zip; v1 or v2; JSON or YAML."""

import codecs
import csv
import json
import lzma
import stat
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import frictionless
import yaml

from api import descriptor, values
from api.package import lifting
from api.package.reading import Joined, Part, Source, byte_stream, paths, rows, table_resource
from api.report import Problem

JSON = Any
DESCRIPTORS = ("datapackage.json", "datapackage.yaml", "datapackage.yml")
YAML = (".yaml", ".yml")
TABULAR = ("csv", "tsv", "xlsx", "xls", "ods", "parquet")
LARGEST_ARCHIVE = 16 * 2**30
MOST_ENTRIES = 100_000
LARGEST_DESCRIPTOR = 64 * 2**20


class PackageError(Exception):
    """A package that cannot be read; each problem names the file and what was expected."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(problem.text() for problem in problems))
        self.problems = problems


@contextmanager
def open_source(path: Path) -> Iterator[Source]:
    """The package in a folder, a descriptor file or a zip; raises PackageError where any part cannot be read."""
    with opened(path) as source:
        if source.problems:
            raise PackageError(*source.problems)
        yield source


@contextmanager
def opened(path: Path) -> Iterator[Source]:
    """Like open_source, but what cannot be read is left out and told in `problems`."""
    with tempfile.TemporaryDirectory(prefix="lantern-") as temporary:
        scratch = Path(temporary)
        if path.suffix.lower() == ".zip" and path.is_file():
            path = _extracted(path, scratch / "zip")
        yield _source(_descriptor_path(path), scratch)


def _descriptor_path(path: Path) -> Path:
    if path.is_dir():
        for name in DESCRIPTORS:
            if (path / name).is_file():
                return path / name
        raise _unreadable(path.name or str(path), "the folder holds no descriptor", DESCRIPTORS[0])
    if not path.exists():
        raise _unreadable(path.name, "there is no such file or folder", "a data package")
    if path.suffix.lower() not in (".json", *YAML):
        raise _unreadable(path.name, "this is no data package", "a folder, a datapackage.json or .yaml, or a .zip")
    return path


def _unreadable(file: str, message: str, expected: str) -> PackageError:
    return PackageError(Problem("unreadable-package", message, file=file, expected=expected))


def _extracted(archive: Path, target: Path) -> Path:
    """The folder that holds the descriptor, after unpacking: at the root of the archive or one level down."""
    try:
        with zipfile.ZipFile(archive) as zipped:
            _refuse_unsafe(archive.name, zipped)
            zipped.extractall(target)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise _unreadable(archive.name, f"the archive cannot be read: {error}", "a whole, plain zip file") from None
    folders = [target, *sorted(entry for entry in target.iterdir() if entry.is_dir())]
    found = [folder for folder in folders if any((folder / name).is_file() for name in DESCRIPTORS)]
    if found[:1] != [target] and len(found) != 1:
        what = f"the archive holds {'several packages' if found else 'no descriptor'}"
        raise _unreadable(archive.name, what, f"{DESCRIPTORS[0]} at its root or in its one folder")
    return found[0]


def _refuse_unsafe(name: str, zipped: zipfile.ZipFile) -> None:
    """zipfile itself reads no more of an entry than its declared size, so declared sizes can be trusted."""
    entries = zipped.infolist()
    size = sum(entry.file_size for entry in entries)
    if size > LARGEST_ARCHIVE or len(entries) > MOST_ENTRIES:
        limit = f"at most {LARGEST_ARCHIVE} bytes in {MOST_ENTRIES} files"
        raise _unreadable(name, f"unpacks to {size} bytes in {len(entries)} files", limit)
    for entry in entries:
        parts = PurePosixPath(entry.filename.replace("\\", "/")).parts
        if ".." in parts or entry.filename.startswith(("/", "\\")) or ":" in parts[0]:
            raise _unreadable(name, f'the entry "{entry.filename}" leads out of the archive', "paths inside it")
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise _unreadable(name, f'the entry "{entry.filename}" is a link', "plain files and folders")


def _source(path: Path, scratch: Path) -> Source:
    folder = path.parent
    raw = _loaded(path, path.name)
    entries = raw.get("resources") if isinstance(raw, Mapping) else None
    if not isinstance(entries, list) or not entries:
        raise _unreadable(path.name, "the descriptor names no resources", "a list of at least one resource")
    v2 = lifting.is_v2(raw)
    resources: list[JSON] = []
    problems: list[Problem] = []
    names: list[str] = []
    joined: dict[str, Joined] = {}
    for position, entry in enumerate(entries, 1):
        try:
            if not isinstance(entry, Mapping):
                raise _unreadable(path.name, f"resource {position} is no object", "a resource with name and path")
            lifted = lifting.resource(entry, position)
            names.append(str(lifted["name"]))
            resource = _resource(lifted, folder, path.name, v2)
            if len(paths(resource)) > 1 and lifting.format_of(resource) in ("csv", "tsv"):
                whole = scratch / f"joined-{position}.csv"
                joined[resource["name"]] = (whole, _join(resource, folder, whole))
            resources.append(_with_schema(resource, folder, joined))
        except PackageError as error:
            problems += error.problems
    try:
        package = descriptor.package({**lifting.package(raw), "resources": resources})
    except (KeyError, TypeError, AttributeError) as error:
        raise _unreadable(path.name, f"the descriptor is not well formed ({error})", "a Data Package") from None
    return Source(package, folder, path, tuple(names), _also_declared(entries), joined, tuple(problems))


def _also_declared(entries: list[JSON]) -> tuple[str, ...]:
    """The files of schemas and dialects."""
    named = [entry.get(key) for entry in entries if isinstance(entry, Mapping) for key in ("schema", "dialect")]
    return tuple(path for path in named if isinstance(path, str))


def _loaded(path: Path, name: str) -> JSON:
    """A JSON or YAML file; JSON is strict, and YAML's dates stay text."""
    if path.stat().st_size > LARGEST_DESCRIPTOR:
        raise _unreadable(name, "the file is too large", f"at most {LARGEST_DESCRIPTOR} bytes")
    is_yaml = path.suffix.lower() in YAML
    try:
        text = path.read_text("utf-8-sig")
        if is_yaml:
            return yaml.load(text, Loader=_PlainLoader)  # noqa: S506 (a SafeLoader)
        return json.loads(text, parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        raise _unreadable(name, "the file is not UTF-8", "UTF-8") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise _unreadable(name, f"the file is no JSON: {error.msg} at {where}", "a whole JSON document") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        what = " ".join(str(error).split())
        kind = "YAML" if is_yaml else "JSON"
        raise _unreadable(name, f"the file is no {kind}: {what}", f"a whole {kind} document") from None


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON value")


class _PlainLoader(yaml.SafeLoader):
    """YAML without dates: a version or a day is text in a descriptor."""


_PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _resource(resource: dict[str, JSON], folder: Path, file: str, v2: bool) -> dict[str, JSON]:
    """A resource whose files exist, with schema and dialect read in."""
    name = resource["name"]
    if not isinstance(name, str) or not name:
        raise _unreadable(file, f"a resource has the name {name!r}", "a name in words")
    if ("path" in resource) == ("data" in resource):
        raise PackageError(_flaw(file, name, "the resource has neither path nor data, or both", "either path or data"))
    for path in paths(resource):
        _local(folder, path, file, name)
    for key in ("schema", "dialect"):
        if isinstance(resource.get(key), str):
            resource[key] = _loaded(_local(folder, resource[key], file, name), resource[key])
        if key in resource and not isinstance(resource[key], Mapping):
            raise PackageError(_flaw(file, name, f"the {key} is no object", f"a {key} as an object"))
    if "schema" in resource:
        resource["schema"] = _lifted_schema(resource["schema"], file, name, v2)
    if "dialect" in resource:
        resource["dialect"] = lifting.dialect(resource["dialect"])
    return resource


def _lifted_schema(schema: Mapping[str, JSON], file: str, name: str, v2: bool) -> JSON:
    fields = schema.get("fields")
    if not isinstance(fields, list) or not all(
        isinstance(f, Mapping) and isinstance(f.get("name"), str) for f in fields
    ):
        raise PackageError(_flaw(file, name, "the schema has no fields with names", "a list of fields"))
    try:
        return lifting.schema(schema, name, v2)
    except (TypeError, AttributeError) as error:
        raise PackageError(_flaw(file, name, f"the schema is not well formed ({error})", "a Table Schema")) from None


def _flaw(file: str, resource: str, message: str, expected: str) -> Problem:
    return Problem("descriptor", message, file=file, resource=resource, expected=expected)


def _local(folder: Path, path: JSON, file: str, resource: str) -> Path:
    """A file inside the package's folder, links followed."""
    if not isinstance(path, str) or not path:
        raise PackageError(_flaw(file, resource, f"the path {path!r} is no text", "a path inside the package"))
    if "://" in path:
        message = f'"{path}" is on the network, which is never read'
        raise PackageError(
            Problem("remote-file", message, file, resource, value=path, expected="a file of the package")
        )
    pure = PurePosixPath(path.replace("\\", "/"))
    found = folder / path
    if pure.is_absolute() or ".." in pure.parts or not found.resolve().is_relative_to(folder.resolve()):
        message = f'the path "{path}" leads out of the package'
        raise PackageError(Problem("unsafe-path", message, file, resource, value=path, expected="a path inside it"))
    if not found.is_file():
        message = f'the file "{path}" does not exist'
        raise PackageError(Problem("missing-file", message, file, resource, value=path, expected="an existing file"))
    return found


def _join(resource: Mapping[str, JSON], folder: Path, target: Path) -> tuple[Part, ...]:
    """Writes several files as one; a header repeated in later files is dropped (v1 and v2 leave open whether it is)."""
    parts: list[Part] = []
    header: bytes | None = None
    line = 1
    with target.open("wb") as out:
        for path in paths(resource):
            skipped = 0
            with byte_stream(folder / path, lifting.compression_of({"path": path})) as stream:
                for number, text in enumerate(stream):
                    text = text.removeprefix(codecs.BOM_UTF8) if not number and header is not None else text
                    bare = text.removeprefix(codecs.BOM_UTF8).rstrip(b"\r\n")
                    if not number and header is not None and bare == header:
                        skipped = 1
                        continue
                    if header is None:
                        header = bare
                    if number == skipped:
                        parts.append(Part(path, line, skipped))
                    out.write(text if text.endswith((b"\n", b"\r")) else text + b"\n")
                    line += 1
    return tuple(parts)


def _with_schema(
    resource: dict[str, JSON], folder: Path, joined: Mapping[str, Joined]
) -> dict[str, JSON]:
    """A table with its schema and delimiter, inferred where the descriptor is silent; other resources as they are."""
    format = lifting.format_of(resource)
    inline = isinstance(resource.get("data"), list)
    told = resource.get("type") == "table" or descriptor.is_table(resource)
    if not (told or inline or format in TABULAR):
        return resource
    if format in ("csv", "tsv"):
        dialect = dict(resource.get("dialect") or {})
        dialect.setdefault("delimiter", "\t" if format == "tsv" else _delimiter(resource, folder))
        resource = {**resource, "dialect": dialect}
    if descriptor.is_table(resource):
        return {**resource, "type": "table"}
    try:
        return {**resource, "type": "table", "schema": _inferred(resource, folder, joined)}
    except (frictionless.FrictionlessException, csv.Error, OSError, EOFError, ValueError, AssertionError) as error:
        if told:
            message = f"the table cannot be read: {error}"
            file = (paths(resource) or (DESCRIPTORS[0],))[0]
            raise PackageError(Problem("unreadable-table", message, file, str(resource["name"]))) from None
        return resource


def _delimiter(resource: Mapping[str, JSON], folder: Path) -> str:
    """A comma, as the standard says, unless the first line has none and has another delimiter."""
    try:
        path = folder / paths(resource)[0]
        with byte_stream(path, lifting.compression_of(resource), resource.get("innerpath")) as stream:
            line = stream.readline(65536).decode(resource.get("encoding") or "utf-8", "replace")
    except (OSError, EOFError, LookupError, zipfile.BadZipFile, lzma.LZMAError, KeyError, IndexError):
        return ","
    if "," in line:
        return ","
    return max(",;\t|", key=line.count)


def _inferred(resource: dict[str, JSON], folder: Path, joined: Mapping[str, Joined]) -> JSON:
    """A schema that fits every row: frictionless infers from a sample, and what the rest contradicts becomes text."""
    source = Source(descriptor.package({}), folder, folder / DESCRIPTORS[0], joined=joined)
    opened = table_resource(source, resource)
    with opened:
        fields = [{"name": field.name, "type": field.type} for field in opened.schema.fields]
    if not fields:
        raise ValueError("no columns")
    table = descriptor.table({**resource, "schema": {"fields": fields}})
    readers = {field.name: values.kind(field).read for field in table.fields if field.type not in ("string", "any")}
    for _, row in rows(source, table):
        for name, read in list(readers.items()):
            if row[name] is not None and not _fits(read, str(row[name])):
                table.field(name).descriptor["type"] = "string"  # type: ignore[index]
                del readers[name]
    return {"fields": fields, "missingValues": [""]}


def _fits(read: Callable[[str], Any], text: str) -> bool:
    """Whether a value is of a type; a code with leading zeros is none, since as a number it would lose them."""
    digits = text.lstrip("+-")
    if len(digits) > 1 and digits[0] == "0" and digits[1].isdigit():
        return False
    try:
        read(text)
    except ValueError:
        return False
    return True


