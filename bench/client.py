"""Clients in a process of their own: a load generator for machines without wrk, and a download.

    python -m bench.client load PORT CONNECTIONS SECONDS FILE OFFSET [HEADER VALUE]...
    python -m bench.client download PORT PATH

Both print one line of JSON.
"""

import json
import selectors
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

ADDRESS = "127.0.0.1"
LARGE = 1 << 20


class Connection:
    """One keep-alive connection: what was asked when, and what has come of the answer."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection((ADDRESS, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.asked, self.missing, self.head, self.tail, self.chunked = 0.0, 0, b"", b"", False

    def ask(self, request: bytes) -> None:
        self.asked, self.missing, self.head = time.perf_counter(), -1, b""
        self.socket.sendall(request)

    def take(self) -> tuple[bool, int, bool]:
        """Whether the answer is complete, how many bytes came, whether it is an error."""
        got = self.socket.recv(LARGE)
        if not got:
            raise ConnectionError("closed")
        if self.missing >= 0:
            self.missing -= len(got)
            self.tail = (self.tail + got)[-5:]
            return self._complete(), len(got), False
        self.head += got
        end = self.head.find(b"\r\n\r\n")
        if end < 0:
            return False, len(got), False
        head = self.head[:end].lower()
        _, found, rest = head.partition(b"content-length:")
        length = int(rest.split(b"\r\n")[0]) if found and head[9:12] != b"304" else 0
        self.chunked = b"transfer-encoding: chunked" in head
        self.missing = sys.maxsize if self.chunked else length - (len(self.head) - end - 4)
        self.tail = self.head[end + 4 :][-5:]
        return self._complete(), len(got), head[9:10] not in b"23"

    def _complete(self) -> bool:
        return self.tail == b"0\r\n\r\n" if self.chunked else self.missing <= 0


def load(port: int, connections: int, seconds: float, file: str, offset: int, *headers: str) -> dict[str, float]:
    """Ask as fast as answers come, for some seconds."""
    with open(file) as lines:
        paths = lines.read().split("\n")[:-1]
    more = "".join(f"{name}: {value}\r\n" for name, value in zip(headers[::2], headers[1::2], strict=True))
    requests = [f"GET {path} HTTP/1.1\r\nHost: {ADDRESS}:{port}\r\n{more}\r\n".encode() for path in paths]
    times: list[float] = []
    received = errors = 0
    at = offset
    with selectors.DefaultSelector() as ready:
        for _ in range(connections):
            connection = Connection(port)
            ready.register(connection.socket, selectors.EVENT_READ, connection)
            connection.ask(requests[at % len(requests)])
            at += 1
        start = time.perf_counter()
        while time.perf_counter() - start < seconds:
            for key, _ in ready.select(0.1):
                connection = key.data
                try:
                    complete, size, error = connection.take()
                except OSError:
                    errors += 1
                    ready.unregister(connection.socket)
                    connection = Connection(port)
                    ready.register(connection.socket, selectors.EVENT_READ, connection)
                    complete, size, error = True, 0, False
                else:
                    if complete:
                        times.append(time.perf_counter() - connection.asked)
                received += size
                errors += error
                if complete:
                    connection.ask(requests[at % len(requests)])
                    at += 1
        took = time.perf_counter() - start
    times.sort()
    found = {
        name: times[int(len(times) * part)] * 1e3 if times else 0.0 for name, part in (("p50", 0.5), ("p99", 0.99))
    }
    return {"requests": len(times), "seconds": took, "bytes": received, **found, "errors": errors, "at": at}


@dataclass
class Asked:
    """One server's questions in order, over one connection: seconds of each answer so far, and what went wrong."""

    port: int
    paths: Sequence[str]
    times: list[float] = field(default_factory=list)
    spent: float = 0.0
    error: str = ""

    def __post_init__(self) -> None:
        self.connection = Connection(self.port)

    def one(self) -> None:
        """Ask the next question; again over a new connection if the server has closed this one meanwhile."""
        path = self.paths[len(self.times)]
        request = f"GET {path} HTTP/1.1\r\nHost: {ADDRESS}:{self.port}\r\n\r\n".encode()
        try:
            took, failed = self._answer(request)
        except OSError:
            self.connection.socket.close()
            self.connection = Connection(self.port)
            took, failed = self._answer(request)
        if failed:
            self.error = f"{self.connection.head[9:12].decode(errors='replace')} to {path}"
        self.times.append(took)
        self.spent += took

    def _answer(self, request: bytes) -> tuple[float, bool]:
        self.connection.ask(request)
        complete = failed = False
        while not complete:
            complete, _, error = self.connection.take()
            failed = failed or error
        return time.perf_counter() - self.connection.asked, failed


def by_turns(servers: Sequence[Asked], seconds: float, least: int = 3) -> None:
    """Ask each server for some seconds, `least` questions in any case; next is the one that took the least time so far.

    So the noise of the machine meets all of them alike.
    """
    waiting = list(servers)
    while waiting:
        server = min(waiting, key=lambda one: one.spent)
        server.one()
        done = server.spent > seconds and len(server.times) >= least
        if done or server.error or len(server.times) == len(server.paths):
            waiting.remove(server)
            server.connection.socket.close()


def download(port: int, path: str) -> dict[str, float | str]:
    """Fetch one address and throw the bytes away."""
    buffer = memoryview(bytearray(LARGE))
    with socket.create_connection((ADDRESS, port)) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * LARGE)
        start = time.perf_counter()
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {ADDRESS}\r\nConnection: close\r\n\r\n".encode())
        size = connection.recv_into(buffer)
        first = time.perf_counter() - start
        status = bytes(buffer[9:12]).decode(errors="replace")
        while got := connection.recv_into(buffer):
            size += got
        return {"status": status, "bytes": size, "first": first, "seconds": time.perf_counter() - start}


if __name__ == "__main__":
    kind, *rest = sys.argv[1:]
    if kind == "load":
        port, connections, seconds, file, offset, *headers = rest
        print(json.dumps(load(int(port), int(connections), float(seconds), file, int(offset), *headers)))
    else:
        print(json.dumps(download(int(rest[0]), rest[1])))
