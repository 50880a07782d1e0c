"""Files byte for byte: those of the releases, and the signed metadata for any TUF client (docs/MIRRORS.md)."""

import hashlib
import os
import re
from pathlib import Path

from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound

from api.http.request import refuse_parameters, store
from api.http.responses import IMMUTABLE, JSON_TYPE, release_file
from api.model.files import RELEASE_INDEX, RELEASES
from api.store.releases import Gone, NotReady
from api.store.signatures import FOLDER

blueprint = Blueprint("files", __name__)
tuf = Blueprint("tuf", __name__)
# Names that never stand for other bytes, and those that do; nothing else below tuf/ is given out.
_FIXED = re.compile(r"[0-9]+\.(root|targets|snapshot)\.json|targets/([^\0]+/)?[0-9a-f]{64}\.(releases|manifest)\.json")
_MOVING = ("timestamp.json", "root.json")


@blueprint.get("/releases/<version>/<path:path>")
def file(version: str, path: str) -> Response:
    """One file of a release; only what its manifest names (and the manifest itself) is given out."""
    refuse_parameters()
    return release_file(store().version(version), path, immutable=True)


@tuf.get("/tuf/<path:name>")
def metadata(name: str) -> Response:
    """One file of the metadata; a client asks for timestamp.json first."""
    refuse_parameters()
    fixed = _FIXED.fullmatch(name) is not None
    if not fixed and name not in _MOVING or ".." in name.split("/"):
        raise NotFound
    if name.startswith(f"targets/{RELEASES}/"):
        entry = store().withdrawn().get(name.split("/")[2])
        if entry and entry.removed:
            raise Gone(entry)
    return _small(store().root / "tuf" / name, fixed)


@tuf.get("/releases.json")
def releases() -> Response:
    """The list of releases that the signature covers, with those that were withdrawn."""
    refuse_parameters()
    return _small(store().root / RELEASE_INDEX, fixed=False)


def _small(path: Path, fixed: bool) -> Response:
    """A small JSON file, read whole: it may be replaced at any moment."""
    try:
        body = path.read_bytes()
    except FileNotFoundError as error:
        here = store()
        here.refuse_empty()
        if not os.path.isdir(here.root / RELEASES):  # it is going away
            raise NotReady("the store cannot be read now") from error
        # Clients ask for the next root to learn that there is none; a store that was never signed has none of them.
        lost = [name for name in (FOLDER, RELEASE_INDEX) if not os.path.lexists(here.root / name)]
        if FOLDER not in lost if fixed else lost[1:]:
            raise NotFound from error
        raise NotReady(f"{path.name} is missing on this server") from error
    response = Response(body, content_type=JSON_TYPE)
    response.set_etag(hashlib.sha256(body).hexdigest())
    response.headers["Cache-Control"] = IMMUTABLE if fixed else "no-cache"
    response.make_conditional(request)
    response.headers.pop("Date", None)  # the server writes it
    return response
