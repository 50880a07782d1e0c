"""The page /docs/ in a browser: it shows the operations, sends their requests, and asks no other host."""

import json
import re
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import browser
import pytest
from flask import Flask
from flask.testing import FlaskClient

BROWSER_SECONDS = 60
# Opens an operation, presses "Try it out" and "Execute", and tells how that went; the time to open it in seconds.
TRY = """(async () => {
  const until = async (find) => {
    for (const end = performance.now() + 20000; performance.now() < end; await new Promise(r => setTimeout(r, 20)))
      if (find()) return find();
    throw new Error("never: " + find + " in " + at("operations-TAG-NAME")?.innerText.slice(-700));
  };
  const at = name => document.getElementById(name);
  (await until(() => at("operations-tag-TAG"))).click();
  const operation = await until(() => at("operations-TAG-NAME"));
  const begun = performance.now();
  operation.querySelector(".opblock-summary-control").click();
  const out = await until(() => operation.querySelector(".try-out__btn"));
  const seconds = (performance.now() - begun) / 1000;
  out.click();
  const execute = await until(() => operation.querySelector(".execute"));
  const inputs = [...operation.querySelectorAll(".parameters-container input, .parameters-container select")];
  const filled = inputs.filter(input => input.value).map(input => [input.closest("tr").dataset.paramName, input.value]);
  execute.click();
  const done = ".live-responses-table tbody .response-col_status, .invalid";
  const status = (await until(() => operation.querySelector(done))).innerText.trim();
  const text = operation.querySelector(".live-responses-table")?.innerText ?? "";
  return {seconds, filled, inputs: inputs.length, status, text};
})()"""


def tried(server: str, profile: Path, tag: str, name: str) -> dict[str, Any]:
    with browser.page(f"{server}/docs/", profile) as evaluate:
        found: dict[str, Any] = evaluate(TRY.replace("TAG", tag).replace("NAME", name))
    return found


@pytest.mark.parametrize(
    ("tag", "name", "filled", "shown"),
    [
        ("exports", "exports_records", [], '"indicator": "dcs_value_shipped"'),
        ("exports", "exports_aggregates", [], '"count": 840'),
        ("exports", "exports_facets", [["facet", "period_type"]], '"value": "fiscal_year"'),
        ("datasets", "records_csv", [["dataset", "exports"]], "id,indicator,year"),
        ("conflicts", "all_conflicts", [], '"positions": ['),
    ],
)
def test_an_operation_works_without_typing_anything(
    server: str, tmp_path: Path, tag: str, name: str, filled: list[list[str]], shown: str
) -> None:
    found = tried(server, tmp_path, tag, name)
    assert found["seconds"] < 3
    assert found["inputs"] >= 5 and found["filled"] == filled
    assert found["status"] == "200" and shown in found["text"]


def test_a_search_without_words_is_not_sent_and_the_form_shows_what_is_missing(server: str, tmp_path: Path) -> None:
    found = tried(server, tmp_path, "service", "search")
    assert (found["filled"], found["text"]) == ([], "")


class Prefixed(BaseHTTPRequestHandler):
    """A proxy that serves the app below /some/prefix/ and keeps what it is asked for."""

    app: FlaskClient
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        inner = self.path.removeprefix("/some/prefix")
        found = self.app.get(inner) if inner != self.path else None
        self.send_response(found.status_code if found else 404)
        self.send_header("Content-Type", found.content_type if found else "text/plain")
        self.end_headers()
        self.wfile.write(found.data if found else b"")

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on standard error."""


@pytest.fixture
def behind_a_prefix(app: Flask) -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []
    handler = type("Handler", (Prefixed,), {"app": app.test_client(), "asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_page_shows_the_operations_and_asks_no_other_host(
    behind_a_prefix: tuple[str, list[str]], tmp_path: Path
) -> None:
    """In a browser whose every request to another host is caught, behind a prefix, with a document that is not ours."""
    host, asked = behind_a_prefix
    log = tmp_path / "net.json"
    command = [browser.chromium(), *browser.OPTIONS]
    command += [f"--user-data-dir={tmp_path / 'profile'}", f"--log-net-log={log}", "--virtual-time-budget=20000"]
    command += ["--dump-dom", f"{host}/some/prefix/docs/?url={host}/some/prefix/elsewhere.json&configUrl=/other"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=BROWSER_SECONDS)
    assert "Figures on US arms exports to Mexico" in done.stdout, done.stderr[-2000:]
    assert 'id="operations-tag-exports"' in done.stdout
    assert not [path for path in asked if "elsewhere.json" in path and "/docs/" not in path]
    assert not [path for path in asked if path.startswith("/other")]
    assert {re.sub(r"\?.*", "", path) for path in asked} <= {
        "/some/prefix/docs/",
        "/some/prefix/openapi.json",
        *(f"/some/prefix/docs/static/{name}" for name in ("swagger-ui.css", "swagger-ui-bundle.js", "start.js")),
        *(f"/some/prefix/docs/static/favicon-{size}.png" for size in ("16x16", "32x32")),
    }
    assert requested(log, host) == {host}


def requested(log: Path, page: str) -> set[str]:
    """The hosts that a page's own requests went to, from Chromium's network log (the browser makes some for itself)."""
    events = json.loads(log.read_text(encoding="utf-8"))["events"]
    own = [event["params"] for event in events if event.get("params", {}).get("initiator") == page]
    return {"/".join(entry["url"].split("/")[:3]) for entry in own}


def test_the_page_names_no_other_host(client: FlaskClient) -> None:
    text = client.get("/docs/").text
    assert 'src="' in text
    assert not re.findall(r'(?:src|href|url)\s*[=:(]\s*["\']?(?:https?:)?//', text)
