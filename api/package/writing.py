"""Writes the tables of a package as plain CSV: UTF-8, commas, LF, a header of the schema's field names."""

import codecs
import csv
import os
import shutil
from itertools import chain
from pathlib import Path

from api.model import csv_lines
from api.model.descriptor import Table
from api.package import upgrade
from api.package.reading import Source, cells
from api.package.tables import delimited
from api.package.upgrade import encoding, paths

BLANK = (b"\n", b"\r\n")


def write_csv(source: Source, table: Table, target: Path) -> None:
    """The table as plain CSV: the file's own bytes where it already is plain CSV (with CRLF, if it has them).

    A last line without a line end gets one, so that rows can be cut out of the file in any order.
    """
    plain = _plain_file(source, table)
    if plain is not None:
        shutil.copyfile(plain, target)
        with target.open("rb+") as file:
            if file.seek(0, os.SEEK_END) and file.seek(-1, os.SEEK_END) and file.read() != b"\n":
                file.write(b"\n")
        return
    with target.open("w", encoding="utf-8", newline="") as file:
        csv_lines.write(file, chain([[field.name for field in table.fields]], (row for _, row in cells(source, table))))


def _plain_file(source: Source, table: Table) -> Path | None:
    """The table's file, if its bytes can be published as they are."""
    resource = table.descriptor
    own = paths(resource)
    if len(own) != 1 or (upgrade.format_of(resource), upgrade.compression_of(resource)) != ("csv", ""):
        return None
    if codecs.lookup(encoding(resource)).name != "utf-8":
        return None
    if not delimited.is_plain(resource.get("dialect") or {}):
        return None
    path = source.folder / own[0]
    with path.open(encoding="utf-8", newline="") as file:  # a byte order mark would be part of the first name
        header = next(csv.reader(file), [])
    return path if header == [field.name for field in table.fields] and _has_plain_lines(path) else None


def _has_plain_lines(path: Path) -> bool:
    """Whether each line is a row, judged by the quotes, none of which stands where RFC 4180 has none.

    It is not where lines end in CR alone or are blank, or a quote is inside a cell that is not quoted.
    """
    with path.open("rb") as file:
        if not any(b'"' in line or b"\r" in line.removesuffix(b"\r\n") or line in BLANK for line in file):
            return True
        file.seek(0)
        rows, open_quote = 0, False
        for line in file:
            open_quote ^= line.count(b'"') % 2 == 1
            rows += not open_quote
    read = 0
    try:
        with path.open(encoding="utf-8", newline="") as text:
            for row in csv.reader(text, strict=True):
                if not row:
                    return False
                read += 1
    except csv.Error:
        return False
    return read == rows and not open_quote
