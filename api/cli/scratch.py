"""A folder of its own for the temporary files of a command, so that nothing stays of one that was killed."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from api.model.files import SCRATCH
from api.store.atomic_files import LOCK, Busy, locked

UNBORN_SECONDS = 60  # more than a command needs to lock its folder


@contextmanager
def scratch() -> Iterator[None]:
    """Have this process, and those that it forks, put temporary files into one folder, which is removed at the end.

    Its lock marks it as in use; the folders of this user's commands that died are removed here.
    """
    usual, own = tempfile.tempdir, os.getpid()
    try:
        _sweep(Path(tempfile.gettempdir()))
        new = Path(tempfile.mkdtemp(prefix=f".{SCRATCH}"))
    except OSError:  # nothing can be written there: the command that needs to will say so
        yield
        return
    with locked(new, wait=0):
        folder = new.rename(new.with_name(new.name[1:]))  # now that it is locked others may see it
        tempfile.tempdir = str(folder)
        try:
            yield
        finally:
            tempfile.tempdir = usual
            if os.getpid() == own:  # and not a worker of the server
                with suppress(OSError):
                    _remove(folder)


def _remove(folder: Path) -> None:
    """Remove a folder, its lock last: of one whose lock is gone only an empty folder can be left."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != LOCK:
            path.unlink(missing_ok=True)
    (folder / LOCK).unlink(missing_ok=True)
    folder.rmdir()


def _sweep(place: Path) -> None:
    for dead in place.glob(f"{SCRATCH}*"):
        with suppress(Busy, OSError):
            if dead.lstat().st_uid != os.getuid() or dead.is_symlink():
                continue
            if not (dead / LOCK).exists():
                dead.rmdir()  # if it is empty: see _remove
                continue
            with locked(dead, wait=0):
                _remove(dead)
    for unborn in place.glob(f".{SCRATCH}*"):  # one that was killed before it had its name
        with suppress(OSError):
            stat = unborn.lstat()
            if stat.st_uid == os.getuid() and time.time() - stat.st_mtime > UNBORN_SECONDS:
                shutil.rmtree(unborn)
