"""The OpenAPI document and the page that shows it.

Both are made by a small application of their own (flasgger's), at the first request for them and again when the latest
release changes: until then a worker imports neither flasgger nor apispec.
"""

import hashlib
import json
import mimetypes
import threading
from collections.abc import Mapping
from typing import NamedTuple

from flask import Blueprint, Flask, Response, current_app
from werkzeug.exceptions import NotFound

from api.http.request import HTML_TYPE, acceptable, base, refuse_parameters, store, without_parameters
from api.http.responses import JSON_TYPE, UNFRAMED, Body, policy, respond
from api.store.releases import Release

blueprint = Blueprint("documentation", __name__)
YAML_TYPE = "application/yaml"
HOSTS = 8  # for so many it is kept, where proxies name the host
SCRIPTS = {"script-src": "'self'", "font-src": "'self' data:"}  # of Swagger UI
_lock = threading.Lock()


class Documentation(NamedTuple):
    """The documentation of one release: the bytes of its responses, by path."""

    release: Release
    bodies: Mapping[str, bytes]


@blueprint.get("/openapi.json")
def as_json() -> Response:
    """The OpenAPI document as JSON."""
    refuse_parameters()
    acceptable({"json": JSON_TYPE})
    return _finish(documentation(), JSON_TYPE, "openapi.json")


@blueprint.get("/openapi.yaml")
def as_yaml() -> Response:
    """The OpenAPI document as YAML."""
    from api.openapi import document

    refuse_parameters()
    acceptable({"yaml": YAML_TYPE})
    made = documentation()
    body = document.written(json.loads(made.bodies["openapi.json"])).encode()
    return _finish(made._replace(bodies={"openapi.yaml": body}), YAML_TYPE, "openapi.yaml")


@blueprint.get("/docs/")
def page() -> Response:
    """The documentation as a page to read and try out; parameters of the address are ignored."""
    response = _finish(documentation(), HTML_TYPE, "docs/")
    response.headers["Content-Security-Policy"] = f"{policy(SCRIPTS)}; {UNFRAMED}"
    return response


@blueprint.get("/docs/<path:name>")
def part(name: str) -> Response:
    """A script or style of the page."""
    made = documentation()
    if f"docs/{name}" not in made.bodies:
        raise NotFound
    return _finish(made, mimetypes.guess_type(name)[0] or "application/octet-stream", f"docs/{name}")


def documentation() -> Documentation:
    """The documentation of the latest release; made once, while other threads wait."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # a proxy: threads need the app itself
    release, start = store().latest(), base()
    with _lock:
        known: dict[str, Documentation] = app.extensions.setdefault("documentation", {})
        made = known.get(start)
        if made is None or made.release.build != release.build:
            if len(known) == HOSTS:
                known.clear()
            made = known[start] = _make(app, release, start)
    return made


def _make(app: Flask, release: Release, base: str) -> Documentation:
    from api.openapi import document, interface

    described, title = document.document(app, release.package, base), release.package.title
    client = interface.app(described, title, policy(SCRIPTS)).test_client()
    paths = ("openapi.json", "docs/", *(f"docs/static/{name}" for name in interface.FILES))
    bodies = {}
    for path in paths:
        with client.get(f"/{path}") as response:
            bodies[path] = response.data
    return Documentation(release, bodies)


def _finish(made: Documentation, media_type: str, path: str) -> Response:
    """The response at a path; its entity tag names the bytes: they depend on the program as much as on the release."""
    body = made.bodies[path]
    data_request = without_parameters(made.release, *path.split("/"))
    return respond(data_request, lambda: Body(body), media_type, mark=hashlib.sha256(body).hexdigest())
