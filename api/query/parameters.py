"""Table Schema → marshmallow: the schema of a question to a dataset, and of its rows.

The schema that loads a query string is the one that the OpenAPI document describes, so the two cannot disagree.
"""

import difflib
import re
from collections.abc import Callable, Container, Iterable, Mapping
from datetime import date
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from marshmallow import Schema, ValidationError, fields, validate

from api.model import types
from api.model.descriptor import Field, Table

LIMIT_DEFAULT = 100
LIMIT_MAX = 1000
IN_MAX = 200
FILTERS_MAX = 40
QUERY_MAX = 4000
TEXT_MAX = 500
SEPARATOR = "__"
CONTROL = ("limit", "cursor", "sort", "fields", "q", "version", "as_of", "expand")


class Value(fields.Field[Any]):
    """A filter's value, read in the canonical form of the field's type and turned into what is compared."""

    def __init__(self, field: Field, operator: str, **options: Any) -> None:
        super().__init__(**options)
        self.field = field
        self.operator = operator
        self.kind = types.kind(field)

    def _deserialize(self, value: str, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if self.operator == "isnull":
            if value not in ("true", "false"):
                raise ValidationError("expected true or false")
            return value == "true"
        if self.operator in ("in", "not_in"):
            return self._several(value)
        if self.operator in ("contains", "startswith"):
            return self._one(value) if self.field.type == "list" else value
        return self._one(value)

    def _several(self, value: str) -> list[Any]:
        if not value:
            raise ValidationError("expected at least one value")
        parts = split(value)
        if len(parts) > IN_MAX:
            raise ValidationError(f"expected at most {IN_MAX} values, found {len(parts)}")
        return [self._one(part) for part in parts]

    def _one(self, text: str) -> Any:
        try:
            return self.kind.ask(text)
        except (ValueError, RecursionError) as error:
            raise ValidationError(f"{text[:60]!r} is not {error}") from None


class Names(fields.Field[tuple[str, ...]]):
    """A comma-separated list of field names; `signed` ones may begin with a minus sign."""

    def __init__(self, known: Iterable[str], signed: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.known = tuple(known)
        self.signed = signed

    def _deserialize(self, value: str, attr: str | None, data: Any, **kwargs: Any) -> tuple[str, ...]:
        names = cut(value, self.known, self.signed)
        seen = set()
        for name in names:
            bare = name[1:] if self.signed and name.startswith("-") and name not in self.known else name
            if bare not in self.known:
                reason = f"{bare[:60]!r} is not a field that can stand here"
                raise ValidationError({"reason": [reason], "did_you_mean": nearest(bare, self.known)})
            if bare in seen:
                raise ValidationError(f"{bare!r} stands there twice")
            seen.add(bare)
        return tuple(names)


class Whole(fields.Integer):
    """An integer in plain digits: neither 1_0 nor +1 nor a space."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not (value.isascii() and value.isdigit() and len(value) < 10):
            raise ValidationError("expected a whole number")
        return super()._deserialize(value, attr, data, **kwargs)


class Day(fields.Date):
    """A day as YYYY-MM-DD and nothing else."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if len(value) != 10:
            raise ValidationError("expected a day, such as 2026-11-30")
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise ValidationError("expected a day, such as 2026-11-30") from None


def holds_commas(field: Field) -> bool:
    """Whether a value of a field may hold a comma, so that in a list those inside it are told from those between."""
    return "contains" in types.operators(field) or field.type == "geopoint"


def split(value: str) -> list[str]:
    """The parts of a comma-separated value, of which the commas that were written as %2C are no separators.

    The question's reader leaves those written as COMMA.
    """
    return [part.replace(COMMA, ",") for part in value.split(",")]


def cut(value: str, known: Container[str], signed: bool = False) -> list[str]:
    """The names in a comma-separated list; a part that is no name is cut at escaped commas too.

    Many clients escape every comma of a value, and no name is meant with one that has none.
    """
    found = []
    for part in split(value):
        there = part in known or (signed and part.removeprefix("-") in known)
        found += [part] if there else part.split(",")
    return found


# Stands for a comma that was percent-encoded, until the list it is in has been cut: a lone surrogate, which no UTF-8
# decodes to.
COMMA = "\udc2c"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like a slip: close in letters, or one that stands whole inside the other."""
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.7)
    inside = [n for n in names if len(n) > 2 and (n in name or (len(name) > 2 and name in n))]
    found = close or sorted(inside, key=lambda n: abs(len(n) - len(name)))[:1]
    return next(iter(found or difflib.get_close_matches(name, names, n=1, cutoff=0.5)), None)


@lru_cache(maxsize=512)
def resolve(table: Table, name: str) -> tuple[Field, str] | None:
    """The field and operator that a parameter names, or None. A field's own name comes before an operator's."""
    if name in table.index and name not in CONTROL:
        return table.field(name), "eq"
    head, found, operator = name.rpartition(SEPARATOR)
    if found and head in table.index and operator in types.operators(table.field(head)):
        return table.field(head), operator
    return None


def control(table: Table) -> dict[str, fields.Field[Any]]:
    """The parameters that every question to a dataset's rows may carry."""
    sortable = [f.name for f in table.fields if f.type not in types.STRUCTURED]
    foreign = [key.fields[0] for key in table.foreign_keys if len(key.fields) == 1]
    return {
        "limit": Whole(
            validate=validate.Range(1, LIMIT_MAX, error=f"expected 1 to {LIMIT_MAX}"),
            metadata={"description": f"Rows in one answer (default {LIMIT_DEFAULT}; a file has all of them)."},
        ),
        "cursor": fields.String(
            validate=validate.Length(1, 200),
            metadata={"description": "Where the next page begins: taken from links.next, never made up."},
        ),
        "sort": Names(
            sortable,
            signed=True,
            metadata={
                "description": "Fields to sort by, comma-separated; a minus sign before one turns it round. "
                "Nulls come last; every sort ends in the primary key."
            },
        ),
        "fields": Names(table.index, metadata={"description": "Only these fields, comma-separated."}),
        "q": fields.String(
            validate=validate.Length(1, TEXT_MAX),
            metadata={
                "description": "Full text over the text fields: all words, accents and case folded; "
                '"a phrase" in quotes, the beginning of a word with a star.'
            },
        ),
        "version": fields.String(
            validate=validate.Length(1, 60), metadata={"description": "Ask this release instead of the latest."}
        ),
        "as_of": Day(metadata={"description": "Ask the release that was the latest on this day (UTC)."}),
        "expand": Names(foreign, metadata={"description": "Foreign keys to give as objects, comma-separated."}),
    }


def filters(table: Table) -> dict[str, Value]:
    """Every filter parameter of a dataset by name."""
    found: dict[str, Value] = {}
    for field in table.fields:
        for operator in types.operators(field):
            name = field.name + SEPARATOR + operator
            if operator == "eq" and field.name not in CONTROL:
                found[field.name] = Value(field, operator)
            if resolve(table, name) == (field, operator):
                found.setdefault(name, Value(field, operator))
    return found


@lru_cache(maxsize=256)
def loader(table: Table, names: frozenset[str], extra: Callable[[Table], Mapping[str, Any]] = control) -> Schema:
    """A schema of just the parameters a question has: marshmallow walks every declared field at each load."""
    known = extra(table)
    declared: dict[str, Any] = {}
    for position, name in enumerate(sorted(names)):
        found = resolve(table, name) if name not in known else None
        made = known[name] if name in known else Value(*found) if found else None
        if made is not None:
            made.data_key = name
            declared[f"p{position}"] = made
    return Schema.from_dict(declared, name="Question")()


_READABLE = re.compile(r"[A-Za-z0-9._~,:/-]*").fullmatch


def encode(text: str) -> str:
    """A value in a link: what RFC 3986 allows unescaped in a query stays readable."""
    return text if _READABLE(text) else _escaped(text)


@lru_cache(maxsize=1024)
def _escaped(text: str) -> str:
    return "%2C".join(quote(part, safe="-._~,:/") for part in text.split(COMMA))
