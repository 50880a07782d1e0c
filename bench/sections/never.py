"""Questions never asked before."""

from functools import partial

from bench import servers
from bench.load import Target
from bench.processes import serving
from bench.questions import never_asked
from bench.rounds import Rounds
from bench.sections import Found, Setup, peers


def run(setup: Setup) -> Found:
    """Pages of 100 rows under two equality filters and a sort, each question a different one.

    Lantern runs as it is shipped, cache on; no question comes twice, so nothing is answered from memory, and its
    answers also count all rows that the filters leave, which the peers' do not. Bare Flask sends 5 KB on the same
    gunicorn. Datasette and FastAPI have an SQLite file with an index for each pair of filters.
    """
    found = Found()
    makers = [partial(make, setup.rows) for make in (servers.datasette, servers.fastapi, servers.roapi)]
    asked = {name: never_asked(name) for name in ("lantern", "datasette", "fastapi", "roapi")}
    listed = [servers.lantern(setup.rows), servers.bare()[1], *peers(found, makers)]
    with serving(listed) as (running, problems):
        found.failed(problems)
        half = len(asked["lantern"]) * 4 // 5
        targets = [
            Target("lantern", "lantern", asked["lantern"][:half]),
            Target("lantern, 1 connection", "lantern", asked["lantern"][half:], 1),
            Target("bare Flask, 5 KB", "flask", ["/small"]),
            Target("datasette", "datasette", asked["datasette"]),
            Target("datasette, 1 connection", "datasette", asked["datasette"][half:], 1),
            Target("fastapi", "fastapi", asked["fastapi"]),
            Target("roapi", "roapi", asked["roapi"]),
        ]
        rounds = Rounds(targets, running).run(setup.rounds, setup.seconds)
    found.rounds("Never asked before: two filters and a sort, 100 rows, 8 connections", rounds)
    goals = [
        ("never-datasette-8", "lantern", "datasette"),
        ("never-datasette-1", "lantern, 1 connection", "datasette, 1 connection"),
    ]
    found.rates(rounds, goals, {"never-datasette-8": ("bare Flask, 5 KB", "datasette")})
    return found
