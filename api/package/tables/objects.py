"""Reads tables in JSON: a list of objects or of lists, in a file, in lines or in the descriptor.

The rules are those of https://datapackage.org/standard/table-dialect/#structured-formats . A member that a row leaves
out is null.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from api.model.descriptor import MORE_ALLOWED
from api.model.findings import Finding
from api.package.tables import headers, lists, parsing
from api.package.tables.base import BadTable, Given, Record
from api.package.tables.lists import Row

JSON = Any
Item = tuple[str, int, JSON]  # the file, the row's number there (in JSON Lines that of its line), and the row


def table(given: Given) -> tuple[Record, Iterator[Row]]:
    """The header and the rows of a table.

    Raises BadTable for what is no such table, an object that has a member twice, and a member that is no field of the
    schema, unless its fieldsMatch allows more; what opening the files raises.
    """
    found = partial(items, given, given.dialect.get("property"))
    first = next(found(), None)
    shape = given.dialect.get("itemType") or ("array" if first and isinstance(first[2], list) else "object")
    if shape == "array":
        return lists.table(given, (Row(number, item, path) for path, number, item in _of_shape(given, found(), shape)))
    return of_objects(given, found)


def of_objects(given: Given, found: Callable[[], Iterator[Item]]) -> tuple[Record, Iterator[Row]]:
    """The header and the rows of objects; `found` gives the objects as often as it is called."""
    names = _members(given, _of_shape(given, found(), "object"))
    rows = (Row(number, [item.get(name) for name in names], path) for path, number, item in found())
    return Record(given.file, 0, names), rows


def _of_shape(given: Given, found: Iterator[Item], shape: str) -> Iterator[Item]:
    """The rows, all of which are objects or lists. Raises BadTable for any other."""
    kind, article = (list, "a list") if shape == "array" else (dict, "an object")
    for path, number, item in found:
        if not isinstance(item, kind):
            message = f"row {number} is not {article}"
            raise BadTable(Finding("unreadable-table", message, path, given.name, number, expected=article))
        if isinstance(item, parsing.Twice):
            message = f'row {number} has the member "{item.member}" twice'
            place = (path, given.name, number, item.member)
            raise BadTable(Finding("unreadable-table", message, *place, expected="a different name for each member"))
        yield path, number, item


def _members(given: Given, found: Iterator[Item]) -> list[str]:
    """The members of the objects that are the table's columns: those that the dialect names, or all."""
    wanted = [str(name) for name in given.dialect.get("itemKeys") or ()]
    first: dict[str, tuple[str, int]] = {}  # each member, as they appear, with the first row that has it
    for path, number, item in found:
        for member in item:
            if member not in first:
                first[member] = (path, number)
    if wanted:
        for name in wanted:
            if first and name not in first:
                message = f'itemKeys names a member "{name}" that no row has'
                raise BadTable(Finding("dialect", message, given.described, given.name, value=name))
        return list(given.names) if given.names and set(given.names) == set(wanted) else wanted
    if given.names is None:
        for member, (path, number) in first.items():
            if not member or not _is_whole(member):
                message = "a member has no name" if not member else f"the name of a member, {member!a}, is broken"
                raise BadTable(Finding("blank-label", message, path, given.name, number, expected="a name"))
        return list(first)
    if headers.unique(list(first)) == list(given.names):  # white space around a name is no part of it
        return list(first)
    more = given.names and (given.resource["schema"].get("fieldsMatch") in MORE_ALLOWED)
    for member, (path, number) in first.items():
        if member in given.names:
            continue
        place = (path, given.name, number, member)
        if not more:
            message, expected = (
                f'the member "{member}" is not a field of the schema',
                f"one of {', '.join(given.names)}",
            )
            raise BadTable(Finding("extra-label", message, *place, expected=expected))
        message = f'the member "{member}" is left out: the schema has no such field, and its fieldsMatch allows more'
        given.warn(Finding("extra-label", message, *place, level="warning"))
    return list(given.names)


def _is_whole(name: str) -> bool:
    """Whether UTF-8 can write a name: JSON can hold half a character."""
    return not any("\ud800" <= sign <= "\udfff" for sign in name)


def items(given: Given, inside: str | None) -> Iterator[Item]:
    """The rows of a table, inline or in files: a list, or that of a property. Raises BadTable for what is no JSON."""
    if "data" in given.resource:
        data = given.resource["data"]
        if isinstance(data, str) and given.resource.get("format") == "json":
            try:
                data = parsing.loads(data)
            except (ValueError, RecursionError) as error:
                raise BadTable(_broken(given, given.described, 0, error)) from None
        rows = data.get(inside) if inside and isinstance(data, Mapping) else data
        if not isinstance(rows, list):
            message = f'the data has no list "{inside}"' if inside else "the data is no list"
            raise BadTable(Finding("unreadable-table", message, given.described, given.name, expected="a list of rows"))
        yield from ((given.described, number, item) for number, item in enumerate(rows, 1))
        return
    for path in given.paths:
        number = 0
        try:
            if given.format in ("jsonl", "ndjson"):
                with given.text(path) as text:
                    for number, line in enumerate(given.lines(text, path), 1):
                        if line.strip():
                            yield path, number, parsing.loads(line)
            else:
                with given.text(path) as text:
                    for number, item in enumerate(parsing.items(text, inside), 1):
                        yield path, number, item
        except UnicodeDecodeError:
            raise BadTable(given.undecodable(path)) from None
        except (ValueError, RecursionError) as error:
            raise BadTable(_broken(given, path, number, error)) from None


def _broken(given: Given, path: str, number: int, error: Exception) -> Finding:
    lines = given.format in ("jsonl", "ndjson")
    place = f"line {number} is broken: " if lines else f"the row after row {number} is broken: " if number else ""
    reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
    message = f"the table cannot be read: {place}{reason}"
    return Finding("unreadable-table", message, path, given.name, number or None, expected="JSON")
