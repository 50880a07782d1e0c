"""What is served: releases for Lantern, the same rows as one SQLite file with fitting indexes for the peers."""

import csv
import hashlib
import json
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from bench import tables
from bench.places import ROOT, folder
from bench.processes import memory, tree

# What decides how a release is served: a change there makes a new store.
SOURCES = ("api/index/*.py", "api/release/*.py", "api/release/formats/*.py", "api/model/*.py")
APART = ("charts.py", "draw.py", "extract.py", "database.py", "orders.py")
# What somebody who knows the questions would create by hand.
INDEXES = ("country, category", "country, year, value", "category, year, value", "day")


def package(rows: int) -> Path:
    """The package with a table of so many rows."""
    return tables.package(folder("packages"), rows)


def store(rows: int) -> Path:
    """A store that holds its release, built if there is none of today's code."""
    digest = hashlib.sha256()
    for path in sorted(path for pattern in SOURCES for path in ROOT.glob(pattern) if path.name not in APART):
        digest.update(path.read_bytes())
    name = f"{rows}-{digest.hexdigest()[:8]}"
    target = folder("stores") / name
    if not (target / "releases" / "1.0.0" / "manifest.json").exists():
        for old in folder("stores").glob(f"{rows}-*"):
            shutil.rmtree(old)
        print(f"  building the release of {rows:,} rows", flush=True)
        build(package(rows), target)
    return target


BUILD = """
import json, sys, time
from pathlib import Path
from api.release.build import build
start, said = time.perf_counter(), []
build(Path(sys.argv[1]), Path(sys.argv[2]), lambda text: said.append((round(time.perf_counter() - start, 2), text)))
print(json.dumps({"steps": said, "seconds": time.perf_counter() - start}))
"""


def build(source: Path, target: Path, patience: float = 3600) -> dict[str, Any]:
    """Build a release in a process of its own: seconds in all, seconds of each step, the highest heap in MiB."""
    command = [sys.executable, "-c", BUILD, str(source), str(target)]
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
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


def database(rows: int) -> Path:
    """The peers' SQLite file: plain columns and the indexes of INDEXES."""
    target = folder("peers", str(rows)) / "peers.sqlite"
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
        for number, columns in enumerate(INDEXES):
            db.execute(f"CREATE INDEX figures_{number} ON figures ({columns})")
        db.execute("ANALYZE")
        db.commit()
    work.rename(target)
    return target
