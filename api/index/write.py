"""Writing an index from a release: SQLite from one reading of each table's CSV, then DuckDB from SQLite's rows.

The columns that are compared hold what api.model.types stores; each row's JSON is made here, once.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from itertools import combinations, islice
from json.encoder import encode_basestring
from pathlib import Path
from typing import Any

from api.index import duckdb, layout
from api.index.layout import FIELD_SEPARATOR, ITEM_SEPARATOR, SQLITE_FILE, Column, Layout, texts
from api.index.survey import DOUBLE_DIGITS, Survey, raw_rows, read_cells, surveys
from api.model import decimals, types
from api.model.descriptor import Package, Table

KEPT_CELLS = 50_000
DIGITS_64 = 18  # that a 64-bit integer holds whatever they are


class Cells(dict[str, tuple[types.Stored, str, str | None]]):
    """What each text of a column's cells comes to, made once: a mapping that fills itself.

    For a cell's text: the compared value, the JSON with the field's name before it, the folded text (layout: `fI`).
    """

    def __init__(self, survey: Survey, position: int) -> None:
        super().__init__()
        column = self.column = survey.columns[position]
        self.kind = column.kind
        self.exact = not (column.whole or column.doubles) or not column.finite
        doubles = self.kind.type in types.NUMERIC and not column.whole
        self.store = decimals.sortable if self.exact else float if doubles else self.kind.store
        self.declared = "TEXT" if self.exact else "REAL" if doubles else self.kind.column
        self.head = ("{" if position == 0 else FIELD_SEPARATOR) + encode_basestring(column.field.name) + ":"
        self.list = self.kind.type == "list"
        self.folds = self.list or (column.folds and position in texts(survey.table))

    def __missing__(self, cell: str) -> tuple[types.Stored, str, str | None]:
        entry: tuple[types.Stored, str, str | None] = (None, self.head + "null", None)
        if cell not in self.column.field.missing:
            value = self.kind.read(cell)
            stored = self.store(value)
            entry = (stored, self.head + self.kind.json(value), self._fold(value, stored))
        if len(self) < KEPT_CELLS:
            self[cell] = entry
        return entry

    def _fold(self, value: Any, stored: types.Stored) -> str | None:
        if self.list:
            return ITEM_SEPARATOR.join(["", *map(types.canonical, value), ""])
        folded = str(stored).casefold() if self.folds else stored
        return str(folded) if folded != stored else None


def write(package: Package, source: Path, target: Path) -> None:
    """Write the index of a release's folder into an empty one. Raises ValueError for a cell that cannot be read."""
    with closing(sqlite3.connect(target / SQLITE_FILE, isolation_level=None)) as db:
        db.executescript(
            "PRAGMA page_size=4096; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-65536; BEGIN;"
            "CREATE TABLE layout (position INTEGER PRIMARY KEY, name TEXT NOT NULL, detail TEXT NOT NULL);"
        )
        layouts = [_table(db, number, survey) for number, survey in enumerate(surveys(package, source))]
        db.executemany(
            "INSERT INTO layout VALUES (?, ?, ?)",
            [(i, t.name, layout.dump(one)) for i, (t, one) in enumerate(zip(package.tables, layouts, strict=True))],
        )
        db.execute("COMMIT")
        duckdb.write(db, layouts, target)


def _table(db: sqlite3.Connection, number: int, survey: Survey) -> Layout:
    """Fill, sort and index the tables of one dataset."""
    table, cells = survey.table, [Cells(survey, position) for position in range(len(survey.columns))]
    parts = [range(at, min(at + layout.PART, len(cells))) for at in range(0, len(cells), layout.PART)]
    for part in parts:
        declared = [f"c{i} {cells[i].declared}" for i in part]
        declared += [f"f{i} TEXT" for i in part if cells[i].folds]
        db.execute(f"CREATE TABLE {layout.part(number, part[0])} (n INTEGER PRIMARY KEY, {', '.join(declared)})")
    db.execute(f"CREATE TABLE j{number} (n INTEGER PRIMARY KEY, json TEXT NOT NULL, csv TEXT NOT NULL)")
    _fill(db, number, survey, cells, parts)
    _sort(db, number, table, [layout.part(number, part[0]) for part in parts] + [f"j{number}"])
    _search(db, number, table)
    distinct, most = _spread(db, number, survey)
    columns = [_column(survey, cell, count) for cell, count in zip(cells, most, strict=True)]
    pairs = _pairs(table, distinct, survey.rows)
    indexes = _indexes(table, pairs, distinct, survey.rows)
    for positions in indexes:
        listed = ", ".join(f"c{i}" for i in positions)
        name = layout.index(number, positions)
        db.execute(f"CREATE INDEX {name} ON {layout.part(number, positions[0])} ({listed})")
    _rollups(db, number, table, pairs, columns)
    with survey.path.open("rb") as file:
        header = next(raw_rows(file), "")
    return Layout(number, survey.rows, tuple(columns), tuple(pairs), tuple(indexes), header)


def _fill(db: sqlite3.Connection, number: int, survey: Survey, cells: Sequence[Cells], parts: Sequence[range]) -> None:
    """Insert the rows in the order of the file, a thousand at a time into all tables."""
    with survey.path.open("rb") as file:
        lines = islice(raw_rows(file), 1, None)
        read = enumerate(zip(lines, read_cells(survey.path), strict=True), 1)
        made = ((n, line, [cell[text] for cell, text in zip(cells, row, strict=True)]) for n, (line, row) in read)
        while some := list(islice(made, 1_000)):
            for part in parts:
                folds = [i for i in part if cells[i].folds]
                insert = f"INSERT INTO {layout.part(number, part[0])} VALUES (?{', ?' * (len(part) + len(folds))})"
                place = slice(part.start, part.stop)
                values = [(n, *[one[0] for one in row[place]], *[row[i][2] for i in folds]) for n, _, row in some]
                db.executemany(insert, values)
            rows = [(n, "".join([one[1] for one in row]) + "}", line) for n, line, row in some]
            db.executemany(f"INSERT INTO j{number} VALUES (?, ?, ?)", rows)


def _column(survey: Survey, cells: Cells, most: int) -> Column:
    column, numeric = cells.column, cells.kind.type in types.NUMERIC
    # Up to 15 digits a double times 10^scale is the whole number that is meant.
    units = column.scale == 0 if column.whole else column.digits + column.scale <= DOUBLE_DIGITS
    fits = column.digits + column.scale + len(str(survey.rows)) <= DIGITS_64
    adds = numeric and not cells.exact and units and fits
    return Column(
        exact=cells.exact,
        nulls=column.nulls,
        whole=column.whole if numeric else cells.kind.column == "INTEGER",
        scale=column.scale if numeric else 0,
        adds=adds,
        apart=numeric and not adds,
        most=most,
        folded=cells.folds,
        commas=column.commas,
        finite=column.finite,
    )


def _sort(db: sqlite3.Connection, number: int, table: Table, names: Sequence[str]) -> None:
    """Number the rows in the order of the primary key, unless they are in it already."""
    keys = [f"c{table.index[name]}" for name in table.primary_key]
    if not keys:
        return
    source = _joined(number, [0, *(table.index[name] for name in table.primary_key)])
    order = ", ".join(f"{key} NULLS LAST" for key in keys)
    db.execute(
        f"CREATE TEMP TABLE moved AS SELECT row_number() OVER (ORDER BY {order}, n) AS n, n AS was FROM {source}"
    )
    if db.execute("SELECT 1 FROM moved WHERE n <> was LIMIT 1").fetchone():
        for name in names:
            (made,) = db.execute("SELECT sql FROM sqlite_master WHERE name = ?", (name,)).fetchone()
            columns = [row[1] for row in db.execute(f"PRAGMA table_info({name})")][1:]
            db.execute(f"ALTER TABLE {name} RENAME TO unsorted")
            db.execute(made)
            db.execute(
                f"INSERT INTO {name} SELECT moved.n, {', '.join(columns)} FROM moved JOIN unsorted ON unsorted.n = was "
                "ORDER BY moved.n"
            )
            db.execute("DROP TABLE unsorted")
    db.execute("DROP TABLE moved")


def _joined(number: int, positions: Sequence[int]) -> str:
    """The tables that hold these fields, as SQL joins them."""
    first, *others = dict.fromkeys(layout.part(number, position) for position in positions)
    return first + "".join(f" JOIN {name} USING (n)" for name in others)


def _search(db: sqlite3.Connection, number: int, table: Table) -> None:
    """Full text over the text fields, accents folded; it holds positions only, not the texts again."""
    positions = texts(table)
    together = -(-len(positions) // layout.SEARCHED) or 1  # fields in a column of full text
    parts = [positions[at : at + together] for at in range(0, len(positions), together)]
    names = ", ".join(f"c{part[0]}" for part in parts) or "nothing"  # in which nothing is found
    db.execute(
        f"CREATE VIRTUAL TABLE q{number} USING fts5({names}, content='', tokenize='unicode61 remove_diacritics 2')"
    )
    if positions:
        values = ", ".join(_joined_texts(part) for part in parts)
        db.execute(f"INSERT INTO q{number}(rowid, {names}) SELECT n, {values} FROM {_joined(number, positions)}")


def _joined_texts(positions: Sequence[int]) -> str:
    """The texts of some fields as one; a word between them that nobody searches for keeps phrases within a field."""
    if len(positions) == 1:
        return f"c{positions[0]}"
    return " || ' \ue000 ' || ".join(f"coalesce(c{position}, '')" for position in positions)


def _spread(db: sqlite3.Connection, number: int, survey: Survey) -> tuple[list[int], list[int]]:
    """Of each field's values: how many different ones there are, and how many rows have the most frequent one.

    Counted for the fields that may get an index; 0 for the others.
    """
    distinct, most = [0] * len(survey.columns), [0] * len(survey.columns)
    for i in _orderable(survey.table):
        counted = f"SELECT count(*) AS rows FROM {layout.part(number, i)} WHERE c{i} IS NOT NULL GROUP BY c{i}"
        distinct[i], most[i] = db.execute(f"SELECT count(*), coalesce(max(rows), 0) FROM ({counted})").fetchone()
    return distinct, most


def _orderable(table: Table) -> list[int]:
    """The fields with an index of their own: the first INDEXED whose values have an order, and those of the key."""
    ordered = [i for i, field in enumerate(table.fields) if field.type not in types.STRUCTURED]
    return list(dict.fromkeys([*(table.index[name] for name in table.primary_key), *ordered[: layout.INDEXED]]))


def _pairs(table: Table, distinct: Sequence[int], rows: int) -> list[tuple[int, int]]:
    """The pairs of fields with a rollup, by position."""
    if rows < layout.ROLLUPS_FROM:
        return []
    most = min(layout.FEW_VALUES, rows // 50)
    few = [
        position
        for position, field in enumerate(table.fields[: layout.PART])
        if field.type not in (*types.STRUCTURED, "number", "duration") and 1 < distinct[position] <= most
    ]
    return list(combinations(few[: layout.ROLLED], 2))


def _indexes(
    table: Table, pairs: Sequence[tuple[int, int]], distinct: Sequence[int], rows: int
) -> list[tuple[int, ...]]:
    """The fields of each index: the fields one by one, the key, the pairs of few values that leave few rows, and those
    that the package declares.
    """
    every: list[tuple[int, ...]] = [(i,) for i in _orderable(table)]
    if len(table.primary_key) > 1:
        every.append(tuple(table.index[name] for name in table.primary_key))
    every += [(a, b) for a, b in pairs if rows // (distinct[a] * distinct[b]) <= layout.FEW]
    declared = [names for names in table.descriptor.get(layout.INDEXES) or () if {*names} <= table.index.keys()]
    every += [tuple(table.index[name] for name in names) for names in declared]
    return [one for one in dict.fromkeys(every) if len({i // layout.PART for i in one}) == 1]


def _rollups(
    db: sqlite3.Connection, number: int, table: Table, pairs: Sequence[tuple[int, int]], columns: Sequence[Column]
) -> None:
    """For each pair of fields with few values a table with a row for each two values that occur together: how many
    rows, the first of them, and of each numeric field that adds how many values, their sum, the least and the greatest.
    """
    if not pairs:
        return
    adding = [i for i, field in enumerate(table.fields[: layout.PART]) if columns[i].adds]
    sums, again = [], []
    for i in adding:
        whole = layout.whole(f"c{i}", columns[i].scale)
        sums += [f"count(c{i}) AS k{i}", f"sum({whole}) AS s{i}", f"min(c{i}) AS a{i}", f"max(c{i}) AS z{i}"]
        again += [f"sum(k{i}) AS k{i}", f"sum(s{i}) AS s{i}", f"min(a{i}) AS a{i}", f"max(z{i}) AS z{i}"]
    used = sorted({position for pair in pairs for position in pair})
    by = ", ".join(f"c{p}" for p in used)
    every = ", ".join([by, "count(*) AS rows", "min(n) AS n", *sums])
    db.execute(f"CREATE TEMP TABLE cube AS SELECT {every} FROM t{number} GROUP BY {by}")
    for pair in pairs:
        name, a, b = layout.rollup(number, pair), *pair
        parts = ", ".join([f"c{a}", f"c{b}", "sum(rows) AS rows", "min(n) AS n", *again])
        db.execute(f"CREATE TABLE {name} AS SELECT {parts} FROM cube GROUP BY c{a}, c{b} ORDER BY c{a}, c{b}")
        db.execute(f"CREATE INDEX {name}_ab ON {name} (c{a}, c{b})")
        db.execute(f"CREATE INDEX {name}_b ON {name} (c{b})")
    db.execute("DROP TABLE cube")
