"""The signed metadata of a store on disk: the path of each file, and the current state read from it.

{store}/tuf/{n}.root.json {n}.targets.json {n}.snapshot.json   never changed once they are written
{store}/tuf/root.json timestamp.json                           the newest root; the one file that decides
{store}/tuf/targets/{sha256}.releases.json                     what the signature covers, under the names that a
{store}/tuf/targets/releases/{version}/{sha256}.manifest.json  TUF client requests
"""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp
from tuf.api.serialization import DeserializationError

from api.model.files import RELEASE_INDEX
from api.store import release_index

FOLDER = "tuf"
PINNED = "pinned.root.json"  # in UPSTREAM: the root that the mirror trusted first


class State(NamedTuple):
    """What a store's timestamp points at. The signatures are not verified."""

    timestamp: Metadata[Timestamp]
    snapshot: Metadata[Snapshot]
    targets: Metadata[Targets]


def folder(store: Path) -> Path:
    return store / FOLDER


def role_path(store: Path, role: str, version: int) -> Path:
    """The file of a role's metadata: with its version in the name, but for the timestamp."""
    return folder(store) / ("timestamp.json" if role == "timestamp" else f"{version}.{role}.json")


def manifest_name(version: str) -> str:
    """The name under which the signature covers a release's manifest."""
    return f"releases/{version}/manifest.json"


def target_path(store: Path, name: str, sha256: str) -> Path:
    """Where the file of a target's name is kept for TUF clients."""
    before, _, last = name.rpartition("/")
    return folder(store) / "targets" / before / f"{sha256}.{last}"


def roots(folder: Path) -> Iterator[tuple[int, bytes]]:
    """The roots in a folder, oldest first, up to the first gap: version and bytes."""
    numbers = (path.name.split(".")[0] for path in folder.glob("*.root.json"))
    version = min((int(number) for number in numbers if number.isdecimal()), default=0)
    while (path := folder / f"{version}.root.json").exists():
        yield version, path.read_bytes()
        version += 1


def newest_root(store: Path) -> Metadata[Root] | None:
    """The root that is in force."""
    every = list(roots(folder(store)))
    return Metadata[Root].from_bytes(every[-1][1]) if every else None


def fingerprint(raw: bytes) -> str:
    """What identifies a root to people: the SHA-256 of its file."""
    return hashlib.sha256(raw).hexdigest()


def state(store: Path) -> State | None:
    """What the timestamp points at, None where nothing was signed yet.

    Raises RepositoryError for metadata that cannot be read.
    """
    path = folder(store) / "timestamp.json"
    if not path.exists():
        return None
    try:
        timestamp = Metadata[Timestamp].from_bytes(path.read_bytes())
        version = timestamp.signed.snapshot_meta.version
        snapshot = Metadata[Snapshot].from_bytes(role_path(store, "snapshot", version).read_bytes())
        version = snapshot.signed.meta["targets.json"].version
        targets = Metadata[Targets].from_bytes(role_path(store, "targets", version).read_bytes())
    except (OSError, DeserializationError, KeyError) as error:
        raise RepositoryError(f"the signed metadata in {folder(store)} cannot be read: {error}") from error
    return State(timestamp, snapshot, targets)


def expiries(store: Path) -> dict[str, datetime]:
    """When the signature of each role expires; {} where nothing was signed. Raises RepositoryError, as `state` does."""
    newest = newest_root(store)
    parts = [newest.signed, *(part.signed for part in state(store) or ())] if newest else []
    return {part.type: part.expires for part in parts}


def signed_listing(store: Path, targets: Targets) -> tuple[release_index.Entry, ...]:
    """The list of releases that the targets cover. Raises RepositoryError where it is not the one that was signed."""
    target = targets.targets.get(RELEASE_INDEX)
    if target is None:
        raise RepositoryError("the signed targets name no list of releases")
    data = target_path(store, RELEASE_INDEX, target.hashes["sha256"]).read_bytes()
    target.verify_length_and_hashes(data)
    return release_index.read(data)
