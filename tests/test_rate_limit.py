"""A limit of requests for each client: what it counts, what it tells, and where it counts."""

import http.client
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import packages
import pytest
import running
from flask.testing import FlaskClient
from served import PROBLEM, app_of
from werkzeug.test import TestResponse

from api.release.build import build

PAGE = "/v1/datasets/things/records"
NAMES = ("RateLimit-Policy", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("limited")
    things = packages.table("things", ["id:integer", "name"], [[1, "one"]])
    build(packages.write(folder / "package", things, created="2026-01-01T00:00:00Z"), folder / "store")
    return folder / "store"


def limited(store: Path, limit: str = "3/hour", **settings: object) -> FlaskClient:
    return app_of(store, RATE_LIMIT=limit, **settings).test_client()


def ask(client: FlaskClient, path: str = PAGE, address: str = "192.0.2.1", **headers: str) -> TestResponse:
    return client.get(path, environ_overrides={"REMOTE_ADDR": address}, headers=headers)


def told(answer: TestResponse) -> list[str | None]:
    """The headers but for the time, which is of this hour."""
    assert 0 < int(answer.headers["RateLimit-Reset"]) <= 3600
    return [answer.headers.get(name) for name in NAMES[:3]]


def test_every_request_counts_also_those_that_the_cache_answers(store: Path) -> None:
    client = limited(store, "5/hour")
    first = ask(client)
    answers = [
        first,
        ask(client, If_None_Match=first.headers["ETag"]),
        ask(client, "/nothing"),
        client.head(PAGE, environ_overrides={"REMOTE_ADDR": "192.0.2.1"}),
        client.options(PAGE, environ_overrides={"REMOTE_ADDR": "192.0.2.1"}),
    ]
    assert [answer.status_code for answer in answers] == [200, 304, 404, 200, 200]
    assert [told(answer) for answer in answers] == [["5;w=3600", "5", str(left)] for left in (4, 3, 2, 1, 0)]
    for path in (PAGE, "/nothing", "/v1/datasets/%ff", "/docs/", "/releases/1.0.0/data/things.csv"):
        assert ask(client, path).status_code == 429, path
    assert ask(client, If_None_Match="*").status_code == 429
    assert ask(client, address="192.0.2.2").status_code == 200


def test_who_asks_too_much_gets_a_problem_that_says_when_to_come_again(store: Path) -> None:
    client = limited(store)
    for _ in range(3):
        assert ask(client).status_code == 200
    refused = ask(client, X_Request_Id="mine")
    assert (refused.status_code, refused.content_type) == (429, PROBLEM)
    assert refused.get_json() == {
        "type": "/problems/rate-limited",
        "title": "Too many requests",
        "status": 429,
        "detail": "At most 3 requests in 3600 seconds are answered: wait as long as Retry-After says.",
        "instance": PAGE,
        "request_id": "mine",
    }
    assert refused.headers["Retry-After"] == refused.headers["RateLimit-Reset"]
    assert told(refused) == ["3;w=3600", "3", "0"]
    assert refused.headers["Cache-Control"] == "no-store"
    exposed = refused.headers["Access-Control-Expose-Headers"].split(", ")
    assert {*NAMES, "Retry-After"} <= {*exposed}
    assert refused.headers["Access-Control-Allow-Origin"] == "*"


def test_whoever_waits_as_long_as_told_is_answered(store: Path) -> None:
    client = limited(store, "2 per 2 seconds")
    answers = [ask(client) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    time.sleep(int(answers[-1].headers["Retry-After"]) + 0.05)
    assert ask(client).status_code == 200


def test_what_watches_the_server_is_never_refused_and_sees_no_limit(store: Path) -> None:
    client = limited(store, "1/hour")
    for _ in range(3):
        for path in ("/healthz", "/readyz"):
            answer = ask(client, path)
            assert (answer.status_code, {*NAMES} & {*answer.headers.keys()}) == (200, set())
    assert ask(client).status_code == 200


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("", "", True),
        ("fe80::1%eth0", "fe80::2%eth0", True),
    ],
)
def test_a_client_is_an_address_and_of_ipv6_a_network(store: Path, one: str, other: str, same: bool) -> None:
    client = limited(store, "1/hour")
    assert ask(client, address=one).status_code == 200
    assert ask(client, address=other).status_code == (429 if same else 200)


def test_without_the_setting_nothing_is_counted_and_no_library_loaded(store: Path) -> None:
    client = app_of(store).test_client()
    assert not {*NAMES} & {*ask(client).headers.keys()}
    code = "import sys; from api.app import create_app; create_app(); assert not {'limits', 'redis'} & {*sys.modules}"
    subprocess.run([sys.executable, "-P", "-c", code], check=True)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("RATE_LIMIT", "many", "must be a number of requests and a time, such as 120/minute or 5000/day"),
        ("RATE_LIMIT", "0/minute", "must be a number of requests and a time, such as 120/minute or 5000/day"),
        ("RATE_LIMIT", "1/minute;2/day", "must be a number of requests and a time, such as 120/minute or 5000/day"),
        ("RATE_LIMIT", "5/fortnight", "must be a number of requests and a time, such as 120/minute or 5000/day"),
        ("RATE_STORAGE", "disk://", "must be memory:// or begin with redis://, rediss:// or redis+unix://"),
        ("RATE_STORAGE", "redis://here:port", "Port could not be cast to integer value as 'port'"),
    ],
)
def test_a_limit_that_cannot_be_read_is_told_before_anything_starts(
    store: Path, name: str, value: str, words: str
) -> None:
    environ = {**os.environ, "PORT": "0", "LANTERN_STORE": str(store), f"LANTERN_{name}": value}
    found = subprocess.run([*running.LANTERN, "serve"], env=environ, capture_output=True, text=True, timeout=60)
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr.strip() == f"Error: LANTERN_{name}={value!r}: {words}"


@contextmanager
def redis(folder: Path, port: int = 0) -> Iterator[int]:
    """The port of a Redis."""
    program = shutil.which("redis-server") or pytest.skip(
        "no redis-server here: on Debian, apt-get install redis-server"
    )
    if not port:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
    options = ("--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder))
    process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield port
    finally:
        process.kill()
        process.wait()


def statuses(url: str, count: int) -> list[int]:
    """Of so many requests, each on a connection of its own, so that several processes answer."""
    found = []
    for _ in range(count):
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=30)
        connection.request("GET", PAGE)
        found.append(connection.getresponse().status)
        connection.close()
    return found


def test_redis_counts_for_all_processes_and_when_it_fails_each_counts_by_itself(store: Path, tmp_path: Path) -> None:
    with redis(tmp_path) as port:
        environ = {"LANTERN_RATE_LIMIT": "10/hour", "LANTERN_RATE_STORAGE": f"redis://127.0.0.1:{port}"}
        log = tmp_path / "log"
        with running.lantern(log, "serve", LANTERN_STORE=str(store), LANTERN_WORKERS="3", **environ) as started:
            assert statuses(started.url, 40) == [200] * 10 + [429] * 30
            with running.lantern(tmp_path / "second", "serve", LANTERN_STORE=str(store), **environ) as second:
                assert statuses(second.url, 2) == [429] * 2  # one site may be several servers
        with running.lantern(log, "serve", LANTERN_STORE=str(store), LANTERN_WORKERS="1", **environ) as started:
            assert statuses(started.url, 1) == [429]
            connection = socket.create_connection(("127.0.0.1", port))
            connection.sendall(b"SHUTDOWN NOSAVE\r\n")
            connection.close()
            time.sleep(0.5)
            began = time.monotonic()
            assert statuses(started.url, 12) == [200] * 10 + [429] * 2
            assert time.monotonic() - began < 5
            assert log.read_text().count("RATE_STORAGE fails, each process counts by itself for 10 s") == 1
