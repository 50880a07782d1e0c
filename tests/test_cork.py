"""Answers leave in full packets where the server says which socket it writes to."""

import io
import socket
from collections.abc import Iterator
from pathlib import Path
from wsgiref.util import FileWrapper

import pytest
from packages import table
from served import app_of, rows_path, served
from werkzeug.test import EnvironBuilder

from api.http.cork import corked

pytestmark = pytest.mark.skipif(not hasattr(socket, "TCP_CORK"), reason="TCP_CORK is Linux's")


@pytest.fixture
def connection() -> Iterator[socket.socket]:
    """The server's end of a TCP connection."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as client,
        listener.accept()[0] as connection,
    ):
        yield connection
        client.close()


def in_cork(connection: socket.socket) -> bool:
    return bool(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_CORK))


def waiting(connection: socket.socket) -> int:
    """How many bytes may wait in the kernel to be sent; 0 for its own limit."""
    return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT)


def test_an_answer_is_corked_from_before_its_head_until_it_is_closed(tmp_path: Path, connection: socket.socket) -> None:
    served(tmp_path, table("figures", ["id:integer"], [["1"]]))
    app = app_of(tmp_path / "store")
    for path in (rows_path("figures"), rows_path("figures"), rows_path("figures", extension=".csv"), "/nowhere"):
        environ = EnvironBuilder(path).get_environ() | {"gunicorn.socket": connection}
        body = app.wsgi_app(environ, lambda status, headers, exc_info=None: lambda _: None)
        assert in_cork(connection)
        assert b"".join(body)
        body.close()  # type: ignore[attr-defined]  # a server calls it where there is one
        assert not in_cork(connection)


def test_an_answer_without_a_body_is_not_corked(tmp_path: Path, connection: socket.socket) -> None:
    served(tmp_path, table("figures", ["id:integer"], [["1"]]))
    app = app_of(tmp_path / "store")
    tag = app.test_client().get(rows_path("figures")).headers["ETag"]
    environ = EnvironBuilder(rows_path("figures"), headers={"If-None-Match": tag}).get_environ()
    assert b"".join(app.wsgi_app(environ | {"gunicorn.socket": connection}, lambda *_: lambda _: None)) == b""
    assert not in_cork(connection)


def test_a_file_stays_what_the_server_hands_to_sendfile_and_is_closed(connection: socket.socket) -> None:
    file = io.BytesIO(b"rows")
    body = corked(FileWrapper(file), {"gunicorn.socket": connection, "wsgi.file_wrapper": FileWrapper})
    assert isinstance(body, FileWrapper)
    assert in_cork(connection)
    assert 0 < waiting(connection) < 2**20
    body.close()
    assert (in_cork(connection), waiting(connection), file.closed) == (False, 0, True)


def test_a_socket_that_is_no_tcp_sends_as_it_did() -> None:
    one, other = socket.socketpair()
    with one, other:
        body = (b"rows",)
        assert corked(body, {"gunicorn.socket": one}) is body


def test_a_client_that_has_gone_ends_the_answer_all_the_same(connection: socket.socket) -> None:
    body = corked((b"rows",), {"gunicorn.socket": connection})
    connection.close()
    body.close()  # type: ignore[attr-defined]  # a server calls it where there is one
