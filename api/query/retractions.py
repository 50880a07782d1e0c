"""What the table of corrections says of a row; a retraction, of one that is not in the release."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from api.model.files import CORRECTIONS
from api.query.reshape import every_row
from api.store.releases import Release, order

PARTS = {"dataset", "record", "field", "kind", "date", "version"}
RETRACTION = "retraction"
Correction = tuple[Mapping[str, Any], str]  # parsed, and as its JSON


def retraction(release: Release, dataset: str, record: str) -> str | None:
    """The retraction of a row as JSON, if the latest correction of the whole row (one that names no field) is one."""
    whole = [(row["kind"], text) for row, text in corrections_of(release, dataset, record) if not row["field"]]
    kind, text = whole[-1] if whole else ("", None)
    return text if kind == RETRACTION else None


def corrections_of(release: Release, dataset: str, record: str) -> Sequence[Correction]:
    """The corrections of a row and of its fields, oldest first."""
    return _by_row(release).get((dataset, record), ())


@lru_cache(maxsize=16)
def _by_row(release: Release) -> Mapping[tuple[str, str], Sequence[Correction]]:
    """The corrections of each row by dataset and key, oldest first."""
    table = release.package.table(CORRECTIONS)
    if table is None or not PARTS <= table.index.keys():
        return {}
    found: dict[tuple[str, str], list[Correction]] = defaultdict(list)
    every = sorted(every_row(release, table), key=lambda one: (str(one[0]["date"]), order(str(one[0]["version"]))))
    for row, text in every:
        found[str(row["dataset"]), str(row["record"])].append((row, text))
    return found
