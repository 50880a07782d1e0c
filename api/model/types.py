"""Values of a Table Schema: from a cell's text to the value that is compared, and to JSON.

A `Kind` is all that the program knows of one field type: how a cell is read (as the field's format says), how a
query's value is parsed (always in canonical form: ISO 8601, plain digits, true/false), how the value is written
as JSON, and in which SQLite column it is compared. Source of the types: Data Package v2, Table Schema,
https://datapackage.org/standard/table-schema/ .
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from json.encoder import encode_basestring
from operator import itemgetter
from typing import Any

from api.model import decimals, moments, untyped
from api.model.descriptor import Field

Stored = str | int | float | None
Reader = Callable[[str], Any]  # raises ValueError saying what was expected
MOST_ZEROS = 6_144  # the range of a 128-bit decimal: a cell of ten characters must not become a gigabyte of zeros
NUMERIC = ("integer", "number")
JSON_TYPES = ("array", "object", "geojson")  # whose values are written as JSON
BOOLEANS = {"trueValues": ["true", "True", "TRUE", "1"], "falseValues": ["false", "False", "FALSE", "0"]}
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
    "YearMonth": {"type": "string", "pattern": "^-?[0-9]{4,9}-(0[1-9]|1[0-2])$", "description": "Such as 2007-03."},
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
    """Reads decimals, and NaN, INF and -INF in any case; no exponent that would fill a page with zeros."""
    point = str(field.descriptor.get("decimalChar") or ".")

    def read(text: str) -> Decimal:
        text = text.strip()
        if not text.isascii():  # Decimal itself takes the digits of all scripts
            raise ValueError("a number")
        if (special := ENDLESS.get(text.casefold())) is not None:
            return special
        if point != "." and "." in text:
            raise ValueError(f"a number with {point} before its decimals")
        try:
            number = Decimal(text.replace(point, ".").replace("_", "no"))  # Decimal itself takes underscores
        except InvalidOperation:
            raise ValueError("a number") from None
        if not number.is_finite():
            raise ValueError("a number, NaN, INF or -INF")
        if abs(number.adjusted()) > MOST_ZEROS:
            raise ValueError(f"a number between 1e-{MOST_ZEROS} and 1e{MOST_ZEROS}")
        return number

    return _bare(field, read, point)


def _bare(field: Field, read: Reader, point: str = "") -> Reader:
    """Drops the group separators of a number; with bareNumber false also its currency, percent sign and the like."""
    group, bare = str(field.descriptor.get("groupChar") or ""), bool(field.descriptor.get("bareNumber", True))
    between = re.compile(rf"(?<=\d){re.escape(group)}(?=\d)") if group else None
    end = f"(?:{re.escape(point)})?" if point else ""
    worded = re.compile(rf"(?s)(\D*?)({end}\d(?:.*\d)?{end})(\D*)")

    def digits(text: str) -> Any:
        text = between.sub("", text) if between else text
        if bare or not (parts := worded.fullmatch(text)):
            return read(text)
        before, number, after = parts[1].strip(), parts[2], parts[3].strip()
        signs = _SIGNS.findall(before)
        # What may be a sign elsewhere, as in (5) or 5-, is not guessed at.
        outside = not signs or (signs[0] in "-+" and signs[0] in (before[0], before[-1]))
        if after in ("-", ")") or len(signs) > 1 or not outside:
            raise ValueError("a number whose sign stands before it")
        return read("".join(signs) + number)

    return digits


def _boolean(field: Field) -> Reader:
    true, false = (field.descriptor.get(name) or default for name, default in BOOLEANS.items())
    words = {**dict.fromkeys(false, False), **dict.fromkeys(true, True)}

    def read(text: str) -> bool:
        if text not in words:
            raise ValueError("one of " + ", ".join([*true, *false]))
        return words[text]

    return read


def pattern(field: Field) -> str:
    """The strptime pattern that a field's format is, if it is one; v0 wrote it after "fmt:"."""
    return field.format.removeprefix("fmt:")


def _formatted(field: Field, iso: Reader, pick: Callable[[datetime], Any]) -> Reader:
    """A reader for a field's format: ISO 8601 unless that is a strptime pattern; 'any' tries ISO 8601 only."""
    if not moments.is_pattern(pattern(field)):
        return iso
    return moments.formatted(pattern(field), pick, f"a {field.type} written as {pattern(field)}")


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
        def items(text: str) -> list[Any]:
            try:
                return [json.loads(inner.json(read(part))) for part in text.split(delimiter)]
            except ValueError as error:
                raise ValueError(f"a list, each item {error}") from None

        return items

    read = reader(inner.read, str(field.descriptor.get("delimiter") or ","))
    return Kind("list", "TEXT", read, reader(inner.parse, ","), canonical, canonical, inner.written)


_POINTS: Mapping[str, Reader] = {  # by format
    "default": _point(lambda text: [float(part) for part in text.split(",")]),
    "array": _point(json.loads),
    "object": _point(lambda text: itemgetter("lon", "lat")(json.loads(text))),
}

ENDLESS = {"nan": Decimal("NaN"), "inf": Decimal("Infinity"), "-inf": Decimal("-Infinity")}
_SIGNS = re.compile(r"[-+(\u2212]")

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
    "yearmonth": ("INTEGER", moments.yearmonth, moments.months, encode_basestring, "YearMonth"),
    "date": ("TEXT", moments.day, str, '"{}"'.format, "Day"),
    "time": ("TEXT", moments.clock, moments.clock_key, lambda clock: f'"{moments.clock_key(clock)}"', "Clock"),
    "datetime": ("TEXT", moments.moment, moments.key, lambda moment: f'"{moments.key(moment)}Z"', "Moment"),
    "duration": ("REAL", moments.duration, moments.duration_seconds, encode_basestring, "Duration"),
    "object": ("TEXT", _structured(dict, "a JSON object"), canonical, canonical, "Object"),
    "array": ("TEXT", _structured(list, "a JSON array"), canonical, canonical, "Array"),
    "geojson": ("TEXT", _structured(dict, "a GeoJSON object"), canonical, canonical, "Object"),
    "geopoint": ("TEXT", _POINTS["default"], canonical, canonical, "Point"),
}
# What reads a field's cells, where they are written otherwise.
_READERS: Mapping[str, Callable[[Field], Reader]] = {
    "integer": lambda field: _bare(field, _matching(r"\s*[+-]?[0-9]+\s*", Decimal, "a whole number")),
    "number": _number,
    "boolean": _boolean,
    "year": lambda _: moments.year,
    "date": lambda field: _formatted(field, moments.day, datetime.date),
    "time": lambda field: _formatted(field, moments.clock, lambda moment: moments.clock_of(moments.utc(moment))),
    "datetime": lambda field: _formatted(field, moments.moment, moments.utc),
    "geopoint": lambda field: _POINTS.get(field.format, _POINTS["default"]),
}
TYPES = (*_KINDS, "list")
