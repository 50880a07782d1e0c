"""Turns the data of a table, however it is written, into one plain CSV file, which is all that others read.

A reader yields the rows of its kind of file as Records, the header first. Plain CSV is UTF-8, commas, LF, a header, a
line for each row; what the source says is null is written as the field's first missing value.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from api.model import csv_lines, descriptor
from api.model.findings import Finding
from api.package import upgrade
from api.package.tables import delimited, objects
from api.package.tables.base import BadTable, Given, Record

__all__ = ["READ", "BadTable", "Given", "Record", "plain", "records"]

_READERS: Mapping[str, Callable[[Given], Iterator[Record]]] = {
    **dict.fromkeys(upgrade.TABULAR, delimited.records),
    **dict.fromkeys(upgrade.JSON_FORMATS, objects.records),
}
READ = tuple(_READERS)  # the formats that tables may have

MOST_COLUMNS = 50_000


def records(given: Given) -> Iterator[Record]:
    """The rows of a table, the header first. Raises BadTable, or what reading a file or its format raises."""
    return _READERS[given.format](given)


def plain(given: Given, target: Path) -> tuple[Finding, ...]:
    """Write a table as plain CSV to `target`, or link it there where it is that; what was noticed.

    Raises as `records` does, and ValueError for a table without columns.
    """
    file = delimited.plain_file(given)
    if file is not None:
        target.symlink_to(file.resolve())
        return ()
    warnings: dict[Finding, None] = {}
    noticing = given.warning(lambda finding: warnings.setdefault(finding))
    rows = records(noticing)
    header = next(rows, None)
    if header is None or not header.cells:
        raise ValueError("it has no columns")
    if len(header.cells) > MOST_COLUMNS:
        raise ValueError(f"it has {len(header.cells):,} columns: at most {MOST_COLUMNS:,} can be read")
    labels = [cell or "" for cell in header.cells]
    if given.dialect.get("headerCase") is False and given.names is not None:
        names = {name.casefold(): name for name in given.names}
        labels = [names.get(label.casefold(), label) for label in labels]
    if given.names is None:
        labels = _named(labels, header, noticing)
    nulls = _nulls(given.resource, labels)
    with target.open("w", encoding="utf-8", newline="") as out:
        csv_lines.write(out, [labels])
        csv_lines.write(out, (_written(row.cells, nulls) for row in rows))
    return tuple(warnings)


def _written(cells: Any, nulls: list[str]) -> list[str]:
    if None not in cells:
        return list(cells)
    return [cell if cell is not None else nulls[n] if n < len(nulls) else "" for n, cell in enumerate(cells)]


def _nulls(resource: Mapping[str, Any], labels: list[str]) -> list[str]:
    """How null is written in each column."""
    if not descriptor.is_table(resource):
        return [""] * len(labels)
    missing = {field.name: field.missing for field in descriptor.table(resource).fields}
    return ["" if "" in (own := missing.get(label, ("",))) or not own else own[0] for label in labels]


def _named(labels: list[str], header: Record, given: Given) -> list[str]:
    """Names for columns without one, or with that of another column: no schema names them."""
    names: list[str] = []
    for position, label in enumerate(labels, 1):
        wanted = label.strip() or f"field{position}"
        name = next(n for n in (wanted, *(f"{wanted}_{i}" for i in range(2, 100_000))) if n not in names)
        if name != label:
            message = f"column {position} is named {name}: " + ("the header is empty" if not label.strip() else "…")
            given.warn(Finding("header", message, header.file, given.name, header.line, name, value=label))
        names.append(name)
    return names
