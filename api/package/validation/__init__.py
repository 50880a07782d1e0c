"""Validates a package: descriptor, files, rows, our own checks, and corrections against an earlier version."""

import multiprocessing
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import frictionless

from api.model import descriptor
from api.model.descriptor import Table
from api.model.findings import Finding, Report, TableReport, unique
from api.package import checks, reading, translation, upgrade
from api.package.checks import structure
from api.package.checks.base import Context, Defect
from api.package.opening import PackageError, opened
from api.package.reading import FED_OF_SCHEMAS, Source, bare, fed_field, paths
from api.package.validation import corrections, files
from api.package.validation import results as findings
from api.package.validation.results import TableResult

MOST_SHOWN = 1_000  # problems of one kind in one table; the rest is counted
WORTH_A_PROCESS = 20 * 2**20  # bytes of data below which a second process costs more than it saves

OF_DESCRIPTORS = ("package-error", "resource-error", "dialect-error", "control-error", "schema-error", "field-error")


def validate(path: Path, previous: Path | None = None, cache: Path | None = None) -> Report:
    """Everything that is wrong with a package, all at once.

    `previous` is an earlier release or package, against which changes need corrections. `cache` is a folder that
    remembers tables without errors, so that an unchanged one is not read twice.
    """
    try:
        with opened(path) as source:
            return _report(source, previous, cache)
    except PackageError as error:
        return Report(unique(error.problems), (), ())


def _report(source: Source, previous: Path | None, cache: Path | None) -> Report:
    file, package = source.descriptor_path.name, source.package
    structural = [*structure.flaws(package, file, source.names)]
    flawed = {problem.resource for problem in structural}
    errors = [*source.problems, *structural, *_metadata(source, flawed), *files.altered(source)]
    strict = package.descriptor.get("lantern:strict") is True
    undeclared = list(files.undeclared(source))
    warnings = [] if strict else undeclared
    errors += undeclared if strict else []
    readable = [table for table in package.tables if structure.sound(table, source.names)]
    for table in readable if strict else ():
        errors += [p for path in paths(table.descriptor) for p in files.untidy(source.folder / path, path, table.name)]
    findings = _findings(source, readable, flawed, cache)
    for finding in findings:
        errors += finding.errors
        warnings += finding.warnings
    if previous is not None:
        try:
            with opened(previous) as earlier:
                errors += _with_lines(source, corrections.missing(source, earlier))
        except frictionless.FrictionlessException:
            if not errors:  # a table of this version that cannot be read is told already
                raise
    tables = [TableReport(t.name, source.file(t), f.rows) for t, f in zip(readable, findings, strict=True)]
    return Report(_ordered(source, errors), _ordered(source, warnings), tuple(tables))


def _ordered(source: Source, problems: Sequence[Finding]) -> tuple[Finding, ...]:
    """Problems of the package first, then table by table and line by line; what is counted only comes last."""
    resources = source.package.descriptor["resources"]
    place = {name: position for position, name in enumerate(source.names)}
    part = {(r["name"], path): position for r in resources for position, path in enumerate(paths(r))}

    def order(problem: Finding) -> tuple[int, bool, int, int]:
        resource = problem.resource or ""
        within = part.get((resource, problem.file), -1)
        return place.get(resource, -1), problem.type == "more", within, problem.row or 0

    return tuple(sorted(unique(problems), key=order))


def _metadata(source: Source, flawed: set[str | None]) -> Iterator[Finding]:
    """What frictionless says of the descriptor: of the package's own words, then of each resource."""
    file = source.descriptor_path.name
    stand_in = {"name": "stand-in", "data": []}
    yield from _complaints({**source.package.descriptor, "resources": [stand_in]}, file, None)
    for resource in source.package.descriptor["resources"]:
        if resource["name"] not in flawed:
            # Data and paths are judged elsewhere, and frictionless refuses some paths that are harmless.
            known = {**{k: v for k, v in resource.items() if k not in ("path", "data")}, "data": []}
            yield from _complaints({"$schema": upgrade.PACKAGE, "resources": [known]}, file, resource["name"])


def _complaints(package: Mapping[str, Any], file: str, resource: str | None) -> Iterator[Finding]:
    try:
        frictionless.Package.from_descriptor(dict(package))
    except frictionless.FrictionlessException as exception:
        for error in exception.to_errors():
            yield _flaw(error, file, resource)


def _flaw(error: Any, file: str, resource: str | None) -> Finding:
    return Finding("descriptor", error.note.replace('"resources.0.', '"'), file, resource)


# Tables


def _findings(
    source: Source, tables: Sequence[Table], flawed: set[str | None], cache: Path | None
) -> list[TableResult]:
    """One finding for each table: from the cache, or from reading it, two tables at a time where that pays."""
    names = [table.name for table in tables]
    keys = {table.name: findings.key_of(source, table) for table in tables} if cache else {}
    found = {name: finding for name, key in keys.items() if cache and (finding := findings.remembered(cache, key))}
    todo = [table for table in tables if table.name not in found]
    arguments = [(source, table.name, table.name not in flawed) for table in todo]
    size = sum((source.folder / path).stat().st_size for table in todo for path in paths(table.descriptor))
    if len(todo) > 1 and size > WORTH_A_PROCESS:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(len(todo), multiprocessing.cpu_count()), context) as pool:
            results = pool.map(_finding, *zip(*arguments, strict=True))
            found |= {table.name: finding for table, finding in zip(todo, results, strict=True)}
    else:
        found |= {table.name: _finding(*given) for table, given in zip(todo, arguments, strict=True)}
    for table in todo:
        if cache and not found[table.name].errors:
            findings.remember(cache, keys[table.name], found[table.name])
    return [found[name] for name in names]


def _finding(source: Source, name: str, sound: bool) -> TableResult:
    """Reads one table to its end; of a table whose descriptor is flawed only what frictionless can judge."""
    table = source.package.table(name)
    assert table is not None
    if source.empty(table):
        return TableResult(0, (), ())
    tally = _Tally(source.file(table), name)
    rows = 0
    try:
        rows = _check_rows(source, table, sound, tally)
    except frictionless.FrictionlessException as exception:
        for error in exception.to_errors():
            if error.type in OF_DESCRIPTORS:
                tally.add(_flaw(error, source.descriptor_path.name, name))
            else:
                tally.take(error, table)
    errors, warnings = tally.errors, tally.warnings
    return TableResult(rows, tuple(_with_lines(source, errors)), tuple(_with_lines(source, warnings)))


def _check_rows(source: Source, table: Table, sound: bool, tally: "_Tally") -> int:
    context = Context(source.package, lambda name: _other_rows(source, name), source.file)
    own = checks.checks_of(context, table) if sound else []
    references = [other for key in _sound_keys(source, table) if (other := source.package.table(key.resource))]
    others = {other.name: bare(other) for other in references if other.name != table.name}
    resource = reading.table_resource(source, {**table.descriptor, "schema": _checked(source, table)}, *others.values())
    connected = frictionless.Checklist(checks=list(own)).connect(resource)
    with resource:
        # Without a proper header a row's cells belong to no field, and each row would be wrong.
        applied = connected if resource.header.valid else connected[:1]
        for check in applied:
            for error in check.validate_start():
                tally.take(error, table)
        for row in resource.row_stream:
            for check in applied:
                for error in check.validate_row(row):
                    tally.take(error, table, row)
        for check in applied:
            for error in check.validate_end():
                tally.take(error, table)
        return int(resource.stats.rows or 0)


class _Tally:
    """The first problems of a table, and how many more there were."""

    def __init__(self, file: str, resource: str) -> None:
        self.file, self.resource = file, resource
        self._errors: dict[Finding, None] = {}
        self._warnings: dict[Finding, None] = {}
        self._more_errors = self._more_warnings = 0

    def take(self, error: Any, table: Table, row: Any = None) -> None:
        self.add(translation.problem(error, table, self.file, row), isinstance(error, Defect) and error.warning)

    def add(self, problem: Finding | None, warning: bool = False) -> None:
        kept = self._warnings if warning else self._errors
        if problem is None or problem in kept:
            return
        if len(kept) < MOST_SHOWN:
            kept[problem] = None
        elif warning:
            self._more_warnings += 1
        else:
            self._more_errors += 1

    @property
    def errors(self) -> list[Finding]:
        return [*self._errors, *self._rest(self._more_errors, "errors")]

    @property
    def warnings(self) -> list[Finding]:
        return [*self._warnings, *self._rest(self._more_warnings, "warnings")]

    def _rest(self, count: int, noun: str) -> list[Finding]:
        return [Finding("more", f"and {count} more {noun} in this table", self.file, self.resource)] if count else []


def _other_rows(source: Source, name: str) -> Iterator[tuple[int, Mapping[str, str | None]]]:
    """Another table's rows, as far as they can be read: what is wrong there is told there."""
    table = source.package.table(name)
    try:
        yield from reading.rows(source, table) if table else ()
    except frictionless.FrictionlessException:
        return


# What frictionless is given


def _checked(source: Source, table: Table) -> dict[str, Any]:
    """A schema with what frictionless would not enforce said in a way that it does."""
    schema = {key: table.schema[key] for key in FED_OF_SCHEMAS if key in table.schema}
    return {
        **schema,
        "fields": [_constrained(field, table) for field in table.fields],
        "primaryKey": [name for name in table.primary_key if name in table.index],
        "foreignKeys": [
            {"fields": [*key.fields], "reference": {"resource": key.resource, "fields": [*key.reference]}}
            for key in _sound_keys(source, table)
        ],
    }


def _constrained(field: descriptor.Field, table: Table) -> dict[str, Any]:
    """Categories are the only values allowed (v2), and a key's fields are required (v1 and v2)."""
    constraints = dict(field.constraints)
    categories = field.descriptor.get("categories")
    if categories and "enum" not in constraints:
        constraints["enum"] = [c["value"] if isinstance(c, Mapping) else c for c in categories]
    if field.name in table.primary_key:
        constraints["required"] = True
    return {**fed_field(field), "constraints": constraints}


def _sound_keys(source: Source, table: Table) -> list[descriptor.ForeignKey]:
    """The foreign keys whose ends exist; the others are told as flaws of the descriptor."""
    sound = []
    for key in table.foreign_keys:
        other = source.package.table(key.resource)
        ends = other is not None and set(key.reference) <= other.index.keys() and set(key.fields) <= table.index.keys()
        if ends and len(key.fields) == len(key.reference) and source.names.count(key.resource) == 1:
            sound.append(key)
    return sound


# Line numbers


def _with_lines(source: Source, problems: Sequence[Finding] | Iterator[Finding]) -> list[Finding]:
    """Problems at the lines where their rows begin: a cell may hold line ends, a table may be several files."""
    problems = list(problems)
    wanted: dict[str, set[int]] = {}
    for problem in problems:
        if problem.row is not None and problem.resource is not None:
            wanted.setdefault(problem.resource, set()).add(problem.row)
    places = {name: _places(source, name, rows) for name, rows in wanted.items()}
    return [_moved(problem, places.get(problem.resource or "", {})) for problem in problems]


def _moved(problem: Finding, places: Mapping[int, tuple[str, int]]) -> Finding:
    if problem.row is None or problem.row not in places:
        return problem
    file, line = places[problem.row]
    return replace(problem, file=file, row=line)


def _places(source: Source, name: str, wanted: set[int]) -> dict[int, tuple[str, int]]:
    table = source.package.table(name)
    if table is None or name not in source.ready or upgrade.format_of(table.descriptor) not in ("csv", "tsv"):
        return {}
    begins = enumerate(reading.lines(source, table), 1)
    return {number: source.place(table, line) for number, line in begins if number in wanted}
