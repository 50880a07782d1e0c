"""Checking a store, a mirror or an export against its signed metadata: offline, every byte."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, TargetFile, Targets

from api.index import layout
from api.model import filenames
from api.model.files import MANIFEST, RELEASE_INDEX, UPSTREAM
from api.store import manifest, release_index, removal
from api.trust import metadata
from api.trust.keys import TrustError


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
    deep: bool = True,
    now: datetime | None = None,
) -> Verdict:
    """Check everything in a folder; each error is a sentence in the verdict's `problems`.

    `fingerprint` names a root that must be in the chain. Expired metadata is a warning, because an archive must stay
    verifiable; with `strict` it is an error. `partial`: a release that is missing is a warning. Without `deep` the
    files of releases are compared by size. Raises TrustError where there is nothing to check.
    """
    verdict = Verdict()
    try:
        root, fingerprints = _walk(metadata.folder(folder))
        if root is None:
            raise TrustError(f"{folder} holds no signed releases (no {metadata.FOLDER}/1.root.json)")
        verdict.root = fingerprints[0]
        pinned = folder / UPSTREAM / metadata.PINNED
        wanted = fingerprint.lower() or (metadata.fingerprint(pinned.read_bytes()) if pinned.exists() else verdict.root)
        if wanted not in fingerprints:
            raise RepositoryError(f"the root {wanted} is not in its chain: somebody else signed it")
        state = metadata.state(folder)
        if state is None:
            raise TrustError(f"{folder} holds no signed releases (no {metadata.FOLDER}/timestamp.json)")
        _signed(folder, root, state)
        entries = metadata.signed_listing(folder, state.targets.signed)
    except (RepositoryError, OSError, ValueError) as error:
        verdict.problems.append(f"the signed metadata is not valid: {error}")
        return verdict
    (verdict.problems if strict else verdict.warnings).extend(
        f"the {part.type} expired on {part.expires:%Y-%m-%d %H:%M} UTC: the copy is whole, but newer releases may exist"
        for part in (root, state.targets.signed, state.snapshot.signed, state.timestamp.signed)
        if part.is_expired(now)
    )
    pending = _pending(folder)
    verdict.problems += _uncovered(folder, state.targets.signed, pending)
    known = (*(metadata.signed_listing(folder, pending) if pending else ()), *entries)
    _releases(folder, known, {entry.version for entry in entries}, partial, deep, verdict)
    return verdict


def _walk(folder: Path) -> tuple[Root | None, list[str]]:
    """The newest root of a folder, after a walk from the oldest, each signed by the one before; all fingerprints."""
    trusted: Root | None = None
    fingerprints = []
    for version, raw in metadata.roots(folder):
        root = Metadata[Root].from_bytes(raw)
        if root.signed.version != version:
            raise RepositoryError(f"{version}.root.json is version {root.signed.version}")
        for by in (trusted or root.signed, root.signed):
            by.verify_delegate("root", root.signed_bytes, root.signatures)
        trusted = root.signed
        fingerprints.append(metadata.fingerprint(raw))
    return trusted, fingerprints


def _signed(folder: Path, root: Root, state: metadata.State) -> None:
    """The three online roles: signed by the root's keys, and each naming the next one's very bytes."""
    for role, part in state._asdict().items():
        root.verify_delegate(role, part.signed_bytes, part.signatures)
    snapshot, targets = state.timestamp.signed.snapshot_meta, state.snapshot.signed.meta["targets.json"]
    for role, described in (("snapshot", snapshot), ("targets", targets)):
        described.verify_length_and_hashes(metadata.role_path(folder, role, described.version).read_bytes())
    if (state.snapshot.signed.version, state.targets.signed.version) != (snapshot.version, targets.version):
        raise RepositoryError("snapshot or targets are not of the version that was signed")


def _uncovered(folder: Path, targets: Targets, pending: Targets | None) -> Iterator[str]:
    """What is wrong with the signed files themselves; the list of releases is under both names that readers use."""
    for name, target in targets.targets.items():
        paths = [metadata.target_path(folder, name, target.hashes["sha256"])]
        for path in [*paths, folder / name] if name == RELEASE_INDEX else paths:
            allowed = [target] if path in paths or not pending else [target, pending.targets[name]]
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                if (folder / name).parent.exists():  # else its release is missing, which is reported elsewhere
                    yield f"{path.relative_to(folder)} is missing"
            except OSError as error:
                yield f"{path.relative_to(folder)} cannot be read: {error.strerror}"
            else:
                if not any(_is(data, one) for one in allowed):
                    yield f"{path.relative_to(folder)} is altered: it is not what was signed"


def _is(data: bytes, target: TargetFile) -> bool:
    try:
        target.verify_length_and_hashes(data)
    except RepositoryError:
        return False
    return True


def _pending(folder: Path) -> Targets | None:
    """What a mirror is copying just now: releases and their list become visible before it is published."""
    base = folder / UPSTREAM
    try:
        root, _ = _walk(base / "root_history")
        targets = Metadata[Targets].from_bytes((base / "targets.json").read_bytes())
        if root is None:
            return None
        root.verify_delegate("targets", targets.signed_bytes, targets.signatures)
        metadata.signed_listing(folder, targets.signed)
        return targets.signed
    except (RepositoryError, OSError, ValueError):
        return None


def _releases(
    folder: Path, known: Sequence[release_index.Entry], listed: set[str], partial: bool, deep: bool, verdict: Verdict
) -> None:
    signed = {entry.version: entry for entry in known}
    gone = {entry.version: entry.withdrawn for entry in known if entry.withdrawn is not None}
    removed = sorted({entry.version for entry in known if entry.removed})
    base = folder / "releases"
    strangers = sorted(path.name for path in base.glob("*") if path.name not in signed)
    verdict.problems += (f"releases/{name} is not among the signed releases" for name in strangers)
    for version, entry in signed.items():
        present = (base / version).is_dir() and filenames.reason_of_version(version) is None
        if version in removed:
            continue
        if version in gone and present:
            verdict.problems.append(f"release {version} was withdrawn and is still here: {gone[version]}")
        elif present:
            errors = _errors(base / version, entry, deep, verdict)
            verdict.problems += (f"releases/{version}: {error}" for error in errors)
        elif version in listed and version not in gone:
            (verdict.warnings if partial else verdict.problems).append(f"release {version} is missing")
    for version in removed:
        paths = (path.relative_to(folder) for path in removal.left(folder, layout.folder(folder, ""), version))
        verdict.problems += (f"release {version} was removed and {path} is still here" for path in paths)


def _errors(folder: Path, entry: release_index.Entry, deep: bool, verdict: Verdict) -> Iterator[str]:
    """The errors of one release, which is counted in the verdict."""
    try:
        raw = (folder / MANIFEST).read_bytes()
        if metadata.fingerprint(raw) != entry.manifest:
            raise manifest.BadManifest(f"{MANIFEST} is altered: it is not what was signed")
        contents = manifest.read(raw)
    except (OSError, manifest.BadManifest) as error:
        yield str(error)
        return
    if (contents.version, contents.published_at) != (entry.version, entry.published_at):
        yield f"{MANIFEST} is that of version {contents.version}"
    yield from manifest.differences(folder, contents, deep)
    verdict.releases.append(entry.version)
    verdict.files += len(contents.files)
    verdict.bytes += contents.total
