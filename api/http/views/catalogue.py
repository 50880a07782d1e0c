"""The catalogue: the service document, datasets, their schemas, and the releases."""

import hashlib
from typing import Any

from flask import Blueprint, Response, redirect

from api.http import request as ask
from api.http.responses import JSON_TYPE, address, compact, document, envelope, finish
from api.index import database
from api.model.descriptor import Table
from api.model.files import DESCRIPTOR, MANIFEST
from api.query.parameters import encode
from api.store.release_index import Entry
from api.store.releases import Release, order

blueprint = Blueprint("catalogue", __name__)
ROLES = ("conflicts", "corrections")


@blueprint.get("/v1/")
def service() -> Response:
    """The service document: where everything is."""
    asked = ask.plain()
    release = ask.chosen(asked.canonical)
    package = release.package
    data = {"name": package.name, "title": package.title, "description": package.description}
    return document(data, release, address("v1", ""), asked.canonical, {}, service_links(release))


def service_links(release: Release) -> dict[str, str]:
    """The addresses of everything that a release offers."""
    there = {role: address("v1", role) for role in ROLES if role in ask.tables(release)}
    if "corrections" in there:
        there["corrections-feed"] = address("v1", "corrections.atom")
    return {
        "datasets": address("v1", "datasets"),
        **there,
        "releases": address("v1", "releases"),
        "changes": address("v1", "changes"),
        "latest": address("v1", "releases", "latest"),
        "datapackage": address("releases", release.version, DESCRIPTOR),
        "service-desc": address("openapi.json"),
        "service-doc": address("docs", ""),
        "status": address("healthz"),
    }


@blueprint.get("/v1/datasets")
def datasets() -> Response:
    """The datasets, with title, row count and links."""
    asked = ask.plain()
    release = ask.chosen(asked.canonical)
    data = [_summary(release, table) for table in release.package.tables]
    meta = {"count": len(data), "total": len(data)}
    return document(data, release, address("v1", "datasets"), asked.canonical, meta, {})


def _summary(release: Release, table: Table) -> dict[str, Any]:
    return {
        "name": table.name,
        "title": table.title,
        "description": table.description,
        "rows": database.layouts(release.folder)[table.name].rows,
        "links": dataset_links(release, table),
    }


def dataset_links(release: Release, table: Table) -> dict[str, str]:
    """The addresses that belong to a dataset."""
    path = address("v1", "datasets", table.name)
    return {
        "self": path,
        "schema": f"{path}/schema",
        "records": f"{path}/records",
        "csv": address("releases", release.version, *table.path.split("/")),
    }


@blueprint.get("/v1/datasets/<name>")
def dataset(name: str) -> Response:
    """A dataset's description: fields, sources, licence, downloads, citation."""
    asked = ask.plain()
    release = ask.chosen(asked.canonical)
    table = ask.dataset(release, ask.segment(name))
    package = release.package
    path = address("v1", "datasets", table.name)
    downloads = [
        {key: entry[key] for key in ("path", "media_type", "bytes", "sha256")}
        | {"href": address("releases", release.version, *entry["path"].split("/"))}
        for entry in release.manifest["files"]
        if entry["path"].split("/")[-1].rpartition(".")[0] == table.path.split("/")[-1].rpartition(".")[0]
        or entry["path"].startswith("package.")
    ]
    data = {
        **_summary(release, table),
        "primary_key": list(table.primary_key),
        "fields": [field.descriptor for field in table.fields],
        "sources": table.descriptor.get("sources") or package.descriptor.get("sources") or [],
        "licenses": table.descriptor.get("licenses") or package.descriptor.get("licenses") or [],
        "citation": package.citation,
        "downloads": downloads,
    }
    return document(data, release, path, asked.canonical, {"dataset": table.name}, {"describedby": f"{path}/schema"})


@blueprint.get("/v1/datasets/<name>/schema")
def schema(name: str) -> Response:
    """A dataset's Table Schema, as it is: without the envelope, so that Table Schema tools can read it."""
    asked = ask.plain()
    release = ask.chosen(asked.canonical)
    table = ask.dataset(release, ask.segment(name))
    ask.acceptable({"json": JSON_TYPE})
    path = address("v1", "datasets", table.name)
    body = (compact(table.schema) + "\n").encode()
    return finish(body, release, f"{path}/schema", asked.canonical)


@blueprint.get("/v1/releases")
def releases() -> Response:
    """All releases, newest first, those too that were withdrawn."""
    asked = ask.plain(ask.no_parameters)
    here = ask.store().releases()
    gone = [entry for version, entry in ask.store().withdrawn().items() if version not in {r.version for r in here}]
    data = [*map(_release, here), *map(_gone, gone)]
    data.sort(key=lambda entry: order(entry["version"]), reverse=True)
    meta = {"count": len(data), "total": len(data)}
    ask.acceptable({"json": JSON_TYPE})
    path = address("v1", "releases")
    body = envelope(compact(data), _current(), meta, {"self": path, "latest": address("v1", "releases", "latest")})
    digest = hashlib.blake2b(body, digest_size=12).hexdigest()  # the answer is of all releases, not of the latest alone
    return finish(body, _current(), f"{path}#{digest}", asked.canonical, links={"canonical": path})


def _current() -> Release:
    """The latest release; where every release was withdrawn, the newest of them. Raises NotInStore for none."""
    here = ask.store().releases()
    usable = any(release.withdrawn is None for release in here)
    return ask.store().latest() if usable or not here else here[0]


@blueprint.get("/v1/releases/latest")
def latest() -> Response:
    """Where the latest release is."""
    ask.plain(ask.no_parameters)
    found = redirect(address("v1", "releases", ask.store().latest().version), 302)
    found.headers["Cache-Control"] = "public, max-age=300"
    return found  # type: ignore[return-value]  # Werkzeug's response is what Flask serves


@blueprint.get("/v1/releases/<version>")
def release(version: str) -> Response:
    """One release: its files with bytes and SHA-256."""
    asked = ask.plain(ask.no_parameters)
    found = ask.store().version(ask.segment(version))
    files = [
        {**entry, "href": address("releases", found.version, *entry["path"].split("/"))}
        for entry in found.manifest["files"]
    ]
    data = {**_release(found), "files": files}
    return document(data, found, address("v1", "releases", found.version), asked.canonical, {}, {})


def _release(release: Release) -> dict[str, Any]:
    manifest = release.manifest
    path = address("v1", "releases", release.version)
    previous = manifest.get("previous")
    since = f"{address('v1', 'changes')}?since={encode(previous)}&until={encode(release.version)}" if previous else None
    return {
        "version": release.version,
        "published_at": release.published_at,
        "previous": previous,
        "withdrawn": release.withdrawn,
        "change_kinds": manifest.get("change_kinds", []),
        "changes": manifest.get("changes", {}),
        "notes": manifest.get("notes", ""),
        "rows": {table.name: database.layouts(release.folder)[table.name].rows for table in release.package.tables},
        "bytes": sum(entry["bytes"] for entry in manifest["files"]),
        "links": {
            "self": path,
            "manifest": address("releases", release.version, MANIFEST),
            "changes": since,
        },
    }


def _gone(entry: Entry) -> dict[str, Any]:
    """A withdrawn release of which nothing is here any more."""
    return {
        "version": entry.version,
        "published_at": entry.published_at,
        "previous": None,
        "withdrawn": entry.withdrawn,
        "change_kinds": [],
        "changes": {},
        "notes": "",
        "rows": {},
        "bytes": 0,
        "links": {},
    }
