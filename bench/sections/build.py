"""Building a release and its index."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bench import stores
from bench.places import ROOT, folder
from bench.rounds import number, ratio
from bench.sections import Found, Setup


def run(setup: Setup) -> Found:
    """The table built into an empty store, once: validation, every format, the index.

    Index: the folder `index` of the store is deleted and made again by `lantern index`; its size is that of its files.

    Validating twice: a table of a tenth of the rows is built, then the same table under the next version and another
    title into the same store. It has not changed, so validating should take next to no time.
    """
    found = Found()
    target = folder("build")
    shutil.rmtree(target)
    try:
        first = stores.build(stores.package(setup.rows), target / "store")
        release = target / "store" / "releases" / "1.0.0"
        sizes = [(p.stat().st_size / 1e6, str(p.relative_to(release))) for p in release.rglob("*.*")]
        _index(setup, found, target / "store")
        small = stores.package(max(setup.rows // 10, 1000))
        before = stores.build(small, target / "small")
        again = stores.build(_next(small, target / "next"), target / "small")
    finally:
        shutil.rmtree(target)
    large = [[name, f"{size:,.1f}"] for size, name in sorted(sizes, reverse=True) if size > 0.05]
    steps = [[text, number(seconds)] for text, seconds in first["steps"].items()]
    found.tables.append((f"Steps of the build of {setup.rows:,} rows", ("step", "s"), steps))
    found.tables.append((f"{small.name}, built twice", ("step", "s", "again"), _steps(before, again)))
    found.tables.append(("Files of the release", ("file", "MB"), large))
    if setup.rows == 1_000_000:
        found.goal("build", ratio([first["seconds"]], [1.0]), f"highest heap {first['heap']:.0f} MiB")
    else:
        found.problems.append(f"build: {setup.rows:,} rows took {first['seconds']:.1f} s; the goal is of a million")
    validating = [next(s for text, s in entry["steps"].items() if "validat" in text) for entry in (again, before)]
    note = f"validating {small.name} took {validating[1]:.1f} s, then {validating[0]:.1f} s"
    found.goal("build-again", ratio(validating[:1], validating[1:]), note)
    return found


def _index(setup: Setup, found: Found, store: Path) -> None:
    if not (store / "index").exists():
        found.problems.append("index: the build left no folder `index` in the store")
        return
    shutil.rmtree(store / "index")
    command = [sys.executable, "-P", "-m", "api", "index"]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "LANTERN_STORE": str(store)}
    start = time.perf_counter()
    ended = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if ended.returncode:
        found.problems.append(f"index: `lantern index` ended with {ended.returncode}: {ended.stderr.strip()[-300:]}")
        return
    sizes = {path: path.stat().st_size for path in (store / "index").rglob("*") if path.is_file()}
    lines = [[str(path.relative_to(store)), f"{size / 1e6:,.1f}"] for path, size in sizes.items()]
    found.tables.append(("Files of the index", ("file", "MB"), lines))
    csv = (stores.package(setup.rows) / "data" / "figures.csv").stat().st_size
    found.goal("index", ratio([seconds], [1.0]))
    found.goal("index-size", ratio([sum(sizes.values())], [csv]), f"{sum(sizes.values()) / 1e6:,.0f} MB")


def _steps(first: dict[str, Any], again: dict[str, Any]) -> list[list[str]]:
    """Both builds say the same steps in the same order."""
    steps = zip(first["steps"].items(), again["steps"].values(), strict=False)
    return [[text, number(seconds), number(later)] for (text, seconds), later in steps]


def _next(source: Path, target: Path) -> Path:
    """The same package with a higher version and another title, over the same file."""
    (target / "data").mkdir(parents=True)
    (target / "data" / "figures.csv").hardlink_to(source / "data" / "figures.csv")
    descriptor = json.loads((source / "datapackage.json").read_bytes())
    descriptor |= {"version": "1.0.1", "title": "The same table"}
    (target / "datapackage.json").write_text(json.dumps(descriptor))
    return target
