"""Connections that are shut when the head of an answer does not come in time.

A socket's timeout begins anew with every byte: a server that sends a byte now and then would hold us for ever.
"""

import socket
import threading
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.response import HTTPResponse


class Plain(HTTPConnection):
    """`patience`: seconds from the request to the end of the answer's head."""

    def __init__(self, *args: Any, patience: float, **more: Any) -> None:
        super().__init__(*args, **more)
        self._watch = _Watch(self, patience)

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3 itself has it
        with self._watch:
            return super().getresponse()


class Secure(HTTPSConnection):
    """The same over TLS."""

    def __init__(self, *args: Any, patience: float, **more: Any) -> None:
        super().__init__(*args, **more)
        self._watch = _Watch(self, patience)

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3 itself has it
        with self._watch:
            return super().getresponse()


class _Watch:
    """Shuts a connection's socket after some seconds; what fails thereby fails as a timeout."""

    def __init__(self, connection: HTTPConnection, seconds: float) -> None:
        self.connection, self.seconds = connection, seconds

    def __enter__(self) -> None:
        self.late = False
        self.timer = threading.Timer(self.seconds, self._shut)
        self.timer.daemon = True
        self.timer.start()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.timer.cancel()
        if self.late and error is not None:
            raise TimeoutError("timed out") from error

    def _shut(self) -> None:
        self.late = True
        try:
            self.connection.sock.shutdown(socket.SHUT_RDWR)
        except (OSError, AttributeError):
            pass
