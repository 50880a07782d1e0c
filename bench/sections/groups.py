"""Sums by group."""

import time
from functools import partial

from bench import servers
from bench.load import Target
from bench.processes import fetch, serving
from bench.questions import WHOLE_GROUPS, by_year
from bench.rounds import Rounds, number, ratio
from bench.sections import Found, Setup, peers

CONNECTIONS = {"8 connections": 8, "1 connection": 1}


def run(setup: Setup) -> Found:
    """Sum and count by year under one filter, seventy questions in turn, Lantern's cache off, 8 connections and one.

    Datasette runs the same SQL over an index that holds all three columns; FastAPI too. Then, of a Lantern that has
    just started, five whole-table groups once each: the time of the first answer, the slowest is judged.
    """
    found = Found()
    makers = [partial(make, setup.rows) for make in (servers.datasette, servers.fastapi)]
    lantern = servers.lantern(setup.rows, CACHE_MB="0")
    with serving([lantern, *peers(found, makers)]) as (running, problems):
        found.failed(problems)
        targets = [
            Target(f"{name}, {said}", name, by_year(name), count, once=False)
            for name in ("lantern", "datasette", "fastapi")
            for said, count in CONNECTIONS.items()
        ]
        rounds = Rounds(targets, running).run(setup.rounds, setup.seconds)
    found.rounds("Sum and count by year under one filter, cache off", rounds)
    found.rates(rounds, [("group-datasette", "lantern, 8 connections", "datasette, 8 connections")])
    _whole(setup, found)
    return found


def _whole(setup: Setup, found: Found) -> None:
    """Whole-table groups, each the first question of its kind to a fresh server."""
    times: dict[str, list[float]] = {name: [] for name in WHOLE_GROUPS}
    for _ in range(3):
        with serving([servers.lantern(setup.rows, CACHE_MB="0")]) as (running, problems):
            found.failed(problems)
            for name, path in WHOLE_GROUPS.items() if running else ():
                start = time.perf_counter()
                status, _, body = fetch(running["lantern"].port, path)
                if status != 200:
                    found.problems.append(f"{name}: {status} {body[:200]!r}")
                    continue
                times[name].append(time.perf_counter() - start)
    measured = {name: ratio(values, [1.0] * len(values)) for name, values in times.items() if values}
    lines = [[name, number(r.median), f"{number(r.least)} to {number(r.most)}"] for name, r in measured.items()]
    found.tables.append(("Whole-table groups, cold (one connection)", ("asked", "s median", "spread"), lines))
    if measured:
        name = max(measured, key=lambda n: measured[n].median)
        found.goal("group-whole", measured[name], name)
