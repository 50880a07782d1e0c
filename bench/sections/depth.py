"""Pages far down a table."""

import json

from bench import servers
from bench.load import Target
from bench.places import folder
from bench.processes import Running, fetch, serving
from bench.questions import RECORDS
from bench.rounds import Rounds
from bench.sections import Found, Setup

ORDERS = {"key": "", "day": "&sort=-day"}
STEP = 1000


def run(setup: Setup) -> Found:
    """The page of 100 rows after nine tenths of the table, by its cursor, against the first page; no cache.

    The cursor is found by walking: 900 pages of 1,000 rows for a table of a million, following links.next. Once in
    the order of the key and once sorted by day, newest first. Time a request is 8 connections over requests a second.
    """
    found = Found()
    with serving([servers.lantern(setup.rows, CACHE_MB="0")]) as (running, problems):
        found.failed(problems)
        if not running:
            return found
        targets = []
        for name, order in ORDERS.items():
            deep = _deep(running["lantern"], setup.rows, name, order)
            targets.append(Target(f"first page, {name}", "lantern", [f"{RECORDS}?limit=100{order}"]))
            targets.append(Target(f"deep page, {name}", "lantern", [deep]))
        rounds = Rounds(targets, running).run(setup.rounds, setup.seconds)
    found.rounds(f"Page after {setup.rows * 9 // 10:,} of {setup.rows:,} rows, cache off, 8 connections", rounds)
    found.rates(rounds, [(f"depth-{name}", f"first page, {name}", f"deep page, {name}") for name in ORDERS])
    return found


def _deep(lantern: Running, rows: int, name: str, order: str) -> str:
    """The address of the page; what the walk found is kept beside the release."""
    kept = folder("depth") / f"{servers.stores.store(rows).name}-{name}"
    if not kept.exists() or fetch(lantern.port, kept.read_text())[0] != 200:
        path = f"{RECORDS}?limit={STEP}{order}"
        for _ in range(rows * 9 // 10 // STEP):
            status, _, body = fetch(lantern.port, path)
            if status != 200:
                raise RuntimeError(f"{path} answers {status}: {body[:200]!r}")
            path = json.loads(body)["links"]["next"]
        kept.write_text(path.replace(f"limit={STEP}", "limit=100"))
    return kept.read_text()
