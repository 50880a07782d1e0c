"""Reads and validates data packages; the only importer of frictionless."""

from api.model.findings import Report
from api.package.attached import brought, moved, places
from api.package.opening import PackageError, open_source
from api.package.reading import Source
from api.package.upgrade import paths
from api.package.validation import validate
from api.package.writing import write_csv

__all__ = [
    "PackageError",
    "Report",
    "Source",
    "brought",
    "moved",
    "open_source",
    "paths",
    "places",
    "validate",
    "write_csv",
]
