"""Runs the programs that the tests drive."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

CLIENTS = Path(__file__).resolve().parents[1]
NODE_MODULES = CLIENTS / "node_modules" / ".bin"
# What pip and npm do not bring, each with the Debian packages that have it. .ci/run installs them (test_programs.py).
PROGRAMS = {
    "chromium": "chromium",
    "java": "default-jdk-headless",
    "javac": "default-jdk-headless",
    "node": "nodejs",
    "npm": "npm",
    "Rscript": "r-base-core r-cran-httr2 r-cran-jsonlite r-cran-readr",
}
OTHER_NAMES = {"chromium": "google-chrome"}
SECONDS = 420


def program(name: str) -> str:
    """Its path; the test is skipped where it is missing, which in CI is a failure (conftest.py)."""
    found = shutil.which(name) or shutil.which(OTHER_NAMES.get(name, name))
    return found or pytest.skip(f"no {name} here: on Debian, apt-get install {PROGRAMS[name]}")


def run(*command: str | Path, cwd: Path = CLIENTS, text: str | None = None, **environ: str) -> str:
    """What a command prints, which must end with 0."""
    done = subprocess.run(
        [str(word) for word in command],
        input=text,
        cwd=cwd,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def javascript(code: str, server: str) -> Any:
    """What a module's last call of `say` was given; its constants SERVER and RECORDS are addresses."""
    head = f"""
        const SERVER = {json.dumps(server)};
        const RECORDS = SERVER + "/v1/datasets/exports/records";
        const say = (value) => console.log(JSON.stringify(value));
    """
    return json.loads(run(program("node"), "--input-type=module", "-", text=head + code))
