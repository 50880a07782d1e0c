"""Building a release."""

import json
import shutil
from pathlib import Path
from typing import Any

from bench import stores
from bench.places import folder
from bench.rounds import number, ratio
from bench.sections import Found, Setup


def run(setup: Setup) -> Found:
    """`lantern build` of the table into an empty store, once: validation, every format, the serving file.

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
