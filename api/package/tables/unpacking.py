"""Unpacks data: packages out of zip files, tables out of compressed files."""

import bz2
import gzip
import io
import lzma
import stat
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

from api.package import upgrade

LARGEST = 16 * 2**30  # bytes: what a package may unpack to
MOST_ENTRIES = 100_000


class Unsafe(Exception):
    """An archive that must not be unpacked."""


UNREADABLE = (OSError, EOFError, LookupError, RuntimeError, zipfile.BadZipFile, lzma.LZMAError, zlib.error, Unsafe)


def extract(archive: Path, target: Path) -> None:
    """Unpacks a zip; zipfile reads no more of an entry than its declared size, so declared sizes can be trusted."""
    with zipfile.ZipFile(archive) as zipped:
        entries = zipped.infolist()
        size = sum(entry.file_size for entry in entries)
        if size > LARGEST or len(entries) > MOST_ENTRIES:
            raise Unsafe(f"the archive unpacks to {size} bytes in {len(entries)} files")
        for entry in entries:
            parts = PurePosixPath(entry.filename.replace("\\", "/")).parts
            if ".." in parts or entry.filename.startswith(("/", "\\")) or ":" in parts[0]:
                raise Unsafe(f'the entry "{entry.filename}" escapes the archive')
            if stat.S_ISLNK(entry.external_attr >> 16):
                raise Unsafe(f'the entry "{entry.filename}" is a link')
        zipped.extractall(target)


@contextmanager
def stream(path: Path, resource: Mapping[str, Any]) -> Iterator[IO[bytes]]:
    """The bytes of a file of a resource, unpacked; `resource` has the file's own path. Raises Unsafe beyond LARGEST."""
    compression = upgrade.compression_of(resource)
    with _opened(path, compression, resource.get("innerpath")) as raw:
        yield io.BufferedReader(_Limited(raw, path.name)) if compression else raw


class _Limited(io.RawIOBase):
    """What is read from a packed file, up to LARGEST bytes."""

    def __init__(self, packed: IO[bytes], name: str) -> None:
        self.packed, self.name, self.left = packed, name, LARGEST

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        some = self.packed.read(len(buffer))
        self.left -= len(some)
        if self.left < 0:
            raise Unsafe(f"{self.name} unpacks to more than {LARGEST} bytes")
        buffer[: len(some)] = some
        return len(some)


@contextmanager
def _opened(path: Path, compression: str, innerpath: str | None) -> Iterator[IO[bytes]]:
    if compression == "zip":
        with zipfile.ZipFile(path) as archive, archive.open(innerpath or _only(archive, path.name)) as stream:
            yield stream
        return
    openers: Mapping[str, Any] = {"": Path.open, "gz": gzip.open, "bz2": bz2.open, "xz": lzma.open}
    with openers[compression](path, "rb") as stream:
        yield stream


def _only(archive: zipfile.ZipFile, name: str) -> str:
    """The one file that a zip holds, but for folders and what a Mac adds. Raises Unsafe where there are several."""
    entries = [
        entry
        for entry in archive.namelist()
        if not entry.endswith("/") and not entry.startswith("__MACOSX/") and PurePosixPath(entry).name[0] != "."
    ]
    tables = [entry for entry in entries if PurePosixPath(entry).suffix.lower() in (".csv", ".tsv")] or entries
    if len(tables) != 1:
        raise Unsafe(f"{name} holds {len(tables)} files: innerpath says which of them is the table")
    return tables[0]
