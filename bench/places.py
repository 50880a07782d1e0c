"""Where the benchmarks keep what they make: packages, stores, peers, logs and results, kept between runs."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = Path(os.environ.get("LANTERN_BENCH", ROOT / "var" / "bench")).absolute()
RESULTS = ROOT / "bench" / "RESULTS.md"


def folder(*parts: str) -> Path:
    """A folder under the work folder, made if need be."""
    found = WORK.joinpath(*parts)
    found.mkdir(parents=True, exist_ok=True)
    return found
