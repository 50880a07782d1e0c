"""What docs/OPERATIONS.md says of signals, each tried at real processes under a little load."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import running
from load import Asked, add_file, asking, failed, until
from packages import table, write
from running import LANTERN, Running

from api.release.build import build

SIZE = 12_000_000
FILE = "/releases/1.0.0/files/large.bin"
COMMANDS = {"module": LANTERN, "script": (sys.executable, str(Path(sys.executable).with_name("lantern")))}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose release has a file that takes a while to send."""
    folder = tmp_path_factory.mktemp("store")
    package = write(folder / "package", table("things", ["id"], [["one"]]), created="2026-01-01T00:00:00Z")
    build(add_file(package, "files/large.bin", SIZE), folder / "store")
    return folder / "store"


@contextmanager
def serving(store: Path, log: Path, **more: object) -> Iterator[Running]:
    environ = {"LANTERN_STORE": str(store), "LANTERN_SEND_RATE": "0"}
    with running.lantern(log, "serve", **environ, **more) as server:  # type: ignore[arg-type]  # of two kinds
        until(lambda: len(workers(server.pid)) == int(str(more.get("LANTERN_WORKERS", 2))))
        yield server


def workers(master: int) -> set[int]:
    return {int(pid) for pid in Path(f"/proc/{master}/task/{master}/children").read_text().split()}


def alive(pid: int) -> bool:
    """Whether a process runs: one that ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Download(threading.Thread):
    """A client that reads a large file at a rate (bytes a second), until the end of its connection."""

    def __init__(self, url: str, rate: int) -> None:
        super().__init__()
        self.client = socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), 60)
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rate // 8)
        self.client.sendall(f"GET {FILE} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n".encode())
        self.rate, self.got = rate, len(self.client.recv(1 << 14))
        self.start()

    def run(self) -> None:
        try:
            while piece := self.client.recv(self.rate // 20, socket.MSG_WAITALL):
                self.got += len(piece)
                time.sleep(1 / 20)
        except ConnectionResetError:
            pass
        self.client.close()

    def whole(self) -> bool:
        """Whether it got everything, with what is still under way."""
        self.rate = SIZE
        self.join()
        return self.got > SIZE


def told(what: str, asked: list[Asked]) -> list[Asked]:
    """Those that failed, after saying how many were asked."""
    print(f"{what}: {len(asked)} asked, {len(failed(asked))} failed")
    return failed(asked)


def counted(asked: list[Asked]) -> Counter[int | str]:
    return Counter(one.got for one in asked)


def test_hup_replaces_every_process_and_fails_no_request(store: Path, tmp_path: Path) -> None:
    with serving(store, tmp_path / "log") as server:
        with asking(server.url, "/v1/") as asked:
            before = workers(server.pid)
            for _ in range(2):
                os.kill(server.pid, signal.SIGHUP)
                time.sleep(1)
            until(lambda: len(workers(server.pid)) == 2 and not workers(server.pid) & before)
            time.sleep(0.2)
    assert len(asked) > 100
    assert told("all", asked) == []


def test_term_sends_what_is_being_sent_and_ends(store: Path, tmp_path: Path) -> None:
    """Who asks meanwhile is refused by the system, and never gets half an answer or an error of ours."""
    with serving(store, tmp_path / "log") as server:
        download = Download(server.url, 4_000_000)
        with asking(server.url, "/v1/") as asked:
            time.sleep(0.5)
            began = time.monotonic()
            os.kill(server.pid, signal.SIGTERM)
            until(lambda: not alive(server.pid), 10)
            took = time.monotonic() - began
    assert download.whole()
    assert took < 8
    assert failed([one for one in asked if one.at + one.seconds < began]) == []
    assert {*counted(asked)} <= {200, "ConnectionRefusedError", "ConnectionResetError", "RemoteDisconnected"}


@pytest.mark.parametrize(("name", "seconds"), [("SIGTERM", 30), ("SIGHUP", 30), ("SIGINT", 0), ("SIGQUIT", 0)])
def test_a_signal_ends_a_long_download_in_the_time_that_is_said(
    store: Path, tmp_path: Path, name: str, seconds: int
) -> None:
    with serving(store, tmp_path / "log") as server:
        download = Download(server.url, 100_000)
        processes = workers(server.pid)
        began = time.monotonic()
        os.kill(server.pid, getattr(signal, name))
        until(lambda: not any(map(alive, processes)), 40)
        assert seconds <= time.monotonic() - began < seconds + 3
        until(lambda: name == "SIGHUP" or not alive(server.pid), 2)
    assert not download.whole()


def test_int_from_a_terminal_ends_all_at_once(store: Path, tmp_path: Path) -> None:
    """Ctrl-C sends it to each process."""
    with serving(store, tmp_path / "log") as server:
        download = Download(server.url, 100_000)
        began = time.monotonic()
        os.killpg(server.pid, signal.SIGINT)
        until(lambda: not alive(server.pid), 10)
        assert time.monotonic() - began < 3
        assert not download.whole()
    assert "Traceback" not in (tmp_path / "log").read_text()


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_usr2_and_term_replace_the_program_and_fail_no_request(
    store: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    with serving(store, tmp_path / "log", command=command) as server:
        with asking(server.url, "/v1/") as asked:
            old = workers(server.pid)
            os.kill(server.pid, signal.SIGUSR2)
            until(lambda: len(workers(server.pid) - old) == 1)
            (new,) = workers(server.pid) - old
            until(lambda: len(workers(new)) == 2)
            time.sleep(0.5)
            os.kill(server.pid, signal.SIGTERM)
            until(lambda: not alive(server.pid))
            time.sleep(1.5)
            assert len(workers(new)) == 2
    assert len(asked) > 100
    assert told("all", asked) == []


def test_usr2_and_term_to_the_new_one_go_back(store: Path, tmp_path: Path) -> None:
    with serving(store, tmp_path / "log") as server:
        with asking(server.url, "/v1/") as asked:
            old = workers(server.pid)
            os.kill(server.pid, signal.SIGUSR2)
            until(lambda: len(workers(server.pid) - old) == 1)
            (new,) = workers(server.pid) - old
            until(lambda: len(workers(new)) == 2)
            os.kill(new, signal.SIGTERM)
            until(lambda: not alive(new))
            assert workers(server.pid) == old
            time.sleep(0.5)
    assert told("all", asked) == []


def test_a_killed_process_costs_only_what_it_was_answering(store: Path, tmp_path: Path) -> None:
    with serving(store, tmp_path / "log") as server:
        with asking(server.url, "/v1/", kept=(True, True, False, False)) as asked:
            killed = 0
            for _ in range(5):
                time.sleep(0.5)
                until(lambda: len(workers(server.pid)) == 2)
                os.kill(min(workers(server.pid)), signal.SIGKILL)
                killed += 1
            until(lambda: len(workers(server.pid)) == 2)
            time.sleep(0.5)
    assert len(asked) > 200
    assert len(told("killed", asked)) <= killed * 4  # at most one for each client
    assert {one.got for one in failed(asked)} <= {"ConnectionResetError", "RemoteDisconnected"}
    assert {one.got for one in asked[-10:]} == {200}


def test_a_connection_that_waits_for_a_process_outlives_it(store: Path, tmp_path: Path) -> None:
    with serving(store, tmp_path / "log", LANTERN_WORKERS="1") as server:
        with asking(server.url, "/v1/") as asked:
            until(lambda: 200 in counted(asked))
        (worker,) = workers(server.pid)
        os.kill(worker, signal.SIGSTOP)
        client = http.client.HTTPConnection("127.0.0.1", int(server.url.rpartition(":")[2]), timeout=20)
        client.request("GET", "/v1/")
        os.kill(worker, signal.SIGKILL)
        assert client.getresponse().status == 200
        client.close()


def test_a_killed_master_leaves_its_port_and_its_downloads(store: Path, tmp_path: Path) -> None:
    with serving(store, tmp_path / "log") as server:
        download = Download(server.url, 2_000_000)
        processes = workers(server.pid)
        os.kill(server.pid, signal.SIGKILL)
        time.sleep(2)
        with serving(store, tmp_path / "second.log", PORT=server.url.rpartition(":")[2]) as second:
            with asking(second.url, "/v1/") as asked:
                time.sleep(0.5)
            assert asked and failed(asked) == []
            assert download.whole()
            until(lambda: not any(map(alive, processes)))


def test_a_restart_on_the_socket_of_a_service_manager_fails_no_request(store: Path, tmp_path: Path) -> None:
    """As `systemctl restart` with lantern.socket: the socket stays open, and whoever comes meanwhile waits."""
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        fd, url = listener.fileno(), f"http://127.0.0.1:{listener.getsockname()[1]}"
        command = ["bash", "-c", f'exec 3<&{fd}; LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"', "bash", *LANTERN]
        with asking(url, "/v1/") as asked:
            for turn in range(2):
                with serving(store, tmp_path / f"log{turn}", command=command, pass_fds=(fd,)) as server:
                    time.sleep(0.5)
                    os.kill(server.pid, signal.SIGTERM)
                    until(lambda pid=server.pid: not alive(pid))  # type: ignore[misc]  # bound while it lasts
            with serving(store, tmp_path / "last", command=command, pass_fds=(fd,)):
                time.sleep(0.5)
                until(lambda: asked[-1].got == 200)
                asked_in_time = list(asked)
    assert len(asked_in_time) > 100
    assert told("in time", asked_in_time) == []
    assert max(one.seconds for one in asked_in_time) < 15


def test_systemd_starts_it_at_the_first_connection(store: Path, tmp_path: Path) -> None:
    program = "/usr/bin/systemd-socket-activate"
    if not Path(program).exists():
        pytest.skip("systemd is not installed: apt-get install systemd")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environ = {**os.environ, "LANTERN_STORE": str(store), "PORT": "1"}
    passed = [f"--setenv={name}" for name in ("LANTERN_STORE", "PORT", "PYTHONPATH") if name in environ]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, f"--listen=127.0.0.1:{port}", *passed, *LANTERN, "serve"],
            env=environ,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        until(lambda: "Listening on" in (tmp_path / "log").read_text())
        with asking(f"http://127.0.0.1:{port}", "/v1/", kept=(False,)) as asked:
            until(lambda: len(asked) > 2)
        assert told("all", asked) == []
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
