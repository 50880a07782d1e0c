"""Checks of the descriptor itself: names, and what they refer to."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

from api.model.descriptor import Package, Table, file_key
from api.model.findings import Finding

Words = tuple[str, str, str]  # of a finding: message, value, expected
PART_TYPES: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("value", "low", "high", "precision"), ("number", "integer")),
    "year": ("year", "integer"),
    **dict.fromkeys(("periodStart", "periodEnd"), ("date",)),
}
MOST_COLUMNS = 50_000  # the index has a table for each 900 of them, and SQLite joins 64
COLLECTIONS = ("list", "array", "object", "geojson")


def findings(package: Package, file: str, known: Sequence[str]) -> Iterator[Finding]:
    """What is wrong with the descriptor in `file`; `known` names all resources, also those that cannot be read."""
    yield from _repeated([str(resource["name"]) for resource in package.descriptor["resources"]], file)
    for table in package.tables:
        for message, value, expected in _of_table(package, table, known):
            yield Finding("descriptor", message, file, table.name, value=value, expected=expected)
    for rule in package.descriptor.get("lantern:sums") or []:
        summed = package.table(rule["resource"])
        if summed is None and rule["resource"] in known:
            continue  # the table exists and cannot be read, which is reported
        exists = summed is not None and rule["field"] in summed.index
        if not (summed and exists and summed.primary_key):
            what = "rows of a table without a key" if exists else "a table or field that does not exist"
            message = f'the sum "{rule["name"]}" names {what}'
            yield Finding("descriptor", message, file, rule["resource"], expected="rows with numbers")


def sound(table: Table, known: Sequence[str]) -> bool:
    """Whether a table's own names are in order, so that its rows can be checked."""
    names = [field.name for field in table.fields]
    return len(set(names)) == len(names) and all(names) and known.count(table.name) == 1 and not _unfit_for_keys(table)


def _unfit_for_keys(table: Table) -> list[str]:
    """The fields that a key names, or that must be unique, whose values are lists or objects."""
    named = {*table.primary_key, *(name for key in table.foreign_keys for name in key.fields)}
    named |= {field.name for field in table.fields if field.constraints.get("unique")}
    return [field.name for field in table.fields if field.name in named and field.type in COLLECTIONS]


def _repeated(names: Sequence[str], file: str) -> Iterator[Finding]:
    for name, count in Counter(names).items():
        if count > 1:
            message = f'{count} resources have the name "{name}"'
            yield Finding("duplicate-resource", message, file, name, value=name, expected="a different name for each")
    first: dict[str, str] = {}
    for name in dict.fromkeys(names):
        clash = first.setdefault(file_key(name), name)
        if clash != name:
            message = f'the files of "{clash}" and "{name}" have the same name on many systems'
            expected = "names that differ in more than upper and lower case"
            yield Finding("duplicate-resource", message, file, name, value=name, expected=expected)


def _of_table(package: Package, table: Table, known: Sequence[str]) -> Iterator[Words]:
    if len(table.fields) > MOST_COLUMNS:
        yield (
            f"the table has {len(table.fields):,} fields: it cannot be served",
            "",
            f"at most {MOST_COLUMNS:,} of a table",
        )
    for name, count in Counter(field.name for field in table.fields).items():
        if count > 1:
            yield f'{count} fields have the name "{name}"', name, "a different name for each field"
        if not name:
            yield "a field has no name", name, "a name"
    yield from _unknown("primaryKey", table.primary_key, table)
    yield from _unknown("uniqueKeys", [name for key in table.schema.get("uniqueKeys") or [] for name in key], table)
    yield from _unknown("lantern:indexes", chain(*table.descriptor.get("lantern:indexes") or []), table)
    for name in _unfit_for_keys(table):
        yield f'the field "{name}" of type {table.field(name).type} cannot be a key', name, "a field of single values"
    yield from _of_references(package, table, known)
    yield from _of_figure(package, table, known)


def _unknown(who: str, names: Iterable[str], table: Table) -> Iterator[Words]:
    for name in names:
        if name not in table.index:
            yield f'{who} names a field "{name}" that does not exist', name, "a field of the table"


def _of_references(package: Package, table: Table, known: Sequence[str]) -> Iterator[Words]:
    for key in table.foreign_keys:
        yield from _unknown("a foreign key", key.fields, table)
        if len(key.fields) != len(key.reference):
            names = ", ".join(key.fields)
            yield f"the foreign key {names} references a different number of fields", names, "one field for each"
        other = package.table(key.resource)
        if other is None and key.resource not in known:
            message = f'a foreign key references a table "{key.resource}" that does not exist'
            yield message, key.resource, "a table of the package"
        for name in [name for name in key.reference if other and name not in other.index]:
            message = f'a foreign key references a field "{name}" that "{key.resource}" does not have'
            yield message, name, f"a field of {key.resource}"


def _of_figure(package: Package, table: Table, known: Sequence[str]) -> Iterator[Words]:
    figure = table.figure
    for part, types in PART_TYPES.items():
        field = figure.get(part)
        if isinstance(field, str) and field in table.index and table.field(field).type not in types:
            yield f'lantern:figure needs another type for "{field}"', field, " or ".join(types)
    named = [name for name in figure.values() if isinstance(name, str)] + list(figure.get("series") or [])
    yield from _unknown("lantern:figure", named, table)
    for field, rule in (figure.get("agrees") or {}).items():
        other = package.table(rule["resource"])
        if other is None and rule["resource"] in known:
            continue  # the table exists and cannot be read, which is reported
        has_key = ((rule["through"],), rule["resource"]) in [(key.fields, key.resource) for key in table.foreign_keys]
        if field not in table.index or not has_key or not other or rule["field"] not in other.index:
            message = f'lantern:figure says that "{field}" agrees with a field that cannot be found'
            yield message, field, "through, resource and field"
