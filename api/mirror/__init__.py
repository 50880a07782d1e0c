"""Copying another store, and saying whose copy this is: mirror.json in the folder of the copy.

Importing this loads nothing but the standard library: the server calls `status`. The copying is in api.mirror.copy.
"""

import json
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from api.model.files import MIRROR
from api.store import atomic_files, manifest


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


def status(root: Path) -> MirrorStatus | None:
    """A store's state as a mirror; None where it is an origin. Read again only when the file changes."""
    path = root / MIRROR
    try:
        stat = path.stat()
    except OSError:
        return None
    return _read(path, stat.st_mtime_ns, stat.st_ino)


@lru_cache(maxsize=16)
def _read(path: Path, _changed: int, _number: int) -> MirrorStatus:
    values = json.loads(path.read_bytes())
    values.setdefault("synced_from", values["upstream"])  # which older versions of the program did not write
    return MirrorStatus(**{field.name: values[field.name] for field in fields(MirrorStatus)})


def write(root: Path, status: MirrorStatus) -> None:
    """Put the state in place, by one rename."""
    atomic_files.write(root / MIRROR, manifest.dump(asdict(status)).encode())
