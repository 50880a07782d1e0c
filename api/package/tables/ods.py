"""Reads the sheets of an OpenDocument spreadsheet: OpenDocument 1.3 part 3, section 9."""

import re
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any
from xml.etree.ElementTree import Element

from api.package.tables.spreadsheets import (
    MOST_COLUMNS,
    MOST_ROWS,
    Cells,
    Fault,
    Merged,
    Sheet,
    attribute,
    cell_name,
    local,
    pieces,
)
from api.package.tables.unpacking import Unsafe

CONTENT = "content.xml"
MOST_CELLS = 50_000_000  # a few bytes may repeat a cell for ever
_DURATION = re.compile(r"(-?)PT([0-9]+)H([0-9]+)M([0-9]+(?:[.,][0-9]+)?)S").fullmatch


def names(archive: zipfile.ZipFile) -> list[str]:
    """The names of the sheets, in their order."""
    found = pieces(archive, CONTENT, "table-row", around="table")
    return [attribute(element, "name") or "" for element in found if local(element) == "table"]


def rows(archive: zipfile.ZipFile, sheet: int) -> Sheet:
    """The rows of a sheet by its place. Raises Unsafe, ValueError, KeyError, ExpatError for a damaged file."""
    number, total = 0, 0
    for row in _rows(archive, sheet):
        times = int(attribute(row, "number-rows-repeated") or 1)
        cells, merged = _cells(row, number + 1)
        yield from merged
        total += times * len(cells)
        if cells and number + times > MOST_ROWS:
            raise ValueError(f"row {number + times:,} is beyond the end of a sheet")
        if total > MOST_CELLS:
            raise Unsafe(f"the sheet has {total:,} cells or more", f"at most {MOST_CELLS:,}")
        for again in range(times if cells else 0):
            yield number + again + 1, cells
        number += times


def _rows(archive: zipfile.ZipFile, sheet: int) -> Iterator[Element]:
    place = -1
    for element in pieces(archive, CONTENT, "table-row", around="table"):
        if local(element) == "table":
            place += 1
        elif place == sheet:
            yield element


def _cells(row: Element, number: int) -> tuple[Cells, list[Merged]]:
    cells: Cells = {}
    merged: list[Merged] = []
    column = 0
    for cell in row:
        if local(cell) not in ("table-cell", "covered-table-cell"):
            continue
        times, value = int(attribute(cell, "number-columns-repeated") or 1), _value(cell)
        if value is not None:
            if column + times > MOST_COLUMNS:
                raise ValueError(f"row {number} goes beyond the end of a sheet")
            cells.update(dict.fromkeys(range(column, column + times), value))
        down, across = (int(attribute(cell, f"number-{name}-spanned") or 1) for name in ("rows", "columns"))
        if down > 1 or across > 1:
            ends = cell_name(number + down - 1, column + across - 1)
            merged.append(Merged(f"{cell_name(number, column)}:{ends}", number))
        column += times
    return cells, merged


def _value(cell: Element) -> Any:
    """The value of a cell; None where it is empty. Of two types that it says the one is of later editions."""
    said = [value for key, value in cell.attrib.items() if key.endswith("}value-type")]
    if not said or local(cell) == "covered-table-cell":
        return None
    text = "\n".join(_text(part) for part in cell if local(part) == "p")
    if "error" in said:
        return Fault(text or "#ERROR")
    if said[0] in ("float", "percentage", "currency"):
        number = float(attribute(cell, "value") or "")
        return int(number) if number.is_integer() else number
    if said[0] == "boolean":
        return attribute(cell, "boolean-value") == "true"
    if said[0] == "date":
        day = attribute(cell, "date-value") or ""
        return datetime.fromisoformat(day) if "T" in day else date.fromisoformat(day)
    if said[0] == "time":
        return _time(attribute(cell, "time-value") or "")
    return text or None


def _time(text: str) -> time | timedelta:
    match = _DURATION(text)
    if not match:
        raise ValueError(f"{text} is no time")
    seconds = float(match[4].replace(",", "."))
    span = timedelta(hours=int(match[2]), minutes=int(match[3]), milliseconds=round(seconds * 1000))
    if match[1] or span >= timedelta(days=1):
        return -span if match[1] else span
    return (datetime.min + span).time()


def _text(paragraph: Element) -> str:
    """The text of a paragraph, where spaces, tabs and line ends are elements."""
    found = paragraph.text or ""
    for part in paragraph:
        kind = local(part)
        if kind == "s":
            found += " " * min(int(attribute(part, "c") or 1), 1_000)
        elif kind in ("tab", "line-break"):
            found += "\t" if kind == "tab" else "\n"
        elif kind != "annotation":
            found += _text(part)
        found += part.tail or ""
    return found
