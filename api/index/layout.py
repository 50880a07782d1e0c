"""The layout of an index: the tables that are written for a server and read by it, and their names.

An index has two files with the same rows, made from a release by whoever serves it. `tables.sqlite` (api.index.sqlite)
answers what an index or a rollup narrows, and holds each row's text; `tables.duckdb` (api.index.duckdb) answers what
must scan. Of the table with the number N in the package:

`tN`: `n`, a row's number in the order of the primary key; `cI`, the compared value of the field at position I, so that
any field name works; `fI`, the text of the field with case folded where folding changes it, for a list its items as
JSON, each between two SEPARATORs. Fields from position PART on are in further tables, `tN_1` and so on: no engine takes
thousands of columns. Only in SQLite: `jN`, each row's JSON and its line of the release's CSV; `qN`, the full text;
`rN_A_B`, rollups (ROLLUPS). Only in DuckDB: `eI`, numbers that 64 bits do not add up as whole numbers of 10^-scale; and
the bytes of a row's line in CSV and in JSON Lines.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

from api.model import types
from api.model.descriptor import Table

FORMAT = "6-duckdb1.4"  # raised when indexes made before can no longer be read; the second number is duckdb.STORAGE's
FOLDER = "index"  # of a store, where the setting INDEX names none
SQLITE_FILE, DUCKDB_FILE = "tables.sqlite", "tables-*.duckdb"
ROW_SEPARATOR = ",\n"  # no JSON string holds a raw newline: a page can be cut into rows without parsing it
FIELD_SEPARATOR = ",\t"  # nor a raw tab: a row can be cut into its fields
ITEM_SEPARATOR = "\x1f"  # nor this
ROW_NUMBER, RELEVANCE = -1, -2  # in place of a field's position: the row's number; how well full text fits it
PART = 900  # fields a table
SEARCHED = 1_000  # columns of full text, of which SQLite has at most 2,000: more text fields share them
FEW = 5_000  # rows that SQLite sooner looks at one by one than DuckDB scans (DECISIONS: the rule of engines)
CROWD = 200  # rows of one value that may be sorted while an index is walked
# Tables of this size have rollups, one for each pair among the first ROLLED fields of at most FEW_VALUES values.
ROLLUPS_FROM, FEW_VALUES, ROLLED = 5_000, 1_000, 4
INDEXED = 64  # fields with an index of their own
INDEXES = "lantern:indexes"  # property of a resource: lists of field names that the publisher wants an index of


@dataclass(frozen=True)
class Column:
    """What a query must know of a field's values.

    `exact`: they are stored as text that sorts as the numbers do, because neither 64-bit integers nor doubles hold them
    all; `whole`: all are 64-bit integers; `scale`: the most digits behind the decimal point; `adds`: 64 bits hold the
    sum of all, in whole numbers of 10^-scale; `apart`: they are numbers and 64 bits do not, so there is an `eI`;
    `most`: how many rows share the most frequent value; `folded`: there is an `fI`; `commas`: some text has a comma;
    `finite`: no number is NaN or infinite, else they are `exact`.
    """

    exact: bool = False
    nulls: bool = False
    whole: bool = False
    scale: int = 0
    adds: bool = False
    apart: bool = False
    most: int = 0
    folded: bool = False
    commas: bool = False
    finite: bool = True


@dataclass(frozen=True, eq=False)
class Layout:
    """How one dataset is stored: its number, its rows, its columns, the pairs of fields with a rollup, the fields of
    each index by position, and the header of its CSV.
    """

    number: int
    rows: int
    columns: tuple[Column, ...]
    rollups: tuple[tuple[int, int], ...]
    indexes: tuple[tuple[int, ...], ...]
    header: str


def folder(store: Path, setting: str) -> Path:
    """The folder of the indexes of this format, by the store and the setting INDEX."""
    return (Path(setting).expanduser() if setting else store / FOLDER) / FORMAT


def dump(layout: Layout) -> str:
    """A layout as the index keeps it."""
    return json.dumps(asdict(layout))


def read(text: str) -> Layout:
    """A layout from its text."""
    found = json.loads(text)
    columns = tuple(Column(**column) for column in found["columns"])
    rollups, indexes = (tuple(map(tuple, found[name])) for name in ("rollups", "indexes"))
    return Layout(**{**found, "columns": columns, "rollups": rollups, "indexes": indexes})


@lru_cache(maxsize=1_000)
def texts(table: Table) -> list[int]:
    """The positions of the fields that full text looks into."""
    return [i for i, f in enumerate(table.fields) if f.type in ("string", "any") or f.type not in types.TYPES]


def part(number: int, position: int) -> str:
    """The name of the table that holds a field."""
    return f"t{number}_{position // PART}" if position >= PART else f"t{number}"


def rollup(number: int, pair: tuple[int, int]) -> str:
    """The name of a rollup."""
    return f"r{number}_{pair[0]}_{pair[1]}"


def index(number: int, positions: Iterable[int]) -> str:
    """The name of an index."""
    return f"i{number}_" + "_".join(map(str, positions))


def whole(column: str, scale: int) -> str:
    """SQL for a value as a whole number of 10^-scale."""
    return f"CAST(round({column} * 1e{scale}) AS BIGINT)" if scale else column


def change_head(version: str, dataset: str) -> str:
    """How every record of a dataset begins: readers find a dataset's records by it without parsing the rest."""
    return f'{{"version":{json.dumps(version, ensure_ascii=False)},"dataset":{json.dumps(dataset, ensure_ascii=False)},'
