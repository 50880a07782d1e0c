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
from api.http.views import records
from api.model import types
from api.model.descriptor import Package, Table
from api.model.files import DESCRIPTOR
from api.openapi import parameters, responses, rows
from api.openapi.operations import OPERATIONS, Operation
from api.openapi.responses import EVERY, HEADERS_OF, NOT_MODIFIED, SHARED, filled, headers
from api.query.parameters import no_parameters

VERSION = "3.0.3"
API_VERSION = "1.0.0"  # of the API itself: it changes when addresses or responses do, not when the data do
ORDER = ("openapi", "info", "servers", "tags", "paths", "components")
TAGS = {
    "service": "What the service offers, and search over all of it.",
    "releases": "Releases never change: their versions, files and differences.",
    "documentation": "This description.",
    "health": "Whether the server is up.",
}
# The tag of a blueprint's addresses, where it is not the blueprint's own name; the rest is the service.
TAG_OF = {
    "files": "releases",
    "changes": "releases",
    "feeds": "releases",
    "tuf": "releases",
    "problems": "documentation",
}
# Variables of paths beside {key}: what they are, and an example that always exists (empty: none).
VARIABLES = {
    "extension": ("The format.", "csv"),
    "version": ("A release's version.", ""),
    "path": ("A file's path, as in the release's manifest.", DESCRIPTOR),
    "name": ("A file of the metadata.", "timestamp.json"),
    "kind": ("A type of problem.", "not-found"),
}


def document(app: Flask, package: Package) -> dict[str, Any]:
    """The document of a package as the app serves it; it depends on descriptor and schemas, not on rows or version."""
    own = {table.name: f"{table.title}. {table.description}".strip() for table in package.tables}
    spec = APISpec(
        title=package.title,
        version=API_VERSION,
        openapi_version=VERSION,
        plugins=[MarshmallowPlugin()],
        info=_info(package),
        servers=[{"url": app.config["BASE_URL"] or "/"}],
        tags=[{"name": name, "description": words} for name, words in {**TAGS, **own}.items()],
    )
    slugs = _slugs(package.tables)
    _components(spec, package, slugs)
    for rule, operation, table in _places(app, package):
        path = re.sub(r"<(?:[^<>:]+:)?([^<>]+)>", r"{\1}", rule.rule)
        path = path.replace("{name}", quote(table.name, safe="-._~:")) if table else path
        view = app.view_functions[rule.endpoint]
        described = _operation(spec, path, rule.endpoint, view.__doc__ or "", operation, table, slugs)
        spec.path(path, operations={"get": described})
    parts: dict[str, Any] = json.loads(json.dumps(spec.to_dict()))
    return {name: parts[name] for name in ORDER}


def written(document: Mapping[str, Any]) -> str:
    """The document as YAML."""
    ordered = {**{name: document[name] for name in ORDER if name in document}, **document}
    return yaml.dump(ordered, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


class _Dumper(yaml.CSafeDumper):
    """Texts of several lines as blocks, and no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_representer(
    str, lambda d, text: d.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)
)
_Dumper.add_representer(
    dict, lambda d, entry: d.represent_mapping("tag:yaml.org,2002:map", entry, flow_style=list(entry) == ["$ref"])
)


def _places(app: Flask, package: Package) -> list[tuple[Rule, Operation, Table | None]]:
    """What is described, in order: the service, each dataset with all its addresses, the rest."""
    places = []
    for rule in app.url_map.iter_rules():
        operation = OPERATIONS.get(rule.endpoint)
        if operation is None:
            continue
        of_dataset = rule.rule.startswith("/v1/datasets/<")
        tables: Iterable[Table | None] = package.tables if of_dataset else [None]
        if operation.table:
            tables = [table for table in package.tables if table.name == operation.table]
        section = 1 if of_dataset else 0 if rule.rule in ("/v1/", "/v1/datasets") else 2
        for number, table in enumerate(tables):
            place = (section, number, not rule.rule.startswith("/v1"), rule.rule)
            places.append((place, (rule, operation, table)))
    return [entry for _, entry in sorted(places, key=lambda pair: pair[0])]


def _info(package: Package) -> dict[str, Any]:
    person: Mapping[str, Any] = next(iter(package.descriptor.get("contributors") or []), {})
    contact = {"name": person.get("title"), "url": person.get("path"), "email": person.get("email")}
    license_url = package.license_path if package.license_path.startswith("http") else ""
    return filled(
        {
            "description": f"{package.description}\n\n{SHARED['info']['description']}".strip() + "\n",
            "license": filled({"name": package.license, "url": license_url}),
            "contact": {name: str(value) for name, value in filled(contact).items()},
        }
    )


def _slugs(tables: Iterable[Table]) -> dict[str, str]:
    """A name for each table that component names allow."""
    slugs: dict[str, str] = {}
    for number, table in enumerate(tables):
        slug = re.sub(r"[^A-Za-z0-9_-]+", "_", table.name)
        slugs[table.name] = slug if slug == table.name and slug not in slugs.values() else f"{slug}-{number}"
    return slugs


def _components(spec: APISpec, package: Package, slugs: Mapping[str, str]) -> None:
    first = package.tables[0].name if package.tables else ""
    responses.components(spec, f"/v1/datasets/{quote(first, safe='')}/records")
    for name, schema in types.WRITTEN.items():
        spec.components.schema(name, dict(schema))
    for table in package.tables:
        name = f"Row.{slugs[table.name]}"
        spec.components.schema(name, schema=rows.row(table))
        row: dict[str, Any] = spec.components.schemas[name]
        for key in table.foreign_keys:
            if len(key.fields) == 1 and key.resource in slugs:  # a value, or with `expand` the row that it names
                value = row["properties"][key.fields[0]]
                words = {word: value.pop(word) for word in ("title", "description", "example") if word in value}
                either = [value, parameters.ref(f"Row.{slugs[key.resource]}")]
                row["properties"][key.fields[0]] = {**words, "anyOf": either}
        described = f"{table.description} Rows hold every field, null where empty, unless `fields` picks some."
        row |= {"title": table.title, "description": described.strip()}
        responses.of_table(spec, table, slugs)


def _operation(
    spec: APISpec,
    path: str,
    endpoint: str,
    words: str,
    operation: Operation,
    table: Table | None,
    slugs: Mapping[str, str],
) -> dict[str, Any]:
    """One operation: `words` are the view's, parameters come from what reads them."""
    slug = slugs[table.name] if table else ""
    blueprint, _, view = endpoint.rpartition(".")
    words = (words or view).strip()
    control = operation.control or no_parameters
    query, plain = (parameters.control(control(of), operation.required) for of in (table or PLAIN, PLAIN))
    if operation.filters and table:
        query += parameters.filters(table)
    names = [parameters.reference(spec, (slug or blueprint, view), entry, entry in plain) for entry in query]
    variables = [_variable(name, table) for name in re.findall(r"{([^}]+)}", path)]
    return {
        "operationId": f"{slug}_{view}" if table and not operation.table else operation.name or view,
        "summary": f"{table.title}: {words.partition('.')[0].lower()}" if table else words.splitlines()[0].rstrip("."),
        "description": words,
        "tags": [table.name if table else TAG_OF.get(blueprint, blueprint if blueprint in TAGS else "service")],
        "parameters": [*variables, *names],
        "responses": _responses(operation, bool(variables or table or "version" in control(PLAIN)), slug),
    }


def _variable(name: str, table: Table | None) -> dict[str, Any]:
    """A variable of the path, with an example where the schema or the program has one."""
    schema: dict[str, Any] = {"type": "string", "minLength": 1}
    if name == "extension":
        schema = {"type": "string", "enum": list(records.offered())}
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
    """Every status that the operation can return; `missing`: what it names may not be there."""
    name = f"{operation.response}.{slug}" if operation.response in ("Rows", "Record") else operation.response
    media_types = operation.media or [media_type.partition(";")[0] for media_type in records.offered().values()]
    statuses: dict[int, Any] = {
        200: {
            "description": "OK.",
            "headers": headers(HEADERS_OF[operation.headers]),
            "content": {media: {"schema": _schema(media, name)} for media in media_types},
        }
    }
    if operation.response == "Redirect":
        found = "Found: the address is in Location."
        statuses = {302: {"description": found, "headers": headers(("Location", *EVERY))}}
    if 206 in operation.also:
        statuses[206] = {**statuses[200], "description": "The bytes that the Range header names."}
    if operation.headers == "data":
        statuses[304] = "NotModified"
    elif operation.headers != "plain":
        statuses[304] = {**NOT_MODIFIED, "headers": headers(("ETag",))}
    problems = {*operation.also} - {206}
    if operation.control is not None:
        statuses[414] = "TooLong"
        problems |= {400, 406} if operation.headers == "data" else {400}
    if missing or operation.response == "Page":
        problems |= {404}
    if operation.filters:
        problems |= {503}
    statuses |= {status: f"Problem{status}" for status in problems}
    return {str(status): statuses[status] for status in sorted(statuses)}


def _schema(media: str, name: str) -> Any:
    if media == "*/*":
        return {}
    if media.startswith("application/vnd."):
        return {"type": "string", "format": "binary"}
    return name if media.endswith(("json", "yaml")) else {"type": "string"}
