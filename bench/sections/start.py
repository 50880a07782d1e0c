"""Cold start, memory and imports of a serving worker."""

import re
import sys
from pathlib import Path

from bench import stores
from bench.inprocess import FORBIDDEN, ask_python
from bench.load import Target, ask
from bench.processes import Running, Server, memory, serving
from bench.questions import PAGE, never_asked
from bench.rounds import number, ratio
from bench.sections import Found, Setup
from bench.servers import WORKERS

RUNS = 7


def run(setup: Setup) -> Found:
    """`lantern serve` over a built release until its first page of 100 rows, seven times, files in the page cache.

    Memory: PSS of gunicorn's master and its two workers after that page (judged) and after two seconds of questions
    never asked before, when the pages of the mapped files that were read count too: heap is what the processes keep
    for themselves. Imports: a process that answers a question of each kind.
    """
    found = Found()
    root = stores.store(setup.rows)
    env = {"LANTERN_STORE": str(root), "LANTERN_WORKERS": str(WORKERS)}
    command = [sys.executable, "-P", "-m", "api", "serve"]
    server = Server("lantern serve", command, PAGE["lantern"], env)
    seconds: list[float] = []
    fresh: list[float] = []
    lines: list[list[str]] = []
    for turn in range(RUNS + 1):  # the first compiles Python's files and does not count
        with serving([server]) as (running, problems):
            found.failed(problems)
            if not running:
                break
            lantern = running[server.name]
            if turn:
                seconds.append(lantern.seconds)
                fresh.append(memory([lantern.pid, *lantern.workers()])[0])
            if turn == RUNS:
                lines.append(_line("after the first page", lantern))
                ask(Target("asked", server.name, never_asked("lantern")), lantern, 2)
                lines.append(_line("after questions never asked before", lantern))
                lines.append(["mapped libraries of", ", ".join(_mapped(lantern.workers())) or "none of them", ""])
    if seconds:
        found.goal("start", ratio(seconds, [1.0] * len(seconds)), server.name)
        found.goal("start-memory", ratio(fresh, [1.0] * len(fresh)), "master and workers, after the first page")
    found.tables.append(("Memory", ("when", "two workers: PSS, heap MiB", "with master: PSS, heap MiB"), lines))
    _imports(found, root)
    return found


def _line(when: str, lantern: Running) -> list[str]:
    sizes = [memory(pids) for pids in (lantern.workers(), [lantern.pid, *lantern.workers()])]
    return [when, *(f"{number(pss)}, {number(heap)}" for pss, heap in sizes)]


def _mapped(pids: list[int]) -> list[str]:
    """Which of the forbidden packages have a library mapped into a worker."""
    text = "".join(Path(f"/proc/{pid}/maps").read_text() for pid in pids)
    return [name for name in FORBIDDEN if re.search(rf"/{name}/", text)]


def _imports(found: Found, root: Path) -> None:
    said = ask_python("imports", root)
    imported = said["imported"]
    note = "; ".join(f"{name} by {path}" for name, path in imported.items())
    found.goal("start-imports", ratio([len(imported)], [1.0]), note)
    bad = {path: status for path, status in said["answers"].items() if status[0] not in "24"}
    found.problems += [f"{path} answers {status}" for path, status in bad.items()]
