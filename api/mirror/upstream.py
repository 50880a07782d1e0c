"""Reading files from another server, bounded in size and in time, with errors that say what went wrong.

No redirect leaves the server that was named, and nothing is decoded: what is requested are bytes whose length and hash
are known or bounded beforehand. The way there: api.mirror.connecting.
"""

import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urljoin

import urllib3
from urllib3 import exceptions
from urllib3.util import Url, parse_url

from api.mirror import connecting
from api.model.errors import LanternError
from api.store.manifest import File, digest

BLOCK = 2**16
SLOWEST = 256  # bytes a second: a server that sends less for a whole timeout is too slow
LONGEST_WAIT = 120.0  # seconds of Retry-After that are waited for
REDIRECTS = 3
HEADERS = {"User-Agent": "lantern-mirror", "Accept": "*/*", "Accept-Encoding": "identity"}
ABSENT = (403, 404, 410)  # bucket servers respond with 403 for what they do not have
PASSING = (408, 425, 429, 500, 502, 503, 504)
# A server may need a moment to see the release that its signature names already: it looks once a second.
MOMENTS = (0.4, 0.8, 0.8)
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
T = TypeVar("T")
Tick = Callable[[int], None]


class MirrorError(LanternError):
    """The copy cannot be brought up to date; the message says why. The copy stays as it was."""


class Missing(MirrorError):
    """The server does not have it."""


class Again(Exception):
    """An error that a retry may overcome. `wait`: the seconds that the server requires."""

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


class Upstream:
    """One server, read over a few connections that stay open. Its methods may be called from several threads.

    `values` are the settings, `authorization` what opens a closed server. `stop` is set when another thread's error, or
    the user, ended the work. Raises SettingError for settings that cannot be used.
    """

    def __init__(self, url: str, values: Mapping[str, Any], authorization: str = "") -> None:
        place = _place(url)
        self.url, self._site = str(place), _site(place)
        self.timeout, self.retries = max(values["MIRROR_TIMEOUT"], 0.1), values["MIRROR_RETRIES"]
        self.connections = max(values["MIRROR_CONNECTIONS"], 1)
        self.stop = threading.Event()
        self.received = 0
        self._lock = threading.Lock()
        proxy = values["MIRROR_PROXY"]
        self._headers = {**HEADERS, **connecting.authorization(place, authorization, proxy)}
        self._pool = connecting.connections(place, self.connections, self.timeout, proxy, values["MIRROR_CA"])

    def close(self) -> None:
        self._pool.clear()

    def read(self, path: str, limit: int) -> bytes:
        """A small file of at most `limit` bytes. Raises Missing, or MirrorError when no try succeeded."""

        def once() -> bytes:
            with self._get(path) as response:
                return b"".join(self._blocks(response, path, limit))

        return self._tries(once)

    def fetch(self, path: str, file: File, part: Path, tick: Tick) -> None:
        """Bring a file into `part`, from where an earlier try left it; its bytes are the promised ones afterwards.

        `tick` is called with the count of bytes as they come in, and with a negative one when they turn out to be
        useless. Raises Missing, or MirrorError that says what the server does wrong.
        """
        part.touch()
        resumed = min(part.stat().st_size, file.bytes)
        tick(resumed)
        moments = iter(MOMENTS)
        while True:
            try:
                self._tries(lambda: self._go_on(path, file, part, tick), lambda: part.stat().st_size)
            except Missing:
                moment = next(moments, None)
                if moment is None:
                    raise
                self.stop.wait(moment)
                continue
            if digest(part) == file.sha256:
                return
            _clear(part, tick)
            if not resumed:
                raise MirrorError(f"{path}: altered: its sha256 is not the signed {file.sha256}")
            resumed = 0  # the part may have been damaged: once more, from the first byte

    def _go_on(self, path: str, file: File, part: Path, tick: Tick) -> None:
        """One request for what is missing."""
        start = part.stat().st_size
        if start > file.bytes:
            _clear(part, tick)
            start = 0
        if start == file.bytes:
            return
        with self._get(path, {"Range": f"bytes={start}-"} if start else {}) as response:
            start = _position(response, path, file, start)
            if start == 0:
                _clear(part, tick)
            with part.open("ab") as out:
                for block in self._blocks(response, path, file.bytes - start):
                    out.write(block)
                    tick(len(block))
        size = part.stat().st_size
        if size < file.bytes:
            raise Again(f"{path}: broke off after {size} of {file.bytes} bytes")

    def _tries(self, once: Callable[[], T], grown: Callable[[], int] = lambda: 0) -> T:
        """The result of a call that may raise Again, after as many tries as the setting allows.

        `grown` says how many bytes are done: a try that added a block does not count.
        """
        failed = 0
        while True:
            before = grown()
            try:
                return once()
            except Again as error:
                failed = 1 if grown() - before >= BLOCK else failed + 1
                if failed > self.retries:
                    raise MirrorError(f"{error} (tried {failed} times)") from error
                wait = 0.125 * 2**failed * random.uniform(0.8, 1.2) if error.wait is None else error.wait  # nosec B311 # no secret
                if wait > LONGEST_WAIT:
                    raise MirrorError(f"{error}: try again in {wait:.0f} seconds") from error
                if self.stop.wait(wait):
                    raise MirrorError("interrupted") from error

    @contextmanager
    def _get(self, path: str, headers: Mapping[str, str] | None = None) -> Iterator[urllib3.BaseHTTPResponse]:
        """The response to one request, its body still to be read. Raises Missing, MirrorError or Again."""
        target = f"{self.url}/{quote(path, safe='/')}"
        for _ in range(REDIRECTS + 1):
            response = self._send(target, {**self._headers, **(headers or {})}, path)
            try:
                location = response.get_redirect_location()
                if location is not False:
                    target = self._redirected(target, location or "", path)
                    continue
                _check(response, path)
                yield response
                return
            finally:
                if not response.closed:
                    response.close()
                response.release_conn()
        raise MirrorError(f"{path}: redirected more than {REDIRECTS} times")

    def _send(self, target: str, headers: Mapping[str, str], path: str) -> urllib3.BaseHTTPResponse:
        try:
            return self._pool.urlopen(
                "GET", target, headers=headers, redirect=False, retries=False, preload_content=False
            )
        except exceptions.SSLError as error:
            raise MirrorError(f"{self.url} cannot prove its identity: {error}") from error
        except exceptions.ProxyError as error:
            raise Again(f"{self.url} cannot be reached through LANTERN_MIRROR_PROXY: {error.original_error}") from error
        except exceptions.NewConnectionError as error:
            raise Again(f"{self.url} cannot be reached: {error}") from error
        except exceptions.TimeoutError as error:
            raise Again(f"{path}: no response within {self.timeout:g} seconds") from error
        except exceptions.HTTPError as error:
            raise Again(f"{path}: the connection broke before the response: {error}") from error

    def _redirected(self, target: str, location: str, path: str) -> str:
        """The target of a redirect on the same server. Raises MirrorError for one that leads elsewhere."""
        try:
            place = parse_url(urljoin(target, location))
        except (exceptions.LocationParseError, ValueError) as error:
            raise MirrorError(f"{path}: redirected to something that is not a URL") from error
        if _site(place) != self._site:
            raise MirrorError(f"{path}: redirected to {place.scheme}://{place.netloc}, another server; refused")
        return str(place._replace(auth=None, fragment=None))

    def _blocks(self, response: urllib3.BaseHTTPResponse, path: str, limit: int) -> Iterator[bytes]:
        """The body as it comes in. Raises MirrorError beyond `limit` bytes, Again when it breaks off or is too slow."""
        since, received, total = time.monotonic(), 0, 0
        while not self.stop.is_set():
            try:
                block = response.read1(BLOCK, decode_content=False)
            except exceptions.TimeoutError as error:
                raise Again(f"{path}: no data for {self.timeout:g} seconds") from error
            except exceptions.HTTPError as error:
                raise Again(f"{path}: the connection broke after {total} bytes") from error
            if not block:
                return
            total, received = total + len(block), received + len(block)
            with self._lock:
                self.received += len(block)
            if total > limit:
                raise MirrorError(f"{path}: larger than the {limit} bytes allowed")
            yield block
            passed = time.monotonic() - since
            if passed > self.timeout:
                if received < SLOWEST * passed:
                    raise Again(f"{path}: too slow, {received} bytes in {passed:.0f} seconds")
                since, received = time.monotonic(), 0
        raise MirrorError("interrupted")


def _place(url: str) -> Url:
    """A server's URL, parsed. Raises MirrorError for what is not one, or has parts that it must not have."""
    try:
        place = parse_url(url)
    except exceptions.LocationParseError:
        place = Url()
    if place.scheme not in ("http", "https") or not place.host:
        raise MirrorError(f"{url!r} is not a URL of a server: expected one such as https://data.example.org")
    if place.auth or place.query or place.fragment:
        raise MirrorError("the URL of an upstream must have no user, query or fragment")
    return Url(place.scheme, None, place.host, place.port, (place.path or "").rstrip("/"))


def _site(place: Url) -> tuple[str | None, str | None, int | None]:
    """What two URLs of one server have in common."""
    return place.scheme, place.host, place.port or urllib3.connectionpool.port_by_scheme.get(place.scheme or "")


def _check(response: urllib3.BaseHTTPResponse, path: str) -> None:
    """Raises for every response whose body is not the bytes that were requested."""
    status = response.status
    if status in ABSENT:
        raise Missing(f"{path}: not found (status {status})")
    if status in PASSING:
        raise Again(f"{path}: the server responds with status {status}", _retry_after(response))
    if status not in (200, 206, 416):
        raise MirrorError(f"{path}: the server responds with status {status}")
    if "Content-Length" not in response.headers and "Transfer-Encoding" not in response.headers:
        raise Again(f"{path}: no length is declared: the connection broke within the head of the response")
    coding = response.headers.get("Content-Encoding", "identity")
    if coding != "identity" and not path.endswith("gz"):
        raise MirrorError(f"{path}: sent with Content-Encoding {coding}, which was not requested: something alters it")


def _retry_after(response: urllib3.BaseHTTPResponse) -> float | None:
    text = response.headers.get("Retry-After", "")
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def _position(response: urllib3.BaseHTTPResponse, path: str, file: File, start: int) -> int:
    """Where in the file the body begins. Raises Again for lengths that contradict the signed one."""
    if response.status == 416:
        raise MirrorError(f"{path}: is shorter than the signed {file.bytes} bytes")
    if response.status == 206:
        text = response.headers.get("Content-Range", "none")
        part = _RANGE.fullmatch(text)
        if not part or int(part[1]) != start or int(part[3]) != file.bytes:
            raise MirrorError(f"{path}: responds with the wrong part of the file (Content-Range {text!r})")
    else:
        start = 0
    declared = response.headers.get("Content-Length")
    if declared is not None and declared != str(file.bytes - start):
        raise Again(f"{path}: declares {declared} bytes, but {file.bytes - start} are signed")
    return start


def _clear(part: Path, tick: Tick) -> None:
    tick(-part.stat().st_size)
    part.write_bytes(b"")
