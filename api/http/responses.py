"""Responses: the envelope and the headers that all of them share, conditional requests and compression, laid out once.

A response is a function of the release and the query, so its entity tag follows from these: a client that names it
gets its 304 before anything is looked up.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from flask import Flask, Response, make_response, redirect, request, send_file
from werkzeug.datastructures import Headers
from werkzeug.exceptions import NotFound, RequestedRangeNotSatisfiable
from werkzeug.http import http_date, parse_range_header
from werkzeug.wsgi import wrap_file

from api import mirror
from api.http.compression import COMPRESSED_FROM, compressed, is_file, pieces_of, size_of, spooled
from api.http.negotiation import best_encoding
from api.http.request import (
    DataRequest,
    acceptable,
    base,
    header_text,
    latest_version,
    link_header,
    permalink,
    pinned,
    store,
    with_query,
)
from api.index import bounds
from api.model import published
from api.model.files import DRAFT, MANIFEST, SUMS
from api.query import parse
from api.store.manifest import File, holds
from api.store.releases import NotReady, Release, Store

JSON_TYPE = "application/json"
compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode  # a value as JSON, without spaces
CODE = "4"  # part of every entity tag: raised when the same query of the same release gives other bytes
OWN_TYPES = {MANIFEST: JSON_TYPE, SUMS: "text/plain; charset=utf-8"}  # of the files that no manifest names
IN_MEMORY = 1 << 20  # bytes; larger bodies are sent from a file, piece by piece
MUTABLE = "public, max-age=300, stale-while-revalidate=86400"
IMMUTABLE = "public, max-age=31536000, immutable"
WITHDRAWN = "public, max-age=60"  # of a release that may be removed next
VARY = "Accept, Accept-Encoding"
# Of the files of a package, which strangers may have written: no scripts, no origin, nothing from elsewhere.
SANDBOX = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:"
UNFRAMED = "frame-ancestors 'none'"
# The headers that this module writes, which are the same for every reader.
SHARED_HEADERS = {
    *("Content-Type", "Content-Length", "Content-Encoding", "Content-Disposition", "ETag", "Last-Modified"),
    *("Cache-Control", "Vary", "X-Data-Version", "Link", "Repr-Digest", "Accept-Ranges"),
    *("Content-Security-Policy", "Deprecation"),
}


def policy(more: Mapping[str, str] = {}) -> str:
    """The Content-Security-Policy of our own pages, with more directives; a page cannot say itself who may frame it."""
    here = " ".join(("'self'", urlsplit(base()).netloc)).strip()
    every = {
        **{"default-src": "'none'", "style-src": "'self' 'unsafe-inline'", "img-src": f"{here} data:"},
        **{"connect-src": here, "form-action": here, "base-uri": "'none'", **more},
    }
    return "; ".join(f"{name} {value}" for name, value in every.items())


def init_app(app: Flask) -> None:
    """Give every page a policy, without scripts unless it has another, and no other site may frame it. Have redirects
    to the path with a slash name the public address: werkzeug names this host, behind any proxy.
    """
    app.after_request(_without_host)
    app.after_request(_guarded)
    app.context_processor(lambda: {"policy": policy()})


def _guarded(response: Response) -> Response:
    if response.mimetype == "text/html" and response.status_code // 100 != 3:  # a 304 and a redirect are no pages
        response.headers.setdefault("Content-Security-Policy", f"{policy()}; {UNFRAMED}")
    return response


def _without_host(response: Response) -> Response:
    to = urlsplit(response.headers.get("Location", "")) if response.status_code == 308 else None
    if to and to.path == f"{request.script_root}{request.path}/":
        own = to.path.removeprefix(request.script_root)
        return make_response(redirect(base() + own + (f"?{to.query}" if to.query else ""), 308))
    return response


class Body(NamedTuple):
    """What a response holds: bytes, pieces (of `length` bytes, where that is known) or an open file; and its links."""

    content: bytes | Iterable[bytes]
    links: Mapping[str, str | None] = {}
    length: int | None = None


class NotModified(Response):
    """A 304. Werkzeug drops Last-Modified with the headers of the body; clients that keep a response may want it."""

    def get_wsgi_headers(self, environ: Any) -> Headers:
        headers = super().get_wsgi_headers(environ)
        if made := self.headers.get("Last-Modified"):
            headers["Last-Modified"] = made
        return headers


# The one way to answer


def respond(
    data_request: DataRequest,
    make: Callable[[], Body],
    media_type: str = JSON_TYPE,
    disposition: str = "",
    mark: str = "",
    lasting: bool = True,
) -> Response:
    """The response to a request for data; `make` is called only where the client does not have it already.

    `disposition` is that of a file: of one a range may be asked for, as of a file of a release, because some clients
    (polars) read files by ranges alone. `mark` names what the response depends on besides the release and the query.
    `lasting`: what names a version is the same for ever.
    """
    release, table, query, path = data_request
    environ, written, copied = request.environ, parse.written(query.canonical), copied_from()
    synced = copied.synced_at if copied else ""  # which responses tell
    parts = (CODE, release.build, base(), synced, path, media_type, written, mark)
    tag = hashlib.blake2b("\0".join(parts).encode(), digest_size=12).hexdigest()
    ranged = _ranged() and disposition != ""
    encoding = "" if ranged else best_encoding(environ.get("HTTP_ACCEPT_ENCODING", ""))
    immutable = lasting and any(name == "version" for name, _ in query.canonical)
    if "HTTP_IF_NONE_MATCH" in environ and (known := _known(tag, encoding)):
        return NotModified(status=304, headers=[*_headers(release, immutable), ("ETag", known)])
    content, links, length = make()
    origin = original(f"{path}?{written}" if written else path)
    latest = {"latest-version": latest_version(path, query.canonical)}
    every = {**latest, **pinned(data_request, links), "canonical": origin}
    headers = [*_headers(release, immutable), ("Link", link_header(release, every, table.name))]
    headers.append(("Content-Type", header_text(media_type)))
    if disposition:
        headers += [("Content-Disposition", disposition), ("Accept-Ranges", "bytes")]
    response = _sent(content, length, tag, encoding, headers)
    if ranged and response.status_code == 200:
        size = int(response.headers["Content-Length"])
        answered = dict.fromkeys(("HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE"), "")  # above, or never
        try:
            response.make_conditional({**environ, **answered}, accept_ranges=True, complete_length=size)
        except RequestedRangeNotSatisfiable:
            response.close()
            raise
        response.headers.pop("Date", None)  # the server writes it
    return response


def _ranged() -> bool:
    """Whether the request asks for one range of bytes; any other Range is passed over (RFC 9110, 14.2), and dropped."""
    asked = parse_range_header(request.headers.get("Range"))
    one = asked is not None and asked.units == "bytes" and len(asked.ranges) == 1
    # Ranges are GET's alone (14.2), and a weak tag names other bytes (13.1.5).
    if one and request.method != "HEAD" and not request.headers.get("If-Range", "").startswith("W/"):
        return True
    request.environ.pop("HTTP_RANGE", None)
    return False


def has_file(release: Release, path: str) -> bool:
    """Whether a release has a file that is given out: what its manifest names, and itself."""
    return path in release.files or (path in OWN_TYPES and (release.folder / path).is_file())


def release_file(
    release: Release, path: str, immutable: bool, links: Mapping[str, str | None] = {}, media_type: str = ""
) -> Response:
    """A file of a release, byte for byte; only what its manifest names, and that itself, is given out.

    `media_type` is another than the manifest's. Raises NotFound for anything else.
    """
    entry, target = release.files.get(path), (release.folder / path).absolute()
    if entry is None and not has_file(release, path):
        raise _damaged(release, path) if path == MANIFEST else NotFound
    if entry and not holds(target, File(path, entry["bytes"], entry["sha256"]), deep=False):
        raise _damaged(release, path)
    tag = entry["sha256"] if entry else release.build
    media_type = media_type or (entry["media_type"] if entry else OWN_TYPES[path])
    headers = [*_headers(release, immutable), ("Content-Security-Policy", SANDBOX)]
    if link := link_header(release, links, _tables(release).get(path, "")):
        headers.append(("Link", link))
    small = not _ranged() and target.stat().st_size <= IN_MEMORY
    encoding = best_encoding(request.headers.get("Accept-Encoding", "")) if small else ""
    made = _published(release)
    # Only the very date is meant: a release that was withdrawn gives way to an older one.
    by_date = made is not None and request.headers.get("If-Modified-Since") == http_date(made)
    known = _known(tag, encoding) or (f'"{tag}"' if by_date and "If-None-Match" not in request.headers else "")
    if known:  # before any range (RFC 9110, 13.2.2)
        return NotModified(status=304, headers=[*headers, ("ETag", known)])
    headers += [("Content-Type", header_text(media_type)), ("Accept-Ranges", "bytes")]
    if small:
        content = target.read_bytes()
        if entry and hashlib.sha256(content).hexdigest() != tag:
            raise _damaged(release, path)
        return _sent(content, None, tag, encoding, headers, digest=True)
    request.environ.pop("HTTP_IF_MODIFIED_SINCE", None)  # answered above: werkzeug takes any later date for a match
    response = send_file(target, "application/octet-stream", etag=tag, last_modified=made, conditional=True)
    for name in ("Date", "Content-Disposition"):  # the server writes the one; nobody needs the other
        response.headers.pop(name, None)
    if entry:
        headers.append(("Repr-Digest", _digest(bytes.fromhex(tag))))
    response.headers.update(headers)
    return response


def _damaged(release: Release, path: str) -> NotReady:
    return NotReady(f"{path} of release {release.version} is missing or damaged on this server")


def _sent(
    content: bytes | Iterable[bytes],
    length: int | None,
    tag: str,
    encoding: str,
    headers: list[tuple[str, str]],
    digest: bool = False,
) -> Response:
    """The 200 (or the 304 to If-None-Match: *) with that content, compressed where it is large enough for it."""
    if not isinstance(content, bytes):
        if length is None:
            content = spooled(content)
            length = size_of(content)
        if length <= IN_MEMORY:
            content = b"".join(pieces_of(content))
        elif encoding:
            content = spooled(compressed(pieces_of(content), length, encoding))
            length = size_of(content)
    if isinstance(content, bytes):
        encoding = encoding if len(content) > COMPRESSED_FROM else ""
        content = b"".join(compressed([content], len(content), encoding)) if encoding else content
        length = len(content)
    named = f'"{tag}-{encoding}"' if encoding else f'"{tag}"'
    headers += [("ETag", named), ("Content-Length", str(length))]
    if encoding:
        headers.append(("Content-Encoding", encoding))
    if digest and isinstance(content, bytes):
        headers.append(("Repr-Digest", _digest(hashlib.sha256(content).digest())))
    if request.environ.get("HTTP_IF_NONE_MATCH", "").strip() == "*":
        return NotModified(status=304, headers=headers)
    if not isinstance(content, bytes) and is_file(content):
        return Response(wrap_file(request.environ, content), headers=headers, direct_passthrough=True)
    if isinstance(content, bytes):
        return Response([content], headers=headers)
    response = Response(content, headers=headers)
    response.call_on_close(bounds.kept())
    return response


@lru_cache(maxsize=128)
def _headers(release: Release, immutable: bool) -> tuple[tuple[str, str], ...]:
    """The headers that all data responses of a release have. A 304 has no Link besides: the client keeps one.

    What is withdrawn says since when (Deprecation, RFC 9745), and in its Link where it is said why.
    """
    made, since = _published(release), release.withdrawn_at
    return (
        *([("Last-Modified", http_date(made))] if made else []),
        *([("Deprecation", f"@{datetime.fromisoformat(since).timestamp():.0f}")] if since else []),
        ("Cache-Control", WITHDRAWN if release.withdrawn is not None else IMMUTABLE if immutable else MUTABLE),
        ("Vary", VARY),
        ("X-Data-Version", header_text(release.version)),
    )


@lru_cache(maxsize=64)
def _tables(release: Release) -> Mapping[str, str]:
    return published.tables(release.package)


def _published(release: Release) -> datetime | None:
    return None if release.published_at is None else datetime.fromisoformat(release.published_at)


def _known(tag: str, encoding: str) -> str:
    """Which form of an entity tag the client named in If-None-Match, with its quotes; '' for none.

    One that keeps the bytes as they are may go on to, also where it would now get them compressed.
    """
    if "HTTP_IF_NONE_MATCH" not in request.environ:
        return ""
    named = request.if_none_match
    forms = [f"{tag}-{encoding}", tag] if encoding else [tag]
    return next((f'"{form}"' for form in forms if not named.star_tag and named.contains_weak(form)), "")


def _digest(sha256: bytes) -> str:
    """A Repr-Digest (RFC 9530), of the bytes as they are sent."""
    return f"sha-256=:{base64.b64encode(sha256).decode()}:"


# The envelope


def document(data_request: DataRequest, data: Any, meta: Mapping[str, Any], links: Mapping[str, Any]) -> Response:
    """The response whose data is small and put together in Python, in the envelope."""
    acceptable({"json": JSON_TYPE})
    shown = {name: link for name, link in links.items() if name in ("describedby", "latest-version")}
    return respond(data_request, lambda: Body(envelope(data_request, compact(data), meta, links), shown))


def envelope(
    data_request: DataRequest, data: str, meta: Mapping[str, Any], links: Mapping[str, Any], more: str = ""
) -> bytes:
    """The one shape of a response: data, meta, links (and included, where there is something); or, where the query asks
    for the shape of an array, data alone.

    The permalink is in `links` where `version` is no parameter of the address.
    """
    release, canonical = data_request.release, data_request.query.canonical
    if data_request.query.more.get("shape") == "array":
        return f"{data}\n".encode()
    first, last = _about(release, meta.get("dataset", ""))
    dataset = {"dataset": meta["dataset"]} if "dataset" in meta else {}
    said = {**dataset, **first, **meta, **last}
    if copied := copied_from():
        names = ("upstream", "synced_at", "upstream_version", "stale_after")
        said["mirror"] = {name: getattr(copied, name) for name in names}
    if release.package.descriptor.get(DRAFT):
        said["draft"] = True
    where = {"self": with_query(data_request.path, canonical), **pinned(data_request, links)}
    where.setdefault("permalink", permalink(data_request.path, canonical, release))
    if latest := latest_version(data_request.path, canonical):
        where["latest-version"] = latest
    return f'{{"data":{data},\n"meta":{compact(said)},\n"links":{compact(where)}{more}}}\n'.encode()


@lru_cache(maxsize=256)
def _about(release: Release, dataset: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What every meta says of a release: first, and last; `dataset` is that of the data, "" for none."""
    withdrawn = {"withdrawn": release.withdrawn, "withdrawn_at": release.withdrawn_at}
    withdrawn = {name: said for name, said in withdrawn.items() if said is not None}
    first = {"version": release.version, "published_at": release.published_at, **withdrawn}
    license = release.package.license_of(release.package.table(dataset))
    return first, {"license": license.name, "citation": release.package.citation}


# Mirrors


def original(link: str) -> str:
    """The address of the same thing at the origin; on the origin itself, the link as it is."""
    copied = copied_from()
    return copied.upstream + link.removeprefix(base()) if copied and copied.upstream else link


def copied_from() -> mirror.MirrorStatus | None:
    """Whose copy the store is, if it is one; looked up again when the store changes."""
    here = store()
    return _copied_from(here, here.generation)


@lru_cache(maxsize=8)
def _copied_from(store: Store, generation: int) -> mirror.MirrorStatus | None:
    return mirror.status(store.root)
