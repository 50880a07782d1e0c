"""What a dataset's description says of its rows: how they are spread, which years they cover, what one may ask."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from api.http.request import DataRequest, address, pinned, with_query
from api.http.views.records import offered
from api.model import types
from api.model.descriptor import Field, Table
from api.query import parameters
from api.query.fields import COMMA, OPERATORS, operators
from api.query.parse import Pairs
from api.query.profile import Profile, profile

TIMES = ("year", "yearmonth", "date", "datetime")
FEW, SHORT = 100, 100  # values of a field that is good to group by; characters of a value that is good to ask for
PROFILED = 300  # fields whose values are counted
Profiles = Sequence[tuple[Field, Profile]]


def described(data_request: DataRequest, table: Table) -> dict[str, Any]:
    """The members `profile`, `coverage`, `examples` and `formats` of a dataset's description. Raises TooSlow.

    The counts are made at the first request for them (some 50 ms a field of a million rows, 5 ms of a few) and kept
    with the release; of a wide table only the first fields are counted.
    """
    release = data_request.release
    profiles = [(field, profile(release, table, position)) for position, field in enumerate(table.fields[:PROFILED])]
    path = address("v1", "datasets", table.name, "records")
    return {
        "profile": [_counts(field, found) for field, found in profiles],
        "coverage": _coverage(table, profiles),
        "examples": [
            {"question": words, **pinned(data_request, {"href": href})} for words, href in _examples(table, profiles)
        ],
        "formats": [
            {"name": name, "media_type": kind, **pinned(data_request, {"href": f"{path}.{name}"})}
            for name, kind in offered().items()
        ],
    }


def _counts(field: Field, found: Profile) -> dict[str, Any]:
    """What is known of a field's values; `min` and `max` only where they have an order."""
    bounds = {"min": json.loads(found.least), "max": json.loads(found.greatest)} if found.least else {}
    names = [one.name for one in operators(field)]
    return {"name": field.name, "distinct": found.distinct, "nulls": found.nulls, **bounds, "operators": names}


def _coverage(table: Table, profiles: Profiles) -> list[dict[str, Any]]:
    """The first and last year or day of the fields that lantern:figure names; without such, of all years and days."""
    named = {str(name) for name in table.figure.values() if not isinstance(name, list | dict)}
    dated = [(field, found) for field, found in profiles if field.type in TIMES and found.least]
    chosen = [entry for entry in dated if entry[0].name in named] or dated
    return [
        {"field": field.name, "first": json.loads(found.least), "last": json.loads(found.greatest)}
        for field, found in chosen
    ]


# Examples: questions that each have rows, for they are made of what the rows hold


def _examples(table: Table, profiles: Profiles) -> list[tuple[str, str]]:
    """What is asked, in words, and its address; fewer than three where the rows do not allow more."""
    records = address("v1", "datasets", table.name, "records")
    found: list[tuple[str, str]] = []
    for field, _, value in _askable(table, profiles):
        name = next((n for n in _equal(field.name) if parameters.resolve(table, n) == (field, OPERATORS["eq"])), None)
        if name is not None:
            found.append((f"Rows whose {_words(field)} is {value}", with_query(records, ((name, value),))))
            break
    ordered = [(field, one) for field, one in profiles if one.least and field.name not in table.primary_key]
    if ordered:
        field, _ = min(ordered, key=lambda entry: (_rank(table, entry[0]), entry[1].distinct < 2))
        words, sign = (
            (f"The ten rows with the highest {_words(field)}", "-"),
            (f"The ten rows with the latest {_words(field)}", "-"),
            (f"The first ten rows by {_words(field)}", ""),
        )[max(_rank(table, field) - 1, 0)]
        found.append((words, with_query(records, (("limit", "10"), ("sort", sign + _listed(field))))))
    by = next((field for field, *_ in _askable(table, profiles) if field.name != "count"), None)
    if by is not None:
        grouped: Pairs = (("group_by", _listed(by)), ("measure", "count"), ("sort", "-count"))
        path = address("v1", "datasets", table.name, "aggregate")
        found.append((f"How many rows there are of each {_words(by)}", with_query(path, grouped)))
    return found


def _askable(table: Table, profiles: Profiles) -> Iterable[tuple[Field, Profile, str]]:
    """Fields with one of their values as a parameter has it, the best to group by first: those of few values, and of
    these such as the schema lists or that lead to another table.
    """
    keys = {name for key in table.foreign_keys for name in key.fields}
    usable = []
    for field, found in profiles:
        value = json.loads(found.least, parse_int=str, parse_float=str) if found.least else ""
        if isinstance(value, str) and value.isprintable() and 0 < len(value.strip()) == len(value) <= SHORT:
            usable.append((field, found, value))

    def rank(entry: tuple[Field, Profile, str]) -> tuple[bool, bool, bool]:
        field, found, _ = entry
        listed = "enum" in field.constraints or field.name in keys
        return field.name in table.primary_key, not 2 <= found.distinct <= FEW, not listed

    return sorted(usable, key=rank)


def _rank(table: Table, field: Field) -> int:
    """Which field is best to sort by: the figure's value (0), any other number, a day or year, the rest (3)."""
    if field.name == table.figure.get("value"):
        return 0
    return 1 if field.type in types.NUMERIC else 2 if field.type in TIMES else 3


def _equal(name: str) -> tuple[str, str]:
    """The parameters that may ask for a field's value."""
    return name, f"{name}{parameters.SEPARATOR}eq"


def _listed(field: Field) -> str:
    """A field's name in a list."""
    return field.name.replace(",", COMMA)


def _words(field: Field) -> str:
    return field.title or field.name
