"""Clients: those that ask and look at what they get, in threads, and those that are slow on purpose."""

import http.client
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from bench.soak.questions import KINDS, Answer, Dice, Question

PATIENCE = 60.0  # seconds
DELIBERATE = 503  # with Retry-After and a problem document: the server says no, and when to come back
AFTER_KILL = 3.0  # seconds after the kill of a worker in which its connections may break


@dataclass
class Tally:
    """What came of the questions of one kind. `times`: seconds of each answer."""

    asked: int = 0
    times: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    busy: int = 0
    broken: int = 0
    killed: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    compared: int = 0
    examples: list[str] = field(default_factory=list)

    def note(self, fault: str, example: str) -> None:
        self.faults[fault] += 1
        if len(self.examples) < 5:
            self.examples.append(f"{fault}: {example}")

    def percentile(self, share: float) -> float:
        """In milliseconds."""
        times = sorted(self.times)
        return times[min(int(len(times) * share), len(times) - 1)] * 1000 if times else 0.0


@dataclass
class Asking:
    """Threads that ask until `over` is set; `kills` holds the moments when a worker was killed."""

    port: int
    dice: Dice
    kills: list[float]
    over: threading.Event = field(default_factory=threading.Event)
    tallies: dict[str, Tally] = field(default_factory=lambda: {kind: Tally() for kind in KINDS})
    lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self, kinds: str) -> threading.Thread:
        """A client that draws from these kinds, by name, separated by spaces."""
        thread = threading.Thread(target=self._ask, args=(kinds.split(),), daemon=True)
        thread.start()
        return thread

    def _ask(self, kinds: list[str]) -> None:
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        while not self.over.is_set():
            kind = random.choice(kinds)
            question = KINDS[kind](self.dice)
            begun, start = time.time(), time.perf_counter()
            try:
                client.request(question.method, question.path, headers=_plain(question))
                response = client.getresponse()
                answer = Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
                error = ""
            except (OSError, http.client.HTTPException) as problem:
                client.close()
                answer, error = None, repr(problem)
            with self.lock:
                self._count(self.tallies[kind], question, answer, error, time.perf_counter() - start, begun)

    def _count(
        self, tally: Tally, question: Question, answer: Answer | None, error: str, seconds: float, begun: float
    ) -> None:
        tally.asked += 1
        near = any(begun - AFTER_KILL < kill < begun + seconds + AFTER_KILL for kill in self.kills)
        if answer is None or answer.status in (502, 504):
            if near:
                tally.killed += 1
            else:
                tally.broken += 1
                tally.note("failed", f"{error or answer and answer.status} {question.method} {question.path[:200]}")
            return
        tally.times.append(seconds)
        tally.statuses[answer.status] += 1
        if answer.status == DELIBERATE and "retry-after" in answer.headers and b"/problems/" in answer.body:
            tally.busy += 1
            if question.allowed == (200,):
                tally.note("busy", f"{question.path[:200]} {answer.body[:150]!r}")
        elif answer.status not in question.allowed:
            tally.note("status", f"{answer.status} {question.method} {question.path[:300]} {answer.body[:200]!r}")
        elif answer.status == 200 and question.method == "GET":
            tally.compared += 1
            fault = question.fault(answer)
            if fault:
                tally.note(fault, question.path[:300])


def _plain(question: Question) -> dict[str, str]:
    return {name: value.encode().decode("latin-1") for name, value in question.headers.items()}


def slow_heads(port: int, count: int, over: threading.Event) -> threading.Thread:
    """Connections that send a letter of a header now and then, opened again when they are closed."""

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"a")

    return _held(port, count, over, b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ", drip)


def slow_readers(port: int, count: int, over: threading.Event, path: str) -> threading.Thread:
    """Connections that ask for a large file and read a little of it now and then."""

    def sip(connection: socket.socket) -> None:
        connection.recv(200)

    return _held(port, count, over, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode(), sip)


def _held(
    port: int, count: int, over: threading.Event, first: bytes, then: Callable[[socket.socket], object]
) -> threading.Thread:
    """Keep so many connections, each with something sent first, and do something with each twice a second."""

    def hold() -> None:
        held: list[socket.socket] = []
        while not over.wait(0.5):
            for connection in list(held):
                try:
                    then(connection)
                except OSError:
                    held.remove(connection)
                    connection.close()
            with suppress(OSError):
                while len(held) < count:
                    connection = socket.create_connection(("127.0.0.1", port), timeout=2)
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                    held.append(connection)
                    connection.sendall(first)
        for connection in held:
            connection.close()

    thread = threading.Thread(target=hold, daemon=True)
    thread.start()
    return thread
