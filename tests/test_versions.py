"""The store keeps every version: asked for by name or day, listed with what it brought; one may be withdrawn."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from releases import TWO, package

from api.app import create_app
from api.cli import main
from api.model.files import RELEASE_INDEX
from api.release.build import build
from api.store import release_index

DATA = (
    "/v1/",
    "/v1/datasets",
    "/v1/datasets/guns",
    "/v1/datasets/guns/schema",
    "/v1/datasets/guns/records",
    "/v1/datasets/guns/records/a",
    "/v1/datasets/guns/records.csv",
    "/v1/datasets/guns/records.jsonl",
    "/v1/datasets/guns/records?value__gt=0",
    "/v1/datasets/guns/facets?facet=note",
    "/v1/datasets/guns/aggregate?measure=count",
    "/v1/search?q=first",
    "/v1/corrections",
    "/v1/corrections.atom",
)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with versions 1.0.0 and 1.1.0, built from one package."""
    base = tmp_path_factory.mktemp("two")
    words = {"CHANGELOG.md": "# Changes\n\n## 1.1.0 (2026-04-01)\n\nThree repairs.\n\n## 1.0.0\n\nFirst.\n"}
    source = package(base / "package", TWO)
    for name, text in words.items():
        (source / name).write_text(text)
    build(source, base / "store")
    return base / "store"


@pytest.fixture(scope="module")
def ask(two: Path) -> FlaskClient:
    return create_app(STORE=two, BASE_URL="").test_client()


@pytest.fixture
def withdrawn(tmp_path: Path, two: Path) -> Callable[[str], FlaskClient]:
    """A client over the same releases, of which one is withdrawn; its folder is elsewhere, as signing leaves it."""

    def make(version: str) -> FlaskClient:
        for path in (two / "releases").iterdir():
            place = "withdrawn" if path.name == version else "releases"
            (tmp_path / place).mkdir(exist_ok=True)
            (tmp_path / place / path.name).symlink_to(path)
        entries = [
            release_index.Entry(v, "0" * 64, f"2026-0{month}-01T10:00:00Z", "wrong unit" if v == version else None)
            for v, month in (("1.1.0", 4), ("1.0.0", 3))
        ]
        (tmp_path / RELEASE_INDEX).write_bytes(release_index.dump(entries))
        return create_app(STORE=tmp_path, INDEX=str(two / "index"), BASE_URL="").test_client()

    return make


def meta(client: FlaskClient, path: str) -> dict[str, Any]:
    found: dict[str, Any] = client.get(path).get_json()["meta"]
    return found


def asked(path: str, parameter: str) -> str:
    return path + ("&" if "?" in path else "?") + parameter


@pytest.mark.parametrize("path", DATA)
def test_every_data_address_takes_a_version(ask: FlaskClient, path: str) -> None:
    assert ask.get(asked(path, "version=1.0.0")).headers["X-Data-Version"] == "1.0.0"
    assert ask.get(path).headers["X-Data-Version"] == "1.1.0"
    assert ask.get(asked(path, "version=9.9.9")).status_code == 404


@pytest.mark.parametrize("path", DATA)
@pytest.mark.parametrize(
    ("day", "version"), [("2026-03-01", "1.0.0"), ("2026-03-31", "1.0.0"), ("2026-04-01", "1.1.0")]
)
def test_every_data_address_takes_a_day(ask: FlaskClient, path: str, day: str, version: str) -> None:
    assert ask.get(asked(path, f"as_of={day}")).headers["X-Data-Version"] == version


def test_a_day_before_the_first_release_is_not_found(ask: FlaskClient) -> None:
    assert ask.get("/v1/datasets?as_of=2026-02-28").status_code == 404


def test_an_old_version_says_what_it_said(ask: FlaskClient) -> None:
    old = ask.get("/v1/datasets/guns/records?version=1.0.0").get_json()["data"]
    new = ask.get("/v1/datasets/guns/records").get_json()["data"]
    assert [(row["id"], row["value"]) for row in old] == [("a", 1), ("b", 2), ("c", 3)]
    assert [(row["id"], row["value"]) for row in new] == [("a", 1), ("c", 4), ("d", 5)]


def test_an_answer_that_names_its_version_never_changes(ask: FlaskClient) -> None:
    named = ask.get("/v1/datasets/guns/records?version=1.0.0").headers["Cache-Control"]
    assert "immutable" in named and "immutable" not in ask.get("/v1/datasets/guns/records").headers["Cache-Control"]


def test_releases_are_listed_newest_first_with_what_they_brought(ask: FlaskClient) -> None:
    newest, first = ask.get("/v1/releases").get_json()["data"]
    assert newest["version"] == "1.1.0"
    assert newest["published_at"] == "2026-04-01T10:00:00Z"
    assert newest["previous"] == "1.0.0"
    assert newest["withdrawn"] is None
    assert newest["change_kinds"] == ["added", "changed", "removed", "correction", "clarification", "retraction"]
    assert newest["changes"]["guns"] == {"added": 1, "changed": 2, "removed": 1}
    assert newest["rows"] == {"guns": 3, "corrections": 3}
    assert newest["notes"] == "Three repairs."
    assert newest["links"]["changes"] == "/v1/changes?since=1.0.0&until=1.1.0"
    assert (first["version"], first["previous"], first["change_kinds"]) == ("1.0.0", None, ["first"])


def test_a_release_lists_its_files(ask: FlaskClient, two: Path) -> None:
    data = ask.get("/v1/releases/1.0.0").get_json()["data"]
    held = json.loads((two / "releases/1.0.0/manifest.json").read_bytes())["files"]
    assert [entry["path"] for entry in data["files"]] == [entry["path"] for entry in held]
    assert ask.get(data["files"][0]["href"]).status_code == 200


def test_latest_leads_to_the_newest_release(ask: FlaskClient) -> None:
    answer = ask.get("/v1/releases/latest")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/v1/releases/1.1.0")


def test_a_withdrawn_release_is_no_longer_the_latest(withdrawn: Callable[[str], FlaskClient]) -> None:
    client = withdrawn("1.1.0")
    assert client.get("/v1/releases/latest").headers["Location"] == "/v1/releases/1.0.0"
    assert meta(client, "/v1/datasets/guns/records")["version"] == "1.0.0"
    assert meta(client, "/v1/datasets/guns/records?as_of=2026-12-31")["version"] == "1.0.0"


def test_a_withdrawn_release_stays_listed_with_its_reason(withdrawn: Callable[[str], FlaskClient]) -> None:
    client = withdrawn("1.1.0")
    listed = client.get("/v1/releases").get_json()["data"]
    assert [(entry["version"], entry["withdrawn"]) for entry in listed] == [("1.1.0", "wrong unit"), ("1.0.0", None)]
    assert client.get("/v1/releases/1.1.0").get_json()["data"]["withdrawn"] == "wrong unit"


def test_a_withdrawn_release_is_still_given_to_who_names_it(withdrawn: Callable[[str], FlaskClient]) -> None:
    client = withdrawn("1.1.0")
    answer = client.get("/v1/datasets/guns/records?version=1.1.0").get_json()
    assert len(answer["data"]) == 3
    assert answer["meta"]["withdrawn"] == "wrong unit"
    assert "withdrawn" not in meta(client, "/v1/datasets/guns/records")
    assert client.get("/releases/1.1.0/data/guns.csv").status_code == 200


def test_withdrawing_an_old_release_gives_the_list_another_tag(
    ask: FlaskClient, withdrawn: Callable[[str], FlaskClient]
) -> None:
    before, after = (client.get("/v1/releases").headers["ETag"] for client in (ask, withdrawn("1.0.0")))
    assert before != after


def test_a_day_on_which_only_a_withdrawn_release_stood_is_not_found(withdrawn: Callable[[str], FlaskClient]) -> None:
    client = withdrawn("1.0.0")
    assert client.get("/v1/datasets?as_of=2026-03-15").status_code == 404


def test_a_release_of_which_nothing_is_left_stays_listed(tmp_path: Path, two: Path) -> None:
    (tmp_path / "releases").mkdir()
    (tmp_path / "releases/1.0.0").symlink_to(two / "releases/1.0.0")
    gone = release_index.Entry("1.1.0", "0" * 64, "2026-04-01T10:00:00Z", "a name slipped in")
    (tmp_path / RELEASE_INDEX).write_bytes(release_index.dump([gone]))
    client = create_app(STORE=tmp_path, INDEX=str(two / "index"), BASE_URL="").test_client()
    first = client.get("/v1/releases").get_json()["data"][0]
    assert (first["version"], first["withdrawn"]) == ("1.1.0", "a name slipped in")
    answer = client.get("/v1/datasets?version=1.1.0")
    assert answer.status_code == 410 and "a name slipped in" in answer.get_json()["detail"]


def test_where_every_release_is_withdrawn_they_are_still_listed(tmp_path: Path, two: Path) -> None:
    (tmp_path / "withdrawn").mkdir()
    for path in (two / "releases").iterdir():
        (tmp_path / "withdrawn" / path.name).symlink_to(path)
    client = create_app(STORE=tmp_path, INDEX=str(two / "index"), BASE_URL="").test_client()
    assert [entry["version"] for entry in client.get("/v1/releases").get_json()["data"]] == ["1.1.0", "1.0.0"]
    assert client.get("/v1/datasets").status_code == 404


def test_the_command_line_lists_releases_and_why_one_was_withdrawn(
    withdrawn: Callable[[str], FlaskClient], tmp_path: Path
) -> None:
    withdrawn("1.1.0")
    lines = CliRunner().invoke(main, ["releases"], env={"LANTERN_STORE": str(tmp_path)}).output.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["1.1.0", "1.0.0"]
    assert lines[0].endswith("withdrawn: wrong unit") and "withdrawn" not in lines[1]


def test_our_own_package_has_a_history(client: FlaskClient) -> None:
    listed = client.get("/v1/releases").get_json()["data"]
    assert [entry["version"] for entry in listed][-2:] == ["1.1.0", "1.0.0"]
    dates = [entry["published_at"] for entry in listed]
    assert dates == sorted(set(dates), reverse=True)
    assert all(entry["notes"] for entry in listed)


def test_our_first_version_holds_what_the_article_alone_supports(client: FlaskClient) -> None:
    path = "/v1/datasets/exports/records/seed-003"
    first, now = (client.get(path + query).get_json()["data"] for query in ("?version=1.0.0", ""))
    assert (first["standing"], now["standing"]) == ("preferred", "alternative")
    assert first["value"] == now["value"] == 240_000_000
    for dataset in ("exports", "inquiries", "desertions", "vetting", "traces", "statements"):
        rows = client.get(f"/v1/datasets/{dataset}/records?version=1.0.0&limit=1000").get_json()["data"]
        assert {row["source"] for row in rows} == {"narconews-2009-04"}
