"""The OpenAPI document of a package: everything that is served, generated from its schemas and the code."""

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

import yaml
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Flask
from werkzeug.routing import Rule

from api.http.request import PLAIN
from api.model import types
from api.model.descriptor import Package, Table
from api.model.files import DESCRIPTOR
from api.openapi import names, parameters, responses, rows
from api.openapi.names import Draft
from api.openapi.operations import OPERATIONS, Operation
from api.openapi.responses import NOT_MODIFIED, SHARED, filled, headers
from api.query import parameters as query_parameters
from api.query.parameters import no_parameters
from api.release.formats import FORMATS

VERSION = "3.0.3"
API_VERSION = "1.0.0"  # of the API itself: it changes when addresses or responses do, not when the data do
ORDER = ("openapi", "info", "servers", "security", "tags", "paths", "components")
DATASETS = "/v1/datasets/{"
TAGS = {
    "service": "What the service offers, and search over all of it.",
    "datasets": "What is the same for every dataset: its description, its schema, its rows in other formats.",
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
    "version": ("A release's version.", ""),
    "dataset": ("The name of a dataset.", ""),
    "key": ("The values of the row's primary key, joined by commas in its order.", ""),
    "path": ("A file's path, as in the release's manifest.", DESCRIPTOR),
    "name": ("A file of the metadata.", "timestamp.json"),
    "kind": ("A type of problem.", "not-found"),
}


class Place(NamedTuple):
    """One address of the document: of a view, about a table, in the format of an extension; None where neither is."""

    rule: Rule
    operation: Operation
    table: Table | None
    extension: str | None

    @property
    def path(self) -> str:
        path = re.sub(r"<(?:[^<>:]+:)?([^<>]+)>", r"{\1}", self.rule.rule)
        name = "{dataset}" if self.table is None else quote(self.table.name, safe="-._~:")
        if path.startswith(DATASETS):
            path = path.replace("{name}", name, 1)
        return path.replace("{extension}", self.extension or "")


def document(app: Flask, package: Package, base: str = "") -> dict[str, Any]:
    """The document of a package as the app serves it, at a base ("": any host).

    It depends on descriptor and schemas, not on rows or version.
    """
    own = {table.name: f"{table.title}. {table.description}".strip() for table in package.tables}
    spec = APISpec(
        title=package.title,
        version=API_VERSION,
        openapi_version=VERSION,
        plugins=[MarshmallowPlugin()],
        info=_info(package),
        servers=[{"url": base or "/"}],
        security=[],  # nothing needs a key
        tags=[{"name": name, "description": words} for name, words in {**TAGS, **own}.items()],
    )
    draft = Draft(spec, package, names.slugs(package.tables), {}, {})
    _components(draft)
    for place in _places(app, package):
        view = app.view_functions[place.rule.endpoint]
        spec.path(place.path, operations={"get": _operation(draft, place, view.__doc__ or "")})
    parts: dict[str, Any] = json.loads(json.dumps(spec.to_dict()))
    return _used({name: parts[name] for name in ORDER})


def _used(parts: dict[str, Any]) -> dict[str, Any]:
    """A document without the components that nothing in it refers to."""
    while True:
        named = set(re.findall(r'"#/components/([^/"]+/[^"]+)"', json.dumps(parts)))
        kept = {
            kind: {n: e for n, e in of.items() if f"{kind}/{n}" in named} for kind, of in parts["components"].items()
        }
        if kept == parts["components"]:
            return parts
        parts = {**parts, "components": kept}


def written(document: Mapping[str, Any]) -> str:
    """The document as YAML."""
    ordered = {**{name: document[name] for name in ORDER if name in document}, **document}
    return yaml.dump(ordered, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=150)


class _Dumper(yaml.CSafeDumper):
    """Texts of several lines as blocks; lists of values, what only refers to components and short entries on one line,
    which is broken where it is long; no aliases.
    """

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_representer(
    str, lambda d, text: d.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)
)
_Dumper.add_representer(
    dict, lambda d, entry: d.represent_mapping("tag:yaml.org,2002:map", entry, flow_style=_short(entry.values()))
)
_Dumper.add_representer(
    list, lambda d, entries: d.represent_sequence("tag:yaml.org,2002:seq", entries, flow_style=_flat(entries))
)


def _flat(values: Collection[Any]) -> bool:
    return _referring(values) or not any(isinstance(value, dict | list) or "\n" in str(value) for value in values)


def _short(values: Collection[Any]) -> bool:
    return _referring(values) or _flat(values) and len(values) <= 3 and len("".join(map(str, values))) <= 60


def _referring(values: Collection[Any]) -> bool:
    return all(isinstance(value, dict) and value.keys() == {"$ref"} for value in values)


def _places(app: Flask, package: Package) -> list[Place]:
    """What is described, in order: the service, what is the same for all datasets, each dataset, the rest."""
    places = []
    for rule in app.url_map.iter_rules():
        operation = OPERATIONS.get(rule.endpoint)
        if operation is None:
            continue
        tables: Iterable[Table | None] = package.tables if operation.each else [None]
        if operation.table:
            tables = [table for table in package.tables if table.name == operation.table]
        section = (
            1
            if operation.each
            else 0
            if operation.formats or rule.rule.startswith("/v1/d") or rule.rule == "/v1/"
            else 2
        )
        for number, table in enumerate(tables):
            for extension in operation.formats() if operation.formats else [None]:
                order = (section, number, not rule.rule.startswith("/v1"), rule.rule)
                places.append((order, Place(rule, operation, table, extension)))
    return [place for _, place in sorted(places, key=lambda pair: pair[0])]


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


def _components(draft: Draft) -> None:
    spec, tables = draft.spec, draft.package.tables
    responses.components(spec, f"/v1/datasets/{quote(tables[0].name if tables else '', safe='')}/records")
    for name, schema in types.WRITTEN.items():
        spec.components.schema(name, dict(schema))
    for table in tables:
        name = f"{draft.slugs[table.name]}_row"
        spec.components.schema(name, schema=rows.row(table))
        # No title: some generators would make it the name of the type, in place of the component's.
        described = f"{table.title}: every field, null where empty, unless `fields` picks some."
        spec.components.schemas[name] |= {"description": described}
    _share(draft)
    responses.of_tables(spec, draft.slugs)
    draft.taken["schema"] = {names.key(name) for name in spec.components.schemas}
    draft.taken["response"] = {names.key(name) for name in spec.components.responses}


def _share(draft: Draft) -> None:
    """Describe once the fields that several tables have alike, but for enums, of which generators make types."""
    rows_of = [draft.spec.components.schemas[f"{slug}_row"]["properties"] for slug in draft.slugs.values()]
    times = Counter(json.dumps([name, field]) for fields in rows_of for name, field in fields.items())
    for fields in rows_of:
        for name, field in fields.items():
            if times[json.dumps([name, field])] > 1 and "enum" not in field:
                fields[name] = parameters.ref(draft.component("schema", [f"field_{names.plain(name, 'of')}"], field))


def _operation(draft: Draft, place: Place, words: str) -> dict[str, Any]:
    """One operation: `words` are the view's, parameters come from what reads them."""
    table, operation, extension = place.table, place.operation, place.extension
    blueprint, _, view = place.rule.endpoint.rpartition(".")
    slug = draft.slugs[table.name] if table else ""
    words = " ".join((words or view).split())
    summary = re.split("[;:,.] ", words.rstrip("."))[0]
    name, tag = operation.name or view, TAG_OF.get(blueprint, blueprint if blueprint in TAGS else "service")
    tag = "datasets" if "{dataset}" in place.path else tag
    if extension:
        name, summary = f"{name}_{extension}", f"{summary}: {extension}"
    elif table:
        name, tag = (name if operation.table else f"{slug}_{name}"), table.name
        if not operation.table:  # what is said of the address for all of them is not said of each
            summary, words = f"{table.title}: {summary[:1].lower()}{summary[1:]}", f"{summary}."
    queried = [parameters.reference(draft, slug, entry) for entry in _query(draft, place)]
    in_path = [_variable(draft, name, table) for name in re.findall(r"{([^}]+)}", place.path)]
    missing = bool(in_path or table or "version" in (operation.control or no_parameters)(PLAIN))
    described = {"operationId": name, "summary": summary, "description": words, "tags": [tag]}
    entry = {**described, "parameters": [*in_path, *queried], "responses": _responses(draft, place, missing)}
    return filled(entry)


def _query(draft: Draft, place: Place) -> list[dict[str, Any]]:
    """The parameters of a place in the query string."""
    table, operation = place.table, place.operation
    declared = dict((operation.control or no_parameters)(table or PLAIN))
    conditions = query_parameters.conditions() if operation.filters else {}
    kind = FORMATS.get(place.extension or "")
    if not place.extension or kind and kind.flat:
        declared = {name: field for name, field in declared.items() if name not in parameters.RETYPING}
    of = None if place.extension else table or PLAIN
    query = parameters.control(draft, of, {**declared, **conditions}, operation.required)
    named = parameters.filters(draft, table, {*declared, *conditions}) if operation.filters and table else []
    return [*query, *named]


def _variable(draft: Draft, name: str, table: Table | None) -> Any:
    """A variable of the path, with an example where the schema or the program has one."""
    schema: dict[str, Any] = {"type": "string", "minLength": 1}
    if name == "dataset":
        known = {"type": "string", "enum": [one.name for one in draft.package.tables]}
        schema = parameters.ref(draft.component("schema", ["DatasetName"], known))
    words, example = _key(table) if name == "key" and table else VARIABLES[name]
    entry = {"name": name, "in": "path", "required": True, "schema": schema, "description": words}
    return draft.component("parameter", [f"path.{name}"], entry | ({"example": example} if example else {}))


def _key(table: Table) -> tuple[str, str]:
    """What names a row in the path: its description, and the example that the schema has of it, if any."""
    keys = table.primary_key
    if not keys:
        return "The row's position, from 1.", "1"
    words = f"The row's {', '.join(keys)}."
    joined = "" if len(keys) < 2 else " Joined by commas in this order; a comma inside a value is written %2C."
    examples = [rows.example(table.field(key)) for key in keys]
    return words + joined, "" if None in examples else ",".join(map(str, examples))


def _responses(draft: Draft, place: Place, missing: bool) -> dict[str, Any]:
    """Every status that the operation can return; `missing`: what it names may not be there."""
    operation, extension = place.operation, place.extension
    name = operation.response
    if place.table and name in ("rows", "record"):
        name = f"{draft.slugs[place.table.name]}_{name}"
    media_type = operation.formats()[extension] if operation.formats and extension else operation.media
    found = responses.answer(name, media_type.partition(";")[0])
    wanted = [f"{name}_{extension}" if extension else name, f"{name}_{place.rule.endpoint.rpartition('.')[2]}"]
    statuses: dict[int, Any] = {200: draft.component("response", wanted, found)}
    if name == "Redirect":
        words = "Found: the address is in Location."
        statuses = {302: {"description": words, "headers": headers(("Location",))}}
    if 206 in operation.also:
        part = {**found, "description": "The bytes that the Range header names."}
        statuses[206] = draft.component("response", ["Part"], part)
    if operation.headers == "data":
        statuses[304] = "NotModified"
    elif operation.headers != "plain":
        statuses[304] = {**NOT_MODIFIED, "headers": headers(("ETag",))}
    problems = {*operation.also} - {206}
    if operation.control is not None:
        statuses[414] = "TooLong"
        problems |= {400, 406} if operation.headers == "data" else {400}
    if missing or name == "Page":
        problems |= {404}
    if operation.filters:
        problems |= {503}
    statuses |= {status: f"Problem{status}" for status in problems}
    return {str(status): statuses[status] for status in sorted(statuses)}
