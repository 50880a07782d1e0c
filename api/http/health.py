"""Whether the server lives, and whether it can answer."""

from flask import Blueprint, Response, jsonify, make_response

from api import engine
from api.http import ask
from api.http.problems import ProblemError
from api.store import NotInStore

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def alive() -> Response:
    """The server lives; which release it serves."""
    ask.plain(ask.no_parameters)
    try:
        version = ask.store().latest().version
    except NotInStore:
        version = None
    return _uncached({"status": "ok", "version": version})


@blueprint.get("/readyz")
def ready() -> Response:
    """The server can answer: there is a release and its data can be read. 503 otherwise."""
    ask.plain(ask.no_parameters)
    try:
        release = ask.store().latest()
        engine.layouts(release.folder)
    except NotInStore as error:
        raise ProblemError("not-ready", str(error)) from error
    return _uncached({"status": "ready", "version": release.version})


def _uncached(data: dict[str, str | None]) -> Response:
    response = make_response(jsonify(data))
    response.headers["Cache-Control"] = "no-store"
    return response
