"""Following another store's signed metadata: from a trusted root to the list of releases, by python-tuf's client.

What is trusted and what was seen last stays in {mirror}/upstream, so that an older state is never taken for a newer
one. The same bytes are published in {mirror}/tuf when everything they name is here: a mirror of the mirror verifies
the origin's signatures.
"""

import contextlib
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from tuf.api import exceptions
from tuf.api.exceptions import LengthOrHashMismatchError, RepositoryError
from tuf.api.metadata import Metadata, Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.ngclient import FetcherInterface, Updater, UpdaterConfig

from api.mirror.upstream import MirrorError, Missing, Upstream
from api.model.files import RELEASE_INDEX
from api.store import atomic_files, manifest, release_index
from api.store.manifest import Contents
from api.trust import metadata
from api.trust.keys import Tell
from api.trust.metadata import PINNED, UPSTREAM

LIMITS = UpdaterConfig()
MEANINGS = {
    exceptions.ExpiredMetadataError: "its signature has expired: the publisher has not run `lantern sign --refresh`, "
    "or an attacker is serving an old state and withholding a newer one",
    exceptions.BadVersionNumberError: "it serves an older state than the one seen before, a rollback",
    exceptions.UnsignedMetadataError: "it is not signed by the keys that are trusted here",
    LengthOrHashMismatchError: "its metadata was altered, or changed while it was read",
}


class Followed:
    """The upstream's state, verified: its list of releases and what is signed of each."""

    def __init__(self, upstream: Upstream, folder: Path, updater: Updater, root: str) -> None:
        self.upstream, self.folder, self.updater, self.root = upstream, folder, updater, root
        self.entries = release_index.read(self._target(RELEASE_INDEX))
        timestamp = Metadata[Timestamp].from_bytes((folder / UPSTREAM / "timestamp.json").read_bytes())
        self.expires: datetime = timestamp.signed.expires

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

    def _described(self, name: str) -> TargetFile:
        target = self.updater.get_targetinfo(name)
        if target is None or "sha256" not in target.hashes:
            raise MirrorError(f"{name}: is not signed")
        return target

    def _target(self, name: str) -> bytes:
        """A signed file: from this folder if it is here, else from the upstream and then here."""
        target = self._described(name)
        path = metadata.target_path(self.folder, name, target.hashes["sha256"])
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
        atomic_files.write(path, data)
        return data

    def publish(self) -> None:
        """Put the metadata where the mirror's own readers look; the timestamp, which decides, last."""
        seen, shown = self.folder / UPSTREAM, metadata.folder(self.folder)
        for version, data in metadata.roots(seen / "root_history"):
            atomic_files.write_new(metadata.role_path(self.folder, "root", version), data)
        atomic_files.write_new(shown / "root.json", data)  # the newest
        for role, kind in (("targets", Metadata[Targets]), ("snapshot", Metadata[Snapshot])):
            data = (seen / f"{role}.json").read_bytes()
            version = kind.from_bytes(data).signed.version
            atomic_files.write_new(metadata.role_path(self.folder, role, version), data)
        atomic_files.write_new(shown / "timestamp.json", (seen / "timestamp.json").read_bytes())
        atomic_files.write_new(self.folder / RELEASE_INDEX, self._target(RELEASE_INDEX))


def follow(upstream: Upstream, folder: Path, root: bytes | None, fingerprint: str, tell: Tell) -> Followed:
    """Bring {folder}/upstream up to date and read the list of releases.

    The caller trusts a root, or a fingerprint of one; where neither is given, what the upstream serves first. Raises
    MirrorError for everything that is not as it must be.
    """
    seen = folder / UPSTREAM
    known = seen / PINNED
    first = not known.exists()
    try:
        pinned = _first_trust(upstream, root, fingerprint, tell) if first else _same_trust(seen, root, fingerprint)
        seen.mkdir(parents=True, exist_ok=True)
        for left in seen.glob("tmp*"):  # what the client leaves when it is killed
            left.unlink()
        base = f"{upstream.url}/{metadata.FOLDER}/"
        updater = Updater(str(seen), base, fetcher=_Fetcher(upstream), config=LIMITS, bootstrap=pinned)
        updater.refresh()
        # All of this is on the disk before it is acted on: a crash must not make us forget what was seen.
        for path in [*seen.rglob("*.json"), seen / "root_history", seen]:
            atomic_files.sync(path)
        atomic_files.write_new(known, pinned)
        followed = Followed(upstream, folder, updater, metadata.fingerprint(pinned))
        if first:
            _older_roots(upstream, folder, pinned)
        return followed
    except Missing as error:
        raise MirrorError(f"{upstream.url} is not a signed store, or only a part of one: {error}") from error
    except (RepositoryError, exceptions.DownloadError, ValueError) as error:
        meaning = next(
            (text for kind, text in MEANINGS.items() if isinstance(error, kind)), "its metadata is not valid"
        )
        raise MirrorError(f"{upstream.url} is refused: {meaning} ({error})") from error
    finally:
        if first and not known.exists():
            shutil.rmtree(seen, ignore_errors=True)


def _first_trust(upstream: Upstream, root: bytes | None, fingerprint: str, tell: Tell) -> bytes:
    """The root to begin with."""
    if root is not None:
        return root
    first = _root(upstream, 1)
    if not fingerprint:
        tell(
            f"Trusting {upstream.url} on first use. Its root has the fingerprint\n  {metadata.fingerprint(first)}\n"
            "Compare it with what the publisher tells you by another way; from now on nothing else is accepted here."
        )
        return first
    data = first
    with contextlib.suppress(Missing):
        for version in range(2, LIMITS.max_root_rotations + 1):
            if metadata.fingerprint(data) == fingerprint.lower():
                return data
            data = _root(upstream, version)
    raise MirrorError(
        f"{upstream.url} has no root with the fingerprint {fingerprint}: its first has "
        f"{metadata.fingerprint(first)}. Nothing was copied"
    )


def _root(upstream: Upstream, version: int) -> bytes:
    return upstream.read(f"{metadata.FOLDER}/{version}.root.json", LIMITS.root_max_length)


def _same_trust(seen: Path, root: bytes | None, fingerprint: str) -> bytes:
    """The root that was pinned. Raises MirrorError where the caller now trusts another."""
    pinned = (seen / PINNED).read_bytes()
    known = {metadata.fingerprint(data) for data in (pinned, *dict(metadata.roots(seen / "root_history")).values())}
    wanted = metadata.fingerprint(root) if root is not None else fingerprint.lower()
    if wanted and wanted not in known:
        raise MirrorError(
            f"{seen.parent} follows the root {metadata.fingerprint(pinned)}, not {wanted}: copy another store into "
            "another folder"
        )
    return pinned


def _older_roots(upstream: Upstream, folder: Path, pinned: bytes) -> None:
    """The roots before the pinned one, as far as each vouches for the next: for readers that begin with those."""
    later = Metadata[Root].from_bytes(pinned)
    with contextlib.suppress(MirrorError, RepositoryError):
        for version in range(later.signed.version - 1, 0, -1):
            data = _root(upstream, version)
            root = Metadata[Root].from_bytes(data)
            root.signed.verify_delegate("root", later.signed_bytes, later.signatures)
            atomic_files.write(metadata.role_path(folder, "root", version), data)
            later = root


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
