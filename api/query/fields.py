"""How the text of a parameter is read: marshmallow fields, and the operators that filters may have.

The OpenAPI document is made from the same fields (api.openapi.parameters).
"""

import re
from collections.abc import Callable, Container, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

import sqlalchemy as sa
from marshmallow import ValidationError, fields

from api.index.layout import ITEM_SEPARATOR, Column
from api.model import decimals, types
from api.model.descriptor import Field
from api.model.nearest import nearest
from api.query.engines import Begins, Ends, Holds, OneOf

IN_MAX = 200
# A comma that was percent-encoded, until the list that holds it has been split: a lone surrogate, which no UTF-8 text
# decodes to.
COMMA = "\udc2c"
Parameters = Mapping[str, fields.Field[Any]]
CHOICES_NAMED = 12
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}").fullmatch
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[+ -][0-9]{2}:?[0-9]{2})?").fullmatch


# Operators


class Operand(NamedTuple):
    """What an operator reads of a row: the compared column, and the same with case folded."""

    column: sa.ColumnElement[Any]
    folded: sa.ColumnElement[Any]


def _read_one(kind: types.Kind, text: str) -> Any:
    if kind.type == "number" and (endless := types.ENDLESS.get(text.casefold())) is not None:
        return endless
    try:
        return kind.parse(text)
    except (ValueError, RecursionError) as error:
        raise ValidationError(f"{text[:60]!r} is not {error}") from None


def _read_list(kind: types.Kind, parts: list[str]) -> list[Any]:
    if parts == [""]:
        raise ValidationError("expected at least one value")
    if len(parts) > IN_MAX:
        raise ValidationError(f"expected at most {IN_MAX} values, found {len(parts)}")
    return [_read_one(kind, part) for part in parts]


def _read_two(kind: types.Kind, parts: list[str]) -> list[Any]:
    if len(parts) != 2:
        raise ValidationError(f"expected two values, the least and the greatest, found {len(parts)}")
    return [_read_one(kind, part) for part in parts]


def _read_flag(_: types.Kind, text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValidationError("expected true or false")
    return text.lower() == "true"


def stored(value: Any, kind: types.Kind, column: Column, name: str = "eq") -> types.Stored:
    """A value as a column holds it, for a comparison by the operator `name`."""
    if isinstance(value, Decimal):
        return decimals.sortable(value) if column.exact else decimals.compared(value, name, column.whole)
    return kind.store(value)


def _bind_list(value: Any, kind: types.Kind, column: Column, _: str) -> tuple[types.Stored, ...]:
    """A list of one type: of whole numbers those that can be equal to one."""
    values = [stored(one, kind, column) for one in value]
    whole = [one for one in values if not isinstance(one, float)]
    return tuple(whole if column.whole and whole else values)


def _bind_contains(value: Any, kind: types.Kind, *_: Any) -> str:
    """Folded text; of a list its items, each between two separators, as they stand in the folded column."""
    if kind.type == "list":
        return ITEM_SEPARATOR.join(["", *map(types.canonical, value), ""])
    return str(value).casefold()


SCALARS = frozenset(types.TYPES) - frozenset(types.STRUCTURED)
ORDERED = SCALARS - {"boolean"}
LISTABLE = SCALARS | {"geopoint"}
TEXTS = frozenset({"string", "any"})


class Operator(NamedTuple):
    """All that the program knows of one operator of filters.

    `words` end the sentence "field …"; `types` are the field types that have it. `read` turns a parameter's text (of
    `many` operators the parts of the list) into a value; it raises ValidationError saying what was expected. `bind`
    turns the value into what is bound to the statement; `sql` is the condition. `literal`: the value is part of the
    statement. `folded`: it reads more than the compared column. `written` names the form (api.model.types.WRITTEN) of
    the text, where it is not that of the type. `chooses`: a value outside the field's `enum` is a mistake. `parts`: it
    stands for these operators, each with one of its values.
    """

    name: str
    words: str
    types: frozenset[str]
    sql: Callable[[Operand, Any], sa.ColumnElement[bool]]
    read: Callable[[types.Kind, Any], Any] = _read_one
    bind: Callable[[Any, types.Kind, Column, str], Any] = stored
    many: bool = False
    literal: bool = False
    folded: bool = False
    written: str = ""
    chooses: bool = False
    parts: tuple[str, ...] = ()


_LIST: Any = {"read": _read_list, "bind": _bind_list, "many": True, "chooses": True}
_FOLDED: Any = {"bind": _bind_contains, "folded": True}
_COMMAS = "comma-separated, or the parameter repeated"
ANY = frozenset(types.TYPES)
_OPERATORS = (
    Operator("eq", "is this", ANY, lambda row, value: row.column == value, chooses=True),
    Operator("ne", "differs from this (nulls are left out)", ANY, lambda row, value: row.column != value, chooses=True),
    Operator("lt", "is less than this", ORDERED, lambda row, value: row.column < value),
    Operator("lte", "is at most this", ORDERED, lambda row, value: row.column <= value),
    Operator("gt", "is greater than this", ORDERED, lambda row, value: row.column > value),
    Operator("gte", "is at least this", ORDERED, lambda row, value: row.column >= value),
    Operator(
        "between",
        "is between these two, both included",
        ORDERED,
        lambda row, value: sa.and_(row.column >= value[0], row.column <= value[1]),
        _read_two,
        many=True,
        parts=("gte", "lte"),
    ),
    Operator("in", f"is one of these, {_COMMAS}", LISTABLE, lambda row, value: OneOf(row.column, value), **_LIST),
    Operator(
        "not_in",
        "is none of these (nulls are left out)",
        LISTABLE,
        lambda row, value: ~OneOf(row.column, value),
        **_LIST,
    ),
    Operator(
        "contains",
        "contains this, ignoring case",
        TEXTS | {"list"},
        lambda row, value: Holds(row.folded, value),
        **_FOLDED,
    ),
    Operator(
        "not_contains",
        "does not contain this, ignoring case (nulls are left out)",
        TEXTS | {"list"},
        lambda row, value: ~Holds(row.folded, value),
        **_FOLDED,
    ),
    Operator(
        "startswith",
        "begins with this, ignoring case",
        TEXTS,
        lambda row, value: Begins(row.folded, value, value),
        **_FOLDED,
    ),
    Operator(
        "endswith",
        "ends with this, ignoring case",
        TEXTS,
        lambda row, value: Ends(row.folded, value, value, value),
        **_FOLDED,
    ),
    Operator("iexact", "is this, ignoring case", TEXTS, lambda row, value: row.folded == value, **_FOLDED),
    Operator(
        "isnull",
        "is null (true) or is not (false)",
        ANY,
        lambda row, value: row.column.is_(None) if value else row.column.is_not(None),
        _read_flag,
        literal=True,
        written="Flag",
    ),
)
OPERATORS = {one.name: one for one in _OPERATORS}


def operators(field: Field) -> list[Operator]:
    """The operators that a field's type has; a type that is not in the standard is text."""
    kind = field.type if field.type in types.TYPES else "any"
    return [one for one in OPERATORS.values() if kind in one.types]


# Fields


class Value(fields.Field[Any]):
    """The value of a filter, read as its operator reads the type of the table's field."""

    def __init__(self, field: Field, operator: Operator, **options: Any) -> None:
        super().__init__(**options)
        self.field = field
        self.operator = operator
        self.kind = types.kind(field)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        found = self.operator.read(self.kind, value)
        if self.operator.chooses and (known := choices(self.field)) is not None:
            for text, one in zip(value, found, strict=True) if self.operator.many else ((value, found),):
                if one not in known:
                    raise _no_choice(self.field, text)
        return found


@lru_cache(maxsize=1_000)
def choices(field: Field) -> frozenset[Any] | None:
    """The values that the `enum` of a field allows; None for a field without one that can be read."""
    enum, kind = field.constraints.get("enum"), types.kind(field)
    if enum is None or field.type in types.STRUCTURED:
        return None
    try:
        return frozenset(kind.read(one) if isinstance(one, str) else kind.parse(types.canonical(one)) for one in enum)
    except ValueError:
        return None


def _no_choice(field: Field, text: str) -> ValidationError:
    listed = [str(one) for one in field.constraints["enum"]]
    known = ", ".join(listed) if len(listed) <= CHOICES_NAMED else f"the {len(listed)} values of its enum"
    return ValidationError({"reason": [f"{text[:60]!r} is not one of {known}"], "did_you_mean": nearest(text, listed)})


class Repeated(fields.Field[Any]):
    """A parameter that may be given several times, each time with one text; a list of texts."""

    def _deserialize(self, value: list[str], attr: str | None, data: Any, **kwargs: Any) -> tuple[str, ...]:
        return tuple(value)


class Separated(fields.Field[Any]):
    """A comma-separated list, as it was written: escaped commas are COMMA; a repeated parameter is one list.

    `known` are the names that it may hold, where these are known; `signed` ones may begin with a minus sign.
    """

    known: tuple[str, ...] | None = None
    signed = False


class Names(Separated):
    """A comma-separated list of field names; `foreign`: also of those that foreign keys lead to."""

    def __init__(self, known: Iterable[str], signed: bool = False, foreign: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.known = tuple(known)
        self.signed = signed
        self.foreign = foreign

    def _deserialize(self, value: str, attr: str | None, data: Any, **kwargs: Any) -> tuple[str, ...]:
        known = self.known or ()
        names = cut(value, known, self.signed)
        seen = set()
        for name in names:
            bare = name[1:] if self.signed and name.startswith("-") and name not in known else name
            if bare not in known:
                raise self.refusal(bare)
            if bare in seen:
                raise ValidationError(f"{bare!r} is listed twice")
            seen.add(bare)
        return tuple(names)

    def refusal(self, name: str) -> ValidationError:
        """Why a name cannot be used, and the one that it most likely means."""
        reason = f"{name[:60]!r} is not a field that can be used here"
        return ValidationError({"reason": [reason], "did_you_mean": nearest(name, self.known or ())})


class Whole(fields.Integer):
    """An integer in plain digits: neither 1_0 nor +1 nor a space."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not (value.isascii() and value.isdigit() and len(value) < 10):
            raise ValidationError("expected a whole number")
        return super()._deserialize(value, attr, data, **kwargs)


class Moment(fields.Field[Any]):
    """A day as YYYY-MM-DD, or a date and time as ISO 8601 has it (UTC without an offset)."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        with suppress(ValueError, OverflowError):
            if _DAY(value):
                return date.fromisoformat(value)
            if _TIME(value):
                moment = datetime.fromisoformat(value.replace(" ", "+"))  # which is how a plus sign arrives
                return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        raise ValidationError("expected a day or a date and time, such as 2026-11-30 or 2026-11-30T12:00:00Z")


def split(value: str) -> list[str]:
    """The parts of a comma-separated value; commas that were escaped as %2C (here COMMA) do not separate."""
    return [part.replace(COMMA, ",") for part in value.split(",")]


def cut(value: str, known: Container[str], signed: bool = False) -> list[str]:
    """The names in a comma-separated list; a part that is not a known name is split at escaped commas too, because many
    clients escape every comma of a value.
    """
    names = []
    for part in split(value):
        is_name = part in known or (signed and part.removeprefix("-") in known)
        names += [part] if is_name else part.split(",")
    return names
