"""A query string → a query: strictly read, every wrong parameter named."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import unquote_plus

from marshmallow import Schema, ValidationError

from api.model.descriptor import Table
from api.model.errors import LanternError
from api.model.nearest import nearest
from api.query import parameters
from api.query.fields import COMMA, Operator, Parameters, Separated, Value

UNKNOWN_TOLD = 10  # unknown parameters of one request that are answered with the nearest name
_PLAIN = re.compile(r"[ -$&-*,-~]*").fullmatch  # says what it says: no escape, and all ASCII
_ESCAPED_COMMA = re.compile("%2[Cc]")
Control = Callable[[Table], Parameters]
Pairs = tuple[tuple[str, str], ...]


class Filter(NamedTuple):
    """One condition: the field's position, the operator and the value, read by the field's type."""

    position: int
    operator: Operator
    value: Any


class Query(NamedTuple):
    """What is asked of a dataset. `more` has all parameters but filters; `canonical` is the one way to write it."""

    filters: tuple[Filter, ...] = ()
    sort: tuple[tuple[int, bool], ...] = ()
    limit: int = parameters.LIMIT_DEFAULT
    cursor: str | None = None
    q: str | None = None
    fields: tuple[int, ...] | None = None
    expand: tuple[int, ...] = ()
    more: Mapping[str, Any] = MappingProxyType({})
    canonical: Pairs = ()


class QueryError(LanternError):
    """A query with wrong parameters; `errors` says of each what was wrong, for a problem document of type `kind`."""

    def __init__(self, kind: str, detail: str, errors: list[dict[str, Any]]) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.errors = errors


def wrong(parameter: str, detail: str, **more: Any) -> QueryError:
    """A QueryError about the value of one parameter."""
    return QueryError("invalid-parameter", f"{parameter}: {detail}", [_error(parameter, detail, **more)])


def pairs(query_string: str) -> list[tuple[str, str]]:
    """The parameters of a raw query string, decoded; a comma written as %2C stays apart from a bare one.

    As WSGI hands it over each character is a byte: what a client did not escape is UTF-8 too.
    Raises QueryError for text that is not UTF-8, a query string that is too long, and a parameter given twice.
    """
    if len(query_string) > parameters.QUERY_MAX:
        reason = f"the query string has {len(query_string)} characters, at most {parameters.QUERY_MAX} are read"
        raise QueryError("invalid-parameter", reason, [_error("", reason)])
    decoded: dict[str, str] = {}
    for part in query_string.split("&") if query_string else []:
        if not part:
            continue
        name, value = _pair(part)
        if name in decoded:
            raise wrong(name[:60], "given more than once")
        decoded[name] = value
    return list(decoded.items())


@lru_cache(maxsize=256)
def _pair(part: str) -> tuple[str, str]:
    name, _, value = part.partition("=")
    if _PLAIN(part):
        return name, value
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


def read(table: Table, given: Iterable[tuple[str, str]], control: Control, filtered: bool = True) -> Query:
    """The query that parameters make of a table; `control` declares the parameters beside the filters.

    Without `filtered` filters are unknown parameters. Raises QueryError with every wrong parameter.
    """
    given = list(given)
    form = _form(table, control, filtered, tuple([name for name, _ in given]))
    raw = {name: value if name in form.lists else value.replace(COMMA, ",") for name, value in given}
    try:
        loaded = form.schema.load(raw)
    except ValidationError as error:
        raise _invalid(error.messages_dict) from None
    values = {name: loaded[key] for key, name in form.names.items()}
    if "version" in values and "as_of" in values:
        reason = "give either version or as_of, not both"
        raise QueryError("conflicting-parameters", reason, [_error(name, reason) for name in ("version", "as_of")])
    return _query(table, form, raw, values)


@dataclass(frozen=True, eq=False)
class Form:
    """What the names of a query's parameters say, whatever their values.

    `names` are the parameters by the schema's own keys: any field name works, and marshmallow takes a dot in a key for
    a path. `filters` are those that are conditions, with position and operator; `lists` those that keep escaped commas.
    """

    schema: Schema
    names: Mapping[str, str]
    filters: tuple[tuple[str, int, Operator], ...]
    lists: frozenset[str]


@lru_cache(maxsize=128)
def _form(table: Table, control: Control, filtered: bool, names: tuple[str, ...]) -> Form:
    """The schema of just the parameters that a query has: marshmallow visits every declared field at each load."""
    known = control(table)
    declared = dict(known)
    for name in names if filtered else ():
        meant = parameters.resolve(table, name) if name not in known else None
        if meant is not None:
            declared[name] = Value(*meant)
    unknown = [name for name in names if name not in declared]
    if unknown:
        raise _unknown(table, unknown, frozenset(known))
    used = {f"p{place}": name for place, name in enumerate(sorted(names))}
    conditions = {name: field for name in used.values() if isinstance(field := declared[name], Value)}
    if len(conditions) > parameters.FILTERS_MAX:
        raise wrong(names[-1], f"more than {parameters.FILTERS_MAX} filters")
    lists = {name for name, field in conditions.items() if field.operator.many and parameters.holds_commas(field.field)}
    lists |= {name for name in used.values() if isinstance(declared[name], Separated)}
    for name in used.values():
        declared[name].data_key = name
    schema = Schema.from_dict({key: declared[name] for key, name in used.items()}, name="Query")()
    filters = [(name, table.index[field.field.name], field.operator) for name, field in conditions.items()]
    return Form(schema, used, tuple(filters), frozenset(lists))


@lru_cache(maxsize=512)
def _filter_names(table: Table) -> tuple[str, ...]:
    return tuple(parameters.filters(table))


def _unknown(table: Table, names: list[str], known: frozenset[str]) -> QueryError:
    errors = []
    for name in names[:UNKNOWN_TOLD]:
        head, separator, _ = name.rpartition(parameters.SEPARATOR)
        if separator and head in table.index:
            near = nearest(name, [n for n in _filter_names(table) if n.startswith(head + parameters.SEPARATOR)])
        else:
            near = nearest(name, _filter_names(table) if separator else [*table.index, *sorted(known)])
        errors.append(_error(name[:100], "unknown", did_you_mean=near))
    return QueryError("unknown-parameter", f"{names[0][:100]!r} is not a parameter of this resource.", errors)


def _invalid(messages_of: Mapping[str, Any]) -> QueryError:
    errors = []
    for name, messages in messages_of.items():
        if isinstance(messages, dict):
            errors.append(_error(name, messages["reason"][0], did_you_mean=messages.get("did_you_mean")))
        else:
            errors.extend(_error(name, str(message).rstrip(".")) for message in messages)
    first = errors[0]
    return QueryError("invalid-parameter", f"{first['parameter']}: {first['reason']}", errors)


def _query(table: Table, form: Form, raw: Mapping[str, str], values: Mapping[str, Any]) -> Query:
    sort = []
    by = values.get("sort")
    for name in by if isinstance(by, tuple) else ():
        down = name.startswith("-") and name not in table.index
        sort.append((table.index[name[1:] if down else name], down))
    filters = tuple([Filter(position, operator, values[name]) for name, position, operator in form.filters])
    conditions = {name for name, _, _ in form.filters}
    return Query(
        filters=filters,
        sort=tuple(sort),
        limit=values.get("limit", parameters.LIMIT_DEFAULT),
        cursor=values.get("cursor"),
        q=values.get("q"),
        fields=tuple(table.index[name] for name in values["fields"]) if "fields" in values else None,
        expand=tuple(table.index[name] for name in values.get("expand", ())),
        more={name: value for name, value in values.items() if name not in conditions},
        canonical=canonical(raw, values),
    )


def canonical(raw: Mapping[str, str], values: Mapping[str, Any]) -> Pairs:
    """The parameters in one order and spelling, defaults left out."""
    spelled = []
    for name in sorted(raw):
        if name == "limit":
            if values["limit"] != parameters.LIMIT_DEFAULT:
                spelled.append((name, str(values["limit"])))
        elif isinstance(values[name], date) and name == "as_of":
            spelled.append((name, values[name].isoformat()))
        elif isinstance(values[name], tuple):
            spelled.append((name, ",".join(str(part).replace(",", COMMA) for part in values[name])))
        else:
            spelled.append((name, raw[name]))
    return tuple(spelled)


def written(canonical: Iterable[tuple[str, str]]) -> str:
    """Parameters as a query string, commas inside a list's values written as %2C again."""
    return "&".join(map(_piece, canonical))


@lru_cache(maxsize=256)
def _piece(entry: tuple[str, str]) -> str:
    return f"{parameters.encode(entry[0])}={parameters.encode(entry[1])}"
