"""Constraints and categories of Table Schema, as rules for the values of a field.

The rules are those of https://datapackage.org/standard/table-schema/#field-constraints . They judge values, however
these are written; a constraint's own values are written as the field's cells are, or canonically (ISO 8601, digits).
"""

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from api import settings
from api.model import descriptor, patterns, types
from api.model.descriptor import Field
from api.model.findings import Finding
from api.package.checks import jsonschemas
from api.package.checks.base import Checked, shown

LIMIT = "MAX_PATTERN_SECONDS"
REMEMBERED = 10_000  # texts of each column
LONGEST_LIST = 200  # characters of the values of an enum that a message lists
ORDERED = ("integer", "number", "date", "time", "datetime", "duration", "year", "yearmonth")
OF_ALL_TYPES = ("required", "unique", "enum")
Comparison = tuple[Callable[[Any, Any], bool], str, str, str]  # comparison, type of finding, message, what was expected
BOUNDS: Mapping[str, Comparison] = {
    "minimum": (operator.ge, "minimum", "{} is too small", "at least {}"),
    "maximum": (operator.le, "maximum", "{} is too large", "at most {}"),
    "exclusiveMinimum": (operator.gt, "minimum", "{} is too small", "more than {}"),
    "exclusiveMaximum": (operator.lt, "maximum", "{} is too large", "less than {}"),
}
SIZES: Mapping[str, Comparison] = {
    "minLength": (operator.ge, "min-length", "{} is too short", "at least {}"),
    "maxLength": (operator.le, "max-length", "{} is too long", "at most {}"),
}
COUNTED = {"string": "characters", "list": "items", "array": "items", "object": "members"}
TYPES: Mapping[str, Sequence[str]] = {  # by constraint, of those that not all types have: the types that have it
    **dict.fromkeys(BOUNDS, ORDERED),
    **dict.fromkeys(SIZES, tuple(COUNTED)),
    "pattern": ("string",),
    "jsonSchema": ("array", "object"),
}


@dataclass(frozen=True)
class Rule:
    """What a value must be: `holds` judges it; `message` has a place for the cell."""

    type: str
    message: str
    expected: str
    holds: Callable[[Any], bool]


class Fault(ValueError):
    """What a schema says of a field and cannot be used: why, what it says, and what was expected."""

    def __init__(self, message: str, value: Any, expected: str) -> None:
        super().__init__(message)
        self.message, self.value, self.expected = message, value, expected


def applies(name: str, field: Field) -> bool:
    """Whether a constraint is one of the standard's for the type of a field."""
    return name in OF_ALL_TYPES or field.type in TYPES.get(name, ())


def cast(field: Field, value: Any) -> Any:
    """A value of a descriptor: text as in a cell of the field or canonical, or JSON.

    Raises ValueError saying what was expected.
    """
    kind = types.kind(field)
    if isinstance(value, str):
        try:
            return kind.read(value)
        except ValueError:
            if types.expectation(kind.parse, value) is not None:
                raise
            return kind.parse(value)
    if value is None:
        raise ValueError("a value")
    if field.type == "list":
        if not isinstance(value, list):
            raise ValueError("a list")
        return value
    text = types.canonical(int(value) if isinstance(value, float) and value.is_integer() else value)
    if field.type == "geopoint":
        format = "array" if isinstance(value, list) else "object"
        return types.kind(descriptor.field_of({"name": "point", "type": "geopoint", "format": format})).read(text)
    return kind.parse(text)


def rules(field: Field, budget: patterns.Budget) -> tuple[list[Rule], list[Fault]]:
    """The rules for the values of a field, and what of its description cannot be used."""
    made, faults = [], []
    said = {name: limit for name, limit in field.constraints.items() if name in _MAKERS and applies(name, field)}
    if field.descriptor.get("categories"):
        said["categories"] = [
            one["value"] if isinstance(one, Mapping) else one for one in field.descriptor["categories"]
        ]
    for name, limit in said.items():
        try:
            made.append(_MAKERS[name](field, name, limit, budget))
        except Fault as fault:
            faults.append(fault)
    if {"enum", "categories"} <= said.keys() and not faults:
        faults += _beyond(field, said["enum"], said["categories"])
    return made, faults


def _cast(field: Field, name: str, value: Any) -> Any:
    try:
        return cast(field, value)
    except ValueError as error:
        raise Fault(f"the {name} {_written(value)} is not {error}", value, str(error)) from None


def _order(field: Field, value: Any) -> Any:
    """A value as it is compared: equal values are equal, and ordered ones in order."""
    if field.type in types.NUMERIC:
        return value
    return types.kind(field).store(value)


def _bound(field: Field, name: str, limit: Any, _: patterns.Budget) -> Rule:
    compare, type, message, expected = BOUNDS[name]
    bound = _order(field, _cast(field, name, limit))

    def holds(value: Any) -> bool:
        own = _order(field, value)
        return own == own and compare(own, bound)  # NaN, which is not itself, is within no bounds

    return Rule(type, message, expected.format(_plain(limit)), holds)


def _size(field: Field, name: str, limit: Any, _: patterns.Budget) -> Rule:
    compare, type, message, expected = SIZES[name]
    return Rule(
        type, message, f"{expected.format(limit)} {COUNTED[field.type]}", lambda value: compare(len(value), limit)
    )


def _enum(field: Field, name: str, allowed: Sequence[Any], _: patterns.Budget) -> Rule:
    known = {_order(field, _cast(field, name, one)) for one in allowed if one is not None}
    texts = ", ".join(map(_plain, allowed))
    listed = texts if len(texts) <= LONGEST_LIST else f"{texts[:LONGEST_LIST]}… ({len(allowed)} values)"
    return Rule("enum", "{} is not allowed here", f"one of {listed}", lambda value: _order(field, value) in known)


def _beyond(field: Field, enum: Sequence[Any], categories: Sequence[Any]) -> Iterator[Fault]:
    """An enum must be a subset of the categories."""
    known = {_order(field, cast(field, one)) for one in categories if one is not None}
    for one in enum:
        if one is not None and _order(field, cast(field, one)) not in known:
            yield Fault(f"the enum has {_written(one)}, which is no category", one, "values of the categories")


def _pattern(_: Field, __: str, pattern: str, budget: patterns.Budget) -> Rule:
    try:
        match = patterns.compiled(pattern).fullmatch
    except ValueError as error:
        message = f"the pattern {_written(pattern)} is no regular expression: {error}"
        raise Fault(message, pattern, "a regular expression") from None
    expected = f"text that matches {pattern}"
    return Rule("pattern", "{} does not match the pattern", expected, partial(budget.match, match))


def _schema(_: Field, __: str, schema: Any, budget: patterns.Budget) -> Rule:
    try:
        holds = jsonschemas.validator(schema, budget)
    except ValueError as error:
        raise Fault(f"the jsonSchema is not valid: {error}", schema, "a JSON Schema") from None
    return Rule("json-schema", "{} does not fit the jsonSchema", f"a value that fits {_plain(schema)[:200]}", holds)


_MAKERS: Mapping[str, Callable[[Field, str, Any, patterns.Budget], Rule]] = {
    **dict.fromkeys(BOUNDS, _bound),
    **dict.fromkeys(SIZES, _size),
    **dict.fromkeys(("enum", "categories"), _enum),
    "pattern": _pattern,
    "jsonSchema": _schema,
}


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else types.canonical(value)


def _written(value: Any) -> str:
    return shown(_plain(value))


# Rows


class Constraints:
    """The constraints of a table's fields, for each of its rows."""

    def __init__(self, checked: Checked, header: Any) -> None:
        self.checked, self.seconds = checked, settings.load()[LIMIT]
        budget = patterns.Budget(self.seconds)
        places = {field.name: place for place, field in enumerate(header.get_expected_fields())}
        self.columns: dict[str, tuple[int, Callable[[str], Sequence[Rule]]]] = {}
        for field in checked.table.fields:
            judge = _judge(field, field.name in checked.table.primary_key, rules(field, budget)[0])
            if judge and field.name in places:
                self.columns[field.name] = (places[field.name], judge)

    def of_row(self, row: Any) -> Iterator[Finding]:
        """What is wrong with a row's values; cells that cannot be read, or are not there, are reported as such."""
        cells = row.cells
        for name, (place, judge) in list(self.columns.items()):
            if place >= len(cells):
                continue
            cell = cells[place] or ""
            try:
                broken = judge(cell)
            except patterns.TooSlow:
                del self.columns[name]
                message = f"the pattern takes too long for {shown(cell)}; the field is not checked any further"
                expected = settings.at_most(LIMIT, self.seconds, "seconds longer than patterns of the table should")
                yield self.checked.at(row, name, "pattern", message, expected)
                continue
            for rule in broken:
                yield self.checked.at(row, name, rule.type, rule.message.format(shown(cell)), rule.expected)


_REQUIRED = Rule("required", "a value is missing", "a value", lambda _: True)
_NO_KEY = Rule("required", "{} is no key, since JSON has no such number", "a number", lambda number: number.is_finite())


def _judge(field: Field, keyed: bool, found: Sequence[Rule]) -> Callable[[str], Sequence[Rule]] | None:
    """The rules that a cell's text breaks; None for a field that has no rules. Each text is judged once."""
    absent = [_REQUIRED] if field.required or keyed else []
    found = [*found, *([_NO_KEY] if keyed and field.type == "number" else [])]
    if not (absent or found):
        return None
    missing, read, known = frozenset(field.missing), types.kind(field).read, dict[str, Sequence[Rule]]()

    def judge(cell: str) -> Sequence[Rule]:
        broken = known.get(cell)
        if broken is not None:
            return broken
        if cell in missing:
            broken = absent
        else:
            try:
                value = read(cell)
                broken = [rule for rule in found if not rule.holds(value)]
            except ValueError:  # not of the type, which is reported
                broken = []
        if len(known) < REMEMBERED:
            known[cell] = broken
        return broken

    return judge
