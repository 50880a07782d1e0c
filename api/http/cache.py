"""Responses that are functions of a release, kept as bytes in front of Flask.

A WSGI layer, which also gives every response the headers that all have. A request that was made before is answered from
memory, without Flask: no hook or extension of the application sees it. Every other request goes through Flask like any.
A response is kept under its address, Accept and encoding, and dropped when the store changes; a release never changes,
so nothing else can make it wrong.
"""

import itertools
import os
import re
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from werkzeug.http import parse_etags

from api.http.negotiation import best_encoding
from api.http.request import keep_escapes
from api.http.responses import IN_MEMORY, SHARED_HEADERS, VARY
from api.store.releases import Store

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

COMMON = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Allow, Content-Disposition, Content-Encoding, Content-Length, Content-Range, "
    "Deprecation, ETag, Last-Modified, Link, RateLimit-Limit, RateLimit-Policy, RateLimit-Remaining, RateLimit-Reset, "
    "Repr-Digest, Retry-After, X-Data-Version, X-Request-Id",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "*, Authorization",  # which a star does not stand for (Fetch, CORS protocol)
    "Access-Control-Max-Age": "86400",
}
KEPT = SHARED_HEADERS | COMMON.keys()  # anything else (a cookie, the rest of a rate limit) is for one reader
OF_THE_BODY = frozenset({"Content-Type", "Content-Disposition", "Content-Length", "Content-Encoding"})  # a 304 has none
REFUSED = "lantern.refused"  # in the environment of a request that a layer in front of this one wants Flask to refuse
OVERHEAD = 4_000  # bytes that the objects of an entry take, besides key and body
Headers = list[tuple[str, str]]
Key = tuple[str, str, str]
_REQUEST_ID = re.compile(r"[A-Za-z0-9._~+/=-]{1,128}").fullmatch


class CachedResponse(NamedTuple):
    """A response that is kept. `etags` are those that name it: its own, and that of the bytes before compression.

    `route`: the rule that made it.
    """

    headers: Headers
    body: bytes
    etags: tuple[str, str]
    route: str
    size: int


class Cache:
    """The WSGI layer. `megabytes` bounds what it keeps; 0 keeps nothing."""

    def __init__(self, app: "WSGIApplication", store: Store, megabytes: int) -> None:
        self.app = app
        self.store = store
        self.room = megabytes * 2**20
        self.entries: OrderedDict[Key, CachedResponse] = OrderedDict()
        self.size = 0
        self.generation = 0
        self.lock = threading.Lock()
        self.start = os.urandom(6).hex()
        self.counter = itertools.count()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        sent_id = environ.get("HTTP_X_REQUEST_ID")
        # Workers are forked from one process: the ids that they make differ by its number.
        made_id = f"{self.start}-{os.getpid():x}-{next(self.counter):x}"
        request_id = sent_id if sent_id and _REQUEST_ID(sent_id) else made_id
        environ["lantern.request_id"] = request_id
        own = ("X-Request-Id", request_id)
        key = self._key(environ)
        entry = self.entries.get(key) if key else None
        if key is None or entry is None:
            return self._ask(environ, start_response, own, key)
        environ["lantern.cache"], environ["lantern.route"] = "hit", entry.route
        with suppress(KeyError):  # another thread made room meanwhile
            self.entries.move_to_end(key)
        known = environ.get("HTTP_IF_NONE_MATCH")
        if known and (tag := _named(known, entry.etags)):
            headers = [header for header in entry.headers if header[0] not in OF_THE_BODY and header[0] != "ETag"]
            start_response("304 NOT MODIFIED", [*headers, ("ETag", tag), own])
            return ()
        start_response("200 OK", [*entry.headers, own])
        return () if environ["REQUEST_METHOD"] == "HEAD" else (entry.body,)

    def _key(self, environ: "WSGIEnvironment") -> Key | None:
        """What a response is kept under; None for a request whose response depends on more."""
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD") or "HTTP_RANGE" in environ or REFUSED in environ:
            return None
        if "HTTP_IF_MODIFIED_SINCE" in environ and "HTTP_IF_NONE_MATCH" not in environ:
            return None
        self.store.releases()
        if self.store.generation != self.generation:
            with self.lock:
                self.entries.clear()
                self.size, self.generation = 0, self.store.generation
        target = environ.get("RAW_URI") or f"{environ.get('PATH_INFO', '')}?{environ.get('QUERY_STRING', '')}"
        target = environ.get("lantern.base", "") + target
        return target, environ.get("HTTP_ACCEPT", ""), best_encoding(environ.get("HTTP_ACCEPT_ENCODING", ""))

    def _ask(
        self, environ: "WSGIEnvironment", start_response: "StartResponse", own: tuple[str, str], key: Key | None
    ) -> Iterable[bytes]:
        """Ask Flask, and keep what it answers where that may be kept."""
        generation = self.generation
        sent: Headers = []
        values: dict[str, str] = {}

        def start(status: str, headers: Headers, exc_info: Any = None) -> Any:
            environ["lantern.route"] = _route(environ)  # Flask knows it no longer when this has answered
            values.update({name.lower(): value for name, value in headers}, status=status)
            common = COMMON | PREFLIGHT if environ["REQUEST_METHOD"] == "OPTIONS" else COMMON
            sent[:] = [*headers, *[header for header in common.items() if header[0].lower() not in values]]
            return start_response(status, [*sent, own], exc_info)

        keep_escapes(environ)
        body = self.app(environ, start)
        if key is None or environ["REQUEST_METHOD"] != "GET" or not self._may_keep(values):
            return body
        try:
            content = b"".join(body)
        finally:
            if hasattr(body, "close"):
                body.close()
        headers = [header for header in sent if header[0] in KEPT]
        tag = values["etag"]
        plain = f'"{tag[1:-1].removesuffix(f"-{key[2]}")}"' if key[2] else tag
        size = OVERHEAD + len(content) + 2 * sum(map(len, key)) + sum([len(n) + len(v) for n, v in headers])
        environ["lantern.cache"] = "miss"
        self._keep(key, CachedResponse(headers, content, (tag, plain), environ["lantern.route"], size), generation)
        return (content,)

    def _may_keep(self, values: Mapping[str, str]) -> bool:
        """Whether a response (its headers and status) is the same for every reader, and small enough to be kept."""
        return (
            values["status"].startswith("200")
            and "x-data-version" in values
            and "etag" in values
            and values.get("cache-control", "").startswith("public")
            and values.get("vary") == VARY
            and (length := int(values.get("content-length", IN_MEMORY + 1))) <= IN_MEMORY
            and 16 * (OVERHEAD + length) <= self.room
        )

    def _keep(self, key: Key, entry: CachedResponse, generation: int) -> None:
        with self.lock:
            if generation != self.generation:
                return
            previous = self.entries.pop(key, None)  # two threads may have made it at once
            self.entries[key] = entry
            self.size += entry.size - (previous.size if previous else 0)
            while self.size > self.room and self.entries:
                self.size -= self.entries.popitem(last=False)[1].size


def _route(environ: "WSGIEnvironment") -> str:
    """The rule of the address that Flask found for a request; "" for none."""
    rule = getattr(environ.get("werkzeug.request"), "url_rule", None)
    return "" if rule is None else str(rule.rule)


def _named(header: str, tags: tuple[str, str]) -> str:
    """Which of the entity tags an If-None-Match header names; '' for none."""
    if header in tags:
        return header
    named = parse_etags(header)
    return next((tag for tag in tags if named.contains_weak(tag[1:-1])), "")
