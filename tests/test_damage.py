"""Never all down: whatever is damaged, half there, without rights or gone costs itself alone, and is named.

Each way is tried at an application that runs, at one that starts, and by `lantern status`. What is without rights is
tried at a server that lacks those of root.
"""

import json
import logging
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import running
from click.testing import CliRunner
from flask.testing import FlaskClient
from releases import TWO, package

from api.app import create_app
from api.cli import main
from api.mirror import MirrorStatus
from api.release.build import build
from api.store.releases import RECHECK_SECONDS
from api.trust import sign_store

GUNS = "/v1/datasets/guns/records"
NEW = "releases/1.1.0"
# What people ask, and each kind of what is damaged: of the newest release (1.1.0), the older one, or both.
OF_THE_NEW = [
    f"{GUNS}?version=1.1.0",
    f"{GUNS}?as_of=2026-04-02",
    "/v1/releases/1.1.0",
    f"/{NEW}/",
    f"/{NEW}/README.md",
]
OF_THE_OLD = [f"{GUNS}?version=1.0.0", "/releases/1.0.0/README.md"]
NEW_FILE = f"/{NEW}/data/guns.csv"
CHANGES = "/v1/changes?since=1.0.0"
DATA = [GUNS, f"{GUNS}/a", f"{GUNS}/a/history", f"{GUNS}.csv?value__gte=1", "/v1/datasets", "/v1/search?q=second"]
DATA += ["/", "/v1/", "/openapi.json", "/v1/releases", "/v1/releases.atom", "/releases/latest/README.md"]
SIGNED = ["/tuf/timestamp.json", "/tuf/1.root.json", "/releases.json"]
EVERY = [*DATA, CHANGES, *OF_THE_NEW, *OF_THE_OLD, NEW_FILE, *SIGNED]
STATUS = MirrorStatus(
    "https://origin.example",
    "2026-11-01T00:00:00Z",
    "1.1.0",
    "2099-01-01T00:00:00Z",
    "ab",
    "all",
    "https://origin.example",
)


class Way(NamedTuple):
    """How a store is damaged, which addresses are 503 then, and what is said of it."""

    spoil: Callable[[Path], object]
    lost: list[str]
    said: str


def text(name: str, content: str) -> Callable[[Path], object]:
    return lambda store: (store / name).write_text(content)


def cut(name: str) -> Callable[[Path], object]:
    return lambda store: os.truncate(store / name, 20)


def gone(name: str) -> Callable[[Path], object]:
    return lambda store: shutil.rmtree(store / name) if (store / name).is_dir() else (store / name).unlink()


def empty(name: str) -> Callable[[Path], object]:
    return lambda store: [gone(name)(store), (store / name).mkdir()]


def file(name: str) -> Callable[[Path], object]:
    return lambda store: [gone(name)(store), (store / name).write_text("in the way")]


def edit(name: str, **values: Any) -> Callable[[Path], object]:
    return lambda store: (store / name).write_text(json.dumps({**json.loads((store / name).read_bytes()), **values}))


def flip(name: str) -> Callable[[Path], object]:
    """One bit of a file's last letter."""

    def spoil(store: Path) -> None:
        raw = bytearray((store / name).read_bytes())
        raw[-2] ^= 1
        (store / name).write_bytes(raw)

    return spoil


DEEP = "[" * 99_999
LISTED = '{"releases": [{"version": "\\ud800", "manifest": "", "published_at": null, "withdrawn": "gone"}]}'
WAYS: dict[str, Way] = {
    # one release
    "a release is gone": Way(gone(NEW), [*OF_THE_NEW, NEW_FILE], "was signed, and its files are not there"),
    "a release is empty": Way(empty(NEW), [*OF_THE_NEW, NEW_FILE], "manifest.json: No such file"),
    "a release is a file": Way(file(NEW), [*OF_THE_NEW, NEW_FILE], "manifest.json: Not a directory"),
    "an older release is empty": Way(empty("releases/1.0.0"), [*OF_THE_OLD, CHANGES], "manifest.json: No such file"),
    "a manifest is cut": Way(cut(f"{NEW}/manifest.json"), [*OF_THE_NEW, NEW_FILE], "the manifest cannot be read"),
    "a manifest is deep": Way(text(f"{NEW}/manifest.json", DEEP), [*OF_THE_NEW, NEW_FILE], "nested too deeply"),
    "a manifest is another": Way(
        edit(f"{NEW}/manifest.json", notes=""), [*OF_THE_NEW, NEW_FILE], "not the one that was signed"
    ),
    "a manifest has other types": Way(
        edit(f"{NEW}/manifest.json", previous=["1"]), [*OF_THE_NEW, NEW_FILE], "does not say in words"
    ),
    "a manifest counts its changes": Way(
        edit(f"{NEW}/manifest.json", changes=3), [*OF_THE_NEW, NEW_FILE], "does not say in words"
    ),
    "a descriptor is cut": Way(
        cut(f"{NEW}/datapackage.json"), [*OF_THE_NEW, NEW_FILE], "datapackage.json is not the one"
    ),
    "a file of a release is gone": Way(gone(f"{NEW}/data/guns.csv"), [NEW_FILE], "data/guns.csv cannot be served"),
    "a file of a release is cut": Way(cut(f"{NEW}/data/guns.csv"), [NEW_FILE], "data/guns.csv cannot be served"),
    "a file of a release is a folder": Way(empty(f"{NEW}/data/guns.csv"), [NEW_FILE], "data/guns.csv cannot be served"),
    "a file among the releases": Way(text("releases/notes.txt", "mine"), [], "notes.txt"),
    # the list of releases
    "the list is cut": Way(cut("releases.json"), [], "not a list of releases"),
    "the list is deep": Way(text("releases.json", DEEP), [], "nested too deeply"),
    "the list has half a letter": Way(text("releases.json", LISTED), [], "surrogates not allowed"),
    "the list is a folder": Way(empty("releases.json"), ["/releases.json"], "Is a directory"),
    # whose copy it is
    "mirror.json is empty": Way(text("mirror.json", ""), [], "whose copy this is cannot be read"),
    "mirror.json is a list": Way(text("mirror.json", "[]"), [], "whose copy this is cannot be read"),
    "mirror.json is deep": Way(text("mirror.json", DEEP), [], "whose copy this is cannot be read"),
    "mirror.json has other types": Way(
        text("mirror.json", json.dumps({**vars(STATUS), "stale_after": None})), [], "whose copy this is cannot be read"
    ),
    "mirror.json has other times": Way(
        text("mirror.json", json.dumps({**vars(STATUS), "synced_at": "2026-11-01"})),
        [],
        "whose copy this is cannot be read",
    ),
    "mirror.json is a folder": Way(lambda store: (store / "mirror.json").mkdir(), [], "Is a directory"),
    # the signatures
    "the signatures are gone": Way(gone("tuf"), SIGNED[:2], "tuf is missing"),
    "the signatures are a file": Way(file("tuf"), SIGNED[:2], "Not a directory"),
    "the timestamp is gone": Way(gone("tuf/timestamp.json"), SIGNED[:1], "timestamp.json: No such file"),
    "the timestamp is cut": Way(cut("tuf/timestamp.json"), [], "timestamp.json is damaged"),
    "the timestamp is a folder": Way(empty("tuf/timestamp.json"), SIGNED[:1], "Is a directory"),
    "the snapshot is gone": Way(gone("tuf/1.snapshot.json"), [], "1.snapshot.json: No such file"),
    "the targets are deep": Way(text("tuf/1.targets.json", DEEP), [], "1.targets.json is damaged"),
    # the whole store
    "the releases are a file": Way(file("releases"), EVERY[: -len(SIGNED)], "Not a directory"),
    "the releases are gone": Way(gone("releases"), EVERY[: -len(SIGNED)], "was signed, and its files are not there"),
    "withdrawn is a file": Way(text("withdrawn", "in the way"), [], "withdrawn"),
    "all manifests are cut": Way(
        lambda store: [os.truncate(path, 9) for path in store.glob("releases/*/manifest.json")],
        EVERY[: -len(SIGNED)],
        "the manifest cannot be read",
    ),
    "the store is gone": Way(lambda store: store.rename(store.with_name("away")), EVERY, "it is not there"),
    "the store is a loop": Way(
        lambda store: [store.rename(store.with_name("away")), store.symlink_to(store)], EVERY, ""
    ),
    "the store is an empty folder": Way(
        lambda store: [store.rename(store.with_name("away")), store.mkdir()], EVERY, ""
    ),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the releases 1.0.0 and 1.1.0, signed; nobody changes it."""
    folder = tmp_path_factory.mktemp("whole")
    build(package(folder / "package", TWO), folder / "store")
    sign_store(folder / "store", lambda _: None)
    return folder / "store"


class Running(NamedTuple):
    """An application that was asked before its store was damaged, and what it logged since."""

    store: Path
    client: FlaskClient
    before: dict[str, int]
    logged: list[str]


class Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


def statuses(client: FlaskClient) -> dict[str, int]:
    return {path: client.get(path, buffered=True).status_code for path in EVERY}


@pytest.fixture(scope="module")
def damaged(whole: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Running]]:
    """An application for each way, over a store of its own, damaged while it ran."""
    base, kept = tmp_path_factory.mktemp("damaged"), Kept()
    logging.getLogger("lantern").addHandler(kept)
    found = {}
    for number, name in enumerate(WAYS):
        store = Path(shutil.copytree(whole, base / f"way-{number}-" / "store"))
        client = create_app(STORE=store, BASE_URL="", CACHE_MB=0).test_client()
        found[name] = Running(store, client, statuses(client), kept.messages)
        WAYS[name].spoil(store)
    time.sleep(RECHECK_SECONDS)
    yield found
    logging.getLogger("lantern").removeHandler(kept)


def judge(client: FlaskClient, way: Way, before: dict[str, int]) -> str:
    """Compare what is answered with what was before; what /readyz says."""
    for path in EVERY:
        answer = client.get(path, buffered=True)
        if path not in way.lost:
            assert answer.status_code == before[path], (path, answer.text[:300])
            continue
        told = (answer.status_code, answer.content_type, answer.headers["Cache-Control"])
        assert told == (503, "application/problem+json", "no-store"), (path, told, answer.text[:300])
        assert answer.get_json()["type"] == "/problems/not-ready" and answer.headers["Retry-After"].isdigit()
    assert client.get("/v1/nothing").status_code == 404
    health, ready = client.get("/healthz"), client.get("/readyz")
    assert (health.status_code, health.get_json()["status"]) == (200, "degraded")
    assert ready.status_code == (503 if GUNS in way.lost else 200)
    assert health.get_json()["warnings"] == ready.get_json()["warnings"] != []
    return str(ready.get_json()["warnings"])


@pytest.mark.parametrize("name", WAYS)
def test_it_costs_itself_alone_and_is_named_while_a_server_runs_and_when_one_starts(
    damaged: dict[str, Running], name: str
) -> None:
    store, client, before, logged = damaged[name]
    way = WAYS[name]
    assert {*before.values()} <= {200, 302}
    said = judge(client, way, before)
    judge(client, way, before)
    assert way.said in said
    mine = [line for line in logged if f"{store.parent.name}/" in line and not line.startswith("request ")]
    assert len(mine) == len({*mine})
    assert mine
    if "the store is a loop" not in name:  # which is no folder: wrong usage, below
        judge(create_app(STORE=store, BASE_URL="").test_client(), way, before)
    done = CliRunner().invoke(main, ["status", "--store", str(store)])
    if "loop" not in name:
        assert done.exit_code == 1, done.output
        needs = [line for line in done.output.splitlines() if line.startswith("Needs you")]
        assert needs and way.said in "\n".join(needs), done.output


def test_what_is_whole_is_no_damage(whole: Path) -> None:
    client = create_app(STORE=whole, BASE_URL="").test_client()
    assert {*statuses(client).values()} <= {200, 302}
    assert (client.get("/healthz").get_json()["status"], client.get("/readyz").get_json()["warnings"]) == ("ok", [])


def test_an_index_that_cannot_be_written_costs_the_data_alone(whole: Path, tmp_path: Path) -> None:
    store = Path(shutil.copytree(whole, tmp_path / "store"))
    file("index")(store)
    client, said = create_app(STORE=store, BASE_URL="").test_client(), "its index cannot be written: index: File exists"
    assert client.get(GUNS).status_code == 503
    for path in (NEW_FILE, *OF_THE_NEW[2:], OF_THE_OLD[1], *SIGNED, "/healthz"):
        assert client.get(path, buffered=True).status_code == 200, path
    end = time.monotonic() + 20
    while said not in (text := client.get("/readyz").text):
        assert time.monotonic() < end, text
        time.sleep(0.05)
    done = subprocess.run([*running.LANTERN, "status", "--store", store], capture_output=True, text=True)
    assert (done.returncode, "1.1.0: its index cannot be made: index cannot be written" in done.stdout) == (1, True)


# At a real server, which may not read what root may, and again when all is as it was


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def ask(url: str) -> tuple[int, Any]:
    """A status, and the body of what is JSON."""
    try:
        answer = urllib.request.build_opener(NoRedirect).open(url, timeout=20)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        body = answer.read()
        return answer.status, json.loads(body) if answer.headers["Content-Type"].endswith("json") else None


# A folder or file that loses all rights, which addresses are 503 then, and what is said of it.
WITHOUT_RIGHTS = {
    NEW: ([*OF_THE_NEW, NEW_FILE], "manifest.json: Permission denied"),
    f"{NEW}/manifest.json": ([*OF_THE_NEW, NEW_FILE], "manifest.json: Permission denied"),
    f"{NEW}/data/guns.csv": ([NEW_FILE], "data/guns.csv cannot be served"),
    "releases.json": (["/releases.json"], "Permission denied"),
    "tuf": (SIGNED[:2], "tuf: Permission denied"),
    "tuf/timestamp.json": (SIGNED[:1], "timestamp.json: Permission denied"),
    "mirror.json": ([], "whose copy this is cannot be read: Permission denied"),
    "releases": (EVERY[: -len(SIGNED)], "it cannot be read: Permission denied"),
    ".": (EVERY, "Permission denied"),
}


def test_without_rights_it_costs_itself_alone_and_comes_back_by_itself(whole: Path, tmp_path: Path) -> None:
    store, log = Path(shutil.copytree(whole, tmp_path / "store")), tmp_path / "log"
    (store / "mirror.json").write_text(json.dumps(vars(STATUS)))
    with running.lantern(
        log, "serve", command=running.POWERLESS, LANTERN_STORE=str(store), LANTERN_WORKERS="1", LANTERN_CACHE_MB="0"
    ) as server:

        def lost() -> list[str]:
            time.sleep(RECHECK_SECONDS + 0.1)
            found = {path: ask(server.url + path)[0] for path in EVERY}
            assert {*found.values()} <= {200, 302, 503}
            return [path for path in EVERY if found[path] == 503]

        for name, (expected, said) in WITHOUT_RIGHTS.items():
            mode = (store / name).stat().st_mode
            (store / name).chmod(0)
            assert lost() == [path for path in EVERY if path in expected], name
            assert said in str(ask(f"{server.url}/readyz")[1]["warnings"]), name
            assert (ask(f"{server.url}/healthz")[0], log.read_text().count("Traceback")) == (200, 0)
            (store / name).chmod(mode)
        assert lost() == []
        store.rename(tmp_path / "away")
        assert {ask(server.url + path)[0] for path in EVERY} <= {200, 302, 503}  # before it is looked for
        assert lost() == EVERY and not store.exists()
        assert ask(f"{server.url}/readyz")[1]["warnings"] == [{"version": "store", "reason": "it is not there"}]
        (tmp_path / "away").rename(store)
        assert lost() == []
        assert ask(f"{server.url}/readyz")[1] == {"status": "ready", "version": "1.1.0", "warnings": []}
    assert log.read_text().count(f"store in {store} is not served: it is not there") == 1


def test_a_release_without_rights_does_not_stop_a_start(whole: Path, tmp_path: Path) -> None:
    store = Path(shutil.copytree(whole, tmp_path / "store"))
    (store / NEW).chmod(0)
    try:
        environ = {"LANTERN_STORE": str(store), "LANTERN_WORKERS": "1"}
        with running.lantern(tmp_path / "log", "serve", command=running.POWERLESS, **environ) as server:
            assert ask(f"{server.url}/readyz")[1]["version"] == "1.0.0"
        done = subprocess.run([*running.POWERLESS, "status", "--store", store], capture_output=True, text=True)
        assert (done.returncode, "1.1.0: manifest.json: Permission denied" in done.stdout) == (1, True), done.stderr
    finally:
        (store / NEW).chmod(0o755)
