"""What a Table Dialect may say of a table, https://datapackage.org/standard/table-dialect/ ."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from api.model.findings import Finding
from api.package.tables.base import Given

JSON = Any
LINE_ENDS = ("\n", "\r\n", "\r")


def _character(value: JSON) -> bool:
    return isinstance(value, str) and len(value) == 1 and value not in "\r\n\0"


def _lines(value: JSON) -> bool:
    return isinstance(value, list) and all(type(line) is int and line > 0 for line in value)


def _flag(value: JSON) -> bool:
    return isinstance(value, bool)


def _text(value: JSON) -> bool:
    return isinstance(value, str)


# Each property with what it may be, as a test and in words.
PROPERTIES: Mapping[str, tuple[Callable[[JSON], bool], str]] = {
    "header": (_flag, "true or false"),
    "headerRows": (lambda value: _lines(value) and bool(value), "a list of line numbers"),
    "headerJoin": (_text, "text"),
    "headerCase": (_flag, "true or false"),
    "commentRows": (_lines, "a list of line numbers"),
    "commentChar": (lambda value: _text(value) and bool(value), "text that comments begin with"),
    "delimiter": (_character, "one character"),
    "lineTerminator": (lambda value: value in LINE_ENDS, "a line end: LF, CRLF or CR"),
    "quoteChar": (lambda value: value is None or _character(value), "one character, or null for none"),
    "doubleQuote": (_flag, "true or false"),
    "escapeChar": (_character, "one character"),
    "nullSequence": (_text, "text"),
    "skipInitialSpace": (_flag, "true or false"),
    "property": (_text, "the name of a member"),
    "itemType": (lambda value: value in ("array", "object"), "array or object"),
    "itemKeys": (lambda value: isinstance(value, list) and all(map(_text, value)), "a list of names"),
    "sheetNumber": (lambda value: type(value) is int and value > 0, "a number from 1"),
    "sheetName": (_text, "the name of a sheet"),
}
OF_OTHERS = ("table",)  # formats
WORDS = ("$schema", "name", "title", "description")


def faults(given: Given) -> Iterator[Finding]:
    """Errors for values that a property cannot have, warnings for properties that no table has."""
    place = (given.described, given.name)
    sign = given.dialect.get("delimiter", ",")
    if sign == given.dialect.get("quoteChar", '"'):
        message, expected = f"{sign!r} cannot be both delimiter and quoteChar of the dialect", "two characters"
        yield Finding("dialect", message, *place, value=str(sign), expected=expected)
    for key, value in given.dialect.items():
        if key not in PROPERTIES:
            if key not in (*OF_OTHERS, *WORDS):
                message = f'"{key}" of the dialect is unknown and has no effect'
                expected = f"one of {', '.join(PROPERTIES)}"
                yield Finding("dialect", message, *place, value=key, expected=expected, level="warning")
            continue
        allowed, expected = PROPERTIES[key]
        if not allowed(value):
            message = f'"{key}" of the dialect cannot be {value!r}'
            yield Finding("dialect", message, *place, value=str(value), expected=expected)
