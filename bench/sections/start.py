"""Cold start and memory of serving workers."""

import re
import sys
from pathlib import Path

from bench import stores
from bench.load import Target, ask
from bench.mix import SHAPES, Dice, drawn
from bench.mix import lantern as address
from bench.processes import Running, Server, memory, serving
from bench.questions import PAGE, never_asked
from bench.rounds import number, ratio
from bench.sections import Found, Setup
from bench.servers import WORKERS

RUNS = 7
SCANS = ("groups by two, value range", "facets, value range", "contains, one filter", "medians by one, one filter")
HEAVY = ("pandas", "polars", "pyarrow", "frictionless", "duckdb")


def run(setup: Setup) -> Found:
    """`lantern serve` over a built release until its first page of 100 rows, seven times, files in the page cache.

    Memory: PSS of gunicorn's master and its two workers after that page (judged), after two seconds of two filters and
    a sort, and after four seconds of questions that must scan (judged): groups, facets, contains. Heap is what the
    processes keep for themselves.
    """
    found = Found()
    root = stores.store(setup.rows)
    env = {"LANTERN_STORE": str(root), "LANTERN_WORKERS": str(WORKERS)}
    command = [sys.executable, "-P", "-m", "api", "serve"]
    server = Server("lantern serve", command, PAGE["lantern"], env)
    seconds: list[float] = []
    fresh: list[float] = []
    lines: list[list[str]] = []
    for turn in range(RUNS + 1):  # the first compiles Python's files and does not count
        with serving([server]) as (running, problems):
            found.failed(problems)
            if not running:
                break
            lantern = running[server.name]
            if turn:
                seconds.append(lantern.seconds)
                fresh.append(memory([lantern.pid, *lantern.workers()])[0])
            if turn == RUNS:
                lines.append(_line("after the first page", lantern))
                ask(Target("asked", server.name, never_asked("lantern")), lantern, 2)
                lines.append(_line("after two filters and a sort", lantern))
                ask(Target("scans", server.name, _scans(setup.rows), 16), lantern, 4)
                lines.append(_line("after scans", lantern))
                after = memory([lantern.pid, *lantern.workers()])[0]
                found.goal("start-memory-scans", ratio([after], [1.0]), "master and workers")
                lines.append(["mapped libraries of", ", ".join(_mapped(lantern.workers())) or "none of them", ""])
    if seconds:
        found.goal("start", ratio(seconds, [1.0] * len(seconds)), server.name)
        found.goal("start-memory", ratio(fresh, [1.0] * len(fresh)), "master and workers, after the first page")
    found.tables.append(("Memory", ("when", "two workers: PSS, heap MiB", "with master: PSS, heap MiB"), lines))
    return found


def _scans(rows: int) -> list[str]:
    dice = Dice(rows)
    questions = [question for name in SCANS for question in drawn(SHAPES[name], dice, 200)]
    dice.random.shuffle(questions)
    return [address(question) for question in questions]


def _line(when: str, lantern: Running) -> list[str]:
    sizes = [memory(pids) for pids in (lantern.workers(), [lantern.pid, *lantern.workers()])]
    return [when, *(f"{number(pss)}, {number(heap)}" for pss, heap in sizes)]


def _mapped(pids: list[int]) -> list[str]:
    """Which of the heavy packages have a library mapped into a worker."""
    text = "".join(Path(f"/proc/{pid}/maps").read_text() for pid in pids)
    return [name for name in HEAVY if re.search(rf"/{name}/", text)]
