"""`lantern serve` and its process: where it listens, what it refuses, what it says at its start."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import packages
import pytest
import running
from running import LANTERN

from api.release.build import build

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small package and a store that holds its release."""
    folder = tmp_path_factory.mktemp("shelf")
    package(folder / "package")
    build(folder / "package", folder / "store")
    return folder


def package(folder: Path, name: str = "small") -> Path:
    return packages.write(
        folder, packages.table("things", ["id"], [["one"]]), name=name, created="2026-01-01T00:00:00Z"
    )


def served(cwd: Path, *arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    """A `lantern serve` that is expected to end by itself."""
    command = [*LANTERN, "serve", *arguments]
    return subprocess.run(command, cwd=cwd, env={**os.environ, **environ}, capture_output=True, text=True, timeout=60)


def status(url: str) -> int:
    with urllib.request.urlopen(f"{url}/v1/", timeout=20) as answer:
        return int(answer.status)


def workers(master: int) -> set[int]:
    return {int(pid) for pid in Path(f"/proc/{master}/task/{master}/children").read_text().split()}


def test_serve_builds_the_package_it_is_given_and_prints_its_address(tmp_path: Path) -> None:
    package(tmp_path / "mine")
    with running.lantern(tmp_path / "log", "serve", "mine", cwd=tmp_path) as server:
        assert server.url.startswith("http://127.0.0.1:")
        assert status(server.url) == 200
    assert (tmp_path / "var" / "store" / "releases" / "1.0.0" / "manifest.json").is_file()


def test_serve_without_a_package_builds_the_one_in_datapackage(tmp_path: Path) -> None:
    package(tmp_path / "datapackage")
    with running.lantern(tmp_path / "log", "serve", cwd=tmp_path) as server:
        assert status(server.url) == 200


def test_a_package_of_another_name_than_the_stores_is_refused(shelf: Path, tmp_path: Path) -> None:
    other = package(tmp_path / "other", "other")
    done = served(tmp_path, str(other), LANTERN_STORE=str(shelf / "store"), PORT="0")
    assert done.returncode == 2
    assert "the store holds releases of 'small', not of 'other'" in done.stderr


def test_a_package_that_cannot_be_read_is_refused_whatever_the_store_holds(shelf: Path, tmp_path: Path) -> None:
    for store in (shelf / "store", tmp_path / "empty"):
        done = served(tmp_path, "nowhere", LANTERN_STORE=str(store), PORT="0")
        assert done.returncode == 1
        assert "nowhere" in done.stderr and "Traceback" not in done.stderr


def test_a_second_server_on_a_port_is_refused_at_once_and_the_first_goes_on(shelf: Path, tmp_path: Path) -> None:
    with running.lantern(tmp_path / "log", "serve", LANTERN_STORE=str(shelf / "store")) as server:
        port = server.url.rpartition(":")[2]
        began = time.monotonic()
        done = served(tmp_path, LANTERN_STORE=str(shelf / "store"), PORT=port)
        assert time.monotonic() - began < 5
        assert done.returncode == 2
        assert f"cannot listen on 127.0.0.1, port {port}: Address already in use" in done.stderr
        assert status(server.url) == 200


@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_an_address_of_ipv6_is_served_with_brackets_and_without(shelf: Path, tmp_path: Path, host: str) -> None:
    environ = {"LANTERN_STORE": str(shelf / "store"), "LANTERN_HOST": host}
    with running.lantern(tmp_path / "log", "serve", **environ) as server:
        assert server.url.startswith("http://[::1]:")
        assert status(server.url) == 200


@pytest.mark.parametrize("port", ["http", "-1", "65536"])
def test_a_port_that_is_no_number_of_a_port_is_wrong_usage(shelf: Path, tmp_path: Path, port: str) -> None:
    done = served(tmp_path, LANTERN_STORE=str(shelf / "store"), PORT=port)
    assert (done.returncode, f"PORT='{port}': not a port number" in done.stderr) == (2, True)


def test_no_setting_of_gunicorn_is_taken_from_the_environment_or_the_folder(shelf: Path, tmp_path: Path) -> None:
    (tmp_path / "gunicorn.conf.py").write_text("raise SystemExit('gunicorn.conf.py was read')")
    environ = {"GUNICORN_CMD_ARGS": "--workers 3", "WEB_CONCURRENCY": "3", "LANTERN_WORKERS": "1"}
    with running.lantern(
        tmp_path / "log", "serve", cwd=tmp_path, LANTERN_STORE=str(shelf / "store"), **environ
    ) as server:
        assert status(server.url) == 200
        assert len(workers(server.pid)) == 1


def test_the_application_loads_under_another_gunicorn(shelf: Path) -> None:
    command = [Path(sys.executable).with_name("gunicorn"), "--check-config"]
    for name in ("api.app:create_app()", "wsgi:app"):
        subprocess.run(
            [*command, name], cwd=ROOT, env={**os.environ, "LANTERN_STORE": str(shelf / "store")}, check=True
        )


def test_a_socket_of_systemd_is_served_instead_of_the_port(shelf: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_server(("127.0.0.1", 0)) as taken:
        fd = listener.fileno()
        script = f'exec 3<&{fd}; LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"'
        command = ["bash", "-c", script, "bash", *LANTERN]
        port = str(taken.getsockname()[1])
        with running.lantern(
            tmp_path / "log", "serve", command=command, pass_fds=(fd,), LANTERN_STORE=str(shelf / "store"), PORT=port
        ) as server:
            assert server.url == f"http://127.0.0.1:{listener.getsockname()[1]}"
            assert status(server.url) == 200


@pytest.mark.parametrize(
    ("host", "proxies", "warned"),
    [
        ("0.0.0.0", "0", True),
        ("::", "0", True),
        ("0.0.0.0", "1", False),
        ("127.0.0.1", "0", False),
        ("::1", "0", False),
    ],
)
def test_a_server_that_is_open_to_others_and_alone_says_that_it_needs_a_proxy(
    shelf: Path, tmp_path: Path, host: str, proxies: str, warned: bool
) -> None:
    environ = {"LANTERN_STORE": str(shelf / "store"), "LANTERN_HOST": host, "LANTERN_PROXIES": proxies}
    with running.lantern(tmp_path / "log", "serve", **environ) as server:
        assert status(server.url.replace("[::]", "[::1]").replace("0.0.0.0", "127.0.0.1")) == 200
    said = [line for line in (tmp_path / "log").read_text().splitlines() if "docs/OPERATIONS.md" in line]
    assert len(said) == warned
    assert all(" WARNING " in line and f" {host} is open to other machines" in line for line in said)


def test_two_servers_of_one_user_share_nothing(shelf: Path, tmp_path: Path) -> None:
    """Neither a socket in the home that commands one of them, nor an end."""
    environ = {"LANTERN_STORE": str(shelf / "store"), "HOME": str(tmp_path / "home"), "XDG_RUNTIME_DIR": ""}
    (tmp_path / "home").mkdir()
    with running.lantern(tmp_path / "one.log", "serve", **environ) as one:
        with running.lantern(tmp_path / "other.log", "serve", **environ) as other:
            assert (status(one.url), status(other.url)) == (200, 200)
        assert status(one.url) == 200
    assert list((tmp_path / "home").iterdir()) == []


def test_a_service_manager_is_told_when_it_listens(shelf: Path, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(20)
        environ = {"LANTERN_STORE": str(shelf / "store"), "NOTIFY_SOCKET": str(tmp_path / "notify")}
        with running.lantern(tmp_path / "log", "serve", **environ) as server:
            assert b"READY=1" in manager.recv(1 << 16).splitlines()
            assert status(server.url) == 200
