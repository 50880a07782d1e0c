"""A query string → a query: strictly read, every invalid parameter named."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache, partial
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import quote, unquote_plus

from marshmallow import Schema, ValidationError

from api.model.descriptor import Table
from api.model.errors import LanternError
from api.query import hints, parameters
from api.query.fields import COMMA, Operator, Parameters, Separated, Value
from api.query.ways import Address

UNKNOWN_NAMED = 10  # unknown parameters of one request that a problem names, each with the nearest known name
_ESCAPED_COMMA = re.compile("%2[Cc]")
Control = Callable[[Table], Parameters]
Pairs = tuple[tuple[str, str], ...]


class Filter(NamedTuple):
    """One condition: the field's position, the operator and the value, read by the field's type."""

    position: int
    operator: Operator
    value: Any


class Query(NamedTuple):
    """A query of a dataset. `more` has all parameters but filters; `canonical` is the one way to write it."""

    filters: tuple[Filter, ...] = ()
    sort: tuple[tuple[int, bool], ...] = ()
    limit: int = parameters.LIMIT_DEFAULT
    cursor: str | None = None
    q: str | None = None
    fields: tuple[int, ...] | None = None
    expand: tuple[int, ...] = ()
    more: Mapping[str, Any] = MappingProxyType({})
    canonical: Pairs = ()


Errors = list[dict[str, Any]]


class QueryError(LanternError):
    """A query with invalid parameters; `errors` names each with the reason, for a problem document of type `kind`.

    They are put together where somebody wants to read them: to find what would work, hints try queries of their own.
    """

    def __init__(self, kind: str, detail: str, errors: Errors | Callable[[], Errors]) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self._errors = errors

    @cached_property
    def errors(self) -> Errors:
        return self._errors() if callable(self._errors) else self._errors


class UnknownNames(LanternError):
    """Names that are no parameters."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(", ".join(names))
        self.names = names


def wrong(parameter: str, detail: str, **more: Any) -> QueryError:
    """A QueryError about the value of one parameter."""
    return QueryError("invalid-parameter", f"{parameter}: {detail}", [_error(parameter, detail, **more)])


def pairs(query_string: str) -> list[tuple[str, str]]:
    """The parameters of a raw query string, decoded; a comma escaped as %2C is COMMA.

    WSGI passes a character for each byte: what a client did not escape is UTF-8 too.
    Raises QueryError for text that is not UTF-8, a query string that is too long, and a parameter that is repeated.
    """
    if len(query_string) > parameters.QUERY_MAX:
        reason = f"the query string has {len(query_string)} characters, at most {parameters.QUERY_MAX} are read"
        raise QueryError("invalid-parameter", reason, [_error("", reason)])
    decoded: dict[str, str] = {}
    for part in filter(None, query_string.split("&")):
        name, value = _pair(part)
        if name in decoded:
            raise wrong(name[:60], "given more than once")
        decoded[name] = value
    return list(decoded.items())


@lru_cache(maxsize=256)
def _pair(part: str) -> tuple[str, str]:
    name, _, value = part.partition("=")
    try:
        name, value = name.encode("latin-1").decode(), value.encode("latin-1").decode()
        name = unquote_plus(name, errors="strict")
        pieces = _ESCAPED_COMMA.split(value)
        value = COMMA.join(unquote_plus(piece, errors="strict") for piece in pieces)
    except UnicodeError:
        reason = "is not UTF-8"
        raise QueryError("invalid-parameter", f"the query string {reason}", [_error(name[:60], reason)]) from None
    if "\x00" in value or "\x00" in name:
        raise wrong(name.replace("\x00", "")[:60], "a null character cannot be searched for")
    return name, value


def _error(parameter: str, reason: str, **more: Any) -> dict[str, Any]:
    return {"parameter": parameter, "reason": reason, **{k: v for k, v in more.items() if v is not None}}


def read(table: Table, pairs: Sequence[tuple[str, str]], control: Control, filtered: bool = True) -> Query:
    """The query of a table that parameters express; `control` declares the parameters beside the filters.

    Without `filtered` filters are unknown parameters. Raises QueryError with every invalid parameter.
    """
    at = partial(_address, table, pairs, control, filtered)
    try:
        form = _form(table, control, filtered, tuple([name for name, _ in pairs]))
    except UnknownNames as error:
        rest = [entry for entry in pairs if entry[0] not in error.names]
        raise _unknown(error.names, at, partial(read, table, rest, control, filtered)) from None
    raw = {name: value if name in form.lists else value.replace(COMMA, ",") for name, value in pairs}
    try:
        loaded = form.schema.load(raw)
    except ValidationError as error:
        raise _invalid(error.messages_dict, at) from None
    values = {name: loaded[key] for key, name in form.names}
    if "version" in values and "as_of" in values:
        reason = "give either version or as_of, not both"
        raise QueryError("conflicting-parameters", reason, [_error(name, reason) for name in ("version", "as_of")])
    return _query(table, form, raw, values)


@dataclass(frozen=True, eq=False)
class Form:
    """What follows from the names of a query's parameters, whatever their values.

    `names` are the schema's own keys, each with the parameter's name: any field name works, and marshmallow takes a dot
    in a key for a path. `filters` are the conditions, with position and operator; `controls` the other parameters;
    `lists` those of both that keep escaped commas.
    """

    schema: Schema
    names: tuple[tuple[str, str], ...]
    filters: tuple[tuple[str, int, Operator], ...]
    controls: tuple[str, ...]
    lists: frozenset[str]


@lru_cache(maxsize=512)
def _form(table: Table, control: Control, filtered: bool, names: tuple[str, ...]) -> Form:
    """The schema of just the parameters that a query has: marshmallow visits every declared field at each load."""
    known = control(table)
    declared = dict(known)
    for name in names if filtered else ():
        condition = parameters.resolve(table, name) if name not in known else None
        if condition is not None:
            declared[name] = Value(*condition)
    unknown = [name for name in names if name not in declared]
    if unknown:
        raise UnknownNames(unknown)
    used = {name: declared[name] for name in sorted(names)}
    conditions = {name: field for name, field in used.items() if isinstance(field, Value)}
    if len(conditions) > parameters.FILTERS_MAX:
        raise wrong(names[-1], f"more than {parameters.FILTERS_MAX} filters")
    lists = {name for name, field in conditions.items() if field.operator.many and parameters.holds_commas(field.field)}
    lists |= {name for name, field in used.items() if isinstance(field, Separated)}
    for name, field in used.items():
        field.data_key = name
    keys = tuple((f"p{place}", name) for place, name in enumerate(used))
    return Form(
        schema=Schema.from_dict({key: used[name] for key, name in keys}, name="Query")(),
        names=keys,
        filters=tuple((name, table.index[one.field.name], one.operator) for name, one in conditions.items()),
        controls=tuple(name for name in used if name not in conditions),
        lists=frozenset(lists),
    )


def _address(table: Table, pairs: Iterable[tuple[str, str]], control: Control, filtered: bool) -> Address:
    """What was asked, for hints."""

    def accepts(control: Control, filtered: bool, name: str, value: str) -> bool:
        try:
            read(table, [(name, value)], control, filtered)
        except QueryError:
            return False
        return True

    asked, rows = partial(accepts, control, filtered), partial(accepts, parameters.control, True)
    given = {name: value.replace(COMMA, ",") for name, value in pairs}
    return Address(table, control(table), filtered, asked, rows, given)


def _unknown(names: Sequence[str], at: Callable[[], Address], rest: Callable[[], Query]) -> QueryError:
    """The error of unknown names; it tells of wrong values among the `rest` of the parameters too."""

    def errors() -> Errors:
        address = at()
        found = [
            _error(name[:100], **{"reason": "unknown", **hints.unknown(address, name)})
            for name in names[:UNKNOWN_NAMED]
        ]
        try:
            rest()
        except QueryError as error:
            found += error.errors
        return found

    return QueryError("unknown-parameter", f"{names[0][:100]!r} is not a parameter of this resource.", errors)


def _invalid(messages_of: Mapping[str, Any], at: Callable[[], Address]) -> QueryError:
    """The error of values that were refused, with marshmallow's messages by parameter."""
    found = []
    for name, messages in messages_of.items():
        if isinstance(messages, dict):
            found.append((name, messages["reason"][0], messages.get("did_you_mean")))
        else:
            found.extend((name, hints.reason(name, str(message).rstrip(".")), None) for message in messages)

    def errors() -> Errors:
        address = at()
        return [
            _error(name, reason, **{"did_you_mean": near, **hints.wrong(address, name, reason, near)})
            for name, reason, near in found
        ]

    name, reason, _ = found[0]
    return QueryError("invalid-parameter", f"{name}: {reason}", errors)


def _query(table: Table, form: Form, raw: Mapping[str, str], values: Mapping[str, Any]) -> Query:
    more = {name: values[name] for name in form.controls}
    by = more.get("sort", ())
    return Query(
        filters=tuple([Filter(position, operator, values[name]) for name, position, operator in form.filters]),
        sort=tuple([_key(table, name) for name in by]) if isinstance(by, tuple) else (),
        limit=more.get("limit", parameters.LIMIT_DEFAULT),
        cursor=more.get("cursor"),
        q=more.get("q"),
        fields=tuple([table.index[name] for name in more["fields"]]) if "fields" in more else None,
        expand=tuple([table.index[name] for name in more.get("expand", ())]),
        more=more,
        canonical=_canonical(form, raw, more),
    )


def _key(table: Table, name: str) -> tuple[int, bool]:
    """A sort key: the field's position, and whether it is descending."""
    down = name.startswith("-") and name not in table.index
    return table.index[name[1:] if down else name], down


def _canonical(form: Form, raw: Mapping[str, str], more: Mapping[str, Any]) -> Pairs:
    """The parameters in one order and spelling, defaults left out."""
    spelled = {name: raw[name] for _, name in form.names}
    for name, value in more.items():
        if isinstance(value, tuple):
            spelled[name] = ",".join([str(part).replace(",", COMMA) for part in value])
        elif isinstance(value, date | int):
            spelled[name] = str(value)  # a day in ISO 8601
        if name == "limit" and value == parameters.LIMIT_DEFAULT:
            del spelled[name]
    return tuple(spelled.items())


def written(canonical: Iterable[tuple[str, str]]) -> str:
    """Parameters as a query string, commas inside a list's values written as %2C again."""
    return "&".join([f"{encode(name)}={encode(value)}" for name, value in canonical])


@lru_cache(maxsize=512)
def encode(text: str) -> str:
    """A value in a link: what RFC 3986 allows unescaped in a query stays readable."""
    return "%2C".join(quote(part, safe="-._~,:/") for part in text.split(COMMA))
