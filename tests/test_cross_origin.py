"""A page from another origin may ask what it likes, with any headers, and read every answer: in a real browser."""

import html
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

SECONDS = 120
ROWS = "/v1/datasets/exports/records"
# Asks each question and writes what came back: the status, Allow, and the title of a problem.
PAGE = """<!doctype html><pre id="said"></pre><script>
const read = async (address, options) => {
  try {
    const answer = await fetch(address, options);
    const text = await answer.text();
    const kind = answer.headers.get("Content-Type");
    const problem = kind.includes("problem+json") ? JSON.parse(text).title : null;
    const allow = answer.headers.get("Allow");
    return [answer.status, allow && allow.split(", ").sort().join(", "), problem];
  } catch (error) { return String(error); }
};
(async () => {
  const said = {};
  for (const [name, [path, options]] of Object.entries(QUESTIONS)) said[name] = await read(SERVER + path, options);
  document.getElementById("said").textContent = JSON.stringify(said);
})();
</script>"""


@contextmanager
def page(text: str) -> Iterator[str]:
    """The address of a page, at an origin of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = text.encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing on standard error."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


def test_a_page_may_send_any_header_and_reads_every_problem(server: str, tmp_path: Path) -> None:
    browser = shutil.which("chromium") or pytest.skip("no Chromium here: on Debian, apt-get install chromium")
    sent = {
        **{"Content-Type": "application/json", "X-Requested-With": "XMLHttpRequest", "Cache-Control": "no-cache"},
        **{"Authorization": "Bearer x", "X-Anything-Else": "1"},
    }
    questions = {
        **{name: (ROWS, {"headers": {name: value}}) for name, value in sent.items()},
        "all": (ROWS, {"headers": sent}),
        "an unknown parameter": (f"{ROWS}?nothing=1", {"headers": sent}),
        "POST": (ROWS, {"method": "POST", "headers": {"Content-Type": "application/json"}, "body": "{}"}),
        "a long address": (f"{ROWS}?q={'x' * 9_000}", {}),
    }
    script = f"<script>const SERVER = {json.dumps(server)}, QUESTIONS = {json.dumps(questions)};</script>"
    command = [browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
    command += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    command += [f"--user-data-dir={tmp_path}", "--virtual-time-budget=20000", "--dump-dom"]
    with page(script + PAGE) as address:
        done = subprocess.run([*command, address], capture_output=True, text=True, timeout=SECONDS)
    found = re.search('<pre id="said">(.+?)</pre>', done.stdout)
    assert found, done.stderr[-2000:]
    assert json.loads(html.unescape(found[1])) == {
        **{name: [200, None, None] for name in [*sent, "all"]},
        "an unknown parameter": [400, None, "Unknown query parameter"],
        "POST": [405, "GET, HEAD, OPTIONS", "Method not allowed"],
        "a long address": [414, None, "URI Too Long"],
    }
