"""An index that is deleted, cut or changed while a real server runs: nothing wrong is served, then all is again."""

import http.client
import json
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import running
from packages import table, write

from api.index import sqlite
from api.release.build import build

QUESTIONS = (
    "/v1/datasets/things/records?kind=k1&place=p2&sort=-value&limit=20",
    "/v1/datasets/things/records?value__gt=3000&sort=value&limit=20",
    "/v1/datasets/things/records/t00017",
    "/v1/datasets/things/records?kind=k3&place=p1&sort=place,value&limit=1000",
    "/v1/datasets/things/records.csv?value__lt=900",
    "/v1/datasets/things/records.jsonl?value__lt=900",
    "/v1/datasets/things/aggregate?group_by=kind&measure=sum:value,count",
    "/v1/datasets/things/facets?facet=place&value__gt=50",
    "/v1/search?q=word17",
    "/v1/datasets",
)


class Shelf(NamedTuple):
    """A running server without a cache, its store, and what it answers to each question."""

    store: Path
    port: int
    answers: dict[str, bytes]


def ask(port: int, path: str) -> tuple[int, bytes, dict[str, str]]:
    """The answer to a request over a connection of its own. Raises OSError or HTTPException where it breaks."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        client.request("GET", path)
        answer = client.getresponse()
        return answer.status, answer.read(), dict(answer.getheaders())
    finally:
        client.close()


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    folder = tmp_path_factory.mktemp("shelf")
    cells = [[f"t{n:05}", f"k{n % 7}", f"p{n % 5}", n * 13 % 6007, f"word{n % 50} more"] for n in range(6_000)]
    fields = ["id", "kind", "place", "value:integer", "text"]
    build(write(folder / "package", table("things", fields, cells), created="2026-01-01T00:00:00Z"), folder / "store")
    environ = {"LANTERN_STORE": str(folder / "store"), "LANTERN_CACHE_MB": "0"}
    with running.lantern(folder / "log", "serve", **environ) as server:
        port = int(server.url.rpartition(":")[2])
        answers = {path: ask(port, path) for path in QUESTIONS}
        assert {status for status, _, _ in answers.values()} == {200}
        yield Shelf(folder / "store", port, {path: body for path, (_, body, _) in answers.items()})


def files(store: Path) -> list[Path]:
    (index,) = store.glob("index/*/1.0.0-*")
    return sorted(index.iterdir())


def delete(path: Path) -> None:
    path.unlink()


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def change(path: Path) -> None:
    """One byte, and the time of the last change as it was."""
    before = path.stat()
    place = random.randrange(before.st_size)
    with path.open("r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 1 << random.randrange(8)]))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def wrong(shelf: Shelf, path: str) -> str:
    """How an answer is neither the right one nor a refusal, "" where it is one of both."""
    try:
        status, body, headers = ask(shelf.port, path)
    except (OSError, http.client.HTTPException):
        return ""  # the connection broke: nobody takes it for an answer
    if status == 503:
        problem = json.loads(body)
        refused = problem["type"] == "/problems/not-ready" and headers["Retry-After"].isdigit()
        return "" if refused else f"{path}: {body!r}"
    return "" if (status, body) == (200, shelf.answers[path]) else f"{path}: {status} {body[:200]!r}"


def test_an_index_has_every_kind_of_file(shelf: Shelf) -> None:
    assert [path.suffix for path in files(shelf.store)] == [".json", ".duckdb", ".sqlite"]


@pytest.mark.parametrize("spoil", [delete, cut, change])
def test_whatever_happens_to_a_file_nothing_wrong_is_served_and_then_all_again(
    shelf: Shelf, spoil: Callable[[Path], None]
) -> None:
    kinds = [path.suffix for path in files(shelf.store)]
    seen: list[str] = []
    ended = threading.Event()

    def read() -> None:
        while not ended.is_set():
            seen.append(wrong(shelf, random.choice(QUESTIONS)))

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    try:
        for kind in kinds:
            (path,) = (path for path in files(shelf.store) if path.suffix == kind)
            listing = path.with_name("index.json")
            before = listing.stat().st_ino
            spoil(path)
            until(lambda found=listing, old=before: found.exists() and found.stat().st_ino != old)
            until(lambda: all(ask(shelf.port, path)[0] == 200 for path in QUESTIONS))
    finally:
        ended.set()
        for reader in readers:
            reader.join()
    assert len(seen) > 20 and {*seen} == {""}, {*seen}
    for path, body in shelf.answers.items():
        assert ask(shelf.port, path)[:2] == (200, body)


def test_a_folder_of_an_index_that_is_gone_is_made_again(shelf: Shelf) -> None:
    (index,) = shelf.store.glob("index/*/1.0.0-*")
    index.rename(shelf.store / "away")
    assert wrong(shelf, QUESTIONS[0]) == ""
    until(lambda: (index / "index.json").exists())
    until(lambda: all(ask(shelf.port, path)[:2] == (200, shelf.answers[path]) for path in QUESTIONS))


def test_a_file_that_is_only_touched_is_hashed_again_and_served(shelf: Shelf) -> None:
    before = {path: path.stat().st_ino for path in files(shelf.store)}
    for path in before:
        path.touch()
    assert all(ask(shelf.port, path)[:2] == (200, shelf.answers[path]) for path in QUESTIONS)
    assert {path: path.stat().st_ino for path in files(shelf.store)} == before


def until(condition: Callable[[], Any]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize("name", ["tables-00000000.duckdb", "{}.wal", "more"])
def test_a_file_that_the_list_does_not_name_makes_an_index_a_damaged_one(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    build(write(tmp_path / "package", table("t", ["id"], [["a"]])), tmp_path / "store")
    (index,) = tmp_path.glob("store/index/*/1.0.0-*")
    (made,) = index.glob("*.duckdb")
    sqlite.check(index)
    (index / name.format(made.name)).write_bytes(made.read_bytes())
    with pytest.raises(sqlite.NoIndex, match="is damaged"):
        sqlite.check(index)
    assert "is damaged" in caplog.text
