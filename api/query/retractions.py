"""Rows that were published and withdrawn again: what the table of corrections says of a row that is not there."""

from functools import lru_cache

from api.index import database
from api.index.layout import ROW_SEPARATOR
from api.index.rows import json_text
from api.model.files import CORRECTIONS
from api.store.releases import Release, order

PARTS = ("dataset", "record", "field", "kind", "date", "version")
RETRACTION = "retraction"


def retraction(release: Release, dataset: str, record: str) -> str | None:
    """The retraction of a row as JSON, if the latest correction of the whole row (one that names no field) is one."""
    return retractions(release).get((dataset, record))


@lru_cache(maxsize=16)
def retractions(release: Release) -> dict[tuple[str, str], str]:
    """The rows of a release's history that are retracted, by dataset and key, with their retractions as JSON."""
    table = release.package.table(CORRECTIONS)
    if table is None or not set(PARTS) <= table.index.keys():
        return {}
    layout = database.layouts(release.folder)[CORRECTIONS]
    columns = {part: f"c{table.index[part]}" for part in PARTS}
    whole = f"coalesce({columns['field']}, '') = ''"
    sql = f"SELECT n, {', '.join(columns.values())} FROM t{layout.number} WHERE {whole} ORDER BY n"
    latest: dict[tuple[str, str], tuple[tuple[object, ...], int, str]] = {}
    for number, dataset, record, _, kind, date, version in database.rows(release.folder, sql, (), 0):
        place = (str(date), order(str(version)), number)
        if place >= latest.get((dataset, record), (place,))[0]:
            latest[dataset, record] = (place, number, kind)
    found = {key: number for key, (_, number, kind) in latest.items() if kind == RETRACTION}
    numbers = sorted(found.values())
    texts = dict(zip(numbers, json_text(release.folder, table, numbers).split(ROW_SEPARATOR), strict=bool(numbers)))
    return {key: texts[number] for key, number in found.items()}
