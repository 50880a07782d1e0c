"""`lantern serve` and its process: where it listens, what it refuses, what a reload does to those who ask."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
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


def test_a_reload_under_load_fails_no_request(shelf: Path, tmp_path: Path) -> None:
    """Each of two readers asks all the time: one over new connections, one over a connection that is kept."""
    answers: list[int | Exception] = []
    ended = threading.Event()

    def ask(kept: bool) -> None:
        client = http.client.HTTPConnection("127.0.0.1", int(server.url.rpartition(":")[2]), timeout=20)
        while not ended.is_set():
            try:
                client.request("GET", "/v1/")
                answer = client.getresponse()
                answer.read()
                answers.append(answer.status)
            except OSError as error:
                answers.append(error)
            if not kept:
                client.close()
            ended.wait(0.005)
        client.close()

    with running.lantern(tmp_path / "log", "serve", LANTERN_STORE=str(shelf / "store")) as server:
        readers = [threading.Thread(target=ask, args=(kept,)) for kept in (True, False)]
        for reader in readers:
            reader.start()
        before = workers(server.pid)
        for _ in range(2):
            os.kill(server.pid, signal.SIGHUP)
            time.sleep(1)
        until(lambda: len(workers(server.pid)) == 2 and not workers(server.pid) & before)
        ended.set()
        for reader in readers:
            reader.join()
    assert len(answers) > 100
    assert set(answers) == {200}


def test_a_connection_that_waits_for_a_worker_outlives_it(shelf: Path, tmp_path: Path) -> None:
    with running.lantern(tmp_path / "log", "serve", LANTERN_STORE=str(shelf / "store"), LANTERN_WORKERS="1") as server:
        assert status(server.url) == 200
        (worker,) = workers(server.pid)
        os.kill(worker, signal.SIGSTOP)
        client = http.client.HTTPConnection("127.0.0.1", int(server.url.rpartition(":")[2]), timeout=20)
        client.request("GET", "/v1/")
        os.kill(worker, signal.SIGKILL)
        assert client.getresponse().status == 200
        client.close()


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


def test_a_new_master_takes_over_the_socket(shelf: Path, tmp_path: Path) -> None:
    """USR2 starts the program again beside the old one, as gunicorn's upgrade does."""
    with running.lantern(tmp_path / "log", "serve", LANTERN_STORE=str(shelf / "store"), LANTERN_WORKERS="1") as server:
        old = workers(server.pid)
        os.kill(server.pid, signal.SIGUSR2)
        until(lambda: any(workers(pid) for pid in workers(server.pid) - old))
        for pid in old:
            os.kill(pid, signal.SIGSTOP)
        assert status(server.url) == 200


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
