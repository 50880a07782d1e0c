"""Following another store's signed metadata: from a trusted root to the list of releases, by python-tuf's client.

What is trusted and what was seen last stays in {mirror}/upstream, so that an older state is never taken for a newer
one. The same bytes are published in {mirror}/tuf when everything they speak of is there: whoever mirrors the mirror
checks the origin's signatures.
"""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tuf.api.exceptions import (
    BadVersionNumberError,
    DownloadError,
    DownloadHTTPError,
    ExpiredMetadataError,
    LengthOrHashMismatchError,
    RepositoryError,
    UnsignedMetadataError,
)
from tuf.api.metadata import Metadata, Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.ngclient import FetcherInterface, Updater, UpdaterConfig

from api.mirror.source import MirrorError, Missing, Source
from api.model.files import RELEASE_INDEX
from api.store import atomic_files, release_index
from api.trust import metadata

Tell = Callable[[str], None]
UPSTREAM = "upstream"
PINNED = "pinned.root.json"
LIMITS = UpdaterConfig()


@dataclass(frozen=True)
class Trust:
    """What the caller trusts: a root as bytes, or its fingerprint; neither: what the source shows first."""

    root: bytes | None = None
    fingerprint: str = ""


class Followed:
    """The upstream's state, verified: its list of releases and what is signed of each."""

    def __init__(self, source: Source, folder: Path, updater: Updater, root: str) -> None:
        self.source, self.folder, self.updater, self.root = source, folder, updater, root
        self.entries = release_index.read(self._target(RELEASE_INDEX))
        read = (folder / UPSTREAM / "timestamp.json").read_bytes()
        self.expires: datetime = Metadata[Timestamp].from_bytes(read).signed.expires

    def manifest(self, entry: release_index.Entry) -> bytes:
        """A release's manifest, verified. Raises MirrorError where the list and the signature disagree."""
        name = metadata.manifest_name(entry.version)
        if self._described(name).hashes.get("sha256") != entry.manifest:
            raise MirrorError(f"{name}: the list of releases names another manifest than the signature")
        return self._target(name)

    def _described(self, name: str) -> TargetFile:
        found = self.updater.get_targetinfo(name)
        if found is None or "sha256" not in found.hashes:
            raise MirrorError(f"{name}: is not signed")
        return found

    def _target(self, name: str) -> bytes:
        """A signed file: from this folder if it is there, else from the source and then there."""
        described = self._described(name)
        path = metadata.target_path(self.folder, name, described.hashes["sha256"])
        with contextlib.suppress(OSError, LengthOrHashMismatchError):
            data = path.read_bytes()
            described.verify_length_and_hashes(data)
            return data
        address = path.relative_to(self.folder).as_posix()
        data = self.source.read(address, described.length)
        try:
            described.verify_length_and_hashes(data)
        except LengthOrHashMismatchError as error:
            raise MirrorError(f"{address}: altered: it is not what was signed") from error
        atomic_files.write(path, data)
        return data

    def publish(self) -> None:
        """Put the metadata where the mirror's own readers look; the timestamp, which decides, last."""
        seen, shown = self.folder / UPSTREAM, metadata.folder(self.folder)
        chain = _roots(seen)
        for version, data in chain:
            atomic_files.write_new(shown / f"{version}.root.json", data)
        atomic_files.write_new(shown / "root.json", chain[-1][1])
        targets, snapshot = (seen / "targets.json").read_bytes(), (seen / "snapshot.json").read_bytes()
        atomic_files.write_new(shown / f"{Metadata[Targets].from_bytes(targets).signed.version}.targets.json", targets)
        atomic_files.write_new(
            shown / f"{Metadata[Snapshot].from_bytes(snapshot).signed.version}.snapshot.json", snapshot
        )
        atomic_files.write_new(shown / "timestamp.json", (seen / "timestamp.json").read_bytes())
        atomic_files.write_new(self.folder / RELEASE_INDEX, self._target(RELEASE_INDEX))


def follow(source: Source, folder: Path, trust: Trust, tell: Tell) -> Followed:
    """Bring {folder}/upstream up to date and read the list of releases.

    Raises MirrorError for all that is not right.
    """
    seen = folder / UPSTREAM
    known = seen / PINNED
    first = not known.exists()
    try:
        pinned = _first_trust(source, trust, tell) if first else _same_trust(seen, trust)
        seen.mkdir(parents=True, exist_ok=True)
        for left in seen.glob("tmp*"):  # what the client leaves when it is killed
            left.unlink()
        updater = Updater(
            str(seen), f"{source.url}/{metadata.FOLDER}/", fetcher=_Fetcher(source), config=LIMITS, bootstrap=pinned
        )
        updater.refresh()
        _keep(seen)
        atomic_files.write_new(known, pinned)
        followed = Followed(source, folder, updater, metadata.fingerprint(pinned))
        if first:
            _older_roots(source, folder, pinned)
        return followed
    except Missing as error:
        raise MirrorError(f"{source.url} is no signed store, or only a part of one: {error}") from error
    except (RepositoryError, DownloadError, ValueError) as error:
        raise MirrorError(f"{source.url} is refused: {_words(error)}") from error
    finally:
        if first and not known.exists():
            shutil.rmtree(seen, ignore_errors=True)


def _words(error: Exception) -> str:
    """What a failed check means."""
    if isinstance(error, ExpiredMetadataError):
        return (
            f"its signature is out of date ({error}). Its keeper forgot `lantern sign --refresh`, or somebody shows "
            "an old state and holds back what is newer"
        )
    if isinstance(error, BadVersionNumberError):
        return f"it shows an older state than the one seen before, a rollback ({error})"
    if isinstance(error, UnsignedMetadataError):
        return f"it is not signed by the keys that are trusted here ({error})"
    if isinstance(error, LengthOrHashMismatchError):
        return f"its metadata was altered, or changed while it was read ({error})"
    return f"its metadata does not hold ({error})"


def _first_trust(source: Source, trust: Trust, tell: Tell) -> bytes:
    """The root to begin with."""
    if trust.root is not None:
        return trust.root
    first = source.read(f"{metadata.FOLDER}/1.root.json", LIMITS.root_max_length)
    if not trust.fingerprint:
        tell(
            f"Trusting {source.url} on first use. Its root has the fingerprint\n  {metadata.fingerprint(first)}\n"
            "Compare it with what the publisher tells you by another way; from now on nothing else is accepted here."
        )
        return first
    for data in _published_roots(source, first):
        if metadata.fingerprint(data) == trust.fingerprint.lower():
            return data
    raise MirrorError(
        f"{source.url} has no root with the fingerprint {trust.fingerprint}: its first has "
        f"{metadata.fingerprint(first)}. Nothing was copied"
    )


def _published_roots(source: Source, first: bytes) -> Iterator[bytes]:
    yield first
    for version in range(2, LIMITS.max_root_rotations):
        try:
            yield source.read(f"{metadata.FOLDER}/{version}.root.json", LIMITS.root_max_length)
        except Missing:
            return


def _same_trust(seen: Path, trust: Trust) -> bytes:
    """The root that was pinned. Raises MirrorError where the caller now trusts another."""
    pinned = (seen / PINNED).read_bytes()
    known = {metadata.fingerprint(data) for _, data in _roots(seen)} | {metadata.fingerprint(pinned)}
    wanted = metadata.fingerprint(trust.root) if trust.root is not None else trust.fingerprint.lower()
    if wanted and wanted not in known:
        raise MirrorError(
            f"{seen.parent} follows the root {metadata.fingerprint(pinned)}, not {wanted}: copy another store into "
            "another folder"
        )
    return pinned


def _roots(seen: Path) -> list[tuple[int, bytes]]:
    """The roots that the client has walked through, oldest first."""
    found = ((int(path.name.split(".")[0]), path) for path in (seen / "root_history").glob("*.root.json"))
    return [(version, path.read_bytes()) for version, path in sorted(found)]


def _older_roots(source: Source, folder: Path, pinned: bytes) -> None:
    """The roots before the pinned one, as far as each vouches for the next: for readers that begin with those."""
    later = Metadata[Root].from_bytes(pinned)
    for version in range(later.signed.version - 1, 0, -1):
        with contextlib.suppress(MirrorError, RepositoryError):
            data = source.read(f"{metadata.FOLDER}/{version}.root.json", LIMITS.root_max_length)
            found = Metadata[Root].from_bytes(data)
            found.signed.verify_delegate("root", later.signed_bytes, later.signatures)
            atomic_files.write(metadata.root_path(folder, version), data)
            later = found
            continue
        return


def _keep(seen: Path) -> None:
    """What was seen is on the disk: a crash must not make us forget it."""
    for path in [*seen.rglob("*.json"), seen / "root_history", seen]:
        atomic_files.sync(path)


class _Fetcher(FetcherInterface):
    """Lets the client ask through our source."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def download_bytes(self, url: str, max_length: int) -> bytes:
        try:
            return self.source.read(url.removeprefix(f"{self.source.url}/"), max_length)
        except Missing as error:
            raise DownloadHTTPError(str(error), 404) from error

    def _fetch(self, url: str) -> Iterator[bytes]:
        raise NotImplementedError
