"""The manifest of a release: every file with its bytes, SHA-256 and media type; written, read strictly, and compared
with a folder.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.model import filenames
from api.model.errors import LanternError
from api.model.files import MANIFEST, SUMS

FORMAT = 3  # number of what a release holds and how; releases without one are older, and served like any other
LARGEST = 2**24  # bytes of a manifest (some 60,000 files), or of a list of releases: what is read whole
_SHA256 = re.compile(r"[0-9a-f]{64}")


class BadManifest(LanternError):
    """A manifest that must not be acted on."""


@dataclass(frozen=True)
class File:
    """One file of a release, as its manifest has it."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Contents:
    """A manifest, read."""

    version: str
    published_at: str | None
    files: tuple[File, ...]
    raw: bytes

    @property
    def total(self) -> int:
        return sum(file.bytes for file in self.files)

    @property
    def derives_sums(self) -> bool:
        """Whether SHA256SUMS is left out of the manifest, so that it follows from the manifest alone."""
        return all(file.path != SUMS for file in self.files)

    def sums(self) -> bytes:
        """SHA256SUMS, which follows from the manifest: the hash of every file and of the manifest itself."""
        hashes = {file.path: file.sha256 for file in self.files} | {MANIFEST: hashlib.sha256(self.raw).hexdigest()}
        return "".join(sorted(f"{sha256}  {path}\n" for path, sha256 in hashes.items())).encode()


def read(raw: bytes) -> Contents:
    """A manifest from its bytes. Raises BadManifest for anything else and for names that must not become files."""
    if len(raw) > LARGEST:
        raise BadManifest(f"the manifest has {len(raw)} bytes: at most {LARGEST} are read")
    try:
        entries = json.loads(raw)
        files = tuple(_file(entry) for entry in entries["files"])
        version, published_at = entries["version"], entries["published_at"]
    except RecursionError as error:
        raise BadManifest("the manifest cannot be read: it is nested too deeply") from error
    except (ValueError, KeyError, TypeError) as error:
        raise BadManifest(f"the manifest cannot be read: {error!r}") from error
    if not isinstance(version, str) or not isinstance(published_at, str | None):
        raise BadManifest("the manifest's version and published_at must be text, the latter null where none is known")
    reason = filenames.reason_of_version(version)
    reasons = [f"the version {version!r} {reason}"] if reason else filenames.reasons(file.path for file in files)
    if reasons:
        raise BadManifest("; ".join(reasons[:3]))
    return Contents(version, published_at, files, raw)


def _file(entry: Mapping[str, Any]) -> File:
    path, size, sha256 = entry["path"], entry["bytes"], entry["sha256"]
    if not isinstance(path, str) or type(size) is not int or size < 0:
        raise ValueError(f"path {path!r} with {size!r} bytes")
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise ValueError(f"{sha256!r} is not a SHA-256")
    return File(path, size, sha256)


def digest(path: Path) -> str:
    """The SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def holds(path: Path, file: File, deep: bool = True) -> bool:
    """Whether a file on disk is the one promised; without `deep` only its size is compared."""
    try:
        same_size = not path.is_symlink() and path.is_file() and path.stat().st_size == file.bytes
        return same_size and (not deep or digest(path) == file.sha256)
    except OSError:
        return False


def differences(folder: Path, contents: Contents, deep: bool = True) -> Iterator[str]:
    """How a release's folder differs from its manifest, one sentence a file."""
    for file in contents.files:
        path = folder / file.path
        if holds(path, file, deep):
            continue
        if not path.exists():
            yield f"{file.path} is missing"
        elif path.stat().st_size != file.bytes:
            yield f"{file.path} has {path.stat().st_size} bytes: expected {file.bytes}"
        else:
            yield f"{file.path} is altered: its sha256 is not {file.sha256}"
    for path in strangers(folder, contents):
        yield f"{path.relative_to(folder).as_posix()} does not belong to the release"
    if contents.derives_sums and os.path.lexists(folder / SUMS) and not holds_sums(folder, contents):
        yield f"{SUMS} does not agree with {MANIFEST}"


def strangers(folder: Path, contents: Contents) -> list[Path]:
    """What lies in a release's folder and does not belong to the release."""
    known = {folder / name for name in (MANIFEST, SUMS, *(file.path for file in contents.files))}
    found = (path for path in sorted(folder.rglob("*")) if path not in known)
    return [path for path in found if path.is_symlink() or not path.is_dir()]


def holds_sums(folder: Path, contents: Contents) -> bool:
    """Whether SHA256SUMS in a release's folder is the one that follows from its manifest."""
    try:
        return not contents.derives_sums or (folder / SUMS).read_bytes() == contents.sums()
    except OSError:
        return False


def entries(folder: Path, rows: Mapping[str, int], media_type: Callable[[str], str]) -> list[dict[str, Any]]:
    """The manifest's entry of each file below a folder, sorted by path.

    `rows` by path where a file is a table; `media_type` of a file by its path.
    """
    listed = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        name = path.relative_to(folder).as_posix()
        entry = {"path": name, "bytes": path.stat().st_size, "sha256": digest(path), "media_type": media_type(name)}
        listed.append(entry | ({"rows": rows[name]} if name in rows else {}))
    return listed


def dump(value: Any) -> str:
    """JSON as files of a release hold it: two spaces, keys in the order given, a final newline."""
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"
