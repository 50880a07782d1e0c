"""CSV: the lines of the release's own file, so that rows have the same text; and what is made from them."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

from api.index import sqlite
from api.model import csv_lines, types
from api.model.descriptor import Table
from api.query.find import Selection

BYTE_ORDER_MARK = "\ufeff"  # without it Excel takes UTF-8 for the code page of its country
_FORMULA = re.compile(r"[=+\-@\t\r\n]").match
_NUMBER = re.compile(r"[+-]?[0-9.,]*(?:[eE][+-]?[0-9]+)?").fullmatch
Change = Callable[[Sequence[str]], Sequence[str]]


def part(selection: Selection, batches: Iterable[Sequence[int]]) -> Iterator[str]:
    """Rows by number under the header, with the fields that the query picks.

    Where it asks for `excel`, with a byte order mark, and an apostrophe before cells that would be formulas.
    """
    lines, picked = _lines(selection, batches), selection.query.fields
    if "excel" in selection.query.more:
        return chain([BYTE_ORDER_MARK], _rewritten(lines, _guarding(selection.table, _positions(selection)), ","))
    return lines if picked is None else _rewritten(lines, _picking(picked), ",")


def tabs(selection: Selection, batches: Iterable[Sequence[int]]) -> Iterator[str]:
    """The same with tabs for commas; a cell that holds a tab or the end of a line is quoted, as in CSV."""
    return _rewritten(_lines(selection, batches), _picking(_positions(selection)), "\t")


def head(selection: Selection) -> str:
    """The header."""
    return selection.layout.header


def _lines(selection: Selection, batches: Iterable[Sequence[int]]) -> Iterator[str]:
    index, number = selection.release.index, selection.layout.number
    return chain([head(selection)], (sqlite.row_texts(index, number, "csv", rows, "") for rows in batches))


def _positions(selection: Selection) -> Sequence[int]:
    picked = selection.query.fields
    return range(len(selection.table.fields)) if picked is None else picked


def _picking(positions: Sequence[int]) -> Change:
    return lambda row: [row[i] for i in positions]


def _guarding(table: Table, positions: Sequence[int]) -> Change:
    """Cells as a spreadsheet may open them; what is a number in a column of numbers stays one, whatever its sign."""
    numeric = [field.type in (*types.NUMERIC, "year") for field in table.fields]

    def guarded(cell: str, number: bool) -> str:
        return f"'{cell}" if _FORMULA(cell) and not (number and _NUMBER(cell)) else cell

    return lambda row: [guarded(row[i], numeric[i]) for i in positions]


def _rewritten(pieces: Iterable[str], change: Change, delimiter: str) -> Iterator[str]:
    """CSV with each row changed; the pieces end where a row ends, and lines end as they did."""
    end = ""
    for piece in pieces:
        end = end or ("\r\n" if piece.endswith("\r\n") else "\n")
        out = io.StringIO(newline="")
        csv_lines.write(out, map(change, csv.reader(io.StringIO(piece, newline=""))), end, delimiter)
        yield out.getvalue()
