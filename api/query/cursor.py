"""Cursors: where the next page begins, sealed with the query, so that no other query can use it."""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode

from api.query import parse
from api.query.parse import Query

SEAL = 9
FREE = frozenset({"cursor", "limit", "fields", "expand", "version", "as_of"})


def _seal(body: bytes, query: Query, *scope: str) -> bytes:
    """What a cursor is bound to: the release, the resource, and all of the query but how much of it."""
    rest = [entry for entry in query.canonical if entry[0] not in FREE]
    text = "\0".join((*scope, parse.written(rest), "")).encode()
    return hashlib.blake2b(text + body, digest_size=SEAL).digest()


def write(body: bytes, query: Query, *scope: str) -> str:
    """A cursor that holds `body`, for this query in this scope (release tag, resource)."""
    return urlsafe_b64encode(body + _seal(body, query, *scope)).rstrip(b"=").decode()


def read(query: Query, *scope: str) -> bytes:
    """What a cursor holds. Raises QueryError for one that was altered or belongs to another query."""
    assert query.cursor is not None
    try:
        text = query.cursor.encode("ascii")
        raw = urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    except ValueError:
        raw = b""
    body = raw[:-SEAL]
    if not body or query.cursor != write(body, query, *scope):
        raise parse.wrong("cursor", "was altered, or belongs to another query or release: take it from links.next")
    return body
