"""JSON Lines: one object a line with every field in schema order, numbers with all their digits."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from json.encoder import encode_basestring
from pathlib import Path
from typing import Any

from api.index import sqlite
from api.index.layout import ROW_SEPARATOR
from api.index.survey import Column, Survey, number_text, records
from api.model import types
from api.model.descriptor import Package
from api.query.find import Selection
from api.query.reshape import reshape


def part(selection: Selection, batches: Iterable[Sequence[int]]) -> Iterator[str]:
    """Rows by number, reshaped as the query asks."""
    index, number, query = selection.release.index, selection.layout.number, selection.query
    for numbers in batches:
        text = sqlite.json_text(index, number, numbers)
        if text and (query.fields is not None or query.expand):
            text = reshape(selection, numbers, text)
        if text:
            yield text.replace(ROW_SEPARATOR, "\n").replace("\t", "") + "\n"


def write(_: Package, survey: Survey, target: Path) -> None:
    """Write a table as JSON Lines."""
    names = (encode_basestring(field.name).replace("%", "%%") for field in survey.table.fields)
    line = "{" + ",".join(f"{name}:%s" for name in names) + "}\n"
    makers = [_maker(column) for column in survey.columns]
    with target.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(line % row for row in records(survey, makers, "null"))


def _maker(column: Column) -> Callable[[str], Any]:
    read, json = column.kind.read, column.kind.json
    if column.kind.type in types.NUMERIC:
        return number_text(column)
    return json if read is str else lambda cell: json(read(cell))
