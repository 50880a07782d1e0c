"""The general mix: questions of every shape, drawn at random, each put to every server in its own words.

A shape is a line of SHAPES: what is drawn. `lantern` and `datasette` give the address of a question; `plain` gives the
SQL for bench.apps.plain and the engine that runs it.
"""

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from bench.questions import AGGREGATE, FACETS, LEAN, RECORDS
from bench.tables import CATEGORIES, COUNTRIES, STANDINGS, WORDS, YEARS

FIELDS = ("id", "country", "category", "year", "day", "standing", "value", "note")
FEW: Mapping[str, Sequence[Any]] = {
    "country": COUNTRIES,
    "category": CATEGORIES,
    "year": YEARS,
    "standing": STANDINGS,
}
TEXTS, NUMBERS, DAYS, YEAR = ("country", "category", "standing", "note"), ("value",), ("day",), ("year",)
ANY = (*TEXTS, *NUMBERS, *DAYS, *YEAR)
HIGHEST = 10_000_000
NARROW = 5_000  # rows under a filter that are read by its index (DESIGN.md, the rule of engines)

Filter = tuple[str, str, Any]


@dataclass(frozen=True)
class Place:
    """A row somewhere in the table, and each Lantern's address of the page after it."""

    row: Mapping[str, Any]
    order: str
    addresses: Mapping[str, str]


@dataclass(frozen=True)
class Question:
    """A page of rows, unless it says otherwise: one row, groups with measures, or facets.

    `share`: about which part of the rows its narrowest filter leaves.
    """

    where: Sequence[Filter] = ()
    sort: Sequence[str] = ()
    limit: int = 100
    key: str = ""
    after: Place | None = None
    by: Sequence[str] = ()
    measures: Sequence[str] = ()
    facets: Sequence[str] = ()
    share: float = 1.0

    @property
    def kind(self) -> str:
        return "row" if self.key else "facets" if self.facets else "groups" if self.measures else "page"

    def by_columns(self, column: Mapping[str, str]) -> list[str]:
        return [column[name] for name in self.by]


# What is drawn


@dataclass
class Dice:
    """Random parts of questions about a table of so many rows, always the same ones.

    `places`: rows all over the table, by the order in which they were found.
    """

    rows: int
    places: Mapping[str, Sequence[Place]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = random.Random(20090405)

    def equal(self, count: int, but: str = "") -> list[Filter]:
        """Different fields of few values, each with one of them."""
        names = self.random.sample([name for name in FEW if name != but], count)
        return [(name, "eq", self.random.choice(FEW[name])) for name in names]

    def one_of(self) -> list[Filter]:
        name = self.random.choice(("country", "category", "year"))
        return [(name, "in", sorted(self.random.sample(list(FEW[name]), self.random.randint(2, 4))))]

    def values(self) -> list[Filter]:
        """A range of values that holds between a hundredth and half of the rows."""
        width = int(HIGHEST * 10 ** self.random.uniform(-2, -0.3))
        low = self.random.randrange(HIGHEST - width)
        return [("value", "gte", low), ("value", "lt", low + width)]

    def days(self) -> list[Filter]:
        """Between a month and five years."""
        month, count = self.random.randrange(len(YEARS) * 12 - 61), self.random.randint(1, 60)
        first, last = (f"{YEARS.start + at // 12}-{at % 12 + 1:02d}" for at in (month, month + count))
        day = self.random.randrange(1, 29)
        return [("day", "gte", f"{first}-{day:02d}"), ("day", "lt", f"{last}-{day:02d}")]

    def contains(self) -> list[Filter]:
        note = f"{self.random.choice(WORDS)} {self.random.choice(WORDS)}"
        start = self.random.randrange(len(note) - 5)
        return [("note", "contains", note[start : start + self.random.randint(4, 10)].strip())]

    def begins(self) -> list[Filter]:
        note = f"{self.random.choice(WORDS)} {self.random.choice(WORDS)}"
        return [("note", "startswith", note[: self.random.randint(3, len(note))].strip())]

    def words(self) -> list[Filter]:
        return [("", "q", f"{self.random.choice(WORDS)} {self.random.choice(WORDS)}")]

    def key(self) -> str:
        return f"f{self.random.randrange(self.rows):08d}"

    def page(self, *filters: list[Filter], sort: Sequence[str] = (), signed: int = 0) -> Question:
        """About 100 rows, not always as many, so that there are questions enough.

        `sort`: fields to sort by, of which `signed` are drawn (else all are taken), in drawn directions.
        """
        where = self.together(*filters)
        fixed = {name for name, op, _ in where if op == "eq"}
        free = [name for name in sort if name not in fixed]
        order = [self.random.choice(("", "-")) + name for name in self.random.sample(free, signed or len(free))]
        return Question(where, order, self.random.randint(70, 130), share=self.share(where))

    def groups(self, fields: int, *filters: list[Filter], measures: Sequence[str] = ()) -> Question:
        """Groups by so many fields of few values; measures are drawn if none are given."""
        known = ("sum:value", "count", "avg:value", "min:value", "max:value")
        chosen = measures or self.random.sample(known, self.random.randint(1, 3))
        where = self.together(*filters)
        free = [name for name in FEW if name not in {name for name, *_ in where}]
        by = self.random.sample(free, fields)
        return Question(where, (), self.random.randint(70, 130), by=by, measures=chosen, share=self.share(where))

    def facet(self, fields: Sequence[str], *filters: list[Filter], count: int = 1) -> Question:
        where = self.together(*filters)
        names = self.random.sample(list(fields), count)
        return Question(where, (), self.random.randint(70, 130), facets=names, share=self.share(where))

    def together(self, *filters: list[Filter]) -> list[Filter]:
        """In one order, so that no question comes again in another."""
        return sorted((condition for some in filters for condition in some), key=lambda one: one[:2])

    def share(self, where: Sequence[Filter]) -> float:
        """Of the narrowest index: of a field, of a pair of country, category and year, of a beginning of the key."""
        parts = {name: 1 / len(FEW[name]) for name, op, _ in where if op == "eq"}
        parts |= {name: len(value) / len(FEW[name]) for name, op, value in where if op == "in"}
        paired = sorted(parts[name] for name in ("country", "category", "year") if name in parts)
        both = [paired[0] * paired[1]] if len(paired) > 1 else []
        both += [10 ** (9 - len(value)) / self.rows for name, op, value in where if (name, op) == ("id", "startswith")]
        bounds = {(name, op): value for name, op, value in where if op in ("gte", "lt")}
        if ("value", "gte") in bounds:
            both.append((bounds["value", "lt"] - bounds["value", "gte"]) / HIGHEST)
        if ("day", "gte") in bounds:
            first, last = (int(bounds["day", op][:4]) * 12 + int(bounds["day", op][5:7]) for op in ("gte", "lt"))
            both.append((last - first) / 12 / len(YEARS))
        return min([1.0, *parts.values(), *both])

    def deep(self, order: str) -> Question:
        after = self.random.choice(self.places[order])
        return Question((), [order] if order else (), 100, after=after, share=0)


@dataclass(frozen=True)
class Shape:
    """`unique`: it asks for the distinct values of a field that has a million of them."""

    draw: Callable[[Dice], Question]
    unique: bool = False


SHAPES: Mapping[str, Shape] = {
    "one filter": Shape(lambda d: d.page(d.equal(1))),
    "two filters": Shape(lambda d: d.page(d.equal(2))),
    "three filters": Shape(lambda d: d.page(d.equal(3))),
    "value range": Shape(lambda d: d.page(d.values())),
    "value range, one filter": Shape(lambda d: d.page(d.values(), d.equal(1))),
    "day range": Shape(lambda d: d.page(d.days())),
    "day range, two filters": Shape(lambda d: d.page(d.days(), d.equal(2))),
    "list": Shape(lambda d: d.page(d.one_of())),
    "list, standing": Shape(lambda d: d.page(d.one_of(), [("standing", "eq", d.random.choice(STANDINGS))])),
    "contains": Shape(lambda d: d.page(d.contains())),
    "contains, one filter": Shape(lambda d: d.page(d.contains(), d.equal(1))),
    "begins with": Shape(lambda d: d.page(d.begins())),
    "begins with, one filter": Shape(lambda d: d.page(d.begins(), d.equal(1))),
    "key begins with": Shape(lambda d: d.page([("id", "startswith", d.key()[: d.random.randint(6, 8)])])),
    "full text": Shape(lambda d: d.page(d.words())),
    "full text, one filter": Shape(lambda d: d.page(d.words(), d.equal(1))),
    "full text, sorted by value": Shape(lambda d: d.page(d.words(), sort=NUMBERS)),
    "row by key": Shape(lambda d: Question(key=d.key(), share=0)),
    "deep page": Shape(lambda d: d.deep("")),
    "deep page, sorted by day": Shape(lambda d: d.deep("-day")),
    "sorted by a text": Shape(lambda d: d.page(sort=TEXTS, signed=1)),
    "sorted by value": Shape(lambda d: d.page(sort=NUMBERS)),
    "sorted by day": Shape(lambda d: d.page(sort=DAYS)),
    "sorted by year": Shape(lambda d: d.page(sort=YEAR)),
    "sorted by two fields": Shape(lambda d: d.page(sort=ANY, signed=2)),
    "one filter, sorted by a text": Shape(lambda d: d.page(d.equal(1), sort=TEXTS, signed=1)),
    "one filter, sorted by value": Shape(lambda d: d.page(d.equal(1), sort=NUMBERS)),
    "one filter, sorted by day": Shape(lambda d: d.page(d.equal(1), sort=DAYS)),
    "one filter, sorted by year": Shape(lambda d: d.page(d.equal(1, but="year"), sort=YEAR)),
    "one filter, sorted by two fields": Shape(lambda d: d.page(d.equal(1), sort=ANY, signed=2)),
    "two filters, sorted": Shape(lambda d: d.page(d.equal(2), sort=ANY, signed=1)),
    "three filters, sorted": Shape(lambda d: d.page(d.equal(3), sort=ANY, signed=1)),
    "list, sorted by day": Shape(lambda d: d.page(d.one_of(), sort=DAYS)),
    "contains, sorted by value": Shape(lambda d: d.page(d.contains(), sort=NUMBERS)),
    "value range, one filter, sorted by value": Shape(lambda d: d.page(d.values(), d.equal(1), sort=NUMBERS)),
    "day range, sorted by day": Shape(lambda d: d.page(d.days(), sort=DAYS)),
    "day range, one filter, sorted by day": Shape(lambda d: d.page(d.days(), d.equal(1), sort=DAYS)),
    "day range, sorted by value": Shape(lambda d: d.page(d.days(), sort=NUMBERS)),
    "groups by one": Shape(lambda d: d.groups(1)),
    "groups by two": Shape(lambda d: d.groups(2)),
    "groups by one, one filter": Shape(lambda d: d.groups(1, d.equal(1))),
    "groups by two, one filter": Shape(lambda d: d.groups(2, d.equal(1))),
    "groups by one, two filters": Shape(lambda d: d.groups(1, d.equal(2))),
    "groups by one, value range": Shape(lambda d: d.groups(1, d.values())),
    "groups by two, value range": Shape(lambda d: d.groups(2, d.values())),
    "groups by one, day range": Shape(lambda d: d.groups(1, d.days())),
    "groups by one, contains": Shape(lambda d: d.groups(1, d.contains())),
    "averages by two": Shape(lambda d: d.groups(2, measures=("avg:value",))),
    "averages by one, list": Shape(lambda d: d.groups(1, d.one_of(), measures=("avg:value", "count"))),
    "medians by one, one filter": Shape(lambda d: d.groups(1, d.equal(1), measures=("median:value",))),
    "median, value range": Shape(lambda d: d.groups(0, d.values(), measures=("median:value",))),
    "facets": Shape(lambda d: d.facet(list(FEW), count=2)),
    "facets, one filter": Shape(lambda d: d.facet(("year", "note"), d.equal(1, but="year"), count=2)),
    "facets, value range": Shape(lambda d: d.facet(list(FEW), d.values())),
    "facets of a unique field": Shape(lambda d: d.facet(("id", "value")), True),
    "facets of a unique field, one filter": Shape(lambda d: d.facet(("id", "value"), d.equal(1)), True),
    "count, two filters": Shape(lambda d: d.groups(0, d.equal(2), measures=("count",))),
    "count, value range, one filter": Shape(lambda d: d.groups(0, d.values(), d.equal(1), measures=("count",))),
    "count, contains": Shape(lambda d: d.groups(0, d.contains(), measures=("count",))),
}


def drawn(shape: Shape, dice: Dice, count: int) -> list[Question]:
    """So many questions, none twice; fewer, where a shape has no more."""
    found: dict[str, Question] = {}
    for _ in range(count * 4):
        question = shape.draw(dice)
        found.setdefault(lantern(question), question)
        if len(found) == count:
            break
    return list(found.values())


# How servers are asked


def lantern(question: Question, name: str = "lantern") -> str:
    """The address of a question in Lantern's API; `name`: which Lantern, for the cursors that it gave."""
    if question.key:
        return f"{RECORDS}/{question.key}"
    if question.after:
        return question.after.addresses[name]
    asked = [(key or "q" if op in ("eq", "q") else f"{key}__{op}", _text(value)) for key, op, value in question.where]
    lists = {"sort": question.sort, "group_by": question.by, "measure": question.measures, "facet": question.facets}
    asked += [(key, _text(names)) for key, names in lists.items() if names]
    path = {"page": RECORDS, "groups": AGGREGATE, "facets": FACETS}[question.kind]
    return f"{path}?{urlencode([*asked, ('limit', question.limit)], quote_via=quote, safe=',:')}"


def datasette(question: Question) -> str:
    """The address in Datasette: its tables' own API where that can say it, else the same SQL."""
    if question.key:
        return f"/peers/figures/{question.key}.json?_shape=objects"
    counts = question.kind == "groups" and not question.by and question.measures == ("count",)
    if question.kind == "groups" and not counts or len(question.sort) > 1:
        sql, bound = statement(question, lambda at: f":p{at}", dict(zip(FIELDS, FIELDS, strict=True)))
        asked = [("sql", sql), *((f"p{at}", value) for at, value in enumerate(bound))]
        return f"/peers.json?{urlencode([*asked, ('_shape', 'objects')])}"
    words = {"eq": "", "in": "__in", "q": "_search"}
    asked = [(key + words.get(op, f"__{op}"), _text(value)) for key, op, value in question.where]
    asked += [("_sort_desc", s[1:]) if s.startswith("-") else ("_sort", s) for s in question.sort]
    if question.after:
        row = question.after.row
        asked.append(("_next", ",".join(str(row[name.lstrip("-")]) for name in (*question.sort, "id"))))
    lean = LEAN
    if question.facets:
        asked += [("_facet", name) for name in question.facets]
        asked += [("_facet_size", question.limit), ("_size", 0)]
        lean = LEAN.replace("_nofacet=1&", "")
    else:
        asked.append(("_size", 0 if counts else question.limit))
        lean = LEAN.replace("_nocount=1&", "") if counts else LEAN
    return f"/peers/figures.json?{urlencode(asked, safe=',')}&{lean}"


def plain(question: Question, rows: int) -> tuple[dict[str, Any], list[list[Any]]]:
    """What bench.apps.plain runs: statements with their engines, and the values of each.

    SQLite where a filter's index leaves few rows or gives the order, else DuckDB: DESIGN.md's rule.
    """
    column = {name: f"c{at}" for at, name in enumerate(FIELDS)} | {"": "n"}
    narrow = question.share * rows <= NARROW or any(op == "q" for _, op, _ in question.where)
    engine = "sqlite" if narrow else "duckdb"
    if question.key:
        sql = f"SELECT json FROM j0 WHERE n = (SELECT n FROM t0 WHERE {column['id']} = ?)"
        return {"kind": "row", "statements": [("sqlite", sql)]}, [[question.key]]
    if question.kind == "groups":
        sql, bound = statement(question, lambda _: "?", column, engine)
        names = [*question.by, *question.measures]
        return {"kind": "groups", "statements": [(engine, sql)], "names": names}, [bound]
    where, bound = condition(question.where, lambda _: "?", column)
    if question.facets:
        statements = [
            f"SELECT {c}, count(*) FROM t0{where} GROUP BY {c} ORDER BY count(*) DESC, {c} LIMIT ?"
            for c in map(column.__getitem__, question.facets)
        ]
        asked = {"kind": "facets", "statements": [(engine, sql) for sql in statements], "names": question.facets}
        return asked, [[*bound, question.limit + 1]] * len(statements)
    by = "sqlite" if narrow or _walked(question) else "duckdb"
    sql, more = statement(question, lambda _: "?", column, by)
    if by == "sqlite":
        sql = f"SELECT json FROM ({sql}) AS found CROSS JOIN j0 ON j0.n = found.n"
    if not where:  # the number of all rows is known
        return {"kind": "page", "statements": [(by, sql)]}, [more]
    count = f"SELECT count(*) FROM t0{where}"
    return {"kind": "page", "statements": [(by, sql), (engine, count)]}, [more, bound]


def _walked(question: Question) -> bool:
    """Whether one index gives the rows in their order: of the field that is filtered or sorted by."""
    ops = {op for _, op, _ in question.where}
    if not question.sort:
        return ops <= {"eq"} and len(question.where) < 2
    return len(question.sort) == 1 and {key for key, *_ in question.where} <= {question.sort[0].lstrip("-")}


def statement(
    question: Question, marker: Callable[[int], str], column: Mapping[str, str], engine: str = "sqlite"
) -> tuple[str, list[Any]]:
    """The SQL of a page or of groups, and its values. `column` gives a field's column; "" is the index's row number."""
    theirs = "" not in column
    table, key = ("figures", "id") if theirs else ("t0", "n")
    where, bound = condition(question.where, marker, column)
    if question.kind == "page":
        if question.after:
            where, bound = _after(question, marker, column)
        order = [column[s.lstrip("-")] + (" DESC" if s.startswith("-") else "") for s in question.sort]
        shown = "*" if theirs else "n"
        sql = f"SELECT {shown} FROM {table}{where} ORDER BY {', '.join([*order, key])} LIMIT {marker(len(bound))}"
        return sql, [*bound, question.limit + (not theirs)]
    by = ", ".join(column[name] for name in question.by)
    groups = f" GROUP BY {by} ORDER BY {by}" if by else ""
    if question.measures == ("median:value",) and engine == "sqlite":
        value, over = column["value"], f"PARTITION BY {by}" if by else ""
        source = f"(SELECT {by + ', ' if by else ''}{value}, row_number() OVER ({over} ORDER BY {value}) AS place, "
        source += f"count(*) OVER ({over}) AS many FROM {table}{where})"
        shown = ", ".join([*question.by_columns(column), f'avg({value}) AS "median:value"'])
        sql = f"SELECT {shown} FROM {source} WHERE place IN ((many + 1) / 2, (many + 2) / 2){groups}"
    else:
        measures = [_measure(name, column) for name in question.measures]
        sql = f"SELECT {', '.join([*question.by_columns(column), *measures])} FROM {table}{where}{groups}"
    return f"{sql} LIMIT {marker(len(bound))}", [*bound, question.limit]


def condition(
    where: Sequence[Filter], marker: Callable[[int], str], column: Mapping[str, str]
) -> tuple[str, list[Any]]:
    """The WHERE of filters, a space before it, and its values; nothing without filters."""
    signs = {"eq": "=", "gte": ">=", "lt": "<", "contains": "LIKE", "startswith": "GLOB"}  # GLOB uses SQLite's index
    parts: list[str] = []
    bound: list[Any] = []
    for name, op, value in where:
        if op == "q":
            full = ("figures_fts", "rowid") if "" not in column else ("q0", "n")
            parts.append(f"{full[1]} IN (SELECT rowid FROM {full[0]} WHERE {full[0]} MATCH {marker(len(bound))})")
            bound.append(" ".join(f'"{word}"' for word in value.split()))
        elif op == "in":
            parts.append(f"{column[name]} IN ({', '.join(marker(len(bound) + at) for at in range(len(value)))})")
            bound += value
        else:
            parts.append(f"{column[name]} {signs[op]} {marker(len(bound))}")
            bound.append({"contains": f"%{value}%", "startswith": f"{value}*"}.get(op, value))
    return (" WHERE " + " AND ".join(parts) if parts else ""), bound


def _after(question: Question, marker: Callable[[int], str], column: Mapping[str, str]) -> tuple[str, list[Any]]:
    """Rows after a place in the order of the key, or with the newest day first."""
    assert question.after
    row = question.after.row
    number = int(row["id"][1:]) + 1
    if not question.sort:
        return f" WHERE n > {marker(0)}", [number]
    day = column["day"]
    return f" WHERE {day} <= {marker(0)} AND ({day} < {marker(1)} OR n > {marker(2)})", [row["day"], row["day"], number]


def _measure(name: str, column: Mapping[str, str]) -> str:
    function, _, field = name.partition(":")
    return f'{function}({column[field] if field else "*"}) AS "{name}"'


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


# What servers answer, in one form


def read(question: Question, body: bytes) -> Any:
    """The data of an answer: rows or groups as a list of objects, or of each facet its values and counts."""
    found = json.loads(body)
    if "data" in found:  # Lantern and bench.apps.plain
        data = found["data"]
        if question.facets:
            return {name: [(one["value"], one["count"]) for one in data[name]] for name in question.facets}
        return [data] if question.key else data
    if question.facets:
        results = found["facet_results"]
        results = results.get("results", results)
        return {name: [(one["value"], one["count"]) for one in results[name]["results"]] for name in question.facets}
    if question.measures == ("count",) and not question.by:
        return [{"count": found["filtered_table_rows_count"]}]
    return found["rows"]


def same_rows(question: Question, one: list[Any], other: list[Any]) -> bool:
    """Whether two pages are the same, but for the order of rows that the sort leaves open (Datasette's, descending)."""
    names = [name.lstrip("-") for name in question.sort]
    orders = [[[row[name] for name in names] for row in rows] for rows in (one, other)]
    if not names or orders[0] != orders[1]:
        return same(one, other)
    last = orders[0][-1:]
    each = [
        sorted((r for r in rows if [r[n] for n in names] not in last), key=lambda r: r["id"]) for rows in (one, other)
    ]
    return same(*each)


def same(one: Any, other: Any) -> bool:
    """Whether two answers say the same, but for the last digits of fractions."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) or isinstance(other, float):
        return one is not None and other is not None and abs(one - other) <= 1e-9 * max(abs(one), abs(other))
    return bool(one == other)
