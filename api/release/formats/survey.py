"""One reading of a table that finds what typed files must know before their first row.

A Parquet decimal has its precision in the schema, a SQLite column its type, a sheet its widths. What is found here
depends on the rows alone.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

from api import values
from api.descriptor import Field, Package, Table
from api.release import serving

REMEMBERED = 50_000
CHUNK_CELLS = 80_000
LARGEST_CHUNK = 8_192


@dataclass
class Column:
    """What is known of a field's values once all were read."""

    field: Field
    kind: values.Kind
    nulls: bool = False
    width: int = 0
    digits: int = 0
    scale: int = 0
    whole: bool = True
    exact: bool = True
    first: date | None = None
    last: date | None = None


@dataclass(frozen=True)
class Survey:
    """A table, the CSV file it stands in, the number of its rows and what is known of its columns."""

    table: Table
    path: Path
    rows: int
    columns: tuple[Column, ...]


class Memo(dict[str, Any]):
    """What a cell's text becomes, made once for texts that come again; missing values stand in it from the start."""

    def __init__(self, make: Callable[[str], Any], missing: Sequence[str], absent: Any) -> None:
        super().__init__(dict.fromkeys(missing, absent))
        self.make = make

    def __missing__(self, cell: str) -> Any:
        made = self.make(cell)
        if len(self) < REMEMBERED:
            self[cell] = made
        return made


def surveys(package: Package, folder: Path) -> list[Survey]:
    """The survey of every table of a release."""
    return [survey(table, folder / table.path) for table in package.tables]


def survey(table: Table, path: Path) -> Survey:
    """Read a table's CSV once."""
    columns = tuple(Column(field, values.kind(field)) for field in table.fields)
    missing = frozenset(table.missing_values)
    looks = [(column, _LOOKS.get(column.field.type), set(missing)) for column in columns]
    rows = 0
    for size, texts in chunks(path, len(columns)):
        rows += size
        for (column, look, seen), cells in zip(looks, texts, strict=True):
            fresh = set(cells)
            column.nulls = column.nulls or not missing.isdisjoint(fresh)
            fresh -= seen
            column.width = max(column.width, max(map(len, fresh), default=0))
            if look is None:
                continue
            for cell in fresh:
                look(column, column.kind.read(cell))
            if len(seen) < REMEMBERED:
                seen |= fresh
    return Survey(table, path, rows, columns)


def chunks(path: Path, width: int) -> Iterator[tuple[int, list[tuple[str, ...]]]]:
    """The cells of a CSV file by columns, some thousand rows at a time, each chunk with its number of rows."""
    cells = (row for _, row in serving.read_cells(path))
    size = max(1, min(LARGEST_CHUNK, CHUNK_CELLS // width))
    while rows := list(islice(cells, size)):
        yield len(rows), list(zip(*rows, strict=True))


def records(found: Survey, makers: Sequence[Callable[[str], Any]], absent: Any = None) -> Iterator[tuple[Any, ...]]:
    """A table's rows, each cell made by its column's maker, `absent` for a missing value."""
    memos = [Memo(make, found.table.missing_values, absent) for make in makers]
    for _, texts in chunks(found.path, len(memos)):
        yield from zip(*(map(memo.__getitem__, cells) for memo, cells in zip(memos, texts, strict=True)), strict=True)


def _look_at_number(column: Column, number: Decimal) -> None:
    scale = _scale(number)
    column.scale = max(column.scale, scale)
    column.digits = max(column.digits, number.adjusted() + 1 if number else 1)
    column.whole = column.whole and not scale and -values.INT64 <= number < values.INT64
    column.exact = column.exact and in_double(number)


def _scale(number: Decimal) -> int:
    """The digits after the point, trailing zeros left out (Decimal.normalize would round to 28 digits)."""
    _, digits, exponent = number.as_tuple()
    scale = -int(exponent)
    if scale <= 0 or not number:
        return 0
    zeros = next(i for i, digit in enumerate(reversed(digits)) if digit)
    return max(0, scale - zeros)


def in_double(number: Decimal) -> bool:
    """Whether a double is read back as the very number, in its shortest form."""
    nearest = float(number)
    return math.isfinite(nearest) and Decimal(repr(nearest)) == number


def _look_at_date(column: Column, day: date) -> None:
    column.first = day if column.first is None else min(column.first, day)
    column.last = day if column.last is None else max(column.last, day)


def _look_at_items(column: Column, items: list[Any]) -> None:
    column.whole = column.whole and all(
        isinstance(item, int) and -values.INT64 <= item < values.INT64 for item in items
    )


_LOOKS: Mapping[str, Callable[[Column, Any], None]] = {
    "integer": _look_at_number,
    "number": _look_at_number,
    "date": _look_at_date,
    "list": _look_at_items,
}
