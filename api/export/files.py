"""The files of a site: linked where the bytes exist already, written where they do not."""

import hashlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from api.store import manifest
from api.store.manifest import File

PART = ".part"


class Files:
    """The site's folder before it is shown; `old` is the one that it will replace, if there is one."""

    def __init__(self, folder: Path, old: Path | None) -> None:
        self.folder, self.old = folder, old
        self._linked: dict[str, Path] = {}  # by SHA-256
        folder.mkdir(parents=True)

    def link(self, name: str, source: Path, known: File | None = None) -> File:
        """A file of the store under another name; a copy on another file system. `known`: what it is known to hold."""
        size, sha256 = (known.bytes, known.sha256) if known else (source.stat().st_size, manifest.digest(source))
        file, target = File(name, size, sha256), self._target(name)
        try:
            os.link(source, target)
        except OSError:
            if not self._as_before(file):
                shutil.copyfile(source, target)
        self._linked[sha256] = target
        return file

    def write(self, name: str, chunks: Iterable[bytes]) -> File:
        """A file of these bytes; linked where a file of the store or the old folder holds them."""
        part, sha256 = self.folder / PART, hashlib.sha256()
        with part.open("wb") as out:
            for chunk in chunks:
                sha256.update(chunk)
                out.write(chunk)
            file, target = File(name, out.tell(), sha256.hexdigest()), self._target(name)
        if file.bytes and file.sha256 in self._linked:
            os.link(self._linked[file.sha256], target)
        elif not self._as_before(file):
            os.rename(part, target)
        part.unlink(missing_ok=True)
        return file

    def changed(self) -> bool:
        """Whether anything differs from the old folder."""
        return self.old is None or _inodes(self.folder) != _inodes(self.old)

    def _target(self, name: str) -> Path:
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    def _as_before(self, file: File) -> bool:
        """Link the old folder's file, if it holds these bytes: tools that copy the site see that it did not change."""
        if self.old is None or not manifest.holds(self.old / file.path, file):
            return False
        os.link(self.old / file.path, self.folder / file.path)
        return True


def _inodes(folder: Path) -> dict[str, int]:
    return {str(p.relative_to(folder)): p.stat().st_ino for p in folder.rglob("*") if not p.is_dir()}
