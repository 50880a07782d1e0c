"""Counts and sums for pairs of fields with few values: what totals, facets and groups are answered from.

A pair of fields has a rollup where the table is large and both have few values. A rollup has a row for each two values
that occur together: how many rows, where they begin in an order of the rows by the two (api.index.orders), and for each
numeric field how many values, their exact sum in two parts, the least and the greatest.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from api.index import layout
from api.model import types
from api.model.descriptor import Table

ROWS_FROM = 5_000
VALUES_MOST = 1_000
FIELDS_MOST = 4


def pairs(table: Table, distinct: Sequence[int], rows: int) -> list[tuple[int, int]]:
    """The pairs of fields with a rollup, by position: among the first FIELDS_MOST with few values (`distinct`)."""
    if rows < ROWS_FROM:
        return []
    few = [
        position
        for position, field in enumerate(table.fields)
        if field.type not in types.STRUCTURED
        and field.type not in ("number", "duration")
        and 1 < distinct[position] <= min(VALUES_MOST, rows // 50)
    ]
    return list(combinations(few[:FIELDS_MOST], 2))


def numeric(table: Table, columns: Sequence[Mapping[str, Any]]) -> list[int]:
    """The positions of the numeric fields whose sums are exact in whole numbers of 10^-scale."""
    return [i for i, f in enumerate(table.fields) if f.type in types.NUMERIC and layout.scaled(columns[i])]


def write(
    db: sqlite3.Connection,
    number: int,
    table: Table,
    pairs: Sequence[tuple[int, int]],
    columns: Sequence[Mapping[str, Any]],
) -> None:
    """Write the rollups of one table, all from one pass over its rows."""
    if not pairs:
        return
    used = sorted({position for pair in pairs for position in pair})
    sums, again = [], []
    for i in numeric(table, columns):
        amount = layout.whole(f"c{i}", columns[i]["scale"])
        sums += [
            f"count(c{i}) AS k{i}",
            f"sum({amount} / {layout.CHUNK}) AS h{i}",
            f"sum({amount} % {layout.CHUNK}) AS l{i}",
            f"min(c{i}) AS a{i}",
            f"max(c{i}) AS z{i}",
        ]
        again += [f"sum(k{i}) AS k{i}", f"sum(h{i}) AS h{i}", f"sum(l{i}) AS l{i}"]
        again += [f"min(a{i}) AS a{i}", f"max(z{i}) AS z{i}"]
    by = ", ".join(f"c{p}" for p in used)
    every = ", ".join([by, "count(*) AS rows", "min(n) AS n", *sums])
    db.execute(f"CREATE TEMP TABLE cube AS SELECT {every} FROM t{number} GROUP BY {by}")
    for pair in pairs:
        a, b = pair
        parts = ", ".join([f"c{a}", f"c{b}", "sum(rows) AS rows", "min(n) AS n", *again])
        begins = f"sum(rows) OVER (ORDER BY c{a}, c{b} ROWS UNBOUNDED PRECEDING) - rows AS begins"
        grouped = f"SELECT {parts} FROM cube GROUP BY c{a}, c{b}"
        name = layout.rollup(number, pair)
        db.execute(f"CREATE TABLE {name} AS SELECT *, {begins} FROM ({grouped}) ORDER BY c{a}, c{b}")
        db.execute(f"CREATE INDEX {name}_ab ON {name} (c{a}, c{b})")
        db.execute(f"CREATE INDEX {name}_b ON {name} (c{b})")
    db.execute("DROP TABLE cube")
