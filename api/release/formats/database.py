"""package.sqlite: the package as people open it, one typed table a dataset, with keys and foreign keys.

Integers of 64 bits are INTEGER. A column of numbers is INTEGER where all are whole, REAL where a double holds every
one exactly (so that sums work), else TEXT with all digits. Booleans are 0 and 1, moments ISO 8601 text (times in UTC),
lists and objects JSON text. Two fields equal but for case become `name` and `NAME_2`. The tables `_package`, `_tables`
and `_fields` hold the descriptions and how each field is stored, `_tables` also which table is left out and why.
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
from api.model.descriptor import Package, Table
from api.release.formats.names import reserved, unique

# Written into the header instead of the number of the library that made the file: same rows, same bytes.
SQLITE_VERSION = 3_038_000
MOST_COLUMNS = 2_000
OWN = ("_package", "_tables", "_fields")
PROPERTIES = ("name", "title", "description", "version", "created", "license", "license_path", "citation")
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
    columns: Sequence[str]
    types: Sequence[str]

    def of(self, fields: Sequence[str]) -> str:
        """The columns of some fields, quoted, for a key."""
        return ", ".join(_quoted(self.columns[self.survey.table.index[name]]) for name in fields)


def write(package: Package, surveys: Sequence[Survey], path: Path) -> None:
    """Write the database; a foreign key that rows break (a validated package has none) is left out."""
    targets = _targets([survey for survey in surveys if not too_large(survey)])
    keys = {target.name: _foreign_keys(target, targets) for target in targets.values()}
    left_out = [survey for survey in surveys if too_large(survey)]
    while broken := _write(package, targets, left_out, keys, path):
        keys = {table: [key for key in of if (table, key) not in broken] for table, of in keys.items()}
    with path.open("r+b") as file:  # bytes 96 to 99 of the header are for information only
        file.seek(96)
        file.write(SQLITE_VERSION.to_bytes(4, "big"))


def too_large(survey: Survey) -> str:
    """Why a table is left out of the database; empty where it is not."""
    columns = len(survey.columns)
    return f"{columns:,} columns: a table of SQLite holds at most {MOST_COLUMNS:,}" if columns > MOST_COLUMNS else ""


def _write(
    package: Package,
    targets: Mapping[str, Target],
    left_out: Sequence[Survey],
    keys: Mapping[str, Sequence[str]],
    path: Path,
) -> set[tuple[str, str]]:
    """Write the file with these foreign keys of each table; those that rows break, with their table."""
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.executescript("PRAGMA page_size=4096; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; BEGIN;")
        for target in targets.values():
            _fill(db, target, keys[target.name])
        _describe(db, package, targets, left_out)
        db.execute("COMMIT")
        broken = db.execute('SELECT DISTINCT "table", fkid FROM pragma_foreign_key_check').fetchall()
    return {(table, keys[table][-1 - number]) for table, number in broken}  # SQLite counts them from the last one


def _targets(surveys: Sequence[Survey]) -> dict[str, Target]:
    """What each dataset becomes, by dataset."""
    targets = {}
    for name, survey in zip(unique(_allowed(survey.table.name) for survey in surveys), surveys, strict=True):
        columns = unique(field.name.replace("\0", "") for field in survey.table.fields)
        targets[survey.table.name] = Target(name, survey, columns, [_stored(column) for column in survey.columns])
    return targets


def _allowed(name: str) -> str:
    """SQLite keeps names that start with sqlite_ for itself."""
    return "_" + name if name.casefold().startswith("sqlite_") else name.replace("\0", "")


def _stored(column: Column) -> str:
    """The SQLite type in which a column's values are exact."""
    kind = column.kind.type
    if kind in values.NUMERIC:
        return "INTEGER" if column.whole and column.finite else "REAL" if column.doubles else "TEXT"
    return "INTEGER" if kind in ("boolean", "year") else "TEXT"


def _fill(db: sqlite3.Connection, target: Target, foreign_keys: Sequence[str]) -> None:
    """Make a table with its rows; a column is NOT NULL where the schema says so and the rows agree."""
    table, parts = target.survey.table, []
    for name, type, column in zip(target.columns, target.types, target.survey.columns, strict=True):
        needed = column.field.required or column.field.name in table.primary_key
        alone = column.field.constraints.get("unique") and table.primary_key != (column.field.name,)
        given = " NOT NULL" if needed and not column.nulls else ""
        parts.append(f"{_quoted(name)} {type}{given}{' UNIQUE' if alone else ''}")
    if table.primary_key:
        parts.append(f"PRIMARY KEY ({target.of(table.primary_key)})")
    parts += [f"UNIQUE ({target.of(names)})" for names in _unique_keys(table)]
    parts += foreign_keys
    db.execute(f"CREATE TABLE {_quoted(target.name)} (\n  " + ",\n  ".join(parts) + "\n)")
    marks = ", ".join("?" * len(target.columns))
    makers = [_maker(c, kind) for c, kind in zip(target.survey.columns, target.types, strict=True)]
    db.executemany(f"INSERT INTO {_quoted(target.name)} VALUES ({marks})", records(target.survey, makers))


def _unique_keys(table: Table) -> Iterator[tuple[str, ...]]:
    """The keys of the standard's uniqueKeys that name fields of the table."""
    for key in table.schema.get("uniqueKeys") or []:
        names = (key,) if isinstance(key, str) else tuple(key)
        if all(name in table.index for name in names) and names != table.primary_key:
            yield names


def _foreign_keys(target: Target, targets: Mapping[str, Target]) -> list[str]:
    """The foreign keys that SQLite can hold: the other side must be a key itself."""
    declared = []
    for key in target.survey.table.foreign_keys:
        other = targets.get(key.resource)
        if other is not None and set(key.reference) in _keys(other.survey.table):
            reference = f"{_quoted(other.name)} ({other.of(key.reference)})"
            declared.append(f"FOREIGN KEY ({target.of(key.fields)}) REFERENCES {reference}")
    return declared


def _keys(table: Table) -> list[set[str]]:
    single = [{field.name} for field in table.fields if field.constraints.get("unique")]
    return [*single, *(set(names) for names in (table.primary_key, *_unique_keys(table)) if names)]


def _maker(column: Column, kind: str) -> Callable[[str], Any]:
    """How a cell becomes what SQLite stores."""
    read, json_text = column.kind.read, column.kind.json
    name = column.kind.type
    if name in values.NUMERIC:
        if kind == "TEXT":
            return number_text(column)
        if kind == "INTEGER":
            return (lambda cell: int(cell.partition(".")[0])) if column.plain else (lambda cell: int(read(cell)))
        # The writer makes NULL of NaN; an infinity is a value of SQLite's.
        return float if column.plain else (lambda cell: float(read(cell)))
    if name in ("date", "time", "datetime"):
        return lambda cell: json.loads(json_text(read(cell)))
    if name in values.STRUCTURED:
        return lambda cell: json_text(read(cell))
    return (lambda cell: int(read(cell))) if name == "boolean" else read


def _describe(
    db: sqlite3.Connection, package: Package, targets: Mapping[str, Target], left_out: Sequence[Survey]
) -> None:
    own = [_quoted(name) for name in reserved(OWN, [target.name for target in targets.values()])]
    for statement in DETAILS.format(*own).split(";")[:-1]:
        db.execute(statement)
    said = [(name, getattr(package, name)) for name in PROPERTIES]
    for target in targets.values():  # those that have one of their own
        if target.survey.table.descriptor.get("licenses"):
            license = package.license_of(target.survey.table)
            said += [(f"license of {target.name}", license.name), (f"license_path of {target.name}", license.path)]
    db.executemany(f"INSERT INTO {own[0]} VALUES (?, ?)", said)
    for target in targets.values():
        table = target.survey.table
        row = (target.name, table.name, table.title, table.description, target.survey.rows)
        db.execute(f"INSERT INTO {own[1]} VALUES (?, ?, ?, ?, ?)", row)
        db.executemany(f"INSERT INTO {own[2]} VALUES ({', '.join('?' * 12)})", _field_rows(target))
    for survey in left_out:
        table, reason = survey.table, f"Left out: {too_large(survey)}; {survey.table.path} has them all."
        words = f"{table.description} [{reason}]".strip()
        db.execute(f"INSERT INTO {own[1]} VALUES (?, ?, ?, ?, ?)", (None, table.name, table.title, words, survey.rows))


def _field_rows(target: Target) -> Iterator[tuple[Any, ...]]:
    table = target.survey.table
    points = {
        name: f"{key.resource}.{other}"
        for key in table.foreign_keys
        for name, other in zip(key.fields, key.reference, strict=False)
    }
    for position, field in enumerate(table.fields):
        names = (target.name, position + 1, target.columns[position], field.name, field.title)
        said = (field.example, field.constraints or None, field.descriptor.get("categories"))
        types = (field.type, target.types[position])
        yield (*names, *types, field.description, *map(_json, said), points.get(field.name))


def _json(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
