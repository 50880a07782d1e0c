"""The conditions of a query → SQL: of a table's own fields, and of the rows that its foreign keys lead to.

A `Shape` is all of a query that changes the SQL; the values are bound later.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from api.index.layout import RELEVANCE, Layout, part
from api.model import decimals
from api.query.engines import Found, Unindexed
from api.query.fields import OPERATORS, Operand

FULL_TEXT = "q"  # the name under which the words to search for are bound
Filters = tuple[tuple[int, str, Any], ...]
Others = tuple[tuple[tuple["Other", ...], ...], ...]
Sort = tuple[tuple[int, bool, bool], ...]
Uses = frozenset[int] | None
Conditions = list[sa.ColumnElement[bool]]


@dataclass(frozen=True)
class Far:
    """The table that a foreign key leads to, and the positions of the key's fields: here, and there."""

    layout: Layout
    keys: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Other:
    """A condition that no index takes: as in `Shape.filters`, of a field of this table or of one that a key leads to;
    and the name under which its value is bound.
    """

    position: int
    operator: str
    literal: Any
    far: Far | None
    bound: str

    @property
    def positions(self) -> list[int]:
        """The fields of this table that it needs."""
        return [here for here, _ in self.far.keys] if self.far else [self.position]


@dataclass(frozen=True)
class Shape:
    """All of a query that changes the SQL, and none of its values.

    `filters`: position, operator and, where it is part of the statement, value of each; `others`: of each one
    alternative must hold, with all its conditions; `sort`: position, whether descending, whether it has nulls, of each
    key; `after`: for a page that begins behind a row, whether that row's value of each sort key is null; `back`: the
    page ends before that row instead, in the reverse order.
    """

    filters: Filters = ()
    others: Others = ()
    search: bool = False
    sort: Sort = ()
    after: tuple[bool, ...] | None = None
    back: bool = False

    @property
    def ranked(self) -> bool:
        """Whether rows are sorted by how well full text fits them."""
        return any(position == RELEVANCE for position, *_ in self.sort)

    @property
    def positions(self) -> list[int]:
        """The fields that are filtered and sorted by."""
        others = [one for group in self.others for alternative in group for one in alternative]
        return [position for position, *_ in (*self.filters, *self.sort)] + [p for one in others for p in one.positions]


def source(layout: Layout, positions: Iterable[int]) -> sa.FromClause:
    """The tables that hold these fields, joined."""
    first = f"t{layout.number}"
    joined: sa.FromClause = sa.table(first)
    for name in sorted({part(layout.number, position) for position in positions} - {first}):
        more = sa.table(name, sa.column("n"))
        joined = joined.join(more, more.c.n == number(layout))
    return joined


def number(layout: Layout) -> sa.ColumnElement[int]:
    """The number of a row."""
    return sa.literal_column(f"t{layout.number}.n", sa.Integer)


def column(position: int) -> sa.ColumnElement[Any]:
    """The compared value of a field."""
    return sa.column(f"c{position}")


def measured(layout: Layout, position: int) -> sa.ColumnElement[Any]:
    """The value that groups and measures have of a field: as in JSON, NaN and infinity are null."""
    value = column(position)
    if layout.columns[position].finite:
        return value
    least, most = (sa.literal_column(f"'{decimals.ENDLESS[name]}'", sa.Text) for name in ("-Infinity", "Infinity"))
    return sa.case((sa.and_(value > least, value < most), value))


def conditions(layout: Layout, shape: Shape, uses: Uses = None) -> Conditions:
    """The filters; comparing leaves nulls out by itself. `uses`: the places of those that SQLite takes from an index;
    None: as it likes.
    """
    made = []
    for place, (position, name, literal) in enumerate(shape.filters):
        compared = column(position)
        if uses is not None and place not in uses:
            compared = Unindexed(compared)
        operator, operand = OPERATORS[name], Operand(compared, _folded(layout, position, compared))
        made.append(operator.sql(operand, literal if operator.literal else sa.bindparam(f"v{place}")))
    if shape.search and not shape.ranked:
        made.append(Found(number(layout), sa.literal_column(f"q{layout.number}"), sa.bindparam(FULL_TEXT)))
    for group in shape.others:
        made.append(sa.or_(*(sa.and_(*(_other(layout, one, uses) for one in each)) for each in group)))
    return made


def _folded(layout: Layout, position: int, compared: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """The text of a field with case folded; `compared` is its column."""
    return sa.func.coalesce(sa.column(f"f{position}"), compared) if layout.columns[position].folded else compared


def _other(layout: Layout, one: Other, uses: Uses) -> sa.ColumnElement[bool]:
    """A condition on a field of the table, or on one of the row that a foreign key leads to: where there is no such row
    the field is null.
    """
    operator = OPERATORS[one.operator]
    value = one.literal if operator.literal else sa.bindparam(one.bound)
    if one.far is None:
        compared = column(one.position) if uses is None else Unindexed(column(one.position))
        return operator.sql(Operand(compared, _folded(layout, one.position, compared)), value)
    held = column(one.position)
    folded = _folded(one.far.layout, one.position, held)
    far, key = far_table(one.far, held.label("held"), folded.label("folded"), of=[one.position])
    null = operator.name == "isnull" and one.literal
    holds = far.c.held.is_not(None) if null else operator.sql(Operand(far.c.held, far.c.folded), value)
    found = sa.exists(sa.select(sa.literal_column("1")).select_from(far).where(key(layout), holds))
    return ~found if null else found


def far_table(
    far: Far, *what: sa.ColumnElement[Any], of: Iterable[int] = ()
) -> tuple[sa.Subquery, Callable[[Layout], sa.ColumnElement[bool]]]:
    """What is selected of the table that a foreign key leads to (`of` these fields), and the condition under which its
    row is the one that a row of a layout leads to.
    """
    named = [column(key).label(f"k{place}") for place, (_, key) in enumerate(far.keys)]
    found = sa.select(*named, *what).select_from(source(far.layout, [*of, *(key for _, key in far.keys)]))
    table = found.subquery("far")

    def key(layout: Layout) -> sa.ColumnElement[bool]:
        # Named with its table: both have columns of the same names.
        here: list[sa.ColumnElement[Any]] = [
            sa.literal_column(f"{part(layout.number, at)}.c{at}") for at, _ in far.keys
        ]
        return sa.and_(*(table.c[f"k{place}"] == column for place, column in enumerate(here)))

    return table, key
