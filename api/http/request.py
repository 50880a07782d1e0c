"""What a request asks for: which release, which dataset, which parameters; and how that is written as an address."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, cast
from urllib.parse import quote, unquote, unquote_to_bytes, urlsplit

from flask import Flask, current_app, request
from werkzeug.exceptions import NotFound
from werkzeug.routing import PathConverter, UnicodeConverter

from api.http.errors import ProblemError
from api.http.negotiation import best_type
from api.index import bounds
from api.model.descriptor import Table, table
from api.model.nearest import nearest
from api.query import parameters, parse
from api.query.fields import Parameters
from api.query.find import BACK, cursor_of
from api.query.form import Control
from api.query.parameters import no_parameters, release_parameters
from api.query.parse import Pairs, Query, encode
from api.store.releases import Release, Store

HTML_TYPE = "text/html; charset=utf-8"
# A table without fields: what a resource is that has parameters but no filters.
PLAIN = table({"name": "", "schema": {"fields": []}})


class NoDataset(ProblemError):
    """The release has no dataset of that name."""


class DataRequest(NamedTuple):
    """A request, read: the release, the table (PLAIN for none), the query, and the address without parameters."""

    release: Release
    table: Table
    query: Query
    path: str


def store() -> Store:
    """The store that the application serves."""
    return cast(Store, current_app.extensions["store"])


def picked(*names: str) -> Control:
    """Those of the parameters of rows that have these names."""

    def control(table: Table) -> Parameters:
        known = parameters.control(table)
        return {name: known[name] for name in names}

    return control


def refuse_parameters() -> None:
    """Raise QueryError where the request has any parameter: this address has none."""
    parse.read(PLAIN, _pairs(), no_parameters, filtered=False)


def without_parameters(release: Release, *path: str) -> DataRequest:
    """A request about a release, at the address made of these parts, which has no parameters."""
    request.environ["lantern.release"] = release.version
    return DataRequest(release, PLAIN, Query(), address(*path))


def of_release(*path: str, control: Control = release_parameters) -> DataRequest:
    """A request about a release as a whole, at the address made of these parts."""
    query = parse.read(PLAIN, _pairs(), control, filtered=False)
    return DataRequest(_release(query.canonical), PLAIN, query, address(*path))


def of_dataset(
    name: str, *path: str, control: Control = release_parameters, filtered: bool = False, below: bool = True
) -> DataRequest:
    """A request about a dataset, at the address /v1/datasets/{name} and these parts (/v1/… where not `below` it).

    Raises QueryError, NotInStore, or a not-found problem with the nearest name.
    """
    pairs = _pairs()
    release = _release(pairs)
    table = dataset(release, name)
    start = ("v1", "datasets", table.name) if below else ("v1",)
    return DataRequest(release, table, parse.read(table, pairs, control, filtered, release), address(*start, *path))


def _pairs() -> list[tuple[str, str]]:
    return parse.pairs(request.environ.get("QUERY_STRING", ""))


def _release(pairs: Sequence[tuple[str, str]]) -> Release:
    """The release that version or as_of names, else the latest; read before the rest, whose names depend on it.

    Raises QueryError for values that cannot be read, NotInStore where there is no such release.
    """
    named = [(name, value) for name, value in pairs if name in ("version", "as_of")]
    if named:
        chosen = parse.read(PLAIN, named, release_parameters, filtered=False).more
        release = store().as_of(chosen["as_of"]) if "as_of" in chosen else store().version(chosen["version"])
    else:
        release = store().latest()
    request.environ["lantern.release"] = release.version  # which the log names
    return release


def dataset(release: Release, name: str) -> Table:
    """The table of a release by its name. Raises a not-found problem with the nearest name."""
    known = tables(release)
    if name not in known:
        hint = f" Did you mean {near!r}?" if (near := nearest(name, known)) else ""
        raise NoDataset("not-found", f"There is no dataset {name!r} in release {release.version}.{hint}")
    return known[name]


@lru_cache(maxsize=64)
def tables(release: Release) -> dict[str, Table]:
    return {table.name: table for table in release.package.tables}


def acceptable(offered: Mapping[str, str]) -> str:
    """The name of the offered media type (name → type) that the Accept header likes best; the first wins a tie.

    Raises a not-acceptable problem that lists them.
    """
    accepted = request.environ.get("HTTP_ACCEPT", "")
    first, first_type = next(iter(offered.items()))
    if accepted in ("", "*/*", first_type):
        return first
    bare = {media_type.partition(";")[0]: name for name, media_type in offered.items()}
    best = best_type(accepted, bare)
    if not best:
        raise ProblemError("not-acceptable", f"Available here: {', '.join(bare)}.")
    return bare[best]


# Addresses in responses: paths, query strings, and the Link header


def base() -> str:
    """What links begin with: the setting BASE_URL, or what proxies say (api.http.proxies)."""
    if not current_app.config["PROXIES"]:
        return str(current_app.config["BASE_URL"])
    return str(request.environ.get("lantern.base", current_app.config["BASE_URL"]))


def address(*parts: str) -> str:
    """A path of which each part may hold any character."""
    return base() + _path(parts)


@lru_cache(maxsize=256)
def _path(parts: tuple[str, ...]) -> str:
    return "/" + "/".join(map(quoted, parts))


@lru_cache(maxsize=128)
def quoted(part: str) -> str:
    """One part of a path; slashes and commas in it are escaped."""
    return encode(part).replace("/", "%2F").replace(",", "%2C")


def file_address(version: str, path: str) -> str:
    """The address of a release's file."""
    return address("releases", version, *path.split("/"))


def with_query(path: str, canonical: Pairs) -> str:
    """A path with its parameters in their one order."""
    text = parse.written(canonical)
    return f"{path}?{text}" if text else path


def altered(path: str, canonical: Pairs, *without: str, **added: str) -> str:
    """A path with its parameters, without some and with others."""
    rest = [entry for entry in canonical if entry[0] not in without]
    return with_query(path, tuple(sorted([*rest, *added.items()])))


def permalink(path: str, canonical: Pairs, release: Release) -> str:
    """The address that keeps giving this response: the same query of this version."""
    return altered(path, canonical, "version", "as_of", version=release.version)


def latest_version(path: str, canonical: Pairs) -> str | None:
    """The same query of the latest release (RFC 5829, 3.2); None where the address names no release.

    It does not depend on which release that is: a response of a named version is kept for a year, and stays right.
    A cursor belongs to its release.
    """
    if not {"version", "as_of"} & {name for name, _ in canonical}:
        return None
    return altered(path, canonical, "version", "as_of", "cursor")


def turned(data_request: DataRequest, place: bytes, resource: str) -> str:
    """The address of the page at a place, which the cursor holds, in the rows of a resource."""
    release, _, query, path = data_request
    return altered(path, query.canonical, "cursor", cursor=cursor_of(place, query, release.tag, resource))


def page_links(data_request: DataRequest, numbers: Sequence[int], before: bool, after: bool) -> dict[str, str | None]:
    """The addresses of the first page, and of those before and after the rows with these numbers, if there are any."""
    path, name = data_request.path, data_request.table.name
    first, last = ([row.to_bytes(6, "big") for row in (numbers[0], numbers[-1])]) if numbers else (b"", b"")
    return {
        "first": altered(path, data_request.query.canonical, "cursor"),
        "prev": turned(data_request, BACK + first, name) if before and numbers else None,
        "next": turned(data_request, last, name) if after and numbers else None,
    }


def pinned(data_request: DataRequest, links: Mapping[str, Any]) -> dict[str, Any]:
    """Links of a response to a query that names a release: what they lead to is of the same release."""
    release, _, query, _ = data_request
    if not {"version", "as_of"} & {name for name, _ in query.canonical}:
        return {**links}
    return {relation: link and _of_release(link, release) for relation, link in links.items()}


def _of_release(link: str, release: Release) -> str:
    """A link with a version, where it takes one and names no release."""
    path, _, given = link.partition("?")
    takes = path.removeprefix(base()).startswith(("/v1/datasets", "/v1/conflicts", "/v1/corrections"))
    if not takes or _NAMES_RELEASE(given) or path.endswith("/history"):  # which is that of all releases
        return link
    return f"{link}{'&' if given else '?'}version={encode(release.version)}"


def link_header(release: Release, links: Mapping[str, str | None], dataset: str) -> str:
    """The Link header (RFC 8288) of a response: targets by relation, and the licence; '' without any.

    `dataset` is the name of the table whose data it holds, "" for any other response.
    """
    why = {} if release.withdrawn is None else {"deprecation": address("v1", "releases", release.version)}
    every = {**links, **why, "license": _license(release, dataset, base())}
    return ", ".join([f'<{_uri(target)}>; rel="{relation}"' for relation, target in every.items() if target])


_NAMES_RELEASE = re.compile("(?:^|&)(?:version|as_of)=").search
_LONE_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")
_SCHEME = re.compile("[A-Za-z][A-Za-z0-9+.-]*:").match
_PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))


@lru_cache(maxsize=256)
def _uri(target: str) -> str:
    """An address as a URI: what RFC 3986 does not allow in one is percent-encoded."""
    return quote(_LONE_PERCENT.sub("%25", target), safe=":/?#[]@!$&'()*+,;=%", errors="replace")


@lru_cache(maxsize=256)
def _license(release: Release, dataset: str, _base: str) -> str:
    """The licence's address as it is; for a path within the package that of the release's file; '' for none."""
    path = release.package.license_of(release.package.table(dataset)).path
    if not path or _SCHEME(path):
        return path
    return file_address(release.version, path) if path in release.files else ""


@lru_cache(maxsize=256)
def header_text(text: str) -> str:
    """Text from elsewhere as a header may hold it: what is not printable ASCII is percent-encoded."""
    return quote(text, safe=_PRINTABLE, errors="replace")


# Set-up


def init_app(app: Flask) -> None:
    """Have every route, also those of extensions, read paths as below."""
    app.url_map.converters |= {"default": Segment, "string": Segment, "path": Segments, "raw": PathConverter}
    app.before_request(_named_in_utf8)
    turns = bounds.Turns(app.config["THREADS"])
    app.before_request(lambda: bounds.begin(app.config["TIME_LIMIT"], turns))
    app.teardown_request(lambda _: bounds.end())


def _named_in_utf8() -> None:
    """Refuse a path that is not UTF-8: decoded with replacement characters it would name something else."""
    try:
        request.environ["PATH_INFO"].encode("latin-1").decode()
    except UnicodeError:
        raise NotFound from None


# Paths: WSGI hands over a decoded path, in which %2F is a slash like any other. Where a name or key holds a slash,
# comma or percent sign, the path is decoded except for those, and the converters of the routes decode each part.


class Segment(UnicodeConverter):
    """One part of a path, with any character in it: <name>."""

    def to_python(self, value: str) -> str:
        return unquote(value)


class Segments(PathConverter):
    """The rest of a path, with its slashes: <path:path>."""

    def to_python(self, value: str) -> str:
        return unquote(value)


def keep_escapes(environ: dict[str, Any]) -> None:
    """Put in the path of a WSGI request in which escaped slashes, commas and percent signs are still escaped."""
    raw = str(environ.get("RAW_URI") or environ.get("REQUEST_URI") or "").partition("?")[0]
    if "%2" in raw:
        path = raw if raw.startswith("/") else urlsplit(raw).path  # RFC 9112, 3.2.2: a target may name the host
        for escape in ("%25", "%2F", "%2f", "%2C", "%2c"):
            path = path.replace(escape, "%25" + escape[1:])
        decoded = unquote_to_bytes(path.encode("latin-1")).decode("latin-1")
        # Where another application mounted this one; the prefix of a proxy is not in the path that it passes on.
        mounted = environ.get("werkzeug.proxy_fix.orig", environ).get("SCRIPT_NAME") or ""
        environ["PATH_INFO"] = decoded.removeprefix(mounted)
