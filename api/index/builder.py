"""The files that a release is served from: an SQLite file of what is compared, and each row's finished JSON.

One table a dataset, its columns numbered (so that any field name works), rows in the order of the primary key. It
answers which rows, by number; their JSON is cut out of a file beside it. What the query module must know of the
columns stands in the file itself, in the table `layout`.

Fields inside a row's JSON are separated by ",\\t": no JSON string can hold a raw tab, so a reader can cut a row
into its fields without parsing it.
"""

import csv
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from json.encoder import encode_basestring
from pathlib import Path
from typing import Any

from api.index import orders, rollups
from api.index.layout import FIELD_SEPARATOR, FILE, ROW_SEPARATOR, orders_path, rows_path, settle, texts
from api.model import decimals, types
from api.model.descriptor import Package, Table
from api.model.errors import LanternError

KEPT_CELLS = 50_000
EXACT_DIGITS = 15  # so many decimal digits a double holds exactly
MAX_INDEXED = 40
CROWD = 200  # rows a value on the average
csv.field_size_limit(2**31 - 1)


class CellError(LanternError):
    """A cell that cannot be read as its field's type."""


class _NotExact(Exception):
    """A number that neither a 64-bit integer nor a double holds: its column must be stored as sortable text."""

    def __init__(self, position: int) -> None:
        self.position = position


class Column(dict[str, tuple[types.Stored, str, str | None]]):
    """A column while it is read: what each text of a cell comes to, and what the query must know of them all.

    A mapping that fills itself: for a cell's text, the compared value, the JSON with the field's name before it, and
    the text with case folded where it is not plain ASCII.
    """

    def __init__(self, table: Table, position: int, exact: bool) -> None:
        super().__init__()
        self.position = position
        self.exact = exact
        self.kind = types.kind(table.fields[position])
        self.missing = frozenset(table.fields[position].missing)
        self.head = ("{" if position == 0 else FIELD_SEPARATOR) + encode_basestring(table.fields[position].name) + ":"
        self.text = position in texts(table)
        self.nulls = False
        self.scale = 0
        self.digits = 0

    def __missing__(self, cell: str) -> tuple[types.Stored, str, str | None]:
        if cell in self.missing:
            self.nulls = True
            found: tuple[types.Stored, str, str | None] = (None, self.head + "null", None)
        else:
            value = self.kind.read(cell)
            stored = self._number(value) if isinstance(value, Decimal) else self.kind.store(value)
            folded = _folded(cell) if self.text and not (cell.isascii() and "\0" not in cell) else None
            found = (stored, self.head + self.kind.json(value), folded)
        if len(self) < KEPT_CELLS:
            self[cell] = found
        return found

    def _number(self, value: Decimal) -> types.Stored:
        _, digits, exponent = value.as_tuple()
        assert isinstance(exponent, int)
        self.digits = max(self.digits, len(digits) + exponent)
        if exponent < 0 and -exponent > self.scale:
            self.scale = max(self.scale, -value.normalize().as_tuple().exponent)  # type: ignore[operator]
        if self.exact:
            return decimals.sortable(value)
        if len(digits) > EXACT_DIGITS and not decimals.is_exact(value):
            raise _NotExact(self.position)
        return self.kind.store(value)

    def layout(self) -> dict[str, Any]:
        return {"exact": self.exact, "nulls": self.nulls, "scale": self.scale, "digits": self.digits}


def _folded(cell: str) -> str:
    """A text without case; SQLite's LIKE would stop at a null character."""
    return cell.casefold().replace("\0", "\ufffd")


def write(package: Package, folder: Path) -> dict[str, int]:
    """Write the serving files of the CSV tables in a release folder; the rows of each table by name.

    Raises CellError naming the file, line, field and value of a cell that cannot be read.
    """
    path = folder / FILE
    path.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.executescript("PRAGMA page_size=4096; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; BEGIN;")
        layouts = [_table(db, number, table, folder) for number, table in enumerate(package.tables)]
        db.execute("CREATE TABLE layout (position INTEGER PRIMARY KEY, name TEXT NOT NULL, detail TEXT NOT NULL)")
        db.executemany(
            "INSERT INTO layout VALUES (?, ?, ?)",
            [(i, t.name, json.dumps(d)) for i, (t, d) in enumerate(zip(package.tables, layouts, strict=True))],
        )
        db.execute("COMMIT")
        db.executescript("ANALYZE;")
    settle(path)
    return {table.name: detail["rows"] for table, detail in zip(package.tables, layouts, strict=True)}


def _table(db: sqlite3.Connection, number: int, table: Table, folder: Path) -> dict[str, Any]:
    """Fill one table, again from the start each time a column turns out to need exact numbers."""
    exact: set[int] = set()
    while True:
        columns = [Column(table, i, i in exact) for i in range(len(table.fields))]
        try:
            rows = _fill(db, number, table, folder, columns)
            break
        except _NotExact as found:
            exact.add(found.position)
            db.execute(f"DROP TABLE t{number}")
    _sort(db, number, table, columns)
    _search(db, number, table)
    pairs = rollups.pairs(table, [len(column) for column in columns], rows)
    crowded = [rows > CROWD * len(column) for column in columns]
    _index(db, number, table, pairs, crowded)
    layout = [column.layout() for column in columns]
    rollups.write(db, number, table, pairs, layout)
    kept = orders.write(db, number, pairs, sortable(table), rows, folder / orders_path(table))
    return {"rows": rows, "columns": layout, "pairs": pairs, "orders": kept}


def _declare(db: sqlite3.Connection, number: int, table: Table, columns: list[Column]) -> str:
    """Create the table; the INSERT statement for it."""
    parts = [f"c{i} {'TEXT' if c.exact else c.kind.column}" for i, c in enumerate(columns)]
    parts += [f"f{i} TEXT" for i in texts(table)]
    db.execute(f"CREATE TABLE t{number} (n INTEGER PRIMARY KEY, {', '.join(parts)})")
    marks = ", ".join("?" * (len(parts) + 1))
    return f"INSERT INTO t{number} VALUES ({marks})"


def _fill(db: sqlite3.Connection, number: int, table: Table, folder: Path, columns: list[Column]) -> int:
    """Insert the rows of a CSV file and write their JSON; how many there are."""
    insert = _declare(db, number, table, columns)
    with (folder / rows_path(table)).open("w", encoding="utf-8", newline="") as out:
        db.executemany(insert, _rows(table, folder / table.path, columns, out.write))
    return int(db.execute(f"SELECT count(*) FROM t{number}").fetchone()[0])


def _rows(table: Table, path: Path, columns: list[Column], write: Callable[[str], object]) -> Iterator[list[Any]]:
    """The rows as they are inserted: their number, the compared values, the folded texts; their JSON is written."""
    folded = texts(table)
    end = "}" + ROW_SEPARATOR
    for number, (line, cells) in enumerate(read_cells(path), 1):
        if len(cells) != len(columns):
            raise CellError(f"{table.path}:{line}: {len(cells)} cells, expected {len(columns)}")
        try:
            found = [column[cell] for column, cell in zip(columns, cells, strict=True)]
        except ValueError:
            raise CellError(_wrong(table, columns, line, cells)) from None
        write("".join([entry[1] for entry in found]) + end)
        yield [number, *[entry[0] for entry in found], *[found[i][2] for i in folded]]


def _wrong(table: Table, columns: list[Column], line: int, cells: list[str]) -> str:
    """Which cell of a row cannot be read, and what was expected."""
    for field, column, cell in zip(table.fields, columns, cells, strict=True):
        try:
            column[cell]
        except ValueError as error:
            return f'{table.path}:{line}: field "{field.name}": {cell!r} is not {error}'
    raise AssertionError("some cell of the row could not be read")


def read_cells(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows of a plain CSV file under its header, each with its first line's number (the header is line 1)."""
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        next(reader, None)
        line = reader.line_num + 1
        for cells in reader:
            yield line, cells
            line = reader.line_num + 1


def _sort(db: sqlite3.Connection, number: int, table: Table, columns: list[Column]) -> None:
    """Put the rows in the order of the primary key, unless they stand in it already."""
    keys = [f"c{table.index[name]}" for name in table.primary_key]
    if not keys:
        return
    order = ", ".join(f"{key} IS NULL, {key}" for key in keys)
    names = ", ".join(keys)
    before = ", ".join(f"lag({key}) OVER (ORDER BY n) AS p{i}" for i, key in enumerate(keys))
    earlier = ", ".join(f"p{i}" for i in range(len(keys)))
    unsorted = db.execute(
        f"SELECT 1 FROM (SELECT {names}, {before} FROM t{number}) WHERE ({earlier}) > ({names}) LIMIT 1"
    ).fetchone()
    if unsorted is None and not any(columns[table.index[name]].nulls for name in table.primary_key):
        return
    db.execute(f"ALTER TABLE t{number} RENAME TO unsorted")
    insert = _declare(db, number, table, columns)
    rest = [row[1] for row in db.execute("PRAGMA table_info(unsorted)") if row[1] != "n"]
    db.execute(
        insert.split(" VALUES")[0]
        + f" SELECT row_number() OVER (ORDER BY {order}, n), {', '.join(rest)} FROM unsorted ORDER BY 1"
    )
    db.execute(
        f"CREATE TABLE p{number} AS "
        f"SELECT row_number() OVER (ORDER BY {order}, n) AS n, n AS p FROM unsorted ORDER BY 1"
    )
    db.execute("DROP TABLE unsorted")


def _search(db: sqlite3.Connection, number: int, table: Table) -> None:
    """Full text over the text fields, accents folded; it holds positions only, not the texts again."""
    found = texts(table)
    if not found:
        return
    names = ", ".join(f"c{i}" for i in found)
    db.execute(
        f"CREATE VIRTUAL TABLE q{number} USING fts5({names}, content='', tokenize='unicode61 remove_diacritics 2')"
    )
    db.execute(f"INSERT INTO q{number}(rowid, {names}) SELECT n, {names} FROM t{number}")


def _index(
    db: sqlite3.Connection, number: int, table: Table, pairs: list[tuple[int, int]], crowded: list[bool]
) -> None:
    """An index for each field that is compared and sorted, one for the key, one for each pair of fields that
    questions are likely to filter by together.

    Where many rows share a value (`crowded`) a descending sort, whose ties still ascend, needs an index of its own.
    """
    key = table.index[table.primary_key[0]] if len(table.primary_key) == 1 else None
    if key is not None:
        db.execute(f"CREATE INDEX t{number}_key ON t{number} (c{key})")
    for i in sortable(table):
        db.execute(f"CREATE INDEX t{number}_c{i} ON t{number} (c{i})")
        if crowded[i]:
            db.execute(f"CREATE INDEX t{number}_c{i}_down ON t{number} (c{i} DESC)")
    if len(table.primary_key) > 1:
        keys = ", ".join(f"c{table.index[name]}" for name in table.primary_key)
        db.execute(f"CREATE INDEX t{number}_key ON t{number} ({keys})")
    for a, b in pairs:
        db.execute(f"CREATE INDEX t{number}_c{a}_c{b} ON t{number} (c{a}, c{b})")


def sortable(table: Table) -> list[int]:
    """The positions of the fields that get an index: the first MAX_INDEXED whose values have an order.

    Not a key of one field: rows stand in its order, so their number sorts.
    """
    key = table.index[table.primary_key[0]] if len(table.primary_key) == 1 else None
    ordered = [i for i, f in enumerate(table.fields) if f.type not in types.STRUCTURED and i != key]
    return ordered[:MAX_INDEXED]
