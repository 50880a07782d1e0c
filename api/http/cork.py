"""TCP_CORK: the head of an answer and its body leave in full packets, not each piece in one of its own.

A server sends head and body by two calls and, with TCP_NODELAY, a packet for each page of a file that it hands to
sendfile; nginx's tcp_nopush is the same remedy. While a file is sent, no more of it waits in the kernel than keeps the
line busy (TCP_NOTSENT_LOWAT): the sender is woken for the next piece before the client has read all there is, so the
two take turns less. Linux has both (tcp(7)); elsewhere, and where the server does not say which socket it writes to,
answers go out as they did.
"""

import socket
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_SOCKET = "gunicorn.socket"
_CORK = getattr(socket, "TCP_CORK", None)
_WAITING = 32 * 1024  # bytes of a file that may wait; 0 stands for the system's own limit, which is none


class _Corked:
    """A body, and the socket to pull the cork from when it has been sent; a plain WSGI iterable."""

    __slots__ = ("body", "socket")

    def __init__(self, body: Iterable[bytes], connection: Any) -> None:
        self.body = body
        self.socket = connection

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.body)

    def close(self) -> None:
        _pull(self.socket)
        if hasattr(self.body, "close"):
            self.body.close()


def corked(body: Iterable[bytes], environ: "WSGIEnvironment") -> Iterable[bytes]:
    """The body, to be sent in full packets up to its end; called before any of the answer is sent."""
    connection = environ.get(_SOCKET)
    if connection is None or _CORK is None or body == ():
        return body
    try:
        connection.setsockopt(socket.IPPROTO_TCP, _CORK, 1)
    except OSError:  # no TCP: a socket of the file system
        return body
    if isinstance(body, environ.get("wsgi.file_wrapper", ())):  # the server looks for this type: it is kept
        return _file(body, connection)
    return _Corked(body, connection)


def _file(body: Any, connection: Any) -> Iterable[bytes]:
    close = getattr(body, "close", None)
    _let_wait(connection, _WAITING)

    def closed() -> None:
        _pull(connection)
        _let_wait(connection, 0)
        if close:
            close()

    body.close = closed
    sent: Iterable[bytes] = body
    return sent


def _let_wait(connection: Any, most: int) -> None:
    with suppress(OSError):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, most)


def _pull(connection: Any) -> None:
    with suppress(OSError):  # the client has gone
        connection.setsockopt(socket.IPPROTO_TCP, _CORK, 0)
