"""Reads tables in spreadsheets: XLSX and OpenDocument. Hidden rows and columns are read like all others.

Our own readers, since libraries (openpyxl, python-calamine) give errors such as #N/A and formulas that were never
calculated as empty cells, and a sheet of two cells far apart as all the cells between them.
"""

import io
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from typing import Any, NamedTuple
from xml.parsers import expat

from api.model import descriptor
from api.model.findings import Finding
from api.package.tables import headers, lists, natives, ods, xlsx
from api.package.tables.base import MOST_TOLD, BadTable, Given, Record
from api.package.tables.lists import Row
from api.package.tables.spreadsheets import LIMIT, Fault, Merged, Sheet, cell_name
from api.package.tables.unpacking import Unsafe, largest, most


class _Reader(NamedTuple):
    names: Callable[[zipfile.ZipFile], list[str]]
    rows: Callable[[zipfile.ZipFile, int], Sheet]


FORMATS: Mapping[str, _Reader] = {
    "xlsx": _Reader(xlsx.names, xlsx.rows),
    "xlsm": _Reader(xlsx.names, xlsx.rows),
    "ods": _Reader(ods.names, ods.rows),
}


def table(given: Given) -> natives.Table:
    """The header and the rows of the sheet that the dialect names, or of the first.

    Raises BadTable for a file that is no spreadsheet, a sheet that is not there, an error in a cell, and a formula
    without a value.
    """
    header, below = lists.table(given, _rows(given))
    labels = [label or "" for label in header.cells]
    while labels and not labels[-1]:
        labels.pop()
    return header._replace(cells=labels), _whole(given, below, header, len(labels))


def filled(given: Given) -> list[str]:
    """The names of the sheets that have a value, in their order. Raises BadTable for a file that is no spreadsheet."""
    reader = FORMATS[given.format]
    with _archive(given, given.paths[0]) as archive:
        return [
            name
            for place, name in enumerate(reader.names(archive))
            if any(not isinstance(item, Merged) and item[1] for item in reader.rows(archive, place))
        ]


def _whole(given: Given, rows: Iterator[Row], header: Record, width: int) -> Iterator[Row]:
    """The rows that have a value, each as wide as the header, or wider where a value stands beside it."""
    file, last, told = header.file, header.line, False
    for row in rows:
        if row.file != file:
            file, last, told = row.file, row.number, False
        if row.number > last + 1 and last >= header.line and not told:
            told = True
            message = "a blank row is left out"
            place = (row.file, given.name, last + 1)
            given.warn(Finding("blank-line", message, *place, expected="a row, or no row", level="warning"))
        last = row.number
        yield row._replace(values=[*row.values, *[None] * (width - len(row.values))])


def _rows(given: Given) -> Iterator[Row]:
    """The rows of the sheet that have a value."""
    missing, last, merged = _missing(given), max(headers.rows_of(given), default=0), 0
    for path in given.paths:
        reader = FORMATS[given.format]
        with _archive(given, path) as archive:
            for item in reader.rows(archive, _which(given, path, reader.names(archive))):
                if isinstance(item, Merged):
                    merged += item.row > last
                    if item.row <= last or merged > MOST_TOLD:
                        continue
                    message = f"the cells {item.range} are merged: only the first of them has a value"
                    place = (path, given.name, item.row)
                    given.warn(Finding("merged-cells", message, *place, expected="a value in each", level="warning"))
                    continue
                number, cells = item
                if cells:
                    values = [cells.get(column) for column in range(max(cells) + 1)]
                    for column, value in cells.items():
                        if isinstance(value, Fault):
                            values[column] = _fault(given, path, number, column, value, missing)
                    yield Row(number, values, path)
    if merged > MOST_TOLD:
        message, left = f"and {merged - MOST_TOLD:,} more ranges are merged", merged - MOST_TOLD
        given.warn(Finding("merged-cells", message, given.file, given.name, count=left, level="warning"))


def _fault(given: Given, path: str, number: int, column: int, fault: Fault, missing: frozenset[str]) -> str:
    """The text of an error that the schema takes for a missing value. Raises BadTable for any other."""
    if fault.text and fault.text in missing:
        return fault.text
    if fault.text:
        message, expected = f"the cell {cell_name(number, column)} holds the error {fault.text}", "a value"
    else:
        message = f"the cell {cell_name(number, column)} has a formula that was never calculated"
        expected = "a file saved by a spreadsheet program"
    raise BadTable(
        Finding("cell-error", message, path, given.name, number, value=fault.text or None, expected=expected)
    )


def _missing(given: Given) -> frozenset[str]:
    if given.names is None:
        return frozenset()
    return frozenset(chain.from_iterable(field.missing for field in descriptor.table(given.resource).fields))


def _which(given: Given, path: str, names: list[str]) -> int:
    """The place of the sheet that is the table."""
    name, number = given.dialect.get("sheetName"), given.dialect.get("sheetNumber")
    expected = "one of " + ", ".join(f'"{one}"' for one in names) if names else "a sheet"
    if name is not None and name not in names:
        message = f'there is no sheet "{name}"'
        raise BadTable(Finding("dialect", message, path, given.name, value=name, expected=expected))
    if number is not None and number > len(names) or not names:
        message = f"there is no sheet number {number or 1}"
        raise BadTable(Finding("dialect", message, path, given.name, value=str(number), expected=expected))
    if name is None and number is None and len(names) > 1:
        message = f'only the first of {len(names)} sheets is read, "{names[0]}"'
        expected = "sheetName or sheetNumber in the dialect"
        given.warn(Finding("sheets", message, path, given.name, expected=expected, level="warning"))
    return names.index(name) if name is not None else (number or 1) - 1


def _refuse_large(size: int, most: int, expected: str) -> None:
    if size > most:
        raise Unsafe(f"it unpacks to {size:,} bytes", expected)


@contextmanager
def _archive(given: Given, path: str) -> Iterator[zipfile.ZipFile]:
    """The parts of a spreadsheet. Raises BadTable for a file that is none."""
    try:
        with given.bytes(path) as stream:
            file: Any = stream if stream.seekable() else io.BytesIO(stream.read(largest(LIMIT)[0] + 1))
            packed = file.seek(0, io.SEEK_END)
            _refuse_large(packed, *largest(LIMIT))
            with zipfile.ZipFile(file) as archive:
                _refuse_large(sum(entry.file_size for entry in archive.infolist()), *most(packed, LIMIT))
                yield archive
    except (zipfile.BadZipFile, expat.ExpatError, KeyError, IndexError, ValueError, OverflowError) as error:
        message = f"the file is no {given.format} spreadsheet: {error}"
        raise BadTable(Finding("unreadable-table", message, path, given.name)) from None
