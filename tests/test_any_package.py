"""Any data package can be served, whatever its names, keys, types and files; what cannot is refused with the reason.

`walk` asks of a served package all that can be asked of any: every table, page, field, row and format.
"""

import bz2
import csv
import gzip
import io
import json
import lzma
import re
import shutil
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import openpyxl
import pyarrow.parquet as pq
import pytest
import yaml
from flask.testing import FlaskClient
from packages import table
from served import all_rows, answer, client_of, parameter, problem, rows_path, served

from api.package import PackageError, validate
from api.query import find
from api.release.build import BuildError, build

WILD = Path(__file__).with_name("wild")
STRUCTURED = ("list", "array", "object", "geojson", "geopoint")
PARAMETERS = ("limit", "cursor", "sort", "fields", "q", "version", "as_of", "expand")


def text(value: Any) -> str:
    """A value as a question writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def walk(client: FlaskClient) -> dict[str, list[dict[str, Any]]]:
    """The rows of every table of a package, after all that can be asked of each was asked."""
    found = {}
    for entry in answer(client, "/v1/datasets")["data"]:
        name = entry["name"]
        described = answer(client, entry["links"]["self"])
        schema = answer(client, entry["links"]["schema"])
        assert described["data"]["fields"] == schema["fields"]
        rows = all_rows(client, entry["links"]["records"] + "?limit=3")
        assert len(rows) == entry["rows"] == answer(client, rows_path(name))["meta"]["total"]
        assert [list(row) for row in rows] == [[field["name"] for field in schema["fields"]]] * len(rows)
        each_row_has_an_address(client, name, schema, rows)
        for field in schema["fields"]:
            each_value_is_found(client, name, field, rows)
        each_format_holds_them(client, name, rows)
        found[name] = rows
    assert client.get("/openapi.json").status_code == 200
    assert client.get("/", headers={"Accept": "text/html"}).status_code == 200
    return found


def each_row_has_an_address(client: FlaskClient, name: str, schema: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    keys = schema.get("primaryKey") or []
    for place, row in enumerate(rows[:40], 1):
        parts = [text(row[key]) for key in keys] or [str(place)]
        if parts == [""]:
            continue
        path = f"{rows_path(name)}/{','.join(quote(part, safe='') for part in parts)}"
        body = answer(client, path)
        assert body["data"] == row, path
        assert answer(client, body["links"]["self"])["data"] == row
        assert answer(client, body["links"]["permalink"])["data"] == row


def each_value_is_found(client: FlaskClient, name: str, field: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    own = field["name"]
    operators = {"eq": lambda row, value: row[own] == value, "ne": lambda row, value: row[own] not in (value, None)}
    for value in [row[own] for row in rows if row[own] is not None][:8]:
        if isinstance(value, list) and field["type"] in ("geopoint", "list"):
            asked = ",".join(text(part) for part in value)
        else:
            asked = text(value)
        for op, keeps in operators.items():
            if field["type"] == "duration" or len(asked) > 1000:
                continue
            body = answer(client, rows_path(name, parameter(f"{own}__{op}", asked) + "&limit=1000"))
            assert body["data"] == [row for row in rows if keeps(row, value)], (own, op, asked)
        if own not in PARAMETERS:
            assert answer(client, rows_path(name, parameter(own, asked)))["data"][0] in rows
    assert answer(client, rows_path(name, parameter(f"{own}__isnull", "true")))["meta"]["total"] == sum(
        row[own] is None for row in rows
    )
    assert answer(client, rows_path(name, parameter("fields", own)))["data"] == [{own: row[own]} for row in rows[:100]]
    if field["type"] in STRUCTURED:
        return
    for sign in ("", "-"):
        found = all_rows(client, rows_path(name, parameter("sort", sign + own) + "&limit=7"))
        assert sorted(map(json.dumps, found)) == sorted(map(json.dumps, rows)), own
        assert [row[own] is None for row in found] == sorted(row[own] is None for row in found)
    facet = answer(client, f"/v1/datasets/{quote(name, safe='')}/facets?{parameter('facet', own)}&limit=1000")
    assert sum(value["count"] for value in facet["data"][own]) == len(rows)
    path = f"/v1/datasets/{quote(name, safe='')}/aggregate?{parameter('group_by', own)}&limit=1000"
    if own != "count":
        assert sum(group["count"] for group in answer(client, path)["data"]) == len(rows)
    if field["type"] in ("integer", "number"):
        measures = parameter("measure", *(f"{function}:{own}" for function in ("sum", "avg", "min", "max", "median")))
        [group] = answer(client, path.partition("?")[0] + "?" + measures)["data"]
        assert list(group) == [f"{function}:{own}" for function in ("sum", "avg", "min", "max", "median")]


def each_format_holds_them(client: FlaskClient, name: str, rows: list[dict[str, Any]]) -> None:
    lines = client.get(rows_path(name, "limit=1000", ".jsonl")).data.splitlines()
    assert [json.loads(line) for line in lines] == rows[:1000]
    for path in (rows_path(name, "", ".csv"), rows_path(name, "limit=1000", ".csv")):
        whole = client.get(path).data.decode()
        assert len(list(csv.reader(io.StringIO(whole, newline="")))) == len(rows) + 1
    parquet = client.get(rows_path(name, "", ".parquet"))
    assert pq.read_table(io.BytesIO(parquet.data)).num_rows == len(rows)


# Names


AWKWARD = (
    *(
        "with space",
        "Capital",
        "CAPITAL",
        'quote"d',
        "apo'strophe",
        "a/b",
        "a,b",
        "a.b",
        "100%",
        "%20",
        "%2F",
        "a+b",
        "a&b=c",
    ),
    *(
        "#hash",
        "?query",
        "naïve",
        "日本語",
        "имя",
        "😀",
        "select",
        "from",
        "order",
        "table",
        "n",
        "c0",
        "t0",
        "rowid",
        "null",
    ),
    *(*PARAMETERS, "a", "a__b", "__", "-minus", "count", "sum:a", "facet", "group_by", "measure"),
    *(
        "a\tb",
        "back\\slash",
        "{curly}",
        "<tag>",
        "semi;colon",
        "$",
        "@",
        "*",
        "~",
        "caf\u00e9",
        "cafe\u0301",
        "x" * 300,
    ),
)


def test_fields_may_have_any_name(tmp_path: Path) -> None:
    fields = [{"name": name, "type": "string"} for name in AWKWARD]
    rows = [[f"{name}-{n}" for name in AWKWARD] for n in range(2)] + [["" for _ in AWKWARD[1:]] + ["end"]]
    client = served(tmp_path, {"name": "t", "schema": {"fields": fields}, "rows": rows})
    [found] = walk(client).values()
    assert found[0] == {name: f"{name}-0" for name in AWKWARD}


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_field_named_like_a_parameter_is_reached_with_eq(tmp_path: Path, name: str) -> None:
    client = served(tmp_path, table("t", ["id", f"{name}:integer"], [["a", "5"], ["b", "7"]]))
    assert answer(client, rows_path("t", f"{name}__eq=7"))["data"] == [{"id": "b", name: 7}]
    assert answer(client, rows_path("t", f"{name}__gte=5&sort=-{name}&limit=1"))["data"] == [{"id": "b", name: 7}]
    assert answer(client, rows_path("t", f"fields={name}"))["data"] == [{name: 5}, {name: 7}]


def test_a_field_whose_name_ends_like_an_operator_comes_before_the_operator(tmp_path: Path) -> None:
    client = served(tmp_path, table("t", ["a", "a__eq", "a__eq__eq"], [["1", "2", "3"], ["2", "1", "1"]]))
    assert [row["a"] for row in answer(client, rows_path("t", "a__eq=2"))["data"]] == ["1"]
    assert [row["a"] for row in answer(client, rows_path("t", "a__eq__eq=3"))["data"]] == ["1"]
    assert [row["a"] for row in answer(client, rows_path("t", "a__eq__eq__eq=1"))["data"]] == ["2"]
    assert [row["a"] for row in answer(client, rows_path("t", "a=2"))["data"]] == ["2"]


@pytest.mark.parametrize(
    "name",
    [
        "with space",
        "Capital",
        'quote"d',
        "apo'strophe",
        "a/b",
        "a,b",
        "100%",
        "%2F",
        "naïve",
        "日本語",
        "select",
        "records",
        "a.csv",
        "..",
        ".hidden",
        "a+b",
        "?",
        "#",
        "a&b",
        "x" * 150,
    ],
)
def test_a_table_may_have_any_name(tmp_path: Path, name: str) -> None:
    entry = {**table(name, ["id", "v:number"], [["a", "1"], ["b", "2"]]), "path": "data/rows.csv"}
    client = served(tmp_path, entry)
    assert walk(client) == {name: [{"id": "a", "v": 1}, {"id": "b", "v": 2}]}
    release = answer(client, "/v1/releases/1.0.0")["data"]
    statuses = {file["path"]: client.get(file["href"]).status_code for file in release["files"]}
    assert statuses == dict.fromkeys(statuses, 200) and "datapackage.json" in statuses


def test_tables_may_refer_to_one_another_under_any_name(tmp_path: Path) -> None:
    keys = [{"fields": ["to what"], "reference": {"resource": "a/b", "fields": ["Nr."]}}]
    one = {
        **table("über, all", ["Nr.", "to what"], [["1,2", "x/y"], ["3", ""]], foreignKeys=keys),
        "path": "data/1.csv",
    }
    two = {**table("a/b", ["Nr."], [["x/y"]]), "path": "data/2.csv"}
    client = served(tmp_path, one, two)
    walk(client)
    body = answer(client, "/v1/datasets/%C3%BCber%2C%20all/records/1%2C2?expand=to%20what")
    assert body["data"] == {"Nr.": "1,2", "to what": {"Nr.": "x/y"}}
    assert body["links"]["to what"] == "/v1/datasets/a%2Fb/records/x%2Fy"
    assert answer(client, body["links"]["to what"])["data"] == {"Nr.": "x/y"}


# Shapes


def test_a_compound_key_may_hold_commas_and_slashes(tmp_path: Path) -> None:
    rows = [
        [a, b, str(n)]
        for n, (a, b) in enumerate((a, b) for a in ("a,b", "a", "b/c", "%2C", "") for b in ("b,c", "", "/", "c"))
    ]
    entry = table("t", ["first", "second", "n:integer"], rows, primaryKey=["first", "second"], missingValues=["NA"])
    client = served(tmp_path, entry)
    assert len(walk(client)["t"]) == len(rows)
    assert answer(client, "/v1/datasets/t/records/a%2Cb,b%2Cc")["data"]["n"] == 0
    assert problem(client, "/v1/datasets/t/records/a,b,b,c")["status"] == 404
    assert problem(client, "/v1/datasets/t/records/a")["status"] == 404


def test_the_commas_between_the_parts_of_a_key_may_be_escaped(tmp_path: Path) -> None:
    """Most HTTP clients escape every comma of a part of a path."""
    rows = [["a", "b", "x", "1"], ["a,b", "c", "x", "2"], ["é", "%2C", "x/y", "3"]]
    names = ["first", "second", "third"]
    keyed = table("t", [*names, "n:integer"], rows, primaryKey=names)
    client = served(tmp_path, keyed, table("points", ["at:geopoint"], [["1,2"]]))
    found = {"a%2Cb%2Cx": 1, "a%2cb,x": 1, "a%2Cb,c,x": 2, "%C3%A9,%252C,x%2Fy": 3, "%C3%A9%2C%252C%2Cx%2Fy": 3}
    for key, number in found.items():
        body = answer(client, f"/v1/datasets/t/records/{key}")
        assert body["data"]["n"] == number, key
        assert answer(client, body["links"]["self"])["data"] == body["data"]
    for key in ("a%2Cb%2Cc%2Cx", "a%2Cb", "a,b"):
        assert problem(client, f"/v1/datasets/t/records/{key}")["status"] == 404
    assert answer(client, "/v1/datasets/points/records/1%2C2")["data"] == {"at": [1, 2]}


KEYED: dict[str, tuple[str, Sequence[str], Sequence[str]]] = {
    "numbers": ("number", ["1.5", "-2", "1e3", "0.1"], ["1.5", "-2", "1000", "0.1"]),
    "booleans": ("boolean", ["true", "false"], ["true", "false"]),
    "days": ("date", ["2004-02-29", "1999-12-31"], ["2004-02-29", "1999-12-31"]),
    "moments": ("datetime", ["2004-02-29T10:00:00Z"], ["2004-02-29T10:00:00Z"]),
    "huge": ("integer", ["123456789012345678901234567890", "5"], ["123456789012345678901234567890", "5"]),
    "points": ("geopoint", ["1,2", "1.5,2"], ["1,2", "1.5,2"]),
}


@pytest.mark.parametrize("name", KEYED)
def test_a_key_may_be_of_any_type(tmp_path: Path, name: str) -> None:
    kind, values, asked = KEYED[name]
    client = served(tmp_path, table("t", [f"key:{kind}", "v"], [[value, str(n)] for n, value in enumerate(values)]))
    for n, part in enumerate(asked):
        body = answer(client, f"/v1/datasets/t/records/{quote(part, safe='')}")
        assert body["data"]["v"] == str(n)
        assert answer(client, body["links"]["self"])["data"] == body["data"]
    hits = answer(client, "/v1/search?q=0*")["data"]
    assert hits
    for hit in hits:
        assert answer(client, hit["links"]["self"])["data"] == hit["record"]


def test_two_hundred_columns_are_served(tmp_path: Path) -> None:
    names = [f"column {n}:{('string', 'integer', 'number', 'date', 'boolean')[n % 5]}" for n in range(200)]
    cells = ("text", "5", "1.5", "2004-02-29", "true")
    rows = [["" if n % 7 == r else (f"{r}" if n == 0 else cells[n % 5]) for n in range(200)] for r in range(1, 6)]
    client = served(tmp_path, table("wide", names, rows))
    for n in (0, 1, 2, 39, 40, 41, 42, 43, 198, 199):
        name = quote(f"column {n}")
        assert len(all_rows(client, rows_path("wide", f"sort=-{name}&limit=2"))) == 5
        assert answer(client, rows_path("wide", f"{name}__isnull=false"))["meta"]["total"] >= 4
    assert len(all_rows(client, rows_path("wide"))[0]) == 200
    wide = openpyxl.load_workbook(io.BytesIO(client.get(rows_path("wide", "limit=2", ".xlsx")).data))["wide"]
    assert (wide.max_row, wide.max_column) == (3, 200)


def test_an_empty_table_is_served(tmp_path: Path) -> None:
    client = served(tmp_path, table("empty", ["id", "v:number"], []), table("keyless", ["a"], [], primaryKey=[]))
    assert walk(client) == {"empty": [], "keyless": []}
    assert answer(client, "/v1/search?q=a")["data"] == []


def test_conflicts_have_keys_of_any_type_and_a_position_without_its_conflict_is_left_out(tmp_path: Path) -> None:
    positions = [["1", "t", "a"], ["7", "t", "a"], ["", "t", "a"]]
    client = served(
        tmp_path,
        table("t", ["id"], [["a"], ["b"]]),
        table("conflicts", ["id:integer", "why"], [["1", "two sources"]]),
        table("conflict_positions", ["conflict:integer", "dataset", "record"], positions, primaryKey=[]),
    )
    conflict = {"id": 1, "why": "two sources"}
    assert answer(client, rows_path("t"))["included"] == {"conflicts": [conflict]}
    assert answer(client, "/v1/datasets/t/records/a")["links"]["conflicts"] == "/v1/conflicts?id__in=1"
    position = {"conflict": 1, "dataset": "t", "record": "a", "figure": {"id": "a"}}
    assert answer(client, "/v1/conflicts")["data"] == [{**conflict, "positions": [position]}]


def test_a_table_of_one_column_and_empty_texts_is_served(tmp_path: Path) -> None:
    client = served(tmp_path, table("t", ["only"], [["a"], [""], ["b"]], primaryKey=[], missingValues=["NA"]))
    assert walk(client) == {"t": [{"only": "a"}, {"only": ""}, {"only": "b"}]}


# What is served of values that the standard allows and other programs do not know


def test_numbers_that_json_does_not_have_are_null_there_and_kept_elsewhere(tmp_path: Path) -> None:
    cells = ["1", "NaN", "INF", "-INF", "nan", "inf", "2.5", ""]
    client = served(tmp_path, table("t", ["id:integer", "v:number"], [[n, cell] for n, cell in enumerate(cells)]))
    rows = all_rows(client, rows_path("t"))
    assert [row["v"] for row in rows] == [1, None, None, None, None, None, 2.5, None]
    measures = parameter("measure", *(f"{name}:v" for name in ("sum", "avg", "min", "max", "median")))
    [group] = answer(client, f"/v1/datasets/t/aggregate?{measures}")["data"]
    assert list(group.values()) == [3.5, 1.75, 1, 2.5, 1.75]
    text = client.get(rows_path("t", "", ".csv")).data.decode()
    assert [line.partition(",")[2] for line in text.splitlines()[1:]] == cells
    column = pq.read_table(io.BytesIO(client.get(rows_path("t", "", ".parquet")).data)).column("v").to_pylist()
    assert str(column) == "[1.0, nan, inf, -inf, nan, inf, 2.5, None]"
    book = openpyxl.load_workbook(io.BytesIO(client.get(rows_path("t", "", ".xlsx")).data))
    assert [row[1] for row in book["t"].iter_rows(min_row=2, values_only=True)][1:4] == ["NaN", "Infinity", "-Infinity"]


ENDLESS = ["-INF", "-1e300", "1", "2.5", "INF", "inf", "NaN", "nan", ""]  # in order
FOUND = {
    **{"v=NaN": [6, 7], "v=nan": [6, 7], "v=INF": [4, 5], "v=-inf": [0], "v__in=NaN,1": [2, 6, 7], "v__in=-INF": [0]},
    **{"v__not_in=NaN,INF": [0, 1, 2, 3], "v__ne=NaN": [0, 1, 2, 3, 4, 5], "v__ne=1": [0, 1, 3, 4, 5, 6, 7]},
    **{"v__lt=NaN": [0, 1, 2, 3, 4, 5], "v__lte=NaN": [0, 1, 2, 3, 4, 5, 6, 7], "v__gt=NaN": [], "v__gte=NaN": [6, 7]},
    **{
        "v__lt=INF": [0, 1, 2, 3],
        "v__gt=-INF": [1, 2, 3, 4, 5, 6, 7],
        "v__gte=2.5": [3, 4, 5, 6, 7],
        "v__lt=1": [0, 1],
    },
    **{"v__lte=-INF": [0], "v__lt=-INF": [], "v__between=-INF,1": [0, 1, 2], "v__between=INF,NaN": [4, 5, 6, 7]},
    **{"v__isnull=true": [8], "v__isnull=false": [0, 1, 2, 3, 4, 5, 6, 7], "or=v=NaN&or=v=1": [2, 6, 7]},
}
FINITE = {  # of numbers that have none of them: 0 and 1
    **{"v=NaN": [], "v=-INF": [], "v__in=NaN,-INF": [], "v__ne=NaN": [0, 1], "v__not_in=INF": [0, 1]},
    **{"v__lt=NaN": [0, 1], "v__lte=INF": [0, 1], "v__gt=INF": [], "v__gt=-INF": [0, 1], "v__lt=-INF": []},
    **{"v__between=-INF,INF": [0, 1], "v__between=NaN,NaN": []},
}


def asked_for(client: FlaskClient, query: str) -> list[int]:
    return [row["id"] for row in answer(client, rows_path("t", query))["data"]]


@pytest.mark.parametrize("few", [True, False], ids=["sqlite", "duckdb"])
def test_nan_and_infinity_are_found_and_have_their_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few: bool
) -> None:
    monkeypatch.setattr(find, "FEW", find.FEW if few else -1)
    rows = [[n, cell] for n, cell in enumerate(ENDLESS)]
    client = served(tmp_path, table("t", ["id:integer", "v:number"], rows))
    assert {query: asked_for(client, query) for query in FOUND} == FOUND
    assert asked_for(client, "sort=v") == [*range(9)]
    assert asked_for(client, "sort=-v") == [6, 7, 4, 5, 3, 2, 1, 0, 8]
    paged = [row["id"] for row in all_rows(client, rows_path("t", "sort=-v&limit=2"))]
    assert paged == [6, 7, 4, 5, 3, 2, 1, 0, 8]
    groups = answer(client, "/v1/datasets/t/aggregate?group_by=v&measure=count,count_distinct:v")["data"]
    assert [(group["v"], group["count"], group["count_distinct:v"]) for group in groups] == [
        *((pytest.approx(-1e300), 1, 1), (1, 1, 1), (2.5, 1, 1), (None, 6, 0))
    ]
    assert answer(client, "/v1/datasets/t")["data"]["profile"][1]["max"] == 2.5
    for values in (["1", "2"], ["1.5", "-2.5"], ["1", "9" * 30]):
        of = tmp_path / values[1]
        client = served(of, table("t", ["id:integer", "v:number"], [[n, cell] for n, cell in enumerate(values)]))
        assert {query: asked_for(client, query) for query in FINITE} == FINITE


def test_moments_keep_their_digits_and_leap_seconds_in_keys_and_sort(tmp_path: Path) -> None:
    keys = [
        *("2016-12-31T23:59:59.123456781Z", "2016-12-31T23:59:59.123456789Z", "2016-12-31T23:59:59Z"),
        *(
            "2017-01-01T00:59:60+01:00",
            "2016-12-31T24:00:00Z",
            "2017-01-01T00:00:00.0000001Z",
            "2016-12-31T23:59:60.5Z",
        ),
    ]
    rows = [[moment, moment[11:19].replace("00:59:60", "23:59:60"), str(n)] for n, moment in enumerate(keys)]
    client = served(tmp_path, table("t", ["k:datetime", "clock:time", "n"], rows))
    [found] = walk(client).values()
    assert [(row["k"], row["n"]) for row in found] == [
        ("2016-12-31T23:59:59Z", "2"),
        ("2016-12-31T23:59:59.123456781Z", "0"),
        ("2016-12-31T23:59:59.123456789Z", "1"),
        ("2016-12-31T23:59:60Z", "3"),
        ("2016-12-31T23:59:60.500000Z", "6"),
        ("2017-01-01T00:00:00Z", "4"),
        ("2017-01-01T00:00:00.0000001Z", "5"),
    ]
    assert [row["clock"] for row in found] == [
        *("23:59:59", "23:59:59", "23:59:59", "23:59:60", "23:59:60", "00:00:00", "00:00:00")
    ]
    column = pq.read_table(io.BytesIO(client.get(rows_path("t", "", ".parquet")).data)).column("k").to_pylist()
    assert sorted(column) == sorted(row["k"] for row in found)


def test_years_and_months_before_our_era_are_served_in_order(tmp_path: Path) -> None:
    rows = [
        ["2007-03", "12000"],
        ["-0044-03", "-0044"],
        ["-0045-12", "-0100"],
        ["-0044-10", "0001"],
        ["12000-01", "207"],
    ]
    rows[-1][1] = "2007"
    client = served(tmp_path, table("t", ["m:yearmonth", "y:year"], rows))
    [found] = walk(client).values()
    assert [row["m"] for row in found] == ["-0045-12", "-0044-03", "-0044-10", "2007-03", "12000-01"]
    sort = [row["y"] for row in answer(client, rows_path("t", "sort=y&fields=y"))["data"]]
    assert sort == [-100, -44, 1, 2007, 12000]
    assert [row["m"] for row in answer(client, rows_path("t", "m__lt=-0044-04"))["data"]] == ["-0045-12", "-0044-03"]
    groups = answer(client, "/v1/datasets/t/aggregate?group_by=m__year&measure=count,max:m")["data"]
    assert [(group["m__year"], group["count"], group["max:m"]) for group in groups] == [
        *((-45, 1, "-0045-12"), (-44, 2, "-0044-10"), (2007, 1, "2007-03"), (12000, 1, "12000-01"))
    ]


def test_a_time_zone_of_a_year_or_month_is_kept_in_the_csv_and_told(tmp_path: Path) -> None:
    rows = [["2007-03Z", "2007+14:00"], ["2007-04-05:30", "-0044Z"], ["2007-05", "2008"]]
    made = table("t", ["m:yearmonth", "y:year"], rows)
    client = served(tmp_path, made)
    assert walk(client) == {"t": [{"m": "2007-03", "y": 2007}, {"m": "2007-04", "y": -44}, {"m": "2007-05", "y": 2008}]}
    assert client.get("/releases/1.0.0/data/t.csv").data.decode().splitlines()[1:] == [",".join(row) for row in rows]
    told = "2 values are written with a time zone, which is in the CSV and no part of the value"
    assert validate(tmp_path / "package").text().splitlines()[:-1] == [
        f'warning: data/t.csv field "{name}": in the table "t" {told}' for name in ("m", "y")
    ]
    assert problem(client, rows_path("t", "y=2007Z"))["status"] == 400


def test_numbers_with_separators_and_words_around_them_are_served_as_numbers(tmp_path: Path) -> None:
    fields = [
        {"name": "n", "type": "integer", "groupChar": ","},
        {"name": "price", "type": "number", "bareNumber": False, "groupChar": ".", "decimalChar": ","},
        {"name": "share", "type": "integer", "bareNumber": False},
    ]
    rows = [["1,000", "€ 1.000,50", "95%"], ["2", "-€5", "5 of them"]]
    client = served(tmp_path, {"name": "t", "schema": {"fields": fields}, "rows": rows})
    assert walk(client) == {"t": [{"n": 1000, "price": 1000.5, "share": 95}, {"n": 2, "price": -5, "share": 5}]}


def test_a_field_of_a_type_nobody_knows_is_served_as_text(tmp_path: Path) -> None:
    client = served(tmp_path, table("t", ["id:integer", "v:float"], [["1", "1.5"]]))
    assert walk(client) == {"t": [{"id": 1, "v": "1.5"}]}


@pytest.mark.parametrize("pattern", ["[a-z-[aeiou]]+", "\\i\\c*", "\\p{Ll}+", "(?<x>x)yz"])
def test_a_pattern_that_others_read_otherwise_is_described_as_one_of_our_own(tmp_path: Path, pattern: str) -> None:
    made = table("t", ["id", "v"], [["1", "xyz"]])
    made["schema"]["fields"][1]["constraints"] = {"pattern": pattern}
    client = served(tmp_path, made)
    assert walk(client) == {"t": [{"id": "1", "v": "xyz"}]}
    assert f'"x-pattern":{json.dumps(f"^(?:{pattern})$")}' in client.get("/openapi.json").text.replace(": ", ":")


def test_very_large_numbers_keep_every_digit(tmp_path: Path) -> None:
    numbers = ["1" + "0" * 50, "-" + "9" * 40, "0." + "1" * 40, "9223372036854775808", "1e400", "1e-400"]
    client = served(tmp_path, table("t", ["id", "v:number"], [[str(n), number] for n, number in enumerate(numbers)]))
    raw = client.get(rows_path("t")).data.decode()
    shown = re.findall(r'"v":([^}]*)}', raw)
    from decimal import Decimal

    assert [Decimal(number) for number in shown] == [Decimal(number) for number in numbers]
    for number in numbers:
        assert answer(client, rows_path("t", f"v={quote(number)}"))["meta"]["total"] == 1


def test_numbers_beyond_a_double_are_told_apart_however_few_digits_they_have(tmp_path: Path) -> None:
    numbers = ["1e400", "2e400", "1e-400", "2e-400"]
    client = served(tmp_path, table("t", ["id", "v:number"], [[str(n), number] for n, number in enumerate(numbers)]))
    for number in numbers:
        assert answer(client, rows_path("t", f"v={number}"))["meta"]["total"] == 1


def test_missing_value_codes_are_null_and_others_are_not(tmp_path: Path) -> None:
    entry = table(
        "t",
        ["id", "v:number", "w"],
        [["1", "-99", "n/a"], ["2", "", "-"], ["3", "5", "N/A"]],
        missingValues=["-99", "n/a", "", "-"],
    )
    client = served(tmp_path, entry)
    assert walk(client)["t"] == [
        {"id": "1", "v": None, "w": None},
        {"id": "2", "v": None, "w": None},
        {"id": "3", "v": 5, "w": "N/A"},
    ]


# Descriptors and files


ROWS = [{"id": 1, "name": "naïve, a"}, {"id": 2, "name": None}]
FIELDS = [{"name": "id", "type": "integer"}, {"name": "name", "type": "string"}]
CSV = 'id,name\n1,"naïve, a"\n2,\n'


def package(
    folder: Path, resource: dict[str, Any], files: dict[str, bytes], name: str = "datapackage.json", **words: Any
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    descriptor = {"name": "p", "version": "1.0.0", "resources": [{"name": "t", **resource}], **words}
    dump: Callable[[Any], str] = json.dumps if name.endswith("json") else yaml.safe_dump
    (folder / name).write_text(dump(descriptor), encoding="utf-8")
    return folder


def zipped(name: str, data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, data)
    return out.getvalue()


SCHEMA = {"fields": FIELDS, "primaryKey": "id"}
TEXT = CSV.encode()
OBJECTS = '[{"id": 1, "name": "naïve, a"}, {"name": null, "id": 2}]'
FORMS: dict[str, tuple[dict[str, Any], dict[str, bytes], str]] = {
    "v2": ({"type": "table", "path": "t.csv", "schema": SCHEMA}, {"t.csv": TEXT}, "datapackage.json"),
    "v1": (
        {"profile": "tabular-data-resource", "path": ["t.csv"], "schema": SCHEMA},
        {"t.csv": TEXT},
        "datapackage.json",
    ),
    "yaml": ({"path": "t.csv", "schema": SCHEMA}, {"t.csv": TEXT}, "datapackage.yaml"),
    "inline objects": ({"data": [{"id": 1, "name": "naïve, a"}, {"id": 2}], "schema": SCHEMA}, {}, "datapackage.json"),
    "inline arrays": ({"data": [["id", "name"], [1, "naïve, a"], [2, None]], "schema": SCHEMA}, {}, "datapackage.yaml"),
    "schema in a file": (
        {"path": "t.csv", "schema": "s.json"},
        {"t.csv": TEXT, "s.json": json.dumps(SCHEMA).encode()},
        "datapackage.json",
    ),
    "gzip": ({"path": "t.csv.gz", "schema": SCHEMA}, {"t.csv.gz": gzip.compress(TEXT)}, "datapackage.json"),
    "gzip unnamed": (
        {"path": "t.csv", "compression": "gz", "schema": SCHEMA},
        {"t.csv": gzip.compress(TEXT)},
        "datapackage.json",
    ),
    "bzip2": ({"path": "t.csv.bz2", "schema": SCHEMA}, {"t.csv.bz2": bz2.compress(TEXT)}, "datapackage.json"),
    "xz": ({"path": "t.csv.xz", "schema": SCHEMA}, {"t.csv.xz": lzma.compress(TEXT)}, "datapackage.json"),
    "zip": ({"path": "t.csv.zip", "schema": SCHEMA}, {"t.csv.zip": zipped("t.csv", TEXT)}, "datapackage.json"),
    "parts": (
        {"path": ["a.csv", "b.csv"], "schema": SCHEMA},
        {"a.csv": TEXT[: TEXT.index(b"2,")], "b.csv": b"2,\n"},
        "datapackage.json",
    ),
    "parts with headers": (
        {"path": ["a.csv", "b.csv"], "schema": SCHEMA},
        {"a.csv": TEXT[: TEXT.index(b"2,")], "b.csv": b"id,name\n2,\n"},
        "datapackage.json",
    ),
    "packed parts": (
        {"path": ["a.csv.gz", "b.csv.gz"], "schema": SCHEMA},
        {"a.csv.gz": gzip.compress(TEXT[: TEXT.index(b"2,")]), "b.csv.gz": gzip.compress(b"2,\n")},
        "datapackage.json",
    ),
    "semicolons": (
        {"path": "t.csv", "schema": SCHEMA, "dialect": {"delimiter": ";"}},
        {"t.csv": "id;name\n1;naïve, a\n2;\n".encode()},
        "datapackage.json",
    ),
    "tabs": (
        {"path": "t.tsv", "schema": SCHEMA},
        {"t.tsv": "id\tname\n1\tnaïve, a\n2\t\n".encode()},
        "datapackage.json",
    ),
    "quotes": (
        {"path": "t.csv", "schema": SCHEMA, "dialect": {"quoteChar": "'"}},
        {"t.csv": "id,name\n1,'naïve, a'\n2,\n".encode()},
        "datapackage.json",
    ),
    "no header": (
        {"path": "t.csv", "schema": SCHEMA, "dialect": {"header": False}},
        {"t.csv": TEXT[8:]},
        "datapackage.json",
    ),
    "comments": (
        {"path": "t.csv", "schema": SCHEMA, "dialect": {"commentChar": "#"}},
        {"t.csv": b"# made by hand\n" + TEXT},
        "datapackage.json",
    ),
    "latin-1": (
        {"path": "t.csv", "schema": SCHEMA, "encoding": "iso-8859-1"},
        {"t.csv": CSV.encode("latin-1")},
        "datapackage.json",
    ),
    "utf-16": (
        {"path": "t.csv", "schema": SCHEMA, "encoding": "utf-16"},
        {"t.csv": CSV.encode("utf-16")},
        "datapackage.json",
    ),
    "windows": (
        {"path": "t.csv", "schema": SCHEMA, "encoding": "cp1252"},
        {"t.csv": CSV.replace("\n", "\r\n").encode("cp1252")},
        "datapackage.json",
    ),
    "byte order mark": ({"path": "t.csv", "schema": SCHEMA}, {"t.csv": b"\xef\xbb\xbf" + TEXT}, "datapackage.json"),
    "columns in another order": (
        {"path": "t.csv", "schema": {**SCHEMA, "fieldsMatch": ["equal"]}},
        {"t.csv": 'name,id\n"naïve, a",1\n,2\n'.encode()},
        "datapackage.json",
    ),
    "no schema": ({"path": "t.csv"}, {"t.csv": TEXT}, "datapackage.json"),
    "json": ({"path": "t.json", "schema": SCHEMA}, {"t.json": OBJECTS.encode()}, "datapackage.json"),
    "json of lists": (
        {"path": "t.json", "schema": SCHEMA},
        {"t.json": '[["id", "name"], [1, "naïve, a"], [2, null]]'.encode()},
        "datapackage.json",
    ),
    "json in a property": (
        {"path": "t.json", "schema": SCHEMA, "dialect": {"property": "rows"}},
        {"t.json": f'{{"about": {{}}, "rows": {OBJECTS}}}'.encode()},
        "datapackage.yaml",
    ),
    "packed json": (
        {"path": "t.json.gz", "schema": SCHEMA},
        {"t.json.gz": gzip.compress(OBJECTS.encode())},
        "datapackage.json",
    ),
    "json lines": (
        {"path": "t.jsonl", "schema": SCHEMA},
        {"t.jsonl": '{"id": 1, "name": "naïve, a"}\n{"id": 2}\n'.encode()},
        "datapackage.json",
    ),
    "json lines in parts": (
        {"path": ["a.ndjson", "b.ndjson"], "schema": SCHEMA},
        {"a.ndjson": '{"id": 1, "name": "naïve, a"}\n'.encode(), "b.ndjson": b'{"id": 2}\n'},
        "datapackage.json",
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_one_table_in_any_form_is_the_same_table(tmp_path: Path, form: str) -> None:
    resource, files, name = FORMS[form]
    words = (
        {"$schema": "https://datapackage.org/profiles/2.0/datapackage.json"}
        if form == "v2" or "columns" in form
        else {}
    )
    client = client_of(package(tmp_path / "package", resource, files, name, **words), tmp_path / "store")
    assert walk(client) == {"t": ROWS}
    assert client.get("/releases/1.0.0/data/t.csv").data.decode().replace("\r\n", "\n") == CSV


@pytest.mark.parametrize("schema", [None, {"fields": [{"name": "id", "type": "integer"}, {"name": "name"}]}])
def test_objects_may_leave_members_out_from_the_first_on(tmp_path: Path, schema: Any) -> None:
    resource = {"type": "table", "path": "t.json", **({"schema": schema} if schema else {})}
    files = {"t.json": b'[{"id": 1}, {"name": "a", "id": 2}]'}
    client = client_of(package(tmp_path / "package", resource, files), tmp_path / "store")
    assert walk(client) == {"t": [{"id": 1, "name": None}, {"id": 2, "name": "a"}]}


@pytest.mark.parametrize("path, text", [("t.json", b"[]"), ("t.jsonl", b"")])
def test_a_table_of_no_objects_is_served_empty(tmp_path: Path, path: str, text: bytes) -> None:
    source = package(tmp_path / "package", {"path": path, "schema": SCHEMA}, {path: text})
    client = client_of(source, tmp_path / "store")
    assert walk(client) == {"t": []}
    assert client.get("/releases/1.0.0/data/t.csv").data == b"id,name\n"


def test_values_of_json_keep_their_digits_and_shapes(tmp_path: Path) -> None:
    fields = ["n:number", "i:integer", "b:boolean", "a:array", "o:object", "l:list", "p:geopoint", "s"]
    schema = {"fields": [dict(zip(("name", "type"), (*f.split(":"), "string"), strict=False)) for f in fields]}
    row = '{"n": 1.50, "i": 12345678901234567890, "b": true, "a": [1, {"x": 0.1}], "o": {"y": null}, '
    row += '"l": ["a", "b"], "p": [1.5, 2], "s": "01"}'
    resource = {"path": "t.json", "schema": schema}
    client = client_of(package(tmp_path / "package", resource, {"t.json": f"[{row}]".encode()}), tmp_path / "store")
    found = {"n": 1.5, "i": 12345678901234567890, "b": True, "a": [1, {"x": 0.1}], "o": {"y": None}}
    assert walk(client) == {"t": [{**found, "l": ["a", "b"], "p": [1.5, 2], "s": "01"}]}
    assert client.get("/releases/1.0.0/data/t.csv").data.startswith(b"n,i,b,a,o,l,p,s\n1.50,12345678901234567890,true,")


def test_a_package_in_a_zip_is_served(tmp_path: Path) -> None:
    folder = package(tmp_path / "package", *FORMS["v2"][:2])
    archive = shutil.make_archive(str(tmp_path / "whole"), "zip", folder)
    assert walk(client_of(Path(archive), tmp_path / "store")) == {"t": ROWS}


def test_an_archive_may_name_its_own_folder_and_a_file_only_once(tmp_path: Path) -> None:
    folder = package(tmp_path / "package", *FORMS["v2"][:2])
    for name, more in (("own", {"./": ""}), ("twice", {"./t.csv": "id,name\n9,z\n"})):
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as archive:
            for path in folder.iterdir():
                archive.write(path, path.name)
            for path, content in more.items():
                archive.writestr(path, content)
    assert walk(client_of(tmp_path / "own.zip", tmp_path / "store")) == {"t": ROWS}
    assert 'the entry "./t.csv" is there twice' in validate(tmp_path / "twice.zip").text()


def test_what_is_no_table_is_offered_as_a_file(tmp_path: Path) -> None:
    picture = {"name": "picture", "path": "map.png", "mediatype": "image/png"}
    folder = package(tmp_path / "package", *FORMS["v2"][:2])
    (folder / "map.png").write_bytes(b"\x89PNG not really")
    descriptor = json.loads((folder / "datapackage.json").read_text())
    descriptor["resources"].append(picture)
    (folder / "datapackage.json").write_text(json.dumps(descriptor))
    client = client_of(folder, tmp_path / "store")
    assert walk(client) == {"t": ROWS}
    files = {entry["path"]: entry["href"] for entry in answer(client, "/v1/releases/1.0.0")["data"]["files"]}
    assert client.get(files["map.png"]).data == b"\x89PNG not really"
    assert problem(client, rows_path("picture"))["status"] == 404


REFUSED: dict[str, tuple[dict[str, Any], dict[str, bytes], str]] = {
    "no file": ({"path": "t.csv", "schema": SCHEMA}, {}, 'the file "t.csv" does not exist'),
    "outside": ({"path": "../t.csv", "schema": SCHEMA}, {}, "leads out of the package"),
    "absolute": ({"path": "/etc/passwd", "schema": SCHEMA}, {}, "leads out of the package"),
    "wrong type": ({"path": "t.csv", "schema": SCHEMA}, {"t.csv": b"id,name\nx,y\n"}, '"x" is not a whole number'),
    "wrong encoding": (
        {"path": "t.csv", "schema": SCHEMA},
        {"t.csv": CSV.encode("latin-1")},
        "the file is not in utf-8",
    ),
    "torn gzip": (
        {"path": "t.csv.gz", "schema": SCHEMA},
        {"t.csv.gz": gzip.compress(TEXT)[:-9]},
        "the table cannot be read",
    ),
    "twice the key": (
        {"path": "t.csv", "schema": SCHEMA},
        {"t.csv": b"id,name\n1,a\n1,b\n"},
        'the key "1" duplicates an earlier row',
    ),
    "ragged": ({"path": "t.csv", "schema": SCHEMA}, {"t.csv": b"id,name\n1\n"}, "the row has 1 cell, the header has 2"),
    "two fields of one name": (
        {"path": "t.csv", "schema": {"fields": [FIELDS[0], FIELDS[0]]}},
        {"t.csv": b"id,id\n1,1\n"},
        '2 fields have the name "id"',
    ),
    "a name that leads out": ({"path": "t.csv", "schema": SCHEMA}, {"t.csv": TEXT}, "cannot name a release"),
    "a key of lists": (
        {"path": "t.csv", "schema": {"fields": [{"name": "v", "type": "array"}], "primaryKey": "v"}},
        {"t.csv": b'v\n"[1]"\n'},
        'the field "v" of type array cannot be a key',
    ),
    "json of numbers": ({"path": "t.json", "schema": SCHEMA}, {"t.json": b"[1, 2]"}, "row 1 is not an object"),
    "torn json": ({"path": "t.json", "schema": SCHEMA}, {"t.json": b'[{"id": 1}, {"i'}, "the table cannot be read"),
    "torn json lines": ({"path": "t.jsonl", "schema": SCHEMA}, {"t.jsonl": b'{"id": 1}\n{"i'}, "cannot be read"),
    "a member that is no field": (
        {"path": "t.json", "schema": SCHEMA},
        {"t.json": b'[{"id": 1}, {"id": 2, "nmae": "a"}]'},
        't.json row 2 field "nmae": the member "nmae" is not a field of the schema (expected: one of id, name)',
    ),
}


def test_a_column_may_have_any_name_also_that_of_nothing(tmp_path: Path) -> None:
    found = walk(served(tmp_path, table("t", ["id", "None"], [["a", "x"]])))
    assert found == {"t": [{"id": "a", "None": "x"}]}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_served_is_refused_with_the_reason_and_nothing_is_left(tmp_path: Path, case: str) -> None:
    resource, files, reason = REFUSED[case]
    words = {"version": "../../1.0.0"} if case == "a name that leads out" else {}
    if case == "two fields of one name":  # which the first generation allowed
        words["$schema"] = "https://datapackage.org/profiles/2.0/datapackage.json"
    source = package(tmp_path / "package", resource, files, **words)
    with pytest.raises((BuildError, PackageError)) as caught:
        build(source, tmp_path / "store")
    assert reason in str(caught.value)
    assert [path for path in (tmp_path / "store").rglob("*") if path.is_file() and path.name != ".lock"] == []


# Found in the wild


def as_found(folder: Path, name: str, descriptor: str = "") -> Path:
    """A copy of a package, or of a descriptor whose files the test writes."""
    target = folder / "package"
    if not descriptor:
        shutil.copytree(WILD / name, target)
    else:
        target.mkdir()
        shutil.copy(WILD / name / descriptor, target / "datapackage.json")
    return target


def with_version(source: Path) -> Path:
    """Packages in the wild seldom have a version, which a release needs."""
    path = source / "datapackage.json"
    path.write_text(json.dumps({"version": "1.0.0", **json.loads(path.read_text())}))
    return source


def test_vega_datasets_are_served(tmp_path: Path) -> None:
    found = walk(client_of(as_found(tmp_path, "vega-datasets"), tmp_path / "store"))
    assert {name: len(rows) for name, rows in found.items()} == {
        "barley": 120,
        "global_temp": 144,
        "iowa_electricity": 51,
        "lookup_groups": 9,
        "lookup_people": 9,
        "population_engineers_hurricanes": 52,
    }
    assert found["barley"][0] == {"yield": 27, "variety": "Manchuria", "year": 1931, "site": "University Farm"}
    assert found["iowa_electricity"][0] == {"year": "2001-01-01", "source": "Fossil Fuels", "net_generation": 35361}


def test_the_package_of_the_pandas_reader_is_served(tmp_path: Path) -> None:
    found = walk(client_of(with_version(as_found(tmp_path, "pandas-datapackage-reader")), tmp_path / "store"))
    assert found["data-8859-1"] == [{"id": 1, "character": "à"}, {"id": 2, "character": "â"}]
    assert found["europeandata"] == [{"id": n, "value": n} for n in (1, 2, 3)]
    assert found["datawiththousands"] == [{"id": n, "value": n * 1000} for n in (1, 2, 3)]
    assert found["datawithmixedtypes"][1] == {"id": 2, "zipcode": "09876"}
    assert found["datetimes"] == [
        {
            **{"year": 2017, "yearmonth": "2017-01", "datetime": "2017-01-01T01:23:45Z"},
            **{"date": "2017-01-01", "time": "01:23:45", "dayfirstdate": "2017-12-13"},
        }
    ]


def test_the_energy_system_of_oemof_is_served(tmp_path: Path) -> None:
    client = client_of(with_version(as_found(tmp_path, "oemof-tabular")), tmp_path / "store")
    found = walk(client)
    assert found["bus"] == [{"name": "bus0", "type": "bus", "balanced": True}]
    expanded = answer(client, rows_path("component", "expand=bus&name=coal"))["data"]
    assert expanded[0]["bus"] == found["bus"][0]
    assert found["marginal_cost_profile"][2] == {"timeindex": "2011-01-01T02:00:00Z", "marginal-cost-coal": 30}


def test_the_packed_tables_of_datapackage_py_are_served(tmp_path: Path) -> None:
    source = with_version(as_found(tmp_path, "datapackage-py", "compression.json"))
    data = "id,name\n1,english\n2,中国人\n".encode()
    for name in ("explicit.csv.gz", "implicit-gz.csv"):
        (source / name).write_bytes(gzip.compress(data))
    for name in ("explicit.csv.zip", "implicit-zip.csv"):
        (source / name).write_bytes(zipped("inner.csv", data))
    found = walk(client_of(source, tmp_path / "store"))
    rows = [{"id": 1, "name": "english"}, {"id": 2, "name": "中国人"}]
    assert found == dict.fromkeys(("explicit-gz", "explicit-zip", "implicit-gz", "implicit-zip"), rows)


def test_the_groups_and_dialects_of_datapackage_py_are_served(tmp_path: Path) -> None:
    source = (
        with_version(as_found(tmp_path / "groups", "datapackage-py", "groups.json"))
        if (tmp_path / "groups").mkdir() is None
        else tmp_path
    )
    shutil.copy(WILD / "datapackage-py" / "cars.schema.json", source)
    for year in (2016, 2017):
        (source / f"cars-{year}.csv").write_text(f"name,value\nbmw,{year}\ntesla,{year + 1}\n")
    (source / "cars-2018.csv.zip").write_bytes(zipped("cars-2018.csv", b"name,value\nbmw,2018\ntesla,2019\n"))
    found = walk(client_of(source, tmp_path / "groups" / "store"))
    assert found == {
        f"cars-{y}": [{"name": "bmw", "value": y}, {"name": "tesla", "value": y + 1}] for y in (2016, 2017, 2018)
    }
    (tmp_path / "dialect").mkdir()
    source = with_version(as_found(tmp_path / "dialect", "datapackage-py", "dialect.json"))
    (source / "data.csv").write_text('id,city\n1,|"London, UK"|\n')
    assert walk(client_of(source, tmp_path / "dialect" / "store")) == {"data": [{"id": 1, "city": '"London, UK"'}]}


GOODTABLES: dict[str, tuple[dict[str, bytes], dict[str, list[dict[str, Any]]]]] = {
    "geopoint.json": (
        {"data/geopoint-object.csv": b'Office,Location\nTokyo,"{""lon"": 139.7, ""lat"": 35.7}"\n'},
        {"office-locations": [{"Office": "Tokyo", "Location": [139.7, 35.7]}]},
    ),
    "multipart.json": (
        {"data.part1.csv": b"id,name\n", "data.part2.csv": b"1,english\n", "data.part3.csv": "2,中国人".encode()},
        {"data": [{"id": 1, "name": "english"}, {"id": 2, "name": "中国人"}]},
    ),
    "valid.json": (
        {
            "data.csv": b"id,name,description,amount\nA3001,Taxes,Taxes we collect,10000.5\n",
            "data2.csv": b"parent,comment\nA3001,comment1\n",
        },
        {
            "data": [{"id": "A3001", "name": "Taxes", "description": "Taxes we collect", "amount": 10000.5}],
            "data2": [{"parent": "A3001", "comment": "comment1"}],
        },
    ),
    "numbers.json": (
        {"number-test.csv": b"number,required,unique,minimum,maximum,enum\n1,2,3,-99.99,1000,4E4\n,0.5,4,0,-1,0.95\n"},
        {
            "number-test": [
                {"number": 1, "required": 2, "unique": 3, "minimum": -99.99, "maximum": 1000, "enum": 40000},
                {"number": None, "required": 0.5, "unique": 4, "minimum": 0, "maximum": -1, "enum": 0.95},
            ]
        },
    ),
}


@pytest.mark.parametrize("descriptor", GOODTABLES)
def test_the_packages_of_goodtables_are_served(tmp_path: Path, descriptor: str) -> None:
    files, rows = GOODTABLES[descriptor]
    source = with_version(as_found(tmp_path, "goodtables-py", descriptor))
    for path, data in files.items():
        (source / path).parent.mkdir(exist_ok=True)
        (source / path).write_bytes(data)
    assert walk(client_of(source, tmp_path / "store")) == rows


def test_the_climate_data_of_data_js_is_served(tmp_path: Path) -> None:
    found = walk(client_of(as_found(tmp_path, "co2-ppm"), tmp_path / "store"))
    files = {path.stem: path.read_text().splitlines() for path in (WILD / "co2-ppm" / "data").iterdir()}
    assert {name: len(rows) for name, rows in found.items()} == {name: len(lines) - 1 for name, lines in files.items()}
    assert found["co2-mm-mlo"][0] == {
        **{"Date": "1958-03-01", "Decimal Date": 1958.208, "Average": 315.71, "Interpolated": 315.71},
        **{"Trend": 314.62, "Number of Days": -1},
    }


def test_the_index_of_datahub_client_is_served(tmp_path: Path) -> None:
    client = client_of(as_found(tmp_path, "finance-vix"), tmp_path / "store")
    assert len(walk(client)["vix-daily"]) == 19
    row = {"Date": "2004-01-02", "VIXOpen": 17.96, "VIXHigh": 18.68, "VIXLow": 17.54, "VIXClose": 18.22}
    assert answer(client, rows_path("vix-daily", "VIXClose__gte=18.22&sort=Date&limit=1"))["data"] == [row]


ENGLISH = [{"id": 1, "name": "english"}, {"id": 2, "name": "中国人"}]
FRICTIONLESS: dict[str, dict[str, Any]] = {
    "ndjson.datapackage.json": {"table2": ENGLISH},
    "jsonl.datapackage.json": {"table": ENGLISH},
    "multipart-zipped.package.json": {"measurements": [{"id": 1, "name": "english"}, {"id": 2, "name": "中国人"}]},
    "compression/datapackage.json": dict.fromkeys(
        ("explicit-gz", "explicit-zip", "implicit-gz", "implicit-zip"), ENGLISH
    ),
    "issue-1293/datapackage.json": {"sample": [{"field": ["aaa", "bbb"]}, {"field": []}]},
    "geopoint/datapackage.json": {
        "office-locations": [
            {"Office": "Dalby", "Location": [151.266, -27.1944]},
            {"Office": "Kingaroy", "Location": [151.833333, -26.533333]},
            {"Office": "Toowoomba", "Location": [151.95, -27.566667]},
        ]
    },
    "country.package.yaml": {
        "capital": [
            {"id": n, "name": name} for n, name in enumerate(("London", "Berlin", "Paris", "Madrid", "Rome"), 1)
        ],
        "country": [
            {"id": 1, "capital_id": 1, "name": "Britain", "population": 67},
            {"id": 2, "capital_id": 3, "name": "France", "population": 67},
            {"id": 3, "capital_id": 2, "name": "Germany", "population": 83},
            {"id": 4, "capital_id": 5, "name": "Italy", "population": 60},
            {"id": 5, "capital_id": 4, "name": "Spain", "population": 47},
        ],
    },
}


@pytest.mark.parametrize("descriptor", FRICTIONLESS)
def test_the_packages_of_frictionless_are_served_as_they_are(tmp_path: Path, descriptor: str) -> None:
    shutil.copytree(WILD / "frictionless-py", tmp_path / "package")
    named = tmp_path / "package" / descriptor
    read, write = (yaml.safe_load, yaml.safe_dump) if named.suffix == ".yaml" else (json.loads, json.dumps)
    named.write_text(write({**read(named.read_text()), "version": "1.0.0"}))  # a release needs one
    assert walk(client_of(named, tmp_path / "store")) == FRICTIONLESS[descriptor]


@pytest.mark.parametrize("name", sorted(path.name for path in WILD.iterdir() if path.is_dir()))
def test_what_was_found_says_whence_it_is_and_under_which_licence(name: str) -> None:
    listed = (WILD / "README.md").read_text(encoding="utf-8")
    [licence] = re.findall(rf"^\| `{name}` \| [^|]+ \| ([^|]+) \| [^|]+ \|$", listed, re.M)
    brings_its_own = any((WILD / name).glob("LICENSE*"))
    assert brings_its_own != licence.startswith("BSD-3-Clause, each dataset as its source says")
