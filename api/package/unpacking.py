"""Unpacks data: packages out of zip files, tables out of compressed or several files."""

import bz2
import codecs
import gzip
import lzma
import stat
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

from api.package import upgrade
from api.package.reading import Part, Ready, paths

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


def ready(resource: Mapping[str, Any], folder: Path, target: Path) -> Ready:
    """A table's data as one unpacked file at `target`: a link, where the data is already such a file."""
    own = paths(resource)
    if len(own) == 1 and not upgrade.compression_of(resource):
        target.symlink_to((folder / own[0]).resolve())
        return Ready(target)
    return Ready(target, _join(resource, folder, target))


def _join(resource: Mapping[str, Any], folder: Path, target: Path) -> tuple[Part, ...]:
    """Writes several files as one; a later file may repeat the header or not: v1 and v2 leave that open."""
    parts: list[Part] = []
    header: bytes | None = None
    line, size = 1, 0
    with target.open("wb") as out:
        for path in paths(resource):
            compression = upgrade.compression_of({**resource, "path": path})
            with _byte_stream(folder / path, compression, resource.get("innerpath")) as stream:
                for number, text in enumerate(stream):
                    if number == 0:
                        unmarked = text.removeprefix(codecs.BOM_UTF8)
                        repeated = unmarked.rstrip(b"\r\n") == header
                        parts.append(Part(path, line, int(repeated)))
                        if repeated:
                            continue
                        text, header = (text, unmarked.rstrip(b"\r\n")) if header is None else (unmarked, header)
                    size += out.write(text if text.endswith((b"\n", b"\r")) else text + b"\n")
                    line += 1
                    if size > LARGEST:
                        raise Unsafe(f"{path} unpacks to more than {LARGEST} bytes")
    return tuple(parts)


@contextmanager
def _byte_stream(path: Path, compression: str, innerpath: str | None) -> Iterator[IO[bytes]]:
    if compression == "zip":
        with zipfile.ZipFile(path) as archive, archive.open(innerpath or archive.namelist()[0]) as stream:
            yield stream
        return
    openers: Mapping[str, Any] = {"": Path.open, "gz": gzip.open, "bz2": bz2.open, "xz": lzma.open}
    with openers[compression](path, "rb") as stream:
        yield stream
