"""Rows that were published and retracted: what the table of corrections says of a row that is not in the release."""

from functools import lru_cache

from api.model.files import CORRECTIONS
from api.query.reshape import every_row
from api.store.releases import Release, order

PARTS = {"dataset", "record", "field", "kind", "date", "version"}
RETRACTION = "retraction"


def retraction(release: Release, dataset: str, record: str) -> str | None:
    """The retraction of a row as JSON, if the latest correction of the whole row (one that names no field) is one."""
    kind, text = _latest(release).get((dataset, record), ("", None))
    return text if kind == RETRACTION else None


@lru_cache(maxsize=16)
def _latest(release: Release) -> dict[tuple[str, str], tuple[str, str]]:
    """The latest correction of each whole row by dataset and key: its kind, and its JSON."""
    table = release.package.table(CORRECTIONS)
    if table is None or not PARTS <= table.index.keys():
        return {}
    whole = [(row, text) for row, text in every_row(release, table) if not row["field"]]
    whole.sort(key=lambda entry: (str(entry[0]["date"]), order(str(entry[0]["version"]))))
    return {(str(row["dataset"]), str(row["record"])): (row["kind"], text) for row, text in whole}
