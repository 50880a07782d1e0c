"""What checking a table brought, and how it is remembered: a table that has not changed need not be checked again."""

import hashlib
import json
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from api.model.descriptor import Table
from api.model.files import POSITIONS
from api.model.findings import Finding
from api.package import reading
from api.package.reading import Source
from api.store import atomic_files


@dataclass(frozen=True)
class TableResult:
    """What checking one table's rows brought."""

    rows: int
    errors: tuple[Finding, ...]
    warnings: tuple[Finding, ...]


def key_of(source: Source, table: Table) -> str:
    """All that a table's finding depends on: code, descriptor, its bytes, those of the tables it is checked against."""
    package = source.package
    names = {key.resource for key in table.foreign_keys}
    names |= {rule.get("resource") for rule in (table.figure.get("agrees") or {}).values()}
    if table.name == POSITIONS:
        names |= {other.name for other in package.tables}
    others = [other for other in package.tables if other.name in names]
    told = {
        "code": _code(),
        "package": {key: package.descriptor.get(key) for key in ("lantern:strict", "lantern:sums")},
        "names": source.names,
        "tables": [(other.descriptor, reading.digest(source, other)) for other in (table, *others)],
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


def _code() -> str:
    digest = hashlib.sha256(metadata.version("frictionless").encode())
    api = Path(__file__).parents[2]
    for file in sorted([*api.glob("package/**/*.py"), *api.glob("model/*.py")]):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def remembered(cache: Path, key: str) -> TableResult | None:
    """A table's finding from an earlier run; one that cannot be read is as good as none."""
    try:
        kept = json.loads((cache / f"{key}.json").read_text("utf-8"))
        return TableResult(kept["rows"], (), tuple(Finding(**warning) for warning in kept["warnings"]))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def remember(cache: Path, key: str, finding: TableResult) -> None:
    """Keep a table's finding for later runs; two builds may do so at once."""
    found = {"rows": finding.rows, "warnings": [warning.to_json() for warning in finding.warnings]}
    atomic_files.write(cache / f"{key}.json", json.dumps(found).encode())
