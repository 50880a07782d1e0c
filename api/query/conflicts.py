"""Disagreement as data: the conflicts that a release's rows take part in.

Works for any package with the tables `conflicts` (key: one field) and `conflict_positions` (conflict, dataset,
record): a release's conflicts are few, so they are read once and kept.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from api.index import database
from api.index.layout import FIELD_SEPARATOR, ROW_SEPARATOR
from api.index.rows import json_text
from api.model.descriptor import Table
from api.model.files import CONFLICTS, POSITIONS
from api.store.releases import Release

PARTS = ("conflict", "dataset", "record")


@dataclass(frozen=True, eq=False)
class Conflicts:
    """A release's conflicts by key, as JSON, alone and joined with their positions; and by dataset and row number."""

    alone: Mapping[str, str]
    joined: Mapping[str, str]
    of_row: Mapping[str, Mapping[int, tuple[str, ...]]]


@lru_cache(maxsize=16)
def conflicts(release: Release) -> Conflicts:
    """The conflicts of a release; none where the package has no such tables."""
    package = release.package
    table, positions = package.table(CONFLICTS), package.table(POSITIONS)
    if table is None or positions is None or not set(PARTS) <= set(positions.index) or len(table.primary_key) != 1:
        return Conflicts({}, {}, {})
    layouts = database.layouts(release.folder)
    key = table.index[table.primary_key[0]]
    own = _rows(release, table, layouts[CONFLICTS], f"c{key}")
    columns = ", ".join(f"c{positions.index[part]}" for part in PARTS)
    taken = _rows(release, positions, layouts[POSITIONS], columns)
    held: dict[str, list[str]] = defaultdict(list)
    of_row: dict[str, dict[int, tuple[str, ...]]] = defaultdict(dict)
    for conflict, dataset, record, text in taken:
        number, row = _figure(release, dataset, record)
        held[conflict].append(f'{text[:-1]}{FIELD_SEPARATOR}"figure":{row}}}')
        if number:
            of_row[dataset][number] = (*of_row[dataset].get(number, ()), conflict)
    joined = {name: f'{text[:-1]}{FIELD_SEPARATOR}"positions":[{",".join(held.get(name, []))}]}}' for name, text in own}
    return Conflicts({name: text for name, text in own}, joined, of_row)


def _rows(release: Release, table: Table, layout: database.Layout, columns: str) -> list[tuple[str, ...]]:
    """Some columns of every row, with its JSON last."""
    found = database.rows(release.folder, f"SELECT {columns} FROM t{layout.number} ORDER BY n", (), 0)
    text = json_text(release.folder, table, range(1, layout.rows + 1))
    return [(*row, line) for row, line in zip(found, text.split(ROW_SEPARATOR), strict=False)]


def _figure(release: Release, dataset: str, record: str) -> tuple[int, str]:
    """The number and JSON of the row that a position names; 0 and null where there is none."""
    table = release.package.table(dataset)
    if table is None or len(table.primary_key) != 1:
        return 0, "null"
    number, key = database.layouts(release.folder)[dataset].number, table.index[table.primary_key[0]]
    found = database.row(release.folder, f"SELECT n FROM t{number} WHERE c{key} = ?", (record,), 0)
    return (found[0], json_text(release.folder, table, found)) if found else (0, "null")
