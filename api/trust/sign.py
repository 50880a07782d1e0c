"""Signing: the state of a store under the signatures of its keys.

What readers follow is written last: files under new names, then timestamp.json by one rename. A reader, and a crash,
sees the old state or the new one.
"""

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, MetaFile, Root, Signed, Snapshot, T, TargetFile, Targets, Timestamp
from tuf.api.serialization.json import JSONSerializer

from api import settings
from api.model import dates
from api.model.files import RELEASE_INDEX
from api.store import atomic_files, release_index
from api.store.releases import is_copy
from api.store.signatures import SIGNED_AT
from api.trust import metadata, signable
from api.trust.keys import MAKING, ROLES, Keyring, Tell, TrustError, keyring

CLOCK = timedelta(minutes=5)  # by which the clocks of two machines that sign may differ


def sign_store(
    root: Path, tell: Tell = print, *, refresh: bool = False, keys: Keyring | None = None, now: datetime | None = None
) -> None:
    """Sign a store as it is; with `refresh`, only confirm that what was signed last is still current.

    A store without keys gets some, and `tell` is called with a warning. What is signed already and valid for a while
    is left alone. Raises TrustError where the store must not be signed: a release changed, is missing or has names
    that mirrors refuse, a key is missing, or the store is a mirror; with `refresh` also where nobody would accept the
    signature: the root expired, or this clock is behind the last signature.
    """
    keys, now = keys or keyring(root), now or datetime.now(UTC)
    with _signing(root) as (current, state):
        if current:
            (keys.folder / MAKING).unlink(missing_ok=True)
            _renew(root, current, keys, now, tell)
            doubts = _doubts(current, state, keys, now)
            if refresh and doubts:
                raise TrustError("; ".join(doubts))
            for doubt in doubts:
                tell(doubt)
        elif refresh:
            raise TrustError(f"{root} was never signed: run `lantern build` or `lantern sign` first")
        else:
            current = _make_root(root, keys, 1, 1, now)
            tell(
                f"made development keys in {keys.folder}. Before others copy this store, move the root key to a place "
                "that is not on a network: `lantern keys show` says how."
            )
        signer = RoleSigner(root, keys, current, now, tell)
        if refresh and state:
            signer.repeat(state)
        else:
            signer.publish(signable.releases(root, _known(root, state), tell))


def withdraw(root: Path, version: str, reason: str, tell: Tell = print, *, remove: bool = False) -> None:
    """Say, signed, that a release must not be used any more, and move it out of the releases into `withdrawn`.

    With `remove` it is deleted, here and by every mirror, also if it was withdrawn before; the list keeps its version
    and the reason. What was interrupted is finished by the same call. Raises TrustError where there is no such release,
    it was withdrawn before, or something of it cannot be deleted.
    """
    keys, now = keyring(root), datetime.now(UTC)
    with _signing(root) as (current, state):
        known = {entry.version: entry for entry in _known(root, state)}
        if current is None or version not in known:
            raise TrustError(f"there is no signed release {version} in {root}")
        old = known[version]
        again = old.withdrawn is not None
        if again and not remove and (old.withdrawn != reason or not (root / "releases" / version).exists()):
            raise TrustError(f"release {version} was withdrawn already: {old.withdrawn}")
        since = old.withdrawn_at if again else dates.utc(now)
        known[version] = replace(old, withdrawn=reason, withdrawn_at=since, removed=remove or old.removed)
        RoleSigner(root, keys, current, now, tell).publish(tuple(known.values()))
        if remove:
            signable.take_away(root, version, settings.load()["INDEX"])
        else:
            signable.set_aside(root, version)


def initialise(root: Path, keys: Keyring, root_keys: int, threshold: int) -> None:
    """Make a store's first keys and its first root. Raises TrustError where it has them."""
    with _signing(root) as (current, _):
        if current:
            raise TrustError(f"{root} already has keys: `lantern keys rotate` replaces them so that mirrors follow")
        _make_root(root, keys, root_keys, threshold, datetime.now(UTC))


def rotate(root: Path, roles: Sequence[str], keys: Keyring, tell: Tell = print) -> None:
    """Replace the keys of some roles so that mirrors follow by themselves; the old ones go to `retired`.

    A mirror may read between two of our writes. So the metadata is signed by the old keys and by the new ones, and
    published first; then comes the root, under which only the new ones count.
    """
    now = datetime.now(UTC)
    with _signing(root) as (old, state):
        if old is None or state is None:
            raise TrustError(f"{root} was never signed: there is nothing to rotate")
        masters = keys.needed(old, "root")
        first = min([ROLES.index(role) for role in roles if role != "root"], default=len(ROLES))
        for role in ROLES[first:]:  # which point at what is signed anew
            if role not in roles:
                keys.needed(old, role)
        also = {role: keys.signers(old, role) for role in roles if role != "root"}
        new = copy.deepcopy(old)
        new.version, new.expires = old.version + 1, keys.expiry("root", now)
        made = {role: _add_keys(new, role, len(old.roles[role].keyids), keys) for role in roles}
        data = _sealed(new, [*masters, *made.get("root", ())])
        lost = [role for role, signers in also.items() if len(signers) < old.roles[role].threshold]
        if lost:
            tell(f"the old {' and '.join(lost)} key is missing: a mirror that syncs at this moment must sync again")
            _write_root(root, new.version, data)
        if also:
            RoleSigner(root, keys, new, now, tell, also).repeat(state)
        _write_root(root, new.version, data)
        for role in roles:
            for keyid in old.roles[role].keyids:
                keys.retire(role, keyid)


@contextmanager
def _signing(root: Path) -> Iterator[tuple[Root | None, metadata.State | None]]:
    """The root and the state that are in force, for one process at a time, and never for a mirror.

    Metadata that cannot be read is a TrustError.
    """
    with atomic_files.locked(root):
        if is_copy(root):
            raise TrustError(f"{root} is a mirror: only its origin can sign it; build into your own store")
        for folder in (root, metadata.folder(root)):
            atomic_files.sweep(folder)
        try:
            newest = metadata.newest_root(root)
            yield newest.signed if newest else None, metadata.state(root)
        except (RepositoryError, ValueError) as error:
            raise TrustError(f"{root} cannot be signed as it is: {error}") from error


def _known(root: Path, state: metadata.State | None) -> tuple[release_index.Entry, ...]:
    """What was published, also by keys that were lost since: withdrawn stays withdrawn."""
    return metadata.signed_listing(root, state.targets.signed) if state else release_index.of(root)


def _make_root(root: Path, keys: Keyring, root_keys: int, threshold: int, now: datetime) -> Root:
    if not 0 < threshold <= root_keys:
        raise TrustError(f"{threshold} of {root_keys} root keys cannot sign: expected from 1 to {root_keys}")
    with keys.first(root):
        first = Root(version=1, expires=keys.expiry("root", now), consistent_snapshot=True)
        masters = _add_keys(first, "root", root_keys, keys)
        for role in ROLES[1:]:
            _add_keys(first, role, 1, keys)
        first.roles["root"].threshold = threshold
        _write_root(root, 1, _sealed(first, masters))
    return first


def _add_keys(root: Root, role: str, number: int, keys: Keyring) -> list[CryptoSigner]:
    """Make new keys for a role, in place of those that it has."""
    for keyid in list(root.roles[role].keyids):
        root.revoke_key(keyid, role)
    signers = [keys.new(role) for _ in range(number)]
    for signer in signers:
        root.add_key(signer.public_key, role)
    return signers


def _renew(root: Path, current: Root, keys: Keyring, now: datetime, tell: Tell) -> None:
    """Give the root in force a new expiry, where it expires soon and its key is here."""
    if not keys.is_due(current, now):
        return
    signers = keys.signers(current, "root")
    if len(signers) < current.roles["root"].threshold:
        if current.is_expired(now):
            return  # see _doubts
        tell(
            f"the root expires on {current.expires:%Y-%m-%d}: fetch its key and run `lantern sign`, or mirrors stop "
            "following on that day"
        )
        return
    current.version, current.expires = current.version + 1, keys.expiry("root", now)
    _write_root(root, current.version, _sealed(current, signers))


def _doubts(current: Root, state: metadata.State | None, keys: Keyring, now: datetime) -> list[str]:
    """Why nobody would accept what is signed now."""
    doubts = []
    if current.is_expired(now):
        doubts.append(
            f"the root expired on {current.expires:%Y-%m-%d}: no mirror follows until it is renewed; put its key into "
            f"{keys.folder} and run `lantern sign`"
        )
    last = state and dates.moment(state.timestamp.signed.unrecognized_fields.get(SIGNED_AT))
    if last and now < last - CLOCK:
        doubts.append(
            f"the clock says {dates.utc(now)}, and the last signature was made at {dates.utc(last)}: set the clock; if "
            "it is right and was fast then, `lantern keys rotate timestamp` signs anew"
        )
    return doubts


def _write_root(root: Path, version: int, data: bytes) -> None:
    atomic_files.write_new(metadata.role_path(root, "root", version), data)
    atomic_files.write_new(metadata.folder(root) / "root.json", data)


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
        timestamp, snapshot, targets = metadata.state(self.store) or (None, None, None)
        listed = self._role(Targets, targets, targets=covered)
        pointed = self._role(Snapshot, snapshot, meta={"targets.json": listed})
        self._role(Timestamp, timestamp, again, snapshot_meta=pointed)

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
            if kind is Timestamp:
                signed.unrecognized_fields[SIGNED_AT] = dates.utc(self.now)
            data = _sealed(signed, [*self.keys.needed(self.root, role), *self.also.get(role, ())])
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


def _sealed(signed: Signed, signers: Iterable[CryptoSigner]) -> bytes:
    """Metadata with its signatures, as bytes."""
    envelope: Metadata[Signed] = Metadata(signed)  # type: ignore[type-var]  # any of the four
    for signer in signers:
        envelope.sign(signer, append=True)
    return envelope.to_bytes(JSONSerializer(compact=False))
