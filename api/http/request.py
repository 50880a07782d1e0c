"""What a request asks: which release, which dataset, which parameters."""

import re
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from marshmallow import fields

from api.http.answer import KEY, Answer
from api.http.errors import ProblemError
from api.model.descriptor import Table, table
from api.query import parameters as schemas
from api.query import parse
from api.query.parse import Question
from api.store.releases import Release, Store

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_WEIGHT = re.compile(r"(?:^|;)\s*q\s*=\s*([0-9]+\.?[0-9]*|\.[0-9]+)\s*(?:;|$)")
ESCAPED = "lantern.escaped"  # in the WSGI environ: api.http.url_escapes left escapes in the path
Parameters = Mapping[str, fields.Field[Any]]
# A table without fields: what a resource is that has parameters but no filters.
PLAIN = table({"name": "", "schema": {"fields": []}})


@dataclass(frozen=True, slots=True)
class Service:
    """What an application serves: its store, and the settings that answers depend on."""

    store: Store
    base: str
    seconds: float


_now: ContextVar[tuple[Service, "WSGIEnvironment"]] = ContextVar("now")


def serve(service: Service, environ: "WSGIEnvironment") -> Callable[[], None]:
    """From here on what is asked is asked of this service, by this request, until the function it gives is called.

    No need of Flask's own context.
    """
    before = _now.set((service, environ))
    return lambda: _now.reset(before)


def store() -> Store:
    return _now.get()[0].store


def base() -> str:
    """What links begin with: the setting BASE_URL."""
    return _now.get()[0].base


def seconds() -> float:
    """How long a query may take: the setting TIME_LIMIT."""
    return _now.get()[0].seconds


def header(name: str) -> str:
    """A header of the request, by its name in WSGI without HTTP_; empty where it has none."""
    return str(_now.get()[1].get(f"HTTP_{name}", ""))


def leave(answer: Answer) -> None:
    """Leave a finished answer for the cache layer, which sends it."""
    _now.get()[1][KEY] = answer


def given() -> list[tuple[str, str]]:
    """The parameters of the request."""
    return parse.pairs(_now.get()[1].get("QUERY_STRING", ""))


def release_parameters(_: Table) -> Parameters:
    """The parameters of an address that speaks of one release."""
    known = schemas.control(PLAIN)
    return {name: known[name] for name in ("version", "as_of")}


def no_parameters(_: Table) -> Parameters:
    """The parameters of an address that has none."""
    return {}


def plain(control: Callable[[Table], Parameters] = release_parameters) -> Question:
    """The question of an address without filters."""
    return parse.read(PLAIN, given(), control)


def chosen(parameters: Iterable[tuple[str, str]]) -> Release:
    """The release that version or as_of names, else the latest; read before the rest, whose names depend on it.

    Raises BadQuestion for values that cannot be read, NotInStore where there is no such release.
    """
    named = [(name, value) for name, value in parameters if name in ("version", "as_of")]
    if not named:
        return store().latest()
    found = parse.read(PLAIN, named, release_parameters).more
    if "as_of" in found:
        return store().as_of(found["as_of"])
    return store().version(found["version"])


def dataset(release: Release, name: str) -> Table:
    """The table of a release by its name. Raises a not-found problem with the nearest name."""
    found = tables(release).get(name)
    if found is None:
        near = schemas.nearest(name, tables(release))
        hint = f" Did you mean {near!r}?" if near else ""
        raise ProblemError("not-found", f"There is no dataset {name!r} in release {release.version}.{hint}")
    return found


@lru_cache(maxsize=64)
def tables(release: Release) -> dict[str, Table]:
    return {table.name: table for table in release.package.tables}


def segment(text: str) -> str:
    """A part of the path; api.http.url_escapes leaves escapes in it where a slash or comma was escaped."""
    return unquote(text) if ESCAPED in _now.get()[1] else text


@lru_cache(maxsize=512)
def _liked(header: str) -> Mapping[str, float]:
    """The quality of each media range that an Accept header names (RFC 9110, 12.5.1).

    Parameters tell no two formats apart here: a charset, which some clients always send, changes nothing.
    """
    found: dict[str, float] = {}
    for part in header.lower().split(","):
        name, _, rest = part.partition(";")
        name = "*/*" if name.strip() == "*" else name.strip()
        weight = _WEIGHT.search(rest)
        found[name] = max(found.get(name, 0.0), min(1.0, float(weight[1])) if weight else 1.0)
    return found


def acceptable(offered: Mapping[str, str]) -> str:
    """The name of the offered media type (name → type) that the Accept header likes best.

    The first offered wins a tie. Raises a not-acceptable problem that lists them.
    """
    accepted = header("ACCEPT").strip()
    if not accepted or accepted == "*/*":
        return next(iter(offered))
    liked = _liked(accepted)
    best, quality = "", 0.0
    for name, media_type in offered.items():
        bare = media_type.partition(";")[0]
        ranges = (bare, bare.partition("/")[0] + "/*", "*/*")
        found = next((liked[one] for one in ranges if one in liked), 0.0)
        if found > quality:
            best, quality = name, found
    if not best:
        kinds = ", ".join(kind.partition(";")[0] for kind in offered.values())
        raise ProblemError("not-acceptable", f"Offered here: {kinds}.")
    return best
