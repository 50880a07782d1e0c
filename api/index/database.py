"""Connections to the SQLite file of an index: read-only, one a thread and index, kept open.

SQLite gives the interpreter lock back only while it steps, so each query fetches its whole result in one row.
"""

import json
import sqlite3
import threading
import time
from array import array
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from api.index import intact
from api.index.layout import FILE
from api.model import decimals
from api.model.errors import LanternError

Fetched = TypeVar("Fetched")
KEPT = 8
STEPS_BETWEEN_CHECKS = 100_000
_local = threading.local()


class TooSlow(LanternError):
    """A query that took longer than the setting TIME_LIMIT."""


@dataclass(frozen=True, eq=False)
class Layout:
    """How one dataset is stored: its number, its rows, and for each column what the query must know."""

    number: int
    rows: int
    columns: tuple[dict[str, Any], ...]
    pairs: tuple[tuple[int, int], ...]
    orders: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Statement:
    """SQL text, the names of its parameters in the order in which they are bound, and those that never change."""

    sql: str
    names: tuple[str, ...]
    fixed: Mapping[str, Any]

    def bind(self, values: Mapping[str, Any]) -> list[Any]:
        """The values to run it with, out of those by name."""
        return [values[name] if name in values else self.fixed[name] for name in self.names]


class _ExactSum:
    """The sum of numbers that are stored as sortable text, as such text."""

    def __init__(self) -> None:
        self.total, self.count = Decimal(0), 0

    def step(self, text: str | None) -> None:
        if text is not None:
            self.total = _EXACT.add(self.total, decimals.unsorted(text))
            self.count += 1

    def finalize(self) -> str | None:
        return decimals.sortable(self.total) if self.count else None


class _ExactMean(_ExactSum):
    """Their mean, to 15 digits."""

    def finalize(self) -> str | None:
        return decimals.sortable(_MEAN.divide(self.total, Decimal(self.count))) if self.count else None


_EXACT = Context(prec=2000)
_MEAN = Context(prec=15)


def connection(index: Path, state: intact.State) -> sqlite3.Connection:
    """This thread's connection to an index in a state; the least used ones are closed beyond KEPT."""
    connections: OrderedDict[Path, tuple[intact.State, sqlite3.Connection]] | None
    connections = getattr(_local, "connections", None)
    if connections is None:
        connections = _local.connections = OrderedDict()
    of_state, db = connections.get(index, (None, None))
    if db is None or of_state != state:
        if db is not None:
            db.close()
        db = _open(index)
        connections[index] = (state, db)
        if len(connections) > KEPT:
            connections.popitem(last=False)[1][1].close()
    connections.move_to_end(index)
    return db


def _open(index: Path) -> sqlite3.Connection:
    uri = (index / FILE).absolute().as_uri() + "?mode=ro&immutable=1"
    db = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, cached_statements=256)
    db.create_aggregate("exact_sum", 1, _ExactSum)  # type: ignore[arg-type]  # its step takes one argument
    db.create_aggregate("exact_avg", 1, _ExactMean)  # type: ignore[arg-type]  # its step takes one argument too
    db.execute("PRAGMA query_only=1")
    db.execute("PRAGMA mmap_size=2147418112")
    db.execute("PRAGMA cache_size=-2000")
    return db


def row(index: Path, sql: str, parameters: Sequence[Any], limit: float) -> tuple[Any, ...] | None:
    """The one row that a statement gives. Raises TooSlow after `limit` seconds (0: no limit)."""
    fetched: tuple[Any, ...] | None = _run(index, sql, parameters, limit, sqlite3.Cursor.fetchone)
    return fetched


def rows(index: Path, sql: str, parameters: Sequence[Any], limit: float) -> list[tuple[Any, ...]]:
    """All rows of a statement whose number is bounded by its LIMIT."""
    return _run(index, sql, parameters, limit, sqlite3.Cursor.fetchall)


def numbers(index: Path, sql: str, parameters: Sequence[Any], limit: float) -> "array[int]":
    """The row numbers that a statement gives, four bytes each, fetched in long steps."""
    joined = row(index, f"SELECT group_concat(n) FROM ({sql})", parameters, limit)
    assert joined is not None
    return array("I", json.loads(f"[{joined[0] or ''}]"))  # which reads numbers in half the time of int()


def _run(
    index: Path, sql: str, parameters: Sequence[Any], limit: float, fetch: Callable[[sqlite3.Cursor], Fetched]
) -> Fetched:
    """What a statement gives of an index that is as it was made, before and after. Raises NoIndex, TooSlow."""
    end = time.monotonic() + limit

    def ask(state: intact.State) -> Fetched:
        db = connection(index, state)
        db.set_progress_handler((lambda: time.monotonic() > end) if limit else None, STEPS_BETWEEN_CHECKS)
        try:
            return fetch(db.execute(sql, parameters))
        except sqlite3.OperationalError as error:
            if "interrupted" in str(error):
                raise TooSlow() from error
            raise

    return intact.asked(index, ask)


@lru_cache(maxsize=64)
def layouts(index: Path) -> dict[str, Layout]:
    """The layout of each dataset of a release, by name. Raises NoIndex."""
    stored = rows(index, "SELECT position, name, detail FROM layout ORDER BY position", (), 0)
    parsed = [(number, name, json.loads(detail)) for number, name, detail in stored]
    return {
        name: Layout(number, d["rows"], tuple(d["columns"]), tuple((a, b) for a, b in d["pairs"]), tuple(d["orders"]))
        for number, name, d in parsed
    }
