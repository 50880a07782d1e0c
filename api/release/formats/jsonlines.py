"""JSON Lines: one object a line with every field in schema order, numbers with all their digits."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from json.encoder import encode_basestring
from pathlib import Path
from typing import Any

from api.index.layout import ROW_SEPARATOR
from api.index.rows import json_text, open_rows
from api.index.survey import Column, Survey, number_text, records
from api.model import types
from api.model.descriptor import Package, file_stem
from api.query.find import Selection
from api.query.reshape import reshape

BATCH = 2_000  # rows


def part(selection: Selection, numbers: Sequence[int]) -> tuple[Iterable[bytes], int | None]:
    """Rows by number, reshaped as the query asks; and their bytes, where they are cut out of the release's file."""
    if selection.query.fields is not None or selection.query.expand:
        return _reshaped(selection, numbers), None
    release = selection.release
    file = open_rows(release.folder, f"jsonl/{file_stem(selection.table.name)}.jsonl", release.index)
    return file.cut(numbers), file.size(numbers)


def _reshaped(selection: Selection, numbers: Sequence[int]) -> Iterator[bytes]:
    for start in range(0, len(numbers), BATCH):
        text = json_text(selection.release.index, selection.table, numbers[start : start + BATCH])
        yield (reshape(selection, text).replace(ROW_SEPARATOR, "\n").replace("\t", "") + "\n").encode()


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
