"""The proxies of deploy/proxy in front of a real server: what they pass on, keep, and hold off."""

import http.client
import json
import os
import resource
import signal
import socket
import ssl
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import running
from fronts import HOST, PROGRAMS, front
from load import add_file, asking, failed, until
from packages import table, write
from running import Running

from api.release.build import build

SIZE = 40_000_000
FILE = "/releases/1.0.0/files/large.bin"
RECORDS = "/v1/datasets/things/records"
PATHS = [
    "/v1/",
    RECORDS,
    f"{RECORDS}/a%2Fb",
    f"{RECORDS}.csv?kind=x",
    "/releases/1.0.0/data/things.csv",
    "/nothing",
    "/docs",
]
KEEPING = ["nginx", "varnishd"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    things = table("things", ["id", "kind"], [["a/b", "x"], ["c", "y"]])
    package = write(folder / "package", things, created="2026-01-01T00:00:00Z")
    build(add_file(package, "files/large.bin", SIZE), folder / "store")
    return folder / "store"


@contextmanager
def served(store: Path, log: Path, **environ: str) -> Iterator[Running]:
    with running.lantern(log, "serve", LANTERN_STORE=str(store), LANTERN_PROXIES="1", **environ) as server:
        yield server


@pytest.fixture(scope="module")
def server(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with served(store, tmp_path_factory.mktemp("server") / "log") as started:
        yield started


@pytest.fixture(params=PROGRAMS)
def proxy(request: pytest.FixtureRequest, server: Running, tmp_path: Path) -> Iterator[int]:
    with front(request.param, tmp_path / "front", server.url) as port:
        yield port


def ask(port: int, path: str, method: str = "GET", **headers: str) -> tuple[int, Any, bytes]:
    """Status, headers and body of an answer of what listens on a port, to a client that asks for our host."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    sent = {"Host": HOST, **{name.replace("_", "-"): value for name, value in headers.items()}}
    client.request(method, path, headers=sent)
    answer = client.getresponse()
    body = answer.read()
    client.close()
    return answer.status, answer.headers, body


def without_id(body: bytes) -> object:
    """A body without the number of its request."""
    try:
        return {**json.loads(body), "request_id": ""}
    except ValueError:
        return body


def test_a_proxy_passes_on_what_the_server_says(proxy: int, server: Running) -> None:
    own = int(server.url.rpartition(":")[2])
    said = {"X_Forwarded_Host": HOST, "X_Forwarded_Proto": "http"}
    for _ in range(2):  # the second time some are kept
        for path in PATHS:
            (status, headers, body), (own_status, own_headers, own_body) = ask(proxy, path), ask(own, path, **said)
            assert (status, without_id(body)) == (own_status, without_id(own_body)), path
            for name in ("Content-Type", "Cache-Control", "Link", "Location", "X-Data-Version", "Repr-Digest"):
                assert headers[name] == own_headers[name], (path, name)
            assert headers["Access-Control-Allow-Origin"] == "*"
    assert json.loads(ask(proxy, RECORDS)[2])["links"]["self"] == f"http://{HOST}{RECORDS}"


def test_through_a_proxy_ranges_conditions_and_compression_are_as_without(proxy: int, store: Path) -> None:
    large = (store / FILE.strip("/")).read_bytes()
    status, headers, body = ask(proxy, FILE, Range="bytes=1000-1999")
    assert (status, headers["Content-Range"], body) == (206, f"bytes 1000-1999/{SIZE}", large[1000:2000])
    assert ask(proxy, FILE)[2] == large
    status, headers, body = ask(proxy, FILE, "HEAD")
    assert (status, headers["Content-Length"], body) == (200, str(SIZE), b"")
    for encoding in ("gzip", "identity"):
        tag = ask(proxy, "/v1/", Accept_Encoding=encoding)[1]["ETag"]
        assert ask(proxy, "/v1/", Accept_Encoding=encoding, If_None_Match=tag)[::2] == (304, b"")
    assert ask(proxy, "/", Accept="text/html")[1]["Content-Type"] == "text/html; charset=utf-8"
    assert ask(proxy, RECORDS, Accept="text/csv")[1]["Content-Type"] == "text/csv; charset=utf-8"
    status, headers, body = ask(proxy, RECORDS, "POST")
    assert (status, headers["Content-Type"]) == (405, "application/problem+json")


def test_what_a_client_says_of_proxies_does_not_pass(proxy: int) -> None:
    spoofed = {"X_Forwarded_Proto": "https", "X_Forwarded_Host": "evil.example", "X_Forwarded_Prefix": "/evil"}
    for query in ("", "?limit=7"):  # kept by then, and not
        plain = json.loads(ask(proxy, RECORDS)[2])["links"]["first"]
        assert plain == f"http://{HOST}{RECORDS}"
        got = json.loads(ask(proxy, RECORDS + query, **spoofed, SCRIPT_NAME="/v1")[2])["links"]["first"]
        assert got == f"http://{HOST}{RECORDS}{query}"


SUBPATHS = {
    "nginx": [('#"~^/data/"', '"~^/data/"'), ('#"~^/data(?<rest>', '"~^/data(?<rest>')],
    "caddy": [
        ("#handle_path", "handle_path"),
        ("\t#}", "\t}"),
        ('header_up X-Forwarded-Prefix ""\n', ""),
        ("#header_up", "header_up"),
    ],
}


@pytest.mark.parametrize(("name", "changes"), SUBPATHS.items(), ids=SUBPATHS)
def test_below_a_path_of_a_site_all_links_begin_with_it(
    server: Running, tmp_path: Path, name: str, changes: list[tuple[str, str]]
) -> None:
    with front(name, tmp_path / "front", server.url, *changes) as port:
        for path in (RECORDS, f"{RECORDS}/a%2Fb", "/v1/datasets/things"):
            status, headers, body = ask(port, f"/data{path}", X_Forwarded_Prefix="/evil")
            assert (status, json.loads(body)["links"]["self"]) == (200, f"http://{HOST}/data{path}")
        assert ask(port, "/data/docs")[1]["Location"] == f"http://{HOST}/data/docs/"
        assert ask(port, "/data/docs/")[0] == 200


def test_two_proxies_in_a_row_are_counted(store: Path, tmp_path: Path) -> None:
    """Caddy, which has certificates, before Varnish, which keeps responses: the links are those of Caddy's host."""
    with (
        running.lantern(tmp_path / "log", "serve", LANTERN_STORE=str(store), LANTERN_PROXIES="2") as server,
        front("varnishd", tmp_path / "inner", server.url, ('#"127.0.0.1";', '"127.0.0.1";')) as inner,
    ):
        https = ("transport http", "header_up X-Forwarded-Proto https\n\t\ttransport http")
        prefix = ('header_up X-Forwarded-Prefix ""', "header_up X-Forwarded-Prefix /data")
        with front("caddy", tmp_path / "outer", f"http://127.0.0.1:{inner}", https, prefix) as outer:
            for _ in range(2):
                links = json.loads(ask(outer, RECORDS)[2])["links"]
                assert links["self"] == f"https://{HOST}/data{RECORDS}"


def test_over_tls_links_are_of_https(server: Running, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    names = ["-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}"]
    subprocess.run([*made, *names, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    changes = [
        ("#listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("#ssl_", "ssl_"),
        ("/etc/letsencrypt/live/data.example.org/fullchain.pem", str(certificate)),
        ("/etc/letsencrypt/live/data.example.org/privkey.pem", str(key)),
    ]
    with front("nginx", tmp_path / "front", server.url, *changes):
        trust = ssl.create_default_context(cafile=certificate)
        with trust.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname=HOST) as client:
            client.sendall(f"GET {RECORDS} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
            answer = http.client.HTTPResponse(client)
            answer.begin()
            assert json.loads(answer.read())["links"]["self"] == f"https://{HOST}{RECORDS}"
        with trust.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname=HOST) as client:
            client.sendall(b"GET /v1/ HTTP/1.1\r\nHost: evil.example\r\n\r\n")
            assert client.recv(100) == b""


@pytest.mark.parametrize("name", KEEPING)
def test_what_was_kept_is_given_while_the_server_is_away(store: Path, tmp_path: Path, name: str) -> None:
    """Without it everything else is a problem document, which pages from elsewhere can read."""
    with ExitStack() as stack:
        server = stack.enter_context(served(store, tmp_path / "log"))
        port = stack.enter_context(front(name, tmp_path / "front", server.url))
        kept = [ask(port, path) for path in ("/v1/", FILE)]
        os.killpg(server.pid, signal.SIGKILL)
        for path, (status, _, body) in zip(("/v1/", FILE), kept, strict=True):
            assert (status, ask(port, path)[::2]) == (200, (200, body))
        status, headers, body = ask(port, "/v1/datasets")
        assert (status, json.loads(body)["status"], headers["Retry-After"]) == (503, 503, "10")
        assert (headers["Content-Type"], headers["Access-Control-Allow-Origin"]) == ("application/problem+json", "*")


def test_a_stale_page_is_given_at_once_and_made_anew_behind(server: Running, tmp_path: Path) -> None:
    """With pages that are good for a second."""
    short = ("proxy_cache lantern;", "proxy_cache lantern; proxy_ignore_headers Cache-Control; proxy_cache_valid 1s;")
    told = (
        "proxy_hide_header X-Request-Id;",
        "add_header X-Cache-Status $upstream_cache_status; proxy_hide_header X-Request-Id;",
    )
    with front("nginx", tmp_path / "front", server.url, short, told) as port:
        states = [ask(port, "/v1/")[1]["X-Cache-Status"] for _ in range(2)]
        time.sleep(2.5)  # nginx counts whole seconds
        states.append(ask(port, "/v1/")[1]["X-Cache-Status"])
        until(lambda: ask(port, "/v1/")[1]["X-Cache-Status"] == "HIT", 5)
    assert states == ["MISS", "HIT", "STALE"]


def test_behind_nginx_a_killed_process_costs_no_request(store: Path, tmp_path: Path) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(served(store, tmp_path / "log"))
        port = stack.enter_context(
            front("nginx", tmp_path / "front", server.url, (f"server_name {HOST}", "server_name 127.0.0.1"))
        )
        children = Path(f"/proc/{server.pid}/task/{server.pid}/children")
        with asking(f"http://127.0.0.1:{port}", "/healthz", pause=0.1) as asked:  # which is never kept
            for _ in range(3):
                until(lambda: len(children.read_text().split()) == 2)
                time.sleep(0.5)
                os.kill(int(children.read_text().split()[0]), signal.SIGKILL)
            time.sleep(1)
    assert len(asked) > 20
    assert failed(asked) == []


def test_nginx_refuses_a_client_that_asks_for_too_much_at_a_time_and_serves_others(
    server: Running, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        port = stack.enter_context(front("nginx", tmp_path / "front", server.url))
        assert len(ask(port, FILE)[2]) == SIZE
        for _ in range(20):
            connected(stack, port, 1, f"GET {FILE} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()).recv(1)
        refused = http.client.HTTPResponse(
            connected(stack, port, 1, f"GET /v1/ HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        )
        refused.begin()
        problem = json.loads(refused.read())
        assert (refused.status, problem["status"], problem["type"]) == (
            *(429, 429),
            f"http://{HOST}/problems/rate-limited",
        )
        assert (refused.headers["Content-Type"], refused.headers["Retry-After"]) == ("application/problem+json", "5")
        assert refused.headers["Access-Control-Allow-Origin"] == "*"
        assert ask(port, "/v1/")[0] == 200  # from another address


def test_nginx_refuses_a_client_that_asks_too_often(server: Running, tmp_path: Path) -> None:
    often = ("burst=400 delay=200", "burst=5 nodelay")
    with front("nginx", tmp_path / "front", server.url, often) as port:
        statuses = Counter(ask(port, "/v1/")[0] for _ in range(30))
    assert statuses[200] >= 6 and statuses[429] > 0 and sum(statuses.values()) == statuses[200] + statuses[429]


def test_nginx_asks_for_no_host_but_ours(server: Running, tmp_path: Path) -> None:
    with front("nginx", tmp_path / "front", server.url) as port:
        with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
            ask(port, "/v1/", Host="evil.example")


def connected(stack: ExitStack, port: int, number: int, sent: bytes = b"") -> socket.socket:
    """A client with an address of its own (one of 127.0.0.0/8) that sent that, and has a small buffer to read into."""
    client = stack.enter_context(socket.socket())
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(30)
    client.bind((f"127.1.{number // 250}.{number % 250 + 1}", 0))
    client.connect(("127.0.0.1", port))
    client.sendall(sent)
    return client


@pytest.mark.parametrize("name", KEEPING)
def test_500_slow_heads_200_slow_readers_and_500_idle_clients_keep_nobody_waiting(
    server: Running, tmp_path: Path, name: str
) -> None:
    """Each ten of them from one address. Beside them /healthz takes under 100 ms; 3 times in 60 it may be longer."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, hard), hard))
    times: list[float] = []
    try:
        with ExitStack() as stack:
            port = stack.enter_context(front(name, tmp_path / "front", server.url))
            asked = f"GET {FILE} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
            readers = [connected(stack, port, number // 10, asked) for number in range(200)]
            heads = [connected(stack, port, 100 + number // 10, asked[:-4]) for number in range(500)]
            idle = [connected(stack, port, 200 + number // 10) for number in range(500)]
            assert all(reader.recv(12) == b"HTTP/1.1 200" for reader in readers)
            for turn in range(60):
                for client in heads[turn::60]:
                    with_patience(client, b"\r\nX: 1")
                for client in readers[turn::60]:
                    assert client.recv(256)
                began = time.monotonic()
                assert ask(port, "/healthz")[0] == 200
                times.append(time.monotonic() - began)
                time.sleep(0.05)
            assert len(idle) == 500
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    times.sort()
    print(f"{name}: p50 {times[30] * 1000:.1f} ms, p99 {times[59] * 1000:.1f} ms")
    assert times[56] < 0.1, times


def with_patience(client: socket.socket, sent: bytes) -> None:
    """Send a piece of a head; who was closed meanwhile held nobody up."""
    try:
        client.sendall(sent)
    except OSError:
        pass
