"""Bodies by the piece: compressed, kept in files."""

import os
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from io import IOBase
from typing import IO, Any, TypeGuard

import brotli
import zstandard

from api.index.bounds import seconds_left

COMPRESSED_FROM = 1024  # bytes
PIECE = 1 << 20


class _Brotli:
    """A brotli.Compressor with the methods of the other two."""

    def __init__(self) -> None:
        compressor = brotli.Compressor(quality=4)
        self.compress, self.flush = compressor.process, compressor.finish


# Each makes an object with compress(bytes) and flush(), for so many bytes in all. gzip's header has no time in it.
ENCODINGS: dict[str, Callable[[int], Any]] = {
    "zstd": lambda size: zstandard.ZstdCompressor(level=3).compressobj(size=size),
    "br": lambda _: _Brotli(),
    "gzip": lambda _: zlib.compressobj(6, zlib.DEFLATED, 31),
}


def compressed(pieces: Iterable[bytes], size: int, encoding: str) -> Iterator[bytes]:
    """Pieces of so many bytes in all, compressed. Raises TooSlow where that is not done in time."""
    packer = ENCODINGS[encoding](size)
    yield from map(packer.compress, _in_time(pieces))
    yield packer.flush()


def _in_time(pieces: Iterable[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        seconds_left()
        yield piece


def is_file(content: object) -> TypeGuard[IO[bytes]]:
    return isinstance(content, IOBase)


def pieces_of(content: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces of a body; an open file is closed after the last."""
    if is_file(content):
        with content:
            yield from iter(lambda: content.read(PIECE), b"")
    else:
        yield from content


def spooled(content: Iterable[bytes]) -> IO[bytes]:
    """A body in a temporary file, open at its start; an open file as it is. Raises TooSlow as above."""
    if is_file(content):
        return content
    spool: IO[bytes] = tempfile.TemporaryFile()
    try:
        spool.writelines(_in_time(content))
    except BaseException:
        spool.close()
        raise
    spool.seek(0)
    return spool


def size_of(file: IO[bytes]) -> int:
    """How many bytes an open file has."""
    return os.fstat(file.fileno()).st_size
