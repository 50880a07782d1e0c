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
from pathlib import Path
from typing import Any

import plainly
import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from packages import table
from plainly import Row
from served import answer, app_of, get, parameter, problem, served

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
    return name, where, by, measures, conditions, sort, draw(st.sampled_from([1, 2, 7, 50, 1000]))


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


# Wide series


@st.composite
def series(draw: st.DrawFn) -> tuple[str, str, list[str], str, str, list[tuple[str, bool]], int]:
    name = draw(st.sampled_from(["small", "small", "large"]))
    by = draw(st.lists(st.sampled_from(GROUPS), max_size=2, unique=True))
    columns = draw(st.sampled_from([one for one in GROUPS if one not in by]))
    keys = st.lists(st.sampled_from(by), max_size=2, unique=True) if by else st.just([])
    sort = [(one, draw(st.booleans())) for one in draw(keys)]
    limit = draw(st.sampled_from([1, 2, 7, 1000]))
    return name, draw(st.sampled_from([*FILTERS])), by, columns, draw(st.sampled_from(MEASURES)), sort, limit


@ENGINES
@settings(max_examples=150, deadline=None, database=None, derandomize=True)
@given(question=series())
def test_any_wide_series_is_that_of_plain_python(client: FlaskClient, few: int, question: Any) -> None:
    name, where, by, columns, measure, sort, limit = question
    rows = [row for row in DATA[name] if FILTERS[where](row)]
    cells = plainly.grouped(rows, [*by, columns], [measure]) if rows else []
    values = (
        [entry[columns] for entry in plainly.ordered(plainly.grouped(rows, [columns], []), [], [columns])]
        if rows
        else []
    )
    groups = plainly.ordered([dict(pairs) for pairs in {tuple((g, c[g]) for g in by): 0 for c in cells}], sort, by)
    held = {tuple(cell[one] for one in (*by, columns)): cell[measure] for cell in cells}
    expected = [
        plainly.shown({**group, **{key(v): held.get((*group.values(), v)) for v in values}}) for group in groups
    ]
    parts = [where, parameter("measure", measure), f"columns={columns}", f"limit={limit}"]
    parts += [f"group_by={','.join(by)}"] if by else []
    parts += [parameter("sort", *(("-" if down else "") + one for one, down in sort))] if sort else []
    path = f"{THINGS.format(name)}?{'&'.join(filter(None, parts))}"
    with asked_of(few):
        if columns == "word" and None in values and "null" in values:
            assert problem(client, path)["errors"][0]["parameter"] == "columns"
            return
        found, whole = union(client, path, 6 * limit)
        assert (found, whole) == (expected[: len(found)], len(found) == len(expected)), path
        meta = exact(client, path)["meta"]
        assert (meta["total"], meta["columns"]) == (len(expected), [key(v) for v in values])
        header, *lines = csv.reader(
            io.StringIO(
                get(client, path.replace("aggregate", "aggregate.csv").replace(f"limit={limit}", "")).text, newline=""
            )
        )
        assert header == [*by, *map(key, values)]
        assert lines == [["" if v is None else text_in_csv(v) for v in entry.values()] for entry in expected]


def key(value: Any) -> str:
    """A value as the name of a column."""
    return "null" if value is None else text_in_csv(value)


FIGURES = table(
    "figures",
    ["id", "year:year", "kind", "value:number", "note:integer"],
    [["a", 2000, "x", "1.5", 1], ["b", 2000, "y", "", 1], ["c", 2001, "x", "3", 1], ["d", 2002, "", "4", 1]],
    **{"lantern:figure": {"value": "value", "year": "year"}},
)
SINGLE = table(
    "single", ["id", "when:date", "kind", "amount:number"], [["a", "2000-01-01", "x", "12345678901234567890.5"]]
)
SUMS = "/v1/datasets/figures/aggregate"


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    many = table("many", ["id:integer", "group", "value:number"], [[n, "g", n] for n in range(201)])
    named = table("named", ["id", "year:year", "kind", "v:number"], [["a", 2000, "year", 1], ["b", 2000, "kind", 2]])
    nulls = table("nulls", ["id", "kind", "v:number"], [["a", "null", 1], ["b", "", 2]])
    return served(tmp_path_factory.mktemp("figures"), FIGURES, SINGLE, many, named, nulls)


def test_without_a_measure_a_cell_has_the_value_of_its_one_row(figures: FlaskClient) -> None:
    body = answer(figures, f"{SUMS}?group_by=year&columns=kind")
    assert body["data"] == [
        {"year": 2000, "x": 1.5, "y": None, "null": None},
        {"year": 2001, "x": 3, "y": None, "null": None},
        {"year": 2002, "x": None, "y": None, "null": 4},
    ]
    assert body["meta"]["columns"] == ["x", "y", "null"]
    lines = figures.get("/v1/datasets/figures/aggregate.csv?group_by=year&columns=kind&sort=-year").text
    assert lines == "year,x,y,null\n2002,,,4\n2001,3,,\n2000,1.5,,\n"
    found = figures.get("/v1/datasets/single/aggregate?group_by=when__month&columns=kind").text
    assert '{"when__month":"2000-01","x":12345678901234567890.5}' in found  # the only numeric field


def test_the_first_cell_with_several_rows_is_named(figures: FlaskClient) -> None:
    body = problem(figures, f"{SUMS}?columns=note")
    assert body == {
        "type": "/problems/several-rows",
        "title": "Several rows in one cell",
        "status": 409,
        "detail": "4 rows are in one cell (note 1): ask for a measure of them, add filters, or group by more fields.",
        "instance": SUMS,
        "errors": [{"field": "note", "reason": "of a cell with 4 rows", "found": [1]}],
        "example": f"{SUMS}?columns=note&measure=count",
    }
    assert answer(figures, body["example"])["data"] == [{"1": 4}]
    assert problem(figures, f"{SUMS}?group_by=note&columns=kind")["errors"][1]["found"] == ["x"]


def test_conditions_hold_for_the_cells_of_a_wide_series(figures: FlaskClient) -> None:
    body = answer(figures, f"{SUMS}?group_by=year&columns=kind&measure=sum:value&having=sum:value__gte=3")
    assert body["data"] == [
        {"year": 2001, "x": 3, "y": None, "null": None},
        {"year": 2002, "x": None, "y": None, "null": 4},
    ]
    assert body["meta"]["total"] == 2


@pytest.mark.parametrize(
    ("path", "name", "reason"),
    [
        ("many/aggregate?columns=id&measure=count", "columns", "'id' has more than 200 values here: add filters"),
        (
            *("named/aggregate?group_by=year&columns=kind&measure=sum:v", "columns"),
            "'year' is a value of 'kind' and the name of a group: filter it, or group otherwise",
        ),
        (
            *("nulls/aggregate?columns=kind&measure=sum:v", "columns"),
            "'null' is a value of 'kind' beside rows without one: filter the one or the other",
        ),
        (
            *("figures/aggregate?group_by=year&columns=year&measure=count", "columns"),
            "expected one field, by which the rows are not grouped already",
        ),
        (
            *("figures/aggregate?columns=year,kind&measure=count", "columns"),
            "expected one field, by which the rows are not grouped already",
        ),
        (
            *("figures/aggregate?columns=kind&measure=count,sum:value", "measure"),
            "expected one measure: columns has a column for each value of the field",
        ),
        (
            *("single/aggregate?columns=amount", "measure"),
            "expected a measure, such as count: the schema does not say which value a cell has (no field)",
        ),
        ("figures/aggregate?columns=knd", "columns", "'knd' is not a field that can be used here"),
        ("figures/aggregate?columns=kind&sort=value", "sort", "'value' is not a group or measure of this response"),
        (
            *("figures/aggregate?columns=kind&having=count=1", "having"),
            "'count' is not a measure of this response (none was asked for)",
        ),
    ],
)
def test_a_series_that_cannot_be_made_is_refused(figures: FlaskClient, path: str, name: str, reason: str) -> None:
    body = problem(figures, f"/v1/datasets/{path}")
    assert (body["status"], body["type"]) == (400, "/problems/invalid-parameter")
    (error,) = body["errors"]
    assert (error["parameter"], error["reason"]) == (name, reason)


def test_two_hundred_columns_are_shown(figures: FlaskClient) -> None:
    body = answer(figures, "/v1/datasets/many/aggregate?group_by=group&columns=id&id__gt=0&measure=sum:value")
    assert body["data"] == [{"group": "g", **{str(n): n for n in range(1, 201)}}]


def test_sums_of_a_wide_series_are_honest_in_each_cell(tmp_path: Path) -> None:
    rows = [["a", 2000, "x", "USD", 1], ["b", 2000, "y", "kg", 2], ["c", 2001, "x", "kg", 3]]
    made = table("t", ["id", "year:year", "kind", "unit", "value:number"], rows)
    made["schema"]["fields"][4]["lantern:additiveWithin"] = ["unit"]
    client = served(tmp_path, made)
    path = "/v1/datasets/t/aggregate"
    assert answer(client, f"{path}?group_by=year&columns=kind&measure=sum:value")["data"][0] == {
        "year": 2000,
        "x": 1,
        "y": 2,
    }
    body = problem(client, f"{path}?columns=kind&measure=sum:value&sort=")
    assert body["type"] == "/problems/invalid-parameter"
    body = problem(client, f"{path}?columns=kind&measure=sum:value")
    assert (body["status"], [error["field"] for error in body["errors"]]) == (409, ["unit"])
    assert body["example"] == f"{path}?columns=kind&group_by=unit&measure=sum:value"
    assert answer(client, body["example"])["data"] == [
        {"unit": "USD", "x": 1, "y": None},
        {"unit": "kg", "x": 3, "y": 2},
    ]


# Parts of dates


def test_a_part_of_a_date_does_not_fix_the_date(tmp_path: Path) -> None:
    rows = [["a", "2000-01-01", 1], ["b", "2000-05-01", 2], ["c", "2001-01-01", 3]]
    made = table("t", ["id", "day:date", "value:number"], rows)
    made["schema"]["fields"][2]["lantern:additiveWithin"] = ["day"]
    client = served(tmp_path, made)
    body = problem(client, "/v1/datasets/t/aggregate?group_by=day__year&measure=sum:value")
    assert body["errors"] == [{"field": "day", "reason": "varies", "found": ["2000-01-01", "2000-05-01", "2001-01-01"]}]
    assert body["example"] == "/v1/datasets/t/aggregate?group_by=day__year,day&measure=sum:value"
    assert answer(client, body["example"])["meta"]["total"] == 3
    assert len(answer(client, "/v1/datasets/t/aggregate?group_by=day&measure=sum:value")["data"]) == 3


def test_periods_that_overlap_within_a_year_are_not_added(tmp_path: Path) -> None:
    rows = [
        ["a", "2000-01-01", "2000-12-31", 1],
        ["b", "2000-06-01", "2001-05-31", 2],
        ["c", "2002-01-01", "2002-02-01", 3],
    ]
    figure = {"value": "value", "periodStart": "start", "periodEnd": "end"}
    made = table("t", ["id", "start:date", "end:date", "value:number"], rows, **{"lantern:figure": figure})
    made["schema"]["fields"][3]["lantern:additiveWithin"] = []
    client = served(tmp_path, made)
    path = "/v1/datasets/t/aggregate?group_by=start__year&measure=sum:value"
    assert [error["field"] for error in problem(client, path)["errors"]] == ["start", "end"]
    assert answer(client, f"{path}&id__ne=b")["data"] == [
        {"start__year": 2000, "sum:value": 1},
        {"start__year": 2002, "sum:value": 3},
    ]


def test_a_fields_own_name_comes_before_a_part_and_odd_names_work(tmp_path: Path) -> None:
    fields = ["day:date", "day__year", "d.a, y:date", "день:datetime"]
    rows = [["2000-01-02", "own", "1999-12-31", "2001-02-03T04:05:06Z"], ["2000-01-02", "", "", ""]]
    client = served(tmp_path, table("t 1", fields, rows, primaryKey=[]))
    path = "/v1/datasets/t%201/aggregate"
    assert answer(client, f"{path}?group_by=day__year")["data"] == [
        {"day__year": "own", "count": 1},
        {"day__year": None, "count": 1},
    ]
    query = "&".join([parameter("group_by", "d.a, y__month", "день__year"), parameter("measure", "max:d.a, y")])
    assert answer(client, f"{path}?{query}&{parameter('having', 'max:d.a, y__isnull=false')}")["data"] == [
        {"d.a, y__month": "1999-12", "день__year": 2001, "max:d.a, y": "1999-12-31"}
    ]


@ENGINES
def test_durations_times_and_moments_are_spelled_as_rows_spell_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(find, "FEW", few)
    rows = [
        ["a", "P12M", "13:30:00", "2000-01-01T00:00:00.5Z"],
        ["b", "P1Y", "13:30:00.25", "2000-01-01T00:00:00Z"],
        ["c", "PT1H", "", ""],
    ]
    client = served(tmp_path, table("t", ["id", "length:duration", "at:time", "moment:datetime"], rows))
    path = "/v1/datasets/t/aggregate"
    assert answer(client, f"{path}?group_by=length&measure=count,max:length,min:moment,max:at")["data"] == [
        {"length": "PT1H", "count": 1, "max:length": "PT1H", "min:moment": None, "max:at": None},
        {
            **{"length": "P12M", "count": 2, "max:length": "P12M", "min:moment": "2000-01-01T00:00:00Z"},
            "max:at": "13:30:00.250000",
        },
    ]
    asked = "measure=min:length,max:moment,count_distinct:length"
    assert answer(client, f"{path}?{asked}&id__ne=a&having=min:length__gte=PT1H")["data"] == [
        {"min:length": "PT1H", "max:moment": "2000-01-01T00:00:00Z", "count_distinct:length": 2}
    ]
    assert answer(client, f"{path}?{asked}&having=max:moment=2000-01-01T00:00:00.5Z")["meta"]["total"] == 1


# Conditions on measures


@ENGINES
def test_conditions_compare_exactly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    monkeypatch.setattr(find, "FEW", few)
    rows = [["a", "g", "12345678901234567890.12", 2**53 + 1], ["b", "g", "0.01", 0], ["c", "h", "1", 3]]
    client = served(tmp_path, table("t", ["id", "group", "x:number", "n:integer"], rows))
    path = "/v1/datasets/t/aggregate?group_by=group&measure=sum:x,median:x,avg:n,max:n,sum:n"
    total = "12345678901234567890.13"
    for condition, groups in (
        (f"sum:x={total}", "g"),
        (f"sum:x__gte={total}", "g"),
        (f"sum:x__gt={total}", ""),
        (f"sum:x__lt={total}", "h"),
        (f"sum:x__between=1,{total}", "gh"),
        (f"sum:x={total}00001", ""),
        (f"sum:x__ne={total}00001", "gh"),
        (f"sum:x__lte={total}00001", "gh"),
        (f"sum:x__gte={total}00001", ""),
        ("median:x=6172839450617283945.065", "g"),
        ("median:x__gt=6172839450617283945.064", "g"),
        ("median:x__ne=6172839450617283945.065", "h"),
        ("avg:n=4503599627370500", "g"),  # to 15 digits, as it is shown
        ("avg:n=3.00000000000001", ""),
        ("max:n=9007199254740993", "g"),
        ("max:n=9007199254740992", ""),
        ("sum:n__lt=9007199254740993", "h"),
        ("sum:n__lt=1e300", "gh"),
        ("sum:n__gt=-1e300", "gh"),
        ("sum:n__isnull=True", ""),
    ):
        found = answer(client, f"{path}&{parameter('having', condition)}")["data"]
        assert "".join(row["group"] for row in found) == groups, condition


def test_lists_and_conditions_may_be_repeated(client: FlaskClient) -> None:
    path = THINGS.format("small")
    once = answer(client, f"{path}?group_by=year,known&measure=count,max:id&having=count__gt=5&having=max:id__lt=96")
    again = answer(
        client,
        f"{path}?group_by=year&group_by[]=known&measure=count&measure=max:id&having[]=max:id__lt=96&having[]=count__gt=5",
    )
    assert (again["data"], again["links"]["self"]) == (once["data"], once["links"]["self"])
    assert answer(client, once["links"]["self"])["data"] == once["data"] != []


def test_a_condition_holds_without_groups_too(client: FlaskClient) -> None:
    assert answer(client, f"{THINGS.format('small')}?having=count__gt=96")["data"] == [{"count": 97}]
    body = answer(client, f"{THINGS.format('small')}?having=count__gt=97")
    assert (body["data"], body["meta"]["total"]) == ([], 0)


HAVING = f"{THINGS.format('small')}?group_by=year&measure=count,sum:amount,max:word,max:day&having="
CONDITIONS = {
    "sum:whole__gt=1": "'sum:whole' is not a measure of this response (count, sum:amount, max:word, max:day)",
    "count": "expected a measure, an operator and a value, such as sum:value__gte=1000",
    "": "expected a measure, an operator and a value, such as sum:value__gte=1000",
    "count__gtee=1": "'gtee' is not one of eq, ne, lt, lte, gt, gte, between, isnull",
    "max:word__contains=a": "'contains' is not one of eq, ne, lt, lte, gt, gte, between, isnull",
    "count__gt=1.5": "count__gt: '1.5' is not a whole number",
    "count__gt=": "count__gt: '' is not a whole number",
    "sum:amount__gte=abc": "sum:amount__gte: 'abc' is not a number",
    "max:day__lt=2000": "max:day__lt: '2000' is not a date, such as 2007-10-01",
    "count__between=1": "count__between: expected two values, the least and the greatest, found 1",
    "count__between=1,2,3": "count__between: expected two values, the least and the greatest, found 3",
    "count__isnull=maybe": "count__isnull: expected true or false",
}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_condition_that_cannot_be_read_is_refused(client: FlaskClient, condition: str) -> None:
    (error,) = problem(client, HAVING + condition)["errors"]
    error.pop("did_you_mean", None)
    assert error == {"parameter": "having", "reason": CONDITIONS[condition]}


def test_names_with_operators_in_them_are_measures_first(tmp_path: Path) -> None:
    rows = [["a", 1, 5], ["b", 2, 6]]
    client = served(tmp_path, table("t", ["id", "x:integer", "x__gte=1:integer"], rows))
    path = "/v1/datasets/t/aggregate?group_by=id&measure=" + "sum:x,sum:x__gte%3D1"
    assert answer(client, f"{path}&having=sum:x__gte%3D1=6")["data"] == [{"id": "b", "sum:x": 2, "sum:x__gte=1": 6}]
    assert len(answer(client, f"{path}&having=sum:x__gte%3D1")["data"]) == 2


# Pages


def test_a_cursor_of_groups_belongs_to_its_question(client: FlaskClient) -> None:
    path = THINGS.format("small")
    after = answer(client, f"{path}?group_by=word&limit=2")["links"]["next"]
    cursor = after.partition("cursor=")[2].partition("&")[0]
    assert answer(client, f"{path}?group_by=word&limit=3&cursor={cursor}")["meta"]["count"] == 3
    of_rows = answer(client, "/v1/datasets/small/records?limit=2")["links"]["next"].partition("cursor=")[2]
    for query in (
        f"group_by=word&sort=-word&cursor={cursor}",
        f"group_by=year&cursor={cursor}",
        f"group_by=word&having=count__gt=1&cursor={cursor}",
        f"group_by=word&columns=year&cursor={cursor}",
        f"cursor={of_rows.partition('&')[0]}",
    ):
        assert problem(client, f"{path}?{query}")["errors"][0]["parameter"] == "cursor", query
    assert problem(client, f"/v1/datasets/small/records?cursor={cursor}")["errors"][0]["parameter"] == "cursor"


def test_a_page_says_which_one_is_next(client: FlaskClient) -> None:
    response = client.get(f"{THINGS.format('small')}?group_by=word&limit=2")
    assert f'<{response.get_json()["links"]["next"]}>; rel="next"' in response.headers["Link"]


# Files


@pytest.mark.parametrize("kind", ["csv", "jsonl", "ndjson"])
def test_a_file_has_all_groups_unless_there_is_a_limit(client: FlaskClient, kind: str) -> None:
    path = f"{THINGS.format('large')}.{kind}?group_by=id,word"
    whole = client.get(path)
    assert whole.content_type == ("text/csv; charset=utf-8" if kind == "csv" else "application/jsonl")
    assert int(whole.headers["Content-Length"]) == len(whole.data)
    head = kind == "csv"
    assert whole.text.count("\n") == SIZES["large"] + head
    part = client.get(f"{path}&limit=3")
    assert part.text == "".join(whole.text.splitlines(keepends=True)[: 3 + head])
    following = part.headers["Link"].partition('>; rel="next"')[0].rpartition("<")[2]
    rest = client.get(following.replace("limit=3", "")).text.splitlines()
    assert rest[head:] == whole.text.splitlines()[3 + head :]


def test_accept_chooses_as_an_extension_does(client: FlaskClient) -> None:
    for name, query in (("aggregate", "group_by=word&measure=count"), ("facets", "facet=word,year")):
        for kind, media in (("csv", "text/csv"), ("jsonl", "application/jsonl")):
            by_name = client.get(f"/v1/datasets/small/{name}.{kind}?{query}")
            by_header = get(client, f"/v1/datasets/small/{name}?{query}", Accept=media)
            assert by_name.text == by_header.text
            assert by_name.content_type == by_header.content_type
            assert by_name.headers["Content-Disposition"] == f'inline; filename="small-{name}.{kind}"'
        body = problem(client, f"/v1/datasets/small/{name}.xlsx?{query}")
        assert (body["status"], body["detail"]) == (406, "Groups are available as json, jsonl, csv, not as 'xlsx'.")
        assert get(client, f"/v1/datasets/small/{name}?{query}", Accept="image/png").status_code == 406


# Facets


def test_facets_as_files_have_the_values_of_the_json(client: FlaskClient) -> None:
    body = exact(client, "/v1/datasets/small/facets?facet=word,exact,known")["data"]
    expected = [{"field": field, **entry} for field, entries in body.items() for entry in entries]
    lines = client.get("/v1/datasets/small/facets.jsonl?facet=word,exact,known").text.splitlines()
    assert [json.loads(line, parse_float=Decimal) for line in lines] == expected
    header, *rows = csv.reader(io.StringIO(client.get("/v1/datasets/small/facets.csv?facet=word,exact,known").text))
    assert header == ["field", "value", "count"]
    assert rows == [["" if v is None else text_in_csv(v) for v in entry.values()] for entry in expected]
    some = client.get("/v1/datasets/small/facets.csv?facet=word,known&limit=1").text.splitlines()
    assert [line.partition(",")[0] for line in some] == ["field", "word", "known"]


@ENGINES
@pytest.mark.parametrize("sort", ["", "count", "-count", "value", "-value"])
def test_the_values_of_a_facet_are_sorted_and_counted(client: FlaskClient, few: int, sort: str) -> None:
    for name, field in (("small", "word"), ("large", "year"), ("large", "id")):
        entries = plainly.grouped(DATA[name], [field], ["count"])
        by = {"": ("count", True), "value": (field, False), "-value": (field, True)}.get(
            sort, ("count", sort[:1] == "-")
        )
        wanted = [(entry[field], entry["count"]) for entry in plainly.ordered(entries, [by], [field])]
        with asked_of(few):
            body = answer(client, f"/v1/datasets/{name}/facets?facet={field}&limit=5&{'sort=' + sort if sort else ''}")
        assert [(entry["value"], entry["count"]) for entry in body["data"][field]] == wanted[:5]
        assert body["meta"]["values"] == {field: len(wanted)}
        assert body["meta"]["total"] == len(DATA[name])
