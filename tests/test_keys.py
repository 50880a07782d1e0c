"""Keys that are lost, foreign, unreadable or expired: each is said in words, nothing is half done, all is mended."""

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from newsroom import copy, own_store, publish, serving, states
from tuf.api.metadata import Metadata, Root

from api.cli import main
from api.mirror.upstream import MirrorError
from api.store.releases import RECHECK_SECONDS
from api.trust import sign_store, verify, withdraw
from api.trust.keys import ROLES, keyring

__all__ = ["states"]
# A command on a terminal of its own, where somebody types the passphrase whenever it is asked for.
TYPING = """import os, pty, sys
pid, terminal = pty.fork()
if pid == 0: os.execv(sys.argv[1], sys.argv[1:])
while True:
    try: shown = os.read(terminal, 1000)
    except OSError: break
    if b"Passphrase of" in shown: os.write(terminal, b"open sesame\\n")
    os.write(1, shown)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))"""


@pytest.fixture
def store(states: Path, tmp_path: Path) -> Path:
    """A store of one's own with two releases, signed; its keys beside it."""
    return own_store(states, tmp_path)


def lantern(store: Path, *arguments: object, **environ: str) -> Result:
    return CliRunner().invoke(main, [*map(str, arguments)], env={"LANTERN_STORE": str(store), **environ})


def everything(store: Path) -> dict[str, bytes]:
    """The signed metadata and the keys, as bytes by their path."""
    places = (*(store / "tuf").rglob("*.json"), store / "releases.json", *keyring(store).folder.rglob("*"))
    return {str(path): path.read_bytes() for path in places if path.is_file()}


def key(store: Path, role: str) -> Path:
    (found,) = keyring(store).folder.glob(f"{role}-*.pem")
    return found


def package(store: Path, states: Path) -> str:
    return str(states / "package-1.2.0")


# Never a second root beside real keys


@pytest.mark.parametrize("command", [("sign",), ("keys", "init"), ("build", "PACKAGE"), ("serve", "PACKAGE")])
def test_a_store_without_a_root_gets_none_beside_keys_of_another(
    store: Path, states: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    before = everything(store)
    words = [package(store, states) if word == "PACKAGE" else word for word in command]
    done = lantern(tmp_path / "other", *words)
    assert (done.exit_code, "Traceback" in done.output) == (1, False), done.output
    assert f"{tmp_path / 'keys'} has the keys of a store, and {tmp_path / 'other'} has no root" in done.output
    assert "restore its folder tuf from a backup or a mirror" in done.output and "set LANTERN_KEYS" in done.output
    assert everything(store) == before and not list(tmp_path.glob("other/releases/*"))
    done = lantern(tmp_path / "other", *command[:2], "--store", tmp_path / "other", LANTERN_KEYS=str(tmp_path / "new"))
    if command[0] == "keys":
        assert done.exit_code == 0 and len(list((tmp_path / "new").glob("*.pem"))) == 5


def test_a_store_that_lost_its_root_is_restored_from_a_mirror(store: Path, states: Path, tmp_path: Path) -> None:
    withdraw(store, "1.0.0", "wrong")
    with serving(store, tmp_path / "log") as url:
        copy(url, tmp_path / "copy")
        before = everything(store)
        shutil.rmtree(store / "tuf")
        assert lantern(store, "sign").exit_code == lantern(store, "build", package(store, states)).exit_code == 1
        assert not (store / "tuf").exists() and not (store / "releases/1.2.0").exists()
        shutil.copytree(tmp_path / "copy/tuf", store / "tuf")
        assert lantern(store, "sign").exit_code == 0
        assert everything(store).items() >= {name: before[name] for name in before if "/keys/" in name}.items()
        publish(states, store, "1.2.0")
        time.sleep(RECHECK_SECONDS)
        assert copy(url, tmp_path / "copy").added == ("1.2.0",)
    assert verify(store, strict=True).problems == verify(tmp_path / "copy", strict=True).problems == []


def test_under_a_new_root_what_was_withdrawn_stays_so(store: Path, tmp_path: Path) -> None:
    withdraw(store, "1.0.0", "A private person.", remove=True)
    shutil.rmtree(store / "tuf")
    done = lantern(store, "keys", "init", LANTERN_KEYS=str(tmp_path / "new"))
    assert done.exit_code == 0, done.output
    assert verify(store, strict=True).problems == []
    assert '"removed": true' in (store / "releases.json").read_text()


def test_keys_of_another_store_in_the_folder_are_named(store: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    assert lantern(other, "keys", "init", LANTERN_KEYS=str(tmp_path / "new")).exit_code == 0
    before = lantern(store, "keys", "show").output
    assert "no key of this store" not in before
    for path in (tmp_path / "new").glob("*.pem"):
        shutil.copy(path, tmp_path / "keys")
    done = lantern(store, "keys", "show")
    assert (done.exit_code, done.output.count("is no key of this store")) == (0, 5)
    assert lantern(store, "sign", "--refresh").exit_code == 0 and verify(store, strict=True).problems == []


def _begin(store: Path) -> None:
    sign_store(store, lambda _: None)


def test_killed_while_the_first_keys_are_made_the_next_run_makes_others(store: Path, tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    start = time.monotonic()
    _begin(Path(shutil.copytree(store, tmp_path / "first/store", ignore=shutil.ignore_patterns("tuf"))))
    takes = time.monotonic() - start
    for number in range(20):
        fresh = tmp_path / str(number) / "store"
        shutil.copytree(store, fresh, ignore=shutil.ignore_patterns("tuf"))
        worker = context.Process(target=_begin, args=(fresh,))
        worker.start()
        time.sleep(2 * takes * number / 20)
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)
        worker.join()
        _begin(fresh)
        assert verify(fresh, strict=True).problems == []
        assert not (fresh.parent / "keys/making").exists()
        assert len(list((fresh.parent / "keys").glob("*.pem"))) == len(ROLES)


def test_keys_that_no_root_ever_named_are_put_aside_and_others_made(store: Path) -> None:
    keys = keyring(store).folder
    before = {path.name for path in keys.glob("*.pem")}
    (keys / "making").touch()  # as after a crash in the middle of making them
    shutil.rmtree(store / "tuf")
    assert lantern(store, "sign").exit_code == 0
    assert {path.name for path in (keys / "retired").iterdir()} == before
    assert not before & {path.name for path in keys.glob("*.pem")} and not (keys / "making").exists()
    assert verify(store, strict=True).problems == []


# Keys that cannot be used


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.chmod(0o644), "can be read by other users: chmod 600"),
        (lambda path: path.write_bytes(b""), "holds no key: restore it from its other copy"),
        (lambda path: path.write_bytes(path.read_bytes()[:60]), "holds no key: restore it from its other copy"),
        (lambda path: path.unlink(), "the timestamp key is not in"),
    ],
)
def test_a_key_that_cannot_be_used_is_named(store: Path, spoil: Callable[[Path], object], said: str) -> None:
    path = key(store, "timestamp")
    spoil(path)
    before = everything(store)
    done = lantern(store, "sign", "--refresh")
    assert (done.exit_code, said in done.output, "Traceback" in done.output) == (1, True, False), done.output
    assert str(path) in done.output or str(path.parent) in done.output
    assert everything(store) == before and verify(store).problems == []


def test_a_wrong_passphrase_is_said_and_loses_nothing(tmp_path: Path) -> None:
    store = tmp_path / "store"
    assert lantern(store, "keys", "init", LANTERN_KEYS_PASSPHRASE="open sesame").exit_code == 0
    before = everything(store)
    for words in (("sign", "--refresh"), ("keys", "rotate", "all")):
        done = lantern(store, *words, LANTERN_KEYS_PASSPHRASE="wrong")
        assert done.exit_code == 1 and "LANTERN_KEYS_PASSPHRASE is wrong or not set" in done.output
    assert everything(store) == before
    assert lantern(store, "sign", "--refresh", LANTERN_KEYS_PASSPHRASE="open sesame").exit_code == 0


def test_a_passphrase_is_asked_for_once(tmp_path: Path) -> None:
    store, environ = tmp_path / "store", {**os.environ, "LANTERN_STORE": str(tmp_path / "store")}
    assert lantern(store, "keys", "init", LANTERN_KEYS_PASSPHRASE="open sesame").exit_code == 0
    command = [sys.executable, "-c", TYPING, sys.executable, "-P", "-m", "api", "keys", "rotate", "targets"]
    done = subprocess.run(command, env=environ, capture_output=True, timeout=60)
    assert (done.returncode, done.stdout.count(b"Passphrase of ")) == (0, 1), done.stdout
    assert verify(store, strict=True).problems == []


# Lost and expired


@pytest.mark.parametrize("role", ROLES[1:])
def test_a_lost_key_is_replaced_with_the_root_key_and_mirrors_follow(store: Path, tmp_path: Path, role: str) -> None:
    with serving(store, tmp_path / "log") as url:
        copy(url, tmp_path / "copy")
        key(store, role).unlink()
        done = lantern(store, "keys", "rotate", role)
        assert done.exit_code == 0 and f"the old {role} key is missing" in done.output, done.output
        assert lantern(store, "sign", "--refresh").exit_code == 0
        time.sleep(RECHECK_SECONDS)
        copy(url, tmp_path / "copy")
    assert verify(store, strict=True).problems == verify(tmp_path / "copy", strict=True).problems == []


@pytest.mark.parametrize(
    ("role", "lost"), [("targets", "snapshot"), ("targets", "timestamp"), ("snapshot", "timestamp")]
)
def test_with_two_keys_lost_nothing_is_half_rotated(store: Path, role: str, lost: str) -> None:
    key(store, role).unlink()
    key(store, lost).unlink()
    before = everything(store)
    done = lantern(store, "keys", "rotate", role)
    assert (done.exit_code, f"the {lost} key is not in" in done.output) == (1, True), done.output
    assert everything(store) == before and verify(store).problems == []
    assert lantern(store, "keys", "rotate", "all").exit_code == 0
    assert verify(store, strict=True).problems == []


def test_one_of_two_root_keys_is_enough_to_replace_both(tmp_path: Path) -> None:
    store = tmp_path / "store"
    assert lantern(store, "keys", "init").exit_code == 0
    first, _ = keyring(store).folder.glob("root-*.pem")
    first.unlink()
    assert lantern(store, "keys", "rotate", "root").exit_code == 0
    assert len(list(keyring(store).folder.glob("root-*.pem"))) == 2
    assert verify(store, strict=True).problems == []


def test_without_any_root_key_the_store_goes_on_and_says_what_it_lacks(store: Path) -> None:
    key(store, "root").unlink()
    before = everything(store)
    done = lantern(store, "keys", "rotate", "timestamp")
    assert done.exit_code == 1 and "the root key is not in" in done.output
    assert everything(store) == before
    assert lantern(store, "sign", "--refresh").exit_code == 0
    done = lantern(store, "keys", "show")
    assert done.exit_code == 0 and f"is not in {keyring(store).folder}" in done.output


def test_an_expired_root_is_renewed_where_its_key_is_and_mirrors_follow(store: Path, tmp_path: Path) -> None:
    with serving(store, tmp_path / "log") as url:
        copy(url, tmp_path / "copy")
        root = Metadata[Root].from_bytes((store / "tuf/1.root.json").read_bytes())
        root.signed.version, root.signed.expires = 2, datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)
        root.sign(*keyring(store).needed(root.signed, "root"))
        (store / "tuf/2.root.json").write_bytes(root.to_bytes())
        time.sleep(RECHECK_SECONDS)
        with pytest.raises(MirrorError, match="expired"):
            copy(url, tmp_path / "copy")
        assert lantern(store, "sign").exit_code == 0
        assert (store / "tuf/3.root.json").exists()
        copy(url, tmp_path / "copy")
    assert verify(store, strict=True).problems == verify(tmp_path / "copy", strict=True).problems == []
