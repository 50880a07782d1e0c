"""Connections that are shut when the head of a response does not come in time.

A socket's timeout begins anew with every byte: a server that sends a byte now and then would hold us forever.
"""

import contextlib
import socket
import threading
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.response import HTTPResponse


class PlainConnection(HTTPConnection):
    """`patience`: seconds from the request to the end of the response's head."""

    def __init__(self, *args: Any, patience: float, **more: Any) -> None:
        super().__init__(*args, **more)
        self.patience = patience

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3 itself has it
        """The response. What fails because the time is over fails as a TimeoutError."""
        late = threading.Event()
        timer = threading.Timer(self.patience, self._shut, [late])
        timer.daemon = True
        timer.start()
        try:
            return super().getresponse()
        except Exception as error:
            if late.is_set():
                raise TimeoutError("timed out") from error
            raise
        finally:
            timer.cancel()

    def _shut(self, late: threading.Event) -> None:
        late.set()
        with contextlib.suppress(OSError, AttributeError):
            self.sock.shutdown(socket.SHUT_RDWR)


class SecureConnection(PlainConnection, HTTPSConnection):
    """The same over TLS."""
