"""The formats that rows are offered in: one object each with all that the program knows about it.

Imports of heavy libraries stay inside the writers: the server knows the formats too.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from api.index.survey import Survey
from api.model import filenames
from api.model.descriptor import Package, Table
from api.model.files import TABLE_FILES
from api.query.find import Selection
from api.release.formats import delimited, jsonlines

# How much a sheet takes: larger tables are left out of workbooks, and larger results refused as XLSX, because
# spreadsheets do not open them.
SHEET_ROWS, SHEET_COLUMNS, SHEET_CELLS = 100_000, 16_384, 2_000_000
OPEN_XML = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
Write = Callable[[Package, Survey, Path], None]
Part = Callable[[Selection, Iterable[Sequence[int]]], Iterable[str]]


@dataclass(frozen=True)
class Format:
    """A format, by its extension.

    `path` is where a release keeps a whole table, with {} for the table's file name; "" where it does not. `write`
    makes a file of a table: in a build, and of a part of a table in a process of its own (api.release.extract). `part`
    gives the rows of a selection with these numbers within the server, in pieces that begin with what `head` gives;
    `lines` names what the index keeps of whole rows as they are sent, and its size. `most` is how many rows of so many
    columns are given. `flat`: a row cannot hold another row.
    """

    name: str
    title: str
    media_type: str
    path: str = ""
    write: Write | None = None
    part: Part | None = None
    head: Callable[[Selection], str] = lambda _: ""
    lines: str = ""
    most: Callable[[int], int] | None = None
    flat: bool = True

    def file(self, table: Table) -> str:
        """Where a release keeps the table in this format; "" where it does not."""
        return self.path.format(filenames.stem(table.name))


def _parquet(package: Package, survey: Survey, target: Path) -> None:
    from api.release.formats import parquet

    parquet.write(package, survey, target)


def _workbook(package: Package, survey: Survey, target: Path) -> None:
    from api.release.formats import workbook

    workbook.write(package, [survey], target, data_first=True)


def _rows_of_a_sheet(columns: int) -> int:
    return min(SHEET_ROWS, SHEET_CELLS // columns) if columns <= SHEET_COLUMNS else 0


FORMATS: dict[str, Format] = {
    one.name: one
    for one in (
        Format(
            *("jsonl", "JSON Lines", "application/jsonl", TABLE_FILES["jsonl"], jsonlines.write, jsonlines.part),
            lines="jsonl",
            flat=False,
        ),
        Format(
            *("csv", "CSV", "text/csv; charset=utf-8", TABLE_FILES["csv"]),
            part=delimited.part,
            head=delimited.head,
            lines="csv",
        ),
        Format("tsv", "TSV", "text/tab-separated-values; charset=utf-8", part=delimited.tabs),
        Format("xlsx", "XLSX", OPEN_XML, write=_workbook, most=_rows_of_a_sheet),
        Format("parquet", "Parquet", "application/vnd.apache.parquet", TABLE_FILES["parquet"], _parquet),
    )
}
# NDJSON is another name of JSON Lines: the same bytes, of which a release keeps one file.
NDJSON = replace(FORMATS["jsonl"], name="ndjson", media_type="application/x-ndjson")
