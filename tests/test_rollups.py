"""A table large enough to have rollups, and to be scanned by DuckDB, gives the same answers as plain Python over its
rows.
"""

import random
from collections.abc import Iterator
from decimal import Context, Decimal
from typing import Any
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient
from packages import table, write

from api.app import create_app
from api.index import sqlite
from api.index.layout import FEW
from api.release.build import build

ROWS = 6_000
NAMES = ("id", "kind", "year", "flag", "amount", "word", "near")
Row = dict[str, Any]


def made() -> list[Row]:
    """Rows out of the order of their key, with nulls in every field but the key and ties in every sort."""
    chance = random.Random(7)
    rows: list[Row] = []
    for number in range(ROWS):
        rows.append(
            {
                "id": f"r{number:05d}",
                "kind": chance.choice(["a", "b", "ñ", None]),
                "year": chance.choice([1999, 2000, 2001, None]),
                "flag": chance.choice([True, False]),
                "amount": chance.choice([None, *(n / 4 for n in range(60))]),
                "word": chance.choice([None, "x", "Y", "zebra, striped", "=1"]),
                "near": chance.choice([None, *range(4_000)]),
            }
        )
    chance.shuffle(rows)
    return rows


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return made()


@pytest.fixture(scope="module")
def client(rows: list[Row], tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    folder = tmp_path_factory.mktemp("large")
    cells = [
        ["" if row[n] is None else str(row[n]).lower() if row[n] in (True, False) else row[n] for n in NAMES]
        for row in rows
    ]
    fields = ["id", "kind", "year:year", "flag:boolean", "amount:number", "word", "near:integer"]
    build(write(folder / "package", table("things", fields, cells)), folder / "store")
    yield create_app(STORE=folder / "store", BASE_URL="", CACHE_MB=0).test_client()


def expected(rows: list[Row], filters: dict[str, Any], sort: str) -> list[Row]:
    """The rows under the filters by one field, ties by key, nulls last; by key without a sort."""
    found = sorted((r for r in rows if all(r[k] == v for k, v in filters.items())), key=lambda r: r["id"])
    name = sort.lstrip("-")
    if not name:
        return found
    values = sorted({r[name] for r in found if r[name] is not None}, reverse=sort.startswith("-"))
    return [r for value in [*values, None] for r in found if r[name] == value]


def pages(client: FlaskClient, question: dict[str, Any]) -> list[Row]:
    found: list[Row] = []
    following: str | None = "/v1/datasets/things/records?" + urlencode(question, safe=",")
    while following:
        body = client.get(following).get_json()
        found += body["data"]
        following = body["links"]["next"]
        assert body["meta"]["total"] >= len(found)
    return found


def asked(filters: dict[str, Any]) -> dict[str, Any]:
    return {k: str(v).lower() if isinstance(v, bool) else v for k, v in filters.items()}


FILTERS = [{"kind": "ñ", "year": 2000}, {"kind": "a", "flag": True}, {"year": 1999, "flag": False}, {"kind": "b"}, {}]
SORTS = ["", "amount", "-amount", "near", "-near", "word", "-word", "-id", "id", "-flag", "year", "-year"]


@pytest.mark.parametrize("filters", FILTERS, ids=str)
@pytest.mark.parametrize("sort", SORTS)
def test_the_pages_of_a_sorted_question_are_the_rows_in_order(
    client: FlaskClient, rows: list[Row], filters: dict[str, Any], sort: str
) -> None:
    question = asked(filters) | ({"sort": sort} if sort else {})
    wanted = expected(rows, filters, sort)
    assert pages(client, question | {"limit": 271}) == wanted != []
    if len(wanted) < 1_000:
        assert pages(client, question | {"limit": 9}) == wanted


@pytest.mark.parametrize("filters", [*FILTERS, {"kind": "zzz", "year": 2000}], ids=str)
def test_totals_facets_and_groups_from_rollups_are_exact(
    client: FlaskClient, rows: list[Row], filters: dict[str, Any]
) -> None:
    found = [r for r in rows if all(r[k] == v for k, v in filters.items())]
    question = "&".join(f"{k}={v}" for k, v in asked(filters).items())
    assert client.get(f"/v1/datasets/things/records?{question}").get_json()["meta"]["total"] == len(found)
    body = client.get(f"/v1/datasets/things/aggregate?{question}&measure=count,sum:amount,min:amount").get_json()
    amounts = [r["amount"] for r in found if r["amount"] is not None]
    whole = {
        "count": len(found),
        "sum:amount": sum(amounts) if amounts else None,
        "min:amount": min(amounts, default=None),
    }
    assert body["data"] == [whole]
    counts = client.get(f"/v1/datasets/things/facets?{question}&facet=flag").get_json()["data"]["flag"]
    assert {c["value"]: c["count"] for c in counts} == {
        value: n for value in (True, False) if (n := sum(r["flag"] is value for r in found))
    }


@pytest.mark.parametrize("filters", [*FILTERS, {"kind": "zzz"}], ids=str)
@pytest.mark.parametrize("groups", [("year",), ("kind",), ("flag",), ("kind", "year"), ("year", "flag")])
def test_groups_from_rollups_are_those_of_the_rows(
    client: FlaskClient, rows: list[Row], filters: dict[str, Any], groups: tuple[str, ...]
) -> None:
    measures = "count,sum:amount,avg:amount,min:amount,max:amount"
    question = asked(filters) | {"group_by": ",".join(groups), "measure": measures}
    body = client.get("/v1/datasets/things/aggregate?" + urlencode(question, safe=",:")).get_json()
    there: dict[tuple[Any, ...], list[Row]] = {}
    for row in (r for r in rows if all(r[k] == v for k, v in filters.items())):
        there.setdefault(tuple(row[name] for name in groups), []).append(row)
    expected = []
    for values in sorted(there, key=lambda values: [(value is None, value) for value in values]):
        amounts = [row["amount"] for row in there[values] if row["amount"] is not None]
        told = [
            sum(amounts),
            float(Context(prec=15).divide(Decimal(sum(amounts)), len(amounts))),
            min(amounts),
            max(amounts),
        ]
        expected.append(dict(zip((*groups, *measures.split(",")), (*values, len(there[values]), *told), strict=True)))
    assert body["data"] == expected


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@pytest.mark.parametrize(
    "question", ["flag=true", "kind=a&flag=true&sort=-amount", "kind__in=a,b", "word=x&sort=amount"]
)
def test_a_filtered_file_has_the_length_it_says_and_the_rows_of_the_pages(
    client: FlaskClient, kind: str, question: str
) -> None:
    response = client.get(f"/v1/datasets/things/records.{kind}?{question}")
    assert int(response.headers["Content-Length"]) == len(response.data)
    ids = [row["id"] for row in pages(client, dict(part.split("=") for part in question.split("&")) | {"limit": 1000})]
    lines = response.data.decode().splitlines()
    there = [line.split(",")[0] for line in lines[1:]] if kind == "csv" else [line.split('"')[3] for line in lines]
    assert there == ids


def test_the_table_is_large_enough_to_have_rollups_and_to_be_scanned(client: FlaskClient) -> None:
    (index,) = client.application.config["STORE"].glob("index/*/1.0.0-*")
    layout = sqlite.layouts(index)["things"]
    assert layout.rollups and layout.rows > FEW
