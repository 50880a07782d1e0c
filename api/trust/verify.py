"""Checking a store, a mirror or an export against its signed metadata: offline, every byte."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Signed, Targets
from tuf.api.serialization import DeserializationError

from api.model import filenames
from api.model.files import MANIFEST, RELEASE_INDEX
from api.store import manifest, release_index
from api.trust import metadata
from api.trust.keys import TrustError

# Where a mirror keeps what it was told by its upstream and has not finished copying; see api.mirror.
UPSTREAM = "upstream"
Read = Callable[[int], None]


@dataclass
class Verdict:
    """What a check found. `root` is the fingerprint of the first root: who signed is only as sure as that."""

    root: str = ""
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    releases: list[str] = field(default_factory=list)
    files: int = 0
    bytes: int = 0


def verify(
    folder: Path,
    *,
    fingerprint: str = "",
    strict: bool = False,
    partial: bool = False,
    now: datetime | None = None,
    read: Read = lambda _: None,
) -> Verdict:
    """Check everything in a folder; what is wrong stands in the verdict's `problems`.

    `fingerprint` names a root that must be in the chain. Expired metadata is a warning, because an archive must stay
    verifiable; with `strict` it is a problem. `partial`: releases that are not here are no problem. `read` is told of
    bytes as they are checked. Raises TrustError where there is nothing to check.
    """
    verdict = Verdict()
    try:
        root = _chain(folder, fingerprint, verdict)
        state = metadata.state(folder)
        if state is None:
            raise TrustError(f"{folder} holds no signed releases (no {metadata.FOLDER}/timestamp.json)")
        _signed(folder, root, state)
        entries = metadata.signed_listing(folder, state.targets.signed)
    except (RepositoryError, DeserializationError, OSError, ValueError) as error:
        verdict.problems.append(f"the signed metadata does not hold: {error}")
        return verdict
    _expiry(verdict, strict, now or datetime.now(UTC), root, state)
    _covered(folder, state.targets.signed, verdict)
    pending = _pending(folder)
    _releases(folder, entries, pending, verdict, partial, read)
    return verdict


def _chain(folder: Path, fingerprint: str, verdict: Verdict) -> Root:
    """The newest root, after a walk from the first, each signed by the one before it."""
    trusted: Root | None = None
    prints = []
    for version, raw in metadata.roots(folder):
        found = Metadata[Root].from_bytes(raw)
        if found.signed.version != version:
            raise RepositoryError(f"{version}.root.json is version {found.signed.version}")
        for by in (trusted or found.signed, found.signed):
            by.verify_delegate("root", found.signed_bytes, found.signatures)
        trusted = found.signed
        prints.append(metadata.fingerprint(raw))
    if trusted is None:
        raise TrustError(f"{folder} holds no signed releases (no {metadata.FOLDER}/1.root.json)")
    verdict.root = prints[0]
    pinned = folder / UPSTREAM / "pinned.root.json"
    wanted = fingerprint.lower() or (metadata.fingerprint(pinned.read_bytes()) if pinned.exists() else prints[0])
    if wanted not in prints:
        raise RepositoryError(f"the root {wanted} is not in its chain: it belongs to somebody else")
    return trusted


def _signed(folder: Path, root: Root, state: metadata.State) -> None:
    """The three online roles: signed by the root's keys, and each naming the next one's very bytes."""
    for role, found in (("timestamp", state.timestamp), ("snapshot", state.snapshot), ("targets", state.targets)):
        root.verify_delegate(role, found.signed_bytes, found.signatures)
    base = metadata.folder(folder)
    pointed = state.timestamp.signed.snapshot_meta
    pointed.verify_length_and_hashes((base / f"{pointed.version}.snapshot.json").read_bytes())
    described = state.snapshot.signed.meta["targets.json"]
    described.verify_length_and_hashes((base / f"{described.version}.targets.json").read_bytes())
    if (state.snapshot.signed.version, state.targets.signed.version) != (pointed.version, described.version):
        raise RepositoryError("snapshot or targets are not of the version that was signed")


def _expiry(verdict: Verdict, strict: bool, now: datetime, root: Root, state: metadata.State) -> None:
    signed: tuple[Signed, ...] = (root, state.targets.signed, state.snapshot.signed, state.timestamp.signed)
    for part in signed:
        if part.is_expired(now):
            said = (
                f"the {part.type} expired on {part.expires:%Y-%m-%d %H:%M} UTC: the copy is whole, but newer releases "
                "may exist"
            )
            (verdict.problems if strict else verdict.warnings).append(said)


def _covered(folder: Path, targets: Targets, verdict: Verdict) -> None:
    """The signed files themselves, under both names that readers use."""
    for name, target in targets.targets.items():
        beside = folder / name
        for path in {metadata.target_path(folder, name, target.hashes["sha256"]), beside}:
            if path == beside and name != RELEASE_INDEX:
                continue  # a manifest: looked at with its release
            try:
                target.verify_length_and_hashes(path.read_bytes())
            except FileNotFoundError:
                if beside != path and not beside.parent.exists():
                    continue  # of a release that is not here, which is said elsewhere
                verdict.problems.append(f"{path.relative_to(folder)} is missing")
            except RepositoryError:
                verdict.problems.append(f"{path.relative_to(folder)} is altered: it is not what was signed")


def _pending(folder: Path) -> tuple[release_index.Entry, ...]:
    """The list that a mirror is copying just now: releases become visible before it does."""
    base = folder / UPSTREAM
    try:
        root = None
        for path in sorted((base / "root_history").glob("*.root.json"), key=lambda p: int(p.name.split(".")[0])):
            found = Metadata[Root].from_bytes(path.read_bytes())
            (root or found.signed).verify_delegate("root", found.signed_bytes, found.signatures)
            root = found.signed
        targets = Metadata[Targets].from_bytes((base / "targets.json").read_bytes())
        if root is None:
            return ()
        root.verify_delegate("targets", targets.signed_bytes, targets.signatures)
        return metadata.signed_listing(folder, targets.signed)
    except (OSError, ValueError, RepositoryError, DeserializationError):
        return ()


def _releases(
    folder: Path,
    entries: tuple[release_index.Entry, ...],
    pending: tuple[release_index.Entry, ...],
    verdict: Verdict,
    partial: bool,
    read: Read,
) -> None:
    signed = {entry.version: entry for entry in (*pending, *entries)}
    gone = {entry.version: entry.withdrawn for entry in (*pending, *entries) if entry.withdrawn is not None}
    listed = {entry.version for entry in entries}
    base = folder / "releases"
    for path in sorted(base.glob("*")) if base.is_dir() else ():
        if path.name not in signed:
            verdict.problems.append(f"releases/{path.name} is not among the signed releases")
    for version, entry in signed.items():
        there = (base / version).is_dir() and filenames.reason_of_version(version) is None
        if version in gone and there:
            verdict.problems.append(f"release {version} was withdrawn and is still here: {gone[version]}")
        elif there:
            verdict.problems += (
                f"releases/{version}: {wrong}" for wrong in _wrong(base / version, entry, verdict, read)
            )
        elif version in listed and version not in gone:
            said = f"release {version} is not here"
            (verdict.warnings if partial else verdict.problems).append(said)


def _wrong(folder: Path, entry: release_index.Entry, verdict: Verdict, read: Read) -> Iterator[str]:
    """What is wrong with one release."""
    try:
        raw = (folder / MANIFEST).read_bytes()
        if metadata.fingerprint(raw) != entry.manifest:
            yield f"{MANIFEST} is altered: it is not what was signed"
            return
        found = manifest.read(raw)
    except (OSError, manifest.BadManifest) as error:
        yield str(error)
        return
    if (found.version, found.published_at) != (entry.version, entry.published_at):
        yield f"{MANIFEST} speaks of version {found.version}"
    yield from manifest.differences(folder, found)
    read(found.total)
    verdict.releases.append(entry.version)
    verdict.files += len(found.files)
    verdict.bytes += found.total
