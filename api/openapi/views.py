"""The OpenAPI document and the page that shows it.

Both are made by a small application of their own (flasgger's), at the first request for them and again when the latest
release changes: until then a worker imports neither flasgger nor apispec.
"""

import hashlib
import json
import mimetypes
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from flask import Blueprint, Flask, Response, current_app
from werkzeug.exceptions import NotFound

from api.http.request import PLAIN, DataRequest, acceptable, address, base, refuse_parameters, store
from api.http.responses import JSON_TYPE, Body, respond
from api.query.parse import Query
from api.store.releases import Release

blueprint = Blueprint("documentation", __name__)
YAML_TYPE = "application/yaml"
HTML_TYPE = "text/html; charset=utf-8"
_lock = threading.Lock()


@dataclass(frozen=True, eq=False)
class Documentation:
    """The documentation of one release: the bytes of its responses."""

    release: Release
    base: str
    json: bytes
    page: bytes
    parts: Mapping[str, bytes]


@blueprint.get("/openapi.json")
def as_json() -> Response:
    """The OpenAPI document as JSON."""
    refuse_parameters()
    acceptable({"json": JSON_TYPE})
    made = documentation()
    return _finish(made, made.json, JSON_TYPE, "openapi.json")


@blueprint.get("/openapi.yaml")
def as_yaml() -> Response:
    """The OpenAPI document as YAML."""
    from api.openapi import document

    refuse_parameters()
    acceptable({"yaml": YAML_TYPE})
    made = documentation()
    return _finish(made, document.written(json.loads(made.json)).encode(), YAML_TYPE, "openapi.yaml")


@blueprint.get("/docs/")
def page() -> Response:
    """The documentation as a page to read and try out; parameters of the address are ignored."""
    made = documentation()
    return _finish(made, made.page, HTML_TYPE, "docs", "")


@blueprint.get("/docs/<path:name>")
def part(name: str) -> Response:
    """A script or style of the page."""
    made = documentation()
    if name not in made.parts:
        raise NotFound
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return _finish(made, made.parts[name], media_type, "docs", *name.split("/"))


def documentation() -> Documentation:
    """The documentation of the latest release; made once, while other threads wait."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # a proxy: threads need the app itself
    release, start = store().latest(), base()
    with _lock:
        made: Documentation | None = app.extensions.get("documentation")
        if made is None or (made.release.build, made.base) != (release.build, start):
            made = app.extensions["documentation"] = _make(app, release, start)
    return made


def _make(app: Flask, release: Release, base: str) -> Documentation:
    from api.openapi import document, interface

    served = interface.app(document.document(app, release.package), release.package.title, base)
    parts = {f"static/{name}": _body(served, f"/docs/static/{name}") for name in interface.FILES}
    return Documentation(release, base, _body(served, "/openapi.json"), _body(served, "/docs/"), parts)


def _body(served: Flask, path: str) -> bytes:
    with served.test_client().get(path) as response:
        return bytes(response.data)


def _finish(made: Documentation, body: bytes, media_type: str, *path: str) -> Response:
    """The entity tag names the bytes: they depend on the program as much as on the release."""
    data_request = DataRequest(made.release, PLAIN, Query(), address(*path))
    return respond(data_request, lambda: Body(body), media_type, mark=hashlib.sha256(body).hexdigest())
