"""A release of this package, built once for all tests, the app over it, and a server with it."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import running
from flask import Flask
from flask.testing import FlaskClient

from api.app import create_app
from api.release.build import build

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "datapackage"


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one release of this package; all workers of pytest-xdist share it."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    root = shared / "store"
    with (shared / "store.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.exists():
            unfinished = shared / "store.unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            build(PACKAGE, unfinished)
            unfinished.rename(root)
    return root


@pytest.fixture(scope="session")
def app(store: Path) -> Flask:
    """The application over that store, without a public address whatever the environment says."""
    return create_app(STORE=store, BASE_URL="")


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture(scope="session")
def server(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running server over that store; stopped at the end."""
    log = tmp_path_factory.mktemp("server") / "log"
    with running.lantern(log, "serve", LANTERN_STORE=str(store)) as started:
        yield started.url
