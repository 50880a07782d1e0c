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
    """`lantern build` of the table into an empty store: validation, every format, the serving file, once.

    Then the same table under the next version and another title into the same store; a table that has not changed
    need not be validated twice.
    """
    found = Found()
    source = stores.package(setup.rows)
    target = folder("build")
    shutil.rmtree(target)
    try:
        first = stores.build(source, target / "store")
        again = stores.build(_next(source, target / "next"), target / "store")
        release = target / "store" / "releases" / "1.0.0"
        sizes = [[str(p.relative_to(release)), f"{p.stat().st_size / 1e6:,.1f}"] for p in release.rglob("*.*")]
    finally:
        shutil.rmtree(target)
    large = sorted((line for line in sizes if line[1] != "0.0"), key=lambda line: -float(line[1].replace(",", "")))
    found.tables.append(("Steps of the build", ("step", "s", "s, built again"), _steps(first, again)))
    found.tables.append(("Files of the release", ("file", "MB"), large))
    if setup.rows == 1_000_000:
        found.goal("build", ratio([first["seconds"]], [1.0]), f"highest heap {first['heap']:.0f} MiB")
    else:
        found.problems.append(f"build: {setup.rows:,} rows took {first['seconds']:.1f} s; the goal is of a million")
    validating = [next(s for text, s in entry["steps"].items() if "validat" in text) for entry in (again, first)]
    note = f"validating took {validating[1]:.1f} s, then {validating[0]:.1f} s; all {again['seconds']:.1f} s"
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
