"""Every link that an answer gives leads somewhere, and every Link header says just what was meant."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_to_bytes, urljoin, urlsplit
from xml.etree import ElementTree

import pytest
from flask import Flask
from flask.testing import FlaskClient
from packages import table, write
from releases import TWO
from releases import package as with_history
from served import app_of, client_of, served
from werkzeug.test import TestResponse

from api.index import layout, making
from api.release.build import build
from api.store.releases import open_release

ORIGIN = "http://localhost"
LINKSET = 'application/linkset+json; profile="https://www.rfc-editor.org/info/rfc9727"'


def header_links(response: TestResponse) -> list[tuple[str, str]]:
    """Relation and target of each link in a Link header, which must be well formed (RFC 8288, targets of RFC 3986)."""
    header = response.headers.get("Link", "")
    found = re.findall(r"<([A-Za-z0-9:/?#\[\]@!$&'()*+,;=._~%-]+)>; rel=\"([a-z-]+)\"(?:, |$)", header)
    assert "".join(f'<{target}>; rel="{name}", ' for target, name in found).removesuffix(", ") == header
    return [(name, target) for target, name in found]


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value for name, value in attrs if name in ("href", "src") and value]


def _members(value: Any, linked: bool = False) -> Iterator[str]:
    """The addresses in a JSON answer: all of `links`, every href and anchor; rows (`data` of them) hold others' too."""
    if isinstance(value, dict):
        for name, entry in value.items():
            yield from _members(entry, linked or name in ("links", "href", "anchor"))
    elif isinstance(value, list):
        for entry in value:
            yield from _members(entry, linked)
    elif linked and isinstance(value, str):
        yield value


def links_of(path: str, response: TestResponse) -> list[str]:
    """Every address that an answer gives, in its body and its headers; what a release's own file holds is its own."""
    found = [target for _, target in header_links(response)]
    if path.startswith("/releases/"):
        return found
    kind = response.content_type.partition(";")[0]
    if kind in ("application/json", "application/linkset+json"):
        body = json.loads(response.data)
        found += _members(body) if isinstance(body, dict) and "openapi" not in body else []
    elif kind == "text/html":
        page = _Page()
        page.feed(response.text)
        found += page.links
    elif kind == "application/atom+xml":
        found += [e.attrib["href"] for e in ElementTree.fromstring(response.data).iter() if "href" in e.attrib]
    return found


def crawl(client: FlaskClient, *starts: str, follow: Callable[[str], bool] = lambda _: True) -> dict[str, str]:
    """Ask everything that answers link to; the addresses that were asked, each with where it was linked first.

    `follow` says which addresses are asked at all.
    """
    waiting = {start: "" for start in starts}
    seen: dict[str, str] = {}
    while waiting:
        path, source = waiting.popitem()
        seen[path] = source
        response = client.get(path, buffered=True)
        gone = response.status_code == 410 and "retraction" in response.get_json()
        assert response.status_code in (200, 302) or gone, (path, "linked by", source, response.status, response.data)
        for link in [response.headers["Location"]] if response.status_code == 302 else links_of(path, response):
            target = urlsplit(urljoin(ORIGIN + path, link))
            address = target.path + (f"?{target.query}" if target.query else "")
            if f"{target.scheme}://{target.netloc}" == ORIGIN and address not in seen and follow(address):
                waiting.setdefault(address, path)
    return seen


ODD = ("a/b", "c,d", "50%", "e f", "g?h#i", "é", "%2F", "<x>", 'q"', "x&y=z", "+", "~", "日本")


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    """Tables and rows whose names hold every kind of character that an address must escape, and a second release."""
    things = table("odd things/ü,1", ["id", "parent", "n:number"], [[name, ODD[0], n] for n, name in enumerate(ODD)])
    things["schema"]["foreignKeys"] = [{"fields": ["parent"], "reference": {"resource": "", "fields": ["id"]}}]
    pairs = table("pairs", ["a", "b"], [[name, name] for name in ODD], primaryKey=["a", "b"])
    typed = [["1.50", "true", "2026-01-01"], ["2", "false", "2026-01-02"]]
    numbers = table("numbers", ["id:number", "yes:boolean", "day:date"], typed)
    flags = table("flags", ["id:boolean", "number:number"], [["true", "1.50"], ["false", "2"]])
    flags["schema"]["foreignKeys"] = [{"fields": ["number"], "reference": {"resource": "numbers", "fields": ["id"]}}]
    numbers["schema"]["foreignKeys"] = [{"fields": ["yes"], "reference": {"resource": "flags", "fields": ["id"]}}]
    bare = table("bare", ["text"], [["x"], ["x"]])
    del bare["schema"]["primaryKey"]
    licence = {"name": "own", "path": "LICENSE"}
    folder = tmp_path_factory.mktemp("links")
    package = write(folder / "package", things, pairs, numbers, flags, bare, licenses=[licence])
    return client_of(package, folder / "store")


def test_every_link_of_a_small_package_leads_somewhere(odd: FlaskClient) -> None:
    seen = crawl(odd, "/", "/v1/", "/v1/search?q=2&limit=1", "/v1/datasets/bare/records?limit=1")
    for path in ("/.well-known/api-catalog", "/openapi.yaml", "/docs/", "/releases/1.0.0/LICENSE", "/healthz"):
        assert path in seen, path


def test_every_row_leads_to_what_it_names(odd: FlaskClient) -> None:
    datasets = [entry["links"]["records"] for entry in odd.get("/v1/datasets").get_json()["data"]]
    starts = [f"{path}{ending}?limit=2" for path in datasets for ending in ("", ".csv", ".jsonl")]
    words = [f"/v1/search?q={word}&limit=1" for word in ("a", "2", "x")]
    typed = [f"{datasets[2]}/1.5", f"{datasets[3]}/true", f"{datasets[4]}/2"]
    seen = crawl(odd, *starts, *words, *typed)
    for name in ODD:
        key = quote(name, safe="")
        seen |= crawl(odd, f"{datasets[0]}/{key}", f"{datasets[1]}/{key},{key}")
    assert len([path for path in seen if "cursor=" in path]) > 20


def test_every_link_of_our_own_package_leads_somewhere(client: FlaskClient) -> None:
    once = re.compile(r"/v1/(datasets|conflicts|corrections)/?.*(\?|/records/)").search
    seen = crawl(
        client,
        *("/", "/v1/", "/v1/corrections.atom", "/v1/conflicts", "/v1/corrections", "/v1/search?q=mexico&limit=2"),
        *("/v1/datasets/exports/records?limit=2&expand=source", "/v1/datasets/exports/records/exs-0013"),
        follow=lambda path: not once(path) or hash(path) % 7 == 0 or "version" in path,
    )
    assert len(seen) > 150


def test_links_of_every_release_lead_somewhere(tmp_path: Path) -> None:
    client = client_of(with_history(tmp_path / "package", TWO), tmp_path / "store")
    seen = crawl(client, "/v1/", "/v1/corrections.atom", "/v1/corrections", "/v1/?version=1.0.0")
    assert {"/v1/releases/1.0.0", "/v1/releases/1.1.0", "/v1/changes?since=1.0.0&until=1.1.0"} <= set(seen)
    for version in ("1.0.0", "1.1.0"):
        release = client.get(f"/v1/releases/{version}").get_json()
        assert release["links"]["permalink"] == f"/v1/releases/{version}"


def test_a_link_to_changes_is_given_only_where_both_releases_are_here(tmp_path: Path) -> None:
    client = client_of(with_history(tmp_path / "package", TWO), tmp_path / "store")
    assert client.get("/v1/releases/1.1.0").get_json()["data"]["links"]["changes"]
    (tmp_path / "store/releases/1.0.0").rename(tmp_path / "moved")
    alone = app_of(tmp_path / "store").test_client()
    assert alone.get("/v1/releases/1.1.0").get_json()["data"]["links"]["changes"] is None
    crawl(alone, "/v1/", "/v1/releases")


def test_a_correction_of_a_row_that_never_was_links_to_none(tmp_path: Path) -> None:
    fields = ("id", "dataset", "record", "field", "old", "new", "kind", "reason", "date:date", "version")
    rows = [
        [f"c{n}", *place, "v", "1", "2", "correction", "why", "2026-01-01", "1.0.0"]
        for n, place in enumerate([("things", "a"), ("things", "nowhere"), ("nothing", "a")])
    ]
    client = served(tmp_path, table("things", ["id", "v"], [["a", "1"]]), table("corrections", fields, rows))
    found = client.get("/v1/corrections").get_json()["data"]
    assert [row["links"]["record"] for row in found] == ["/v1/datasets/things/records/a", None, None]
    crawl(client, "/v1/corrections.atom", "/v1/corrections")


# The catalogue of APIs


def test_the_api_catalog_is_a_linkset_of_the_profile(client: FlaskClient) -> None:
    response = client.get("/.well-known/api-catalog")
    assert (response.status_code, response.content_type) == (200, LINKSET)
    described = {entry["anchor"]: entry for entry in response.get_json(force=True)["linkset"]}
    catalog, api = described["/.well-known/api-catalog"], described["/v1/"]
    assert [entry["href"] for entry in catalog["item"]] == ["/v1/"]
    assert catalog["profile"] == [{"href": "https://www.rfc-editor.org/info/rfc9727"}]
    assert {entry["href"] for entry in api["service-desc"]} == {"/openapi.json", "/openapi.yaml"}
    assert [entry["href"] for entry in api["service-doc"]] == ["/docs/"]
    assert [entry["href"] for entry in api["status"]] == ["/healthz"]
    for relation in ("service-desc", "service-doc", "status"):
        for entry in api[relation]:
            assert client.get(entry["href"]).content_type.partition(";")[0] == entry["type"]
    assert client.get("/v1/").get_json()["links"]["api-catalog"] == "/.well-known/api-catalog"


def test_a_head_of_the_api_catalog_links_to_it(client: FlaskClient) -> None:
    response = client.head("/.well-known/api-catalog")
    assert (response.status_code, response.content_type, response.data) == (200, LINKSET, b"")
    assert ("api-catalog", "/.well-known/api-catalog") in header_links(response)
    assert ("item", "/v1/") in header_links(response)


def test_the_api_catalog_is_negotiated_and_takes_no_parameters(client: FlaskClient) -> None:
    path = "/.well-known/api-catalog"
    for accept in ("application/linkset+json", LINKSET, "*/*", "application/*"):
        assert client.get(path, headers={"Accept": accept}).status_code == 200, accept
    assert client.get(path, headers={"Accept": "text/html"}).status_code == 406
    assert client.get(f"{path}?version=1.0.0").status_code == 400


def test_addresses_in_the_api_catalog_begin_with_the_public_address(store: Path) -> None:
    from api.app import create_app

    client = create_app(STORE=store, BASE_URL="https://data.example").test_client()
    response = client.get("/.well-known/api-catalog")
    assert set(_members(response.get_json(force=True))) >= {"https://data.example/v1/", "https://data.example/docs/"}
    assert ("api-catalog", "https://data.example/.well-known/api-catalog") in header_links(response)


# Text from the package in headers


LICENCES = {
    "https://example.org/licença/é": "https://example.org/licen%C3%A7a/%C3%A9",
    "https://example.org/日本": "https://example.org/%E6%97%A5%E6%9C%AC",
    'https://a.org/x>; rel="next", <https://evil.org/': "https://a.org/x%3E;%20rel=%22next%22,%20%3Chttps://evil.org/",
    "https://a.org/a\r\nX-Injected: yes": "https://a.org/a%0D%0AX-Injected:%20yes",
    "https://a.org/tab\there\x00\x7f": "https://a.org/tab%09here%00%7F",
    'https://a.org/"quoted"\\': "https://a.org/%22quoted%22%5C",
    "https://a.org/100%/%41": "https://a.org/100%25/%41",
    "https://a.org/x?q=ü#é": "https://a.org/x?q=%C3%BC#%C3%A9",
    "LICENSE": "/releases/1.0.0/LICENSE",
    "no/such/file.txt": None,
    "": None,
}
MANY = table("many", ["id:integer", "text"], [[n, f"a text that is long enough, number {n}"] for n in range(25_000)])
ADDRESSES = (
    *("/v1/", "/v1/datasets", "/v1/datasets/many/records?limit=1", "/v1/datasets/many/records/1", "/v1/releases"),
    *(
        "/v1/datasets/many/schema",
        "/v1/datasets/many/records.csv",
        "/v1/datasets/many/records.csv?id__gte=1",
        "/v1/changes",
    ),
    *(
        "/releases/1.0.0/datapackage.json",
        "/releases/1.0.0/data/many.csv",
        "/openapi.json",
        "/",
        "/v1/search?q=text&limit=1",
    ),
)


@pytest.fixture(scope="module")
def licensed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], FlaskClient]:
    """A client of a store whose release names a licence at that address; the descriptor alone differs."""
    folder = tmp_path_factory.mktemp("licensed")
    build(write(folder / "package", MANY, licenses=[{"name": "l", "path": "https://old.example/"}]), folder / "store")

    def of(path: str) -> FlaskClient:
        descriptor = folder / "store/releases/1.0.0/datapackage.json"
        said = json.loads(descriptor.read_text())
        said["licenses"][0]["path"] = path
        descriptor.write_text(json.dumps(said))
        manifest = descriptor.with_name("manifest.json")
        listed = json.loads(manifest.read_text())
        entry = next(one for one in listed["files"] if one["path"] == descriptor.name)
        entry["sha256"] = hashlib.sha256(descriptor.read_bytes()).hexdigest()
        entry["bytes"] = descriptor.stat().st_size
        manifest.write_text(json.dumps(listed))
        making.make(open_release(descriptor.parent, layout.folder(folder / "store", "")))
        return app_of(folder / "store").test_client()

    return of


@pytest.mark.parametrize("path", LICENCES, ids=lambda path: ascii(path)[:30])
def test_the_licence_in_a_link_header_is_one_uri_whatever_the_package_says(
    licensed: Callable[[str], FlaskClient], path: str
) -> None:
    client = licensed(path)
    for address in ADDRESSES:
        for headers in ({}, {"Range": "bytes=0-5"}):
            response = client.get(address, headers=headers)
            assert response.status_code in (200, 206), (address, response.data[:300])
            links = dict(header_links(response))
            assert links.get("license") == LICENCES[path], address
            assert len(links) == len(header_links(response))
            assert "X-Injected" not in response.headers
            assert "evil" not in links.get("next", "")


@pytest.mark.parametrize("version", ["1.0.0-é", "1.0.0-日本", "2026 05", "a;b", "x,y", "100%", "v'1"])
def test_a_release_may_have_any_version_that_names_a_folder(tmp_path: Path, version: str) -> None:
    client = served(tmp_path, table("things", ["id"], [["a"]]), version=version)
    latest = client.get("/v1/releases/latest")
    assert latest.status_code == 302
    assert latest.headers["Location"].isascii()
    seen = crawl(
        client, "/v1/", "/v1/datasets/things/records", "/v1/datasets/things/records.csv", "/v1/releases/latest"
    )
    for path in seen:
        header = client.get(path).headers.get("X-Data-Version", "")
        assert header.isascii() and header.isprintable(), path
    assert client.get("/v1/datasets").get_json()["meta"]["version"] == version


@pytest.mark.parametrize("kind", ["text/csv; charset=日本", "text/csv\r\nX-Injected: yes", "é/ü"])
def test_a_media_type_that_a_manifest_names_stays_within_its_header(tmp_path: Path, kind: str) -> None:
    build(write(tmp_path / "package", table("things", ["id"], [["a"]])), tmp_path / "store")
    manifest = tmp_path / "store/releases/1.0.0/manifest.json"
    said: Mapping[str, Any] = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**said, "files": [{**entry, "media_type": kind} for entry in said["files"]]}))
    client = app_of(tmp_path / "store").test_client()
    for headers in ({}, {"Range": "bytes=0-1"}):
        response = client.get("/releases/1.0.0/data/things.csv", headers=headers)
        assert response.status_code in (200, 206)
        assert response.content_type.isascii() and response.content_type.isprintable()
        assert "X-Injected" not in response.headers


# Addresses that are not UTF-8


NOT_UTF_8 = ("%ff", "%C3", "a%80b", "%ED%A0%80", "%F5%80%80%80", "%C0%AF", "%2F%ff", "%00%ff", "x%FFy,z")


def targets(app: Flask) -> set[str]:
    """Every route with a variable, the variable put in the place of {}."""
    rules = [re.sub("<[^>]+>", "{}", rule.rule) for rule in app.url_map.iter_rules() if rule.arguments]
    fixed = ["/{}", "/v1/{}", "/v1/datasets/exports/{}", "/v1/datasets/exports/records/{}", "/releases/1.1.0/{}"]
    return {*rules, *fixed}


@pytest.mark.parametrize("text", NOT_UTF_8)
def test_a_path_that_is_not_utf_8_is_not_found_on_every_route(app: Flask, text: str) -> None:
    for rule in targets(app):
        raw = rule.replace("{}", text)
        environ = {"PATH_INFO": unquote_to_bytes(raw).decode("latin-1"), "RAW_URI": raw, "REQUEST_URI": raw}
        for method in ("GET", "HEAD"):
            response = app.test_client().open("/", method=method, environ_overrides=environ)
            assert response.status_code == 404, (raw, response.data)
            assert response.content_type == "application/problem+json"
            assert method == "HEAD" or response.get_json()["type"] == "/problems/not-found"


def test_a_name_with_a_replacement_character_is_not_mistaken_for_bytes_that_are_not_utf_8(tmp_path: Path) -> None:
    client = served(tmp_path, table("\ufffd", ["id"], [["\ufffd"]]))
    good = "/v1/datasets/%EF%BF%BD/records/%EF%BF%BD"
    assert client.get(good).status_code == 200
    for raw, path in (("/v1/datasets/%ff/records", b"\xff"), ("/v1/datasets/%FF/records/%EF%BF%BD", b"\xff")):
        environ = {"PATH_INFO": "/v1/datasets/" + path.decode("latin-1") + raw[16:], "RAW_URI": raw}
        assert client.get("/", environ_overrides=environ).status_code == 404


def test_a_server_answers_a_path_that_is_not_utf_8_with_a_problem(server: str) -> None:
    import http.client

    place = urlsplit(server)
    for path in (
        "/v1/datasets/%ff/records",
        "/v1/datasets/%ff/aggregate",
        "/releases/%ff/x",
        "/tuf/%ff",
        "/problems/%ff",
    ):
        connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=30)
        connection.request("GET", path)
        response = connection.getresponse()
        assert (response.status, response.headers["Content-Type"]) == (404, "application/problem+json"), path
        assert json.load(response)["type"] == "/problems/not-found"
        connection.close()
