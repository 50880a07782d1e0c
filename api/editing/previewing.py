"""Makes drafts of a package as it stands, again whenever a file of it changes.

As a process of its own, `python -P -m api.editing.previewing PACKAGE FOLDER PARENT COPIES [lenient]`, started by the
server that shows them (PARENT is the number of its process, COPIES a folder or empty): it prints a line when the first
draft is there, and ends when the server does. Whatever ended the server, nothing of the folder is left.
"""

import os
import shutil
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from api import package
from api.model import descriptor
from api.model.errors import LanternError
from api.model.files import DRAFT, SCRATCH, TEXTS
from api.package.descriptors import DESCRIPTORS
from api.package.opening import opened
from api.release import build
from api.store import atomic_files
from api.store.releases import RECHECK_SECONDS, Release

STORE, ERRORS = "store", "errors"  # in the folder
POLL = 0.25  # seconds
SHOWN = 2_000  # characters of a report, on pages
Stamps = Mapping[Path, tuple[int, int] | None]


class Faulty(LanternError):
    """A package of which no draft can be made; the message is the report."""


def draft(source: package.Source, store: Path, number: int, relaxed: bool) -> Release:
    """Put a draft of an opened package into a store. Raises LanternError for a package with errors, `relaxed` for one
    of which nothing can be served.

    It is no next version yet: changes against an earlier version need no corrections. Its version is its own, since
    caches take what is of a version to be the same for ever.
    """
    source, report = package.checked(source, None, store / "tmp" / build.VALIDATED, relaxed)
    if not report.valid:
        raise Faulty(report.text())
    print(report.text(), file=sys.stderr)
    version = f"{source.package.version}-draft.{number}"
    described = descriptor.package({**source.package.published, "version": version, DRAFT: True})
    return build.draft(replace(source, package=described), report, store)


def watch(path: Path, folder: Path, parent: int, copies: Path | None, relaxed: bool) -> int:
    """Make drafts as long as `parent` is the parent process; the exit status: 1 where there is no first draft."""
    store, files, seen = folder / STORE, _files(path, ()), None
    shown: Release | None = None
    leaving: list[tuple[float, Release]] = []  # when servers surely know of the next one
    number = 0
    while os.getppid() == parent:
        files = [*dict.fromkeys((*files, *(copies.iterdir() if copies else ())))]
        stamps = _stamps(files)
        while leaving and leaving[0][0] <= time.monotonic():
            _remove(leaving.pop(0)[1], store)
        if stamps == seen or seen is not None and not _at_rest(stamps):
            time.sleep(POLL)
            continue
        began, number = time.monotonic(), number + 1
        try:
            with opened(path, copies, apart=relaxed) as source:
                files = _files(path, [*source.declared, *map(str, source.place.roots[1:])])
                release = draft(source, store, number, relaxed)
        except Exception as error:  # whatever is half written must not end the preview
            said = str(error) if isinstance(error, LanternError) else f"no draft can be made: {error!r}"
            print(said, file=sys.stderr)
            if shown is None:
                return 1
            print(f"{shown.version} is still served", file=sys.stderr)
            atomic_files.write(folder / ERRORS, said[:SHOWN].encode())
        else:
            print(f"{release.version} made in {time.monotonic() - began:.1f} s", file=sys.stderr)
            (folder / ERRORS).unlink(missing_ok=True)
            if shown is None:
                print(release.version, flush=True)
            else:
                leaving.append((time.monotonic() + 2 * RECHECK_SECONDS, shown))
            shown = release
        seen = {**_stamps(files), **{file: stamp for file, stamp in stamps.items() if file in files}}
    return 0


def _remove(release: Release, store: Path) -> None:
    gone = store / "tmp" / release.version
    os.rename(release.folder, gone)
    for folder in (gone, release.index):
        shutil.rmtree(folder, ignore_errors=True)


def _files(path: Path, declared: Iterable[str]) -> list[Path]:
    """What a draft is made of: the descriptor, the files that it names, copies of them, the texts beside it."""
    folder = path if path.is_dir() else path.parent
    return [path, *(folder / name for name in dict.fromkeys((*DESCRIPTORS, *TEXTS, *declared)))]


def _stamps(files: Iterable[Path]) -> Stamps:
    """What changes when a file does; None where there is none."""
    return {file: _stamp(file) for file in files}


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        stat = file.stat()
    except OSError:
        return None
    return (stat.st_mtime_ns, stat.st_size) if not file.is_dir() else (0, 0)


def _at_rest(stamps: Stamps) -> bool:
    """Whether nothing changes any more: programs save in steps."""
    time.sleep(POLL)
    return _stamps(stamps) == stamps


if __name__ == "__main__":
    place = Path(sys.argv[2])
    try:
        copies = Path(sys.argv[4]) if sys.argv[4] else None
        status = watch(Path(sys.argv[1]), place, int(sys.argv[3]), copies, "lenient" in sys.argv[5:])
    finally:
        mine = place.parent if place.parent.name.startswith(SCRATCH) else place  # of a preview that was killed, too
        shutil.rmtree(mine, ignore_errors=True)
    sys.exit(status)
