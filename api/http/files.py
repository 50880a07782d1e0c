"""The release's own files, byte for byte."""

import base64

from flask import Blueprint, Response, request, send_file
from werkzeug.exceptions import NotFound

from api.answer import IMMUTABLE, http_date
from api.http import ask

blueprint = Blueprint("files", __name__)
MANIFESTS = ("manifest.json", "SHA256SUMS")


@blueprint.get("/releases/<version>/<path:path>")
def file(version: str, path: str) -> Response:
    """One file of a release; only what its manifest names (and the manifest itself) is given out."""
    ask.plain(ask.no_parameters)
    release = ask.store().version(ask.segment(version))
    entry = release.files.get(path)
    if entry is None and path not in MANIFESTS:
        raise NotFound
    target = (release.folder / path).absolute()
    if not target.is_file():
        raise NotFound
    media_type = (
        entry["media_type"] if entry else "application/json" if path.endswith(".json") else "text/plain; charset=utf-8"
    )
    digest = entry["sha256"] if entry else release.tag
    response = send_file(target, mimetype=media_type, etag=digest, conditional=True)
    response.headers["Content-Type"] = media_type
    response.headers["Last-Modified"] = http_date(release.published_at)
    response.headers["Cache-Control"] = IMMUTABLE
    response.headers["X-Data-Version"] = release.version
    response.headers["Accept-Ranges"] = "bytes"
    if entry:
        raw = base64.b64encode(bytes.fromhex(entry["sha256"])).decode()
        response.headers["Repr-Digest"] = f"sha-256=:{raw}:"
    if "Range" not in request.headers and response.status_code == 200:
        response.content_length = target.stat().st_size
    return response
