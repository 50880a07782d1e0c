"""A mirror holds what its origin holds, byte for byte, and says whose copy it is."""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import proxy
import pytest
from newsroom import (
    BIG,
    ROOT,
    VALUES,
    copy,
    origin,
    own_store,
    publish,
    released,
    serving,
    shown,
    sign_by_a_slow_clock,
    states,
)
from proxy import Proxy
from tuf.ngclient import Updater, UpdaterConfig

from api import mirror
from api.mirror.upstream import MirrorError
from api.store import manifest, release_index
from api.trust import metadata, rotate, sign_store, verify, withdraw
from api.trust.keys import ROLES, keyring

__all__ = ["origin", "states"]
LANTERN = [sys.executable, "-c", "from api.cli import main; main()"]


@pytest.fixture
def between(origin: str) -> Iterator[Proxy]:
    """A proxy before the origin."""
    with proxy.between(origin) as found:
        yield found


def lantern(*arguments: object, **environ: str) -> "subprocess.CompletedProcess[str]":
    command = [*LANTERN, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **environ}, capture_output=True, text=True)


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as response:
        return json.loads(response.read())


def test_a_full_copy_is_the_origin_byte_for_byte(origin: str, states: Path, tmp_path: Path) -> None:
    told: list[str] = []
    done = copy(origin, tmp_path / "copy", told=told)
    store = states / "two"
    assert done.added == ("1.1.0", "1.0.0")
    assert released(tmp_path / "copy") == released(store)
    assert {name: digest for name, digest in shown(tmp_path / "copy").items() if name != "mirror.json"}.items() <= (
        shown(store).items()
    )
    fingerprint = metadata.fingerprint((store / "tuf" / "1.root.json").read_bytes())
    assert f"Trusting {origin} on first use" in told[0] and fingerprint in told[0]
    verdict = verify(tmp_path / "copy", fingerprint=fingerprint, strict=True)
    assert (verdict.problems, verdict.warnings, sorted(verdict.releases)) == ([], [], ["1.0.0", "1.1.0"])
    assert not (tmp_path / "copy" / "tmp" / "mirror").exists()


@pytest.mark.parametrize("trusted", ["file", "fingerprint", "FINGERPRINT"])
def test_a_trusted_root_is_not_asked_about(origin: str, states: Path, tmp_path: Path, trusted: str) -> None:
    root = (states / "two" / "tuf" / "1.root.json").read_bytes()
    fingerprint = metadata.fingerprint(root)
    wish = {"file": {"root": root}, "fingerprint": {"fingerprint": fingerprint}}.get(
        trusted, {"fingerprint": fingerprint.upper()}
    )
    told: list[str] = []
    assert copy(origin, tmp_path / "copy", told=told, **wish).added == ("1.1.0", "1.0.0")
    assert told == []
    assert copy(origin, tmp_path / "copy", told=told, **wish).added == ()


def test_an_update_transfers_less_than_twice_what_changed(states: Path, tmp_path: Path) -> None:
    store = own_store(states, tmp_path)
    with serving(store, tmp_path / "log") as url, proxy.between(url) as between:
        copy(between.url, tmp_path / "copy")
        publish(states, store, "1.2.0")
        new = store / "releases" / "1.2.0"
        known = {file.sha256 for version in ("1.0.0", "1.1.0") for file in _files(store / "releases" / version)}
        changed = sum(file.bytes for file in _files(new) if file.sha256 not in known)
        changed += (new / "manifest.json").stat().st_size
        between.forget()
        done = copy(between.url, tmp_path / "copy")
    assert done.added == ("1.2.0",)
    assert changed < between.sent < 2 * changed
    assert not [path for path in between.paths() if BIG in path]
    assert os.path.samefile(*(tmp_path / "copy" / "releases" / version / BIG for version in ("1.0.0", "1.2.0")))
    assert released(tmp_path / "copy") == released(store)


def _files(folder: Path) -> tuple[manifest.File, ...]:
    return manifest.read((folder / "manifest.json").read_bytes()).files


def test_nothing_new_costs_two_requests(between: Proxy, tmp_path: Path) -> None:
    first = copy(between.url, tmp_path / "copy").status
    before = shown(tmp_path / "copy")
    between.forget()
    assert copy(between.url, tmp_path / "copy").added == ()
    assert sorted(between.paths()) == ["/tuf/2.root.json", "/tuf/timestamp.json"]
    after = mirror.status(tmp_path / "copy")
    assert after and after.synced_at >= first.synced_at
    assert {**shown(tmp_path / "copy"), "mirror.json": ""} == {**before, "mirror.json": ""}


def test_a_large_file_goes_on_where_it_broke_off(between: Proxy, tmp_path: Path) -> None:
    between.play(BIG, proxy.cut_at("middle"))
    with pytest.raises(MirrorError, match=r"files/big\.bin: (the connection )?broke"):
        copy(between.url, tmp_path / "copy", values={**VALUES, "MIRROR_RETRIES": 0})
    [part] = [path for path in (tmp_path / "copy" / "tmp").rglob("*.part") if path.stat().st_size > 100_000]
    there = part.stat().st_size
    between.forget()
    copy(between.url, tmp_path / "copy")
    assert [asked for path, asked in between.asked if BIG in path] == [f"bytes={there}-"]
    assert verify(tmp_path / "copy").problems == []


def test_tries_that_get_on_are_not_counted(between: Proxy, tmp_path: Path) -> None:
    between.play(BIG, proxy.cut_at("middle"), times=2)
    assert copy(between.url, tmp_path / "copy", values={**VALUES, "MIRROR_RETRIES": 1}).added
    assert [asked != "" for path, asked in between.asked if BIG in path] == [False, True, True]


def test_a_part_of_another_file_is_not_gone_on_with(between: Proxy, tmp_path: Path) -> None:
    between.play(BIG, proxy.cut_at("middle"))
    with pytest.raises(MirrorError):
        copy(between.url, tmp_path / "copy")
    between.forget()
    [part] = [path for path in (tmp_path / "copy" / "tmp").rglob("*.part") if path.stat().st_size > 100_000]
    part.write_bytes(proxy.flipped(part.read_bytes()))
    copy(between.url, tmp_path / "copy")
    assert [asked != "" for path, asked in between.asked if BIG in path] == [True, False]
    assert verify(tmp_path / "copy").problems == []


def test_it_is_polite(between: Proxy, tmp_path: Path) -> None:
    between.play(".", proxy.throttled(2_000_000))
    copy(between.url, tmp_path / "copy")
    assert 1 < between.most_at_once <= 4
    assert len(between.paths()) == len(set(between.paths()))


@pytest.mark.parametrize(("wish", "versions"), [({"version": "1.0.0"}, ["1.0.0"]), ({"newest": 1}, ["1.1.0"])])
def test_a_part_can_be_copied(origin: str, tmp_path: Path, wish: dict[str, Any], versions: list[str]) -> None:
    folder = tmp_path / "copy"
    assert list(copy(origin, folder, **wish).added) == versions
    assert [path.name for path in (folder / "releases").iterdir()] == versions
    [missing] = {"1.0.0", "1.1.0"} - set(versions)
    assert verify(folder).problems == [f"release {missing} is missing"]
    assert lantern("verify", folder).returncode == 0
    assert copy(origin, folder).added == (missing,)
    assert verify(folder).problems == []


def test_a_version_that_is_not_there(origin: str, tmp_path: Path) -> None:
    with pytest.raises(MirrorError, match=r"has no release 3\.0\.0; it has 1\.1\.0, 1\.0\.0"):
        copy(origin, tmp_path / "copy", version="3.0.0")


def test_a_part_is_no_source_for_the_whole(origin: str, tmp_path: Path) -> None:
    copy(origin, tmp_path / "part", newest=1)
    with serving(tmp_path / "part", tmp_path / "log") as url:
        with pytest.raises(MirrorError, match=r"(404|not found).*"):
            copy(url, tmp_path / "copy")
        assert copy(url, tmp_path / "copy", newest=1).added == ()


def test_damage_of_the_copy_is_repaired_and_never_linked(origin: str, states: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    copy(origin, folder, version="1.0.0")
    big = folder / "releases" / "1.0.0" / BIG
    big.write_bytes(proxy.flipped(big.read_bytes()))
    assert [problem for problem in verify(folder, partial=True).problems if BIG in problem]
    copy(origin, folder)
    assert manifest.digest(folder / "releases" / "1.1.0" / BIG) == manifest.digest(states / "two/releases/1.1.0" / BIG)
    assert len(verify(folder).problems) == 1
    assert copy(origin, folder, repair=True).added == ("1.0.0",)
    (folder / "releases" / "1.1.0" / "data" / "things.csv").unlink()
    (folder / "releases" / "1.0.0" / "manifest.json").write_text("{}")
    assert copy(origin, folder).added == ("1.1.0", "1.0.0")
    assert verify(folder).problems == []


def test_new_keys_are_followed(states: Path, tmp_path: Path) -> None:
    store = own_store(states, tmp_path, "one")
    with serving(store, tmp_path / "log") as url:
        copy(url, tmp_path / "often")
        copy(url, tmp_path / "seldom")
        for role in ROLES:
            rotate(store, [role], keyring(store))
            assert copy(url, tmp_path / "often").added == ()
        publish(states, store, "1.1.0")
        rotate(store, ROLES, keyring(store))
        for folder in (tmp_path / "often", tmp_path / "seldom"):
            assert copy(url, folder).added == ("1.1.0",)
            assert verify(folder).problems == []
            assert (folder / "tuf" / "6.root.json").read_bytes() == (store / "tuf" / "root.json").read_bytes()
        later = (store / "tuf" / "4.root.json").read_bytes()
        copy(url, tmp_path / "late", root=later)
        copy(url, tmp_path / "named", fingerprint=metadata.fingerprint(later))
    for name in ("late", "named"):
        assert sorted(path.name for path in (tmp_path / name / "tuf").glob("*.root.json")) == [
            f"{version}.root.json" for version in range(1, 7)
        ]
        assert verify(tmp_path / name).problems == []


def test_a_mirror_of_a_mirror_holds_the_origins_signatures(states: Path, origin: str, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    root = (states / "two" / "tuf" / "1.root.json").read_bytes()
    copy(origin, first, root=root)
    with serving(first, tmp_path / "log") as url:
        copy(url, second, root=root)
        health = get(f"{url}/healthz")
    assert (health["status"], health["mirror"]["upstream"]) == ("ok", origin)
    assert health["mirror"]["stale"] is False
    copied = {path.relative_to(second): path.read_bytes() for path in (second / "tuf").rglob("*.json")}
    assert copied == {path: (states / "two" / path).read_bytes() for path in copied}
    assert {f"tuf/{name}.json" for name in ("root", "timestamp")} <= {path.as_posix() for path in copied}
    assert released(second) == released(states / "two")
    found = mirror.status(second)
    assert found and (found.upstream, found.root) == (url, metadata.fingerprint(root))


@pytest.mark.parametrize("source", ["origin", "mirror"])
def test_a_tuf_client_with_no_code_of_ours_follows(origin: str, states: Path, tmp_path: Path, source: str) -> None:
    """python-tuf's own client with its own fetcher: hashes in names (its default), and without."""
    with contextlib.ExitStack() as stack:
        url = origin
        if source == "mirror":
            copy(origin, tmp_path / "copy")
            url = stack.enter_context(serving(tmp_path / "copy", tmp_path / "log"))
        for prefixed, base in ((True, f"{url}/tuf/targets/"), (False, f"{url}/")):
            target = tmp_path / f"targets-{prefixed}"
            target.mkdir()
            updater = Updater(
                str(tmp_path / f"metadata-{prefixed}"),
                f"{url}/tuf/",
                str(target),
                base,
                config=UpdaterConfig(prefix_targets_with_hash=prefixed),
                bootstrap=(states / "two" / "tuf" / "1.root.json").read_bytes(),
            )
            for name in ("releases.json", "releases/1.0.0/manifest.json", "releases/1.1.0/manifest.json"):
                described = updater.get_targetinfo(name)
                assert described
                assert Path(updater.download_target(described)).read_bytes() == (states / "two" / name).read_bytes()
            updater._fetcher._proxy_env.get_pool_manager("http", "127.0.0.1").clear()  # type: ignore[attr-defined]


def test_a_withdrawn_release_leaves_every_mirror(states: Path, tmp_path: Path) -> None:
    store, folder = own_store(states, tmp_path), tmp_path / "copy"
    with serving(store, tmp_path / "log") as url:
        copy(url, folder)
        withdraw(store, "1.1.0", "A row names a source.")
        told: list[str] = []
        done = copy(url, folder, told=told)
        fresh = copy(url, tmp_path / "fresh")
        with pytest.raises(MirrorError, match="release 1.1.0 was withdrawn: A row names a source."):
            copy(url, tmp_path / "other", version="1.1.0")
    assert (done.withdrawn, done.status.upstream_version) == (("1.1.0",), "1.0.0")
    assert "withdrawn by its publisher: A row names a source." in told[0]
    assert fresh.added == ("1.0.0",)
    for place in (store, folder, tmp_path / "fresh"):
        assert [path.name for path in (place / "releases").iterdir()] == ["1.0.0"]
        assert verify(place).problems == []
        assert release_index.withdrawn(place) == {"1.1.0": "A row names a source."}
    assert (folder / "withdrawn" / "1.1.0" / "manifest.json").exists()


def test_a_stale_mirror_says_so(states: Path, tmp_path: Path) -> None:
    store, folder = own_store(states, tmp_path), tmp_path / "copy"
    with serving(store, tmp_path / "log") as url:
        found = copy(url, folder).status
    assert not found.stale
    assert mirror.status(store) is None
    late = mirror.utc_text(datetime.now(UTC) - timedelta(seconds=1))
    mirror.write(folder, mirror.MirrorStatus(**{**vars(found), "stale_after": late}))
    with serving(folder, tmp_path / "log2") as url:
        health = get(f"{url}/healthz")
    assert (health["status"], health["mirror"]["stale"], health["version"]) == ("degraded", True, "1.1.0")


def test_staleness_is_never_later_than_the_signature(states: Path, tmp_path: Path) -> None:
    store = own_store(states, tmp_path)
    with serving(store, tmp_path / "log") as url:
        sign_by_a_slow_clock(store, days=13)
        found = copy(url, tmp_path / "copy").status
        assert datetime.fromisoformat(found.stale_after) - datetime.now(UTC) < timedelta(days=1)
        sign_store(store, refresh=True)
        found = copy(url, tmp_path / "copy").status
        assert timedelta(days=6) < datetime.fromisoformat(found.stale_after) - datetime.now(UTC) < timedelta(days=7.1)


def test_the_command(states: Path, origin: str, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    run = lantern("mirror", origin, folder)
    assert (run.returncode, run.stdout.startswith(f"{folder} is up to date with {origin}: 1.1.0, 1.0.0; ")) == (0, True)
    assert "Trusting" in run.stderr
    root = metadata.fingerprint((states / "two" / "tuf" / "1.root.json").read_bytes())
    run = lantern("verify", folder, "--fingerprint", root, "--strict")
    assert run.returncode == 0 and run.stdout.endswith(f"all as signed\nroot {root}\n")
    (folder / "releases" / "1.0.0" / "data" / "things.csv").write_text("id,name\n")
    run = lantern("verify", folder)
    assert (run.returncode, run.stderr.count("\n")) == (1, 1)
    assert run.stderr.startswith("releases/1.0.0: data/things.csv has 8 bytes: expected ")
    assert lantern("mirror", origin, folder, "--latest", "--version", "1.0.0").returncode == 2
    run = lantern("mirror", "http://127.0.0.1:9", folder, LANTERN_MIRROR_RETRIES="0")
    assert run.returncode == 1 and "cannot be reached" in run.stderr and "Traceback" not in run.stderr


def test_an_interrupted_command_says_how_to_go_on(between: Proxy, tmp_path: Path) -> None:
    between.play(BIG, proxy.throttled(50_000))
    command = [*LANTERN, "mirror", between.url, str(tmp_path / "copy")]
    # A shell's job in the background ignores SIGINT, and so do the programs that it starts.
    heard = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, **heard)
    end = time.monotonic() + 20
    while not [path for path in between.paths() if BIG in path] and time.monotonic() < end:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert (process.returncode, said.splitlines()[-1]) == (1, "interrupted: the same command goes on from here")
    between.forget()
    assert copy(between.url, tmp_path / "copy").added == ("1.1.0", "1.0.0")


HATCHERY = """
import os, sys
from pathlib import Path
from newsroom import VALUES
from api.mirror.copy import mirror
for line in sys.stdin:
    url, folder, done = line.split()
    child = os.fork()
    if child == 0:
        mirror([url], Path(folder), tell=lambda _: None, values={**VALUES, "MIRROR_RETRIES": 0})
        Path(done).touch()
        os._exit(0)
    print(child, flush=True)
    sys.stdin.readline()
    print(os.waitpid(child, 0)[1], flush=True)
"""


class Hatchery:
    """A process that has loaded everything and forks a mirror when asked: starting Python fifty times takes long."""

    def __init__(self, process: "subprocess.Popen[str]", done: Path) -> None:
        self.process, self.done = process, done

    def killed(self, url: str, folder: Path, between: Proxy, size: int, seconds: float) -> bool:
        """Run a mirror and kill it when so many bytes were sent or so much time has passed; whether it came to that."""
        self.done.unlink(missing_ok=True)
        end, until = time.monotonic() + seconds, between.sent + size
        child = int(self._say(f"{url} {folder} {self.done}"))
        while time.monotonic() < end and between.sent < until and not self.done.exists():
            time.sleep(0.001)
        os.kill(child, signal.SIGKILL)
        return int(self._say("")) == signal.SIGKILL

    def _say(self, line: str) -> str:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()


@pytest.fixture
def hatchery(tmp_path: Path) -> Iterator[Hatchery]:
    environ = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", HATCHERY]
    with subprocess.Popen(command, cwd=tmp_path, env=environ, stdin=pipe, stdout=pipe, text=True) as process:
        yield Hatchery(process, tmp_path / "done")
        assert process.stdin
        process.stdin.close()


def test_a_mirror_killed_fifty_times_loses_nothing_and_shows_nothing_half(
    states: Path, tmp_path: Path, hatchery: Hatchery
) -> None:
    """kill -9 at random moments, while the origin publishes; the copy is whole after each, and complete in the end.

    A run that ends before it is killed is followed by a new release, and in the end by another copy from nothing.
    """
    chance, whole = random.Random(4), released(states / "three")
    store, folder = own_store(states, tmp_path, "one"), tmp_path / "copy"
    waiting, had, kills = ["1.2.0", "1.1.0"], dict[str, str](), 0
    with serving(store, tmp_path / "log") as url, proxy.between(url) as between:
        between.play("big|new", proxy.throttled(400_000))
        while kills < 50:
            size = chance.choice([chance.randrange(400_000), 10**9])
            if hatchery.killed(between.url, folder, between, size, chance.uniform(0.01, 0.6)):
                kills += 1
            elif waiting:
                publish(states, store, waiting.pop())
            else:
                assert released(folder) == whole
                folder, had = tmp_path / f"copy{kills}", {}
            has = released(folder)
            assert had.items() <= has.items() <= whole.items()
            if (folder / "tuf" / "timestamp.json").exists():
                assert verify(folder).problems == []
            had = has
        between.forget()
        copy(between.url, folder)
    assert released(folder) == released(store)
    assert verify(folder).problems == []
    assert not list((folder / "tmp").iterdir())


def test_the_copy_is_served_by_the_program_and_moves_no_file_of_its_own(origin: str, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    copy(origin, folder)
    shutil.rmtree(folder / "tmp")
    with serving(folder, tmp_path / "log") as url:
        assert get(f"{url}/v1/releases")["data"]
        with urllib.request.urlopen(f"{url}/releases/1.0.0/{BIG}") as mine:
            with urllib.request.urlopen(f"{origin}/releases/1.0.0/{BIG}") as theirs:
                assert mine.read() == theirs.read()
