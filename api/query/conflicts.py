"""Disagreement as data: the conflicts that a release's rows take part in.

Works for any package with the tables `conflicts` (key: one field) and `conflict_positions` (conflict, dataset,
record): a release's conflicts are few, so they are read once and stay in memory.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from api.index import sqlite
from api.index.layout import FIELD_SEPARATOR
from api.model.files import CONFLICTS, POSITIONS
from api.query.find import run
from api.query.reshape import every_row
from api.query.sql import by_value
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
    alone = {str(row[table.primary_key[0]]): text for row, text in every_row(release, table)}
    figures: dict[str, list[str]] = {name: [] for name in alone}
    of_row: dict[str, dict[int, tuple[str, ...]]] = defaultdict(dict)
    for position, text in every_row(release, positions):
        name, dataset, record = (str(position[part]) for part in PARTS)
        number, figure = _figure(release, dataset, record)
        if name in alone:
            figures[name].append(f'{text[:-1]}{FIELD_SEPARATOR}"figure":{figure}}}')
            if number:
                of_row[dataset][number] = (*of_row[dataset].get(number, ()), name)
    joined = {
        name: f'{text[:-1]}{FIELD_SEPARATOR}"positions":[{",".join(figures[name])}]}}' for name, text in alone.items()
    }
    return Conflicts(alone, joined, of_row)


def _figure(release: Release, dataset: str, record: str) -> tuple[int, str]:
    """The number and JSON of the row that a position names; 0 and null for none."""
    table = release.package.table(dataset)
    if table is None or len(table.primary_key) != 1:
        return 0, "null"
    layout, key = sqlite.layouts(release.index)[dataset], table.index[table.primary_key[0]]
    rows = run(release, by_value(layout, (key,)), {"k0": record})
    return (rows[0][0], sqlite.json_text(release.index, layout.number, rows[0])) if rows else (0, "null")
