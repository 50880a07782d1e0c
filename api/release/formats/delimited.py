"""CSV: rows cut out of the release's own file, so that they have the same text."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from api.index.rows import open_rows
from api.model import csv_lines
from api.query.find import Selection


def part(selection: Selection, numbers: Sequence[int]) -> tuple[Iterable[bytes], int | None]:
    """Rows by number under the header, with the fields that the query picks; and their bytes, where all are."""
    file = open_rows(selection.release.folder, selection.table.path, selection.release.index)
    pieces = chain([file.header], file.cut(numbers))
    if selection.query.fields is not None:
        return _columns(pieces, selection.query.fields), None
    return pieces, len(file.header) + file.size(numbers)


def _columns(pieces: Iterable[bytes], picked: tuple[int, ...]) -> Iterator[bytes]:
    """Only some columns of CSV; the pieces end where a row ends, and lines end as they did."""
    end = ""
    for piece in pieces:
        end = end or ("\r\n" if piece.endswith(b"\r\n") else "\n")
        rows = csv.reader(io.StringIO(piece.decode(), newline=""))
        out = io.StringIO(newline="")
        csv_lines.write(out, ([row[i] for i in picked] for row in rows), end)
        yield out.getvalue().encode()
