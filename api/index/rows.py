"""Rows cut out of a release's files (CSV, JSON Lines, finished JSON), in any order.

Where each row starts in such a file is written when the release is built, so that a filtered response has the same
text as the file that everybody downloads, no row is written again, and its length is known before the first byte. One
index a file, little-endian: the number of rows N and whether they are in the order of the key (64 bits each), then N
starts (64 bits). Where they are in that order one more follows, where the last one ends; else N lengths (32 bits).
"""

import json
import sqlite3
import sys
from array import array
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat
from operator import sub
from pathlib import Path

from api.index import intact, orders
from api.index.layout import FILE, ROW_SEPARATOR, index_path, mapped, orders_path, rows_path, settle
from api.model.descriptor import Package, Table, file_stem

PIECE = 512 * 1024  # bytes that a piece of a file has, more or less
ROWS = 4_096  # rows that a piece has at most
DENSE = 4  # a piece that has one row in so many, or more, is picked from the lines that it lies in
_SEPARATOR = ROW_SEPARATOR.encode()


@dataclass(frozen=True, eq=False)
class RowFile:
    """A mapped file with where its rows start, in the order of the rows' numbers.

    Where the rows are in that order each ends where the next one starts (there is one start more than rows) and
    `lengths` is None; else it has their lengths.
    """

    data: memoryview
    starts: memoryview
    lengths: memoryview | None
    header: bytes
    piece: int
    index: Path
    state: intact.State

    def size(self, numbers: Sequence[int]) -> int:
        """How many bytes the rows with these numbers (from 1) have, the header not counted."""
        starts, lengths = self.starts, self.lengths
        if lengths is None:
            size = sum([starts[n] - starts[n - 1] for n in numbers])
        else:
            size = sum([lengths[n - 1] for n in numbers])
        intact.unchanged(self.index, self.state)
        return size

    def take(self, numbers: Sequence[int]) -> bytes:
        """The rows with these numbers, one after another."""
        data, starts, lengths = self.data, self.starts, self.lengths
        if lengths is not None:
            return b"".join([data[(start := starts[n - 1]) : start + lengths[n - 1]] for n in numbers])
        if isinstance(numbers, range) and numbers.step == 1 and numbers:
            return bytes(data[starts[numbers[0] - 1] : starts[numbers[-1]]])
        return b"".join([data[starts[n - 1] : starts[n]] for n in numbers])

    def cut(self, numbers: Sequence[int]) -> Iterator[bytes]:
        """The same in large pieces that end where a row ends."""
        for at in range(0, len(numbers), self.piece):
            some = numbers[at : at + self.piece]
            rows = self._picked(some) or self.take(some)
            intact.unchanged(self.index, self.state)
            yield rows

    def _picked(self, numbers: Sequence[int]) -> bytes | None:
        """Rows that lie close together, picked from all lines between them, which is faster than to cut each.

        None where they do not, or where a row is not a line.
        """
        first, last = min(numbers), max(numbers)
        if self.lengths is not None or isinstance(numbers, range) or last - first >= DENSE * len(numbers):
            return None
        lines = bytes(self.data[self.starts[first - 1] : self.starts[last]]).splitlines(keepends=True)
        if len(lines) != last - first + 1:
            return None
        return b"".join(map(lines.__getitem__, map(sub, numbers, repeat(first))))


def open_rows(folder: Path, path: str, index: Path) -> RowFile:
    """The mapped file of a folder, with where its rows start as the index has it. Raises NoIndex."""
    return intact.asked(index, lambda state: _opened(folder, path, index, state))


@lru_cache(maxsize=256)
def _opened(folder: Path, path: str, index: Path, state: intact.State) -> RowFile:
    data = mapped(folder / path)
    places = mapped(index / index_path(path))
    count, in_order = places[:16].cast("Q")
    end = 16 + 8 * (count + in_order)
    starts = places[16:end].cast("Q")
    lengths = None if in_order else places[end:].cast("I")
    first = starts[0] if in_order else min(starts, default=len(data))
    header = bytes(data[:first]) if path.endswith(".csv") else b""
    piece = max(1, min(ROWS, PIECE * count // len(data))) if count else ROWS
    return RowFile(data, starts, lengths, header, piece, index, state)


def json_text(index: Path, table: Table, numbers: Sequence[int]) -> str:
    """The finished JSON of rows, by their numbers, separated by ROW_SEPARATOR."""
    return json_bytes(index, table, numbers).decode()


def json_bytes(index: Path, table: Table, numbers: Sequence[int]) -> bytes:
    """The same in UTF-8, as in the file. Raises NoIndex."""
    path = rows_path(table)
    rows = intact.asked(index, lambda state: _opened(index, path, index, state).take(numbers))
    return rows.removesuffix(_SEPARATOR)


def write_offsets(package: Package, release: Path, folder: Path) -> None:
    """Index the files out of which rows are cut: two of a release, and that of the rows' JSON; headers are not rows.

    The rollups get the number of bytes that the rows they count have in each file.
    """
    with closing(sqlite3.connect(folder / FILE, isolation_level=None)) as db:
        db.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; BEGIN;")
        layouts = [json.loads(detail) for (detail,) in db.execute("SELECT detail FROM layout ORDER BY position")]
        for number, (table, layout) in enumerate(zip(package.tables, layouts, strict=True)):
            theirs = [release / table.path, release / f"jsonl/{file_stem(table.name)}.jsonl", folder / rows_path(table)]
            for file in theirs:
                path = file.name
                starts, lengths = _rows(file, path.endswith(".csv"))
                order = _order(db, number)
                if order is not None:
                    starts, lengths = array("Q", (starts[i] for i in order)), array("I", (lengths[i] for i in order))
                orders.measure(db, number, layout["pairs"], kind(path), lengths, folder / orders_path(table))
                if order is None:
                    starts.append(starts[-1] + lengths[-1] if starts else file.stat().st_size)
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
    places = db.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (f"p{number}",)).fetchone()
    return [p - 1 for (p,) in db.execute(f"SELECT p FROM p{number} ORDER BY n")] if places else None


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
