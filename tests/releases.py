"""Packages with a past: the smallest versions that show how one follows from another."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from packages import table, write

DAY = {"1.0.0": "2026-03-01", "1.1.0": "2026-04-01", "1.2.0": "2026-05-01", "2.0.0": "2026-06-01"}
CORRECTION_FIELDS = (
    *("id", "dataset", "record", "field", "old", "new"),
    *("kind", "reason", "date:date", "version"),
)
Rows = Sequence[Sequence[Any]]


def guns(rows: Rows, fields: Sequence[str] = ("id", "value:integer", "note")) -> dict[str, Any]:
    """A table of figures."""
    return table("guns", fields, rows)


def corrections(*rows: Sequence[Any]) -> dict[str, Any]:
    """A table of corrections; a row gives id, record, field, kind, reason and version, all of guns."""
    full = [[i, "guns", record, field, "", "", kind, why, DAY[v], v] for i, record, field, kind, why, v in rows]
    return table("corrections", CORRECTION_FIELDS, full)


def package(folder: Path, versions: Mapping[str, Sequence[dict[str, Any]]], **words: Any) -> Path:
    """A package with its history: the tables of each version, the last one current."""
    *former, last = versions
    for version in former:
        _version(folder / "history" / version, version, versions[version], words)
    return _version(folder, last, versions[last], words)


def _version(folder: Path, version: str, tables: Sequence[dict[str, Any]], words: Mapping[str, Any]) -> Path:
    return write(folder, *tables, version=version, created=f"{DAY[version]}T10:00:00Z", **words)


TWO = {
    "1.0.0": [guns([["a", 1, "first"], ["b", 2, ""], ["c", 3, ""]]), corrections()],
    "1.1.0": [
        guns([["a", 1, "second"], ["c", 4, ""], ["d", 5, ""]]),
        corrections(
            ["cor-1", "a", "note", "clarification", "clearer", "1.1.0"],
            ["cor-2", "c", "value", "correction", "a slip", "1.1.0"],
            ["cor-3", "b", "", "retraction", "not a gun", "1.1.0"],
        ),
    ],
}
