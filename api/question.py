"""A query string → a question: strictly read, every wrong part named."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_plus

from marshmallow import ValidationError
from marshmallow.fields import Field as Parameter

from api import schemas
from api.descriptor import Table

UNKNOWN_TOLD = 10  # unknown parameters of one question that are answered with the nearest name
_ESCAPED_COMMA = re.compile("%2[Cc]")
Declared = Mapping[str, Parameter[Any]]


@dataclass(frozen=True)
class Filter:
    """One condition: the field's position, the operator and the value, read by the field's type."""

    position: int
    operator: str
    value: Any


@dataclass(frozen=True)
class Question:
    """What is asked of a dataset; `canonical` is the one way to write it, whatever way it was asked."""

    filters: tuple[Filter, ...] = ()
    sort: tuple[tuple[int, bool], ...] = ()
    limit: int = schemas.LIMIT_DEFAULT
    cursor: str | None = None
    q: str | None = None
    fields: tuple[int, ...] | None = None
    expand: tuple[int, ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict)
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
        name, _, value = part.partition("=")
        try:
            if not part.isascii():
                name, value = name.encode("latin-1").decode(), value.encode("latin-1").decode()
            name = unquote_plus(name, errors="strict")
            value = schemas.COMMA.join(unquote_plus(piece, errors="strict") for piece in _ESCAPED_COMMA.split(value))
        except UnicodeError:
            reason = "is not UTF-8"
            raise BadQuestion("invalid-parameter", f"the query string {reason}", [_error(name[:60], reason)]) from None
        if "\x00" in value or "\x00" in name:
            raise wrong(name.replace("\x00", "")[:60], "a null character cannot be searched for")
        if name in seen:
            raise wrong(name[:60], "given more than once")
        seen.add(name)
        found.append((name, value))
    return found


def _error(parameter: str, reason: str, **more: Any) -> dict[str, Any]:
    return {"parameter": parameter, "reason": reason, **{k: v for k, v in more.items() if v is not None}}


def read(
    table: Table, given: Iterable[tuple[str, str]], control: Callable[[Table], Declared], filtered: bool = True
) -> Question:
    """The question that parameters ask of a table; `control` declares the parameters beside the filters, if any.

    Raises BadQuestion with every wrong parameter.
    """
    given = list(given)
    known = _known(table, control)
    unknown = [name for name, _ in given if name not in known and not (filtered and schemas.resolve(table, name))]
    if unknown:
        raise _unknown(table, unknown, known)
    if len(given) - sum(name in known for name, _ in given) > schemas.FILTERS_MAX:
        raise wrong(given[-1][0], f"more than {schemas.FILTERS_MAX} filters")
    raw = {name: _listed(table, name, value, known) for name, value in given}
    loader = schemas.loader(table, frozenset(raw), control)
    try:
        loaded = loader.load(raw)
    except ValidationError as error:
        raise _invalid(error) from None
    values = {loader.fields[key].data_key or key: value for key, value in loaded.items()}
    if "version" in values and "as_of" in values:
        reason = "give either version or as_of, not both"
        raise BadQuestion("conflicting-parameters", reason, [_error(name, reason) for name in ("version", "as_of")])
    return _question(table, raw, values, known)


@lru_cache(maxsize=512)
def _known(table: Table, control: Callable[[Table], Declared]) -> frozenset[str]:
    return frozenset(control(table))


def _listed(table: Table, name: str, value: str, known: frozenset[str]) -> str:
    """Only a list keeps its escaped commas apart; everywhere else they are commas."""
    if name in known:
        return value if name in LISTS else value.replace(schemas.COMMA, ",")
    found = schemas.resolve(table, name)
    listed = found is not None and found[1] in ("in", "not_in") and schemas.holds_commas(found[0])
    return value if listed else value.replace(schemas.COMMA, ",")


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


def _invalid(error: ValidationError) -> BadQuestion:
    errors = []
    assert isinstance(error.messages, dict)
    for name, messages in error.messages.items():
        if isinstance(messages, dict):
            errors.append(_error(name, messages["reason"][0], did_you_mean=messages.get("did_you_mean")))
        else:
            errors.extend(_error(name, str(message).rstrip(".")) for message in messages)
    first = errors[0]
    return BadQuestion("invalid-parameter", f"{first['parameter']}: {first['reason']}", errors)


def _question(table: Table, raw: Mapping[str, str], values: Mapping[str, Any], known: frozenset[str]) -> Question:
    filters = []
    for name in sorted(raw):
        found = schemas.resolve(table, name) if name not in known else None
        if found:
            filters.append(Filter(table.index[found[0].name], found[1], values[name]))
    sort = []
    named = values.get("sort")
    for name in named if isinstance(named, tuple) else ():
        down = name.startswith("-") and name not in table.index
        sort.append((table.index[name[1:] if down else name], down))
    return Question(
        filters=tuple(filters),
        sort=tuple(sort),
        limit=values.get("limit", schemas.LIMIT_DEFAULT),
        cursor=values.get("cursor"),
        q=values.get("q"),
        fields=tuple(table.index[name] for name in values["fields"]) if "fields" in values else None,
        expand=tuple(table.index[name] for name in values.get("expand", ())),
        more={name: value for name, value in values.items() if name in known},
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


@lru_cache(maxsize=512)
def written(canonical: tuple[tuple[str, str], ...]) -> str:
    """Parameters as a query string, commas inside a list's values written as %2C again."""
    return "&".join(f"{schemas.encode(name)}={schemas.encode(value)}" for name, value in canonical)
