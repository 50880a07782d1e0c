"""docs/OPERATIONS.md: each block of commands is run, section by section, on a machine as the section has it."""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest
import running
from newsroom import copy, serving
from releases import corrections, guns, package

from api.release.build import build
from api.store import release_index
from api.trust import metadata, sign_store, verify, withdraw

ROOT = Path(__file__).resolve().parents[1]
GUIDE = (ROOT / "docs/OPERATIONS.md").read_text(encoding="utf-8")
PLACES = ("/srv", "/opt", "/media", "/backup")
VERSIONS = {
    "1.0.0": [guns([["a", 1, "first"], ["b", 2, ""]]), corrections()],
    "1.1.0": [guns([["a", 1, "first"], ["b", 2, ""], ["c", 3, "too much"]]), corrections()],
}


def blocks(heading: str) -> list[str]:
    """The blocks of commands of a section, in their order."""
    (section,) = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", GUIDE, re.M | re.S)
    return re.findall(r"^```sh\n(.*?)^```", section, re.M | re.S)


class Machine(NamedTuple):
    """A folder that stands for a machine's root, the addresses that its commands ask, and its first fingerprint."""

    root: Path
    origin: str
    mirror: str
    fingerprint: str

    @property
    def store(self) -> Path:
        return self.root / "srv/lantern/store"

    def run(self, commands: str, **environ: str) -> str:
        """Run commands as a shell does that ends at the first error, and all that they started; what they printed."""
        for place in PLACES:
            commands = re.sub(rf"(?<![\w./]){place}/", f"{self.root}{place}/", commands)
        for name, url in (("https://data.example.org", self.origin), ("https://mirror.example.net", self.mirror)):
            commands = commands.replace(name, url)
        values = {name: value for name, value in os.environ.items() if not name.startswith("LANTERN_")}
        values |= {
            "PATH": f"{self.root / 'bin'}:{values['PATH']}",
            "LANTERN_STORE": str(self.store),
            "LANTERN_KEYS": str(self.root / "srv/lantern/keys"),
            "FINGERPRINT": self.fingerprint,
            **environ,
        }
        with (self.root / "out").open("wb") as out:
            shell = subprocess.Popen(
                ["bash", "-e", "-o", "pipefail", "-c", f"umask 022\n{commands}"],
                env=values,
                cwd=self.root / "work",
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            with shell:
                try:
                    status: int | None = shell.wait(timeout=60)
                except subprocess.TimeoutExpired:
                    status = None
                with suppress(ProcessLookupError):  # what the commands started and left running
                    os.killpg(shell.pid, signal.SIGKILL)
        said = (self.root / "out").read_text()
        assert status == 0, said
        return said


def program(path: Path, command: tuple[str, ...]) -> None:
    """A version of the program, installed at a path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\nexec env PYTHONPATH={ROOT} {shlex.join(command)} "$@"\n')
    path.chmod(0o755)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A signed store with two releases, its keys and its package, with 1.1.0 as it was drafted last."""
    folder = tmp_path_factory.mktemp("built")
    build(package(folder / "package", VERSIONS), folder / "store")
    sign_store(folder / "store", lambda _: None)
    return folder


@pytest.fixture
def machine(built: Path, tmp_path: Path) -> Iterator[Machine]:
    """A machine on which that store lives, which is served, and mirrored by a mirror that is served too."""
    root = tmp_path / "machine"
    for name in ("work", "media/stick", "backup", "opt/lantern", "srv/new/store"):
        (root / name).mkdir(parents=True)
    for name in ("store", "keys", "package"):
        shutil.copytree(built / name, root / "srv/lantern" / name)
    program(root / "bin/lantern", running.LANTERN)
    fingerprint = metadata.fingerprint((built / "store/tuf/1.root.json").read_bytes())
    with serving(root / "srv/lantern/store", tmp_path / "log") as origin:
        copy(origin, tmp_path / "copy")
        with serving(tmp_path / "copy", tmp_path / "log2") as mirror:
            yield Machine(root, origin, mirror, fingerprint)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def moved_keys(machine: Machine) -> Path:
    """The root keys go to the stick, as Install has it; the stick."""
    for path in (machine.root / "srv/lantern/keys").glob("root-*.pem"):
        path.rename(machine.root / "media/stick" / path.name)
    return machine.root / "media/stick"


def follows(machine: Machine, folder: Path) -> None:
    """A mirror that followed before still does."""
    time.sleep(1.1)  # until the server sees the store
    copy(machine.origin, folder)
    assert verify(folder, strict=True).problems == []


def install(machine: Machine) -> None:
    work = machine.root / "work"
    shutil.copytree(ROOT / "api", work / "api")
    for name in ("README.md", "LICENSE", "pyproject.toml", "setup.cfg", "requirements.lock"):
        shutil.copyfile(ROOT / name, work / name)
    for name in ("store", "keys"):
        shutil.rmtree(machine.root / "srv/lantern" / name)
    into, first, keys = blocks("Install")
    # The network is not there: the libraries of this environment stand for what pip fetches.
    libraries = {"PYTHONPATH": sysconfig.get_path("purelib"), "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    into = into.replace("python3 ", f"{sys.executable} ", 1)
    assert machine.run(into, **libraries).splitlines()[-1].count(".") == 2
    said = machine.run(first)
    assert "fingerprint" in said and "all as signed" in said
    assert "is not in" in machine.run(keys)
    assert len(list((machine.root / "media/stick").iterdir())) == 2
    machine.run("lantern sign --refresh")
    assert verify(machine.store, strict=True).problems == []


def upgrade(machine: Machine) -> None:
    program(machine.root / "opt/lantern/1.0/bin/lantern", running.LANTERN)
    program(machine.root / "opt/lantern/1.1/bin/lantern", running.OTHER)
    forward, back, prune = blocks("Upgrade and roll back")
    said = machine.run(forward.replace("8001", str(free_port())))
    assert '"status":"ready"' in said.replace(" ", "") and len(list(machine.store.glob("index/other/1.*"))) == 2
    said = machine.run(back.replace("8000", str(free_port())))
    assert '"version":"1.1.0"' in said.replace(" ", "") and "making the index" not in said
    assert "removed" in machine.run(prune)
    assert {path.parent.name for path in machine.store.glob("index/*/1.*")} == {"other"}


def backup_and_restore(machine: Machine) -> None:
    withdraw(machine.store, "1.0.0", "wrong", lambda _: None)
    mirrored, packed = blocks("Back up")
    machine.run(mirrored + packed)
    assert verify(machine.root / "backup/mirror", strict=True).problems == []
    from_file, from_mirror = blocks("Restore")
    before = {path.name: path.read_bytes() for path in (machine.store / "releases/1.1.0").glob("*.*")}
    for commands in (from_file, from_mirror):
        shutil.rmtree(machine.store)
        machine.run(commands)
        assert {path.name: path.read_bytes() for path in (machine.store / "releases/1.1.0").glob("*.*")} == before
        assert not (machine.store / "mirror.json").exists()
        assert "nothing" not in machine.run("lantern sign; lantern build /srv/lantern/package")
        if commands == from_file:
            assert (machine.store / "withdrawn/1.0.0").exists()
            copy(machine.origin, machine.root.parent / "copy")  # which sees what only the mirror has after that
    follows(machine, machine.root.parent / "copy")


def retention(machine: Machine) -> None:
    look, delete = blocks("Retention")
    said = machine.run(look)
    assert str(machine.store / "index") in said and "1.1.0" in said
    withdraw(machine.store, "1.0.0", "wrong", lambda _: None)
    assert "all as signed" in machine.run(delete)
    time.sleep(1.1)
    with pytest.raises(urllib.error.HTTPError) as gone:
        urllib.request.urlopen(f"{machine.origin}/releases/1.0.0/manifest.json")
    assert gone.value.code == 410 and json.load(gone.value)["release"]["withdrawn"] == "wrong"
    gone.value.close()


def take_back(machine: Machine) -> None:
    wrong, remove, follow = blocks("Take a release back")
    assert "still served to who names its version" in machine.run(wrong)
    assert "is removed" in machine.run(remove)
    source = machine.root / "srv/lantern/package"
    shutil.copytree(
        source, source / "history/1.1.0", ignore=shutil.ignore_patterns("history")
    )  # as a later draft has it
    (source / "data/guns.csv").write_text("id,value,note\na,1,first\nb,2,\n")
    machine.run(follow)
    assert [one.version for one in release_index.of(machine.store)] == ["1.1.1", "1.1.0", "1.0.0"]
    made = json.loads((machine.store / "releases/1.1.1/manifest.json").read_bytes())
    assert (made["previous"], made["changes"]) == ("1.0.0", {})
    follows(machine, machine.root.parent / "copy")
    assert not (machine.root.parent / "copy/releases/1.1.0").exists()


def lost_keys(machine: Machine) -> None:
    online, expired, new_root, no_tuf = blocks("Lost and expired keys")
    stick, keys, mirror = moved_keys(machine), machine.root / "srv/lantern/keys", machine.root.parent / "copy"
    for role in ("timestamp", "snapshot", "targets"):
        for path in keys.glob(f"{role}-*.pem"):
            path.unlink()
        machine.run(online.replace("rotate timestamp", f"rotate {role}"))
        assert len(list(stick.iterdir())) == 1 and not list(keys.glob("root-*"))
        follows(machine, mirror)
    root = metadata.newest_root(machine.store)
    assert root
    machine.run(expired, LANTERN_ROOT_DAYS="9000")  # so that a third of it is left at most
    renewed = metadata.newest_root(machine.store)
    assert renewed and renewed.signed.version == root.signed.version + 1
    follows(machine, mirror)
    shutil.rmtree(machine.store / "tuf")
    machine.run(no_tuf)
    follows(machine, mirror)
    withdraw(machine.store, "1.0.0", "wrong", lambda _: None)
    machine.run(new_root)
    assert release_index.withdrawn(machine.store) == {"1.0.0": "wrong"}
    assert len(list(keys.glob("root-*.pem"))) == 2


def move_house(machine: Machine) -> None:
    machine_moved, address = blocks("Move house")
    copy(machine.mirror, machine.root / "backup/mirror")  # which knew another address
    machine.run(machine_moved)
    assert verify(machine.root / "srv/new/store", strict=True).problems == []
    machine.run(address)
    assert json.loads((machine.root / "backup/mirror/mirror.json").read_bytes())["upstream"] == machine.origin


DRILLS: dict[str, Callable[[Machine], None]] = {
    "Install": install,
    "Upgrade and roll back": upgrade,
    "Back up": backup_and_restore,
    "Restore": backup_and_restore,
    "Retention": retention,
    "Take a release back": take_back,
    "Lost and expired keys": lost_keys,
    "Move house": move_house,
}


@pytest.mark.parametrize("drill", dict.fromkeys(DRILLS.values()), ids=lambda drill: drill.__name__)
def test_the_commands_do_what_the_section_says(drill: Callable[[Machine], None], machine: Machine) -> None:
    drill(machine)


def test_every_block_of_commands_is_in_a_section_that_is_run() -> None:
    count = sum(len(blocks(heading)) for heading in DRILLS)
    assert count == len(re.findall("^```sh$", GUIDE, re.M)) > 15
