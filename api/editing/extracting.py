"""Takes the tables out of files that hold typed values, SQLite databases and Parquet files, as CSV."""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

from api.model import csv_lines
from api.model.errors import LanternError

Say = Callable[[str], None]
Rows = Iterator[Sequence[Any]]


class NotExtracted(LanternError):
    """A file whose tables cannot be read; the message says why."""


def extract(file: Path, folder: Path, say: Say) -> list[Path]:
    """Write each table of a file as a CSV file into a folder; none for a file of another kind. Raises NotExtracted."""
    tables = _READERS.get(file.suffix.lower())
    if tables is None:
        return []
    written = []
    try:
        for name, names, rows in tables(file, say):
            written.append(folder / f"{name.replace('/', '-')}.csv")
            with written[-1].open("x", encoding="utf-8", newline="") as out:
                csv_lines.write(out, [names])
                csv_lines.write(out, _texts(rows, f"{file.name}: {name}", names))
    except (sqlite3.Error, OSError, ValueError) as error:
        raise NotExtracted(f"{file.name} cannot be read: {error}") from error
    if not written:
        raise NotExtracted(f"{file.name} holds no tables")
    return written


def _sqlite(file: Path, say: Say) -> Iterator[tuple[str, Sequence[str], Rows]]:
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as db:
        db.execute("PRAGMA trusted_schema=OFF")  # it may be a stranger's
        for type, name in db.execute("SELECT type, name FROM sqlite_schema").fetchall():
            if type == "view":
                say(f"{file.name}: the view {name} is left out")
            elif type == "table" and not name.startswith("sqlite_"):
                quoted = name.replace('"', '""')
                rows = db.execute(f'SELECT * FROM "{quoted}"')  # noqa: S608  # a name cannot be bound: it is quoted
                yield name, [column[0] for column in rows.description], rows


def _parquet(file: Path, _: Say) -> Iterator[tuple[str, Sequence[str], Rows]]:
    from pyarrow import parquet

    with parquet.ParquetFile(file) as opened:
        batches = opened.iter_batches(10_000)
        rows = (row for batch in batches for row in zip(*(column.to_pylist() for column in batch.columns), strict=True))
        yield file.stem, opened.schema_arrow.names, rows


_READERS: Mapping[str, Callable[[Path, Say], Iterator[tuple[str, Sequence[str], Rows]]]] = {
    **dict.fromkeys((".sqlite", ".sqlite3", ".db"), _sqlite),
    ".parquet": _parquet,
}


def _texts(rows: Iterable[Sequence[Any]], place: str, names: Sequence[str]) -> Iterator[list[str]]:
    for number, row in enumerate(rows, 2):
        if any(isinstance(value, bytes) for value in row):
            name = next(name for name, value in zip(names, row, strict=True) if isinstance(value, bytes))
            raise NotExtracted(f'{place}, row {number}, "{name}" holds bytes: expected text, a number or a time')
        yield [value if isinstance(value, str) else _text(value) for value in row]


def _text(value: Any) -> str:
    """A value as a cell has it: plain digits, ISO 8601, JSON; nothing for null."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float | Decimal):
        plain = Decimal(repr(value) if isinstance(value, float) else value)
        return f"{plain:f}" if plain.is_finite() else str(value)
    if isinstance(value, datetime) and value.tzinfo:
        return value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
    if isinstance(value, date | time):
        return value.isoformat()
    return json.dumps(value, ensure_ascii=False, default=_text)
