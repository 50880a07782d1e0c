"""What rows may be grouped by and what may be measured of them, by name; the parameters that say so."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from marshmallow import ValidationError

from api.model import types
from api.model.descriptor import Field, Table
from api.model.nearest import nearest
from api.query.fields import ORDERED, SCALARS, Names

NUMERIC = frozenset(types.NUMERIC)
# The functions of measures, each with the types of the fields that it takes; count takes none.
FUNCTIONS: Mapping[str, frozenset[str]] = {
    **{"count": frozenset(), "sum": NUMERIC, "avg": NUMERIC, "min": ORDERED, "max": ORDERED, "median": NUMERIC},
    "count_distinct": SCALARS,
}
ADDING = ("sum", "avg")
# Parts of dates that rows may be grouped by, by type and name: SQL of the stored value (api.model.types).
_YEAR, _MONTH = "CAST(substr({0}, 1, 4) AS INTEGER)", "substr({0}, 1, 7)"
PARTS: Mapping[str, Mapping[str, str]] = {
    "date": {"year": _YEAR, "month": _MONTH},
    "datetime": {"year": _YEAR, "month": _MONTH},
    "yearmonth": {"year": "CAST(({0} - ({0} % 12 + 12) % 12) / 12 AS INTEGER)"},
}
NAMED = 10  # fields that a reason names


@dataclass(frozen=True)
class Measure:
    """A function of a field; `name` is how the query and the response name it. position -1: rows."""

    name: str
    function: str
    position: int


@dataclass(frozen=True)
class Group:
    """What rows are grouped by: the values of a field or, where there is a `part`, that part of its dates; `sql` is the
    compared value. `name` is how the query and the response name it.
    """

    name: str
    position: int
    sql: str
    part: str = ""


COUNT = Measure("count", "count", -1)


def comparable(field: Field) -> str:
    """The type by which a field's values compare; a type that is not in the standard is text."""
    return field.type if field.type in types.TYPES else "any"


@lru_cache(maxsize=256)
def groups(table: Table) -> Mapping[str, Group]:
    """All that rows of a table may be grouped by, by name. A field's own name comes before that of a part."""
    scalar = [(at, field) for at, field in enumerate(table.fields) if comparable(field) in SCALARS]
    parts = [
        Group(f"{field.name}__{part}", at, sql.format(f"c{at}"), part)
        for at, field in scalar
        for part, sql in PARTS.get(field.type, {}).items()
    ]
    every = {field.name: Group(field.name, at, f"c{at}") for at, field in scalar}
    return every | {one.name: one for one in parts if one.name not in table.index}


def measurable(table: Table, function: str) -> list[str]:
    """The fields that a function of measures takes."""
    return [field.name for field in table.fields if comparable(field) in FUNCTIONS[function]]


@lru_cache(maxsize=256)
def measures(table: Table) -> Mapping[str, Measure]:
    """All that may be measured of a table's rows, by name."""
    every = [Measure(f"{f}:{name}", f, table.index[name]) for f in FUNCTIONS for name in measurable(table, f)]
    return {one.name: one for one in (COUNT, *every)}


class Measures(Names):
    """A list of measures: count, or a function and a field, such as sum:value."""

    def __init__(self, table: Table, **options: Any) -> None:
        super().__init__(measures(table), **options)
        self.table = table

    def refusal(self, name: str) -> ValidationError:
        """Why there is no such measure, and the function or field that is most likely meant."""
        function, _, field = name.partition(":")
        if function == "count":
            reason, near = "count takes no field: it counts rows", nearest(function, FUNCTIONS)
        elif function not in FUNCTIONS:
            reason, near = f"{function[:60]!r} is not one of {', '.join(FUNCTIONS)}", nearest(function, FUNCTIONS)
        else:
            able = measurable(self.table, function)
            listed = ", ".join(able[:NAMED]) + (", …" if len(able) > NAMED else "")
            what = "a numeric field" if FUNCTIONS[function] is NUMERIC else "a field whose values compare"
            reason = f"expected {function}: and {what}" + (f" ({listed})" if listed else "")
            near = nearest(field, able)
        return ValidationError({"reason": [reason], "did_you_mean": near})
