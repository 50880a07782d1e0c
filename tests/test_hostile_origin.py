"""A release that is signed and hostile costs a mirror that release only, and no file of it is opened as a database."""

import hashlib
import http.server
import json
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from newsroom import copy, own_store, publish, released, states

from api.app import create_app
from api.mirror import status
from api.model.files import SUMS
from api.release.media_types import media_type
from api.store import manifest
from api.trust import sign_store, verify

__all__ = ["states"]
EVIL = "1.1.0"
ROWS = "/v1/datasets/things/records"


class Files(http.server.SimpleHTTPRequestHandler):
    """The files of a folder; nothing on the terminal."""

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def files_of(folder: Path) -> Iterator[str]:
    """The address of a web server that knows nothing of releases: it shows whatever its owner signed."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Files, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def origin(states: Path, folder: Path, spoil: Callable[[Path], object]) -> Path:
    """A store with a good release, one that is spoiled and then signed, and a good one after it."""
    store = own_store(states, folder, "one")
    release = store / "releases" / EVIL
    shutil.copytree(states / "three/releases" / EVIL, release)
    values = json.loads((release / "manifest.json").read_bytes())
    (release / "manifest.json").unlink()
    (release / SUMS).unlink()
    said = spoil(release)
    values |= {"files": manifest.entries(release, {}, media_type)} | (said if isinstance(said, dict) else {})
    raw = manifest.dump(values).encode()
    (release / "manifest.json").write_bytes(raw)
    (release / SUMS).write_bytes(manifest.read(raw).sums())
    publish(states, store, "1.2.0")
    return store


def database(path: Path) -> None:
    """A file of SQLite in which whoever asks it anything waits for ever."""
    path.unlink(missing_ok=True)
    path.parent.mkdir(exist_ok=True)
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
    with sqlite3.connect(path) as db:
        for name in ("things", "layout", "t0", "sources"):
            db.execute(f"CREATE VIEW {name} AS {endless}")
    db.close()


def edited(name: str, change: Callable[[str], str]) -> Callable[[Path], None]:
    """What changes a text of a release."""

    def spoil(release: Path) -> None:
        path = release / name
        assert change(path.read_text()) != path.read_text()
        path.write_text(change(path.read_text()))

    return spoil


def described(change: Callable[[Any], object]) -> Callable[[Path], None]:
    """What changes the descriptor of a release."""

    def spoil(release: Path) -> None:
        path = release / "datapackage.json"
        values = json.loads(path.read_bytes())
        change(values)
        path.write_text(json.dumps(values))

    return spoil


# What the origin did, and what the mirror says of it.
REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "a descriptor that is no JSON": (edited("datapackage.json", lambda text: text[:50]), "cannot be read"),
    "a descriptor that is no object": (edited("datapackage.json", lambda _: "[1]"), "cannot be read"),
    "a descriptor without end": (edited("datapackage.json", lambda _: "[" * 99_999), "cannot be read"),
    "no descriptor": (lambda release: (release / "datapackage.json").unlink(), "datapackage.json"),
    "a date that is none": (lambda _: {"published_at": "the day after"}, "the day after"),
    "a format that is none": (lambda _: {"format": [3]}, "format"),
    "a table that is not there": (lambda release: (release / "data/things.csv").unlink(), "data/things.csv"),
    "rows that are too short": (edited("data/things.csv", lambda text: f"{text}99\n"), "cannot be indexed"),
    "rows that are no numbers": (edited("data/things.csv", lambda text: f"{text}one,two\n"), "cannot be indexed"),
    "bytes that are no text": (
        lambda r: (r / "data/things.csv").write_bytes(b"id,name\n1,\xff\n"),
        "cannot be indexed",
    ),
    "fields that are none": (
        described(lambda d: d["resources"][0]["schema"].update(fields=["id", 5])),
        "cannot be read",
    ),
    "rows that are not counted": (described(lambda d: d["resources"][0].pop("rows")), "cannot be read"),
    "a key that is no field": (
        described(lambda d: d["resources"][0]["schema"].update(primaryKey=["nothing"])),
        "cannot be indexed",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_release_that_cannot_be_served_is_named_and_the_others_are_shown(
    states: Path, tmp_path: Path, what: str
) -> None:
    spoil, said = REFUSED[what]
    store = origin(states, tmp_path, spoil)
    command = [sys.executable, "-P", "-m", "api", "mirror"]
    with files_of(store) as url:
        done = subprocess.run([*command, url, tmp_path / "copy"], capture_output=True, text=True, timeout=60)
        assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
        (line,) = (line for line in done.stderr.splitlines() if "is refused" in line)
        assert line.startswith(f"release {EVIL} is refused, it cannot be served: ") and said in line
        assert {path.name for path in (tmp_path / "copy/releases").iterdir()} == {"1.0.0", "1.2.0"}
        client = create_app(STORE=tmp_path / "copy", BASE_URL="").test_client()
        assert client.get(ROWS).headers["X-Data-Version"] == "1.2.0"
        assert client.get(f"{ROWS}?version=1.0.0").status_code == 200
        assert client.get("/readyz").get_json()["warnings"] == []
        again = copy(url, tmp_path / "copy")
        assert (again.added, [*again.refused], again.fetched < 20_000) == ((), [EVIL], True)
    known = status(tmp_path / "copy")
    assert known is not None and known.upstream_version == "1.2.0"


@pytest.mark.parametrize("name", ["package.sqlite", "serving/index.sqlite"])
def test_a_database_in_which_one_waits_for_ever_is_copied_and_never_opened(
    states: Path, tmp_path: Path, name: str
) -> None:
    store = origin(states, tmp_path, lambda release: database(release / name))
    with files_of(store) as url:
        assert copy(url, tmp_path / "copy").added == ("1.2.0", EVIL, "1.0.0")
    assert verify(tmp_path / "copy").problems == []
    assert released(tmp_path / "copy") == released(store)
    client = create_app(STORE=tmp_path / "copy", BASE_URL="").test_client()
    for path in (ROWS, f"{ROWS}/3", "/v1/search?q=row", "/v1/datasets/things/aggregate?measure=count"):
        assert client.get(f"{path}{'&' if '?' in path else '?'}version={EVIL}").status_code == 200


def test_a_release_that_was_mended_is_copied_the_next_time(states: Path, tmp_path: Path) -> None:
    """The mirror's own program was too old for it, say."""
    store = origin(states, tmp_path, lambda _: {"format": 4})
    with files_of(store) as url:
        first = copy(url, tmp_path / "copy")
        assert [*first.refused] == [EVIL] and "format is 4" in first.refused[EVIL]
        code = "from api.store import releases; releases.FORMAT = 4; import api.__main__ as program; program.main()"
        command = [sys.executable, "-P", "-c", code, "mirror", url, tmp_path / "copy"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and f": {EVIL};" in done.stdout, done.stderr
    assert verify(tmp_path / "copy").problems == []


def test_an_archive_without_index_refuses_what_cannot_be_read_too(states: Path, tmp_path: Path) -> None:
    store = origin(states, tmp_path, edited("datapackage.json", lambda text: text[:50]))
    with files_of(store) as url:
        done = copy(url, tmp_path / "copy", index=False)
    assert ([*done.refused], done.added) == ([EVIL], ("1.2.0", "1.0.0"))
    assert not (tmp_path / "copy/index").exists()


def test_the_origins_here_are_what_their_signatures_say(states: Path, tmp_path: Path) -> None:
    store = origin(states, tmp_path, edited("datapackage.json", lambda text: text[:50]))
    sign_store(store, lambda _: None)
    assert verify(store).problems == []
    assert (
        hashlib.sha256((store / "releases" / EVIL / "manifest.json").read_bytes()).hexdigest()
        in (store / "releases.json").read_text()
    )
