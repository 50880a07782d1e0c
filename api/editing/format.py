"""Puts the CSV files of a package into one form, in which differences are easy to read, whatever program saved them.

UTF-8 without a byte order mark, LF, commas, quotes only where they are needed, columns in the schema's order, rows in
the order of the key. It reads what spreadsheets save: a byte order mark, UTF-16, CRLF, semicolons or tabs, quotes
everywhere, blank lines and empty columns at the end, white space and invisible characters in keys and codes. A file
that cannot be read without guessing is refused and left as it is; no cell is ever lost, which is checked before a
file is replaced.
"""

import codecs
import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import yaml

from api.model import csv_lines, letters, types, white_space
from api.model.descriptor import Table
from api.package import PackageError, Source, opened, upgrade
from api.package.tables import delimited, encodings
from api.package.tables.delimited import DELIMITERS
from api.package.upgrade import encoding, paths
from api.store import atomic_files

UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
Rows = list[list[str]]


class Unclear(Exception):
    """A file that cannot be read without guessing; it was left as it is."""


@dataclass(frozen=True)
class Tidied:
    """What was done to a file: `done` names the changes, `reason` says why there are none."""

    path: str
    done: tuple[str, ...] = ()
    reason: str = ""


def tidy(path: Path, write: bool = True) -> Iterator[Tidied]:
    """Put every CSV file of a package into form; what was done to each that differed. Raises PackageError."""
    with opened(path) as source:
        unread = {table.name for table in source.unread}
        errors = [one for one in source.findings if one.level == "error" and one.resource not in unread]
        if errors:
            raise PackageError(*errors)
        for table in (*source.package.tables, *source.unread):
            if upgrade.format_of(table.descriptor) == "csv" and paths(table.descriptor):
                yield from _tidy(source, table, write)


def _tidy(source: Source, table: Table, write: bool) -> Iterator[Tidied]:
    own = paths(table.descriptor)
    try:
        if len(own) != 1 or upgrade.compression_of(table.descriptor) or _own_way(source.descriptor_path, table):
            raise Unclear("left as it is: it is compressed, in several parts, or has a dialect of its own")
        file = source.folder / own[0]
        raw = file.read_bytes()
        data, done = tidied(raw, table)
    except Unclear as error:
        yield Tidied(", ".join(own), reason=str(error))
        return
    if data != raw:
        if write:
            atomic_files.write(file, data, file.stat().st_mode & 0o777)
        yield Tidied(own[0], tuple(done) or ("quotes removed where none are needed",))


def _own_way(descriptor: Path, table: Table) -> bool:
    """Whether the descriptor says that the file is not plain CSV."""
    text = descriptor.read_text(encoding="utf-8-sig")
    raw = json.loads(text) if descriptor.suffix == ".json" else yaml.safe_load(text)
    entries = [entry for entry in raw["resources"] if entry.get("name") == table.name]
    dialect = table.descriptor.get("dialect") or {}
    plain = delimited.is_plain({key: value for key, value in dialect.items() if key != "delimiter"})
    own = any(entry.get("dialect") for entry in entries) and dialect.get("delimiter", ",") != ","
    name = encoding(table.descriptor)
    return own or not plain or not encodings.exists(name) or codecs.lookup(name).name != "utf-8"


def tidied(raw: bytes, table: Table) -> tuple[bytes, list[str]]:
    """A file's bytes in form, and what was changed. Raises Unclear."""
    text, done = _decoded(raw)
    rows = _cleaned(_parsed(text, table, done), table, done)
    before = Counter(chain.from_iterable(rows))
    names = [field.name for field in table.fields]
    if rows[0] != names:
        places = [rows[0].index(name) for name in names]
        rows = [[row[place] for place in places] for row in rows]
        done.append("columns put in the order of the schema")
    rows[1:] = _in_order(rows[1:], table, done)
    out = io.StringIO(newline="")
    csv_lines.write(out, rows)
    again = [*_read(out.getvalue())]
    if again != rows or before != Counter(chain.from_iterable(again)):
        raise Unclear("some of its cells would be lost: nothing was written")
    return out.getvalue().encode(), done


def _decoded(raw: bytes) -> tuple[str, list[str]]:
    """The text of a file, and what was changed. Raises Unclear for an encoding that cannot be recognised."""
    name, done = "utf-8", []
    if raw.startswith(codecs.BOM_UTF8):
        name, done = "utf-8-sig", ["byte order mark removed"]
    elif raw.startswith(UTF16):
        name, done = "utf-16", ["UTF-16 made UTF-8"]
    try:
        text = raw.decode(name)
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        near = raw[max(0, error.start - 12) : error.start + 12].decode("latin-1")
        raise Unclear(f'line {line} is not UTF-8, near {near!r}: save it as "CSV UTF-8", or convert it') from None
    if "\x00" in text:
        raise Unclear("it contains null characters: it is not CSV, or UTF-16 without a byte order mark")
    if "\r" in text:
        done.append("line ends made LF")
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text, done


def _parsed(text: str, table: Table, done: list[str]) -> Rows:
    """The rows of a file, its header first. Raises Unclear."""
    names = [field.name for field in table.fields]
    first, _, rest = text.partition("\n")
    if first.lower().startswith("sep=") and len(first) == 5:
        text = rest
        done.append(f"line {first!r} removed")
    headers = {delimiter: _header(text, delimiter) for delimiter in DELIMITERS}
    fits = [delimiter for delimiter, header in headers.items() if sorted(header) == sorted(names)]
    if not fits:
        raise Unclear(_mismatch(names, max(headers.values(), key=len)))
    delimiter = fits[0]
    if delimiter != "," and len(names) > 1:
        done.append(f"{DELIMITERS[delimiter]} made commas")
    try:
        return _even([*_read(text, delimiter, strict=True)], len(names), done)
    except csv.Error as error:
        raise Unclear(f"it cannot be read as CSV: {error}") from None


def _cleaned(rows: Rows, table: Table, done: list[str]) -> Rows:
    """Rows whose keys and codes have no white space or characters that nobody sees; none becomes empty by that."""
    places, cells, latin = [rows[0].index(name) for name in white_space.compared(table)], 0, 0
    for row in rows[1:]:
        for place in places:
            clean = white_space.cleaned(row[place]) or row[place]
            cells += clean != row[place]
            row[place] = clean
    for place in places:
        others = {row[place] for row in rows[1:]}
        for row in rows[1:]:
            looks = letters.latin(row[place])
            if looks != row[place] and looks in others:  # where no row has the code, a person must say which is right
                row[place], latin = looks, latin + 1
    done += [f"white space removed from {cells} keys and codes"] if cells else []
    done += [f"letters of another script made Latin in {latin} keys and codes"] if latin else []
    return rows


def _read(text: str, delimiter: str = ",", strict: bool = False) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=strict)


def _header(text: str, delimiter: str) -> list[str]:
    """The names in the first line, without what a spreadsheet puts around them."""
    names = [name.strip() for name in next(_read(text, delimiter), [])]
    while names and not names[-1]:
        names.pop()
    return names


def _mismatch(names: Sequence[str], header: Sequence[str]) -> str:
    missing = [repr(name) for name in names if name not in header]
    unknown = [repr(name) for name in header if name not in names]
    parts = [f"{verb} {', '.join(fields)}" for verb, fields in (("lacks", missing), ("has", unknown)) if fields]
    return f"its header differs from the schema: it {' and '.join(parts) or 'lists a field twice'}"


def _even(rows: Rows, width: int, done: list[str]) -> Rows:
    """Rows of one width, without blank lines and empty cells beyond the last column. Raises Unclear for others."""
    kept = {number: row for number, row in enumerate(rows, 1) if row and (width == 1 or any(row))}
    for number, row in kept.items():
        if len(row) < width or any(cell.strip() for cell in row[width:]):
            raise Unclear(f"row {number} has {len(row)} cells, expected {width}")
    blank = len(rows) - len(kept)
    done += [f"{blank} blank lines removed"] if blank else []
    done += ["empty columns at the end removed"] if any(len(row) > width for row in kept.values()) else []
    header, *others = (row[:width] for row in kept.values())
    return [[name.strip() for name in header], *others]


def _in_order(rows: Rows, table: Table, done: list[str]) -> Rows:
    """The rows in the order of the primary key, compared as validation compares it."""
    kinds = [(table.index[name], types.kind(table.field(name)).read) for name in table.primary_key]
    if not kinds:
        return rows
    try:
        ordered = sorted(rows, key=lambda row: tuple([read(row[place]) for place, read in kinds]))
    except (ValueError, TypeError):
        done.append("not sorted: a key cannot be read")
        return rows
    done += ["rows sorted by key"] if ordered != rows else []
    return ordered
