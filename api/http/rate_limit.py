"""How many requests a client may make: a WSGI layer in front of the cache, so that it counts every request.

A client is the address that the request comes from (of IPv6 the network: a household has 2^64 addresses), or that a
trusted proxy names. Whoever makes too many gets a problem document from Flask like any other, which the layer asks for.
"""

import logging
import math
import time
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Any

from flask import Flask, request
from limits import parse
from limits.errors import StorageError
from limits.storage import MemoryStorage, RedisStorage, Storage
from redis.backoff import NoBackoff
from redis.retry import Retry

from api.http.cache import REFUSED
from api.http.errors import ProblemError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

EXEMPT = frozenset({"/healthz", "/readyz"})
TIMEOUT, AGAIN = 1, 10  # seconds: that Redis may take, and until it is asked again where it failed
log = logging.getLogger("lantern")


def init_app(app: Flask) -> None:
    """Put the layer in front of all that is there, and the hook that refuses for it before all others."""
    layer = RateLimit(app.wsgi_app, app.config["RATE_LIMIT"], app.config["RATE_STORAGE"])
    app.wsgi_app = layer  # type: ignore[method-assign]  # Flask's way
    app.before_request_funcs.setdefault(None, []).insert(0, _refuse)


def _refuse() -> None:
    if limit := request.environ.get(REFUSED):
        raise ProblemError("rate-limited", f"At most {limit} are answered: wait as long as Retry-After says.")


class RateLimit:
    """The WSGI layer. `limit` is written as in the settings; `storage` is memory:// or the address of a Redis."""

    def __init__(self, app: "WSGIApplication", limit: str, storage: str) -> None:
        self.app, self.limit = app, parse(limit)
        self.own, self.shared, self.again = MemoryStorage(), None, 0.0
        if not storage.startswith("memory:"):
            once = Retry(NoBackoff(), 0)  # the request waits
            self.shared = RedisStorage(
                storage,
                wrap_exceptions=True,
                socket_timeout=TIMEOUT,
                socket_connect_timeout=TIMEOUT,
                retry=once,  # type: ignore[arg-type]  # handed on to redis, whose options have more types
            )

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if environ.get("PATH_INFO") in EXEMPT:
            return self.app(environ, start_response)
        most, seconds = self.limit.amount, self.limit.get_expiry()
        count, reset = self._count(self.limit.key_for(client(environ.get("REMOTE_ADDR") or "")))
        headers = [
            ("RateLimit-Policy", f"{most};w={seconds}"),
            ("RateLimit-Limit", str(most)),
            ("RateLimit-Remaining", str(max(most - count, 0))),
            ("RateLimit-Reset", str(reset)),
        ]
        if count > most:
            environ[REFUSED] = f"{most} requests in {seconds} second{'s' * (seconds != 1)}"
            headers.append(("Retry-After", str(reset)))

        def start(status: str, sent: list[tuple[str, str]], exc_info: Any = None) -> Any:
            return start_response(status, [*sent, *headers], exc_info)

        return self.app(environ, start)

    def _count(self, key: str) -> tuple[int, int]:
        """How many requests were made under a key, this one too, and the seconds until it counts anew."""
        if self.shared and time.monotonic() >= self.again:
            try:
                return self._counted(self.shared, key)
            except StorageError as error:
                self.again = time.monotonic() + AGAIN
                log.warning("RATE_STORAGE fails, each process counts by itself for %d s: %s", AGAIN, error)
        return self._counted(self.own, key)

    def _counted(self, storage: Storage, key: str) -> tuple[int, int]:
        count = storage.incr(key, self.limit.get_expiry())
        return count, max(math.ceil(storage.get_expiry(key) - time.time()), 1)


@lru_cache(maxsize=1_000)
def client(address: str) -> str:
    """Who makes a request: the address as it is, an IPv6 address without its second half."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped or f"{int(found) >> 64:x}")
    return address
