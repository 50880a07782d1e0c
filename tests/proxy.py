"""A proxy that misbehaves: it stands before a real server, passes requests on, and plays tricks on the answers."""

import contextlib
import http.client
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Write = Callable[[bytes], None]


class Cut(Exception):
    """The connection ends here."""


@dataclass
class Answer:
    """What the origin answered, and to what."""

    path: str
    asked: dict[str, str]
    status: int
    headers: dict[str, str]
    body: bytes

    def head(self, length: int | None = None) -> bytes:
        """Status line and headers; the length is that of the body, or a lie."""
        headers = {**self.headers, "Content-Length": str(len(self.body) if length is None else length)}
        lines = [f"HTTP/1.1 {self.status} {http.client.responses.get(self.status, 'Whatever')}"]
        return "\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers.items()), "", ""]).encode("latin-1")


Trick = Callable[[Answer, Write], None]


def honest(answer: Answer, write: Write) -> None:
    """The answer as it is."""
    write(answer.head() + answer.body)


def altered(change: Callable[[bytes], bytes]) -> Trick:
    """The answer with another body, and the length that this has."""

    def trick(answer: Answer, write: Write) -> None:
        answer.body = change(answer.body)
        honest(answer, write)

    return trick


def flipped(body: bytes) -> bytes:
    """The same bytes but for one bit in the middle."""
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]


def replaced(body: bytes, status: int = 200, **headers: str) -> Trick:
    """Another answer altogether; in header names _ stands for -."""

    def trick(answer: Answer, write: Write) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        write(Answer(answer.path, answer.asked, status, named, body).head() + body)

    return trick


def false_length(difference: int) -> Trick:
    """The whole body under a length that is wrong by so many bytes; then the connection ends."""

    def trick(answer: Answer, write: Write) -> None:
        write(answer.head(len(answer.body) + difference) + answer.body)
        raise Cut

    return trick


def cut_at(phase: str) -> Trick:
    """The connection ends before an answer, in its head, after its head, in its body, before the last byte."""

    def trick(answer: Answer, write: Write) -> None:
        head, body = answer.head(), answer.body
        write(
            {
                "before": b"",
                "head": head[: len(head) // 2],
                "body": head,
                "middle": head + body[: len(body) // 2],
                "end": head + body[:-1],
            }[phase]
        )
        raise Cut

    return trick


def dripping(seconds: float, within: str) -> Trick:
    """A byte now and then, in the head or in the body, until the other side has had enough."""

    def trick(answer: Answer, write: Write) -> None:
        sent = b"" if within == "head" else answer.head()
        write(sent)
        for byte in (answer.head() + answer.body)[len(sent) :]:
            write(bytes([byte]))
            time.sleep(seconds)

    return trick


def endless(answer: Answer, write: Write) -> None:
    """A body without a length that does not end."""
    answer.headers["Transfer-Encoding"] = "chunked"
    head = b"\r\n".join(line for line in answer.head().split(b"\r\n") if not line.lower().startswith(b"content-length"))
    write(head)
    while True:
        write(b"1000\r\n" + b"x" * 0x1000 + b"\r\n")


def throttled(bytes_per_second: int) -> Trick:
    """An honest answer over a slow line."""

    def trick(answer: Answer, write: Write) -> None:
        data = answer.head() + answer.body
        for start in range(0, len(data), 1024):
            write(data[start : start + 1024])
            time.sleep(1024 / bytes_per_second)

    return trick


@dataclass
class Rule:
    """A trick for addresses that a pattern finds, for the first `times` of them."""

    pattern: str
    trick: Trick
    times: int = 10**9


@dataclass
class Proxy:
    """Listens on a port of its own while it is open. Counts what it sends and keeps what it was asked."""

    host: str
    port: int
    rules: list[Rule] = field(default_factory=list)
    mapped: Callable[[str], str] = lambda path: path
    sent: int = 0
    asked: list[tuple[str, str]] = field(default_factory=list)
    refused: int = 0
    url: str = ""
    most_at_once: int = 0

    def __post_init__(self) -> None:
        self.lock = threading.Lock()
        self.open: set[socket.socket] = set()
        self.closed = False

    def play(self, pattern: str, trick: Trick, times: int = 10**9) -> None:
        self.rules.insert(0, Rule(pattern, trick, times))

    def forget(self) -> None:
        """Be honest from now on, and count from nought."""
        with self.lock:
            self.rules, self.sent, self.asked, self.refused = [], 0, [], 0
        self.mapped = lambda path: path

    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with self.lock:
                refuse = self.refused > 0 or self.closed
                self.refused -= 1 if self.refused > 0 else 0
                if not refuse:
                    self.open.add(connection)
                    self.most_at_once = max(self.most_at_once, len(self.open))
            if refuse:
                connection.close()
            else:
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        origin = http.client.HTTPConnection(self.host, self.port, timeout=20)
        with contextlib.suppress(OSError, Cut, http.client.HTTPException):
            with connection.makefile("rb") as lines:
                while request := lines.readline():
                    self._exchange(request.decode("latin-1").split(" ")[1], lines, origin, connection)
        origin.close()
        with self.lock:
            self.open.discard(connection)
        connection.close()

    def _exchange(
        self, path: str, lines: Iterator[bytes], origin: http.client.HTTPConnection, connection: socket.socket
    ) -> None:
        asked = {}
        for line in lines:
            name, colon, value = line.decode("latin-1").partition(":")
            if not colon:
                break
            asked[name.lower()] = value.strip()
        with self.lock:
            self.asked.append((path, asked.get("range", "")))
        passed = {name: value for name, value in asked.items() if name not in ("host", "connection")}
        origin.request("GET", self.mapped(path), headers=passed)
        response = origin.getresponse()
        body = response.read()
        kept = {name: value for name, value in response.getheaders() if name.lower() != "content-length"}

        def write(data: bytes) -> None:
            connection.sendall(data)
            with self.lock:
                self.sent += len(data)

        self._trick(path)(Answer(path, asked, response.status, kept, body), write)

    def _trick(self, path: str) -> Trick:
        with self.lock:
            for rule in self.rules:
                if rule.times > 0 and re.search(rule.pattern, path):
                    rule.times -= 1
                    return rule.trick
        return honest


@contextmanager
def between(origin: str) -> Iterator[Proxy]:
    """A proxy before an origin (http://host:port); closed with every connection at the end."""
    host, _, port = origin.removeprefix("http://").partition(":")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = Proxy(host, int(port), url=f"http://127.0.0.1:{listener.getsockname()[1]}")
        accepting = threading.Thread(target=proxy._serve, args=(listener,), daemon=True)
        accepting.start()
        try:
            yield proxy
        finally:
            with proxy.lock:
                proxy.closed = True
                for connection in proxy.open:
                    with contextlib.suppress(OSError):
                        connection.shutdown(socket.SHUT_RDWR)
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join(5)
