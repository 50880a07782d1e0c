"""CSV: the lines of the release's own file, so that rows have the same text."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from api.index import sqlite
from api.model import csv_lines
from api.query.find import Selection


def part(selection: Selection, batches: Iterable[Sequence[int]]) -> Iterator[str]:
    """Rows by number under the header, with the fields that the query picks."""
    index, number, picked = selection.release.index, selection.layout.number, selection.query.fields
    lines = chain([head(selection)], (sqlite.row_texts(index, number, "csv", rows, "") for rows in batches))
    return lines if picked is None else _columns(lines, picked)


def head(selection: Selection) -> str:
    """The header."""
    return selection.layout.header


def _columns(pieces: Iterable[str], picked: tuple[int, ...]) -> Iterator[str]:
    """Only some columns of CSV; the pieces end where a row ends, and lines end as they did."""
    end = ""
    for piece in pieces:
        end = end or ("\r\n" if piece.endswith("\r\n") else "\n")
        rows = csv.reader(io.StringIO(piece, newline=""))
        out = io.StringIO(newline="")
        csv_lines.write(out, ([row[i] for i in picked] for row in rows), end)
        yield out.getvalue()
