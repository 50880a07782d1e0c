"""The releases: all of them, one with its files, and where the latest is."""

import hashlib
from collections.abc import Container
from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, redirect, render_template

from api.http.errors import ProblemError
from api.http.request import (
    HTML_TYPE,
    acceptable,
    address,
    file_address,
    refuse_parameters,
    store,
    without_parameters,
)
from api.http.responses import JSON_TYPE, Body, compact, document, envelope, has_file, respond
from api.model.files import MANIFEST
from api.query.parse import encode
from api.store.release_index import Entry
from api.store.releases import Release, order

blueprint = Blueprint("releases", __name__)
LATEST = "latest"  # no release has this name (api.model.filenames)


@blueprint.get("/v1/releases")
def releases() -> Response:
    """All releases, newest first, also those that were withdrawn."""
    refuse_parameters()
    data = every_release()
    acceptable({"json": JSON_TYPE})
    data_request = without_parameters(current(), "v1", "releases")
    meta = {"count": len(data), "total": len(data)}
    usable = any(entry["withdrawn"] is None for entry in data)
    links = {"latest": address("v1", "releases", LATEST) if usable else None, "permalink": data_request.path}
    body = envelope(data_request, compact(data), meta, links)
    # The response is about all releases, not about the latest alone.
    return respond(data_request, lambda: Body(body), mark=hashlib.sha256(body).hexdigest())


def every_release() -> list[dict[str, Any]]:
    """What is known of each release, newest first; also of those that were withdrawn and of which nothing is left."""
    here = store().releases()
    known = {release.version for release in here}
    data = [_release(release, known) for release in here]
    data += [_gone(entry) for version, entry in store().withdrawn().items() if version not in known]
    return sorted(data, key=lambda entry: order(entry["version"]), reverse=True)


def current() -> Release:
    """The latest release; where every release was withdrawn, the newest of them. Raises NotReady for none."""
    here = store().releases()
    usable = any(release.withdrawn is None for release in here)
    return store().latest() if usable or not here else here[0]


@blueprint.get("/v1/releases/latest")
def latest() -> Response:
    """Where the latest release is."""
    refuse_parameters()
    return _for_now(address("v1", "releases", store().latest().version))


@blueprint.get("/v1/releases/<version>")
def release(version: str) -> Response:
    """One release: its files with bytes and SHA-256."""
    refuse_parameters()
    return _document(store().version(version))


def _document(release: Release) -> Response:
    data_request = without_parameters(release, "v1", "releases", release.version)
    files = [{**entry, "href": file_address(release.version, entry["path"])} for entry in release.manifest["files"]]
    data = _release(release, {other.version for other in store().releases()})
    links = {"permalink": data_request.path, "latest-version": address("v1", "releases", LATEST)}
    return document(data_request, {**data, "files": files}, {}, links)


def _release(release: Release, known: Container[str]) -> dict[str, Any]:
    manifest, since = release.manifest, None
    previous: Any = manifest.get("previous")
    if previous in known:
        since = f"{address('v1', 'changes')}?since={encode(previous)}&until={encode(release.version)}"
    return {
        "version": release.version,
        "published_at": release.published_at,
        "previous": previous,
        "withdrawn": release.withdrawn,
        "withdrawn_at": release.withdrawn_at,
        "removed": False,
        "change_kinds": manifest.get("change_kinds", []),
        "changes": manifest.get("changes", {}),
        "notes": manifest.get("notes", ""),
        "rows": {table.name: table.descriptor["rows"] for table in release.package.tables},
        "bytes": sum(entry["bytes"] for entry in manifest["files"]),
        "links": {
            "self": address("v1", "releases", release.version),
            "files": address("releases", release.version, ""),
            "manifest": file_address(release.version, MANIFEST),
            "changes": since,
        },
    }


def _gone(entry: Entry) -> dict[str, Any]:
    """A withdrawn release of which nothing is left here."""
    known = {name: value for name, value in asdict(entry).items() if name != "manifest"}
    empty: dict[str, Any] = {
        "previous": None,
        "change_kinds": [],
        "changes": {},
        "notes": "",
        "rows": {},
        "bytes": 0,
        "links": {},
    }
    return {**known, **empty}


# Files


@blueprint.get("/releases/<version>/")
def files(version: str) -> Response:
    """The files of a release: the document of the release, or a page that links to each file, by Accept."""
    refuse_parameters()
    release = store().version(version)
    if acceptable({"json": JSON_TYPE, "html": HTML_TYPE}) == "json":
        return _document(release)
    data_request = without_parameters(release, "releases", release.version, "")
    return respond(data_request, lambda: Body(_page(release)), HTML_TYPE)


def _page(release: Release) -> bytes:
    hrefs = {entry["path"]: file_address(release.version, entry["path"]) for entry in release.manifest["files"]}
    document = address("v1", "releases", release.version)
    return render_template("files.html", release=release, hrefs=hrefs, document=document).encode()


@blueprint.get("/releases/<version>")
def files_without_slash(version: str) -> Response:
    """Where the files of a release are listed."""
    refuse_parameters()
    return _for_now(address("releases", store().version(version).version, ""))


@blueprint.get("/releases/latest/")
def latest_files() -> Response:
    """Where the files of the latest release are listed."""
    refuse_parameters()
    return _for_now(address("releases", store().latest().version, ""))


@blueprint.get("/releases/latest/<path:path>")
def latest_file(path: str) -> Response:
    """Where the file is in the latest release; 404 for one that this release lacks."""
    refuse_parameters()
    release = store().latest()
    if not has_file(release, path):
        listed = address("releases", release.version, "")
        raise ProblemError("not-found", f"Release {release.version} has no file {path!r}. Its files: {listed}")
    return _for_now(file_address(release.version, path))


def _for_now(target: str) -> Response:
    """A redirect to what may be elsewhere after the next release."""
    response = redirect(target, 302)
    response.headers["Cache-Control"] = "public, max-age=300"
    return response  # type: ignore[return-value]  # Werkzeug's response is what Flask serves
