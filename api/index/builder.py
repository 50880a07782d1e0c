"""The files that a release is served from: an SQLite file of what is compared, and each row's finished JSON.

One table a dataset, its columns numbered (so that any field name works), rows in the order of the primary key. It
answers which rows, by number; their JSON is cut out of a file beside it. What the query module must know about the
columns is in the file itself, in the table `layout`.

Fields inside a row's JSON are separated by ",\\t": no JSON string can hold a raw tab, so a reader can cut a row
into its fields without parsing it.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from json.encoder import encode_basestring
from pathlib import Path
from typing import Any

from api.index import orders, rollups, rows
from api.index.layout import FIELD_SEPARATOR, FILE, ROW_SEPARATOR, orders_path, rows_path, settle, texts
from api.index.survey import Column, Survey, read_cells, surveys
from api.model import decimals, types
from api.model.descriptor import Package, Table

KEPT_CELLS = 50_000
MAX_INDEXED = 40
CROWD = 200  # rows a value on average


class Cells(dict[str, tuple[types.Stored, str, str | None]]):
    """What each text of a column's cells comes to, made once: a mapping that fills itself.

    For a cell's text, the compared value, the JSON with the field's name before it, and the text with case folded where
    it is not plain ASCII. `exact`: neither 64-bit integers nor doubles hold all numbers, so they are sortable text.
    """

    def __init__(self, table: Table, position: int, column: Column) -> None:
        super().__init__()
        self.column = column
        self.exact = not (column.whole or column.doubles)
        self.store = decimals.sortable if self.exact else column.kind.store
        self.head = ("{" if position == 0 else FIELD_SEPARATOR) + encode_basestring(column.field.name) + ":"
        self.text = position in texts(table)

    def __missing__(self, cell: str) -> tuple[types.Stored, str, str | None]:
        if cell in self.column.field.missing:
            entry: tuple[types.Stored, str, str | None] = (None, self.head + "null", None)
        else:
            value = self.column.kind.read(cell)
            folded = _folded(cell) if self.text and not (cell.isascii() and "\0" not in cell) else None
            entry = (self.store(value), self.head + self.column.kind.json(value), folded)
        if len(self) < KEPT_CELLS:
            self[cell] = entry
        return entry

    def layout(self) -> dict[str, Any]:
        column = self.column
        return {"exact": self.exact, "nulls": column.nulls, "scale": column.scale, "digits": column.digits}


def _folded(cell: str) -> str:
    """A text without case; SQLite's LIKE would stop at a null character."""
    return cell.casefold().replace("\0", "\ufffd")


def write(package: Package, release: Path, folder: Path, whole: Callable[[], object]) -> None:
    """Write the files of an index into an empty folder, out of the files of a release.

    Its descriptor (as `package`) and data/ must be there; the others are read after `whole` has returned. Raises
    ValueError for cells that cannot be read.
    """
    _write(surveys(package, release), folder)
    whole()
    rows.write_offsets(package, release, folder)


def _write(surveys: Sequence[Survey], folder: Path) -> None:
    path = folder / FILE
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.executescript("PRAGMA page_size=4096; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; BEGIN;")
        layouts = [_table(db, number, survey, folder) for number, survey in enumerate(surveys)]
        db.execute("CREATE TABLE layout (position INTEGER PRIMARY KEY, name TEXT NOT NULL, detail TEXT NOT NULL)")
        db.executemany(
            "INSERT INTO layout VALUES (?, ?, ?)",
            [(i, s.table.name, json.dumps(d)) for i, (s, d) in enumerate(zip(surveys, layouts, strict=True))],
        )
        db.execute("COMMIT")
        db.executescript("ANALYZE;")
    settle(path)


def _table(db: sqlite3.Connection, number: int, survey: Survey, folder: Path) -> dict[str, Any]:
    """Fill and index one table."""
    table, rows = survey.table, survey.rows
    columns = [Cells(table, position, column) for position, column in enumerate(survey.columns)]
    insert = _declare(db, number, table, columns)
    with (folder / rows_path(table)).open("w", encoding="utf-8", newline="") as out:
        db.executemany(insert, _rows(survey, columns, out.write))
    _sort(db, number, table, columns)
    _search(db, number, table)
    pairs = rollups.pairs(table, [len(column) for column in columns], rows)
    crowded = [rows > CROWD * len(column) for column in columns]
    _index(db, number, table, pairs, crowded)
    layout = [column.layout() for column in columns]
    rollups.write(db, number, table, pairs, layout)
    sorts = orders.write(db, number, pairs, sortable(table), rows, folder / orders_path(table))
    return {"rows": rows, "columns": layout, "pairs": pairs, "orders": sorts}


def _declare(db: sqlite3.Connection, number: int, table: Table, columns: list[Cells]) -> str:
    """Create the table; the INSERT statement for it."""
    parts = [f"c{i} {'TEXT' if c.exact else c.column.kind.column}" for i, c in enumerate(columns)]
    parts += [f"f{i} TEXT" for i in texts(table)]
    db.execute(f"CREATE TABLE t{number} (n INTEGER PRIMARY KEY, {', '.join(parts)})")
    marks = ", ".join("?" * (len(parts) + 1))
    return f"INSERT INTO t{number} VALUES ({marks})"


def _rows(survey: Survey, columns: list[Cells], write: Callable[[str], object]) -> Iterator[list[Any]]:
    """The rows as they are inserted: their number, the compared values, the folded texts; their JSON is written."""
    folded = texts(survey.table)
    end = "}" + ROW_SEPARATOR
    for number, cells in enumerate(read_cells(survey.path), 1):
        entries = [column[cell] for column, cell in zip(columns, cells, strict=True)]
        write("".join([entry[1] for entry in entries]) + end)
        yield [number, *[entry[0] for entry in entries], *[entries[i][2] for i in folded]]


def _sort(db: sqlite3.Connection, number: int, table: Table, columns: list[Cells]) -> None:
    """Put the rows in the order of the primary key, unless they are in it already."""
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
    if unsorted is None and not any(columns[table.index[name]].column.nulls for name in table.primary_key):
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
    names = ", ".join(f"c{i}" for i in texts(table))
    if not names:
        return
    db.execute(
        f"CREATE VIRTUAL TABLE q{number} USING fts5({names}, content='', tokenize='unicode61 remove_diacritics 2')"
    )
    db.execute(f"INSERT INTO q{number}(rowid, {names}) SELECT n, {names} FROM t{number}")


def _index(
    db: sqlite3.Connection, number: int, table: Table, pairs: list[tuple[int, int]], crowded: list[bool]
) -> None:
    """An index for each field that is compared and sorted, one for the key, one for each pair of fields that
    queries are likely to filter by together.

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

    Not a key of one field: rows are in its order, so their number sorts.
    """
    key = table.index[table.primary_key[0]] if len(table.primary_key) == 1 else None
    ordered = [i for i, f in enumerate(table.fields) if f.type not in types.STRUCTURED and i != key]
    return ordered[:MAX_INDEXED]
