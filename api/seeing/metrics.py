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

from prometheus_client import Counter, Histogram, values

from api.index import sqlite
from api.seeing.answers import Answer
from api.seeing.log import log

FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # where the library looks for the folder, and a new master for that of the old one
PREFIX = "lantern-metrics-"
ROOM = 1 << 20  # bytes of each file, taken at the start: a process that writes to a full disk through a map is killed
METHODS = frozenset(("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"))
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

_number: list[int | None] = [None]  # this process's; None where it does not count
# As the library's README has it for processes with numbers of their own.
values.ValueClass = values.MultiProcessValue(lambda: _number[0])  # type: ignore[no-untyped-call]  # it has no types

REQUESTS = Counter(
    "lantern_http_requests",
    "Requests answered, by rule of the address, method, status and format of the answer.",
    ["route", "method", "status", "format"],
    registry=None,
)
SECONDS_TAKEN = Histogram(
    "lantern_http_request_duration_seconds",
    "Seconds from the head of a request until the last byte of its answer was handed to the system.",
    ["route"],
    buckets=BUCKETS,
    registry=None,
)
BYTES = Counter("lantern_http_response_body_bytes", "Bytes of the bodies of answers.", ["route"], registry=None)
CACHE = Counter(
    "lantern_cache_requests",
    "Answers that are kept in memory: hit, given from there; miss, made for it.",
    ["result"],
    registry=None,
)
PROBLEMS = Counter("lantern_problems", "Problem documents sent, by the name of their type.", ["type"], registry=None)
ENGINE = Histogram(
    "lantern_engine_query_duration_seconds",
    "Seconds that an engine ran a query of an index.",
    ["engine"],
    buckets=BUCKETS,
    registry=None,
)


# Counting


@lru_cache(maxsize=4096)
def _of(route: str, method: str, status: int, format: str, cache: str) -> tuple[Callable[..., None], ...]:
    """What counts an answer with these labels: one more, its seconds, its bytes, and what the cache did."""
    one = [REQUESTS.labels(route, method, str(status), format).inc, *([CACHE.labels(cache).inc] if cache else [])]
    return SECONDS_TAKEN.labels(route).observe, BYTES.labels(route).inc, *one


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


def _count_query(engine: str, seconds: float) -> None:
    if _number[0] is not None:
        ENGINE.labels(engine).observe(seconds)


# The folder


def make_folder() -> Path:
    """The folder to count in: that of the master before, or a new one. Folders of servers that have ended go."""
    for other in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):
            held = _locked(other, fcntl.LOCK_EX)
            if held is not None:
                os.close(held)
                shutil.rmtree(other)
    if "GUNICORN_FD" not in os.environ:
        made = Path(tempfile.mkdtemp(prefix=f".{PREFIX}"))
        held = _locked(made, fcntl.LOCK_SH)
        assert held is not None
        os.set_inheritable(held, True)  # until the last of our processes ends, whatever ends it
        os.environ[FOLDER] = str(made.rename(made.with_name(made.name[1:])))
    return Path(os.environ[FOLDER])


def start(folder: Path) -> None:
    """Begin to count in this process, under the first number that no living process has."""
    try:
        folder.mkdir(exist_ok=True)  # what cleans temporary folders may have taken it
        number = next(number for number in count() if _locked(folder / f"{number}.lock", fcntl.LOCK_EX) is not None)
        for kind in ("counter", "histogram"):
            file, made = folder / f"{kind}_{number}.db", folder / f"{number}.new"
            if not file.exists():
                with made.open("wb") as opened:
                    os.posix_fallocate(opened.fileno(), 0, ROOM)
                made.rename(file)
    except OSError as error:
        return log.error("this process counts nothing for LANTERN_METRICS: %s", error)
    _number[0] = number
    sqlite.took = _count_query


def end(folder: Path) -> None:
    """Remove the folder, when nobody counts in it any more."""
    shutil.rmtree(folder, ignore_errors=True)


def _locked(path: Path, kind: int) -> int | None:
    """A lock of a file (made where it is not there) or folder, held while the descriptor is open; None: others have it.

    No process of this one's own inherits it unless it is told to.
    """
    opened = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(opened, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(opened)
        return None
    return opened
