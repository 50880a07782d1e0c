"""Server processes: started on a free port of 127.0.0.1, watched through /proc, always stopped by their pid."""

import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from bench.places import ROOT, folder

TICKS = os.sysconf("SC_CLK_TCK")


class StartError(Exception):
    """A server that did not come up; says the end of its log."""


@dataclass(frozen=True)
class Server:
    """How a server is started; `{port}` in the arguments is replaced, PORT is set in the environment.

    `port` is only given where a file had to name it (0: any that is free).
    """

    name: str
    argv: Sequence[str]
    ready: str
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path = ROOT
    patience: float = 60.0
    port: int = 0


@dataclass(frozen=True)
class Running:
    """A server that answers. `seconds` is the time from its start to its first good answer."""

    name: str
    pid: int
    port: int
    seconds: float

    def cpu(self) -> float:
        """Seconds of CPU, user and system, that the process tree has used."""
        return sum(_cpu(pid) for pid in tree(self.pid))

    def workers(self) -> list[int]:
        return tree(self.pid)[1:]


def tree(pid: int) -> list[int]:
    """A process and all its descendants."""
    found = [pid]
    for parent in found:
        with suppress(OSError):
            for task in Path(f"/proc/{parent}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found


def _cpu(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / TICKS


def memory(pids: Sequence[int]) -> tuple[float, float]:
    """PSS and heap (anonymous memory) of processes in MiB."""
    pss = heap = 0
    for pid in pids:
        with suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                name, _, rest = line.partition(":")
                if name in ("Pss", "Anonymous"):
                    size = int(rest.split()[0])
                    pss, heap = (pss + size, heap) if name == "Pss" else (pss, heap + size)
    return pss / 1024, heap / 1024


def heap(pids: Sequence[int]) -> float:
    """Heap of processes in MiB, read in a way that costs little."""
    total = 0
    for pid in pids:
        with suppress(OSError):
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("RssAnon:"):
                    total += int(line.split()[1])
    return total / 1024


@contextmanager
def serving(servers: Sequence[Server]) -> Iterator[tuple[dict[str, Running], dict[str, str]]]:
    """Start servers one after another; those that answer, by name, and why the others do not."""
    processes: list[subprocess.Popen[bytes]] = []
    running: dict[str, Running] = {}
    problems: dict[str, str] = {}
    try:
        for server in servers:
            try:
                running[server.name] = _start(server, processes)
            except (StartError, OSError) as error:
                problems[server.name] = str(error)
                print(f"  ! {server.name} did not start: {error}", flush=True)
        yield running, problems
    finally:
        for process in reversed(processes):
            stop(process)


def _start(server: Server, processes: list[subprocess.Popen[bytes]]) -> Running:
    port = server.port or free_port()
    log = folder("logs") / f"{server.name.replace('/', '-').replace(' ', '-')}.log"
    env = {k: v for k, v in os.environ.items() if not k.startswith(("LANTERN_", "PYTHON"))}
    env |= {"PORT": str(port), "PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(folder("pycache")), **server.env}
    argv = [part.replace("{port}", str(port)) for part in server.argv]
    start = time.perf_counter()
    with log.open("wb") as out:
        process = subprocess.Popen(argv, cwd=server.cwd, env=env, stdout=out, stderr=out, start_new_session=True)
    processes.append(process)
    while not answers(port, server.ready):
        if process.poll() is not None:
            raise StartError(f"ended with {process.returncode}: {_end(log)}")
        if time.perf_counter() - start > server.patience:
            stop(process)
            raise StartError(f"no good answer in {server.patience:.0f} s: {_end(log)}")
        time.sleep(0.004)
    return Running(server.name, process.pid, port, time.perf_counter() - start)


def _end(log: Path) -> str:
    return " | ".join(log.read_text(errors="replace").strip().splitlines()[-3:])[-400:]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def answers(port: int, path: str) -> bool:
    """Whether a server gives a 200 there."""
    try:
        return fetch(port, path, timeout=30)[0] == 200
    except (OSError, http.client.HTTPException):
        return False


def fetch(
    port: int, path: str, headers: Mapping[str, str] | None = None, timeout: float = 120
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers (lower case) and body of one GET."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        client.request("GET", path, headers=dict(headers or {}))
        answer = client.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    finally:
        client.close()


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process that we started, and what is left of its children."""
    children = tree(process.pid)[1:] if process.poll() is None else []
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        process.wait(8)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pid in children:
        with suppress(ProcessLookupError, PermissionError):
            if os.getsid(pid) == process.pid:
                os.kill(pid, signal.SIGKILL)
