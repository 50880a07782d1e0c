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
# Data shrink to a tenth or a fiftieth; what shrinks to less is made to fill the disk, and up to SMALL it does not.
MOST_TIMES = 200
SMALL = 16 * 2**20
TEXT = (".csv", ".tsv")
MOST_ENTRIES = 100_000
SHOWN = 10  # names of files


class Unsafe(Exception):
    """An archive that cannot or must not be unpacked."""


UNREADABLE = (OSError, EOFError, LookupError, RuntimeError, zipfile.BadZipFile, lzma.LZMAError, zlib.error, Unsafe)


def extract(archive: Path, target: Path) -> None:
    """Unpacks a zip; zipfile reads no more of an entry than its declared size, so declared sizes can be trusted."""
    with zipfile.ZipFile(archive) as zipped:
        entries = zipped.infolist()
        size = sum(entry.file_size for entry in entries)
        if size > most(archive) or len(entries) > MOST_ENTRIES:
            limits = f"at most {most(archive)} bytes in {MOST_ENTRIES} files are read"
            raise Unsafe(f"the archive unpacks to {size} bytes in {len(entries)} files: {limits}")
        seen: set[tuple[str, ...]] = set()
        for entry in entries:
            parts = PurePosixPath(entry.filename.replace("\\", "/")).parts
            if ".." in parts or entry.filename.startswith(("/", "\\")) or ":" in "".join(parts[:1]):
                raise Unsafe(f'the entry "{entry.filename}" escapes the archive')
            if stat.S_ISLNK(entry.external_attr >> 16):
                raise Unsafe(f'the entry "{entry.filename}" is a link')
            if parts in seen and not entry.is_dir():
                raise Unsafe(f'the entry "{entry.filename}" is there twice')
            seen.add(parts)
        zipped.extractall(target)


def most(packed: Path) -> int:
    """How many bytes a packed file may unpack to."""
    return min(LARGEST, max(SMALL, MOST_TIMES * packed.stat().st_size))


@contextmanager
def stream(path: Path, resource: Mapping[str, Any]) -> Iterator[IO[bytes]]:
    """The bytes of a file of a resource, unpacked; `resource` has the file's own path.

    Raises Unsafe where it is damaged, cannot be unpacked, or unpacks to more than `most` says.
    """
    compression = upgrade.compression_of(resource)
    if not compression:
        with path.open("rb") as raw:
            yield raw
        return
    try:
        with _opened(path, compression, resource) as packed:
            yield io.BufferedReader(_Limited(packed, path.name, most(path)))
    except EOFError:
        raise Unsafe(f"{path.name} is cut off: it ends in the middle of its data") from None
    except (zipfile.BadZipFile, gzip.BadGzipFile, lzma.LZMAError, zlib.error) as error:
        raise Unsafe(f"{path.name} is damaged, or no {compression} file: {error}") from None


class _Limited(io.RawIOBase):
    """What is read from a packed file, up to a number of bytes."""

    def __init__(self, packed: IO[bytes], name: str, most: int) -> None:
        self.packed, self.name, self.most, self.left = packed, name, most, most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        some = self.packed.read(len(buffer))
        self.left -= len(some)
        if self.left < 0:
            times = f", {MOST_TIMES} times its size" if self.most < LARGEST else ""
            raise Unsafe(
                f"{self.name} unpacks to more than {self.most} bytes{times}: unpack it yourself if it is right"
            )
        buffer[: len(some)] = some
        return len(some)


@contextmanager
def _opened(path: Path, compression: str, resource: Mapping[str, Any]) -> Iterator[IO[bytes]]:
    if compression == "zip":
        with zipfile.ZipFile(path) as archive, archive.open(_entry(archive, path.name, resource)) as stream:
            yield stream
        return
    openers: Mapping[str, Any] = {"gz": gzip.open, "bz2": bz2.open, "xz": lzma.open}
    if compression not in openers:
        raise Unsafe(f'the compression "{compression}" cannot be unpacked: {", ".join(openers)} and zip can')
    with openers[compression](path, "rb") as stream:
        yield stream


def _entry(archive: zipfile.ZipFile, name: str, resource: Mapping[str, Any]) -> zipfile.ZipInfo:
    """The file in a zip that innerpath names, or the only one but for folders and what a Mac adds."""
    files = [
        entry
        for entry in archive.infolist()
        if not entry.is_dir() and not entry.filename.startswith("__MACOSX/")
        if not PurePosixPath(entry.filename).name.startswith(".")
    ]
    names = ", ".join(entry.filename for entry in files[:SHOWN]) + (", …" if len(files) > SHOWN else "")
    inner, own = resource.get("innerpath"), (f".{upgrade.format_of(resource)}",)
    if inner is not None:
        fitting = [entry for entry in archive.infolist() if entry.filename == inner and not entry.is_dir()]
        if not fitting:
            raise Unsafe(f'{name} holds no file "{inner}", which innerpath names; it holds {names or "none"}')
    else:
        by_suffix = ([e for e in files if PurePosixPath(e.filename).suffix.lower() in some] for some in (own, TEXT))
        fitting = next(filter(None, by_suffix), files)
    if len(fitting) != 1:
        which = "innerpath says which of them is the table" if fitting else "one is needed"
        raise Unsafe(f"{name} holds {len(fitting)} files{f' ({names})' if names else ''}: {which}")
    if fitting[0].flag_bits & 1:
        raise Unsafe(f"{name} is encrypted: a table needs a zip without a password")
    return fitting[0]
