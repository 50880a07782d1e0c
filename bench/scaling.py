"""What many mirrors and readers cost the origin: measured on one, then simulated for many. docs/SCALING.md.

`python -m bench.scaling` builds this repository's package, serves it with gunicorn, and lets one real mirror and one
reader ask it through a relay that counts every byte. The simulation then plays a day of many of them, with a cache in
between or without. Sizes come from the release of today; the dice are always the same.
"""

import argparse
import http.client
import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from pathlib import Path

from bench.places import ROOT

DAY = 86_400.0
MANY = (10, 1_000, 100_000)
EDGES = 50  # places where a content delivery network keeps its own copy
ADDRESSES = 2_000  # what the readers of a day ask for, the n-th most wanted 1/n times as often as the first
QUESTIONS = 20  # of a reader in a day
KEPT = 300.0  # seconds a reader's own program may keep an answer (max-age)
MIB = 2**20
NOTHING, UPDATE = "mirror: looks, nothing is new", "mirror: the next release"
PAGE, SAME = "reader: a page of 100 rows, gzip", "reader: the same again, 304"


@dataclass(frozen=True)
class Cost:
    """What a piece of work takes from the server: requests, and bytes sent to it and by it, heads included."""

    requests: int
    up: int
    down: int


# Measuring


class Relay:
    """Passes bytes between clients and a server, and counts them."""

    def __init__(self, port: int) -> None:
        self.port, self.up, self.down, self.requests = port, 0, 0, 0
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.port))
            for source, target, upwards in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._pass, args=(source, target, upwards), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, upwards: bool) -> None:
        try:
            while data := source.recv(1 << 16):
                with self.lock:
                    self.up += len(data) if upwards else 0
                    self.down += 0 if upwards else len(data)
                    self.requests += len(re.findall(rb"(?m)^GET .* HTTP/1.1\r$", data)) if upwards else 0
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def cost(self, work: Callable[[], object]) -> Cost:
        """What a piece of work took."""
        before = self.requests, self.up, self.down
        work()
        time.sleep(0.05)  # the last bytes are counted by another thread
        after = self.requests, self.up, self.down
        return Cost(*(b - a for a, b in zip(before, after, strict=True)))


@contextmanager
def relayed(store: Path) -> Iterator[Relay]:
    """A relay before a server over a store."""
    environ = {**os.environ, "LANTERN_STORE": str(store), "LANTERN_BASE_URL": "", "PORT": "0"}
    command = [sys.executable, "-P", "-m", "api", "serve"]
    process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    try:
        yield Relay(int(process.stdout.readline().rpartition(":")[2]))
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


def measured(work: Path) -> dict[str, Cost]:
    """The costs of one mirror and of one reader, by name."""
    from api.release.build import build
    from api.trust import sign_store

    whole, store = work / "whole", work / "store"
    build(_package(work / "package"), whole)
    first, second, third = _versions(whole)
    found: dict[str, Cost] = {}
    (store / "releases").mkdir(parents=True)
    _publish(whole, store, first)
    with relayed(store) as relay:
        mirror = _mirroring(relay.url, work / "mirror")
        found[f"mirror: first copy ({first})"] = relay.cost(mirror)
        found[NOTHING] = relay.cost(mirror)
        sign_store(store, lambda _: None, refresh=True)
        found["mirror: only the timestamp is new"] = relay.cost(mirror)
        _publish(whole, store, second)
        found[UPDATE] = relay.cost(mirror)
        found[f"mirror: first copy ({first} and {second})"] = relay.cost(_mirroring(relay.url, work / "second"))
        found |= _reader(relay)
        _publish(whole, store, third)
        found["mirror: a release whose data is the same"] = relay.cost(mirror)
    return found


def _package(folder: Path) -> Path:
    """The package with one version more, of which only the description differs."""
    from api.model.files import HISTORY

    shutil.copytree(ROOT / "datapackage", folder)
    described = json.loads((folder / "datapackage.json").read_text())
    before = folder / HISTORY / described["version"]
    before.mkdir(parents=True)
    for path in (ROOT / "datapackage").iterdir():
        if path.name != HISTORY:
            (shutil.copytree if path.is_dir() else shutil.copy)(path, before / path.name)
    day = datetime.fromisoformat(described["created"]) + timedelta(days=1)
    major, minor, patch = described["version"].split(".")
    described |= {"version": f"{major}.{minor}.{int(patch) + 1}", "created": day.isoformat().replace("+00:00", "Z")}
    described["description"] += " One word more."
    (folder / "datapackage.json").write_text(json.dumps(described, ensure_ascii=False, indent=2))
    return folder


def _publish(whole: Path, store: Path, version: str) -> None:
    from api.trust import sign_store

    (whole / "releases" / version).rename(store / "releases" / version)
    sign_store(store, lambda _: None)
    time.sleep(1.5)  # the server looks once a second


def _versions(store: Path) -> list[str]:
    from api.store.releases import order

    found = sorted((path.name for path in (store / "releases").iterdir()), key=order)
    if len(found) < 3:
        raise SystemExit("the package has no earlier version: there is no update to measure")
    return found[-3:]


def _mirroring(url: str, folder: Path) -> Callable[[], object]:
    from api.mirror.copy import mirror

    return lambda: mirror([url], folder, tell=lambda _: None)


def _reader(relay: Relay) -> dict[str, Cost]:
    page = "/v1/datasets/exports/records"
    packed = {"Accept-Encoding": "gzip"}
    tag = _get(relay.url, page, packed)["ETag"]
    asked = {
        PAGE: (page, packed),
        SAME: (page, {**packed, "If-None-Match": tag}),
        "reader: a whole table as CSV, gzip": ("/v1/datasets/exports/records.csv", packed),
        "reader: home page, gzip": ("/", packed),
        "reader: package.zip": (f"/releases/{_version(relay.url)}/package.zip", {}),
    }
    return {
        name: relay.cost(lambda p=path, h=headers: _get(relay.url, p, h)) for name, (path, headers) in asked.items()
    }


def _get(url: str, path: str, headers: dict[str, str]) -> http.client.HTTPMessage:
    connection = http.client.HTTPConnection(url.removeprefix("http://"))
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.headers


def _version(url: str) -> str:
    return _get(url, "/v1/datasets", {})["X-Data-Version"]


# Simulating


@dataclass
class Day:
    """What reached the origin in a day; `most` is the most bytes of any minute."""

    requests: int = 0
    bytes: int = 0
    asked: int = 0

    def __post_init__(self) -> None:
        self.minutes: dict[int, int] = {}

    def origin(self, at: float, requests: int, size: int) -> None:
        self.requests += requests
        self.bytes += size
        self.minutes[int(at // 60)] = self.minutes.get(int(at // 60), 0) + size

    @property
    def peak(self) -> float:
        """Megabits a second in the fullest minute."""
        return max(self.minutes.values(), default=0) * 8 / 60 / 1e6

    @property
    def hits(self) -> float:
        return 1 - self.requests / self.asked if self.asked else 0.0


def mirrors(number: int, every: float, cost: dict[str, Cost], edges: int, ttl: float, release: bool) -> Day:
    """A day of mirrors that look every so many seconds, each beginning at a moment of its own.

    With `edges`, each look goes to one of them, which keeps the timestamp for `ttl` seconds and then asks the origin
    (a timestamp is as small as a 304, so both count alike). Files of a release never change: an edge fetches them once.
    """
    dice, day = random.Random(1), Day()
    poll, update = cost[NOTHING], cost[UPDATE]
    published = DAY / 2 if release else 2 * DAY
    fresh: set[tuple[int, int]] = set()
    holding: set[int] = set()
    for _ in range(number):
        at, edge, had = dice.uniform(0, every), dice.randrange(edges or 1), False
        while at < DAY:
            day.asked += poll.requests
            # Mirrors are played one after the other: what counts is the period of an edge into which a look falls.
            period = (edge, int(at // ttl)) if edges and ttl else None
            if period is None or period not in fresh:
                day.origin(at, poll.requests, poll.down)
            if period is not None:
                fresh.add(period)
            if at >= published and not had:
                had = True
                day.asked += update.requests
                if not edges or edge not in holding:
                    holding.add(edge)
                    day.origin(at, update.requests, update.down)
            at += every
    return day


def readers(number: int, cost: dict[str, Cost], edges: int, ttl: float, release: bool) -> Day:
    """A day of readers, each with some questions at random moments.

    A reader's own program keeps an answer for five minutes and then asks with its entity tag; an edge keeps it for
    `ttl` seconds and asks in the same way. After a release every answer is another one.
    """
    dice, day = random.Random(2), Day()
    page, same = cost[PAGE], cost[SAME]
    weights = list(accumulate(1 / place for place in range(1, ADDRESSES + 1)))
    published = DAY / 2 if release else 2 * DAY
    kept: dict[tuple[int, int], tuple[float, bool]] = {}
    for at, reader in _moments(number, dice):
        address = dice.choices(range(ADDRESSES), cum_weights=weights)[0]
        new = at >= published
        own = kept.get((-1 - reader, address))
        if own and at < own[0]:
            continue
        kept[(-1 - reader, address)] = (at + KEPT, new)
        day.asked += 1
        known = own is not None and own[1] == new
        if edges:
            place = (hash((reader, 7)) % edges, address)
            there = kept.get(place)
            if there and at < there[0]:
                continue
            kept[place] = (at + ttl, new)
            known = there is not None and there[1] == new
        day.origin(at, 1, (same if known else page).down)
    return day


def _moments(number: int, dice: random.Random) -> Iterator[tuple[float, int]]:
    """When somebody asks, in order: each moment of the day with as many readers as asked for."""
    rate, at = number * QUESTIONS / DAY, 0.0
    while True:
        at += dice.expovariate(rate)
        if at >= DAY:
            return
        yield at, dice.randrange(number)


# Telling

LOOKS = ((3_600.0, "every hour"), (DAY, "once a day"))
EDGED = ((0, 0.0, "none"), (EDGES, 0.0, "as the headers say"), (EDGES, 60.0, "timestamp kept 60 s"))
LIVES = ((0, 0.0, "none"), (EDGES, 60.0, "60 s"), (EDGES, 300.0, "300 s"), (EDGES, 3_600.0, "1 h"))


def main() -> None:
    """Print the tables of docs/SCALING.md."""
    parser = argparse.ArgumentParser(prog="python -m bench.scaling", description=__doc__)
    parser.add_argument("--costs", type=Path, help="read the measured costs from a file, or keep them there")
    given = parser.parse_args()
    if given.costs and given.costs.exists():
        cost = {name: Cost(*numbers) for name, numbers in json.loads(given.costs.read_text()).items()}
    else:
        work = Path(tempfile.mkdtemp(prefix="lantern-scaling-"))
        try:
            cost = measured(work)
        finally:
            shutil.rmtree(work)
    if given.costs:
        given.costs.write_text(json.dumps({name: astuple(found) for name, found in cost.items()}))
    lines = [[name, f"{c.requests:,}", f"{c.up:,}", f"{c.down:,}"] for name, c in cost.items()]
    _table("One of them, measured", ("work", "requests", "bytes to the server", "bytes from it"), lines)
    head = (
        "mirrors",
        "look",
        "network in between",
        "requests",
        "sent, MiB",
        "on a release day, MiB",
        "its peak, Mbit/s",
    )
    lines = []
    for number in MANY:
        for every, said in LOOKS:
            for edges, ttl, name in EDGED:
                quiet, busy = (mirrors(number, every, cost, edges, ttl, release) for release in (False, True))
                row = [f"{number:,}", said, name, f"{quiet.requests:,}", _mib(quiet.bytes), _mib(busy.bytes)]
                lines.append([*row, f"{busy.peak:,.2f}"])
    _table("A day of mirrors: what reaches the origin", head, lines)
    head = ("readers", "kept in between", "requests", "hits", "sent, MiB", "on a release day, MiB", "its peak, Mbit/s")
    lines = []
    for number in MANY:
        for edges, ttl, name in LIVES:
            quiet, busy = (readers(number, cost, edges, ttl, release) for release in (False, True))
            row = [f"{number:,}", name, f"{quiet.requests:,}", f"{quiet.hits:.0%}", _mib(quiet.bytes), _mib(busy.bytes)]
            lines.append([*row, f"{busy.peak:,.2f}"])
    _table("A day of readers: what reaches the origin", head, lines)


def _mib(size: int) -> str:
    return f"{size / MIB:,.1f}"


def _table(title: str, head: tuple[str, ...], lines: list[list[str]]) -> None:
    print(f"\n{title}\n\n| {' | '.join(head)} |\n|{' --- |' * len(head)}")
    for line in lines:
        print(f"| {' | '.join(line)} |", flush=True)


if __name__ == "__main__":
    main()
