"""The layout of an index, the files that a release is served from: what its maker writes and the server reads.

`index.sqlite` holds for each table, by its number N in the package: `tN`, the compared values of its rows,
whose columns are numbered too (so that any field name works), rows in the order of the primary key; `qN`, the full
text; and for pairs of fields rollups (api.index.rollups). Beside it are files of rows, with where each row starts
in them (api.index.rows), and orders (api.index.orders).
"""

import json
import mmap
import struct
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from api.model import types
from api.model.descriptor import Table, file_stem

FORMAT = "2"  # of the files of an index: raised when those made before can no longer be read
FOLDER = "index"  # of a store, where the setting INDEX names none
FILE = "index.sqlite"
ROW_SEPARATOR = ",\n"  # no JSON string holds a raw newline: a page can be cut into rows without parsing it
FIELD_SEPARATOR = ",\t"  # nor a raw tab: a row can be cut into its fields
CHUNK = 1_000_000_000  # sums are kept in two parts, so many in the lower one
NULL_RANK = 2**32 - 1  # of a row without a value
ROW_NUMBER = -1  # in place of a field's position: the row's number
# Written into the header instead of the number of the library that made the file: same rows, same bytes.
SQLITE_VERSION = 3_038_000
# Larger tables are left out of workbooks, and larger results refused as XLSX: spreadsheets do not open them.
SHEET_ROWS = 100_000
SHEET_CELLS = 2_000_000


def folder(store: Path, setting: str) -> Path:
    """The folder of the indexes of this format, by the store and the setting INDEX."""
    return (Path(setting).expanduser() if setting else store / FOLDER) / FORMAT


def orders_path(table: Table) -> str:
    """Where an index keeps the orders of a table, if it has any."""
    return f"{file_stem(table.name)}.orders"


@lru_cache(maxsize=1_000)
def rows_path(table: Table) -> str:
    """Where an index keeps the finished JSON of a table's rows: an object a line, each with the comma after it."""
    return f"{file_stem(table.name)}.rows.json"


@lru_cache(maxsize=1_000)
def texts(table: Table) -> list[int]:
    """The positions of the fields that full text and `contains` look into."""
    return [i for i, f in enumerate(table.fields) if f.type in ("string", "any") or f.type not in types.TYPES]


def index_path(path: str) -> str:
    """Where the starts of the rows of a release's file are."""
    return f"{path.rpartition('/')[2]}.rows"


def rollup(number: int, pair: tuple[int, int]) -> str:
    return f"r{number}_{pair[0]}_{pair[1]}"


def scaled(column: Mapping[str, Any]) -> bool:
    """Whether every value of a column is a whole number of 10^-scale that a 64-bit integer or a double holds."""
    if column["exact"]:
        return False
    return bool(column["scale"] == 0 and column["digits"] <= 18 or column["digits"] + column["scale"] <= 15)


def whole(column: str, scale: int) -> str:
    """SQL for a value as a whole number of 10^-scale."""
    return column if not scale else f"CAST(round({column} * 1e{scale}) AS INTEGER)"


def change_head(version: str, dataset: str) -> str:
    """How every record of a dataset begins: readers find a dataset's records by it without parsing the rest."""
    return f'{{"version":{json.dumps(version, ensure_ascii=False)},"dataset":{json.dumps(dataset, ensure_ascii=False)},'


def settle(path: Path) -> None:
    """Take the SQLite library's version out of a file's header (bytes 96 to 99, informational only)."""
    with path.open("r+b") as file:
        file.seek(96)
        file.write(struct.pack(">I", SQLITE_VERSION))


def mapped(path: Path) -> memoryview:
    """A file as memory that the system shares between processes; an empty file cannot be mapped."""
    if not path.stat().st_size:
        return memoryview(b"")
    with path.open("rb") as file:
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
