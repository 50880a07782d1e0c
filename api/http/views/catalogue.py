"""The catalogue: the home page, the service document, datasets, and their schemas."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, render_template

from api.http.request import (
    HTML_TYPE,
    DataRequest,
    acceptable,
    address,
    file_address,
    of_dataset,
    of_release,
    permalink,
    pinned,
    refuse_parameters,
    store,
    without_parameters,
)
from api.http.responses import JSON_TYPE, Body, compact, copied_from, document, respond
from api.http.views.description import described
from api.http.views.discovery import dataset_templates, service_links, service_templates
from api.http.views.records import offered
from api.http.views.releases import current
from api.index import sqlite
from api.model.descriptor import Table, edits, is_address, is_table
from api.store.releases import Release

blueprint = Blueprint("catalogue", __name__)
CATALOG = (".well-known", "api-catalog")
LINKSET_TYPE = "application/linkset+json"
CATALOG_PROFILE = "https://www.rfc-editor.org/info/rfc9727"


@blueprint.get("/")
def home() -> Response:
    """A page that lists datasets, downloads and docs; or the service document, by Accept."""
    refuse_parameters()
    release = store().latest()
    data_request = without_parameters(release, "")
    if acceptable({"json": JSON_TYPE, "html": HTML_TYPE}) == "json":
        links = {**service_links(release), "permalink": permalink(address("v1", ""), (), release)}
        return document(data_request, about(release), {}, links)
    return respond(data_request, lambda: Body(_page(release)), HTML_TYPE)


def _page(release: Release) -> bytes:
    package = release.package
    layouts = sqlite.layouts(release.index)
    datasets = [(table, layouts[table.name].rows, dataset_links(release, table)) for table in package.tables]
    return render_template(
        "home.html",
        package=package,
        release=release,
        datasets=datasets,
        links=service_links(release),
        quality=_quality(package.descriptor, *package.descriptor.get("resources", [])),
        files=[entry for entry in _files(release) if entry["href"].startswith(("/", "http://", "https://"))],
        charts=package.descriptor.get("lantern:charts") or [],
        address=address,
        copied=copied_from(),
    ).encode()


@blueprint.get("/v1/")
def service() -> Response:
    """The service document: where everything is."""
    data_request = of_release("v1", "")
    return document(data_request, about(data_request.release), {}, service_links(data_request.release))


@blueprint.get("/.well-known/api-catalog")
def api_catalog() -> Response:
    """The API as a linkset, for programs that look for APIs (RFC 9727)."""
    refuse_parameters()
    acceptable({"linkset": LINKSET_TYPE})
    here, api = address(*CATALOG), address("v1", "")
    descriptions = {"openapi.json": JSON_TYPE, "openapi.yaml": "application/yaml"}
    described = {
        "anchor": api,
        "service-desc": [{"href": address(name), "type": kind} for name, kind in descriptions.items()],
        "service-doc": [{"href": address("docs", ""), "type": "text/html"}],
        "status": [{"href": address("healthz"), "type": JSON_TYPE}],
    }
    catalog = {"anchor": here, "item": [{"href": api, "type": JSON_TYPE}], "profile": [{"href": CATALOG_PROFILE}]}
    body = (compact({"linkset": [catalog, described]}) + "\n").encode()
    data_request = without_parameters(current(), *CATALOG)
    media_type = f'{LINKSET_TYPE}; profile="{CATALOG_PROFILE}"'
    return respond(data_request, lambda: Body(body, {"api-catalog": here, "item": api}), media_type)


def about(release: Release) -> dict[str, Any]:
    """What the service document says of the package, and how to reach what takes a name or parameters."""
    package = release.package
    words = {"name": package.name, "title": package.title, "description": package.description}
    resources = [resource for resource in package.descriptor.get("resources", []) if not is_table(resource)]
    there = {"files": _files(release), "quality": _quality(package.descriptor, *resources)}
    return {**words, **{name: of for name, of in there.items() if of}, "templates": service_templates(release)}


def _quality(*parts: Mapping[str, Any]) -> dict[str, Any]:
    """What is known to be amiss with what parts of a descriptor describe: why a release differs from its package."""
    told = [edit for part in parts for edit in edits(part)]
    return {"edits": told} if told else {}


def _files(release: Release) -> list[dict[str, str]]:
    """What the package has beside its tables: files of the release, and addresses elsewhere."""
    return [
        {
            "name": str(resource["name"]),
            "title": str(resource.get("title") or resource["name"]),
            "href": path if is_address(path) else file_address(release.version, path),
        }
        for resource in release.package.descriptor.get("resources", [])
        if not is_table(resource)
        for path in _paths(resource)
        if is_address(path) or path in release.files
    ]


def _paths(resource: Mapping[str, Any]) -> list[str]:
    path = resource.get("path", [])
    return path if isinstance(path, list) else [path]


@blueprint.get("/v1/datasets")
def datasets() -> Response:
    """The datasets, with title, row count and links."""
    data_request = of_release("v1", "datasets")
    data = [_summary(data_request, table) for table in data_request.release.package.tables]
    return document(data_request, data, {"count": len(data), "total": len(data)}, {})


def _summary(data_request: DataRequest, table: Table) -> dict[str, Any]:
    release = data_request.release
    return {
        "name": table.name,
        "title": table.title,
        "description": table.description,
        "rows": sqlite.layouts(release.index)[table.name].rows,
        "links": pinned(data_request, dataset_links(release, table)),
        "templates": dataset_templates(release, table),
    }


def dataset_links(release: Release, table: Table) -> dict[str, str]:
    """The addresses that belong to a dataset."""
    path, csv = address("v1", "datasets", table.name), file_address(release.version, table.path)
    links = {"self": path, "schema": f"{path}/schema", "records": f"{path}/records", "csv": csv}
    formats = {f"records.{name}": f"{path}/records.{name}" for name in offered()}
    return {**links, **formats, "aggregate": f"{path}/aggregate"}


@blueprint.get("/v1/datasets/<name>")
def dataset(name: str) -> Response:
    """A dataset's description: fields, sources, licence, downloads, citation."""
    data_request = of_dataset(name)
    release, table, _, _ = data_request
    package, quality = release.package, _quality(table.descriptor)
    stem = table.path.split("/")[-1].rpartition(".")[0]
    downloads = [
        {key: entry[key] for key in ("path", "media_type", "bytes", "sha256")}
        | {"href": file_address(release.version, path)}
        for path, entry in release.files.items()
        if path.split("/")[-1].rpartition(".")[0] == stem or path.startswith("package.")
    ]
    data = {
        **_summary(data_request, table),
        "primary_key": list(table.primary_key),
        "fields": [field.descriptor for field in table.fields],
        "sources": table.descriptor.get("sources") or package.descriptor.get("sources") or [],
        "licenses": table.descriptor.get("licenses") or package.descriptor.get("licenses") or [],
        "citation": package.citation,
        **_left_out(release, table),
        "downloads": downloads,
        **({"quality": quality} if quality else {}),
        **described(data_request, table),
    }
    return document(data_request, data, {"dataset": table.name}, {"describedby": f"{data_request.path}/schema"})


def _left_out(release: Release, table: Table) -> dict[str, Any]:
    """The files of all tables that do not hold this one, and why; nothing where all do."""
    entries = release.manifest.get("left_out") or []
    found = [{"file": one["file"], "reason": one["reason"]} for one in entries if one["dataset"] == table.name]
    return {"left_out": found} if found else {}


@blueprint.get("/v1/datasets/<name>/schema")
def schema(name: str) -> Response:
    """A dataset's Table Schema, as it is: without the envelope, so that Table Schema tools can read it."""
    data_request = of_dataset(name, "schema")
    acceptable({"json": JSON_TYPE})
    return respond(data_request, lambda: Body((compact(data_request.table.schema) + "\n").encode()))
