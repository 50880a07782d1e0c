"""kill -9 at random moments of what works on a store: nothing is lost, nothing is half visible, the next run mends.

Mirrors are killed in tests/test_mirror.py. KILLS says how often each command here is killed; `make soak` asks for 50.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import running
from newsroom import ROOT, own_store, package, released, states

from api.model.files import INDEX_LIST
from api.trust import verify

__all__ = ["states"]
KILLS = int(os.environ.get("KILLS", "3"))
NEW = "releases/1.2.0"
# Loads everything once and forks for each command, which leads a session of its own: Python's start takes long.
HATCHERY = """
import json, os, sys
import api.cli, api.release.build, api.trust, api.index.making
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDWR), 1)
        try:
            api.cli.main(json.loads(line))
        except SystemExit as end:
            os._exit(end.code or 0)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Ended(NamedTuple):
    """How a command ended: its status (negative: the signal), and after how many seconds."""

    status: int
    seconds: float


class Hatchery(NamedTuple):
    process: "subprocess.Popen[str]"

    def run(self, *arguments: object, kill_after: float = 60) -> Ended:
        """Run a command; kill it, with its children, after so many seconds."""
        requests, answers = self.process.stdin, self.process.stdout
        assert requests and answers
        start = time.monotonic()
        print(json.dumps([*map(str, arguments)]), file=requests, flush=True)
        child = int(answers.readline())
        while time.monotonic() < start + kill_after and _alive(child):
            time.sleep(0.001)
        with suppress(ProcessLookupError):  # it has ended, or does not lead its session yet
            os.killpg(child, signal.SIGKILL)
        return Ended(int(answers.readline()), time.monotonic() - start)


def _alive(pid: int) -> bool:
    """Whether a process runs; its parent waits for it as soon as it does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


@pytest.fixture
def hatchery(tmp_path: Path) -> Iterator[Hatchery]:
    pipe, temporary = subprocess.PIPE, tmp_path / "temporary"
    temporary.mkdir()
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)}
    command = [sys.executable, "-P", "-c", HATCHERY]
    with subprocess.Popen(command, cwd=tmp_path, env=environ, stdin=pipe, stdout=pipe, text=True) as process:
        yield Hatchery(process)
        assert process.stdin
        process.stdin.close()


def killed(hatchery: Hatchery, *arguments: object, again: Callable[[], Any], look: Callable[[], Any]) -> None:
    """Run a command to its end, then kill it KILLS times; `again` undoes what it did, `look` is for each state left."""
    chance = random.Random()
    hatchery.run(*arguments)  # the first loads what is loaded late
    again()
    lasted = hatchery.run(*arguments).seconds
    kills = 0
    for _ in range(4 * KILLS):
        again()
        ended = hatchery.run(*arguments, kill_after=chance.uniform(0, lasted))
        assert ended.status in (0, -signal.SIGKILL), ended
        look()
        kills += ended.status != 0
        if kills == KILLS:
            break
    assert kills >= KILLS / 2
    assert hatchery.run(*arguments).status == 0
    look()


def nothing_left(store: Path, folder: Path) -> None:
    """What worked on a store left nothing beside it: not in the store, not in the folder of temporary files."""
    kept = ("validated", "lock", ".lock")
    assert [path for path in (store / "tmp").glob("*") if path.name not in kept] == []
    assert [*store.glob("index/*/.aside-*")] == []
    # A kill can leave the file of eight letters with which Python tries the folder, and for a minute a folder that has
    # no name yet (.lantern-run-…).
    assert [*(folder / "temporary").glob("lantern*")] == []


def test_a_build_killed_at_any_moment_shows_the_old_state_or_the_new(
    states: Path, tmp_path: Path, hatchery: Hatchery
) -> None:
    source, store, whole = (
        package(tmp_path / "package", "1.2.0"),
        own_store(states, tmp_path),
        released(states / "three"),
    )
    before = released(states / "two")

    def again() -> None:
        shutil.rmtree(store)
        shutil.copytree(states / "two", store)

    def look() -> None:
        assert released(store) in (before, whole)
        problems = verify(store).problems
        assert problems == [] or problems == [f"{NEW} is not among the signed releases"]

    killed(hatchery, "build", source, "--store", store, again=again, look=look)
    assert released(store) == whole and verify(store).problems == []
    nothing_left(store, tmp_path)


def test_the_making_of_indexes_killed_at_any_moment_leaves_whole_ones_or_none(
    states: Path, tmp_path: Path, hatchery: Hatchery
) -> None:
    store = own_store(states, tmp_path, "three")

    def again() -> None:
        shutil.rmtree(store / "index", ignore_errors=True)

    def look() -> None:
        for listing in store.glob(f"index/*/*/{INDEX_LIST}"):
            for file in json.loads(listing.read_bytes())["files"]:
                assert (listing.parent / file["name"]).stat().st_size == file["bytes"]
        assert released(store) == released(states / "three") and verify(store).problems == []

    killed(hatchery, "index", "--store", store, again=again, look=look)
    assert len([*store.glob(f"index/*/*/{INDEX_LIST}")]) == 3
    nothing_left(store, tmp_path)


def test_signing_killed_at_any_moment_leaves_the_old_signature_or_the_new(
    states: Path, tmp_path: Path, hatchery: Hatchery
) -> None:
    store, three = own_store(states, tmp_path), released(states / "three")

    def again() -> None:
        shutil.rmtree(store)
        shutil.copytree(states / "two", store)
        shutil.copytree(states / "three" / NEW, store / NEW)

    def look() -> None:
        assert released(store).items() >= three.items() - {("releases.json", "")}
        unsigned = f"{NEW} is not among the signed releases"
        assert set(verify(store).problems) <= {unsigned, "releases.json is altered: it is not what was signed"}

    killed(hatchery, "sign", "--store", store, again=again, look=look)
    assert verify(store).problems == []
    nothing_left(store, tmp_path)


def test_a_server_killed_at_any_moment_of_its_first_start_is_started_again(states: Path, tmp_path: Path) -> None:
    store, chance = own_store(states, tmp_path), random.Random()
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    environ = {"LANTERN_STORE": str(store), "TMPDIR": str(temporary), "LANTERN_WORKERS": "1"}
    start, lasted = time.monotonic(), 0.0
    for kill in range(KILLS + 1):
        shutil.rmtree(store / "index", ignore_errors=True)
        if kill:
            process = subprocess.Popen(
                [*running.LANTERN, "serve"],
                env={**os.environ, "PORT": "0", **environ},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            time.sleep(chance.uniform(0, lasted))
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        with running.lantern(tmp_path / "log", "serve", **environ) as server:
            with urllib.request.urlopen(f"{server.url}/v1/datasets/things/records") as answer:
                assert json.loads(answer.read())["meta"]["total"] == 40
        lasted = lasted or time.monotonic() - start
        assert released(store) == released(states / "two") and verify(store).problems == []
    assert (
        subprocess.run([*running.LANTERN, "index"], env={**os.environ, **environ}, stdout=subprocess.PIPE).returncode
        == 0
    )
    nothing_left(store, tmp_path)
