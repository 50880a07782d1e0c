"""What is not there: a 404 that names the nearest address, the releases that there are, or the filter meant."""

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from difflib import SequenceMatcher
from typing import Any
from urllib.parse import unquote

from flask import Flask, Response, current_app, request
from werkzeug.exceptions import NotFound

from api.http.errors import problem
from api.http.request import NoDataset, address, base, quoted, store, tables
from api.http.rows import row_if_any
from api.model.errors import LanternError
from api.model.nearest import nearest
from api.query.dialects import spelled
from api.release.formats import FORMATS
from api.store.releases import Gone, NotInStore, Release

NAMED = 12  # releases that an answer names
LOOKED_AT = 8  # parts of a path that are compared
LETTERS = 60  # of each
# What other sites call an address of ours.
OTHER_ADDRESSES: Mapping[str, str] = {
    **{"api": "v1", "rest": "v1", "resources": "datasets", "tables": "datasets", "collections": "datasets"},
    **{"swagger": "docs", "swagger-ui": "docs", "redoc": "docs", "api-docs": "docs", "documentation": "docs"},
    **{"swagger.json": "openapi.json", "swagger.yaml": "openapi.yaml", "openapi.yml": "openapi.yaml"},
    **{"openapi": "openapi.json", "health": "healthz", "ping": "healthz", "status": "healthz", "ready": "readyz"},
    **{"feed": "corrections.atom", "rss": "corrections.atom", "rss.xml": "corrections.atom", "versions": "releases"},
    **{"rows": "records", "items": "records", "features": "records", "entries": "records", "download": "records.csv"},
    **{"query": "records", "aggregates": "aggregate", "stats": "aggregate", "facet": "facets", "fields": "schema"},
}
LATEST = ("latest", "current", "newest", "head", "main", "master", "stable")
_VERSION = re.compile("v[0-9.]+", re.IGNORECASE)
_VARIABLE = re.compile("<(?:[a-z]+:)?([a-z_]+)>")


def init_app(app: Flask) -> None:
    """Answer what is not found with what there is."""
    app.register_error_handler(NotFound, _nothing_here)
    app.register_error_handler(NoDataset, _no_dataset)
    app.register_error_handler(NotInStore, _no_release)


# Addresses


def _nothing_here(_: NotFound) -> Response:
    near, service = _nearest(request.path), address("v1", "")
    links = {"service": service, **({"nearest": near} if near else {})}
    meant = f" Did you mean {near}?" if near else ""
    return problem(
        "not-found", f"There is nothing at {request.path}.{meant} {service} links to everything.", links=links
    )


def _no_dataset(error: NoDataset) -> Response:
    near = _nearest(request.path)
    links = {"datasets": address("v1", "datasets"), **({"nearest": near} if near else {})}
    return problem(error.kind, error.detail, links=links)


def _nearest(path: str) -> str | None:
    """The address with most of the parts of a path, in their order; None where no address has any."""
    parts = [unquote(part)[:LETTERS] for part in path.split("/") if part][:LOOKED_AT]
    parts = ["v1" if _VERSION.fullmatch(part) else OTHER_ADDRESSES.get(part.casefold(), part) for part in parts]
    every = {written: _words(route) for written, route in _addresses(parts).items()}
    known = {word for words in every.values() for word in words}
    asked = [word if word in known else _misspelt(word, known) for word in _words(parts)]
    likeness = {
        written: SequenceMatcher(None, asked, words, autojunk=False).ratio() for written, words in every.items()
    }
    best = max(likeness, key=lambda written: likeness[written])
    return best if likeness[best] else None


def _words(parts: Iterable[str]) -> list[str]:
    """The words of a path's parts: an extension is one by itself."""
    return [word for part in parts for word in part.casefold().split(".") if word]


def _misspelt(word: str, known: Iterable[str]) -> str:
    near = nearest(word, known) or ""
    return near if SequenceMatcher(None, word, near).ratio() > 0.8 else word


def _addresses(parts: Sequence[str]) -> dict[str, list[str]]:
    """The addresses that the routes have for what a path names (a dataset, a format, a row, a version): their parts."""
    values, found = _values(parts), {}
    for rule in current_app.url_map.iter_rules():
        if rule.arguments <= values.keys() and "<path:" not in rule.rule and rule.rule != "/":
            route = [_VARIABLE.sub(lambda match: values[match[1]], part) for part in rule.rule.split("/") if part]
            path = "/".join(quoted(part).replace("%2C", ",") for part in route)  # commas part a compound key
            found[f"{base()}/{path}{'/' if rule.rule.endswith('/') else ''}"] = route
    return found


def _values(parts: Sequence[str]) -> dict[str, str]:
    """The values of routes' variables that the parts of a path name and that exist."""
    values, words = dict[str, str](), {*_words(parts)}
    if extension := next((one for one in ("json", *FORMATS) if one in words), None):
        values["extension"] = extension
    if version := next((one.version for one in store().releases() if one.version in parts), None):
        values["version"] = version
    with suppress(LanternError):  # no release can be asked now
        release = store().latest()
        if name := _dataset(release, parts):
            values["name"] = name
            table = tables(release)[name]
            key = parts[-1].split(",") if len(table.primary_key) > 1 else [parts[-1]]
            if row_if_any(release, table, key):
                values["key"] = parts[-1]
    return values


def _dataset(release: Release, parts: Sequence[str]) -> str | None:
    """The dataset that a part of a path names, with an extension or without."""
    names = {name.casefold(): name for name in tables(release)}
    stems = [stem for part in parts for stem in (part.casefold(), part.casefold().rpartition(".")[0])]
    here = {part for rule in current_app.url_map.iter_rules() for part in rule.rule.split("/")}
    near = (_misspelt(stem, names) for stem in stems if len(stem) > 2 and stem not in here)
    return next((names[stem] for stem in (*stems, *near) if stem in names), None)


# Releases


def _no_release(error: NotInStore) -> Response:
    """The 404 of a version or a day, or the 410: the releases that there are, and what to write."""
    every = [release.version for release in store().releases() if release.withdrawn is None]
    said, more = [str(error)], dict[str, Any]()
    if every:
        said.append(f"there are {', '.join(every[:NAMED])}{', …' if len(every) > NAMED else ''}")
    if isinstance(error, Gone):
        return problem("gone", "; ".join(said), release=asdict(error.entry))
    if near := _version(error.asked, every):
        said.append(f"did you mean {near}?")
        more = {"did_you_mean": near}
    elif error.asked.casefold() in LATEST:
        said.append("the latest is what is asked without a version")
    with suppress(LanternError):  # no release can be asked now
        said += _filter()
    response = problem("not-found", "; ".join(said), **more)
    response.headers["Cache-Control"] = "public, max-age=1"  # it may be published next, and caches would keep it away
    return response


def _version(asked: str, every: Sequence[str]) -> str | None:
    """The newest version that begins with what was asked (`v1.1`), if there is one."""
    bare = re.sub("^[A-Za-z]*[-_. ]?", "", asked)
    return next((one for one in every if bare and f"{one}.".startswith(f"{bare}.")), None)


def _filter() -> list[str]:
    """Where the dataset has a field of the parameter's name, which comes before it: how that field is filtered."""
    named = str((request.view_args or {}).get("name") or request.path.rpartition("/")[2])
    table = tables(store().latest()).get(named)
    asked = [name for name in ("version", "as_of") if table and name in request.args and name in table.index]
    path = address("v1", "datasets", named, "records")
    return [f"the field {one} is filtered by {path}?{spelled(((f'{one}__eq', request.args[one]),))}" for one in asked]
