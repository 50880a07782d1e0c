"""One release after the other: files that are here are linked, others fetched, all verified, then shown at once.

Before it is shown a release is opened as a server would, from its manifest, descriptor and data alone: no file that a
stranger signed is opened as a database.
"""

import os
import shutil
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from pathlib import Path

from api.index import making
from api.mirror.transfer import Tick, transfer
from api.mirror.tuf_client import Followed
from api.mirror.upstream import Interrupted, MirrorError, Missing, Upstream
from api.model.files import MANIFEST, SUMS
from api.store import atomic_files, manifest, release_index
from api.store.manifest import Contents, File
from api.store.releases import Unreadable, has_index, open_release

# A release and its bytes → what is called with the count of bytes as they come in.
Watch = Callable[[str, int], AbstractContextManager[Tick]]
SPARE = 2**20  # bytes that are left free on the disk


class Refused(MirrorError):
    """A release that is as it was signed, and cannot be served."""


class Staging:
    """Where releases are put together, on the mirror's own file system.

    `index` is the folder of indexes; theirs are made there unless `indexed` is false.
    """

    def __init__(
        self, upstream: Upstream, folder: Path, connections: int, watch: Watch, index: Path, indexed: bool
    ) -> None:
        self.upstream, self.connections, self.watch = upstream, connections, watch
        self.index, self.indexed = index, indexed
        self.shown = folder / "releases"
        self.work = folder / "tmp" / "mirror"
        self.parts = self.work / "parts"
        self._lock = threading.Lock()
        for path in (self.shown, self.parts):
            path.mkdir(parents=True, exist_ok=True)

    def copy(self, followed: Followed, entry: release_index.Entry, repair: bool) -> bool:
        """Make a release appear; whether it is new. Raises Refused or another MirrorError."""
        target = self.shown / entry.version
        if _complete(target, entry, deep=repair):
            self._open(target, shown=True)
            return False
        contents = _promised(followed, entry)
        folder = self.work / f"{entry.version}-{entry.manifest[:16]}"
        self._gather(contents, folder)
        atomic_files.write(folder / MANIFEST, contents.raw)
        if contents.derives_sums:
            atomic_files.write(folder / SUMS, contents.sums())
        self._open(folder, shown=False)
        self._show(folder, target, contents)
        return True

    def _open(self, folder: Path, shown: bool) -> None:
        """Make the index of a release, of one that is shown already only where it is missing.

        Raises Refused for a release that a server could not serve.
        """
        try:
            release = open_release(folder, self.index)
            if self.indexed and not (shown and has_index(release)):
                making.make(release)
        except making.NotMade as error:
            if isinstance(error.__cause__, OSError):  # of the disk, not of the release
                raise error.__cause__ from error
            raise Refused(str(error)) from error
        except Unreadable as error:
            raise Refused(str(error)) from error

    def clear(self) -> None:
        """Remove what was left on the way."""
        shutil.rmtree(self.work, ignore_errors=True)

    def _gather(self, contents: Contents, folder: Path) -> None:
        """Every file of a release, verified, in a folder of the staging area."""
        same: dict[str, list[File]] = {}
        for file in contents.files:
            same.setdefault(file.sha256, []).append(file)
        candidates = self._candidates(same.keys())
        self._check_room(files[0] for sha256, files in same.items() if sha256 not in candidates)
        with self.watch(contents.version, contents.total) as tick, ThreadPoolExecutor(self.connections) as pool:
            jobs = [
                pool.submit(self._bring, contents.version, files, folder, candidates.get(sha256, []), tick)
                for sha256, files in same.items()
            ]
            try:
                wait(jobs, return_when=FIRST_EXCEPTION)
            finally:
                if any(not job.done() or job.exception() for job in jobs):
                    self.upstream.stop.set()
                    pool.shutdown(cancel_futures=True)
        errors = [error for job in jobs if not job.cancelled() and (error := job.exception())]
        if errors:
            raise min(errors, key=lambda error: isinstance(error, Interrupted))

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
                self._fetch(version, file, path, counted)
                continue
            if source != path:
                _link(source, path)
            counted(file.bytes)

    def _fetch(self, version: str, file: File, path: Path, tick: Tick) -> None:
        part = self.parts / f"{file.sha256}.part"
        try:
            transfer(self.upstream, f"releases/{version}/{file.path}", file, part, tick)
        except Missing as error:
            raise MirrorError(f"{error}: {self.upstream.url} does not hold all of release {version}") from error
        os.replace(part, path)

    def _candidates(self, wanted: Iterable[str]) -> dict[str, list[Path]]:
        """Files of shown releases that may have the wanted bytes, by SHA-256."""
        paths: dict[str, list[Path]] = {}
        wanted = set(wanted)
        for release in sorted(self.shown.iterdir()):
            try:
                contents = manifest.read((release / MANIFEST).read_bytes())
            except (OSError, manifest.BadManifest):
                continue
            for file in contents.files:
                if file.sha256 in wanted:
                    paths.setdefault(file.sha256, []).append(release / file.path)
        return paths

    def _check_room(self, files: Iterable[File]) -> None:
        """Raises MirrorError before anything is fetched for which the disk has no room."""
        needed = 0
        for file in files:
            part = self.parts / f"{file.sha256}.part"
            needed += file.bytes - (part.stat().st_size if part.exists() else 0)
        free = shutil.disk_usage(self.work).free
        if needed + SPARE > free:
            raise MirrorError(f"the disk is too small: {needed} bytes are needed, {free} are free in {self.work}")

    def _show(self, folder: Path, target: Path, contents: Contents) -> None:
        """Everything on the disk first, then one rename."""
        known = {file.path for file in contents.files} | {MANIFEST, SUMS}
        for path in [*folder.rglob("*"), folder]:
            if path.is_dir():
                path.chmod(0o755)
            elif path.relative_to(folder).as_posix() not in known:
                path.unlink()
                continue
            else:
                path.chmod(0o644)
            atomic_files.sync(path)
        if target.exists():
            damaged = self.work / f"damaged-{target.name}"
            shutil.rmtree(damaged, ignore_errors=True)
            os.rename(target, damaged)
        os.rename(folder, target)
        atomic_files.sync(target.parent)


def _promised(followed: Followed, entry: release_index.Entry) -> Contents:
    """What a release holds by its signed manifest. Raises MirrorError for one that must not be acted on."""
    try:
        contents = manifest.read(followed.manifest(entry))
    except manifest.BadManifest as error:
        raise MirrorError(f"release {entry.version} is refused: {error}") from error
    if (contents.version, contents.published_at) != (entry.version, entry.published_at):
        raise MirrorError(f"release {entry.version} is refused: its manifest is that of release {contents.version}")
    return contents


def _complete(folder: Path, entry: release_index.Entry, deep: bool) -> bool:
    """Whether a release is shown as it was signed; its files by their size alone, unless `deep`."""
    path = folder / MANIFEST
    if not path.is_file() or manifest.digest(path) != entry.manifest:
        return False
    contents = manifest.read(path.read_bytes())
    return all(manifest.holds(folder / file.path, file, deep) for file in contents.files)


def _link(source: Path, path: Path) -> None:
    """The same bytes under another name; a copy where the file system has no links."""
    path.unlink(missing_ok=True)
    try:
        os.link(source, path)
    except OSError:
        shutil.copyfile(source, path)
