"""Reads and validates data packages; with api.package.checks the only importer of frictionless."""

from dataclasses import dataclass
from pathlib import Path

from api.model import descriptor
from api.model.findings import Report
from api.package.opening import PackageError, open_source
from api.package.reading import Source, paths
from api.package.validation import validate
from api.package.writing import write_csv

__all__ = ["FileResource", "PackageError", "Report", "Source", "files", "open_source", "paths", "validate", "write_csv"]


@dataclass(frozen=True)
class FileResource:
    """A resource that is not a table: it is offered as it is."""

    name: str
    title: str
    description: str
    mediatype: str
    paths: tuple[Path, ...]
    relative: tuple[str, ...]


def files(source: Source) -> list[FileResource]:
    """The resources that are not tables and have a file."""
    return [
        FileResource(
            name=str(resource["name"]),
            title=str(resource.get("title") or resource["name"]),
            description=str(resource.get("description") or ""),
            mediatype=str(resource.get("mediatype") or ""),
            paths=tuple(source.folder / path for path in paths(resource)),
            relative=paths(resource),
        )
        for resource in source.package.descriptor["resources"]
        if not descriptor.is_table(resource) and paths(resource)
    ]
