"""Serves what can be read of a package that has errors (`--lenient`).

The published descriptor is edited, as little as possible, until the package is valid: a column with cells that do not
fit becomes text, a constraint or key that does not hold goes, a table that cannot be read is offered as the file that
it is or left out. Each edit is told (descriptor.EDITS); no cell and no file is changed.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from api.model import descriptor
from api.model.findings import Edit, Finding, Report
from api.package import mending, upgrade
from api.package.locating import PackageError
from api.package.mending import CHECKS, Mended
from api.package.opening import opened_resource
from api.package.reading import Source

JSON = Any
A_TABLE, A_FILE, LEFT_OUT = "a table", "a file as it is", "left out"
MOST_ROUNDS = 500


def relaxed(source: Source, check: Callable[[Source], Report]) -> tuple[Source, Report]:
    """A package of which all that is left is valid, and the report on it. `check` validates an opened package."""
    source = _readable(source)
    for _ in range(MOST_ROUNDS):
        report = check(source)
        if report.valid:
            break
        source = _edited(source, report)
    if not source.package.published["resources"]:
        nothing = Finding("nothing-left", "nothing of the package can be served", source.descriptor_path.name)
        report = replace(report, findings=(nothing, *report.findings))
    return source, report


# What cannot be opened


def _readable(source: Source) -> Source:
    """A package whose resources can all be opened: without schemas, or as files; those that cannot are left out."""
    errors = [finding for finding in source.findings if finding.level == "error"]
    for name, resource in source.unread.items():
        first = next((finding.text() for finding in errors if finding.resource == name), None)
        source = _without_schema(source, resource, first) or _as_file(source, resource, first)
    for finding in errors:  # of what is no resource: it is left out already
        if finding.resource is None:
            source = _noted(source, Edit("", None, "a resource", LEFT_OUT, first=finding.text()))
    told = tuple(replace(finding, level="warning") if finding in errors else finding for finding in source.findings)
    return replace(source, findings=told, unread={}, names=_names(source))


def _without_schema(source: Source, resource: Mapping[str, JSON], first: str | None) -> Source | None:
    """The package with a table whose schema is made of its header and rows; None where that cannot be read either."""
    if "schema" not in resource:
        return None
    bare = {key: value for key, value in resource.items() if key != "schema"}
    target = Path(tempfile.mkdtemp(dir=source.place.scratch)) / "t.csv"
    try:
        read, noticed = opened_resource({**bare, "type": "table"}, source.place, target)
    except PackageError:
        return None
    if not descriptor.is_table(read):
        return None
    name = str(read["name"])
    schema = mending.schema_by_names(resource["schema"], read["schema"], name, source.ready.get(name))
    what = "the fields of its schema", "those of its header"
    if schema == resource["schema"]:
        return None
    read = _with_edits({**read, "schema": schema}, [Edit(name, None, *what, first=first)])
    noticed = [replace(finding, level="warning") if finding.level == "error" else finding for finding in noticed]
    ready, source = {**source.ready, name: target}, _told(source, resource)
    return _with(replace(source, ready=ready, findings=(*source.findings, *noticed)), read)


def _told(source: Source, resource: Mapping[str, JSON]) -> Source:
    """The package when what was found in opening a resource is told and no error any more."""
    mine = [finding.resource == resource["name"] and finding.level == "error" for finding in source.findings]
    found = zip(source.findings, mine, strict=True)
    told = tuple(replace(finding, level="warning") if own else finding for finding, own in found)
    return replace(source, findings=told)


def _as_file(source: Source, resource: Mapping[str, JSON], first: str | None) -> Source:
    """The package with a resource as the file that it is; without it where there is no file, or where that is wrong."""
    source = _told(source, resource)
    name, target = str(resource["name"]), Path(tempfile.mkdtemp(dir=source.place.scratch)) / "t.csv"
    ready = {other: path for other, path in source.ready.items() if other != name}
    declared = "schema" in resource or resource.get("type") == "table" or upgrade.format_of(resource) in upgrade.TABULAR
    was = A_TABLE if declared and resource.get(descriptor.AS_FILE) is not False else A_FILE
    for leaving in ((), ("schema", "dialect")) if was == A_TABLE else ():
        kept = {key: value for key, value in resource.items() if key not in leaving}
        try:
            read, _ = opened_resource({**kept, descriptor.AS_FILE: False}, source.place, target)
        except PackageError:
            continue
        read = _with_edits(read, [Edit(name, None, was, A_FILE, first=first)])
        return _with(replace(source, ready=ready), read)
    resources = [other for other in source.package.published["resources"] if other["name"] != name]
    source = _repackaged(replace(source, ready=ready), resources)
    return _noted(source, Edit(name, None, was, LEFT_OUT, first=first))


# What is not valid


def _edited(source: Source, report: Report) -> Source:
    """The package after the most urgent edits that the errors of a report ask for; at least one is made."""
    errors = [finding for finding in report.errors if finding.type != "more"]
    urgent = min(mending.urgency(finding) for finding in errors)
    chosen = [finding for finding in errors if mending.urgency(finding) == urgent]
    by_place = {(finding.resource, finding.type, finding.field): finding for finding in reversed(chosen)}
    gone: set[str] = set()
    for (name, type, field), finding in reversed(by_place.items()):
        resource = next((r for r in source.package.published["resources"] if r["name"] == name), None)
        if name in gone:
            continue
        if resource is None:
            source = _package_edited(source, finding)
            continue
        if mending.of_checks(finding) and source.package.descriptor.get(CHECKS) != "warning":
            source = _with_mild_checks(source, finding)
            continue
        mended: Mended | None = None
        if descriptor.is_table(resource):
            mended = mending.mended(source, resource, finding)
            by_header = None
            if mended is None and not mending.of_file(finding):
                by_header = _without_schema(source, resource, finding.text())
            if by_header is not None:
                gone.add(str(name))
                source = by_header
                continue
        if mended is None:
            gone.add(str(name))
            source = _as_file(source, resource, finding.text())
            continue
        cells = report.counts.get((name, type, field), 0) if finding.row is not None else 0
        edits = [Edit(str(name), where, was, now, cells, finding.text()) for where, was, now in mended.edits]
        source = _with(source, _with_edits(mended.resource, edits))
    return source


def _package_edited(source: Source, finding: Finding) -> Source:
    """What an error of the package as a whole asks for: our own checks as warnings, or our own properties left out."""
    if source.package.descriptor.get(CHECKS) != "warning" and mending.of_checks(finding):
        return _with_mild_checks(source, finding)
    published = {key: value for key, value in source.package.published.items() if key != "lantern:sums"}
    if len(published) == len(source.package.published):
        raise PackageError(finding)
    edit = Edit("", None, "lantern:sums", LEFT_OUT, first=finding.text())
    return _noted(replace(source, package=descriptor.package(published)), edit)


def _with_mild_checks(source: Source, finding: Finding) -> Source:
    published = {**source.package.published, CHECKS: "warning"}
    edit = Edit("", None, "checks beyond the standard are errors", "warnings", first=finding.text())
    return _noted(replace(source, package=descriptor.package(published)), edit)


# Packages are values: each of these gives another


def _with(source: Source, resource: Mapping[str, JSON]) -> Source:
    """The package with a resource in its place: that of the one of its name, or the one it had in the descriptor."""
    by_name = {str(other["name"]): other for other in source.package.published["resources"]}
    by_name[str(resource["name"])] = resource
    order = {name: place for place, name in enumerate(source.names)}
    return _repackaged(source, sorted(by_name.values(), key=lambda other: order.get(str(other["name"]), len(order))))


def _repackaged(source: Source, resources: Sequence[JSON]) -> Source:
    package = descriptor.package({**source.package.published, "resources": list(resources)})
    return replace(source, package=package)


def _noted(source: Source, edit: Edit) -> Source:
    """The package with an edit that no resource can tell."""
    return replace(source, package=descriptor.package(_with_edits(source.package.published, [edit])))


def _with_edits(part: Mapping[str, JSON], edits: Sequence[Edit]) -> dict[str, JSON]:
    return {**part, descriptor.EDITS: [*descriptor.edits(part), *(edit.to_json() for edit in edits)]}


def _names(source: Source) -> tuple[str, ...]:
    return tuple(str(resource["name"]) for resource in source.package.published["resources"])
