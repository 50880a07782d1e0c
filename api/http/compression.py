"""Content encodings: bodies compressed at once or a piece at a time."""

import os
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any

import brotli
import zstandard

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


def compressed(body: bytes, encoding: str) -> bytes:
    """A body, compressed at once."""
    packer = ENCODINGS[encoding](len(body))
    return bytes(packer.compress(body) + packer.flush())


def spooled(pieces: Iterable[bytes]) -> IO[bytes]:
    """Pieces in a temporary file, open at its start."""
    spool: IO[bytes] = tempfile.TemporaryFile()
    for piece in pieces:
        spool.write(piece)
    spool.seek(0)
    return spool


def compressed_pieces(file: IO[bytes], encoding: str) -> Iterator[bytes]:
    """An open file, compressed piece by piece."""
    packer = ENCODINGS[encoding](size_of(file))
    while piece := file.read(PIECE):
        yield packer.compress(piece)
    yield packer.flush()


def size_of(file: IO[bytes]) -> int:
    """How many bytes an open file has."""
    return os.fstat(file.fileno()).st_size
