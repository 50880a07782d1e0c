"""The result of checking a table, and how it is remembered: an unchanged table need not be checked again."""

import hashlib
import json
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

from api.model.descriptor import Table
from api.model.files import POSITIONS, TOTALS
from api.model.findings import Finding
from api.package import reading
from api.package.reading import Source
from api.store import atomic_files

OF_ALL = (POSITIONS, TOTALS)  # tables whose checks read any other


@dataclass(frozen=True)
class TableResult:
    """How many rows one table has, and what checking them found."""

    rows: int
    findings: tuple[Finding, ...] = ()


def key_of(source: Source, table: Table) -> str:
    """A hash of all that a table's result depends on: code, descriptor, its bytes and those of tables it refers to."""
    package = source.package
    names = {key.resource for key in table.foreign_keys}
    names |= {rule["resource"] for rule in (table.figure.get("agrees") or {}).values()}
    others = [other for other in package.tables if other.name in names or table.name in OF_ALL]
    inputs = {
        "code": _code(),
        "package": {key: package.descriptor.get(key) for key in ("lantern:strict", "lantern:sums")},
        "names": source.names,
        "former": source.former,
        "tables": [(other.descriptor, reading.digest(source, other)) for other in (table, *others)],
    }
    return hashlib.sha256(json.dumps(inputs, sort_keys=True, default=str).encode()).hexdigest()


def _code() -> str:
    digest = hashlib.sha256(metadata.version("frictionless").encode())
    api = Path(__file__).parents[2]
    for file in sorted([*api.glob("package/**/*.py"), *api.glob("model/*.py")]):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def remembered(cache: Path, key: str) -> TableResult | None:
    """A table's result from an earlier run; None where there is none that can be read."""
    try:
        result = json.loads((cache / f"{key}.json").read_text("utf-8"))
        return TableResult(result["rows"], tuple(Finding(**finding) for finding in result["findings"]))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def remember(cache: Path, key: str, result: TableResult) -> None:
    """Keep a table's result for later runs; two builds may do so at once."""
    atomic_files.write(cache / f"{key}.json", json.dumps(asdict(result)).encode())
