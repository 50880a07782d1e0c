"""Pages sliced from the orders of a release: two fixed fields, sorted by a third, at the same cost in any table."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from api.descriptor import Table
from api.engine import Layout
from api.layout import NULL_RANK, ROW_NUMBER, orders_path
from api.query import Shape
from api.rowfile import mapped


@dataclass(frozen=True, eq=False)
class Orders:
    """The mapped ranks and orders of a table."""

    numbers: memoryview
    rows: int
    sorts: tuple[int, ...]
    pairs: tuple[tuple[int, int], ...]

    def ranks(self, place: int) -> memoryview:
        return self.numbers[place * self.rows : (place + 1) * self.rows]

    def order(self, pair: int, place: int) -> memoryview:
        start = (len(self.sorts) * (pair + 1) + place) * self.rows
        return self.numbers[start : start + self.rows]


@lru_cache(maxsize=64)
def open_orders(folder: Path, table: Table, layout: Layout) -> Orders:
    """The orders of a table that has them."""
    return Orders(mapped(folder / orders_path(table)).cast("I"), layout.rows, layout.orders, layout.pairs)


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
    rows, ranks = orders.order(pair, place)[start : start + count], orders.ranks(place)
    if most < 0:
        most = count
    if down:
        return _descending(rows, ranks, last, most)
    begin = _after(rows, ranks, last) if last else 0
    return rows[begin : begin + most].tolist()


def _after(rows: memoryview, ranks: memoryview, last: int) -> int:
    """The place behind a row among rows that ascend by rank, then number."""
    return bisect_right(rows, (ranks[last - 1], last), key=lambda n: (ranks[n - 1], n))


def _descending(rows: memoryview, ranks: memoryview, last: int, most: int) -> list[int]:
    """Values from the greatest down, rows of one value by number, nulls at the end.

    The rows of one value are taken as they stand, value after value from the back: each is found by its rank.
    """

    def first(rank: int, end: int) -> int:
        return bisect_left(rows, rank, 0, end, key=lambda n: ranks[n - 1])

    nulls = first(NULL_RANK, len(rows))
    if last and ranks[last - 1] == NULL_RANK:
        begin = _after(rows, ranks, last)
        return rows[begin : begin + most].tolist()
    end = nulls
    found: list[int] = []
    if last:
        rest = _after(rows, ranks, last)
        end = first(ranks[last - 1], nulls)
        close = bisect_right(rows, ranks[last - 1], end, nulls, key=lambda n: ranks[n - 1])
        found += rows[rest : min(close, rest + most)].tolist()
    if len(found) < most:
        found += _backwards(rows, ranks, end, most - len(found), first)
    if len(found) < most:
        found += rows[nulls : nulls + most - len(found)].tolist()
    return found


def _backwards(rows: memoryview, ranks: memoryview, end: int, most: int, first: Callable[[int, int], int]) -> list[int]:
    """The rows before `end`, value after value from the back, at most so many.

    `first` finds where the rows of a rank begin: only asked where they begin before the piece that is looked at.
    """
    found: list[int] = []
    while end and len(found) < most:
        begin = max(0, end - most - 1)
        piece = rows[begin:end].tolist()
        marks = [ranks[n - 1] for n in piece]
        close = len(piece)
        if len(set(marks)) == close:  # no two of one value, but for the first and one before it, which is not needed
            piece.reverse()
            return (found + piece)[:most]
        for at in range(len(piece) - 1, 0, -1):
            if marks[at] != marks[at - 1]:
                found += piece[at:close]
                close = at
                if len(found) >= most:
                    return found[:most]
        whole = first(marks[0], end)
        found += rows[whole : begin + close].tolist()
        end = whole
    return found[:most]
