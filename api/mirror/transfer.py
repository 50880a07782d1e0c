"""One file from another server, whole and verified, resumed from what an earlier try left."""

import re
from collections.abc import Callable
from pathlib import Path

import urllib3

from api.mirror.upstream import Again, MirrorError, Missing, Upstream
from api.store import manifest
from api.store.manifest import File

Tick = Callable[[int], None]
# A server may need a moment to see the release that its signature names already: it looks once a second.
MOMENTS = (0.4, 0.8, 0.8)
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


def transfer(upstream: Upstream, path: str, file: File, part: Path, tick: Tick) -> None:
    """Fetch a file into `part`, from where it ends; its bytes are the promised ones when this returns.

    `tick` is called with the count of bytes as they come in, and with a negative one when they turn out to be useless.
    Raises Missing, or MirrorError that says what the server does wrong.
    """
    part.touch()
    resumed = min(part.stat().st_size, file.bytes)
    tick(resumed)
    moments = iter(MOMENTS)
    while True:
        try:
            upstream.tries(lambda: _go_on(upstream, path, file, part, tick), lambda: part.stat().st_size)
        except Missing:
            moment = next(moments, None)
            if moment is None:
                raise
            upstream.stop.wait(moment)
            continue
        if manifest.digest(part) == file.sha256:
            return
        _clear(part, tick)
        if not resumed:
            raise MirrorError(f"{path}: altered: its sha256 is not the signed {file.sha256}")
        resumed = 0  # the part may have been damaged: once more, from the first byte


def _go_on(upstream: Upstream, path: str, file: File, part: Path, tick: Tick) -> None:
    """One request for what is missing."""
    start = part.stat().st_size
    if start > file.bytes:
        _clear(part, tick)
        start = 0
    if start == file.bytes:
        return
    with upstream.get(path, {"Range": f"bytes={start}-"} if start else {}) as response:
        start = _position(response, path, file, start)
        if start == 0:
            _clear(part, tick)
        with part.open("ab") as out:
            for block in upstream.blocks(response, path, file.bytes - start):
                out.write(block)
                tick(len(block))
    size = part.stat().st_size
    if size < file.bytes:
        raise Again(f"{path}: broke off after {size} of {file.bytes} bytes")


def _position(response: urllib3.BaseHTTPResponse, path: str, file: File, start: int) -> int:
    """Where in the file the body begins. Raises Again for lengths that contradict the signed one."""
    if response.status == 416:
        raise MirrorError(f"{path}: is shorter than the signed {file.bytes} bytes")
    if response.status == 206:
        text = response.headers.get("Content-Range", "none")
        part = _RANGE.fullmatch(text)
        if not part or int(part[1]) != start or int(part[3]) != file.bytes:
            raise MirrorError(f"{path}: responds with the wrong part of the file (Content-Range {text!r})")
    else:
        start = 0
    declared = response.headers.get("Content-Length")
    if declared is not None and declared != str(file.bytes - start):
        raise Again(f"{path}: declares {declared} bytes, but {file.bytes - start} are signed")
    return start


def _clear(part: Path, tick: Tick) -> None:
    tick(-part.stat().st_size)
    part.write_bytes(b"")
