"""Whether the label of a period is words for that period: spreadsheets turn "October 2002" into 10/01/02 unasked."""

import re
from datetime import date
from typing import Any

MONTHS = (
    ("january", "enero"),
    ("february", "febrero"),
    ("march", "marzo"),
    ("april", "abril"),
    ("may", "mayo"),
    ("june", "junio"),
    ("july", "julio"),
    ("august", "agosto"),
    ("september", "septiembre"),
    ("october", "octubre"),
    ("november", "noviembre"),
    ("december", "diciembre"),
)
NUMBER_OF = {name: number for number, names in enumerate(MONTHS, 1) for name in names}
YEAR = re.compile(r"(?<!\d)(?:1[89]|20)\d\d(?!\d)")
YEARS = re.compile(rf"({YEAR.pattern})\D{{1,8}}({YEAR.pattern})")
WORD = re.compile(r"[^\W\d_]{3,}")
# What a spreadsheet makes of a label: 10/01/02, 2002-10-01 00:00, 1-Oct-02, Oct-02, 37530, 2007.0
OF_SPREADSHEETS = re.compile(
    r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T]\d{1,2}:\d\d(:\d\d)?)?|\d{1,2}[-/.]\d{2,4}"
    r"|\d{1,2}[-/][A-Za-z]{3,4}\.?([-/]\d{2,4})?|[A-Za-z]{3,4}\.?[-/. ']\d\d|\d{5,}|\d+[.,]\d+"
)
Day = date | None


def expectation(label: str, kind: str, year: int | None, start: Day, end: Day) -> str | None:
    """What a label should have been; None where it fits the period. Kinds are those of api.package.checks.periods."""
    if OF_SPREADSHEETS.fullmatch(label):
        return f"the period in words, such as {_example(kind, year, start)}"
    years = [int(found) for found in YEAR.findall(label)]
    months = [NUMBER_OF[word] for word in WORD.findall(label.lower()) if word in NUMBER_OF]
    if year is not None:
        return None if year in years else f"a label that names {year}"
    if kind in ("fiscal_years", "calendar_years") and start and end and (pair := YEARS.search(label)):
        first, last = (start.year + 1 if kind == "fiscal_years" else start.year), end.year
        return None if (int(pair[1]), int(pair[2])) == (first, last) else f"a label that names {first} to {last}"
    if kind == "month" and start:
        words = months or WORD.findall(label)
        named = start.year in years and words and (not months or start.month in months)
        return None if named else f"a label that names {_example(kind, year, start)}"
    if start and end and years and not any(start.year <= named <= end.year for named in years):
        return f"a label that names a year from {start.year} to {end.year}"
    if kind == "day" and start and months and start.month not in months:
        return f"a label that names {_example('month', year, start)}"
    return None


def _example(kind: str, year: int | None, start: Any) -> str:
    if year is not None:
        return f"FY{year}" if kind == "fiscal_year" else str(year)
    if start is None:
        return "October 2002"
    month = MONTHS[start.month - 1][0].capitalize()
    return f"{start.day} {month} {start.year}" if kind == "day" else f"{month} {start.year}"
