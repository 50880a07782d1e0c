"""Rows cut out of a release's files (CSV, JSON Lines, finished JSON), in any order."""

import mmap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat
from operator import sub
from pathlib import Path

from api.index.layout import ROW_SEPARATOR, index_path, rows_path
from api.model.descriptor import Table

PIECE = 512 * 1024  # bytes that a piece of a file has, more or less
ROWS = 4_096  # rows that a piece has at most
DENSE = 4  # a piece that has one row in so many, or more, is picked from the lines that it lies in
_SEPARATOR = ROW_SEPARATOR.encode()


@dataclass(frozen=True, eq=False)
class RowFile:
    """A mapped file with where its rows start, in the order of the rows' numbers.

    Where the rows stand in that order each ends where the next one starts (there is one start more than rows) and
    `lengths` is None; else it has their lengths.
    """

    data: memoryview
    starts: memoryview
    lengths: memoryview | None
    header: bytes
    piece: int

    def size(self, numbers: Sequence[int]) -> int:
        """How many bytes the rows with these numbers (from 1) have, the header not counted."""
        starts, lengths = self.starts, self.lengths
        if lengths is None:
            return sum([starts[n] - starts[n - 1] for n in numbers])
        return sum([lengths[n - 1] for n in numbers])

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
            yield self._picked(some) or self.take(some)

    def _picked(self, numbers: Sequence[int]) -> bytes | None:
        """Rows that lie close together, picked from all lines between them, which is sooner done than to cut each.

        None where they do not, or where a row is not a line.
        """
        first, last = min(numbers), max(numbers)
        if self.lengths is not None or isinstance(numbers, range) or last - first >= DENSE * len(numbers):
            return None
        lines = bytes(self.data[self.starts[first - 1] : self.starts[last]]).splitlines(keepends=True)
        if len(lines) != last - first + 1:
            return None
        return b"".join(map(lines.__getitem__, map(sub, numbers, repeat(first))))


@lru_cache(maxsize=256)
def open_rows(folder: Path, path: str) -> RowFile:
    """The mapped file of a release, with its index (which api.index.offsets describes)."""
    data = mapped(folder / path)
    index = mapped(folder / index_path(path))
    count, in_order = index[:16].cast("Q")
    end = 16 + 8 * (count + in_order)
    starts = index[16:end].cast("Q")
    lengths = None if in_order else index[end:].cast("I")
    first = starts[0] if in_order else min(starts, default=len(data))
    header = bytes(data[:first]) if path.endswith(".csv") else b""
    piece = max(1, min(ROWS, PIECE * count // len(data))) if count else ROWS
    return RowFile(data, starts, lengths, header, piece)


def json_text(folder: Path, table: Table, numbers: Sequence[int]) -> str:
    """The finished JSON of rows, by their numbers, separated by ROW_SEPARATOR."""
    return json_bytes(folder, table, numbers).decode()


def json_bytes(folder: Path, table: Table, numbers: Sequence[int]) -> bytes:
    """The same in UTF-8, as it stands in the file."""
    return open_rows(folder, rows_path(table)).take(numbers).removesuffix(_SEPARATOR)


def mapped(path: Path) -> memoryview:
    """A file as memory that the system shares between processes; an empty file cannot be mapped."""
    if not path.stat().st_size:
        return memoryview(b"")
    with path.open("rb") as file:
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
