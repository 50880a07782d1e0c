"""Whether a period is what its kind says: whole years, whole months, single days."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from functools import partial

FIRST_MODERN_FISCAL_YEAR = 1977  # until then US fiscal years began on 1 July
DAY = timedelta(days=1)
ONE_YEAR = ("fiscal_year", "calendar_year")
Day = date | None


def expectation(kind: str, year: int | None, start: Day, end: Day) -> str | None:
    """What a period should have been; None where it is well formed (or of a kind that is not known here).

    Raises ValueError or OverflowError for a year that no date can have.
    """
    if kind not in ONE_YEAR:
        if year is not None:
            return "no year, since the period is not one year"
        expected, holds = KINDS.get(kind, ("", lambda start, end: True))
        return None if holds(start, end) else expected
    if year is None:
        return "a year, since the period is one year"
    if kind == "fiscal_year" and year < FIRST_MODERN_FISCAL_YEAR:
        return "no dates, since fiscal years began on other days then" if start or end else None
    if kind == "fiscal_year":
        first, last = date(year - 1, 10, 1), date(year, 9, 30)
    else:
        first, last = date(year, 1, 1), date(year, 12, 31)
    return None if (start, end) == (first, last) else f"{first} to {last}"


def _years(first: str, last: str, start: Day, end: Day) -> bool:
    """Whether a period runs from one day of a year (month-day) to another, over any number of years."""
    return bool(start and end and start <= end and (f"{start:%m-%d}", f"{end:%m-%d}") == (first, last))


def _month(start: Day, end: Day) -> bool:
    return bool(start and end and f"{start:%Y-%m}" == f"{end:%Y-%m}" and start.day == 1 == (end + DAY).day)


def _span(start: Day, end: Day) -> bool:
    return start <= end if start and end else bool(start or end)


# What is expected of a kind that is not one year, and whether a first and a last day are that.
KINDS: Mapping[str, tuple[str, Callable[[Day, Day], bool]]] = {
    "fiscal_years": ("from a 1 October to a 30 September", partial(_years, "10-01", "09-30")),
    "calendar_years": ("from a 1 January to a 31 December", partial(_years, "01-01", "12-31")),
    "month": ("the first and the last day of one month", _month),
    "day": ("one day, as both first and last day", lambda start, end: start is not None and start == end),
    "span": ("at least one date, the first day not after the last", _span),
    "undated": ("no dates", lambda start, end: start is None and end is None),
}
