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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from api import package
from api.editing.drafting import now
from api.editing.format import DELIMITERS
from api.editing.relating import Plain, keys
from api.model import csv_lines, types
from api.model.descriptor import Table
from api.model.errors import LanternError
from api.model.files import DESCRIPTOR, README
from api.package import PackageError, Source, guessing, open_source, upgrade
from api.package.opening import DESCRIPTORS
from api.release.descriptions import templates
from api.store import manifest

JSON = Any
VERSION = "0.1.0"
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# What stands for no value in a column that would otherwise hold numbers, dates and the like.
MISSING = frozenset(["NA", "N/A", "n/a", "na", "#N/A", "null", "NULL", "None", "nan", "NaN", "-", "--", "–", ".", ".."])


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
        titles = _give(files, given, encoding, header)
        with _opened(given) as source:
            yield from (finding.text() for finding in source.findings)
            rows = {table.name: _rows(source, table) for table in source.package.tables}
            yield from (line for table in source.package.tables for line in _converted(source, table))
            yield from (line for table in source.package.tables for line in _doubts(table, header))
            tables = [_plain(source, table, Path(scratch)) for table in source.package.tables]
            found = keys(tables)
            tables = [replace(table, schema={**table.schema, **found[table.name]}) for table in tables]
            for table in tables:
                shutil.copyfile(table.path, made / _path(table))
        described = _described(target, tables, titles)
        (made / DESCRIPTOR).write_text(manifest.dump(described), encoding="utf-8", newline="\n")
        readme = templates.render("new/README.md", package=described)
        (made / README).write_text(readme, encoding="utf-8", newline="\n")
        report = package.validate(made / DESCRIPTOR)
        if not report.valid:
            raise NotCreated(report.text())
        target.mkdir(parents=True, exist_ok=True)
        for name in ("data", README, DESCRIPTOR):
            shutil.move(made / name, target / name)
    yield from (_summary(table, rows[table.name]) for table in tables)


# What is given


def _give(files: Sequence[Path], folder: Path, encoding: str, header: bool) -> Mapping[str, str]:
    """Write into a folder the files, with a descriptor that names them; the title of each resource, by its name."""
    resources: dict[str, dict[str, JSON]] = {}
    titles: dict[str, str] = {}
    for file in files:
        stem = file.name.split(".")[0] or file.name
        name = next(name for name in _numbered(slug(stem) or "table", "{0}-{1}") if name not in resources)
        path = next(path for path in _numbered(file.name, "{1}/{0}") if not (folder / path).exists())
        (folder / path).parent.mkdir(exist_ok=True)
        shutil.copyfile(file, folder / path)
        titles[name] = title_of(stem)
        resource = resources[name] = {"name": name, "type": "table", "path": path}
        if written := encoding or _marked(file, resource):
            resource["encoding"] = written
        if not header:
            resource["dialect"] = {"header": False}
    described = {"$schema": upgrade.PACKAGE, "resources": [*resources.values()]}
    (folder / DESCRIPTOR).write_text(manifest.dump(described), encoding="utf-8")
    return titles


def _numbered(name: str, form: str) -> Iterator[str]:
    yield name
    yield from (form.format(name, number) for number in count(2))


def _marked(file: Path, resource: Mapping[str, JSON]) -> str:
    """The encoding that a byte order mark names, but for UTF-8's."""
    if upgrade.format_of(resource) not in upgrade.TABULAR or upgrade.compression_of(resource):
        return ""
    with file.open("rb") as stream:
        return "utf-16" if stream.read(2) in UTF16 else ""


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
                raise NotCreated(f"{path}:{line}: the row has {len(row)} cells (expected: {len(table.fields)})")
    return number - 1


def _converted(source: Source, table: Table) -> Iterator[str]:
    """A line for a file that was not plain CSV."""
    format, encoding = upgrade.format_of(table.descriptor), upgrade.encoding(table.descriptor)
    delimiter = (table.descriptor.get("dialect") or {}).get("delimiter", ",")
    done = [f"{format.upper()} made CSV"] if format not in upgrade.TABULAR else []
    done += [f"{DELIMITERS[delimiter]} made commas"] if delimiter != "," else []
    done += [f"{encoding} made UTF-8"] if encoding.lower() not in ("utf-8", "utf8") else []
    if done:
        yield f"{source.file(table)}: {', '.join(done)}"


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


# What is made


def slug(text: str) -> str:
    """A text as a name: lower case, without accents, hyphens for all but letters, digits and underscores."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return re.sub(r"\W+", "-", plain.lower()).strip("-_")


def title_of(name: str) -> str:
    """A name as a title: unit_price, unit-price and unitPrice are "Unit price" and "Unit Price"."""
    words = " ".join(re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[_\s-]+", " ", name).split()) or name
    return words[0].upper() + words[1:]


def _plain(source: Source, table: Table, scratch: Path) -> Plain:
    """A table with its types: text that is a number, a date and the like but for words for no value gets that type."""
    plain, schema = source.ready[table.name], dict(table.schema)
    words = _words(plain, [field.name for field in table.fields if field.type in ("string", "any")])
    if words:
        sifted = scratch / "sifted.csv"
        _sift(plain, sifted, words)
        typed = {field["name"]: field for field in guessing.schema(sifted)["fields"] if field["type"] != "string"}
        schema["fields"] = [typed.get(field["name"], field) for field in schema["fields"]]
        schema = _with_missing(schema, words, typed)
    fields = []
    for field in schema["fields"]:
        title = title_of(field["name"])
        fields.append({"name": field["name"], **({"title": title} if title != field["name"] else {}), **field})
    return Plain(table.name, {**schema, "fields": fields}, plain)


def _words(plain: Path, names: Sequence[str]) -> dict[str, set[str]]:
    """Which words for no value some columns hold, of those that hold any."""
    found: dict[str, set[str]] = {}
    with plain.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        header = next(rows)
        places = [(header.index(name), name) for name in names]
        for row in rows if places else ():
            for place, name in places:
                if row[place] in MISSING:
                    found.setdefault(name, set()).add(row[place])
    return found


def _sift(plain: Path, target: Path, names: Sequence[str] | Mapping[str, Any]) -> None:
    """Write some columns of a table, with empty cells in the place of words for no value."""
    with plain.open(encoding="utf-8", newline="") as file, target.open("w", encoding="utf-8", newline="") as out:
        rows = csv.reader(file)
        header = next(rows)
        places = [header.index(name) for name in names]
        csv_lines.write(out, [[*names]])
        csv_lines.write(out, (["" if row[place] in MISSING else row[place] for place in places] for row in rows))


def _with_missing(schema: JSON, words: Mapping[str, set[str]], typed: Mapping[str, JSON]) -> JSON:
    """A schema whose typed fields have their words for no value: for all fields, unless another holds one as text."""
    wanted = sorted({word for name in typed for word in words[name]})
    if not any(words[name] & {*wanted} for name in words.keys() - typed.keys()):
        return {**schema, "missingValues": ["", *wanted]}
    fields = schema["fields"]
    own = {name: {"missingValues": ["", *sorted(words[name])]} for name in typed}
    return {**schema, "fields": [{**field, **own.get(field["name"], {})} for field in fields]}


def _path(table: Plain) -> str:
    return f"data/{table.name}.csv"


def _described(target: Path, tables: Sequence[Plain], titles: Mapping[str, str]) -> dict[str, JSON]:
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
