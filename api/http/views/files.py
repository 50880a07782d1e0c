"""The release's own files, byte for byte."""

import base64
from collections.abc import Mapping

from flask import Blueprint, Response, request, send_file
from werkzeug.exceptions import NotFound

from api.http import request as ask
from api.http.answer import APART, IMMUTABLE, MUTABLE, Answer, http_date
from api.http.responses import LEFT
from api.model.files import MANIFEST, SUMS
from api.store.manifest import media_type as media_type_of
from api.store.releases import Release

blueprint = Blueprint("files", __name__)
IN_MEMORY = 1 << 20  # larger files are sent by the system, smaller ones are kept and compressed
MANIFESTS = (MANIFEST, SUMS)


@blueprint.get("/releases/<version>/<path:path>")
def file(version: str, path: str) -> Response:
    """One file of a release; only what its manifest names (and the manifest itself) is given out."""
    ask.plain(ask.no_parameters)
    return send(ask.store().version(ask.segment(version)), ask.segment(path))


def send(
    release: Release, path: str, immutable: bool = True, links: Mapping[str, str | None] | None = None
) -> Response:
    """A file of a release, as the manifest describes it; Range and If-None-Match are answered."""
    entry = release.files.get(path)
    if entry is None and path not in MANIFESTS:
        raise NotFound
    target = (release.folder / path).absolute()
    if not target.is_file():
        raise NotFound
    media_type = entry["media_type"] if entry else media_type_of(path)
    mark = entry["sha256"] if entry else release.build
    if request.headers.get("If-Range", "").startswith("W/"):  # the tag of other bytes (RFC 9110, 13.1.5)
        request.environ.pop("HTTP_RANGE", None)
    if "Range" not in request.headers and APART not in request.environ:
        size = target.stat().st_size
        small = size <= IN_MEMORY
        answer = Answer(
            body=target.read_bytes() if small else b"",
            media_type=media_type,
            etag=mark,
            version=release.version,
            modified=release.published_at,
            immutable=immutable,
            links=_links(release, links or {}),
            digest=small or entry is not None,
            file=None if small else target,
            length=size,
        )
        ask.leave(answer)
        return LEFT
    response = send_file(target, mimetype=media_type, etag=mark, conditional=True)
    response.headers["Content-Type"] = media_type
    response.headers["Last-Modified"] = http_date(release.published_at)
    response.headers["Cache-Control"] = IMMUTABLE if immutable else MUTABLE
    response.headers["Vary"] = "Accept, Accept-Encoding"
    response.headers["X-Data-Version"] = release.version
    response.headers["Accept-Ranges"] = "bytes"
    if every := _links(release, links or {}):
        response.headers["Link"] = ", ".join(every)
    if entry:
        raw = base64.b64encode(bytes.fromhex(entry["sha256"])).decode()
        response.headers["Repr-Digest"] = f"sha-256=:{raw}:"
    return response


def _links(release: Release, links: Mapping[str, str | None]) -> tuple[str, ...]:
    every = {**links, "license": release.package.license_path}
    return tuple(f'<{target}>; rel="{name}"' for name, target in every.items() if target)
