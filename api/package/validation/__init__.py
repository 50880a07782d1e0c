"""Validates a package: descriptor, files, rows, our own checks, and corrections against an earlier version."""

import multiprocessing
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import frictionless

from api.model.descriptor import Table
from api.model.files import CORRECTIONS
from api.model.findings import Finding, Report, TableReport
from api.package import attached, reading, translation
from api.package.checks import checks_of, declared, identity, shape, spelling, structure
from api.package.checks.base import Checked
from api.package.checks.constraints import Constraints
from api.package.opening import opened
from api.package.reading import Source, bare, edits_of
from api.package.upgrade import paths
from api.package.validation import causes, corrections, described, files, results
from api.package.validation.results import TableResult
from api.package.validation.tally import Tally

WORTH_A_PROCESS = 20 * 2**20  # bytes of data below which a second process costs more than it saves

OF_FORM = ("blank-line", "blank-row", "delimiter", "header", "quote")  # what a strict package does not tolerate
OF_DESCRIPTORS = ("package-error", "resource-error", "dialect-error", "control-error", "schema-error", "field-error")


def check(source: Source, previous: Path | None = None, cache: Path | None = None) -> Report:
    """Everything that is wrong with an opened package, all at once.

    `previous` is an earlier release or package, against which changes need corrections. `cache` is a folder that
    remembers tables without errors, so that an unchanged one is not read twice. Where the package says so
    (`"lantern:checks": "warning"`), what only checks beyond the standard find is no error.
    """
    package, mild = source.package, source.package.descriptor.get("lantern:checks") == "warning"
    structural = [*structure.findings(package, source.descriptor_path.name, source.names)]
    unsound = {finding.resource for finding in structural}
    findings = [*source.findings, *structural, *described.findings(source, unsound), *files.altered(source)]
    findings += [*identity.findings(package, source.descriptor_path.name), *attached.findings(source)]
    strict = package.descriptor.get("lantern:strict") is True
    beyond = [replace(finding, level="error" if strict else "warning") for finding in files.undeclared(source)]
    readable = [table for table in package.tables if structure.sound(table, source.names)]
    for table in readable if strict else ():
        for path in paths(table.descriptor):
            beyond += files.untidy(source.folder / path, path, table.name)
    checked = _results(source, readable, unsound, cache)
    findings += [finding for result in checked for finding in result.findings]
    broken = causes.broken(source, findings)
    without = [t.name for t, result in zip(readable, checked, strict=True) if not result.rows and t.name not in broken]
    findings += causes.empty(source, without, findings)
    broken |= causes.broken(source, findings)
    findings = causes.standing(findings, broken)
    if previous is not None and CORRECTIONS not in broken:
        with opened(previous) as earlier:
            uncorrected = (f for f in corrections.missing(source, earlier) if f.resource not in broken)
            beyond += _with_lines(source, uncorrected)
    findings += [replace(finding, level="warning") for finding in beyond] if mild else beyond
    tables = [TableReport(t.name, source.file(t), r.rows) for t, r in zip(readable, checked, strict=True)]
    if strict:
        findings = [replace(one, level="error") if one.type in OF_FORM else one for one in findings]
    counts: dict[tuple[str | None, str, str | None], int] = {
        (table.name, type, field): count
        for table, result in zip(readable, checked, strict=True)
        for type, field, count in result.counts
    }
    return Report(causes.ordered(source, findings), tuple(tables), edits_of(source.package), counts)


# Tables


def _results(source: Source, tables: list[Table], unsound: set[str | None], cache: Path | None) -> list[TableResult]:
    """One result for each table: from the cache, or from reading it, in several processes where that pays."""
    keys = {table.name: results.key_of(source, table) for table in tables} if cache else {}
    by_name = {name: result for name, key in keys.items() if cache and (result := results.remembered(cache, key))}
    todo = [table for table in tables if table.name not in by_name]
    tasks = [(source, table.name, table.name not in unsound) for table in todo]
    size = sum((source.folder / path).stat().st_size for table in todo for path in paths(table.descriptor))
    if len(todo) > 1 and size > WORTH_A_PROCESS:
        processes = min(len(todo), multiprocessing.cpu_count())
        with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
            found = list(pool.map(_result, *zip(*tasks, strict=True)))
    else:
        found = [_result(*task) for task in tasks]
    for table, result in zip(todo, found, strict=True):
        by_name[table.name] = result
        if cache and all(finding.level != "error" for finding in result.findings):
            results.remember(cache, keys[table.name], result)
    return [by_name[table.name] for table in tables]


def _result(source: Source, name: str, sound: bool) -> TableResult:
    """Reads one table to its end; where its descriptor is not sound, only frictionless's own checks apply."""
    table = source.package.table(name)
    assert table is not None
    checked = Checked(source.package, table, partial(_other_rows, source), source.file)
    tally, rows = Tally(checked.own, table), 0
    tally.add(declared.findings(table, source.descriptor_path.name))
    try:
        with _connected(source, table) as resource:
            [baseline] = frictionless.Checklist().connect(resource)
            exact = table.schema.get("fieldsMatch", "exact") == "exact"
            faults = [*shape.header(table, resource.labels, checked.own)] if exact else []
            tally.add([*faults, *shape.left_out(table, resource.labels, checked.own)])
            tally.take([] if faults else baseline.validate_start())
            proper, labels, width = resource.header.valid, resource.labels, len(resource.header.get_expected_fields())
            of_rows, at_end = checks_of(checked, resource.header, source.former) if sound and proper else ([], [])
            constraints = Constraints(checked, resource.header).of_row if proper else None
            for row in resource.row_stream:
                if constraints is None:
                    continue  # its cells belong to no field, and each row would be wrong
                cells, errors = row.cells, row.errors
                if len(cells) != width or cells == labels:
                    tally.add([(shape.repeated if cells == labels else shape.uneven)(checked, row)])
                    continue
                if errors and errors[0].type == "blank-row":
                    if shape.blank(table, row):
                        tally.take(errors, row)
                        continue
                    errors = []
                own = [finding for check in of_rows for finding in check(row)]
                unseen = {f.field for f in own if f.type in spelling.TYPES and f.level == "error"}
                # One mistake is told once: not also what follows from what cannot be seen in the cell.
                tally.take((error for error in errors if _field(error) not in unseen) if unseen else errors, row)
                tally.add(finding for finding in constraints(row) if finding.field not in unseen)
                tally.add(own)
            tally.take(baseline.validate_end() if resource.header.valid else [])
            tally.add(finding for check in at_end for finding in check())
            rows = int(resource.stats.rows or 0)
    except frictionless.FrictionlessException as exception:
        for error in exception.to_errors():
            if error.type in OF_DESCRIPTORS:
                tally.add([translation.of_descriptor(error, source.descriptor_path.name, name)])
            else:
                tally.take([error])
    return TableResult(rows, tuple(_with_lines(source, tally.findings())), tally.of_fields())


def _field(error: Any) -> str | None:
    return getattr(error, "field_name", None) or next(iter(getattr(error, "field_names", ())), None)


def _other_rows(source: Source, name: str) -> Iterator[tuple[int, Mapping[str, str | None]]]:
    """Another table's rows, as far as they can be read: its own result reports what is wrong with it."""
    table = source.package.table(name)
    try:
        yield from reading.rows(source, table) if table else ()
    except frictionless.FrictionlessException:
        return


# What frictionless is given


def _connected(source: Source, table: Table) -> Any:
    """A table beside those it refers to."""
    named = [key.resource for key in table.foreign_keys]
    tables = {t.name: t for t in map(source.package.table, named) if t and source.names.count(t.name) == 1}
    keys = [  # whose ends exist; findings about the descriptor report the others
        key
        for key in table.foreign_keys
        if key.resource in tables and len(key.fields) == len(key.reference)
        if {*key.reference} <= tables[key.resource].index.keys() and {*key.fields} <= table.index.keys()
    ]
    schema = {
        **table.schema,
        "primaryKey": [name for name in table.primary_key if name in table.index],
        "foreignKeys": [
            {"fields": [*key.fields], "reference": {"resource": key.resource, "fields": [*key.reference]}}
            for key in keys
        ],
    }
    others = [bare(tables[name]) for name in {key.resource for key in keys} - {table.name}]
    return reading.table_resource(source, {**table.descriptor, "schema": schema}, *others)


# Line numbers


def _with_lines(source: Source, findings: Iterable[Finding]) -> list[Finding]:
    """Findings at the lines where their rows begin: a cell may hold line ends, a table may be several files."""
    findings = list(findings)
    places: dict[tuple[str | None, int | None], tuple[str, int]] = {}
    for table in source.package.tables:
        wanted = {finding.row for finding in findings if finding.resource == table.name and finding.row is not None}
        places |= {(table.name, row): place for row, place in source.places(table, wanted).items()} if wanted else {}
    moved = [(finding, places.get((finding.resource, finding.row))) for finding in findings]
    return [replace(finding, file=place[0], row=place[1] or None) if place else finding for finding, place in moved]
