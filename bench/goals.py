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
    "page-raw": Goal("hot page of 100 rows", "at least 0.9 × raw WSGI sending equal bytes", least=0.9),
    "page-flask": Goal("hot page of 100 rows", "at least 1.25 × bare Flask (equal bytes)", least=1.25),
    "page-datasette": Goal("hot page of 100 rows", "at least 30 × Datasette, lean", least=30),
    "304": Goal("304", "at least 1.7 × bare Flask's 200", least=1.7),
    "never-flask": Goal("never asked: two filters + sort", "at least 0.75 × bare Flask sending 5 KB", least=0.75),
    "never-datasette-8": Goal("never asked: two filters + sort", "at least 20 × Datasette, 8 connections", least=20),
    "never-datasette-1": Goal("never asked: two filters + sort", "at least 10 × Datasette, 1 connection", least=10),
    "depth-key": Goal("page at depth 0.9 by cursor, order of the key", "at most 1.1 × the first page", most=1.1),
    "depth-day": Goal("page at depth 0.9 by cursor, sorted by day", "at most 1.1 × the first page", most=1.1),
    "group-datasette": Goal("group by year under a filter, cold", "at least 10 × Datasette", least=10),
    "group-whole": Goal("whole-table group by, cold, the slowest of five", "under 0.5 s", most=0.5, unit="s"),
    "convoy": Goal("8 threads in one worker", "at least the throughput of one thread", least=1.0),
    "convoy-p99": Goal("8 threads in one worker", "p99 under 5 ms", most=5, unit="ms"),
    "csv-whole": Goal("whole table as CSV", "at least 0.9 of nginx sending the same file", least=0.9),
    "csv-half": Goal("filtered CSV of half the rows", "at least 40 × Datasette's stream", least=40),
    "csv-first": Goal("filtered CSV of half the rows", "first byte under 40 ms", most=40, unit="ms"),
    "csv-heap": Goal("filtered CSV of half the rows", "under 20 MiB more memory", most=20, unit="MiB"),
    "growth": Goal("growth, 1M → 10M rows", "uncached filtered page at most 1.15 × the time", most=1.15),
    "growth-memory": Goal("growth, 1M → 10M rows", "heap of a worker flat (at most 1.15 ×)", most=1.15),
    "added": Goal("all that we add to an answer", "at most 15 µs", most=15, unit="µs"),
    "start": Goal("cold start to first answer", "under 0.8 s", most=0.8, unit="s"),
    "start-memory": Goal("two workers' memory", "at most 80 MiB (PSS)", most=80, unit="MiB"),
    "start-imports": Goal(
        "pandas, polars, pyarrow, frictionless in a serving worker", "none imported", most=0, unit="imported"
    ),
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
