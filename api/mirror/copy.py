"""Copying a store: follow its signature, fetch what is missing, show it when it is whole.

{mirror}/tmp/mirror/        what is on its way; goes on from there after an interruption
{mirror}/releases/{v}       appears by one rename, every file verified
{mirror}/upstream tuf       see api.mirror.tuf_client
{mirror}/mirror.json        whose copy this is, and of when
"""

import contextlib
import errno
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from api import settings
from api.mirror import state
from api.mirror.release import Workplace
from api.mirror.source import MirrorError, Source
from api.mirror.tuf_client import UPSTREAM, Followed, Trust, follow
from api.model import filenames
from api.store import atomic_files, release_index
from api.store.releases import order
from api.trust import metadata
from api.trust.shelf import set_aside

Tell = Callable[[str], None]
# A release and its bytes → the count of bytes, which is told as they come in.
Watch = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def _unwatched(_: str, __: int) -> Iterator[Callable[[int], None]]:
    yield lambda _: None


@dataclass(frozen=True)
class Wish:
    """What to copy: all releases, or the latest, or one version. `repair`: read again what is here already."""

    version: str = ""
    latest: bool = False
    repair: bool = False
    trust: Trust = field(default_factory=Trust)

    @property
    def holds(self) -> str:
        return self.version or ("latest" if self.latest else "all")


@dataclass(frozen=True)
class Copied:
    """What was done: the releases that are new here, those that were taken out, the bytes that came in."""

    status: state.MirrorStatus
    added: tuple[str, ...]
    withdrawn: tuple[str, ...]
    fetched: int


def mirror(
    url: str,
    folder: Path,
    wish: Wish | None = None,
    tell: Tell = print,
    watch: Watch = _unwatched,
    values: Mapping[str, object] | None = None,
) -> Copied:
    """Bring a folder to the state of the store at `url`.

    Safe to interrupt and to repeat. Raises MirrorError, whose message says what is wrong; the copy that was there
    then serves on.
    """
    values, wish = values or settings.load(), wish or Wish()
    limits = (int(str(values[f"MIRROR_{name}"])) for name in ("CONNECTIONS", "TIMEOUT", "RETRIES"))
    connections, timeout, retries = limits
    source = Source(url, max(connections, 1), timeout, retries)
    try:
        with _alone(folder):
            return _mirror(source, folder, wish, tell, watch, int(str(values["MIRROR_STALE_DAYS"])), connections)
    finally:
        source.close()


def _mirror(
    source: Source, folder: Path, wish: Wish, tell: Tell, watch: Watch, stale_days: int, connections: int
) -> Copied:
    followed = follow(source, folder, wish.trust, tell)
    for entry in followed.entries:
        reason = filenames.reason_of_version(entry.version)
        if reason:
            raise MirrorError(f"the list of releases is refused: the version {entry.version!r} {reason}")
    gone = tuple(entry.version for entry in followed.entries if _withdraw(folder, entry, tell))
    work = Workplace(source, folder, max(connections, 1), watch)
    added = [entry.version for entry in _wanted(followed, wish) if work.copy(followed, entry, wish.repair)]
    followed.publish()
    status = _status(source, followed, wish, stale_days)
    state.write(folder, status)
    work.clear()
    return Copied(status, tuple(added), gone, source.received)


def _wanted(followed: Followed, wish: Wish) -> list[release_index.Entry]:
    """The releases to copy, newest first: the one that most people read appears first."""
    standing = [entry for entry in followed.entries if entry.withdrawn is None]
    standing.sort(key=lambda entry: order(entry.version), reverse=True)
    if wish.latest:
        return standing[:1]
    if not wish.version:
        return standing
    for entry in followed.entries:
        if entry.version == wish.version and entry.withdrawn is not None:
            raise MirrorError(f"release {entry.version} was withdrawn: {entry.withdrawn}")
    found = [entry for entry in standing if entry.version == wish.version]
    if not found:
        there = ", ".join(entry.version for entry in standing) or "none"
        raise MirrorError(f"{followed.source.url} has no release {wish.version}; it has {there}")
    return found


def _withdraw(folder: Path, entry: release_index.Entry, tell: Tell) -> bool:
    """Take a withdrawn release out of what is served."""
    if entry.withdrawn is None or not (folder / "releases" / entry.version).exists():
        return False
    set_aside(folder, entry.version)
    tell(
        f"Release {entry.version} was withdrawn by its publisher: {entry.withdrawn}\n"
        f"It is not served any more; its files are in {folder / 'withdrawn' / entry.version} until you remove them."
    )
    return True


def _status(source: Source, followed: Followed, wish: Wish, stale_days: int) -> state.MirrorStatus:
    now = datetime.now(UTC)
    versions = [entry.version for entry in followed.entries if entry.withdrawn is None]
    return state.MirrorStatus(
        upstream=source.url,
        synced_at=state.said(now),
        upstream_version=max(versions, key=order, default=None),
        stale_after=state.said(min(now + timedelta(days=stale_days), followed.expires)),
        root=followed.root,
        holds=wish.holds,
    )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One mirror at a time, in a folder that is none's store; errors of the disk in words."""
    try:
        with atomic_files.locked(folder, wait=0):
            if (metadata.folder(folder) / "timestamp.json").exists() and not (folder / UPSTREAM).exists():
                raise MirrorError(f"{folder} is a store of its own: nothing is copied into it")
            for part in (folder, metadata.folder(folder), folder / UPSTREAM):
                atomic_files.sweep(part)
            yield
    except atomic_files.Busy as error:
        raise MirrorError(f"another lantern works here: {error}") from error
    except OSError as error:
        if error.errno in FULL:
            free = 0
            with contextlib.suppress(OSError):
                free = shutil.disk_usage(folder).free
            raise MirrorError(
                f"the disk is full ({free} bytes free in {folder}). What was there is untouched; make room and run "
                "the command again, it goes on where it stopped"
            ) from error
        raise MirrorError(f"{folder} cannot be written: {error}") from error
