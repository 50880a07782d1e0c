"""Copying a store: follow its signature, fetch what is missing, show it when it is whole.

{mirror}/tmp/mirror/        what is on its way; resumed from there after an interruption
{mirror}/releases/{v}       appears by one rename, every file verified, once it can be served: its index is made before
{mirror}/upstream tuf       see api.mirror.tuf_client
{mirror}/mirror.json        whose copy this is, and of when

At its end everything is as `lantern verify` wants it, but for bytes that nobody read: those are read where a release is
new, or by `repair`.
"""

import contextlib
import errno
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from api import settings
from api.index import layout
from api.mirror import MirrorStatus, trusting, utc_text, write
from api.mirror.release import Refused, Staging, Watch
from api.mirror.tidying import Tidy, begun
from api.mirror.tuf_client import Followed, follow
from api.mirror.upstream import MirrorError, Upstream
from api.model import filenames
from api.store import atomic_files, release_index
from api.store.releases import is_copy, order
from api.trust import metadata
from api.trust.keys import Tell, TrustError
from api.trust.signable import set_aside, take_away
from api.trust.verify import verify

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class Wish:
    """What to copy: all releases, or the `newest` so many of them, or one version.

    `prune`: remove the files of those before the newest. `repair`: read again what is here already. `index`: make what
    a server asks; an archive needs none. `root` and `fingerprint`: the one that is trusted (api.mirror.tuf_client);
    `new_root`: the one that takes its place, because the publisher lost the keys.
    """

    version: str = ""
    newest: int = 0
    prune: bool = False
    repair: bool = False
    index: bool = True
    root: bytes | None = None
    fingerprint: str = ""
    new_root: bytes | None = None

    @property
    def holds(self) -> str:
        return self.version or (f"newest {self.newest}" if self.newest > 1 else "latest" if self.newest else "all")


@dataclass(frozen=True)
class Copied:
    """What was done: the releases that are new here, those that were taken out, the bytes that came in.

    `removed`: the releases whose files were removed to keep the newest only; `moved`: the paths of what the publisher
    did not sign, which are in the folder `aside` now; `refused`: those that are as they were signed and cannot be
    served or mended, with the reason; they are tried again next time. `problems`: what `lantern verify` would
    say all the same; `left`: those that the publisher removed and that cannot be deleted here, and why;
    `failed`: why upstreams that were tried before were left, by their URL.
    """

    status: MirrorStatus
    added: tuple[str, ...]
    withdrawn: tuple[str, ...]
    removed: tuple[str, ...]
    refused: Mapping[str, str]
    problems: tuple[str, ...]
    moved: tuple[str, ...]
    aside: Path
    failed: Mapping[str, str]
    left: Mapping[str, str]
    fetched: int

    @property
    def is_whole(self) -> bool:
        """Whether the copy is up to date: verified as far as it was read, and served by this program."""
        return not self.refused and not self.problems and not self.left


class NoUpstream(MirrorError):
    """No upstream could be followed; `failed` says why, by their URL."""

    def __init__(self, failed: Mapping[str, str]) -> None:
        several = len(failed) > 1
        super().__init__("\n".join(f"{url}: {why}" if several else why for url, why in failed.items()))
        self.failed = failed


def mirror(
    urls: Sequence[str],
    folder: Path,
    wish: Wish | None = None,
    tell: Tell = print,
    watch: Watch = lambda _, __: contextlib.nullcontext(lambda _: None),
    values: Mapping[str, Any] | None = None,
) -> Copied:
    """Bring a folder to the state of the store at the first of some URLs that can be followed.

    All must be copies of one store: what is trusted are the signatures. Safe to interrupt and to repeat. Raises
    NoUpstream or another MirrorError, whose message says what is wrong; the copy that was here is then served as
    before.
    """
    values, wish = values or settings.load(), wish or Wish()
    secrets = [values["MIRROR_AUTHORIZATION"]] + [""] * len(urls)  # the first URL's own
    upstreams = [Upstream(url, values, secret) for url, secret in zip(dict.fromkeys(urls), secrets, strict=False)]
    failed: dict[str, str] = {}
    with _alone(folder):
        if wish.new_root is not None:
            trusting.to_adopt(folder, wish.new_root)  # called for what it refuses
        with begun(folder, tell) as tidy:
            for upstream in upstreams:
                with contextlib.closing(upstream):
                    try:
                        return _copied(upstream, upstreams, tidy, wish, tell, watch, values, failed)
                    except MirrorError as error:
                        failed[upstream.url] = str(error)
    raise NoUpstream(failed)


def _copied(
    upstream: Upstream,
    upstreams: Sequence[Upstream],
    tidy: Tidy,
    wish: Wish,
    tell: Tell,
    watch: Watch,
    values: Mapping[str, Any],
    failed: Mapping[str, str],
) -> Copied:
    """Bring a folder to the state of one upstream."""
    folder = tidy.folder
    adopting = wish.new_root is not None and trusting.to_adopt(folder, wish.new_root)
    followed = follow(upstream, tidy, wish.new_root or wish.root, wish.fingerprint, tell, adopting)
    for entry in followed.entries:
        reason = filenames.reason_of_version(entry.version)
        if reason:
            raise MirrorError(f"the list of releases is refused: the version {entry.version!r} {reason}")
    wanted, current = _wanted(followed, wish), _current(followed)
    left: dict[str, str] = {}
    gone = tuple(one.version for one in followed.entries if _withdraw(folder, one, tell, values["INDEX"], left))
    tidy.releases({entry.version: entry for entry in followed.entries})
    index = layout.folder(folder, values["INDEX"])
    staging = Staging(followed, watch, index, wish.index, repair=wish.repair or adopting)
    added, refused = [], dict[str, str]()
    for entry in [*wanted, *(entry for entry in current if entry not in wanted)]:
        if entry not in wanted and (wish.prune and not refused or not (staging.shown / entry.version).exists()):
            continue
        try:
            added += [entry.version] if staging.copy(entry) else []
        except MirrorError as error:
            if entry in wanted and not isinstance(error, Refused):
                raise
            refused[entry.version] = str(error)
    followed.publish()
    status = _status(followed, upstreams[0].url, wish, values["MIRROR_STALE_DAYS"])
    write(folder, status)
    held = [entry for entry in current if (staging.shown / entry.version).exists() and entry.version not in refused]
    old = held[wish.newest :] if wish.prune else []
    for entry in old:
        staging.remove(entry)
    if not refused:
        staging.clear()
    removed = tuple(entry.version for entry in old)
    problems = tuple(verify(folder, partial=bool(refused) or wish.holds != "all", deep=False).problems)
    fetched = sum(one.received for one in upstreams)
    return Copied(
        status, tuple(added), gone, removed, refused, problems, tuple(tidy.moved), tidy.place, failed, left, fetched
    )


def _current(followed: Followed) -> list[release_index.Entry]:
    """The releases that were not withdrawn, newest first."""
    entries = [entry for entry in followed.entries if entry.withdrawn is None]
    return sorted(entries, key=lambda entry: order(entry.version), reverse=True)


def _wanted(followed: Followed, wish: Wish) -> list[release_index.Entry]:
    """The releases to copy, newest first: the one that most people read appears first."""
    current = _current(followed)
    if not wish.version:
        return current[: wish.newest] if wish.newest else current
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


def _status(followed: Followed, original: str, wish: Wish, stale_days: int) -> MirrorStatus:
    now = datetime.now(UTC)
    return MirrorStatus(
        upstream=original,
        synced_from=followed.upstream.url,
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
            if (metadata.folder(folder) / "timestamp.json").exists() and not is_copy(folder):
                raise MirrorError(f"{folder} is an origin's store, not a mirror: nothing is copied into it")
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
