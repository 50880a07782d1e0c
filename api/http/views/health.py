"""Whether the server is alive, and whether it is ready."""

import logging
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, make_response

from api.http import condition
from api.http.errors import ProblemError
from api.http.request import refuse_parameters, store

blueprint = Blueprint("health", __name__)
log = logging.getLogger("lantern")


@blueprint.get("/healthz")
def alive() -> Response:
    """The server is alive; what it serves, until when its signatures are valid and, on a mirror, when it was synced.

    "degraded" when something needs a person: `warnings` says what.
    """
    refuse_parameters()
    here, now = store(), datetime.now(UTC)
    found = _warnings()
    version = condition.latest(here, found)
    degraded = version is None or not all(one.passing for one in found)
    body = {
        "status": "degraded" if degraded else "ok",
        "version": version,
        "signatures": condition.signed(here, now),
        "warnings": [one.told for one in found],
    }
    copied = condition.copied(here, now)
    return _uncached(body if copied is None else {**body, "mirror": copied})


@blueprint.get("/readyz")
def ready() -> Response:
    """The server is ready: the data of a release can be read; what is wrong is in the warnings. 503 otherwise."""
    refuse_parameters()
    here = store()
    found = _warnings()
    told = [one.told for one in found]
    served = condition.latest(here, found)
    if served is None:
        raise ProblemError("not-ready", "no release can be served now", warnings=told)
    return _uncached({"status": "ready", "version": served, "warnings": told})


def _warnings() -> list[condition.Warned]:
    """What is wrong; what nothing else logs is logged once."""
    found = condition.warnings(store(), current_app.config, datetime.now(UTC))
    for one in found:
        if one.served:
            _log(one.version, store().root, one.reason)
    return found


@lru_cache(maxsize=1_000)
def _log(about: str, root: Path, reason: str) -> None:
    log.warning("%s in %s: %s", about, root, reason)


def _uncached(data: dict[str, Any]) -> Response:
    response = make_response(jsonify(data))
    response.headers["Cache-Control"] = "no-store"
    return response
