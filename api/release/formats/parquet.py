"""Parquet: typed columns, exact decimals, zstd, and the Table Schema in the file's own metadata."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from api.index.survey import Cells, Column, Survey, chunks
from api.model import types
from api.model.descriptor import Field, Package, Table

GROUP_ROWS = 100_000
GROUP_BYTES = 64 * 2**20
DECIMALS = {18: pa.decimal128, 38: pa.decimal128, 76: pa.decimal256}  # by their digits
TYPES: Mapping[str, pa.DataType] = {
    "boolean": pa.bool_(),
    "year": pa.int32(),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "datetime": pa.timestamp("us", tz="UTC"),
}
ITEMS: Mapping[str, pa.DataType] = {"boolean": pa.bool_(), "integer": pa.int64(), "number": pa.float64()}


def write(package: Package, survey: Survey, target: Path) -> None:
    """Write a table as Parquet."""
    schema = _schema(package, survey)
    with pq.ParquetWriter(
        target, schema, compression="zstd", compression_level=3, write_page_index=True, store_decimal_as_integer=True
    ) as writer:
        for group in _groups(survey, schema):
            writer.write_table(group, row_group_size=group.num_rows)


def _groups(survey: Survey, schema: pa.Schema) -> Iterator[pa.Table]:
    """The rows in portions for one row group each, bounded in rows and in bytes."""
    makers = [_maker(survey, column, kind) for column, kind in zip(survey.columns, schema.types, strict=True)]
    batches: list[pa.RecordBatch] = []
    for _, texts in chunks(survey.path, len(makers)):
        arrays = [make(cells) for make, cells in zip(makers, texts, strict=True)]
        batches.append(pa.RecordBatch.from_arrays(arrays, schema=schema))
        rows = sum(batch.num_rows for batch in batches)
        if rows >= GROUP_ROWS or sum(batch.nbytes for batch in batches) >= GROUP_BYTES:
            yield pa.Table.from_batches(batches, schema)
            batches = []
    if batches:
        yield pa.Table.from_batches(batches, schema)


def _schema(package: Package, survey: Survey) -> pa.Schema:
    fields = [
        pa.field(field.name, _type(column), metadata=_said(field, "title", "description", "type"))
        for column, field in zip(survey.columns, survey.table.fields, strict=True)
    ]
    words = _said(survey.table, "title", "description") | {"package": package.title}
    license = package.license_of(survey.table).name
    words |= _said(package, "version") | ({"license": license} if license else {}) | _said(package, "citation")
    return pa.schema(fields, metadata=words | {"table_schema": json.dumps(survey.table.schema, ensure_ascii=False)})


def _said(thing: Field | Table | Package, *names: str) -> dict[str, str]:
    """Those of its properties that say something."""
    return {name: getattr(thing, name) for name in names if getattr(thing, name)}


def _type(column: Column) -> pa.DataType:
    """The Arrow type that holds every value of a column as it is, else text; an item of a list that is a moment too."""
    kind = column.kind.type
    if column.fine:
        return pa.utf8()
    if kind in types.NUMERIC:
        return _number(column)
    if kind != "list":
        return TYPES.get(kind, pa.utf8())
    item = str(column.field.descriptor.get("itemType") or "string")
    return pa.utf8() if item == "integer" and not column.whole else pa.list_(ITEMS.get(item, pa.utf8()))


def _number(column: Column) -> pa.DataType:
    """Integers of 64 bits; else the least decimal that fits; else a double where all are exact, else text."""
    if column.kind.type == "integer" and column.whole:
        return pa.int64()
    needed = max(column.digits, 1) + column.scale
    for precision, decimal in DECIMALS.items():
        if needed <= precision and column.finite:
            return decimal(precision, column.scale)
    return pa.float64() if column.doubles else pa.utf8()


def _maker(survey: Survey, column: Column, kind: pa.DataType) -> Callable[[Cells], pa.Array]:
    """How a column's cells become an array; Arrow itself reads plain numbers."""
    if column.kind.type in types.NUMERIC and column.plain:
        texts = survey.maker(column, str)
        return lambda cells: pa.array(texts(cells), type=pa.utf8()).cast(kind)
    make = survey.maker(column, _cell(column, kind))
    return lambda cells: pa.array(make(cells), type=kind)


def _cell(column: Column, kind: pa.DataType) -> Callable[[str], Any]:
    """How a cell becomes what Arrow takes for a type."""
    read, text = column.kind.read, column.kind.json
    if kind == pa.list_(pa.float64()):
        return lambda cell: [float(item) for item in read(cell)]
    if pa.types.is_decimal(kind) or kind in TYPES.values() or pa.types.is_list(kind):
        return read
    if kind in (pa.int64(), pa.float64()):
        return (lambda cell: int(read(cell))) if kind == pa.int64() else (lambda cell: float(read(cell)))
    if column.fine:
        return lambda cell: text(read(cell)).strip('"')
    if column.kind.type in types.NUMERIC:
        return lambda cell: text(value) if (value := read(cell)).is_finite() else str(value)
    if column.kind.type in types.STRUCTURED:
        return lambda cell: text(read(cell))
    return read
