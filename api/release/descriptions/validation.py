"""The report of validation, for machines and for people."""

from collections.abc import Mapping
from typing import Any

from api.model.descriptor import Package
from api.release.descriptions import templates
from api.store import manifest

JSON = Any
KINDS = ("errors", "warnings")


def write(package: Package, report: Mapping[str, JSON]) -> dict[str, str]:
    """validation.json and validation.html, the files named as the release names them."""
    paths = {table.name: table.path for table in package.tables}
    content = {
        "valid": bool(report.get("valid")),
        "package": package.name,
        "version": package.version,
        **{kind: [_moved(entry, paths) for entry in report.get(kind) or []] for kind in KINDS},
        "tables": [{**entry, "path": paths.get(entry.get("name"), "")} for entry in report.get("tables") or []],
    }
    return {
        "validation.json": manifest.dump(content),
        "validation.html": templates.render("validation.html", title=package.title, created=package.created, **content),
    }


def _moved(entry: Mapping[str, JSON], paths: Mapping[str, str]) -> dict[str, JSON]:
    resource = str(entry.get("resource") or "")
    return {**entry, "file": paths[resource]} if resource in paths else dict(entry)
