"""package.xlsx: a sheet of contents and a sheet a table, for people who open data in a spreadsheet.

A number is a number where the sheet shows it exactly, else text; dates are dates from March 1900 on, times are UTC;
text is never taken for a formula or a link. The file is packed again so that it depends on nothing but the rows.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import xlsxwriter
from xlsxwriter.exceptions import FileCreateError

from api.index.survey import Column, Survey, records
from api.model import dates, moments, types
from api.model.descriptor import License, Package
from api.release.formats import SHEET_CELLS, SHEET_COLUMNS, SHEET_ROWS, archive
from api.release.formats.names import unique

LONGEST_TEXT = 32_767
LONGEST_NAME = 31
CONTENTS = "Contents"
FIRST_DATE = date(1900, 3, 1)  # spreadsheets count a 29 February 1900
NARROWEST, WIDEST = 9, 60
MOMENTS = {"date": "yyyy-mm-dd", "time": "hh:mm:ss", "datetime": "yyyy-mm-dd hh:mm:ss"}
LOOKS: Mapping[str, Mapping[str, Any]] = {
    "title": {"bold": True, "font_size": 14},
    "head": {"bold": True, "bottom": 1},
    "wrap": {"text_wrap": True, "valign": "top"},
    "top": {"valign": "top"},
}


def write(package: Package, surveys: Sequence[Survey], path: Path, data_first: bool = False) -> None:
    """Write the workbook: the contents, then the tables. With `data_first` the contents come last: what programs read
    without being told which sheet (pandas, R) is the first.
    """
    work = path.with_suffix(".work")
    book = xlsxwriter.Workbook(str(work), {"constant_memory": True, "tmpdir": str(path.parent)})
    made = dates.moment(package.created) or archive.EARLIEST  # the writer would take the clock's time
    created = max(made, archive.EARLIEST).replace(tzinfo=None)
    book.set_properties({"title": package.title, "author": package.publisher, "created": created})
    formats = {name: book.add_format({"num_format": pattern}) for name, pattern in MOMENTS.items()}
    formats |= {name: book.add_format(look) for name, look in LOOKS.items()}
    fitting = [survey for survey in surveys if not too_large(survey)]
    tables = [survey.table.name for survey in fitting]
    names = dict(zip(tables, sheet_names(tables), strict=True))
    if not data_first:
        _contents(book, package, surveys, names, formats)
    for survey in fitting:
        _sheet(book.add_worksheet(names[survey.table.name]), survey, formats)
    if data_first:
        _contents(book, package, surveys, names, formats)
    try:
        book.close()
    except FileCreateError as error:  # what it makes of the system's errors
        raise OSError(str(error)) from error
    archive.repack(work, path, package.created)
    work.unlink()


def too_large(survey: Survey) -> str:
    """Why a table is left out of the workbook; empty where it is not."""
    cells = survey.rows * len(survey.columns)
    if survey.rows > SHEET_ROWS:
        return f"{survey.rows:,} rows: tables of more than {SHEET_ROWS:,} rows are left out of the workbook"
    if cells > SHEET_CELLS:
        return f"{cells:,} cells: tables of more than {SHEET_CELLS:,} cells are left out of the workbook"
    if len(survey.columns) > SHEET_COLUMNS:
        return f"{len(survey.columns):,} columns: a sheet holds at most {SHEET_COLUMNS:,}"
    return ""


def sheet_names(tables: Sequence[str]) -> list[str]:
    """Table names as a spreadsheet allows them: at most 31 characters, none of []:*?/\\, unique but for case."""
    clean = [re.sub(r"[\[\]:*?/\\\x00-\x1f]", "_", name) for name in tables]
    clean = [re.sub(r"^'|'$", "_", name[:LONGEST_NAME]) or "_" for name in clean]
    return unique(clean, LONGEST_NAME, (CONTENTS, "History"), " ({})")


def _contents(
    book: Any, package: Package, surveys: Sequence[Survey], names: Mapping[str, str], formats: Mapping[str, Any]
) -> None:
    """The first sheet: what this is, how to cite it, and what each sheet holds."""
    sheet = book.add_worksheet(CONTENTS)
    sheet.write_string(0, 0, package.title, formats["title"])
    row = 0
    for row, (label, text) in enumerate(_facts(package, surveys), 1):
        sheet.write_string(row, 0, _fitting(label), formats["top"])
        sheet.write_string(row, 1, _fitting(text))
    row += 2
    for column, (label, width) in enumerate((("Sheet", 30), ("Title", 32), ("Description", 80), ("Rows", 12))):
        sheet.set_column(column, column, width)
        sheet.write_string(row, column, label, formats["head"])
    for survey in surveys:
        row += 1
        table, words = survey.table, survey.table.description
        if reason := too_large(survey):
            words += f" [Left out: {reason}; {table.path} has them all.]"
            sheet.write_string(row, 0, f"(left out) {table.name}", formats["top"])
        else:
            target = "internal:'" + names[table.name].replace("'", "''") + "'!A1"
            sheet.write_url(row, 0, target, formats["top"], string=names[table.name])
        sheet.write_string(row, 1, _fitting(table.title), formats["wrap"])
        sheet.write_string(row, 2, _fitting(words.strip()), formats["wrap"])
        sheet.write_number(row, 3, survey.rows, formats["top"])


def _facts(package: Package, surveys: Sequence[Survey]) -> Iterator[tuple[str, str]]:
    yield "Description", package.description
    yield "Version", package.version
    yield "Created", package.created or "not stated"
    yield "Licence", _license(package.license_of(None)) or "none named"
    for survey in surveys:
        if survey.table.descriptor.get("licenses"):
            yield f"Licence of {survey.table.name}", _license(package.license_of(survey.table))
    yield "Cite as", package.citation
    yield "Numbers", "A number with more digits than a spreadsheet keeps exactly is text. Times are UTC."
    if any(column.width > LONGEST_TEXT for survey in surveys for column in survey.columns):
        yield "Texts", f"A cell holds {LONGEST_TEXT:,} characters: longer texts are cut here, not in the CSV files."


def _license(license: License) -> str:
    return " ".join(part for part in (license.name, license.path) if part)


def _sheet(sheet: Any, survey: Survey, formats: Mapping[str, Any]) -> None:
    # By default an empty text is no cell, and some texts are formulas, links or numbers.
    sheet.add_write_handler(str, lambda sheet, row, column, text, _: sheet.write_string(row, column, text))
    sheet.freeze_panes(1, 0)
    texts = list(islice(records(survey, [str] * len(survey.columns), ""), 1_000))
    for column, field in enumerate(survey.table.fields):  # wide enough for its name and the first texts, within reason
        longest = max((len(row[column]) for row in texts), default=0)
        sheet.set_column(column, column, min(WIDEST, max(NARROWEST, len(field.name) + 4, longest + 1)))
        sheet.write_string(0, column, _fitting(field.name), formats["head"])
    sheet.autofilter(0, 0, max(survey.rows, 1), len(survey.columns) - 1)
    makers = [_maker(column) for column in survey.columns]
    looks = [formats.get(column.kind.type) for column in survey.columns]
    for number, row in enumerate(records(survey, makers), 1):
        for column, value in enumerate(row):
            if value is not None:
                sheet.write(number, column, value, looks[column])


def _maker(column: Column) -> Callable[[str], Any]:
    """How a cell becomes what a sheet holds."""
    kind = column.kind
    makers: Mapping[str, Callable[[Any], Any]] = {
        **dict.fromkeys(types.NUMERIC, lambda value: _number(value, kind.json)),
        **dict.fromkeys(types.STRUCTURED, lambda value: _fitting(kind.json(value))),
        "boolean": bool,
        "year": int,
        "date": lambda day: day if day >= FIRST_DATE else day.isoformat(),
        "time": _clock,
        "datetime": _moment,
    }
    make = makers.get(kind.type, _fitting)
    return lambda cell: make(kind.read(cell))


class _Shortest(float):
    """A double that goes into the file in its shortest form: the writer's own is 0.5600000000000001 for 0.56."""

    def __format__(self, _: str) -> str:
        return repr(self).removesuffix(".0")


def _number(number: Decimal, text: Callable[[Any], str]) -> float | str:
    """A number that is the same after spreadsheets have cut it to 15 digits, else its digits as text, or NaN."""
    if not number.is_finite():
        return str(number)
    nearest = _Shortest(number)
    return nearest if Decimal(f"{float(nearest):.15G}") == number else text(number)


def _clock(clock: time) -> time | str:
    key = moments.clock_key(clock)
    return key if clock.microsecond or key != clock.isoformat() else clock


def _moment(moment: datetime) -> datetime | str:
    bare, key = moment.replace(tzinfo=None), moments.key(moment)
    return bare if bare.date() >= FIRST_DATE and bare.isoformat() == key and not bare.microsecond else key + "Z"


def _fitting(text: str) -> str:
    """What a cell can hold: XML has no place for the two last code points of the first plane."""
    return text[:LONGEST_TEXT].replace("\ufffe", "\ufffd").replace("\uffff", "\ufffd")
