"""The lock files: every library by version and hash, as setup.cfg asks for them, the same in each.

Whether a version has a known weakness is known on the network alone (pip-audit), so it is not asked here.
"""

import configparser
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
RUN, TEST, CLIENTS = "requirements.lock", "requirements-test.lock", "clients/requirements.lock"
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
Locked = dict[str, dict[str, set[str]]]  # hashes by version, by name


def locked(path: str) -> Locked:
    """What a lock file names. It may hold nothing else: no addresses, no options, no names without a version."""
    text = re.sub(r"\\\n", " ", (ROOT / path).read_text())
    found: Locked = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            wanted, *hashes = re.split(r"\s+(?=--hash)", line.strip())
            requirement = Requirement(wanted)
            (specifier,) = requirement.specifier
            assert (specifier.operator, requirement.url) == ("==", None), line
            digests = {match[1] for one in hashes if (match := HASH.fullmatch(one))}
            assert len(digests) == len(hashes) > 0, line
            found.setdefault(canonicalize_name(requirement.name), {})[specifier.version] = digests
    return found


def asked() -> dict[str, list[Requirement]]:
    """What setup.cfg and pyproject.toml ask for, by lock file."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    extras = setup["options.extras_require"]
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    run = [*setup["options"]["install_requires"].split("\n"), *build]
    test = [*run, *extras["test"].split("\n"), *extras["check"].split("\n")]
    client = [line for line in (ROOT / "clients/requirements.in").read_text().splitlines() if not line.startswith("#")]
    return {
        name: [Requirement(line) for line in lines if line.strip()]
        for name, lines in ((RUN, run), (TEST, test), (CLIENTS, client))
    }


@pytest.mark.parametrize("path", [RUN, TEST, CLIENTS])
def test_every_library_is_locked_with_its_hashes_within_the_range_that_is_asked_for(path: str) -> None:
    found, wanted = locked(path), asked()[path]
    assert len(wanted) > 15
    for requirement in wanted:
        versions = found.get(canonicalize_name(requirement.name), {})
        assert versions, f"{requirement.name} is not in {path}: make lock"
        for version in versions:
            assert requirement.specifier.contains(version, prereleases=True), (
                f"{requirement}: {version} in {path}: make lock"
            )


def test_what_is_tested_is_what_runs() -> None:
    run, test = locked(RUN), locked(TEST)
    assert len(test) > len(run) > 40
    assert {name: test.get(name) for name in run} == run
