"""Stands in for the index until the program makes one: tables.sqlite and tables.duckdb of the table of the benchmarks.

`bench.stores.index` uses it for a store that has no such files.
"""

import csv
import itertools
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from bench.mix import FIELDS

TYPES = {"year": ("INTEGER", "BIGINT"), "value": ("REAL", "DOUBLE")}


def make(source: Path, target: Path) -> None:
    """Both files in a folder, from the CSV of a table."""
    import duckdb

    def rows() -> Iterator[tuple[Any, ...]]:
        with source.open(newline="") as file:
            reader = csv.reader(file)
            next(reader)
            for number, row in enumerate(reader, 1):
                yield (number, *row)

    types = [TYPES.get(name, ("TEXT", "VARCHAR")) for name in FIELDS]
    lite, duck = (", ".join(f"c{at} {kind[which]}" for at, kind in enumerate(types)) for which in (0, 1))
    with closing(sqlite3.connect(target / "tables.sqlite")) as db:
        db.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-200000;")
        db.execute(f"CREATE TABLE t0 (n INTEGER PRIMARY KEY, {lite})")
        db.execute("CREATE TABLE j0 (n INTEGER PRIMARY KEY, j TEXT, v TEXT)")
        db.executemany(f"INSERT INTO t0 VALUES ({', '.join('?' * (len(FIELDS) + 1))})", rows())
        db.executemany(
            "INSERT INTO j0 VALUES (?, ?, ?)", ((row[0], _json(row[1:]), ",".join(row[1:])) for row in rows())
        )
        for at in range(len(FIELDS)):
            db.execute(f"CREATE INDEX i{at} ON t0 (c{at})")
        for a, b in itertools.combinations((1, 2, 3), 2):
            db.execute(f"CREATE INDEX i{a}_{b} ON t0 (c{a}, c{b})")
        db.execute("CREATE VIRTUAL TABLE q0 USING fts5 (c0, c1, c2, c5, c7, content='', columnsize=0)")
        db.execute("INSERT INTO q0 (rowid, c0, c1, c2, c5, c7) SELECT n, c0, c1, c2, c5, c7 FROM t0")
        db.execute("ANALYZE")
        db.commit()
    with duckdb.connect(str(target / "tables.duckdb")) as base:
        base.execute(f"CREATE TABLE t0 (n BIGINT, {duck})")
        columns = {name: TYPES.get(name, ("", "VARCHAR"))[1] for name in FIELDS}
        base.execute(
            f"INSERT INTO t0 SELECT row_number() OVER (), * FROM read_csv(?, header = true, columns = {columns})",
            [str(source)],
        )


def _json(row: tuple[str, ...]) -> str:
    values = zip(FIELDS, row, strict=True)
    return json.dumps({n: int(v) if n == "year" else float(v) if n == "value" else v for n, v in values})
