"""Many threads in one worker."""

from bench import servers
from bench.inprocess import ask_python
from bench.load import Target
from bench.processes import serving
from bench.questions import never_asked
from bench.rounds import Rounds, number
from bench.sections import Found, Setup
from bench.stores import store

THREADS = {"8 threads": 8, "1 thread": 1}


def run(setup: Setup) -> Found:
    """One gthread worker with 8 threads against one with a single thread, questions never asked before, 8 connections.

    With 8 connections always busy the p99 over HTTP is mostly waiting for a turn (8 divided by requests a second), so
    the table also has one connection, bare Flask under the same load, and 8 threads calling the application in one
    process, without a server, against one thread.
    """
    found = Found()
    options = ("--worker-class", "gthread", "--threads")
    one = {"LANTERN_WORKERS": "1"}
    listed = [servers.lantern(setup.rows, name, [*options, str(count)], WORKERS="1") for name, count in THREADS.items()]
    listed += [
        servers.gunicorn(f"bare Flask, {name}", "bench.apps.bare:app", "/small", one, [*options, str(count)])
        for name, count in THREADS.items()
    ]
    with serving(listed) as (running, problems):
        found.failed(problems)
        asked = never_asked("lantern")
        half = len(asked) * 4 // 5
        targets = []
        for name in THREADS:
            targets.append(Target(name, name, asked[:half]))
            targets.append(Target(f"{name}, 1 connection", name, asked[half:], 1))
            targets.append(Target(f"bare Flask, {name}", f"bare Flask, {name}", ["/small"]))
        rounds = Rounds(targets, running).run(setup.rounds, setup.seconds)
    found.rounds("One worker, questions never asked before", rounds)
    many, single = "bare Flask, 8 threads", "bare Flask, 1 thread"
    found.rates(rounds, [("convoy", "8 threads", "1 thread")], {"convoy": (many, single)})
    if rounds.has("8 threads", many):
        limit = f"8 connections, closed loop; for scale, bare Flask sending 5 KB: {rounds.p99(many)} ms"
        found.goal("convoy-p99", rounds.p99("8 threads"), limit)
    inside = ask_python("threads", store(setup.rows))
    lines = [[name, number(v["rate"]), number(v["p50"]), number(v["p99"])] for name, v in inside.items()]
    header = ("application called directly by", "calls/s", "p50 ms", "p99 ms")
    found.tables.append(("In one process, without a server", header, lines))
    return found
