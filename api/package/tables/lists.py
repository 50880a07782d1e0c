"""The header of a table whose rows are lists of values, as JSON and spreadsheets have them."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from api.package.tables import headers
from api.package.tables.base import Given, Record


class Row(NamedTuple):
    """A row as a reader of typed values finds it: its number in its file (from 1), its values, and the file."""

    number: int
    values: Sequence[Any]
    file: str


def table(given: Given, rows: Iterator[Row]) -> tuple[Record, Iterator[Row]]:
    """The header that the dialect says, and the rows below it; a later file may repeat the header or not.

    Raises BadTable where the dialect names rows for the header that are not there, and for a later file whose header
    is another.
    """
    parts = groupby(_without_comments(given, rows), key=lambda row: row.file)
    path, part = next(parts, (given.file, iter(())))
    line, labels, below = headers.first(given, part, path, _joined)
    if labels is None:
        return Record(path, 1, given.names or ()), below
    return Record(path, line, labels), _below(given, labels, below, parts)


def _below(
    given: Given, labels: Sequence[str], rows: Iterator[Row], parts: Iterator[tuple[str, Iterator[Row]]]
) -> Iterator[Row]:
    """The rows of the first part below its header, then those of the others."""
    yield from rows
    for path, part in parts:
        yield from headers.after(given, part, labels, path, _joined)


def _without_comments(given: Given, rows: Iterator[Row]) -> Iterator[Row]:
    sign, numbers = given.dialect.get("commentChar"), given.dialect.get("commentRows") or ()
    for row in rows:
        begins = next(iter(row.values), None)
        if row.number not in numbers and not (sign and isinstance(begins, str) and begins.startswith(sign)):
            yield row


def _labels(values: Sequence[Any]) -> list[str]:
    whole = (int(value) if isinstance(value, float) and value.is_integer() else value for value in values)
    return ["" if value is None else str(value) for value in whole]


def _joined(given: Given, values: Sequence[Sequence[Any]]) -> list[str]:
    """One label for each column: an empty label above others is that of the column before."""
    rows = [*map(_labels, values)]
    width = max(map(len, rows))
    above = [_spread([*labels, *[""] * (width - len(labels))]) for labels in rows[:-1]]
    last = [*rows[-1], *[""] * (width - len(rows[-1]))]
    join = str(given.dialect.get("headerJoin", " "))
    return [join.join(part for part in parts if part) for parts in zip(*above, last, strict=True)]


def _spread(labels: Sequence[str]) -> Iterator[str]:
    last = ""
    for label in labels:
        last = label or last
        yield last
