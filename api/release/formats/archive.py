"""Zip files whose bytes depend on their content alone: fixed times and modes, one order, one compression."""

import shutil
import zipfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from api.model import dates

LEVEL = 6
BLOCK = 2**20
EARLIEST, LATEST = datetime(1980, 1, 1, tzinfo=UTC), datetime(2107, 12, 31, 23, 59, 58, tzinfo=UTC)
MODE = 0o100644


def write(folder: Path, names: Iterable[str], target: Path, created: str) -> None:
    """Pack files of a folder, sorted by name."""
    with zipfile.ZipFile(target, "w") as archive:
        for name in sorted(set(names)):
            with (folder / name).open("rb") as file:
                _add(archive, name, file, created, (folder / name).stat().st_size)


def repack(source: Path, target: Path, created: str) -> None:
    """The same archive in the same order, without traces of the machine that made it."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as archive:
        for entry in old.infolist():
            with old.open(entry) as file:
                _add(archive, entry.filename, file, created, entry.file_size)


def _add(archive: zipfile.ZipFile, name: str, file: IO[bytes], created: str, size: int) -> None:
    """A zip file has whole seconds from 1980 on, and no zone: UTC. What has no date gets the first of these."""
    made = min(max(dates.moment(created) or EARLIEST, EARLIEST), LATEST)
    entry = zipfile.ZipInfo(name, (made.year, made.month, made.day, made.hour, made.minute, made.second))
    entry.create_system = 3
    entry.external_attr = MODE << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry._compresslevel = LEVEL  # type: ignore[attr-defined]
    entry.file_size = size
    with archive.open(entry, "w") as out:
        shutil.copyfileobj(file, out, BLOCK)
