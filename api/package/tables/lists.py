"""The header of a table whose rows are lists of values, as JSON and spreadsheets have them."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple

from api.model.findings import Finding
from api.package.tables import headers
from api.package.tables.base import BadTable, Given, Record


class Row(NamedTuple):
    """A row as a reader of typed values finds it: the file, its number there (from 1), and its values."""

    file: str
    number: int
    values: Sequence[Any]


def table(given: Given, rows: Iterator[Row]) -> tuple[Record, Iterator[Row]]:
    """The header that the dialect says, and the rows below it; a later file may repeat the header or not.

    Raises BadTable where the dialect names rows for the header that are not there.
    """
    rows = _without_comments(given, rows)
    wanted = headers.rows_of(given)
    if not wanted:
        first = next(rows, None)
        width = len(first.values) if first else 0
        labels = given.names or [f"field{number}" for number in range(1, width + 1)]
        return Record(given.file, 0, labels), rows if first is None else chain([first], rows)
    found: list[Row] = []
    row = None
    for row in rows:
        if row.number in wanted:
            found.append(row)
        if row.number >= max(wanted):
            break
    if row is not None and not found:
        message, expected = "the header is not where the dialect says", f"labels in the rows {wanted}"
        raise BadTable(Finding("header", message, row.file, given.name, row.number, expected=expected))
    if not found:
        return Record(given.file, 1, given.names or ()), rows
    header = Record(found[0].file, found[0].number, _joined(given, [_labels(row.values) for row in found]))
    return header, (row for row in rows if row.file == header.file or not _repeats(row, wanted, header.cells))


def _without_comments(given: Given, rows: Iterator[Row]) -> Iterator[Row]:
    sign, numbers = given.dialect.get("commentChar"), given.dialect.get("commentRows") or ()
    for row in rows:
        begins = next(iter(row.values), None)
        if row.number not in numbers and not (sign and isinstance(begins, str) and begins.startswith(sign)):
            yield row


def _labels(values: Sequence[Any]) -> list[str]:
    whole = (int(value) if isinstance(value, float) and value.is_integer() else value for value in values)
    return ["" if value is None else str(value) for value in whole]


def _joined(given: Given, rows: Sequence[Sequence[str]]) -> list[str]:
    """One label for each column: an empty label above others is that of the column before."""
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


def _repeats(row: Row, wanted: Sequence[int], labels: Sequence[str | None]) -> bool:
    return row.number in wanted and _labels(row.values) == list(labels)
