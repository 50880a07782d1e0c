"""Croissant 1.0, which machine-learning tools read. Paths are relative, so that it works in any copy of a release."""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
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
# The context that the specification gives, in its order: most terms are Croissant's own.
TERMS = """@language @vocab citeAs column conformsTo cr rai data dataType dct equivalentProperty examples extract field
fileProperty fileObject fileSet format includes isLiveDataset jsonPath key md5 parentField path recordSet references
regex repeated replace samplingRate sc separator source subField transform"""
CROISSANT_CONTEXT: Mapping[str, JSON] = {term: f"cr:{term}" for term in TERMS.split()} | {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "sc": "https://schema.org/",
}


def document(subject: Subject) -> dict[str, JSON]:
    """Croissant 1.0: files with checksums, and a record set a table, read from the CSV files."""
    package = subject.package
    tables = [survey.table for survey in subject.surveys]
    sets = _ids(table.name for table in tables)
    columns = [
        [f"{name}/{id}" for id in _ids(field.name for field in table.fields)]
        for name, table in zip(sets, tables, strict=True)
    ]
    licenses = [one.path or one.name for one in package.licenses]
    files = unique((f"{name}.csv" for name in sets), taken=[*sets, *chain(*columns)])
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
            "license": licenses[0] if len(licenses) == 1 else licenses,
            "url": citation.address(package) or citation.homepage(package),
            "citeAs": citation.bibtex(package),
            "creator": [agent(entry) for entry in citation.authors(package)],
            "keywords": package.descriptor.get("keywords"),
            "distribution": [
                {
                    "@type": "cr:FileObject",
                    "@id": file,
                    "name": Path(table.path).name,
                    "contentUrl": table.path,
                    "contentSize": f"{subject.size(table.path)} B",
                    "encodingFormat": "text/csv",
                    "sha256": subject.sha256(table.path),
                }
                for table, file in zip(tables, files, strict=True)
            ],
            "recordSet": [_record_set(*named) for named in zip(tables, sets, files, columns, strict=True)],
        }
    )


def _ids(names: Iterable[str]) -> list[str]:
    """Ids as readers allow them: no white space and little else."""
    return unique(re.sub(r"[^\w.-]", "_", name) or "_" for name in names)


def _record_set(table: Table, name: str, file: str, columns: Sequence[str]) -> dict[str, JSON]:
    """A table as rows of its CSV file; `name`, `file` and `columns` are the ids of the set, the file and the fields."""
    fields = [
        {
            "@type": "cr:Field",
            "@id": column,
            "name": field.name,
            "description": ". ".join(p.rstrip(".") for p in (field.title, field.description) if p) or field.name,
            "dataType": _data_type(table, field),
            "source": {"fileObject": {"@id": file}, "extract": {"column": field.name}},
        }
        for field, column in zip(table.fields, columns, strict=True)
    ]
    return present(
        {
            "@type": "cr:RecordSet",
            "@id": name,
            "name": table.name,
            "description": table.description or table.title,
            "key": [{"@id": columns[table.index[key]]} for key in table.primary_key],
            "field": fields,
        }
    )


def _data_type(table: Table, field: Field) -> str:
    """Text wherever a cell is not written as every reader of CSV expects."""
    special = {"groupChar", "decimalChar", "bareNumber", "trueValues", "falseValues"} & field.descriptor.keys()
    if special or field.format not in ("default", "any") or not set(table.missing_values) <= USUAL_MISSING:
        return "sc:Text"
    return DATA_TYPES.get(field.type, "sc:Text")
