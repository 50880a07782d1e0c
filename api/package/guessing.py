"""Guesses the types of a table without a schema.

A guess never judges, and never changes a value: a type is taken only where every cell of the column is written as that
type's values are served. What is unclear stays text: 007, 1 000, +1555, 12e5, 1,5, 10/01/02, a time without its zone,
numbers beside NA.
"""

import csv
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from api.model import types
from api.model.descriptor import Field

JSON = Any
Fits = Callable[[str], object]
EXACT_DIGITS = 15
NUMERIC = ["integer", "number"]


def _reads(type: str, written: str) -> Fits:
    """Whether a text is written in a way, and a value of a type."""
    matches = re.compile(written).fullmatch
    read = types.kind(Field("guess", type, "default", "", "", None, {}, {})).read
    return lru_cache(10_000)(lambda text: matches(text) and types.expectation(read, text) is None)


_integer: Fits = re.compile(r"0|-?[1-9][0-9]{0,14}").fullmatch
_decimal = re.compile(r"(?!-0\.0*$)-?(?:0|[1-9][0-9]*)\.([0-9]+)").fullmatch


def _number(text: str) -> object:
    return _integer(text) or (_decimal(text) and len(text.replace("-", "")) <= EXACT_DIGITS + 1)


# 24:00:00 and 23:59:60 are read, but served as other moments.
_DAY, _CLOCK = "[0-9]{4}-[0-9]{2}-[0-9]{2}", "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
# The types that are tried, the narrowest first.
_TRIED: Mapping[str, Fits] = {
    "integer": _integer,
    "number": _number,
    "boolean": re.compile("true|false|True|False|TRUE|FALSE").fullmatch,
    "date": _reads("date", _DAY),
    "datetime": _reads("datetime", rf"{_DAY}T{_CLOCK}(\.[0-9]{{1,6}})?Z"),
    "time": _reads("time", _CLOCK),
}


@dataclass
class _Column:
    """The types that all cells so far have, and how the numbers among them are written."""

    left: list[str] = field(default_factory=lambda: list(_TRIED))
    empty: bool = True
    decimals: set[int] = field(default_factory=set)  # how many digits stand after the point
    padded: bool = False  # 1.50, which a program that prints 1.5 does not write
    pointed: bool = False  # 1.0, which a program that prints 1 does not write

    def add(self, text: str) -> None:
        self.empty = False
        if self.left == NUMERIC and _integer(text):
            self.decimals.add(0)
            return
        self.left = [type for type in self.left if _TRIED[type](text)]
        if "number" not in self.left:
            return
        match = _decimal(text)
        self.decimals.add(len(match[1]) if match else 0)
        if match and text[-1] == "0":
            self.padded = self.padded or len(match[1]) > 1
            self.pointed = True

    def type(self) -> str:
        """The narrowest type. 1.10 beside 1.9, or 1.0 beside 1, is no number: a version, a section, a code."""
        if self.empty or not self.left:
            return "string"
        uneven = len(self.decimals) > 1 and (self.padded or self.pointed and 0 in self.decimals)
        return "string" if self.left[0] == "number" and uneven else self.left[0]


def schema(plain: Path) -> JSON:
    """A Table Schema that every row of a plain table fits. Raises ValueError for a table without columns."""
    with plain.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        labels = next(rows, [])
        if not labels:
            raise ValueError("it has no columns")
        columns = [_Column() for _ in labels]
        for row in rows:
            for column, text in zip(columns, row, strict=False):
                if text and column.left:
                    column.add(text)
    fields = [{"name": label, "type": column.type()} for label, column in zip(labels, columns, strict=True)]
    return {"fields": fields, "missingValues": [""]}
