"""The files of a site: linked where the bytes exist already, written where they do not."""

import hashlib
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from api.export.addresses import Address
from api.store import manifest
from api.store.manifest import File

PART = ".part"


@dataclass(frozen=True)
class SiteFile:
    """An address with its file, as the list of addresses has it."""

    address: str
    file: str
    media_type: str
    bytes: int
    sha256: str


class Files:
    """The site's folder before it is shown; `old` is the one that it will replace, if there is one."""

    def __init__(self, folder: Path, old: Path | None) -> None:
        self.folder, self.old = folder, old
        folder.mkdir(parents=True)

    def link(self, address: Address, source: Path, known: File | None = None) -> SiteFile:
        """A file of the store under another name; a copy on another file system."""
        size, sha256 = (known.bytes, known.sha256) if known else (source.stat().st_size, manifest.digest(source))
        target = self._target(address.file)
        try:
            os.link(source, target)
        except OSError:
            if not self._as_before(address.file, size, sha256):
                shutil.copyfile(source, target)
        return SiteFile(address.path, address.file, address.media_type, size, sha256)

    def write(self, address: Address, chunks: Iterable[bytes], same: Mapping[str, Path]) -> SiteFile:
        """A response; linked where a file of `same` (by SHA-256) or the old one holds these bytes."""
        part, sha256 = self.folder / PART, hashlib.sha256()
        with part.open("wb") as out:
            for chunk in chunks:
                sha256.update(chunk)
                out.write(chunk)
            size = out.tell()
        digest, target = sha256.hexdigest(), self._target(address.file)
        if size and digest in same:
            os.link(same[digest], target)
        elif not self._as_before(address.file, size, digest):
            os.rename(part, target)
        part.unlink(missing_ok=True)
        return SiteFile(address.path, address.file, address.media_type, size, digest)

    def put(self, name: str, data: bytes) -> None:
        """A file of the site's own, which has no address."""
        self.write(Address("", name, ""), [data], {})

    def changed(self) -> bool:
        """Whether anything differs from the old folder."""
        return self.old is None or _inodes(self.folder) != _inodes(self.old)

    def _target(self, file: str) -> Path:
        target = self.folder / file
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    def _as_before(self, file: str, size: int, sha256: str) -> bool:
        """Link the old folder's file, if it holds these bytes: tools that copy the site see that it did not change."""
        if self.old is None or not manifest.holds(self.old / file, File(file, size, sha256)):
            return False
        os.link(self.old / file, self.folder / file)
        return True


def _inodes(folder: Path) -> dict[str, int]:
    return {str(p.relative_to(folder)): p.stat().st_ino for p in folder.rglob("*") if not p.is_dir()}
