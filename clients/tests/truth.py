"""What a client must get: rows of the release's CSV, read, chosen and sorted by plain Python."""

import csv
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

LISTED = ["dcs_value_approved", "dcs_value_shipped"]
SORT = ["-year", "id"]
# What somebody writes by hand.
QUERY = f"indicator__in={','.join(LISTED)}&sort={','.join(SORT)}"
CONDITIONS = ["year__gte=2006", "destination__in=MEX,LAC"]
# A row whose key has three fields.
POSITION = ["con-04", "exports", "exp-041"]

Figure = tuple[str, float | None, float | None]


def releases() -> list[Path]:
    """The folders of the releases that the server has, the latest last."""
    return sorted(Path(os.environ["CLIENTS_STORE"], "releases").iterdir())


def release() -> Path:
    return releases()[-1]


def rows(dataset: str) -> list[dict[str, str]]:
    with (release() / "data" / f"{dataset}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def figures(found: Iterable[Mapping[str, Any]]) -> list[Figure]:
    """Rows of exports, from any client, as what is compared of them: id, year and value."""
    return [(row["id"], number(row["year"]), number(row["value"])) for row in found]


def number(cell: Any) -> float | None:
    """A number as text, as JSON and as a data frame have it; None for what each has for no value."""
    return None if cell in ("", None) or cell != cell else float(cell)


def all_exports() -> list[Figure]:
    """In the order of the primary key."""
    return sorted(figures(rows("exports")))


def of_the_list() -> list[Figure]:
    """The exports of the indicators LISTED, in the order of SORT: those of QUERY."""
    found = figures(row for row in rows("exports") if row["indicator"] in LISTED)
    return sorted(found, key=lambda figure: (figure[1] is None, -(figure[1] or 0), figure[0]))


def of_the_conditions() -> list[Figure]:
    """The exports that meet the CONDITIONS, in the order of the primary key."""
    found = [row for row in rows("exports") if row["destination"] in ("MEX", "LAC")]
    return sorted(figure for figure in figures(found) if (figure[1] or 0) >= 2006)


def position() -> dict[str, str]:
    """The row of POSITION."""
    [found] = [row for row in rows("conflict_positions") if list(row.values())[:3] == POSITION]
    return found
