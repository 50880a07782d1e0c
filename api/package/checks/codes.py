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


LISTS: Mapping[str, Callable[[], Iterator[str]]] = {
    "iso3166-1-alpha-2": lambda: (two for _, two, *_ in _countries()),
    "iso3166-1-alpha-3": lambda: (three for three, *_ in _countries()),
    "iso3166-2": lambda: (f"{two}-{part}" for _, two, *parts in _countries() for part in parts),
}


def of(table: Table) -> Codes:
    """The fields of a table whose codes must be real."""
    rules = {field.name: field.descriptor[PROPERTY] for field in table.fields if PROPERTY in field.descriptor}
    return {
        name: (
            frozenset((*LISTS[rule["list"]](), *rule.get("also", ()))),
            f"a code of {rule['list']}" + "".join(f", {code}" for code in rule.get("also", ())),
        )
        for name, rule in rules.items()
    }


def real(checked: Checked, fields: Codes, row: Any) -> Iterator[Finding]:
    """Every code is one of its list."""
    for name, (codes, expected) in fields.items():
        code = row[name]
        if code is not None and code not in codes and not checked.has_error(row, name):
            yield checked.at(row, name, "code", f'there is no code "{code}"', expected)
