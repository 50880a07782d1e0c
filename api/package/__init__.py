"""Reads and validates data packages; the only importer of frictionless."""

from api.model import descriptor
from api.model.findings import Report
from api.package.locating import PackageError
from api.package.opening import open_source
from api.package.reading import Source
from api.package.upgrade import paths
from api.package.validation import validate
from api.package.writing import write_csv

__all__ = ["PackageError", "Report", "Source", "files", "open_source", "paths", "validate", "write_csv"]


def files(source: Source) -> list[str]:
    """The files of resources that are not tables, relative to the package's folder: they are offered as they are."""
    others = [entry for entry in source.package.descriptor["resources"] if not descriptor.is_table(entry)]
    return [path for entry in others for path in paths(entry)]
