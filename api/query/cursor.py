"""Cursors: where the next page begins, sealed with the question, so that no other question can use it."""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode

from api.query import parse
from api.query.parse import Question

SEAL = 9
FREE = frozenset({"cursor", "limit", "fields", "expand", "version", "as_of"})


def _seal(body: bytes, asked: Question, *scope: str) -> bytes:
    """What a cursor is bound to: the release, the resource, and all of the question but how much of it."""
    rest = [entry for entry in asked.canonical if entry[0] not in FREE]
    text = "\0".join((*scope, parse.written(rest), "")).encode()
    return hashlib.blake2b(text + body, digest_size=SEAL).digest()


def write(body: bytes, asked: Question, *scope: str) -> str:
    """A cursor that holds `body`, for this question in this scope (release tag, resource)."""
    return urlsafe_b64encode(body + _seal(body, asked, *scope)).rstrip(b"=").decode()


def read(asked: Question, *scope: str) -> bytes:
    """What a cursor holds. Raises BadQuestion for one that was altered or belongs to another question."""
    assert asked.cursor is not None
    try:
        text = asked.cursor.encode("ascii")
        raw = urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    except ValueError:
        raw = b""
    body = raw[:-SEAL]
    if not body or asked.cursor != write(body, asked, *scope):
        raise parse.wrong("cursor", "was altered, or belongs to another question or release: take it from links.next")
    return body
