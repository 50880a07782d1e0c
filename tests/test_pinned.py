"""What names a release leads to that release, and a condition is a condition only."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient
from packages import table, write
from served import answer, app_of, problem, rows_path

from api.release.build import build

KEY = [{"fields": ["kind"], "reference": {"resource": "kinds", "fields": ["id"]}}]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    """Two releases; the second has another row, and a field that is named like a parameter."""
    folder = tmp_path_factory.mktemp("pinned")
    for number, rows in enumerate(([["a", "x", "1"]], [["a", "x", "1"], ["b", "x", "2"]])):
        things = table("things", ["id", "kind", "version"], rows, foreignKeys=KEY)
        source = write(
            folder / f"p{number}",
            things,
            table("kinds", ["id"], [["x"]]),
            version=f"1.{number}.0",
            created=f"2026-0{number + 1}-01T00:00:00Z",
        )
        build(source, folder / "store")
    return app_of(folder / "store").test_client()


@pytest.mark.parametrize("named", ["version=1.0.0", "as_of=2026-01-15"])
def test_links_of_a_named_release_lead_to_it(two: FlaskClient, named: str) -> None:
    row = answer(two, f"/v1/datasets/things/records/a?{named}")
    for relation in ("kind", "collection", "describedby"):
        assert row["links"][relation].endswith("?version=1.0.0"), relation
    assert answer(two, row["links"]["collection"])["meta"]["total"] == 1
    described = answer(two, f"/v1/datasets/things?{named}")["data"]
    assert answer(two, described["links"]["records"])["meta"]["version"] == "1.0.0"
    for example in described["examples"]:
        assert answer(two, example["href"])["meta"]["version"] == "1.0.0"
    (first, _) = answer(two, f"/v1/datasets?{named}")["data"]
    assert answer(two, first["links"]["self"])["meta"]["version"] == "1.0.0"
    (hit,) = answer(two, f"/v1/search?q=a&{named}")["data"]
    assert answer(two, hit["links"]["self"])["meta"]["version"] == "1.0.0"
    latest = answer(two, "/v1/datasets/things/records/a")["links"]
    assert latest["collection"] == "/v1/datasets/things/records"


@pytest.mark.parametrize("name", ["version", "limit", "sort", "shape", "where", "or", "q", "fields", "cursor", "as_of"])
def test_where_holds_conditions_and_no_other_parameter(two: FlaskClient, name: str) -> None:
    for query in (f"where={name}=1.0.0", f"where[]={name}=1.0.0", f"or={name}=1.0.0"):
        (error,) = problem(two, rows_path("things", query))["errors"]
        assert error["reason"] == f"{name!r} is not a filter of this resource", query
        if name == "version":
            assert error["did_you_mean"] == "version__eq"
    assert answer(two, rows_path("things", "where=version__eq=2"))["meta"]["total"] == 1


def test_groups_page_back_to_the_first(two: FlaskClient) -> None:
    path = "/v1/datasets/things/aggregate?group_by=id&limit=1"
    first = answer(two, path)
    second = answer(two, first["links"]["next"])
    assert (first["links"]["prev"], answer(two, second["links"]["prev"])["data"]) == (None, first["data"])
    assert answer(two, second["links"]["first"])["data"] == first["data"]


def test_between_wants_the_least_first(two: FlaskClient, tmp_path: Path) -> None:
    build(write(tmp_path / "p", table("t", ["id", "n:integer"], [["a", 5]])), tmp_path / "store")
    client = app_of(tmp_path / "store").test_client()
    (hint,) = answer(client, rows_path("t", "n__between=9,5"))["meta"]["hints"]
    assert hint["reason"].endswith("and the least of two comes first")
    assert answer(client, rows_path("t", "n__between=5,5"))["meta"]["total"] == 1
