"""Rows that are JSON objects: which members they have, so that none is lost when they become a table."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import ijson

from api.package import upgrade
from api.package.reading import encoding


def members(resource: Mapping[str, Any], path: Path | None) -> dict[str, int] | None:
    """The names of the members of a resource's rows, as they appear, each with the first row (from 1) that has it.

    None where rows are lists; empty where there are no rows. `path` is the file of the rows, None for inline data.
    """
    first: dict[str, int] = {}
    for number, item in enumerate(_items(resource, path), 1):
        if not isinstance(item, Mapping):
            return None
        for name in item:
            first.setdefault(str(name), number)
    return first


def _items(resource: Mapping[str, Any], path: Path | None) -> Iterator[Any]:
    if path is None:
        yield from resource["data"] if isinstance(resource.get("data"), list) else ()
    elif upgrade.format_of(resource) == "json":
        inside = (resource.get("dialect") or {}).get("property")
        with path.open("rb") as file:
            yield from ijson.items(file, f"{inside}.item" if inside else "item")
    else:
        with path.open(encoding=encoding(resource)) as lines:
            yield from (json.loads(line) for line in lines if line.strip())
