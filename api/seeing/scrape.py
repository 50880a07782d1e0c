"""What Prometheus asks: a listener that is never the public one, on which each worker process answers in a thread
of its own, also when those for readers are busy. Imported only where LANTERN_METRICS asks for it.
"""

import os
import platform
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from errno import ECONNREFUSED
from importlib import metadata
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import ThreadingWSGIServer
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from api import mirror
from api.seeing.log import log
from api.settings import SettingError
from api.store import signatures
from api.store.releases import NotInStore, NotReady, Store, has_index

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PATH = "/metrics"
LISTENER = "LANTERN_METRICS_FD"  # where a new master finds the listener of the old one
SECONDS = 10  # for a scraper to send its request


Address = tuple[str, int] | Path


class _State(Collector):
    """The state of the store, as this process sees it. Times are seconds since 1970."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def collect(self) -> Iterator[Metric]:
        versions = {"version": metadata.version("lantern"), "python": platform.python_version()}
        yield InfoMetricFamily("lantern_build", "The program.", versions)
        releases = self.store.releases()
        states = {"served": 0, "withdrawn": 0, "not_served": len(self.store.problems)}
        for release in releases:
            there = "served" if release.withdrawn is None else "withdrawn"
            states[there if has_index(release) else "not_served"] += 1
        yield _gauge("lantern_releases", "Releases in the store, by what becomes of them.", "state", states)
        with suppress(NotInStore, NotReady):
            latest = {"version": self.store.latest().version}
            yield InfoMetricFamily("lantern_release", "The release that is served where none is named.", latest)
        ends = {one.role: _seconds(one.expires) for one in signatures.of(self.store.root) if one.expires}
        yield _gauge("lantern_signature_expiry_timestamp_seconds", "When a role's signature expires.", "role", ends)
        copied = mirror.status(self.store.root)
        if copied and copied.synced_at:
            for name, help, when in (
                ("sync", "When the last sync of this mirror ended.", copied.synced_at),
                ("stale", "When this mirror turns stale.", copied.stale_after),
            ):
                yield GaugeMetricFamily(f"lantern_mirror_{name}_timestamp_seconds", help, _seconds(when))


def _gauge(name: str, help: str, label: str, numbers: Mapping[str, float]) -> Metric:
    gauge = GaugeMetricFamily(name, help, labels=[label])
    for value, number in numbers.items():
        gauge.add_metric([value], number)
    return gauge


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


class _Listener(ThreadingWSGIServer):
    """A server on a socket that listens already, of any family."""

    def __init__(self, listener: socket.socket, app: "WSGIApplication") -> None:
        super().__init__(("", 0), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket, self.server_name, self.server_port = listener, "", 0
        self.setup_environ()
        self.set_app(app)

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        return self.socket.accept()[0], ("", 0)

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.warning("a request to LANTERN_METRICS failed: %r", sys.exc_info()[1])


class _Handler(WSGIRequestHandler):
    timeout = SECONDS

    def log_message(self, format: str, *args: Any) -> None:
        """Scrapes are not logged."""


def listen(address: Address) -> socket.socket:
    """A socket that listens on a host and port, or at a path; that of the master before, where there is one.

    Raises SettingError where that is not possible.
    """
    if "GUNICORN_FD" in os.environ and LISTENER in os.environ:
        made = socket.socket(fileno=int(os.environ[LISTENER]))
    else:
        try:
            made = _at_path(address) if isinstance(address, Path) else _at_port(*address)
        except OSError as error:
            message = f"cannot listen on {named(address)} (LANTERN_METRICS): {error.strerror or error}"
            raise SettingError(message) from error
    made.setblocking(False)  # several processes wait for the next connection, and one gets it
    made.set_inheritable(True)
    os.environ[LISTENER] = str(made.fileno())
    return made


def _at_port(host: str, port: int) -> socket.socket:
    return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)


def _at_path(path: Path) -> socket.socket:
    """A socket that its owner and group may connect to; one that a server left behind gives way."""
    if path.is_socket():
        with socket.socket(socket.AF_UNIX) as other:
            if other.connect_ex(str(path)) == ECONNREFUSED:
                path.unlink()
    made, mask = socket.socket(socket.AF_UNIX), os.umask(0o117)
    try:
        made.bind(str(path))
    finally:
        os.umask(mask)
    made.listen()
    return made


def end(address: Address) -> None:
    """Leave nothing at a path."""
    if isinstance(address, Path):
        address.unlink(missing_ok=True)


def named(address: Any) -> str:
    """An address, as the system has it too, in words."""
    if isinstance(address, str | Path):
        return f"unix:{address}"
    return f"http://[{address[0]}]:{address[1]}" if ":" in address[0] else f"http://{address[0]}:{address[1]}"


def answer(listener: socket.socket, folder: Path, store: Store) -> None:
    """Answer whoever asks there, from now on, in a thread."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(folder))  # type: ignore[no-untyped-call]  # it has no types
    registry.register(_State(store))
    scraped = make_wsgi_app(registry)

    def app(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if environ["PATH_INFO"] != PATH:
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [f"Metrics are at {PATH}.\n".encode()]
        try:
            return scraped(environ, start_response)  # type: ignore[no-any-return]  # its types say nothing
        except Exception:
            log.exception("the metrics could not be collected")
            start_response("500 Internal Server Error", [("Content-Type", "text/plain")])
            return [b"The metrics could not be collected: see the log.\n"]

    Thread(target=_Listener(listener, app).serve_forever, name="metrics", daemon=True).start()
