"""Differences between versions: rows by key, fields with old and new value, tables and fields; streamed."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from packages import table, write
from releases import TWO, corrections, guns, package

from api.app import create_app
from api.cli import main
from api.release import changes as differences
from api.release.build import build

FIELDS = ("id", "value:integer", "note")
Records = list[dict[str, Any]]


def run(*arguments: str | Path, store: Path | None = None) -> str:
    environ = {"LANTERN_STORE": str(store or "nowhere")}
    result = CliRunner().invoke(main, ["diff", *map(str, arguments)], env=environ)
    assert result.exit_code == 0, result.output
    return result.stdout


def changes(tmp_path: Path, old: Sequence[dict[str, Any]], new: Sequence[dict[str, Any]]) -> Records:
    """What `lantern diff --jsonl` says of two packages with these tables."""
    write(tmp_path / "old", *old, version="1.0.0")
    write(tmp_path / "new", *new, version="1.1.0")
    return [json.loads(line) for line in run(tmp_path / "old", tmp_path / "new", "--jsonl").splitlines()]


def brief(records: Records) -> list[tuple[Any, ...]]:
    """Records without version and dataset."""
    rest = ("change", "record", "field", "row", "fields")
    return [tuple(record[name] for name in rest if name in record) for record in records]


def changed(record: str, **fields: tuple[Any, Any]) -> tuple[Any, ...]:
    return ("changed", record, [{"field": name, "old": old, "new": new} for name, (old, new) in fields.items()])


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    """A client over versions 1.0.0, 1.1.0 and 1.2.0."""
    base = tmp_path_factory.mktemp("three")
    last = [guns([["a", 1, "second"], ["c", 4, ""], ["d", 5, ""], ["e", 6, ""]]), TWO["1.1.0"][1]]
    build(package(base / "package", {**TWO, "1.2.0": last}), base / "store")
    return create_app(STORE=base / "store", BASE_URL="").test_client()


def lines(client: FlaskClient, query: str) -> Records:
    return [json.loads(line) for line in client.get(f"/v1/changes{query}").text.splitlines()]


def test_rows_are_added_changed_and_removed_by_key(tmp_path: Path) -> None:
    found = changes(tmp_path, TWO["1.0.0"][:1], TWO["1.1.0"][:1])
    assert brief(found) == [
        changed("a", note=("first", "second")),
        ("removed", "b", {"id": "b", "value": 2, "note": None}),
        changed("c", value=(3, 4)),
        ("added", "d", {"id": "d", "value": 5, "note": None}),
    ]
    assert {(record["version"], record["dataset"]) for record in found} == {("1.1.0", "guns")}


def test_equal_packages_have_no_differences(tmp_path: Path) -> None:
    assert changes(tmp_path, TWO["1.0.0"], TWO["1.0.0"]) == []
    assert run(tmp_path / "old", tmp_path / "new") == "no differences\n"


def test_the_order_of_rows_is_no_difference(tmp_path: Path) -> None:
    rows = [["a", 1, ""], ["b", 2, ""], ["c", 3, ""]]
    assert changes(tmp_path, [guns(rows)], [guns(rows[::-1])]) == []


def test_another_way_to_write_a_number_is_no_difference(tmp_path: Path) -> None:
    fields = ("id", "value:number")
    assert changes(tmp_path, [guns([["a", "1.0"], ["b", "2"]], fields)], [guns([["a", "1"], ["b", "3"]], fields)]) == [
        {
            "version": "1.1.0",
            "dataset": "guns",
            "change": "changed",
            "record": "b",
            "fields": [{"field": "value", "old": 2, "new": 3}],
        }
    ]


def test_whole_numbers_are_keys_in_their_own_order(tmp_path: Path) -> None:
    fields = ("id:integer", "note")
    old, new = (
        [[number, note] for number, note in rows] for rows in ([(2, "x"), (10, "y")], [(2, "x"), (9, "z"), (10, "y")])
    )
    assert brief(changes(tmp_path, [guns(old, fields)], [guns(new, fields)])) == [
        ("added", "9", {"id": 9, "note": "z"})
    ]


def test_compound_keys_are_joined_by_commas(tmp_path: Path) -> None:
    old, new = (
        table("t", ["a", "b:integer", "c"], rows, primaryKey=["a", "b"])
        for rows in ([["x", 1, "p"], ["x", 2, "p"]], [["x", 1, "p"], ["x", 2, "q"]])
    )
    assert brief(changes(tmp_path, [old], [new])) == [changed("x,2", c=("p", "q"))]


def test_a_table_without_key_gains_and_loses_whole_rows(tmp_path: Path) -> None:
    old, new = (
        table("t", ["a", "b"], rows, primaryKey=[])
        for rows in ([["x", "1"], ["x", "1"], ["y", "2"]], [["y", "2"], ["x", "1"], ["z", "3"]])
    )
    assert brief(changes(tmp_path, [old], [new])) == [
        ("removed", None, {"a": "x", "b": "1"}),
        ("added", None, {"a": "z", "b": "3"}),
    ]


def test_tables_and_fields_come_and_go(tmp_path: Path) -> None:
    old = [guns([["a", 1, "n"]]), table("left", ["id"], [["l"]])]
    new = [guns([["a", 1, "w"]], ("id", "value:integer", "why")), table("came", ["id"], [["k"]])]
    assert brief(changes(tmp_path, old, new)) == [
        ("field_added", "why"),
        ("field_removed", "note"),
        changed("a", why=(None, "w"), note=("n", None)),
        ("dataset_added",),
        ("added", "k", {"id": "k"}),
        ("dataset_removed",),
        ("removed", "l", {"id": "l"}),
    ]


KEYS = st.text('ab,"\n é', min_size=1, max_size=3)
TABLES = st.dictionaries(KEYS, st.tuples(st.integers(-9, 9), st.text('xy\n"', max_size=2)), max_size=6)


@settings(max_examples=40, deadline=None)
@given(TABLES, TABLES)
def test_the_changes_make_the_new_table_of_the_old_one(
    tmp_path_factory: pytest.TempPathFactory, old: dict[str, Any], new: dict[str, Any]
) -> None:
    base = tmp_path_factory.mktemp("any")
    found = changes(base, *([guns([[k, *v] for k, v in rows.items()])] for rows in (old, new)))
    held = {key: {"id": key, "value": value, "note": note or None} for key, (value, note) in old.items()}
    for record in found:
        if record["change"] == "removed":
            assert held.pop(record["record"]) == record["row"]
        elif record["change"] == "added":
            held[record["record"]] = record["row"]
        for cell in record.get("fields", []):
            assert held[record["record"]][cell["field"]] == cell["old"]
            held[record["record"]][cell["field"]] = cell["new"]
    assert held == {key: {"id": key, "value": value, "note": note or None} for key, (value, note) in new.items()}


def test_a_table_is_sorted_on_disk_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(differences, "SORTED_AT_ONCE", 7)
    rows = [[f"r{n * 37 % 100:03d}", n, ""] for n in range(100)]
    assert changes(tmp_path, [guns(rows)], [guns(sorted(rows))]) == []


def test_the_text_of_a_difference_is_for_people(tmp_path: Path) -> None:
    write(tmp_path / "old", *TWO["1.0.0"][:1])
    write(tmp_path / "new", *TWO["1.1.0"][:1])
    assert run(tmp_path / "old", tmp_path / "new").splitlines() == [
        '~ guns a note: "first" → "second"',
        "- guns b",
        "~ guns c value: 3 → 4",
        "+ guns d",
        "guns: 1 added, 2 changed, 1 removed",
    ]


def test_json_is_one_document(tmp_path: Path) -> None:
    write(tmp_path / "old", *TWO["1.0.0"][:1], version="1.0.0")
    write(tmp_path / "new", *TWO["1.1.0"][:1], version="1.1.0")
    found = json.loads(run(tmp_path / "old", tmp_path / "new", "--json"))
    assert (found["from"], found["to"], len(found["changes"])) == ("1.0.0", "1.1.0", 4)
    assert json.loads(run(tmp_path / "new", tmp_path / "new", "--json"))["changes"] == []


def test_versions_of_the_store_are_compared_by_name(tmp_path: Path) -> None:
    build(package(tmp_path / "package", TWO), tmp_path / "store")
    assert "~ guns c value: 3 → 4" in run("1.0.0", "1.1.0", store=tmp_path / "store")
    assert "~ guns c value: 4 → 3" in run("1.1.0", tmp_path / "package/history/1.0.0", store=tmp_path / "store")


def test_a_name_that_is_neither_version_nor_path_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["diff", "1.0.0", "2.0.0"], env={"LANTERN_STORE": str(tmp_path)})
    assert result.exit_code == 1 and "1.0.0" in result.output
    assert CliRunner().invoke(main, ["diff", "a", "b", "--json", "--jsonl"]).exit_code == 2


def test_a_release_holds_what_changed_since_the_one_before(tmp_path: Path) -> None:
    release = build(package(tmp_path / "package", TWO), tmp_path / "store")
    said = run("1.0.0", "1.1.0", "--jsonl", store=tmp_path / "store")
    assert (release.folder / "changes.jsonl").read_text() == said
    assert (tmp_path / "store/releases/1.0.0/changes.jsonl").read_text() == ""


def test_changes_are_served_from_release_to_release(ask: FlaskClient) -> None:
    first, second = lines(ask, "?since=1.0.0&until=1.1.0"), lines(ask, "?since=1.1.0")
    assert [record["record"] for record in first if record["dataset"] == "guns"] == ["a", "b", "c", "d"]
    assert [record["record"] for record in second] == ["e"]
    assert lines(ask, "?since=1.0.0") == lines(ask, "") == first + second


def test_changes_of_one_dataset(ask: FlaskClient) -> None:
    found = lines(ask, "?since=1.0.0&dataset=guns")
    assert found == [record for record in lines(ask, "?since=1.0.0") if record["dataset"] == "guns"]
    assert ask.get("/v1/changes?dataset=gun").status_code == 404
    assert "'guns'" in ask.get("/v1/changes?dataset=gun").get_json()["detail"]


def test_nothing_changed_since_the_latest_release(ask: FlaskClient) -> None:
    answer = ask.get("/v1/changes?since=1.2.0")
    assert (answer.status_code, answer.text, answer.headers["Content-Length"]) == (200, "", "0")


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("?since=0.9.0", 404),
        ("?since=1.0.0&until=7.0.0", 404),
        ("?since=1.2.0&until=1.0.0", 400),
        ("?since=", 400),
        ("?from=1.0.0", 400),
        ("?since=1.0.0&since=1.1.0", 400),
    ],
)
def test_changes_that_cannot_be_told_are_a_problem(ask: FlaskClient, query: str, status: int) -> None:
    answer = ask.get(f"/v1/changes{query}")
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")


def test_changes_carry_the_headers_of_data(ask: FlaskClient) -> None:
    answer = ask.get("/v1/changes?since=1.0.0")
    assert answer.content_type == "application/jsonl"
    assert answer.headers["Content-Length"] == str(len(answer.data))
    assert answer.headers["X-Data-Version"] == "1.2.0"
    again = ask.get("/v1/changes?since=1.0.0", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304
    head = ask.head("/v1/changes?since=1.0.0")
    assert (head.data, head.headers["ETag"]) == (b"", answer.headers["ETag"])
    assert ask.get("/v1/changes", headers={"Accept": "text/csv"}).status_code == 406


def test_large_answers_are_as_long_as_they_say(client: FlaskClient) -> None:
    answer = client.get("/v1/changes?since=1.0.0")
    assert len(answer.data) > 1_000_000
    assert answer.headers["Content-Length"] == str(len(answer.data))
    head = client.head("/v1/changes?since=1.0.0")
    assert (head.headers["Content-Length"], head.headers["ETag"]) == (str(len(answer.data)), answer.headers["ETag"])
    packed = client.get("/v1/changes?since=1.0.0", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip" and len(packed.data) < len(answer.data) / 3
    assert client.get("/v1/changes?since=1.0.0", headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304


def test_the_changes_of_our_package_are_those_of_its_corrections(client: FlaskClient) -> None:
    told = client.get("/v1/corrections?version=1.1.0&limit=1000").get_json()["data"]
    found = lines(client, "?since=1.0.0&until=1.1.0")
    seen = [(r["dataset"], r["record"], cell["field"]) for r in found for cell in r.get("fields", [])]
    assert sorted(seen) == sorted((row["dataset"], row["record"], row["field"]) for row in told) != []
    assert not any(record["change"] == "removed" for record in found)


def told(records: Records) -> Mapping[str, int]:
    return {record["record"]: len(record.get("fields", [])) for record in records}


def test_a_field_of_corrections_counts_like_any_other(tmp_path: Path) -> None:
    old, new = ([corrections(["c1", "a", "note", "correction", why, "1.0.0"])] for why in ("one", "two"))
    assert told(changes(tmp_path, old, new)) == {"c1": 1}
