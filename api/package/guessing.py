"""Guesses the types of a table without a schema; a guess never changes a value, so that what is unclear stays text."""

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from api.model import types
from api.model.descriptor import Field

JSON = Any
Fits = Callable[[str], object]
_DECIMAL = re.compile(r"-?(0|[1-9]\d*)\.(\d+)").fullmatch
EXACT_DIGITS = 15


def _reads(type: str) -> Fits:
    read = types.kind(Field("guess", type, "default", "", "", None, {}, {})).read
    return lambda text: types.expectation(read, text) is None


def _number(text: str) -> object:
    return (_integer(text) or _DECIMAL(text)) and sum(map(str.isdigit, text)) <= EXACT_DIGITS


_integer: Fits = re.compile(r"-?(0|[1-9]\d{0,14})").fullmatch
# The types that are tried, the narrowest first: what each takes comes out again as it was written.
_TRIED: Mapping[str, Fits] = {
    "integer": _integer,
    "number": _number,
    "boolean": re.compile("true|false").fullmatch,
    "date": _reads("date"),
    "datetime": _reads("datetime"),
    "time": _reads("time"),
}


def schema(plain: Path) -> JSON:
    """A Table Schema that every row of a plain table fits. Raises ValueError for a table without columns."""
    with plain.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        labels = next(rows, [])
        if not labels:
            raise ValueError("it has no columns")
        left = [list(_TRIED) for _ in labels]
        decimals: list[set[int]] = [set() for _ in labels]  # how many digits stand after the point
        zeros = [False] * len(labels)
        some = [False] * len(labels)
        for row in rows:
            for place, text in enumerate(row[: len(labels)]):
                if not text or not left[place]:
                    continue
                some[place] = True
                left[place] = [type for type in left[place] if _TRIED[type](text)]
                if match := _DECIMAL(text):
                    decimals[place].add(len(match[2]))
                    zeros[place] = zeros[place] or text.endswith("0")
                elif left[place][:1] == ["number"] or "integer" in left[place]:
                    decimals[place].add(0)
    fields = []
    for place, label in enumerate(labels):
        type = _settled(left[place] if some[place] else [], zeros[place] and len(decimals[place]) > 1)
        fields.append({"name": label, "type": type})
    return {"fields": fields, "missingValues": [""]}


def _settled(left: Sequence[str], uneven: bool) -> str:
    """The narrowest type; 1.10 beside 1.9 is no number but the name of a version or a section."""
    first = next(iter(left), "string")
    return "string" if first == "number" and uneven else first
