"""Signing the roles of a store: targets, snapshot and timestamp, as far as they must be new; the timestamp last."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, MetaFile, Root, Signed, Snapshot, T, TargetFile, Targets, Timestamp

from api.model.files import RELEASE_INDEX
from api.store import atomic_files, release_index
from api.trust import metadata
from api.trust.keys import Keyring, Tell


@dataclass(frozen=True)
class RoleSigner:
    """Signs a store under a root. `also` holds further keys by role, whose roles are signed anew in any case."""

    store: Path
    keys: Keyring
    root: Root
    now: datetime
    tell: Tell
    also: Mapping[str, Sequence[CryptoSigner]] = field(default_factory=dict)

    def publish(self, entries: tuple[release_index.Entry, ...]) -> None:
        """Sign a list of releases."""
        listed = release_index.dump(entries)
        self._sign(_cover(self.store, entries, listed))
        atomic_files.write_new(self.store / RELEASE_INDEX, listed)

    def repeat(self, state: metadata.State) -> None:
        """Sign what was signed last, under a new timestamp at least."""
        self._sign(dict(state.targets.signed.targets), again=True)

    def _sign(self, covered: dict[str, TargetFile], again: bool = False) -> None:
        old = metadata.state(self.store)
        targets = self._role(Targets, old.targets if old else None, targets=covered)
        snapshot = self._role(Snapshot, old.snapshot if old else None, meta={"targets.json": targets})
        self._role(Timestamp, old.timestamp if old else None, again, snapshot_meta=snapshot)

    def _role(self, kind: type[T], old: Metadata[T] | None, again: bool = False, **content: Any) -> MetaFile:
        """What points at a role's metadata: at the old ones where they will do, else at new ones, just written."""
        role: str = kind.type
        same = old is not None and all(getattr(old.signed, name) == value for name, value in content.items())
        if old is not None and same and not again and role not in self.also and self._will_do(role, old):
            version = old.signed.version
            data = metadata.role_path(self.store, role, version).read_bytes()
        else:
            version = old.signed.version + 1 if old else 1
            signed = kind(version, expires=self.keys.expiry(role, self.now), **content)
            data = sealed(signed, [*self.keys.needed(self.root, role), *self.also.get(role, ())])
            atomic_files.write(metadata.role_path(self.store, role, version), data)
        return MetaFile.from_data(version, data, ["sha256"])

    def _will_do(self, role: str, old: Metadata[T]) -> bool:
        try:
            self.root.verify_delegate(role, old.signed_bytes, old.signatures)
        except RepositoryError:
            return False
        if not self.keys.is_due(old.signed, self.now):
            return True
        if self.keys.signers(self.root, role) or old.signed.is_expired(self.now):
            return False
        self.tell(f"{role} expires on {old.signed.expires:%Y-%m-%d} and its key is not in {self.keys.folder}")
        return True


def _cover(store: Path, entries: Iterable[release_index.Entry], listed: bytes) -> dict[str, TargetFile]:
    """The files that the signature covers, each written where TUF clients look for it."""
    names = [metadata.manifest_name(entry.version) for entry in entries if entry.withdrawn is None]
    files = {RELEASE_INDEX: listed} | {name: (store / name).read_bytes() for name in names}
    for name, data in files.items():
        atomic_files.write_new(metadata.target_path(store, name, metadata.fingerprint(data)), data)
    return {name: TargetFile.from_data(name, data, ["sha256"]) for name, data in files.items()}


def sealed(signed: Signed, signers: Iterable[CryptoSigner]) -> bytes:
    """Metadata with its signatures, as bytes."""
    envelope: Metadata[Signed] = Metadata(signed)  # type: ignore[type-var]  # any of the four
    for signer in signers:
        envelope.sign(signer, append=True)
    return envelope.to_bytes(metadata.READABLE)
