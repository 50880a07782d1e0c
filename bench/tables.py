"""Tables of any size and always the same shape, from a fixed seed: what the benchmarks ask about."""

import json
import random
from pathlib import Path

COUNTRIES = tuple(f"{a}{b}{c}" for a in "ABC" for b in "KLMN" for c in "XYZ")[:30]
CATEGORIES = tuple(f"category-{n:02d}" for n in range(40))
STANDINGS = ("preferred", "alternative", "context")
WORDS = "approved shipped delivered firearms ammunition licence report series figure total source revised".split()
YEARS = range(1990, 2025)


def package(folder: Path, rows: int) -> Path:
    """A package with one table `figures` of so many rows in a folder; made once, then found there."""
    target = folder / f"figures-{rows}"
    (target / "data").mkdir(parents=True, exist_ok=True)
    if not (target / "data" / "figures.csv").exists():
        write(target / "data" / "figures.csv.part", rows)
        (target / "data" / "figures.csv.part").rename(target / "data" / "figures.csv")
    (target / "datapackage.json").write_text(json.dumps(descriptor(rows), indent=2))
    return target


def write(path: Path, rows: int, seed: int = 20090405) -> None:
    """The table as CSV, always the same for a seed."""
    random.seed(seed)
    choice, randrange = random.choice, random.randrange
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write("id,country,category,year,day,standing,value,note\n")
        for number in range(rows):
            year = YEARS.start + randrange(len(YEARS))
            day = f"{year}-{randrange(1, 13):02d}-{randrange(1, 29):02d}"
            value = f"{randrange(10_000_000)}.{randrange(100):02d}"
            note = f"{choice(WORDS)} {choice(WORDS)}"
            file.write(
                f"f{number:08d},{choice(COUNTRIES)},{choice(CATEGORIES)},{year},{day},{choice(STANDINGS)},{value},{note}\n"
            )


def descriptor(rows: int) -> dict[str, object]:
    """What describes it: a package of version 1.0.0."""

    def field(name: str, kind: str, **constraints: object) -> dict[str, object]:
        return {"name": name, "type": kind, "constraints": {"required": True, **constraints}}

    fields = [
        field("id", "string", unique=True, pattern="f[0-9]{8}"),
        field("country", "string", enum=list(COUNTRIES)),
        field("category", "string", enum=list(CATEGORIES)),
        field("year", "year", minimum=YEARS.start, maximum=YEARS.stop),
        field("day", "date"),
        field("standing", "string", enum=list(STANDINGS)),
        field("value", "number", minimum=0),
        field("note", "string"),
    ]
    return {
        "$schema": "https://datapackage.org/profiles/2.0/datapackage.json",
        "name": f"figures-{rows}",
        "version": "1.0.0",
        "created": "2026-11-24T00:00:00Z",
        "licenses": [{"name": "CC0-1.0", "title": "CC0", "path": "https://creativecommons.org/publicdomain/zero/1.0/"}],
        "resources": [
            {
                "name": "figures",
                "type": "table",
                "path": "data/figures.csv",
                "schema": {"fields": fields, "primaryKey": ["id"], "missingValues": [""]},
            }
        ],
    }
