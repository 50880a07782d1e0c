"""The rows under two fields' values, in the order of any third: what a filtered and sorted page is sliced from.

For each pair of fields that has a rollup and each field to sort by (and the row number itself), the numbers of all rows
in the order (first, second, sort field with nulls last, row number). The rows of one pair of values stand together;
where they begin stands in the rollup. Beside them the rank of each row's value, by which a place is found in a few
steps, whatever the size of the table.

One file a table, unsigned 32-bit little-endian: first the ranks, a column a sort field, then the orders, pair by pair.
Behind them, for each order, a byte a row: 1 where the rows of a value begin, 0 where the row before has the same value.
"""

import sqlite3
import sys
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from api.index import layout
from api.index.layout import NULL_RANK, ROW_NUMBER

SORTS_MOST = 8
_FETCHED = 50_000


def write(
    db: sqlite3.Connection, number: int, pairs: Sequence[tuple[int, int]], sorts: Sequence[int], rows: int, path: Path
) -> list[int]:
    """Write the file of one table; the fields to sort by, in order (empty without pairs)."""
    if not pairs:
        return []
    import pyarrow as pa

    kept = [ROW_NUMBER, *sorts[:SORTS_MOST]]
    groups = [_groups(db, number, pair) for pair in pairs]
    with path.open("wb") as file:
        marks = 4 * rows * len(kept) * (len(pairs) + 1)
        file.truncate(marks + rows * len(kept) * len(pairs))
        for place, position in enumerate(kept):
            order, ranks = _ordered(db, number, position, rows)
            _put(file, place * rows, ranks)
            for at, codes in enumerate(groups):
                if position not in pairs[at]:
                    dealt, firsts = _dealt(pa.array(order, pa.uint32()), pa.array(ranks, pa.uint32()), codes)
                    _put(file, (len(kept) * (at + 1) + place) * rows, dealt)
                    file.seek(marks + (len(kept) * at + place) * rows)
                    file.write(firsts)
    return kept


def measure(
    db: sqlite3.Connection, number: int, pairs: Sequence[Sequence[int]], kind: str, lengths: "array[int]", path: Path
) -> None:
    """Tell each rollup of a table how many bytes the rows that it counts have in a file, by the lengths of the rows."""
    if not pairs:
        return
    import pyarrow as pa
    import pyarrow.compute as pc

    count = len(lengths)
    sorts = path.stat().st_size // (count * (4 * (len(pairs) + 1) + len(pairs)))
    sizes = pa.array(lengths, pa.uint64())
    with path.open("rb") as file:
        for at, (a, b) in enumerate(pairs):
            file.seek(4 * count * sorts * (at + 1))
            order = array("I")
            order.fromfile(file, count)
            if sys.byteorder == "big":
                order.byteswap()
            sums = pc.cumulative_sum(sizes.take(pc.subtract(pa.array(order, pa.uint32()), 1)))
            name = layout.rollup(number, (a, b))
            ends = [begins + rows for begins, rows in db.execute(f"SELECT begins, rows FROM {name} ORDER BY rowid")]
            totals = sums.take(pa.array([end - 1 for end in ends])).to_pylist()
            found = [total - before for total, before in zip(totals, [0, *totals], strict=False)]
            db.execute(f"ALTER TABLE {name} ADD COLUMN {kind}_bytes INTEGER")
            sql = f"UPDATE {name} SET {kind}_bytes = ? WHERE rowid = ?"
            db.executemany(sql, [(size, place) for place, size in enumerate(found, 1)])


def _groups(db: sqlite3.Connection, number: int, pair: tuple[int, int]) -> Any:
    """For each row, in the order of their numbers, which row of the rollup counts it; as an Arrow array."""
    import pyarrow as pa

    a, b = pair
    name = layout.rollup(number, pair)
    places = {(x, y): i for i, (x, y) in enumerate(db.execute(f"SELECT c{a}, c{b} FROM {name} ORDER BY rowid"))}
    codes = array("I")
    cursor = db.execute(f"SELECT c{a}, c{b} FROM t{number} ORDER BY n")
    while batch := cursor.fetchmany(_FETCHED):
        codes.extend([places[row] for row in batch])
    return pa.array(codes, pa.uint32())


def _ordered(db: sqlite3.Connection, number: int, position: int, rows: int) -> tuple["array[int]", "array[int]"]:
    """The rows' numbers in the order of a field, and the rank of each row's value by number."""
    if position == ROW_NUMBER:
        return array("I", range(1, rows + 1)), array("I", range(1, rows + 1))
    order, ranks = array("I"), array("I", [NULL_RANK]) * rows
    rank, last = 0, None
    cursor = db.execute(f"SELECT n, c{position} FROM t{number} WHERE c{position} IS NOT NULL ORDER BY c{position}, n")
    while batch := cursor.fetchmany(_FETCHED):
        for n, value in batch:
            if value != last:
                rank, last = rank + 1, value
            ranks[n - 1] = rank
        order.extend([n for n, _ in batch])
    order.extend([n for (n,) in db.execute(f"SELECT n FROM t{number} WHERE c{position} IS NULL ORDER BY n")])
    return order, ranks


def _dealt(order: Any, ranks: Any, codes: Any) -> tuple["array[int]", bytes]:
    """The numbers dealt out to their groups, each group in the order given, one after another; and where in them the
    rows of a value begin, a byte each.

    Sorting by a few small codes is what Arrow counts rather than compares, and it keeps the order of equals.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    theirs = codes.take(pc.subtract(order, 1))
    sorting = pc.array_sort_indices(theirs)
    dealt = order.take(sorting)
    columns = (theirs.take(sorting), ranks.take(pc.subtract(dealt, 1)))
    new = pc.cast(pc.or_(*(pc.not_equal(column[1:], column[:-1]) for column in columns)), pa.uint8())
    firsts = b"\1" + new.buffers()[1].to_pybytes()[new.offset : new.offset + len(new)]
    return array("I", dealt.buffers()[1].to_pybytes()[: 4 * len(dealt)]), firsts


def _put(file: BinaryIO, place: int, numbers: "array[int]") -> None:
    if sys.byteorder == "big":
        numbers.byteswap()
    file.seek(4 * place)
    numbers.tofile(file)
