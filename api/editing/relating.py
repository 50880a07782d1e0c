"""Proposes keys for tables that have none: what the data bear and the names say.

A primary key is a field of one's own: every row has a value, no two the same, and it is called `id`, like the table
(`customer_id` in `customers`, or `customer` if its values are words: `sales` in `sales` are figures), or it comes first
and ends as keys do (`order_no`). A foreign key is called like the key of another table, which has all of its values.
More rows may contradict anything else: there are no keys of several fields, and none that is only unique.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

JSON = Any
ENDINGS = ("id", "key", "code", "uuid", "guid", "no", "nr", "number")
PLURALS = (("s", ""), ("es", ""), ("ies", "y"))
FEWEST = 2  # rows, below which every column is unique
TYPES = ("string", "integer")


@dataclass(frozen=True)
class Plain:
    """A table as plain CSV, with its schema, in which every field has a type."""

    name: str
    schema: JSON
    path: Path

    @property
    def types(self) -> dict[str, str]:
        return {field["name"]: field["type"] for field in self.schema["fields"]}

    def missing(self, name: str) -> set[str]:
        """What stands for no value in a field."""
        return {text for field in self.schema["fields"] if field["name"] == name for text in self._missing(field)}

    def _missing(self, field: JSON) -> list[str]:
        return list(field.get("missingValues", self.schema["missingValues"]))


def keys(tables: Sequence[Plain]) -> dict[str, dict[str, JSON]]:
    """The primaryKey and the foreignKeys of each table's schema, by the table's name, as far as there are any."""
    found: dict[str, dict[str, JSON]] = {table.name: {} for table in tables}
    values: dict[str, frozenset[str]] = {}  # of the primary keys, by table
    for table in tables:
        wanted = _candidates(table, tables)
        unique = _unique(table, wanted)
        if name := next((name for name in wanted if name in unique and not _figures(table, name, unique[name])), None):
            found[table.name]["primaryKey"], values[table.name] = [name], unique[name]
    for table in tables:
        pairs = [pair for pair in _references(table, tables, found) if _held(table, pair[0], values[pair[1].name])]
        references: dict[str, JSON] = {}
        for field, other in pairs:
            back = {key["reference"]["resource"] for key in found[other.name].get("foreignKeys", [])}
            if table.name not in back:
                reference = {"resource": other.name, "fields": found[other.name]["primaryKey"]}
                references.setdefault(field, {"fields": [field], "reference": reference})
        if references:
            found[table.name]["foreignKeys"] = [*references.values()]
    return found


# Names


def _words(name: str) -> str:
    """A name for comparison: unitPrice, Unit-Price and unit_price are one."""
    return re.sub(r"[\W_]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)).strip("_").lower()


def _own_names(table: Plain) -> set[str]:
    """What one row of a table is called, as far as its name tells."""
    name = _words(table.name)
    return {name, *(name.removesuffix(end) + instead for end, instead in PLURALS if name.endswith(end))}


def _candidates(table: Plain, tables: Sequence[Plain]) -> list[str]:
    """The fields that may be the primary key, the likeliest first."""
    ranks: dict[str, int] = {}
    own = _own_names(table)
    others = {f"{one}_{end}" for other in tables if other is not table for one in _own_names(other) for end in ENDINGS}
    for position, (name, type) in enumerate(table.types.items()):
        words = _words(name)
        if type not in TYPES:
            continue
        if words == "id":
            ranks[name] = 0
        elif words in {f"{one}_{end}" for one in own for end in ENDINGS}:
            ranks[name] = 1
        elif words in own:
            ranks[name] = 2
        elif position == 0 and words.rpartition("_")[2] in ENDINGS and words not in others:
            ranks[name] = 3
    return sorted(ranks, key=ranks.__getitem__)


def _references(
    table: Plain, tables: Sequence[Plain], found: dict[str, dict[str, JSON]]
) -> Iterator[tuple[str, Plain]]:
    """Each field that is called like the key of another table, with that table."""
    for other in tables:
        if other is table or "primaryKey" not in found[other.name]:
            continue
        [key] = found[other.name]["primaryKey"]
        own = _own_names(other)
        likes = own | {f"{one}_{end}" for one in own for end in {_words(key), *ENDINGS}}
        likes |= {_words(key)} - {*ENDINGS}
        for name, type in table.types.items():
            if type == other.types[key] and _words(name) in likes:
                yield name, other


# Values


def _rows(table: Plain, names: Sequence[str]) -> Iterator[list[str | None]]:
    """The cells of some fields, row by row; None for no value."""
    places = [[*table.types].index(name) for name in names]
    missing = [table.missing(name) for name in names]
    with table.path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        next(rows, None)
        for row in rows:
            cells = zip([row[place] for place in places], missing, strict=True)
            yield [None if text in empty else text for text, empty in cells]


def _unique(table: Plain, names: Sequence[str]) -> dict[str, frozenset[str]]:
    """The values of those fields of which every row has another one."""
    seen: dict[str, set[str]] = {name: set() for name in names}
    for row in _rows(table, names) if names else ():
        for name, text in zip(names, row, strict=True):
            if name in seen and (text is None or text in seen[name]):
                del seen[name]
            elif name in seen and text is not None:
                seen[name].add(text)
        if not seen:
            break
    return {name: frozenset(values) for name, values in seen.items() if len(values) >= FEWEST}


def _figures(table: Plain, name: str, values: frozenset[str]) -> bool:
    """Whether a field that is called like its table holds what is counted or measured, and no names."""
    return _words(name) in _own_names(table) and not any(map(str.isalpha, "".join(values)))


def _held(table: Plain, name: str, values: frozenset[str]) -> bool:
    """Whether a field has values, and all of them are among those."""
    own = {text for (text,) in _rows(table, [name])} - {None}
    return bool(own) and own <= values
