"""What a request says of proxies in front: believed for as many of them as LANTERN_PROXIES counts, and else nothing."""

import json
import re
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import running
from flask import request
from flask.testing import FlaskClient
from packages import table, write
from served import Client, app_of

from api.app import create_app
from api.release.build import build

AT = {
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Host": "data.example.org",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Prefix": "/figures",
}
BASE = "https://data.example.org/figures"
SPOOFED = [
    *({name: value} for name, value in AT.items()),
    *({name: "/v1"} for name in ("SCRIPT_NAME", "Script-Name", "PATH_INFO", "X-Script-Name", "X-Forwarded-Path")),
    {"X-Forwarded-Proto": "https", "X-Forwarded-Ssl": "off", "X-Forwarded-Protocol": "ssl"},  # which disagree
    {"Forwarded": "for=203.0.113.9;host=data.example.org;proto=https"},
    {"X-Forwarded-Port": "444"},
    {"REMOTE_ADDR": "203.0.113.9"},
]
PATHS = ["/v1/", "/v1/datasets/things/records", "/v1/datasets/things/records/a%2Fb", "/docs", "/nothing", "/robots.txt"]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    things = table("things", ["id", "kind"], [["a/b", "x"], ["c", "y"]], primaryKey="id")
    build(write(folder / "package", things, created="2026-01-01T00:00:00Z"), folder / "store")
    return folder / "store"


def behind(small: Path, count: int = 1, base_url: str = "") -> FlaskClient:
    app = create_app(STORE=small, BASE_URL=base_url, PROXIES=count)
    app.test_client_class = Client
    return app.test_client()


def said(client: FlaskClient, path: str, headers: dict[str, str]) -> tuple[int, str, list[tuple[str, str]]]:
    """Status, body and headers, but for what numbers the request and the time."""
    answer = client.get(path, headers={**headers, "X-Request-Id": "1"})
    return answer.status_code, answer.text, [pair for pair in answer.headers if pair[0] != "Date"]


def links(value: Any) -> set[str]:
    """Every address of ours in a JSON document's `links`."""
    if isinstance(value, dict):
        own = {link for link in value.get("links", {}).values() if isinstance(link, str)} if "links" in value else set()
        return own.union(*map(links, value.values()))
    return set().union(*map(links, value)) if isinstance(value, list) else set()


@pytest.mark.parametrize("headers", SPOOFED, ids=lambda headers: " ".join(headers))
def test_without_the_setting_nothing_that_a_client_says_changes_anything(
    small: Path, headers: dict[str, str], server: str
) -> None:
    """Neither in the application nor in the server, whose gunicorn would believe some of it."""
    client = app_of(small).test_client()
    for path in PATHS:
        assert said(client, path, headers) == said(client, path, {})
    for path in ("/v1/", "/v1/datasets", "/nothing", "/robots.txt"):
        plain, spoofed = (urllib.request.Request(server + path, headers=given) for given in ({}, headers))
        assert fetched(plain) == fetched(spoofed)


def fetched(asked: urllib.request.Request) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(asked, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, re.sub(rb'"request_id": "[^"]*"', b"", error.read())


def test_links_follow_the_host_scheme_and_prefix_that_a_trusted_proxy_names(small: Path) -> None:
    client = behind(small)
    for path in ("/v1/", "/v1/datasets", "/v1/datasets/things", "/v1/datasets/things/records?limit=1", "/v1/releases"):
        answer = client.get(path, headers=AT)
        found = links(answer.get_json())
        assert found and all(link.startswith(f"{BASE}/") or "://licence" in link for link in found), (path, found)
        assert f"<{BASE}/" in answer.headers["Link"] if "Link" in answer.headers else True
    row = client.get("/v1/datasets/things/records/a%2Fb", headers=AT).get_json()
    assert row["links"]["self"] == f"{BASE}/v1/datasets/things/records/a%2Fb"
    assert client.get("/docs", headers=AT).headers["Location"] == f"{BASE}/docs/"
    assert client.get("/nothing", headers=AT).get_json()["type"] == f"{BASE}/problems/not-found"
    assert client.get("/openapi.json", headers=AT).get_json()["servers"] == [{"url": BASE}]
    robots = client.get("/robots.txt", headers=AT).text.splitlines()
    assert robots[1:] == ["Disallow: /figures/*?", f"Sitemap: {BASE}/sitemap.xml"]
    home = client.get("/", headers={**AT, "Accept": "text/html"}).text
    assert f'href="{BASE}/docs/"' in home and not re.search(r'(?:href|src)="/', home)


@pytest.mark.parametrize("prefix", ["/v1", "/v1/", "/docs", "/a%20b"])
def test_a_prefix_may_be_a_path_of_ours(small: Path, prefix: str) -> None:
    client = behind(small)
    row = client.get("/v1/datasets/things/records/a%2Fb", headers={**AT, "X-Forwarded-Prefix": prefix})
    assert row.status_code == 200
    beginning = f"https://data.example.org{prefix.rstrip('/')}"
    assert row.get_json()["links"]["self"] == f"{beginning}/v1/datasets/things/records/a%2Fb"
    moved = client.get("/docs", headers={**AT, "X-Forwarded-Prefix": prefix})
    assert moved.headers["Location"] == f"{beginning}/docs/"


def test_the_client_is_whom_the_outermost_proxy_names(small: Path) -> None:
    """What an extension of the application sees."""
    for count, named, client in (
        *((0, "203.0.113.9", "127.0.0.1"), (1, "203.0.113.9", "203.0.113.9")),
        *((1, "198.51.100.1, 203.0.113.9", "203.0.113.9"), (2, "198.51.100.1, 203.0.113.9, ::1", "203.0.113.9")),
    ):
        app = app_of(small, PROXIES=count)
        app.add_url_rule("/who", view_func=lambda: request.remote_addr)
        assert app.test_client().get("/who", headers={"X-Forwarded-For": named}).text == client


def test_the_setting_base_url_wins(small: Path) -> None:
    client = behind(small, base_url="https://own.example/data")
    for path in PATHS:
        assert "data.example.org" not in str(said(client, path, AT)), path
    assert client.get("/v1/", headers=AT).get_json()["links"]["self"] == "https://own.example/data/v1/"
    assert client.get("/docs", headers=AT).headers["Location"] == "https://own.example/data/docs/"


def test_of_a_header_with_more_values_only_the_last_are_those_of_proxies(small: Path) -> None:
    """The first are the client's own. Where there are fewer than proxies, somebody asks who did not pass them all."""
    longer = {name: f"evil.example, {value}" for name, value in AT.items()}
    assert behind(small).get("/v1/", headers=longer).get_json()["links"]["self"] == f"{BASE}/v1/"
    two = {name: f"{value}, inner" for name, value in AT.items()}
    assert behind(small, 2).get("/v1/", headers=two).get_json()["links"]["self"] == f"{BASE}/v1/"
    assert behind(small, 2).get("/v1/", headers=AT).get_json()["links"]["self"] == "http://localhost/v1/"


def test_the_cache_never_mixes_what_two_hosts_schemes_or_prefixes_get(small: Path) -> None:
    client = behind(small)
    hosts = [
        AT,
        {**AT, "X-Forwarded-Host": "other.example"},
        {**AT, "X-Forwarded-Proto": "http"},
        {**AT, "X-Forwarded-Prefix": "/other"},
    ]
    for path in ("/v1/datasets/things/records", "/openapi.json", "/docs/", "/v1/"):
        first = [client.get(path, headers=one) for one in hosts]
        again = [client.get(path, headers=one) for one in hosts]
        assert [one.data for one in first] == [one.data for one in again]
        assert len({one.headers["ETag"] for one in first}) == len(hosts)


@pytest.mark.parametrize(
    "wrong",
    [
        {"X-Forwarded-Host": 'x"><script>'},
        {"X-Forwarded-Host": "a b"},
        {"X-Forwarded-Proto": "javascript"},
        {"X-Forwarded-Prefix": '/"><script>'},
    ],
)
def test_what_cannot_be_an_address_is_no_part_of_a_link(small: Path, wrong: dict[str, str]) -> None:
    client = behind(small)
    for path in ("/v1/", "/nothing", "/docs"):
        answer = client.get(path, headers={**AT, **wrong})
        assert answer.status_code in (200, 404, 308)
        assert not [part for part in ("<script", "javascript:", "a b/") if part in answer.text + str(answer.headers)]


def test_a_server_behind_a_proxy_says_what_its_clients_see(small: Path, tmp_path: Path) -> None:
    with running.lantern(tmp_path / "log", "serve", LANTERN_STORE=str(small), LANTERN_PROXIES="1") as server:
        asked = urllib.request.Request(f"{server.url}/v1/", headers={**AT, "SCRIPT_NAME": "/v1"})
        status, body = fetched(asked)
    assert (status, json.loads(body)["links"]["self"]) == (200, f"{BASE}/v1/")
