"""Unpacks data: packages out of zip files, tables out of compressed files. Neither may fill the disk."""

import bz2
import gzip
import io
import lzma
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

from api import settings
from api.package import upgrade

# Data shrink to a tenth or a fiftieth; what shrinks to less is made to fill the disk, and up to SMALL it does not.
MOST_TIMES = 200
SMALL = 16 * 2**20
SPARE = 2**20  # bytes that are left free on the disk
TEXT = (".csv", ".tsv")
SHOWN = 10  # names of files


class Unsafe(Exception):
    """An archive that cannot or must not be unpacked; `expected` says what could, where it is too large."""

    def __init__(self, message: str, expected: str | None = None) -> None:
        super().__init__(message)
        self.expected = expected


UNREADABLE = (OSError, EOFError, LookupError, RuntimeError, zipfile.BadZipFile, lzma.LZMAError, zlib.error, Unsafe)


def extract(archive: Path, target: Path) -> None:
    """Unpacks a zip; zipfile reads no more of an entry than its declared size, so declared sizes can be trusted."""
    with zipfile.ZipFile(archive) as zipped:
        entries = zipped.infolist()
        files = settings.load()["MAX_FILES"]
        if len(entries) > files:
            raise Unsafe(f"it holds {len(entries):,} files", settings.at_most("MAX_FILES", files, "files"))
        size, (allowed, expected) = sum(entry.file_size for entry in entries), most(archive.stat().st_size)
        if size > allowed:
            raise Unsafe(f"it unpacks to {size:,} bytes", expected)
        refuse_full(size, target.parent)
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


def largest(setting: str = "MAX_UNPACKED_MB") -> tuple[int, str]:
    """How many bytes something may unpack to, and what is expected of what is larger."""
    size = settings.load()[setting] * 2**20
    return size, settings.at_most(setting, size, "bytes")


def most(packed: int, setting: str = "MAX_UNPACKED_MB") -> tuple[int, str]:
    """How many bytes a packed file of so many bytes may unpack to, and what is expected of one that is larger."""
    size = max(SMALL, MOST_TIMES * packed)
    own = f"at most {size:,} bytes ({SMALL:,}, or {MOST_TIMES} times its size): unpack it yourself if it is right"
    return min(largest(setting), (size, own))


def refuse_full(size: int, folder: Path) -> None:
    """Raises Unsafe where a disk has no room for so many bytes more."""
    free = shutil.disk_usage(folder).free
    if size + SPARE > free:
        raise Unsafe(f"{size:,} bytes more are needed, {free:,} are free in {folder}", "room, or another TMPDIR")


class Bounded(io.FileIO):
    """A file for a table, which few bytes of a spreadsheet or of JSON may stand for; raises Unsafe when it is full."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "w")
        self.folder, self.size, (self.most, self.expected) = path.parent, 0, largest()

    def write(self, data: Any) -> int:
        self.size += len(data)
        if self.size > self.most:
            raise Unsafe(f"it has {self.size:,} bytes of CSV or more", self.expected)
        refuse_full(len(data), self.folder)
        return super().write(data)


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
            yield io.BufferedReader(_Limited(packed, path.name, *most(path.stat().st_size)))
    except EOFError:
        raise Unsafe(f"{path.name} is cut off: it ends in the middle of its data") from None
    except (zipfile.BadZipFile, gzip.BadGzipFile, lzma.LZMAError, zlib.error) as error:
        raise Unsafe(f"{path.name} is damaged, or no {compression} file: {error}") from None


class _Limited(io.RawIOBase):
    """What is read from a packed file, up to a number of bytes."""

    def __init__(self, packed: IO[bytes], name: str, most: int, expected: str) -> None:
        self.packed, self.name, self.most, self.expected, self.left = packed, name, most, expected, most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        some = self.packed.read(len(buffer))
        self.left -= len(some)
        if self.left < 0:
            raise Unsafe(f"{self.name} unpacks to more than {self.most:,} bytes", self.expected)
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
