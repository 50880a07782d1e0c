"""A list means the same however a client writes it: commas, escaped commas, the parameter repeated, brackets."""

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from packages import table
from served import answer, problem, rows_path, served

ROWS = [
    ["a", "red", "Smith, J", "2004", "1,2"],
    ["b", "blue", "Jones", "2006", "3,4"],
    ["c", "green", "a,b", "2008", "1,2"],
]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    fields: list[Any] = ["id", "color", "name, full", "year:year", "place:geopoint"]
    return served(tmp_path_factory.mktemp("lists"), table("things", fields, ROWS))


def ids(client: FlaskClient, query: str) -> str:
    return "".join(row["id"] for row in answer(client, rows_path("things", query))["data"])


@pytest.mark.parametrize(
    ("query", "found"),
    [
        # Values without commas: every spelling is a list.
        ("color__in=red,blue", "ab"),
        ("color__in=red%2Cblue", "ab"),
        ("color__in=red&color__in=blue", "ab"),
        ("color__in[]=red&color__in[]=blue", "ab"),
        ("color__in%5B%5D=red&color__in=blue,green", "abc"),
        ("color__not_in=red%2cblue", "c"),
        ("year__in=2004%2C2006", "ab"),
        ("year__between=2004&year__between=2006", "ab"),
        ("year__between=2005%2C2008", "bc"),
        ("where=color__in%3Dred%2Cblue", "ab"),
        ("where=color__in=red&where=color__in=blue", "ab"),
        ("or=color__in%3Dred%2Cgreen&or=year=2006", "abc"),
        # A field of which some value holds a comma: only a bare one separates, and repeating is always safe.
        ("name%2C%20full__in=Smith%2C%20J", "a"),
        ("name%2C%20full__in=Smith%2C%20J,Jones", "ab"),
        ("name%2C%20full__in=Smith%2C%20J&name%2C%20full__in=Jones", "ab"),
        ("name%2C%20full__in=a%2Cb", "c"),
        ("name%2C%20full__in=Jones%2CSmith", "b"),  # as a whole no value: two
        ("name%2C%20full__in=Jones%2CSmith&name%2C%20full__in=Jones%2CSmith", ""),
        ("name%2C%20full__in=Jones%2CSmith,Jones%2CSmith", ""),
        # A point is a value with a comma.
        ("place__in=1%2C2", "ac"),
        ("place__in=1%2C2&place__in=3%2C4", "abc"),
    ],
)
def test_a_list_is_the_same_however_it_is_written(client: FlaskClient, query: str, found: str) -> None:
    assert ids(client, query) == found
    # The address that the answer gives itself means the same.
    assert (
        answer(client, answer(client, rows_path("things", query))["links"]["permalink"])["data"]
        == (answer(client, rows_path("things", query))["data"])
    )


def test_lists_of_names_may_be_repeated_too(client: FlaskClient) -> None:
    once = answer(client, rows_path("things", "sort=-year,id&fields=id,name%2C%20full"))
    for query in (
        "sort=-year&sort=id&fields=id&fields=name%2C%20full",
        "sort[]=-year&sort[]=id&fields[]=id&fields[]=name%2C%20full",
        "sort=-year%2Cid&fields=id,name%2C%20full",
    ):
        again = answer(client, rows_path("things", query))
        assert (again["data"], again["links"]["self"]) == (once["data"], once["links"]["self"]), query
    counted = "/v1/datasets/things/aggregate?group_by=year,color&measure=count"
    repeated = "/v1/datasets/things/aggregate?group_by=year&group_by[]=color&measure=count"
    assert answer(client, repeated)["data"] == answer(client, counted)["data"]
    both = "/v1/datasets/things/facets?facet=year,color"
    assert answer(client, "/v1/datasets/things/facets?facet=year&facet[]=color")["data"] == answer(client, both)["data"]


def test_what_is_no_list_is_given_once(client: FlaskClient) -> None:
    for query, name in (("limit=1&limit=2", "limit"), ("q=a&q=b", "q"), ("color=red&color=blue", "color")):
        assert problem(client, rows_path("things", query))["errors"][0]["parameter"] == name
    assert problem(client, rows_path("things", "limit[]=1"))["type"] == "/problems/unknown-parameter"


def test_a_field_with_brackets_in_its_name_comes_first(tmp_path: Path) -> None:
    client = served(tmp_path, table("t", ["id", "x__in[]", "x"], [["a", "1", "2"], ["b", "2", "1"]]))
    assert [row["id"] for row in answer(client, rows_path("t", "x__in[]=1"))["data"]] == ["a"]
    assert [row["id"] for row in answer(client, rows_path("t", "x__in=1"))["data"]] == ["b"]
