"""A little load: clients that ask a server all the time, some over one connection that is kept, some over new ones."""

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import NamedTuple
from urllib.parse import urlsplit


class Asked(NamedTuple):
    """One request: when it began, how many seconds it took, and its status or how it failed."""

    at: float
    seconds: float
    got: int | str


@contextmanager
def asking(url: str, *paths: str, kept: Sequence[bool] = (True, False), pause: float = 0.005) -> Iterator[list[Asked]]:
    """What clients got, one for each of `kept`, between the start and the end of the block."""
    asked: list[Asked] = []
    ended = threading.Event()

    def ask(keep: bool) -> None:
        client = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
        turn = 0
        while not ended.is_set():
            began, turn = time.monotonic(), turn + 1
            try:
                client.request("GET", paths[turn % len(paths)])
                answer = client.getresponse()
                answer.read()
                got: int | str = answer.status
            except (OSError, http.client.HTTPException) as error:
                got = type(error).__name__
                client.close()
            asked.append(Asked(began, time.monotonic() - began, got))
            if not keep:
                client.close()
            ended.wait(pause)
        client.close()

    clients = [threading.Thread(target=ask, args=(keep,)) for keep in kept]
    for client in clients:
        client.start()
    try:
        yield asked
    finally:
        ended.set()
        for client in clients:
            client.join()


def failed(asked: Sequence[Asked]) -> list[Asked]:
    return [one for one in asked if one.got != 200]


def until(condition: Callable[[], object], seconds: float = 30) -> None:
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.05)


def add_file(package: Path, path: str, size: int) -> Path:
    """Add a file of so many bytes, which compress to no less, to a package; the package's folder."""
    (package / path).parent.mkdir(parents=True)
    (package / path).write_bytes(Random(size).randbytes(size))
    described = json.loads((package / "datapackage.json").read_text())
    described["resources"].append({"name": "large", "path": path, "format": "bin"})
    (package / "datapackage.json").write_text(json.dumps(described))
    return package
