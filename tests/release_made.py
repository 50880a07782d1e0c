"""Makes releases of small packages for the tests of what is in a release."""

import csv
import json
from pathlib import Path
from typing import Any

from api.model import descriptor
from api.release import files
from api.store import manifest

OWN = Path(__file__).parent.parent / "datapackage"
CREATED = "2026-03-04T05:06:08Z"
BASE_URL = "https://lantern.example"

# One field of every type, in the ways that cells may be written, and rows that try each.
AWKWARD_FIELDS: list[dict[str, Any]] = [
    {"name": "Clave única", "type": "string", "title": "Key", "description": "With | and <b> and `tick`."},
    {"name": 'select "x"', "type": "string"},
    {"name": "Select", "type": "string"},
    {"name": "SELECT", "type": "any"},
    {"name": "整数", "type": "integer"},
    {"name": "big", "type": "integer"},
    {"name": "grouped", "type": "integer", "groupChar": " ", "bareNumber": False},
    {"name": "amount", "type": "number"},
    {"name": "share", "type": "number", "decimalChar": ",", "groupChar": "."},
    {"name": "exact", "type": "number"},
    {"name": "tiny", "type": "number"},
    {"name": "yes", "type": "boolean", "trueValues": ["sí"], "falseValues": ["no"]},
    {"name": "year", "type": "year"},
    {"name": "month", "type": "yearmonth"},
    {"name": "day", "type": "date", "format": "%d/%m/%Y"},
    {"name": "plain day", "type": "date"},
    {"name": "clock", "type": "time"},
    {"name": "moment", "type": "datetime"},
    {"name": "length", "type": "duration"},
    {"name": "tags", "type": "list", "delimiter": ";"},
    {"name": "counts", "type": "list", "itemType": "integer"},
    {"name": "shares", "type": "list", "itemType": "number"},
    {"name": "thing", "type": "object"},
    {"name": "several", "type": "array"},
    {"name": "place", "type": "geopoint"},
    {"name": "shape", "type": "geojson"},
    {"name": "odd", "type": "colour"},
]
AWKWARD_ROWS = [
    [
        *("a", "=1+1", "x", "X", "0", "7", "$1 234", "12.50", "1.234,5", "0.1234567890123456789012345678901234567"),
        *("1e-20", "sí", "2007", "2007-03", "01/10/2006", "1899-12-31", "13:30", "2007-10-01T13:30:00+02:00"),
        *("P1Y2M", "a;b", "1,2", "0.5,2", '{"b": [1, 2.5], "a": null}', '[1, "x"]', "-99.13,19.43"),
        *('{"type": "Point", "coordinates": [1, 2]}', "https://example.org"),
    ],
    [
        *("b", "line\none", ' "q" ', "007", "-5", "99999999999999999999", "-12", "-0.07", "0", "3"),
        *(
            "123456789012345.5",
            "no",
            "-0044",
            "1999-12",
            "28/02/1999",
            "2100-01-01",
            "13:30:00.5",
            "1850-01-01T00:00:00Z",
        ),
        *("PT36H", "só", "9007199254740993", "1e3", "{}", "[]", "0,0", '{"type": "Point", "coordinates": []}', "été"),
    ],
    ["c", "tab\tand _x0041_ \x01", *("NA" for _ in range(25))],
]


def awkward() -> dict[str, Any]:
    """A package of one table with every type and odd names, one that refers to it, and an empty one without a key."""
    schema = {"fields": AWKWARD_FIELDS, "primaryKey": ["Clave única"], "missingValues": ["NA"]}
    points = {"fields": ["to"], "reference": {"resource": "Order By", "fields": ["Clave única"]}}
    child = {"fields": [{"name": "n", "type": "integer"}, {"name": "to", "type": "string"}], "foreignKeys": [points]}
    empty = {"fields": [{"name": f"column {i}", "type": "string"} for i in range(200)]}
    return package(
        {
            "Order By": (schema, AWKWARD_ROWS),
            "order by": ({**child, "primaryKey": ["n"]}, [["2", "a"], ["1", "b"], ["3", ""]]),
            "[пусто]: a/name? that is far too long for a sheet": (empty, []),
        },
        title='Odd: "names" & more',
    )


def package(tables: dict[str, tuple[dict[str, Any], list[list[str]]]], **said: Any) -> dict[str, Any]:
    """A descriptor whose resources carry their rows (under `rows of`, taken out when it is written)."""
    resources = [
        {"name": name, "type": "table", "schema": schema, "rows of": rows} for name, (schema, rows) in tables.items()
    ]
    return {
        "$schema": "https://datapackage.org/profiles/2.0/datapackage.json",
        "name": "made-up",
        "title": "Made up",
        "version": "1.2.3",
        "created": CREATED,
        "licenses": [
            {"name": "CC-BY-4.0", "title": "Creative Commons", "path": "https://creativecommons.org/licenses/"}
        ],
        "contributors": [{"title": "The Lantern & Co", "roles": ["author"]}],
        "lantern:baseUrl": BASE_URL,
        **said,
        "resources": resources,
    }


def own(**said: Any) -> dict[str, Any]:
    """Lantern's own package, as it stands in the tree."""
    found = json.loads((OWN / "datapackage.json").read_text("utf-8"))
    for resource in found["resources"]:
        with (OWN / resource["path"]).open(encoding="utf-8", newline="") as file:
            resource["rows of"] = list(csv.reader(file))[1:]
        resource["schema"] = json.loads((OWN / resource["schema"]).read_text("utf-8"))
    return {**found, "lantern:baseUrl": BASE_URL, **said}


def release(folder: Path, made: dict[str, Any], extra: dict[str, str] | None = None) -> Path:
    """Write a release of a package made here: its CSV files and descriptor as a build leaves them, then the rest."""
    resources = [_resource(folder, entry) for entry in made["resources"]]
    described = {**made, "resources": resources}
    (folder / "datapackage.json").write_text(manifest.dump(described), encoding="utf-8")
    tables = [{"name": r["name"], "path": "elsewhere.csv", "rows": r["rows"]} for r in resources]
    report = {"valid": True, "errors": [], "warnings": [], "tables": tables}
    for name, text in (extra or {}).items():
        (folder / name).write_text(text, encoding="utf-8")
    files.write(described, folder, report, extra or {})
    return folder


def _resource(folder: Path, entry: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in entry.items() if key != "rows of"}
    path = folder / descriptor.table(kept).path
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(field["name"] for field in kept["schema"]["fields"])
        writer.writerows(entry["rows of"])
    return {
        **kept,
        "path": path.relative_to(folder).as_posix(),
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "bytes": path.stat().st_size,
        "hash": f"sha256:{manifest.digest(path)}",
        "rows": len(entry["rows of"]),
    }
