"""Load on one server for a bounded time: wrk where it is installed, else bench.client, in another process."""

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.places import ROOT, folder
from bench.processes import Running

WRK = shutil.which("wrk")
SCRIPT = Path(__file__).with_name("load.lua")
SPARE_SECONDS = 60


@dataclass
class Target:
    """What is asked of a server: one path, or many in turn; `once` says that none of them should come twice."""

    name: str
    server: str
    paths: Sequence[str]
    connections: int = 8
    headers: Mapping[str, str] = field(default_factory=dict)
    expected: int = 200
    once: bool = True
    at: int = 0

    @property
    def wrapped(self) -> bool:
        """Whether questions that should each be new were asked again."""
        return self.once and 1 < len(self.paths) < self.at


@dataclass(frozen=True)
class Sample:
    """One run of load: requests a second, times in milliseconds, server CPU in microseconds a request."""

    rate: float
    p50: float
    p99: float
    cpu: float
    errors: int


def ask(target: Target, running: Running, seconds: float) -> Sample:
    """Put load on a target's server; its next run goes on with the next path."""
    listed = _listed(target.paths)
    headers = [part for entry in target.headers.items() for part in entry]
    before = running.cpu()
    command = _command(target, running.port, seconds, listed) + headers
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=seconds + SPARE_SECONDS)
    cpu = running.cpu() - before
    if ended.returncode:
        raise RuntimeError(f"the load on {target.name} failed: {(ended.stderr or ended.stdout)[-300:]}")
    found = json.loads(ended.stdout.strip().splitlines()[-1])
    if len(target.paths) > 1:
        target.at = found["at"]
    rate, each = found["requests"] / found["seconds"], cpu / max(found["requests"], 1) * 1e6
    return Sample(rate, found["p50"], found["p99"], each, found["errors"])


def _command(target: Target, port: int, seconds: float, listed: Path) -> list[str]:
    if not WRK:
        client = [sys.executable, "-m", "bench.client", "load"]
        return [*client, str(port), str(target.connections), str(seconds), str(listed), str(target.at)]
    amount = ["-t1", f"-c{target.connections}", f"-d{max(1, round(seconds))}s", "--timeout", "30s"]
    return [WRK, *amount, "-s", str(SCRIPT), f"http://127.0.0.1:{port}", "--", str(listed), str(target.at)]


def _listed(paths: Sequence[str]) -> Path:
    """A file with the paths, one a line."""
    text = "\n".join(paths) + "\n"
    path = folder("paths") / hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
    if not path.exists():
        path.write_text(text)
    return path
