"""Reads the sheets of an XLSX file: ECMA-376 part 1, section 18."""

import posixpath
import re
import zipfile
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Any
from xml.etree.ElementTree import Element

from api import settings
from api.package.tables.spreadsheets import (
    LIMIT,
    MOST_COLUMNS,
    MOST_ROWS,
    Cells,
    Fault,
    Merged,
    Sheet,
    attribute,
    local,
    pieces,
)
from api.package.tables.unpacking import Unsafe, largest

WORKBOOK, DAYS_1904 = "xl/workbook.xml", 1_462
SHARE_OF_TEXTS = 4  # what cells share is held in memory: no more than a fourth of a spreadsheet
# What the built-in number formats show, by their numbers; those from 164 on are in the file.
_BUILT_IN: Mapping[int, str] = {
    **dict.fromkeys((14, 15, 16, 17, 27, 28, 29, 30, 31, 36, *range(50, 59)), "date"),
    **dict.fromkeys((18, 19, 20, 21, 32, 33, 34, 35, 45, 47), "time"),
    22: "datetime",
    46: "duration",
}
_ELAPSED = re.compile(r"\[(h+|m+|s+)\]")
_WORDS = re.compile(r'"[^"]*"|\\.|_.|\*.|\[[^\]]*\]')  # of a number format: what is shown as it is
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
_PLACE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})").fullmatch


def names(archive: zipfile.ZipFile) -> list[str]:
    """The names of the sheets, in their order."""
    return [name for name, _ in _sheets(archive)]


def rows(archive: zipfile.ZipFile, sheet: int) -> Sheet:
    """The rows of a sheet by its place. Raises Unsafe, ValueError, KeyError, ExpatError for a damaged file."""
    texts = _texts(archive)
    looks, base = _looks(archive), _days(archive)
    read = partial(_value, texts, looks, base)
    number = 0
    for element in pieces(archive, _sheets(archive)[sheet][1], "row", "mergeCell"):
        if local(element) == "mergeCell":
            first = _PLACE(element.get("ref", "").partition(":")[0])
            if first:
                yield Merged(element.get("ref", ""), int(first[2]))
            continue
        number = int(element.get("r") or number + 1)
        cells: Cells = {}
        column = -1
        for cell in element:
            place = _PLACE(cell.get("r", ""))
            column = _column(place[1]) if place else column + 1
            value = read(cell)
            if column in cells:
                raise ValueError(f"the cell {place[0] if place else column} is there twice")
            if value is not None:
                cells[column] = value
        if number > MOST_ROWS or column >= MOST_COLUMNS:
            raise ValueError(f"a cell in row {number}, column {column + 1} is beyond the end of a sheet")
        yield number, cells


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1


# Parts of the file


def _related(archive: zipfile.ZipFile) -> dict[str, tuple[str, str]]:
    """What the workbook refers to, by the references' names: the kind of a part, and the part."""
    folder, name = posixpath.split(WORKBOOK)
    found = {}
    for one in pieces(archive, f"{folder}/_rels/{name}.rels", "Relationship"):
        part = posixpath.normpath(posixpath.join("/", folder, one.get("Target", "")))[1:]
        found[one.get("Id", "")] = (posixpath.basename(one.get("Type", "")), part)
    return found


def _sheets(archive: zipfile.ZipFile) -> list[tuple[str, str]]:
    """The name and the part of each sheet of cells; charts and macros are left out."""
    related = _related(archive)
    found = [(one.get("name", ""), attribute(one, "id") or "") for one in pieces(archive, WORKBOOK, "sheet")]
    return [(name, related[id][1]) for name, id in found if id in related and related[id][0] == "worksheet"]


def _part(archive: zipfile.ZipFile, kind: str) -> str | None:
    """The part of a kind, where there is one."""
    return next((part for its, part in _related(archive).values() if its == kind), None)


def _texts(archive: zipfile.ZipFile) -> Sequence[str]:
    part = _part(archive, "sharedStrings")
    if part is None:
        return ()
    size, most = archive.getinfo(part).file_size, largest(LIMIT)[0] // SHARE_OF_TEXTS
    if size > most:
        raise Unsafe(f"what its cells share has {size:,} bytes", settings.at_most(LIMIT, most, "bytes"))
    return [_text(element) for element in pieces(archive, part, "si")]


def _text(element: Element) -> str:
    """A text, whole or in runs of different looks; not how it is pronounced."""
    runs = [[run] if local(run) == "t" else run for run in element if local(run) in ("t", "r")]
    text = "".join(part.text or "" for run in runs for part in run if local(part) == "t")
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)


def _days(archive: zipfile.ZipFile) -> int:
    """How many days a date of the file is behind one that counts from 1900."""
    said = [attribute(one, "date1904") for one in pieces(archive, WORKBOOK, "workbookPr")]
    return DAYS_1904 if said and said[0] in ("1", "true") else 0


def _looks(archive: zipfile.ZipFile) -> Sequence[str]:
    """What the number format of each style shows: date, time, datetime, duration, or nothing of the kind."""
    part = _part(archive, "styles")
    if part is None:
        return ()
    shown, looks = dict(_BUILT_IN), list[str]()
    for element in pieces(archive, part, "numFmt", "cellXfs"):
        if local(element) == "numFmt":
            shown[int(element.get("numFmtId", 0))] = _shows(element.get("formatCode", ""))
        else:
            looks = [shown.get(int(style.get("numFmtId") or 0), "") for style in element]
    return looks


def _shows(code: str) -> str:
    """What a number format shows, by its first section."""
    if _ELAPSED.search(code.lower()):
        return "duration"
    left = _WORDS.sub("", code).partition(";")[0].lower()
    if left == "general":
        return ""
    clock = "h" in left or "s" in left
    day = "y" in left or "d" in left or ("m" in left and not clock)
    return "datetime" if day and clock else "date" if day else "time" if clock else ""


# Cells


def _value(texts: Sequence[str], looks: Sequence[str], base: int, cell: Element) -> Any:
    """The value of a cell; None where it is empty."""
    parts = {local(part): part for part in cell}
    kind, text = cell.get("t", "n"), parts["v"].text if "v" in parts else None
    if kind == "inlineStr":
        return (_text(parts["is"]) if "is" in parts else "") or None
    if text is None:
        return Fault("") if "f" in parts and kind != "str" else None
    if kind == "s":
        return texts[int(text)] or None
    if kind == "e":
        return Fault(text)
    if kind == "b":
        return text.strip() in ("1", "true")
    if kind == "str":
        return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text) or None
    if kind == "d":
        moment = datetime.fromisoformat(text)
        return moment if "T" in text else moment.date()
    number, style = float(text), int(cell.get("s") or 0)
    look = looks[style] if style < len(looks) else ""
    return _moment(number, look, base) if look else int(number) if number.is_integer() else number


def _moment(number: float, look: str, base: int) -> date | time | timedelta | datetime:
    """The moment that a number of days stands for. Spreadsheets count a 29 February 1900."""
    span = timedelta(milliseconds=round(number * 86_400_000))
    if look == "duration" or (look == "time" and not 0 <= number < 1):
        return span
    if look == "time":
        return (datetime.min + span).time()
    if number < 0:
        raise ValueError(f"{number} days are no date")
    moment = datetime(1899, 12, 31 if number + base < 60 else 30) + span + timedelta(days=base)
    return moment.date() if look == "date" and number.is_integer() else moment
