"""Costly questions: each ends in time, few are answered at once, and whoever asks for little does not notice."""

import contextlib
import http.client
import json
import os
import signal
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import packages
import pytest
import running
from flask import Flask
from flask.testing import FlaskClient
from served import app_of, rows_path

from api.index import bounds, sqlite
from api.release.build import build

ROWS, PARTS = 12_000, 50
BEGINNINGS = "+".join(f"{letter}*" for letter in "bcdfghjk")
AGGREGATE, FACETS = "/v1/datasets/things/aggregate", "/v1/datasets/things/facets"
# Each kind of question that takes the longer the larger the tables are, with the encoding that the client takes.
QUESTIONS = {
    "page": (rows_path("things", "note__contains=zzz&sort=-amount,note"), ""),
    "beginnings": (rows_path("things", f"q={BEGINNINGS}&limit=1000"), ""),
    "alternatives": (rows_path("things", "or=note__contains%3Dzz&or=amount__lt%3D1&sort=note,-amount"), ""),
    "foreign": (rows_path("things", "source.title__contains=7&sort=note,-amount&fields=id,source.title"), ""),
    "expanded": (rows_path("things", "expand=source&limit=1000&sort=-amount,note"), ""),
    "search": (f"/v1/search?q={BEGINNINGS}", ""),
    "csv": (rows_path("things", "sort=-amount,note", ".csv"), ""),
    "csv, compressed": (rows_path("things", "id__gte=1", ".csv"), "gzip"),
    "csv, fields": (rows_path("things", "fields=note,id", ".csv"), "br"),
    "csv, for Excel": (rows_path("things", "excel=1", ".csv"), "zstd"),
    "tsv": (rows_path("things", "fields=id,source.title", ".tsv"), ""),
    "jsonl": (rows_path("things", "expand=source", ".jsonl"), "br"),
    "parquet": (rows_path("things", "sort=note", ".parquet"), ""),
    "xlsx": (rows_path("things", "limit=1", ".xlsx"), ""),
    "facets": (f"{FACETS}?facet=note,amount,day,year&sort=value", ""),
    "facets, all": (f"{FACETS}.csv?facet=note,amount", ""),
    "groups": (f"{AGGREGATE}?group_by=note,day&measure=median:amount,count_distinct:year", ""),
    "groups, all": (f"{AGGREGATE}.jsonl?group_by=note,id&measure=sum:amount", "gzip"),
    "wide": (f"{AGGREGATE}.csv?group_by=note&columns=year&measure=count", ""),
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tables that no index answers every question about."""
    folder, random = tmp_path_factory.mktemp("large"), Random(1)
    words = [f"{first}{second}{third}" for first in "bcdfghjk" for second in "aeiou" for third in ("ra", "lo", "mi")]
    rows = [
        [number, 1990 + number % 35, f"20{10 + number % 15}-0{1 + number % 9}-1{number % 10}"]
        + [
            " ".join([f"n{number}", *random.choices(words, k=12)]),
            f"{random.randrange(10**8) / 100:.2f}",
            number % PARTS,
        ]
        for number in range(ROWS)
    ]
    foreign = [{"fields": ["source"], "reference": {"resource": "sources", "fields": ["id"]}}]
    fields = ["id:integer", "year:year", "day:date", "note", "amount:number", "source:integer"]
    things = packages.table("things", fields, rows, foreignKeys=foreign)
    sources = packages.table(
        "sources", ["id:integer", "title"], [[number, f"part {number}"] for number in range(PARTS)]
    )
    build(packages.write(folder / "package", things, sources, created="2026-01-01T00:00:00Z"), folder / "store")
    return folder / "store"


@pytest.fixture
def app(store: Path) -> Flask:
    return app_of(store, CACHE_MB=0, TIME_LIMIT=0)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def shortest(ask: Callable[[], Any]) -> float:
    """The seconds that the quicker of two takes."""
    taken = []
    for _ in range(2):
        began = time.monotonic()
        ask()
        taken.append(time.monotonic() - began)
    return min(taken)


@pytest.mark.parametrize("kind", QUESTIONS)
def test_every_kind_of_question_is_ended_when_its_time_is_over(app: Flask, client: FlaskClient, kind: str) -> None:
    path, encoding = QUESTIONS[kind]
    headers = {"Accept-Encoding": encoding}
    assert client.get(path, headers=headers).status_code == 200
    part = 20 if kind in ("csv", "page") else 4  # what of these takes time at all is done early
    app.config["TIME_LIMIT"] = shortest(lambda: client.get(path, headers=headers)) / part
    began = time.monotonic()
    answer = client.get(path, headers=headers)
    assert time.monotonic() - began < app.config["TIME_LIMIT"] + 1
    assert (answer.status_code, answer.get_json()["type"]) == (503, "/problems/too-slow"), kind
    assert (answer.headers["Retry-After"], answer.headers["Cache-Control"]) == ("60", "no-store")


def test_a_history_is_ended_too(app: Flask, client: FlaskClient) -> None:
    """It looks a row up in each release."""
    path = rows_path("things").replace("/records", "/records/7/history")
    assert client.get(path).status_code == 200
    app.config["TIME_LIMIT"] = 1e-6
    assert client.get(path).get_json()["type"] == "/problems/too-slow"


def test_a_search_is_interrupted_while_the_engine_is_within_one_step(store: Path) -> None:
    """SQLite's own clock ticks between steps; full text merges all the words of a beginning within one."""
    (index,) = store.glob("index/*/1.0.0-*")
    sql, values = "SELECT count(*) FROM q0 WHERE q0 MATCH ?", [" ".join(f'"{letter}"*' for letter in "nbcdfghjk")]

    whole = shortest(lambda: sqlite.rows(index, sql, values))

    def interrupted() -> None:
        bounds.begin(whole / 10)
        try:
            with pytest.raises(bounds.TooSlow):
                sqlite.rows(index, sql, values)
        finally:
            bounds.end()

    assert shortest(interrupted) < whole * 0.8
    assert sqlite.rows(index, "SELECT 1", []) == [(1,)]


def stream(client: FlaskClient) -> Any:
    """A download under way: its beginning was sent, its end was not read."""
    answer = client.get(rows_path("things", "id__gte=1", ".csv"), buffered=False)
    assert answer.status_code == 200
    return answer


def test_a_download_keeps_its_turn_until_its_end_and_little_questions_need_none(client: FlaskClient) -> None:
    streams = [stream(client) for _ in range(bounds.AT_ONCE)]
    for path in (rows_path("things", "note__contains=zzz"), rows_path("sources", "id=1", ".xlsx")):
        began = time.monotonic()
        answer = client.get(path)
        assert time.monotonic() - began < bounds.WAIT + 1
        assert (answer.status_code, answer.get_json()["type"]) == (503, "/problems/busy")
        assert (answer.headers["Retry-After"], answer.headers["Cache-Control"]) == ("2", "no-store")
    for path in (
        "/healthz",
        "/v1/datasets/things/records?id=5",
        "/v1/datasets/things/records.csv?id=5",
        "/v1/datasets/things/records?limit=1000",
        "/v1/datasets/things/records.csv",  # the release's file
        "/releases/1.0.0/package.zip",
        "/v1/changes",
    ):
        assert client.get(path).status_code == 200, path
    streams.pop().close()
    assert client.get(rows_path("things", "note__contains=zzz")).status_code == 200
    assert client.get("/problems/busy").status_code == 200
    for one in streams:
        one.close()


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        (rows_path("things", "note__contains=z", ".csv"), {}, 200),
        (rows_path("things", "id__gte=1", ".csv"), {"Range": "bytes=5-9"}, 206),
        (rows_path("things", "id__gte=1", ".csv"), {"Range": "bytes=999999999-"}, 416),
        (rows_path("things", "limit=1&excel=1", ".xlsx"), {}, 400),
        (rows_path("sources", "id__lt=3", ".xlsx"), {}, 200),
        (f"{AGGREGATE}?group_by=note,day&measure=count_distinct:year", {}, 200),
    ],
)
def test_whatever_becomes_of_a_costly_request_its_turn_comes_back(
    client: FlaskClient, path: str, headers: dict[str, str], status: int
) -> None:
    for _ in range(bounds.AT_ONCE + 1):
        assert client.get(path, headers=headers).status_code == status
        assert ".xlsx" in path or client.head(path, headers=headers).status_code == 200


@pytest.mark.parametrize(("threads", "most"), [(1, 1), (2, 1), (4, 3), (16, 12)])
def test_a_quarter_of_the_threads_is_left_to_what_is_not_costly(store: Path, threads: int, most: int) -> None:
    """So many requests are under way or wait a second for their turn; the next one is told at once."""
    client = app_of(store, CACHE_MB=0, THREADS=threads).test_client()
    streams = [stream(client) for _ in range(min(bounds.AT_ONCE, most))]
    path, waiting = rows_path("things", "note__contains=zzz"), most - len(streams)
    ready = threading.Barrier(waiting + 1)
    told: list[int] = []

    def ask() -> None:
        ready.wait()
        told.append(client.application.test_client().get(path).status_code)

    others = [threading.Thread(target=ask) for _ in range(waiting)]
    for other in others:
        other.start()
    ready.wait()
    time.sleep(0.3)
    assert told == []
    began = time.monotonic()
    assert client.get(path).status_code == 503
    assert time.monotonic() - began < 0.5
    for one in streams:
        one.close()
    for other in others:
        other.join()
    assert told == [200] * waiting


@pytest.fixture
def server(store: Path, tmp_path: Path) -> Iterator[int]:
    """The port of a server with one process."""
    with running.lantern(tmp_path / "log", "serve", LANTERN_STORE=str(store), LANTERN_WORKERS="1") as started:
        yield int(started.url.rpartition(":")[2])


def test_little_questions_are_answered_at_once_beside_a_dozen_costly_ones(server: int) -> None:
    cheap = (
        "/healthz",
        rows_path("things", "limit=100"),
        "/releases/1.0.0/data/sources.csv",
        rows_path("things", "id=9"),
    )
    costly = (
        *(rows_path("sources", f"limit=1&id__gte={number}", ".xlsx") for number in range(4)),
        *(rows_path("things", f"fields=note&id__gt={number}", ".csv") for number in range(4)),
        *(f"{AGGREGATE}?group_by=note,day&measure=median:amount&id__gt={number}" for number in range(4)),
    )
    over, seen = threading.Event(), list[tuple[int, str | None]]()

    def get(path: str) -> tuple[int, str | None, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", server, timeout=30)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.headers["Retry-After"], answer.read()
        finally:
            connection.close()

    def press(path: str) -> None:
        number = 0
        while not over.is_set():
            number += 1
            status, after, body = get(f"{path}&id__lt={ROWS + number}")
            seen.append((status, after))
            if status != 200:
                assert json.loads(body)["type"] == "/problems/busy"

    for path in cheap:
        get(path)
    pressing = [threading.Thread(target=press, args=(path,)) for path in costly]
    for one in pressing:
        one.start()
    time.sleep(0.5)
    taken: dict[str, list[float]] = {path: [] for path in cheap}
    for _ in range(25):
        for path in cheap:
            began = time.monotonic()
            assert get(path)[0] == 200
            taken[path].append(time.monotonic() - began)
    over.set()
    for one in pressing:
        one.join()
    assert {*seen} <= {(200, None), (503, "2")} and (200, None) in seen
    for path, seconds in taken.items():
        assert statistics.median(seconds) < 0.1, (path, sorted(seconds))
        assert max(seconds) < 1, (path, sorted(seconds))


def test_an_extract_that_the_system_ends_is_refused_and_no_fault_of_the_servers(client: FlaskClient) -> None:
    def end() -> None:
        """Kill the process that writes the extract, as the system does where memory is short."""
        until = time.monotonic() + 20
        while time.monotonic() < until:
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):
                    parent = int((path.parent / "stat").read_text().rpartition(") ")[2].split()[1])
                    if parent == os.getpid() and b"api.release.extract" in path.read_bytes():
                        return os.kill(int(path.parent.name), signal.SIGKILL)
            time.sleep(0.005)

    ending = threading.Thread(target=end)
    ending.start()
    answer = client.get(f"{rows_path('things')}.xlsx?limit=1000")
    ending.join()
    assert (answer.status_code, answer.get_json()["type"]) == (503, "/problems/too-slow")
    assert answer.headers["Retry-After"] == "60"
