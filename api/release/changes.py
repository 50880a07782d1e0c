"""What changed between two versions of a package: rows by key, fields with old and new value, tables and fields.

Each change is one record, a line of JSON:

    {"version": "1.1.0", "dataset": "exports", "change": "added",   "record": "exs-0001", "row": {…}}
    {"version": "1.1.0", "dataset": "exports", "change": "changed", "record": "seed-003",
     "fields": [{"field": "standing", "old": "preferred", "new": "alternative"}]}
    {"version": "1.1.0", "dataset": "exports", "change": "removed", "record": "exs-0002", "row": {…}}

and for the tables themselves dataset_added, dataset_removed, field_added, field_removed (with `field`). Rows of a
table without a key have no `record`: a row that occurs more often is added, one that occurs less often is removed.
Values are compared as values (1 and 1.0 are one number), as corrections are.

Both tables are read side by side in the order of their keys, a row of each at a time: memory does not grow with them.
A table in another order is sorted on disk first. Records are grouped by dataset, in the new version's
order, then by key.
"""

import csv
import filecmp
import heapq
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

from api.index.layout import change_head
from api.index.survey import read_cells
from api.model import types as values
from api.model.descriptor import Package, Table

ROWS = ("added", "changed", "removed")
TABLES = ("dataset_added", "dataset_removed", "field_added", "field_removed")
SORTED_AT_ONCE = 40_000  # rows in memory while a table is sorted
KEPT_CELLS = 20_000
Cells = list[str]
Keyed = tuple[Any, Cells]
Read = Callable[[Cells], Any]


@dataclass(frozen=True)
class Side:
    """One version as differences are found in it: its tables, and each as a file of plain CSV."""

    package: Package
    paths: Mapping[str, Path]


def compact(value: Any) -> str:
    """JSON as lines hold it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def write(old: Side, new: Side, target: Path) -> None:
    """Write the changes from one version to another as JSON Lines."""
    with target.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(line + "\n" for line in lines(old, new))


def lines(old: Side, new: Side) -> Iterator[str]:
    """Each change as JSON."""
    version = new.package.version
    for table in new.package.tables:
        yield from _of_table(change_head(version, table.name), old, new, old.package.table(table.name), table)
    for table in old.package.tables:
        if new.package.table(table.name) is None:
            yield from _of_table(change_head(version, table.name), old, new, table, None)


def counts(path: Path) -> dict[str, dict[str, int]]:
    """How many records of each kind a file of changes has, by dataset. Raises ValueError for any other file."""
    counters: dict[str, Counter[str]] = {}
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            record = json.loads(line)
            if not isinstance(record, dict) or record.get("change") not in ROWS + TABLES:
                raise ValueError(f"{path.name}:{number} is not a record of a change")
            counters.setdefault(str(record["dataset"]), Counter())[record["change"]] += 1
    return {
        name: {kind: counter[kind] for kind in ROWS + TABLES if counter[kind] or kind in ROWS}
        for name, counter in counters.items()
    }


# Tables


def _of_table(start: str, old: Side, new: Side, before: Table | None, after: Table | None) -> Iterator[str]:
    if before is None or after is None:
        table, place, kind = (after, new, "added") if after is not None else (before, old, "removed")
        assert table is not None
        yield f'{start}"change":"dataset_{kind}"}}'
        columns = _Columns(table)
        for cells in read_cells(place.paths[table.name]):
            yield _whole(start, kind, columns, cells)
        return
    for kind, one, other in (("added", after, before), ("removed", before, after)):
        for name in (field.name for field in one.fields if field.name not in other.index):
            yield f'{start}"change":"field_{kind}","field":{compact(name)}}}'
    paths = old.paths[before.name], new.paths[after.name]
    if not (_alike(before, after) and filecmp.cmp(*paths, shallow=False)):
        yield from _of_rows(start, paths, before, after)


def _alike(before: Table, after: Table) -> bool:
    """Whether the same text means the same in both."""
    return (before.schema["fields"], before.missing_values) == (after.schema["fields"], after.missing_values)


def _of_rows(start: str, paths: tuple[Path, Path], before: Table, after: Table) -> Iterator[str]:
    keyed = bool(after.primary_key) and before.primary_key == after.primary_key
    reads = (_key(before, after), _key(after, before)) if keyed else (_whole_row, _whole_row)
    columns, differences = (_Columns(before), _Columns(after)), _Differences(before, after)
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lantern-")))
        olds, news = (_ordered(path, read, scratch / name) for path, read, name in zip(paths, reads, "ab", strict=True))
        for was, now in _merged(olds, news):
            if now is None:
                yield _whole(start, "removed", columns[0], was or [], keyed)
            elif was is None:
                yield _whole(start, "added", columns[1], now, keyed)
            elif keyed and (changed := differences(was, now)):
                record = compact(columns[1].record(now))
                yield f'{start}"change":"changed","record":{record},"fields":[{",".join(changed)}]}}'


def _merged(olds: Iterator[Keyed], news: Iterator[Keyed]) -> Iterator[tuple[Cells | None, Cells | None]]:
    """The rows of two tables in the order of their keys, partners together."""
    old, new = next(olds, None), next(news, None)
    while old is not None or new is not None:
        if new is None or (old is not None and old[0] < new[0]):
            assert old is not None
            yield old[1], None
            old = next(olds, None)
        elif old is None or new[0] < old[0]:
            yield None, new[1]
            new = next(news, None)
        else:
            yield old[1], new[1]
            old, new = next(olds, None), next(news, None)


# Order


def _key(table: Table, other: Table) -> Read:
    """Reads a row's key as what the strict order of a package's files compares; text where types differ."""
    readers = []
    for name in table.primary_key:
        types = {table.field(name).type, other.field(name).type}
        reader = values.kind(table.field(name)).read if types <= {"integer", "year"} else str
        readers.append((table.index[name], reader))
    if len(readers) == 1:
        place, read = readers[0]
        return (lambda cells: cells[place]) if read is str else (lambda cells: read(cells[place]))
    return lambda cells: tuple([read(cells[place]) for place, read in readers])


def _whole_row(cells: Cells) -> Any:
    return cells


def _ordered(path: Path, key: Read, scratch: Path) -> Iterator[Keyed]:
    """The rows of a file with their keys, in the order of the keys."""
    if _is_sorted(path, key):
        return ((key(cells), cells) for cells in read_cells(path))
    return _sorted(path, key, scratch)


def _is_sorted(path: Path, key: Read) -> bool:
    keys = (key(cells) for cells in read_cells(path))
    return all(earlier <= later for earlier, later in pairwise(keys))


def _sorted(path: Path, key: Read, scratch: Path) -> Iterator[Keyed]:
    """Sort on disk: pieces that fit into memory, then all of them merged."""
    scratch.mkdir()
    rows = read_cells(path)
    pieces: list[Path] = []
    while piece := sorted(islice(rows, SORTED_AT_ONCE), key=key):
        pieces.append(scratch / str(len(pieces)))
        with pieces[-1].open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([[], *piece])  # an empty header
    streams = [((key(cells), cells) for cells in read_cells(piece)) for piece in pieces]
    return heapq.merge(*streams, key=lambda keyed: keyed[0])


# Rows


class _Texts(dict[str, str]):
    """A column's cells as JSON, each text read once: a mapping that fills itself."""

    def __init__(self, table: Table, position: int) -> None:
        super().__init__({text: "null" for text in table.fields[position].missing})
        self.position = position
        self.kind = values.kind(table.fields[position])

    def __missing__(self, text: str) -> str:
        try:
            written = self.kind.json(self.kind.read(text))
        except ValueError:
            written = compact(text)
        if len(self) < KEPT_CELLS:
            self[text] = written
        return written


class _Columns:
    """How the rows of a table are written."""

    def __init__(self, table: Table) -> None:
        self.texts = [_Texts(table, position) for position in range(len(table.fields))]
        self.heads = [compact(field.name) + ":" for field in table.fields]
        self.key = [table.index[name] for name in table.primary_key]

    def row(self, cells: Cells) -> str:
        parts = [head + texts[cell] for head, texts, cell in zip(self.heads, self.texts, cells, strict=True)]
        return "{" + ",".join(parts) + "}"

    def record(self, cells: Cells) -> str | None:
        """The row's key as corrections and addresses name it."""
        return ",".join([cells[place] for place in self.key]) if self.key else None


def _whole(start: str, kind: str, columns: _Columns, cells: Cells, keyed: bool = True) -> str:
    record = compact(columns.record(cells) if keyed else None)
    return f'{start}"change":"{kind}","record":{record},"row":{columns.row(cells)}}}'


class _Differences:
    """The fields in which two rows with one key differ, each as JSON: null where a version does not have the field."""

    def __init__(self, before: Table, after: Table) -> None:
        self.alike = _alike(before, after)
        self.fields = [
            (name, _texts(before, name), _texts(after, name)) for name in dict.fromkeys([*after.index, *before.index])
        ]

    def __call__(self, was: Cells, now: Cells) -> list[str]:
        if self.alike and was == now:
            return []
        differences = []
        for name, before, after in self.fields:
            old = "null" if before is None else before[was[before.position]]
            new = "null" if after is None else after[now[after.position]]
            if old != new and _value(old) != _value(new):
                differences.append(f'{{"field":{compact(name)},"old":{old},"new":{new}}}')
        return differences


def _texts(table: Table, name: str) -> _Texts | None:
    return _Texts(table, table.index[name]) if name in table.index else None


def _value(text: str) -> Any:
    """What JSON stands for, numbers with all their digits: 1 and 1.0 are one value."""
    return json.loads(text, parse_float=Decimal)
