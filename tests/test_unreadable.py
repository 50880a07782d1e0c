"""One release that cannot be read costs that release only: everything else answers, and /readyz says why."""

import json
import logging
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from releases import TWO, package

from api.app import create_app
from api.release.build import build
from api.store import release_index
from api.store.releases import RECHECK_SECONDS
from api.trust import sign_store, withdraw

ROWS = "/v1/datasets/guns/records"
ELSEWHERE = (
    ROWS,
    f"{ROWS}/a",
    "/v1/",
    "/v1/datasets",
    "/v1/releases",
    "/v1/search?q=first",
    "/healthz",
    "/openapi.json",
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    build(package(folder / "package", TWO), folder / "store")
    sign_store(folder / "store", lambda _: None)
    return folder


@pytest.fixture
def store(built: Path, tmp_path: Path) -> Path:
    """A store of one's own with the releases 1.0.0 and 1.1.0, signed."""
    shutil.copytree(built / "keys", tmp_path / "keys")
    (tmp_path / "keys").chmod(0o700)
    return Path(shutil.copytree(built / "store", tmp_path / "store"))


def client_of(store: Path) -> FlaskClient:
    return create_app(STORE=store, BASE_URL="").test_client()


def edit(path: Path, **values: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_bytes()), **values}))


def loop(release: Path) -> None:
    shutil.rmtree(release)
    release.symlink_to(release)


def file_in_place(release: Path) -> None:
    shutil.rmtree(release)
    release.write_text("no folder")


# What happened to a release, and what is said of it.
SPOILED: dict[str, tuple[Callable[[Path], object], str]] = {
    "half copied": (lambda r: (r / "manifest.json").unlink(), "manifest.json: No such file"),
    "half copied, the descriptor": (lambda r: (r / "datapackage.json").unlink(), "datapackage.json: No such file"),
    "half a descriptor": (lambda r: os.truncate(r / "datapackage.json", 99), "not the one that its manifest names"),
    "empty": (lambda r: [shutil.rmtree(r), r.mkdir()], "manifest.json: No such file"),
    "manifest no JSON": (lambda r: (r / "manifest.json").write_text("<html>"), "manifest cannot be read"),
    "manifest no object": (lambda r: (r / "manifest.json").write_text("[]"), "manifest cannot be read"),
    "manifest not UTF-8": (lambda r: (r / "manifest.json").write_bytes(b'"\xff'), "manifest cannot be read"),
    "manifest without end": (lambda r: (r / "manifest.json").write_text("[" * 99_999), "cannot be read"),
    "date none": (lambda r: edit(r / "manifest.json", published_at="soon"), "soon"),
    "date of another form": (lambda r: edit(r / "manifest.json", published_at="2026-04-01"), "published_at is"),
    "another version": (lambda r: edit(r / "manifest.json", version="3.0.0"), "says that it is version 3.0.0"),
    "format none": (lambda r: edit(r / "manifest.json", format="three"), "its format is 'three'"),
    "no files": (lambda r: edit(r / "manifest.json", files=[]), "cannot be read"),
    "no folder": (file_in_place, "Not a directory"),
    "a loop": (loop, "Too many levels of symbolic links"),
}


@pytest.mark.parametrize("what", SPOILED)
def test_it_is_left_out_logged_once_and_named(store: Path, what: str, caplog: pytest.LogCaptureFixture) -> None:
    spoil, said = SPOILED[what]
    spoil(store / "releases/1.1.0")
    client = client_of(store)
    with caplog.at_level(logging.WARNING, "lantern"):
        for path in ELSEWHERE:
            assert client.get(path).status_code == 200, path
        time.sleep(RECHECK_SECONDS)
        ready = client.get("/readyz")
    assert (ready.status_code, ready.get_json()["version"]) == (200, "1.0.0")
    (warning,) = ready.get_json()["warnings"]
    assert warning["version"] == "1.1.0" and said in warning["reason"]
    assert len([one for one in caplog.messages if "1.1.0" in one]) == 1
    named = client.get(f"{ROWS}?version=1.1.0")
    assert (named.status_code, named.get_json()["type"]) == (503, "/problems/not-ready")
    assert client.get(ROWS).headers["X-Data-Version"] == "1.0.0"


def test_it_is_served_as_soon_as_it_is_whole(store: Path) -> None:
    """A copy by hand, file by file; the manifest is there before the rest."""
    whole = store / "releases/1.1.0"
    whole.rename(store / "away")
    client = client_of(store)
    assert client.get(ROWS).headers["X-Data-Version"] == "1.0.0"
    whole.mkdir()
    for name in ("manifest.json", "datapackage.json"):
        shutil.copy(store / "away" / name, whole)
        time.sleep(RECHECK_SECONDS)
        assert client.get(ROWS).status_code == 200
    shutil.copytree(store / "away", whole, dirs_exist_ok=True)
    time.sleep(RECHECK_SECONDS)
    assert client.get(ROWS).headers["X-Data-Version"] == "1.1.0"
    assert client.get("/readyz").get_json()["warnings"] == []


def test_a_folder_of_releases_that_cannot_be_read_is_said(store: Path) -> None:
    shutil.rmtree(store / "releases")
    (store / "releases").write_text("no folder")
    client = client_of(store)
    assert client.get(ROWS).status_code == client.get("/v1/releases").status_code == 503
    (warning,) = client.get("/readyz").get_json()["warnings"]
    assert warning["version"] == "releases" and "Not a directory" in warning["reason"]


def test_where_no_release_can_be_read_it_is_503_and_says_why(store: Path) -> None:
    for release in (store / "releases").iterdir():
        (release / "manifest.json").write_text("{")
    client = client_of(store)
    for path in (ROWS, "/v1/", "/readyz"):
        answer = client.get(path)
        assert (answer.status_code, answer.get_json()["type"]) == (503, "/problems/not-ready"), path
        assert answer.headers["Retry-After"].isdigit()
    assert {one["version"] for one in client.get("/readyz").get_json()["warnings"]} == {"1.0.0", "1.1.0"}
    assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize("text", ["", "{", "[]", '{"releases": [{"version": 1}]}'])
def test_a_list_of_releases_that_cannot_be_read_is_said_and_brings_nothing_back(store: Path, text: str) -> None:
    withdraw(store, "1.1.0", "wrong unit")
    (store / "withdrawn/1.1.0").rename(store / "releases/1.1.0")  # as a restored backup has it
    client = client_of(store)
    assert client.get(ROWS).headers["X-Data-Version"] == "1.0.0"
    (store / "releases.json").write_text(text)
    time.sleep(RECHECK_SECONDS)
    assert client.get(ROWS).headers["X-Data-Version"] == "1.0.0"
    listed = {one["version"]: one["withdrawn"] for one in client.get("/v1/releases").get_json()["data"]}
    assert listed == {"1.1.0": "wrong unit", "1.0.0": None}
    ready = client.get("/readyz")
    (warning,) = ready.get_json()["warnings"]
    assert ready.status_code == 200 and warning["version"] == "releases.json"
    assert "not known" in warning["reason"]


def test_what_was_moved_aside_stays_withdrawn_without_the_list(store: Path) -> None:
    withdraw(store, "1.1.0", "wrong unit")
    (store / "releases.json").write_text("{")
    client = client_of(store)
    assert client.get(ROWS).headers["X-Data-Version"] == "1.0.0"
    assert client.get("/v1/releases/1.1.0").get_json()["data"]["withdrawn"] == "no reason is known"


def test_a_list_that_cannot_be_read_stops_a_build_with_a_sentence(store: Path, built: Path) -> None:
    (store / "releases.json").write_text("{")
    with pytest.raises(release_index.BadList, match="not a list of releases"):
        build(built / "package", store)
