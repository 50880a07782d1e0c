"""Packages of one table in delimited text: what is read of them, and what is said."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packages import V2

from api.package import open_source, validate, write_csv

PLAIN = "id,name\n1,a\n2,b\n"
SCHEMA = {"fields": [{"name": "id", "type": "integer"}, {"name": "name", "type": "string"}]}


def package(folder: Path, files: Mapping[str, str | bytes], resource: Mapping[str, Any], **words: Any) -> Path:
    """A package of one table in these files; without a path of its own the table is all of them."""
    for name, content in files.items():
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    entry = {"name": "t", "type": "table", "path": list(files), "schema": SCHEMA, **resource}
    entry = {key: value for key, value in entry.items() if value not in (None, [])}
    described = {"$schema": V2, "name": "p", "version": "1.0.0", "resources": [entry], **words}
    (folder / "datapackage.json").write_text(json.dumps(described), encoding="utf-8")
    return folder


def told(folder: Path, files: Mapping[str, str | bytes], resource: Mapping[str, Any], **words: Any) -> list[str]:
    return validate(package(folder, files, resource, **words)).text().splitlines()[:-1]


def read(folder: Path, files: Mapping[str, str | bytes], resource: Mapping[str, Any], **words: Any) -> tuple[str, ...]:
    """The table as a release publishes it, then what is said of it."""
    said = told(folder, files, resource, **words)
    if not validate(folder).valid:
        return ("", *said)
    with open_source(folder) as source:
        write_csv(source, source.package.tables[0], folder / "written")
    return ((folder / "written").read_bytes().decode(), *said)


def of(**dialect: Any) -> dict[str, Any]:
    return {"dialect": dialect}
