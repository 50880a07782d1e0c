"""The libraries that write files of a release beside this program: other versions of them may write other bytes."""

import json
import sqlite3
import zlib
from importlib import metadata
from pathlib import Path
from typing import Any

from api.model.files import MANIFEST

LIBRARIES = ("pyarrow", "XlsxWriter", "vl-convert-python")
OWN = {"SQLite": sqlite3.sqlite_version, "zlib": zlib.ZLIB_RUNTIME_VERSION}  # of Python


def here() -> dict[str, str]:
    """The versions of all of them, as a manifest has them (`made_with`)."""
    return {**{name: metadata.version(name) for name in LIBRARIES}, **OWN}


def others(release: Path) -> str:
    """With which other versions a release was made, in words that follow what was said of it; empty for the same."""
    manifest: Any = json.loads((release / MANIFEST).read_bytes())
    made = manifest.get("made_with") or {}
    differ = [
        f"{name} {made.get(name, 'unknown')} (here {version})"
        for name, version in here().items()
        if made.get(name) != version
    ]
    told = f": it was made with {', '.join(differ)}; of the same content these write other bytes"
    return told if differ else ""
