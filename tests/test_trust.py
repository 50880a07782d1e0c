"""A signed store: whose it is can be proven, it is never half signed, and its keys can be replaced."""

import json
import multiprocessing
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from newsroom import ROOT, own_store, publish, states

from api.model import filenames
from api.release.media_types import media_type
from api.store import release_index
from api.store.manifest import dump, entries
from api.trust import TrustError, initialise, metadata, rotate, sign_store, verify, withdraw
from api.trust.keys import ROLES, Keyring, keyring

__all__ = ["states"]
LANTERN = [sys.executable, "-c", "from api.cli import main; main()"]


def release(store: Path, version: str, text: str = "a\n1\n") -> Path:
    """A release without what a server needs: a file and its manifest."""
    folder = store / "releases" / version
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "a.csv").write_text(text)
    said = {"version": version, "published_at": "2026-01-01T00:00:00Z", "files": entries(folder, {}, media_type)}
    (folder / "manifest.json").write_text(dump(said))
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with one release, signed; its keys beside it."""
    release(tmp_path / "store", "1.0.0")
    sign_store(tmp_path / "store", lambda _: None)
    return tmp_path / "store"


def tuf(store: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (store / "tuf").glob("*.json")}


def version(store: Path, role: str) -> int:
    found = metadata.state(store)
    assert found
    return int(getattr(found, role).signed.version)


def lantern(store: Path, *arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    environ = {**os.environ, "LANTERN_STORE": str(store), **environ}
    return subprocess.run([*LANTERN, *arguments], cwd=ROOT, env=environ, capture_output=True, text=True)


def test_the_first_signature_makes_keys_and_says_so(tmp_path: Path) -> None:
    told: list[str] = []
    release(tmp_path / "store", "1.0.0")
    sign_store(tmp_path / "store", told.append)
    assert [line.partition(". ")[0] for line in told] == [f"made development keys in {tmp_path / 'keys'}"]
    assert verify(tmp_path / "store", strict=True).problems == []
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    made = sorted((tmp_path / "keys").iterdir())
    assert [path.name.split("-")[0] for path in made] == ["root", "snapshot", "targets", "timestamp"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in made} == {0o600}


def test_what_is_signed_is_not_signed_again(store: Path) -> None:
    before = tuf(store)
    sign_store(store)
    assert tuf(store) == before


def test_a_new_release_is_signed_and_nothing_else_changes(store: Path) -> None:
    before = tuf(store)
    release(store, "1.10.0", "a\n2\n")
    release(store, "1.9.0", "a\n3\n")
    sign_store(store)
    assert [entry.version for entry in release_index.of(store)] == ["1.10.0", "1.9.0", "1.0.0"]
    after = tuf(store)
    assert {name for name in after if after[name] != before.get(name)} == {
        "2.targets.json",
        "2.snapshot.json",
        "timestamp.json",
    }
    assert before.items() - after.items() == {("timestamp.json", before["timestamp.json"])}
    assert verify(store).problems == []


def test_refreshing_renews_the_timestamp_alone(store: Path) -> None:
    release(store, "1.1.0")
    sign_store(store, refresh=True)
    assert [version(store, role) for role in ROLES[1:]] == [1, 1, 2]
    assert [entry.version for entry in release_index.of(store)] == ["1.0.0"]
    assert verify(store).problems == ["releases/1.1.0 is not among the signed releases"]


def test_refreshing_renews_the_snapshot_when_it_expires_soon(store: Path) -> None:
    sign_store(store, refresh=True, now=datetime.now(UTC) + timedelta(days=39))
    assert [version(store, role) for role in ROLES[1:]] == [1, 1, 2]
    sign_store(store, refresh=True, now=datetime.now(UTC) + timedelta(days=41))
    assert [version(store, role) for role in ROLES[1:]] == [1, 2, 3]
    sign_store(store, refresh=True, now=datetime.now(UTC) + timedelta(days=300))
    assert [version(store, role) for role in ROLES[1:]] == [2, 3, 4]


def test_refreshing_needs_no_key_but_two(store: Path) -> None:
    for path in [*(store.parent / "keys").glob("root-*"), *(store.parent / "keys").glob("targets-*")]:
        path.unlink()
    sign_store(store, refresh=True)
    release(store, "1.1.0")
    with pytest.raises(TrustError, match=r"the targets key is not in .*keys: copy them there, or set LANTERN_KEYS"):
        sign_store(store)
    assert verify(store).problems == ["releases/1.1.0 is not among the signed releases"]
    told: list[str] = []
    sign_store(store, told.append, refresh=True, now=datetime.now(UTC) + timedelta(days=300))
    assert [line for line in told if line.startswith("targets expires on ")]


def test_the_root_is_renewed_where_its_key_is_and_asked_for_where_not(store: Path) -> None:
    late = datetime.now(UTC) + timedelta(days=500)
    sign_store(store, now=late)
    assert "2.root.json" in tuf(store) and verify(store, now=late, strict=True).problems == []
    [key] = (store.parent / "keys").glob("root-*")
    key.unlink()
    told: list[str] = []
    sign_store(store, told.append, now=late + timedelta(days=500))
    assert told[0].startswith("the root expires on ") and "3.root.json" not in tuf(store)


def test_two_stores_under_the_same_keys_are_signed_alike(store: Path, tmp_path: Path) -> None:
    """But for expiry and version, nothing depends on when and where."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    twin = Path(shutil.copytree(store, tmp_path / "twin"))
    for place in (store, twin):
        release(place, "1.1.0")
        sign_store(place, keys=keyring(store), now=now)
    assert tuf(store) == tuf(twin)
    assert (store / "releases.json").read_bytes() == (twin / "releases.json").read_bytes()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "data" / "a.csv").write_text("a\n2\n"), "data/a.csv is altered"),
        (lambda folder: (folder / "data" / "a.csv").unlink(), "data/a.csv is missing"),
        (lambda folder: (folder / "more").write_text(""), "more does not belong to the release"),
        (lambda folder: (folder / "SHA256SUMS").write_text(""), "SHA256SUMS does not agree with manifest.json"),
        (lambda folder: folder.rename(folder.parent / "2.0.0"), "its manifest says it is version 1.1.0"),
        (lambda folder: (folder / "manifest.json").write_text("[]"), "the manifest cannot be read"),
    ],
)
def test_a_release_that_is_wrong_is_not_signed(store: Path, spoil: Callable[[Path], object], message: str) -> None:
    before = tuf(store)
    spoil(release(store, "1.1.0"))
    with pytest.raises(TrustError, match=message):
        sign_store(store)
    assert tuf(store) == before


def test_a_signed_release_never_changes_and_never_goes_by_itself(store: Path) -> None:
    shutil.move(store / "releases" / "1.0.0", store / "aside")
    with pytest.raises(TrustError, match="release 1.0.0 was published and is missing: restore it"):
        sign_store(store)
    release(store, "1.0.0", "a\n2\n")
    with pytest.raises(TrustError, match="release 1.0.0 differs from the one that was signed"):
        sign_store(store)


def test_a_withdrawn_version_does_not_come_back(store: Path) -> None:
    release(store, "1.1.0")
    sign_store(store)
    withdraw(store, "1.0.0", "wrong")
    assert release_index.withdrawn(store) == {"1.0.0": "wrong"}
    assert verify(store).problems == []
    with pytest.raises(TrustError, match="was withdrawn already: wrong"):
        withdraw(store, "1.0.0", "again")
    with pytest.raises(TrustError, match="there is no signed release 9.9.9"):
        withdraw(store, "9.9.9", "never")
    shutil.copytree(store / "withdrawn" / "1.0.0", store / "releases" / "1.0.0")
    assert verify(store).problems == ["release 1.0.0 was withdrawn and is still here: wrong"]
    sign_store(store, lambda _: None)
    assert not (store / "releases" / "1.0.0").exists()
    release(store, "1.0.0", "a\n2\n")
    with pytest.raises(TrustError, match=r"release 1.0.0 was withdrawn \(wrong\): raise the package's version"):
        sign_store(store)


@pytest.mark.parametrize("roles", [["root"], ["targets"], ["snapshot"], ["timestamp"], ROLES])
def test_rotated_keys_sign_from_then_on(store: Path, roles: list[str]) -> None:
    before = keyring(store)
    old = {path.name for path in before.folder.glob("*.pem")}
    rotate(store, roles, before)
    assert verify(store, strict=True).problems == []
    assert {path.name for path in (before.folder / "retired").iterdir()} == {
        name for name in old if name.split("-")[0] in roles
    }
    assert len(list(before.folder.glob("*.pem"))) == len(ROLES)
    release(store, "1.1.0")
    sign_store(store)
    assert verify(store, strict=True).problems == []


def test_a_lost_online_key_is_replaced_and_a_lost_root_is_not(store: Path) -> None:
    keys = keyring(store)
    for path in keys.folder.glob("timestamp-*"):
        path.unlink()
    told: list[str] = []
    rotate(store, ["timestamp"], keys, told.append)
    assert told == ["the old timestamp key is missing: a mirror that syncs at this moment must sync again"]
    assert verify(store).problems == []
    for path in keys.folder.glob("root-*"):
        path.unlink()
    with pytest.raises(TrustError, match="the root key is not in"):
        rotate(store, ["timestamp"], keys)


def test_several_root_keys_sign_together(tmp_path: Path) -> None:
    store = tmp_path / "store"
    keys = keyring(store)
    initialise(store, keys, 3, 2)
    sign_store(store)
    first, *_ = keys.folder.glob("root-*")
    first.rename(tmp_path / "far away")
    rotate(store, ["root"], keys)
    assert verify(store).problems == []
    for path in sorted(keys.folder.glob("root-*"))[:2]:
        path.unlink()
    with pytest.raises(TrustError, match=r"the root keys \(at least 2\) are not in"):
        rotate(store, ["root"], keys)
    with pytest.raises(TrustError, match="5 of 3 root keys cannot sign"):
        initialise(tmp_path / "other", keys, 3, 5)
    with pytest.raises(TrustError, match="already has keys"):
        initialise(store, keys, 1, 1)


def test_keys_with_a_passphrase_need_it(store: Path, tmp_path: Path) -> None:
    keys = Keyring(tmp_path / "other keys", "open sesame", keyring(store).days)
    release(tmp_path / "other", "1.0.0")
    sign_store(tmp_path / "other", lambda _: None, keys=keys)
    encrypted = {path.stem: b"ENCRYPTED PRIVATE KEY" in path.read_bytes() for path in keys.folder.iterdir()}
    assert len(encrypted) >= 4 and set(encrypted.values()) == {True}
    sign_store(tmp_path / "other", refresh=True, keys=keys)
    for passphrase in ("", "wrong"):
        keys.passphrase = passphrase
        with pytest.raises(TrustError, match="needs its passphrase: LANTERN_KEYS_PASSPHRASE is wrong or not set"):
            sign_store(tmp_path / "other", refresh=True, keys=keys)


def test_keys_that_others_can_read_are_refused(store: Path) -> None:
    for path in (store.parent / "keys").iterdir():
        path.chmod(0o640)
    with pytest.raises(TrustError, match="can be read by other users: chmod 600"):
        sign_store(store, refresh=True)


def test_keys_in_the_store_are_refused(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANTERN_KEYS", str(store / "tuf" / "keys"))
    with pytest.raises(TrustError, match="must not be in the store"):
        sign_store(store)


def test_an_expired_store_is_verifiable(store: Path) -> None:
    later = datetime.now(UTC) + timedelta(days=4000)
    assert [line.split(" on ")[0] for line in verify(store, now=later).warnings] == [
        f"the {role} expired" for role in ROLES
    ]
    assert verify(store, now=later).problems == []
    assert len(verify(store, now=later, strict=True).problems) == 4


@pytest.mark.parametrize("name", ["1.root.json", "1.targets.json", "1.snapshot.json", "timestamp.json"])
def test_altered_metadata_is_found(store: Path, name: str) -> None:
    path = store / "tuf" / name
    path.write_text(path.read_text().replace('"expires": "20', '"expires": "21'))
    [problem] = verify(store).problems
    assert problem.startswith("the signed metadata is not valid: ")


def test_altered_files_are_found_and_named(store: Path) -> None:
    release(store, "1.1.0", "a\n5\n")
    sign_store(store)
    (store / "releases" / "1.1.0" / "data" / "a.csv").write_text("a\n6\n")
    (store / "releases" / "1.0.0" / "manifest.json").write_text("{}")
    (store / "releases" / "index.html").write_text("")
    (store / "releases.json").write_text("{}")
    [signed] = (store / "tuf" / "targets" / "releases" / "1.0.0").iterdir()
    signed.write_text("{}")
    assert [re.sub(r"[0-9a-f]{64}", "…", problem) for problem in verify(store).problems] == [
        "releases.json is altered: it is not what was signed",
        "tuf/targets/releases/1.0.0/….manifest.json is altered: it is not what was signed",
        "releases/index.html is not among the signed releases",
        "releases/1.1.0: data/a.csv is altered: its sha256 is not …",
        "releases/1.0.0: manifest.json is altered: it is not what was signed",
    ]


def test_another_root_is_not_the_wanted_one(store: Path) -> None:
    verdict = verify(store, fingerprint="0" * 64)
    assert verdict.problems == [
        f"the signed metadata is not valid: the root {'0' * 64} is not in its chain: somebody else signed it"
    ]


def test_a_mirror_is_not_signed(store: Path) -> None:
    (store / "mirror.json").write_text("{}")
    with pytest.raises(TrustError, match="is a mirror: only its origin can sign it"):
        sign_store(store)


def _sign_often(store: Path, number: int) -> None:
    for count in range(6):
        release(store / "tmp" / str(number), f"1.{number}.{count}", f"a\n{number * 100 + count}\n")
        (store / "tmp" / str(number) / "releases" / f"1.{number}.{count}").rename(
            store / "releases" / f"1.{number}.{count}"
        )
        sign_store(store)


def test_signing_at_once_from_several_processes_leaves_a_reader_nothing_broken(store: Path) -> None:
    """Every state that a reader can catch holds: the metadata is whole and signed, whatever is being written."""
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_sign_often, args=(store, number)) for number in range(1, 4)]
    for writer in writers:
        writer.start()
    looked = 0
    while any(writer.is_alive() for writer in writers):
        wrong = [problem for problem in verify(store).problems if "metadata is not valid" in problem]
        assert wrong == []
        looked += 1
    assert [writer.exitcode for writer in writers] == [0, 0, 0] and looked > 1
    assert verify(store).problems == []
    assert len(release_index.of(store)) == 19


def test_a_kill_while_signing_leaves_the_old_state_or_the_new(store: Path) -> None:
    context = multiprocessing.get_context("fork")
    for count in range(1, 13):
        release(store, f"2.0.{count}", f"a\n{count}\n")
        signing = context.Process(target=sign_store, args=(store,))
        signing.start()
        signing.join(0.002 * count)
        signing.kill()
        signing.join()
        allowed = {f"releases/2.0.{number} is not among the signed releases" for number in range(1, count + 1)}
        assert set(verify(store).problems) - {"releases.json is altered: it is not what was signed"} <= allowed
    sign_store(store)
    assert verify(store).problems == []


def test_the_commands(tmp_path: Path) -> None:
    store = tmp_path / "store"
    run = lantern(store, "keys", "show")
    assert (run.returncode, run.stderr) == (
        1,
        f"{store} has no keys yet: `lantern keys init` makes them, or the first build does\n",
    )
    run = lantern(store, "keys", "init", LANTERN_KEYS_PASSPHRASE="secret")
    fingerprint = metadata.fingerprint((store / "tuf" / "1.root.json").read_bytes())
    assert run.returncode == 0 and f"fingerprint  {fingerprint}" in run.stdout
    assert "The root key is in" in run.stdout and "on two sticks in two places" in run.stdout
    run = lantern(store, "keys", "rotate", "timestamp")
    assert run.returncode == 1 and "needs its passphrase" in run.stderr and "Traceback" not in run.stderr
    assert lantern(store, "keys", "rotate", "all", LANTERN_KEYS_PASSPHRASE="secret").returncode == 0
    release(store, "1.0.0")
    assert lantern(store, "sign", LANTERN_KEYS_PASSPHRASE="secret").returncode == 0
    assert lantern(store, "sign", "--refresh", LANTERN_KEYS_PASSPHRASE="secret").returncode == 0
    run = lantern(store, "withdraw", "1.0.0", "--reason", "wrong", LANTERN_KEYS_PASSPHRASE="secret")
    assert run.returncode == 0 and str(store / "withdrawn" / "1.0.0") in run.stdout
    run = lantern(store, "verify", str(store), "--json")
    assert (run.returncode, json.loads(run.stdout)["problems"]) == (0, [])
    assert lantern(store, "verify", str(tmp_path / "nowhere")).returncode == 2
    assert lantern(store, "keys", "rotate", "nobody").returncode == 2


@pytest.mark.parametrize(
    "path",
    ["data/a.csv", "data/größe.csv", "data/a b.csv", "data/a%2Fb.csv", "LICENSE", "a/b/c/d", "x" * 255, "console"],
)
def test_names_that_are_fine(path: str) -> None:
    assert filenames.reason(path) is None


def test_the_states_are_those_of_one_origin(states: Path, tmp_path: Path) -> None:
    store = own_store(states, tmp_path, "one")
    publish(states, store, "1.1.0")
    assert release_index.of(store) == release_index.of(states / "two")


def test_the_server_loads_nothing_that_signs() -> None:
    code = (
        "import sys, wsgi; print([m for m in sys.modules if m.split('.')[0] in ('tuf', 'securesystemslib', 'urllib3')])"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
