"""JSON Lines: one object a line with every field in schema order, numbers with all their digits."""

from collections.abc import Callable
from json.encoder import encode_basestring
from pathlib import Path
from typing import Any

from api.model import types
from api.release.formats.survey import Column, Survey, number_text, records


def write(found: Survey, target: Path) -> None:
    """Write a table as JSON Lines."""
    names = (encode_basestring(field.name).replace("%", "%%") for field in found.table.fields)
    line = "{" + ",".join(f"{name}:%s" for name in names) + "}\n"
    makers = [_maker(column) for column in found.columns]
    with target.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(line % row for row in records(found, makers, "null"))


def _maker(column: Column) -> Callable[[str], Any]:
    read, json = column.kind.read, column.kind.json
    if column.kind.type in types.NUMERIC:
        return number_text(column)
    return json if read is str else lambda cell: json(read(cell))
