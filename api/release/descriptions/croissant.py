"""Croissant 1.0, which machine-learning tools read. Paths are relative, so that it works in any copy of a release."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from api.model.descriptor import Field, Table
from api.release.descriptions import citation
from api.release.descriptions.subject import JSON, Subject, agent, present
from api.release.formats.names import unique

CROISSANT = "http://mlcommons.org/croissant/1.0"
# What a program that loads rows may expect; all else is text. Croissant has no type for a year alone.
DATA_TYPES: Mapping[str, str] = {
    "boolean": "sc:Boolean",
    "integer": "sc:Integer",
    "year": "sc:Integer",
    "number": "sc:Float",
    "date": "sc:Date",
}
# What readers of CSV take for a missing value by default.
USUAL_MISSING = {"", "NA", "N/A", "NaN", "nan", "n/a", "null", "NULL"}


@dataclass(frozen=True)
class Ids:
    """The ids of a table, its file and its fields: readers allow no white space and little else in them."""

    table: str
    file: str
    fields: tuple[str, ...]


def croissant_ids(tables: Sequence[Table]) -> list[Ids]:
    names = unique(_id(table.name) for table in tables)
    fields = [
        [f"{name}/{field}" for field in unique(_id(field.name) for field in table.fields)]
        for name, table in zip(names, tables, strict=True)
    ]
    taken = [*names, *(one for several in fields for one in several)]
    files = unique((f"{name}.csv" for name in names), taken=taken)
    return [Ids(n, file, tuple(of)) for n, file, of in zip(names, files, fields, strict=True)]


def _id(name: str) -> str:
    return re.sub(r"[^\w.-]", "_", name) or "_"


def document(subject: Subject) -> dict[str, JSON]:
    """Croissant 1.0: files with checksums, and a record set a table, read from the CSV files."""
    package = subject.package
    tables = [survey.table for survey in subject.surveys]
    named = list(zip(tables, croissant_ids(tables), strict=True))
    return present(
        {
            "@context": CROISSANT_CONTEXT,
            "@type": "sc:Dataset",
            "conformsTo": CROISSANT,
            "name": package.name,
            "alternateName": package.title,
            "description": package.description or package.title,
            "version": package.version,
            "datePublished": package.created[:10],
            "license": package.license_path or package.license,
            "url": citation.address(package) or citation.homepage(package),
            "citeAs": citation.bibtex(package),
            "creator": [agent(entry) for entry in citation.authors(package)],
            "keywords": package.descriptor.get("keywords"),
            "distribution": [_file_object(subject, table, ids) for table, ids in named],
            "recordSet": [_record_set(table, ids) for table, ids in named],
        }
    )


def _file_object(subject: Subject, table: Table, ids: Ids) -> dict[str, JSON]:
    return {
        "@type": "cr:FileObject",
        "@id": ids.file,
        "name": Path(table.path).name,
        "contentUrl": table.path,
        "contentSize": f"{subject.size(table.path)} B",
        "encodingFormat": "text/csv",
        "sha256": subject.sha256(table.path),
    }


def _record_set(table: Table, ids: Ids) -> dict[str, JSON]:
    return present(
        {
            "@type": "cr:RecordSet",
            "@id": ids.table,
            "name": table.name,
            "description": table.description or table.title,
            "key": [{"@id": ids.fields[table.index[name]]} for name in table.primary_key],
            "field": [
                _croissant_field(table, field, ids, name) for field, name in zip(table.fields, ids.fields, strict=True)
            ],
        }
    )


def _croissant_field(table: Table, field: Field, ids: Ids, name: str) -> dict[str, JSON]:
    return {
        "@type": "cr:Field",
        "@id": name,
        "name": field.name,
        "description": _words(field),
        "dataType": _data_type(table, field),
        "source": {"fileObject": {"@id": ids.file}, "extract": {"column": field.name}},
    }


def _data_type(table: Table, field: Field) -> str:
    """Text wherever a cell is not written as every reader of CSV expects."""
    special = {"groupChar", "decimalChar", "bareNumber", "trueValues", "falseValues"} & field.descriptor.keys()
    if special or field.format not in ("default", "any") or not set(table.missing_values) <= USUAL_MISSING:
        return "sc:Text"
    return DATA_TYPES.get(field.type, "sc:Text")


def _words(field: Field) -> str:
    parts = [part.rstrip(".") for part in (field.title, field.description) if part]
    return ". ".join(parts) or field.name


CROISSANT_CONTEXT: Mapping[str, JSON] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
