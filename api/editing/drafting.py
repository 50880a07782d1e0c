"""Drafts the next version of a package: writes what can be written without a person and marks the rest TODO.

The previous version goes into the history as it was published; the descriptor gets the new version and time,
CHANGELOG.md a section, and the table of corrections a row for each published value that changed, without its reason.

Bytes, hash and rows of each table are in the descriptors of the release and the history, where they stay true. The
package's own descriptor does not have them: every edit of a table would make them wrong, and readers soon ignore
values that are always wrong.
"""

import io
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from api import package
from api.model import csv_lines, dates, types
from api.model.descriptor import Table
from api.model.errors import LanternError
from api.model.files import CHANGELOG, CORRECTIONS, HISTORY
from api.package import Source
from api.package.reading import rows
from api.package.upgrade import paths
from api.package.validation.corrections import TODO
from api.release import build, changes, history
from api.store import atomic_files
from api.store.releases import order

FIELDS = ("dataset", "record", "field", "old", "new", "kind", "reason", "version")
PARTS = ("major", "minor", "patch")
VALUES = ("value", "low", "high", "qualifier", "unit")  # of lantern:figure: a change of these is a correction
Row = dict[str, str]


class DraftError(LanternError):
    """A version that cannot be drafted; the package is as it was."""


def bumped(version: str, part: str) -> str:
    """The next version. Raises DraftError for one that is not a semantic version."""
    match = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)([-+].*)?", version)
    if not match:
        raise DraftError(f"the version {version!r} cannot be raised: expected one such as 1.0.0")
    place = PARTS.index(part)
    numbers = [*match.groups()[:place], int(match[place + 1]) + 1, 0, 0]
    return ".".join(str(int(number)) for number in numbers[:3])


def now() -> str:
    """The time as `created` has it; SOURCE_DATE_EPOCH, if set, is the clock."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    moment = datetime.fromtimestamp(int(epoch), UTC) if epoch else datetime.now(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def draft(source: Path, previous: Path | None, part: str | None, note: str) -> list[str]:
    """Draft the next version of a package; what was done, a sentence each. Raises DraftError, PackageError.

    `previous` is the version that the package has until now, as it was published; None where that was removed, and what
    follows it must not show what it held. Without `part` the version that the package has is drafted again: only its
    corrections and its section of the CHANGELOG.
    """
    with package.open_source(source) as opened:
        if opened.descriptor_path.suffix != ".json" or not opened.descriptor_path.is_relative_to(source):
            raise DraftError("only a folder with a datapackage.json can be drafted")
        raw = json.loads(opened.descriptor_path.read_text(encoding="utf-8-sig"))
        version, created = opened.package.version, opened.package.created
        done = []
        if part is not None:
            if previous is not None:
                done.append(_keep(previous, opened.folder, version))
            earlier, version, created = created, bumped(version, part), now()
            before_that, made = dates.moment(earlier), dates.moment(created)
            if before_that and made and made <= before_that:
                raise DraftError(f"the clock says {created}, but the previous version is dated {earlier}")
        before = history.earlier(opened.folder, version)
        if not before and part is None:
            raise DraftError(f"no version before {version} in {HISTORY}: use --bump")
        done += _corrections(opened, before[-1], version, created[:10]) if before else []
        done += _section(opened.folder / CHANGELOG, version, created[:10], note)
        if part is not None:
            _date(opened.descriptor_path, raw, version, created)
            done.append(f"{opened.descriptor_path.name}: version {version}, created {created}")
    return done


def _keep(previous: Path, folder: Path, version: str) -> str:
    """Put the published version into the history, by one rename."""
    target = folder / HISTORY / version
    report = package.validate(previous)
    if not report.valid:
        raise DraftError(f"{previous} is not valid:\n{report.text()}")
    with package.open_source(previous) as opened:
        if opened.package.version != version:
            raise DraftError(f"{previous} has version {opened.package.version}, expected {version}")
        if target.exists():
            return f"{HISTORY}/{version} already exists"
        target.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".history-") as scratch:
            work = Path(scratch) / version
            work.mkdir()
            build.pack(opened, history.previous(opened), report, work)
            build.publish(work, target)
    return f"{HISTORY}/{version} holds the previous version"


def _date(path: Path, raw: Mapping[str, Any], version: str, created: str) -> None:
    """Write version and time into the descriptor; everything else keeps its text where possible."""
    text = path.read_text(encoding="utf-8-sig")
    for name, value in (("version", version), ("created", created)):
        old = json.dumps(raw.get(name), ensure_ascii=False)
        text = re.sub(rf'"{name}"\s*:\s*{re.escape(old)}', f'"{name}": "{value}"', text, count=1)
    wanted = {**raw, "version": version, "created": created}
    if json.loads(text) != wanted:
        text = json.dumps(wanted, ensure_ascii=False, indent=2) + "\n"
    atomic_files.write(path, text.encode(), path.stat().st_mode & 0o777)


def _section(path: Path, version: str, day: str, note: str) -> list[str]:
    """Write a section of the CHANGELOG for a version, before the others; an existing one gets `note`."""
    text = path.read_text(encoding="utf-8") if path.is_file() else "# Changes of the data\n"
    heading = re.search(rf"^## \[?{re.escape(version)}\b.*$", text, re.MULTILINE)
    if heading and (not note or note in text):
        return []
    if heading:
        rest = text[heading.end() :].lstrip("\n")
        text = f"{text[: heading.end()]}\n\n{note}\n\n{rest}"
    else:
        first = re.search(r"^## ", text, re.MULTILINE)
        place = first.start() if first else len(text)
        top = text[:place].rstrip("\n")
        heading_of = f"## {version} ({day})" if day else f"## {version}"
        text = f"{top}\n\n{heading_of}\n\n{note or TODO}\n\n{text[place:]}".rstrip("\n") + "\n"
    atomic_files.write(path, text.encode())
    return [f"{path.name}: a section for {version}"]


def _corrections(source: Source, before: Path, version: str, day: str) -> list[str]:
    """Draft a correction for each published value that changed and has none; earlier drafts are replaced."""
    ledger = source.package.table(CORRECTIONS)
    if ledger is None or not set(FIELDS) <= ledger.index.keys() or len(paths(ledger.descriptor)) != 1:
        return []
    file = paths(ledger.descriptor)[0]
    recorded = [{name: text or "" for name, text in row.items()} for _, row in rows(source, ledger)]
    written = [row for row in recorded if row["version"] != version or row["reason"] != TODO]
    corrected = {(row["dataset"], row["record"], row["field"]) for row in written if row["version"] == version}
    with tempfile.TemporaryDirectory(prefix="lantern-") as scratch:
        with history.side(before, Path(scratch)) as old:
            (Path(scratch) / "new").mkdir()
            new = history.plain(source, Path(scratch) / "new")
            lines = [json.loads(line, parse_float=str, parse_int=str) for line in changes.lines(old, new)]
    drafts = [
        row | {"reason": TODO, "version": version, "date": day}
        for row in _wanted(source, lines, _retracted(written))
        if corrected.isdisjoint((row["dataset"], row["record"], field) for field in ("", row["field"]))
    ]
    if len(ledger.primary_key) == 1:
        key = ledger.primary_key[0]
        keys = _after(row.get(key, "") for row in written)
        drafts = [row | {key: next(keys)} for row in drafts]
    if drafts or len(written) != len(recorded):
        _save(source.folder / file, ledger, [*written, *drafts])
    return [f"{file}: {len(drafts)} corrections drafted; write their reasons in place of {TODO}"] if drafts else []


def _retracted(corrections: list[Row]) -> set[tuple[str, str]]:
    """The rows whose latest correction as a whole is a retraction."""
    whole = sorted((row for row in corrections if not row["field"]), key=lambda row: order(row["version"]))
    last = {(row["dataset"], row["record"]): row["kind"] for row in whole}
    return {key for key, kind in last.items() if kind == "retraction"}


def _wanted(source: Source, lines: list[dict[str, Any]], retracted: set[tuple[str, str]]) -> Iterator[Row]:
    """The corrections that the changes require: for each changed field, each removed row and each that is back."""
    for line in lines:
        dataset, record, change = line["dataset"], line.get("record"), line["change"]
        table = source.package.table(dataset)
        row = {"dataset": dataset, "record": record or "", "field": "", "old": "", "new": ""}
        if dataset == CORRECTIONS or record is None:
            continue
        if change == "removed":
            yield row | {"kind": "retraction"}
        elif change == "added" and (dataset, record) in retracted:
            yield row | {"kind": "reinstatement"}
        for cell in line.get("fields", []):
            kind = "correction" if table and _counts(table, cell["field"]) else "clarification"
            yield row | {"field": cell["field"], "old": _text(cell["old"]), "new": _text(cell["new"]), "kind": kind}


def _counts(table: Table, field: str) -> bool:
    """Whether a field is part of a figure, and not a text about one."""
    named = [table.figure[part] for part in VALUES if part in table.figure]
    return field in (named or [one.name for one in table.fields if one.type in types.NUMERIC])


def _text(value: Any) -> str:
    return changes.compact(value) if not isinstance(value, str | None) else value or ""


def _after(taken: Iterable[str]) -> Iterator[str]:
    """Keys after the highest of those taken, written like it."""
    matches = [match for name in taken if (match := re.fullmatch(r"(.*?)(\d+)", name))]
    last = max(matches, key=lambda match: int(match[2]), default=None)
    head, width, highest = (last[1], len(last[2]), int(last[2])) if last else ("cor-", 4, 0)
    return (f"{head}{number:0{width}d}" for number in count(highest + 1))


def _save(path: Path, ledger: Table, corrections: list[Row]) -> None:
    limits = {field.name: field.constraints.get("maxLength") for field in ledger.fields}
    lines = [[_cut(row.get(name, ""), limit) for name, limit in limits.items()] for row in corrections]
    out = io.StringIO(newline="")
    csv_lines.write(out, [[*limits], *lines])
    atomic_files.write(path, out.getvalue().encode(), path.stat().st_mode & 0o777)


def _cut(text: str, limit: Any) -> str:
    return text[: limit - 1] + "…" if isinstance(limit, int) and len(text) > limit else text
