"""Reads and validates data packages; the only importer of frictionless."""

from functools import partial
from pathlib import Path

from api.model.findings import Report
from api.package import lenient
from api.package.attached import brought, moved, places
from api.package.descriptors import refuse_written
from api.package.locating import PackageError
from api.package.opening import open_source, opened
from api.package.reading import Source
from api.package.upgrade import paths
from api.package.validation import check
from api.package.writing import write_csv

__all__ = ["PackageError", "Report", "Source", "brought", "checked", "moved", "open_source", "opened"]
__all__ += ["paths", "places", "refuse_written", "validate", "write_csv"]


def checked(source: Source, previous: Path | None, cache: Path | None, relaxed: bool) -> tuple[Source, Report]:
    """An opened package and all that is wrong with it; where `relaxed`, what is left of it when errors are mended.

    `previous` is an earlier release or package, against which changes need corrections. `cache` is a folder that
    remembers tables without errors, so that an unchanged one is not read twice.
    """
    if not relaxed:
        return source, check(source, previous, cache)
    return lenient.relaxed(source, partial(check, previous=previous, cache=cache or source.place.scratch / "valid"))


def validate(
    path: Path,
    previous: Path | None = None,
    cache: Path | None = None,
    copies: Path | None = None,
    relaxed: bool = False,
) -> Report:
    """The report on a package, also where it cannot be read.

    `copies` is a folder with what the package names by an address; the others are those of `checked`.
    """
    try:
        with opened(path, copies, apart=relaxed) as source:
            return checked(source, previous, cache, relaxed)[1]
    except PackageError as error:
        return Report(tuple(dict.fromkeys(error.findings)), ())
