"""Going to another format of the index and back, under load: nothing fails but what docs/OPERATIONS.md says."""

import http.client
import os
import signal
import socket
import threading
import time
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import running
from releases import TWO, package

from api.index import layout
from api.release.build import build
from api.trust import sign_store, verify

NEW = (
    *("/v1/datasets/guns/records", "/v1/datasets/guns/records?value__gte=2", "/v1/datasets/guns/records.csv?fields=id"),
    *(
        "/v1/datasets/guns/aggregate?measure=sum:value&group_by=note",
        "/v1/search?q=second",
        "/releases/1.1.0/data/guns.csv",
    ),
    *("/v1/changes?since=1.0.0", "/v1/releases", "/v1/corrections"),
)
# What the index of an older release answers.
OLD = (
    *("/v1/datasets/guns/records?version=1.0.0", "/v1/datasets/guns/facets?facet=note&version=1.0.0"),
    "/v1/datasets/guns/records/a/history",
)
SETTLED = 1.0  # seconds of load between two steps


class Load:
    """Clients that ask whatever server the front leads to, without a pause, until they are stopped."""

    def __init__(self, url: str) -> None:
        self.front, self.ended = url, threading.Event()
        self.sent: Counter[str] = Counter()
        self.failed: list[tuple[str, object, str]] = []
        self.bodies: defaultdict[str, set[bytes]] = defaultdict(set)
        self.threads = [threading.Thread(target=self._ask, args=(turn,)) for turn in range(3)]

    def __enter__(self) -> "Load":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        for thread in self.threads:
            thread.join()

    def _ask(self, turn: int) -> None:
        addresses = [*NEW, *OLD]
        while not self.ended.is_set():
            address, front = addresses[turn % len(addresses)], self.front
            turn += 1
            connection = http.client.HTTPConnection(urlsplit(front).netloc, timeout=20)
            try:
                connection.request("GET", address)
                answer = connection.getresponse()
                body, again = answer.read(), answer.headers.get("Retry-After", "")
                self.sent[front] += 1
                if answer.status == 200:
                    self.bodies[address].add(body)
                else:
                    self.failed.append((address, answer.status, again))
            except (OSError, http.client.HTTPException) as error:
                self.failed.append((address, error, ""))
            finally:
                connection.close()


def settled(url: str) -> bool:
    """Whether no index is missing any more."""
    with urllib.request.urlopen(f"{url}/readyz", timeout=20) as answer:
        return b"index is being made" not in answer.read()


def until(condition: Callable[[str], bool], url: str) -> None:
    end = time.monotonic() + 60
    while not condition(url):
        assert time.monotonic() < end
        time.sleep(0.05)


def closed(url: str) -> bool:
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", urlsplit(url).port or 80)) != 0


@pytest.mark.parametrize("patient", [True, False], ids=["when it is ready", "at once"])
def test_no_request_fails_while_the_program_goes_forward_and_back(tmp_path: Path, patient: bool) -> None:
    store = tmp_path / "store"
    build(package(tmp_path / "package", TWO), store)
    sign_store(store, lambda _: None)
    steps = [(running.LANTERN, layout.FORMAT), (running.OTHER, "other"), (running.LANTERN, layout.FORMAT)]
    with ExitStack() as stack:
        load: Load | None = None
        last: running.Running | None = None
        for turn, (program, format) in enumerate(steps):
            log = tmp_path / f"log-{turn}"
            server = stack.enter_context(running.lantern(log, "serve", command=program, LANTERN_STORE=str(store)))
            if patient or load is None:
                until(settled, server.url)
                assert len(list(store.glob(f"index/{format}/1.*/index.json"))) == 2
            if load is None or last is None:
                load = stack.enter_context(Load(server.url))
            else:
                load.front = server.url
                time.sleep(SETTLED)  # nobody connects to the old one any more
                os.kill(last.pid, signal.SIGTERM)
                until(closed, last.url)
            last = server
            time.sleep(SETTLED)
        assert "making the index" not in log.read_text()  # the program of before found its own
        load.__exit__()
    assert len(load.sent) == 3 and min(load.sent.values()) > 20
    print(f"{sum(load.sent.values())} requests, {len(load.failed)} failed")  # shown with -s
    allowed = [(address, status) for address, status, again in load.failed if again and address in OLD and not patient]
    assert [(address, status) for address, status, _ in load.failed] == allowed
    assert {status for _, status in allowed} <= {503}
    assert load.bodies.keys() == {*NEW, *OLD}
    assert {address: len(bodies) for address, bodies in load.bodies.items()} == dict.fromkeys(load.bodies, 1)
    assert verify(store, strict=True).problems == []
