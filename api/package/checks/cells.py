"""Checks that the standard requires and frictionless leaves out: unique keys, and values that can be served."""

from collections.abc import Callable, Iterable
from decimal import Decimal, InvalidOperation
from functools import lru_cache, partial
from typing import Any

import attrs

from api.model import decimals, types
from api.package.checks.base import CheckError, TableCheck

EXACT_DIGITS = 15
SAME_IN_FRICTIONLESS = ("string", "any", "boolean")
REMEMBERED = 10_000


@attrs.define(kw_only=True, repr=False)
class Readable(TableCheck):
    """Every value can be read by api.model.types, which serves it; numbers are finite, and not too long to be exact."""

    columns: list[tuple[str, int, bool, Callable[[str], str | None]]] = attrs.field(factory=list)
    numbers: list[tuple[str, int]] = attrs.field(factory=list)

    def validate_start(self) -> Iterable[CheckError]:
        resource: Any = self.resource
        places = {field.name: place for place, field in enumerate(resource.header.get_expected_fields())}
        for field in self.table.fields:
            if field.name in places and field.type not in SAME_IN_FRICTIONLESS:
                expectation = lru_cache(REMEMBERED)(partial(types.expectation, types.kind(field).read))
                numeric = field.type in types.NUMERIC
                self.columns.append((field.name, places[field.name], numeric, expectation))
            if field.name in places and field.type == "number":
                self.numbers.append((field.name, places[field.name]))
        yield from ()

    def validate_row(self, row: Any) -> Iterable[CheckError]:
        cells = row.cells
        for name, place, numeric, expectation in self.columns:
            cell = cells[place] if place < len(cells) else None
            if not isinstance(cell, str) or numeric and cell.isdecimal() or row[name] is None:
                continue
            expected = expectation(cell)
            if expected is not None:
                yield self.at(row, name, "wrong-type", f'"{cell}" is not {expected}', expected)
        for name, place in self.numbers:
            if place < len(cells) and len(str(cells[place])) > EXACT_DIGITS and not _exact(row[name]):
                message = f'"{cells[place]}" has more digits than are kept exactly'
                yield self.at(row, name, "long-number", message, level="warning")


def _exact(value: Any) -> bool:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return True
    if not number.is_finite() or len(number.normalize().as_tuple().digits) <= EXACT_DIGITS:
        return True
    return number == number.to_integral_value() and decimals.is_exact(number)


@attrs.define(kw_only=True, repr=False)
class UniqueKeys(TableCheck):
    """No two rows share a unique key of Data Package v2; as in SQL, rows with a null in it are not compared."""

    seen: dict[tuple[str, ...], set[tuple[Any, ...]]] = attrs.field(factory=dict)

    def validate_row(self, row: Any) -> Iterable[CheckError]:
        for names in self.table.schema["uniqueKeys"]:
            key = tuple(row[name] for name in names)
            if None in key:
                continue
            seen = self.seen.setdefault(tuple(names), set())
            if key in seen:
                message = ", ".join(f'"{part}"' for part in key) + " duplicates an earlier row"
                yield self.at(row, names[0], "unique-key", message, f"no two rows with the same {', '.join(names)}")
            seen.add(key)
