"""No published figure changes in silence: corrections are asked for, retractions answer 410, feeds carry both."""

import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from packages import table, write
from releases import TWO, corrections, guns, package

from api.app import create_app
from api.cli import main
from api.release.build import BuildError, build

ATOM = "{http://www.w3.org/2005/Atom}"
ROWS = [["a", 1, "first"], ["b", 2, ""]]
BACK = corrections(
    ["cor-1", "b", "", "retraction", "not a gun", "1.1.0"],
    ["cor-2", "b", "", "reinstatement", "a gun after all", "1.2.0"],
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("corrected")
    build(package(base / "package", TWO, title="Guns", licenses=[{"name": "CC0-1.0"}]), base / "store")
    return base / "store"


@pytest.fixture(scope="module")
def ask(store: Path) -> FlaskClient:
    return create_app(STORE=store, BASE_URL="").test_client()


def attempt(tmp_path: Path, rows: list[list[Any]], *ledger: list[Any]) -> str:
    """What building says of a 1.1.0 with these rows and corrections after a 1.0.0 with ROWS; "" where it succeeds."""
    tables = [guns(rows), corrections(*ledger)]
    source = package(tmp_path / "package", {"1.0.0": [guns(ROWS), corrections()], "1.1.0": tables})
    try:
        build(source, tmp_path / "store")
    except BuildError as error:
        assert not [*(tmp_path / "store").rglob("manifest.json")]
        return str(error)
    return ""


def test_a_changed_value_without_a_correction_is_refused(tmp_path: Path) -> None:
    said = attempt(tmp_path, [["a", 9, "first"], ["b", 2, ""]])
    assert 'value changed from "1" to "9" without a correction' in said


def test_a_removed_row_without_a_correction_is_refused(tmp_path: Path) -> None:
    assert "the row b of guns was removed without a correction" in attempt(tmp_path, ROWS[:1])


def test_a_correction_of_another_version_or_field_does_not_count(tmp_path: Path) -> None:
    note = ["c1", "a", "note", "correction", "why", "1.1.0"]
    old = ["c2", "a", "value", "correction", "why", "1.0.0"]
    assert "without a correction" in attempt(tmp_path, [["a", 9, "first"], ["b", 2, ""]], note, old)


def test_added_rows_need_no_correction(tmp_path: Path) -> None:
    assert attempt(tmp_path, [*ROWS, ["c", 3, ""]]) == ""


def test_a_correction_whose_reason_is_still_to_be_written_is_refused(tmp_path: Path) -> None:
    said = attempt(tmp_path, [["a", 9, "first"], ["b", 2, ""]], ["c1", "a", "value", "correction", "TODO", "1.1.0"])
    assert "reason" in said and "still to be written" in said


def test_validation_looks_at_the_history_too(tmp_path: Path) -> None:
    tables = [guns([["a", 9, "first"], ["b", 2, ""]]), corrections()]
    source = package(tmp_path, {"1.0.0": [guns(ROWS), corrections()], "1.1.0": tables})
    result = CliRunner().invoke(main, ["validate", str(source)])
    assert result.exit_code == 1 and "without a correction" in result.output


def test_a_package_without_corrections_is_asked_for_none(tmp_path: Path) -> None:
    build(package(tmp_path / "p", {"1.0.0": [guns(ROWS)], "1.1.0": [guns(ROWS[:1])]}), tmp_path / "store")


def test_a_retracted_row_answers_410_with_its_retraction(ask: FlaskClient) -> None:
    answer = ask.get("/v1/datasets/guns/records/b")
    assert (answer.status_code, answer.content_type) == (410, "application/problem+json")
    found = answer.get_json()
    assert found["type"] == "/problems/gone"
    assert found["detail"] == "The row 'b' of 'guns' was retracted in version 1.1.0: not a gun"
    assert found["retraction"] == {
        "id": "cor-3",
        "dataset": "guns",
        "record": "b",
        "field": None,
        "old": None,
        "new": None,
        "kind": "retraction",
        "reason": "not a gun",
        "date": "2026-04-01",
        "version": "1.1.0",
    }


def test_a_row_that_never_was_answers_404(ask: FlaskClient) -> None:
    assert ask.get("/v1/datasets/guns/records/z").status_code == 404


def test_a_row_stands_in_the_versions_before_its_retraction(ask: FlaskClient) -> None:
    assert ask.get("/v1/datasets/guns/records/b?version=1.0.0").get_json()["data"]["value"] == 2
    assert ask.get("/v1/datasets/guns/records/b?as_of=2026-04-01").status_code == 410


def test_a_reinstated_row_is_back(tmp_path: Path) -> None:
    early = corrections(["cor-1", "b", "", "retraction", "not a gun", "1.1.0"])
    versions = {"1.0.0": [guns(ROWS), corrections()], "1.1.0": [guns(ROWS[:1]), early], "1.2.0": [guns(ROWS), BACK]}
    build(package(tmp_path / "p", versions), tmp_path / "store")
    client = create_app(STORE=tmp_path / "store", BASE_URL="").test_client()
    found = [client.get(f"/v1/datasets/guns/records/b?version={version}").status_code for version in versions]
    assert found == [200, 410, 200]


def test_a_reinstated_row_that_is_missing_again_is_not_gone(tmp_path: Path) -> None:
    build(write(tmp_path / "p", guns(ROWS[:1]), BACK, version="1.2.0"), tmp_path / "store")
    client = create_app(STORE=tmp_path / "store", BASE_URL="").test_client()
    assert client.get("/v1/datasets/guns/records/b").status_code == 404


def test_a_retracted_row_with_a_compound_key_is_gone(tmp_path: Path) -> None:
    pairs = table("pairs", ["x", "y"], [["p", "q"]], primaryKey=["x", "y"])
    ledger = corrections(["c1", "m,n", "", "retraction", "wrong pair", "1.0.0"])
    ledger["rows"][0][1] = "pairs"
    build(write(tmp_path / "p", pairs, ledger), tmp_path / "store")
    client = create_app(STORE=tmp_path / "store", BASE_URL="").test_client()
    assert client.get("/v1/datasets/pairs/records/m,n").status_code == 410
    assert client.get("/v1/datasets/pairs/records/p,q").status_code == 200


def test_corrections_come_with_the_row_as_it_is_now(ask: FlaskClient) -> None:
    first, second, third = ask.get("/v1/corrections").get_json()["data"]
    assert (first["record"], first["row"]) == ("a", {"id": "a", "value": 1, "note": "second"})
    assert first["links"] == {"record": "/v1/datasets/guns/records/a"}
    assert second["row"]["value"] == 4
    assert (third["kind"], third["row"]) == ("retraction", None)


def test_corrections_are_filtered_sorted_and_paged(ask: FlaskClient) -> None:
    page = ask.get("/v1/corrections?sort=-id&limit=2").get_json()
    assert [row["id"] for row in page["data"]] == ["cor-3", "cor-2"]
    assert [row["id"] for row in ask.get(page["links"]["next"]).get_json()["data"]] == ["cor-1"]
    few = ask.get("/v1/corrections?kind=retraction&limit=1").get_json()["data"]
    assert [(row["id"], row["links"]) for row in few] == [("cor-3", {"record": "/v1/datasets/guns/records/b"})]


def test_corrections_of_an_old_version_are_those_it_had(ask: FlaskClient) -> None:
    assert ask.get("/v1/corrections?version=1.0.0").get_json()["data"] == []


def feed(client: FlaskClient, query: str = "") -> ElementTree.Element:
    answer = client.get(f"/v1/corrections.atom{query}")
    assert answer.content_type == "application/atom+xml; charset=utf-8"
    return ElementTree.fromstring(answer.data)


def test_the_atom_feed_carries_every_correction(ask: FlaskClient) -> None:
    found = feed(ask)
    assert found.findtext(f"{ATOM}title") == "Corrections: Guns"
    assert found.findtext(f"{ATOM}updated") == "2026-04-01T10:00:00+00:00"
    entries = found.findall(f"{ATOM}entry")
    assert sorted(entry.findtext(f"{ATOM}title") or "" for entry in entries) == [
        "Clarification: guns a, note",
        "Correction: guns c, value",
        "Retraction: guns b",
    ]
    retraction = next(e for e in entries if "Retraction" in (e.findtext(f"{ATOM}title") or ""))
    assert "not a gun" in (retraction.findtext(f"{ATOM}content") or "")
    assert retraction.findtext(f"{ATOM}updated") == "2026-04-01T00:00:00+00:00"
    link = retraction.find(f"{ATOM}link")
    assert link is not None and link.get("href") == "/v1/datasets/guns/records/b"


def test_the_feeds_ids_are_urns_of_their_own(ask: FlaskClient) -> None:
    found = feed(ask)
    ids = [found.findtext(f"{ATOM}id"), *(entry.findtext(f"{ATOM}id") for entry in found.findall(f"{ATOM}entry"))]
    assert len(set(ids)) == 4 and all(str(name).startswith("urn:uuid:") for name in ids)


def test_the_feed_of_an_old_version_is_as_it_was(ask: FlaskClient) -> None:
    assert feed(ask, "?version=1.0.0").findall(f"{ATOM}entry") == []


def test_the_feed_says_the_same_at_any_time_and_place(ask: FlaskClient, store: Path) -> None:
    code = (
        "import sys\nfrom api.app import create_app\n"
        "app = create_app(STORE=__import__('pathlib').Path(sys.argv[1]), BASE_URL='')\n"
        "sys.stdout.buffer.write(app.test_client().get('/v1/corrections.atom').data)"
    )
    environ = {"TZ": "Asia/Kathmandu", "LC_ALL": "C", "PYTHONHASHSEED": "7"}
    other = subprocess.run([sys.executable, "-c", code, store], env=environ, capture_output=True, check=True).stdout
    assert other == ask.get("/v1/corrections.atom").data


def test_the_newest_corrections_come_first_in_the_feed(tmp_path: Path) -> None:
    build(write(tmp_path / "p", guns(ROWS), BACK, version="1.2.0"), tmp_path / "store")
    entries = feed(create_app(STORE=tmp_path / "store", BASE_URL="").test_client()).findall(f"{ATOM}entry")
    assert [entry.findtext(f"{ATOM}title") for entry in entries] == ["Reinstatement: guns b", "Retraction: guns b"]


def test_feed_links_are_whole_addresses_where_the_public_address_is_set(store: Path) -> None:
    found = feed(create_app(STORE=store, BASE_URL="https://data.example").test_client())
    links = {link.get("rel"): link.get("href") for link in found.findall(f"{ATOM}link")}
    assert links["self"] == "https://data.example/v1/corrections.atom"


def test_a_package_without_corrections_has_no_feed(tmp_path: Path) -> None:
    build(write(tmp_path / "p", guns(ROWS)), tmp_path / "store")
    client = create_app(STORE=tmp_path / "store", BASE_URL="").test_client()
    assert client.get("/v1/corrections.atom").status_code == client.get("/v1/corrections").status_code == 404
    assert client.get("/v1/datasets/guns/records/z").status_code == 404
