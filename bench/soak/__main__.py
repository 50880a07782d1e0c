"""The soak: `python -m bench.soak` (`make soak`). Ten minutes of load and mishaps on one server behind nginx.

Hot, cold, pinned, huge and hostile questions, slow clients, reloads, killed workers; releases that are new, withdrawn
and removed. Exit status 1 where an answer was wrong or mixed, a server error was not deliberate, or memory grew.
"""

import argparse
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.places import ROOT
from bench.processes import Running, Server, heap, serving
from bench.soak import clients, front, truth
from bench.soak.questions import Dice

LANTERN = (sys.executable, "-P", "-m", "api")
CLIENTS = ("hot", "hot cold", "hot cold pinned", "cold huge", "hostile")
SLOW_HEADS, SLOW_READERS = 50, 20
GROWTH = 1.1  # how much more memory than before still counts as none


@dataclass
class Soak:
    """One run: its folder, what is true, what happened and when (seconds since the start)."""

    folder: Path
    seconds: float
    truth: truth.Truth
    known: list[str] = field(default_factory=list)
    withdrawn: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)
    kills: list[float] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    heaps: list[tuple[float, float]] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    @property
    def store(self) -> Path:
        return self.folder / "store"

    def lantern(self, *arguments: str) -> None:
        """Run a command over the store. Raises RuntimeError where it fails."""
        environ = {**os.environ, "PYTHONPATH": str(ROOT), "LANTERN_STORE": str(self.store)}
        done = subprocess.run([*LANTERN, *arguments], cwd=self.folder, env=environ, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"lantern {' '.join(arguments)}: {done.stderr[-500:]}")

    def happened(self, what: str) -> None:
        self.events.append(f"{time.monotonic() - self.began:4.0f} s  {what}")
        print(f"  {self.events[-1]}", flush=True)

    def publish(self) -> None:
        """Build the next version; its rows are known before anybody can see them."""
        number = len(self.known)
        package = truth.package(self.folder / "packages", number)
        self.truth.add(number)
        self.lantern("build", str(package))
        time.sleep(2)  # a server looks once a second
        self.known.append(f"1.{number}.0")
        self.happened(f"release {self.known[-1]} was built")

    def withdraw(self) -> None:
        """Withdraw the oldest version that was not."""
        version = next(one for one in self.known if one not in self.withdrawn)
        self.withdrawn.add(version)
        self.lantern("withdraw", version, "--reason", "soak")
        self.happened(f"release {version} was withdrawn")

    def remove(self) -> None:
        """Remove the files of the oldest version that has them."""
        version = next(one for one in self.known if one not in self.removed)
        self.withdrawn.add(version)
        self.removed.add(version)
        self.lantern("withdraw", version, "--reason", "soak", "--remove")
        self.happened(f"release {version} was removed")

    def reload(self, server: Running) -> None:
        os.kill(server.pid, signal.SIGHUP)
        self.happened("the server was reloaded (SIGHUP)")

    def kill(self, server: Running) -> None:
        worker = random.choice(workers(server.pid))
        self.kills.append(time.time())
        os.kill(worker, signal.SIGKILL)
        self.happened("a worker was killed (kill -9)")


def main() -> int:
    """Run the soak and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600, help="how long (default 600)")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        soak = Soak(folder, seconds, truth.Truth(folder / "packages"))
        for _ in range(3):
            soak.publish()
        environ = {"LANTERN_STORE": str(soak.store), "LANTERN_WORKERS": "2", "LANTERN_PROXIES": "1"}
        lantern = Server("lantern", [*LANTERN, "serve"], "/healthz", environ, cwd=folder)
        with serving([lantern]) as (running, _):
            with serving([front.nginx(folder, running["lantern"].port)]) as (fronts, _):
                asking = _run(soak, running["lantern"], fronts["nginx"].port)
    return _report(soak, asking)


def _run(soak: Soak, server: Running, port: int) -> clients.Asking:
    asking = clients.Asking(port, Dice(soak.truth, soak.known, soak.removed), soak.kills)
    soak.began = time.monotonic()
    threads = [asking.start(kinds) for kinds in CLIENTS]
    whole = f"/releases/{soak.known[-1]}/data/figures.csv"
    threads += [clients.slow_heads(port, SLOW_HEADS, asking.over)]
    threads += [clients.slow_readers(port, SLOW_READERS, asking.over, whole)]
    threads += [_watch(soak, server, asking.over)]
    for at, event in _planned(soak, server):
        time.sleep(max(0.0, soak.began + at - time.monotonic()))
        event()
    time.sleep(max(0.0, soak.began + soak.seconds - time.monotonic()))
    asking.over.set()
    for thread in threads:
        thread.join(clients.PATIENCE)
    return asking


def _planned(soak: Soak, server: Running) -> list[tuple[float, Callable[[], None]]]:
    """What happens when, in seconds. Workers end in the first half only: in the second, memory must not grow."""
    shares = {
        **{0.08: soak.publish, 0.20: soak.withdraw, 0.28: soak.publish, 0.36: soak.remove},
        **{0.12: lambda: soak.kill(server), 0.24: lambda: soak.reload(server), 0.32: lambda: soak.kill(server)},
        **{0.44: lambda: soak.kill(server), 0.48: lambda: soak.reload(server)},
        **{0.56: soak.publish, 0.64: soak.withdraw, 0.70: soak.remove, 0.78: soak.publish},
    }
    return [(share * soak.seconds, event) for share, event in sorted(shares.items())]


def workers(master: int) -> list[int]:
    """The processes that answer: what they start for a moment (extracts, indexes) is none."""
    return [int(pid) for pid in Path(f"/proc/{master}/task/{master}/children").read_text().split()]


def _watch(soak: Soak, server: Running, over: threading.Event) -> threading.Thread:
    """Measure the heap of the server's processes once a second."""

    def watch() -> None:
        while not over.wait(1):
            soak.heaps.append((time.monotonic() - soak.began, heap([server.pid, *workers(server.pid)])))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


def _report(soak: Soak, asking: clients.Asking) -> int:
    """Print the tables; the exit status."""
    failures = []
    print(f"\n{soak.seconds:.0f} s, {sum(t.asked for t in asking.tallies.values()):,} requests behind nginx")
    header = "kind     asked  compared  mixed  wrong  other  failed  at kills  503   p50 ms   p99 ms  statuses"
    print(header)
    for kind, tally in asking.tallies.items():
        faults = tally.faults
        other = sum(faults.values()) - faults["mixed"] - faults["wrong"] - faults["failed"]
        print(
            f"{kind:8} {tally.asked:5}  {tally.compared:8}  {faults['mixed']:5}  {faults['wrong']:5}  {other:5}  "
            f"{tally.broken:6}  {tally.killed:8}  {tally.busy:3}  {tally.percentile(0.5):7.1f}  "
            f"{tally.percentile(0.99):7.1f}  {dict(sorted(tally.statuses.items()))}"
        )
        failures += tally.examples
    third, last = _heap(soak, 0.6, 0.75), _heap(soak, 0.85, 1.0)
    most = max(value for _, value in soak.heaps)
    first = _heap(soak, 0, 0.1)
    later = f"{third:.0f} after 60 to 75 % of the time, {last:.0f} in the last 15 %"
    print(f"heap MiB, two workers and master: {first:.0f} at first, {later}, at most {most:.0f}")
    if last > third * GROWTH:
        failures.append(f"memory grew from {third:.0f} to {last:.0f} MiB")
    for failure in failures:
        print(f"! {failure}")
    return int(bool(failures))


def _heap(soak: Soak, start: float, end: float) -> float:
    """The median heap in a part of the time."""
    found = [value for at, value in soak.heaps if start * soak.seconds <= at <= end * soak.seconds]
    return statistics.median(found) if found else 0.0


if __name__ == "__main__":
    if not shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin"):
        sys.exit("the soak needs nginx")
    sys.exit(main())
