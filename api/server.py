"""gunicorn in this process, over our application. Every setting of it is here or comes from LANTERN_* and PORT:
it reads neither GUNICORN_CMD_ARGS nor a gunicorn.conf.py, and imports nothing from the working directory.
"""

import os
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from gunicorn import systemd
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from api.app import create_app
from api.settings import SettingError

BACKLOG = 2048


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
        "worker_class": "gthread",
        "threads": values["THREADS"],
        "preload_app": True,
        "keepalive": 75,
        "limit_request_line": 8190,
        "control_socket_disable": True,  # one path for all servers of a user
    }


def run(values: Mapping[str, Any]) -> None:
    """Serve until a signal ends it. `values` are the settings. Raises SettingError if it cannot listen."""
    bind = _bound(values["HOST"], os.environ.get("PORT") or "8000")
    _Server(
        {**options(values), "bind": bind, "when_ready": _tell, "post_worker_init": _look}, lambda: create_app(**values)
    ).run()


def replace(store: Path) -> NoReturn:
    """Become a process that serves a store and holds nothing of what building or copying it loaded."""
    os.environ["LANTERN_STORE"] = str(store.absolute())
    os.execv(sys.executable, [sys.executable, "-P", "-m", "api", "serve"])


def _bound(host: str, port: str) -> list[str]:
    """A socket that listens, as gunicorn wants it named; none where systemd or a previous master hands over its own."""
    if systemd.listen_fds(unset_environment=False) or "GUNICORN_FD" in os.environ:
        return []
    if not (port.isascii() and port.isdigit() and int(port) < 2**16):
        raise SettingError(f"PORT={port!r}: not a port number (0 to 65535)")
    v6 = ":" in host
    family = socket.AF_INET6 if v6 else socket.AF_INET
    try:  # gunicorn itself tries for five seconds and ends with status 1
        address = host.strip("[]"), int(port)
        listener = socket.create_server(address, family=family, backlog=BACKLOG, dualstack_ipv6=v6)
    except OSError as error:
        raise SettingError(f"cannot listen on {host}, port {port}: {error.strerror}") from error
    return [f"fd://{listener.detach()}"]


def _tell(arbiter: Arbiter) -> None:
    for listener in arbiter.LISTENERS:
        print(f"Serving on {listener}", flush=True)


def _look(worker: Any) -> None:
    """Look at the store before the first request: what has no index gets one (api.index.background)."""
    worker.app.wsgi().extensions["store"].releases()
