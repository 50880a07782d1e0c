"""Every operation of the whole document, asked with valid and invalid data by schemathesis."""

import sys
from pathlib import Path

from generators import served_document
from programs import CLIENTS, run

EXAMPLES = 10
HOOKS = CLIENTS.parent / "tests" / "schemathesis_hooks.py"


def test_every_operation_keeps_its_word(server: str, tmp_path: Path) -> None:
    """All checks, no server error, no status or shape that is not documented; all is read, so nothing has a state."""
    command = [sys.executable, "-m", "schemathesis.cli", "run", served_document(server, tmp_path), "--url", server]
    command += ["--checks", "all", "--phases", "examples,coverage,fuzzing", "--max-examples", str(EXAMPLES)]
    command += ["--generation-deterministic", "--continue-on-failure", "--no-color", "--workers", "1"]
    run(*command, cwd=tmp_path, SCHEMATHESIS_HOOKS=str(HOOKS))
