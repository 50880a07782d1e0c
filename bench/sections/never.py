"""Questions never asked before."""

import json
from functools import partial
from pathlib import Path

from bench import servers
from bench.load import Target
from bench.places import WORK
from bench.processes import Running, fetch, serving
from bench.questions import never_asked
from bench.rounds import Rounds
from bench.sections import Found, Setup, peers

DRESSED = "bare Flask, Lantern's bytes and headers"
OWN = ("server", "date", "connection", "content-length")


def run(setup: Setup) -> Found:
    """Pages of 100 rows under two equality filters and a sort, each question a different one.

    Lantern runs as it is shipped, cache on; no question comes twice, so nothing is answered from memory, and its
    answers also count all rows that the filters leave, which the peers' do not. Bare Flask sends 5 KB on the same
    gunicorn and, for scale, an answer of Lantern's from memory: its bytes under its headers. Datasette and FastAPI have
    an SQLite file with an index for each pair of filters.
    """
    found = Found()
    makers = [partial(make, setup.rows) for make in (servers.datasette, servers.fastapi, servers.roapi)]
    asked = {name: never_asked(name) for name in ("lantern", "datasette", "fastapi", "roapi")}
    with serving([servers.lantern(setup.rows)]) as (running, problems):
        found.failed(problems)
        if not running:
            return found
        flask = servers.bare(*_kept(running["lantern"], asked["lantern"].pop()))[1]
    with serving([servers.lantern(setup.rows), flask, *peers(found, makers)]) as (running, problems):
        found.failed(problems)
        half = len(asked["lantern"]) * 4 // 5
        targets = [
            Target("lantern", "lantern", asked["lantern"][:half]),
            Target("lantern, 1 connection", "lantern", asked["lantern"][half:], 1),
            Target("bare Flask, 5 KB", "flask", ["/small"]),
            Target(DRESSED, "flask", ["/dressed"]),
            Target("datasette", "datasette", asked["datasette"]),
            Target("datasette, 1 connection", "datasette", asked["datasette"][half:], 1),
            Target("fastapi", "fastapi", asked["fastapi"]),
            Target("roapi", "roapi", asked["roapi"]),
        ]
        rounds = Rounds(targets, running).run(setup.rounds, setup.seconds)
    found.rounds("Never asked before: two filters and a sort, 100 rows, 8 connections", rounds)
    goals = [
        ("never-flask", "lantern", "bare Flask, 5 KB"),
        ("never-datasette-8", "lantern", "datasette"),
        ("never-datasette-1", "lantern, 1 connection", "datasette, 1 connection"),
    ]
    bare = "bare Flask, 5 KB"
    found.rates(rounds, goals, {"never-flask": (DRESSED, bare), "never-datasette-8": (bare, "datasette")})
    return found


def _kept(server: Running, path: str) -> tuple[Path, Path]:
    """The files of an answer's bytes and of its headers, but for those that each server sends by itself."""
    status, headers, body = fetch(server.port, path)
    if status != 200:
        raise RuntimeError(f"lantern answers {status} to {path}")
    WORK.joinpath("answer.json").write_bytes(body)
    WORK.joinpath("answer.headers.json").write_text(json.dumps({k: v for k, v in headers.items() if k not in OWN}))
    return WORK / "answer.json", WORK / "answer.headers.json"
