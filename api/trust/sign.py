"""Signing: the state of a store under the signatures of its keys.

What readers follow is written last: files under new names, then timestamp.json by one rename. A reader, and a crash,
sees the old state or the new one.
"""

import copy
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Root

from api.model.files import MIRROR
from api.store import atomic_files, release_index
from api.trust import metadata, shelf
from api.trust.keys import ROLES, Keyring, TrustError, keyring
from api.trust.rounds import Round, due, expiry, needed, sealed

Tell = Callable[[str], None]
MIRRORED = (MIRROR, "upstream")  # what only a mirror has; see api.mirror


def _stderr(message: str) -> None:
    print(message, file=sys.stderr)


def sign_store(
    root: Path,
    tell: Tell = _stderr,
    *,
    refresh: bool = False,
    keys: Keyring | None = None,
    now: datetime | None = None,
) -> None:
    """Sign a store as it is; with `refresh`, only say again that what was signed last is still current.

    A store without keys gets some, which `tell` says. What is signed already and good for a while is left alone.
    Raises TrustError where the store must not be signed: a release changed, went missing or has names that mirrors
    refuse, a key is not at hand, or the store is a mirror.
    """
    keys, now = keys or keyring(root), now or datetime.now(UTC)
    with _signing(root):
        if metadata.newest_root(root) is None:
            if refresh:
                raise TrustError(f"{root} was never signed: run `lantern build` or `lantern sign` first")
            _found(root, keys, 1, 1, now)
            tell(
                f"made development keys in {keys.folder}. Before others copy this store, take the root key to a place "
                "that is not on a network: `lantern keys show` says how."
            )
        signing = Round(root, keys, _renewed(root, keys, now, tell), now, tell)
        state = metadata.state(root)
        if refresh and state:
            signing.repeat(state)
        else:
            signing.publish(shelf.entries(root, _known(root, state), tell))


def withdraw(
    root: Path, version: str, reason: str, *, keys: Keyring | None = None, now: datetime | None = None
) -> None:
    """Say, signed, that a release must not be used any more, and take it out of the store into `withdrawn`.

    Raises TrustError where there is no such release, or it was withdrawn before.
    """
    keys, now = keys or keyring(root), now or datetime.now(UTC)
    with _signing(root):
        current = metadata.newest_root(root)
        known = _known(root, metadata.state(root))
        found = next((entry for entry in known if entry.version == version), None)
        if found is None or current is None:
            raise TrustError(f"there is no signed release {version} in {root}")
        if found.withdrawn is not None:
            raise TrustError(f"release {version} was withdrawn already: {found.withdrawn}")
        gone = release_index.Entry(version, found.manifest, found.published_at, reason)
        signing = Round(root, keys, current.signed, now, _stderr)
        signing.publish(tuple(gone if entry is found else entry for entry in known))
        shelf.set_aside(root, version)


def initialise(root: Path, keys: Keyring, root_keys: int, threshold: int, now: datetime | None = None) -> None:
    """Make a store's first keys and its first root. Raises TrustError where it has them."""
    with _signing(root):
        if metadata.newest_root(root) is not None:
            raise TrustError(f"{root} has its keys: `lantern keys rotate` replaces them so that mirrors follow")
        _found(root, keys, root_keys, threshold, now or datetime.now(UTC))


def rotate(root: Path, roles: Sequence[str], keys: Keyring, tell: Tell = _stderr, now: datetime | None = None) -> None:
    """Replace the keys of some roles so that mirrors follow by themselves; the old ones go to `retired`.

    A mirror may ask between two of our writes. So the metadata is signed by the old keys and by the new ones, and
    published first; then comes the root, under which only the new ones count.
    """
    now = now or datetime.now(UTC)
    with _signing(root):
        before, state = metadata.newest_root(root), metadata.state(root)
        if before is None or state is None:
            raise TrustError(f"{root} was never signed: there is nothing to rotate")
        old = before.signed
        masters = needed(keys, old, "root")
        also = {role: keys.signers(old, role) for role in roles if role != "root"}
        new, made = _with_new_keys(old, roles, keys)
        new.version, new.expires = old.version + 1, expiry(keys, "root", now)
        data = sealed(new, [*masters, *made])
        lost = [role for role, signers in also.items() if len(signers) < old.roles[role].threshold]
        if lost:
            tell(f"the old {' and '.join(lost)} key is not here: a mirror that asks in this very moment must ask again")
            _write_root(root, new.version, data)
        if also:
            Round(root, keys, new, now, tell, also).repeat(state)
        _write_root(root, new.version, data)
        for role in roles:
            for keyid in set(old.roles[role].keyids) - set(new.roles[role].keyids):
                keys.retire(role, keyid)


@contextmanager
def _signing(root: Path) -> Iterator[None]:
    """One at a time, and never in a mirror; metadata that cannot be read is an error that says so."""
    with atomic_files.locked(root):
        if any((root / name).exists() for name in MIRRORED):
            raise TrustError(f"{root} is a mirror: only its origin can sign it, and nothing is built into it")
        for folder in (root, metadata.folder(root)):
            atomic_files.sweep(folder)
        try:
            yield
        except (RepositoryError, ValueError) as error:
            raise TrustError(f"{root} cannot be signed as it is: {error}") from error


def _known(root: Path, state: metadata.State | None) -> tuple[release_index.Entry, ...]:
    return metadata.signed_listing(root, state.targets.signed) if state else ()


def _found(root: Path, keys: Keyring, root_keys: int, threshold: int, now: datetime) -> None:
    if not 0 < threshold <= root_keys:
        raise TrustError(
            f"{threshold} of {root_keys} root keys cannot sign: ask for at least one, and for no more than all"
        )
    first = Root(version=1, expires=expiry(keys, "root", now), consistent_snapshot=True)
    made = [keys.new("root") for _ in range(root_keys)]
    for role in ROLES:
        for signer in made if role == "root" else [keys.new(role)]:
            first.add_key(signer.public_key, role)
    first.roles["root"].threshold = threshold
    _write_root(root, 1, sealed(first, made))


def _with_new_keys(old: Root, roles: Iterable[str], keys: Keyring) -> tuple[Root, list[CryptoSigner]]:
    """The root with new keys for some roles, as many as before; and its own new keys among them."""
    new = copy.deepcopy(old)
    made: list[CryptoSigner] = []
    for role in roles:
        before = list(new.roles[role].keyids)
        for keyid in before:
            new.revoke_key(keyid, role)
        for signer in [keys.new(role) for _ in before]:
            new.add_key(signer.public_key, role)
            made += [signer] if role == "root" else []
    return new, made


def _renewed(root: Path, keys: Keyring, now: datetime, tell: Tell) -> Root:
    """The root in force, with a new expiry where it expires soon and its key is here."""
    found = metadata.newest_root(root)
    assert found is not None
    current = found.signed
    if not due(current, keys, "root", now):
        return current
    signers = keys.signers(current, "root")
    if len(signers) < current.roles["root"].threshold:
        tell(
            f"the root expires on {current.expires:%Y-%m-%d}: fetch its key and run `lantern sign`, or mirrors stop "
            "following on that day"
        )
        return current
    current.version += 1
    current.expires = expiry(keys, "root", now)
    _write_root(root, current.version, sealed(current, signers))
    return current


def _write_root(root: Path, version: int, data: bytes) -> None:
    atomic_files.write_new(metadata.root_path(root, version), data)
    atomic_files.write_new(metadata.folder(root) / "root.json", data)
