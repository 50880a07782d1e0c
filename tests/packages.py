"""Writes the smallest data package that shows a thing: a descriptor, and a CSV file for each table."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

V2 = "https://datapackage.org/profiles/2.0/datapackage.json"


def table(name: str, fields: Sequence[str], rows: Sequence[Sequence[Any]], **schema: Any) -> dict[str, Any]:
    """A table whose fields are written "name" (text) or "name:type"; the first is its key unless said otherwise."""
    named = [dict(zip(("name", "type"), (*field.split(":"), "string"), strict=False)) for field in fields]
    schema = {"fields": named, "primaryKey": [named[0]["name"]], **schema}
    return {"name": name, "schema": schema, "rows": rows}


def write(folder: Path, *tables: dict[str, Any], **words: Any) -> Path:
    """The package's folder; `words` are properties of the package, a table's other keys those of its resource."""
    resources = []
    for entry in tables:
        rest = {key: value for key, value in entry.items() if key != "rows"}
        path = rest.setdefault("path", f"data/{entry['name']}.csv")
        resources.append({"type": "table", **rest})
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        with (folder / path).open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([field["name"] for field in entry["schema"]["fields"]])
            writer.writerows(entry["rows"])
    package = {"$schema": V2, "name": "small", "version": "1.0.0", "resources": resources, **words}
    (folder / "datapackage.json").write_text(json.dumps(package, ensure_ascii=False), encoding="utf-8")
    return folder
