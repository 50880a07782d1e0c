"""A running server whose stdout, log and metrics are looked at."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from prometheus_client.parser import text_string_to_metric_families
from running import LANTERN

Labels = frozenset[tuple[str, str]]


class Seen(NamedTuple):
    """A server: its port, the process of its master, and the folder with `out`, `log`, `tmp` and, if asked for, the
    socket `metrics` on which it answers Prometheus.
    """

    port: int
    pid: int
    folder: Path

    def raw(self, *requests: bytes) -> list[bytes]:
        """What the server sends to each of these bytes, each over a connection of its own."""
        answers = []
        for request in requests:
            with socket.create_connection(("127.0.0.1", self.port), timeout=20) as client:
                client.sendall(request)
                client.shutdown(socket.SHUT_WR)
                answers.append(b"".join(iter(lambda: client.recv(1 << 16), b"")))
        return answers

    def get(self, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            client.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
            answer = client.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            client.close()

    def lines(self, name: str, least: int = 0) -> list[str]:
        """The lines of `out` or `log`, once there are so many: an answer is logged after it was sent."""
        until(lambda: len((self.folder / name).read_text().splitlines()) >= least)
        return (self.folder / name).read_text().splitlines()

    def workers(self) -> set[int]:
        return {int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()}

    def metrics(self) -> dict[str, dict[Labels, float]]:
        """The samples by name and labels."""
        return samples(self.scraped())

    def scraped(self, path: str = "/metrics") -> str:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(20)
            client.connect(str(self.folder / "metrics"))
            client.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            return b"".join(iter(lambda: client.recv(1 << 16), b"")).decode().partition("\r\n\r\n")[2]


def samples(text: str) -> dict[str, dict[Labels, float]]:
    found: dict[str, dict[Labels, float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[frozenset(sample.labels.items())] = sample.value
    return found


def labels(**named: str) -> Labels:
    return frozenset(named.items())


@contextmanager
def server(folder: Path, store: Path, command: Sequence[str] = (*LANTERN, "serve"), **environ: str) -> Iterator[Seen]:
    """A server over a store; at the end it and all its processes are killed."""
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    values = {"PORT": "0", "LANTERN_BASE_URL": "", "LANTERN_STORE": str(store), "TMPDIR": str(folder / "tmp")}
    with (folder / "out").open("wb") as out, (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, env={**os.environ, **values, **environ}, stdout=out, stderr=log, start_new_session=True
        )
    try:
        until(lambda: process.poll() is not None or "http://" in (folder / "out").read_text())
        found = re.search(r"http://[^\s\"]*:(\d+)", (folder / "out").read_text())
        assert found, (folder / "log").read_text()[-3000:]
        yield Seen(int(found[1]), process.pid, folder)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def until(condition: Callable[[], Any]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def objects(lines: Sequence[str]) -> list[dict[str, Any]]:
    """Lines of JSON: each must be an object."""
    found = [json.loads(line) for line in lines]
    assert all(isinstance(one, dict) for one in found)
    return found


def script(folder: Path, text: str) -> Sequence[str]:
    """The command of a program of these lines."""
    (folder / "program.py").write_text(text)
    return (sys.executable, "-P", str(folder / "program.py"))
