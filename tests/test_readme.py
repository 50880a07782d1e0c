"""What README says is true: every command runs, every setting, parameter and command is there; so is every room."""

import re
import shlex
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner

from api import settings
from api.cli import main
from api.query import parameters

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SERVER = "http://127.0.0.1:8000"


def examples() -> list[tuple[str, str]]:
    """Each curl of the README with what it is said to print (up to an ellipsis; empty where nothing is said)."""
    blocks = re.findall(r"(?:^    .*\n(?:\n(?=    ))?)+", README, re.M)
    texts = [re.sub(r"^    ", "", block, flags=re.M) for block in blocks]
    split = [text.partition("\n") for text in texts if text.startswith("curl ")]
    return [(command, said.strip()) for command, _, said in split]


@pytest.mark.parametrize(("command", "said"), examples(), ids=lambda value: value[:60])
def test_every_curl_of_the_readme_gives_what_is_said(command: str, said: str, server: str, tmp_path: Path) -> None:
    assert SERVER in command
    words = shlex.split(command.replace(SERVER, server))
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=True)
    printed = done.stdout.replace(server, SERVER)
    start, ellipsis, _ = said.partition("…")
    if ellipsis:
        assert start and printed.startswith(start.rstrip())
    elif said:
        assert printed.strip() == said
    else:
        [file] = tmp_path.iterdir()
        with urllib.request.urlopen(words[-1]) as response:
            assert (file.name, file.read_bytes()) == (words[-1].rpartition("/")[2], response.read())


def test_every_curl_of_the_readme_is_run() -> None:
    assert len(examples()) == README.count("curl ") > 0


def test_the_settings_of_the_readme_are_the_settings() -> None:
    table = re.findall(r"^\| `(LANTERN_[A-Z_]+)` \| (.*?) \| (.*?) \|$", README, re.M)
    expected = [(settings.PREFIX + s.name, f"`{s.default}`" if s.default else "", s.help) for s in settings.SETTINGS]
    assert table == expected


def test_the_command_settings_lists_every_setting() -> None:
    printed = CliRunner().invoke(main, ["settings"]).output.splitlines()
    assert [line.split("\t")[0] for line in printed] == [settings.PREFIX + s.name for s in settings.SETTINGS]


def test_the_parameters_of_the_readme_are_the_parameters() -> None:
    assert sorted(names("| parameter | meaning |", README)) == sorted(parameters.CONTROL)


def test_the_commands_of_the_readme_are_the_commands() -> None:
    assert sorted(names("| command | does |", README)) == sorted(f"lantern {name}" for name in main.commands)


@pytest.mark.parametrize("command", ["validate", "build", "serve", "preview", "release", "format", "openapi"])
def test_every_command_about_a_package_takes_it_as_an_argument(command: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "api", command, "nowhere"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, "nowhere: no such file or folder" in done.stdout + done.stderr) == (1, True), done.stderr


def test_the_map_of_the_code_names_every_room_and_nothing_else() -> None:
    map_of_the_code = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    api = ROOT / "api"
    folders = {path.parent for path in api.rglob("*.py")} - {api}
    modules = {path for path in api.glob("*.py") if not path.name.startswith("__")}
    rooms = [f"{path.relative_to(ROOT).as_posix()}{'/' if path in folders else ''}" for path in folders | modules]
    assert sorted(names("| room | does |", map_of_the_code)) == sorted(rooms)


def names(head: str, text: str) -> list[str]:
    """What the first column of a table names in code spans."""
    rows = text.partition(f"{head}\n")[2].partition("\n\n")[0].splitlines()[1:]
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])]
