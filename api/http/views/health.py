"""Whether the server is alive, and whether it is ready."""

from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, jsonify, make_response

from api import mirror
from api.http.errors import ProblemError
from api.http.request import refuse_parameters, store
from api.index import making, sqlite
from api.store.releases import NotInStore, NotReady, Release, has_index

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def alive() -> Response:
    """The server is alive; the release it serves and, on a mirror, its origin ("degraded" when the copy is stale)."""
    refuse_parameters()
    try:
        version = store().latest().version
    except (NotInStore, NotReady):
        version = None
    copied = mirror.status(store().root)
    if copied is None:
        return _uncached({"status": "ok", "version": version})
    status = "degraded" if copied.stale else "ok"
    return _uncached({"status": status, "version": version, "mirror": {**asdict(copied), "stale": copied.stale}})


@blueprint.get("/readyz")
def ready() -> Response:
    """The server is ready: the data of a release can be read; what cannot is in the warnings. 503 otherwise."""
    refuse_parameters()
    here = store().releases()
    warnings = [{"version": version, "reason": reason} for version, reason in store().problems.items()]
    served = ""
    for release in here:
        reason = _reason(release, deep=not served)
        if reason:
            warnings.append({"version": release.version, "reason": reason})
        elif not served and release.withdrawn is None:
            served = release.version
    if not served:
        detail = "no release can be served yet" if here or warnings else "the store holds no release"
        raise ProblemError("not-ready", detail, warnings=warnings)
    return _uncached({"status": "ready", "version": served, "warnings": warnings})


def _reason(release: Release, deep: bool) -> str:
    """Why the data of a release cannot be read, "" where they can; the bytes of its index are compared if `deep`."""
    try:
        if deep:
            sqlite.check(release.index)
    except sqlite.NoIndex as error:
        return making.reason(release) if not has_index(release) else str(error)
    return "" if has_index(release) else making.reason(release)


def _uncached(data: dict[str, Any]) -> Response:
    response = make_response(jsonify(data))
    response.headers["Cache-Control"] = "no-store"
    return response
