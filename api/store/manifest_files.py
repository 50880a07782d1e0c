"""The manifest of a release: every file with its bytes, SHA-256 and media type."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MEDIA_TYPES: Mapping[str, str] = {
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".jsonld": "application/ld+json",
    ".csv": "text/csv; charset=utf-8",
    ".md": "text/markdown; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".cff": "application/yaml",
    ".txt": "text/plain; charset=utf-8",
    ".bib": "application/x-bibtex",
    ".yaml": "application/yaml",
    ".sqlite": "application/vnd.sqlite3",
    ".parquet": "application/vnd.apache.parquet",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".zip": "application/zip",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}


def media_type(path: str) -> str:
    """The media type of a release file by its name; plain text for LICENSE, SHA256SUMS and the like."""
    suffix = Path(path).suffix
    if path.endswith(".vl.json"):
        return "application/vnd.vegalite+json"
    return MEDIA_TYPES.get(suffix, "text/plain; charset=utf-8" if not suffix else "application/octet-stream")


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def entries(folder: Path, rows: Mapping[str, int]) -> list[dict[str, Any]]:
    """What the manifest says of each file below a folder, sorted by path; `rows` by path where a file is a table."""
    found = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        name = path.relative_to(folder).as_posix()
        entry: dict[str, Any] = {
            "path": name,
            "bytes": path.stat().st_size,
            "sha256": sha256(path),
            "media_type": media_type(name),
        }
        if name in rows:
            entry["rows"] = rows[name]
        found.append(entry)
    return found


def dump(value: Any) -> str:
    """JSON as files of a release hold it: two spaces, keys in the order given, a final newline."""
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"
