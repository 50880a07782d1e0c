"""From a million rows to ten."""

from bench import servers
from bench.load import Target
from bench.processes import memory, serving
from bench.questions import never_asked
from bench.rounds import Rounds, ratio
from bench.sections import Found, Setup


def run(setup: Setup) -> Found:
    """The same questions never asked before, put to Lantern over the table and over one ten times as large.

    Time a request is 8 connections over requests a second. Memory is the heap of both workers after the questions
    (the file is mapped, its pages belong to the system).
    """
    found = Found()
    sizes = {"small": setup.rows, "large": setup.large}
    with serving([servers.lantern(rows, name) for name, rows in sizes.items()]) as (running, problems):
        found.failed(problems)
        asked = never_asked("lantern")
        rounds = Rounds([Target(f"{name} table", name, asked) for name in running], running)
        rounds.run(setup.rounds, setup.seconds)
        heaps = {name: memory(server.workers())[1] for name, server in running.items()}
    found.rounds(f"{sizes['small']:,} rows (small) and {sizes['large']:,} rows (large)", rounds)
    found.rates(rounds, [("growth", "small table", "large table")])
    if len(heaps) == len(sizes):
        note = f"{heaps['small']:.0f} → {heaps['large']:.0f} MiB"
        found.goal("growth-memory", ratio([heaps["large"]], [heaps["small"]]), note)
    return found
