"""Copying a store: follow its signature, fetch what is missing, show it when it is whole.

{mirror}/tmp/mirror/        what is on its way; resumed from there after an interruption
{mirror}/releases/{v}       appears by one rename, every file verified, once it can be served: its index is made before
{mirror}/upstream tuf       see api.mirror.tuf_client
{mirror}/mirror.json        whose copy this is, and of when
"""

import contextlib
import errno
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from api import settings
from api.index import layout
from api.mirror import MirrorStatus, utc_text, write
from api.mirror.release import Refused, Staging, Watch
from api.mirror.tuf_client import Followed, follow
from api.mirror.upstream import MirrorError, Upstream
from api.model import filenames
from api.store import atomic_files, release_index
from api.store.releases import order
from api.trust import metadata
from api.trust.keys import Tell, TrustError
from api.trust.signable import set_aside, take_away

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class Wish:
    """What to copy: all releases, or the latest, or one version.

    `repair`: read again what is here already. `index`: make what a server asks; an archive needs none. `root` and
    `fingerprint`: the one that is trusted (api.mirror.tuf_client.follow).
    """

    version: str = ""
    latest: bool = False
    repair: bool = False
    index: bool = True
    root: bytes | None = None
    fingerprint: str = ""

    @property
    def holds(self) -> str:
        return self.version or ("latest" if self.latest else "all")


@dataclass(frozen=True)
class Copied:
    """What was done: the releases that are new here, those that were taken out, the bytes that came in.

    `refused`: those that are as they were signed and cannot be served, with the reason; they are tried again next time.
    `left`: those that were removed by the publisher and of which something could not be deleted here, and why.
    """

    status: MirrorStatus
    added: tuple[str, ...]
    withdrawn: tuple[str, ...]
    refused: Mapping[str, str]
    left: Mapping[str, str]
    fetched: int


def mirror(
    url: str,
    folder: Path,
    wish: Wish | None = None,
    tell: Tell = print,
    watch: Watch = lambda _, __: contextlib.nullcontext(lambda _: None),
    values: Mapping[str, Any] | None = None,
) -> Copied:
    """Bring a folder to the state of the store at `url`.

    Safe to interrupt and to repeat. Raises MirrorError, whose message says what is wrong; the copy that was here is
    then served as before.
    """
    values, wish = values or settings.load(), wish or Wish()
    connections = max(values["MIRROR_CONNECTIONS"], 1)
    upstream = Upstream(url, connections, values["MIRROR_TIMEOUT"], values["MIRROR_RETRIES"])
    with contextlib.closing(upstream), _alone(folder):
        followed = follow(upstream, folder, wish.root, wish.fingerprint, tell)
        for entry in followed.entries:
            reason = filenames.reason_of_version(entry.version)
            if reason:
                raise MirrorError(f"the list of releases is refused: the version {entry.version!r} {reason}")
        left: dict[str, str] = {}
        gone = tuple(one.version for one in followed.entries if _withdraw(folder, one, tell, values["INDEX"], left))
        index = layout.folder(folder, values["INDEX"])
        staging = Staging(followed, connections, watch, index, wish.index, wish.repair)
        added, refused = [], {}
        for entry in _wanted(followed, wish):
            try:
                added += [entry.version] if staging.copy(entry) else []
            except Refused as error:
                refused[entry.version] = str(error)
        followed.publish()
        status = _status(followed, wish, values["MIRROR_STALE_DAYS"])
        write(folder, status)
        if not refused:
            staging.clear()
        return Copied(status, tuple(added), gone, refused, left, upstream.received)


def _current(followed: Followed) -> list[release_index.Entry]:
    """The releases that were not withdrawn, newest first."""
    entries = [entry for entry in followed.entries if entry.withdrawn is None]
    return sorted(entries, key=lambda entry: order(entry.version), reverse=True)


def _wanted(followed: Followed, wish: Wish) -> list[release_index.Entry]:
    """The releases to copy, newest first: the one that most people read appears first."""
    current = _current(followed)
    if not wish.version:
        return current[:1] if wish.latest else current
    entry = next((entry for entry in followed.entries if entry.version == wish.version), None)
    if entry is None:
        versions = ", ".join(entry.version for entry in current) or "none"
        raise MirrorError(f"{followed.upstream.url} has no release {wish.version}; it has {versions}")
    if entry.withdrawn is not None:
        raise MirrorError(f"release {entry.version} was withdrawn: {entry.withdrawn}")
    return [entry]


def _withdraw(folder: Path, entry: release_index.Entry, tell: Tell, index: str, left: dict[str, str]) -> bool:
    """Move a withdrawn release out of the current ones, delete a removed one; whether it was there.

    What cannot be deleted is added to `left`: the copying goes on, since from then on nobody is given it.
    """
    if entry.withdrawn is None:
        return False
    kind, done = "removed", "It is deleted here"
    try:
        if entry.removed:
            was_here = take_away(folder, entry.version, index)
        else:
            was_here = set_aside(folder, entry.version)
            place = folder / "withdrawn" / entry.version
            kind, done = "withdrawn", f"It is given only to who names its version, marked as withdrawn, from {place}"
    except TrustError as error:
        left[entry.version], was_here, done = str(error), True, "Here it cannot be deleted"
    if was_here:
        tell(f"Release {entry.version} was {kind} by its publisher: {entry.withdrawn}\n{done}.")
    return was_here


def _status(followed: Followed, wish: Wish, stale_days: int) -> MirrorStatus:
    now = datetime.now(UTC)
    return MirrorStatus(
        upstream=followed.upstream.url,
        synced_at=utc_text(now),
        upstream_version=next((entry.version for entry in _current(followed)), None),
        stale_after=utc_text(min(now + timedelta(days=stale_days), followed.expires)),
        root=followed.root,
        holds=wish.holds,
    )


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One mirror at a time, in a folder that is not an origin's store; errors of the disk become MirrorErrors."""
    try:
        with atomic_files.locked(folder, wait=0):
            if (metadata.folder(folder) / "timestamp.json").exists() and not (folder / metadata.UPSTREAM).exists():
                raise MirrorError(f"{folder} is an origin's store, not a mirror: nothing is copied into it")
            for part in (folder, metadata.folder(folder), folder / metadata.UPSTREAM):
                atomic_files.sweep(part)
            yield
    except atomic_files.Busy as error:
        raise MirrorError(f"another lantern process holds the lock: {error}") from error
    except OSError as error:
        if error.errno in FULL:
            free = shutil.disk_usage(folder).free
            raise MirrorError(
                f"the disk is full ({free} bytes free in {folder}). The copy is unchanged; free some space and run the "
                "command again, it continues where it stopped"
            ) from error
        raise MirrorError(f"{folder} cannot be written: {error}") from error
