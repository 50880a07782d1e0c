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
from operator import itemgetter
from typing import Any

from api.model import decimals, untyped
from api.model.descriptor import Field

Stored = str | int | float | None
Reader = Callable[[str], Any]  # raises ValueError saying what was expected
YEAR_SECONDS = 31_556_952  # mean Gregorian year, so that durations with months have an order
NUMERIC = ("integer", "number")
JSON_TYPES = ("array", "object", "geojson")  # whose values are written as JSON
STRUCTURED = ("list", "array", "object", "geojson", "geopoint")

PLAIN: Mapping[str, Any] = {"type": "string", "pattern": r"^[^\x00]*$"}

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
    """One field's type, ready to use: `read` takes cells, `parse` the values of queries.

    `written` names the form (of WRITTEN) that `parse` takes; of a list, that of its items.
    """

    type: str
    column: str
    read: Reader
    parse: Reader
    store: Callable[[Any], Stored]
    json: Callable[[Any], str]
    written: str


@lru_cache(maxsize=10_000)
def kind(field: Field) -> Kind:
    """How the values of a field are read, compared and written; a type the standard does not know reads as text."""
    if field.type == "list":
        return _list(field)
    if untyped.keeps_types(field):
        return Kind("any", "TEXT", untyped.canonical, untyped.canonical, str, untyped.to_json, "Text")
    column, parse, store, as_json, written = _KINDS.get(field.type, _KINDS["string"])
    read = _READERS[field.type](field) if field.type in _READERS else parse
    return Kind(field.type, column, read, parse, store, as_json, written)


def expectation(read: Reader, text: str) -> str | None:
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


def _matching(pattern: str, make: Reader, expected: str) -> Reader:
    """Reads whole texts of a pattern."""
    return lambda text: make(_match(pattern, text, expected)[0])


def _expecting(expected: str, read: Reader, errors: tuple[type[Exception], ...] = (ValueError,)) -> Reader:
    """Reads as another reader does; the errors named become a ValueError that says what was expected."""

    def expecting(text: str) -> Any:
        try:
            return read(text)
        except errors:
            raise ValueError(expected) from None

    return expecting


def _number(field: Field) -> Reader:
    point = str(field.descriptor.get("decimalChar") or ".")

    def read(text: str) -> Decimal:
        try:
            number = Decimal(text.replace(point, ".").replace("_", "no").strip())  # Decimal itself takes underscores
        except InvalidOperation:
            raise ValueError("a number") from None
        if not number.is_finite():
            raise ValueError("a finite number (JSON has no NaN or infinity)")
        return number

    return _bare(field, read)


def _bare(field: Field, read: Reader) -> Reader:
    """Drops the group separators of a number; with bareNumber false also its currency, percent sign and the like."""
    group, bare = str(field.descriptor.get("groupChar") or ""), bool(field.descriptor.get("bareNumber", True))

    def digits(text: str) -> Any:
        text = text.replace(group, "") if group else text
        inner = None if bare else re.search(r"[-+]?\.?\d(?:.*\d)?", text)
        return read(inner[0] if inner else text)

    return digits


def _boolean(field: Field) -> Reader:
    true = field.descriptor.get("trueValues") or ["true", "True", "TRUE", "1"]
    false = field.descriptor.get("falseValues") or ["false", "False", "FALSE", "0"]
    words = {**dict.fromkeys(false, False), **dict.fromkeys(true, True)}

    def read(text: str) -> bool:
        if text not in words:
            raise ValueError("one of " + ", ".join([*true, *false]))
        return words[text]

    return read


def _yearmonth(text: str) -> str:
    match = _match(r"(-?\d{4})-(0?[1-9]|1[0-2])", text.strip(), "a year and month, such as 2007-03")
    return f"{match[1]}-{int(match[2]):02d}"


def _utc(moment: datetime) -> datetime:
    """Times without a zone are read as UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _utc_time(value: time) -> time:
    return _utc(datetime.combine(date(2000, 1, 2), value)).time()


def _moment_key(moment: datetime) -> str:
    """Without the Z, so that a fraction sorts after the whole second."""
    return moment.replace(tzinfo=None).isoformat()


def _formatted(field: Field, iso: Reader, pick: Callable[[datetime], Any]) -> Reader:
    """A reader for a field's format: ISO by default, else a strptime pattern ('any' tries ISO only)."""
    pattern = field.format.removeprefix("fmt:")
    if pattern in ("default", "any"):
        return iso
    return _expecting(f"a {field.type} written as {pattern}", lambda text: pick(datetime.strptime(text, pattern)))


_DURATION = (
    r"(?P<sign>-)?P(?=.)(?:(?P<W>\d+(?:\.\d+)?)W)?(?:(?P<Y>\d+(?:\.\d+)?)Y)?(?:(?P<M>\d+(?:\.\d+)?)M)?"
    r"(?:(?P<D>\d+(?:\.\d+)?)D)?(?:T(?=.)(?:(?P<h>\d+(?:\.\d+)?)H)?(?:(?P<m>\d+(?:\.\d+)?)M)?(?:(?P<s>\d+(?:\.\d+)?)S)?)?"
)
_SECONDS = {"W": 604_800, "Y": YEAR_SECONDS, "M": YEAR_SECONDS / 12, "D": 86_400, "h": 3_600, "m": 60, "s": 1}


def duration_seconds(text: str) -> float:
    """An ISO 8601 duration in seconds; a month is a twelfth of a mean Gregorian year."""
    match = _match(_DURATION, text, "an ISO 8601 duration, such as P1Y2M3DT4H")
    total = math.fsum(float(match[part]) * size for part, size in _SECONDS.items() if match[part])
    return -total if match["sign"] else total


def _duration(text: str) -> str:
    duration_seconds(text.strip())
    return text.strip()


def _structured(shape: type, expected: str) -> Reader:
    def read(text: str) -> Any:
        value = json.loads(text, parse_float=decimals.double, parse_constant=int)  # int refuses NaN and infinity
        if not isinstance(value, shape):
            raise ValueError
        return value

    return _expecting(expected, read, (ValueError, RecursionError))


def canonical(value: Any) -> str:
    """JSON with keys sorted and no white space: equal values have equal text."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _point(numbers: Reader) -> Reader:
    """Reads points; `numbers` gives the longitude and latitude in a text."""

    def read(text: str) -> list[float]:
        longitude, latitude = numbers(text)
        if not (-180 <= longitude <= 180 and -90 <= latitude <= 90):
            raise ValueError
        return [int(number) if number == int(number) else number for number in (float(longitude), float(latitude))]

    return _expecting("a point, longitude then latitude, such as -99.13,19.43", read, (ValueError, TypeError, KeyError))


def _list(field: Field) -> Kind:
    inner = kind(Field("item", str(field.descriptor.get("itemType") or "string"), "default", "", "", None, {}, {}))

    def reader(read: Reader, delimiter: str) -> Reader:
        return lambda text: [json.loads(inner.json(read(part))) for part in text.split(delimiter)]

    read = reader(inner.read, str(field.descriptor.get("delimiter") or ","))
    return Kind("list", "TEXT", read, reader(inner.parse, ","), canonical, canonical, inner.written)


_REAL_DAY = _expecting("a date that exists, such as 2007-10-01", date.fromisoformat)
_DAY = _matching(r"\d{4}-\d{2}-\d{2}", _REAL_DAY, "a date, such as 2007-10-01")
_CLOCK = _expecting("a time, such as 13:30:00", lambda text: _utc_time(time.fromisoformat(text)))
_A_MOMENT = "a date and time, such as 2007-10-01T13:30:00Z"
_ISO_MOMENT = _matching(
    r"(?s:\d{4}-\d{2}-\d{2}[T ]\d{2}.*)", lambda text: _utc(datetime.fromisoformat(text)), _A_MOMENT
)
_MOMENT = _expecting(_A_MOMENT, _ISO_MOMENT, (ValueError, OverflowError))
_POINTS: Mapping[str, Reader] = {  # by format
    "default": _point(lambda text: [float(part) for part in text.split(",")]),
    "array": _point(json.loads),
    "object": _point(lambda text: itemgetter("lon", "lat")(json.loads(text))),
}

# By type: its column, what reads a query's value, and often a cell; how it is stored, its JSON, the form of WRITTEN.
_Row = tuple[str, Reader, Callable[[Any], Stored], Callable[[Any], str], str]
_WHOLE = _matching("[+-]?[0-9]{1,400}", Decimal, "a whole number")
_DECIMAL = r"[+-]?([0-9]{1,400}(\.[0-9]{0,400})?|\.[0-9]{1,400})([eE][+-]?[0-9]{1,3})?"
_FLAG = _matching("true|false", lambda text: text == "true", "true or false")
_KINDS: Mapping[str, _Row] = {
    "string": ("TEXT", str, str, encode_basestring, "Text"),
    "any": ("TEXT", str, str, encode_basestring, "Text"),
    "integer": ("NUMERIC", _WHOLE, decimals.stored, decimals.to_json, "Whole"),
    "number": ("NUMERIC", _matching(_DECIMAL, Decimal, "a number"), decimals.stored, decimals.to_json, "Number"),
    "boolean": ("INTEGER", _FLAG, int, lambda value: "true" if value else "false", "Flag"),
    "year": ("INTEGER", _matching("-?[0-9]{1,9}", int, "a year, such as 2007"), int, str, "Year"),
    "yearmonth": ("TEXT", _yearmonth, str, encode_basestring, "YearMonth"),
    "date": ("TEXT", _DAY, str, '"{}"'.format, "Day"),
    "time": ("TEXT", _CLOCK, str, '"{}"'.format, "Clock"),
    "datetime": ("TEXT", _MOMENT, _moment_key, lambda value: f'"{_moment_key(value)}Z"', "Moment"),
    "duration": ("REAL", _duration, duration_seconds, encode_basestring, "Duration"),
    "object": ("TEXT", _structured(dict, "a JSON object"), canonical, canonical, "Object"),
    "array": ("TEXT", _structured(list, "a JSON array"), canonical, canonical, "Array"),
    "geojson": ("TEXT", _structured(dict, "a GeoJSON object"), canonical, canonical, "Object"),
    "geopoint": ("TEXT", _POINTS["default"], canonical, canonical, "Point"),
}
# What reads a field's cells, where they are written otherwise.
_READERS: Mapping[str, Callable[[Field], Reader]] = {
    "integer": lambda field: _bare(field, _matching(r"\s*[+-]?\d+\s*", Decimal, "a whole number")),
    "number": _number,
    "boolean": _boolean,
    "year": lambda _: _matching(r"\s*-?\d{4,9}\s*", int, "a year, such as 2007"),
    "date": lambda field: _formatted(field, _DAY, datetime.date),
    "time": lambda field: _formatted(field, _CLOCK, lambda moment: _utc_time(moment.timetz())),
    "datetime": lambda field: _formatted(field, _MOMENT, _utc),
    "geopoint": lambda field: _POINTS.get(field.format, _POINTS["array"]),
}
TYPES = (*_KINDS, "list")
