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
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from itertools import islice, pairwise
from operator import itemgetter
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
        whole = _whole(start, kind, table, bool(table.primary_key))
        yield from map(whole, read_cells(place.paths[table.name]))
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
    reads = (_key(before, after), _key(after, before)) if keyed else (list, list)
    removed, added = _whole(start, "removed", before, keyed), _whole(start, "added", after, keyed)
    differences = _differences(before, after)
    with tempfile.TemporaryDirectory(prefix="lantern-") as scratch:
        olds, news = (
            _ordered(path, read, Path(scratch, name)) for path, read, name in zip(paths, reads, "ab", strict=True)
        )
        for was, now in _merged(olds, news):
            if now is None:
                yield removed(was or [])
            elif was is None:
                yield added(now)
            elif keyed and (changed := differences(was, now)):
                yield f'{start}"change":"changed","record":{_record(after, now)},"fields":[{",".join(changed)}]}}'


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
    readers: list[tuple[int, Callable[[str], Any]]] = []
    for name in table.primary_key:
        whole = {table.field(name).type, other.field(name).type} <= {"integer", "year"}
        readers.append((table.index[name], values.kind(table.field(name)).read if whole else str))
    if all(read is str for _, read in readers):
        return itemgetter(*(place for place, _ in readers))
    return lambda cells: [read(cells[place]) for place, read in readers]


def _ordered(path: Path, key: Read, scratch: Path) -> Iterator[Keyed]:
    """The rows of a file with their keys, in the order of the keys.

    A file in another order is sorted in `scratch`: pieces that fit into memory, then all of them merged.
    """
    pieces = [path]
    if not all(earlier <= later for earlier, later in pairwise(map(key, read_cells(path)))):
        scratch.mkdir()
        pieces, rows = [], read_cells(path)
        while piece := sorted(islice(rows, SORTED_AT_ONCE), key=key):
            pieces.append(scratch / str(len(pieces)))
            with pieces[-1].open("w", encoding="utf-8", newline="") as file:
                csv.writer(file, lineterminator="\n").writerows([[], *piece])  # an empty header
    streams = [((key(cells), cells) for cells in read_cells(piece)) for piece in pieces]
    return heapq.merge(*streams, key=lambda keyed: keyed[0])


# Rows


def _record(table: Table, cells: Cells) -> str:
    """The row's key as corrections and addresses name it."""
    return compact(",".join([cells[table.index[name]] for name in table.primary_key]))


def _whole(start: str, kind: str, table: Table, keyed: bool) -> Callable[[Cells], str]:
    """How rows that were added or removed are written."""
    columns = [(compact(field.name), _json(table, field.name)) for field in table.fields]

    def whole(cells: Cells) -> str:
        record = _record(table, cells) if keyed else "null"
        row = ",".join([f"{name}:{json_of(cells)}" for name, json_of in columns])
        return f'{start}"change":"{kind}","record":{record},"row":{{{row}}}}}'

    return whole


def _differences(before: Table, after: Table) -> Callable[[Cells, Cells], list[str]]:
    """How the fields in which two rows with one key differ are written."""
    alike = _alike(before, after)
    names = dict.fromkeys([*after.index, *before.index])
    fields = [(compact(name), _json(before, name), _json(after, name)) for name in names]

    def differences(was: Cells, now: Cells) -> list[str]:
        if alike and was == now:
            return []
        pairs = ((name, old_json(was), new_json(now)) for name, old_json, new_json in fields)
        different = (pair for pair in pairs if pair[1] != pair[2] and _value(pair[1]) != _value(pair[2]))
        return [f'{{"field":{name},"old":{old},"new":{new}}}' for name, old, new in different]

    return differences


def _json(table: Table, name: str) -> Callable[[Cells], str]:
    """A field of a row as JSON, each text read once where texts recur: null where the table does not have the field."""
    if name not in table.index:
        return lambda _: "null"
    place, field, kind = table.index[name], table.field(name), values.kind(table.field(name))

    @lru_cache(KEPT_CELLS)
    def json_of(cell: str) -> str:
        try:
            return "null" if cell in field.missing else kind.json(kind.read(cell))
        except ValueError:
            return compact(cell)

    return lambda cells: json_of(cells[place])


def _value(text: str) -> Any:
    """What JSON stands for, numbers with all their digits: 1 and 1.0 are one value."""
    return json.loads(text, parse_float=Decimal)
