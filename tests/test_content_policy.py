"""The Content-Security-Policy of pages: no scripts but our own, framed by nobody; files of a package have a sandbox."""

import re
import subprocess
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import browser
import packages
import pytest
from flask import Flask
from flask.testing import FlaskClient
from served import app_of
from werkzeug.test import TestResponse

from api.http.draft import marked
from api.http.responses import SANDBOX
from api.release.build import build

POLICY = {
    "default-src": "'none'",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
SCRIPTS = {"script-src": "'self'", "font-src": "'self' data:"}
PAGES = (
    *("/", "/docs/", "/releases/1.0.0/", "/problems/not-found", "/problems/busy", "/releases/latest/codebook.html"),
    *("/docs", "/v1", "/v1/datasets", "/v1/releases", "/v1/releases/latest", "/v1/datasets/things", "/nothing"),
    *("/v1/datasets/things/records", "/v1/datasets/things/records/1", "/releases/1.0.0", "/releases/latest/"),
)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    things = packages.table("things", ["id:integer", "name"], [[1, "<script>alert(1)</script>"]])
    words = {"title": "<script>alert(2)</script>", "created": "2026-01-01T00:00:00Z"}
    build(packages.write(folder / "package", things, **words), folder / "store")
    return folder / "store"


def directives(text: str) -> dict[str, str]:
    found = [part.strip().partition(" ") for part in text.split(";")]
    assert len({name for name, _, _ in found}) == len(found)
    return {name: value for name, _, value in found}


def walked(client: FlaskClient) -> Iterator[tuple[str, TestResponse]]:
    """What a browser gets at the pages, and at every address of this host that a page links to."""
    waiting, seen = [*PAGES], {*PAGES}
    while waiting:
        path = waiting.pop()
        answer = client.get(path, headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
        yield path, answer
        links = re.findall(r'(?:href|src)="([^"]*)"', answer.text) if answer.mimetype == "text/html" else []
        if "Location" in answer.headers:
            links.append(answer.headers["Location"])
        for link in links:
            to = urlsplit(urljoin(path, unescape(link)))
            if not to.netloc and to.scheme == "" and to.path not in seen:
                seen.add(to.path)
                waiting.append(to.path)


def test_every_page_has_a_policy_and_nothing_in_it_that_the_policy_forbids(small: Path) -> None:
    pages, sandboxed = set(), set()
    for path, answer in walked(app_of(small).test_client()):
        if answer.mimetype != "text/html" or answer.status_code // 100 == 3:
            continue
        text = answer.headers["Content-Security-Policy"]
        if path.startswith("/releases/1.0.0/") and not path.endswith("/"):
            assert text == SANDBOX, path
            sandboxed.add(path)
            continue
        pages.add(path)
        assert directives(text) == (POLICY | SCRIPTS if path == "/docs/" else POLICY), path
        meta = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', answer.text)
        assert [unescape(one) for one in meta] in ([], [text.rpartition("; frame-ancestors")[0]]), path
        assert not re.search(r"<script(?![^>]*\ssrc=)|\son[a-z]+=|javascript:", answer.text), path
    assert {"/", "/docs/", "/releases/1.0.0/", "/problems/not-found"} <= pages
    assert {"/releases/1.0.0/codebook.html", "/releases/1.0.0/validation.html"} <= sandboxed


def test_what_is_no_page_has_no_policy_of_one(small: Path) -> None:
    client = app_of(small).test_client()
    for answer in (
        client.get("/v1/datasets/things/records"),
        client.get("/v1/datasets/things/records.csv"),
        client.get("/nothing"),
    ):
        assert "frame-ancestors" not in answer.headers.get("Content-Security-Policy", ""), answer.status


def test_pages_are_replayed_with_their_policy(small: Path) -> None:
    client = app_of(small).test_client()
    for path in ("/", "/docs/"):
        first, again = (client.get(path, headers={"Accept": "text/html"}) for _ in range(2))
        assert first.headers["Content-Security-Policy"] == again.headers["Content-Security-Policy"]


def test_with_a_public_address_pages_may_load_and_ask_from_there_too(small: Path) -> None:
    client = app_of(small)
    client.config["BASE_URL"] = "https://data.example/figures"
    for path in ("/", "/docs/"):
        policy = directives(
            client.test_client().get(path, headers={"Accept": "text/html"}).headers["Content-Security-Policy"]
        )
        assert policy["img-src"] == "'self' data.example data:"
        assert policy["connect-src"] == policy["form-action"] == "'self' data.example"


def test_a_page_that_an_extension_adds_may_have_its_own_policy(small: Path) -> None:
    app = app_of(small)
    app.add_url_rule("/own", "own", view_func=lambda: ("<p>", {"Content-Security-Policy": "default-src 'self'"}))
    app.add_url_rule("/plain", "plain", view_func=lambda: "<p>")
    client = app.test_client()
    assert client.get("/own").headers.getlist("Content-Security-Policy") == ["default-src 'self'"]
    assert directives(client.get("/plain").headers["Content-Security-Policy"]) == POLICY


def test_a_draft_keeps_the_policy(small: Path, tmp_path: Path) -> None:
    app = app_of(small)
    app.wsgi_app = marked(app.wsgi_app, tmp_path / "errors")  # type: ignore[method-assign]  # Flask's way
    page = app.test_client().get("/", headers={"Accept": "text/html"})
    assert "Draft: not published" in page.text
    assert directives(page.headers["Content-Security-Policy"]) == POLICY


@pytest.mark.parametrize("path", ["/", "/docs/", "/releases/latest/", "/problems/not-found"])
def test_a_browser_shows_pages_without_a_complaint(server: str, tmp_path: Path, path: str) -> None:
    command = [browser.chromium(), *browser.OPTIONS, f"--user-data-dir={tmp_path}", "--enable-logging=stderr"]
    done = subprocess.run(
        [*command, "--virtual-time-budget=10000", "--dump-dom", server + path],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "</body>" in done.stdout, done.stderr[-2000:]
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []


def test_a_browser_runs_no_script_that_somebody_puts_into_a_page_and_keeps_its_style(
    server: str, tmp_path: Path
) -> None:
    script = """(async () => {
      const told = new Promise(resolve => document.addEventListener("securitypolicyviolation", resolve, {once: true}));
      const put = document.createElement("script");
      put.textContent = "window.put = true";
      document.body.append(put);
      const image = document.images[0];
      image.loading = "eager";
      await image.decode();
      return [(await told).violatedDirective, window.put === undefined, image.naturalWidth > 0,
              getComputedStyle(document.body).fontFamily.includes("Georgia")];
    })()"""
    with browser.page(f"{server}/", tmp_path) as evaluate:
        assert evaluate(script) == ["script-src-elem", True, True, True]


def test_the_app_of_this_package_has_pages_with_pictures(app: Flask) -> None:
    """Which the browser above shows."""
    page = app.test_client().get("/", headers={"Accept": "text/html"})
    assert "<img" in page.text and "<style>" in page.text
