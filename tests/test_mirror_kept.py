"""What a mirror keeps, and what it reports."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import proxy
import pytest
from newsroom import BIG, ROOT, copy, lantern, names, origin, own_store, publish, serving, states

from api import mirror
from api.app import create_app
from api.trust import metadata, verify, withdraw

__all__ = ["origin", "states"]
ROWS = "/v1/datasets/things/records"


@pytest.fixture(scope="session")
def three(states: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server over three releases, which nobody changes."""
    with serving(states / "three", tmp_path_factory.mktemp("three") / "log") as url:
        yield url


def test_the_newest_are_kept_and_older_ones_removed(states: Path, tmp_path: Path) -> None:
    store, folder = own_store(states, tmp_path, "two"), tmp_path / "copy"
    with serving(store, tmp_path / "log") as url, proxy.between(url) as between:
        copy(between.url, folder)
        publish(states, store, "1.2.0")
        between.forget()
        run = lantern("mirror", between.url, folder, "--keep", 2)
        assert (run.returncode, run.stderr) == (0, "release 1.0.0 was removed from here\n")
        assert run.stdout.startswith(f"{folder} is up to date with {between.url}: 1.2.0; ")
        assert not [path for path in between.paths() if BIG in path]
    assert names(folder / "releases") == ["1.1.0", "1.2.0"]
    assert sorted(path.name.partition("-")[0] for path in folder.glob("index/*/*/")) == ["1.1.0", "1.2.0"]
    assert not (folder / "tmp/mirror").exists()
    found = mirror.status(folder)
    assert found and found.holds == "newest 2"
    assert verify(folder).problems == ["release 1.0.0 is missing"]
    run = lantern("verify", folder)
    assert (run.returncode, run.stderr) == (0, "warning: release 1.0.0 is missing\n")
    client = create_app(STORE=folder, BASE_URL="").test_client()
    assert client.get(ROWS).headers["X-Data-Version"] == "1.2.0"
    assert client.get(f"{ROWS}?version=1.0.0").status_code == 404


def test_a_first_copy_fetches_the_newest_alone(three: str, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    with proxy.between(three) as between:
        assert copy(between.url, folder, newest=2, prune=True).added == ("1.2.0", "1.1.0")
        assert not [path for path in between.paths() if "1.0.0" in path]
        assert copy(between.url, folder, newest=1, prune=True).removed == ("1.1.0",)
        assert names(folder / "releases") == ["1.2.0"]
        assert copy(between.url, folder, newest=2, prune=True).added == ("1.1.0",)
        done = copy(between.url, folder)
    assert (done.added, done.status.holds, verify(folder).problems) == (("1.0.0",), "all", [])


def test_latest_removes_nothing(three: str, tmp_path: Path) -> None:
    copy(three, tmp_path / "copy", version="1.0.0")
    copy(three, tmp_path / "copy", newest=1)
    assert names(tmp_path / "copy" / "releases") == ["1.0.0", "1.2.0"]


def test_damage_of_what_is_here_beside_the_wanted_is_mended_too(three: str, tmp_path: Path) -> None:
    """Else a mirror of the latest would be up to date, and verify would refuse what is left of earlier ones."""
    folder = tmp_path / "copy"
    copy(three, folder)
    (folder / "releases/1.0.0/data/things.csv").unlink()
    assert copy(three, folder, newest=1).is_whole
    assert verify(folder).problems == []


def test_a_release_that_cannot_be_served_drives_no_other_out(states: Path, tmp_path: Path) -> None:
    store, folder = own_store(states, tmp_path, "one"), tmp_path / "copy"
    with serving(store, tmp_path / "log") as url:
        copy(url, folder)
        publish(states, store, "1.1.0")
        code = "from api.store import releases; releases.FORMAT = 2; import api.__main__ as program; program.main()"
        command = [sys.executable, "-P", "-c", code, "mirror", url, str(folder), "--keep", "1"]
        # What was made by this program cannot be read by the older one: neither the new nor the one that is here.
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 1 and "release 1.1.0 is refused" in run.stderr, run.stderr
    assert names(folder / "releases") == ["1.0.0"]


@pytest.mark.parametrize(
    "wrong",
    [
        ["--keep", "0"],
        ["--keep", "2", "--latest"],
        ["--keep", "2", "--version", "1.0.0"],
        ["--json", "--serve"],
        ["--fingerprint", "0", "--new-root", "setup.cfg"],
    ],
)
def test_wishes_that_contradict_each_other_are_wrong_usage(three: str, tmp_path: Path, wrong: list[str]) -> None:
    assert lantern("mirror", three, tmp_path / "copy", *wrong).returncode == 2
    assert not (tmp_path / "copy").exists()


def report(*arguments: object) -> tuple[int, Any]:
    run = lantern("mirror", *arguments, "--json")
    return run.returncode, json.loads(run.stdout)


def test_the_report_says_what_was_done(states: Path, tmp_path: Path) -> None:
    store, folder = own_store(states, tmp_path, "two"), tmp_path / "copy"
    nobody = "http://127.0.0.1:9"
    with serving(store, tmp_path / "log") as url:
        status, first = report(nobody, url, folder)
        (folder / "releases/mine.txt").write_text("mine")
        withdraw(store, "1.0.0", "wrong")
        publish(states, store, "1.2.0")
        _, second = report(url, folder, "--keep", 1)
    assert status == 0 and first["failed"].keys() == {nobody} and "cannot be reached" in first["failed"][nobody]
    ends = metadata.expiries(store)
    for role, said in second["signatures"].items():
        assert datetime.fromisoformat(said["expires"]) == ends[role]
    assert {role: said["days_left"] for role, said in second.pop("signatures").items()} == {
        "root": 729,
        "timestamp": 13,
        "snapshot": 59,
        "targets": 364,
    }
    assert 10_000 < second.pop("fetched_bytes") < 1_000_000
    found = mirror.status(folder)
    assert second == {
        "up_to_date": True,
        "error": None,
        "mirror": vars(found),
        "stale": False,
        "releases": ["1.2.0"],
        "added": ["1.2.0"],
        "withdrawn": ["1.0.0"],
        "removed": ["1.1.0"],
        "moved": ["releases/mine.txt"],
        "refused": {},
        "left": {},
        "problems": [],
        "failed": {},
    }
    assert second["mirror"]["upstream"] == second["mirror"]["synced_from"] == url


def test_the_report_of_a_copy_that_failed_says_what_is_held(three: str, tmp_path: Path) -> None:
    folder, nobody = tmp_path / "copy", "http://127.0.0.1:9"
    status, said = report(nobody, folder)
    assert (status, said["up_to_date"], said["mirror"], said["releases"], said["signatures"]) == (
        1,
        False,
        None,
        [],
        {},
    )
    copy(three, folder)
    status, said = report(nobody, folder)
    assert (status, said["up_to_date"], said["stale"], said["fetched_bytes"]) == (1, False, False, None)
    assert said["releases"] == ["1.2.0", "1.1.0", "1.0.0"] and said["signatures"]["timestamp"]["days_left"] == 13
    assert said["error"] == said["failed"][nobody] and "cannot be reached" in said["error"]
    assert said["mirror"]["upstream"] == three
