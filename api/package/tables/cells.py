"""How a value of JSON or of a spreadsheet is written as the text of a cell, which api.model.types can read."""

import json
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from api.model import untyped
from api.model.descriptor import Field
from api.package.tables.parsing import Number, Twice

JSON = Any
LONGEST_PLAIN = 60  # digits: a number beyond is written with its exponent


class Unwritable(Exception):
    """A value that no cell can hold as it is."""

    def __init__(self, field: Field, message: str, expected: str) -> None:
        super().__init__(message)
        self.field, self.expected = field.name or None, expected


def writer(field: Field) -> Callable[[JSON], str]:
    """How a value that is not null becomes text; text stays as it is. Raises Unwritable."""
    said = field.descriptor
    words = {True: (said.get("trueValues") or ["true"])[0], False: (said.get("falseValues") or ["false"])[0]}
    point = str(said.get("decimalChar") or ".")
    whole = field.type in ("integer", "year")

    def write(value: JSON) -> str:
        if isinstance(value, str):
            return _whole_characters(field, value)
        if isinstance(value, bool):
            return str(words[value])
        if isinstance(value, int | float):
            return digits(value, whole).replace(".", point)
        if isinstance(value, date | time | timedelta):
            return _moment(field, value)
        if field.type == "geopoint" and field.format == "default" and isinstance(value, list):
            return ",".join(map(write, value))
        if field.type == "list" and isinstance(value, list):
            return _list(
                field, str(said.get("delimiter") or ","), [item if item is None else write(item) for item in value]
            )
        return _structured(field, value)

    return _as_json(field) if untyped.keeps_types(field) else write


def digits(number: JSON, whole: bool = False) -> str:
    """A number as it was written, without an exponent within reason; with `whole` 1.0 is 1."""
    text = number.text if isinstance(number, Number) else repr(number)
    if "e" in text or "E" in text:
        value = Decimal(text)
        text = f"{value:f}" if -LONGEST_PLAIN < value.adjusted() < LONGEST_PLAIN else text
    elif isinstance(number, float) and not isinstance(number, Number):
        text = text.removesuffix(".0")
    head, _, tail = text.partition(".")
    return head if whole and not tail.strip("0") else text


def _moment(field: Field, value: date | time | timedelta) -> str:
    """A date or time in the field's own format."""
    if isinstance(value, timedelta):
        sign, minutes = "-" if value < timedelta() else "", abs(value) // timedelta(minutes=1)
        seconds = f"{(abs(value) % timedelta(minutes=1)).total_seconds():.3f}".rstrip("0").rstrip(".")
        return f"{sign}PT{minutes // 60}H{minutes % 60}M{seconds}S"
    pattern = field.format.removeprefix("fmt:")
    if "%" in pattern and field.type in ("date", "time", "datetime"):
        return value.strftime(pattern)
    if field.type == "datetime" and not isinstance(value, datetime) and isinstance(value, date):
        return f"{value.isoformat()}T00:00:00"
    if field.type == "date" and isinstance(value, datetime) and value.time() == time():
        return value.date().isoformat()
    return value.isoformat()


def _list(field: Field, delimiter: str, texts: list[str | None]) -> str:
    """The items of a list joined, where they can be told apart again."""
    items = [text for text in texts if text is not None]
    if len(items) < len(texts):
        raise Unwritable(field, "null is an item of a list", f"items of type {_item_type(field)}")
    joined = delimiter.join(items)
    if not joined or joined.split(delimiter) != items:
        which = next((item for item in items if delimiter in item), None)
        what = f'the item "{which}" holds the delimiter of its list' if which else "a list without a text in it"
        raise Unwritable(field, f"{what}: it cannot be told apart", f'items without "{delimiter}"')
    return joined


def _item_type(field: Field) -> str:
    return str(field.descriptor.get("itemType") or "string")


def _structured(field: Field, value: JSON) -> str:
    try:
        return _whole_characters(field, dumps(value))
    except RecursionError:
        raise Unwritable(field, "the value is nested too deeply", "fewer levels") from None
    except ValueError as error:
        raise Unwritable(field, str(error), "a different name for each member") from None


def dumps(value: JSON) -> str:
    """JSON with every number as it was written. Raises ValueError for an object that has a member twice."""
    if isinstance(value, Twice):
        raise ValueError(f'an object has the member "{value.member}" twice')
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(str(k), ensure_ascii=False)}: {dumps(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(dumps, value)) + "]"
    return value.text if isinstance(value, Number) else json.dumps(value, ensure_ascii=False, default=str)


def _as_json(field: Field) -> Callable[[JSON], str]:
    """How a value of any type is written: a text as it is unless it could be taken for JSON, all else as JSON."""
    missing = frozenset(field.missing)

    def write(value: JSON) -> str:
        if isinstance(value, date | time | timedelta):
            return _moment(field, value)
        if not isinstance(value, str):
            return untyped.canonical(_structured(field, value))
        if value in missing or not untyped.is_json(value):
            return _whole_characters(field, value)
        return json.dumps(value, ensure_ascii=False)

    return write


def _whole_characters(field: Field, text: str) -> str:
    """Raises Unwritable for half a character: JSON can write one, UTF-8 cannot."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            shown = text.encode("ascii", "backslashreplace").decode()
            raise Unwritable(field, f'"{shown}" holds half a character', "whole characters") from None
    return text
