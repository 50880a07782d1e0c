"""gunicorn in this process, over our application. Every setting of it is here or comes from LANTERN_* and PORT:
it reads neither GUNICORN_CMD_ARGS nor a gunicorn.conf.py, and imports nothing from the working directory.
"""

import json
import logging
import os
import socket
import sys
from bisect import insort
from collections.abc import Callable, Mapping
from contextlib import suppress
from ctypes import c_int, c_long
from errno import EPIPE
from fcntl import ioctl
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from selectors import EVENT_READ
from termios import TIOCOUTQ
from time import monotonic, time
from typing import Any, NoReturn

from gunicorn import systemd, util
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.workers.gthread import ThreadWorker

from api.app import create_app
from api.http.cache import COMMON
from api.http.errors import MEDIA_TYPE
from api.monitoring import access, log
from api.monitoring.answers import Logger
from api.settings import SettingError

BACKLOG = 2048
HEAD_SECONDS, HEAD_BYTES = 10, 1 << 16  # of a request: who needs more is closed
LAG, LAG_SECONDS = 1 << 17, 5  # bytes that a client may be late with (buffers empty in lumps), and the least in time
LINGER_SECONDS = 2  # for a client to end a connection that we ended
END_SECONDS = 30  # for responses that are being sent when a process is to end


class _Client(socket.socket):
    """A client's connection. It is closed where the client takes less than `rate` bytes a second (0: any)."""

    def __init__(self, plain: socket.socket, rate: int) -> None:
        super().__init__(plain.family, plain.type, plain.proto, fileno=plain.detach())
        self.rate, self.queued, self.filed = rate or 1e-9, 0, 0  # bytes that were sent from a file
        self.refused: Callable[[int, str, int], object] = lambda *_: None  # is told what _refuse answers
        self.most = self.left = max(LAG_SECONDS, LAG / self.rate)  # seconds that we wait for it
        self.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, bytes((c_long * 2)(1, 0)))  # then _push looks

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self._push(partial(self.send, rest, flags)) or 0 :]

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        at, end, send = offset, offset + (count or 1 << 62), partial(os.sendfile, self.fileno(), file.fileno())
        while at < end and (sent := self._push(partial(send, at, min(end - at, 1 << 20)))) != 0:
            at += sent or 0
            self.filed += sent or 0
        return at - offset

    def _push(self, send: Callable[[], int]) -> int | None:
        began, sent = monotonic(), None
        with suppress(BlockingIOError):
            sent = send()
        self.left, self.queued = self.left - (monotonic() - began), self.queued + (sent or 0)
        if self.left < self.most - 1:  # what waits in the kernel is not taken yet
            queued = 0
            with suppress(OSError):  # systems that do not tell
                queued = int.from_bytes(ioctl(self, TIOCOUTQ, bytes(4)), sys.byteorder)
            self.left, self.queued = min(self.left + (self.queued - queued) / self.rate, self.most), queued
        if self.left < 0:
            logging.getLogger("gunicorn.error").warning("Closed a connection: its client took less than SEND_RATE")
            self.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes((c_int * 2)(1, 0)))  # with what waits
            raise BrokenPipeError(EPIPE, "too slow")
        return sent


class _Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """gthread whose poller, not a thread, waits for the head of a request and for the end of a connection."""

    def enqueue_req(self, conn: Any) -> None:
        if not conn.initialized:
            conn.sock, conn.ended = _Client(conn.sock, self.rate), False
            conn.init()
        if not conn.ended:
            super().enqueue_req(conn)
        elif _received(conn):
            self._wait(conn)
        else:
            self.nr_conns -= 1
            conn.close()

    def _wait(self, conn: Any) -> None:
        """Enqueue it again when there is something to read, with data_ready; or murder_pending closes it."""
        insort(self.pending_conns, conn, key=lambda one: one.timeout)
        self.poller.register(conn.sock, EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def handle(self, conn: Any) -> bool | None:
        """Answer, in a thread, where the parser need not wait: at a head, or a bare line feed (refused). Else None."""
        if not conn.data_ready:
            conn.timeout = monotonic() + HEAD_SECONDS
        data = _received(conn)
        head = conn.parser.unreader.take_buffered() + (data or b"")
        conn.parser.unreader.unread(head)
        if data == b"" or b"\r\n\r\n" in head or head.count(b"\n") > head.count(b"\r\n"):
            conn.data_ready, conn.sock.left, conn.sock.filed = False, conn.sock.most, 0
            log.answered.set(None)
            return bool(super().handle(conn))
        return False if len(head) > HEAD_BYTES else None

    def handle_request(self, req: Any, conn: Any) -> bool:
        """Answer without the body of a request, which nothing here asks for and whose end may never come."""
        if getattr(req.body.reader, "length", None) != 0:
            req._expected_100_continue = False
            req.force_close()
        return bool(super().handle_request(req, conn))

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """Answer what gunicorn cannot: it logs the address of the client, if it knows it."""
        client.refused = partial(self.log.refused, req or getattr(exc, "req", None))
        super().handle_error(req, client, addr if self.addresses else None, exc)

    def finish_request(self, conn: Any, fs: Any) -> None:
        """End a connection without halting the poller for it, as gunicorn does for up to two seconds."""
        result = False if fs.cancelled() or fs.exception() else fs.result()
        if result:
            return super().finish_request(conn, fs)  # type: ignore[no-any-return]
        if conn.sock.fileno() < 0:  # gunicorn closed it, because the application failed while it was sending
            self.nr_conns -= 1
            return None
        if result is False:
            with suppress(OSError):
                conn.sock.shutdown(socket.SHUT_WR)
            conn.ended, conn.timeout = True, monotonic() + LINGER_SECONDS
        return self._wait(conn)

    def is_parent_alive(self) -> bool:
        """End like after a TERM when the master was killed: new connections are for another master."""
        if not super().is_parent_alive():
            self.alive = False
        return bool(self.alive)

    def set_accept_enabled(self, enabled: bool) -> None:
        super().set_accept_enabled(enabled)
        if not (enabled or self.alive):
            for listener in self.sockets:
                listener.close()  # or the port stays taken until the last response is sent

    def run(self) -> None:
        super().run()
        self.handle_quit()  # Python would wait for threads that send for longer than END_SECONDS

    def handle_quit(self, *_: Any) -> NoReturn:
        logging.shutdown()
        os._exit(0)


def _received(conn: Any) -> bytes | None:
    """What is there to read: b"" at the end of a connection, None where nothing is yet."""
    try:
        return bytes(conn.sock.recv(HEAD_BYTES, socket.MSG_DONTWAIT))
    except OSError as error:
        return None if isinstance(error, BlockingIOError) else b""


def _refuse(sock: _Client, status: int, reason: str, detail: str) -> None:
    """Answer a request that gunicorn itself refuses, before any application sees it, with a problem document."""
    request_id = os.urandom(9).hex()
    problem = {"type": "about:blank", "title": reason, "status": status, "detail": detail, "instance": ""}
    body = json.dumps({**problem, "request_id": request_id}) + "\n"
    headers = {**COMMON, "Content-Type": MEDIA_TYPE, "Content-Length": len(body), "Cache-Control": "no-store"}
    headers |= {"Date": util.http_date(), "X-Request-Id": request_id, "Connection": "close"}
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in headers.items())]
    sock.refused(status, request_id, len(body))
    util.write_nonblock(sock, "\r\n".join([*lines, "", body]).encode("ascii"))


class _Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn with these options and no others."""

    def __init__(self, options: Mapping[str, Any], load: Callable[[], Any]) -> None:
        self.options, self.load = options, load
        super().__init__()

    def load_config(self) -> None:
        for name, value in self.options.items():
            self.cfg.set(name, value)


def options(values: Mapping[str, Any]) -> dict[str, Any]:
    """gunicorn's options for our settings; those that are not settings were chosen by measurement (bench/RESULTS.md).

    All workers take connections from one queue (no reuse_port), so a reload or the end of a worker resets none.
    """
    return {
        "workers": values["WORKERS"],
        "worker_class": type(
            "Worker", (_Worker,), {"rate": values["SEND_RATE"], "addresses": values["ACCESS_LOG_ADDRESSES"]}
        ),
        "threads": values["THREADS"],
        "preload_app": True,
        "keepalive": 75,
        "limit_request_line": 8190,
        "control_socket_disable": True,  # one path for all servers of a user
        "graceful_timeout": END_SECONDS,
        # Who believes proxies is the application, by a setting, and nobody believes SCRIPT_NAME and PATH_INFO.
        **{"forwarded_allow_ips": "", "forwarder_headers": "", "secure_scheme_headers": {}},
    }


def run(values: Mapping[str, Any], create: Callable[..., Any] = create_app) -> None:
    """Serve until a signal ends it. `values` are the settings, with which `create` makes the application.

    Raises SettingError if it cannot listen.
    """
    log.configure(values["LOG"])
    util.write_error = _refuse  # what gunicorn answers with by itself, in HTML, ends there
    form, watch = values["ACCESS_LOG"], []
    hooks: dict[str, Any] = {"when_ready": partial(_tell, form, values["PROXIES"]), "post_worker_init": _look}
    listener = _listener(values["HOST"])
    bind = [f"fd://{listener.detach()}"] if listener else []
    if form:
        watch.append(access.writer(form, values["ACCESS_LOG_ADDRESSES"]))
    if values["METRICS"]:
        from api.monitoring import metrics, scrape

        watch.append(metrics.count_answer)
        hooks |= scrape.hooks(values["METRICS"])
    logger = type("Logger", (Logger,), {"watch": watch})
    _Server({**options(values), "bind": bind, "logger_class": logger, **hooks}, lambda: create(**values)).run()


def replace(store: Path) -> NoReturn:
    """Become a process that serves a store and holds nothing of what building or copying it loaded."""
    os.environ["LANTERN_STORE"] = str(store.absolute())
    os.execv(sys.executable, [sys.executable, "-P", "-m", "api", "serve"])


def refuse_address(host: str) -> None:
    """Raise SettingError where `run` could not listen: before long work, which it would make vain."""
    if listener := _listener(host):
        listener.close()


def _listener(host: str) -> socket.socket | None:
    """A socket that listens at a host and PORT; none where systemd or a previous master hands over its own."""
    port = os.environ.get("PORT") or "8000"
    if systemd.listen_fds(unset_environment=False) or "GUNICORN_FD" in os.environ:
        return None
    if not (port.isascii() and port.isdigit() and int(port) < 2**16):
        raise SettingError(f"PORT={port!r}: not a port number (0 to 65535)")
    v6 = ":" in host
    family = socket.AF_INET6 if v6 else socket.AF_INET
    try:  # gunicorn itself tries for five seconds and ends with status 1
        address = host.strip("[]"), int(port)
        return socket.create_server(address, family=family, backlog=BACKLOG, dualstack_ipv6=v6)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SettingError(f"cannot listen on {host}, port {port}: {reason}") from error


def _tell(form: str, proxies: int, arbiter: Arbiter) -> None:
    """Print the address on stdout, in the form of the access log; warn of one that is open without a proxy."""
    for listener in arbiter.LISTENERS:
        said = {"time": log.moment(time()), "message": f"Serving on {listener}"}
        print(json.dumps(said) if form == "json" else said["message"], flush=True)
        host, *_ = listener.getsockname() or ("",)
        if listener.FAMILY != socket.AF_UNIX and not ip_address(host).is_loopback and not proxies:
            alone = f"{host} is open to other machines, and slow clients can hold this server"
            arbiter.log.warning(f"{alone}: put a proxy in front and set LANTERN_PROXIES (docs/OPERATIONS.md)")


def _look(worker: Any) -> None:
    """Look at the store before the first request: what has no index gets one (api.index.making).

    Threads change places every millisecond: a little question does so some ten times, beside costly ones that compute.
    """
    sys.setswitchinterval(0.001)
    worker.app.wsgi().extensions["store"].releases()
