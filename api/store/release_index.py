"""The list of releases that the signature covers: releases.json beside the releases.

Each entry holds `version`, `manifest` (the SHA-256 of the release's manifest.json), `published_at` (null where the
package does not say) and `withdrawn` (why the release must not be used any more, or null); a withdrawn one since when
(`withdrawn_at`), and `"removed": true` where nobody is to hold its files any more. Newest version first.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from api.model import dates
from api.model.errors import LanternError
from api.model.files import RELEASE_INDEX
from api.store import manifest


class BadList(LanternError, ValueError):
    """A list of releases that cannot be read."""


@dataclass(frozen=True)
class Entry:
    """One release of the list."""

    version: str
    manifest: str
    published_at: str | None
    withdrawn: str | None = None
    withdrawn_at: str | None = None
    removed: bool = False


def read(data: bytes) -> tuple[Entry, ...]:
    """The entries of a list. Raises BadList for anything else; unknown keys are ignored."""
    if len(data) > manifest.LARGEST:
        raise BadList(f"the list of releases has {len(data)} bytes: at most {manifest.LARGEST} are read")
    try:
        entries = tuple(_entry(item) for item in json.loads(data)["releases"])
    except RecursionError as error:
        raise BadList("the list of releases is nested too deeply") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadList(f"not a list of releases: {error!r}") from error
    if len({entry.version for entry in entries}) != len(entries):
        raise BadList("a version is listed twice in the list of releases")
    return entries


def _entry(item: Mapping[str, object]) -> Entry:
    values = {name: item[name] for name in ("version", "manifest", "published_at", "withdrawn")}
    for name, value in values.items():
        if not isinstance(value, str) and not (name in ("published_at", "withdrawn") and value is None):
            raise ValueError(f"the list of releases has {value!r} for {name!r}: expected text")
        str(value).encode()  # which half a character is not
    at, removed = item.get("withdrawn_at"), item.get("removed", False)
    if at is not None and (not isinstance(at, str) or dates.utc(datetime.fromisoformat(at)) != at):
        raise ValueError(f"the list of releases has {at!r} for 'withdrawn_at': expected a time in UTC")
    if not isinstance(removed, bool) or removed and values["withdrawn"] is None:
        raise ValueError(f"the list of releases has {removed!r} for 'removed' of a release that was not withdrawn")
    return Entry(**values, withdrawn_at=at, removed=removed)  # type: ignore[arg-type]  # each was checked above


def dump(entries: Iterable[Entry]) -> bytes:
    """The list as it is signed and published; as it ever was for a release that was not withdrawn."""
    later = ("withdrawn_at", "removed")
    every = [{name: value for name, value in asdict(one).items() if value or name not in later} for one in entries]
    return manifest.dump({"releases": every}).encode()


def of(root: Path) -> tuple[Entry, ...]:
    """The list of a store, () where it has none; cheap to call again. Raises BadList or OSError."""
    path = root / RELEASE_INDEX
    try:
        stat = path.stat()
    except FileNotFoundError:
        return ()
    return _read(path, stat.st_ctime_ns, stat.st_ino)


@lru_cache(maxsize=16)
def _read(path: Path, _changed: int, _number: int) -> tuple[Entry, ...]:
    return read(path.read_bytes())


def withdrawn(root: Path) -> dict[str, str]:
    """The releases of a store that were withdrawn, with the reason."""
    return {entry.version: entry.withdrawn for entry in of(root) if entry.withdrawn is not None}
