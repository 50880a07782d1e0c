"""Counts for Prometheus, right across the worker processes. Imported only where LANTERN_METRICS asks for them.

The processes count in files of a folder that all share. Each has a number of its own, which a later process takes when
it has ended, and goes on counting in its files.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Any

from prometheus_client import Counter, Histogram, values

from api.index import sqlite
from api.model.files import SCRATCH
from api.monitoring.answers import Answer
from api.monitoring.log import log

FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # where the library looks for the folder, and a new master for that of the old one
PREFIX = "lantern-metrics-"
ROOM = 1 << 20  # bytes of each file, taken at the start: a process that writes to a full disk through a map is killed
METHODS = frozenset(("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"))
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_number: list[int | None] = [None]  # this process's; None where it does not count
# As the library's README has it for processes with numbers of their own.
values.ValueClass = values.MultiProcessValue(lambda: _number[0])  # type: ignore[no-untyped-call]  # it has no types


def _counter(name: str, help: str, *labels: str) -> Counter:
    return Counter(f"lantern_{name}", help, labels, registry=None)


def _histogram(name: str, help: str, *labels: str) -> Histogram:
    return Histogram(f"lantern_{name}", help, labels, registry=None, buckets=BUCKETS)


REQUESTS = _counter("http_requests", "Answers.", "route", "method", "status", "format")
SECONDS = _histogram("http_request_duration_seconds", "Seconds from a request's head to its answer's end.", "route")
BYTES = _counter("http_response_body_bytes", "Bytes of the bodies of answers.", "route")
CACHE = _counter("cache_requests", "Answers that are kept in memory: given from there, or made.", "result")
PROBLEMS = _counter("problems", "Problem documents.", "type")
QUERIES = _histogram("engine_query_duration_seconds", "Seconds that a query of an index ran.", "engine")


@lru_cache(maxsize=4096)
def _of(route: str, method: str, status: int, format: str, cache: str) -> tuple[Callable[..., Any], ...]:
    """What counts an answer with these labels: its seconds, its bytes, one more, and what the cache did."""
    one = [REQUESTS.labels(route, method, str(status), format).inc, *([CACHE.labels(cache).inc] if cache else [])]
    return SECONDS.labels(route).observe, BYTES.labels(route).inc, *one


def count_answer(answer: Answer) -> None:
    """Count an answer."""
    if _number[0] is None:
        return
    method = answer.environ.get("REQUEST_METHOD", "")
    method = method if method in METHODS else "other" if method else "none"
    seconds, sent, *more = _of(answer.route or "none", method, answer.status, answer.format or "none", answer.cache)
    seconds(answer.seconds)
    sent(answer.sent)
    for one in more:
        one()
    if answer.format == "problem":
        PROBLEMS.labels(answer.environ.get("lantern.problem", "about:blank")).inc()


def make_folder() -> Path:
    """The folder to count in: that of the master before, or a new one. Folders of servers that have ended go."""
    place = Path(tempfile.gettempdir())
    if place.name.startswith(SCRATCH):  # of this command alone; a new master (USR2) goes on with what is counted
        place = place.parent
    for other in place.glob(f"{PREFIX}*"):
        with suppress(OSError):
            os.close(_locked(other, fcntl.LOCK_EX))
            shutil.rmtree(other)
    if "GUNICORN_FD" not in os.environ:
        made = Path(tempfile.mkdtemp(prefix=f".{PREFIX}", dir=place))
        os.set_inheritable(_locked(made, fcntl.LOCK_SH), True)  # until the last of our processes ends, whatever ends it
        os.environ[FOLDER] = str(made.rename(made.with_name(made.name[1:])))
    return Path(os.environ[FOLDER])


def start(folder: Path) -> None:
    """Begin to count in this process, under the first number that no living process has."""
    try:
        folder.mkdir(exist_ok=True)  # what cleans temporary folders may have taken it
        number = next(number for number in count() if _taken(folder / f"{number}.lock"))
        for kind in ("counter", "histogram"):
            file, made = folder / f"{kind}_{number}.db", folder / f"{number}.new"
            if not file.exists():
                made.write_bytes(bytes(ROOM))
                made.rename(file)
    except OSError as error:
        return log.error("this process counts nothing for LANTERN_METRICS: %s", error)
    _number[0] = number
    sqlite.took = lambda engine, seconds: QUERIES.labels(engine).observe(seconds)


def _taken(path: Path) -> bool:
    """Whether a file, which is made where it is not there, is this process's now, until it ends."""
    path.touch()
    with suppress(BlockingIOError):
        return _locked(path, fcntl.LOCK_EX) > 0
    return False


def _locked(path: Path, kind: int) -> int:
    """A lock of a file or folder, held while the descriptor is open. Raises BlockingIOError where others have it."""
    opened = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(opened, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(opened)
        raise
    return opened
