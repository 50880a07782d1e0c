"""The way to another server: directly or through a proxy, over TLS as this machine or a file of certificates trusts it.

Only the settings decide, never `http_proxy` and the like. What opens a closed server is sent to that server alone.
"""

import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import urllib3
from urllib3.connection import HTTPConnection
from urllib3.exceptions import LocationParseError
from urllib3.response import HTTPResponse
from urllib3.util import Url, make_headers, parse_url

from api.settings import SettingError


class _Connection(HTTPConnection):
    """A connection that is shut where the head of a response takes longer than `patience` seconds.

    A socket's timeout begins anew with every byte: a server that sends one now and then would hold us for ever.
    """

    patience: float

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3 itself has it
        end = time.monotonic() + self.patience
        timer = threading.Timer(self.patience, self._shut)
        timer.daemon = True
        timer.start()
        try:
            return super().getresponse()
        except Exception as error:
            if time.monotonic() >= end:
                raise TimeoutError("timed out") from error
            raise
        finally:
            timer.cancel()

    def _shut(self) -> None:
        with suppress(OSError, AttributeError):
            self.sock.shutdown(socket.SHUT_RDWR)


def connections(place: Url, most: int, timeout: float, proxy: str, certificates: str) -> urllib3.PoolManager:
    """At most so many connections to a server at once, each with a timeout in seconds.

    `proxy` is a URL, which may hold a user and a password; `certificates` a file of the only authorities that are
    trusted. "" for none. Raises SettingError for one that cannot be used.
    """
    trusted = _trusted(certificates)
    common: dict[str, Any] = {"maxsize": most, "block": True, "timeout": timeout, "ssl_context": trusted}
    if proxy:
        through = _parsed(proxy)
        headers = make_headers(proxy_basic_auth=unquote(through.auth)) if through.auth else None
        url = str(through._replace(auth=None))
        opened: urllib3.PoolManager = urllib3.ProxyManager(
            url, proxy_headers=headers, proxy_ssl_context=trusted, **common
        )
    else:
        opened = urllib3.PoolManager(**common)
    pool = opened.connection_from_host(place.host, place.port, place.scheme)
    kinds = (_Connection, pool.ConnectionCls)  # plain, or over TLS
    pool.ConnectionCls = type("Connection", kinds, {"patience": 2 * timeout})
    return opened


def _parsed(proxy: str) -> Url:
    try:
        return parse_url(proxy)
    except LocationParseError:
        raise SettingError("LANTERN_MIRROR_PROXY is not a URL such as http://proxy.example:3128") from None


def _trusted(certificates: str) -> ssl.SSLContext | None:
    if not certificates:
        return None
    try:
        return ssl.create_default_context(cafile=Path(certificates).expanduser())
    except OSError as error:  # ssl.SSLError is one
        reason = error.strerror or error
        raise SettingError(f"LANTERN_MIRROR_CA={certificates!r} holds no certificates: {reason}") from error


def authorization(place: Url, value: str, proxy: str) -> Mapping[str, str]:
    """The header that opens a closed server. Raises SettingError where others on the way would read it."""
    if value and place.scheme != "https" and (proxy or not _is_here(place.host or "")):
        raise SettingError("LANTERN_MIRROR_AUTHORIZATION is not sent over http, where others can read it: use https")
    return {"Authorization": value} if value else {}


def _is_here(host: str) -> bool:
    """Whether a host is this machine itself."""
    with suppress(ValueError):
        return ip_address(host.strip("[]")).is_loopback
    return host == "localhost"
