"""One release after the other: what is here is linked, what is missing fetched, all verified, then shown at once."""

import os
import shutil
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from pathlib import Path

from api.mirror.source import Interrupted, MirrorError, Missing, Source
from api.mirror.transfer import transfer
from api.mirror.tuf_client import Followed
from api.model.files import MANIFEST, SUMS
from api.store import atomic_files, manifest, release_index
from api.store.manifest import Contents, File

Tick = Callable[[int], None]
Watch = Callable[[str, int], AbstractContextManager[Tick]]
SPARE = 2**20  # bytes that are left free on the disk


class Workplace:
    """Where releases are put together, on the mirror's own file system."""

    def __init__(self, source: Source, folder: Path, connections: int, watch: Watch) -> None:
        self.source, self.connections, self.watch = source, connections, watch
        self.shown = folder / "releases"
        self.work = folder / "tmp" / "mirror"
        self.parts = self.work / "parts"
        self._lock = threading.Lock()
        for path in (self.shown, self.parts):
            path.mkdir(parents=True, exist_ok=True)

    def copy(self, followed: Followed, entry: release_index.Entry, repair: bool) -> bool:
        """Make a release appear; whether there was anything to do. Raises MirrorError."""
        target = self.shown / entry.version
        if _complete(target, entry, None):
            promised = manifest.read((target / MANIFEST).read_bytes())
            if _complete(target, entry, promised, deep=repair):
                return False
        promised = _promised(followed, entry)
        folder = self.work / f"{entry.version}-{entry.manifest[:16]}"
        self._gather(promised, folder)
        atomic_files.write(folder / MANIFEST, promised.raw)
        if promised.derives_sums:
            atomic_files.write(folder / SUMS, promised.sums())
        self._show(folder, target, promised)
        return True

    def clear(self) -> None:
        """Nothing is on its way any more."""
        shutil.rmtree(self.work, ignore_errors=True)

    def _gather(self, promised: Contents, folder: Path) -> None:
        """Every file of a release, verified, in a folder of the workplace."""
        missing = {file.sha256: file for file in promised.files}
        here = self._here(missing)
        self._room(file for sha256, file in missing.items() if sha256 not in here)
        with self.watch(promised.version, promised.total) as tick:
            counted = self._counted(tick)
            same: dict[str, list[File]] = {}
            for file in promised.files:
                same.setdefault(file.sha256, []).append(file)
            with ThreadPoolExecutor(self.connections) as pool:
                jobs = [
                    pool.submit(self._bring, promised.version, files, folder, here.get(sha256, []), counted)
                    for sha256, files in same.items()
                ]
                try:
                    wait(jobs, return_when=FIRST_EXCEPTION)
                finally:
                    if any(not job.done() or job.exception() for job in jobs):
                        self.source.stop.set()
                        for job in jobs:
                            job.cancel()
        failed = [error for job in jobs if not job.cancelled() and (error := job.exception())]
        for error in sorted(failed, key=lambda error: isinstance(error, Interrupted)):
            raise error

    def _bring(self, version: str, files: list[File], folder: Path, here: list[Path], tick: Tick) -> None:
        """Files of the same bytes: linked where they are here, else fetched once."""
        for file in files:
            path = folder / file.path
            if manifest.holds(path, file):
                tick(file.bytes)
                here = [path, *here]
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            source = next((found for found in here if manifest.holds(found, file)), None)
            if source is None:
                self._fetch(version, file, path, tick)
            else:
                _link(source, path)
                tick(file.bytes)
            here = [path, *here]

    def _fetch(self, version: str, file: File, path: Path, tick: Tick) -> None:
        part = self.parts / f"{file.sha256}.part"
        try:
            transfer(self.source, f"releases/{version}/{file.path}", file, part, tick)
        except Missing as error:
            raise MirrorError(f"{error}: {self.source.url} does not hold all of release {version}") from error
        os.replace(part, path)

    def _here(self, wanted: Iterable[str]) -> dict[str, list[Path]]:
        """Files of releases that are shown already and may have the bytes that are wanted, by SHA-256."""
        found: dict[str, list[Path]] = {}
        looked_for = set(wanted)
        for release in sorted(self.shown.iterdir()):
            try:
                held = manifest.read((release / MANIFEST).read_bytes())
            except (OSError, manifest.BadManifest):
                continue
            for file in held.files:
                if file.sha256 in looked_for:
                    found.setdefault(file.sha256, []).append(release / file.path)
        return found

    def _room(self, files: Iterable[File]) -> None:
        """Raises MirrorError before anything is fetched that the disk cannot take."""
        needed = 0
        for file in files:
            part = self.parts / f"{file.sha256}.part"
            needed += file.bytes - (part.stat().st_size if part.exists() else 0)
        free = shutil.disk_usage(self.work).free
        if needed + SPARE > free:
            raise MirrorError(f"the disk is too small: {needed} bytes are needed, {free} are free in {self.work}")

    def _counted(self, tick: Tick) -> Tick:
        def counted(size: int) -> None:
            with self._lock:
                tick(size)

        return counted

    def _show(self, folder: Path, target: Path, promised: Contents) -> None:
        """Everything on the disk first, then one rename."""
        known = {file.path for file in promised.files} | {MANIFEST, SUMS}
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
        found = manifest.read(followed.manifest(entry))
    except manifest.BadManifest as error:
        raise MirrorError(f"release {entry.version} is refused: {error}") from error
    if (found.version, found.published_at) != (entry.version, entry.published_at):
        raise MirrorError(f"release {entry.version} is refused: its manifest is that of release {found.version}")
    return found


def _complete(folder: Path, entry: release_index.Entry, promised: Contents | None, deep: bool = False) -> bool:
    """Whether a release is shown as it was signed; its files by their size alone, unless `deep`."""
    path = folder / MANIFEST
    if not path.is_file() or manifest.digest(path) != entry.manifest:
        return False
    return promised is None or all(manifest.holds(folder / file.path, file, deep) for file in promised.files)


def _link(source: Path, path: Path) -> None:
    """The same bytes under another name; a copy where the file system has no links."""
    path.unlink(missing_ok=True)
    try:
        os.link(source, path)
    except OSError:
        shutil.copyfile(source, path)
