"""The serving files of a large package, made by a second process while the first one validates.

Both read every row, and neither needs the other: on two cores the longer one's time is all it takes. What was made of
a package that turns out not to be valid is removed with the folder it is in.
"""

import multiprocessing
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from api import package
from api.index import builder, layout
from api.index.survey import surveys
from api.model import descriptor

LARGE = 20_000_000  # bytes of data, from which a second process pays
Into = Callable[[Path], None]


def here(source: package.Source) -> Into:
    """The serving files of a small package, made when they are needed."""
    return lambda folder: builder.write(surveys(source.package, folder), folder)


@contextmanager
def serving_files(source: package.Source, place: Path) -> Iterator[Into]:
    """A function that puts the serving files into a release folder.

    `place` is an empty folder on the file system of the release.
    """
    (place / "data").mkdir()
    for table in source.package.tables:
        package.write_csv(source, table, place / table.path)
    process = multiprocessing.get_context("spawn").Process(
        target=_write, args=(dict(source.package.descriptor), place), daemon=True
    )
    process.start()

    def moved(folder: Path) -> None:
        process.join()
        if process.exitcode:  # again, in this process, whose errors are reported
            here(source)(folder)
        else:
            shutil.move(place / layout.FOLDER, folder / layout.FOLDER)

    try:
        yield moved
    finally:
        process.terminate()
        process.join()


def large(source: package.Source) -> bool:
    """Whether the tables' local files have so many bytes that a second process pays."""
    files = (source.folder / path for table in source.package.tables for path in package.paths(table.descriptor))
    return sum(path.stat().st_size for path in files if path.is_file()) >= LARGE


def _write(described: dict[str, object], place: Path) -> None:
    try:
        builder.write(surveys(descriptor.package(described), place), place)
    except ValueError:  # the package is not valid: the first process reports it
        sys.exit(1)
