"""Points and lengths of time: from text to values that compare as time does and keep every digit.

ISO 8601 as https://datapackage.org/standard/table-schema/ has it, with what Python's own types cannot hold: digits
after microseconds, the leap second 23:59:60, and 24:00 for the midnight that ends a day.
"""

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from time import strptime
from typing import Any

YEAR_SECONDS = 31_556_952  # mean Gregorian year, so that durations with months have an order
A_MOMENT = "a date and time, such as 2007-10-01T13:30:00Z"
A_CLOCK = "a time, such as 13:30:00"
_ANY_DAY = "2000-01-02T"  # of a time that has none; a zone may move it to the day before
_EXTENDED = re.compile(
    r"(?P<day>\d{4}-\d{2}-\d{2})[T ](?P<hour>\d{2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<digits>\d+))?)?"
    r"(?P<zone>Z|[+-]\d{2}(?::?\d{2})?)?",
    re.ASCII,
)
_DATED = re.compile(r"(?s:\d{4}-\d{2}-\d{2}[T ]\d{2}.*)", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_ZONE = r"(?:Z|[+-](?:0\d|1[0-4]):[0-5]\d)"  # of a year or a month, as in XML Schema
_YEAR = re.compile(rf"(-?\d{{4,9}}){_ZONE}?", re.ASCII)
_YEAR_MONTH = re.compile(rf"(-?\d{{4,9}})-(0?[1-9]|1[0-2]){_ZONE}?", re.ASCII)
is_zoned = re.compile(rf"\s*-?\d{{4,9}}(?:-\d{{1,2}})?{_ZONE}\s*", re.ASCII).fullmatch
_PART = r"(?:(?P<{0}>\d+(?:[.,]\d+)?){1})?"
_DURATION = re.compile(
    r"(?P<sign>[+-])?P(?=.)"
    + "".join(_PART.format(name, name) for name in "WYMD")
    + "(?:T(?=.)"
    + "".join(_PART.format(name, name.upper()) for name in "hms")
    + ")?",
    re.ASCII,
)
# What the strptime of C has and Python's has not; R writes it.
_OF_C = {
    **{"D": "%m/%d/%y", "F": "%Y-%m-%d", "R": "%H:%M", "T": "%H:%M:%S", "r": "%I:%M:%S %p", "e": "%d", "h": "%b"},
    **{"k": "%H", "l": "%I", "P": "%p", "n": " ", "t": " "},
}
_DIRECTIVE = re.compile(r"%[-_0^#EO]?([A-Za-z%])")  # with how C pads it, or another calendar
_WEEKDAY, _COUNTED, _WEEK = (re.compile(f"%[{letters}]") for letters in ("aAwu", "aAwuj", "UW"))
_SECONDS = {"W": 604_800, "Y": YEAR_SECONDS, "M": YEAR_SECONDS / 12, "D": 86_400, "h": 3_600, "m": 60, "s": 1}


class Moment(datetime):
    """A moment that has more to it than a datetime holds: `text` is its key."""

    text: str


class Clock(time):
    """The same for a time."""

    text: str


def utc(moment: datetime) -> datetime:
    """A moment in UTC; one without a zone is read as UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def key(moment: datetime) -> str:
    """A moment in UTC as text that sorts; without the Z, so that a fraction sorts after the whole second."""
    return moment.text if isinstance(moment, Moment) else moment.replace(tzinfo=None).isoformat()


def clock_key(clock: time) -> str:
    return clock.text if isinstance(clock, Clock) else clock.isoformat()


def clock_of(moment: datetime) -> time:
    """The time of day of a moment, in UTC."""
    if not isinstance(moment, Moment):
        return moment.time().replace(tzinfo=None)
    clock = Clock(moment.hour, moment.minute, moment.second, moment.microsecond)
    clock.text = moment.text.partition("T")[2]
    return clock


def day(text: str) -> date:
    """Raises ValueError saying what was expected, as all readers here do."""
    if not _DAY.fullmatch(text):
        raise ValueError("a date, such as 2007-10-01")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError("a date that exists, such as 2007-10-01") from None


def moment(text: str) -> datetime:
    """A date and time in UTC."""
    try:
        if _DATED.fullmatch(text):
            return _moment(text)
    except (ValueError, OverflowError):
        pass
    raise ValueError(A_MOMENT)


def clock(text: str) -> time:
    """A time of day in UTC."""
    try:
        return clock_of(_moment(_ANY_DAY + text.removeprefix("T")))
    except ValueError:
        raise ValueError(A_CLOCK) from None


def _moment(text: str) -> datetime:
    found = _EXTENDED.fullmatch(text)
    if found is None:
        return utc(datetime.fromisoformat(text))
    hour, minute, second, digits, zone = (found[name] or "" for name in ("hour", "minute", "second", "digits", "zone"))
    rest, leap, ends_day = digits[6:].rstrip("0"), second == "60", hour == "24"
    if not (rest or leap or ends_day):
        return utc(datetime.fromisoformat(text))
    if ends_day:
        if minute != "00" or (second + digits).strip("0"):
            raise ValueError
        hour = "00"
    held = f"{hour}:{minute}:{'59' if leap else second or '00'}.{digits[:6] or '0'}"
    whole = utc(datetime.fromisoformat(f"{found['day']}T{held}{zone}")) + timedelta(days=ends_day)
    if leap and (whole.hour, whole.minute) != (23, 59):
        raise ValueError
    return _fine(whole, rest, leap) if rest or leap else whole


def _fine(whole: datetime, rest: str, leap: bool) -> Moment:
    exact = Moment.combine(whole.date(), whole.timetz())
    seconds = f"{60 if leap else whole.second:02d}"
    fraction = f".{whole.microsecond:06d}{rest}" if whole.microsecond or rest else ""
    exact.text = f"{whole.date().isoformat()}T{whole:%H:%M}:{seconds}{fraction}"
    return exact


def formatted(pattern: str, pick: Callable[[datetime], Any], expected: str) -> Callable[[str], Any]:
    """Reads text that is written as a strptime pattern.

    Python passes over what contradicts the rest, such as a day 366 of 365, another weekday, or PM after an hour of 24.
    """
    pattern = _of_python(pattern)
    counted, half = _COUNTED.search(pattern), "%p" in pattern and "%I" not in pattern

    def read(text: str) -> Any:
        try:
            moment = datetime.strptime(text, pattern)
            if half:
                datetime.strptime(text, pattern.replace("%p", f"{moment:%p}"))
            if counted and strptime(text, pattern)[6:8] != moment.timetuple()[6:8]:
                raise ValueError
            return pick(moment)
        except (ValueError, OverflowError):
            raise ValueError(expected) from None

    return read


def is_pattern(text: str) -> bool:
    """Whether a format is a strptime pattern that can be read; without its day a week is no date."""
    if "%" not in text:
        return False
    text = _of_python(text)
    if _WEEK.search(text) and not _WEEKDAY.search(text):
        return False
    try:
        datetime.strptime("", text)
    except ValueError as error:
        return "does not match" in str(error)
    except (re.error, IndexError, KeyError):
        return False
    return False


def _of_python(pattern: str) -> str:
    return _DIRECTIVE.sub(lambda found: _OF_C.get(found[1], "%" + found[1]), pattern)


def year(text: str) -> int:
    """A year of any era, whatever its time zone."""
    found = _YEAR.fullmatch(text.strip())
    if not found:
        raise ValueError("a year, such as 2007")
    return int(found[1])


def yearmonth(text: str) -> str:
    """A year and month of any era, canonical, whatever its time zone."""
    found = _YEAR_MONTH.fullmatch(text.strip())
    if not found:
        raise ValueError("a year and month, such as 2007-03")
    return month_text(int(found[1]) * 12 + int(found[2]) - 1)


def months(text: str) -> int:
    """The months from the year 0 to a canonical year and month, which sort as text does not before our era."""
    year, month = text.rsplit("-", 1)
    return int(year) * 12 + int(month) - 1


def month_text(months: int) -> str:
    """The canonical year and month of a number of `months`."""
    year, month = divmod(months, 12)
    return f"{'-' if year < 0 else ''}{abs(year):04d}-{month + 1:02d}"


def duration_seconds(text: str) -> float:
    """An ISO 8601 duration in seconds; a month is a twelfth of a mean Gregorian year."""
    found = _DURATION.fullmatch(text)
    if not found:
        raise ValueError("an ISO 8601 duration, such as P1Y2M3DT4H")
    parts = [float(found[part].replace(",", ".")) * size for part, size in _SECONDS.items() if found[part]]
    try:
        total = math.fsum(parts)
    except OverflowError:
        total = math.inf
    return -total if found["sign"] == "-" else total


def duration(text: str) -> str:
    duration_seconds(text.strip())
    return text.strip()
