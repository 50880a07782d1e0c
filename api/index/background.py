"""Making what a running server lacks: in a child process, one at a time for all its workers."""

import logging
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from api.index import making
from api.store import atomic_files
from api.store.releases import Release

AGAIN = 10.0  # seconds until what failed is tried again
FOLDER = ".background"  # whose lock the one child has
log = logging.getLogger("lantern")


class Background:
    """What makes the indexes of releases, when it is called with them: at once, or later when others are under way."""

    def __init__(self) -> None:
        self._tried: dict[Path, float] = {}
        self._busy = threading.Lock()
        self._said = ""

    def __call__(self, releases: Sequence[Release]) -> None:
        now = time.monotonic()
        due = [release for release in releases if now - self._tried.get(release.index, -AGAIN) >= AGAIN]
        if due and self._busy.acquire(blocking=False):
            threading.Thread(target=self._make, args=(due,), daemon=True).start()

    def _make(self, releases: list[Release]) -> None:
        try:
            with atomic_files.locked(releases[0].index.parent.parent / FOLDER, wait=0):
                done = subprocess.run(making.command(releases))
                if done.returncode:
                    now = time.monotonic()
                    self._tried |= {one.index: now for one in releases if not making.good(one)}
        except atomic_files.Busy:
            pass  # another worker's child: what it does not make is asked for again
        except OSError as error:
            self._tried |= {one.index: time.monotonic() for one in releases}
            if str(error) != self._said:
                log.warning("indexes cannot be made: %s", error)
                self._said = str(error)
        finally:
            self._busy.release()
