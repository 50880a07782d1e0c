"""Errors as problem documents (RFC 9457), each type with a page that explains it."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, Response, current_app, make_response, render_template, request
from werkzeug.exceptions import HTTPException, NotFound

from api.index import making
from api.index.bounds import Busy, TooSlow
from api.index.sqlite import NoIndex
from api.model.errors import LanternError
from api.query.parse import QueryError
from api.store.releases import NotReady, Store

MEDIA_TYPE = "application/problem+json"
log = logging.getLogger("lantern")
blueprint = Blueprint("problems", __name__)

# By type: status, title, and what it means and what to do.
TYPES: Mapping[str, Mapping[str, Any]] = json.loads(Path(__file__).with_name("problems.json").read_bytes())


# Errors of Flask and Werkzeug that have a type here; the type of any other is about:blank (RFC 9457, 4.2.1).
HTTP_TYPES = {
    **{400: "invalid-parameter", 404: "not-found", 405: "method-not-allowed", 406: "not-acceptable"},
    **{416: "invalid-parameter", 429: "rate-limited"},
}


RETRY_AFTER = {"too-slow": "60", "busy": "2", "not-ready": "5"}  # seconds


class ProblemError(LanternError):
    """A problem that a view meets, by type."""

    def __init__(self, kind: str, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.more = more


class Application(Flask):
    """Flask, which names the request where it logs an exception: once, with its traceback."""

    def log_exception(self, exc_info: Any) -> None:
        about = request.path, request.method, request.environ.get("lantern.request_id", "")
        self.logger.error("Exception on %s [%s], request %s", *about, exc_info=exc_info)


def problem(kind: str, detail: str, code: int | None = None, **more: Any) -> Response:
    """A problem document as a response; `code` is a status other than the usual one of the type.

    For a `kind` of "" the type is about:blank, and the title is in `more`.
    """
    of_type = TYPES.get(kind, {"status": 500, "title": ""})
    request.environ["lantern.problem"] = kind or "about:blank"
    status = code or of_type["status"]
    document = {
        "type": f"{_base()}/problems/{kind}" if kind else "about:blank",
        "title": of_type["title"],
        "status": status,
        "detail": detail,
        "instance": request.path,
        **more,
        "request_id": request.environ.get("lantern.request_id", ""),
    }
    body = json.dumps(document, ensure_ascii=False) + "\n"
    response = Response(body, status, content_type=MEDIA_TYPE)
    response.headers["Cache-Control"] = "no-store" if status >= 500 or status == 429 else "public, max-age=60"
    if kind in RETRY_AFTER:
        response.headers["Retry-After"] = RETRY_AFTER[kind]
    # A cache must not give a 406 to a client that sent another Accept.
    response.headers["Vary"] = "Accept, Accept-Encoding"
    return response


def _base() -> str:
    return str(request.environ.get("lantern.base", current_app.config["BASE_URL"]))  # as api.http.request.base


def init_app(app: Flask) -> None:
    """Answer every error with a problem document."""
    app.register_blueprint(blueprint)
    app.register_error_handler(ProblemError, lambda e: problem(e.kind, e.detail, **e.more))
    app.register_error_handler(QueryError, lambda e: problem(e.kind, e.detail, errors=e.errors))
    app.register_error_handler(NotReady, lambda e: problem("not-ready", str(e)))
    app.register_error_handler(NoIndex, _no_index)
    app.register_error_handler(TooSlow, lambda e: problem("too-slow", str(e)))
    app.register_error_handler(OSError, _disk)
    app.register_error_handler(Busy, lambda e: problem("busy", str(e)))
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(500, _internal)


def _no_index(error: NoIndex) -> Response:
    """The index is made again; nothing of what was read of it is sent. The answer says why it is not there."""
    store: Store = current_app.extensions["store"]
    releases = [release for release in store.releases() if release.index == error.index]
    store.missing(releases)
    why = "; ".join([str(error), *(making.reason(release) for release in releases)])
    return problem("not-ready", f"{why}.")


def _disk(error: OSError) -> Response:
    """What the system refuses, such as a file without rights or a full disk: until somebody mends it."""
    log.error("request %s failed: %s", request.environ.get("lantern.request_id", ""), error)
    return problem("not-ready", f"The server's disk refused: {error.strerror or 'it cannot be read'}.")


def _http(error: HTTPException) -> Response:
    """Flask's and Werkzeug's own errors, with their headers (Allow, Location)."""
    original = error.get_response()
    if error.code is not None and error.code < 400:
        return make_response(original)
    code = error.code or 500
    details = {
        405: f"{request.method} is not supported here.",
        416: "The Range header requests bytes beyond the end of the file.",
    }
    title = {} if code in HTTP_TYPES else {"title": error.name}
    response = problem(HTTP_TYPES.get(code, ""), details.get(code) or error.description or "", code, **title)
    for name, value in original.headers:
        if name.lower() not in ("content-type", "content-length"):
            response.headers[name] = value
    return response


def _internal(_: Exception) -> Response:
    return problem("internal", "The response could not be made.")


@blueprint.get("/problems/<kind>")
def explain(kind: str) -> Response:
    """What a problem type means."""
    if kind not in TYPES:
        raise NotFound
    return make_response(render_template("problem.html", kind=kind, **TYPES[kind], docs=f"{_base()}/docs/"))
