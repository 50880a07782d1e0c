"""Whether the server is alive, and whether it is ready."""

from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, jsonify, make_response

from api import mirror
from api.http.errors import ProblemError
from api.http.request import refuse_parameters, store
from api.index import sqlite
from api.store.releases import NotInStore

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def alive() -> Response:
    """The server is alive; the release it serves and, on a mirror, its origin ("degraded" when the copy is stale)."""
    refuse_parameters()
    try:
        version = store().latest().version
    except NotInStore:
        version = None
    copied = mirror.status(store().root)
    if copied is None:
        return _uncached({"status": "ok", "version": version})
    status = "degraded" if copied.stale else "ok"
    return _uncached({"status": status, "version": version, "mirror": {**asdict(copied), "stale": copied.stale}})


@blueprint.get("/readyz")
def ready() -> Response:
    """The server is ready: there is a release and its data can be read. 503 otherwise."""
    refuse_parameters()
    try:
        release = store().latest()
        sqlite.layouts(release.index)
    except NotInStore as error:
        raise ProblemError("not-ready", str(error)) from error
    return _uncached({"status": "ready", "version": release.version})


def _uncached(data: dict[str, Any]) -> Response:
    response = make_response(jsonify(data))
    response.headers["Cache-Control"] = "no-store"
    return response
