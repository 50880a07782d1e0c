"""Small signed stores, their copies, and real servers over them: what the tests of mirrors begin with."""

import fcntl
import hashlib
import json
import os
import random
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import packages
import pytest
import running
from tuf.api.metadata import Metadata, Timestamp

from api import settings
from api.mirror.copy import Copied, Wish, mirror
from api.model import dates
from api.release.build import build
from api.store.signatures import SIGNED_AT
from api.trust import metadata, sign_store
from api.trust.keys import keyring

ROOT = Path(__file__).resolve().parents[1]
VALUES = {**settings.load({}), "MIRROR_TIMEOUT": 1, "MIRROR_RETRIES": 1}
STATES = {"one": ["1.0.0"], "two": ["1.0.0", "1.1.0"], "three": ["1.0.0", "1.1.0", "1.2.0"]}
BIG, NEW = "files/big.bin", "files/new.bin"


def package(folder: Path, version: str) -> Path:
    """A package with a table and a file that differ from version to version, and a large file that does not."""
    rows = [[number, f"row {number} of {version if number == 7 else 'all'}"] for number in range(40)]
    table = packages.table("things", ["id:integer", "name"], rows)
    packages.write(folder, table, version=version, created=f"2026-0{version[2]}-01T00:00:00Z".replace("-00-", "-09-"))
    described = json.loads((folder / "datapackage.json").read_text())
    for name, path in (("big", BIG), ("new", NEW)):
        described["resources"].append({"name": name, "path": path, "format": "bin"})
    (folder / "datapackage.json").write_text(json.dumps(described))
    (folder / BIG).parent.mkdir()
    (folder / BIG).write_bytes(random.Random(5).randbytes(300_000))
    (folder / NEW).write_bytes(random.Random(version).randbytes(60_000))
    return folder


def _made(folder: Path) -> None:
    """The three states of one origin, under the same keys: {folder}/one, two, three and keys."""
    latest = folder / "three"
    for state, versions in STATES.items():
        build(package(folder / f"package-{versions[-1]}", versions[-1]), latest)
        sign_store(latest, lambda _: None)
        if state != "three":
            shutil.copytree(latest, folder / state)


@pytest.fixture(scope="session")
def states(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the three states; all workers of pytest-xdist share it, nobody changes it."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with (shared / "states.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "states").exists():
            shutil.rmtree(shared / "states.unfinished", ignore_errors=True)
            _made(shared / "states.unfinished")
            (shared / "states.unfinished").rename(shared / "states")
    return shared / "states"


@contextmanager
def serving(store: Path, log: Path) -> Iterator[str]:
    """The address of a server over a store."""
    with running.lantern(log, "serve", LANTERN_STORE=str(store), LANTERN_WORKERS="1") as started:
        yield started.url


@pytest.fixture(scope="session")
def origin(states: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server over the second state, which nobody changes."""
    with serving(states / "two", tmp_path_factory.mktemp("origin") / "log") as url:
        yield url


def own_store(states: Path, folder: Path, state: str = "two") -> Path:
    """A store of one's own in a state, with its keys beside it."""
    shutil.copytree(states / "keys", folder / "keys")
    (folder / "keys").chmod(0o700)
    return Path(shutil.copytree(states / state, folder / "store"))


def sign_by_a_slow_clock(store: Path, days: int) -> None:
    """Give a store the timestamp of a clock that is so many days behind, by which the program signs nothing."""
    path, keys = store / "tuf" / "timestamp.json", keyring(store)
    stamp, root = Metadata[Timestamp].from_bytes(path.read_bytes()), metadata.newest_root(store)
    assert root is not None
    stamp.signed.version += 1
    stamp.signed.expires = keys.expiry("timestamp", datetime.now(UTC) - timedelta(days=days))
    stamp.signed.unrecognized_fields[SIGNED_AT] = dates.utc(datetime.now(UTC) - timedelta(days=days))
    stamp.sign(*keys.needed(root.signed, "timestamp"))
    path.write_bytes(stamp.to_bytes())


def publish(states: Path, store: Path, version: str) -> None:
    """Add a release that the third state has."""
    shutil.copytree(states / "three" / "releases" / version, store / "tmp" / version)
    (store / "tmp" / version).rename(store / "releases" / version)
    sign_store(store)


def copy(
    url: str | Sequence[str], folder: Path, *, told: list[str] | None = None, values: Any = None, **wish: Any
) -> Copied:
    """`lantern mirror` of one upstream or several, in this process."""
    tell = (told if told is not None else []).append
    return mirror([url] if isinstance(url, str) else url, folder, Wish(**wish), tell, values=values or VALUES)


def shown(folder: Path) -> dict[str, str]:
    """Everything that a mirror gives out, by path: the SHA-256 of each file."""
    paths = [folder / "releases.json", folder / "mirror.json", *(folder / "releases").rglob("*")]
    paths += [path for path in (folder / "tuf").glob("*")]
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in paths
        if path.is_file()
    }


def released(folder: Path) -> dict[str, str]:
    """The files of the releases alone."""
    return {path: digest for path, digest in shown(folder).items() if path.startswith("releases/")}


def names(folder: Path) -> list[str]:
    """What lies in a folder."""
    return sorted(path.name for path in folder.iterdir())


def lantern(*arguments: object, **environ: str) -> "subprocess.CompletedProcess[str]":
    """A command in a process of its own, with little patience for an upstream; it ends without a traceback."""
    command = [*running.LANTERN, *map(str, arguments)]
    values = {**os.environ, "LANTERN_MIRROR_RETRIES": "0", "LANTERN_MIRROR_TIMEOUT": "2", **environ}
    run = subprocess.run(command, cwd=ROOT, env=values, capture_output=True, text=True)
    assert "Traceback" not in run.stderr, run.stderr
    return run
