"""The goals, row by row, and what was measured of each."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    """One goal; reached at `least` or at `most` so much."""

    work: str
    text: str
    least: float | None = None
    most: float | None = None
    unit: str = "×"

    def reached(self, value: float) -> bool:
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)


GOALS = {
    "mix-mean": Goal("mix, 1M rows, 1 connection", "geometric mean at least 4 × Datasette", least=4),
    "mix-least": Goal("mix, 1M rows, 1 connection", "no shape below 0.8 × Datasette", least=0.8),
    "mix-p99": Goal("mix, 1M rows, warm: the slowest p99", "at most 100 ms", most=100, unit="ms"),
    "mix-p99-unique": Goal("mix, 1M rows, warm: facets of unique fields, p99", "at most 250 ms", most=250, unit="ms"),
    "mix-plain-least": Goal("mix, 1M rows, each shape", "at least 0.7 × plain Flask, same SQL and engine", least=0.7),
    "small-mean": Goal("mix, 2,000 rows, 1 connection", "geometric mean at least 5 × Datasette", least=5),
    "small-least": Goal("mix, 2,000 rows, 1 connection", "no shape below 2 × Datasette", least=2),
    "small-plain-least": Goal(
        "mix, 2,000 rows, each shape", "at least 0.7 × plain Flask, same SQL and engine", least=0.7
    ),
    "never-datasette-8": Goal("never asked: two filters + sort", "at least 8 × Datasette, 8 connections", least=8),
    "never-datasette-1": Goal("never asked: two filters + sort", "at least 4 × Datasette, 1 connection", least=4),
    "page-raw": Goal("hot page of 100 rows", "at least 0.95 × raw WSGI sending equal bytes", least=0.95),
    "page-flask": Goal("hot page of 100 rows", "at least 1.4 × bare Flask (equal bytes)", least=1.4),
    "page-datasette": Goal("hot page of 100 rows", "at least 24 × Datasette, lean", least=24),
    "304": Goal("304", "at least 1.3 × bare Flask's 200", least=1.3),
    "convoy": Goal("8 threads in one worker", "at least 0.85 × one thread", least=0.85),
    "convoy-scans": Goal("8 threads in one worker, scans", "at least 1.0 × one thread", least=1.0),
    "csv-whole": Goal("whole table as CSV", "at least 0.9 of nginx sending the same file", least=0.9),
    "csv-half": Goal("filtered CSV of half the rows", "at least 10 × Datasette's stream", least=10),
    "csv-first": Goal("filtered CSV of half the rows", "first byte under 500 ms", most=500, unit="ms"),
    "csv-heap": Goal("filtered CSV of half the rows", "under 20 MiB more memory", most=20, unit="MiB"),
    "depth-key": Goal("page at depth 0.9 by cursor, order of the key", "at most 1.1 × the first page", most=1.1),
    "depth-day": Goal("page at depth 0.9 by cursor, sorted by day", "at most 1.1 × the first page", most=1.1),
    "growth": Goal("growth, 1M → 10M rows", "narrow page at most 1.25 × the time", most=1.25),
    "start": Goal("cold start to first answer", "under 0.8 s", most=0.8, unit="s"),
    "start-memory": Goal("two workers, before a scan", "at most 80 MiB (PSS)", most=80, unit="MiB"),
    "start-memory-scans": Goal("two workers, after scans", "at most 250 MiB (PSS)", most=250, unit="MiB"),
    "index": Goal("index of 1M rows", "under 60 s", most=60, unit="s"),
    "index-size": Goal("index of 1M rows", "at most 8 × the CSV, search included", most=8),
    "build": Goal("build of 1M rows, all formats", "under 90 s", most=90, unit="s"),
    "build-again": Goal("build again, table unchanged", "not validated twice: at most 0.2 of validating", most=0.2),
}


@dataclass(frozen=True)
class Measured:
    """What came of a goal: the value judged, and the least and the most over the rounds."""

    goal: str
    value: float
    least: float
    most: float
    note: str = ""
