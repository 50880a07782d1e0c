"""SQLite and DuckDB answer alike, whatever is asked; and both stop when the time is over."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from packages import table
from served import answer, app_of, get, problem, rows_path, served

from api.index import bounds, duckdb, sqlite
from api.query import find

VALUES: dict[str, list[str]] = {
    "word": ["", "a", "A", "ä", "straße", "STRASSE", "İ", "a%b", "a_b", "x y", "10", "9"],
    "whole": ["", "0", "-1", "7", "9007199254740993", "9223372036854775807", "-9223372036854775808"],
    "amount": ["", "0", "0.1", "0.2", "-1.25", "1000000.01", "3", "12.5"],
    "wide": ["", "1e-20", "1e15", "0.30000000000000004", "-5", "123456789012345.5", "1152921504606847000", "1e17"],
    "exact": ["", "1", "0.1234567890123456789012345678901", "-99999999999999999999", "12345678901234567890.5"],
    "flag": ["", "true", "false"],
    "year": ["", "1999", "2000", "2001"],
    "day": ["", "1999-12-31", "2000-02-29", "2001-01-01"],
    "moment": ["", "2000-01-01T00:00:00Z", "2000-01-01T00:00:00.5Z", "1999-12-31T23:59:59Z"],
    "length": ["", "P1Y", "P12M", "PT1H", "P1D"],
}
TYPES = {
    "word": "string",
    "whole": "integer",
    "amount": "number",
    "wide": "number",
    "exact": "number",
    "flag": "boolean",
}
TYPES |= {"year": "year", "day": "date", "moment": "datetime", "length": "duration"}
BEYOND = {  # asked for beside the values that are stored
    "whole": ["9223372036854775808", "9223372036854776000", "-9223372036854775809", "1" + "0" * 30],
    "wide": ["1152921504606846976", "1e400", "0.3"],
    "amount": ["9007199254740993", "0.10000000000000000001"],
    "exact": ["0.1", "1e30"],
}
NUMBERS = ("whole", "amount", "wide", "exact")
ROWS = 240


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    chance = random.Random(11)
    rows = [[f"r{n:03}", *(chance.choice(VALUES[name]) for name in TYPES)] for n in range(ROWS)]
    chance.shuffle(rows)
    fields = ["id", *(f"{name}:{kind}" for name, kind in TYPES.items())]
    folder = tmp_path_factory.mktemp("both")
    served(folder, table("things", fields, rows))
    return app_of(folder / "store", CACHE_MB=0).test_client()


@contextmanager
def scanned() -> Iterator[None]:
    """No index and no table has few rows: DuckDB answers."""
    few, find.FEW = find.FEW, -1
    try:
        yield
    finally:
        find.FEW = few


names = st.sampled_from(sorted(TYPES))
groups = st.sampled_from([*TYPES, "day__year", "day__month", "moment__year", "moment__month"])
measures = st.one_of(
    st.just("count"),
    st.builds("{}:{}".format, st.sampled_from(["sum", "avg", "min", "max", "median"]), st.sampled_from(NUMBERS)),
    st.builds("{}:{}".format, st.sampled_from(["min", "max"]), st.sampled_from(sorted({*TYPES} - {"flag"}))),
    st.builds("count_distinct:{}".format, names),
)
signed = st.tuples(st.sampled_from(["", "-"]), names).map("".join)


@st.composite
def conditions(draw: Callable[[Any], Any]) -> str:
    name = draw(names)
    how = draw(st.sampled_from(["", "__ne", "__lt", "__lte", "__gt", "__gte", "__in", "__not_in", "__isnull"]))
    if how == "__isnull":
        return f"{name}{how}={draw(st.sampled_from(['true', 'false']))}"
    if TYPES[name] == "boolean" and how not in ("", "__ne", "__in"):
        how = ""
    if TYPES[name] == "string" and draw(st.booleans()):
        how = draw(st.sampled_from(["__contains", "__startswith"]))
    known = [value for value in [*VALUES[name], *BEYOND.get(name, [])] if value]
    some = draw(st.lists(st.sampled_from(known), min_size=1, max_size=3 if how.endswith("in") else 1, unique=True))
    return f"{name}{how}={','.join(some)}".replace("%", "%25")


questions = st.one_of(
    st.builds(
        lambda where, sort, limit: "&".join([*where, *([f"sort={','.join(sort)}"] if sort else []), f"limit={limit}"]),
        st.lists(conditions(), max_size=3),
        st.lists(signed, max_size=3, unique_by=lambda name: name.lstrip("-")),
        st.integers(1, 40),
    ).map(lambda query: rows_path("things", query)),
    st.builds(
        lambda where, by, measures, sort, more: "&".join(
            [
                *where,
                *([f"group_by={','.join(by)}"] if by else []),
                f"measure={','.join(measures)}",
                *([f"sort={sort}{measures[0]}"] if not measures[0].startswith("avg") else []),
                more,
            ]
        ),
        st.lists(conditions(), max_size=2),
        st.lists(groups, max_size=2, unique=True),
        st.lists(measures, min_size=1, max_size=3, unique=True),
        st.sampled_from(["", "-"]),
        st.sampled_from(["limit=300", "limit=3"]),
    ).map(lambda query: f"/v1/datasets/things/aggregate?{query}"),
    st.builds(
        lambda where, by, measure, columns, limit: "&".join(
            [
                *where,
                *([f"group_by={by}"] if by != columns else []),
                f"measure={measure}&columns={columns}&limit={limit}",
            ]
        ),
        st.lists(conditions(), max_size=2),
        groups,
        measures,
        groups,
        st.sampled_from([2, 300]),
    ).map(lambda query: f"/v1/datasets/things/aggregate?{query}"),
    st.builds(
        lambda where, measure, operator, value: "&".join(
            [*where, f"group_by=word,flag&measure={measure}&having={measure}__{operator}={value}"]
        ),
        st.lists(conditions(), max_size=1),
        st.builds("{}:{}".format, st.sampled_from(["sum", "avg", "min", "max", "median"]), st.sampled_from(NUMBERS)),
        st.sampled_from(["eq", "ne", "lt", "lte", "gt", "gte"]),
        st.sampled_from([value for name in NUMBERS for value in [*VALUES[name], *BEYOND.get(name, [])] if value]),
    ).map(lambda query: f"/v1/datasets/things/aggregate?{query}"),
    st.builds(
        lambda where, name, sort: "&".join([*where, f"facet={name}&sort={sort}"]),
        st.lists(conditions(), max_size=2),
        names,
        st.sampled_from(["value", "-value", "count", "-count"]),
    ).map(lambda query: f"/v1/datasets/things/facets?{query}"),
)


@given(path=questions)
@settings(max_examples=600, deadline=None, database=None, derandomize=True)
def test_both_engines_give_the_same_answer(client: FlaskClient, path: str) -> None:
    """Of pages the next one too."""
    following: str | None = path
    for _ in range(2):
        if following:
            once = get(client, following, X_Request_Id="same")
            with scanned():
                again = get(client, following, X_Request_Id="same")
            assert (once.status_code, once.data) == (again.status_code, again.data), following
            following = once.get_json().get("links", {}).get("next")


@pytest.mark.parametrize(
    ("engine", "endless"),
    [
        (sqlite, "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT max(n) FROM c"),
        (duckdb, "SELECT sum(hash(range)) FROM range(1000000000000)"),
    ],
    ids=["SQLite", "DuckDB"],
)
def test_a_question_without_end_is_interrupted_when_the_time_of_the_request_is_over(
    client: FlaskClient, engine: Any, endless: str
) -> None:
    (index,) = client.application.config["STORE"].glob("index/*/1.0.0-*")
    bounds.begin(0.3)
    try:
        began = time.monotonic()
        with pytest.raises(bounds.TooSlow):
            engine.rows(index, endless, [])
        assert 0.2 < time.monotonic() - began < 5
        with pytest.raises(bounds.TooSlow):  # one clock for all questions of a request
            engine.rows(index, "SELECT 1", [])
    finally:
        bounds.end()
    assert engine.rows(index, "SELECT 1", []) == [(1,)]


def test_duckdb_reaches_nothing_but_its_file(client: FlaskClient, tmp_path: Path) -> None:
    (index,) = client.application.config["STORE"].glob("index/*/1.0.0-*")
    (tmp_path / "secret.csv").write_text("a\n1\n")
    for sql in (
        f"SELECT * FROM read_csv('{tmp_path}/secret.csv')",
        f"COPY (SELECT 1) TO '{tmp_path}/out.csv'",
        f"ATTACH '{tmp_path}/other.duckdb'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET memory_limit = '10GB'",
        "DELETE FROM t0",
    ):
        with pytest.raises(Exception, match=r"(?i)disabled|locked|read-only|permission|cannot"):
            duckdb.rows(index, sql, [])
    assert [path.name for path in tmp_path.iterdir()] == ["secret.csv"]


@pytest.mark.parametrize("few", [find.FEW, -1], ids=["SQLite", "DuckDB"])
def test_the_greatest_integer_is_less_than_what_no_column_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(find, "FEW", few)
    rows = [["a", 2**63 - 1], ["b", 5], ["c", -(2**63)]]
    client = served(tmp_path, table("t", ["id", "x:integer"], rows))
    for query, ids in (
        ("x__lt=9223372036854775808", "abc"),
        ("x__ne=9223372036854776000", "abc"),
        ("x__not_in=9223372036854776000,5", "ac"),
        ("x__gte=9223372036854775808", ""),
        ("x__gt=-9223372036854775809", "abc"),
        ("x__lte=9223372036854775807", "abc"),
    ):
        assert "".join(row["id"] for row in answer(client, rows_path("t", query))["data"]) == ids, query


@pytest.mark.parametrize("few", [find.FEW, -1], ids=["SQLite", "DuckDB"])
def test_full_text_over_a_table_without_texts_finds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(find, "FEW", few)
    client = served(tmp_path, table("t", ["id:integer", "x:number"], [[1, 2.5], [2, 3]]))
    for query in ("q=a", "q=a*&x__gt=1", "q=a&sort=-x"):
        assert answer(client, rows_path("t", query))["meta"]["total"] == 0
    assert answer(client, "/v1/datasets/t/aggregate?q=a")["data"] == [{"count": 0}]


def test_words_that_end_with_a_star_are_few(client: FlaskClient) -> None:
    assert answer(client, rows_path("things", "q=" + "+".join(f"{c}*" for c in "abcdefgh")))["data"] == []
    refused = problem(client, rows_path("things", "q=" + "+".join(f"{c}*" for c in "abcdefghi")))
    assert (refused["status"], refused["errors"][0]["parameter"]) == (400, "q")


def test_a_foreign_key_of_any_type_is_expanded(tmp_path: Path) -> None:
    for kind, keys in {
        "datetime": ["2000-01-01T00:00:00Z", "2001-01-01T00:00:00.5Z"],
        "duration": ["P1Y", "PT1H"],
        "number": ["0.1234567890123456789", "2"],
        "integer": ["1", "9223372036854775807"],
    }.items():
        key = {"fields": ["to"], "reference": {"resource": "", "fields": ["id"]}}
        made = table("t", [f"id:{kind}", f"to:{kind}"], [[keys[0], keys[1]], [keys[1], keys[1]]], foreignKeys=[key])
        rows = answer(served(tmp_path / kind, made), rows_path("t", "expand=to"))["data"]
        assert all(isinstance(row["to"], dict) and row["to"]["id"] == row["to"]["to"] for row in rows), (kind, rows)
