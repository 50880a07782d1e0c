"""Opens data packages wherever they come from, writes their tables as plain CSV, and validates them.

Together with api.checks the only importer of frictionless.
"""

import bz2
import codecs
import csv
import gzip
import hashlib
import json
import lzma
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import IO, Any

import frictionless
import yaml

from api import descriptor, lifting, values
from api.descriptor import Field, Package, Table
from api.report import Problem

JSON = Any
DESCRIPTORS = ("datapackage.json", "datapackage.yaml", "datapackage.yml")
YAML = (".yaml", ".yml")
TABULAR = ("csv", "tsv", "xlsx", "xls", "ods", "parquet")
LARGEST_ARCHIVE = 16 * 2**30
MOST_ENTRIES = 100_000
LARGEST_DESCRIPTOR = 64 * 2**20
PLAIN_DIALECT: Mapping[str, JSON] = {
    "delimiter": ",",
    "quoteChar": '"',
    "doubleQuote": True,
    "header": True,
    "headerRows": [1],
    "lineTerminator": None,  # a reader of CSV takes LF and CRLF alike
    "skipInitialSpace": False,
}
BY_NAME = ("equal", "subset", "superset", "partial")
FED_TO_FRICTIONLESS = ("name", "path", "data", "innerpath", "hash", "bytes", "rows", "fields")
FED_OF_FIELDS = (
    *("name", "type", "format", "constraints", "missingValues", "trueValues", "falseValues"),
    *("bareNumber", "groupChar", "decimalChar", "floatNumber", "delimiter", "itemType"),
)


class PackageError(Exception):
    """A package that cannot be read; each problem names the file and what was expected."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(problem.text() for problem in problems))
        self.problems = problems


@dataclass(frozen=True)
class Part:
    """One file of a table that is kept in several: from which line of the joined file on, less which lines."""

    path: str
    first_line: int
    skipped: int


@dataclass(frozen=True)
class Source:
    """An opened package. `joined` holds the tables that are kept in several files, as one file each."""

    package: Package
    folder: Path
    descriptor_path: Path
    joined: Mapping[str, tuple[Path, tuple[Part, ...]]]
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class FileResource:
    """A resource that is no table: it is offered as it is."""

    name: str
    title: str
    description: str
    mediatype: str
    paths: tuple[Path, ...]
    relative: tuple[str, ...]


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


def files(source: Source) -> list[FileResource]:
    """The resources that are no tables and have a file."""
    return [
        FileResource(
            name=str(resource["name"]),
            title=str(resource.get("title") or resource["name"]),
            description=str(resource.get("description") or ""),
            mediatype=str(resource.get("mediatype") or ""),
            paths=tuple(source.folder / path for path in paths(resource)),
            relative=paths(resource),
        )
        for resource in source.package.descriptor["resources"]
        if not descriptor.is_table(resource) and paths(resource)
    ]


def paths(resource: Mapping[str, JSON]) -> tuple[str, ...]:
    """The files of a resource, relative to the package; none where its data stands in the descriptor."""
    path = resource.get("path")
    if path is None:
        return ()
    return tuple(path) if isinstance(path, list) else (str(path),)


# Opening


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
    joined: dict[str, tuple[Path, tuple[Part, ...]]] = {}
    for position, entry in enumerate(entries, 1):
        try:
            if not isinstance(entry, Mapping):
                raise _unreadable(path.name, f"resource {position} is no object", "a resource with name and path")
            resource = _resource(lifting.resource(entry, position), folder, path.name, v2)
            if len(paths(resource)) > 1 and lifting.format_of(resource) in ("csv", "tsv"):
                whole = scratch / f"joined-{position}.csv"
                joined[resource["name"]] = (whole, _join(resource, folder, whole))
            resources.append(_with_schema(resource, folder, joined))
        except PackageError as error:
            problems += error.problems
    lifted = {**lifting.package(raw), "resources": resources}
    try:
        package = descriptor.package(lifted)
    except (KeyError, TypeError, AttributeError) as error:
        raise _unreadable(path.name, f"the descriptor is not well formed ({error})", "a Data Package") from None
    return Source(package, folder, path, joined, tuple(problems))


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
            with _byte_stream(folder / path, lifting.compression_of({"path": path})) as stream:
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


@contextmanager
def _byte_stream(path: Path, compression: str, innerpath: str | None = None) -> Iterator[IO[bytes]]:
    if compression == "zip":
        with zipfile.ZipFile(path) as archive, archive.open(innerpath or archive.namelist()[0]) as stream:
            yield stream
        return
    openers: Mapping[str, Callable[[Path], Any]] = {"gz": gzip.open, "bz2": bz2.open, "xz": lzma.open}
    with openers.get(compression, lambda p: p.open("rb"))(path) as stream:
        yield stream


def _with_schema(
    resource: dict[str, JSON], folder: Path, joined: Mapping[str, tuple[Path, tuple[Part, ...]]]
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
        with _byte_stream(path, lifting.compression_of(resource), resource.get("innerpath")) as stream:
            line = stream.readline(65536).decode(resource.get("encoding") or "utf-8", "replace")
    except (OSError, EOFError, LookupError, zipfile.BadZipFile, lzma.LZMAError, KeyError, IndexError):
        return ","
    if "," in line:
        return ","
    return max(",;\t|", key=line.count)


def _inferred(resource: dict[str, JSON], folder: Path, joined: Mapping[str, tuple[Path, tuple[Part, ...]]]) -> JSON:
    """A schema that fits every row: frictionless infers from a sample, and what the rest contradicts becomes text."""
    source = Source(descriptor.package({}), folder, folder / DESCRIPTORS[0], joined, ())
    opened = _table_resource(source, resource)
    with opened:
        fields = [{"name": field.name, "type": field.type} for field in opened.schema.fields]
    if not fields:
        raise ValueError("no columns")
    table = descriptor.table({**resource, "schema": {"fields": fields}})
    readers = {field.name: values.kind(field).read for field in table.fields if field.type not in ("string", "any")}
    for row in rows(source, table):
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


# Reading


def _table_resource(source: Source, resource: Mapping[str, JSON], *others: Mapping[str, JSON]) -> Any:
    """A table as frictionless reads it, and the tables it refers to; nothing is left for frictionless to guess."""
    entries = [_fed(source, entry) for entry in (resource, *others)]
    package = frictionless.Package.from_descriptor(
        {"$schema": lifting.PACKAGE, "resources": entries}, basepath=str(source.folder)
    )
    for found in package.resources:
        if found.name in source.joined:
            found.basepath = str(source.joined[str(found.name)][0].parent)
    return package.get_table_resource(str(resource["name"]))


def _fed(source: Source, resource: Mapping[str, JSON]) -> dict[str, JSON]:
    name = str(resource["name"])
    format = lifting.format_of(resource)
    fed = {key: resource[key] for key in FED_TO_FRICTIONLESS if key in resource}
    fed |= {"type": "table", "format": format, "scheme": "" if format == "inline" else "file"}
    if name in source.joined:
        # What is written of several files' bytes and hash cannot mean the joined file.
        fed = {key: value for key, value in fed.items() if key not in ("hash", "bytes")}
        fed["path"] = source.joined[name][0].name
    elif lifting.compression_of(resource):
        fed["compression"] = lifting.compression_of(resource)
    if format != "inline":
        fed["encoding"] = resource.get("encoding") or "utf-8"
    fed["dialect"] = lifting.for_frictionless(resource.get("dialect") or {}, format)
    if descriptor.is_table(resource):
        fed["schema"] = resource["schema"]
    return fed


def cells(source: Source, table: Table) -> Iterator[tuple[int, list[str]]]:
    """Each row's number and cells as text, in the order of the schema's fields; never cast."""
    if table.descriptor.get("data") == []:
        return
    fields = [{key: f.descriptor[key] for key in ("name", "type") if key in f.descriptor} for f in table.fields]
    match = {key: table.schema[key] for key in ("fieldsMatch",) if key in table.schema}
    writers = [_writer(field, table.missing_values) for field in table.fields]
    plain = {key: value for key, value in table.descriptor.items() if key not in ("hash", "bytes", "rows", "fields")}
    with _table_resource(source, {**plain, "schema": {"fields": fields, **match}}) as opened:
        columns = _columns(table, opened.labels)
        for number, row in opened.dialect.read_enumerated_content_stream(opened.cell_stream):
            yield (
                number,
                [
                    write(row[column] if column is not None and column < len(row) else None)
                    for write, column in zip(writers, columns, strict=True)
                ],
            )


def _columns(table: Table, labels: Sequence[str]) -> list[int | None]:
    """Where each field stands in a row: by place, unless the schema matches fields by name."""
    if table.schema.get("fieldsMatch") not in BY_NAME:
        return list(range(len(table.fields)))
    places = {label: place for place, label in reversed(list(enumerate(labels)))}
    return [places.get(field.name) for field in table.fields]


def rows(source: Source, table: Table) -> Iterator[dict[str, str | None]]:
    """Each row as text by field name, missing values as None."""
    names = [field.name for field in table.fields]
    missing = frozenset(table.missing_values)
    for _, row in cells(source, table):
        yield {name: None if text in missing else text for name, text in zip(names, row, strict=True)}


def _writer(field: Field, missing_values: Sequence[str]) -> Callable[[Any], str]:
    """How a cell becomes text that api.values can read: text stays as it is."""
    empty = "" if "" in missing_values else next(iter(missing_values), "")
    true, false = (field.descriptor.get(key) for key in ("trueValues", "falseValues"))
    words = {True: (true or ["true"])[0], False: (false or ["false"])[0]}
    point = str(field.descriptor.get("decimalChar") or ".")
    pattern = field.format.removeprefix("fmt:")

    def write(cell: Any) -> str:
        if isinstance(cell, str):
            return cell
        if cell is None:
            return empty
        if isinstance(cell, bool):
            return str(words[cell])
        if isinstance(cell, int | float | Decimal):
            return _digits(cell).replace(".", point)
        if isinstance(cell, datetime | date | time):
            return _moment(cell, field.type, pattern)
        if field.type == "geopoint" and field.format == "default" and isinstance(cell, list):
            return ",".join(_digits(number) for number in cell)
        if field.type == "list" and isinstance(cell, list):
            return str(field.descriptor.get("delimiter") or ",").join(map(write, cell))
        return json.dumps(cell, ensure_ascii=False)

    return write


def _digits(number: Any) -> str:
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    return f"{Decimal(repr(number)):f}" if isinstance(number, float) else str(number)


def _moment(moment: date | time, type: str, pattern: str) -> str:
    """A spreadsheet has only moments, also where the field is a date."""
    if pattern not in ("default", "any"):
        return moment.strftime(pattern)
    if type == "date" and isinstance(moment, datetime):
        return moment.date().isoformat()
    return moment.isoformat()


# Writing


def write_csv(source: Source, table: Table, target: Path) -> None:
    """The table as UTF-8 CSV with the schema's field names: the file's own bytes where it is that already."""
    plain = _plain_file(source, table)
    if plain is not None:
        shutil.copyfile(plain, target)
        return
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([field.name for field in table.fields])
        writer.writerows(row for _, row in cells(source, table))


def _plain_file(source: Source, table: Table) -> Path | None:
    """The table's file, if its bytes can be published as they are."""
    resource = table.descriptor
    dialect = resource.get("dialect") or {}
    own = paths(resource)
    if len(own) != 1 or lifting.format_of(resource) != "csv" or lifting.compression_of(resource):
        return None
    if codecs.lookup(resource.get("encoding") or "utf-8").name != "utf-8":
        return None
    if any(
        PLAIN_DIALECT.get(key, value if key.startswith("$") else None) not in (value, None) or key not in PLAIN_DIALECT
        for key, value in dialect.items()
    ):
        return None
    path = source.folder / own[0]
    with path.open("rb") as raw:
        if raw.read(3) == codecs.BOM_UTF8:
            return None
    with path.open(encoding="utf-8", newline="") as file:
        header = next(csv.reader(file), [])
    return path if header == [field.name for field in table.fields] else None


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
