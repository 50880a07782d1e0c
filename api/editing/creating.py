"""Makes a data package of data files: each table as plain CSV, with a schema that a person can correct, and a README.

Types are those of api.package.guessing, keys those of api.editing.relating. What is made is validated before it is put
in place, and nothing that is there is replaced.
"""

import codecs
import csv
import re
import shutil
import tempfile
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from api import package
from api.editing.describing import described, title_of
from api.editing.drafting import now
from api.editing.extracting import extract
from api.editing.relating import Plain, keys
from api.model import types
from api.model.descriptor import AS_FILE, Table
from api.model.errors import LanternError
from api.model.files import DESCRIPTOR, README
from api.package import PackageError, Source, open_source, upgrade
from api.package.descriptors import DESCRIPTORS
from api.package.tables import READ, BadTable, Given, sheets
from api.package.tables.delimited import DELIMITERS
from api.release.descriptions import templates
from api.store import manifest

JSON = Any
VERSION = "0.1.0"
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class NotCreated(LanternError):
    """A package that cannot be made; the message says why, and nothing was left behind."""


def create(files: Sequence[Path], target: Path, encoding: str = "", header: bool = True) -> Iterator[str]:
    """Make a package of data files in the folder `target`; what was made and noticed, a line each.

    `encoding` is that of all text files (empty: UTF-8, or what a byte order mark says); without `header` their first
    row is data. Raises NotCreated or PackageError for what cannot be read as tables, and for a folder that holds a
    package already.
    """
    for name in (*DESCRIPTORS, README, "data"):
        if (target / name).exists():
            raise NotCreated(f"{target / name} is there already and is not replaced: name another folder (--into)")
    with tempfile.TemporaryDirectory(prefix="lantern-") as scratch:
        given, made = Path(scratch) / "given", Path(scratch) / "made"
        given.mkdir()
        (made / "data").mkdir(parents=True)
        said: list[str] = []
        titles = _give(files, given, encoding, header, said.append)
        yield from said
        with _opened(given) as source:
            if files_only := [r for r in source.package.descriptor["resources"] if r.get(AS_FILE) is False]:
                known = ", ".join(format for format in READ if format != "inline")
                raise NotCreated(f"{_name(files_only[0]['path'])} is no table that can be read (expected: {known})")
            # What separates cells is said below: `made commas`.
            yield from (finding.text() for finding in source.findings if finding.type != "delimiter")
            rows = {table.name: _rows(source, table) for table in source.package.tables}
            yield from (line for table in source.package.tables for line in _converted(source, table))
            yield from (line for table in source.package.tables for line in _doubts(table, header))
            tables = [
                Plain(table.name, described(table, source.ready[table.name], Path(scratch)), source.ready[table.name])
                for table in source.package.tables
            ]
            found = keys(tables)
            tables = [replace(table, schema={**table.schema, **found[table.name]}) for table in tables]
            for table in tables:
                shutil.copyfile(table.path, made / _path(table))
        descriptor = _descriptor(target, tables, titles)
        (made / DESCRIPTOR).write_text(manifest.dump(descriptor), encoding="utf-8", newline="\n")
        readme = templates.render("new/README.md", package=descriptor)
        (made / README).write_text(readme, encoding="utf-8", newline="\n")
        report = package.validate(made / DESCRIPTOR)
        if not report.valid:
            raise NotCreated(report.text())
        target.mkdir(parents=True, exist_ok=True)
        for name in ("data", README, DESCRIPTOR):
            shutil.move(made / name, target / name)
    yield from (_summary(table, rows[table.name]) for table in tables)


# What is given


def _give(
    files: Sequence[Path], folder: Path, encoding: str, header: bool, say: Callable[[str], None]
) -> Mapping[str, str]:
    """Write into a folder the files, with a descriptor that names them; the title of each resource, by its name."""
    resources: dict[str, dict[str, JSON]] = {}
    titles: dict[str, str] = {}

    def add(file: Path, title: str, own: Mapping[str, JSON]) -> None:
        name = next(name for name in _numbered(slug(title) or "table", "{0}-{1}") if name not in resources)
        path = next(p for p in _numbered(file.name, "{1}/{0}") if p != DESCRIPTOR and not (folder / p).exists())
        (folder / path).parent.mkdir(exist_ok=True)
        shutil.copyfile(file, folder / path)
        titles[name] = title_of(title)
        resources[name] = {"name": name, "type": "table", "path": path, **own}

    for file in files:
        dialect: dict[str, JSON] = {} if header else {"header": False}
        format = upgrade.format_of({"path": file.name})
        with tempfile.TemporaryDirectory(prefix="lantern-") as scratch:
            extracted = extract(file, Path(scratch), say)
            for part in extracted:
                add(part, stem_of(part), {})
        if format in sheets.FORMATS:
            for sheet, title in _sheets(file).items():
                add(file, title, {"dialect": {**dialect, "sheetName": sheet}})
        elif not extracted:
            encoded = {"encoding": encoding or _marked(file)} if format in upgrade.TABULAR else {}
            add(file, stem_of(file), {**encoded, "dialect": dialect})
    described = {"$schema": upgrade.PACKAGE, "resources": [*resources.values()]}
    (folder / DESCRIPTOR).write_text(manifest.dump(described), encoding="utf-8")
    return titles


def _sheets(file: Path) -> dict[str, str]:
    """The sheets of a spreadsheet that have a value, with titles. Raises NotCreated for a file that is none."""
    try:
        names = sheets.filled(Given({"name": file.name, "path": file.name}, file.parent, DESCRIPTOR))
    except BadTable as error:
        raise NotCreated("\n".join(finding.text() for finding in error.findings)) from error
    if not names:
        raise NotCreated(f"{file.name} has no sheet with a value")
    return {name: stem_of(file) if len(names) == 1 else f"{stem_of(file)} {name}" for name in names}


def _numbered(name: str, form: str) -> Iterator[str]:
    yield name
    yield from (form.format(name, number) for number in count(2))


def _marked(file: Path) -> str:
    """The encoding that a byte order mark names, UTF-8 without one."""
    with file.open("rb") as stream:
        return "utf-16" if stream.read(2) in UTF16 else "utf-8"


@contextmanager
def _opened(folder: Path) -> Iterator[Source]:
    """The files as an opened package. Raises PackageError for a table that cannot be read."""
    try:
        with open_source(folder / DESCRIPTOR) as source:
            yield source
    except PackageError as error:
        if all(finding.type != "encoding" for finding in error.findings):
            raise
        hint = "--encoding names another, such as windows-1252 (Excel in Western Europe) or cp1251 (Cyrillic)"
        raise NotCreated(f"{error}\n{hint}") from None


def _rows(source: Source, table: Table) -> int:
    """How many rows a table has. Raises NotCreated for a row that has not as many cells as the header."""
    with source.ready[table.name].open(encoding="utf-8", newline="") as file:
        number = 1
        for number, row in enumerate(csv.reader(file), 1):
            if len(row) != len(table.fields):
                path, line = source.places(table, {number})[number]
                cells = f"{len(row)} {'cell' if len(row) == 1 else 'cells'}"
                raise NotCreated(f"{path}:{line}: the row has {cells} (expected: {len(table.fields)}, as the header)")
    return number - 1


def _converted(source: Source, table: Table) -> Iterator[str]:
    """A line for a file that was not plain CSV."""
    format, encoding = upgrade.format_of(table.descriptor), upgrade.encoding(table.descriptor)
    delimiter = (table.descriptor.get("dialect") or {}).get("delimiter", ",")
    done = [f"{format.upper()} made CSV"] if format not in upgrade.TABULAR else []
    done += [f"{DELIMITERS[delimiter]} made commas"] if delimiter != "," else []
    done += [f"{encoding} made UTF-8"] if encoding.lower() not in ("utf-8", "utf8") else []
    if done:
        yield f"{_name(source.file(table))}: {', '.join(done)}"


def _doubts(table: Table, header: bool) -> Iterator[str]:
    """A line for a header that looks like a row; years and numbers of columns are usual names."""
    values = [
        field.name
        for field in table.fields
        if field.type not in ("string", "any") and types.expectation(types.kind(field).read, field.name) is None
    ]
    if header and not all(re.fullmatch(r"[12]\d{3}|\d{1,2}", value) for value in values):
        listed = ", ".join(values[:3])
        yield f"{table.name}: the first row was read as the header, and has values ({listed}): is --no-header right?"


def _name(path: str) -> str:
    """What a file was called that was given; one of several sheets was copied to a folder of its own."""
    return path.rpartition("/")[2]


# What is made


def stem_of(file: Path) -> str:
    """A file's name without what says how it is written: sales.2024 for sales.2024.csv.gz."""
    return (file.with_suffix("") if file.suffix.lower() in upgrade.COMPRESSIONS else file).stem


def slug(text: str) -> str:
    """A text as a name: lower case, without accents, hyphens for all but letters, digits and underscores."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return re.sub(r"\W+", "-", plain.lower()).strip("-_")


def _path(table: Plain) -> str:
    return f"data/{table.name}.csv"


def _descriptor(target: Path, tables: Sequence[Plain], titles: Mapping[str, str]) -> dict[str, JSON]:
    """The descriptor, without a licence: only its publisher can name one."""
    own = target.resolve().name
    resources = [
        {
            **{"name": table.name, "type": "table", "title": titles[table.name], "path": _path(table)},
            **{"format": "csv", "mediatype": "text/csv", "encoding": "utf-8", "schema": table.schema},
        }
        for table in tables
    ]
    return {
        **{"$schema": upgrade.PACKAGE, "name": slug(own) or tables[0].name, "title": title_of(own)},
        **{"version": VERSION, "created": now(), "resources": resources},
    }


def _summary(table: Plain, rows: int) -> str:
    """A table in one line, with what a person should look at: its fields with their types, keys and missing values."""
    fields = ", ".join(f"{name} ({type})" for name, type in [*table.types.items()][:10])
    more = f" and {len(table.types) - 10} more" if len(table.types) > 10 else ""
    parts = [f"{_path(table)}: {rows} {'row' if rows == 1 else 'rows'}; {fields}{more}"]
    parts += [f"key {name}" for name in table.schema.get("primaryKey", [])]
    for key in table.schema.get("foreignKeys", []):
        parts.append(f"{key['fields'][0]} is a key of {key['reference']['resource']}")
    words = dict.fromkeys(word for name in table.types for word in sorted(table.missing(name)) if word)
    parts += [f"no value where it says {' or '.join(words)}"] if words else []
    return "; ".join(parts)
