"""The shelf of releases: which there are, which is the latest, which stood on a given day."""

import hashlib
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

from api.descriptor import Package, package

MANIFEST = "manifest.json"
DESCRIPTOR = "datapackage.json"
RECHECK_SECONDS = 1.0
_SEMVER = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?")


class NotInStore(LookupError):
    """No release answers to that version or day."""


@dataclass(frozen=True, eq=False)
class Release:
    """One release on disk. `tag` names its content: two releases with one tag hold the same bytes."""

    folder: Path
    version: str
    published_at: str
    tag: str
    package: Package
    manifest: Mapping[str, Any] = field(repr=False, compare=False)

    @property
    def files(self) -> Mapping[str, Mapping[str, Any]]:
        """What the manifest says of each file, by path."""
        return {entry["path"]: entry for entry in self.manifest["files"]}


def order(version: str) -> tuple[Any, ...]:
    """A key that sorts versions as Semantic Versioning does (https://semver.org, 11); other names come first."""
    found = _SEMVER.fullmatch(version)
    if not found:
        return (0, version)
    before = found[4]
    parts = tuple((0, int(p), "") if p.isdigit() else (1, 0, p) for p in before.split(".")) if before else ()
    return (1, int(found[1]), int(found[2]), int(found[3]), not before, parts)


def open_release(folder: Path) -> Release:
    """Read a release's manifest and descriptor."""
    raw = (folder / MANIFEST).read_bytes()
    manifest = json.loads(raw)
    return _open(folder, raw, manifest["version"])


@lru_cache(maxsize=64)
def _open(folder: Path, raw: bytes, version: str) -> Release:
    manifest = json.loads(raw)
    descriptor = json.loads((folder / DESCRIPTOR).read_bytes())
    tag = hashlib.sha256(raw).hexdigest()[:24]
    return Release(folder, version, manifest["published_at"], tag, package(descriptor), manifest)


class Store:
    """The releases of one folder, read again when the folder changes (looked at once a second at most)."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._seen: tuple[int, ...] = ()
        self._checked = float("-inf")
        self._releases: tuple[Release, ...] = ()
        self.generation = 0

    @property
    def folder(self) -> Path:
        return self.root / "releases"

    def releases(self) -> tuple[Release, ...]:
        """All releases, newest version first."""
        now = time.monotonic()
        if now - self._checked >= RECHECK_SECONDS:
            self._checked = now
            self._look()
        return self._releases

    def _look(self) -> None:
        try:
            seen: tuple[int, ...] = (self.folder.stat().st_mtime_ns,)
        except FileNotFoundError:
            seen = ()
        if seen == self._seen:
            return
        folders = [p for p in self.folder.iterdir() if (p / MANIFEST).is_file()] if seen else []
        found = sorted((open_release(path) for path in folders), key=lambda r: order(r.version), reverse=True)
        self._releases = tuple(found)
        self._seen = seen
        self.generation += 1

    def latest(self) -> Release:
        """The newest release. Raises NotInStore when there is none."""
        for release in self.releases():
            return release
        raise NotInStore("the store holds no release")

    def version(self, version: str) -> Release:
        """The release of a version. Raises NotInStore naming it."""
        for release in self.releases():
            if release.version == version:
                return release
        raise NotInStore(f"there is no release {version}")

    def as_of(self, day: date) -> Release:
        """The newest release published on or before a day (UTC). Raises NotInStore before the first."""
        for release in self.releases():
            if release.published_at[:10] <= day.isoformat():
                return release
        raise NotInStore(f"nothing was published on or before {day.isoformat()}")
