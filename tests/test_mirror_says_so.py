"""A copy never passes for the original: its answers, its page and its health say whose copy it is and how old."""

import json
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from http.client import HTTPMessage
from pathlib import Path
from typing import Any

import pytest
import running
from flask.testing import FlaskClient
from newsroom import copy, origin, states

from api import mirror
from api.app import create_app

__all__ = ["origin", "states"]
RECORDS = "/v1/datasets/things/records"


@pytest.fixture
def folder(origin: str, tmp_path: Path) -> Path:
    """A mirror."""
    copy(origin, tmp_path / "copy")
    return tmp_path / "copy"


def client_of(store: Path) -> FlaskClient:
    return create_app(STORE=store, BASE_URL="").test_client()


def said_by(folder: Path) -> dict[str, Any]:
    found = mirror.status(folder)
    assert found
    return {
        "upstream": found.upstream,
        "synced_at": found.synced_at,
        "upstream_version": found.upstream_version,
        "stale_after": found.stale_after,
    }


def synced(folder: Path, **changes: str) -> None:
    """As after another sync, which found something else."""
    found = mirror.status(folder)
    assert found
    mirror.write(folder, mirror.MirrorStatus(**{**vars(found), **changes}))


def test_answers_say_whose_copy_they_are(folder: Path, origin: str) -> None:
    client = client_of(folder)
    for path in (RECORDS, f"{RECORDS}/7", "/v1/datasets", "/v1/", "/v1/releases", "/v1/search?q=row"):
        answer = client.get(path, headers={"Accept": "application/json"})
        assert answer.get_json()["meta"]["mirror"] == said_by(folder), path
        assert f'<{origin}{path}>; rel="canonical"' in answer.headers["Link"].split(", "), path
    assert said_by(folder)["upstream"] == origin and said_by(folder)["upstream_version"] == "1.1.0"


def test_whatever_is_not_json_names_the_original_too(folder: Path, origin: str) -> None:
    for base in ("", "https://copy.example/data"):
        client = create_app(STORE=folder, BASE_URL=base).test_client()
        for path in (
            "/",
            "/openapi.json",
            "/v1/changes",
            *(f"{RECORDS}.{kind}" for kind in ("csv", "jsonl", "parquet")),
        ):
            links = client.get(path).headers["Link"].split(", ")
            assert [link for link in links if "canonical" in link] == [f'<{origin}{path}>; rel="canonical"']


def test_an_origin_is_nobodys_copy(states: Path) -> None:
    client = client_of(states / "two")
    answer = client.get(RECORDS)
    assert "mirror" not in answer.get_json()["meta"]
    assert f'<{RECORDS}>; rel="canonical"' in answer.headers["Link"]
    assert "A copy of" not in client.get("/", headers={"Accept": "text/html"}).text
    assert "mirror" not in client.get("/healthz").get_json()


def test_the_data_and_the_links_are_the_originals(folder: Path, states: Path) -> None:
    original, copied = (client_of(store).get(RECORDS).get_json() for store in (states / "two", folder))
    assert (copied["data"], copied["links"]) == (original["data"], original["links"])
    del copied["meta"]["mirror"]
    assert copied == original


def test_an_entity_tag_changes_with_a_sync(folder: Path) -> None:
    def tags() -> list[str]:
        client = client_of(folder)
        return [client.get(path).headers["ETag"] for path in (RECORDS, "/v1/datasets", "/")]

    before = tags()
    assert tags() == before
    synced(folder, synced_at="2026-01-01T00:00:00Z")
    after = tags()
    assert not set(before) & set(after)


def test_a_running_server_tells_of_a_new_sync(folder: Path) -> None:
    client = client_of(folder)
    first = client.get(RECORDS)
    time.sleep(1.05)  # the store is looked at once a second
    synced(folder, synced_at="2026-01-01T00:00:00Z")
    again = client.get(RECORDS, headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 200
    assert again.get_json()["meta"]["mirror"]["synced_at"] == "2026-01-01T00:00:00Z"
    assert "2026-01-01T00:00:00Z" in client.get("/", headers={"Accept": "text/html"}).text


def test_the_page_says_so(folder: Path, origin: str) -> None:
    said = said_by(folder)
    page = client_of(folder).get("/", headers={"Accept": "text/html"}).text
    assert f'A copy of <a href="{origin}">{origin}</a>, made {said["synced_at"]}.' in page
    assert f"Unless it is synced again, it may be out of date after {said['stale_after']}." in page
    synced(folder, upstream_version="1.2.0")
    page = client_of(folder).get("/", headers={"Accept": "text/html"}).text
    assert f"made {said['synced_at']}, when the original was at version 1.2.0." in page


def test_health_is_degraded_when_the_copy_is_stale(folder: Path) -> None:
    assert client_of(folder).get("/healthz").get_json()["status"] == "ok"
    synced(folder, stale_after=mirror.utc_text(datetime.now(UTC) - timedelta(seconds=1)))
    answer = client_of(folder).get("/healthz")
    assert answer.status_code == 200
    body = answer.get_json()
    assert (body["status"], body["version"], body["mirror"]["stale"]) == ("degraded", "1.1.0", True)
    assert client_of(folder).get("/readyz").status_code == 200


def ask(url: str) -> tuple[Any, HTTPMessage]:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.loads(answer.read()), answer.headers


def test_mirror_serve_serves_the_copy_also_without_the_upstream(origin: str, folder: Path, tmp_path: Path) -> None:
    """`lantern mirror … --serve`; the second time the upstream is gone."""
    for url, target in ((origin, tmp_path / "new"), ("http://127.0.0.1:9", folder)):
        log = tmp_path / f"{target.name}.log"
        given = {"LANTERN_WORKERS": "1", "LANTERN_MIRROR_RETRIES": "0"}
        with running.lantern(log, "mirror", url, str(target), "--serve", **given) as server:
            body, headers = ask(f"{server.url}{RECORDS}")
        assert body["meta"]["mirror"] == said_by(target)
        assert f'<{origin}{RECORDS}>; rel="canonical"' in headers["Link"]
    assert "cannot be reached" in log.read_text()
