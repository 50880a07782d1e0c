"""Whether every change against an earlier version of a package has a row in its table of corrections."""

from collections.abc import Iterator, Mapping
from itertools import zip_longest

from api.model.descriptor import Table
from api.model.files import CORRECTIONS
from api.model.findings import Finding
from api.package.checks.base import key_of, value_of
from api.package.reading import Source, digest, rows

TODO = "TODO"
FIELDS = ("dataset", "record", "field", "version")
Row = Mapping[str, str | None]
Pair = tuple[str, int | None, Row, Row | None]  # key, number of the row in the new table, old row, new row


def missing(new: Source, old: Source) -> Iterator[Finding]:
    """A finding for each changed or removed row of `old` that no correction of this version names.

    Packages without a table of corrections need none.
    """
    ledger, file = new.package.table(CORRECTIONS), new.descriptor_path.name
    if ledger is None:
        if old.package.table(CORRECTIONS) is not None:
            message = "the earlier version has corrections and this one does not"
            yield Finding("correction", message, file, CORRECTIONS, expected="the table corrections")
        return
    if not set(FIELDS) <= ledger.index.keys():
        return
    corrected: set[tuple[str | None, ...]] = set()
    for number, row in rows(new, ledger):
        if row["version"] == new.package.version:
            corrected.add((row["dataset"], row["record"], row["field"]))
        if row.get("reason") == TODO:  # as `lantern release` drafts it
            message, expected = "the reason of the correction is still to be written", "why the figure changed"
            place = (new.file(ledger), CORRECTIONS, number, "reason", key_of(ledger, row))
            yield Finding("correction", message, *place, TODO, expected)
    for before in old.package.tables:
        after = new.package.table(before.name)
        if before.name == CORRECTIONS:
            yield from _shrunk(new, ledger, old, before)
        elif before.primary_key and not (after and _same(new, after, old, before)):
            yield from _uncorrected(new, after, old, before, corrected)


def _shrunk(new: Source, ledger: Table, old: Source, before: Table) -> Iterator[Finding]:
    """Corrections are never changed or removed: a reader may have acted on them."""
    by_key = {key_of(ledger, row): row for _, row in rows(new, ledger)}
    for _, row in rows(old, before):
        key = key_of(before, row)
        now = by_key.get(key)
        if now is None or any(now.get(name) != text for name, text in row.items() if name in now):
            message = f"the published correction {key} was {'removed' if now is None else 'changed'}"
            yield Finding("correction", message, new.file(ledger), CORRECTIONS, key=key, expected="corrections stay")


def _uncorrected(
    new: Source, after: Table | None, old: Source, before: Table, corrected: set[tuple[str | None, ...]]
) -> Iterator[Finding]:
    name, file = before.name, new.file(after) if after else new.descriptor_path.name
    expected = f"a row in {CORRECTIONS} with version {new.package.version}"
    for key, number, was, now in _pairs(new, after, old, before):
        if (name, key, None) in corrected:
            continue
        if now is None or after is None:
            message = f"the row {key} of {name} was removed without a correction"
            yield Finding("correction", message, file, name, key=key, expected=expected)
            continue
        for field in (field.name for field in before.fields if field.name in after.index):
            if was[field] == now[field] or (name, key, field) in corrected:
                continue
            if value_of(before, field, was[field]) != value_of(after, field, now[field]):
                one, other = ("nothing" if row[field] is None else f'"{row[field]}"' for row in (was, now))
                message = f"{name} {key}: {field} changed from {one} to {other} without a correction"
                yield Finding("correction", message, file, name, number, field, key, now[field] or "", expected)


def _pairs(new: Source, after: Table | None, old: Source, before: Table) -> Iterator[Pair]:
    """Each row of the earlier table with its successor; rows wait only until their partner is read.

    Both tables are read side by side: where they have nearly the same order, next to nothing is held in memory.
    """
    waiting_old: dict[str, Row] = {}
    waiting_new: dict[str, tuple[int, Row]] = {}
    olds = ((key_of(before, row), row) for _, row in rows(old, before))
    news = ((key_of(after, row), (number, row)) for number, row in rows(new, after)) if after else ()
    for one, other in zip_longest(olds, news):
        waiting_old.update([one] if one else [])
        waiting_new.update([other] if other else [])
        for key, _ in filter(None, (one, other)):
            if key in waiting_old and key in waiting_new:
                number, now = waiting_new.pop(key)
                yield key, number, waiting_old.pop(key), now
    for key, was in waiting_old.items():
        yield key, None, was, None


def _same(new: Source, after: Table, old: Source, before: Table) -> bool:
    """Whether two tables are surely equal, without reading their rows."""
    described = ("schema", "dialect", "encoding", "format")
    alike = all(before.descriptor.get(key) == after.descriptor.get(key) for key in described)
    return alike and digest(new, after) == digest(old, before)
