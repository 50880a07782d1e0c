"""Where things are found: a release's files by name or as the latest, feeds, single conflicts, a row's history."""

from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import pytest
from flask.testing import FlaskClient
from packages import table, write
from releases import CORRECTION_FIELDS, DAY, TWO, guns, package
from served import answer, app_of, client_of, problem, served

from api.model.files import RELEASE_INDEX
from api.release.build import BuildError, build
from api.store import release_index

ATOM = "{http://www.w3.org/2005/Atom}"
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
GUNS = "/v1/datasets/guns/records"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with versions 1.0.0 and 1.1.0."""
    base = tmp_path_factory.mktemp("places")
    source = package(base / "package", TWO, title="Guns & more")
    (source / "CHANGELOG.md").write_text("# Changes\n\n## 1.1.0 (2026-04-01)\n\nThree repairs.\x08\n")
    build(source, base / "store")
    return base / "store"


@pytest.fixture(scope="module")
def ask(store: Path) -> FlaskClient:
    return app_of(store).test_client()


@pytest.fixture
def half(tmp_path: Path, store: Path) -> FlaskClient:
    """The same releases; 1.1.0 was withdrawn."""
    for version, place in (("1.0.0", "releases"), ("1.1.0", "withdrawn")):
        (tmp_path / place).mkdir()
        (tmp_path / place / version).symlink_to(store / "releases" / version)
    listed = [
        release_index.Entry("1.1.0", "0" * 64, f"{DAY['1.1.0']}T10:00:00Z", "wrong <unit>"),
        release_index.Entry("1.0.0", "0" * 64, f"{DAY['1.0.0']}T10:00:00Z", None),
        release_index.Entry("0.9.0", "0" * 64, "2026-02-01T10:00:00Z", "a name"),
    ]
    (tmp_path / RELEASE_INDEX).write_bytes(release_index.dump(listed))
    return app_of(tmp_path, INDEX=str(store / "index")).test_client()


# A release's files


def test_the_files_of_a_release_are_listed_as_its_document(ask: FlaskClient) -> None:
    listed = answer(ask, "/releases/1.0.0/")
    assert listed == answer(ask, "/v1/releases/1.0.0")
    files = {entry["path"]: entry["href"] for entry in listed["data"]["files"]}
    assert files["data/guns.csv"] == "/releases/1.0.0/data/guns.csv"
    assert listed["data"]["links"]["files"] == "/releases/1.0.0/"


def test_a_browser_gets_a_page_that_links_to_each_file(ask: FlaskClient) -> None:
    response = ask.get("/releases/1.0.0/", headers=HTML)
    assert response.content_type == "text/html; charset=utf-8"
    for entry in answer(ask, "/releases/1.0.0/")["data"]["files"]:
        assert f'<a href="{entry["href"]}">{entry["path"]}</a>' in response.text
    assert "<title>Guns &amp; more 1.0.0: files</title>" in response.text


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/releases/1.0.0", "/releases/1.0.0/"),
        ("/releases/latest/", "/releases/1.1.0/"),
        ("/releases/latest/data/guns.csv", "/releases/1.1.0/data/guns.csv"),
        ("/releases/latest/manifest.json", "/releases/1.1.0/manifest.json"),
        ("/releases/latest/SHA256SUMS", "/releases/1.1.0/SHA256SUMS"),
    ],
)
def test_the_latest_release_is_found_under_one_name(ask: FlaskClient, path: str, target: str) -> None:
    response = ask.get(path)
    assert (response.status_code, response.headers["Location"]) == (302, target)
    assert response.headers["Cache-Control"] == "public, max-age=300"
    assert ask.get(path, follow_redirects=True).status_code == 200


def test_the_latest_release_is_found_without_a_slash_too(ask: FlaskClient) -> None:
    response = ask.get("/releases/latest")
    assert (response.status_code, response.headers["Location"]) == (308, "/releases/latest/")


def test_a_file_that_the_latest_release_lacks_is_not_found_before_any_redirect(ask: FlaskClient) -> None:
    detail = "Release 1.1.0 has no file 'data/gun.csv'. Its files: /releases/1.1.0/"
    assert problem(ask, "/releases/latest/data/gun.csv")["detail"] == detail
    for path in ("/releases/9.9.9/", "/releases/9.9.9", "/releases/latest/..%2F1.0.0%2Fmanifest.json"):
        assert problem(ask, path)["status"] == 404


def test_a_withdrawn_release_is_not_the_latest(half: FlaskClient) -> None:
    assert half.get("/releases/latest/data/guns.csv").headers["Location"] == "/releases/1.0.0/data/guns.csv"
    assert "Withdrawn: wrong &lt;unit&gt;" in half.get("/releases/1.1.0/", headers=HTML).text


def test_no_release_can_be_named_latest(tmp_path: Path) -> None:
    source = write(tmp_path / "package", table("guns", ["id"], [["a"]]), version="latest")
    with pytest.raises(BuildError, match="the name under which the latest release is found"):
        build(source, tmp_path / "store")


def test_files_of_a_version_of_any_name_are_listed(tmp_path: Path) -> None:
    client = served(tmp_path, table("things", ["id"], [["a"]]), version="2026 05 日本, 100%")
    for path in (
        "/releases/latest/",
        "/releases/latest/data/things.csv",
        client.get("/releases/latest/").location[:-1],
    ):
        assert client.get(path, follow_redirects=True).status_code == 200, path


# The feed of releases


def entries(client: FlaskClient) -> list[tuple[str, ...]]:
    feed = ElementTree.fromstring(client.get("/v1/releases.atom").data)
    names = ("title", "updated", "summary")
    found = []
    for entry in feed.iter(f"{ATOM}entry"):
        link = entry.find(f"{ATOM}link")
        assert link is not None
        found.append((*(entry.findtext(ATOM + name, "") for name in names), link.attrib["href"]))
    return found


def test_the_feed_of_releases_says_what_each_brought(ask: FlaskClient) -> None:
    kinds = "added, changed, removed, correction, clarification, retraction"
    assert entries(ask) == [
        ("Guns & more 1.1.0", "2026-04-01T10:00:00+00:00", f"{kinds}\nThree repairs.\ufffd", "/v1/releases/1.1.0"),
        ("Guns & more 1.0.0", "2026-03-01T10:00:00+00:00", "first\nNo changes were described.", "/v1/releases/1.0.0"),
    ]


def test_the_feed_of_releases_says_which_were_withdrawn_and_why(half: FlaskClient) -> None:
    told = [(title, summary.partition("\n")[0], href) for title, _, summary, href in entries(half)]
    assert told == [
        ("Guns & more 1.1.0 (withdrawn)", "Withdrawn: wrong <unit>", "/v1/releases/1.1.0"),
        ("Guns & more 1.0.0", "first", "/v1/releases/1.0.0"),
        ("Guns & more 0.9.0 (withdrawn)", "Withdrawn: a name", "/v1/releases"),
    ]


def test_a_reader_that_has_the_feed_of_releases_gets_304(ask: FlaskClient, half: FlaskClient) -> None:
    first = ask.get("/v1/releases.atom")
    assert first.content_type == "application/atom+xml; charset=utf-8"
    known = {"If-None-Match": first.headers["ETag"]}
    assert ask.get("/v1/releases.atom", headers=known).status_code == 304
    assert half.get("/v1/releases.atom", headers=known).status_code == 200


# One conflict, one correction


@pytest.fixture(scope="module")
def disputed(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    """Two figures that disagree, and a correction of one; the keys are hard to write."""
    return served(
        tmp_path_factory.mktemp("disputed"),
        table("things", ["id", "v:integer"], [["a", 1], ["b/c", 2]]),
        table("conflicts", ["id", "words"], [["x/1, 2", "which?"]]),
        table(
            *("conflict_positions", ["conflict", "dataset", "record"]),
            [["x/1, 2", "things", "a"], ["x/1, 2", "things", "b/c"]],
            primaryKey=["conflict", "dataset", "record"],
        ),
        table(
            *("corrections", CORRECTION_FIELDS),
            [["c%1", "things", "b/c", "v", "1", "2", "correction", "a slip", "2026-01-01", "1.0.0"]],
        ),
    )


@pytest.mark.parametrize(("name", "key"), [("conflicts", "x/1, 2"), ("corrections", "c%1")])
def test_one_is_joined_as_in_the_list(disputed: FlaskClient, name: str, key: str) -> None:
    path = f"/v1/{name}/{quote(key, safe='')}"
    found = answer(disputed, path)
    assert [found["data"]] == answer(disputed, f"/v1/{name}")["data"]
    assert found["data"]["id"] == key and {"positions", "row"} & found["data"].keys()
    assert (found["links"]["self"], found["links"]["collection"]) == (path, f"/v1/{name}")
    for link in found["links"].values():
        assert disputed.get(link).status_code == 200, link
    assert problem(disputed, f"/v1/{name}/nothing")["status"] == 404
    assert problem(disputed, f"{path}?limit=1")["type"] == "/problems/unknown-parameter"


# The history of a row


def history(client: FlaskClient, path: str) -> list[dict[str, Any]]:
    """The steps of a row, without times and corrections' words."""
    steps = answer(client, f"{path}/history")["data"]
    for step in steps:
        assert client.get(step.pop("links")["record"]).get_json()["data"] == step["row"]
        assert step.pop("published_at")[:10] == DAY[step["version"]]
        step["corrections"] = [correction["id"] for correction in step["corrections"]]
    found: list[dict[str, Any]] = steps
    return found


def step(version: str, previous: str | None, change: str, row: Any, told: str = "", **fields: Any) -> dict[str, Any]:
    changed = [{"field": name, "old": old, "new": new} for name, (old, new) in fields.items()]
    head = {"version": version, "previous": previous, "change": change, "fields": changed}
    return {**head, "corrections": [told] if told else [], "row": row}


def test_a_row_is_followed_through_the_releases(ask: FlaskClient) -> None:
    a, c = ({"id": i, "value": v, "note": n} for i, v, n in (("a", 1, "second"), ("c", 4, None)))
    assert history(ask, f"{GUNS}/a") == [
        step("1.1.0", "1.0.0", "changed", a, "cor-1", note=("first", "second")),
        step("1.0.0", None, "added", {**a, "note": "first"}),
    ]
    assert history(ask, f"{GUNS}/c") == [
        step("1.1.0", "1.0.0", "changed", c, "cor-2", value=(3, 4)),
        step("1.0.0", None, "added", {**c, "value": 3}),
    ]
    assert history(ask, f"{GUNS}/d") == [step("1.1.0", "1.0.0", "added", {"id": "d", "value": 5, "note": None})]


def test_a_retracted_row_keeps_its_last_values_and_the_reason(ask: FlaskClient) -> None:
    row = {"id": "b", "value": 2, "note": None}
    assert history(ask, f"{GUNS}/b") == [
        step("1.1.0", "1.0.0", "removed", row, "cor-3"),
        step("1.0.0", None, "added", row),
    ]
    body = answer(ask, f"{GUNS}/b/history")
    assert body["data"][0]["corrections"][0]["reason"] == "not a gun"
    assert body["links"]["record"] == f"{GUNS}/b"


def test_a_row_that_never_was_has_no_history(ask: FlaskClient) -> None:
    assert problem(ask, f"{GUNS}/z/history")["detail"] == "No release up to 1.1.0 has a row 'z' in 'guns'."
    assert (
        problem(ask, f"{GUNS}/d/history?version=1.0.0")["detail"] == "No release up to 1.0.0 has a row 'd' in 'guns'."
    )


def test_a_history_ends_where_it_is_asked_to_and_is_not_kept_for_a_year(ask: FlaskClient) -> None:
    response = ask.get(f"{GUNS}/a/history?version=1.0.0")
    assert [entry["version"] for entry in response.get_json()["data"]] == ["1.0.0"]
    assert "immutable" not in response.headers["Cache-Control"]
    again = ask.get(f"{GUNS}/a/history", headers={"If-None-Match": ask.get(f"{GUNS}/a/history").headers["ETag"]})
    assert again.status_code == 304


def test_a_withdrawn_release_has_no_part_in_a_history(half: FlaskClient) -> None:
    assert [entry["version"] for entry in history(half, f"{GUNS}/a")] == ["1.0.0"]


def test_where_the_release_before_is_not_here_the_row_is_only_said_to_be_present(tmp_path: Path, store: Path) -> None:
    (tmp_path / "releases").mkdir()
    (tmp_path / "releases/1.1.0").symlink_to(store / "releases/1.1.0")
    alone = app_of(tmp_path, INDEX=str(store / "index")).test_client()
    assert [entry["change"] for entry in history(alone, f"{GUNS}/a")] == ["present"]


def test_rows_of_any_key_and_table_have_a_history(tmp_path: Path) -> None:
    """Compound keys, keys that look like an address, fields that come and go, numbers written in another way."""
    keys = [["a/history", "1.50"], ["é,b", "2"]]
    odd = "odd things/ü"
    bare = table("bare", ["text"], [["x"]], primaryKey=[])
    old = [table(odd, ["k", "n:number", "left"], [[*key, "l"] for key in keys], primaryKey=["k", "n"])]
    new = [table(odd, ["k", "n:number", "came"], [[*key, "c"] for key in keys], primaryKey=["k", "n"]), bare]
    client = client_of(package(tmp_path / "package", {"1.0.0": old, "1.1.0": new}), tmp_path / "store")
    rows = f"/v1/datasets/{quote(odd, safe='')}/records"
    for key, number in (("a/history", 1.5), ("é,b", 2)):
        path = f"{rows}/{quote(key, safe='')},{number}"
        assert history(client, path) == [
            step(
                *("1.1.0", "1.0.0", "changed", {"k": key, "n": number, "came": "c"}),
                **{"came": (None, "c"), "left": ("l", None)},
            ),
            step("1.0.0", None, "added", {"k": key, "n": number, "left": "l"}),
        ]
        assert answer(client, path)["links"]["history"] == f"{path}/history"
    assert "links" in answer(client, f"{rows}/a%2Fhistory,1.5")
    said = problem(client, "/v1/datasets/bare/records/1/history")
    assert (said["status"], said["detail"].partition(".")[0]) == (
        404,
        "Rows of 'bare' have no key by which they could be found in other releases",
    )
    assert "history" not in answer(client, "/v1/datasets/bare/records/1")["links"]


# Permalinks


def relations(response: Any) -> str:
    return str(response.headers["Link"])


@pytest.mark.parametrize(
    ("path", "latest"),
    [
        (f"{GUNS}?version=1.0.0", GUNS),
        (f"{GUNS}?as_of=2026-03-02&limit=2&sort=-value", f"{GUNS}?limit=2&sort=-value"),
        (f"{GUNS}/a?version=1.0.0", f"{GUNS}/a"),
        ("/v1/datasets?version=1.0.0", "/v1/datasets"),
        ("/v1/datasets/guns?version=1.0.0", "/v1/datasets/guns"),
        ("/v1/search?q=first&version=1.0.0", "/v1/search?q=first"),
        ("/v1/releases/1.0.0", "/v1/releases/latest"),
    ],
)
def test_an_answer_of_a_named_version_leads_to_the_latest(ask: FlaskClient, path: str, latest: str) -> None:
    response = ask.get(path)
    assert response.get_json()["links"]["latest-version"] == latest
    assert f'<{latest}>; rel="latest-version"' in relations(response)
    assert ask.get(latest).status_code in (200, 302)


def test_files_of_a_named_version_lead_to_the_latest_too(ask: FlaskClient) -> None:
    for query in ("", "&limit=1"):
        header = relations(ask.get(f"{GUNS}.csv?version=1.0.0{query}"))
        assert f'<{GUNS}.csv{query.replace("&", "?")}>; rel="latest-version"' in header


def test_an_answer_that_names_no_version_is_the_latest_itself(ask: FlaskClient) -> None:
    response = ask.get(GUNS)
    assert "latest-version" not in response.get_json()["links"] and "latest-version" not in relations(response)


def test_the_next_page_of_an_old_version_leads_to_the_first_of_the_latest(ask: FlaskClient) -> None:
    """A cursor belongs to its release."""
    first = answer(ask, f"{GUNS}?version=1.0.0&limit=1")
    assert answer(ask, first["links"]["next"])["links"]["latest-version"] == f"{GUNS}?limit=1"


def test_a_row_of_a_day_says_whether_it_was_corrected_since(ask: FlaskClient) -> None:
    for key in ("a", "b", "c"):
        assert answer(ask, f"{GUNS}/{key}?as_of=2026-03-02")["meta"]["corrected_in"] == ["1.1.0"]
    for query in ("", "?as_of=2026-04-02"):
        assert "corrected_in" not in answer(ask, f"{GUNS}/a{query}")["meta"]


def test_a_row_of_a_named_version_never_changes_and_leads_to_what_did(ask: FlaskClient) -> None:
    response = ask.get(f"{GUNS}/a?version=1.0.0")
    body = response.get_json()
    assert "immutable" in response.headers["Cache-Control"] and "corrected_in" not in body["meta"]
    assert (body["links"]["history"], body["links"]["latest-version"]) == (f"{GUNS}/a/history", f"{GUNS}/a")


def test_a_field_that_came_is_no_correction_of_a_row(tmp_path: Path) -> None:
    old, new = [guns([["a", 1, ""]])], [guns([["a", 1, "", "x"]], ("id", "value:integer", "note", "more"))]
    client = client_of(package(tmp_path / "package", {"1.0.0": old, "1.1.0": new}), tmp_path / "store")
    assert "corrected_in" not in answer(client, f"{GUNS}/a?as_of=2026-03-02")["meta"]
    assert history(client, f"{GUNS}/a")[0]["fields"] == [{"field": "more", "old": None, "new": "x"}]


def test_a_row_that_is_known_by_its_place_alone_is_not_compared_with_other_releases(tmp_path: Path) -> None:
    old, new = ([table("bare", ["text"], [[text] for text in texts], primaryKey=[])] for texts in ("ab", "zab"))
    client = client_of(package(tmp_path / "package", {"1.0.0": old, "1.1.0": new}), tmp_path / "store")
    assert "corrected_in" not in answer(client, "/v1/datasets/bare/records/1?as_of=2026-03-02")["meta"]


def test_a_later_correction_gives_a_row_of_a_day_another_tag(tmp_path: Path) -> None:
    """Who kept the row asks again and learns of it."""
    build(package(tmp_path / "p1", {"1.0.0": TWO["1.0.0"]}), tmp_path / "store")
    before = app_of(tmp_path / "store").test_client().get(f"{GUNS}/a?as_of=2026-03-02")
    build(package(tmp_path / "p2", TWO), tmp_path / "store")
    after = (
        app_of(tmp_path / "store")
        .test_client()
        .get(f"{GUNS}/a?as_of=2026-03-02", headers={"If-None-Match": before.headers["ETag"]})
    )
    assert (after.status_code, after.get_json()["meta"]["corrected_in"]) == (200, ["1.1.0"])


# Search in one dataset


def test_search_can_be_within_one_dataset(disputed: FlaskClient) -> None:
    found = answer(disputed, "/v1/search?q=x&dataset=conflict_positions&limit=1")
    assert (found["meta"]["total"], found["meta"]["datasets"]) == (2, {"conflict_positions": 2})
    second = answer(disputed, found["links"]["next"])
    assert [hit["record"]["record"] for hit in (*found["data"], *second["data"])] == ["a", "b/c"]
    assert answer(disputed, second["links"]["prev"])["data"] == found["data"]
    assert (second["links"]["first"], second["links"]["next"]) == (found["links"]["self"], None)


def test_a_dataset_that_is_not_there_cannot_be_searched(disputed: FlaskClient) -> None:
    reason = "there is no dataset 'thing' in release 1.0.0"
    error = {"parameter": "dataset", "reason": reason, "did_you_mean": "things"}
    assert problem(disputed, "/v1/search?q=x&dataset=thing")["errors"] == [error]
