"""Where everything is: links to what has an address of its own, URI templates (RFC 6570) for what takes something.

Both are made from the routes of the application and the parameters that their views declare; nothing is listed here.
In a template `{key}` takes the values of a row's key in its order, and `filters` a map of filters.
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol, cast

from flask import Flask, current_app
from werkzeug.routing import Rule

from api.http.request import PLAIN, address, base, file_address, quoted, store, tables
from api.model.descriptor import Table
from api.model.files import DESCRIPTOR, RELEASE_INDEX
from api.query.fields import Parameters
from api.query.form import Control
from api.store.releases import Release

SIGNED = ("tuf", "timestamp.json")  # what a client of the signed metadata asks for first
OF_DATASET = "/v1/datasets/<name>"
# Relations (RFC 8631, RFC 9727), and names that are easier to read than the view's own.
NAMES = {
    "documentation.as_json": "service-desc",
    "documentation.as_yaml": "service-desc-yaml",
    "documentation.page": "service-doc",
    "health.alive": "status",
    "health.ready": "ready",
    "problems.explain": "problem",
    "conflicts.all_conflicts": "conflicts",
    "conflicts.all_corrections": "corrections",
    "tuf.releases": "signed-releases",
    "tuf.metadata": "signed-metadata",
}


class Served(Protocol):
    """What a view takes: its parameters (None: it ignores them), which of them it needs, whether filters; and the table
    that it is about, where its address names none ("": no table).
    """

    @property
    def control(self) -> Control | None: ...
    @property
    def required(self) -> tuple[str, ...]: ...
    @property
    def filters(self) -> bool: ...
    @property
    def table(self) -> str: ...


def init_app(app: Flask, served: Mapping[str, Served | None]) -> None:
    """Tell what the application's views take, by endpoint; those of None, and others, are linked from nowhere."""
    app.extensions["served"] = served


class Place(NamedTuple):
    """A route of the application: its name, its rule, and its parameters; `needed`: it cannot do without some."""

    name: str
    rule: Rule
    parameters: tuple[str, ...]
    needed: bool

    @property
    def template(self) -> str:
        """Its URI template: a rest of a path keeps its slashes."""
        path = self.rule.rule.replace(OF_DATASET, "/v1/datasets/<dataset>")
        for pattern, variable in (("<path:(.+?)>", "{+\\1}"), ("<raw:(.+?)>", "{\\1}"), ("<(.+?)>", "{\\1}")):
            path = re.sub(pattern, variable, path)
        return base() + path + ("{?" + ",".join(self.parameters) + "}" if self.parameters else "")


def service_links(release: Release) -> dict[str, str]:
    """The addresses of everything that a release offers and that needs nothing more."""
    every = _places(release)
    links = {place.name: base() + place.rule.rule for place in every if not (place.rule.arguments or place.needed)}
    links["datapackage"] = file_address(release.version, DESCRIPTOR)
    if (store().root / RELEASE_INDEX).exists():
        links[NAMES["tuf.metadata"]] = address(*SIGNED)
    else:
        links.pop(NAMES["tuf.releases"], None)
    return links


def service_templates(release: Release) -> dict[str, str]:
    """A template of every address that takes something."""
    return {place.name: place.template for place in _places(release) if place.rule.arguments or place.parameters}


def dataset_templates(release: Release, table: Table) -> dict[str, str]:
    """A template of every address below a dataset that takes something; rows without a key have no history."""
    own, name = _places(release, table), quoted(table.name)
    below = [place for place in own if place.rule.rule.startswith(f"{OF_DATASET}/")]
    return {
        place.name: place.template.replace("{dataset}", name)
        for place in below
        if (place.rule.arguments - {"name"} or place.parameters) and (table.primary_key or place.name != "history")
    }


def _places(release: Release, table: Table = PLAIN) -> Iterator[Place]:
    """The routes of the application that views describe, as they are for a table."""
    served = cast(Mapping[str, Served | None], current_app.extensions["served"])
    for rule in current_app.url_map.iter_rules():
        of = served.get(rule.endpoint)
        if of is None or (of.table and of.table not in tables(release)):
            continue
        declared: Parameters = of.control(table) if of.control else {}
        names = [*declared, *(["filters*"] if of.filters else [])]
        needed = bool(of.required) or any(field.required for field in declared.values())
        name = NAMES.get(rule.endpoint) or rule.endpoint.rpartition(".")[2].replace("_", "-")
        yield Place(name, rule, tuple(names), needed)
