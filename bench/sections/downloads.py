"""Large files: a whole table and half of one, as CSV."""

import json
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from bench import servers, stores
from bench.places import ROOT
from bench.processes import Running, heap, memory, serving, tree
from bench.questions import HALF_CSV, OTHER_HALF_CSV, WHOLE_CSV
from bench.rounds import number, ratio
from bench.sections import Found, Setup, peers

HEADER = ("download", "MB", "s median", "MB/s", "first byte ms", "server CPU s", "PSS before → peak MiB", "heap +MiB")
PATIENCE = 300
SLOW = 2.0


def run(setup: Setup) -> Found:
    """Whole table: Lantern's records.csv against nginx sending the release's same file by sendfile, in alternate turns.

    Half of the table (two filters, so never the release's own file): Lantern against Datasette's `_stream=on`, one
    client each, Lantern with one worker. The client reads into one buffer and throws the bytes away. Memory is sampled
    in a turn of its own, after the other half was sent once, so that the engines are loaded: heap (anonymous memory of
    all processes of the server) before and at its peak.
    """
    found = Found()
    _whole(setup, found)
    _half(setup, found)
    return found


def _whole(setup: Setup, found: Found) -> None:
    data = stores.store(setup.rows) / "releases" / "1.0.0" / "data"
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    listed = [servers.lantern(setup.rows)]
    if program:
        listed.append(servers.nginx(data, program, WHOLE_CSV["nginx"]))
    else:
        found.problems.append("csv-whole: nginx is not installed")
    with serving(listed) as (running, problems):
        found.failed(problems)
        runs = _turns(found, running, WHOLE_CSV, setup.rounds * 6)
        found.tables.append(("Whole table as CSV", HEADER, _lines(runs, {})))
        if "lantern" in runs and "nginx" in runs:
            found.goal("csv-whole", _ratio(runs, "nginx", "lantern"))


def _half(setup: Setup, found: Found) -> None:
    listed = [servers.lantern(setup.rows, WORKERS="1"), *peers(found, [partial(servers.datasette, setup.rows)])]
    with serving(listed) as (running, problems):
        found.failed(problems)
        for name in running:
            _download(running[name], OTHER_HALF_CSV[name])
        grown = {name: _memory(running[name], path) for name, path in HALF_CSV.items() if name in running}
        runs = _turns(found, running, HALF_CSV, 3)
        found.tables.append(("Half of the table as CSV, filtered", HEADER, _lines(runs, grown)))
    if "lantern" not in runs:
        return
    first = [entry["first"] * 1e3 for entry in runs["lantern"]]
    found.goal("csv-first", ratio(first, [1.0] * len(first)))
    _, _, before, peak = grown["lantern"]
    found.goal("csv-heap", ratio([peak - before], [1.0]), "all processes of the server")
    if "datasette" in runs:
        found.goal("csv-half", _ratio(runs, "datasette", "lantern"), "bytes a second")


def _ratio(runs: dict[str, list[Any]], slower: str, faster: str) -> Any:
    """How many times the bytes a second."""
    rates = {name: [entry["bytes"] / entry["seconds"] for entry in runs[name]] for name in (slower, faster)}
    return ratio(rates[faster], rates[slower])


def _turns(found: Found, running: dict[str, Running], paths: dict[str, str], turns: int) -> dict[str, list[Any]]:
    """Downloads in alternate turns, one before that does not count unless it is slow."""
    runs: dict[str, list[Any]] = {}
    for turn in range(turns + 1):
        for name in sorted(paths, reverse=bool(turn % 2)):
            if name not in running:
                continue
            entry = _download(running[name], paths[name])
            if entry["status"] != "200":
                found.problems.append(f"{name} answers {entry['status']} to {paths[name]}")
                continue
            if turn or entry["seconds"] > SLOW:
                runs.setdefault(name, []).append(entry)
    most = min((len(entries) for entries in runs.values()), default=0)
    return {name: entries[-most:] for name, entries in runs.items()}


def _download(server: Running, path: str) -> dict[str, Any]:
    before = server.cpu()
    command = [sys.executable, "-m", "bench.client", "download", str(server.port), path]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=True)
    return {**json.loads(ended.stdout), "cpu": server.cpu() - before}


def _memory(server: Running, path: str) -> tuple[float, float, float, float]:
    """PSS and heap before and at the peak of one download."""
    pids = tree(server.pid)
    pss, before = memory(pids)
    highest = [pss, before]
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            highest[1] = max(highest[1], heap(tree(server.pid)))
            highest[0] = max(highest[0], memory(pids)[0])
            time.sleep(0.01)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        _download(server, path)
    finally:
        done.set()
        watcher.join()
    return pss, highest[0], before, highest[1]


def _lines(runs: dict[str, list[Any]], grown: dict[str, Sequence[float]]) -> list[list[str]]:
    lines = []
    for name, entries in runs.items():
        middle = {k: statistics.median(e[k] for e in entries) for k in ("bytes", "seconds", "first", "cpu")}
        size = middle["bytes"] / 1e6
        line = [name, f"{size:.1f}", number(middle["seconds"]), number(size / middle["seconds"])]
        line += [number(middle["first"] * 1e3), number(middle["cpu"])]
        if name in grown:
            before, peak, least, most = grown[name]
            line += [f"{before:.0f} → {peak:.0f}", f"{most - least:.1f}"]
        else:
            line += ["", ""]
        lines.append(line)
    return lines
