"""Codes that must be real (property `lantern:codes` of a field): those of a list, and others of the package's own.

The codes of countries and of their parts are those of ISO 3166, as Debian's iso-codes has them (iso3166.txt).
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from api.model.descriptor import Table
from api.model.findings import Finding
from api.package.checks.base import Checked

PROPERTY = "lantern:codes"
Codes = Mapping[str, tuple[frozenset[str], str]]  # by the name of a field: the codes, and what is expected


@cache
def _countries() -> tuple[list[str], ...]:
    """For each country its alpha-3 and its alpha-2 code, then the parts of its subdivisions."""
    text = Path(__file__).with_name("iso3166.txt").read_text("ascii")
    return tuple(line.split() for line in text.splitlines() if not line.startswith("#"))


LISTS: Mapping[str, tuple[str, Callable[[], Iterator[str]]]] = {
    "iso3166-1-alpha-2": ("a country of ISO 3166-1, such as MX", lambda: (two for _, two, *_ in _countries())),
    "iso3166-1-alpha-3": ("a country of ISO 3166-1, such as MEX", lambda: (three for three, *_ in _countries())),
    "iso3166-2": (
        "a subdivision of ISO 3166-2, such as MX-VER",
        lambda: (f"{two}-{part}" for _, two, *parts in _countries() for part in parts),
    ),
}


def of(table: Table) -> Codes:
    """The fields of a table whose codes must be real."""
    found: dict[str, tuple[frozenset[str], str]] = {}
    for field in table.fields:
        if PROPERTY in field.descriptor:
            rule = field.descriptor[PROPERTY]
            (title, listed), also = LISTS[rule["list"]], rule.get("also", ())
            expected = f"{title}, or {', '.join(also)}" if also else title
            found[field.name] = (frozenset((*listed(), *also)), expected)
    return found


def real(checked: Checked, fields: Codes, row: Any) -> Iterator[Finding]:
    """Every code is one of its list."""
    for name, (codes, expected) in fields.items():
        code = row[name]
        if code is not None and code not in codes and not checked.has_error(row, name):
            yield checked.at(row, name, "code", f'"{code}" is not a code of the list', expected)
