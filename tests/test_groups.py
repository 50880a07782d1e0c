"""Groups by fields and parts of dates, measures of every type, conditions on measures, pages and files: each question
is answered as plain Python would answer it, by both engines and from rollups.
"""

import csv
import io
import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import plainly
import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from packages import table
from plainly import Row
from served import app_of, get, parameter, served

from api.query import find

POOLS: dict[str, tuple[str, list[str]]] = {
    "word": ("string", ["", "a", "A", "a,b", "é", "x y", '"', "null"]),
    "year": ("year", ["", "1999", "2000", "2001"]),
    "day": ("date", ["", "1999-12-31", "2000-02-29", "2000-02-01", "2001-01-01"]),
    "moment": ("datetime", ["", "1999-12-31T23:59:59Z", "2000-02-01T00:00:00Z", "2000-02-01T01:00:00Z"]),
    "period": ("yearmonth", ["", "1999-12", "2000-02", "2000-03", "0001-01"]),
    "known": ("boolean", ["", "true", "false"]),
    "amount": ("number", ["", "0.1", "0.2", "0.7", "-1.05", "1234567.89", "3"]),
    "whole": ("integer", ["", "9223372036854775807", "9007199254740993", "-9223372036854775808", "1", "3"]),
    "exact": (
        "number",
        ["", "12345678901234567890.12", "0.01", "-12345678901234567890.11", "1000000000000000000000.5"],
    ),
}
FIELDS = {"id": "integer", **{name: kind for name, (kind, _) in POOLS.items()}}
PARTS = ["day__year", "day__month", "moment__year", "moment__month", "period__year"]
GROUPS = [*POOLS, *PARTS]
TAKES = {
    **{function: ("amount", "whole", "exact", "id") for function in ("sum", "avg", "median")},
    **{function: tuple(name for name in FIELDS if name != "known") for function in ("min", "max")},
    "count_distinct": tuple(FIELDS),
}
MEASURES = ["count", *(f"{function}:{name}" for function, names in TAKES.items() for name in names)]
SIZES = {"small": 97, "large": 6_000}
THINGS = "/v1/datasets/{}/aggregate"


def cells(rows: int) -> list[list[str]]:
    chance = random.Random(rows)
    return [[str(n), *(chance.choice(values) for _, values in POOLS.values())] for n in range(rows)]


DATA: dict[str, list[Row]] = {
    name: plainly.means(FIELDS, [dict(zip(FIELDS, row, strict=True)) for row in cells(rows)])
    for name, rows in SIZES.items()
}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    """A small table, and one that has rollups and is scanned."""
    folder = tmp_path_factory.mktemp("groups")
    fields = [f"{name}:{kind}" for name, kind in FIELDS.items()]
    served(folder, *(table(name, fields, cells(rows)) for name, rows in SIZES.items()))
    return app_of(folder / "store", CACHE_MB=0).test_client()


@contextmanager
def asked_of(few: int) -> Iterator[None]:
    """With -1 no table and no index has few rows: DuckDB answers."""
    before, find.FEW = find.FEW, few
    try:
        yield
    finally:
        find.FEW = before


ENGINES = pytest.mark.parametrize("few", [find.FEW, -1], ids=["SQLite", "DuckDB"])


def exact(client: FlaskClient, path: str) -> Any:
    response = client.get(path)
    assert response.status_code == 200, (path, response.get_data(as_text=True))
    return json.loads(response.data, parse_float=Decimal)


def union(client: FlaskClient, path: str, most: int = 10_000) -> tuple[list[Row], bool]:
    """The groups of the first pages, and whether they are all."""
    found: list[Row] = []
    link: str | None = path
    while link and len(found) < most:
        body = exact(client, link)
        assert body["meta"]["count"] == len(body["data"])
        assert body["meta"]["more"] is (body["links"]["next"] is not None)
        found += body["data"]
        link = body["links"]["next"]
    return found, link is None


FILTERS = {
    "": lambda row: True,
    "known=true": lambda row: row["known"] is True,
    "word__ne=a&year__gte=2000": lambda row: row["word"] not in ("a", None) and (row["year"] or 0) >= 2000,
    "id__lt=40": lambda row: row["id"] < 40,
    "year=1": lambda row: False,
}


@st.composite
def questions(draw: st.DrawFn) -> tuple[str, str, list[str], list[str], list[tuple[str, str, Any]], Any, int]:
    name = draw(st.sampled_from(["small", "small", "large"]))
    where = draw(st.sampled_from([*FILTERS]))
    by = draw(st.lists(st.sampled_from(GROUPS), max_size=2, unique=True))
    measures = draw(st.lists(st.sampled_from(MEASURES), min_size=1, max_size=3, unique=True))
    groups = plainly.grouped(filter(FILTERS[where], DATA[name]), by, measures)
    conditions = []
    for measure in draw(st.lists(st.sampled_from(measures), max_size=2)):
        pool = [entry[measure] for entry in groups if entry[measure] is not None]
        operator = (
            draw(st.sampled_from(["eq", "ne", "lt", "lte", "gt", "gte", "between", "isnull"])) if pool else "isnull"
        )
        value: Any = draw(st.booleans())
        if operator == "between":
            value = sorted([draw(st.sampled_from(pool)), draw(st.sampled_from(pool))])
            if "," in "".join(map(str, value)):  # which separates the two
                operator = "lte"
        if operator not in ("between", "isnull"):
            value = draw(st.sampled_from(pool))
        conditions.append((measure, operator, value))
    # DuckDB's mean of numbers beyond 64 bits is only near enough to sort by.
    sortable = [one for one in (*by, *measures) if one not in ("avg:whole", "avg:exact")]
    keys = st.lists(st.sampled_from(sortable), max_size=3, unique=True) if sortable else st.just([])
    sort = [(one, draw(st.booleans())) for one in draw(keys)]
    return name, where, by, measures, conditions[:1], sort, draw(st.sampled_from([1, 2, 7, 50, 1000]))


def text_of(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(text_of, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


@ENGINES
@settings(max_examples=300, deadline=None, database=None, derandomize=True)
@given(question=questions())
def test_any_question_for_groups_is_answered_as_plain_python_would(
    client: FlaskClient, few: int, question: Any
) -> None:
    """Its pages are all groups once, in order; its CSV and JSON Lines hold the same."""
    name, where, by, measures, conditions, sort, limit = question
    groups = plainly.grouped(filter(FILTERS[where], DATA[name]), by, measures)
    kept = [entry for entry in groups if all(plainly.holds(entry[m], op, value) for m, op, value in conditions)]
    expected = [plainly.shown(entry) for entry in plainly.ordered(kept, sort, by)]
    parts = [where, parameter("measure", *measures), f"limit={limit}"]
    parts += [f"group_by={','.join(by)}"] if by else []
    parts += [parameter("sort", *(("-" if down else "") + one for one, down in sort))] if sort else []
    parts += [parameter("having", f"{measure}__{op}={text_of(value)}") for measure, op, value in conditions]
    query = "&".join(filter(None, parts))
    with asked_of(few):
        found, whole = union(client, f"{THINGS.format(name)}?{query}", 6 * limit)
        assert (found, whole) == (expected[: len(found)], len(found) == len(expected)), query
        assert exact(client, f"{THINGS.format(name)}?{query}")["meta"]["total"] == len(expected)
        every = query.replace(f"&limit={limit}", "")
        lines = get(client, f"{THINGS.format(name)}.jsonl?{every}").text.splitlines()
        assert [json.loads(line, parse_float=Decimal) for line in lines] == expected
        header, *rows = csv.reader(io.StringIO(get(client, f"{THINGS.format(name)}.csv?{every}").text, newline=""))
        assert header == [*by, *measures]
        assert rows == [["" if v is None else text_in_csv(v) for v in entry.values()] for entry in expected]


def text_in_csv(value: Any) -> str:
    return text_of(value) if not isinstance(value, Decimal) else f"{value.normalize():f}"
