"""The shelf of releases: which there are, which is the latest, which was current on a given day.

A withdrawn release (api.store.release_index lists them with the reasons) is never the latest and answers to no day; a
request that names its version still gets it, since what was written with its figures must stay checkable. One that was
removed answers to nobody, whatever is left of its files.
"""

import hashlib
import json
import logging
import os
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from api.model import dates
from api.model.descriptor import Package, package
from api.model.errors import LanternError
from api.model.files import DESCRIPTOR, INDEX_LIST, MANIFEST, MIRROR, RELEASE_INDEX, RELEASES, UPSTREAM, WITHDRAWN
from api.store import release_index
from api.store.manifest import FORMAT, BadManifest, read
from api.store.signatures import FOLDER as SIGNED

log = logging.getLogger("lantern")

LEFT_OUT = ("file", "dataset", "reason")  # of a manifest: which file does not hold which dataset, and why
RECHECK_SECONDS = 1.0
STORE = "store"  # in `problems`: nothing is there, and nothing says that anything was
_SEMVER = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?")


class NotInStore(LanternError):
    """No release answers to what was `asked`: a version or a day."""

    def __init__(self, reason: str, asked: str = "") -> None:
        super().__init__(reason)
        self.asked = asked


class Gone(NotInStore):
    """The release that was asked for was withdrawn (`entry`), and its files are not here, or for nobody any more."""

    def __init__(self, entry: release_index.Entry) -> None:
        done = "withdrawn and removed" if entry.removed else "withdrawn"
        super().__init__(f"release {entry.version} was {done}: {entry.withdrawn}", entry.version)
        self.entry = entry


class NotReady(LanternError):
    """What is asked for cannot be served now, and may be later."""


class Empty(NotReady):
    """The store is not there, or holds no release: of one whose disk is not mounted nothing else is known."""


class Unreadable(LanternError):
    """A release that cannot be read; the message says why."""


@dataclass(frozen=True, eq=False)
class Release:
    """One release on disk. `tag` names its data, whatever program built it; `build` names every byte of it.

    `index` is the folder of what this program asks of it (api.index), if it was made. `raw`: the bytes of `manifest`.
    `published_at`: None where the package does not say; `withdrawn`: why the release must no longer be used, or None;
    `withdrawn_at`: since when, as far as that is known.
    """

    folder: Path
    index: Path
    version: str
    published_at: str | None
    tag: str
    build: str
    package: Package
    manifest: Mapping[str, Any] = field(repr=False)
    raw: bytes = field(repr=False)
    withdrawn: str | None = None
    withdrawn_at: str | None = None

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


def open_release(folder: Path, index: Path, withdrawn: str | None = None, since: str | None = None) -> Release:
    """Read a release's manifest and descriptor; `index` is the folder of the indexes of this program's format.

    Raises Unreadable for what is not a whole release, or one of a later format.
    """
    try:
        raw, described = ((folder / name).read_bytes() for name in (MANIFEST, DESCRIPTOR))
        return _open(folder, index, raw, described, withdrawn, since)
    except OSError as error:
        raise Unreadable(f"{Path(error.filename or folder).name}: {error.strerror}") from error
    except BadManifest as error:
        raise Unreadable(str(error)) from error
    except RecursionError as error:
        raise Unreadable("its manifest or descriptor cannot be read: it is nested too deeply") from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise Unreadable(f"its manifest or descriptor cannot be read: {error!r}") from error


@lru_cache(maxsize=64)
def _open(folder: Path, index: Path, raw: bytes, described: bytes, withdrawn: str | None, since: str | None) -> Release:
    contents, manifest = read(raw), json.loads(raw)
    version, published_at, format = contents.version, contents.published_at, manifest.get("format", 0)
    if published_at is not None and dates.utc(datetime.fromisoformat(published_at)) != published_at:
        raise Unreadable(f"published_at is {published_at!r}: expected a time in UTC such as 2026-11-24T09:30:00Z")
    if not isinstance(format, int) or format > FORMAT:
        raise Unreadable(f"its format is {format!r}: this program reads those up to {FORMAT}")
    if {file.path: file.sha256 for file in contents.files}[DESCRIPTOR] != hashlib.sha256(described).hexdigest():
        raise Unreadable(f"{DESCRIPTOR} is not the one that its manifest names")
    if not all(isinstance(entry["media_type"], str) for entry in manifest["files"]):
        raise Unreadable("its manifest has media types that are no text")
    if not all(isinstance(one[key], str) for one in manifest.get("left_out", []) for key in LEFT_OUT):
        raise Unreadable("its manifest does not say in words what was left out")
    said = [manifest.get("previous"), manifest.get("notes"), *manifest.get("change_kinds", [])]
    if not isinstance(manifest.get("changes", {}), dict) or not all(isinstance(one, str | None) for one in said):
        raise Unreadable("its manifest does not say in words what changed")
    reason = (withdrawn or "").encode()
    tag, build = (hashlib.sha256(part + reason).hexdigest()[:24] for part in (described, raw))
    model = package(json.loads(described))
    if not (model.citation and all(isinstance(table.descriptor["rows"], int) for table in model.tables)):
        raise Unreadable("its descriptor does not say how many rows its tables have")
    place = index / f"{version}-{hashlib.sha256(raw).hexdigest()[:16]}"
    return Release(folder, place, version, published_at, tag, build, model, manifest, raw, withdrawn, since)


def is_copy(root: Path) -> bool:
    """Whether a folder is a mirror, or will be one: nothing is built or signed there (api.mirror)."""
    return (root / MIRROR).exists() or (root / UPSTREAM).exists()


def has_index(release: Release) -> bool:
    """Whether the index of a release is there; not whether it is good (api.index.sqlite.check)."""
    return _stamp(release.index / INDEX_LIST) != ()


def _stamp(path: Path) -> tuple[int, ...]:
    """What changes when a folder's names or a file's bytes do."""
    try:
        stat = path.stat()
    except OSError:
        return ()
    return (stat.st_ctime_ns, stat.st_ino, stat.st_nlink)  # also when its rights do


class Store:
    """The releases of one folder, read again when the folder changes (checked once a second at most).

    `index` is the folder of the indexes that this program asks; `missing` is called with the releases that have none
    there, at each look. What cannot be read is left out, logged once, and in `problems`: by version, or the name of
    what else is wrong in the store, with the reason.
    """

    def __init__(
        self, root: Path, index: Path, missing: Callable[[Sequence[Release]], object] = lambda _: None
    ) -> None:
        self.root, self.index, self.missing = root, index, missing
        self.problems: Mapping[str, str] = {}
        self.generation = 0
        self._seen: object = None
        self._checked = float("-inf")
        self._releases: tuple[Release, ...] = ()
        self._indexed: frozenset[Path] = frozenset()  # those met once: one that is lost later is made again
        self._list: tuple[release_index.Entry, ...] = ()
        self._looking = threading.Lock()

    def releases(self) -> tuple[Release, ...]:
        """All releases that can be read, newest version first."""
        if self._due() and self._looking.acquire(blocking=not self.generation):  # all wait for the very first look
            try:
                if self._due():
                    try:
                        self._look()
                    except OSError as error:  # of a disk that fails: what is known stays
                        log.warning("the store %s cannot be looked at: %s", self.root, error)
                    self._checked = time.monotonic()
            finally:
                self._looking.release()
        return self._releases

    def _due(self) -> bool:
        return time.monotonic() - self._checked >= RECHECK_SECONDS

    def _look(self) -> None:
        folders = [path for name in (RELEASES, WITHDRAWN) for path in _names(self.root / name)]
        parts = [path / name for path in folders for name in (MANIFEST, DESCRIPTOR)]
        parts += [self.root / name for name in (RELEASE_INDEX, MIRROR)]
        seen = [(path, _stamp(path)) for path in parts]
        changed = seen != self._seen
        if changed:
            self._releases = self._read(folders)
            self._seen = seen
        without = [release for release in self._releases if not has_index(release)]
        indexed = self._indexed | ({release.index for release in self._releases} - {one.index for one in without})
        if changed or indexed != self._indexed:
            self._indexed = indexed
            self.generation += 1
        if without:
            self.missing(without)

    def _read(self, folders: Sequence[Path]) -> tuple[Release, ...]:
        problems: dict[str, str] = {}
        try:
            self._list = release_index.of(self.root) or self._lost()
        except (OSError, release_index.BadList) as error:  # what was known to be withdrawn stays so
            told = getattr(error, "strerror", None) or error  # without a path of this machine
            problems[RELEASE_INDEX] = f"{told}; releases withdrawn since it was last read are not known"
        entries = {entry.version: entry for entry in self._list}
        signed = {entry.version: entry.manifest for entry in self._list} if os.path.isdir(self.root / SIGNED) else {}
        by_version: dict[str, Release] = {}
        for path in folders:
            usual = "no reason is known" if path.parent.name == WITHDRAWN else None
            entry = entries.get(path.name)
            if entry and entry.removed:
                continue
            try:
                reason, since = (entry.withdrawn, entry.withdrawn_at) if entry else (None, None)
                release = open_release(path, self.index, reason or usual, since)
                if release.version != path.name:
                    raise Unreadable(f"its manifest says that it is version {release.version}")
                if signed.get(path.name) not in (None, hashlib.sha256(release.raw).hexdigest()):
                    raise Unreadable("its manifest is not the one that was signed")
                by_version.setdefault(path.name, release)
            except Unreadable as error:
                if path.parent == self.root:  # releases/ itself
                    problems[path.name] = f"it cannot be read: {str(error).rpartition(': ')[2]}"
                elif not os.path.lexists(path):  # it is being moved: the next look finds it
                    return self._releases
                else:
                    problems[path.name] = str(error)
        if not by_version and not entries and not problems:
            problems[STORE] = "it holds no release" if os.path.isdir(self.root) else "it is not there"
        partial = os.path.lexists(self.root / MIRROR) or RELEASES in problems  # a mirror may hold some releases only
        for version in [] if partial else signed:
            if version not in by_version and entries[version].withdrawn is None:
                problems.setdefault(version, "it was signed, and its files are not there")
        for name, reason in problems.items():
            if self.problems.get(name) != reason and (name != STORE or self._releases):  # which a build may fill
                log.warning("%s in %s is not served: %s", name, self.root, reason)
        self.problems = problems
        return tuple(sorted(by_version.values(), key=lambda release: order(release.version), reverse=True))

    def _lost(self) -> tuple[release_index.Entry, ...]:
        """The list of a store that has none: (), unless it had one."""
        if self._list and os.path.isdir(self.root):
            raise release_index.BadList("it is missing")
        return ()

    def withdrawn(self) -> dict[str, release_index.Entry]:
        """The releases that were withdrawn, by version; also those whose files were removed."""
        self.releases()
        return {entry.version: entry for entry in self._list if entry.withdrawn is not None}

    def latest(self) -> Release:
        """The newest release that was not withdrawn and has its index.

        Raises NotReady where none can be served now, NotInStore where every release was withdrawn.
        """
        usable = [release for release in self.releases() if release.withdrawn is None]
        for release in usable:
            if release.index in self._indexed:
                return release
        self.refuse_empty()
        if usable:
            raise NotReady("no release can be served yet: indexes are made, see /readyz")
        raise NotInStore("every release was withdrawn")

    def refuse_empty(self) -> None:
        """Raise Empty where nothing is in the store, NotReady where it cannot be said what is."""
        here = self.releases()
        if STORE in self.problems:
            raise Empty(f"the store holds no release: {self.problems[STORE]}")
        if self.problems and (not here or RELEASES in self.problems):
            raise NotReady("the store cannot be read now, see /readyz")

    def version(self, version: str) -> Release:
        """The release of a version. Raises NotInStore naming it (Gone), NotReady for one that cannot be read."""
        for release in self.releases():
            if release.version == version:
                return release
        if version in self.problems:
            raise NotReady(f"release {version} cannot be read: {self.problems[version]}")
        self.refuse_empty()
        if entry := self.withdrawn().get(version):
            raise Gone(entry)
        raise NotInStore(f"there is no release {version}", version)

    def _refuse_older(self, release: Release, moment: date | datetime) -> None:
        """Raise NotReady where a later release was current at a moment, and cannot be read."""
        for entry in self._list:
            published = entry.version in self.problems and dates.moment(entry.published_at)
            if published and _past(published, moment) and order(entry.version) > order(release.version):
                raise NotReady(f"release {entry.version} cannot be read: {self.problems[entry.version]}")

    def as_of(self, moment: date | datetime) -> Release:
        """The newest release published by the end of a day (UTC), or by a moment, and not withdrawn.

        Raises NotInStore before the first, naming the releases of which no date is known, NotReady for one that cannot
        be read.
        """
        undated = []
        self.refuse_empty()
        for release in self.releases():
            if release.published_at is None:
                undated += [release.version] if release.withdrawn is None else []
                continue
            published = datetime.fromisoformat(release.published_at)
            if _past(published, moment) and release.withdrawn is None:
                self._refuse_older(release, moment)
                return release
        reason = f"nothing was published on or before {moment.isoformat()}"
        if undated:
            reason += f"; when {', '.join(undated)} was published is not known: name it by `version`"
        raise NotInStore(reason, moment.isoformat())


def _past(published: datetime, moment: date | datetime) -> bool:
    return published <= moment if isinstance(moment, datetime) else published.date() <= moment


def _names(folder: Path) -> list[Path]:
    """What lies in a folder, but for names that begin with a dot; itself, if it cannot be read."""
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except FileNotFoundError:
        return []
    except OSError:
        return [folder]
