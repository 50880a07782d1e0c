"""Values of a Table Schema: from a cell's text to the value that is compared, and to JSON.

A `Kind` is all that the program knows of one field type: how a cell is read (as the field's format says), how a
query's value is parsed (always in canonical form: ISO 8601, plain digits, true/false), how the value is written
as JSON, and in which SQLite column it is compared. Source of the types: Data Package v2, Table Schema,
https://datapackage.org/standard/table-schema/ .
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any

from api.model import decimals
from api.model.descriptor import Field

Stored = str | int | float | None
YEAR_SECONDS = 31_556_952  # mean Gregorian year, so that durations with months have an order
NUMERIC = ("integer", "number")
JSON_TYPES = ("array", "object", "geojson")  # whose values are written as JSON
STRUCTURED = ("list", "array", "object", "geojson", "geopoint")


NO_NULL = r"^[^\x00]*$"
PLAIN: Mapping[str, Any] = {"type": "string", "pattern": NO_NULL}

# How values of filters are written, by name: component schemas. Without examples: Swagger UI puts an example, also that
# of a schema, into every query.
WRITTEN: Mapping[str, Mapping[str, Any]] = {
    "Text": {**PLAIN, "description": "Any text but the null character."},
    "Whole": {"type": "integer", "description": "A whole number of any size."},
    "Number": {"type": "number"},
    "Flag": {"type": "boolean", "description": "true or false."},
    "Year": {"type": "integer", "minimum": -999999999, "maximum": 999999999},
    "YearMonth": {"type": "string", "pattern": "^-?[0-9]{4}-(0[1-9]|1[0-2])$", "description": "Such as 2007-03."},
    "Day": {"type": "string", "format": "date"},
    "Clock": {
        "type": "string",
        "pattern": r"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?$",
        "description": "Such as 13:30:00.",
    },
    "Moment": {"type": "string", "format": "date-time"},
    "Duration": {
        "type": "string",
        "pattern": "^-?P(?=.)([0-9]+W)?([0-9]+Y)?([0-9]+M)?([0-9]+D)?(T(?=.)([0-9]+H)?([0-9]+M)?([0-9]+S)?)?$",
        "description": "An ISO 8601 duration, such as P1Y2M.",
    },
    "Point": {
        "type": "string",
        "pattern": r"^-?(180|(1[0-7][0-9]|[0-9]{1,2})(\.[0-9]+)?),-?(90|[0-8]?[0-9](\.[0-9]+)?)$",
        "description": "Longitude (-180 to 180), a comma, latitude (-90 to 90), such as -99.13,19.43.",
    },
    "Object": {"type": "object"},
    "Array": {"type": "array", "items": {}},
}


@dataclass(frozen=True)
class Kind:
    """One field's type, ready to use. `read` (cells) and `parse` (queries) raise ValueError saying what was expected.

    `written` names the form (of WRITTEN) that `parse` takes; of a list, that of its items.
    """

    type: str
    column: str
    read: Callable[[str], Any]
    parse: Callable[[str], Any]
    store: Callable[[Any], Stored]
    json: Callable[[Any], str]
    written: str


@lru_cache(maxsize=10_000)
def kind(field: Field) -> Kind:
    """How the values of a field are read, compared and written; a type the standard does not know reads as text."""
    return _KINDS.get(field.type, _text)(field)


def expectation(read: Callable[[str], Any], text: str) -> str | None:
    """What a reader expected instead of a text; None where it can read it."""
    try:
        read(text)
    except ValueError as error:
        return str(error)
    return None


def _match(pattern: str, text: str, expected: str) -> re.Match[str]:
    """The match of a whole text. Raises ValueError with what was expected."""
    match = re.fullmatch(pattern, text)
    if not match:
        raise ValueError(expected)
    return match


def _text(field: Field) -> Kind:
    return Kind(field.type, "TEXT", str, str, str, encode_basestring, "Text")


def _integer(field: Field) -> Kind:
    digits = _digits(field)

    def read(text: str) -> Decimal:
        return Decimal(_match(r"\s*([+-]?\d+)\s*", digits(text), "a whole number")[1])

    def parse(text: str) -> Decimal:
        return Decimal(_match(r"[+-]?[0-9]{1,400}", text, "a whole number")[0])

    return Kind(field.type, "NUMERIC", read, parse, decimals.stored, decimals.to_json, "Whole")


def _number(field: Field) -> Kind:
    digits = _digits(field)
    point = str(field.descriptor.get("decimalChar") or ".")

    def read(text: str) -> Decimal:
        clean = digits(text).replace(point, ".")
        if "_" in clean:
            raise ValueError("a number")
        try:
            number = Decimal(clean.strip())
        except InvalidOperation:
            raise ValueError("a number") from None
        if not number.is_finite():
            raise ValueError("a finite number (JSON has no NaN or infinity)")
        return number

    def parse(text: str) -> Decimal:
        pattern = r"[+-]?([0-9]{1,400}(\.[0-9]{0,400})?|\.[0-9]{1,400})([eE][+-]?[0-9]{1,3})?"
        return Decimal(_match(pattern, text, "a number")[0])

    return Kind(field.type, "NUMERIC", read, parse, decimals.stored, decimals.to_json, "Number")


def _digits(field: Field) -> Callable[[str], str]:
    """Drops the group separators of a number; with bareNumber false also its currency, percent sign and the like."""
    group, bare = str(field.descriptor.get("groupChar") or ""), bool(field.descriptor.get("bareNumber", True))

    def digits(text: str) -> str:
        text = text.replace(group, "") if group else text
        inner = None if bare else re.search(r"[-+]?\.?\d(?:.*\d)?", text)
        return inner[0] if inner else text

    return digits


def _boolean(field: Field) -> Kind:
    true = field.descriptor.get("trueValues") or ["true", "True", "TRUE", "1"]
    false = field.descriptor.get("falseValues") or ["false", "False", "FALSE", "0"]
    words = {**dict.fromkeys(false, False), **dict.fromkeys(true, True)}

    def read(text: str) -> bool:
        if text not in words:
            raise ValueError("one of " + ", ".join([*true, *false]))
        return words[text]

    def parse(text: str) -> bool:
        return _match("true|false", text, "true or false")[0] == "true"

    return Kind(field.type, "INTEGER", read, parse, int, lambda value: "true" if value else "false", "Flag")


def _year(field: Field) -> Kind:
    def reader(pattern: str) -> Callable[[str], int]:
        return lambda text: int(_match(pattern, text, "a year, such as 2007")[0])

    return Kind(field.type, "INTEGER", reader(r"\s*-?\d{4,9}\s*"), reader("-?[0-9]{1,9}"), int, str, "Year")


def _yearmonth(field: Field) -> Kind:
    def read(text: str) -> str:
        match = _match(r"(-?\d{4})-(0?[1-9]|1[0-2])", text.strip(), "a year and month, such as 2007-03")
        return f"{match[1]}-{int(match[2]):02d}"

    return Kind(field.type, "TEXT", read, read, str, encode_basestring, "YearMonth")


def _date(field: Field) -> Kind:
    def parse(text: str) -> date:
        _match(r"\d{4}-\d{2}-\d{2}", text, "a date, such as 2007-10-01")
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise ValueError("a date that exists, such as 2007-10-01") from None

    return Kind(field.type, "TEXT", _formatted(field, parse, datetime.date), parse, date.isoformat, _date_json, "Day")


def _date_json(value: date) -> str:
    return f'"{value.isoformat()}"'


def _time(field: Field) -> Kind:
    def parse(text: str) -> time:
        try:
            return _utc_time(time.fromisoformat(text))
        except ValueError:
            raise ValueError("a time, such as 13:30:00") from None

    read = _formatted(field, parse, lambda moment: _utc_time(moment.timetz()))
    return Kind(field.type, "TEXT", read, parse, _time_text, lambda v: f'"{_time_text(v)}"', "Clock")


def _utc_time(value: time) -> time:
    if value.utcoffset() is None:
        return value.replace(tzinfo=None)
    return datetime.combine(date(2000, 1, 2), value).astimezone(UTC).time()


def _time_text(value: time) -> str:
    """Fractions have a fixed width, so that times sort as text."""
    return value.isoformat() if value.microsecond else value.strftime("%H:%M:%S")


def _datetime(field: Field) -> Kind:
    def parse(text: str) -> datetime:
        try:
            if not re.match(r"\d{4}-\d{2}-\d{2}[T ]\d{2}", text):
                raise ValueError
            return _utc(datetime.fromisoformat(text))
        except (ValueError, OverflowError):
            raise ValueError("a date and time, such as 2007-10-01T13:30:00Z") from None

    return Kind(field.type, "TEXT", _formatted(field, parse, _utc), parse, _moment_key, _moment_json, "Moment")


def _utc(moment: datetime) -> datetime:
    """Times without a zone are read as UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _moment_key(moment: datetime) -> str:
    """Without the Z, so that a fraction sorts after the whole second."""
    return moment.replace(tzinfo=None).isoformat()


def _moment_json(moment: datetime) -> str:
    return f'"{_moment_key(moment)}Z"'


def _formatted(field: Field, iso: Callable[[str], Any], pick: Callable[[datetime], Any]) -> Callable[[str], Any]:
    """A reader for a field's format: ISO by default, else a strptime pattern ('any' tries ISO only)."""
    pattern = field.format.removeprefix("fmt:")
    if pattern in ("default", "any"):
        return iso

    def read(text: str) -> Any:
        try:
            return pick(datetime.strptime(text, pattern))
        except ValueError:
            raise ValueError(f"a {field.type} written as {pattern}") from None

    return read


_DURATION = (
    r"(?P<sign>-)?P(?=.)(?:(?P<W>\d+(?:\.\d+)?)W)?(?:(?P<Y>\d+(?:\.\d+)?)Y)?(?:(?P<M>\d+(?:\.\d+)?)M)?"
    r"(?:(?P<D>\d+(?:\.\d+)?)D)?(?:T(?=.)(?:(?P<h>\d+(?:\.\d+)?)H)?(?:(?P<m>\d+(?:\.\d+)?)M)?(?:(?P<s>\d+(?:\.\d+)?)S)?)?"
)
_SECONDS = {"W": 604_800, "Y": YEAR_SECONDS, "M": YEAR_SECONDS / 12, "D": 86_400, "h": 3_600, "m": 60, "s": 1}


def _duration(field: Field) -> Kind:
    def read(text: str) -> str:
        duration_seconds(text.strip())
        return text.strip()

    return Kind(field.type, "NUMERIC", read, read, duration_seconds, encode_basestring, "Duration")


def duration_seconds(text: str) -> float:
    """An ISO 8601 duration in seconds; a month is a twelfth of a mean Gregorian year."""
    match = _match(_DURATION, text, "an ISO 8601 duration, such as P1Y2M3DT4H")
    total = math.fsum(float(match[part]) * size for part, size in _SECONDS.items() if match[part])
    return -total if match["sign"] else total


def _structured(check: Callable[[Any], bool], expected: str, written: str) -> Callable[[Field], Kind]:
    def make(field: Field) -> Kind:
        def read(text: str) -> Any:
            try:
                value = json.loads(text, parse_constant=_refuse)
            except (ValueError, RecursionError):
                raise ValueError(expected) from None
            if not check(value):
                raise ValueError(expected)
            return value

        return Kind(field.type, "TEXT", read, read, canonical, canonical, written)

    return make


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def canonical(value: Any) -> str:
    """JSON with keys sorted and no white space: equal values have equal text."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _geopoint(field: Field) -> Kind:
    expected = "a point, longitude then latitude, such as -99.13,19.43"

    def default(text: str) -> list[float]:
        parts = text.split(",")
        try:
            numbers = [float(part) for part in parts]
        except ValueError:
            raise ValueError(expected) from None
        return point(numbers)

    def point(numbers: Any) -> list[float]:
        if len(numbers) != 2 or not (-180 <= numbers[0] <= 180 and -90 <= numbers[1] <= 90):
            raise ValueError(expected)
        return [int(number) if number == int(number) else number for number in map(float, numbers)]

    def read(text: str) -> list[float]:
        try:
            value = json.loads(text)
            return point([value["lon"], value["lat"]] if field.format == "object" else value)
        except (TypeError, KeyError, ValueError):
            raise ValueError(expected) from None

    from_cell = default if field.format == "default" else read
    return Kind(field.type, "TEXT", from_cell, default, canonical, canonical, "Point")


def _list(field: Field) -> Kind:
    delimiter = str(field.descriptor.get("delimiter") or ",")
    items = field.descriptor.get("itemType") or "string"
    item = Field("item", str(items), "default", "", "", None, {}, {})

    inner = kind(item)

    def reader(read: Callable[[str], Any], delimiter: str) -> Callable[[str], list[Any]]:
        return lambda text: [json.loads(inner.json(read(part))) for part in text.split(delimiter)]

    read, parse = reader(inner.read, delimiter), reader(inner.parse, ",")
    return Kind(field.type, "TEXT", read, parse, canonical, canonical, inner.written)


_KINDS: Mapping[str, Callable[[Field], Kind]] = {
    "string": _text,
    "any": _text,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "year": _year,
    "yearmonth": _yearmonth,
    "date": _date,
    "time": _time,
    "datetime": _datetime,
    "duration": _duration,
    "object": _structured(lambda value: isinstance(value, dict), "a JSON object", "Object"),
    "array": _structured(lambda value: isinstance(value, list), "a JSON array", "Array"),
    "geojson": _structured(lambda value: isinstance(value, dict), "a GeoJSON object", "Object"),
    "geopoint": _geopoint,
    "list": _list,
}
TYPES = tuple(_KINDS)
