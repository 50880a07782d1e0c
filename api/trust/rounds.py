"""One round of signing: targets, snapshot and timestamp, as far as they must be new; the timestamp last."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, MetaFile, Root, Signed, Snapshot, T, TargetFile, Targets, Timestamp

from api.model.files import MANIFEST, RELEASE_INDEX
from api.store import atomic_files, release_index
from api.trust import metadata
from api.trust.keys import Keyring, TrustError

Tell = Callable[[str], None]


class Round:
    """Signs a store under a root. `also` holds further keys by role, whose roles are signed anew in any case."""

    def __init__(
        self,
        store: Path,
        keys: Keyring,
        root: Root,
        now: datetime,
        tell: Tell,
        also: Mapping[str, Sequence[CryptoSigner]] | None = None,
    ) -> None:
        self.store, self.keys, self.root, self.now, self.tell, self.also = store, keys, root, now, tell, also or {}

    def publish(self, entries: tuple[release_index.Entry, ...]) -> None:
        """Sign a list of releases."""
        listed = release_index.dump(entries)
        self._roles(_cover(self.store, entries, listed))
        atomic_files.write_new(self.store / RELEASE_INDEX, listed)

    def repeat(self, state: metadata.State) -> None:
        """Sign what was signed last, under a new timestamp at least."""
        self._roles(dict(state.targets.signed.targets), again=True)

    def _roles(self, covered: dict[str, TargetFile], again: bool = False) -> None:
        before = metadata.state(self.store)
        targets = self._role(
            "targets",
            before.targets if before else None,
            lambda old: old.targets == covered,
            lambda version, expires: Targets(version, expires=expires, targets=covered),
        )
        snapshot = self._role(
            "snapshot",
            before.snapshot if before else None,
            lambda old: old.meta["targets.json"] == targets,
            lambda version, expires: Snapshot(version, expires=expires, meta={"targets.json": targets}),
        )
        self._role(
            "timestamp",
            before.timestamp if before else None,
            lambda old: old.snapshot_meta == snapshot and not again,
            lambda version, expires: Timestamp(version, expires=expires, snapshot_meta=snapshot),
        )

    def _role(
        self,
        role: str,
        old: Metadata[T] | None,
        same: Callable[[T], bool],
        make: Callable[[int, datetime], T],
    ) -> MetaFile:
        """What points at a role's metadata: at those there are where they will do, else at new ones, just written."""
        if old is not None and same(old.signed) and role not in self.also and self._will_do(role, old):
            return MetaFile.from_data(old.signed.version, self._path(role, old.signed.version).read_bytes(), ["sha256"])
        signed = make(old.signed.version + 1 if old else 1, expiry(self.keys, role, self.now))
        data = sealed(signed, [*needed(self.keys, self.root, role), *self.also.get(role, ())])
        atomic_files.write(self._path(role, signed.version), data)
        return MetaFile.from_data(signed.version, data, ["sha256"])

    def _path(self, role: str, version: int) -> Path:
        return metadata.folder(self.store) / (f"{role}.json" if role == "timestamp" else f"{version}.{role}.json")

    def _will_do(self, role: str, old: Metadata[T]) -> bool:
        try:
            self.root.verify_delegate(role, old.signed_bytes, old.signatures)
        except RepositoryError:
            return False
        if not due(old.signed, self.keys, role, self.now):
            return True
        if self.keys.signers(self.root, role) or old.signed.is_expired(self.now):
            return False
        self.tell(f"{role} expires on {old.signed.expires:%Y-%m-%d} and its key is not in {self.keys.folder}")
        return True


def _cover(store: Path, entries: Iterable[release_index.Entry], listed: bytes) -> dict[str, TargetFile]:
    """The files that the signature covers, each put where TUF clients find it."""
    files = {RELEASE_INDEX: listed}
    for entry in entries:
        if entry.withdrawn is None:
            path = store / "releases" / entry.version / MANIFEST
            files[metadata.manifest_name(entry.version)] = path.read_bytes()
    for name, data in files.items():
        atomic_files.write_new(metadata.target_path(store, name, metadata.fingerprint(data)), data)
    return {name: TargetFile.from_data(name, data, ["sha256"]) for name, data in files.items()}


def needed(keys: Keyring, root: Root, role: str) -> list[CryptoSigner]:
    """The keys of a role. Raises TrustError where fewer are at hand than its signature needs."""
    found = keys.signers(root, role)
    threshold = root.roles[role].threshold
    if len(found) < threshold:
        lack = "key is not" if threshold == 1 else f"keys (at least {threshold}) are not"
        raise TrustError(f"the {role} {lack} in {keys.folder}: bring them there, or set LANTERN_KEYS to where they are")
    return found


def sealed(signed: Signed, signers: Iterable[CryptoSigner]) -> bytes:
    """Metadata with its signatures, as bytes."""
    found: Metadata[Signed] = Metadata(signed)  # type: ignore[type-var]  # any of the four
    for signer in signers:
        found.sign(signer, append=True)
    return found.to_bytes(metadata.READABLE)


def expiry(keys: Keyring, role: str, now: datetime) -> datetime:
    return now.replace(microsecond=0) + timedelta(days=keys.days[role])


def due(signed: Signed, keys: Keyring, role: str, now: datetime) -> bool:
    """Whether a signature is in the last third of its time."""
    return signed.expires - now < timedelta(days=keys.days[role]) / 3
