"""Connections to a release's serving file: read-only, one a thread and release, kept open.

SQLite gives the interpreter lock back only while it steps, so every question asks for its whole answer in one row.
"""

import json
import sqlite3
import threading
import time
from array import array
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

from api.index.layout import FILE
from api.model import decimals
from api.model.errors import LanternError

KEPT = 8
STEPS_BETWEEN_CHECKS = 100_000
_local = threading.local()


class TooSlow(LanternError):
    """A question that took longer than the setting TIME_LIMIT."""


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


def connection(folder: Path) -> sqlite3.Connection:
    """This thread's connection to a release; the least used ones are closed beyond KEPT."""
    kept: OrderedDict[Path, sqlite3.Connection] | None = getattr(_local, "kept", None)
    if kept is None:
        kept = _local.kept = OrderedDict()
    db = kept.get(folder)
    if db is None:
        db = kept[folder] = _open(folder)
        if len(kept) > KEPT:
            kept.popitem(last=False)[1].close()
    else:
        kept.move_to_end(folder)
    return db


def _open(folder: Path) -> sqlite3.Connection:
    uri = (folder / FILE).absolute().as_uri() + "?mode=ro&immutable=1"
    db = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, cached_statements=256)
    db.create_aggregate("exact_sum", 1, _ExactSum)  # type: ignore[arg-type]  # its step takes one argument
    db.create_aggregate("exact_avg", 1, _ExactMean)  # type: ignore[arg-type]  # its step takes one argument too
    db.execute("PRAGMA query_only=1")
    db.execute("PRAGMA mmap_size=2147418112")
    db.execute("PRAGMA cache_size=-2000")
    return db


def row(folder: Path, sql: str, parameters: Sequence[Any], limit: float) -> tuple[Any, ...] | None:
    """The one row that a statement gives. Raises TooSlow after `limit` seconds (0: no limit)."""
    db = connection(folder)
    _deadline(db, limit)
    try:
        found: tuple[Any, ...] | None = db.execute(sql, parameters).fetchone()
    except sqlite3.OperationalError as error:
        raise _reason(error) from error
    return found


def rows(folder: Path, sql: str, parameters: Sequence[Any], limit: float) -> list[tuple[Any, ...]]:
    """All rows of a statement whose number is bounded by its LIMIT."""
    db = connection(folder)
    _deadline(db, limit)
    try:
        return db.execute(sql, parameters).fetchall()
    except sqlite3.OperationalError as error:
        raise _reason(error) from error


def numbers(folder: Path, sql: str, parameters: Sequence[Any], limit: float) -> "array[int]":
    """The row numbers that a statement gives, four bytes each, fetched in long steps."""
    db = connection(folder)
    _deadline(db, limit)
    try:
        step = db.execute(f"SELECT group_concat(n) FROM ({sql})", parameters).fetchone()
    except sqlite3.OperationalError as error:
        raise _reason(error) from error
    return array("I", json.loads(f"[{step[0] or ''}]"))  # which reads numbers in half the time of int()


def _deadline(db: sqlite3.Connection, limit: float) -> None:
    if not limit:
        db.set_progress_handler(None, 0)
        return
    end = time.monotonic() + limit
    db.set_progress_handler(lambda: time.monotonic() > end, STEPS_BETWEEN_CHECKS)


def _reason(error: sqlite3.OperationalError) -> Exception:
    return TooSlow() if "interrupted" in str(error) else error


@lru_cache(maxsize=64)
def layouts(folder: Path) -> dict[str, Layout]:
    """The layout of each dataset of a release, by name."""
    found = connection(folder).execute("SELECT position, name, detail FROM layout ORDER BY position")
    parsed = [(number, name, json.loads(detail)) for number, name, detail in found]
    return {
        name: Layout(number, d["rows"], tuple(d["columns"]), tuple((a, b) for a, b in d["pairs"]), tuple(d["orders"]))
        for number, name, d in parsed
    }
