"""What follows from the names of a query's parameters: the schema that loads them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from marshmallow import Schema
from marshmallow.fields import Field

from api.model.descriptor import Package, Table
from api.query import foreign, parameters
from api.query.fields import Names, Parameters, Repeated, Separated, Value
from api.query.parameters import Condition
from api.query.refused import UnknownNames

BRACKETS = "[]"
Control = Callable[[Table], Parameters]


@dataclass(frozen=True, eq=False)
class Form:
    """What follows from the names of a query's parameters, whatever their values.

    `called`: the name of the parameter that each name means (`name[]` is another way to write a list). `names` are the
    schema's own keys, each with the parameter's name: any field name works, and marshmallow takes a dot in a key for a
    path. `filters` are the conditions; `controls` the other parameters; `lists` those of both that may be repeated,
    `repeated` those that keep each text apart.
    """

    schema: Schema
    called: Mapping[str, str]
    names: tuple[tuple[str, str], ...]
    filters: Mapping[str, Condition]
    controls: tuple[str, ...]
    lists: frozenset[str]
    repeated: frozenset[str]


@lru_cache(maxsize=512)
def form_of(table: Table, control: Control, filtered: bool, package: Package | None, names: tuple[str, ...]) -> Form:
    """The schema of just the parameters that a query has: marshmallow visits every declared field at each load.

    Raises UnknownNames.
    """
    known = {**control(table), **(parameters.conditions() if filtered else {})}
    declared, conditions, called = dict(known), dict[str, Condition](), dict[str, str]()
    for given in names:
        for name in (given, given.removesuffix(BRACKETS)):
            found = parameters.condition(package, table, name) if filtered and name not in known else None
            if found is not None and (name == given or found.operator.many):
                conditions[name], declared[name] = found, Value(found.field, found.operator)
            if name in declared and (name == given or _is_list(declared[name])):
                called[given] = name
                break
    unknown = [name for name in names if name not in called]
    if unknown:
        raise UnknownNames(unknown)
    used = {name: declared[name] for name in sorted({*called.values()})}
    for name, field in used.items():
        field.data_key = name
        if isinstance(field, Names) and field.foreign and package:
            field.known = (*(field.known or ()), *foreign.names(package, table))
    keys = tuple((f"p{place}", name) for place, name in enumerate(used))
    return Form(
        schema=Schema.from_dict({key: used[name] for key, name in keys}, name="Query")(),
        called=called,
        names=keys,
        filters={name: conditions[name] for name in used if name in conditions},
        controls=tuple(name for name in used if name not in conditions),
        lists=frozenset(name for name, field in used.items() if _is_list(field)),
        repeated=frozenset(name for name, field in used.items() if isinstance(field, Repeated)),
    )


def _is_list(field: Field[Any]) -> bool:
    """Whether a parameter may be repeated."""
    return isinstance(field, Separated | Repeated) or isinstance(field, Value) and field.operator.many
