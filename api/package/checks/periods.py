"""Whether a period is what its kind says: whole years, whole months, single days."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta

FIRST_MODERN_FISCAL_YEAR = 1977  # until then US fiscal years began on 1 July
DAY = timedelta(days=1)
Complaint = str | None
Day = tuple[int, int]
ONE_YEAR = ("fiscal_year", "calendar_year")


def complaint(kind: str, year: int | None, start: date | None, end: date | None) -> Complaint:
    """What a period should have been; None where it is well formed (or of a kind that is not known here)."""
    if kind in ONE_YEAR and year is None:
        return "a year, since the period is one year"
    if kind not in ONE_YEAR and year is not None:
        return "no year, since the period is not one year"
    judge = KINDS.get(kind)
    return judge(year or 0, start, end) if judge else None


def _fiscal_year(year: int, start: date | None, end: date | None) -> Complaint:
    if year < FIRST_MODERN_FISCAL_YEAR:
        return _are(start, end, None, None)
    return _are(start, end, date(year - 1, 10, 1), date(year, 9, 30))


def _calendar_year(year: int, start: date | None, end: date | None) -> Complaint:
    return _are(start, end, date(year, 1, 1), date(year, 12, 31))


def _are(start: date | None, end: date | None, first: date | None, last: date | None) -> Complaint:
    if (start, end) == (first, last):
        return None
    return "no dates, since fiscal years began on other days then" if first is None else f"{first} to {last}"


def _fiscal_years(year: int, start: date | None, end: date | None) -> Complaint:
    return _years(start, end, (10, 1), (9, 30), "from a 1 October to a 30 September")


def _calendar_years(year: int, start: date | None, end: date | None) -> Complaint:
    return _years(start, end, (1, 1), (12, 31), "from a 1 January to a 31 December")


def _years(start: date | None, end: date | None, first: Day, last: Day, expected: str) -> Complaint:
    if start is None or end is None or start > end:
        return expected
    return None if ((start.month, start.day), (end.month, end.day)) == (first, last) else expected


def _month(year: int, start: date | None, end: date | None) -> Complaint:
    expected = "the first and the last day of one month"
    if start is None or end is None:
        return expected
    one_month = (start.year, start.month) == (end.year, end.month)
    return None if one_month and start.day == 1 and (end + DAY).day == 1 else expected


def _day(year: int, start: date | None, end: date | None) -> Complaint:
    return None if start is not None and start == end else "one day, as both first and last day"


def _span(year: int, start: date | None, end: date | None) -> Complaint:
    if start is None and end is None:
        return "at least one date"
    return None if start is None or end is None or start <= end else "a first day before the last"


def _undated(year: int, start: date | None, end: date | None) -> Complaint:
    return None if start is None and end is None else "no dates"


KINDS: Mapping[str, Callable[[int, date | None, date | None], Complaint]] = {
    "fiscal_year": _fiscal_year,
    "calendar_year": _calendar_year,
    "fiscal_years": _fiscal_years,
    "calendar_years": _calendar_years,
    "month": _month,
    "day": _day,
    "span": _span,
    "undated": _undated,
}
