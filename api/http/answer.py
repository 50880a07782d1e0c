"""An answer that is finished: bytes and headers that depend on nothing but the release and the question."""

import hashlib
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

APART = "lantern.apart"  # in the WSGI environ: this answer is not to be left there, but sent by Flask
KEY = "lantern.answer"  # where in the WSGI environ a view leaves its answer for api.http.cache
MUTABLE = "public, max-age=300, stale-while-revalidate=86400"
IMMUTABLE = "public, max-age=31536000, immutable"


class Answer(NamedTuple):
    """A finished answer. `etag` is unquoted and names the bytes before they are compressed.

    `digest` asks for a Repr-Digest (RFC 9530), which is of the bytes as they are sent. `file`, of `length` bytes, is
    sent in the place of a body, as it is; the entity tag of one with a digest is its SHA-256. `known` is the entity
    tag, with its quotes, that the client named in If-None-Match: such an answer has no body, it is a 304.
    """

    body: bytes
    media_type: str
    etag: str
    version: str
    modified: str
    immutable: bool = False
    links: tuple[str, ...] = ()
    disposition: str = ""
    digest: bool = False
    known: str = ""
    file: Path | None = None
    length: int = 0

    def headers(self) -> list[tuple[str, str]]:
        """The headers of the answer, but for those of its encoding and length."""
        found = [
            ("Content-Type", self.media_type),
            ("Last-Modified", http_date(self.modified)),
            ("Cache-Control", IMMUTABLE if self.immutable else MUTABLE),
            ("Vary", "Accept, Accept-Encoding"),
            ("X-Data-Version", self.version),
        ]
        if self.links:
            found.append(("Link", ", ".join(self.links)))
        if self.disposition:
            found.append(("Content-Disposition", self.disposition))
        return found


@lru_cache(maxsize=256)
def http_date(moment: str) -> str:
    """An ISO 8601 time as HTTP writes it (RFC 9110, 5.6.7)."""
    found = datetime.fromisoformat(moment)
    found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    return format_datetime(found, usegmt=True)


def tag(*parts: str) -> str:
    """An entity tag from what an answer is a function of: no look at the answer itself."""
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=12).hexdigest()
