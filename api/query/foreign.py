"""The fields of the rows that foreign keys lead to, one step away.

`source.reliability` is the field `reliability` of the row that `source` names.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from api.model import types
from api.model.descriptor import Field, ForeignKey, Package, Table

DOT = "."


class Foreign(NamedTuple):
    """A field of a table that a foreign key leads to: the key, the table, the field's position there."""

    key: ForeignKey
    table: Table
    position: int

    @property
    def field(self) -> Field:
        return self.table.fields[self.position]

    @property
    def name(self) -> str:
        """How it is written: the key's first field, a dot, the field."""
        return self.key.fields[0] + DOT + self.field.name


@lru_cache(maxsize=1_000)
def resolve(package: Package, table: Table, name: str) -> Foreign | None:
    """What a name with a dot leads to, or None. A field of the table of that name wins: ask for it first."""
    for key, target in keys(package, table):
        head, rest = name[: len(key.fields[0]) + 1], name[len(key.fields[0]) + 1 :]
        if head == key.fields[0] + DOT and rest in target.index:
            return Foreign(key, target, target.index[rest])
    return None


def keys(package: Package, table: Table) -> Iterator[tuple[ForeignKey, Table]]:
    """The foreign keys whose values have the types of what they name, and the tables that they lead to."""
    for key in table.foreign_keys:
        target = package.table(key.resource)
        if target is None or not {*key.fields} <= table.index.keys() or not {*key.reference} <= target.index.keys():
            continue
        pairs = zip(key.fields, key.reference, strict=True)
        if all(_column(table, name) == _column(target, reference) for name, reference in pairs):
            yield key, target


def _column(table: Table, name: str) -> tuple[str, bool]:
    kind = types.kind(table.field(name))
    return kind.column, kind.type in types.NUMERIC


def names(package: Package, table: Table) -> list[str]:
    """Every name with a dot that `resolve` knows."""
    every = [Foreign(key, target, at).name for key, target in keys(package, table) for at in range(len(target.fields))]
    return list(dict.fromkeys(every))
