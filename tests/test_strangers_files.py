"""Files of a package, which strangers may have written, never run on the origin of the API: HTML, SVG and XML."""

import json
import shutil
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import browser
import newsroom
import packages
import pytest
from flask.testing import FlaskClient
from served import app_of
from test_charts import CHART

from api.export.sidecars import headers
from api.http.responses import SANDBOX
from api.release.build import build

SCRIPT = "localStorage.ran = (localStorage.ran ?? '') + document.contentType + ' '"
FILES = {
    "evil.html": f'<script>{SCRIPT}</script><img src=x onerror="{SCRIPT}">',
    "evil.svg": f'<svg xmlns="http://www.w3.org/2000/svg"><script>{SCRIPT}</script></svg>',
    "evil.xml": f'<h:html xmlns:h="http://www.w3.org/1999/xhtml"><h:script>{SCRIPT}</h:script></h:html>',
    "large.html": f"<script>{SCRIPT}</script>" + " " * 2**21,
}
# Opens the files one after the other in frames of the page, and says what they left, and whether the charts are seen.
OPEN = """(async () => {
  for (const file of FILES) {
    const frame = document.createElement("iframe");
    frame.src = "/releases/1.0.0/docs/" + file;
    document.body.append(frame);
    await new Promise(done => { frame.onload = done; setTimeout(done, 3000); });  // what is downloaded never loads
  }
  const image = document.querySelector("figure img");
  image.loading = "eager";
  await image.decode();
  return [localStorage.ran ?? "", image.naturalWidth];
})()"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a release of a package that has a table, a chart and files of a stranger."""
    folder = tmp_path_factory.mktemp("strange")
    fields = ["id", "year:year", "value:number", "kind", "sure:boolean", "day:date"]
    source = packages.write(folder / "package", packages.table("t", fields, [["a", "2001", "1", "x", "true", ""]]))
    (source / "docs").mkdir()
    described = json.loads((source / "datapackage.json").read_text())
    for name, text in FILES.items():
        (source / "docs" / name).write_text(text)
        described["resources"].append({"name": name, "path": f"docs/{name}"})
    described["lantern:charts"] = [CHART]
    (source / "datapackage.json").write_text(json.dumps(described))
    build(source, folder / "store")
    return folder / "store"


@pytest.fixture(scope="module")
def client(store: Path) -> FlaskClient:
    return app_of(store).test_client()


@pytest.fixture(scope="module")
def server(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with newsroom.serving(store, tmp_path_factory.mktemp("server") / "log") as url:
        yield url


@pytest.mark.parametrize("name", [*(f"docs/{name}" for name in FILES), "codebook.html", "data/t.csv", "manifest.json"])
def test_every_file_of_a_release_is_sent_into_a_sandbox(client: FlaskClient, name: str) -> None:
    path = f"/releases/1.0.0/{name}"
    whole = client.get(path)
    part = client.get(path, headers={"Range": "bytes=0-4"})
    known = client.get(path, headers={"If-None-Match": whole.headers["ETag"]})
    latest = client.get(f"/releases/latest/{name}")
    assert [answer.status_code for answer in (whole, part, known)] == [200, 206, 304]
    assert {answer.headers["Content-Security-Policy"] for answer in (whole, part, known)} == {SANDBOX}
    assert latest.headers.get("Content-Security-Policy") == (SANDBOX if latest.status_code == 200 else None)


def test_the_sandbox_stays_when_a_response_is_kept(server: str) -> None:
    connection = HTTPConnection(urlsplit(server).netloc)
    seen = []
    for _ in range(2):
        connection.request("GET", "/releases/1.0.0/docs/evil.svg")
        answer = connection.getresponse()
        answer.read()
        seen.append((answer.status, answer.headers["Content-Security-Policy"]))
    connection.close()
    assert seen == [(200, SANDBOX)] * 2


def test_pages_of_our_own_and_data_are_not_in_it(client: FlaskClient) -> None:
    for path in ("/", "/v1/datasets", "/docs/"):
        assert "sandbox" not in client.get(path).headers.get("Content-Security-Policy", "")


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no Chromium here: on Debian, apt-get install chromium")
def test_a_browser_runs_no_script_of_them_and_shows_the_charts(server: str, tmp_path: Path) -> None:
    with browser.page(f"{server}/", tmp_path) as evaluate:
        ran, width = evaluate(OPEN.replace("FILES", json.dumps([*FILES])))
    assert ran == ""
    assert width > 600


def test_sites_of_files_are_told_to_send_it() -> None:
    rules = headers().decode()
    assert (
        f"\n/releases/*\n  Cache-Control: public, max-age=31536000, immutable\n  Content-Security-Policy: {SANDBOX}\n"
        in rules
    )
