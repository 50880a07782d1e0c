"""What those who look after a store must know, told by /healthz, /readyz and `lantern status` alike.

Few small files are looked at and nothing is verified: `lantern verify` reads every byte.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from api import mirror
from api.index import making, sqlite
from api.model.files import MIRROR
from api.store import signatures
from api.store.releases import Release, Store, has_index


class Warned(NamedTuple):
    """What is wrong: with a release (`version`), or with something else, named there too.

    `passing`: it goes by itself. `served`: the data of the release are served nevertheless.
    """

    version: str
    reason: str
    passing: bool = False
    served: bool = False

    @property
    def told(self) -> dict[str, str]:
        return {"version": self.version, "reason": self.reason}


def latest(store: Store, found: Iterable[Warned]) -> str | None:
    """The newest version whose data can be read, and that was not withdrawn, after what was found out of a store."""
    unserved = {one.version for one in found if not one.served}
    usable = [release.version for release in store.releases() if release.withdrawn is None]
    return next((version for version in usable if version not in unserved), None)


def warnings(store: Store, days: Mapping[str, Any], now: datetime) -> list[Warned]:
    """All that is wrong with a store; `days` are the settings. No word of a store that was never signed."""
    found = [*of_releases(store)]
    for one in signatures.of(store.root):
        if reason := one.warning(days, now):
            found.append(Warned(f"{signatures.FOLDER}/{one.role}", reason, served=True))
    if reason := mirror.problem(store.root):
        found.append(Warned(MIRROR, reason))
    elif (copied := mirror.status(store.root)) and copied.stale:
        reason = f"the last sync was at {copied.synced_at}: the copy may be out of date since {copied.stale_after}"
        found.append(Warned(MIRROR, reason, served=True))
    return found


def of_releases(store: Store) -> Iterator[Warned]:
    """What is wrong with the releases; the bytes of an index are compared of the newest that has one."""
    here, deep = store.releases(), True
    yield from (Warned(version, reason) for version, reason in store.problems.items())
    for release in here:
        lost = [path for path, entry in release.files.items() if not _there(release.folder / path, entry["bytes"])]
        if lost:
            more = f" and {len(lost) - 1} more" if lost[1:] else ""
            reason = f"of its files {lost[0]}{more} cannot be served: missing or damaged"
            yield Warned(release.version, reason, served=True)
        if not has_index(release):
            yield _without_index(release)
        elif deep:
            deep = False
            try:
                sqlite.check(release.index)
            except sqlite.NoIndex as error:
                yield Warned(release.version, str(error), passing=True)


def _there(path: Path, size: int) -> bool:
    return os.access(path, os.R_OK) and sqlite.state_of(str(path))[:1] == (size,)


def _without_index(release: Release) -> Warned:
    place = release.index.parent
    while not os.path.exists(place) and place != place.parent:
        place = place.parent
    if (reason := making.failed(release)) or os.access(place, os.W_OK | os.X_OK):
        return Warned(release.version, making.reason(release), passing=not reason)
    return Warned(release.version, f"its index cannot be made: {place.name} cannot be written")


def signed(store: Store, now: datetime) -> dict[str, dict[str, Any]]:
    """Each role's signature, as documents say it."""
    return {
        one.role: {
            "version": one.version or None,
            "expires": one.expires or None,
            "days_left": None if (left := one.days_left(now)) is None else round(left, 2),
        }
        for one in signatures.of(store.root)
    }


def copied(store: Store, now: datetime) -> dict[str, Any] | None:
    """Whose copy a store is and how old, as documents say it; None for an origin."""
    found = mirror.status(store.root)
    if found is None:
        return None
    age = int((now - datetime.fromisoformat(found.synced_at)).total_seconds()) if found.synced_at else None
    return {**vars(found), "stale": found.stale, "age_seconds": age}
