"""The rows under two fields' values, in the order of any third: what a filtered and sorted page is sliced from, at the
same cost in any table.

For each pair of fields that has a rollup and each field to sort by (and the row number itself), the numbers of all rows
in the order (first, second, sort field with nulls last, row number). The rows of one pair of values are together;
the rollup has where they begin. Beside them is the rank of each row's value, by which a place is found in a few steps,
whatever the size of the table.

One file a table, unsigned 32-bit little-endian: first the ranks, a column a sort field, then the orders, pair by pair.
Behind them, for each order, a byte a row: 1 where the rows of a value begin, 0 where the row before has the same value.
"""

import mmap
import sqlite3
import sys
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from api.index.database import Layout
from api.index.intact import State
from api.index.layout import NULL_RANK, ROW_NUMBER, mapped, orders_path
from api.index.layout import rollup as rollup_name
from api.model.descriptor import Table

FIRST, SAME = b"\1", b"\0"  # marks of rows: whether the row before has another value
FIRST_STRETCH, NEXT_STRETCH = 10_000, 65_000  # of rows' numbers, merged at once
SORTS_MOST = 8
_FETCHED = 50_000


@dataclass(frozen=True, eq=False)
class Orders:
    """The mapped ranks and orders of a table, and where in the file the marks of values' first rows begin."""

    file: mmap.mmap | bytes
    numbers: memoryview
    marks: int
    rows: int
    sorts: tuple[int, ...]
    pairs: tuple[tuple[int, int], ...]

    def ranks(self, place: int) -> memoryview:
        return self.numbers[place * self.rows : (place + 1) * self.rows]

    def run(self, pair: int, place: int, start: int, count: int) -> "Run":
        """The rows of a pair of values, `count` of them from `start` on, in the order of a sort."""
        order = (len(self.sorts) * (pair + 1) + place) * self.rows + start
        marks = self.marks + (len(self.sorts) * pair + place) * self.rows + start
        return Run(self.numbers[order : order + count], self.ranks(place), self.file, marks)


class Run(NamedTuple):
    """Rows' numbers, ascending by rank, then number; the ranks by number; in the file, from `marks` on, a byte for each
    of them, 1 where the rows of a value begin.
    """

    rows: memoryview
    ranks: memoryview
    file: mmap.mmap | bytes
    marks: int

    def first(self, place: int) -> int:
        """Where the value of the row at a place begins."""
        return self.file.rfind(FIRST, self.marks, self.marks + place + 1) - self.marks

    def close(self, place: int) -> int:
        """Where the value of the row at a place ends."""
        first = self.file.find(FIRST, self.marks + place + 1, self.marks + len(self.rows))
        return first - self.marks if first >= 0 else len(self.rows)

    def after(self, last: int) -> int:
        """The place behind a row."""
        ranks = self.ranks
        return bisect_right(self.rows, (ranks[last - 1], last), key=lambda n: (ranks[n - 1], n))


@lru_cache(maxsize=64)
def open_orders(index: Path, table: Table, layout: Layout, _: State) -> Orders:
    """The orders of a table that has them, of an index in a state."""
    data = mapped(index / orders_path(table))
    marks = 4 * layout.rows * len(layout.orders) * (len(layout.pairs) + 1)
    file = data.obj
    assert isinstance(file, mmap.mmap | bytes)
    return Orders(file, data[:marks].cast("I"), marks, layout.rows, layout.orders, layout.pairs)


def merged(orders: Orders, pair: int, groups: Iterable[tuple[int, int]]) -> Iterator[list[int]]:
    """The numbers of all rows of some groups of a pair (where they begin, how many they are), ascending, in pieces."""
    place = orders.sorts.index(ROW_NUMBER)
    runs = [orders.run(pair, place, start, count).rows for start, count in groups]
    begins, end = [0] * len(runs), FIRST_STRETCH
    while end - NEXT_STRETCH <= orders.rows:
        piece: list[int] = []
        for at, run in enumerate(runs):
            close = bisect_left(run, end, begins[at])
            piece += run[begins[at] : close].tolist()
            begins[at] = close
        piece.sort()
        yield piece
        end += NEXT_STRETCH


def page(orders: Orders, sort: tuple[int, int, bool], start: int, count: int, last: int, most: int) -> list[int]:
    """The first `most` rows (-1: all) after the row `last` (0: from the start), of the `count` rows from `start` on."""
    pair, place, down = sort
    run = orders.run(pair, place, start, count)
    if most < 0:
        most = count
    if down:
        return _descending(run, last, most)
    begin = run.after(last) if last else 0
    return run.rows[begin : begin + most].tolist()


def _descending(run: Run, last: int, most: int) -> list[int]:
    """Values from the greatest down, rows of one value by number, nulls at the end."""
    rows, ranks = run.rows, run.ranks
    if last and ranks[last - 1] == NULL_RANK:
        begin = run.after(last)
        return rows[begin : begin + most].tolist()
    end = nulls = run.first(len(rows) - 1) if rows and ranks[rows[-1] - 1] == NULL_RANK else len(rows)
    numbers: list[int] = []
    if last:
        begin = run.after(last)
        end = run.first(begin - 1)
        numbers += rows[begin : min(run.close(begin - 1), begin + most)].tolist()
    if len(numbers) < most:
        numbers += _backwards(run, end, most - len(numbers))
    if len(numbers) < most:
        numbers += rows[nulls : nulls + most - len(numbers)].tolist()
    return numbers


def _backwards(run: Run, end: int, most: int) -> list[int]:
    """At most so many of the rows before `end`, value after value from the back, rows of one value by number."""
    begin = max(0, end - most)
    marks = run.file[run.marks + begin : run.marks + end]
    numbers = run.rows[begin:end].tolist()
    numbers.reverse()
    whole = marks.find(FIRST)  # where the first value begins that has no row before `begin`
    if whole < 0:
        whole = len(marks)
    del numbers[len(marks) - whole :]
    at = marks.find(SAME, whole)
    while at >= 0:  # rows of one value: turned back
        close = marks.find(FIRST, at)
        turned = slice(len(marks) - (close if close >= 0 else len(marks)), len(marks) - at + 1)
        numbers[turned] = numbers[turned][::-1]
        at = marks.find(SAME, close) if close >= 0 else -1
    if whole:
        start = run.first(begin)
        numbers += run.rows[start : min(begin + whole, start + most - len(numbers))].tolist()
    return numbers


def write(
    db: sqlite3.Connection, number: int, pairs: Sequence[tuple[int, int]], sorts: Sequence[int], rows: int, path: Path
) -> list[int]:
    """Write the file of one table; the fields to sort by, in order (empty without pairs)."""
    if not pairs:
        return []
    import pyarrow as pa

    stored = [ROW_NUMBER, *sorts[:SORTS_MOST]]
    groups = [_groups(db, number, pair) for pair in pairs]
    with path.open("wb") as file:
        marks = 4 * rows * len(stored) * (len(pairs) + 1)
        file.truncate(marks + rows * len(stored) * len(pairs))
        for place, position in enumerate(stored):
            order, ranks = _ordered(db, number, position, rows)
            _put(file, place * rows, ranks)
            for at, codes in enumerate(groups):
                if position not in pairs[at]:
                    dealt, firsts = _dealt(pa.array(order, pa.uint32()), pa.array(ranks, pa.uint32()), codes)
                    _put(file, (len(stored) * (at + 1) + place) * rows, dealt)
                    file.seek(marks + (len(stored) * at + place) * rows)
                    file.write(firsts)
    return stored


def measure(
    db: sqlite3.Connection, number: int, pairs: Sequence[Sequence[int]], kind: str, lengths: "array[int]", path: Path
) -> None:
    """Add to each rollup of a table how many bytes the rows that it counts have in a file, by the rows' lengths."""
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
            name = rollup_name(number, (a, b))
            ends = [begins + rows for begins, rows in db.execute(f"SELECT begins, rows FROM {name} ORDER BY rowid")]
            totals = sums.take(pa.array([end - 1 for end in ends])).to_pylist()
            sizes_of_rows = [total - before for total, before in zip(totals, [0, *totals], strict=False)]
            db.execute(f"ALTER TABLE {name} ADD COLUMN {kind}_bytes INTEGER")
            sql = f"UPDATE {name} SET {kind}_bytes = ? WHERE rowid = ?"
            db.executemany(sql, [(size, place) for place, size in enumerate(sizes_of_rows, 1)])


def _groups(db: sqlite3.Connection, number: int, pair: tuple[int, int]) -> Any:
    """For each row, in the order of their numbers, which row of the rollup counts it; as an Arrow array."""
    import pyarrow as pa

    a, b = pair
    name = rollup_name(number, pair)
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
