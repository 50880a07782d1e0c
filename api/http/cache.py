"""Finished answers, kept as bytes, in front of Flask.

A WSGI layer: what was asked before is answered from memory, compressed forms too; If-None-Match is answered with
304; every answer, finished or not, gets the headers that all answers have. An answer is kept under what was asked
and dropped when the store changes; a release never changes, so nothing else can make it wrong.
"""

import base64
import hashlib
import itertools
import os
import re
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import brotli
import zstandard
from werkzeug.wsgi import FileWrapper

from api.http.answer import APART, KEY, Answer, http_date
from api.http.cork import corked
from api.store.releases import Store

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

COMPRESSED_FROM = 1024
BLOCK = 1 << 16  # bytes of a file that are read at once where no system call sends it
EXPOSED = (
    "Content-Disposition, Content-Encoding, Content-Length, Content-Range, ETag, Last-Modified, Link, "
    "Repr-Digest, Retry-After, X-Data-Version, X-Request-Id"
)
COMMON = [
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Expose-Headers", EXPOSED),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "cross-origin"),
]
OF_THE_BODY = frozenset({"Content-Type", "Content-Disposition", "Content-Length", "Content-Encoding"})  # a 304 has none
PREFLIGHT = [
    ("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS"),
    ("Access-Control-Allow-Headers", "Accept, If-None-Match, If-Range, Range, X-Request-Id"),
    ("Access-Control-Max-Age", "86400"),
]
ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "zstd": lambda body: zstandard.ZstdCompressor(level=3).compress(body),
    "br": lambda body: brotli.compress(body, quality=4),
    "gzip": lambda body: _gzip(body),
}
Headers = list[tuple[str, str]]
Write = Callable[[bytes], object]
_REQUEST_ID = re.compile(r"[A-Za-z0-9._~+/=-]{1,128}").fullmatch


def _gzip(body: bytes) -> bytes:
    """Without the time that the gzip module writes into its header."""
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    return packer.compress(body) + packer.flush()


class Finished:
    """An answer with its headers laid out for each encoding asked of it so far."""

    __slots__ = ("answer", "size", "variants")

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.size = len(answer.body) + 2000
        self.variants: dict[str, tuple[str, Headers, bytes]] = {}

    def variant(self, encoding: str) -> tuple[str, Headers, bytes]:
        """Entity tag, headers of a 200, body."""
        found = self.variants.get(encoding)
        if found is None:
            found = self.variants[encoding] = self._make(encoding)
            self.size += len(found[2]) if encoding else 0
        return found

    def _make(self, encoding: str) -> tuple[str, Headers, bytes]:
        body = ENCODERS[encoding](self.answer.body) if encoding else self.answer.body
        tag = f'"{self.answer.etag}-{encoding}"' if encoding else f'"{self.answer.etag}"'
        headers = [*self.answer.headers(), ("ETag", tag), *COMMON]
        if self.answer.digest:
            raw = bytes.fromhex(self.answer.etag) if self.answer.file else hashlib.sha256(body).digest()
            headers.append(("Repr-Digest", f"sha-256=:{base64.b64encode(raw).decode()}:"))
        if self.answer.digest or self.answer.file:
            headers.append(("Accept-Ranges", "bytes"))
        headers.append(("Content-Length", str(self.answer.length if self.answer.file else len(body))))
        if encoding:
            headers.append(("Content-Encoding", encoding))
        return tag, headers, body


@lru_cache(maxsize=512)
def encoding(accepted: str) -> str:
    """The best encoding that an Accept-Encoding header allows, '' for none (RFC 9110, 12.5.3)."""
    weights: dict[str, float] = {}
    for part in accepted.lower().split(","):
        name, _, rest = part.partition(";")
        weights[name.strip()] = _weight(rest)
    best = max(ENCODERS, key=lambda name: weights.get(name, weights.get("*", 0.0)))
    weight = weights.get(best, weights.get("*", 0.0))
    return best if weight > 0 and weight >= weights.get("identity", 0.0) else ""


def _weight(rest: str) -> float:
    found = re.fullmatch(r"\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*", rest)
    return float(found[1]) if found else 1.0


def matches(header: str, tag: str) -> bool:
    """Whether If-None-Match names the tag (weak comparison)."""
    return header.strip() == "*" or any(part.strip().removeprefix("W/") == tag for part in header.split(","))


class Cache:
    """The WSGI layer. `megabytes` bounds what it keeps; 0 keeps nothing."""

    def __init__(self, app: "WSGIApplication", store: Store, megabytes: int) -> None:
        self.app = app
        self.store = store
        self.room = megabytes * 2**20
        self.kept: OrderedDict[tuple[str, str], Finished] = OrderedDict()
        self.size = 0
        self.generation = 0
        self.lock = threading.Lock()
        self.start = os.urandom(6).hex()
        self.counter = itertools.count()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        return corked(self._answer(environ, start_response), environ)

    def _answer(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        given = environ.get("HTTP_X_REQUEST_ID")
        request_id = given if given and _REQUEST_ID(given) else self._made_id()
        method = environ["REQUEST_METHOD"]
        if method != "GET" and method != "HEAD":
            return self._pass(environ, start_response, request_id)
        part = "HTTP_RANGE" in environ  # only files have parts: what is finished all the same is sent whole
        self.store.releases()
        if self.store.generation != self.generation:
            self._forget()
        key = (environ.get("RAW_URI") or _target(environ), environ.get("HTTP_ACCEPT", ""))
        found = None if part else self.kept.get(key)
        if found is None:
            generation = self.generation
            body = self._pass(environ, start_response, request_id)
            answer = environ.get(KEY)
            if answer is None:
                return body
            if answer.known:
                return _unchanged(answer, start_response, request_id)
            found = Finished(answer)
            if not part:
                self._keep(key, found, generation)
        else:
            self._touch(key)
        size = found.size
        try:
            body = _send(found, environ, start_response, request_id, method)
        except OSError:  # a file that has gone, or cannot be read: Flask says so
            environ.pop(KEY, None)
            environ[APART] = True
            return self._pass(environ, start_response, request_id)
        if found.size != size:
            self._grow(key, found, found.size - size)
        return body

    def _made_id(self) -> str:
        """An id of its own for a request; workers are forked from one process, so theirs differ by its number."""
        return f"{self.start}-{os.getpid():x}-{next(self.counter):x}"

    def _pass(self, environ: "WSGIEnvironment", start_response: "StartResponse", request_id: str) -> Iterable[bytes]:
        """Ask Flask; what it does not leave as a finished answer goes out with the common headers."""
        environ["lantern.request_id"] = request_id
        extra = [*COMMON, ("X-Request-Id", request_id)]
        if environ["REQUEST_METHOD"] == "OPTIONS":
            extra += PREFLIGHT

        def start(status: str, headers: Headers, exc_info: Any = None) -> Write:
            if KEY in environ:
                return _nothing
            given = {name.lower() for name, _ in headers}
            return start_response(status, headers + [e for e in extra if e[0].lower() not in given], exc_info)

        return self.app(environ, start)

    def _keep(self, key: tuple[str, str], found: Finished, generation: int) -> None:
        if found.size * 16 > self.room:
            return
        with self.lock:
            if generation != self.generation:
                return
            former = self.kept.pop(key, None)  # two threads may have asked at once
            self.kept[key] = found
            self.size += found.size - (former.size if former else 0)
            self._make_room()

    def _grow(self, key: tuple[str, str], found: Finished, by: int) -> None:
        """An answer that was packed takes more memory than it did."""
        with self.lock:
            if self.kept.get(key) is found:
                self.size += by
                self._make_room()

    def _make_room(self) -> None:
        while self.size > self.room and self.kept:
            self.size -= self.kept.popitem(last=False)[1].size

    def _touch(self, key: tuple[str, str]) -> None:
        try:
            self.kept.move_to_end(key)
        except KeyError:  # another thread made room meanwhile
            pass

    def _forget(self) -> None:
        with self.lock:
            self.kept.clear()
            self.size = 0
            self.generation = self.store.generation


def _send(
    found: Finished, environ: "WSGIEnvironment", start_response: "StartResponse", request_id: str, method: str
) -> Iterable[bytes]:
    accepted = environ.get("HTTP_ACCEPT_ENCODING")
    chosen = encoding(accepted) if accepted and len(found.answer.body) > COMPRESSED_FROM else ""
    known = environ.get("HTTP_IF_NONE_MATCH")
    if known and chosen and matches(known, f'"{found.answer.etag}"') and known.strip() != "*":
        chosen = ""  # the client keeps the bytes as they are: they are still right
    tag, headers, body = found.variant(chosen)
    if known and matches(known, tag) or not known and _unmodified(found.answer, environ):
        short = [entry for entry in headers if entry[0] not in OF_THE_BODY]
        start_response("304 NOT MODIFIED", [*short, ("X-Request-Id", request_id)])
        return ()
    file = found.answer.file.open("rb") if found.answer.file and method == "GET" else None
    start_response("200 OK", [*headers, ("X-Request-Id", request_id)])
    if file is not None:
        sent: Iterable[bytes] = environ.get("wsgi.file_wrapper", FileWrapper)(file, BLOCK)
        return sent
    return () if method == "HEAD" else (body,)


def _unmodified(answer: Answer, environ: "WSGIEnvironment") -> bool:
    """Whether the client has a release's file by its date; of anything else only the tag tells.

    Only the very date is meant: a release that was withdrawn gives way to an older one.
    """
    since = environ.get("HTTP_IF_MODIFIED_SINCE")
    return answer.digest and since is not None and since == http_date(answer.modified)


def _unchanged(answer: Answer, start_response: "StartResponse", request_id: str) -> Iterable[bytes]:
    """A 304 to a client that named the tag: nothing had to be looked up, and nothing is kept."""
    headers = [entry for entry in answer.headers() if entry[0] not in OF_THE_BODY]
    start_response("304 NOT MODIFIED", [*headers, ("ETag", answer.known), *COMMON, ("X-Request-Id", request_id)])
    return ()


def _nothing(_: bytes) -> None:
    """What Flask may write to when its response is a placeholder."""


def _target(environ: "WSGIEnvironment") -> str:
    return str(environ.get("PATH_INFO", "")) + "?" + str(environ.get("QUERY_STRING", ""))
