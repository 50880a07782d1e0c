"""Where each row stands in the release's CSV and JSON Lines files.

With it a filtered answer is cut out of the file that everybody downloads: the same text, no row written again, and
its length is known before the first byte. One index a file, little-endian: the number of rows N and
whether they stand in the order of the key (64 bits each), then N starts (64 bits). Where they stand in that order
one start more follows, where the last one ends; else N lengths (32 bits).
"""

import json
import sqlite3
import sys
from array import array
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from api.index import orders_write
from api.index.builder import settle
from api.index.layout import FILE, index_path, orders_path
from api.model.descriptor import Package


def write(package: Package, folder: Path, paths: dict[str, tuple[str, ...]]) -> None:
    """Index the files of each table: paths by table name, CSV first; headers are no rows.

    The rollups are told how many bytes the rows that they count have in each file.
    """
    with closing(sqlite3.connect(folder / FILE, isolation_level=None)) as db:
        db.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; BEGIN;")
        layouts = [json.loads(detail) for (detail,) in db.execute("SELECT detail FROM layout ORDER BY position")]
        for number, (table, layout) in enumerate(zip(package.tables, layouts, strict=True)):
            for path in paths[table.name]:
                starts, lengths = _rows(folder / path, path.endswith(".csv"))
                order = _order(db, number)
                if order is not None:
                    starts, lengths = array("Q", (starts[i] for i in order)), array("I", (lengths[i] for i in order))
                orders_write.measure(db, number, layout["pairs"], kind(path), lengths, folder / orders_path(table))
                if order is None:
                    starts.append(starts[-1] + lengths[-1] if starts else (folder / path).stat().st_size)
                rows = array("Q", [len(lengths), order is None])
                _put(folder / index_path(path), rows, starts, *([lengths] if order is not None else []))
        db.execute("COMMIT")
    settle(folder / FILE)


def _put(path: Path, *parts: "array[int]") -> None:
    with path.open("wb") as file:
        for part in parts:
            if sys.byteorder == "big":
                part.byteswap()
            part.tofile(file)


def kind(path: str) -> str:
    """The format of a file of rows, by its name."""
    return path.rpartition(".")[2]


def _order(db: sqlite3.Connection, number: int) -> list[int] | None:
    """For each row in key order its place in the file; None where the file is in key order."""
    there = db.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (f"p{number}",)).fetchone()
    return [p - 1 for (p,) in db.execute(f"SELECT p FROM p{number} ORDER BY n")] if there else None


def _rows(path: Path, quoted: bool) -> tuple["array[int]", "array[int]"]:
    """Start and length of each row of a file; in CSV a line break inside quotes ends no row."""
    starts, lengths = array("Q"), array("I")
    position = 0
    for number, length in enumerate(_lengths(path, quoted)):
        if number or not quoted:
            starts.append(position)
            lengths.append(length)
        position += length
    return starts, lengths


def _lengths(path: Path, quoted: bool) -> Iterator[int]:
    length, open_quote = 0, False
    with path.open("rb") as file:
        for line in file:
            length += len(line)
            if quoted and line.count(b'"') % 2:
                open_quote = not open_quote
            if not open_quote:
                yield length
                length = 0
    if length:
        yield length
