"""What the README and docs/USING.md show as blocks of code runs, and prints what they say."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
GUIDES = "\n".join((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/USING.md"))
SERVER = "http://127.0.0.1:8000"
BLOCKS = re.findall(r"^```(python|sh|r|js)\n(.*?)^```\n\n```text\n(.*?)^```", GUIDES, re.M | re.S)
# What runs a language, and the Debian package that .ci/run installs for it.
RUNNERS = {
    "python": ([sys.executable, "-"], ""),
    "sh": (["bash", "-e", "-"], ""),
    "r": (["Rscript", "-"], "r-cran-readr"),
    "js": (["node", "--input-type=module", "-"], "nodejs"),
}


@pytest.mark.parametrize(("language", "code", "said"), BLOCKS, ids=[f"{i}-{b[0]}" for i, b in enumerate(BLOCKS)])
def test_the_example_prints_what_is_said(language: str, code: str, said: str, server: str, tmp_path: Path) -> None:
    command, package = RUNNERS[language]
    if shutil.which(command[0]) is None and "CI" not in os.environ:
        pytest.skip(f"{command[0]} is not on this machine: apt-get install {package}")
    done = subprocess.run(
        command, input=code.replace(SERVER, server), cwd=tmp_path, capture_output=True, text=True, timeout=90
    )
    assert (done.stdout.strip(), done.returncode) == (said.strip(), 0), done.stderr


def test_every_example_is_run() -> None:
    assert len(BLOCKS) == len(re.findall(r"^```(?!text)\w+$", GUIDES, re.M)) > 0
