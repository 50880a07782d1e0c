"""The log and the access log of a server: every line in one form, whatever is asked."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from monitoring import Seen, objects, script, server, until
from packages import table, write

from api.release.build import build

ROWS = "/v1/datasets/things/records"
RULE = "/v1/datasets/<name>/records"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SECRET = "c2VjcmV0"  # stands in headers and never in a log
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
# A server with routes that fail: before its answer begins, and while it is sent.
FAILING = """
from flask import Response, request
from api import server, settings
from api.app import create_app

def create(**values):
    app = create_app(**values)

    @app.get("/fails/<name>")
    def fails(name):
        raise RuntimeError("first\\nsecond\\x1b[31m")

    @app.get("/breaks")
    def breaks():
        def pieces():
            yield b"some"
            raise RuntimeError("broken")
        return Response(pieces())

    @app.after_request
    def lost(response):
        if "lose" in request.headers and response.status_code == 200:
            raise RuntimeError("lost")
        return response

    return app

server.run(settings.load(), create)
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shelf")
    package = write(folder / "package", table("things", ["id"], [["one"], ["two"]]), created="2026-01-01T00:00:00Z")
    build(package, folder / "store")
    return folder / "store"


@pytest.fixture(scope="module")
def json_server(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    environ = {"LANTERN_ACCESS_LOG": "json", "LANTERN_LOG": "json", "LANTERN_WORKERS": "1"}
    folder = tmp_path_factory.mktemp("json")
    with server(folder, store, script(folder, FAILING), **environ) as seen:
        yield seen


def lines_of(seen: Seen, name: str, request_id: str, least: int = 1) -> list[dict[str, object]]:
    """The lines of a log about one request."""

    def about() -> list[dict[str, object]]:
        return [one for one in objects(seen.lines(name)) if one.get("request_id") == request_id]

    until(lambda: len(about()) >= least)
    return about()


def test_a_line_says_what_was_asked_and_what_was_answered(json_server: Seen) -> None:
    target = f"{ROWS}?limit=1"
    for cache in ("miss", "hit"):
        status, headers, body = json_server.get(target, X_Request_Id=cache, traceparent=f"00-{TRACE}-{PARENT}-01")
        [line] = lines_of(json_server, "out", cache)
        assert re.fullmatch(TIME, str(line.pop("time")))
        assert 0 < float(str(line.pop("duration_ms"))) < 20_000
        assert line == {
            "request_id": cache,
            "trace_id": TRACE,
            "method": "GET",
            "target": target,
            "route": RULE,
            "status": status,
            "format": "json",
            "bytes": len(body),
            "cache": cache,
            "release": "1.0.0",
        }
        assert (status, headers["X-Data-Version"]) == (200, "1.0.0")


def test_the_documentation_names_every_field(json_server: Seen) -> None:
    page = (Path(__file__).parents[1] / "docs" / "OPERATIONS.md").read_text(encoding="utf-8")
    table = page.partition("| field | what it is |\n")[2].partition("\n\n")[0]
    json_server.get("/healthz", X_Request_Id="fields")
    [line] = lines_of(json_server, "out", "fields")
    assert re.findall("^[|] `([^`]+)` [|]", table, re.M) == [*line, "address"]


@pytest.mark.parametrize(
    ("name", "path", "method", "headers", "expected"),
    [
        ("head", f"{ROWS}?limit=2", "HEAD", {}, (RULE, 200, "json", 0, "-", "1.0.0")),
        ("known", ROWS, "GET", {"If_None_Match": "*"}, (RULE, 304, "", 0, "-", "1.0.0")),
        ("csv", f"{ROWS}.csv", "GET", {}, (f"{RULE}.<extension>", 200, "csv", 11, "miss", "1.0.0")),
        ("nothing", "/nothing/here", "GET", {}, ("", 404, "problem", None, "-", "")),
        ("post", ROWS, "POST", {}, ("", 405, "problem", None, "-", "")),
        ("wrong", f"{ROWS}?nothing=1", "GET", {}, (RULE, 400, "problem", None, "-", "1.0.0")),
        (
            *("range", "/releases/1.0.0/data/things.csv", "GET", {"Range": "bytes=0-3"}),
            ("/releases/<version>/<path:path>", 206, "csv", 4, "-", "1.0.0"),
        ),
        ("failed", "/fails/1", "GET", {}, ("/fails/<name>", 500, "problem", None, "-", "")),
        ("broken", "/breaks", "GET", {}, ("/breaks", 200, "html", 4, "-", "")),
    ],
)
def test_each_kind_of_answer_has_one_line(
    json_server: Seen, name: str, path: str, method: str, headers: dict[str, str], expected: tuple[object, ...]
) -> None:
    request = [f"{method} {path} HTTP/1.0", f"X-Request-Id: {name}"]
    request += [f"{header.replace('_', '-')}: {value}" for header, value in headers.items()]
    [answer] = json_server.raw("\r\n".join([*request, "", ""]).encode())
    [line] = lines_of(json_server, "out", name)
    sent = len(answer.partition(b"\r\n\r\n")[2])
    found = tuple(line[key] for key in ("route", "status", "format", "bytes", "cache", "release"))
    assert found == tuple(sent if value is None else value for value in expected)


def test_hostile_requests_add_one_line_each_and_nothing_of_their_own(store: Path, tmp_path: Path) -> None:
    heads = [
        f"Cookie: session={SECRET}\r\nAuthorization: Basic {SECRET}",
        f"X-Request-Id: {SECRET}\x1b[31m",
        f"X-Request-Id: {'x' * 200}{SECRET}",
        f"traceparent: 00-{TRACE}-{PARENT}-01{SECRET}",
        f'X-Request-Id: "{SECRET}"',
    ]
    targets = [
        "/%0a%0d{}",
        '/"\\\x7f',
        "/%1b[31m",
        "/\xff\xe2\x80\xa8",
        "/" + "a" * 8000,
        "http://me:" + SECRET + "@h/v1/",
    ]
    requests = [f"GET /healthz HTTP/1.1\r\nHost: h\r\n{head}\r\nConnection: close\r\n\r\n" for head in heads]
    requests += [f"GET {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" for target in targets]
    refused = [
        "GET\n\n",
        "GET /\x01 HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\na b: 1\r\n\r\n",
        f"GET /{'a' * 9000} HTTP/1.1\r\n\r\n",
    ]
    environ = {"LANTERN_LOG": "json", "LANTERN_WORKERS": "1"}
    for form in ("json", "common"):
        with server(tmp_path / form, store, LANTERN_ACCESS_LOG=form, **environ) as seen:
            answers = seen.raw(*(request.encode("latin-1") for request in [*requests, *refused]))
            assert all(answer.startswith(b"HTTP/1.1 ") for answer in answers)
            lines = seen.lines("out", 1 + len(answers))
            assert len(lines) == 1 + len(answers)
            assert [line for line in lines if not line.isascii() or not line.isprintable()] == []
            if form == "json":
                statuses = [line["status"] for line in objects(lines)[1:]]
            else:
                matches = [re.fullmatch(r'- - - \[[^]]+\] "[^"]*" (\d+) (\d+|-)', line) for line in lines[1:]]
                statuses = [int(match[1]) for match in matches if match]
            assert statuses == [int(answer.split()[1]) for answer in answers]
            log = (seen.folder / "log").read_text()
            objects(log.splitlines())
            assert SECRET not in "".join(lines)
            assert "127.0.0.1" not in "".join(lines[1:]) and "ip=127" not in log


def test_addresses_of_readers_are_logged_where_that_is_asked_for(store: Path, tmp_path: Path) -> None:
    for form, address in (("json", '"address": "127.0.0.1"'), ("common", "127.0.0.1 - - [")):
        environ = {"LANTERN_ACCESS_LOG": form, "LANTERN_ACCESS_LOG_ADDRESSES": "1", "LANTERN_WORKERS": "1"}
        with server(tmp_path / form, store, **environ) as seen:
            seen.get("/healthz")
            assert address in seen.lines("out", 2)[1]
            seen.raw(b"GET /\x01 HTTP/1.1\r\n\r\n")
            until(lambda: "Invalid request from ip=127.0.0.1" in (seen.folder / "log").read_text())


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (f"00-{TRACE}-{PARENT}-00", True),
        (f"00-{TRACE}-{PARENT}-ff", True),
        (f"cc-{TRACE}-{PARENT}-01-more", True),
        (f"cc-{TRACE}-{PARENT}-01", True),
        ("", False),
        (f"ff-{TRACE}-{PARENT}-01", False),
        (f"00-{TRACE}-{PARENT}-01-more", False),
        (f"cc-{TRACE}-{PARENT}-01more", False),
        (f"00-{TRACE.upper()}-{PARENT}-01", False),
        (f"00-{'0' * 32}-{PARENT}-01", False),
        (f"00-{TRACE}-{'0' * 16}-01", False),
        (f"00-{TRACE}-{PARENT}", False),
        (f"00-{TRACE}-{PARENT}-01,00-{TRACE}-{PARENT}-01", False),
    ],
)
def test_a_trace_that_is_named_rightly_goes_on_and_any_other_begins(json_server: Seen, given: str, taken: bool) -> None:
    request_id = f"trace-{abs(hash(given))}"
    json_server.get("/healthz", X_Request_Id=request_id, traceparent=given)
    [line] = lines_of(json_server, "out", request_id)
    assert re.fullmatch("[0-9a-f]{32}", str(line["trace_id"]))
    assert (line["trace_id"] == TRACE) is taken


@pytest.mark.parametrize(
    ("path", "says"), [("/fails/2", "Exception on /fails/2 [GET], request {}"), ("/breaks", "Error handling request")]
)
def test_a_failure_is_logged_once_with_its_traceback_and_its_request(json_server: Seen, path: str, says: str) -> None:
    request_id = f"failing-{path.strip('/')}"
    request = f"GET {path} HTTP/1.0\r\nX-Request-Id: {request_id}\r\ntraceparent: 00-{TRACE}-{PARENT}-01\r\n\r\n"
    json_server.raw(request.encode())
    [access] = lines_of(json_server, "out", request_id)
    [line] = lines_of(json_server, "log", request_id)
    assert (line["level"], line["trace_id"], line["message"]) == ("ERROR", TRACE, says.format(request_id))
    assert str(line["traceback"]).count("Traceback (most recent call last)") == 1
    assert access["trace_id"] == TRACE


def test_an_answer_that_breaks_off_costs_no_other_connection(json_server: Seen) -> None:
    before = json_server.workers()
    with socket.create_connection(("127.0.0.1", json_server.port), timeout=20) as kept:
        for _ in range(3):
            [answer] = json_server.raw(b"GET /breaks HTTP/1.1\r\nHost: h\r\n\r\n")
            assert b"\r\n4\r\nsome\r\n" in answer and not answer.endswith(b"0\r\n\r\n")  # which its reader can tell
        kept.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert kept.recv(1 << 16).startswith(b"HTTP/1.0 200 OK\r\n")
    assert json_server.workers() == before


def test_an_error_names_the_release_that_was_asked(json_server: Seen) -> None:
    assert json_server.get(f"{ROWS}?version=1.0.0&limit=2", X_Request_Id="lost", lose="this")[0] == 500
    [line] = lines_of(json_server, "log", "lost")
    assert (line["release"], "RuntimeError: lost" in str(line["traceback"])) == ("1.0.0", True)
    [access] = lines_of(json_server, "out", "lost")
    assert (access["release"], access["route"], access["status"]) == ("1.0.0", RULE, 500)


def test_every_line_of_the_plain_log_begins_with_time_level_and_process(store: Path, tmp_path: Path) -> None:
    with server(tmp_path, store, script(tmp_path, FAILING), LANTERN_WORKERS="1") as seen:
        assert seen.get("/fails/a%0a2026%1b", X_Request_Id="mine", traceparent=f"00-{TRACE}-{PARENT}-01")[0] == 500
        seen.raw(b"GET /\x1b HTTP/1.1\r\n\r\n")
        until(lambda: "Invalid request" in (seen.folder / "log").read_text())
        log = (seen.folder / "log").read_text()
    heads = [line for line in log.splitlines() if not line.startswith("  ")]
    assert [line for line in heads if not re.match(rf"{TIME} [A-Z]+ \[\d+\] ", line)] == []
    [error] = [line for line in heads if " ERROR " in line]
    assert error.endswith(rf"] Exception on /fails/a\n2026\x1b [GET], request mine trace_id={TRACE}")
    assert log.count("Traceback") == 1 and "\x1b" not in log and "\n  RuntimeError: first\n  second" in log
    assert any("Starting gunicorn" in line for line in heads)


def test_making_an_index_at_the_start_is_a_line_of_the_log(store: Path, tmp_path: Path) -> None:
    environ = {"LANTERN_LOG": "json", "LANTERN_INDEX": str(tmp_path / "index"), "LANTERN_ACCESS_LOG": "json"}
    with server(tmp_path, store, **environ) as seen:
        said = [line["message"] for line in objects(seen.lines("log", 4))]
        assert "making the index of release 1.0.0" in said
        assert objects(seen.lines("out"))[0]["message"] == f"Serving on http://127.0.0.1:{seen.port}"


def test_a_server_whose_stdout_nobody_reads_goes_on(store: Path, tmp_path: Path) -> None:
    command = [
        "bash",
        "-c",
        'exec 3>&1; exec "$@" > >(head -1 >&3)',
        "bash",
        sys.executable,
        "-P",
        "-m",
        "api",
        "serve",
    ]
    with server(tmp_path, store, command, LANTERN_ACCESS_LOG="json", LANTERN_WORKERS="1") as seen:
        assert [seen.get(ROWS)[0] for _ in range(3)] == [200] * 3


def test_without_the_settings_no_answer_is_logged_and_nothing_for_it_is_loaded(store: Path, tmp_path: Path) -> None:
    with server(tmp_path, store, LANTERN_WORKERS="1") as seen:
        assert [seen.get(ROWS)[0] for _ in range(3)] == [200] * 3
        assert seen.lines("out") == [f"Serving on http://127.0.0.1:{seen.port}"]
    loaded = "import sys, api.server; sys.exit('prometheus_client' in sys.modules)"
    subprocess.run([sys.executable, "-c", loaded], check=True)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("LANTERN_LOG", "loud", "must be one of plain, json"),
        ("LANTERN_ACCESS_LOG", "combined", "must be one of (empty), json, common"),
        ("LANTERN_ACCESS_LOG_ADDRESSES", "yes", "must be one of 0, 1"),
    ],
)
def test_a_wrong_form_is_wrong_usage(name: str, value: str, says: str, store: Path, tmp_path: Path) -> None:
    environ = {**os.environ, "LANTERN_STORE": str(store), "PORT": "0", name: value}
    command = [sys.executable, "-P", "-m", "api", "serve"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60)
    assert (done.returncode, f"{name}='{value}': {says}" in done.stderr) == (2, True), done.stderr
