"""Keeping a mirror's folder what the publisher signed: whatever else is found there is moved away, not removed.

{mirror}/unsigned/{time}/{path}      what the signature does not name, or what stood where something signed belongs
{mirror}/former/{time}-{root}/       whom the mirror followed before it adopted another root
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from api.model.files import MIRROR, RELEASE_INDEX, RELEASES, UNSIGNED, UPSTREAM, WITHDRAWN
from api.store import atomic_files, release_index
from api.trust import metadata
from api.trust.keys import Tell

MOST_NAMED = 5  # of what was moved
FORMER, STAGING = "former", "tmp/mirror"
FOLDERS = (RELEASES, WITHDRAWN, metadata.FOLDER, UPSTREAM, "tmp", STAGING)


@dataclass
class Tidy:
    """A mirror's folder. `moved` are the paths of what was moved out of the way, relative to it."""

    folder: Path
    moved: list[str] = field(default_factory=list)
    since: str = field(default_factory=lambda: f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}")

    @property
    def place(self) -> Path:
        """Where that is now."""
        return self.folder / UNSIGNED / self.since

    def aside(self, path: Path, known_as: Path | None = None) -> None:
        """Move something out of the way; `known_as` is where it was shown, if not here."""
        name = (known_as or path).relative_to(self.folder)
        target = self.place / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(path, target)
        self.moved.append(name.as_posix())

    def put(self, path: Path, data: bytes) -> None:
        """Put a file in place whole, also where a folder has its name, or a file that of its folder."""
        between = [folder for folder in reversed(path.parents) if folder.is_relative_to(self.folder)]
        for folder in between:
            if os.path.lexists(folder) and not folder.is_dir():
                self.aside(folder)
        if path.is_dir():
            self.aside(path)
        atomic_files.write_new(path, data)

    def releases(self, entries: Mapping[str, release_index.Entry]) -> None:
        """Move away what is shown as a release, or as one that was withdrawn, and is not in the list."""
        for part, gone in ((RELEASES, False), (WITHDRAWN, True)):
            for path in sorted((self.folder / part).glob("*")):
                entry = entries.get(path.name)
                if entry is None or gone and entry.withdrawn is None:
                    self.aside(path)


@contextmanager
def begun(folder: Path, tell: Tell) -> Iterator[Tidy]:
    """A folder in which nothing is in the way of those of a store, and nothing that an interrupted write left.

    In the end `tell` is called with what was moved away, whatever happened.
    """
    tidy = Tidy(folder)
    try:
        for name in (*FOLDERS, MIRROR, RELEASE_INDEX):
            path = folder / name
            if os.path.lexists(path) and path.is_dir() != (name in FOLDERS):
                tidy.aside(path)
        for part in (folder, metadata.folder(folder), folder / UPSTREAM):
            atomic_files.sweep(part)
        yield tidy
    finally:
        if tidy.moved:
            more = f" and {len(tidy.moved) - MOST_NAMED} more" if len(tidy.moved) > MOST_NAMED else ""
            tell(f"not of the publisher, and moved to {tidy.place}: {', '.join(tidy.moved[:MOST_NAMED])}{more}")
