"""Wrong settings, disks that are full, folders without rights, commands that are killed: words, and nothing left."""

import json
import os
import resource
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import packages
import pytest
import running
from click.testing import CliRunner

from api.cli import main
from api.release.build import build
from api.trust import sign_store

COMMANDS = (
    "serve",
    "build package",
    "index",
    "status",
    "sign",
    "sign --refresh",
    "export site",
    "keys init",
    "releases",
)
FULL = ("No space left", "File too large", "disk is full", "disk I/O error", "Cannot write", "Could not write")


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small package, and a signed store with its release; nobody changes it."""
    folder = tmp_path_factory.mktemp("shelf")
    rows = [[number, f"row {number} " + "word " * 60] for number in range(400)]
    table = packages.table("things", ["id:integer", "name"], rows)
    packages.write(folder / "package", table, created="2026-01-01T00:00:00Z")
    build(folder / "package", folder / "store")
    sign_store(folder / "store", lambda _: None)
    return folder


@pytest.fixture
def place(shelf: Path, tmp_path: Path) -> Path:
    """The same, of one's own, with an empty folder for what is temporary."""
    shutil.copytree(shelf, tmp_path / "shelf")
    (tmp_path / "shelf/keys").chmod(0o700)
    for name in ("temporary", "other"):  # the second: for stores that have no keys beside them
        (tmp_path / "shelf" / name).mkdir()
    return tmp_path / "shelf"


def lantern(
    place: Path, command: str, program: Any = running.LANTERN, most: int = 0, **environ: str
) -> "subprocess.CompletedProcess[str]":
    """A command in that folder that ends by itself; `most`: bytes that a file may have."""

    def limited() -> None:
        if most:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    values = {**os.environ, "PORT": "0", "LANTERN_STORE": "store", "TMPDIR": str(place / "temporary"), **environ}
    return subprocess.run(
        [*program, *command.split()],
        cwd=place,
        env=values,
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=limited,
    )


def one_line(done: "subprocess.CompletedProcess[str]", status: int, *said: str) -> None:
    """It failed with that status, and said one of these in the last line of what it printed."""
    assert (done.returncode, "Traceback" in done.stderr) == (status, False), done.stderr
    assert any(one in done.stderr.splitlines()[-1] for one in said), done.stderr


# Wrong settings


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("LANTERN_HOST", "256.1.1.1", "cannot listen on 256.1.1.1, port"),
        ("LANTERN_HOST", "no such host", "cannot listen on no such host, port"),
        ("LANTERN_HOST", "x" * 70, "cannot listen on xxx"),
        ("PORT", "99999", "PORT='99999': not a port number"),
        ("LANTERN_WORKERS", "0", "LANTERN_WORKERS='0': must be a whole number of at least 1"),
        ("LANTERN_THREADS", "0", "LANTERN_THREADS='0': must be a whole number of at least 1"),
        ("LANTERN_CACHE_MB", "much", "LANTERN_CACHE_MB='much': must be a whole number"),
        ("LANTERN_INDEX", "/etc/passwd", "LANTERN_INDEX='/etc/passwd': /etc/passwd is no folder"),
        ("LANTERN_KEYS", "/etc/passwd/keys", "LANTERN_KEYS='/etc/passwd/keys': /etc/passwd is no folder"),
        ("LANTERN_TIMESTAMP_DAYS", "0", "LANTERN_TIMESTAMP_DAYS='0': must be a whole number of at least 1"),
        ("LANTERN_ROOT_DAYS", "9" * 12, "must be a number of days up to 36500"),
    ],
)
def test_a_wrong_setting_is_said_before_anything_starts(place: Path, setting: str, value: str, said: str) -> None:
    environ = {"PORT": "0", setting: value, "LANTERN_STORE": str(place / "other/new")}
    done = CliRunner().invoke(main, ["serve", str(place / "package")], env=environ)
    assert (done.exit_code, said in done.output.splitlines()[-1]) == (2, True), done.output
    assert not (place / "other/new").exists()


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("store", ["/etc/passwd", "/etc/passwd/store"])
def test_a_file_in_the_place_of_the_store_is_a_wrong_setting(shelf: Path, command: str, store: str) -> None:
    words = command.replace("package", str(shelf / "package")).split()
    done = CliRunner().invoke(main, words, env={"LANTERN_STORE": store})
    said = f"LANTERN_STORE='{store}': /etc/passwd is no folder"
    assert (done.exit_code, said in done.output.splitlines()[-1]) == (2, True), done.output


# Folders without rights


@pytest.mark.parametrize(
    "command", ["build package", "index", "sign", "export site", "withdraw 1.0.0 --reason x", "serve"]
)
def test_a_store_that_cannot_be_written_is_said_in_a_line(place: Path, command: str) -> None:
    for path in (place, place / "store", *(place / "store").rglob("*")):
        path.chmod(path.stat().st_mode & ~0o222)
    try:
        status = 2 if command in ("serve", "index") else 1
        one_line(lantern(place, command, running.POWERLESS), status, "Permission denied")
    finally:
        for path in (place, place / "store"):
            path.chmod(0o755)


@pytest.mark.parametrize("command", ["serve package", "build package", "index", "sign", "keys init"])
def test_a_store_that_cannot_be_made_is_said_in_a_line(place: Path, command: str) -> None:
    other = place / "other"
    other.chmod(0o555)
    try:
        done = lantern(place, command, running.POWERLESS, LANTERN_STORE="other/new")
        one_line(done, 2 if command == "index" else 1, "Permission denied")
    finally:
        other.chmod(0o755)


# A full disk


DISKS = [
    (command, most)
    for command in ("build package --store other/new", "index", "export site")
    for most in (1, 9_000, 150_000)
]


@pytest.mark.parametrize(("command", "most"), [*DISKS, ("sign --refresh", 1), ("keys init --store other/new", 1)])
def test_a_disk_that_is_full_is_said_in_a_line_and_nothing_is_left(place: Path, command: str, most: int) -> None:
    before = tree(place / "store")
    done = lantern(place, command, most=most)
    assert done.returncode or most > 1
    if done.returncode:
        one_line(done, 1, *FULL)
    assert tree(place / "store") == before
    assert [*(place / "temporary").iterdir()] == []
    assert lantern(place, command).returncode == 0


def tree(folder: Path) -> dict[str, bytes]:
    names = ("releases", "tuf", "releases.json")
    return {
        str(path): path.read_bytes()
        for name in names
        for path in [folder / name, *(folder / name).rglob("*")]
        if path.is_file()
    }


# Commands that are killed


def killed(place: Path, command: str, when: Callable[[], Any], store: str = "store") -> None:
    """Start a command, and kill it with all its processes when something is there."""
    values = {**os.environ, "LANTERN_STORE": store, "TMPDIR": str(place / "temporary")}
    started = subprocess.Popen([*running.LANTERN, *command.split()], cwd=place, env=values, start_new_session=True)
    end = time.monotonic() + 30
    while not when() and started.poll() is None:
        assert time.monotonic() < end
    os.killpg(started.pid, signal.SIGKILL)
    started.wait()


def temporary(place: Path) -> list[str]:
    return [str(path.relative_to(place)) for path in (place / "temporary").rglob("*") if path.is_file()]


def test_what_a_killed_build_left_in_the_temporary_folder_is_removed_by_the_next_command(place: Path) -> None:
    killed(place, "build package", lambda: [*(place / "temporary").glob("lantern-run-*/[!.]*")], store="other/new")
    assert [path.name[:12] for path in (place / "temporary").iterdir()] == ["lantern-run-"]
    assert lantern(place, "releases").returncode == 0
    assert [*(place / "temporary").iterdir()] == []


def test_what_a_command_that_still_works_has_there_stays(place: Path) -> None:
    with running.lantern(
        place / "log", "serve", cwd=place, TMPDIR=str(place / "temporary"), LANTERN_STORE="store"
    ) as server:
        (mine,) = (place / "temporary").iterdir()
        assert lantern(place, "releases").returncode == 0
        assert [*(place / "temporary").iterdir()] == [mine]
        for worker in Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split():
            os.kill(int(worker), signal.SIGTERM)  # a new one is started: the folder is the server's
        time.sleep(1)
        assert [*(place / "temporary").iterdir()] == [mine]
        os.kill(server.pid, signal.SIGTERM)
        end = time.monotonic() + 20
        while [*(place / "temporary").iterdir()]:
            assert time.monotonic() < end
            time.sleep(0.05)


def test_what_a_server_killed_at_an_extract_left_is_removed_at_the_next_start(place: Path) -> None:
    environ = {"TMPDIR": str(place / "temporary"), "LANTERN_STORE": "store", "LANTERN_WORKERS": "1"}
    with running.lantern(place / "log", "serve", cwd=place, **environ) as server:
        address = f"{server.url}/v1/datasets/things/records.xlsx?id__gte=1"
        reader = subprocess.Popen(
            [*running.LANTERN[:1], "-c", f"import urllib.request as r; r.urlopen({address!r})"],
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + 20
        while not [one for one in temporary(place) if one.endswith("things.csv")]:
            assert time.monotonic() < end
        os.killpg(server.pid, signal.SIGKILL)
        reader.wait()
    assert temporary(place)
    with running.lantern(place / "log", "serve", cwd=place, **environ):
        assert [path for path in temporary(place) if not path.endswith(".lock")] == []
        assert len([*(place / "temporary").iterdir()]) == 1


def test_an_extract_that_finds_no_room_is_503_and_the_server_goes_on(place: Path) -> None:
    environ = {"TMPDIR": str(place / "temporary"), "LANTERN_STORE": "store", "LANTERN_WORKERS": "1"}
    limited = ("prlimit", "--fsize=60000", *running.LANTERN)
    with running.lantern(place / "log", "serve", cwd=place, command=limited, **environ) as server:
        for path in ("/v1/datasets/things/records.xlsx?id__gte=1", "/v1/datasets/things/records.parquet?id__gte=1"):
            with pytest.raises(urllib.error.HTTPError) as refused, urllib.request.urlopen(server.url + path):
                pass
            with refused.value:
                assert (refused.value.code, json.load(refused.value)["type"]) == (503, "/problems/not-ready"), path
                assert refused.value.headers["Retry-After"].isdigit()
        with urllib.request.urlopen(f"{server.url}/v1/datasets/things/records") as answer:
            assert answer.status == 200


def test_a_temporary_folder_that_cannot_be_written_stops_nobody_who_needs_none(place: Path) -> None:
    (place / "temporary").chmod(0o555)
    done = lantern(place, "releases", running.POWERLESS)
    assert (done.returncode, done.stdout[:5]) == (0, "1.0.0")
