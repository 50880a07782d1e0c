"""Making what a running server lacks: in a child process, one at a time for all its workers."""

import logging
import subprocess
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from api.index import making
from api.model.errors import LanternError
from api.store import atomic_files
from api.store.releases import Release

AGAIN = 5.0  # seconds until what failed is tried again
FOLDER = ".background"  # whose lock the one child has
log = logging.getLogger("lantern")


class Background:
    """What makes the indexes of the releases that it is called with, one call after the other; it returns at once."""

    def __init__(self) -> None:
        self._wanted: dict[Path, Release] = {}
        self._failed: dict[Path, float] = {}
        self._lock = threading.Lock()
        self._working = False
        self._said = ""

    def __call__(self, releases: Sequence[Release]) -> None:
        now = time.monotonic()
        with self._lock:
            self._wanted |= {one.index: one for one in releases if now - self._failed.get(one.index, -AGAIN) >= AGAIN}
            if self._wanted and not self._working:
                self._working = True
                threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        while True:
            with self._lock:
                releases = list(self._wanted.values())
                self._wanted.clear()
                if not releases:
                    self._working = False
                    return
            try:
                self._make(releases)
            except (OSError, LanternError) as error:
                self._fail(releases)
                if str(error) != self._said:
                    log.warning("indexes cannot be made: %s", error)
                    self._said = str(error)

    def _make(self, releases: list[Release]) -> None:
        with atomic_files.locked(releases[0].index.parent.parent / FOLDER, making.PATIENCE):
            lacking = [release for release in releases if not making.good(release)]  # another worker may have seen it
            if lacking and subprocess.run(making.command(lacking)).returncode:
                self._fail(release for release in lacking if not making.good(release))

    def _fail(self, releases: Iterable[Release]) -> None:
        self._failed |= {release.index: time.monotonic() for release in releases}
