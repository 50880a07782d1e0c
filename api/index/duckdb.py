"""An index's DuckDB file: written from the SQLite file's rows, and read.

The library is loaded when it is asked first: many servers never need it. A database is opened after the fork, once a
process, read-only, without access to anything but its file.
"""

import os
import secrets
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from api.index import layout
from api.index.bounds import TooSlow, costly, interrupted
from api.index.layout import DUCKDB_FILE, Layout
from api.index.sqlite import NoIndex, State, asked, check, decimal, timed
from api.model import types

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

ENGINE = "duckdb"
KEPT = 4
BATCH = 100_000  # rows that are written at once
MEMORY = "112MB"
STORAGE = "v1.4.0"  # the version of DuckDB from which on the files can be read
LOCKED = {
    "access_mode": "READ_ONLY",
    "threads": "1",  # the server's threads are those that run questions
    "memory_limit": MEMORY,
    "temp_directory": "",  # nothing is spilled: a server writes no files beside an index
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "lock_configuration": "true",
}
BYTES = ("csv_bytes", "jsonl_bytes")  # of a row's line in these files
_WIDE = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)
_opening = threading.Lock()


# Reading


@lru_cache(maxsize=16)
def _file(index: Path, _: State) -> Path:
    """The file of an index in a state; one that is made again has another name (see `write`)."""
    return next(index.glob(DUCKDB_FILE)).absolute()


@lru_cache(maxsize=KEPT)
def _database(path: Path, _process: int) -> "DuckDBPyConnection":
    import duckdb

    return duckdb.connect(str(path), read_only=True, config={**LOCKED})


@contextmanager
def _running(index: Path, state: State) -> Iterator["DuckDBPyConnection"]:
    """A cursor of its own for a question, interrupted when the time is over."""
    costly()
    import duckdb

    with _opening:  # one file is one database in a process
        cursor = _database(_file(index, state), os.getpid()).cursor()
    try:
        with interrupted(cursor.interrupt):
            yield cursor
    except duckdb.InterruptException as error:
        raise TooSlow("The query exceeded the server's time limit.") from error
    except duckdb.OutOfMemoryException as error:
        raise TooSlow(f"The query needs more than the {MEMORY} of memory that the server gives it.") from error


def rows(index: Path, sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """All rows of a statement whose number is bounded. Raises TooSlow where that is not done in time, and NoIndex."""

    def ask(state: State) -> list[tuple[Any, ...]]:
        with _running(index, state) as cursor:
            return cursor.execute(sql, values).fetchall()

    return asked(index, ask, ENGINE)


def batches(index: Path, sql: str, values: Sequence[Any], first: int, size: int) -> Iterator[list[tuple[Any, ...]]]:
    """The rows of a statement, some at a time. Raises TooSlow where the first are not there in time, and NoIndex."""

    def ask(state: State) -> tuple[State, "DuckDBPyConnection", list[tuple[Any, ...]]]:
        with _running(index, state) as cursor:
            found = cursor.execute(sql, values)
            return state, found, found.fetchmany(first)

    state, found, some = asked(index, ask, ENGINE)
    while some:
        yield some
        some = timed(ENGINE, found.fetchmany, size)
        if check(index) != state:  # what was read meanwhile may be wrong
            raise NoIndex(index, "was changed")


# Writing


def write(db: sqlite3.Connection, layouts: Sequence[Layout], target: Path) -> None:
    """Write the typed columns of every table of an SQLite file, in the order of their numbers.

    The file has a name of its own: DuckDB takes a path that is open in the process for the same database, also where
    the file behind it was replaced.
    """
    import duckdb

    path = str((target / DUCKDB_FILE.replace("*", secrets.token_hex(4))).absolute()).replace("'", "''")
    with duckdb.connect() as con:
        con.execute(f"SET threads = 1; ATTACH '{path}' AS made (STORAGE_VERSION '{STORAGE}')")
        con.execute("USE made")
        for one in layouts:
            _table(con, db, one)
        con.execute("USE memory; DETACH made")


def _table(con: "DuckDBPyConnection", db: sqlite3.Connection, one: Layout) -> None:
    """Copy the typed columns of one dataset, `eI` and the bytes of its rows' lines beside them."""
    count = len(one.columns)
    for start in range(0, max(count, 1), layout.PART):
        name = source = layout.part(one.number, start)
        columns = {row[1]: TYPES.get(row[2], "VARCHAR") for row in db.execute(f"PRAGMA table_info({name})")}
        columns["n"] = "INTEGER"
        selected = list(columns)
        if not start:
            source = f"{name} JOIN j{one.number} USING (n)"
            # of JSON Lines without the tabs, but with a newline
            selected += ["length(CAST(csv AS BLOB))", f"length(CAST(json AS BLOB)) - {count - 2}"]
            columns |= dict.fromkeys(BYTES, "INTEGER")
        apart = [i for i in range(start, min(start + layout.PART, count)) if one.columns[i].apart]
        units = [(list(columns).index(f"c{i}"), one.columns[i].scale) for i in apart]
        columns |= {f"e{i}": "BIGNUM" for i in apart}
        con.execute(f"CREATE TABLE {name} ({', '.join(f'{column} {kind}' for column, kind in columns.items())})")
        _copy(con, db.execute(f"SELECT {', '.join(selected)} FROM {source} ORDER BY n"), name, columns, units)


# DuckDB's type for a column, by the type that it has in SQLite; the type of all others is VARCHAR.
TYPES = {"NUMERIC": "BIGINT", "INTEGER": "BIGINT", "REAL": "DOUBLE"}


def _copy(
    con: "DuckDBPyConnection",
    found: sqlite3.Cursor,
    name: str,
    columns: Mapping[str, str],
    units: Sequence[tuple[int, int]],
) -> None:
    """Copy rows some at a time, as Arrow tables; `units`: the place and scale of each column that is kept as whole
    numbers too.
    """
    import pyarrow as pa

    arrow = {"INTEGER": pa.int32(), "BIGINT": pa.int64(), "DOUBLE": pa.float64()}
    kinds = [arrow.get(kind, pa.utf8()) for kind in columns.values()]
    while some := found.fetchmany(BATCH):
        values = list(zip(*some, strict=True))
        values += [tuple(_units(value, scale) for value in values[place]) for place, scale in units]
        arrays = [pa.array(column, kind) for column, kind in zip(values, kinds, strict=True)]
        con.register("batch", pa.table(arrays, names=list(columns)))
        con.execute(f"INSERT INTO {name} SELECT * FROM batch")
        con.unregister("batch")


def _units(value: types.Stored, scale: int) -> str | None:
    """A number as a whole number of 10^-scale, in digits."""
    number = None if value is None else decimal(value)
    return f"{_WIDE.scaleb(number, scale):.0f}" if number is not None and number.is_finite() else None
