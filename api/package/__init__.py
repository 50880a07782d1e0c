"""Reads and validates data packages; the only importer of frictionless."""

from api.model.findings import Report
from api.package.attached import moved, places, words_in_files
from api.package.opening import PackageError, open_source
from api.package.reading import Source
from api.package.upgrade import paths
from api.package.validation import validate
from api.package.writing import write_csv

__all__ = [
    "PackageError",
    "Report",
    "Source",
    "moved",
    "open_source",
    "paths",
    "places",
    "validate",
    "words_in_files",
    "write_csv",
]
