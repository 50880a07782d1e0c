"""What Prometheus asks: a listener that is never the public one, on which each worker process answers in a thread
of its own, also when those for readers are busy. Imported only where LANTERN_METRICS asks for it.
"""

import os
import platform
import shutil
import socket
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from errno import ECONNREFUSED
from importlib import metadata
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import Metric
from prometheus_client.exposition import ThreadingWSGIServer
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from api import mirror
from api.monitoring import metrics
from api.monitoring.log import log
from api.settings import SettingError
from api.store import signatures
from api.store.releases import NotInStore, NotReady, Store, has_index

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

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
        yield _gauge("build_info", "The program.", (versions, 1))
        states = {"served": 0, "withdrawn": 0, "not_served": len(self.store.problems)}
        for release in self.store.releases():
            there = "served" if release.withdrawn is None else "withdrawn"
            states[there if has_index(release) else "not_served"] += 1
        every = [({"state": state}, number) for state, number in states.items()]
        yield _gauge("releases", "Releases in the store, by what becomes of them.", *every)
        with suppress(NotInStore, NotReady):
            latest = {"version": self.store.latest().version}
            yield _gauge("release_info", "The release that is served where none is named.", (latest, 1))
        ends = [({"role": one.role}, _seconds(one.expires)) for one in signatures.of(self.store.root) if one.expires]
        yield _gauge("signature_expiry_timestamp_seconds", "When a role's signature expires.", *ends)
        if (copied := mirror.status(self.store.root)) and copied.synced_at:
            sync, stale = _seconds(copied.synced_at), _seconds(copied.stale_after)
            yield _gauge("mirror_sync_timestamp_seconds", "When the last sync of this mirror ended.", ({}, sync))
            yield _gauge("mirror_stale_timestamp_seconds", "When this mirror turns stale.", ({}, stale))


def _gauge(name: str, help: str, *samples: tuple[dict[str, str], float]) -> Metric:
    gauge = Metric(f"lantern_{name}", help, "gauge")
    for labels, value in samples:
        gauge.add_sample(gauge.name, labels, value)
    return gauge


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


class _Handler(WSGIRequestHandler):
    timeout = SECONDS

    def log_message(self, format: str, *args: Any) -> None:
        """Scrapes are not logged."""


class _Server(ThreadingWSGIServer):
    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        return self.socket.accept()[0], ("", 0)  # of a path there is no address

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.warning("a request to LANTERN_METRICS failed: %r", sys.exc_info()[1])


def hooks(address: Address) -> dict[str, Callable[..., None]]:
    """gunicorn's hooks that have each worker process count, and answer at an address who asks for all counts.

    Raises SettingError where it cannot listen there.
    """
    listener, folder = _listener(address), metrics.make_folder()
    named = listener.getsockname()
    log.info("Metrics at %s of %s", PATH, named if isinstance(named, str) else "http://{}:{}".format(*named))

    def begin(_: Any, worker: Any) -> None:
        metrics.start(folder)
        _answer(listener, folder, worker.app.wsgi().extensions["store"])

    def end(arbiter: Any) -> None:
        if not arbiter.reexec_pid and not arbiter.master_pid:  # no other master goes on with them
            shutil.rmtree(folder, ignore_errors=True)
            if isinstance(address, Path):
                address.unlink(missing_ok=True)

    return {"post_fork": begin, "on_exit": end}


def _listener(address: Address) -> socket.socket:
    """A socket that listens at an address; that of the master before, where there is one."""
    if "GUNICORN_FD" in os.environ and LISTENER in os.environ:
        made = socket.socket(fileno=int(os.environ[LISTENER]))
    else:
        try:
            made = _at_path(address) if isinstance(address, Path) else _at_port(*address)
        except OSError as error:
            raise SettingError(f"cannot listen on LANTERN_METRICS: {error.strerror or error}") from error
    made.setblocking(False)  # several processes wait for the next connection, and one gets it
    made.set_inheritable(True)
    os.environ[LISTENER] = str(made.fileno())
    return made


def _at_port(host: str, port: int) -> socket.socket:
    return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)


def _at_path(path: Path) -> socket.socket:
    """A socket that its owner and group may connect to; one that a server left behind gives way."""
    made, mask = socket.socket(socket.AF_UNIX), os.umask(0o117)
    with socket.socket(socket.AF_UNIX) as other:
        if path.is_socket() and other.connect_ex(str(path)) == ECONNREFUSED:
            path.unlink()
    try:
        made.bind(str(path))
    finally:
        os.umask(mask)
    made.listen()
    return made


def _answer(listener: socket.socket, folder: Path, store: Store) -> None:
    """Answer whoever asks there, from now on, in a thread."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(folder))  # type: ignore[no-untyped-call]  # it has no types
    registry.register(_State(store))
    scraped = make_wsgi_app(registry)

    def app(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        status, said = "404 Not Found", f"Metrics are at {PATH}.\n"
        try:
            if environ["PATH_INFO"] == PATH:
                return scraped(environ, start_response)  # type: ignore[no-any-return]  # its types say nothing
        except Exception:
            log.exception("the metrics could not be collected")
            status, said = "500 Internal Server Error", "The metrics could not be collected: see the log.\n"
        start_response(status, [("Content-Type", "text/plain")])
        return [said.encode()]

    server = _Server(("", 0), _Handler, bind_and_activate=False)
    server.socket.close()
    server.socket, server.server_name, server.server_port = listener, "", 0
    server.setup_environ()
    server.set_app(app)
    Thread(target=server.serve_forever, name="metrics", daemon=True).start()
