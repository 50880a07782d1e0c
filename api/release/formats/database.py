"""package.sqlite: the package as people open it, one typed table a dataset, with keys and foreign keys.

Integers of 64 bits are INTEGER. A column of numbers is INTEGER where all are whole, REAL where a double holds every
one exactly (so that sums work), else TEXT with all digits. Booleans are 0 and 1, moments ISO 8601 text (times in UTC),
lists and objects JSON text. Two fields equal but for case become `name` and `NAME_2`. The tables `_package`, `_tables`
and `_fields` hold the descriptions and how each field is stored.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.index.survey import Column, Survey, number_text, records
from api.model import types as values
from api.model.descriptor import ForeignKey, Package, Table
from api.release.formats.names import reserved, unique

# Written into the header instead of the number of the library that made the file: same rows, same bytes.
SQLITE_VERSION = 3_038_000
OWN = ("_package", "_tables", "_fields")
DETAILS = """
CREATE TABLE {} (property TEXT PRIMARY KEY, value TEXT);
CREATE TABLE {} ("table" TEXT PRIMARY KEY, dataset TEXT, title TEXT, description TEXT, "rows" INTEGER);
CREATE TABLE {} ("table" TEXT, position INTEGER, "column" TEXT, field TEXT, title TEXT, type TEXT, stored TEXT,
  description TEXT, example TEXT, constraints TEXT, categories TEXT, "references" TEXT,
  PRIMARY KEY ("table", position));
"""


@dataclass(frozen=True)
class Target:
    """A table in the database: its name, its columns' names and their SQLite types."""

    name: str
    survey: Survey
    columns: tuple[str, ...]
    types: tuple[str, ...]

    def of(self, fields: Sequence[str]) -> str:
        """The columns of some fields, quoted, for a key."""
        return ", ".join(_quoted(self.columns[self.survey.table.index[name]]) for name in fields)


def write(package: Package, surveys: Sequence[Survey], path: Path) -> None:
    """Write the database; a foreign key that rows break (a validated package has none) is left out."""
    left_out: set[tuple[str, int]] = set()
    while broken := _write(package, surveys, path, left_out):
        left_out |= broken
    _settle(path)


def _settle(path: Path) -> None:
    """Take the SQLite library's version out of the file's header (bytes 96 to 99, informational only)."""
    with path.open("r+b") as file:
        file.seek(96)
        file.write(SQLITE_VERSION.to_bytes(4, "big"))


def _write(
    package: Package, surveys: Sequence[Survey], path: Path, left_out: set[tuple[str, int]]
) -> set[tuple[str, int]]:
    path.unlink(missing_ok=True)
    targets = _targets(surveys)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.executescript("PRAGMA page_size=4096; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; BEGIN;")
        for target in targets.values():
            _fill(db, target, targets, left_out)
        _describe(db, package, targets)
        db.execute("COMMIT")
        broken = db.execute('SELECT DISTINCT "table", fkid FROM pragma_foreign_key_check').fetchall()
    return {(str(table), _declared(targets, str(table), left_out)[-1 - number]) for table, number in broken}


def _targets(surveys: Sequence[Survey]) -> dict[str, Target]:
    """What each dataset becomes, by dataset."""
    names = unique(_allowed(survey.table.name) for survey in surveys)
    return {
        survey.table.name: Target(
            name,
            survey,
            tuple(unique(field.name.replace("\0", "") for field in survey.table.fields)),
            tuple(map(stored, survey.columns)),
        )
        for name, survey in zip(names, surveys, strict=True)
    }


def _allowed(name: str) -> str:
    """SQLite keeps names that start with sqlite_ for itself."""
    return "_" + name if name.casefold().startswith("sqlite_") else name.replace("\0", "")


def stored(column: Column) -> str:
    """The SQLite type in which a column's values are exact."""
    kind = column.kind.type
    if kind in values.NUMERIC:
        return "INTEGER" if column.whole else "REAL" if column.doubles else "TEXT"
    return "INTEGER" if kind in ("boolean", "year") else "TEXT"


def _fill(
    db: sqlite3.Connection, target: Target, targets: Mapping[str, Target], left_out: set[tuple[str, int]]
) -> None:
    parts = [_column(target, i) for i in range(len(target.columns))]
    table = target.survey.table
    if table.primary_key:
        parts.append(f"PRIMARY KEY ({target.of(table.primary_key)})")
    parts += [f"UNIQUE ({target.of(names)})" for names in _unique_keys(table)]
    for position in _declared(targets, target.name, left_out):
        key = table.foreign_keys[position]
        other = targets[key.resource]
        parts.append(
            f"FOREIGN KEY ({target.of(key.fields)}) REFERENCES {_quoted(other.name)} ({other.of(key.reference)})"
        )
    db.execute(f"CREATE TABLE {_quoted(target.name)} (\n  " + ",\n  ".join(parts) + "\n)")
    marks = ", ".join("?" * len(target.columns))
    makers = [_maker(c, kind) for c, kind in zip(target.survey.columns, target.types, strict=True)]
    db.executemany(f"INSERT INTO {_quoted(target.name)} VALUES ({marks})", records(target.survey, makers))


def _column(target: Target, position: int) -> str:
    """A column's declaration; it is NOT NULL where the schema says so and the rows agree."""
    column = target.survey.columns[position]
    table = target.survey.table
    needed = column.field.required or column.field.name in table.primary_key
    words = [_quoted(target.columns[position]), target.types[position]]
    if needed and not column.nulls:
        words.append("NOT NULL")
    if column.field.constraints.get("unique") and table.primary_key != (column.field.name,):
        words.append("UNIQUE")
    return " ".join(words)


def _unique_keys(table: Table) -> Iterator[tuple[str, ...]]:
    """The keys of the standard's uniqueKeys that name fields of the table."""
    for key in table.schema.get("uniqueKeys") or []:
        names = (key,) if isinstance(key, str) else tuple(key)
        if all(name in table.index for name in names) and names != table.primary_key:
            yield names


def _declared(targets: Mapping[str, Target], name: str, left_out: set[tuple[str, int]]) -> list[int]:
    """The positions of a table's foreign keys that SQLite can hold: the other side must be a key itself."""
    table = next(target.survey.table for target in targets.values() if target.name == name)
    return [
        position
        for position, key in enumerate(table.foreign_keys)
        if (name, position) not in left_out and _points_to_key(targets, key)
    ]


def _points_to_key(targets: Mapping[str, Target], key: ForeignKey) -> bool:
    if key.resource not in targets:
        return False
    table = targets[key.resource].survey.table
    if not all(name in table.index for name in key.reference):
        return False
    single = len(key.reference) == 1 and table.field(key.reference[0]).constraints.get("unique")
    keys = [set(names) for names in (table.primary_key, *_unique_keys(table)) if names]
    return bool(single) or set(key.reference) in keys


def _maker(column: Column, kind: str) -> Callable[[str], Any]:
    """How a cell becomes what SQLite stores."""
    read, json_text = column.kind.read, column.kind.json
    name = column.kind.type
    if name in values.NUMERIC:
        if kind == "TEXT":
            return number_text(column)
        if column.plain:
            return _whole if kind == "INTEGER" else float
        return (lambda cell: int(read(cell))) if kind == "INTEGER" else (lambda cell: float(read(cell)))
    if name in ("date", "time", "datetime"):
        return lambda cell: json.loads(json_text(read(cell)))
    if name in values.STRUCTURED:
        return lambda cell: json_text(read(cell))
    return (lambda cell: int(read(cell))) if name == "boolean" else read


def _whole(cell: str) -> int:
    return int(cell.partition(".")[0])


def _describe(db: sqlite3.Connection, package: Package, targets: Mapping[str, Target]) -> None:
    own = reserved(OWN, [target.name for target in targets.values()])
    db_names = [_quoted(name) for name in own]
    for statement in DETAILS.format(*db_names).split(";")[:-1]:
        db.execute(statement)
    properties = {
        "name": package.name,
        "title": package.title,
        "description": package.description,
        "version": package.version,
        "created": package.created,
        "license": package.license,
        "license_path": package.license_path,
        "citation": package.citation,
    }
    db.executemany(f"INSERT INTO {db_names[0]} VALUES (?, ?)", properties.items())
    for target in targets.values():
        table = target.survey.table
        row = (target.name, table.name, table.title, table.description, target.survey.rows)
        db.execute(f"INSERT INTO {db_names[1]} VALUES (?, ?, ?, ?, ?)", row)
        db.executemany(f"INSERT INTO {db_names[2]} VALUES ({', '.join('?' * 12)})", _field_rows(target))


def _field_rows(target: Target) -> Iterator[tuple[Any, ...]]:
    table = target.survey.table
    points = {
        name: f"{key.resource}.{other}"
        for key in table.foreign_keys
        for name, other in zip(key.fields, key.reference, strict=False)
    }
    for position, field in enumerate(table.fields):
        yield (
            target.name,
            position + 1,
            target.columns[position],
            field.name,
            field.title,
            field.type,
            target.types[position],
            field.description,
            _json(field.example),
            _json(field.constraints or None),
            _json(field.descriptor.get("categories")),
            points.get(field.name),
        )


def _json(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
