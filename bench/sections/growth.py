"""From a million rows to ten."""

import random

from bench import servers
from bench.load import Target
from bench.processes import serving
from bench.questions import RECORDS
from bench.rounds import Rounds
from bench.sections import Found, Setup

QUESTIONS = 30_000


def run(setup: Setup) -> Found:
    """Narrow pages, put to Lantern over the table and over one ten times as large: 100 rows by a range of keys.

    Both have compared their index with its hashes before (/readyz), which takes seconds for the large one. Each
    question leaves a hundred rows of either table, sorted by value. Time a request is 8 connections over requests a
    second.
    """
    found = Found()
    sizes = {"small": setup.rows, "large": setup.large}
    with serving([servers.lantern(rows, name, ready="/readyz") for name, rows in sizes.items()]) as (running, problems):
        found.failed(problems)
        targets = [Target(f"{name} table", name, _narrow(sizes[name])) for name in running]
        rounds = Rounds(targets, running).run(setup.rounds, setup.seconds)
    found.rounds(f"{sizes['small']:,} rows (small) and {sizes['large']:,} rows (large)", rounds)
    found.rates(rounds, [("growth", "small table", "large table")])
    return found


def _narrow(rows: int) -> list[str]:
    dice = random.Random(20090405)
    starts = dice.sample(range(rows - 100), min(QUESTIONS, rows // 2))
    return [f"{RECORDS}?id__gte=f{at:08d}&id__lt=f{at + 100:08d}&sort=value&limit=100" for at in starts]
