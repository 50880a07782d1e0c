"""Reads tables in JSON: a list of objects or of lists, in a file, in lines or in the descriptor."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import ijson

from api.model import descriptor
from api.model.descriptor import Field
from api.model.findings import Finding
from api.package.halves import Watched, half
from api.package.tables.base import BadTable, Given, Record

JSON = Any


def records(given: Given) -> Iterator[Record]:
    """The header, then the rows; a member that a row leaves out is null.

    Raises BadTable for members that the schema does not have.
    """
    lists = isinstance(next((item for _, _, item in _items(given)), {}), list)
    yield from _lists(given) if lists else _objects(given)


def _objects(given: Given) -> Iterator[Record]:
    file, names = (given.paths or (given.described,))[0], _members(given)
    yield Record(file, 1, names)
    writers = _writers(given, names)
    for path, number, item in _items(given):
        if not isinstance(item, Mapping):
            message = f"row {number} is not an object"
            raise BadTable(Finding("unreadable-table", message, path, given.name, number, expected="an object"))
        yield Record(path, number, [write(item.get(name)) for name, write in zip(names, writers, strict=True)])


def _lists(given: Given) -> Iterator[Record]:
    """Rows that are lists: the first one is the header, unless the dialect says that there is none."""
    labels: Sequence[str] | None = None
    for path, number, item in _items(given):
        if not isinstance(item, list):
            message = f"row {number} is not a list"
            raise BadTable(Finding("unreadable-table", message, path, given.name, number, expected="a list"))
        if labels is None and given.dialect.get("header") is not False:
            labels = [str(label) for label in item]
            yield Record(path, number, labels)
            writers = _writers(given, labels)
            continue
        if labels is None:
            labels = given.names or [f"field{n}" for n in range(1, len(item) + 1)]
            yield Record(path, 0, labels)
            writers = _writers(given, labels)
        extra = [_writer(None)] * max(len(item) - len(writers), 0)
        yield Record(path, number, [write(cell) for write, cell in zip([*writers, *extra], item, strict=False)])


def _members(given: Given) -> Sequence[str]:
    """The members of the objects that are the table's columns: those that the dialect names, or all."""
    if given.dialect.get("itemKeys"):
        return [str(name) for name in given.dialect["itemKeys"]]
    first: dict[str, tuple[str, int]] = {}  # each member, as they appear, with the first row that has it
    for path, number, item in _items(given):
        for member in item if isinstance(item, Mapping) else ():
            first.setdefault(str(member), (path, number))
    if given.names is None:
        return list(first)
    for member, (path, number) in first.items():
        if member not in given.names:
            message, expected = (
                f'the member "{member}" is not a field of the schema',
                f"one of {', '.join(given.names)}",
            )
            raise BadTable(Finding("extra-label", message, path, given.name, number, member, expected=expected))
    return given.names


def _items(given: Given) -> Iterator[tuple[str, int, JSON]]:
    """The rows of a table, inline or in files, each with its file and its number there: of its line in JSON Lines."""
    inside = given.dialect.get("property")
    if "data" in given.resource:
        data = given.resource["data"]
        rows = data.get(inside) if inside and isinstance(data, Mapping) else data
        yield from (
            (given.described, number, item) for number, item in enumerate(rows if isinstance(rows, list) else (), 1)
        )
        return
    for path in given.paths:
        if given.format == "json":
            with given.bytes(path) as file:
                watched = Watched(file, partial(_refuse_half, given, path))
                for number, item in enumerate(ijson.items(watched, f"{inside}.item" if inside else "item"), 1):
                    yield path, number, item
        else:
            with given.text(path) as text:
                for number, line in enumerate(given.lines(text, path), 1):
                    if line.strip():
                        if half(line):
                            _refuse_half(given, path, number)
                        yield path, number, json.loads(line, parse_float=Decimal)


def _refuse_half(given: Given, path: str, line: int) -> None:
    message, expected = "the line holds half a character (a lone surrogate)", "whole characters"
    raise BadTable(Finding("half-character", message, path, given.name, line, expected=expected))


# How values become text


def _writers(given: Given, names: Sequence[str]) -> list[Callable[[Any], str | None]]:
    fields: dict[str, Field] = {}
    if descriptor.is_table(given.resource):
        fields = {field.name: field for field in descriptor.table(given.resource).fields}
    return [_writer(fields.get(name)) for name in names]


def _writer(field: Field | None) -> Callable[[Any], str | None]:
    """How a value becomes text that api.model.types can read: text stays as it is."""
    said: Mapping[str, Any] = field.descriptor if field else {}
    words = {True: (said.get("trueValues") or ["true"])[0], False: (said.get("falseValues") or ["false"])[0]}
    point = str(said.get("decimalChar") or ".")

    def write(cell: Any) -> str | None:
        if cell is None or isinstance(cell, str):
            return cell
        if isinstance(cell, bool):
            return str(words[cell])
        if isinstance(cell, int | float | Decimal):
            return _digits(cell).replace(".", point)
        if field and field.type == "geopoint" and field.format == "default" and isinstance(cell, list):
            return ",".join(_digits(number) for number in cell)
        if field and field.type == "list" and isinstance(cell, list):
            return str(said.get("delimiter") or ",").join(str(write(item)) for item in cell)
        return _json(cell)

    return write


def _json(value: Any) -> str:
    """A list or object as JSON, decimals with all their digits."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(str(k), ensure_ascii=False)}: {_json(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_json, value)) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)


def _digits(number: Any) -> str:
    """Plain digits, without exponent; a whole number gets no fraction."""
    if isinstance(number, float) and number.is_integer():
        return str(int(number))
    return f"{Decimal(repr(number)):f}" if isinstance(number, float) else str(number)
