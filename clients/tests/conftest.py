"""One server for all clients, over a release of this package; in CI nothing is skipped."""

import os
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path

import pytest
import running

ROOT = Path(__file__).resolve().parents[2]
SERVER, STORE = "CLIENTS_SERVER", "CLIENTS_STORE"


def pytest_configure(config: pytest.Config) -> None:
    """Starts the server in the first process: all workers of pytest-xdist inherit its address from there."""
    if hasattr(config, "workerinput"):
        return
    lantern = os.environ["LANTERN"]
    stack = ExitStack()
    config.add_cleanup(stack.close)
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    environ = {"LANTERN_STORE": str(folder / "store"), "LANTERN_PACKAGE": str(ROOT / "datapackage")}
    subprocess.run([lantern, "build"], env={**os.environ, **environ}, check=True, stdout=subprocess.DEVNULL)
    started = stack.enter_context(running.lantern(folder / "log", "serve", command=[lantern], **environ))
    os.environ.update({SERVER: started.url, STORE: environ["LANTERN_STORE"]})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first: meanwhile the other process does the rest."""
    items.sort(key=lambda item: item.path.name != "test_schemathesis.py")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a test that is skipped has failed."""
    report = yield
    if "CI" in os.environ and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
    return report


@pytest.fixture(scope="session")
def server() -> str:
    return os.environ[SERVER]


@pytest.fixture(scope="session")
def base(server: str) -> str:
    """What the addresses of all datasets begin with."""
    return f"{server}/v1/datasets"
