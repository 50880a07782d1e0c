"""Asking another server for bytes, bounded in size and in time, and telling what went wrong in words.

No redirect leaves the server that was named, no proxy is taken from the environment, nothing is decoded: what is
asked for are bytes whose length and hash are known or bounded beforehand.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.util import Timeout, Url, parse_url

BLOCK = 2**16
SLOWEST = 256  # bytes a second: below this for a whole timeout, a connection is one that wastes our time
LONGEST_WAIT = 120.0  # seconds of Retry-After that are waited for
REDIRECTS = 3
USER_AGENT = "lantern-mirror/1 (+https://theupdateframework.io client)"
Stop = threading.Event


class MirrorError(Exception):
    """The copy cannot be brought up to date; the message says why. What was there stays as it was."""


class Refused(MirrorError):
    """An answer that asking again will not mend."""


class Missing(Refused):
    """404 or 410 (or 403, which bucket servers say instead)."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Interrupted(MirrorError):
    """Somebody else's error, or the user, ended the work."""


class _Again(Exception):
    """What may be better the next time. `wait`: seconds that the server asks for."""

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


class _Patience:
    """A connection that is shut when its answer's head does not come in time.

    A timeout of the socket begins anew with every byte; a server that sends a byte now and then would hold us for ever.
    """

    patience: float | None = None
    sock: Any

    def getresponse(self) -> Any:
        limit = 2 * self.timeout if isinstance(self.timeout, int | float) else None  # type: ignore[attr-defined]
        if limit is None:
            return super().getresponse()  # type: ignore[misc]
        timer = threading.Timer(limit, self._shut)
        timer.daemon = True
        timer.start()
        try:
            return super().getresponse()  # type: ignore[misc]
        finally:
            timer.cancel()

    def _shut(self) -> None:
        try:
            self.sock.shutdown(2)
        except (OSError, AttributeError):
            pass


class _Plain(_Patience, HTTPConnection):
    pass


class _Secure(_Patience, HTTPSConnection):
    pass


class Source:
    """One server, asked through a few connections that stay open. Its methods may be called from several threads."""

    def __init__(self, url: str, connections: int = 4, timeout: float = 30, retries: int = 5) -> None:
        self.url = url.rstrip("/")
        self.timeout = max(timeout, 0.1)
        self.retries = retries
        self.stop = Stop()
        self.received = 0
        place = _place(url)
        kind: Any = urllib3.HTTPSConnectionPool if place.scheme == "https" else urllib3.HTTPConnectionPool
        self.pool = kind(
            (place.host or "").strip("[]"), place.port, maxsize=connections, block=True, timeout=Timeout(self.timeout)
        )
        self.pool.ConnectionCls = _Secure if place.scheme == "https" else _Plain
        self.base = (place.path or "").rstrip("/")
        self.origin = (place.scheme, place.host, place.port or self.pool.port)

    def close(self) -> None:
        self.pool.close()

    def read(self, path: str, limit: int) -> bytes:
        """A small file, at most `limit` bytes. Raises Missing, Refused, or MirrorError after the last try."""

        def once() -> bytes:
            with self._ask(path, {}) as response:
                return b"".join(self._blocks(response, path, limit))

        return self.retry(once)

    def stream(self, path: str, limit: int, start: int, tag: str | None) -> "Stream":
        """A file from a byte on, where the server can and the file is the one that `tag` names; one try."""
        return Stream(self, path, limit, start, tag)

    def retry[R](self, once: Callable[[], R]) -> R:
        ...
