"""CSV: the lines of the release's own file, so that rows have the same text."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

from api.index import sqlite
from api.model import csv_lines
from api.query.find import Selection


def part(selection: Selection, batches: Iterable[Sequence[int]]) -> Iterator[str]:
    """Rows by number under the header, with the fields that the query picks."""
    lines = _lines(selection, batches)
    return lines if selection.query.fields is None else _columns(lines, selection.query.fields)


def head(selection: Selection) -> str:
    """The header."""
    return selection.layout.header


def _lines(selection: Selection, batches: Iterable[Sequence[int]]) -> Iterator[str]:
    yield head(selection)
    for numbers in batches:
        yield sqlite.row_texts(selection.release.index, selection.layout.number, "csv", numbers, "")


def _columns(pieces: Iterable[str], picked: tuple[int, ...]) -> Iterator[str]:
    """Only some columns of CSV; the pieces end where a row ends, and lines end as they did."""
    end = ""
    for piece in pieces:
        end = end or ("\r\n" if piece.endswith("\r\n") else "\n")
        rows = csv.reader(io.StringIO(piece, newline=""))
        out = io.StringIO(newline="")
        csv_lines.write(out, ([row[i] for i in picked] for row in rows), end)
        yield out.getvalue()
