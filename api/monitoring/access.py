"""The access log: one line for each answer, on stdout."""

import json
import os
import re
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from api.monitoring.answers import Answer
from api.monitoring.log import moment, trace_id

_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))
_HOST = re.compile("[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*").match


def writer(form: str, addresses: bool) -> Callable[[Answer], None]:
    """What writes the line of an answer, as json or in the common log format; with its reader's address if told to."""
    line = _json if form == "json" else _common
    return lambda answer: write(line(answer, _address(answer) if addresses else ""))


def write(line: str) -> None:
    """Write a line by one call, so that the lines of several processes do not mix; where nobody reads, it is lost."""
    with suppress(OSError):
        os.write(1, f"{line}\n".encode())


def _json(answer: Answer, address: str) -> str:
    environ = answer.environ
    said: dict[str, Any] = {
        "time": moment(answer.began),
        "request_id": environ.get("lantern.request_id", ""),
        "trace_id": trace_id(environ),
        "method": _plain(environ.get("REQUEST_METHOD", "")),
        "target": _target(answer),
        "route": answer.route,
        "status": answer.status,
        "format": answer.format,
        "bytes": answer.sent,
        "duration_ms": round(answer.seconds * 1000, 3),
        "cache": answer.cache or "-",
        "release": answer.release,
    }
    return json.dumps({**said, "address": address} if address else said)


def _common(answer: Answer, address: str) -> str:
    """host ident user [time] "request" status bytes: https://httpd.apache.org/docs/2.4/logs.html#common"""
    environ = answer.environ
    words = (environ.get("REQUEST_METHOD", ""), _target(answer), environ.get("SERVER_PROTOCOL", ""))
    request = " ".join(filter(None, map(_plain, words))).replace("\\", "%5C").replace('"', "%22")
    at = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(answer.began))
    return f'{address or "-"} - - [{at}] "{request or "-"}" {answer.status} {answer.sent or "-"}'


def _target(answer: Answer) -> str:
    """Path and query, without a host, before which a name and a password might stand."""
    target = answer.environ.get("RAW_URI", "")
    host = None if target.startswith("/") else _HOST(target)
    return _plain(target[host.end() :] or "/" if host else target)


def _plain(text: str) -> str:
    """Text as one word of printable ASCII."""
    if text.isascii() and text.isprintable() and " " not in text:
        return text
    return quote(text, safe=_PRINTABLE, encoding="latin-1", errors="replace")


def _address(answer: Answer) -> str:
    return _plain(answer.environ.get("REMOTE_ADDR", ""))
