"""The release's own files, byte for byte."""

from flask import Blueprint, Response

from api.http.request import refuse_parameters, store
from api.http.responses import release_file

blueprint = Blueprint("files", __name__)


@blueprint.get("/releases/<version>/<path:path>")
def file(version: str, path: str) -> Response:
    """One file of a release; only what its manifest names (and the manifest itself) is given out."""
    refuse_parameters()
    return release_file(store().version(version), path, immutable=True)
