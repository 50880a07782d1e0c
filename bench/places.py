"""Where the benchmarks keep what they make: packages, stores, peers, logs and results, kept between runs."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = Path(os.environ.get("LANTERN_BENCH", ROOT / "var" / "bench")).absolute()


def results(rows: int) -> Path:
    """Where the report goes: only that of a million rows is kept in the repository."""
    return ROOT / "bench" / "RESULTS.md" if rows == 1_000_000 else folder("results") / f"{rows}.md"


def folder(*parts: str) -> Path:
    """A folder under the work folder, made if need be."""
    found = WORK.joinpath(*parts)
    found.mkdir(parents=True, exist_ok=True)
    return found
