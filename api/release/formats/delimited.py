"""CSV and TSV: the lines of the release's own file, so that rows have the same text."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence

from api.index import sqlite
from api.model import csv_lines, types
from api.query.find import Selection
from api.query.foreign import Foreign
from api.query.reshape import foreign_cells

BYTE_ORDER_MARK = "\ufeff"  # without it Excel takes UTF-8 for the code page of its country
_FORMULA = re.compile(r"[=+\-@\t\r\n]").match
_NUMBER = re.compile(r"[+-]?[0-9.,]*(?:[eE][+-]?[0-9]+)?").fullmatch


def part(selection: Selection, batches: Iterable[Sequence[int]]) -> Iterator[str]:
    """Rows by number under the header, with the fields that the query picks.

    Where it asks for `excel`, with a byte order mark, and an apostrophe before cells that would be formulas.
    """
    excel = "excel" in selection.query.more
    if excel:
        yield BYTE_ORDER_MARK
    if excel or selection.query.fields is not None:
        yield from _written(selection, batches, ",", excel)
    else:
        yield head(selection)
        yield from (_lines(selection, rows) for rows in batches)


def tabs(selection: Selection, batches: Iterable[Sequence[int]]) -> Iterator[str]:
    """The same with tabs for commas; a cell that holds a tab or the end of a line is quoted, as in CSV."""
    return _written(selection, batches, "\t")


def head(selection: Selection) -> str:
    """The header."""
    return selection.layout.header


def _lines(selection: Selection, numbers: Sequence[int]) -> str:
    return sqlite.row_texts(selection.release.index, selection.layout.number, "csv", numbers, "")


def _written(
    selection: Selection, batches: Iterable[Sequence[int]], delimiter: str, guarded: bool = False
) -> Iterator[str]:
    """The picked fields, header first, lines ending as the release's do; `guarded`: as a spreadsheet may open them."""
    table, header, picked = selection.table, head(selection), selection.query.fields
    fields = range(len(table.fields)) if picked is None else picked
    end = "\r\n" if header.endswith("\r\n") else "\n"
    (names,) = _cells(header)
    titles = [names[one] if isinstance(one, int) else one.name for one in fields]
    yield _text([[_guarded(title) for title in titles] if guarded else titles], end, delimiter)
    for numbers in batches:
        if not (rows := _cells(_lines(selection, numbers))):
            continue
        columns: list[Sequence[str]] = list(zip(*rows, strict=True))
        shown = [columns[one] if isinstance(one, int) else _foreign(selection, numbers, one) for one in fields]
        if guarded:
            types_of = [(table.fields[one] if isinstance(one, int) else one.field).type for one in fields]
            shown = [[_guarded(cell, kind) for cell in cells] for cells, kind in zip(shown, types_of, strict=True)]
        yield _text(zip(*shown, strict=True), end, delimiter)


def _cells(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def _foreign(selection: Selection, numbers: Sequence[int], leads: Foreign) -> list[str]:
    """The cells of a field of the rows that a foreign key leads to."""
    missing = leads.field.missing
    absent = "" if "" in missing or not missing else missing[0]
    return foreign_cells(selection, numbers, leads, "csv", lambda row: _cells(row)[0][leads.position], absent)


def _guarded(cell: str, kind: str = "string") -> str:
    """A cell as a spreadsheet may open it; what is a number in a column of numbers stays one, whatever its sign."""
    number = kind in (*types.NUMERIC, "year") and _NUMBER(cell)
    return f"'{cell}" if _FORMULA(cell) and not number else cell


def _text(rows: Iterable[Sequence[str]], end: str, delimiter: str) -> str:
    out = io.StringIO(newline="")
    csv_lines.write(out, rows, end, delimiter)
    return out.getvalue()
