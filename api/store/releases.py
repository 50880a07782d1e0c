"""The shelf of releases: which there are, which is the latest, which was current on a given day.

A withdrawn release (api.store.release_index lists them with the reasons) is never the latest and answers to no day; a
request that names its version still gets it, since what was written with its figures must stay checkable.
"""

import hashlib
import json
import logging
import re
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

from api.model.descriptor import Package, package
from api.model.errors import LanternError
from api.model.files import DESCRIPTOR, MANIFEST, MIRROR, RELEASE_INDEX, RELEASES, WITHDRAWN
from api.store import release_index
from api.store.manifest import LAYOUT

log = logging.getLogger("lantern")

RECHECK_SECONDS = 1.0
_SEMVER = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?")


class NotInStore(LanternError):
    """No release answers to that version or day."""


@dataclass(frozen=True, eq=False)
class Release:
    """One release on disk. `tag` names its data, whatever program built it; `build` names every byte of it.

    `withdrawn` is the reason why the release must no longer be used, if there is one.
    """

    folder: Path
    version: str
    published_at: str
    tag: str
    build: str
    package: Package
    manifest: Mapping[str, Any] = field(repr=False, compare=False)
    withdrawn: str | None = None

    @property
    def index(self) -> Path:
        return self.folder.parent.parent / "index" / self.folder.name

    @property
    def files(self) -> Mapping[str, Mapping[str, Any]]:
        """The manifest's entry of each file, by path."""
        return {entry["path"]: entry for entry in self.manifest["files"]}


def order(version: str) -> tuple[Any, ...]:
    """A key that sorts versions as Semantic Versioning does (https://semver.org, 11); other names come first."""
    match = _SEMVER.fullmatch(version)
    if not match:
        return (0, version)
    before = match[4]
    parts = tuple((0, int(p), "") if p.isdigit() else (1, 0, p) for p in before.split(".")) if before else ()
    return (1, int(match[1]), int(match[2]), int(match[3]), not before, parts)


def open_release(folder: Path, withdrawn: str | None = None) -> Release:
    """Read a release's manifest and descriptor."""
    return _open(folder, (folder / MANIFEST).read_bytes(), withdrawn)


@lru_cache(maxsize=64)
def _open(folder: Path, raw: bytes, withdrawn: str | None) -> Release:
    manifest = json.loads(raw)
    described = (folder / DESCRIPTOR).read_bytes()
    reason = (withdrawn or "").encode()
    tag, build = (hashlib.sha256(part + reason).hexdigest()[:24] for part in (described, raw))
    model = package(json.loads(described))
    return Release(folder, manifest["version"], manifest["published_at"], tag, build, model, manifest, withdrawn)


def _stamp(path: Path) -> tuple[int, ...]:
    """What changes when a folder's names or a file's bytes do."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return ()
    return (stat.st_mtime_ns, stat.st_ino, stat.st_nlink)


class Store:
    """The releases of one folder, read again when the folder changes (checked once a second at most)."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._seen: tuple[tuple[int, ...], ...] = ()
        self._checked = float("-inf")
        self._releases: tuple[Release, ...] = ()
        self._looking = threading.Lock()
        self.generation = 0

    def releases(self) -> tuple[Release, ...]:
        """All releases, newest version first."""
        if self._due() and self._looking.acquire(blocking=not self.generation):  # all wait for the very first look
            try:
                if self._due():
                    self._look()
                    self._checked = time.monotonic()
            finally:
                self._looking.release()
        return self._releases

    def _due(self) -> bool:
        return time.monotonic() - self._checked >= RECHECK_SECONDS

    def _look(self) -> None:
        seen = tuple(_stamp(self.root / name) for name in (RELEASES, WITHDRAWN, RELEASE_INDEX, MIRROR))
        if seen == self._seen:
            return
        with suppress(FileNotFoundError):  # a release that is being moved: the next look finds it
            self._releases = self._read()
            self._seen = seen
            self.generation += 1

    def _read(self) -> tuple[Release, ...]:
        reasons = release_index.withdrawn(self.root)
        by_version: dict[str, Release] = {}
        for name, reason in zip((RELEASES, WITHDRAWN), (None, "no reason is known"), strict=True):
            for path in (self.root / name).glob("*"):
                if not (path / MANIFEST).is_file():
                    continue
                release = open_release(path, reasons.get(path.name, reason))
                if release.manifest.get("layout") == LAYOUT:
                    by_version.setdefault(path.name, release)
                else:
                    log.warning("%s was built by an incompatible version of the program and is not served", path)
        return tuple(sorted(by_version.values(), key=lambda release: order(release.version), reverse=True))

    def withdrawn(self) -> dict[str, release_index.Entry]:
        """The releases that were withdrawn, by version; also those whose files were removed."""
        return {entry.version: entry for entry in release_index.of(self.root) if entry.withdrawn is not None}

    def latest(self) -> Release:
        """The newest release that was not withdrawn. Raises NotInStore when there is none."""
        for release in self.releases():
            if release.withdrawn is None:
                return release
        raise NotInStore("the store holds no release" if not self.releases() else "every release was withdrawn")

    def version(self, version: str) -> Release:
        """The release of a version. Raises NotInStore naming it."""
        for release in self.releases():
            if release.version == version:
                return release
        entry = self.withdrawn().get(version)
        reason = f"release {version} was withdrawn: {entry.withdrawn}" if entry else f"there is no release {version}"
        raise NotInStore(reason)

    def as_of(self, day: date) -> Release:
        """The newest release published on or before a day (UTC) and not withdrawn. Raises NotInStore before it."""
        for release in self.releases():
            if release.published_at[:10] <= day.isoformat() and release.withdrawn is None:
                return release
        raise NotInStore(f"nothing was published on or before {day.isoformat()}")
