"""The log of `lantern serve`: one form for the lines of every part of it, on stderr.

A line that is about a request names it, its trace and its release. No line holds a control character that came from
outside, and none but the first of an entry begins at the margin.
"""

import json
import logging
import re
import secrets
import threading
import time
from collections.abc import Mapping
from contextvars import ContextVar
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from flask import has_request_context, request

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

log = logging.getLogger("lantern")
# The request that this thread answered last, for errors that are met when Flask is done with it: while it is sent.
answered: "ContextVar[WSGIEnvironment | None]" = ContextVar("answered", default=None)
_CONTROL = re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029]")
_TRACEPARENT = re.compile("([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?").fullmatch


def configure(form: str) -> None:
    """Write what is logged, and warnings, to stderr: `form` is plain or json."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Json() if form == "json" else _Plain())
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    log.setLevel(logging.INFO)
    logging.captureWarnings(True)
    threading.excepthook = lambda failed: log.error("a thread failed", exc_info=failed.exc_value)


def moment(seconds: float) -> str:
    """A time, in seconds since 1970, as all lines have it: UTC, ISO 8601."""
    return f"{_second(int(seconds))}.{int(seconds % 1 * 1000):03}Z"


@lru_cache(maxsize=2)
def _second(whole: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))


def trace_id(environ: "WSGIEnvironment") -> str:
    """The trace that a request belongs to: that of its `traceparent` (W3C Trace Context, 3.2), else a new one."""
    if "lantern.trace_id" not in environ:
        given = environ.get("HTTP_TRACEPARENT")
        parts = _TRACEPARENT(given) if given else None
        environ["lantern.trace_id"] = parts[2] if parts and _valid(*parts.groups()) else secrets.token_hex(16)
    return str(environ["lantern.trace_id"])


def _valid(version: str, trace: str, parent: str, more: str | None) -> bool:
    """Whether a traceparent of the right form names a trace; only versions after 00 may have more parts."""
    return version != "ff" and bool(int(trace, 16)) and bool(int(parent, 16)) and not (version == "00" and more)


def _about() -> Mapping[str, str]:
    """Which request is being answered, if one is."""
    environ = request.environ if has_request_context() else answered.get()
    if environ is None:
        return {}
    ids = {"request_id": environ.get("lantern.request_id", ""), "trace_id": trace_id(environ)}
    return {**ids, "release": environ.get("lantern.release", "")}


class _Plain(logging.Formatter):
    """time level [process] message, and name=value of what the message does not say; tracebacks below, indented."""

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        said = [f"{name}={value}" for name, value in _about().items() if value and value not in message]
        head = " ".join([moment(record.created), record.levelname, f"[{record.process}]", message, *said])
        trace = self.formatException(record.exc_info).splitlines() if record.exc_info else []
        return "\n  ".join(_CONTROL.sub(_escaped, line) for line in [head, *trace])


class _Json(logging.Formatter):
    """One object a line."""

    def format(self, record: logging.LogRecord) -> str:
        said: dict[str, Any] = {"time": moment(record.created), "level": record.levelname, "logger": record.name}
        said |= {"process": record.process, "message": record.getMessage(), **_about()}
        if record.exc_info:
            said["traceback"] = self.formatException(record.exc_info)
        return json.dumps(said)


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
