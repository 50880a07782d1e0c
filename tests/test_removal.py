"""Taking a release back: withdrawn it says so wherever it is given, removed it is given to nobody, nor by mirrors."""

import json
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient
from newsroom import copy, serving
from releases import TWO, corrections, guns, package

from api.app import create_app
from api.cli import main
from api.release.build import BuildError, build
from api.store import manifest, release_index
from api.store.releases import RECHECK_SECONDS
from api.trust import TrustError, sign_store, verify, withdraw

SECRET = "kept-from-no-reader"
WHY = "By order of a court."
VERSIONS = {
    "1.0.0": [guns([["a", 1, "first"]]), corrections()],
    "1.1.0": [guns([["a", 1, "first"], ["b", 2, SECRET]]), corrections()],
}
DATA = (
    *("/v1/", "/v1/datasets", "/v1/datasets/guns", "/v1/datasets/guns/records", "/v1/datasets/guns/records/b"),
    *("/v1/datasets/guns/records.csv", "/v1/datasets/guns/records.xlsx", "/v1/datasets/guns/schema"),
    *("/v1/datasets/guns/facets?facet=note", "/v1/datasets/guns/aggregate?measure=count", "/v1/search?q=kept"),
)
# `lantern` as somebody who owns little, whoever runs the tests; what it needs is loaded by another copy before.
NOBODY = """import os, sys, api.cli
api.cli.main(["mirror", sys.argv[2], sys.argv[3] + "-before"], standalone_mode=False)
if os.getuid() == 0: os.setgid(65534), os.setuid(65534)
api.cli.main(sys.argv[1:])"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package with two versions, the later of which says too much, and its signed store."""
    folder = tmp_path_factory.mktemp("built")
    build(package(folder / "package", VERSIONS), folder / "store")
    sign_store(folder / "store", lambda _: None)
    return folder


@pytest.fixture
def store(built: Path, tmp_path: Path) -> Path:
    for name in ("store", "keys", "package"):
        shutil.copytree(built / name, tmp_path / name)
    return tmp_path / "store"


def lantern(*arguments: object, **environ: str) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], env=environ)


def client_of(store: Path) -> FlaskClient:
    return create_app(STORE=store, BASE_URL="").test_client()


def holding(folder: Path) -> list[str]:
    """The files that hold what must not be known: in their bytes, or because they are of the release by their name."""
    named = re.compile(r"1\.1\.0(-[0-9a-f]{16}.*)?").fullmatch
    return [
        str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if any(map(named, path.relative_to(folder).parts)) or path.is_file() and SECRET.encode() in path.read_bytes()
    ]


# Removed


def test_every_address_of_a_removed_release_is_gone_and_says_why(store: Path) -> None:
    client = client_of(store)
    described = client.get("/v1/releases/1.1.0").get_json()["data"]
    (target,) = (store / "tuf/targets/releases/1.1.0").iterdir()
    version = [f"{path}{'&' if '?' in path else '?'}version=1.1.0" for path in DATA]
    addresses = [
        *(entry["href"] for entry in described["files"]),
        *("/releases/1.1.0/manifest.json", "/releases/1.1.0/", "/releases/1.1.0", "/v1/releases/1.1.0"),
        *("/v1/changes?since=1.1.0", "/v1/changes?until=1.1.0", f"/tuf/targets/releases/1.1.0/{target.name}"),
        *version,
    ]
    assert {client.get(address).status_code for address in addresses} == {200, 302}
    done = lantern("withdraw", "1.1.0", "--reason", WHY, "--remove", "--store", store)
    assert done.exit_code == 0, done.output
    time.sleep(RECHECK_SECONDS)
    for address in addresses:
        answer = client.get(address)
        assert (answer.status_code, answer.content_type) == (410, "application/problem+json"), address
        body = answer.get_json()
        assert body["type"].endswith("/problems/gone") and WHY in body["detail"] and SECRET not in answer.text
        assert (body["release"]["version"], body["release"]["withdrawn"], body["release"]["removed"]) == (
            "1.1.0",
            WHY,
            True,
        )
        assert "max-age=60" in answer.headers["Cache-Control"]
    now = client.get("/v1/datasets/guns/records?as_of=2026-12-31")
    assert now.headers["X-Data-Version"] == "1.0.0"
    assert client.get("/v1/changes").status_code == 200
    listed = {
        one["version"]: (one["withdrawn"], one["removed"]) for one in client.get("/v1/releases").get_json()["data"]
    }
    assert listed == {"1.1.0": (WHY, True), "1.0.0": (None, False)}
    assert f"Withdrawn: {WHY}" in client.get("/v1/releases.atom").text


def test_nothing_of_a_removed_release_is_left_in_the_store(store: Path) -> None:
    client_of(store).get("/v1/datasets/guns/records.xlsx?version=1.1.0")
    assert len(holding(store)) > 10 and list(store.glob("index/*/1.1.0-*"))
    withdraw(store, "1.1.0", "A private person.", remove=True)
    assert holding(store) == []
    assert verify(store, strict=True).problems == []
    assert (verify(store).releases, lantern("verify", store).exit_code) == (["1.0.0"], 0)
    entry, first = release_index.of(store)
    assert (entry.withdrawn, entry.removed, first.removed) == ("A private person.", True, False)
    assert (
        lantern("releases", "--store", store).output.splitlines()[0].endswith("removed\twithdrawn: A private person.")
    )


def test_a_version_that_begins_like_the_removed_one_stays(tmp_path: Path) -> None:
    source = package(tmp_path / "package", {"1.0.0": TWO["1.0.0"]})
    store = tmp_path / "store"
    build(source, store)
    described = json.loads((source / "datapackage.json").read_text())
    (source / "datapackage.json").write_text(json.dumps({**described, "version": "1.0.0-beta"}))
    build(source, store)
    sign_store(store, lambda _: None)
    withdraw(store, "1.0.0", WHY, remove=True)
    assert [path.name.rpartition("-")[0] for path in store.glob("index/*/*[0-9a-f]")] == ["1.0.0-beta"]
    assert client_of(store).get("/v1/datasets/guns/records").headers["X-Data-Version"] == "1.0.0-beta"
    assert verify(store).problems == []


def test_a_release_that_was_withdrawn_can_be_removed_for_another_reason(store: Path) -> None:
    assert lantern("withdraw", "1.1.0", "--reason", "wrong", "--store", store).exit_code == 0
    [before, _] = release_index.of(store)
    assert lantern("withdraw", "1.1.0", "--reason", WHY, "--store", store).exit_code == 1
    assert lantern("withdraw", "1.1.0", "--reason", WHY, "--remove", "--store", store).exit_code == 0
    [after, _] = release_index.of(store)
    assert (after.withdrawn, after.removed, after.withdrawn_at) == (WHY, True, before.withdrawn_at)
    assert holding(store) == []
    again = lantern("withdraw", "1.1.0", "--reason", WHY, "--remove", "--store", store)
    assert again.exit_code == 0 and verify(store).problems == []


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["9.9.9", "--reason", "x", "--remove"], 1, "there is no signed release 9.9.9"),
        (["1.1.0", "--reason", " ", "--remove"], 2, "--reason must say why"),
        (["1.1.0", "--remove"], 2, "Missing option '--reason'"),
    ],
)
def test_a_wrong_removal_removes_nothing(store: Path, arguments: list[str], status: int, said: str) -> None:
    before = holding(store)
    done = lantern("withdraw", *arguments, "--store", store)
    assert (done.exit_code, said in done.output, holding(store)) == (status, True, before), done.output


def test_the_command_says_what_is_still_told_and_where(store: Path) -> None:
    done = lantern("withdraw", "1.0.0", "--reason", "wrong", "--store", store)
    assert "still served to who names its version" in done.output and str(store / "withdrawn/1.0.0") in done.output
    assert "until their next sync" in done.output and "lantern export" in done.output and "--remove" in done.output
    done = lantern("withdraw", "1.0.0", "--reason", "wrong", "--remove", "--store", store)
    assert "410" in done.output and "history/1.0.0 of the package" in done.output
    assert "What changed from 1.0.0 to 1.1.0 is still told by release 1.1.0 (changes.jsonl)." in done.output


# Interrupted


def _remove(store: Path) -> None:
    withdraw(store, "1.1.0", WHY, lambda _: None, remove=True)


def test_killed_at_any_moment_it_is_finished_by_the_same_command(built: Path, tmp_path: Path) -> None:
    context, states = multiprocessing.get_context("fork"), set[tuple[bool, bool]]()
    start = time.monotonic()
    _remove(Path(shutil.copytree(built, tmp_path / "first")) / "store")
    takes = time.monotonic() - start
    for number in range(25):
        store = Path(shutil.copytree(built, tmp_path / str(number))) / "store"
        worker = context.Process(target=_remove, args=(store,))
        worker.start()
        time.sleep(3 * takes * number / 24)
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)
        worker.join()
        removed = any(entry.removed for entry in release_index.of(store))
        answer = client_of(store).get("/v1/datasets/guns/records?version=1.1.0")
        assert answer.status_code == (410 if removed else 200)  # never half: the list decides
        states.add((removed, holding(store) == []))
        _remove(store)
        assert holding(store) == [] and verify(store, strict=True).problems == []
    assert len(states) > 1 and (False, True) not in states


def test_what_comes_back_from_a_backup_is_given_to_nobody_and_deleted_by_the_next_signature(
    built: Path, store: Path
) -> None:
    withdraw(store, "1.1.0", WHY, remove=True)
    shutil.copytree(built / "store/releases/1.1.0", store / "releases/1.1.0")
    shutil.copytree(built / "store/releases/1.1.0", store / "withdrawn/1.1.0")
    assert client_of(store).get("/releases/1.1.0/data/guns.csv").status_code == 410
    assert verify(store).problems == [
        f"release 1.1.0 was removed and {place}/1.1.0 is still here" for place in ("releases", "withdrawn")
    ]
    told: list[str] = []
    sign_store(store, told.append)
    assert told == [f"release 1.1.0 was removed ({WHY}): what was left of it is deleted"]
    assert holding(store) == [] and verify(store).problems == []


# What follows a removed release


def test_a_removed_release_is_not_built_again_from_the_history(store: Path) -> None:
    withdraw(store, "1.0.0", WHY, remove=True)
    assert lantern("build", store.parent / "package", "--store", store).exit_code == 0
    assert [path.name for path in (store / "releases").iterdir()] == ["1.1.0"]
    assert verify(store).problems == []


def test_a_new_release_never_tells_what_changed_since_a_removed_one(store: Path) -> None:
    withdraw(store, "1.1.0", WHY, remove=True)
    package(store.parent / "next", {**VERSIONS, "1.2.0": VERSIONS["1.0.0"]})
    with pytest.raises(
        BuildError, match=r"1\.2\.0 follows 1\.1\.0, which was removed \(By order.*Delete history/1.1.0"
    ):
        build(store.parent / "next", store)
    assert [path.name for path in (store / "releases").iterdir()] == ["1.0.0"] and holding(store / "releases") == []
    shutil.rmtree(store.parent / "next/history/1.1.0")
    build(store.parent / "next", store)
    sign_store(store)
    assert holding(store) == [] and verify(store, strict=True).problems == []
    made = json.loads((store / "releases/1.2.0/manifest.json").read_bytes())
    assert (made["previous"], made["changes"]) == ("1.0.0", {})
    assert client_of(store).get("/v1/changes?since=1.0.0").status_code == 200


def test_changes_that_lead_through_a_removed_release_are_gone_and_the_others_are_told(store: Path) -> None:
    source = package(store.parent / "next", {**VERSIONS, "1.2.0": VERSIONS["1.1.0"]})
    build(source, store)
    sign_store(store)
    withdraw(store, "1.1.0", WHY, remove=True)
    client = client_of(store)
    gone = client.get("/v1/changes?since=1.0.0")
    assert (gone.status_code, gone.get_json()["release"]["version"]) == (410, "1.1.0")
    assert "lead through a release that is not here" in gone.get_json()["detail"]
    assert client.get("/v1/changes").status_code == 200


def test_what_follows_a_removed_release_is_drafted_from_the_one_before(store: Path) -> None:
    source, environ = store.parent / "package", {"SOURCE_DATE_EPOCH": "1780000000", "LANTERN_STORE": str(store)}
    withdraw(store, "1.1.0", WHY, remove=True)
    (source / "data/guns.csv").write_text("id,value,note\na,1,first\nc,3,said\n")
    done = lantern("release", "--bump", "patch", "--note", "Another row.", source, **environ)
    assert done.exit_code == 0, done.output
    assert [path.name for path in (source / "history").iterdir()] == ["1.0.0"]
    assert lantern("build", source, **environ).exit_code == 0
    assert json.loads((store / "releases/1.1.1/manifest.json").read_bytes())["previous"] == "1.0.0"
    assert holding(store) == [] and verify(store).problems == []


def test_the_only_release_can_be_removed_and_another_follows(tmp_path: Path) -> None:
    source, store = package(tmp_path / "package", {"1.0.0": TWO["1.0.0"]}), tmp_path / "store"
    environ = {"SOURCE_DATE_EPOCH": "1780000000", "LANTERN_STORE": str(store)}
    build(source, store)
    sign_store(store, lambda _: None)
    withdraw(store, "1.0.0", WHY, remove=True)
    client = client_of(store)
    assert client.get("/v1/datasets").status_code == 404
    assert lantern("release", "--bump", "patch", "--note", "Without it.", source, **environ).exit_code == 0
    assert lantern("build", source, **environ).exit_code == 0
    time.sleep(RECHECK_SECONDS)
    assert client.get("/v1/datasets").headers["X-Data-Version"] == "1.0.1"


# Mirrors and exports


@pytest.fixture
def mirrored(store: Path, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A server over a store and a mirror of it that holds both releases."""
    with serving(store, tmp_path / "log") as url:
        copy(url, tmp_path / "copy")
        yield url, tmp_path / "copy"


def test_a_mirror_deletes_what_was_removed_and_so_does_a_mirror_of_it(
    mirrored: tuple[str, Path], store: Path, tmp_path: Path
) -> None:
    url, folder = mirrored
    staged = folder / "tmp/mirror" / f"1.1.0-{'0' * 16}"
    with serving(folder, tmp_path / "log2") as second:
        copy(second, tmp_path / "third")
        staged.mkdir(parents=True)
        (staged / "guns.csv").write_text(SECRET)
        withdraw(store, "1.1.0", WHY, remove=True)
        assert len(holding(folder)) > 10
        time.sleep(RECHECK_SECONDS)
        told: list[str] = []
        done = copy(url, folder, told=told)
        assert (done.withdrawn, done.left, told) == (
            ("1.1.0",),
            {},
            [f"Release 1.1.0 was removed by its publisher: {WHY}\nIt is deleted here."],
        )
        time.sleep(RECHECK_SECONDS)
        copy(second, tmp_path / "third")
    for place in (folder, tmp_path / "third"):
        assert holding(place) == [] and verify(place, strict=True).problems == []
        gone = client_of(place).get("/v1/datasets/guns/records?version=1.1.0")
        assert (gone.status_code, gone.get_json()["release"]["withdrawn"]) == (410, WHY)
    told.clear()
    assert (copy(url, folder, told=told).withdrawn, told) == ((), [])


def test_a_mirror_that_cannot_delete_says_so_and_gives_it_to_nobody(store: Path, tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as base, serving(store, tmp_path / "log") as url:
        Path(base).chmod(0o755)
        folder = Path(base, "copy")
        copy(url, folder)
        if os.getuid() == 0:
            for path in [folder, *folder.rglob("*")]:
                os.chown(path, 65534, 65534)
            for path in [folder / "releases/1.1.0", *(folder / "releases/1.1.0").rglob("*")]:
                os.chown(path, 0, 0)
        (folder / "releases/1.1.0/data").chmod(0o555)
        withdraw(store, "1.1.0", WHY, remove=True)
        time.sleep(RECHECK_SECONDS)
        command = [sys.executable, "-P", "-c", NOBODY, "mirror", url, str(folder)]
        environ = {**os.environ, "LANTERN_MIRROR_RETRIES": "0", "HOME": base}
        done = subprocess.run(command, env=environ, cwd=base, capture_output=True, text=True, timeout=60)
        assert done.returncode == 1 and "cannot be deleted: Permission denied" in done.stderr, done.stderr
        assert "given to nobody any more" in done.stderr and "Traceback" not in done.stderr
        assert client_of(folder).get("/releases/1.1.0/data/guns.csv").status_code == 410
        assert verify(folder).problems == ["release 1.1.0 was removed and releases/1.1.0 is still here"]
        (folder / "releases/1.1.0/data").chmod(0o755)
        copy(url, folder)
        assert holding(folder) == [] and verify(folder).problems == []


def test_a_later_export_has_none_of_it(store: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    assert lantern("export", site, LANTERN_STORE=str(store), LANTERN_BASE_URL="").exit_code == 0
    assert len(holding(site)) > 10
    withdraw(store, "1.1.0", WHY, remove=True)
    assert lantern("export", site, LANTERN_STORE=str(store), LANTERN_BASE_URL="").exit_code == 0
    assert holding(site) == [] and verify(site).problems == []
    listed = json.loads((site / "v1/releases/index.json").read_bytes())["data"]
    assert [(one["version"], one["withdrawn"]) for one in listed] == [("1.1.0", WHY), ("1.0.0", None)]


# Withdrawn


def test_a_withdrawn_release_says_so_wherever_it_is_given_and_is_not_kept_for_long(store: Path) -> None:
    client = client_of(store)
    named = [f"{path}{'&' if '?' in path else '?'}version=1.1.0" for path in DATA]
    files = [f"/releases/1.1.0/{name}" for name in ("data/guns.csv", "package.zip", "manifest.json", "")]
    for address in [*named, *files]:
        before = client.get(address)
        assert (before.status_code, "Deprecation" in before.headers) == (200, False), address
        assert 'rel="deprecation"' not in before.headers.get("Link", "")
    withdraw(store, "1.1.0", "wrong unit")
    time.sleep(RECHECK_SECONDS)
    [entry, _] = release_index.of(store)
    for address in [*named, *files, "/v1/releases/1.1.0"]:
        for _ in range(2):  # as it is made, and as it is kept
            answer = client.get(address)
            assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "public, max-age=60"), address
            assert re.fullmatch(r"@\d{10}", answer.headers["Deprecation"])
            assert '</v1/releases/1.1.0>; rel="deprecation"' in answer.headers["Link"]
        tagged = client.get(address, headers={"If-None-Match": answer.headers["ETag"]})
        assert (tagged.status_code, tagged.headers["Cache-Control"]) == (304, "public, max-age=60")
        body = answer.get_json(silent=True) or {}
        if "meta" in body:
            assert (body["meta"]["withdrawn"], body["meta"]["withdrawn_at"]) == ("wrong unit", entry.withdrawn_at)
    page = client.get("/releases/1.1.0/", headers={"Accept": "text/html"})
    assert "Withdrawn: wrong unit" in page.text
    fine = client.get("/v1/datasets/guns/records")
    assert (fine.headers["X-Data-Version"], "Deprecation" in fine.headers) == ("1.0.0", False)


def test_an_interrupted_withdrawal_is_finished_by_the_same_command(store: Path) -> None:
    withdraw(store, "1.1.0", "wrong")
    (store / "withdrawn/1.1.0").rename(store / "releases/1.1.0")  # as it was before the last step
    assert lantern("withdraw", "1.1.0", "--reason", "wrong", "--store", store).exit_code == 0
    assert (store / "withdrawn/1.1.0").exists() and verify(store).problems == []
    with pytest.raises(TrustError, match="withdrawn already"):
        withdraw(store, "1.1.0", "wrong")


@pytest.mark.parametrize(
    "entry",
    [
        {"removed": True},
        {"removed": "yes", "withdrawn": "x"},
        {"withdrawn": "x", "withdrawn_at": "yesterday"},
        {"withdrawn": "x", "withdrawn_at": 7},
    ],
)
def test_a_list_that_says_it_otherwise_is_refused(entry: dict[str, Any]) -> None:
    whole = {"version": "1.0.0", "manifest": "0" * 64, "published_at": None, "withdrawn": None, **entry}
    with pytest.raises(release_index.BadList):
        release_index.read(manifest.dump({"releases": [whole]}).encode())


def test_a_list_of_before_is_read_and_written_as_it_was() -> None:
    old = b'{"releases": [{"version": "1.0.0", "manifest": "00", "published_at": null, "withdrawn": "wrong"}]}'
    assert json.loads(release_index.dump(release_index.read(old))) == json.loads(old)
