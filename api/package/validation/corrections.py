"""Whether every change against an earlier version of a package has a row in its table of corrections."""

from collections.abc import Iterator, Mapping
from typing import Any

from api.model import types
from api.model.descriptor import Table
from api.model.files import CORRECTIONS
from api.model.findings import Finding
from api.package.checks.base import key_of
from api.package.reading import Source, digest, rows

TODO = "TODO"
FIELDS = ("dataset", "record", "field", "version")
Row = Mapping[str, str | None]


def missing(new: Source, old: Source) -> Iterator[Finding]:
    """A problem for each changed or removed row of `old` that no correction of this version names.

    Packages that keep no corrections are not asked for any.
    """
    ledger = new.package.table(CORRECTIONS)
    if ledger is None:
        if old.package.table(CORRECTIONS) is not None:
            message = "the earlier version keeps corrections and this one does not"
            yield Finding(
                "correction", message, new.descriptor_path.name, CORRECTIONS, expected="the table corrections"
            )
        return
    if not set(FIELDS) <= ledger.index.keys():
        return
    told = _told(new, ledger)
    yield from _unwritten(new, ledger)
    for before in old.package.tables:
        after = new.package.table(before.name)
        if before.name == CORRECTIONS:
            yield from _shrunk(new, ledger, old, before)
        elif before.primary_key and not (after and _same(new, after, old, before)):
            yield from _untold(new, after, old, before, told)


def _told(source: Source, ledger: Table) -> set[tuple[str | None, ...]]:
    version = source.package.version
    return {(r["dataset"], r["record"], r["field"]) for _, r in rows(source, ledger) if r["version"] == version}


def _unwritten(source: Source, ledger: Table) -> Iterator[Finding]:
    """A drafted correction (`lantern release`) whose reason nobody wrote yet says nothing."""
    for number, row in rows(source, ledger):
        if row.get("reason") == TODO:
            key = key_of(ledger, row)
            message, expected = "the reason of the correction is still to be written", "why the figure changed"
            yield Finding(
                "correction", message, source.file(ledger), CORRECTIONS, number, "reason", key, TODO, expected
            )


def _shrunk(new: Source, ledger: Table, old: Source, before: Table) -> Iterator[Finding]:
    """Corrections are never changed or taken back: a reader may have acted on them."""
    now = {key_of(ledger, row): row for _, row in rows(new, ledger)}
    for _, row in rows(old, before):
        key = key_of(before, row)
        kept = now.get(key)
        if kept is None or any(kept.get(name) != text for name, text in row.items() if name in kept):
            what = "is gone" if kept is None else "was changed"
            message = f"the published correction {key} {what}"
            yield Finding("correction", message, new.file(ledger), CORRECTIONS, key=key, expected="corrections stay")


def _untold(
    new: Source, after: Table | None, old: Source, before: Table, told: set[tuple[str | None, ...]]
) -> Iterator[Finding]:
    name, file = before.name, new.file(after) if after else new.descriptor_path.name
    expected = f"a row in {CORRECTIONS} with version {new.package.version}"
    for key, number, was, now in _pairs(new, after, old, before):
        if (name, key, None) in told:
            continue
        if now is None or after is None:
            message = f"the row {key} of {name} was removed without a correction"
            yield Finding("correction", message, file, name, key=key, expected=expected)
            continue
        for field in (field.name for field in before.fields if field.name in after.index):
            if (name, key, field) not in told and _differ(before, after, field, was[field], now[field]):
                message = f"{name} {key}: {field} changed from {_quoted(was[field])} to {_quoted(now[field])}"
                message += " without a correction"
                yield Finding("correction", message, file, name, number, field, key, now[field] or "", expected)


def _pairs(
    new: Source, after: Table | None, old: Source, before: Table
) -> Iterator[tuple[str, int | None, Row, Row | None]]:
    """Each row of the earlier table with its successor; rows wait only until their partner is read.

    Both tables are read side by side: where they have nearly one order, next to nothing is kept.
    """
    waiting_old: dict[str, Row] = {}
    waiting_new: dict[str, tuple[int, Row]] = {}
    olds = rows(old, before)
    news = rows(new, after) if after else iter(())
    while True:
        one, other = next(olds, None), next(news, None)
        if one is None and other is None:
            break
        if one is not None:
            waiting_old[key_of(before, one[1])] = one[1]
        if other is not None and after is not None:
            waiting_new[key_of(after, other[1])] = other
        for key in [key_of(t, r[1]) for t, r in ((before, one), (after, other)) if t is not None and r is not None]:
            if key in waiting_old and key in waiting_new:
                number, now = waiting_new.pop(key)
                yield key, number, waiting_old.pop(key), now
    for key, was in waiting_old.items():
        yield key, None, was, None


def _same(new: Source, after: Table, old: Source, before: Table) -> bool:
    """Whether two tables are surely equal, without reading their rows."""
    alike = after.fields == before.fields and after.descriptor.get("dialect") == before.descriptor.get("dialect")
    return alike and digest(new, after) == digest(old, before)


def _differ(before: Table, after: Table, field: str, was: str | None, now: str | None) -> bool:
    """Whether a cell has another value; 1 and 1.0 are one number."""
    return was != now and _value(before, field, was) != _value(after, field, now)


def _value(table: Table, field: str, text: str | None) -> Any:
    try:
        return None if text is None else types.kind(table.field(field)).read(text)
    except ValueError:
        return text


def _quoted(text: str | None) -> str:
    return "nothing" if text is None else f'"{text}"'
