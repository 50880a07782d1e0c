"""A wide series: the values of a field are columns, and each cell is a measure of its rows, or the value of the one
row that it has.
"""

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import chain, groupby, islice
from typing import NamedTuple

from api.http.errors import ProblemError
from api.http.request import address, altered
from api.http.views.listed import plain
from api.model import types
from api.model.descriptor import Table
from api.query import groups, parse
from api.query.find import Selection
from api.query.groups import Grouping, Order
from api.query.having import Condition
from api.query.measures import COUNT, NAMED, Group, Measure, measurable

MOST = 200  # columns
NULL = "null"  # the name of the column of rows without a value
Cells = Sequence[Sequence[str]]


class Series(NamedTuple):
    """A question for a wide series: its columns by name and by value (as JSON); of how many groups; its cells."""

    names: list[str]
    values: list[str]
    groups: int
    cells: Grouping


def series(
    selection: Selection,
    by: tuple[Group, ...],
    columns: Group,
    measure: Measure,
    order: Order,
    conditions: Sequence[Condition],
) -> Series:
    """The series of a measure. Raises QueryError for more columns than MOST and for two columns of one name."""
    listing = groups.grouping(selection, (columns,))
    found = groups.some(listing, 0, MOST + 1)
    if len(found) > MOST:
        raise parse.wrong("columns", f"{columns.name!r} has more than {MOST} values here: add filters")
    values = [value for (value,) in groups.texts(listing, found)]
    names = [plain(value, NULL) for value in values]
    if names.count(NULL) > 1:
        reason = f"{NULL!r} is a value of {columns.name!r} beside rows without one: filter the one or the other"
        raise parse.wrong("columns", reason)
    if twice := {group.name for group in by} & {*names}:
        reason = f"{min(twice)!r} is a value of {columns.name!r} and the name of a group: filter it, or group otherwise"
        raise parse.wrong("columns", reason)
    cells = groups.grouping(selection, (*by, columns), (measure,), order, conditions)
    return Series(names, values, len(by), cells)


def page(wide: Series, skip: int, limit: int) -> tuple[list[list[str]], int | None, int]:
    """At most `limit` rows, as JSON, from behind so many cells; how many cells come before the next page, if there is
    one; how many rows there are.
    """
    most = limit * len(wide.names) + 1
    found = groups.texts(wide.cells, groups.some(wide.cells, skip, most))
    rows = [list(cells) for _, cells in groupby(found, lambda cell: cell[: wide.groups])]
    shown = rows[:limit]
    more = len(rows) > limit
    total = groups.several(wide.cells, wide.groups) if more or skip else len(rows)
    return [_row(wide, cells) for cells in shown], skip + sum(map(len, shown)) if more else None, total


def every(wide: Series, skip: int) -> Iterator[list[list[str]]]:
    """All rows."""
    cells = chain.from_iterable(groups.texts(wide.cells, some) for some in groups.every(wide.cells, skip))
    rows = (_row(wide, list(of_row)) for _, of_row in groupby(cells, lambda cell: cell[: wide.groups]))
    while some := list(islice(rows, 1_000)):
        yield some


def _row(wide: Series, cells: Cells) -> list[str]:
    held = {cell[-2]: cell[-1] for cell in cells}
    return [*cells[0][: wide.groups], *(held.get(value, "null") for value in wide.values)]


def only_value(table: Table, by: Sequence[Group]) -> Measure:
    """What is in the cells where no measure is asked for: the field that the schema names as a figure's value, else the
    only numeric field that is no key, no year and no group. Raises QueryError where that is not one field.
    """
    keys = {*table.primary_key, *(name for key in table.foreign_keys for name in key.fields)}
    other = {*keys, table.figure.get("year"), *(table.fields[group.position].name for group in by)}
    numeric = [f.name for f in table.fields if f.type in types.NUMERIC and f.name not in other]
    named = table.figure.get("value")
    found = [named] if named in measurable(table, "max") else numeric
    if len(found) != 1:
        which = f"one of {', '.join(found[:NAMED])}" if found else "no field"
        reason = f"expected a measure, such as count: the schema does not say which value a cell has ({which})"
        raise parse.wrong("measure", reason)
    return Measure(found[0], "max", table.index[found[0]])


def refuse_several(selection: Selection, by: tuple[Group, ...], columns: Group, order: Order) -> None:
    """Raise a several-rows problem for the first cell that has more than one row."""
    place = (*by, columns)
    cells = groups.grouping(selection, place, (COUNT,), order, [Condition(COUNT, "gt", Decimal(1))])
    found = groups.some(cells, 0, 1)
    if not found:
        return
    *values, count = groups.texts(cells, found)[0]
    cell = [(group.name, value) for group, value in zip(place, values, strict=True)]
    where = ", ".join(f"{name} {plain(value, NULL)}" for name, value in cell)
    path = address("v1", "datasets", selection.table.name, "aggregate")
    raise ProblemError(
        "several-rows",
        f"{count} rows are in one cell ({where}): ask for a measure of them, add filters, or group by more fields.",
        errors=[
            {"field": name, "reason": f"of a cell with {count} rows", "found": [json.loads(value)]}
            for name, value in cell
        ],
        example=altered(path, selection.query.canonical, "cursor", measure="count"),
    )
