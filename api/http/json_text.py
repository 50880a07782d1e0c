"""JSON as responses hold it, also where parts of it are JSON text already."""

import json
from collections.abc import Mapping
from typing import Any

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def compact(value: Any) -> str:
    """A value as JSON, without spaces."""
    return _encode(value)


class Raw(str):
    """Text that is JSON already."""


def raw_json(value: Any) -> str:
    """JSON of lists and objects of which some leaves are JSON text already."""
    if isinstance(value, Raw):
        return value
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{compact(name)}:{raw_json(v)}" for name, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",\n".join(raw_json(v) for v in value) + "]"
    return compact(value)
