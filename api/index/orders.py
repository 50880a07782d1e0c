"""Pages sliced from the orders of a release: two fixed fields, sorted by a third, at the same cost in any table."""

import mmap
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from api.index.database import Layout
from api.index.layout import NULL_RANK, ROW_NUMBER, orders_path
from api.index.rows import mapped
from api.model.descriptor import Table
from api.query.sql import Shape

FIRST, SAME = b"\1", b"\0"  # marks of rows: whether the row before has another value
FIRST_STRETCH, NEXT_STRETCH = 10_000, 65_000  # of rows' numbers, merged at once


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
        found = self.file.find(FIRST, self.marks + place + 1, self.marks + len(self.rows))
        return found - self.marks if found >= 0 else len(self.rows)

    def after(self, last: int) -> int:
        """The place behind a row."""
        ranks = self.ranks
        return bisect_right(self.rows, (ranks[last - 1], last), key=lambda n: (ranks[n - 1], n))


@lru_cache(maxsize=64)
def open_orders(folder: Path, table: Table, layout: Layout) -> Orders:
    """The orders of a table that has them."""
    data = mapped(folder / orders_path(table))
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
        found: list[int] = []
        for at, run in enumerate(runs):
            close = bisect_left(run, end, begins[at])
            found += run[begins[at] : close].tolist()
            begins[at] = close
        found.sort()
        yield found
        end += NEXT_STRETCH


def slices(shape: Shape, layout: Layout) -> tuple[int, int, bool] | None:
    """Which pair, which sort and whether descending a question is; None for one that no order answers."""
    if len(shape.filters) != 2 or shape.search or len(shape.sort) > 1:
        return None
    if any(operator != "eq" for _, operator in shape.filters):
        return None
    fixed = tuple(sorted(position for position, _ in shape.filters))
    position, down, _ = shape.sort[0] if shape.sort else (ROW_NUMBER, False, False)
    if fixed not in layout.pairs or position not in layout.orders:
        return None
    return layout.pairs.index(fixed), layout.orders.index(position), down


def page(orders: Orders, found: tuple[int, int, bool], start: int, count: int, last: int, most: int) -> list[int]:
    """The first `most` rows (-1: all) after the row `last` (0: from the start), of the `count` rows from `start` on."""
    pair, place, down = found
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
    found: list[int] = []
    if last:
        begin = run.after(last)
        end = run.first(begin - 1)
        found += rows[begin : min(run.close(begin - 1), begin + most)].tolist()
    if len(found) < most:
        found += _backwards(run, end, most - len(found))
    if len(found) < most:
        found += rows[nulls : nulls + most - len(found)].tolist()
    return found


def _backwards(run: Run, end: int, most: int) -> list[int]:
    """At most so many of the rows before `end`, value after value from the back, those of one value as they stand."""
    begin = max(0, end - most)
    marks = run.file[run.marks + begin : run.marks + end]
    found = run.rows[begin:end].tolist()
    found.reverse()
    whole = marks.find(FIRST)  # where the first value begins of which no row stands before `begin`
    if whole < 0:
        whole = len(marks)
    del found[len(marks) - whole :]
    at = marks.find(SAME, whole)
    while at >= 0:  # rows of one value: turned back
        close = marks.find(FIRST, at)
        turned = slice(len(marks) - (close if close >= 0 else len(marks)), len(marks) - at + 1)
        found[turned] = found[turned][::-1]
        at = marks.find(SAME, close) if close >= 0 else -1
    if whole:
        start = run.first(begin)
        found += run.rows[start : min(begin + whole, start + most - len(found))].tolist()
    return found
