"""Values of type any that keep their type: a number stays a number, a list a list.

A field of type any with the custom property `lantern:json` has cells that hold a text as it is, or JSON. A text that
could be taken for JSON is written as JSON, with its quotes, so that "1" and 1 stay apart.
"""

import json
from collections.abc import Mapping
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any

from api.model import decimals
from api.model.descriptor import Field

PROPERTY = "lantern:json"


def keeps_types(field: Field) -> bool:
    """Whether the cells of a field hold JSON."""
    return field.type == "any" and field.descriptor.get(PROPERTY) is True


def is_json(text: str) -> bool:
    """Whether a text could be taken for JSON."""
    return _value(text) is not None or text.strip() == "null"


def canonical(text: str) -> str:
    """A cell's text as it is compared: JSON with keys sorted and every digit, 1.50 as 1.5; other text as it is."""
    return _dumps(_value(text)) if is_json(text) else text


def cell(value: Any) -> str:
    """The canonical text of the cell that holds a JSON value."""
    return value if isinstance(value, str) and not is_json(value) else _dumps(value)


def to_json(text: str) -> str:
    """The JSON of a cell's canonical text."""
    return text if is_json(text) else encode_basestring(text)


def _value(text: str) -> Any:
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=int)  # int refuses NaN and the infinities
    except (ValueError, ArithmeticError, RecursionError):
        return None


def _dumps(value: Any) -> str:
    if isinstance(value, Decimal):
        return decimals.to_json(value)
    if isinstance(value, Mapping):
        pairs = (f"{encode_basestring(name)}:{_dumps(value[name])}" for name in sorted(value))
        return "{" + ",".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_dumps, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
