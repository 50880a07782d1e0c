"""Hot pages and 304."""

from functools import partial

from bench import servers
from bench.load import Target
from bench.places import WORK
from bench.processes import Running, fetch, serving
from bench.questions import PAGE
from bench.rounds import Rounds
from bench.sections import Found, Setup, peers

CONNECTIONS = 16


def run(setup: Setup) -> Found:
    """The same first page of 100 rows again and again, over 16 keep-alive connections.

    Lantern answers from memory; raw WSGI and bare Flask send as many bytes (and 5 KB) from memory on the same
    gunicorn, worker class and workers. Datasette, FastAPI and ROAPI are asked for the same 100 rows; they keep no
    answers. Datasette has one process, as it comes; the server CPU a request compares whatever the processes. 304: the
    same page with its entity tag in If-None-Match, against bare Flask's 200 of equal bytes.
    """
    found = Found()
    lantern = servers.lantern(setup.rows)
    with serving([lantern]) as (running, problems):
        found.failed(problems)
        if "lantern" not in running:
            return found
        status, headers, body = fetch(running["lantern"].port, PAGE["lantern"])
        if status != 200:
            found.problems.append(f"lantern answers {status} to {PAGE['lantern']}")
            return found
        page = WORK / "page.json"
        page.write_bytes(body)
        others = servers.bare(page)
        others += peers(
            found, [partial(make, setup.rows) for make in (servers.datasette, servers.fastapi, servers.roapi)]
        )
        with serving(others) as (more, problems):
            found.failed(problems)
            _measure(setup, found, {**running, **more}, headers["etag"])
    return found


def _measure(setup: Setup, found: Found, running: dict[str, Running], etag: str) -> None:
    targets = [Target(name, name, [PAGE[name]], CONNECTIONS) for name in PAGE]
    targets += [
        Target("lantern, 304", "lantern", [PAGE["lantern"]], CONNECTIONS, {"If-None-Match": etag}, 304),
        Target("lantern, brotli", "lantern", [PAGE["lantern"]], CONNECTIONS, {"Accept-Encoding": "gzip, br"}),
        Target("raw WSGI, equal bytes", "raw", ["/page"], CONNECTIONS),
        Target("bare Flask, equal bytes", "flask", ["/page"], CONNECTIONS),
        Target("bare Flask, 5 KB", "flask", ["/small"], CONNECTIONS),
    ]
    rounds = Rounds(targets, running).run(setup.rounds, setup.seconds)
    found.rounds(f"Hot page of 100 rows, {CONNECTIONS} connections", rounds)
    goals = [
        ("page-raw", "lantern", "raw WSGI, equal bytes"),
        ("page-flask", "lantern", "bare Flask, equal bytes"),
        ("page-datasette", "lantern", "datasette"),
        ("304", "lantern, 304", "bare Flask, equal bytes"),
    ]
    raw, flask = "raw WSGI, equal bytes", "bare Flask, equal bytes"
    found.rates(rounds, goals, {"304": (raw, flask), "page-datasette": (raw, "datasette")})
