"""One file from another server, whole and verified, with what an earlier try left over."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import urllib3

from api.mirror.source import Again, MirrorError, Missing, Source
from api.store import manifest
from api.store.manifest import File

Tick = Callable[[int], None]
# A server may need a moment to see the release that its signature speaks of already: it looks once a second.
MOMENTS = (0.4, 0.8, 0.8)
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


def transfer(source: Source, path: str, file: File, part: Path, tick: Tick) -> None:
    """Fetch a file into `part`, going on where it ends; its bytes are the promised ones when this returns.

    `tick` is told of bytes as they come in, and of a negative number when they turn out to be useless. Raises Missing,
    or MirrorError that says what the server does wrong.
    """
    part.touch()
    begun = min(part.stat().st_size, file.bytes)
    tick(begun)
    while True:
        source.tries(lambda: _go_on(source, path, file, part, tick), lambda: part.stat().st_size)
        if manifest.digest(part) == file.sha256:
            _note(part).unlink(missing_ok=True)
            return
        _clear(part, tick)
        if not begun:
            raise MirrorError(f"{path}: altered: its sha256 is not the signed {file.sha256}")
        begun = 0  # the part may have been spoilt: once more, from the first byte


def _go_on(source: Source, path: str, file: File, part: Path, tick: Tick) -> None:
    """One request for what is missing."""
    start = part.stat().st_size
    if start > file.bytes:
        _clear(part, tick)
        start = 0
    if start == file.bytes:
        return
    headers = {"Range": f"bytes={start}-"} if start else {}
    if start and _note(part).exists():
        headers["If-Range"] = _note(part).read_text()
    with _asked(source, path, headers) as response:
        start = _position(response, path, file, start)
        if start == 0:
            _clear(part, tick)
            _remember(part, response)
        with part.open("ab") as out:
            for block in source.blocks(response, path, file.bytes - start):
                out.write(block)
                tick(len(block))
    there = part.stat().st_size
    if there < file.bytes:
        raise Again(f"{path}: broke off after {there} of {file.bytes} bytes")


@contextmanager
def _asked(source: Source, path: str, headers: dict[str, str]) -> Iterator[urllib3.BaseHTTPResponse]:
    """The answer of a server that may not have the file yet."""
    with ExitStack() as stack:
        for moment in MOMENTS:
            try:
                response = stack.enter_context(source.ask(path, headers))
                break
            except Missing:
                source.stop.wait(moment)
        else:
            response = stack.enter_context(source.ask(path, headers))
        yield response


def _position(response: urllib3.BaseHTTPResponse, path: str, file: File, start: int) -> int:
    """Where in the file the body begins. Raises Again for lengths that contradict the signed one."""
    if response.status == 416:
        raise MirrorError(f"{path}: is shorter than the signed {file.bytes} bytes")
    if response.status == 206:
        found = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if not found or int(found[1]) != start or int(found[3]) != file.bytes:
            said = response.headers.get("Content-Range", "none")
            raise MirrorError(f"{path}: answers with the wrong part of the file (Content-Range {said!r})")
    else:
        start = 0
    declared = response.headers.get("Content-Length")
    if declared is not None and declared != str(file.bytes - start):
        raise Again(f"{path}: declares {declared} bytes, but {file.bytes - start} are signed")
    return start


def _clear(part: Path, tick: Tick) -> None:
    tick(-part.stat().st_size)
    part.write_bytes(b"")


def _note(part: Path) -> Path:
    """Where the entity tag stands that a part belongs to."""
    return part.with_suffix(".tag")


def _remember(part: Path, response: urllib3.BaseHTTPResponse) -> None:
    tag = response.headers.get("ETag", "")
    if tag.startswith('"') and tag.isascii() and tag.isprintable():  # a weak tag must not stand in If-Range
        _note(part).write_text(tag)
    else:
        _note(part).unlink(missing_ok=True)
