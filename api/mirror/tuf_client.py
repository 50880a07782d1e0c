"""Following another store's signed metadata: from a trusted root to the list of releases, by python-tuf's client.

What is trusted and what was seen last stays in {mirror}/upstream, so that an older state is never taken for a newer
one. The same bytes are published in {mirror}/tuf when everything they name is here: a mirror of the mirror verifies
the origin's signatures.
"""

import contextlib
import re
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from tuf.api import exceptions
from tuf.api.exceptions import LengthOrHashMismatchError, RepositoryError
from tuf.api.metadata import Metadata, Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.ngclient import FetcherInterface, Updater

from api.mirror import trusting
from api.mirror.tidying import Tidy
from api.mirror.trusting import HISTORY, LIMITS
from api.mirror.upstream import MirrorError, Missing, Upstream
from api.model.files import RELEASE_INDEX, UPSTREAM
from api.store import atomic_files, manifest, release_index
from api.store.manifest import LARGEST, Contents
from api.trust import metadata
from api.trust.keys import Tell
from api.trust.metadata import PINNED

_ROLE = re.compile(r"[0-9]+\.(targets|snapshot)\.json")  # in tuf/, also those of earlier states
MEANINGS = {
    exceptions.ExpiredMetadataError: "its signature has expired: the publisher has not run `lantern sign --refresh`, "
    "or an attacker is serving an old state and withholding a newer one",
    exceptions.BadVersionNumberError: "it serves an older state than the one seen before, a rollback",
    exceptions.UnsignedMetadataError: "it is not signed by the keys that are trusted here",
    LengthOrHashMismatchError: "its metadata was altered, or changed while it was read",
}


class Followed:
    """The upstream's state, verified: its list of releases and what is signed of each. `seen` holds its metadata."""

    def __init__(self, upstream: Upstream, tidy: Tidy, seen: Path, updater: Updater, pinned: bytes) -> None:
        self.upstream, self.tidy, self.folder, self.seen, self.updater = upstream, tidy, tidy.folder, seen, updater
        self.pinned, self.root = pinned, metadata.fingerprint(pinned)
        self.listed = self._target(RELEASE_INDEX)
        self.entries = release_index.read(self.listed)
        self.expires: datetime = Metadata[Timestamp].from_bytes(self._seen("timestamp")).signed.expires

    def _seen(self, role: str) -> bytes:
        """A role's metadata that is in force, under the name that the client keeps it by."""
        return (self.seen / f"{role}.json").read_bytes()

    def manifest(self, entry: release_index.Entry) -> Contents:
        """A release's manifest, verified. Raises MirrorError for one that must not be acted on."""
        name = metadata.manifest_name(entry.version)
        if self._described(name).hashes["sha256"] != entry.manifest:
            raise MirrorError(f"{name}: the list of releases names another manifest than the signature")
        try:
            contents = manifest.read(self._target(name))
        except manifest.BadManifest as error:
            raise MirrorError(f"release {entry.version} is refused: {error}") from error
        if (contents.version, contents.published_at) != (entry.version, entry.published_at):
            raise MirrorError(f"release {entry.version} is refused: its manifest is that of release {contents.version}")
        return contents

    def keep(self, name: str, data: bytes) -> None:
        """Put a signed file where TUF clients look for it."""
        self.tidy.put(self._path(name), data)

    def is_kept(self, name: str) -> bool:
        return self._path(name).is_file()

    def _path(self, name: str) -> Path:
        return metadata.target_path(self.folder, name, self._described(name).hashes["sha256"])

    def _described(self, name: str) -> TargetFile:
        target = self.updater.get_targetinfo(name)
        if target is None or "sha256" not in target.hashes:
            raise MirrorError(f"{name}: is not signed")
        if target.length > LARGEST:
            raise MirrorError(f"{name}: has {target.length} bytes by its signature: at most {LARGEST} are read")
        return target

    def _target(self, name: str) -> bytes:
        """A signed file: from this folder if it is here, else from the upstream."""
        target, path = self._described(name), self._path(name)
        with contextlib.suppress(OSError, LengthOrHashMismatchError):
            data = path.read_bytes()
            target.verify_length_and_hashes(data)
            return data
        address = path.relative_to(self.folder).as_posix()
        data = self.upstream.read(address, target.length)
        try:
            target.verify_length_and_hashes(data)
        except LengthOrHashMismatchError as error:
            raise MirrorError(f"{address}: altered: it is not what was signed") from error
        return data

    def publish(self) -> None:
        """Put the metadata where the mirror's own readers look; the timestamp, which decides, last.

        What stands beside it and is not of the publisher is moved away.
        """
        shown = metadata.folder(self.folder)
        data = self._seen("root")
        first, newest = (Metadata[Root].from_bytes(one).signed.version for one in (self.pinned, data))
        roots = trusting.older(self.upstream, self.folder, self.pinned)
        roots |= {n: (self.seen / HISTORY / f"{n}.root.json").read_bytes() for n in range(first, newest + 1)}
        names = {"root.json", "timestamp.json", "targets", *(f"{version}.root.json" for version in roots)}
        for path in sorted(shown.glob("*")):
            if path.name not in names and not _ROLE.fullmatch(path.name) or path.is_dir() != (path.name == "targets"):
                self.tidy.aside(path)
        for version, root in roots.items():
            self.tidy.put(metadata.role_path(self.folder, "root", version), root)
        self.tidy.put(shown / "root.json", data)
        for role, kind in (("targets", Metadata[Targets]), ("snapshot", Metadata[Snapshot])):
            data = self._seen(role)
            self.tidy.put(metadata.role_path(self.folder, role, kind.from_bytes(data).signed.version), data)
        self.tidy.put(self.folder / RELEASE_INDEX, self.listed)
        self.tidy.put(shown / "timestamp.json", self._seen("timestamp"))
        atomic_files.readable(shown)


def follow(
    upstream: Upstream, tidy: Tidy, root: bytes | None, fingerprint: str, tell: Tell, adopting: bool = False
) -> Followed:
    """Bring {folder}/upstream up to date and read the list of releases.

    The caller trusts a root, or a fingerprint of one; where neither is given, what the upstream serves first. Where
    `adopting`, `root` takes the place of the one that was trusted, once the upstream is found to be signed under it.
    Raises MirrorError for everything that is not as it must be.
    """
    folder = tidy.folder
    seen = folder / (f"{UPSTREAM}.new" if adopting else UPSTREAM)
    first = True
    try:
        shutil.rmtree(folder / f"{UPSTREAM}.new", ignore_errors=True)
        known, lost = (None, "") if adopting else trusting.pinned(folder)
        if known is None:
            first, pinned = not lost, trusting.first_trust(upstream, root, fingerprint or lost, tell)
        else:
            first, pinned = False, trusting.same_trust(folder, known, root, fingerprint)
        seen.mkdir(parents=True, exist_ok=True)
        for left in seen.glob("tmp*"):  # what the client leaves when it is killed
            left.unlink()
        base = f"{upstream.url}/{metadata.FOLDER}/"
        updater = Updater(str(seen), base, fetcher=_Fetcher(upstream), config=LIMITS, bootstrap=pinned)
        updater.refresh()
        # All of this is on the disk before it is acted on: a crash must not make us forget what was seen.
        for path in [*seen.rglob("*.json"), seen / HISTORY, seen]:
            atomic_files.sync(path)
        atomic_files.write_new(seen / PINNED, pinned)
        followed = Followed(upstream, tidy, seen, updater, pinned)
        if adopting:
            trusting.adopt(tidy, seen, pinned, tell)
            followed.seen = folder / UPSTREAM
        followed.keep(RELEASE_INDEX, followed.listed)
        first = False
        return followed
    except Missing as error:
        raise MirrorError(f"{upstream.url} is not a signed store, or only a part of one: {error}") from error
    except (RepositoryError, exceptions.DownloadError, ValueError) as error:
        meaning = next(
            (text for kind, text in MEANINGS.items() if isinstance(error, kind)), "its metadata is not valid"
        )
        raise MirrorError(f"{upstream.url} is refused: {meaning} ({error})") from error
    finally:
        if first and not (seen / PINNED).exists():
            shutil.rmtree(seen, ignore_errors=True)


class _Fetcher(FetcherInterface):
    """Lets the client read through our connections."""

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream

    def download_bytes(self, url: str, max_length: int) -> bytes:
        try:
            return self.upstream.read(url.removeprefix(f"{self.upstream.url}/"), max_length)
        except Missing as error:
            raise exceptions.DownloadHTTPError(str(error), 404) from error

    def _fetch(self, url: str) -> Iterator[bytes]:
        raise NotImplementedError
