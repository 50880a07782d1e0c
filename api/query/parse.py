"""A query string → a query: strictly read, every invalid parameter named."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import quote, unquote_plus

from marshmallow import ValidationError

from api.index.layout import RELEVANCE
from api.model.descriptor import Table
from api.model.nearest import nearest
from api.query import foreign, lists, parameters, refused
from api.query.fields import COMMA, OPERATORS, Operator, Value, operators
from api.query.foreign import Foreign
from api.query.form import BRACKETS, Control, Form, form_of
from api.query.parameters import Condition
from api.query.refused import At, UnknownNames, entry
from api.query.refused import QueryError as QueryError
from api.query.refused import wrong as wrong
from api.query.ways import Address
from api.store.releases import Release

_ESCAPED_COMMA = re.compile("%2[Cc]")
DEFAULTS = (("limit", parameters.LIMIT_DEFAULT), ("shape", parameters.SHAPES[0]))
Pairs = tuple[tuple[str, str], ...]


class Filter(NamedTuple):
    """One condition: the field's position, the operator and the value, read by the field's type.

    `foreign`: the field is one of the rows that a foreign key leads to.
    """

    position: int
    operator: Operator
    value: Any
    foreign: Foreign | None = None


Alternatives = tuple[tuple[Filter, ...], ...]


class Query(NamedTuple):
    """A query of a dataset.

    `filters` are conditions on its own fields, of which all must hold. Besides, of each of `others` one alternative
    must, with all its conditions. `fields` are positions, or fields that foreign keys lead to. `more` has all
    parameters but filters; `canonical` is the one way to write the query.
    """

    filters: tuple[Filter, ...] = ()
    others: tuple[Alternatives, ...] = ()
    sort: tuple[tuple[int, bool], ...] = ()
    limit: int = parameters.LIMIT_DEFAULT
    cursor: str | None = None
    q: str | None = None
    fields: tuple[int | Foreign, ...] | None = None
    expand: tuple[int, ...] = ()
    more: Mapping[str, Any] = MappingProxyType({})
    canonical: Pairs = ()


def pairs(query_string: str) -> list[tuple[str, str]]:
    """The parameters of a raw query string, decoded, in their order; a comma escaped as %2C is COMMA.

    WSGI passes a character for each byte: what a client did not escape is UTF-8 too.
    Raises QueryError for text that is not UTF-8, and for a query string that is too long.
    """
    if len(query_string) > parameters.QUERY_MAX:
        reason = f"the query string has {len(query_string)} characters, at most {parameters.QUERY_MAX} are read"
        raise QueryError("invalid-parameter", reason, [entry("", reason)])
    return [_pair(part) for part in filter(None, query_string.split("&"))]


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
        raise QueryError("invalid-parameter", f"the query string {reason}", [entry(name[:60], reason)]) from None
    if "\x00" in value or "\x00" in name:
        raise wrong(name.replace("\x00", "")[:60], "a null character cannot be searched for")
    return name, value


def read(
    table: Table,
    pairs: Sequence[tuple[str, str]],
    control: Control,
    filtered: bool = True,
    release: Release | None = None,
) -> Query:
    """The query of a table that parameters express; `control` declares the parameters beside the filters.

    Without `filtered` filters are unknown parameters. `release` says where foreign keys lead to and whether a comma may
    be part of a value. Raises QueryError with every invalid parameter.
    """
    at = partial(_address, table, pairs, control, filtered, release)
    given = _by_name(table, pairs, control, filtered, at)
    try:
        form = form_of(table, control, filtered, release.package if release else None, tuple(given))
    except UnknownNames as error:
        rest = [(name, text) for name, texts in given.items() if name not in error.names for text in texts]
        raise refused.unknown(error.names, at, partial(read, table, rest, control, filtered, release)) from None
    raw: dict[str, list[str]] = {}
    for name, texts in given.items():
        raw.setdefault(form.called[name], []).extend(texts)
    several = [name for name, texts in raw.items() if len(texts) > 1 and name not in form.lists]
    if several:
        raise _repeated(table, several[0], raw[several[0]])
    ready = {name: _ready(table, release, form, name, texts) for name, texts in raw.items()}
    try:
        loaded = form.schema.load(ready)
    except ValidationError as error:
        raise refused.invalid(error.messages_dict, at) from None
    values = {name: loaded[key] for key, name in form.names}
    if "version" in values and "as_of" in values:
        reason = "give either version or as_of, not both"
        raise QueryError("conflicting-parameters", reason, [entry(name, reason) for name in ("version", "as_of")])
    either = [_condition(table, release, text, at) for text in values.get(parameters.OR, ())]
    if len(form.filters) + len(either) > parameters.FILTERS_MAX:
        raise wrong(parameters.OR if either else [*given][-1], f"more than {parameters.FILTERS_MAX} filters")
    return _query(table, release, form, ready, values, tuple(either))


def _ready(table: Table, release: Release | None, form: Form, name: str, texts: list[str]) -> str | list[str]:
    """A parameter's texts as its field takes them."""
    found = form.filters.get(name)
    if found and found.operator.many:
        return lists.cut(release, table, found, texts)
    if name in form.repeated:
        return texts
    return ",".join(texts) if name in form.lists else texts[0].replace(COMMA, ",")


def _by_name(
    table: Table, pairs: Sequence[tuple[str, str]], control: Control, filtered: bool, at: At
) -> dict[str, list[str]]:
    """The texts of each parameter; what `where` holds is a filter like any other, and never another parameter."""
    given: dict[str, list[str]] = {}
    for name, text in pairs:
        if filtered and name.removesuffix(BRACKETS) == parameters.WHERE:
            name, text = _split(parameters.WHERE, text, at)
            if name.removesuffix(BRACKETS) in {*control(table), parameters.OR, parameters.WHERE}:
                raise _no_filter(parameters.WHERE, table, name)
        given.setdefault(name, []).append(text)
    return given


def _no_filter(parameter: str, table: Table, name: str) -> QueryError:
    """A condition begins with a name that is no filter; with the nearest that is one, its operator kept."""
    head, separator, last = name.rpartition(parameters.SEPARATOR)
    near, operator = nearest(head or name, table.index), last if separator and last in OPERATORS else ""
    if name in table.index:  # a field that is named like a parameter
        near, operator = name, "eq"
    meant = f"{near}{parameters.SEPARATOR}{operator}" if near and operator else near
    return wrong(parameter, f"{name[:60]!r} is not a filter of this resource", did_you_mean=meant)


def _split(parameter: str, text: str, at: At) -> tuple[str, str]:
    """The name and the value of a condition. Raises QueryError for what is none."""
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise refused.no_condition(parameter, text.replace(COMMA, ","), at)
    return name.replace(COMMA, ","), value


def _repeated(table: Table, name: str, texts: Sequence[str]) -> QueryError:
    """A parameter that is no list was repeated."""
    found, reason = parameters.resolve(table, name), "given more than once"
    if found and OPERATORS["in"] in operators(found[0]) and found[1].name == "eq" and len({*texts}) > 1:
        listed = f"{found[0].name}{parameters.SEPARATOR}in"
        return wrong(
            name[:60],
            f"{reason}: for any of several values write {listed}={','.join(texts).replace(COMMA, '%2C')[:60]}",
        )
    return wrong(name[:60], reason)


def _address(
    table: Table, pairs: Sequence[tuple[str, str]], control: Control, filtered: bool, release: Release | None
) -> Address:
    """What was asked, for hints."""

    def accepts(control: Control, filtered: bool, name: str, value: str) -> bool:
        try:
            read(table, [(name, value)], control, filtered, release)
        except QueryError:
            return False
        return True

    asked, rows = partial(accepts, control, filtered), partial(accepts, parameters.control, True)
    known = {**control(table), **(parameters.conditions() if filtered else {})}
    given = {name: value.replace(COMMA, ",") for name, value in pairs}
    return Address(table, known, filtered, asked, rows, given)


def _condition(table: Table, release: Release | None, text: str, at: At) -> tuple[Filter, ...]:
    """The conditions that one alternative of `or` means. Raises QueryError."""
    name, value = _split(parameters.OR, text, at)
    found = parameters.condition(release.package if release else None, table, name)
    if found is None:
        raise _no_filter(parameters.OR, table, name)
    parts = lists.cut(release, table, found, [value]) if found.operator.many else value.replace(COMMA, ",")
    try:
        return _filters(found, Value(found.field, found.operator).deserialize(parts))
    except ValidationError as error:
        raise refused.invalid({parameters.OR: error.messages}, at) from None


def _filters(found: Condition, value: Any) -> tuple[Filter, ...]:
    """The filters that a condition stands for."""
    operator, rest = found.operator, (found.position, found.foreign)
    every = zip(map(OPERATORS.get, operator.parts), value, strict=True) if operator.parts else [(operator, value)]
    return tuple([Filter(rest[0], one or operator, part, rest[1]) for one, part in every])


def _query(
    table: Table,
    release: Release | None,
    form: Form,
    ready: Mapping[str, Any],
    values: Mapping[str, Any],
    either: Alternatives,
) -> Query:
    more = {name: values[name] for name in form.controls}
    by = more.get("sort", ())
    sort = tuple([_key(table, name) for name in by]) if isinstance(by, tuple) else ()
    if "q" not in more and any(position == RELEVANCE for position, _ in sort):
        raise wrong("sort", "relevance is that of the words to search for: give q too")
    filters = [one for name, found in form.filters.items() for one in _filters(found, values[name])]
    far = [((one,),) for one in filters if one.foreign]
    return Query(
        filters=tuple([one for one in filters if not one.foreign]),
        others=(*far, *((either,) if either else ())),
        sort=sort,
        limit=more.get("limit", parameters.LIMIT_DEFAULT),
        cursor=more.get("cursor"),
        q=more.get("q"),
        fields=_picked(table, release, more["fields"]) if "fields" in more else None,
        expand=tuple([table.index[name] for name in more.get("expand", ())]),
        more=more,
        canonical=_canonical(form, ready, more),
    )


def _picked(table: Table, release: Release | None, names: Sequence[str]) -> tuple[int | Foreign, ...]:
    """The fields that names pick: positions, or what foreign keys lead to."""
    picked: list[int | Foreign] = []
    for name in names:
        leads = None if name in table.index or release is None else foreign.resolve(release.package, table, name)
        picked.append(leads or table.index[name])
    return tuple(picked)


def _key(table: Table, name: str) -> tuple[int, bool]:
    """A sort key: the field's position, and whether it is descending."""
    down = name.startswith("-") and name not in table.index
    bare = name[1:] if down else name
    return (RELEVANCE if bare == parameters.RELEVANCE and bare not in table.index else table.index[bare]), down


def _canonical(form: Form, ready: Mapping[str, Any], more: Mapping[str, Any]) -> Pairs:
    """The parameters in one order and spelling, defaults left out."""
    spelled: list[tuple[str, str]] = []
    for _, name in form.names:
        value = more.get(name, ready[name])
        if name in form.repeated:
            spelled += [(name, text) for text in sorted({*value})]
        elif isinstance(value, tuple | list):
            spelled.append((name, ",".join([str(part).replace(",", COMMA) for part in value])))
        elif isinstance(value, datetime):
            spelled.append((name, value.replace(tzinfo=None).isoformat() + "Z"))
        elif (name, value) not in DEFAULTS:
            spelled.append((name, str(value)))
    return tuple(spelled)


def written(canonical: Iterable[tuple[str, str]]) -> str:
    """Parameters as a query string, commas inside a list's values written as %2C again."""
    return "&".join([f"{encode(name)}={encode(value)}" for name, value in canonical])


@lru_cache(maxsize=512)
def encode(text: str) -> str:
    """A value in a link: what RFC 3986 allows unescaped in a query stays readable."""
    return "%2C".join(quote(part, safe="-._~,:/") for part in text.split(COMMA))
