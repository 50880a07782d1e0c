"""Which index or rollup answers a query: what api.query.find chooses by."""

from functools import lru_cache

from api.index.layout import CROWD, ROW_NUMBER, Layout
from api.query.conditions import Filters, Shape
from api.query.engines import SHAPES
from api.query.fields import OPERATORS

RANGED = frozenset({"eq", "in", "lt", "lte", "gt", "gte", "isnull"})  # the operators that an index narrows


def narrowing(layout: Layout, filters: Filters) -> list[frozenset[int]]:
    """The places of the filters that some index takes together, most first."""
    found = set()
    for positions in layout.indexes:
        taken: set[int] = set()
        for position in positions:
            here = {i for i, (at, name, _) in enumerate(filters) if at == position and name in RANGED}
            taken |= here
            if not any(filters[i][1] == "eq" for i in here):
                break
        if taken:
            found.add(frozenset(taken))
    return sorted(found, key=lambda places: (-len(places), sorted(places)))


def walked(layout: Layout, shape: Shape) -> bool:
    """Whether an index, or the rows' numbers, or full text, holds the rows of a query in its order."""
    if shape.others:
        return False
    if shape.search:
        return not shape.filters and not shape.sort
    if not shape.filters and [position for position, *_ in shape.sort] in ([], [ROW_NUMBER]):
        return True
    return any(_walks(layout, shape, positions) for positions in layout.indexes)


def _walks(layout: Layout, shape: Shape, positions: tuple[int, ...]) -> bool:
    """Whether an index does: all filters are fixed values of its first fields or a range of the next one, by which, or
    by whose few rows of one value, the query is sorted.
    """
    fixed = {position for position, name, _ in shape.filters if name == "eq"}
    start = next((i for i, position in enumerate(positions) if position not in fixed), len(positions))
    first, rest = set(positions[:start]), positions[start:]
    for position, name, _ in shape.filters:
        within = position in first and name == "eq" or position in rest[:1] and name in RANGED - {"in"}
        if not within:
            return False
    if not rest:
        return not shape.sort
    sort = shape.sort
    if tuple(position for position, *_ in sort) == rest and not any(down for _, down, _ in sort):
        return not any(nulls for *_, nulls in sort[1:])
    return len(rest) == 1 and sort[:1] != () and sort[0][0] == rest[0] and layout.columns[rest[0]].most <= CROWD


@lru_cache(SHAPES)
def rollup_pair(layout: Layout, shape: Shape, groups: tuple[int, ...] = ()) -> tuple[int, int] | None:
    """The pair of fields whose rollup covers all fields that are filtered and grouped by, if there is one."""
    used = {position for position, _, _ in shape.filters} | set(groups)
    if shape.search or shape.others or not used or any(OPERATORS[name].folded for _, name, _ in shape.filters):
        return None
    return next((pair for pair in layout.rollups if used <= set(pair)), None)
