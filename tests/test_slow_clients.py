"""Clients that are slow, idle or hold on: none of them keeps a server's threads, and none that is quick notices."""

import hashlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random

import packages
import pytest
import running

from api.release.build import build

RATE = 1 << 16  # bytes a second: a client may be late with five seconds of it
FILE = "/releases/1.0.0/data/things.csv"  # sent by sendfile
PAGE = "/v1/datasets/things/records?limit=1000"  # sent from memory
PART = "/v1/datasets/things/records.csv?kind=a"  # sent in pieces, or from a temporary file
PATIENCE = 30


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose files, pages and parts are all larger than what the kernel keeps for a client that reads little."""
    folder, random = tmp_path_factory.mktemp("large"), Random(1)
    rows = [[str(number), "ab"[number % 2], f"{random.getrandbits(3600):x}"] for number in range(9_000)]
    package = packages.write(
        folder / "package",
        packages.table("things", ["id:integer", "kind", "note"], rows),
        created="2026-01-01T00:00:00Z",
    )
    build(package, folder / "store")
    return folder / "store"


class Server:
    """A running server, and clients of it."""

    def __init__(self, url: str, log: Path, stack: ExitStack) -> None:
        self.port, self.log, self.stack = int(url.rpartition(":")[2]), log, stack

    def connect(self, sent: bytes = b"", window: int = 4096) -> socket.socket:
        """A client that sent that, and has a small buffer for what it does not read."""
        client = self.stack.enter_context(socket.socket())
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        client.settimeout(PATIENCE)
        client.connect(("127.0.0.1", self.port))
        client.sendall(sent)
        return client

    def ask(self, path: str = "/healthz") -> tuple[int, bytes]:
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        client.request("GET", path)
        answer = client.getresponse()
        body = answer.read()
        client.close()
        return answer.status, body

    def soon(self) -> bool:
        """Whether it answers at once, eight times, so that each of its processes was asked."""
        began = time.monotonic()
        return all(self.ask()[0] == 200 for _ in range(8)) and time.monotonic() - began < 2

    def closed(self) -> int:
        """How many connections it says to have closed."""
        return self.log.read_text().count("Closed a connection: its client took less than SEND_RATE")


def started(tmp_path: Path, store: Path, **environ: str) -> Iterator[Server]:
    with ExitStack() as stack:
        values = {"LANTERN_STORE": str(store), "LANTERN_SEND_RATE": str(RATE), **environ}
        yield Server(
            stack.enter_context(running.lantern(tmp_path / "log", "serve", **values)).url, tmp_path / "log", stack
        )


@pytest.fixture
def server(tmp_path: Path, store: Path) -> Iterator[Server]:
    """With two processes of four threads."""
    yield from started(tmp_path, store, LANTERN_THREADS="4")


@pytest.fixture
def single(tmp_path: Path, store: Path) -> Iterator[Server]:
    """With one process of one thread: whoever holds it, holds all."""
    yield from started(tmp_path, store, LANTERN_WORKERS="1", LANTERN_THREADS="1")


def get(path: str, *headers: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: here", *headers, "", ""]).encode()


def seconds(until: Callable[[], bool]) -> float:
    began = time.monotonic()
    while not until():
        assert time.monotonic() - began < PATIENCE
        time.sleep(0.1)
    return time.monotonic() - began


def drip(client: socket.socket, size: int, pause: float) -> bytes:
    """All that a client gets that reads so many bytes between pauses, until the end of the connection."""
    pieces = []
    try:
        while piece := client.recv(size):
            pieces.append(piece)
            time.sleep(pause)
    except ConnectionResetError:
        pass
    return b"".join(pieces)


@pytest.mark.parametrize(("path", "times"), [(FILE, 1), (PAGE, 6), (PART, 1)])
def test_a_client_that_never_reads_is_closed_and_the_thread_is_free(single: Server, path: str, times: int) -> None:
    client = single.connect(get(path) * times)
    time.sleep(1.5)  # until the buffers are full
    began = time.monotonic()
    assert single.ask()[0] == 200
    assert 1 < time.monotonic() - began < 10
    assert single.closed() == 1
    assert 0 < len(drip(client, 1 << 20, 0)) < len(single.ask(path)[1]) * times
    assert "Traceback" not in single.log.read_text()


def test_a_client_that_reads_a_kilobyte_a_second_is_closed(single: Server) -> None:
    client = single.connect(get(FILE))
    began = time.monotonic()
    got = drip(client, 256, 0.25)
    assert 3 < time.monotonic() - began < PATIENCE
    assert 1000 < len(got) < 100_000
    assert single.closed() == 1


def test_eight_that_never_read_are_closed_and_the_ninth_gets_its_answer(server: Server) -> None:
    eight = [server.connect(get(FILE)) for _ in range(8)]
    time.sleep(0.5)
    assert server.ask()[0] == 200
    assert seconds(lambda: server.closed() == len(eight)) < 20
    assert server.soon()


def test_a_client_above_the_rate_gets_everything_byte_for_byte(server: Server, store: Path) -> None:
    """For twice as long as it could be late, with the buffers that a system gives it, and with small ones."""
    expected = {
        FILE: (store / "releases" / "1.0.0" / "data" / "things.csv").read_bytes(),
        **{path: server.ask(path)[1] for path in (PAGE, PART)},
    }
    assert min(map(len, expected.values())) > 800_000
    got: dict[tuple[str, int], str] = {}

    def read(path: str, window: int) -> None:
        client = server.connect(get(path, "Connection: close"), window)
        size = max(RATE // 8, len(expected[path]) // 100)
        body = drip(client, size, 0.1).partition(b"\r\n\r\n")[2]
        got[path, window] = hashlib.sha256(body).hexdigest()

    readers = [threading.Thread(target=read, args=(path, window)) for path in expected for window in (1 << 16, 1 << 22)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(2 * PATIENCE)
    assert len(got) == 6
    assert {key: hashlib.sha256(expected[key[0]]).hexdigest() for key in got} == got
    assert server.closed() == 0


def test_a_rate_of_0_closes_nobody(tmp_path: Path, store: Path) -> None:
    for server in started(tmp_path, store, LANTERN_SEND_RATE="0"):
        client = server.connect(get(FILE, "Connection: close"))
        time.sleep(7)
        assert len(drip(client, 1 << 20, 0)) > (store / "releases" / "1.0.0" / "data" / "things.csv").stat().st_size
        assert server.closed() == 0


def test_idle_connections_and_unfinished_heads_hold_no_thread_and_are_closed(server: Server) -> None:
    idle = [server.connect() for _ in range(50)]
    heads = [server.connect(get("/healthz")[:-2]) for _ in range(50)]
    began = time.monotonic()
    assert server.soon()
    while time.monotonic() - began < 12:  # a byte now and then gains no time
        for client in heads:
            try:
                client.sendall(b"X")
            except OSError:
                pass
        time.sleep(1)
    for client in idle:
        assert client.recv(1) == b""
    for client in heads:
        try:
            assert client.recv(1) == b""
        except ConnectionResetError:
            pass
    assert server.soon()


def test_a_head_in_pieces_is_answered_and_the_connection_kept(server: Server) -> None:
    client = server.connect()
    for _ in range(2):
        for piece in (b"GET /healthz HT", b"TP/1.1\r", b"\nHost: here\r\n\r", b"\n"):
            client.sendall(piece)
            time.sleep(0.1)
        answer = http.client.HTTPResponse(client)
        answer.begin()
        assert (answer.status, answer.headers["Connection"]) == (200, "keep-alive")
        answer.read()


def test_two_requests_in_one_piece_are_both_answered(server: Server) -> None:
    client = server.connect(get("/healthz") + get("/healthz", "Connection: close"))
    assert drip(client, 1 << 16, 0).count(b"HTTP/1.1 200 OK") == 2


def test_a_request_whose_client_sends_no_more_is_answered(server: Server) -> None:
    client = server.connect(get("/healthz"))
    client.shutdown(socket.SHUT_WR)
    assert drip(client, 1 << 16, 0).startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET / HTTP/1.1\nHost: here\n\n", b"400"),
        (b"\r\n\r\n", b"400"),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (get("/", *(f"X-{number}: 1" for number in range(150))), b"431"),
    ],
    ids=["line-feeds", "empty", "long-line", "many-fields"],
)
def test_a_head_that_is_wrong_is_refused_at_once(single: Server, head: bytes, status: bytes) -> None:
    """With a problem document, which a page from another origin can read too."""
    answer = http.client.HTTPResponse(single.connect(head))
    answer.begin()
    body = json.loads(answer.read())
    assert (answer.status, body["status"]) == (int(status), int(status))
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["X-Request-Id"] == body["request_id"]
    assert body["type"] == "about:blank"
    assert body["detail"]


def test_a_head_without_end_is_closed(single: Server) -> None:
    client = single.connect(get("/")[:-2])
    for number in range(100):
        client.sendall(b"X-%d: 1\r\n" % number * 100)
    began = time.monotonic()
    assert drip(client, 1, 0) == b""
    assert time.monotonic() - began < 5
    assert single.soon()


def test_clients_that_do_not_end_their_connections_halt_nobody(single: Server) -> None:
    ended = [single.connect(get("/healthz", "Connection: close")) for _ in range(8)]
    for client in ended:
        assert client.recv(1 << 16).startswith(b"HTTP/1.1 200 OK")
    assert single.soon()


BODIES = {
    "that does not come": (b"Content-Length: 1000000000\r\n", b""),
    "that is slow": (b"Content-Length: 1000000000\r\n", b"x"),
    "in chunks": (b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n"),
    "that waits to be asked for": (b"Content-Length: 1000000\r\nExpect: 100-continue\r\n", b""),
    "that is there": (b"Content-Length: 5\r\n", b"hello"),
}


@pytest.mark.parametrize(("length", "body"), BODIES.values(), ids=BODIES)
def test_a_body_is_not_waited_for(single: Server, length: bytes, body: bytes) -> None:
    clients = [
        single.connect(b"POST /v1/datasets HTTP/1.1\r\nHost: here\r\n" + length + b"\r\n" + body) for _ in range(8)
    ]
    began = time.monotonic()
    for client in clients:
        answer = http.client.HTTPResponse(client)
        answer.begin()
        assert (answer.status, answer.headers["Connection"]) == (405, "close")
        assert json.loads(answer.read())["status"] == 405
    assert single.soon()
    assert time.monotonic() - began < 4
    for client in clients:
        assert client.recv(1) == b""


def test_who_sends_a_large_body_gets_the_answer_and_halts_nobody(single: Server) -> None:
    client = single.connect(b"POST /v1/datasets HTTP/1.1\r\nHost: here\r\nContent-Length: 1000000000\r\n\r\n")
    for _ in range(100):
        client.sendall(b"x" * (1 << 16))
    assert client.recv(1 << 16).startswith(b"HTTP/1.1 405")
    assert single.soon()


def test_a_body_of_a_request_that_is_answered_is_not_the_next_request(single: Server) -> None:
    body = get("/healthz")
    client = single.connect(get("/v1/", f"Content-Length: {len(body)}") + body)
    assert drip(client, 1 << 16, 0).count(b"HTTP/1.1 200 OK") == 1
