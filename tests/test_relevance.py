"""Rows by relevance: those that full text fits best come first, page by page, under any filter."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient
from packages import table
from served import all_rows, answer, problem, rows_path, served

from api.query import find

NOTES = [
    "iron",
    "iron iron iron",
    "iron and a great deal of other words that say nothing of it",
    "copper",
    "",
    "Iron ore",
]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    rows = [[f"r{n:02}", NOTES[n % len(NOTES)], str(n % 4)] for n in range(60)]
    return served(tmp_path_factory.mktemp("relevance"), table("things", ["id", "note", "size:integer"], rows))


def ids(client: FlaskClient, query: str) -> list[str]:
    return [row["id"] for row in answer(client, rows_path("things", f"{query}&limit=1000"))["data"]]


@pytest.mark.parametrize("few", [find.FEW, -1], ids=["SQLite", "DuckDB"])
def test_rows_that_fit_best_come_first_and_pages_hold_them_all(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(find, "FEW", few)
    search = answer(client, "/v1/search?q=iron&dataset=things&limit=100")["data"]
    found = ids(client, "q=iron&sort=relevance")
    assert [hit["record"]["id"] for hit in search] == found  # the order of the search over all datasets
    assert {*found} == {*ids(client, "q=iron")} and len(found) == 40
    assert ids(client, "q=iron&sort=-relevance")[-10:] == found[:10]
    for query in (
        "q=iron&sort=relevance",
        "q=iron&sort=relevance,-size",
        "q=iron&sort=-relevance&size__gte=2",
        "q=iron&sort=size,relevance",
    ):
        pages = [row["id"] for row in all_rows(client, rows_path("things", f"{query}&limit=7"))]
        assert pages == ids(client, query) and len({*pages}) == len(pages), query
        last = None
        page = answer(client, rows_path("things", f"{query}&limit=7"))
        while page["links"]["next"]:
            last, page = page, answer(client, page["links"]["next"])
        assert last is None or answer(client, page["links"]["prev"])["data"] == last["data"], query


def test_relevance_needs_words_and_a_field_of_that_name_wins(client: FlaskClient, tmp_path: Path) -> None:
    assert problem(client, rows_path("things", "sort=relevance"))["errors"][0]["reason"] == (
        "relevance is that of the words to search for: give q too"
    )
    own = served(tmp_path, table("t", ["id", "relevance:integer"], [["a", 2], ["b", 1]]))
    assert [row["id"] for row in answer(own, rows_path("t", "sort=relevance"))["data"]] == ["b", "a"]


def test_files_are_sorted_by_relevance_too(client: FlaskClient) -> None:
    text = client.get(rows_path("things", "q=iron&sort=relevance&fields=id", ".csv")).get_data(as_text=True)
    assert text.split()[1:] == ids(client, "q=iron&sort=relevance")
