"""CSV: the lines of the release's own file, so that rows have the same text."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

from api.index import sqlite
from api.model import csv_lines
from api.query.find import Selection
from api.query.foreign import Foreign
from api.query.reshape import foreign_cells


def part(selection: Selection, batches: Iterable[Sequence[int]]) -> Iterator[str]:
    """Rows by number under the header, with the fields that the query picks."""
    index, number, picked = selection.release.index, selection.layout.number, selection.query.fields
    header = head(selection)
    if picked is None:
        yield header
        yield from (sqlite.row_texts(index, number, "csv", rows, "") for rows in batches)
        return
    end = "\r\n" if header.endswith("\r\n") else "\n"
    (names,) = csv.reader(io.StringIO(header, newline=""))
    yield _lines([[names[i] if isinstance(i, int) else i.name for i in picked]], end)
    for rows in batches:
        cells = _cells(sqlite.row_texts(index, number, "csv", rows, ""))
        columns: list[Sequence[str]] = list(zip(*cells, strict=True))
        shown = [columns[i] if isinstance(i, int) else _foreign(selection, rows, i) for i in picked if cells]
        yield _lines(zip(*shown, strict=True), end)


def head(selection: Selection) -> str:
    """The header."""
    return selection.layout.header


def _cells(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def _foreign(selection: Selection, numbers: Sequence[int], leads: Foreign) -> list[str]:
    """The cells of a field of the rows that a foreign key leads to."""
    missing = leads.field.missing
    absent = "" if "" in missing or not missing else missing[0]
    return foreign_cells(selection, numbers, leads, "csv", lambda row: _cells(row)[0][leads.position], absent)


def _lines(rows: Iterable[Sequence[str]], end: str) -> str:
    out = io.StringIO(newline="")
    csv_lines.write(out, rows, end)
    return out.getvalue()
