"""What an operator is told: `lantern status`, /healthz and /readyz say the same, at an origin and at a mirror."""

import json
import os
import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import running
from click.testing import CliRunner, Result
from flask.testing import FlaskClient
from newsroom import ROOT, copy, origin, own_store, publish, states

from api import mirror
from api.app import create_app
from api.cli import main
from api.store import signatures
from api.trust import keyring, rotate, sign_store, verify, withdraw

__all__ = ["origin", "states"]
DAYS = {"root": 730, "targets": 365, "snapshot": 60, "timestamp": 14}


@pytest.fixture
def store(states: Path, tmp_path: Path) -> Path:
    """A store of one's own with the releases 1.0.0 and 1.1.0, signed as the tests began; its keys beside it."""
    return own_store(states, tmp_path)


def lantern(*arguments: object, **environ: str) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], env=environ)


def status(store: Path, **environ: str) -> Any:
    """The document of `lantern status`, whose status says whether something needs a person."""
    done = lantern("status", "--json", "--store", store, **environ)
    assert done.exception is None or isinstance(done.exception, SystemExit)
    found = json.loads(done.output)
    assert done.exit_code == (1 if found["needs"] else 0)
    return found


def client_of(store: Path) -> FlaskClient:
    return create_app(STORE=store, BASE_URL="").test_client()


def health(store: Path) -> Any:
    answer = client_of(store).get("/healthz")
    assert answer.status_code == 200
    return answer.get_json()


def signed_before(store: Path, **ago: float) -> None:
    """Sign a store anew as somebody did so long ago."""
    shutil.rmtree(store / "tuf")
    shutil.rmtree(keyring(store).folder)
    sign_store(store, lambda _: None, now=datetime.now(UTC) - timedelta(**ago))


# The page and the document


def test_the_page_says_what_is_there_and_that_nothing_needs_anybody(store: Path) -> None:
    done = lantern("status", "--store", store)
    lines = done.output.splitlines()
    assert (done.exit_code, lines[-1]) == (0, "Nothing needs you.")
    assert lines[0].startswith(f"Store       {store}, ") and lines[1] == "Latest      1.1.0"
    assert [line.split(", ")[0] for line in lines if line.startswith("Release")] == [
        "Release     1.1.0",
        "Release     1.0.0",
    ]
    assert [line.split()[1] for line in lines if line.startswith("Signature")] == [
        *("root", "timestamp", "snapshot", "targets")
    ]
    assert [line for line in lines if line.startswith("Disk")]


def test_the_document_holds_the_same(store: Path) -> None:
    found = status(store)
    assert [*found] == ["store", "checked_at", "latest", "releases", "signatures", "mirror", "disks", "needs"]
    released = {"served": True, "reason": None, "withdrawn": None, "signed": True}
    assert [(one["version"], {name: one[name] for name in released}) for one in found["releases"]] == [
        ("1.1.0", released),
        ("1.0.0", released),
    ]
    assert {role: round(one["days_left"]) for role, one in found["signatures"].items()} == DAYS
    assert (found["latest"], found["mirror"], found["needs"]) == ("1.1.0", None, [])
    (disk,) = found["disks"]
    assert disk["folder"] == str(store) and disk["total"] > disk["free"] > disk["needed"] > 0


def test_a_store_that_is_not_there_needs_somebody(tmp_path: Path) -> None:
    done = lantern("status", "--store", tmp_path / "nothing")
    assert (done.exit_code, done.output.splitlines()[-1]) == (1, "Needs you   store: it is not there")
    assert status(tmp_path)["needs"] == ["store: it holds no release"]


def test_releases_that_nobody_signed_are_named(store: Path, states: Path) -> None:
    shutil.copytree(states / "three/releases/1.2.0", store / "releases/1.2.0")
    found = status(store)
    assert found["needs"] == ["release 1.2.0 is not in the signed list: run `lantern sign`"]
    assert [one["signed"] for one in found["releases"] if one["version"] == "1.2.0"] == [False]
    shutil.rmtree(store / "tuf")
    (store / "releases.json").unlink()
    assert status(store)["needs"] == ["the store was never signed: run `lantern sign`"]
    assert health(store)["signatures"] == {}


def test_an_index_that_is_only_missing_needs_nobody(store: Path) -> None:
    shutil.rmtree(store / "index", ignore_errors=True)
    found = status(store)
    assert (found["needs"], found["latest"]) == ([], None)
    assert {(one["served"], one["reason"]) for one in found["releases"]} == {(False, "its index is being made")}


def test_an_index_that_could_not_be_made_needs_somebody(store: Path) -> None:
    shutil.rmtree(store / "index", ignore_errors=True)
    (store / "releases/1.1.0/data/things.csv").write_text("id,name\n")
    assert lantern("index", "--store", store).exit_code == 1
    needs = status(store)["needs"]
    assert "1.1.0: data/things.csv is not as the manifest has it" in needs


def test_a_withdrawn_release_needs_nobody(store: Path) -> None:
    withdraw(store, "1.1.0", "wrong unit")
    lantern("index", "--store", store)
    found = status(store)
    assert (found["needs"], found["latest"], found["releases"][0]["withdrawn"]) == ([], "1.0.0", "wrong unit")


def test_a_disk_that_is_nearly_full_needs_somebody(store: Path) -> None:
    """As one whose free bytes the newest release would take twice."""
    big = store / "index" / "5-big"
    manifest = store / "releases/1.1.0/manifest.json"
    document = json.loads(manifest.read_bytes())
    free = shutil.disk_usage(store).free
    document["files"][-1]["bytes"] = free
    manifest.write_text(json.dumps(document))
    shutil.rmtree(store / "tuf")  # so that nothing says which manifest was signed
    needs = status(store)["needs"]
    assert not big.exists() and [need for need in needs if need.startswith(f"the disk of {store} is nearly full: ")]


def table(head: str) -> dict[str, str]:
    """A table of docs/OPERATIONS.md by its first column."""
    text = (ROOT / "docs/OPERATIONS.md").read_text(encoding="utf-8").partition(f"{head}\n")[2].partition("\n\n")[0]
    return dict(row.strip("| ").split(" | ", 1) for row in text.splitlines()[1:])


def test_the_guide_says_what_the_document_holds_and_when_a_signature_ends_soon(store: Path) -> None:
    found, said = status(store), table("| key | holds |")
    assert re.findall("`([a-z_]+)`", " ".join(said)) == [*found]
    for name, entry in (("releases", found["releases"][0]), ("disks", found["disks"][0])):
        assert re.findall("`([a-z_]+)`", said[f"`{name}`"]) == [*entry]
    assert re.findall("`([a-z_]+)`", said["`signatures`"]) == [*found["signatures"]["root"]]
    days = re.findall(r"(\d+)(?: days)? \(`([a-z]+)`\)", table("| what | when |")["a signature"])
    assert {role: int(number) for number, role in days} == signatures.SOON


def test_the_commands_of_the_guide_run(store: Path, tmp_path: Path) -> None:
    guide = (ROOT / "docs/OPERATIONS.md").read_text(encoding="utf-8").partition("## The index")[0]
    commands = re.findall(r"^    (?:0 7 \* \* \* +)?((?:lantern|curl) .*?)(?:  +#.*)?$", guide, re.M)
    assert len(commands) == 5
    (tmp_path / "lantern").write_text(f'#!/bin/sh\nexec {" ".join(running.LANTERN)} "$@"\n')
    (tmp_path / "lantern").chmod(0o755)
    with running.lantern(tmp_path / "log", "serve", LANTERN_STORE=str(store)) as server:
        environ = {**os.environ, "LANTERN_STORE": str(store), "PATH": f"{tmp_path}:{os.environ['PATH']}"}
        for command in commands:
            line = command.replace("http://127.0.0.1:8000", server.url).replace("/tmp/", f"{tmp_path}/")
            done = subprocess.run(["sh", "-c", line], env=environ, capture_output=True, text=True)
            assert (done.returncode, done.stderr) == (0, ""), command
            if command.startswith("curl"):
                assert json.loads(done.stdout)["status"] in ("ok", "ready")


# Signatures


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets", "root"])
def test_each_signature_is_said_to_end_soon_and_to_have_ended(store: Path, role: str) -> None:
    soon = signatures.SOON[role]
    for left, said in ((soon + 1, ""), (soon - 1, "expires soon"), (-1, "expired on")):
        signed_before(store, days=DAYS[role] - left)
        found, warned = status(store), health(store)
        expires = found["signatures"][role]["expires"]
        assert round(found["signatures"][role]["days_left"]) == left == round(warned["signatures"][role]["days_left"])
        mine = [need for need in found["needs"] if need.startswith(f"tuf/{role}: ")]
        assert (len(mine), said in "".join(mine)) == (1 if said else 0, True)
        told = [one["reason"] for one in warned["warnings"] if one["version"] == f"tuf/{role}"]
        assert [f"tuf/{role}: {reason}" for reason in told] == mine and all(expires in reason for reason in told)
        assert warned["status"] == ("degraded" if found["needs"] else "ok")
        ready = client_of(store).get("/readyz")
        assert (ready.status_code, ready.get_json()["warnings"]) == (200, warned["warnings"])


def test_a_signature_that_is_meant_to_be_short_does_not_end_soon_all_the_time(store: Path) -> None:
    signed_before(store, days=13)  # one day is left of the timestamp
    assert [need.split(":")[0] for need in status(store)["needs"]] == ["tuf/timestamp"]
    assert status(store, LANTERN_TIMESTAMP_DAYS="2")["needs"] == []


def test_who_refreshes_every_day_is_never_warned(store: Path) -> None:
    """Until the snapshot was renewed, after forty days."""
    start, values = datetime.now(UTC), {f"{role.upper()}_DAYS": days for role, days in DAYS.items()}
    for day in range(45):
        now = start + timedelta(days=day)
        warned = [one.warning(values, now) for one in signatures.of(store)]
        sign_store(store, refresh=True, now=now)
        assert [*filter(None, warned)] == []
    assert {one.role: one.version for one in signatures.of(store)}["snapshot"] > 2


def test_an_application_that_runs_sees_a_new_signature(store: Path) -> None:
    signed_before(store, days=20)
    client = client_of(store)
    assert client.get("/healthz").get_json()["status"] == "degraded"
    sign_store(store, refresh=True)
    assert client.get("/healthz").get_json()["status"] == "ok"


# A mirror


def test_a_mirror_says_when_it_was_synced_and_when_it_is_stale(origin: str, tmp_path: Path) -> None:
    copy(origin, tmp_path / "copy")
    found, warned = status(tmp_path / "copy"), health(tmp_path / "copy")
    assert (found["needs"], found["mirror"]["upstream"], found["mirror"]["stale"]) == ([], origin, False)
    assert 0 <= found["mirror"]["age_seconds"] < 600 and {**warned["mirror"], "age_seconds": 0} == {
        **found["mirror"],
        "age_seconds": 0,
    }
    assert warned["signatures"].keys() == DAYS.keys()
    page = lantern("status", "--store", tmp_path / "copy").output
    assert f"Mirror      of {origin}, synced {found['mirror']['synced_at']}, holds all" in page
    past = mirror.utc_text(datetime.now(UTC) - timedelta(seconds=1))
    mirror.write(tmp_path / "copy", mirror.MirrorStatus(**{**_fields(tmp_path / "copy"), "stale_after": past}))
    (need,) = status(tmp_path / "copy")["needs"]
    assert need.startswith("mirror.json: the last sync was at ") and past in need
    assert health(tmp_path / "copy")["status"] == "degraded"


def _fields(folder: Path) -> dict[str, Any]:
    found = mirror.status(folder)
    assert found
    return vars(found)


def test_a_mirror_that_no_longer_knows_of_whom_says_so_and_does_not_pass_for_the_original(
    origin: str, tmp_path: Path
) -> None:
    copy(origin, tmp_path / "copy")
    (tmp_path / "copy/mirror.json").write_text("{")
    client = client_of(tmp_path / "copy")
    answer = client.get("/v1/datasets/things/records")
    assert (answer.status_code, answer.get_json()["meta"]["mirror"]["upstream"]) == (200, "")
    page = client.get("/", headers={"Accept": "text/html"})
    assert page.status_code == 200 and "A copy: its <code>mirror.json</code>" in page.text
    assert lantern("build", "--store", tmp_path / "copy").exit_code == 1
    copy(origin, tmp_path / "copy")
    assert status(tmp_path / "copy")["needs"] == []


# Refreshing


def refresh(store: Path) -> "subprocess.CompletedProcess[str]":
    environ = {**os.environ, "LANTERN_STORE": str(store)}
    command = [*running.LANTERN, "sign", "--refresh"]
    return subprocess.run(command, env=environ, capture_output=True, text=True)


def signed(store: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (store / "tuf").glob("*.json")}


def test_refreshing_under_an_expired_root_fails_and_publishes_nothing(store: Path) -> None:
    signed_before(store, days=731)
    (key,) = keyring(store).folder.glob("root-*")
    key.rename(store.parent / "stick.pem")
    before = signed(store)
    done = refresh(store)
    assert (done.returncode, signed(store)) == (1, before)
    assert done.stderr.startswith("the root expired on ") and "run `lantern sign`" in done.stderr
    (store.parent / "stick.pem").rename(key)
    assert lantern("sign", "--store", store).exit_code == refresh(store).returncode == 0
    assert verify(store, strict=True).problems == []


@pytest.mark.parametrize("ahead", [{"days": 400}, {"hours": 1}])
def test_refreshing_by_a_clock_that_is_behind_the_last_signature_fails_and_publishes_nothing(
    store: Path, ahead: dict[str, int]
) -> None:
    sign_store(store, refresh=True, now=datetime.now(UTC) + timedelta(**ahead))
    before = signed(store)
    done = refresh(store)
    assert (done.returncode, signed(store)) == (1, before)
    assert done.stderr.startswith("the clock says ") and "set the clock" in done.stderr
    rotate(store, ["timestamp"], keyring(store))
    assert refresh(store).returncode == 0


def test_a_clock_that_differs_a_little_refreshes(store: Path) -> None:
    sign_store(store, refresh=True, now=datetime.now(UTC) + timedelta(minutes=2))
    assert refresh(store).returncode == 0


def test_a_new_release_by_a_slow_clock_is_signed_with_a_word(store: Path, states: Path) -> None:
    publish(states, store, "1.2.0")
    told: list[str] = []
    sign_store(store, told.append, now=datetime.now(UTC) - timedelta(days=1))
    assert [line.partition(" ")[0] for line in told] == ["the"] and "the last signature was made at" in told[0]
