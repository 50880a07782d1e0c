"""Each command of docs/MIRRORS.md does what the page says; so does its client without our code."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import running
from newsroom import ROOT, origin, serving, states

from api.trust import sign_store

__all__ = ["origin", "states"]
PAGE = (ROOT / "docs/MIRRORS.md").read_text(encoding="utf-8")
HERE, THERE = "https://data.example.org", "https://copy.example.net"
LANTERN = f'lantern() {{ "{sys.executable}" -P -m api "$@"; }}\n'
LOST = "## When the publisher has lost the keys"


def commands(text: str) -> list[str]:
    """The lines of blocks that call the program, without their comments."""
    return [line.partition("   #")[0].strip() for line in re.findall(r"^    (.*\blantern .*)$", text, re.M)]


@pytest.fixture
def lost(states: Path, tmp_path: Path) -> Iterator[str]:
    """A server of the publisher with new keys, whose root is in a file."""
    store = tmp_path / "lost/store"
    shutil.copytree(states / "two/releases", store / "releases")
    sign_store(store, lambda _: None)
    shutil.copy(store / "tuf/1.root.json", tmp_path / "new.root.json")
    with serving(store, tmp_path / "lost/log") as url:
        yield url


def test_every_command_runs(origin: str, lost: str, tmp_path: Path) -> None:
    before, _, after = PAGE.partition(LOST)
    assert (len(commands(before)), len(commands(after))) == (9, 2)
    said = ""
    for text, url in ((before, origin), (after, lost)):
        for command in commands(text):
            if command.endswith(" lantern serve"):
                with running.lantern(tmp_path / "log", "serve", LANTERN_STORE=str(tmp_path / "copy")):
                    continue
            script = LANTERN + command.replace(HERE, url).replace(THERE, origin)
            done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True)
            assert done.returncode == 0, (command, done.stderr)
            said += done.stderr
    assert "and follows from now on the root" in said


def test_the_table_of_the_report_names_its_keys(origin: str, tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "api", "mirror", origin, str(tmp_path / "copy"), "--json", "--no-index"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    table = PAGE.partition("| key | |\n")[2].partition("\n\n")[0]
    named = [name for row in table.splitlines()[1:] for name in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert sorted(named) == sorted(json.loads(done.stdout))


def test_the_client_without_our_code_follows(origin: str, states: Path, tmp_path: Path) -> None:
    [code] = re.findall(r"^    (from tuf.*?)^[^ \n]", PAGE, re.M | re.S)
    shutil.copy(states / "two/tuf/1.root.json", tmp_path)
    for name in ("metadata", "targets"):
        (tmp_path / name).mkdir()
    script = re.sub("^    ", "", code, flags=re.M).replace(HERE, origin)
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (
        Path(tmp_path, done.stdout.strip()).read_bytes() == (states / "two/releases/1.0.0/manifest.json").read_bytes()
    )
