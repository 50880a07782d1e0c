"""The OpenAPI document of a package: everything that is served, generated from its schemas and the code."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

import yaml
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Flask
from werkzeug.routing import Rule

from api.http.request import PLAIN
from api.http.views import downloads
from api.model import types
from api.model.descriptor import Package, Table
from api.model.files import DESCRIPTOR
from api.openapi import answers, parameters, rows
from api.openapi.operations import OPERATIONS, Operation

VERSION = "3.0.3"
API_VERSION = "1.0.0"  # of the API itself: it changes when addresses or answers do, not when the data do
ORDER = ("openapi", "info", "servers", "tags", "paths", "components")
DATASET = "/v1/datasets/{name}"
TEXTS = ("text/html", "text/csv", "application/jsonl", "application/atom+xml")
FAMILIES = {
    "home": "service",
    "catalogue": "service",
    "search": "service",
    "aggregates": "service",
    "files": "releases",
    "changes": "releases",
    "tuf": "releases",
    "documentation": "documentation",
    "health": "health",
    "problems": "documentation",
}
TAGS = {
    "service": "What there is, and search over all of it.",
    "releases": "Releases never change: their versions, files and differences.",
    "documentation": "This description.",
    "health": "Whether the server lives.",
}
# Variables of paths beside {key}: what they are, and an example that is always there (empty: none).
VARIABLES = {
    "extension": ("The format.", "csv"),
    "version": ("A release's version.", ""),
    "path": ("A file's path, as in the release's manifest.", DESCRIPTOR),
    "name": ("A file of the metadata.", "timestamp.json"),
    "kind": ("A type of problem.", "not-found"),
}
GUIDE = """\
Read-only, without keys or cookies. Every address answers GET, HEAD (the same headers, no body) and OPTIONS; anything
else is 405 with `Allow`. A parameter that an address does not know is 400, never ignored.

- **Filters** `field=value` and `field__operator=value`; comparisons leave nulls out, `field__isnull` finds them.
- **Pages** follow `links.next` until it is null. Every sort ends in the key: pages never overlap or skip.
- **Releases** `version` or `as_of` ask an earlier release; `links.permalink` keeps giving this answer.
- **Caching** send `ETag` back as `If-None-Match`; an unchanged answer is 304.
- **Words, not schemas** `version` and `as_of` exclude each other; at most 40 filters and 4,000 characters of query; a
  cursor is taken from `links.next`, never made up; a list names nothing twice.
- **Errors** are problem documents (RFC 9457), each with a `type` that explains it and the `request_id` to quote.
"""


def document(app: Flask, package: Package) -> dict[str, Any]:
    """The document of a package as the app serves it; its descriptor and schemas decide it, rows and version do not."""
    plugin = MarshmallowPlugin()
    spec = APISpec(
        title=package.title,
        version=API_VERSION,
        openapi_version=VERSION,
        plugins=[plugin],
        info=_info(package),
        servers=[{"url": app.config["BASE_URL"] or "/"}],
        tags=_tags(package),
    )
    slugs = _slugs(package.tables)
    _components(spec, package, slugs)
    for rule, operation, table in _places(app, package):
        path = template(rule, table)
        described = _operation(spec, plugin, app, rule, operation, table, slugs, path)
        spec.path(path, operations={"get": described})
    found: dict[str, Any] = json.loads(json.dumps(spec.to_dict()))
    return {name: found[name] for name in ORDER}


def written(found: Mapping[str, Any]) -> str:
    """The document as YAML."""
    ordered = {**{name: found[name] for name in ORDER if name in found}, **found}
    return yaml.dump(ordered, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


def _places(app: Flask, package: Package) -> list[tuple[Rule, Operation, Table | None]]:
    """What is described, in order: the service, each dataset with all its addresses, the rest."""
    found = []
    for rule in app.url_map.iter_rules():
        operation = OPERATIONS.get(rule.endpoint)
        if operation is None:
            continue
        for table in tables_of(rule, operation, package):
            of_dataset = table is not None and not operation.table
            section = 1 if of_dataset else 0 if rule.rule in ("/v1/", "/v1/datasets") else 2
            place = package.tables.index(table) if table is not None and of_dataset else 0
            found.append(((section, place, not rule.rule.startswith("/v1"), rule.rule), (rule, operation, table)))
    return [entry for _, entry in sorted(found, key=lambda pair: pair[0])]


class _Dumper(yaml.CSafeDumper):
    """Texts of several lines as they are; nothing is shared between places."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_representer(
    str, lambda d, text: d.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)
)
_Dumper.add_representer(
    dict, lambda d, found: d.represent_mapping("tag:yaml.org,2002:map", found, flow_style=list(found) == ["$ref"])
)


def template(rule: Rule, table: Table | None) -> str:
    """A route as OpenAPI writes it: {variables}, the dataset's own name where the route is of datasets."""
    found = re.sub(r"<(?:[^<>:]+:)?([^<>]+)>", r"{\1}", rule.rule)
    if table is not None and found.startswith(DATASET):
        found = DATASET.replace("{name}", quote(table.name, safe="-._~:")) + found[len(DATASET) :]
    return found


def tables_of(rule: Rule, operation: Operation, package: Package) -> Iterable[Table | None]:
    """The tables that a route is described for, each by itself; [None] for a route that is of no table."""
    if operation.table:
        return [table for table in package.tables if table.name == operation.table]
    return package.tables if template(rule, None).startswith(DATASET) else [None]


def _info(package: Package) -> dict[str, Any]:
    found: dict[str, Any] = {"description": f"{package.description}\n\n{GUIDE}".strip() + "\n"}
    if package.license:
        found["license"] = {"name": package.license}
        if package.license_path.startswith("http"):
            found["license"]["url"] = package.license_path
    person: Mapping[str, Any] = next(iter(package.descriptor.get("contributors") or []), {})
    contact = {"name": person.get("title"), "url": person.get("path"), "email": person.get("email")}
    if any(contact.values()):
        found["contact"] = {name: str(value) for name, value in contact.items() if value}
    return found


def _tags(package: Package) -> list[dict[str, str]]:
    own = {table.name: f"{table.title}. {table.description}".strip() for table in package.tables}
    return [{"name": name, "description": words} for name, words in {**TAGS, **own}.items()]


def _slugs(tables: Iterable[Table]) -> dict[str, str]:
    """A name for each table that component names allow."""
    found: dict[str, str] = {}
    for number, table in enumerate(tables):
        slug = re.sub(r"[^A-Za-z0-9_-]+", "_", table.name)
        found[table.name] = slug if slug == table.name and slug not in found.values() else f"{slug}-{number}"
    return found


def _components(spec: APISpec, package: Package, slugs: Mapping[str, str]) -> None:
    first = package.tables[0].name if package.tables else ""
    answers.components(spec, f"/v1/datasets/{quote(first, safe='')}/records")
    for name, schema in types.WRITTEN.items():
        spec.components.schema(name, dict(schema))
    for table in package.tables:
        slug = slugs[table.name]
        spec.components.schema(f"Row.{slug}", schema=rows.row(table))
        _expandable(spec.components.schemas[f"Row.{slug}"], table, slugs)
        spec.components.schemas[f"Row.{slug}"] |= {"title": table.title, "description": _row_words(table)}
        answers.of_table(spec, table, slug, package, slugs)


def _row_words(table: Table) -> str:
    return f"{table.description} Rows hold every field, null where empty, unless `fields` picks some.".strip()


def _expandable(row: dict[str, Any], table: Table, slugs: Mapping[str, str]) -> None:
    """A foreign key is a value, or with `expand` the row it names."""
    for key in table.foreign_keys:
        if len(key.fields) == 1 and key.resource in slugs:
            value = row["properties"][key.fields[0]]
            words = {name: value.pop(name) for name in ("title", "description", "example") if name in value}
            row["properties"][key.fields[0]] = {**words, "anyOf": [value, answers.ref(f"Row.{slugs[key.resource]}")]}


def _operation(
    spec: APISpec,
    plugin: MarshmallowPlugin,
    app: Flask,
    rule: Rule,
    operation: Operation,
    table: Table | None,
    slugs: Mapping[str, str],
    path: str,
) -> dict[str, Any]:
    """One operation: words from the view, parameters from what reads them."""
    slug = slugs[table.name] if table else ""
    family, _, view = rule.endpoint.rpartition(".")
    said = (app.view_functions[rule.endpoint].__doc__ or view).strip()
    control = operation.control(table or PLAIN) if operation.control else {}
    query = parameters.control(plugin, control, operation.required)
    plain = parameters.control(plugin, operation.control(PLAIN), operation.required) if operation.control else []
    names = parameters.references(spec, (slug or family, view), query, plain)
    if operation.filters and table:
        filters = parameters.filters(table)
        query += filters
        names += parameters.references(spec, (slug, view), filters)
    variables = [_variable(name, table) for name in re.findall(r"{([^}]+)}", path)]
    return {
        "operationId": f"{slug}_{view}" if table and not operation.table else operation.name or view,
        "summary": f"{table.title}: {said.partition('.')[0].lower()}" if table else said.partition("\n")[0].rstrip("."),
        "description": said,
        "tags": [table.name if table else FAMILIES.get(family, "service")],
        "parameters": [*variables, *names],
        "responses": _responses(operation, bool(variables or table or "version" in control), slug),
    }


def _variable(name: str, table: Table | None) -> dict[str, Any]:
    """A variable of the path, with an example where the schema or the program has one."""
    schema: dict[str, Any] = {"type": "string", "minLength": 1}
    if name == "extension":
        schema = {"type": "string", "enum": list(downloads.offered())}
    words, example = _key(table) if name == "key" and table else VARIABLES[name]
    entry = {"name": name, "in": "path", "required": True, "schema": schema, "description": words}
    return {**entry, "example": example} if example else entry


def _key(table: Table) -> tuple[str, str]:
    """What names a row in the path: its description, and the example that the schema has of it, if any."""
    keys = table.primary_key
    if not keys:
        return "The row's position, from 1.", "1"
    words = f"The row's {', '.join(keys)}."
    joined = "" if len(keys) < 2 else " Joined by commas in this order; a comma inside a value is written %2C."
    examples = [rows.example(table.field(key)) for key in keys]
    return words + joined, "" if None in examples else ",".join(map(str, examples))


def _responses(operation: Operation, missing: bool, slug: str) -> dict[str, Any]:
    """Every status that the operation can answer with."""
    found: dict[int, Any] = {200: _success(operation, slug)}
    if operation.answer == "Redirect":
        found = {302: {"description": answers.WORDS[302], "headers": answers.headers(("Location", *answers.EVERY))}}
    if operation.headers == "finished":
        found[304] = answers.ref("NotModified", "responses")
    elif operation.headers != "plain":
        found[304] = {"description": answers.WORDS[304], "headers": answers.headers(("ETag",))}
    problems = {*operation.also} - {206}
    if 206 in operation.also:
        found[206] = {**found[200], "description": answers.WORDS[206]}
    if operation.control is not None:
        problems |= {400}
        found[414] = answers.ref("TooLong", "responses")
    if missing or operation.answer == "Page":
        problems |= {404}
    if operation.headers == "finished" and operation.control is not None:
        problems |= {406}
    if operation.filters:
        problems |= {503}
    found |= {status: answers.ref(f"Problem{status}", "responses") for status in problems}
    return {str(status): found[status] for status in sorted(found)}


def _success(operation: Operation, slug: str) -> dict[str, Any]:
    own = operation.answer in ("Rows", "Record")
    name = f"{operation.answer}.{slug}" if own else operation.answer
    content: dict[str, Any] = {}
    for media in operation.media:
        content[media] = {"schema": answers.ref(name)}
        if media == "*/*":
            content[media] = {"schema": {}}
        elif media.startswith("application/vnd."):
            content[media] = {"schema": {"type": "string", "format": "binary"}}
        elif media in TEXTS:
            content[media] = {"schema": {"type": "string"}}
    return {"description": "OK.", "headers": answers.headers(answers.HEADERS_OF[operation.headers]), "content": content}
