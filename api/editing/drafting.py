"""Drafts the next version of a package: what can be written without a person, written, and the rest marked TODO.

The former version goes into the history as it was published; the descriptor gets the new version and time; CHANGELOG.md
a section; the table of corrections a row for each published value that changed, its reason still to be written.

Bytes, hash and rows of each table stand in the release's descriptor and in the history's, where they stay true. The
package's own descriptor does not hold them: every edit of a table would make them wrong, and what is always wrong is
soon ignored.
"""

import csv
import io
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from api import package
from api.model.descriptor import Table
from api.model.errors import LanternError
from api.model.files import CHANGELOG, CORRECTIONS, HISTORY
from api.package import Source
from api.package.reading import paths, rows
from api.release import changes, history
from api.release.build import pack
from api.store import atomic_files
from api.store.releases import order

TODO = "TODO"
FIELDS = ("dataset", "record", "field", "old", "new", "kind", "reason", "version")
PARTS = ("major", "minor", "patch")
VALUES = ("value", "low", "high", "qualifier", "unit")  # of lantern:figure: a change of these is a correction
Row = dict[str, str]


class DraftError(LanternError):
    """A version that cannot be drafted; the package is as it was."""


def bumped(version: str, part: str) -> str:
    """The next version. Raises DraftError for one that is no semantic version."""
    found = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)([-+].*)?", version)
    if not found:
        raise DraftError(f"the version {version!r} cannot be raised: expected one such as 1.0.0")
    numbers = [int(found[place]) for place in (1, 2, 3)]
    place = PARTS.index(part)
    return ".".join(str(n) for n in [*numbers[:place], numbers[place] + 1, *[0] * (2 - place)])


def now() -> str:
    """The time as `created` has it; SOURCE_DATE_EPOCH, if set, is the clock."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    moment = datetime.fromtimestamp(int(epoch), UTC) if epoch else datetime.now(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def draft(source: Path, former: Path | None, part: str | None, note: str) -> list[str]:
    """Draft the next version of a package; what was done, a sentence each.

    `former` is the version under way until now, as it was published. Without `part` the version under way is drafted
    again: only its corrections and its section of the CHANGELOG.
    """
    with package.open_source(source) as opened:
        if opened.descriptor_path.suffix != ".json" or opened.folder != opened.descriptor_path.parent:
            raise DraftError("only a package with a datapackage.json can be drafted")
        said = _raw(opened.descriptor_path)
        version, created = str(said.get("version") or ""), str(said.get("created") or "")
        done = []
        if part is not None:
            assert former is not None
            done.append(_keep(former, opened.folder, version))
            version, created = bumped(version, part), now()
            if created <= str(said.get("created") or ""):
                raise DraftError(f"it is {created}, not after {said.get('created')}: a version is dated when made")
        before = history.earlier(opened.folder, version)
        if not before:
            raise DraftError(f"there is no version before {version}: use --bump")
        done += _corrections(opened, before[-1], version, created[:10])
        done += _section(opened.folder / CHANGELOG, version, created[:10], note)
        if part is not None:
            _date(opened.descriptor_path, said, version, created)
            done.append(f"{opened.descriptor_path.name}: version {version}, created {created}")
    return done


def _raw(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8-sig"))
    return found


# The former version


def _keep(former: Path, folder: Path, version: str) -> str:
    """Put the published version into the history, by one rename."""
    shelf, target = folder / HISTORY, folder / HISTORY / version
    report = package.validate(former)
    if not report.valid:
        raise DraftError(f"{former} is not valid:\n{report.text()}")
    with package.open_source(former) as opened:
        if opened.package.version != version:
            raise DraftError(f"{former} holds version {opened.package.version}, expected {version}")
        if target.exists():
            return f"{HISTORY}/{version} is there already"
        shelf.mkdir(exist_ok=True)
        work = Path(tempfile.mkdtemp(dir=folder, prefix=".history-"))
        try:
            pack(opened, history.previous(opened), report, work)
            work.chmod(0o755)
            os.rename(work, target)
        except BaseException:
            shutil.rmtree(work, ignore_errors=True)
            raise
    atomic_files.sync(shelf)
    return f"{HISTORY}/{version} holds the former version"


# The descriptor and the changelog


def _date(path: Path, said: Mapping[str, Any], version: str, created: str) -> None:
    """Write version and time into the descriptor, everything else as it stood where that can be done."""
    text = path.read_text(encoding="utf-8-sig")
    for name, value in (("version", version), ("created", created)):
        old = json.dumps(said.get(name), ensure_ascii=False)
        text = re.sub(rf'"{name}"\s*:\s*{re.escape(old)}', f'"{name}": "{value}"', text, count=1)
    wanted = {**said, "version": version, "created": created}
    if json.loads(text) != wanted:
        text = json.dumps(wanted, ensure_ascii=False, indent=2) + "\n"
    atomic_files.write(path, text.encode(), path.stat().st_mode & 0o777)


def _section(path: Path, version: str, day: str, note: str) -> list[str]:
    """A section of the CHANGELOG for a version, before the others; `note` is added where there is one already."""
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
        text = f"{top}\n\n## {version} ({day})\n\n{note or TODO}\n\n{text[place:]}".rstrip("\n") + "\n"
    atomic_files.write(path, text.encode())
    return [f"{path.name}: a section for {version}"]


# Corrections


def _corrections(source: Source, before: Path, version: str, day: str) -> list[str]:
    """Draft a correction for each published value that changed and has none; drafts that were made before go."""
    ledger = source.package.table(CORRECTIONS)
    if ledger is None or not set(FIELDS) <= ledger.index.keys() or len(paths(ledger.descriptor)) != 1:
        return []
    held = [{name: text or "" for name, text in row.items()} for _, row in rows(source, ledger)]
    kept = [row for row in held if row["version"] != version or row["reason"] != TODO]
    told = {(row["dataset"], row["record"], row["field"]) for row in kept if row["version"] == version}
    with tempfile.TemporaryDirectory(prefix="lantern-") as scratch:
        with history.side(before, Path(scratch)) as old:
            (Path(scratch) / "new").mkdir()
            new = history.plain(source, Path(scratch) / "new")
            lines = [json.loads(line, parse_float=str, parse_int=str) for line in changes.lines(old, new)]
    wanted = [row for row in _wanted(source, lines, _gone(kept)) if (row["dataset"], row["record"], "") not in told]
    drafts = [row for row in wanted if (row["dataset"], row["record"], row["field"]) not in told]
    names = _ids(ledger, [row.get(ledger.primary_key[0], "") for row in kept] if ledger.primary_key else [])
    for row in drafts:
        row |= {"reason": TODO, "version": version, "date": day}
        if len(ledger.primary_key) == 1:
            row[ledger.primary_key[0]] = next(names)
    if drafts or len(kept) != len(held):
        _save(source.folder / paths(ledger.descriptor)[0], ledger, [*kept, *drafts])
    file = paths(ledger.descriptor)[0]
    return [f"{file}: {len(drafts)} corrections drafted; write their reasons in place of {TODO}"] if drafts else []


def _gone(ledger: list[Row]) -> set[tuple[str, str]]:
    """The rows whose latest correction as a whole is a retraction."""
    whole = sorted((row for row in ledger if not row["field"]), key=lambda row: order(row["version"]))
    last = {(row["dataset"], row["record"]): row["kind"] for row in whole}
    return {key for key, kind in last.items() if kind == "retraction"}


def _wanted(source: Source, lines: list[dict[str, Any]], gone: set[tuple[str, str]]) -> Iterator[Row]:
    """What the changes ask for: a row for each changed field, for each removed row and for each that is back."""
    for line in lines:
        dataset, record, change = line["dataset"], line.get("record"), line["change"]
        table = source.package.table(dataset)
        row = {"dataset": dataset, "record": record or "", "field": "", "old": "", "new": ""}
        if dataset == CORRECTIONS or record is None:
            continue
        if change == "removed":
            yield row | {"kind": "retraction"}
        elif change == "added" and (dataset, record) in gone:
            yield row | {"kind": "reinstatement"}
        for cell in line.get("fields", []):
            kind = "correction" if table and _counts(table, cell["field"]) else "clarification"
            said = {"field": cell["field"], "old": _text(cell["old"]), "new": _text(cell["new"]), "kind": kind}
            yield row | said


def _counts(table: Table, field: str) -> bool:
    """Whether a field holds a figure and not what is said of one."""
    named = [table.figure[part] for part in VALUES if part in table.figure]
    if named:
        return field in named
    return field in table.index and table.field(field).type in ("integer", "number")


def _text(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return changes.compact(value)


def _ids(ledger: Table, taken: list[str]) -> Iterator[str]:
    """Keys after the highest that is taken, in its manner."""
    found = [match for name in taken if (match := re.fullmatch(r"(.*?)(\d+)", name))]
    last = max(found, key=lambda match: int(match[2]), default=None)
    head, width, number = (last[1], len(last[2]), int(last[2])) if last else ("cor-", 4, 0)
    while True:
        number += 1
        yield f"{head}{number:0{width}d}"


def _save(path: Path, ledger: Table, found: list[Row]) -> None:
    limits = {field.name: field.constraints.get("maxLength") for field in ledger.fields}
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([field.name for field in ledger.fields])
    for row in found:
        cells = [row.get(field.name, "") for field in ledger.fields]
        writer.writerow([_cut(cell, limits[field.name]) for cell, field in zip(cells, ledger.fields, strict=True)])
    atomic_files.write(path, out.getvalue().encode(), path.stat().st_mode & 0o777)


def _cut(text: str, limit: Any) -> str:
    return text[: limit - 1] + "…" if isinstance(limit, int) and len(text) > limit else text
