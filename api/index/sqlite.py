"""How an index is asked: in time, only while its files are as they were made, and its SQLite file.

There is one connection a thread and index, read-only, kept open. SQLite gives the interpreter lock back only while it
steps, so most questions fetch their whole result in one row.
"""

import json
import os
import sqlite3
import statistics
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from decimal import Context, Decimal
from functools import lru_cache, partial, reduce
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from api.index import layout
from api.index.bounds import costly, interrupted, seconds_left
from api.index.layout import FEW, ROW_SEPARATOR, SQLITE_FILE, Layout
from api.model import decimals, types
from api.model.errors import LanternError

Found = TypeVar("Found")
State = tuple[tuple[int, ...], ...]
KEPT = 8
TRIES = 3
STEPS_BETWEEN_CHECKS = 100_000
EXACT = Context(prec=2000)
took: Callable[[str, float], object] | None = None  # is told the engine and seconds of each query, if anybody is
_local = threading.local()
_known: "dict[Path, Known]" = {}
_hashing = threading.Lock()


# What every question to an index minds


class Known(NamedTuple):
    """What was found out of an index when its files were in a state; `reason`: what is wrong with it, or ""."""

    paths: tuple[str, ...]
    state: State
    reason: str


class NoIndex(LanternError):
    """The index of a release is missing, damaged or of another format."""

    def __init__(self, index: Path, reason: str) -> None:
        super().__init__(f"the index {index.name} {reason}")
        self.index = index


def state_of(path: str) -> tuple[int, ...]:
    """What changes when a file does; () for one that is not there."""
    try:
        stat = os.stat(path)
    except OSError:
        return ()
    return (stat.st_size, stat.st_ino, stat.st_ctime_ns, stat.st_mtime_ns)


def check(index: Path) -> State:
    """The state of an index that is as it was made. Raises NoIndex for one that is not, TooSlow where to look takes too
    long: it goes on.

    Two calls that return the same have met the same files: what was read in between is right.
    """
    known = _current(index)
    if known is None:
        look = threading.Thread(target=_look, args=(index,), daemon=True)
        look.start()
        look.join(min(seconds_left(), threading.TIMEOUT_MAX))
        if look.is_alive():
            seconds_left()
        known = _known[index]
    if known.reason:
        raise NoIndex(index, known.reason)
    return known.state


def timed(engine: str, run: Callable[..., Found], *given: Any) -> Found:
    """What running an engine gives; `took` is told how long that was."""
    if took is None:
        return run(*given)
    began = time.perf_counter()
    try:
        return run(*given)
    finally:
        took(engine, time.perf_counter() - began)


def _current(index: Path) -> Known | None:
    """What is known of an index in the state in which its files are."""
    known = _known.get(index)
    return known if known and known.state == tuple(map(state_of, known.paths)) else None


def _look(index: Path) -> None:
    from api.index.intact import looked_at  # which stands on this module

    with _hashing:
        if _current(index) is None:
            _known[index] = looked_at(index)


def asked(index: Path, ask: Callable[[State], Found], engine: str = "sqlite") -> Found:
    """What `ask` finds in an index that was as it was made all the while; it is given its state.

    What is kept open of an index must be kept with that state: of another one nothing is the same. Raises NoIndex.
    """
    for _ in range(TRIES):
        state = check(index)
        try:
            found = timed(engine, ask, state)
        except Exception:
            if check(index) == state:
                raise
            continue
        if check(index) == state:
            return found
    raise NoIndex(index, "is being changed")


# Reading


def _connection(index: Path, state: State) -> sqlite3.Connection:
    """This thread's connection to an index in a state; the least used ones are closed beyond KEPT."""
    connections: OrderedDict[Path, tuple[State, sqlite3.Connection]] | None
    connections = getattr(_local, "connections", None)
    if connections is None:
        connections = _local.connections = OrderedDict()
    of_state, db = connections.pop(index, ((), None))
    if db is None or of_state != state:
        if db is not None:
            db.close()
        db = _open(index)
    connections[index] = (state, db)
    if len(connections) > KEPT:
        connections.popitem(last=False)[1][1].close()
    return db


def _open(index: Path) -> sqlite3.Connection:
    uri = (index / SQLITE_FILE).absolute().as_uri() + "?mode=ro&immutable=1"
    db = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, cached_statements=256)
    for name, of in AGGREGATES.items():
        db.create_aggregate(name, 1, partial(_Aggregate, of))  # type: ignore[arg-type]  # a step takes one argument
    db.execute("PRAGMA query_only=1")
    db.execute("PRAGMA cache_size=-2000")
    return db


def rows(index: Path, sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """All rows of a statement whose number is bounded. Raises TooSlow, Busy, and NoIndex."""
    end, searches = time.monotonic() + seconds_left(), " MATCH " in sql
    if searches and _large(index):
        costly()

    def ask(state: State) -> list[tuple[Any, ...]]:
        db = _connection(index, state)
        db.set_progress_handler(lambda: time.monotonic() > end, STEPS_BETWEEN_CHECKS)
        try:
            # Full text merges all the words of a beginning within one step, where only an interruption reaches it.
            with interrupted(db.interrupt) if searches else nullcontext():
                return db.execute(sql, values).fetchall()
        except sqlite3.OperationalError as error:
            seconds_left()  # raises TooSlow where that is why
            raise error

    return asked(index, ask)


def numbers(index: Path, sql: str, values: Sequence[Any]) -> list[int]:
    """The row numbers (column n) that a statement gives, fetched in one long step."""
    ((joined,),) = rows(index, f"SELECT group_concat(n) FROM ({sql})", values)
    found: list[int] = json.loads(f"[{joined or ''}]")  # which reads numbers in half the time of int()
    return found


def page(index: Path, number: int, sql: str, values: Sequence[Any]) -> tuple[list[int], str]:
    """The row numbers that a statement gives for a dataset, and the JSON of these rows, separated by ROW_SEPARATOR."""
    found = f"SELECT found.n, json FROM ({sql}) AS found CROSS JOIN j{number} ON j{number}.n = found.n"
    ((numbers, text),) = rows(
        index, f"SELECT group_concat(n), group_concat(json, ?) FROM ({found})", (ROW_SEPARATOR, *values)
    )
    return json.loads(f"[{numbers or ''}]"), text or ""


@lru_cache(maxsize=8)
def found_by_text(index: Path, layout: Layout, words: str) -> bytes:
    """A bit for each row's number of a dataset, from 0 on, the highest of a byte first: 1 for what full text finds."""
    name, marks = f"q{layout.number}", bytearray(layout.rows // 8 + 1)
    for n in numbers(index, f"SELECT rowid AS n FROM {name} WHERE {name} MATCH ?", [words]):
        marks[n >> 3] |= 128 >> (n & 7)
    return bytes(marks)


def row_texts(index: Path, number: int, column: str, numbers: Sequence[int], between: str) -> str:
    """The texts (`column` json or csv) of the rows of a dataset with these numbers, in their order, joined."""
    given: tuple[Any, ...]
    if isinstance(numbers, range) and numbers.step == 1:
        source, given = f"j{number} WHERE n BETWEEN ? AND ? ORDER BY n", (numbers.start, numbers.stop - 1)
    else:
        source = f"json_each(?) AS listed CROSS JOIN j{number} ON n = listed.value ORDER BY listed.key"
        given = (json.dumps(list(numbers)),)
    sql = f"SELECT group_concat(text, ?) FROM (SELECT j{number}.{column} AS text FROM {source})"
    ((text,),) = rows(index, sql, (between, *given))
    return text or ""


def texts(index: Path, number: int, column: str, numbers: Iterable[int]) -> dict[int, str]:
    """The text (`column` json or csv) of each of these rows of a dataset, by number."""
    sql = f"SELECT n, {column} FROM j{number} WHERE n IN (SELECT value FROM json_each(?))"
    return dict(rows(index, sql, [json.dumps(list(numbers))]))


def json_text(index: Path, number: int, numbers: Sequence[int]) -> str:
    """The JSON of rows by number, separated by ROW_SEPARATOR."""
    return row_texts(index, number, "json", numbers, ROW_SEPARATOR)


@lru_cache(maxsize=64)
def _large(index: Path) -> bool:
    return any(one.rows > FEW for one in layouts(index).values())


@lru_cache(maxsize=64)
def layouts(index: Path) -> dict[str, Layout]:
    """The layout of each dataset of a release, by name."""
    stored = rows(index, "SELECT name, detail FROM layout ORDER BY position", ())
    return {name: layout.read(detail) for name, detail in stored}


# Numbers


def decimal(stored: types.Stored) -> Decimal:
    """A number from what a column holds."""
    if isinstance(stored, str):
        return decimals.unsorted(stored)
    return Decimal(repr(stored)) if isinstance(stored, float) else Decimal(stored or 0)


class _Aggregate:
    """An aggregate over the numbers of a column, of which SQLite has none that is exact: `of` gives it from them."""

    def __init__(self, of: Callable[[list[Decimal]], types.Stored]) -> None:
        self.of = of
        self.numbers: list[Decimal] = []

    def step(self, value: types.Stored) -> None:
        if value is not None and (number := decimal(value)).is_finite():
            self.numbers.append(number)

    def finalize(self) -> types.Stored:
        return self.of(self.numbers) if self.numbers else None


def _sum(numbers: list[Decimal]) -> Decimal:
    return reduce(EXACT.add, numbers, Decimal(0))


def _middle(numbers: list[Decimal]) -> Decimal:
    """The sum of the two in the middle, or twice the one."""
    return EXACT.add(statistics.median_low(numbers), statistics.median_high(numbers))


# Exact ones as text that sorts as numbers do; the mean as a double to sort by.
AGGREGATES: Mapping[str, Callable[[list[Decimal]], types.Stored]] = {
    "exact_sum": lambda numbers: decimals.sortable(_sum(numbers)),
    "exact_mean": lambda numbers: float(EXACT.divide(_sum(numbers), Decimal(len(numbers)))),
    "middle": lambda numbers: decimals.sortable(_middle(numbers)),
}
