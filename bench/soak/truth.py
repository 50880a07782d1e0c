"""What is right: packages of which each version has other rows, and the rows of each version, read from its CSV."""

import csv
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import tables

ROWS = 20_000
NUMBERS = {"year": int, "value": float}
Row = dict[str, Any]


def package(folder: Path, number: int) -> Path:
    """The package of version 1.{number}.0: the same keys in each, all other values drawn anew."""
    target = folder / f"package-{number}"
    (target / "data").mkdir(parents=True)
    tables.write(target / "data" / "figures.csv", ROWS, seed=number)
    dated = {"version": f"1.{number}.0", "created": f"2026-10-{number + 1:02d}T00:00:00Z"}
    described = {**tables.descriptor(ROWS), **dated}
    (target / "datapackage.json").write_text(json.dumps(described))
    return target


@dataclass
class Truth:
    """The rows of each version, from the CSV files of the packages in `folder`."""

    folder: Path
    versions: dict[str, dict[str, Row]] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)

    def add(self, number: int) -> None:
        """Read the package of a version that is about to be published."""
        path = self.folder / f"package-{number}" / "data" / "figures.csv"
        with path.open(newline="") as file:
            rows = [{name: NUMBERS.get(name, str)(text) for name, text in row.items()} for row in csv.DictReader(file)]
        version = f"1.{number}.0"
        self.digests[version] = hashlib.sha256(path.read_bytes()).hexdigest()
        self.versions[version] = {row["id"]: row for row in rows}

    def fault(self, version: str, rows: list[Row]) -> str:
        """What is wrong with rows that are said to be of a version: "", "wrong", or "mixed": of another version."""
        differ = [row for row in rows if self.versions.get(version, {}).get(row["id"]) != row]
        if not differ:
            return ""
        elsewhere = any(of.get(row["id"]) == row for of in self.versions.values() for row in differ)
        return "mixed" if elsewhere else "wrong"

    def matching(self, version: str, **filters: Any) -> list[Row]:
        """The rows of a version that have these values."""
        every = self.versions[version].values()
        return [row for row in every if all(row[name] == value for name, value in filters.items())]
