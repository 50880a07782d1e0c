"""What CI must not skip: each program that the tests drive is installed there."""

import re

import pytest
from programs import CLIENTS, PROGRAMS, program

CI = CLIENTS.parent / ".ci" / "run"


def test_ci_installs_every_program() -> None:
    installed = set(re.findall(r"[\w.-]+", CI.read_text("utf-8")))
    assert {package for packages in PROGRAMS.values() for package in packages.split()} - installed == set()


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_program_is_here(name: str) -> None:
    """Elsewhere this is skipped, as the tests are that need it."""
    assert program(name)
