"""Turns the data of a table, however it is written, into one plain CSV file, which is all that others read.

A reader yields the rows of its kind of file as Records, the header first. Plain CSV is UTF-8, commas, LF, a header, a
line for each row; what the source says is null is written as the field's first missing value.
"""

import io
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from api.model import csv_lines, descriptor
from api.model.findings import Finding
from api.package import upgrade
from api.package.tables import delimited, dialects, geo, headers, natives, objects, sheets, unpacking
from api.package.tables.base import MOST_EXTRA, BadTable, Given, Record, refuse_wide
from api.package.tables.parsing import LONGEST_LINE

__all__ = ["READ", "BadTable", "Given", "Record", "plain", "records"]

# The header and the rows of files that keep the types of their values.
_TYPED: Mapping[str, Callable[[Given], natives.Table]] = {
    **dict.fromkeys(upgrade.JSON_FORMATS, objects.table),
    "geojson": geo.table,
    **dict.fromkeys(sheets.FORMATS, sheets.table),
}
READ = (*upgrade.TABULAR, *_TYPED)  # the formats that tables may have


def records(given: Given) -> Iterator[Record]:
    """The rows of a table, the header first; one whose file keeps types has a schema, as `plain` returns it.

    Raises BadTable, or what reading a file or its format raises.
    """
    return natives.records(given, _TYPED[given.format]) if given.format in _TYPED else delimited.records(given)


def plain(given: Given, target: Path) -> tuple[Given, tuple[Finding, ...]]:
    """Write a table as plain CSV to `target`, or link it there where it is that.

    The table as it is to be read from then on, with a schema if its file keeps types, and what was noticed. Raises as
    `records` does, and ValueError for a table without columns.
    """
    file = delimited.plain_file(given)
    if file is not None:
        target.symlink_to(file.resolve())
        return given, ()
    warnings: dict[Finding, None] = {}
    noticing = given.warning(lambda finding: warnings.setdefault(finding))
    if given.format in _TYPED:
        faults = [*dialects.faults(given)]
        if errors := [finding for finding in faults if finding.level == "error"]:
            raise BadTable(*errors)
        warnings |= dict.fromkeys(faults)
        noticing = natives.described(noticing, _TYPED[given.format])
    rows = records(noticing)
    header = next(rows, None)
    if header is None or not header.cells:
        raise ValueError("it has no columns")
    refuse_wide(header, given)
    labels = [cell or "" for cell in header.cells]
    if given.dialect.get("headerCase") is False and given.names is not None:
        names = {name.casefold(): name for name in given.names}
        labels = [names.get(label.casefold(), label) for label in labels]
    if noticing.names is None:
        labels = headers.named(labels, header, noticing)
    elif headers.unique(labels) == list(noticing.names):  # two fields of one name, in a schema of v1
        labels = list(noticing.names)
    nulls = _nulls(noticing.resource, labels)
    bounded = io.BufferedWriter(unpacking.Bounded(target), unpacking.SPARE)
    with io.TextIOWrapper(bounded, encoding="utf-8", newline="") as out:
        csv_lines.write(out, [labels])
        csv_lines.write(out, (_written(row, nulls, len(labels) + MOST_EXTRA, given) for row in rows))
    return noticing, tuple(warnings)


def _written(row: Record, nulls: list[str], most: int, given: Given) -> list[str]:
    cells = row.cells
    if len(cells) > most:
        refuse_wide(row, given, most)
    texts = [cell if cell is not None else nulls[n] if n < len(nulls) else "" for n, cell in enumerate(cells)]
    if sum(map(len, texts)) > LONGEST_LINE:  # one text may stand in all cells
        message = f"the row has more than {LONGEST_LINE:,} characters"
        raise BadTable(Finding("unreadable-table", message, row.file, given.name, row.line or None, expected="fewer"))
    return texts


def _nulls(resource: Mapping[str, Any], labels: list[str]) -> list[str]:
    """How null is written in each column."""
    if not descriptor.is_table(resource):
        return [""] * len(labels)
    missing = {field.name: field.missing for field in descriptor.table(resource).fields}
    return ["" if "" in (own := missing.get(label, ("",))) or not own else own[0] for label in labels]
