"""One reading of a table that collects what typed files and the index must know before their first row.

A Parquet decimal has its precision in the schema, a SQLite column its type, a sheet its widths. All of it depends on
the rows alone. Cells are handled by columns, a thousand at a time, and most numbers by their text: that is what keeps
a million rows a matter of seconds.
"""

import csv
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from api.model import decimals, types
from api.model.descriptor import Field, Package, Table

REMEMBERED = 50_000
CHUNK_CELLS = 40_000
LARGEST_CHUNK = 1_024
PLAIN = re.compile(r"(?:-?[0-9]{1,18}(?:\.[0-9]{1,18})?\n)+")
CANONICAL = re.compile(r"(?!-0$)-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{0,10}[1-9])?")
DOUBLE_DIGITS = 15
_FINE = re.compile(r"[.,]\d{7}|:60")
Cells = Sequence[str]
csv.field_size_limit(2**31 - 1)


@dataclass
class Column:
    """What is known of a field's values once all were read.

    `width`: characters of the longest cell; `digits` and `scale`: the most digits before and after the decimal point;
    `whole`: all are 64-bit integers; `doubles`: a double holds each number; `plain`: every number is written in digits
    that Python and Arrow read as they are; `repeats`: few different texts; `folds`: folding case changes some text;
    `commas`: some text has a comma; `finite`: no number is NaN or infinite, which count as `nulls` too (not all typed
    files have them); `fine`: some time has more digits than a microsecond, or a leap second.
    """

    field: Field
    kind: types.Kind
    nulls: bool = False
    repeats: bool = True
    width: int = 0
    digits: int = 0
    scale: int = 0
    whole: bool = True
    doubles: bool = True
    plain: bool = True
    folds: bool = False
    commas: bool = False
    finite: bool = True
    fine: bool = False


@dataclass(frozen=True)
class Survey:
    """A table, its CSV file, the number of its rows and what is known of its columns."""

    table: Table
    path: Path
    rows: int
    columns: tuple[Column, ...]

    def maker(self, column: Column, make: Callable[[str], Any], absent: Any = None) -> Callable[[Cells], Sequence[Any]]:
        """How a column's cells become values: each text once where texts recur; `absent` for a missing value."""
        missing = column.field.missing

        def made(cell: str) -> Any:
            return absent if cell in missing else make(cell)

        one = made if column.nulls else make
        one = cache(one) if column.repeats else one
        return lambda cells: list(map(one, cells))


def surveys(package: Package, folder: Path) -> list[Survey]:
    """The survey of every table of a release."""
    return [survey(table, folder / table.path) for table in package.tables]


def survey(table: Table, path: Path) -> Survey:
    """Read a table's CSV once."""
    columns = tuple(Column(field, types.kind(field)) for field in table.fields)
    looks = [(column, _LOOKS.get(column.kind.type), set(column.field.missing)) for column in columns]
    rows = 0
    for size, texts in chunks(path, len(columns)):
        rows += size
        for (column, look, seen), cells in zip(looks, texts, strict=True):
            fresh = set(cells)
            column.nulls = column.nulls or not fresh.isdisjoint(column.field.missing)
            fresh -= seen
            if fresh:
                column.width = max(column.width, max(map(len, fresh)))
                if look is not None:
                    look(column, fresh)
                else:
                    column.folds = column.folds or any(cell != cell.casefold() for cell in fresh)
                    column.commas = column.commas or any("," in cell for cell in fresh)
                if column.repeats:
                    seen |= fresh
                    column.repeats = len(seen) <= REMEMBERED
    return Survey(table, path, rows, columns)


def read_cells(path: Path) -> Iterator[list[str]]:
    """The rows of a plain CSV file, without its header."""
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        next(reader, None)
        yield from reader


def raw_rows(file: BinaryIO) -> Iterator[str]:
    """The rows of a CSV file as they stand there, header first; a line break inside quotes ends no row."""
    row, open_quote = b"", False
    for line in file:
        row += line
        if line.count(b'"') % 2:
            open_quote = not open_quote
        if not open_quote:
            yield row.decode() if row.endswith(b"\n") else row.decode() + "\n"
            row = b""


def chunks(path: Path, width: int) -> Iterator[tuple[int, list[tuple[str, ...]]]]:
    """The cells of a CSV file by columns, some thousand rows at a time, each chunk with its number of rows."""
    cells = read_cells(path)
    size = max(1, min(LARGEST_CHUNK, CHUNK_CELLS // width))
    while rows := list(islice(cells, size)):
        yield len(rows), list(zip(*rows, strict=True))


def records(survey: Survey, makers: Sequence[Callable[[str], Any]], absent: Any = None) -> Iterator[tuple[Any, ...]]:
    """A table's rows, each cell made by its column's maker, `absent` for a missing value."""
    whole = [survey.maker(column, make, absent) for column, make in zip(survey.columns, makers, strict=True)]
    for _, texts in chunks(survey.path, len(whole)):
        yield from zip(*(make(cells) for make, cells in zip(whole, texts, strict=True)), strict=True)


def number_text(column: Column) -> Callable[[str], str]:
    """A number's JSON with every digit; most cells hold it already."""
    read, text, canonical = column.kind.read, column.kind.json, CANONICAL.fullmatch
    usual = _usual(column.field)
    return lambda cell: cell if usual and canonical(cell) else text(read(cell))


def _usual(field: Field) -> bool:
    """Whether a field's numbers are written with a decimal point and nothing but digits."""
    return not field.descriptor.keys() & {"groupChar", "decimalChar", "bareNumber"}


def in_double(number: Decimal) -> bool:
    """Whether the shortest form of the nearest double is the very number."""
    nearest = float(number)
    return math.isfinite(nearest) and Decimal(repr(nearest)) == number


def _look_at_numbers(column: Column, cells: set[str]) -> None:
    if _usual(column.field) and PLAIN.fullmatch("\n".join(cells) + "\n"):
        return _look_at_texts(column, cells)
    column.plain = False
    for cell in cells:
        number = column.kind.read(cell)
        if not number.is_finite():
            column.finite, column.nulls = False, True
            continue
        scale = len(f"{number:f}".partition(".")[2].rstrip("0"))
        column.scale = max(column.scale, scale)
        column.digits = max(column.digits, number.adjusted() + 1 if number else 1)
        column.whole = column.whole and not scale and -decimals.INT64 <= number < decimals.INT64
        column.doubles = column.doubles and in_double(number)
    return None


def _look_at_texts(column: Column, cells: set[str]) -> None:
    """Of plain digits the text is enough: 18 before the point fit a 64-bit integer, 15 in all a double."""
    tails = {cell.partition(".")[2] for cell in cells}
    scale = max(len(tail.rstrip("0")) for tail in tails)
    column.scale = max(column.scale, scale)
    column.digits = max(column.digits, max(len(cell.partition(".")[0].lstrip("-0")) for cell in cells))
    column.whole = column.whole and not scale
    if column.doubles:
        column.doubles = all(len(cell) <= DOUBLE_DIGITS or in_double(Decimal(cell)) for cell in cells)


def _look_at_times(column: Column, cells: set[str]) -> None:
    column.fine = column.fine or _FINE.search("\n".join(cells)) is not None


def _look_at_lists(column: Column, cells: set[str]) -> None:
    items = (item for cell in cells for item in column.kind.read(cell))
    column.whole = column.whole and all(isinstance(i, int) and -decimals.INT64 <= i < decimals.INT64 for i in items)


_LOOKS: Mapping[str, Callable[[Column, set[str]], None]] = {
    "integer": _look_at_numbers,
    "number": _look_at_numbers,
    "list": _look_at_lists,
    **dict.fromkeys(("time", "datetime"), _look_at_times),
}
