"""A folder of its own for the temporary files of a command, so that nothing stays of one that was killed."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from api.model.files import SCRATCH
from api.store.atomic_files import LOCK, Busy, locked


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
                shutil.rmtree(folder, ignore_errors=True)


def _sweep(place: Path) -> None:
    for dead in place.glob(f"{SCRATCH}*"):
        with suppress(Busy, OSError):
            if dead.lstat().st_uid == os.getuid() and not dead.is_symlink() and (dead / LOCK).exists():
                with locked(dead, wait=0):
                    shutil.rmtree(dead)
