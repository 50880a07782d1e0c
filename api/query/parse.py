"""A query string → a question: strictly read, every wrong part named."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import unquote_plus

from marshmallow import ValidationError
from marshmallow.fields import Field as Parameter

from api.model.descriptor import Table
from api.query import parameters as schemas

UNKNOWN_TOLD = 10  # unknown parameters of one question that are answered with the nearest name
_PLAIN = re.compile(r"[ -$&-*,-~]*").fullmatch  # says what it says: no escape, and all ASCII
_ESCAPED_COMMA = re.compile("%2[Cc]")
Declared = Mapping[str, Parameter[Any]]


class Filter(NamedTuple):
    """One condition: the field's position, the operator and the value, read by the field's type."""

    position: int
    operator: str
    value: Any


class Question(NamedTuple):
    """What is asked of a dataset; `canonical` is the one way to write it, whatever way it was asked."""

    filters: tuple[Filter, ...] = ()
    sort: tuple[tuple[int, bool], ...] = ()
    limit: int = schemas.LIMIT_DEFAULT
    cursor: str | None = None
    q: str | None = None
    fields: tuple[int, ...] | None = None
    expand: tuple[int, ...] = ()
    more: Mapping[str, Any] = MappingProxyType({})
    canonical: tuple[tuple[str, str], ...] = ()


class BadQuestion(Exception):
    """A question with wrong parameters; `errors` says of each what was wrong, for a problem document."""

    def __init__(self, kind: str, detail: str, errors: list[dict[str, Any]]) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.errors = errors


def wrong(parameter: str, detail: str, **more: Any) -> BadQuestion:
    """A BadQuestion about the value of one parameter."""
    error = {"parameter": parameter, "reason": detail, **{k: v for k, v in more.items() if v is not None}}
    return BadQuestion("invalid-parameter", f"{parameter}: {detail}", [error])


def pairs(query: str) -> list[tuple[str, str]]:
    """The parameters of a raw query string, decoded; a comma written as %2C stays apart from a bare one.

    As WSGI hands it over each character is a byte: what a client did not escape is UTF-8 too.
    Raises BadQuestion for text that is not UTF-8, a question that is too long, and a parameter given twice.
    """
    if len(query) > schemas.QUERY_MAX:
        reason = f"the query string has {len(query)} characters, at most {schemas.QUERY_MAX} are read"
        raise BadQuestion("invalid-parameter", reason, [{"parameter": "", "reason": reason}])
    found: list[tuple[str, str]] = []
    seen: set[str] = set()
    for part in query.split("&") if query else []:
        if not part:
            continue
        name, value = _pair(part)
        if name in seen:
            raise wrong(name[:60], "given more than once")
        seen.add(name)
        found.append((name, value))
    return found


@lru_cache(maxsize=1024)
def _pair(part: str) -> tuple[str, str]:
    name, _, value = part.partition("=")
    if _PLAIN(part):
        return name, value
    try:
        name, value = name.encode("latin-1").decode(), value.encode("latin-1").decode()
        name = unquote_plus(name, errors="strict")
        pieces = _ESCAPED_COMMA.split(value)
        value = schemas.COMMA.join(unquote_plus(piece, errors="strict") for piece in pieces)
    except UnicodeError:
        reason = "is not UTF-8"
        raise BadQuestion("invalid-parameter", f"the query string {reason}", [_error(name[:60], reason)]) from None
    if "\x00" in value or "\x00" in name:
        raise wrong(name.replace("\x00", "")[:60], "a null character cannot be searched for")
    return name, value


def _error(parameter: str, reason: str, **more: Any) -> dict[str, Any]:
    return {"parameter": parameter, "reason": reason, **{k: v for k, v in more.items() if v is not None}}


def read(
    table: Table, given: Iterable[tuple[str, str]], control: Callable[[Table], Declared], filtered: bool = True
) -> Question:
    """The question that parameters ask of a table; `control` declares the parameters beside the filters, if any.

    Raises BadQuestion with every wrong parameter.
    """
    given = list(given)
    form = _form(table, control, filtered, tuple([name for name, _ in given]))
    raw = {name: value if name in form.lists else value.replace(schemas.COMMA, ",") for name, value in given}
    values: dict[str, Any] = {}
    errors: dict[str, Any] = {}
    for name, parameter in form.parameters:
        try:
            values[name] = _value(parameter, raw[name])
        except ValidationError as error:
            errors[name] = error.messages
    if errors:
        raise _invalid(errors)
    if "version" in values and "as_of" in values:
        reason = "give either version or as_of, not both"
        raise BadQuestion("conflicting-parameters", reason, [_error(name, reason) for name in ("version", "as_of")])
    return _question(table, form, raw, values)


@lru_cache(maxsize=1024)
def _value(parameter: Parameter[Any], text: str) -> Any:
    """What a parameter's text says; questions differ, their values are mostly the same few."""
    return parameter.deserialize(text)


@dataclass(frozen=True, eq=False)
class Form:
    """What the names of a question's parameters say: how each is read, in order of their names.

    `filters` are those that are conditions, with position and operator; `lists` those that keep escaped commas apart.
    """

    known: frozenset[str]
    parameters: tuple[tuple[str, Parameter[Any]], ...]
    filters: tuple[tuple[str, int, str], ...]
    lists: frozenset[str]


@lru_cache(maxsize=1_000)
def _form(table: Table, control: Callable[[Table], Declared], filtered: bool, names: tuple[str, ...]) -> Form:
    known = _known(table, control)
    resolved = {name: schemas.resolve(table, name) for name in names if filtered and name not in known}
    unknown = [name for name in names if name not in known and not resolved.get(name)]
    if unknown:
        raise _unknown(table, unknown, known)
    if len(resolved) > schemas.FILTERS_MAX:
        raise wrong(names[-1], f"more than {schemas.FILTERS_MAX} filters")
    filters = tuple((name, table.index[found[0].name], found[1]) for name, found in sorted(resolved.items()) if found)
    listed = {
        name
        for name, at, operator in filters
        if operator in ("in", "not_in") and schemas.holds_commas(table.fields[at])
    }
    loader = schemas.loader(table, frozenset(names), control)
    parameters = tuple((str(parameter.data_key), parameter) for parameter in loader.load_fields.values())
    return Form(known, parameters, filters, frozenset({*listed, *(name for name in LISTS if name in known)}))


@lru_cache(maxsize=512)
def _known(table: Table, control: Callable[[Table], Declared]) -> frozenset[str]:
    return frozenset(control(table))


LISTS = ("sort", "fields", "expand", "facet", "group_by", "measure")


@lru_cache(maxsize=512)
def _filters(table: Table) -> tuple[str, ...]:
    return tuple(schemas.filters(table))


def _unknown(table: Table, names: list[str], known: frozenset[str]) -> BadQuestion:
    errors = []
    for name in names[:UNKNOWN_TOLD]:
        head, found, _ = name.rpartition(schemas.SEPARATOR)
        if found and head in table.index:
            near = schemas.nearest(name, [n for n in _filters(table) if n.startswith(head + schemas.SEPARATOR)])
        else:
            near = schemas.nearest(name, _filters(table) if found else [*table.index, *known])
        errors.append(_error(name[:100], "unknown", did_you_mean=near))
    return BadQuestion("unknown-parameter", f"{names[0][:100]!r} is not a parameter of this resource.", errors)


def _invalid(said: Mapping[str, Any]) -> BadQuestion:
    errors = []
    for name, messages in said.items():
        if isinstance(messages, dict):
            errors.append(_error(name, messages["reason"][0], did_you_mean=messages.get("did_you_mean")))
        else:
            errors.extend(_error(name, str(message).rstrip(".")) for message in messages)
    first = errors[0]
    return BadQuestion("invalid-parameter", f"{first['parameter']}: {first['reason']}", errors)


def _question(table: Table, form: Form, raw: Mapping[str, str], values: Mapping[str, Any]) -> Question:
    sort = []
    named = values.get("sort")
    for name in named if isinstance(named, tuple) else ():
        down = name.startswith("-") and name not in table.index
        sort.append((table.index[name[1:] if down else name], down))
    return Question(
        filters=tuple([Filter(position, operator, values[name]) for name, position, operator in form.filters]),
        sort=tuple(sort),
        limit=values.get("limit", schemas.LIMIT_DEFAULT),
        cursor=values.get("cursor"),
        q=values.get("q"),
        fields=tuple(table.index[name] for name in values["fields"]) if "fields" in values else None,
        expand=tuple(table.index[name] for name in values.get("expand", ())),
        more={name: value for name, value in values.items() if name in form.known},
        canonical=canonical(raw, values),
    )


def canonical(raw: Mapping[str, str], values: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """The parameters in one order and spelling, defaults left out."""
    found = []
    for name in sorted(raw):
        if name == "limit":
            if values["limit"] != schemas.LIMIT_DEFAULT:
                found.append((name, str(values["limit"])))
        elif isinstance(values[name], date) and name == "as_of":
            found.append((name, values[name].isoformat()))
        elif name in LISTS and isinstance(values[name], tuple):
            parts = (str(part).replace(",", schemas.COMMA) for part in values[name])
            found.append((name, ",".join(parts)))
        else:
            found.append((name, raw[name]))
    return tuple(found)


def written(canonical: Iterable[tuple[str, str]]) -> str:
    """Parameters as a query string, commas inside a list's values written as %2C again."""
    return "&".join(map(_piece, canonical))


@lru_cache(maxsize=1024)
def _piece(entry: tuple[str, str]) -> str:
    return f"{schemas.encode(entry[0])}={schemas.encode(entry[1])}"
