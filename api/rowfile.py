"""Rows cut out of a release's files (CSV, JSON Lines, finished JSON), in any order."""

import mmap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from api.descriptor import Table
from api.layout import ROW_SEPARATOR, index_path, rows_path

CHUNK = 256 * 1024
_SEPARATOR = ROW_SEPARATOR.encode()
SCATTERED = 2_000  # so few rows are sooner cut one by one than looked at for neighbours


@dataclass(frozen=True, eq=False)
class RowFile:
    """A mapped file with its rows' starts and lengths, in the order of the rows' numbers."""

    data: memoryview
    starts: memoryview
    lengths: memoryview
    header: bytes

    def size(self, numbers: Sequence[int]) -> int:
        """How many bytes the rows with these numbers (from 1) have, the header not counted."""
        lengths = self.lengths
        return sum([lengths[n - 1] for n in numbers])

    def cut(self, numbers: Sequence[int]) -> Iterator[bytes]:
        """The rows with these numbers, in large pieces that end where a row ends; neighbours are cut out together."""
        parts: list[memoryview] = []
        size, start, end = 0, 0, 0
        starts, lengths, data = self.starts, self.lengths, self.data
        for n in numbers:
            first = starts[n - 1]
            if first == end:
                end += lengths[n - 1]
                continue
            if end > start:
                parts.append(data[start:end])
                size += end - start
                if size > CHUNK:
                    yield b"".join(parts)
                    parts.clear()
                    size = 0
            start, end = first, first + lengths[n - 1]
        parts.append(data[start:end])
        yield b"".join(parts)


@lru_cache(maxsize=256)
def open_rows(folder: Path, path: str) -> RowFile:
    """The mapped file of a release, with its index."""
    data = mapped(folder / path)
    index = mapped(folder / index_path(path))
    count = len(index) // 12
    starts = index[: count * 8].cast("Q")
    headed = path.endswith(".csv")
    header = bytes(data[: min(starts)] if count else data) if headed else b""
    return RowFile(data, starts, index[count * 8 :].cast("I"), header)


def json_text(folder: Path, table: Table, numbers: Sequence[int]) -> str:
    """The finished JSON of rows, by their numbers, separated by ROW_SEPARATOR."""
    return json_bytes(folder, table, numbers).decode()


def json_bytes(folder: Path, table: Table, numbers: Sequence[int]) -> bytes:
    """The same in UTF-8, as it stands in the file."""
    if not numbers:
        return b""
    file = open_rows(folder, rows_path(table))
    if len(numbers) > SCATTERED or isinstance(numbers, range):
        return b"".join(file.cut(numbers)).removesuffix(_SEPARATOR)
    data, starts, lengths = file.data, file.starts, file.lengths
    parts = [data[(start := starts[n - 1]) : start + lengths[n - 1]] for n in numbers]
    return b"".join(parts).removesuffix(_SEPARATOR)


def mapped(path: Path) -> memoryview:
    """A file as memory that the system shares between processes; an empty file cannot be mapped."""
    if not path.stat().st_size:
        return memoryview(b"")
    with path.open("rb") as file:
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
