"""What is served: releases for Lantern, the same rows as one SQLite file with fitting indexes for the peers."""

import csv
import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from bench import tables
from bench.places import ROOT, folder
from bench.processes import memory, tree

# What decides how a release is served: a change there makes a new store.
SOURCES = ("api/index/*.py", "api/release/*.py", "api/release/formats/*.py", "api/model/*.py")
APART = ("charts.py", "draw.py", "extract.py", "database.py", "orders.py")
# What somebody who knows the questions of two filters and a sort would create by hand.
INDEXES = ("country, category", "country, year, value", "category, year, value", "day")
# Those of Lantern's index: each field, and the pairs of fields with few values.
SAME_INDEXES = (
    *("country", "category", "year", "day", "standing", "value", "note"),
    *("country, category", "country, year", "category, year"),
)


def package(rows: int) -> Path:
    """The package with a table of so many rows."""
    return tables.package(folder("packages"), rows)


def store(rows: int, checkout: Path = ROOT) -> Path:
    """A store that holds its release, built if there is none of the checkout's code as it is."""
    digest = hashlib.sha256()
    for path in sorted(path for pattern in SOURCES for path in checkout.glob(pattern) if path.name not in APART):
        digest.update(path.read_bytes())
    name = f"{rows}-{digest.hexdigest()[:8]}"
    place = folder("stores") if checkout == ROOT else folder("beside")
    target = place / name
    if not (target / "releases" / "1.0.0" / "manifest.json").exists():
        for old in place.glob(f"{rows}-*"):
            shutil.rmtree(old)
        print(f"  building the release of {rows:,} rows", flush=True)
        build(package(rows), target, checkout=checkout)
    return target


def index(rows: int) -> Path:
    """The folder of the index of a store's release."""
    return next(store(rows).glob("index/*/*/index.json")).parent


BUILD = """
import json, sys, time
from pathlib import Path
from api.release.build import build
start, said = time.perf_counter(), []
build(Path(sys.argv[1]), Path(sys.argv[2]), lambda text: said.append((round(time.perf_counter() - start, 2), text)))
print(json.dumps({"steps": said, "seconds": time.perf_counter() - start}))
"""


def build(source: Path, target: Path, patience: float = 3600, checkout: Path = ROOT) -> dict[str, Any]:
    """Build a release in a process of its own: seconds in all, seconds of each step, the highest heap in MiB."""
    command = [sys.executable, "-c", BUILD, str(source), str(target)]
    start = time.perf_counter()
    env = {**os.environ, "PYTHONPATH": str(checkout), "PYTHONPYCACHEPREFIX": str(folder("pycache"))}
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, cwd=checkout, env=env, stdout=pipe, stderr=pipe, text=True)
    highest, end = 0.0, time.monotonic() + patience
    try:
        while process.poll() is None and time.monotonic() < end:
            highest = max(highest, memory(tree(process.pid))[1])
            time.sleep(0.25)
    finally:
        if process.poll() is None:
            process.kill()
        out, errors = process.communicate()
    if process.returncode:
        raise RuntimeError("the build failed: " + " | ".join(errors.strip().splitlines()[-3:]))
    found: dict[str, Any] = json.loads(out.strip().splitlines()[-1])
    starts = [*(at for at, _ in found["steps"]), found["seconds"]]
    steps = {text: starts[place + 1] - at for place, (at, text) in enumerate(found["steps"])}
    return {"seconds": time.perf_counter() - start, "steps": steps, "heap": highest}


def database(rows: int, indexes: Sequence[str] = INDEXES) -> Path:
    """The peers' SQLite file: plain columns, indexes, full text of the text fields."""
    target = folder("peers", str(rows), "same" if indexes is SAME_INDEXES else "fitting") / "peers.sqlite"
    if target.exists():
        return target
    work = target.with_suffix(".work")
    work.unlink(missing_ok=True)
    with (package(rows) / "data" / "figures.csv").open(newline="") as file, closing(sqlite3.connect(work)) as db:
        db.execute(
            "CREATE TABLE figures (id TEXT PRIMARY KEY, country TEXT, category TEXT, year INTEGER, day TEXT, "
            "standing TEXT, value REAL, note TEXT)"
        )
        reader = csv.reader(file)
        next(reader)
        db.executemany("INSERT INTO figures VALUES (?, ?, ?, ?, ?, ?, ?, ?)", reader)
        for number, columns in enumerate(indexes):
            db.execute(f"CREATE INDEX figures_{number} ON figures ({columns})")
        texts = "id, country, category, standing, note"
        db.execute(
            f'CREATE VIRTUAL TABLE figures_fts USING fts5 ({texts}, content="figures")'
        )  # Datasette looks for "figures"
        db.execute("INSERT INTO figures_fts (figures_fts) VALUES ('rebuild')")
        db.execute("ANALYZE")
        db.commit()
    work.rename(target)
    return target
