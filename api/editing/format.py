"""Puts the CSV files of a package into the one form that differences are easy to read in, whatever program saved them.

UTF-8 without a mark, LF, commas, quotes only where they must stand, columns as the schema has them, rows in the order
of the key. It reads what spreadsheets save: a byte order mark, UTF-16, CRLF, semicolons or tabs, quotes everywhere,
blank lines and empty columns at the end. What cannot be read without guessing is refused and left as it is; no cell is
ever lost, which is checked before a file is replaced.
"""

import codecs
import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from api.model import types
from api.model.descriptor import Table
from api.package import Source, open_source, upgrade
from api.package.reading import encoding, paths
from api.package.writing import PLAIN_DIALECT
from api.store import atomic_files

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
Rows = list[list[str]]


class NotTidy(Exception):
    """A file that cannot be read without guessing; it was left as it is."""


@dataclass(frozen=True)
class Tidied:
    """What was done to a file: `done` names the changes, `wrong` says why nothing was."""

    path: str
    done: tuple[str, ...] = ()
    wrong: str = ""


def tidy(path: Path, write: bool = True) -> Iterator[Tidied]:
    """Put every CSV file of a package into form; what was done to each that was not. Raises PackageError."""
    with open_source(path) as source:
        for table in source.package.tables:
            if upgrade.format_of(table.descriptor) == "csv":
                yield from _tidy(source, table, write)


def _tidy(source: Source, table: Table, write: bool) -> Iterator[Tidied]:
    own = paths(table.descriptor)
    if len(own) != 1 or upgrade.compression_of(table.descriptor) or _own_way(source.descriptor_path, table):
        why = "it is compressed, in parts, or has a dialect of its own"
        yield Tidied(", ".join(own), wrong=f"left as it is: {why}")
        return
    file = source.folder / own[0]
    raw = file.read_bytes()
    try:
        data, done = tidied(raw, table)
    except NotTidy as error:
        yield Tidied(own[0], wrong=str(error))
        return
    if data != raw:
        if write:
            atomic_files.write(file, data, file.stat().st_mode & 0o777)
        yield Tidied(own[0], tuple(done) or ("quotes removed where none are needed",))


def _own_way(descriptor: Path, table: Table) -> bool:
    """Whether the descriptor says that the file is written otherwise than as everybody reads CSV."""
    text = descriptor.read_text(encoding="utf-8-sig")
    said = json.loads(text) if descriptor.suffix == ".json" else yaml.safe_load(text)
    entries = [entry for entry in said["resources"] if entry.get("name") == table.name]
    dialect = table.descriptor.get("dialect") or {}
    plain = all(PLAIN_DIALECT.get(key, value) == value for key, value in dialect.items() if key != "delimiter")
    told = any(entry.get("dialect") for entry in entries) and dialect.get("delimiter", ",") != ","
    return told or not plain or codecs.lookup(encoding(table.descriptor)).name != "utf-8"


def tidied(raw: bytes, table: Table) -> tuple[bytes, list[str]]:
    """A file's bytes in form, and what was changed. Raises NotTidy."""
    text, done = _decoded(raw)
    rows = _parsed(text, table, done)
    before = Counter(map(tuple, rows[1:]))
    names = [field.name for field in table.fields]
    rows = _in_columns(rows, names, done)
    rows[1:] = _in_order(rows[1:], table, done)
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows(rows)
    again = [*csv.reader(io.StringIO(out.getvalue(), newline=""))]
    cells = Counter(cell for row in again[1:] for cell in row)
    if again != rows or cells != Counter(cell for row, count in before.items() for cell in row * count):
        raise NotTidy("its cells would not all come through: nothing was written")
    return out.getvalue().encode(), done


def _decoded(raw: bytes) -> tuple[str, list[str]]:
    """The text of a file. Raises NotTidy for an encoding that cannot be told."""
    done = []
    name = "utf-8"
    if raw.startswith(codecs.BOM_UTF8):
        name, done = "utf-8-sig", ["byte order mark removed"]
    elif raw.startswith(UTF16):
        name, done = "utf-16", ["UTF-16 made UTF-8"]
    try:
        text = raw.decode(name)
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        near = raw[max(0, error.start - 12) : error.start + 12].decode("latin-1")
        message = f'line {line} is not UTF-8, near {near!r}: save it as "CSV UTF-8", or convert it'
        raise NotTidy(message) from None
    if "\x00" in text:
        raise NotTidy("it holds null characters: it is no CSV, or UTF-16 without a mark")
    if "\r" in text:
        done.append("line ends made LF")
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text, done


def _parsed(text: str, table: Table, done: list[str]) -> Rows:
    """The rows of a file, its header first. Raises NotTidy."""
    names = [field.name for field in table.fields]
    lines = text.split("\n", 1)
    if lines[0].lower().startswith("sep=") and len(lines[0]) == 5:
        text = lines[1] if len(lines) > 1 else ""
        done.append(f"line {lines[0]!r} removed")
    found = {delimiter: _header(text, delimiter) for delimiter in DELIMITERS}
    fits = [delimiter for delimiter, header in found.items() if sorted(header) == sorted(names)]
    if not fits:
        seen = max(found.values(), key=len)
        raise NotTidy(_mismatch(names, seen))
    delimiter = fits[0]
    if delimiter != "," and len(names) > 1:
        done.append(f"{DELIMITERS[delimiter]} made commas")
    try:
        rows = [*csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)]
    except csv.Error as error:
        raise NotTidy(f"it cannot be read as CSV: {error}") from None
    return [*_even(rows, len(names), done)]


def _header(text: str, delimiter: str) -> list[str]:
    """The names in the first line, without what a spreadsheet puts around them."""
    first = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])
    while first and not first[-1].strip():
        first = first[:-1]
    return [name.strip() for name in first]


def _mismatch(names: Sequence[str], seen: Sequence[str]) -> str:
    missing = [name for name in names if name not in seen]
    unknown = [name for name in seen if name not in names]
    parts = [f"{word} {', '.join(map(repr, found))}" for word, found in (("lacks", missing), ("has", unknown)) if found]
    return f"its header is not that of the schema: it {' and '.join(parts) or 'names a field twice'}"


def _even(rows: Rows, width: int, done: list[str]) -> Iterator[list[str]]:
    """Rows of one width: blank lines and empty cells beyond the last column go. Raises NotTidy for others."""
    blank = padded = 0
    for number, row in enumerate(rows, 1):
        if not row or (width > 1 and not any(row)):
            blank += 1
            continue
        if len(row) != width:
            if len(row) < width or any(cell.strip() for cell in row[width:]):
                raise NotTidy(f"row {number} has {len(row)} cells, expected {width}")
            padded += 1
        yield [cell.strip() for cell in row[:width]] if number == 1 else row[:width]
    done += [f"{blank} blank lines removed"] if blank else []
    done += ["empty columns at the end removed"] if padded else []


def _in_columns(rows: Rows, names: list[str], done: list[str]) -> Rows:
    """The columns in the order of the schema."""
    if rows[0] == names:
        return rows
    places = [rows[0].index(name) for name in names]
    done.append("columns put in the order of the schema")
    return [[row[place] for place in places] for row in rows]


def _in_order(rows: Rows, table: Table, done: list[str]) -> Rows:
    """The rows in the order of the primary key, compared as validation compares it."""
    kinds = [(table.index[name], types.kind(table.field(name)).read) for name in table.primary_key]
    if not kinds:
        return rows
    try:
        keys = [tuple([read(row[place]) for place, read in kinds]) for row in rows]
        order = sorted(range(len(rows)), key=keys.__getitem__)
    except (ValueError, TypeError):
        done.append("not sorted: a key cannot be read")
        return rows
    moved = sum(place != now for now, place in enumerate(order))
    done += ["rows sorted by key"] if moved else []
    return [rows[place] for place in order]
