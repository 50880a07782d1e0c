"""Private keys: one PEM file each in a folder of its own, outside the store; Ed25519."""

import getpass
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Root, Signed

from api import settings
from api.model.errors import LanternError
from api.store import atomic_files

MAKING = "making"  # the file beside keys that says that no root names them yet
ROLES = ("root", "targets", "snapshot", "timestamp")
Tell = Callable[[str], None]


class TrustError(LanternError):
    """Why something must not be signed, or cannot be signed or verified."""


@dataclass
class Keyring:
    """The folder of keys, its passphrase, and for how many days each role's signature is valid."""

    folder: Path
    passphrase: str = field(default="", repr=False)
    days: Mapping[str, int] = field(default_factory=dict)

    def path(self, role: str, keyid: str) -> Path:
        return self.folder / f"{role}-{keyid[:16]}.pem"

    def signers(self, root: Root, role: str) -> list[CryptoSigner]:
        """The keys of a role that are in the folder."""
        paths = [self.path(role, keyid) for keyid in root.roles[role].keyids]
        return [self._load(path) for path in paths if path.exists()]

    def needed(self, root: Root, role: str) -> list[CryptoSigner]:
        """The keys of a role. Raises TrustError where fewer are in the folder than its signature needs."""
        signers = self.signers(root, role)
        threshold = root.roles[role].threshold
        if len(signers) < threshold:
            lack = "key is not" if threshold == 1 else f"keys (at least {threshold}) are not"
            raise TrustError(
                f"the {role} {lack} in {self.folder}: copy them there, or set LANTERN_KEYS to the folder that has them"
            )
        return signers

    def refuse_strangers(self, root: Path) -> None:
        """Raise TrustError where a store without a root would get one beside keys that are some store's, or its own."""
        if any(self.folder.glob("*.pem")) and not (self.folder / MAKING).exists():
            raise TrustError(
                f"{self.folder} has the keys of a store, and {root} has no root that names them. If they are this "
                "store's, restore its folder tuf from a backup or a mirror; else set LANTERN_KEYS to another folder"
            )

    def expiry(self, role: str, now: datetime) -> datetime:
        """When a signature that is made now expires."""
        return now.replace(microsecond=0) + timedelta(days=self.days[role])

    def is_due(self, signed: Signed, now: datetime) -> bool:
        """Whether a signature is in the last third of its validity."""
        return signed.expires - now < timedelta(days=self.days[signed.type]) / 3

    def _load(self, path: Path) -> CryptoSigner:
        if path.stat().st_mode & 0o077:
            raise TrustError(
                f"the key {path} can be read by other users: chmod 600 it, and rotate it if they could read it"
            )
        data = path.read_bytes()
        try:
            return _signer(data, "")
        except TypeError:  # what cryptography raises for a key that is encrypted
            pass
        except ValueError as error:
            raise TrustError(f"{path} holds no key: restore it from its other copy") from error
        with suppress(TypeError, ValueError):
            return _signer(data, self.passphrase)
        if not sys.stdin.isatty():
            raise TrustError(f"the key {path} needs its passphrase: LANTERN_KEYS_PASSPHRASE is wrong or not set")
        try:
            self.passphrase = getpass.getpass(f"Passphrase of {path.name}: ")  # most often that of the others too
            return _signer(data, self.passphrase)
        except (TypeError, ValueError) as error:
            raise TrustError(f"the passphrase of {path} is wrong") from error

    def new(self, role: str) -> CryptoSigner:
        """Make a key and write its file, readable by this user only; encrypted where there is a passphrase."""
        private, secret = Ed25519PrivateKey.generate(), self.passphrase.encode()
        signer = CryptoSigner(private)
        encryption = serialization.BestAvailableEncryption(secret) if secret else serialization.NoEncryption()
        pem = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        atomic_files.write(self.path(role, signer.public_key.keyid), pem, mode=0o600)
        return signer

    @contextmanager
    def first(self, root: Path) -> Iterator[None]:
        """While a store's first keys are made and its root is written: a crash leaves keys that no root ever named."""
        self.refuse_strangers(root)
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (self.folder / MAKING).touch()
        for path in self.folder.glob("*.pem"):
            self.retire(*path.stem.split("-"))
        yield
        (self.folder / MAKING).unlink()

    def retire(self, role: str, keyid: str) -> None:
        """Move a key that signs nothing any more into `retired`."""
        path = self.path(role, keyid)
        if path.exists():
            (self.folder / "retired").mkdir(exist_ok=True, mode=0o700)
            os.replace(path, self.folder / "retired" / path.name)


def _signer(data: bytes, passphrase: str) -> CryptoSigner:
    private = serialization.load_pem_private_key(data, passphrase.encode() or None)
    if not isinstance(private, Ed25519PrivateKey):
        raise TrustError("a key in the folder of keys is not an Ed25519 key")
    return CryptoSigner(private)


def keyring(root: Path) -> Keyring:
    """The keys that the settings name for a store. Raises TrustError for a folder inside the store."""
    values = settings.load()
    folder = Path(values["KEYS"]).expanduser() if values["KEYS"] else root.absolute().parent / "keys"
    if folder.absolute().is_relative_to(root.absolute()):
        raise TrustError(f"the keys must not be in the store, where they would be published: {folder}")
    return Keyring(folder, values["KEYS_PASSPHRASE"], {role: values[f"{role.upper()}_DAYS"] for role in ROLES})
