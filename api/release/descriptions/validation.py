"""The report of validation, for machines and for people."""

from collections.abc import Mapping
from typing import Any

from api.model.descriptor import Package
from api.model.files import REPORTS
from api.release.descriptions import templates
from api.store import manifest

JSON = Any


def write(package: Package, report: Mapping[str, JSON]) -> dict[str, str]:
    """validation.json and validation.html, the files named as the release names them."""
    paths = {table.name: table.path for table in package.tables}
    levels = {
        level: [{**entry, "file": paths.get(entry["resource"], entry["file"])} for entry in report.get(level) or []]
        for level in ("errors", "warnings", "notes")
    }
    tables = [{**entry, "path": paths[entry["name"]]} for entry in report.get("tables") or []]
    said = {"valid": bool(report.get("valid")), "package": package.name, "version": package.version}
    content = {**said, **levels, "edits": report.get("edits") or [], "tables": tables}
    page = templates.render("validation.html", title=package.title, created=package.created, **content)
    return dict(zip(REPORTS, (manifest.dump(content), page), strict=True))
