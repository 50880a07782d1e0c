"""Copying another store, and saying whose copy this is: mirror.json in the folder of the copy.

Importing this loads nothing but the standard library: the server calls `status`. The copying is in api.mirror.copy.
"""

import json
import logging
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from api.model.files import MIRROR
from api.store import atomic_files, manifest

log = logging.getLogger("lantern")


@dataclass(frozen=True)
class MirrorStatus:
    """Whose copy a store is, and how old. Times are UTC, as in responses.

    `synced_from`: the upstream that was followed at the last sync, if not the first. `upstream_version`: the newest
    release that it had. `root`: the fingerprint of the trusted root. `holds`: "all", "latest", "newest N" or the one
    version that is copied.
    """

    upstream: str
    synced_at: str
    upstream_version: str | None
    stale_after: str
    root: str
    holds: str
    synced_from: str

    @property
    def stale(self) -> bool:
        """Whether the copy may be out of date: no sync succeeded for too long, or the signature has expired."""
        return utc_text(datetime.now(UTC)) > self.stale_after


def utc_text(moment: datetime) -> str:
    """A time as responses and files hold it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# Of a mirror whose mirror.json cannot be read, unless it could before: a copy never passes for the original.
UNKNOWN = MirrorStatus("", "", None, "", "", "all", "")
_known: dict[Path, MirrorStatus] = {}


def status(root: Path) -> MirrorStatus | None:
    """A store's state as a mirror; None where it is an origin. Read again only when the file changes.

    Of a file that cannot be read the state is what it was before, or UNKNOWN; `problem` says so.
    """
    return _found(root)[0]


def problem(root: Path) -> str:
    """Why a store's state as a mirror cannot be read, "" where it can."""
    return _found(root)[1]


def _found(root: Path) -> tuple[MirrorStatus | None, str]:
    path = root / MIRROR
    try:
        stat = path.stat()
    except OSError:
        return None, ""
    return _read(path, stat.st_ctime_ns, stat.st_ino)


@lru_cache(maxsize=16)
def _read(path: Path, _changed: int, _number: int) -> tuple[MirrorStatus, str]:
    try:
        values = json.loads(path.read_bytes())
        values.setdefault("synced_from", values["upstream"])  # which older versions of the program did not write
        found = {field.name: values[field.name] for field in fields(MirrorStatus)}
        if not all(isinstance(one, str) or (one is None and name == "upstream_version") for name, one in found.items()):
            raise ValueError("expected text")
        for name in ("synced_at", "stale_after"):
            datetime.fromisoformat(found[name]) - datetime.now(UTC)  # which a time without a zone is not
        _known[path] = MirrorStatus(**found)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        reason = f"whose copy this is cannot be read: {getattr(error, 'strerror', None) or error}"
        log.warning("%s: %s", path, reason)
        return _known.get(path, UNKNOWN), reason
    return _known[path], ""


def write(root: Path, status: MirrorStatus) -> None:
    """Put the state in place, by one rename."""
    atomic_files.write(root / MIRROR, manifest.dump(asdict(status)).encode())
