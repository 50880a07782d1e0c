"""Checks that the standard requires and frictionless leaves out: unique keys, and values that can be served."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from functools import lru_cache, partial
from typing import Any

from api.model import decimals, types
from api.model.descriptor import Table
from api.model.findings import Finding
from api.package.checks.base import Checked

EXACT_DIGITS = 15
MANY_DIGITS = re.compile(r"[\d.]{17}")
SAME_IN_FRICTIONLESS = ("string", "any", "boolean")
REMEMBERED = 10_000
Column = tuple[str, int, str, Callable[[str], str | None]]  # name, place, type, what is expected instead of a text


def columns(table: Table, header: Any) -> list[Column]:
    """The columns of a table whose values frictionless may read otherwise."""
    places = {field.name: place for place, field in enumerate(header.get_expected_fields())}
    remembering = lru_cache(REMEMBERED)
    return [
        (field.name, places[field.name], field.type, remembering(partial(types.expectation, types.kind(field).read)))
        for field in table.fields
        if field.name in places and field.type not in SAME_IN_FRICTIONLESS
    ]


def readable(checked: Checked, columns: Sequence[Column], row: Any) -> Iterator[Finding]:
    """Every value can be read by api.model.types, which serves it; numbers are finite, and not too long to be exact."""
    cells = row.cells
    for name, place, type, expectation in columns:
        cell = cells[place] if place < len(cells) else None
        digits = type in types.NUMERIC and isinstance(cell, str) and cell.isdecimal()
        if isinstance(cell, str) and not digits and row[name] is not None:
            expected = expectation(cell)
            if expected is not None:
                yield checked.at(row, name, "wrong-type", f'"{cell}" is not {expected}', expected)
        if type == "number" and len(str(cell)) > EXACT_DIGITS and not _exact(row[name]):
            message = f'"{cell}" has more digits than are kept exactly'
            yield replace(checked.at(row, name, "long-number", message), level="warning")
        if type in types.JSON_TYPES and isinstance(cell, str) and (number := _inexact(cell)):
            message = f"{number} has more digits than are kept exactly"
            yield replace(checked.at(row, name, "long-number", message), level="warning")


def _inexact(cell: str) -> str | None:
    """The first number in a JSON text that no double holds as it is written."""
    numbers: list[str] = []
    if MANY_DIGITS.search(cell):
        with suppress(ValueError, RecursionError):  # of what is no JSON, which is reported
            json.loads(cell, parse_float=numbers.append)
    return next((number for number in numbers if not _exact(number)), None)


def _exact(value: Any) -> bool:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return True
    if not number.is_finite() or len(number.normalize().as_tuple().digits) <= EXACT_DIGITS:
        return True
    return decimals.is_exact(number)


def unique_keys(checked: Checked, seen: dict[tuple[str, ...], set[Any]], row: Any) -> Iterator[Finding]:
    """No two rows share a unique key of Data Package v2; as in SQL, rows with a null in it are not compared."""
    for names in checked.table.schema["uniqueKeys"]:
        key = tuple(row[name] for name in names)
        if None in key:
            continue
        if key in seen[tuple(names)]:
            message = ", ".join(f'"{part}"' for part in key) + " duplicates an earlier row"
            yield checked.at(row, names[0], "unique-key", message, f"no two rows with the same {', '.join(names)}")
        seen[tuple(names)].add(key)
