"""Many threads in one worker."""

from bench import servers
from bench.load import Target
from bench.mix import SHAPES, Dice, drawn, lantern
from bench.processes import serving
from bench.questions import never_asked
from bench.rounds import Rounds
from bench.sections import Found, Setup

THREADS = {"8 threads": 8, "1 thread": 1}
SCANS = 5_000


def run(setup: Setup) -> Found:
    """One gthread worker with 8 threads against one with a single thread, questions never asked before, 8 connections.

    Once two filters and a sort, once scans: groups by two fields under a value range, which no index narrows. The table
    also has one connection, and bare Flask under the same load.
    """
    found = Found()
    options = ("--worker-class", "gthread", "--threads")
    one = {"LANTERN_WORKERS": "1"}
    listed = [servers.lantern(setup.rows, name, [*options, str(count)], WORKERS="1") for name, count in THREADS.items()]
    listed += [
        servers.gunicorn(f"bare Flask, {name}", "bench.apps.bare:app", "/small", one, [*options, str(count)])
        for name, count in THREADS.items()
    ]
    scans = [lantern(question) for question in drawn(SHAPES["groups by two, value range"], Dice(setup.rows), SCANS)]
    with serving(listed) as (running, problems):
        found.failed(problems)
        asked = never_asked("lantern")
        part = len(asked) * 4 // 5
        targets = []
        for name in THREADS:
            targets.append(Target(name, name, asked[:part]))
            targets.append(Target(f"{name}, 1 connection", name, asked[part:], 1))
            targets.append(Target(f"scans, {name}", name, scans))
            targets.append(Target(f"bare Flask, {name}", f"bare Flask, {name}", ["/small"]))
        rounds = Rounds(targets, running).run(setup.rounds, setup.seconds)
    found.rounds("One worker, questions never asked before", rounds)
    many, single = "bare Flask, 8 threads", "bare Flask, 1 thread"
    goals = [("convoy", "8 threads", "1 thread"), ("convoy-scans", "scans, 8 threads", "scans, 1 thread")]
    found.rates(rounds, goals, {"convoy": (many, single)})
    return found
