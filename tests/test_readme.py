"""What the README says is true: every command runs, every setting and parameter is there."""

import re
import shlex
import subprocess
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
        assert printed.startswith(start.rstrip())
    elif said:
        assert printed.strip() == said
    else:
        assert any(tmp_path.iterdir()) or printed


def test_the_settings_of_the_readme_are_the_settings() -> None:
    table = re.findall(r"^\| `(LANTERN_[A-Z_]+)` \| (.*?) \| (.*?) \|$", README, re.M)
    expected = [(settings.PREFIX + s.name, f"`{s.default}`" if s.default else "", s.help) for s in settings.SETTINGS]
    assert table == expected


def test_the_command_settings_lists_every_setting() -> None:
    printed = CliRunner().invoke(main, ["settings"]).output.splitlines()
    assert [line.split("\t")[0] for line in printed] == [settings.PREFIX + s.name for s in settings.SETTINGS]


def test_every_parameter_is_in_the_readme() -> None:
    for name in parameters.CONTROL:
        assert f"`{name}" in README, name


def test_every_command_is_in_the_readme() -> None:
    for name in main.commands:
        assert f"lantern {name}" in README, name


def test_every_part_of_the_program_is_in_the_readme() -> None:
    parts = [p for p in (ROOT / "api").iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()]
    for part in parts:
        if part.name not in ("__init__.py", "templates"):
            assert part.name.removesuffix(".py") in README, part.name
