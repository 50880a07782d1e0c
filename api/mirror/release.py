"""One release after the other: files that are here are linked, others fetched, all verified, then shown at once.

Before it is shown a release is opened as a server would, from its manifest, descriptor and data alone: no file that a
stranger signed is opened as a database.
"""

import os
import shutil
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from api.index import intact, making
from api.mirror.tidying import STAGING
from api.mirror.tuf_client import Followed
from api.mirror.upstream import MirrorError, Missing, Tick
from api.model.files import MANIFEST, RELEASES, SUMS
from api.store import atomic_files, manifest, release_index
from api.store.manifest import Contents, File
from api.store.releases import Unreadable, open_release
from api.trust.metadata import manifest_name

# A release and its bytes → what is called with the count of bytes as they come in.
Watch = Callable[[str, int], AbstractContextManager[Tick]]
SPARE = 2**20  # bytes that are left free on the disk


class Refused(MirrorError):
    """A release that is as it was signed, and cannot be served."""


@dataclass
class Staging:
    """Where releases are put together, on the mirror's own file system.

    `index` is the folder of indexes; theirs are made there where `indexed`. `repair`: read again what is here already.
    """

    followed: Followed
    watch: Watch
    index: Path
    indexed: bool
    repair: bool
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.shown = self.followed.folder / RELEASES
        self.work = self.followed.folder / STAGING
        self.parts = self.work / "parts"
        for path in (self.shown, self.parts):
            path.mkdir(parents=True, exist_ok=True)

    def copy(self, entry: release_index.Entry) -> bool:
        """Make a release appear; whether it had to be put together. Raises Refused or another MirrorError.

        One that is here is looked at by names, sizes and rights; its bytes are read where `repair` says so, or where
        its manifest is not among the signed files: that is put there when all was verified, once.
        """
        target, name = self.shown / entry.version, manifest_name(entry.version)
        contents = self.followed.manifest(entry)
        deep = self.repair or not self.followed.is_kept(name)
        if target.is_dir():
            for stranger in manifest.strangers(target, contents):
                self.followed.tidy.aside(stranger)
        if _is_open(target) and _complete(target, contents, deep):
            if contents.derives_sums:
                self.followed.tidy.put(target / SUMS, contents.sums())
            self.followed.keep(name, contents.raw)
            try:
                self._open(target, deep)
                return False
            except Refused:
                if deep:
                    raise  # else it may be for a damaged file
        folder = self.work / f"{entry.version}-{entry.manifest[:16]}"
        try:
            self._gather(contents, folder)
        except Missing as error:
            url = self.followed.upstream.url
            raise MirrorError(f"{error}: {url} does not hold all of release {entry.version}") from error
        atomic_files.write(folder / MANIFEST, contents.raw)
        if contents.derives_sums:
            atomic_files.write(folder / SUMS, contents.sums())
        self._open(folder, deep=True)
        if not target.exists():
            self.followed.keep(name, contents.raw)
        self._show(folder, target, contents)
        self.followed.keep(name, contents.raw)
        return True

    def _open(self, folder: Path, deep: bool) -> None:
        """Make the index of a release where it is missing or, if `deep`, damaged.

        Raises Refused for a release that a server could not serve.
        """
        try:
            release = open_release(folder, self.index)
            if self.indexed and (deep or not intact.sized(release.index)):
                making.make(release)
        except (Unreadable, making.NotMade) as error:
            if isinstance(error, making.NotMade) and isinstance(error.__cause__, OSError):  # of the disk
                raise error.__cause__ from error
            raise Refused(str(error)) from error

    def remove(self, entry: release_index.Entry) -> None:
        """Take a release's files away, and its index, at once."""
        away = self.work / f"removed-{entry.version}"
        shutil.rmtree(away, ignore_errors=True)
        os.rename(self.shown / entry.version, away)
        atomic_files.sync(self.shown)
        for path in (away, self.index / f"{entry.version}-{entry.manifest[:16]}"):
            shutil.rmtree(path, ignore_errors=True)

    def clear(self) -> None:
        """Remove what was left on the way."""
        shutil.rmtree(self.work, ignore_errors=True)

    def _gather(self, contents: Contents, folder: Path) -> None:
        """Every file of a release, verified, in a folder of the staging area."""
        same: dict[str, list[File]] = {}
        for file in contents.files:
            same.setdefault(file.sha256, []).append(file)
        here = self._candidates(contents)
        self._check_room(files[0] for sha256, files in same.items() if sha256 not in here)
        with (
            self.watch(contents.version, contents.total) as tick,
            ThreadPoolExecutor(self.followed.upstream.connections) as pool,
        ):
            jobs = [
                pool.submit(self._bring, contents.version, files, folder, here.get(sha256, []), tick)
                for sha256, files in same.items()
            ]
            try:
                for job in as_completed(jobs):
                    job.result()
            except BaseException:
                self.followed.upstream.stop.set()
                pool.shutdown(cancel_futures=True)
                raise

    def _bring(self, version: str, files: list[File], folder: Path, candidates: list[Path], tick: Tick) -> None:
        """Files of the same bytes: linked where they are here, else fetched once."""

        def counted(size: int) -> None:
            with self._lock:
                tick(size)

        for file in files:
            path = folder / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            candidates = [path, *candidates]
            source = next((candidate for candidate in candidates if manifest.holds(candidate, file)), None)
            if source is None:
                part = self._part(file)
                self.followed.upstream.fetch(f"{RELEASES}/{version}/{file.path}", file, part, counted)
                os.replace(part, path)
                continue
            if source != path:
                _link(source, path)
            counted(file.bytes)

    def _part(self, file: File) -> Path:
        return self.parts / f"{file.sha256}.part"

    def _candidates(self, wanted: Contents) -> dict[str, list[Path]]:
        """The files of shown releases, by the SHA-256 that they should have; the wanted one's whatever it says."""
        paths: dict[str, list[Path]] = {}
        for file in wanted.files:
            if manifest.holds(self.shown / wanted.version / file.path, file, deep=False):
                paths.setdefault(file.sha256, []).append(self.shown / wanted.version / file.path)
        for release in sorted(self.shown.iterdir()):
            try:
                contents = manifest.read((release / MANIFEST).read_bytes())
            except (OSError, manifest.BadManifest):
                continue
            for file in contents.files:
                paths.setdefault(file.sha256, []).append(release / file.path)
        return paths

    def _check_room(self, files: Iterable[File]) -> None:
        """Raises MirrorError before anything is fetched for which the disk has no room."""
        needed = 0
        for file in files:
            part = self._part(file)
            needed += file.bytes - (part.stat().st_size if part.exists() else 0)
        free = shutil.disk_usage(self.work).free
        if needed + SPARE > free:
            raise MirrorError(f"the disk is too small: {needed} bytes are needed, {free} are free in {self.work}")

    def _show(self, folder: Path, target: Path, contents: Contents) -> None:
        """Everything on the disk first, then one rename."""
        for path in manifest.strangers(folder, contents):
            path.unlink()
        atomic_files.settle(folder)
        damaged = self.work / f"damaged-{target.name}"
        shutil.rmtree(damaged, ignore_errors=True)
        atomic_files.swap(folder, target, damaged)
        if damaged.is_file() or (damaged / MANIFEST).is_file() and not _manifest_is(damaged, contents):
            self.followed.tidy.aside(damaged, target)  # what somebody put there


def _is_open(folder: Path) -> bool:
    """Whether everybody can read a release, now at the latest; not if somebody else's file in it is closed."""
    try:
        atomic_files.readable(folder)
    except (FileNotFoundError, PermissionError):
        return False
    return True


def _complete(folder: Path, contents: Contents, deep: bool) -> bool:
    """Whether a release is shown as it was signed; its files by their size alone, unless `deep`."""
    return _manifest_is(folder, contents) and all(manifest.holds(folder / f.path, f, deep) for f in contents.files)


def _manifest_is(folder: Path, contents: Contents) -> bool:
    try:
        return (folder / MANIFEST).read_bytes() == contents.raw
    except OSError:
        return False


def _link(source: Path, path: Path) -> None:
    """The same bytes under another name; a copy where the file system has no links."""
    path.unlink(missing_ok=True)
    try:
        os.link(source, path)
    except OSError:
        shutil.copyfile(source, path)
