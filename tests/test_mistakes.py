"""Mistakes that curators make, each in a copy of a part of our package: what the first line of the report says.

The part is the table of desertions with what it refers to. Every line must tell a person who does not program where
the mistake is and what was expected.
"""

import csv
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from api.package import validate

OURS = Path(__file__).resolve().parents[1] / "datapackage"
KEPT = ("desertions", "indicators", "sources", "conflicts", "conflict_positions", "sums", "corrections")
FIGURES, SOURCES, INDICATORS = "data/desertions.csv", "data/sources.csv", "data/indicators.csv"
CONFLICTS, POSITIONS, SUMS = "data/conflicts.csv", "data/conflict_positions.csv", "data/sums.csv"
LEDGER, DESCRIPTOR, SCHEMA = "data/corrections.csv", "datapackage.json", "schemas/desertions.json"
Edit = Callable[[bytes], bytes]
Row = dict[str, str]


def cut(folder: Path) -> None:
    """Our package without what does not concern desertions."""
    rows: dict[str, list[Row]] = {}
    for name in KEPT:
        with (OURS / f"data/{name}.csv").open(encoding="utf-8", newline="") as file:
            rows[name] = list(csv.DictReader(file))
    used = {row["source"] for row in rows["desertions"]}
    of_dataset = ("indicators", "conflicts", "conflict_positions", "sums", "corrections")
    rows |= {name: [row for row in rows[name] if row["dataset"] == "desertions"] for name in of_dataset}
    rows["sources"] = [row for row in rows["sources"] if row["id"] in used]
    rows["conflict_positions"] = [
        r for r in rows["conflict_positions"] if r["conflict"] in {c["id"] for c in rows["conflicts"]}
    ]
    (folder / "data").mkdir(parents=True)
    for name, kept in rows.items():
        assert kept, name
        with (folder / f"data/{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(kept[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(kept)
    shutil.copytree(OURS / "schemas", folder / "schemas")
    described = json.loads((OURS / DESCRIPTOR).read_text("utf-8"))
    described["resources"] = [entry for entry in described["resources"] if entry["name"] in KEPT]
    del described["lantern:sums"], described["lantern:charts"]
    (folder / DESCRIPTOR).write_text(json.dumps(described, ensure_ascii=False), encoding="utf-8")


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("part") / "package"
    cut(folder)
    return folder


# Ways to edit a file


def text(edit: Callable[[str], str], encoding: str = "utf-8") -> Edit:
    return lambda raw: edit(raw.decode()).encode(encoding)


def put(before: str, after: str) -> Edit:
    """One text in place of another that is there once."""

    def edit(raw: bytes) -> bytes:
        assert raw.count(before.encode()) == 1, before
        return raw.replace(before.encode(), after.encode())

    return edit


def table(edit: Callable[[list[list[str]]], object], **options: str) -> Edit:
    """The rows of the file, the header first, changed and written again by a program that needs no quotes."""

    def changed(raw: bytes) -> bytes:
        rows = list(csv.reader(raw.decode().splitlines(keepends=True)))
        edit(rows)
        lines: list[str] = []
        csv.writer(type("Lines", (), {"write": staticmethod(lines.append)}), lineterminator="\n", **options).writerows(
            rows
        )
        return "".join(lines).encode()

    return changed


def cell(key: str, field: str, change: str | Callable[[str], str]) -> Edit:
    """Another text in one cell; the text before stands in it as {}."""

    def edit(rows: list[list[str]]) -> None:
        [row] = [row for row in rows if row[0] == key]
        place = rows[0].index(field)
        row[place] = change.format(row[place]) if isinstance(change, str) else change(row[place])

    return table(edit)


def cells(key: str, **changes: str) -> Edit:
    def edit(rows: list[list[str]]) -> None:
        [row] = [row for row in rows if row[0] == key]
        for field, change in changes.items():
            row[rows[0].index(field)] = change

    return table(edit)


def swapped(key: str, one: str, other: str) -> Edit:
    def edit(rows: list[list[str]]) -> None:
        [row] = [row for row in rows if row[0] == key]
        a, b = rows[0].index(one), rows[0].index(other)
        row[a], row[b] = row[b], row[a]

    return table(edit)


def column(field: str, edit: Callable[[str], str]) -> Edit:
    def change(rows: list[list[str]]) -> None:
        place = rows[0].index(field)
        for row in rows[1:]:
            row[place] = edit(row[place])

    return table(change)


def copied(key: str, **changes: str) -> Edit:
    """A copy of a row below it."""

    def edit(rows: list[list[str]]) -> None:
        place = next(place for place, row in enumerate(rows) if row[0] == key)
        rows.insert(place + 1, [changes.get(name, text) for name, text in zip(rows[0], rows[place], strict=True)])

    return table(edit)
