"""Why a query selects no rows: which of its conditions no row meets, or that none meets all; for empty answers only."""

import json
import operator
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache, reduce
from typing import Any, NamedTuple

import sqlalchemy as sa

from api.index.bounds import Busy, TooSlow
from api.index.layout import FEW, texts
from api.model.descriptor import Field, Table
from api.model.nearest import nearest
from api.query import dialects, parameters, parse
from api.query.conditions import column, conditions, source
from api.query.engines import DUCKDB, SHAPES, SQLITE, Statement, statement
from api.query.fields import COMMA
from api.query.find import Selection, access, page, select, shown, total
from api.query.parameters import SEPARATOR
from api.query.parse import Alternatives, Filter, Query
from api.query.sql import Rows

TRIED = 12  # conditions of a query, and words of a text, that are asked one by one
FEW_VALUES = 200  # of a field that are compared with one that no row has
NAMED = 12  # values that a reason names
TEXTS = ("string", "any")
Hint = dict[str, str]  # parameter, reason, did_you_mean


def why(selection: Selection) -> list[Hint]:
    """Why a selection has no rows: `parameter`, `reason` and, for a value, the nearest one (`did_you_mean`).

    As much as can be found out in the time that the request has left, unless the server has costlier things to do.
    """
    found: list[Hint] = []
    with suppress(Busy, TooSlow):
        if not total(selection):  # else it was groups that were too few
            conditions = _conditions(selection)
            alone, others = _counted(selection, conditions)
            found.extend(_alone(selection, [one for one, rows in zip(conditions, alone, strict=True) if not rows]))
            found.extend(() if found else _together(conditions, others))
    return found


def unread(selection: Selection) -> list[Hint]:
    """What the words to search for have that is not read as it may be meant, though rows are found."""
    said = not_read(selection.query.q, selection.table) if selection.query.q else None
    return [{"parameter": "q", "reason": said}] if said else []


def _rows(selection: Selection, query: Query) -> Selection:
    """The rows of the same table that another query selects."""
    return select(selection.release, selection.table, query)


def _any(selection: Selection, query: Query) -> bool:
    return bool(shown(_rows(selection, query._replace(limit=1)))[0])


class Condition(NamedTuple):
    """A condition of a query: its parameter, a query of that alone, and its places among the conditions in SQL."""

    name: str
    query: Query
    places: tuple[int, ...]


def _conditions(selection: Selection) -> list[Condition]:
    """The conditions of a query, each by itself."""
    query, table = selection.query, selection.table
    filters: dict[str, list[int]] = {}
    for place, one in enumerate(query.filters):
        filters.setdefault(_name(table, query, one), []).append(place)
    alone = [
        Condition(name, Query(filters=tuple([query.filters[place] for place in some])), tuple(some))
        for name, some in filters.items()
    ]
    behind = len(query.filters) + (query.q is not None)
    for place, each in enumerate(query.others, behind):
        alone.append(Condition(_of_several(query, each), Query(others=(each,)), (place,)))
    if query.q is not None:
        alone.append(Condition("q", Query(q=query.q), (len(query.filters),)))
    return alone[:TRIED]


def _counted(selection: Selection, asked: Sequence[Condition]) -> tuple[list[int], list[int]]:
    """How many rows each condition selects by itself, and how many all the others do without it: in one scan."""
    engine = SQLITE if selection.layout.rows <= FEW else DUCKDB
    rows = Rows(selection.layout, selection.plan.where, engine)
    found = selection.rows(_combinations(rows, tuple([one.places for one in asked]))) if asked else []
    bits = [1 << place for place in range(len(asked))]
    whole = 2 * bits[-1] if bits else 0  # the bit of what is not asked by itself
    alone = [sum(count for met, count in found if met & bit) for bit in bits]
    others = [sum(count for met, count in found if met | bit == whole | (whole - 1)) for bit in bits]
    return alone, others


@lru_cache(SHAPES)
def _combinations(rows: Rows, places: tuple[tuple[int, ...], ...]) -> Statement:
    """How many rows meet which of the conditions: a bit for each, then one for all the others together."""
    every = conditions(rows.layout, rows.shape)
    parts = [[every[place] for place in some] for some in places]
    parts.append([one for place, one in enumerate(every) if not any(place in some for some in places)])
    bits = [sa.case((sa.and_(sa.true(), *part), 1 << bit), else_=0) for bit, part in enumerate(parts)]
    met = reduce(operator.add, bits).label("met")
    found = sa.select(met, sa.func.count()).select_from(source(rows.layout, rows.shape.positions))
    return statement(rows.engine, found.group_by(sa.literal_column("met")))


def _of_several(query: Query, alternatives: Alternatives) -> str:
    """The parameter of alternatives: `or`, or a filter through a foreign key."""
    first = alternatives[0][0]
    if first.foreign is None or len(alternatives) > 1 or parameters.OR in dict(query.canonical):
        return parameters.OR
    names = (name for name, _ in query.canonical if name.partition(parameters.SEPARATOR)[0] == first.foreign.name)
    return next(names, first.foreign.name)


def _name(table: Table, query: Query, condition: Filter) -> str:
    """The parameter of a filter, as it was written."""
    name = table.fields[condition.position].name
    given = [parameter for parameter, _ in query.canonical]
    if condition.operator.name == "eq" and name in given and name not in parameters.CONTROL:
        return name
    written = name + parameters.SEPARATOR + condition.operator.name
    of_field = (one for one in given if one.startswith(name + parameters.SEPARATOR))  # `between` stands for two filters
    return written if written in given else next(of_field, written)


# One condition


def _alone(selection: Selection, unmet: Sequence[Condition]) -> Iterator[Hint]:
    """Why no row meets each of these."""
    for name, query, _ in unmet:
        if query.filters:
            why = _value(selection, name, query.filters[0])
        else:
            why = {"reason": _words(selection, query.q) if query.q else "no row meets this"}
        yield {"parameter": name, **why}


def _value(selection: Selection, name: str, condition: Filter) -> Hint:
    """Why no row meets a filter."""
    table, compared = selection.table, condition.operator.name
    field = table.fields[condition.position]
    if compared == "isnull":
        return {"reason": "every row has a value" if condition.value else "no row has a value"}
    text = dict(selection.query.canonical).get(name, "").replace(COMMA, ",")
    if compared in ("eq", "in") and (meant := _otherwise(selection, field, text)):
        return {"reason": f"no row has this value; an operator is part of the name: {meant}"}
    if compared == "eq" and field.type in TEXTS:
        known = _values(selection, condition.position)
        if near := nearest(text, known):
            return {"reason": "no row has this value", "did_you_mean": near}
        if not text:
            return {
                "reason": f"no row has an empty text; what has no value is found by {field.name}{SEPARATOR}isnull=true"
            }
        return {
            "reason": "no row has this value" + (f": they are {', '.join(known)}" if 0 < len(known) <= NAMED else "")
        }
    if compared in ("contains", "startswith", "endswith", "not_contains") or field.type in TEXTS:
        return {"reason": "no row has such a text"}
    between = [_end(selection, condition.position, down) for down in (False, True)]
    if None in between:
        return {"reason": "no row has such a value"}
    first = ", and the least of two comes first" if name.endswith(f"{SEPARATOR}between") else ""
    return {"reason": f"no row has such a value: they go from {between[0]} to {between[1]}{first}"}


def _otherwise(selection: Selection, field: Field, text: str) -> str | None:
    """The parameter that a value with an operator in it (`eq.preferred`, `a,b`) means, if that has rows."""
    table = selection.table

    def has_rows(name: str, value: str) -> bool:
        try:
            return _any(selection, parse.read(table, [(name, value)], parameters.control))
        except parse.QueryError:
            return False

    said = dialects.written(table, f"{field.name}={text}")
    if said is None or (said.value == text and "," not in text):
        return None
    pairs = dialects.here(said, has_rows)
    return dialects.spelled(pairs) if pairs and pairs[0][1] in text else None


def _values(selection: Selection, position: int) -> list[str]:
    """The values of a field, if they are few."""
    found = selection.rows(_distinct(access(_rows(selection, Query())), position))
    return sorted(str(value) for (value,) in found) if len(found) <= FEW_VALUES else []


@lru_cache(SHAPES)
def _distinct(rows: Rows, position: int) -> Statement:
    value = column(position)
    found = rows.select(value, of=[position]).where(value.is_not(None)).distinct()
    return statement(rows.engine, found.limit(sa.literal_column(str(FEW_VALUES + 1))))


def _end(selection: Selection, position: int, down: bool) -> Any:
    """The least or the greatest value of a field, as rows spell it."""
    _, text, *_ = page(_rows(selection, Query(sort=((position, down),), limit=1)))
    return json.loads(text, parse_float=str)[selection.table.fields[position].name] if text else None


# Full text

_NOT_READ = (
    (re.compile(r"(?<!\S)(OR|\|\|?)(?!\S)|\S\|\S"), "there is no OR: each word must occur, so ask for each by itself"),
    (re.compile(r"(?<!\S)(AND|&&?)(?!\S)"), "each word must occur anyway: leave AND out"),
    (re.compile(r"(?<!\S)NOT(?!\S)"), "there is no NOT: each word must occur"),
    (re.compile(r"(?<!\S)[-!]\w"), "a minus sign excludes nothing: each word must occur"),
    (re.compile(r"(?<!\S)[*?]|\w[*?]\w"), "a star stands only at the end of the beginning of a word"),
    (re.compile(r"[~^]\d*(?!\S)"), "words are compared as they are: there are no likenesses and weights"),
    (re.compile(r"[()]"), "brackets group nothing: each word must occur"),
)
_FIELD = re.compile(r"""(?<!\S)["']?([^\s:"']+)["']?:(\S+)""")


def _words(selection: Selection, text: str) -> str:
    """Why full text finds no row."""
    if not texts(selection.table):
        return "this table has no text fields"
    if said := not_read(text, selection.table):
        return said
    for word in dict.fromkeys(text.split()[:TRIED] if '"' not in text else ()):
        if not _any(selection, Query(q=word)):
            return f"no row has the word {word!r}; a star ends the beginning of one"
    return "no row has all of this"


def not_read(text: str, table: Table | None = None) -> str | None:
    """What a text to search for has that other searches read and this one does not; None for nothing."""
    if text.count('"') % 2:
        return "a phrase ends with a second quotation mark"
    outside = " ".join(text.split('"')[::2])
    if (match := _FIELD.search(outside)) and (table is None or match[1] in table.index):
        return f"fields are no part of q but filters: {dialects.spelled(((match[1], match[2]),))}"
    return next((said for pattern, said in _NOT_READ if pattern.search(outside)), None)


# All conditions


def _together(conditions: Sequence[Condition], others: Sequence[int]) -> Iterator[Hint]:
    """The conditions without which there would be rows; where there are none, that no row meets all."""
    if len(conditions) < 2:
        return
    for condition, rows in zip(conditions, others, strict=True):
        if rows:
            reason = f"rows have this, but none of the {rows} that the other conditions select"
            yield {"parameter": condition.name, "reason": reason}
    if not any(others):
        yield {"parameter": conditions[0].name, "reason": "rows meet each condition by itself, none meets all of them"}
