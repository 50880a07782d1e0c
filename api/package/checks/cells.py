"""Checks that the standard requires and frictionless leaves out: unique keys, and numbers that are kept exactly."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any

from api.model import decimals, moments, types
from api.model.findings import Finding
from api.package.checks.base import Checked

EXACT_DIGITS = 15
YEARS = ("year", "yearmonth")
MANY_DIGITS = re.compile(r"[\d.]{17}")


NOT_FINITE = ("not-finite", "NaN or infinite, which JSON does not have: rows in JSON say null")
ZONED = ("time-zone", "written with a time zone, which is in the CSV and no part of the value")


class Numbers:
    """Values that are served otherwise than they are written: numbers too long, NaN and infinity, zones of years."""

    def __init__(self, checked: Checked, header: Any) -> None:
        self.checked = checked
        places = {field.name: place for place, field in enumerate(header.get_expected_fields())}
        fields = [field for field in checked.table.fields if field.type == "number" and field.name in places]
        self.columns = [(field.name, places[field.name], frozenset(field.missing)) for field in fields]
        json_fields = [field for field in checked.table.fields if field.type in types.JSON_TYPES]
        self.nested = [(field.name, places[field.name]) for field in json_fields if field.name in places]
        self.years = [(f.name, places[f.name]) for f in checked.table.fields if f.type in YEARS and f.name in places]
        self.counts: Counter[tuple[str, tuple[str, str]]] = Counter()

    def of_row(self, row: Any) -> Iterator[Finding]:
        cells = row.cells
        for name, place, missing in self.columns:
            cell, value = cells[place] if place < len(cells) else None, row[name]
            if value is None:
                if cell and cell not in missing and name not in row.error_cells:
                    self.counts[name, NOT_FINITE] += 1
            elif len(str(cell)) > EXACT_DIGITS and not _exact(value):
                message = f'"{cell}" has more digits than are kept exactly'
                yield replace(self.checked.at(row, name, "long-number", message), level="warning")
        for name, place in self.years:
            if place < len(cells) and moments.is_zoned(cells[place] or ""):
                self.counts[name, ZONED] += 1
        for name, place in self.nested:
            cell = cells[place] if place < len(cells) else None
            if cell and (number := _inexact(cell)):
                message = f"{number} has more digits than are kept exactly"
                yield replace(self.checked.at(row, name, "long-number", message), level="warning")

    def at_end(self) -> Iterator[Finding]:
        table = self.checked.table
        for (name, (type, what)), count in self.counts.items():
            values = "1 value is" if count == 1 else f"{count} values are"
            message = f'in the table "{table.name}" {values} {what}'
            yield Finding(type, message, self.checked.file(table), table.name, field=name, level="warning")


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
