"""The static site: what a plain web server gives is what our server gives, and it proves itself like a store."""

import csv
import fcntl
import html.parser
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import frictionless
import packages
import pytest
from newsroom import ROOT, copy, origin, own_store, released, serving, states

from api import trust
from api.app import create_app
from api.export import ExportError, sidecars
from api.export.addresses import ACCEPT
from api.export.write import LIST, OWN, Exported, export
from api.http.responses import SANDBOX
from api.release.build import build
from api.release.media_types import MEDIA_TYPES
from api.trust import sign_store, verify

__all__ = ["origin", "states"]
SCRIPT = ("text/javascript", "application/javascript")  # what Python guesses depends on its version
# What only a running server gives, as docs/STATIC.md says.
LIVE = re.compile(
    r"/healthz|/readyz|/robots\.txt|/sitemap\.xml|/releases/[^/]+/|.+/records\.(xlsx|tsv|ndjson)"
).fullmatch
OTHERS = [
    *("/nothing", "/v1/nothing", "/v1/datasets/", "/v1/datasets/nothing", "/v1/datasets/exports/"),
    *("/v1/datasets/exports/records/nothing", "/v1/datasets/exports/records.xlsx", "/v1/search", "/healthz"),
    *("/releases", "/releases/", "/releases/1.0.0", "/releases/1.0.0/", "/releases/1.0.0/data", "/tuf", "/tuf/"),
    *("/v1/datasets?version=1.0.0", "/v1/datasets/exports/records?cursor=x", "/v1/?version=1.0.0", "/.lock"),
    *("/releases/1.0.0/../../store/.lock", "/v1/datasets/exports/records/..%2Frecords.csv%2F", "/404.html"),
    *("//v1/datasets", "/v1//datasets"),
]


def lantern(*arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", "from api.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.fixture(scope="session")
def made(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with this package's signed store and its site, shared by all workers; nobody changes them."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with (shared / "exported.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "exported").exists():
            unfinished = shared / "exported.unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            shutil.copytree(store, unfinished / "store", copy_function=os.link)
            sign_store(unfinished / "store", lambda _: None)
            export(unfinished / "store", unfinished / "site", tell=pytest.fail)
            unfinished.rename(shared / "exported")
    return shared / "exported"


@contextmanager
def plain(site: Path, folder: Path, server: str = "nginx") -> Iterator[str]:
    """The address of a web server with our sample configuration over a site."""
    program = shutil.which(server, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip(f"{server} is not installed: apt-get install {server}")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder.mkdir(parents=True)
    command = [program, *SERVERS[server](site, folder, port)]
    environ = {**os.environ, "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environ, stdout=log, stderr=log)
    try:
        _wait(process, port, folder / "log")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _nginx(site: Path, folder: Path, port: int) -> list[str]:
    sample = (ROOT / "deploy" / "static" / "nginx.conf").read_text()
    conf = sample.replace("listen 80;", f"listen 127.0.0.1:{port};").replace("/srv/lantern", str(site))
    places = [f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")]
    user = "user root;" if os.getuid() == 0 else ""
    main = f"daemon off; {user} pid {folder}/pid; events {{ }} http {{ access_log off; {' '.join(places)} {conf} }}"
    (folder / "nginx.conf").write_text(main)
    return ["-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]


def _caddy(site: Path, folder: Path, port: int) -> list[str]:
    sample = (ROOT / "deploy" / "static" / "Caddyfile").read_text()
    conf = sample.replace("data.example.org {", f"http://127.0.0.1:{port} {{").replace("/srv/lantern", str(site))
    (folder / "Caddyfile").write_text(f"{{\n\tadmin off\n}}\n{conf}")
    return ["run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


SERVERS = {"nginx": _nginx, "caddy": _caddy}


def _wait(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f"the web server did not start: {log.read_text()}")


@pytest.fixture(scope="module")
def nginx(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with plain(made / "site", tmp_path_factory.mktemp("nginx") / "work") as url:
        yield url


@pytest.fixture(scope="module")
def live(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Our own server over the same store."""
    with serving(made / "store", tmp_path_factory.mktemp("live") / "log") as url:
        yield url


class Client:
    """Asks one server over a connection that stays open."""

    def __init__(self, url: str) -> None:
        self.connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)

    def close(self) -> None:
        self.connection.close()

    def get(self, path: str, method: str = "GET") -> tuple[int, str, bytes]:
        """Status, media type and body; redirects on the same server are followed."""
        self.connection.request(method, path, headers=ACCEPT)
        response = self.connection.getresponse()
        body = response.read()
        if 300 < response.status < 304:
            return self.get(urlsplit(response.headers["Location"]).path)
        return response.status, response.headers.get("Content-Type", ""), body


def listed(site: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((site / LIST).read_bytes())["addresses"]
    assert found
    return found


def named(kind: str) -> str:
    return SCRIPT[0] if kind in SCRIPT else kind


def different(site: Path, live: str, plain: str) -> list[object]:
    """The addresses of a site that two servers answer in different ways."""
    found: list[object] = []
    with closing(Client(live)) as one, closing(Client(plain)) as other:
        for entry in listed(site):
            (status, kind, body), (plain_status, plain_kind, plain_body) = (
                client.get(entry["address"]) for client in (one, other)
            )
            if (status, named(kind), body) != (plain_status, named(plain_kind), plain_body) or status != 200:
                found.append((entry["address"], status, plain_status, kind, plain_kind, body == plain_body))
            elif (named(kind), len(body)) != (named(entry["media_type"]), entry["bytes"]):
                found.append((entry, kind, len(body)))
    return found


def test_nginx_gives_what_our_server_gives(made: Path, live: str, nginx: str) -> None:
    assert len(listed(made / "site")) > 1_000
    assert different(made / "site", live, nginx) == []


def policies(url: str) -> list[str | None]:
    """The policies of a file of a release, of one without an ending, of a chart and of a document."""
    found = []
    release = "/releases/1.1.0/"
    for path in (f"{release}codebook.html", f"{release}LICENSE", chart_of(url), "/v1/datasets", "/"):
        with closing(http.client.HTTPConnection(urlsplit(url).netloc)) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            assert answer.status == 200, path
            found.append(answer.headers["Content-Security-Policy"])
    return found


def chart_of(url: str) -> str:
    """The address of a chart's Vega-Lite document."""
    with closing(Client(url)) as client:
        files = json.loads(client.get("/releases/1.1.0/manifest.json")[2])["files"]
    return "/releases/1.1.0/" + next(file["path"] for file in files if file["path"].endswith(".vl.json"))


def test_nginx_sends_files_of_releases_into_a_sandbox(nginx: str) -> None:
    assert policies(nginx) == [SANDBOX, SANDBOX, SANDBOX, None, None]


def test_caddy_gives_what_our_server_gives(made: Path, live: str, tmp_path: Path) -> None:
    with plain(made / "site", tmp_path / "caddy", "caddy") as url:
        assert different(made / "site", live, url) == []
        assert policies(url) == [SANDBOX, SANDBOX, SANDBOX, None, None]
        for path in OTHERS:
            with closing(Client(url)) as client:
                assert client.get(path)[0] in (404, 400), path


class Links(html.parser.HTMLParser):
    """What a page links to and loads."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in ("href", "src") and value]


def linked(kind: str, body: bytes) -> list[str]:
    """Where a page, or the links of an answer, lead."""
    if kind.startswith("text/html"):
        links = Links()
        links.feed(body.decode())
        return links.found
    if kind == "application/json":
        return re.findall(r'"(/[^"\s]*)"', body.decode())
    return []


def test_every_address_that_our_server_links_to_is_there(made: Path, live: str) -> None:
    """A crawl of the server, from its page and its service document; questions with parameters are no files."""
    known = {entry["address"] for entry in listed(made / "site")}
    seen, waiting = {"/", "/v1/", "/openapi.json", "/openapi.yaml"}, ["/", "/v1/", "/openapi.json", "/openapi.yaml"]
    missing = []
    with closing(Client(live)) as client:
        while waiting:
            path = waiting.pop()
            status, kind, body = client.get(path)
            if status == 200 and path not in known and not LIVE(path):
                missing.append(path)
            if path.startswith(("/openapi", "/releases/")):
                continue
            for link in linked(kind, body):
                link = urljoin(path, link).partition("#")[0]
                if link.startswith("/") and "?" not in link and link not in seen:
                    seen.add(link)
                    waiting.append(link)
    assert missing == []
    assert len(seen) > 200


def test_what_is_no_address_is_404(made: Path, nginx: str) -> None:
    page = (made / "site" / "404.html").read_bytes()
    with closing(Client(nginx)) as client:
        for path in OTHERS:
            assert client.get(path) == (404, "text/html; charset=utf-8", page), path
        assert client.get("/v1/datasets", "POST")[0] == 405


def test_headers_of_nginx(nginx: str) -> None:
    seen = {}
    for path in ("/v1/datasets", "/releases/1.0.0/manifest.json", "/tuf/timestamp.json", "/tuf/1.root.json"):
        with closing(http.client.HTTPConnection(urlsplit(nginx).netloc)) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
            seen[path] = answer.headers["Cache-Control"]
    immutable = "public, max-age=31536000, immutable"
    assert list(seen.values()) == [
        "public, max-age=300, stale-while-revalidate=86400",
        immutable,
        "no-cache",
        immutable,
    ]


def test_the_sample_knows_every_ending() -> None:
    conf = (ROOT / "deploy" / "static" / "nginx.conf").read_text()
    block = re.search(r"types \{(.*?)\n    \}", conf, re.DOTALL)
    assert block
    types = {
        f".{ending}": line.split()[0] for line in block[1].split(";") if line.split() for ending in line.split()[1:]
    }
    wanted = {**MEDIA_TYPES, **sidecars.ALSO}
    del wanted[".vl.json"]
    assert {ending: kind.partition(";")[0] for ending, kind in wanted.items()}.items() <= types.items()
    charset = re.search(r"charset_types (.*);", conf)
    assert charset
    with_charset = {kind.partition(";")[0] for kind in wanted.values() if ";" in kind} | {"text/plain"}
    assert with_charset == {"text/html", *charset[1].split()}


def test_it_proves_itself_offline(made: Path) -> None:
    run = lantern("verify", made / "site", "--strict")
    assert (run.returncode, run.stderr) == (0, "")
    assert "3 releases" in run.stdout


def test_a_mirror_can_be_made_from_nginx(made: Path, nginx: str, tmp_path: Path) -> None:
    done = copy(nginx, tmp_path / "copy")
    assert set(done.added) == {path.name for path in (made / "store" / "releases").iterdir()}
    assert verify(tmp_path / "copy", strict=True).problems == []
    assert released(tmp_path / "copy") == released(made / "store")
    assert copy(nginx, tmp_path / "copy").added == ()


def test_sha256sum_agrees(made: Path) -> None:
    command = ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"]
    releases = {path.name: path for path in (made / "site" / "releases").iterdir()}
    agrees = {version: subprocess.run(command, cwd=path).returncode == 0 for version, path in releases.items()}
    assert agrees == {"1.0.0": True, "1.1.0": True, "1.2.0": True}


def test_wget_copies_the_site_from_its_page_of_contents(made: Path, nginx: str, tmp_path: Path) -> None:
    wget = shutil.which("wget")
    if wget is None:
        pytest.skip("wget is not installed: apt-get install wget")
    options = ["--quiet", "--recursive", "--level=1", "--no-host-directories", "--no-proxy", "-e", "robots=off"]
    subprocess.run([wget, *options, f"{nginx}/_contents.html"], cwd=tmp_path, check=True)
    for entry in listed(made / "site"):
        assert (tmp_path / entry["file"]).read_bytes() == (made / "site" / entry["file"]).read_bytes()
    assert verify(tmp_path, strict=True).problems == []


def test_the_page_of_contents_names_every_address(made: Path) -> None:
    links = Links()
    links.feed((made / "site" / "_contents.html").read_text())
    wanted = [quote(entry["file"]) for entry in listed(made / "site")]
    assert [link for link in links.found if not link.startswith("_")] == wanted


def test_frictionless_reads_it_over_http(made: Path, nginx: str) -> None:
    package = frictionless.Package(f"{nginx}/releases/1.2.0/datapackage.json")
    rows = package.get_resource("exports").read_rows()
    with (made / "site/releases/1.2.0/data/exports.csv").open(encoding="utf-8", newline="") as file:
        ids = [row["id"] for row in csv.DictReader(file)]
    assert [row["id"] for row in rows] == ids
    address = f"{nginx}/v1/datasets/exports"
    schema = frictionless.Schema(f"{address}/schema")
    schema.foreign_keys = []
    with frictionless.Resource(path=f"{address}/records.csv", schema=schema) as resource:
        assert [row["id"] for row in resource.read_rows()] == ids


def test_release_files_are_not_copied(made: Path) -> None:
    files = [path for path in (made / "store" / "releases").rglob("*") if path.is_file()]
    assert len(files) > 100
    for path in files:
        assert path.samefile(made / "site" / path.relative_to(made / "store"))
    whole = made / "site" / "v1" / "datasets" / "exports" / "records.csv"
    assert whole.samefile(made / "site" / "releases" / "1.2.0" / "data" / "exports.csv")


# Small stores, for what changes


def made_of(store: Path, site: Path, **more: Any) -> Exported:
    told: list[str] = []
    done = export(store, site, tell=told.append, **more)
    assert told == []
    return done


def state(folder: Path) -> dict[str, tuple[int, int]]:
    """The files of a site: number and time."""
    stats = {path.relative_to(folder).as_posix(): path.stat() for path in folder.rglob("*") if path.is_file()}
    return {path: (stat.st_ino, stat.st_mtime_ns) for path, stat in stats.items()}


def test_a_second_export_writes_only_what_changed(states: Path, tmp_path: Path) -> None:
    store, site = own_store(states, tmp_path), tmp_path / "site"
    assert made_of(store, site).changed
    before = state(site)
    assert not made_of(store, site).changed
    assert state(site) == before
    sign_store(store, refresh=True)
    assert made_of(store, site).changed
    after = state(site)
    assert {path for path in before | after if before.get(path) != after.get(path)} == {
        "tuf/timestamp.json",
        "_addresses.json",
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == ["keys", "site", "store"]


def test_what_is_gone_from_the_store_is_gone_from_the_site(states: Path, tmp_path: Path) -> None:
    store, site = own_store(states, tmp_path), tmp_path / "site"
    made_of(store, site)
    trust.withdraw(store, "1.1.0", "A row names a source.")
    made_of(store, site)
    assert [path.name for path in (site / "releases").iterdir()] == ["1.0.0"]
    assert verify(site).problems == []
    said = json.loads((site / "v1" / "releases" / "1.1.0" / "index.json").read_bytes())
    assert said["data"]["withdrawn"] == "A row names a source."
    client = create_app(STORE=store, BASE_URL="").test_client()
    for entry in listed(site):
        found = client.get(entry["address"], follow_redirects=True, headers=ACCEPT)
        assert found.data == (site / entry["file"]).read_bytes()


def test_readers_see_the_old_site_or_the_new_one(states: Path, tmp_path: Path) -> None:
    site, seen, end = tmp_path / "site", list[int](), threading.Event()
    made_of(states / "one", site)

    def read() -> None:
        while not end.is_set():
            seen.append(len(json.loads((site / "v1" / "releases" / "index.json").read_bytes())["data"]))

    thread = threading.Thread(target=read)
    thread.start()
    try:
        for name in ("two", "three", "one"):
            made_of(states / name, site)
    finally:
        end.set()
        thread.join()
    assert set(seen) == {1, 2, 3}


def test_what_a_killed_export_left_is_removed(states: Path, tmp_path: Path) -> None:
    left = tmp_path / ".site.lantern" / "site" / "releases"
    left.mkdir(parents=True)
    (left / "half").write_text("half")
    made_of(states / "one", tmp_path / "site")
    assert [path.name for path in tmp_path.iterdir()] == ["site"]
    assert verify(tmp_path / "site").problems == []


def test_one_export_at_a_time(states: Path, tmp_path: Path) -> None:
    work = tmp_path / ".site.lantern"
    work.mkdir()
    with (work / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ExportError, match="is at work in"):
            export(states / "one", tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_only_an_export_is_replaced(states: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    store = own_store(states, tmp_path)
    refused = {
        "is neither empty nor an export": [tmp_path / "mine", states / "two"],
        "contains the other": [store, store / "site", tmp_path],
        "is not a folder": [tmp_path / "mine" / "thesis.txt"],
    }
    for why, folders in refused.items():
        for folder in folders:
            with pytest.raises(ExportError, match=why):
                export(store, folder)
    made_of(store, tmp_path / "site")
    (tmp_path / "site" / "CNAME").write_text("data.example.org")
    with pytest.raises(ExportError, match=r"files that no export wrote and that would be lost \(CNAME\)"):
        export(store, tmp_path / "site")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


def test_only_what_is_signed_is_exported(states: Path, tmp_path: Path) -> None:
    build(packages.write(tmp_path / "package", packages.table("t", ["id"], [["a"]])), tmp_path / "unsigned")
    store = own_store(states, tmp_path)
    made_of(store, tmp_path / "site")
    before = state(tmp_path / "site")
    file = store / "releases" / "1.0.0" / "data" / "things.csv"
    text = file.read_text()
    file.unlink()
    file.write_text(text.replace("row 3", "row 4"))
    for root, why in ((store, "data/things.csv is altered"), (tmp_path / "unsigned", "holds no signed releases")):
        with pytest.raises(ExportError, match=why):
            export(root, tmp_path / "site")
        run = lantern("export", "--store", root, tmp_path / "site")
        assert (run.returncode, "Traceback" in run.stderr) == (1, False)
    assert state(tmp_path / "site") == before


def test_a_mirror_can_be_exported(states: Path, origin: str, tmp_path: Path) -> None:
    copy(origin, tmp_path / "copy", newest=1)
    told: list[str] = []
    export(tmp_path / "copy", tmp_path / "site", tell=told.append)
    assert told == ["warning: release 1.0.0 is missing"]
    assert json.loads((tmp_path / "site" / "mirror.json").read_bytes())["upstream"] == origin
    assert origin in (tmp_path / "site" / "index.html").read_text()
    assert lantern("verify", tmp_path / "site").returncode == 0
    with plain(tmp_path / "site", tmp_path / "nginx") as url:
        assert copy(url, tmp_path / "second", newest=1).added == ("1.1.0",)


def test_links_begin_with_the_base_url(states: Path, tmp_path: Path) -> None:
    base = "https://example.org/data"
    run = lantern("export", tmp_path / "site", "--store", states / "one", "--base-url", f"{base}/")
    assert (run.returncode, run.stderr) == (0, "")
    first = json.loads((tmp_path / "site/v1/datasets/things/records/index.json").read_bytes())
    assert first["links"]["self"] == f"{base}/v1/datasets/things/records"
    assert f'href="{base}/v1/datasets"' in (tmp_path / "site" / "index.html").read_text()
    assert (tmp_path / "site/v1/releases/latest/index.json").read_bytes() == (
        tmp_path / "site/v1/releases/1.0.0/index.json"
    ).read_bytes()
    assert {entry["address"][0] for entry in listed(tmp_path / "site")} == {"/"}
    assert lantern("export", tmp_path / "site", "--base-url", "example.org").returncode == 2


def test_rows_can_be_left_out(states: Path, tmp_path: Path) -> None:
    made_of(states / "one", tmp_path / "site", rows=False)
    assert os.listdir(tmp_path / "site/v1/datasets/things/records") == ["index.json"]


ODD = ["a/b", "c,d", "ü ß", "100%", "%41", "#?&=+", "x.json", "records.csv", "a\\b", "'\"<>", "-", "~", "ещё", ".hid"]
WRONG = ["index.json", "..", ".", "../../up", "a//b", "x" * 300, "../records.csv"]


def test_odd_names_are_served_or_said_to_be_left_out(tmp_path: Path) -> None:
    tables = [
        packages.table("Größe, & 100%/Jahr", ["id", "value:integer"], [[key, 1] for key in sorted(ODD + WRONG)]),
        packages.table("two", ["a", "b"], [["a,b", "c"], ["a", "b,c"], ["x/y", "z,"]], primaryKey=["a", "b"]),
        packages.table("two/schema", ["id"], [["q"]]),
        packages.table("x.csv", ["id"], [["q"]]),
        packages.table("none", ["n:integer"], [], primaryKey=[]),
        packages.table("keyless", ["n:integer"], [[5], [6]], primaryKey=[]),
    ]
    build(packages.write(tmp_path / "package", *tables), tmp_path / "store")
    sign_store(tmp_path / "store", lambda _: None)
    told: list[str] = []
    done = export(tmp_path / "store", tmp_path / "site", tell=told.append)
    out = json.loads((tmp_path / "site" / LIST).read_bytes())["left_out"]
    assert done.left_out == len(out) > 5 and len(told) == 6
    left = {entry["address"] for entry in out}
    table = f"/v1/datasets/{quote(tables[0]['name'], safe='')}"
    assert {f"{table}/records/{quote(key, safe='~')}" for key in WRONG} <= left
    assert {"/v1/datasets/two/records/a%2Cb,c", "/v1/datasets/two/records/a,b%2Cc"} <= left
    kept = {entry["address"] for entry in listed(tmp_path / "site")}
    assert {f"{table}/records/{quote(key, safe='~')}" for key in ODD} <= kept
    assert "/v1/datasets/two/records/x%2Fy,z%2C" in kept and "/v1/datasets/keyless/records/2" in kept
    inside = {
        path.relative_to(tmp_path / "site").as_posix() for path in (tmp_path / "site").rglob("*") if path.is_file()
    }
    assert inside == {entry["file"] for entry in listed(tmp_path / "site")} | {*OWN} - {"mirror.json"}
    with serving(tmp_path / "store", tmp_path / "log") as live, plain(tmp_path / "site", tmp_path / "nginx") as url:
        assert different(tmp_path / "site", live, url) == []
        with closing(Client(url)) as client:
            unlike = {address for address in left if not re.search(r"two|\.\.|index\.json", address)}
            assert {client.get(address)[0] for address in unlike} == {404}
