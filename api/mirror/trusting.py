"""Which root a mirror trusts: the first that it saw or was given, pinned in {mirror}/upstream; or one that was adopted
later, because the publisher lost the keys.
"""

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root
from tuf.ngclient import UpdaterConfig

from api.mirror.tidying import FORMER, Tidy
from api.mirror.upstream import MirrorError, Missing, Upstream
from api.model.files import MIRROR, UPSTREAM
from api.store import atomic_files
from api.trust import metadata
from api.trust.keys import Tell
from api.trust.metadata import PINNED

LIMITS = UpdaterConfig()
HISTORY = "root_history"  # in UPSTREAM, python-tuf's: the pinned root and those after it


def fetched(upstream: Upstream, version: int) -> bytes:
    """A root that the upstream serves."""
    return upstream.read(f"{metadata.FOLDER}/{version}.root.json", LIMITS.root_max_length)


def first_trust(upstream: Upstream, root: bytes | None, fingerprint: str, tell: Tell) -> bytes:
    """The root to begin with."""
    if root is not None:
        return root
    first = fetched(upstream, 1)
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
            data = fetched(upstream, version)
    raise MirrorError(
        f"{upstream.url} has no root with the fingerprint {fingerprint}: its first has "
        f"{metadata.fingerprint(first)}. Nothing was copied"
    )


def same_trust(folder: Path, pinned: bytes, root: bytes | None, fingerprint: str) -> bytes:
    """The root that was pinned. Raises MirrorError where the caller now trusts another."""
    wanted = metadata.fingerprint(root) if root is not None else fingerprint.lower()
    if wanted and wanted not in known(folder, pinned):
        raise MirrorError(
            f"{folder} follows the root {metadata.fingerprint(pinned)}, not {wanted}: copy another store into "
            "another folder, or adopt another root with --new-root"
        )
    return pinned


def known(folder: Path, pinned: bytes) -> set[str]:
    """The fingerprints of the pinned root and of those after it."""
    later = dict(metadata.roots(folder / UPSTREAM / HISTORY)).values()
    return {metadata.fingerprint(data) for data in (pinned, *later)}


def checked(data: bytes) -> Metadata[Root]:
    """A root that its own keys signed. Raises RepositoryError for anything else."""
    if len(data) > LIMITS.root_max_length:
        raise RepositoryError(f"it has {len(data)} bytes: a root has at most {LIMITS.root_max_length}")
    root = Metadata[Root].from_bytes(data)
    root.signed.verify_delegate("root", root.signed_bytes, root.signatures)
    return root


def pinned(folder: Path) -> tuple[bytes | None, str]:
    """The pinned root of a folder, and the fingerprint it should have where it is lost; (None, "") where none was.

    One that is lost or damaged is found again among the roots that are here, by what mirror.json says of it. What was
    seen last comes from tuf/ then, so that an older state is still not taken for a newer one. Raises MirrorError where
    trust would have to begin anew.
    """
    seen = folder / UPSTREAM
    with contextlib.suppress(OSError, RepositoryError):
        data = (seen / PINNED).read_bytes()
        checked(data)
        return data, ""
    try:
        fingerprint = str(json.loads((folder / MIRROR).read_bytes())["root"])
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        if (seen / PINNED).exists():
            message = (
                f"{seen / PINNED} is damaged, and no mirror.json says which root it was: remove it and name the root"
            )
            raise MirrorError(f"{message} with --root or --fingerprint") from error
        return None, ""
    for data in _roots_of(seen / HISTORY, metadata.folder(folder)):
        if metadata.fingerprint(data) == fingerprint:
            _seen_again(folder)
            atomic_files.write(seen / PINNED, data)
            return data, ""
    return None, fingerprint


def _roots_of(*folders: Path) -> Iterator[bytes]:
    for path in (path for folder in folders for path in sorted(folder.glob("*.root.json")) if path.is_file()):
        yield path.read_bytes()


def _seen_again(folder: Path) -> None:
    """What was published here last as what was seen last; the client verifies it."""
    with contextlib.suppress(OSError, RepositoryError):
        state = metadata.state(folder)
        for role, part in state._asdict().items() if state else ():
            path = folder / UPSTREAM / f"{role}.json"
            if not path.exists():
                atomic_files.write(path, metadata.role_path(folder, role, part.signed.version).read_bytes())


def older(upstream: Upstream, folder: Path, pinned: bytes) -> dict[int, bytes]:
    """The roots before the pinned one, as far as each vouches for the next: for readers that begin with those."""
    later, found = Metadata[Root].from_bytes(pinned), dict[int, bytes]()
    with contextlib.suppress(MirrorError, RepositoryError):
        for version in range(later.signed.version - 1, 0, -1):
            path = metadata.role_path(folder, "root", version)
            data = path.read_bytes() if path.is_file() else fetched(upstream, version)
            root = Metadata[Root].from_bytes(data)
            root.signed.verify_delegate("root", later.signed_bytes, later.signatures)
            found[version], later = data, root
    return found


def to_adopt(folder: Path, root: bytes) -> bool:
    """Whether a folder must still adopt a root. Raises MirrorError for what is no root or where none is followed."""
    try:
        checked(root)
    except RepositoryError as error:
        raise MirrorError(f"--new-root is not a root that its own keys signed: {error}") from error
    before, lost = pinned(folder)
    if before is None and not lost:
        raise MirrorError(f"{folder} follows no root yet: give the first one with --root")
    return metadata.fingerprint(root) not in (known(folder, before) if before else ())


def adopt(tidy: Tidy, new: Path, root: bytes, tell: Tell) -> None:
    """Put the folder `new`, in which a root was followed, in the place of UPSTREAM; what was trusted before is kept."""
    folder, (before, lost) = tidy.folder, pinned(tidy.folder)
    old = metadata.fingerprint(before) if before else lost
    away = folder / FORMER / f"{tidy.since}-{old[:16]}"
    away.mkdir(parents=True)
    if metadata.folder(folder).exists():
        shutil.copytree(metadata.folder(folder), away / metadata.FOLDER)
    atomic_files.swap(new, folder / UPSTREAM, away / UPSTREAM)
    tell(
        f"{folder} followed the root\n  {old}\nand follows from now on the root\n  {metadata.fingerprint(root)}\n"
        f"What was trusted before is in {away}"
    )
