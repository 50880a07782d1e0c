"""What catalogues and search engines read of a release: Croissant, DCAT 3 and schema.org, all three JSON-LD.

Paths of Croissant files are relative, so that it works in any copy of the release; DCAT and schema.org name addresses.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from api.descriptor import Field, Package, Table, file_stem
from api.release import manifest
from api.release.formats.names import unique
from api.release.formats.survey import Survey, records
from api.release.words import citation

JSON = Any
CROISSANT = "http://mlcommons.org/croissant/1.0"
IANA = "https://www.iana.org/assignments/media-types/"
EU = "http://publications.europa.eu/resource/authority/"
WHOLE = ("package.zip", "package.sqlite", "package.xlsx")
UNITS = ("unit", "lantern:unit", "x-unit", "uom")
LANGUAGES = {"en": "ENG", "es": "SPA", "fr": "FRA", "de": "DEU", "pt": "POR", "it": "ITA", "nl": "NLD"}
TITLES = {
    "package.zip": "Everything: the data package as a zip file",
    "package.sqlite": "All tables as a SQLite database",
    "package.xlsx": "All tables as a workbook",
}
# What a program that loads rows may expect; all else is text. Croissant has no type for a year alone.
DATA_TYPES: Mapping[str, str] = {
    "boolean": "sc:Boolean",
    "integer": "sc:Integer",
    "year": "sc:Integer",
    "number": "sc:Float",
    "date": "sc:Date",
}
# What readers of CSV take for no value without being told.
USUAL_MISSING = {"", "NA", "N/A", "NaN", "nan", "n/a", "null", "NULL"}


@dataclass(frozen=True)
class Release:
    """What the three documents say, gathered once."""

    package: Package
    surveys: Sequence[Survey]
    folder: Path
    base_url: str

    @property
    def address(self) -> str:
        """Where the release stands; relative where no address is known."""
        return address(self.package, self.base_url)

    def url(self, path: str) -> str:
        return self.address + quote(path)

    def size(self, path: str) -> int:
        return (self.folder / path).stat().st_size

    def sha256(self, path: str) -> str:
        return manifest.sha256(self.folder / path)


def address(package: Package, base_url: str) -> str:
    """The address of a release's folder, with a slash at its end; empty where nobody said where it will stand."""
    return f"{base_url.rstrip('/')}/releases/{quote(package.version)}/" if base_url else ""


def write(package: Package, surveys: Sequence[Survey], folder: Path, base_url: str) -> dict[str, str]:
    """croissant.json, dcat.jsonld and schema-org.jsonld."""
    release = Release(package, surveys, folder, base_url)
    return {
        "croissant.json": manifest.dump(croissant(release)),
        "dcat.jsonld": manifest.dump(dcat(release)),
        "schema-org.jsonld": manifest.dump(schema_org(release)),
    }


def _present(entry: Mapping[str, JSON]) -> dict[str, JSON]:
    """Without what is not known."""
    return {key: value for key, value in entry.items() if value not in (None, "", [], {})}


def _files(table: Table) -> Iterator[tuple[str, str]]:
    """The files of one table, each with its name."""
    stem = file_stem(table.name)
    yield table.path, "CSV"
    yield f"parquet/{stem}.parquet", "Parquet"
    yield f"jsonl/{stem}.jsonl", "JSON Lines"


def _media_type(path: str) -> str:
    return manifest.media_type(path).partition(";")[0]


def unit(field: Field) -> str:
    return next((str(field.descriptor[key]) for key in UNITS if field.descriptor.get(key)), "")


# Croissant


@dataclass(frozen=True)
class Ids:
    """What Croissant calls a table, its file and its fields: readers allow no white space and little else in these."""

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


def croissant(release: Release) -> dict[str, JSON]:
    """Croissant 1.0: files with checksums, and a record set a table, read from the CSV files."""
    package = release.package
    tables = [found.table for found in release.surveys]
    named = list(zip(tables, croissant_ids(tables), strict=True))
    return _present(
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
            "url": release.address or citation.homepage(package),
            "citeAs": citation.bibtex(package, release.address),
            "creator": [_agent(entry) for entry in citation.authors(package)],
            "keywords": package.descriptor.get("keywords"),
            "distribution": [_file_object(release, table, ids) for table, ids in named],
            "recordSet": [_record_set(table, ids) for table, ids in named],
        }
    )


def _file_object(release: Release, table: Table, ids: Ids) -> dict[str, JSON]:
    return {
        "@type": "cr:FileObject",
        "@id": ids.file,
        "name": Path(table.path).name,
        "contentUrl": table.path,
        "contentSize": f"{release.size(table.path)} B",
        "encodingFormat": "text/csv",
        "sha256": release.sha256(table.path),
    }


def _record_set(table: Table, ids: Ids) -> dict[str, JSON]:
    return _present(
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


# DCAT

DCAT_CONTEXT: Mapping[str, JSON] = {
    "adms": "http://www.w3.org/ns/adms#",
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "spdx": "http://spdx.org/rdf/terms#",
    "vcard": "http://www.w3.org/2006/vcard/ns#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}


def dcat(release: Release) -> dict[str, JSON]:
    """DCAT 3 as the European profile asks: a catalogue, the package as a dataset, and each table as one in it."""
    datasets = [_dcat_package(release), *(_dcat_table(release, found) for found in release.surveys)]
    references = [{"@id": entry["@id"]} for entry in datasets]
    services = [_service(release, references)] if release.base_url else []
    package = release.package
    catalogue = {
        "@id": release.url("dcat.jsonld") + "#catalogue",
        "@type": "dcat:Catalog",
        "dct:title": _literal(release, package.title),
        "dct:description": _literal(release, package.description or package.title),
        "dct:publisher": {"@id": _publisher_id(release)},
        "dct:language": _languages(release),
        "dct:license": _license(package),
        "dct:issued": _moment(package),
        "foaf:homepage": {"@id": citation.homepage(package) or release.base_url.rstrip("/") + "/"}
        if citation.homepage(package) or release.base_url
        else None,
        "dcat:dataset": references,
        "dcat:service": [{"@id": service["@id"]} for service in services],
    }
    return {
        "@context": DCAT_CONTEXT,
        "@graph": [_present(catalogue), *datasets, *services, *_concepts(release)],
    }


def _concepts(release: Release) -> Iterator[dict[str, JSON]]:
    """The things that the catalogue refers to, with their types."""
    publisher = {
        "@id": _publisher_id(release),
        "@type": ["foaf:Agent", "foaf:Organization"],
        "foaf:name": release.package.publisher or release.package.name,
    }
    yield publisher
    license = _license(release.package)
    if license:
        yield _present(
            {"@id": license["@id"], "@type": "dct:LicenseDocument", "dct:title": _license_title(release.package)}
        )


def _license_title(package: Package) -> str:
    first: Mapping[str, JSON] = next(iter(package.descriptor.get("licenses") or []), {})
    return str(first.get("title") or package.license)


def _publisher_id(release: Release) -> str:
    return release.url("dcat.jsonld") + "#publisher"


def _literal(release: Release, text: str) -> dict[str, str]:
    return {"@value": text, "@language": _language_codes(release)[0]}


def _language_codes(release: Release) -> list[str]:
    return [str(code) for code in release.package.descriptor.get("languages") or []] or ["en"]


def _languages(release: Release) -> list[JSON]:
    codes = (LANGUAGES.get(code.partition("-")[0]) for code in _language_codes(release))
    return [{"@id": f"{EU}language/{code}"} for code in codes if code]


def _license(package: Package) -> dict[str, str] | None:
    return {"@id": package.license_path} if package.license_path.startswith("http") else None


def _moment(package: Package) -> dict[str, str]:
    day_only = len(package.created) == 10
    return {"@value": package.created, "@type": "xsd:date" if day_only else "xsd:dateTime"}


def _dcat_package(release: Release) -> dict[str, JSON]:
    package = release.package
    kept = [path for path in WHOLE if (release.folder / path).is_file()]
    return _dcat_dataset(
        release,
        None,
        package.title,
        package.description,
        [_distribution(release, path, TITLES[path]) for path in kept],
        _coverage(release.surveys),
    ) | {"dct:hasPart": [{"@id": _dataset_id(release, f.table.name)} for f in release.surveys]}


def _dcat_table(release: Release, found: Survey) -> dict[str, JSON]:
    table = found.table
    return _dcat_dataset(
        release,
        table.name,
        table.title,
        table.description,
        [_distribution(release, path, f"{table.title} as {name}") for path, name in _files(table)],
        _coverage([found]),
    ) | {"dct:isPartOf": {"@id": _dataset_id(release, None)}}


def _dataset_id(release: Release, name: str | None) -> str:
    """The identity of a table in the catalogue, or of the package as a whole."""
    return release.url("dcat.jsonld") + ("#package" if name is None else "#table-" + quote(name, safe=""))


def _dcat_dataset(
    release: Release,
    name: str | None,
    title: str,
    description: str,
    distributions: list[JSON],
    coverage: tuple[str, str] | None,
) -> dict[str, JSON]:
    package = release.package
    return _present(
        {
            "@id": _dataset_id(release, name),
            "@type": "dcat:Dataset",
            "dct:title": _literal(release, title),
            "dct:description": _literal(release, description or title),
            "dct:identifier": f"{package.name}/{name}" if name else citation.doi(package) or package.name,
            "dct:publisher": {"@id": _publisher_id(release)},
            "dct:issued": _moment(package),
            "dct:language": _languages(release),
            "dct:license": _license(package),
            "dct:accessRights": {"@id": EU + "access-right/PUBLIC", "@type": "dct:RightsStatement"},
            "dcat:version": package.version,
            "dcat:keyword": [_literal(release, str(word)) for word in package.descriptor.get("keywords") or []],
            "dcat:landingPage": {"@id": release.base_url.rstrip("/") + "/", "@type": "foaf:Document"}
            if release.base_url
            else None,
            "dct:temporal": coverage
            and {
                "@type": "dct:PeriodOfTime",
                "dcat:startDate": {"@value": coverage[0], "@type": "xsd:date"},
                "dcat:endDate": {"@value": coverage[1], "@type": "xsd:date"},
            },
            "dcat:distribution": distributions,
        }
    )


def _distribution(release: Release, path: str, title: str) -> dict[str, JSON]:
    return _present(
        {
            "@id": release.url("dcat.jsonld") + "#file-" + quote(path, safe=""),
            "@type": "dcat:Distribution",
            "dct:title": _literal(release, title),
            "dcat:accessURL": {"@id": release.url(path), "@type": "rdfs:Resource"},
            "dcat:downloadURL": {"@id": release.url(path), "@type": "rdfs:Resource"},
            "dcat:mediaType": {"@id": IANA + _media_type(path), "@type": "dct:MediaType"},
            "dcat:byteSize": {"@value": str(release.size(path)), "@type": "xsd:nonNegativeInteger"},
            "dct:license": _license(release.package),
            "dct:issued": _moment(release.package),
            "spdx:checksum": {
                "@type": "spdx:Checksum",
                "spdx:algorithm": {"@id": "spdx:checksumAlgorithm_sha256", "@type": "spdx:ChecksumAlgorithm"},
                "spdx:checksumValue": {"@value": release.sha256(path), "@type": "xsd:hexBinary"},
            },
        }
    )


def _service(release: Release, served: list[JSON]) -> dict[str, JSON]:
    base = release.base_url.rstrip("/")
    return _present(
        {
            "@id": release.url("dcat.jsonld") + "#api",
            "@type": "dcat:DataService",
            "dct:title": _literal(release, f"{release.package.title}: JSON API"),
            "dct:publisher": {"@id": _publisher_id(release)},
            "dct:license": _license(release.package),
            "dcat:endpointURL": {"@id": f"{base}/v1/", "@type": "rdfs:Resource"},
            "dcat:endpointDescription": {"@id": f"{base}/openapi.json", "@type": "rdfs:Resource"},
            "dcat:servesDataset": served,
        }
    )


def _coverage(surveys: Iterable[Survey]) -> tuple[str, str] | None:
    """First and last day of the periods that tables of figures cover, where all figures say so in ISO dates."""
    days: list[str] = []
    for found in surveys:
        names = [str(found.table.figure.get(key) or "") for key in ("periodStart", "periodEnd")]
        if not all(name in found.table.index and found.table.field(name).type == "date" for name in names):
            continue
        places = [found.table.index[name] for name in names]
        makers = [found.columns[place].kind.read if place in places else str for place in range(len(found.columns))]
        for row in records(found, makers):
            days += [row[place].isoformat() for place in places if row[place] is not None]
    return (min(days), max(days)) if days else None


# schema.org


def schema_org(release: Release) -> dict[str, JSON]:
    """A schema.org Dataset for search engines: the package, and its tables as parts."""
    package = release.package
    coverage = _coverage(release.surveys)
    kept = [path for path in WHOLE if (release.folder / path).is_file()]
    said = {
        "@context": "https://schema.org/",
        "@type": "Dataset",
        "@id": release.address or None,
        "name": package.title,
        "alternateName": package.name,
        "description": package.description or package.title,
        "identifier": f"https://doi.org/{citation.doi(package)}" if citation.doi(package) else None,
        "url": citation.homepage(package) or release.address,
        "version": package.version,
        "datePublished": package.created,
        "dateModified": package.created,
        "license": package.license_path or package.license,
        "creator": [_agent(entry) for entry in citation.authors(package)],
        "publisher": {"@type": "Organization", "name": package.publisher or package.name},
        "creditText": citation.text(package, release.address).strip(),
        "isBasedOn": [_source(entry) for entry in package.descriptor.get("sources") or []],
        "keywords": package.descriptor.get("keywords"),
        "inLanguage": _language_codes(release),
        "isAccessibleForFree": True,
        "temporalCoverage": coverage and "/".join(coverage),
        "distribution": [_download(release, path, TITLES[path]) for path in kept],
        "hasPart": [_schema_org_table(release, found) for found in release.surveys],
    }
    return _present(said)


def _source(entry: Mapping[str, JSON]) -> JSON:
    return _present({"@type": "CreativeWork", "name": entry.get("title"), "url": entry.get("path")})


def _agent(entry: Mapping[str, JSON]) -> dict[str, JSON]:
    """Who made it: a person where the descriptor gives a family name."""
    person = bool(entry.get("familyName") or entry.get("givenName"))
    whole = " ".join(str(entry[key]) for key in ("givenName", "familyName") if entry.get(key))
    return _present(
        {
            "@type": "sc:Person" if person else "sc:Organization",
            "name": entry.get("title") or whole,
            "url": entry.get("path"),
        }
    )


def _schema_org_table(release: Release, found: Survey) -> dict[str, JSON]:
    table = found.table
    coverage = _coverage([found])
    return _present(
        {
            "@type": "Dataset",
            "name": table.title,
            "alternateName": table.name,
            "description": table.description or table.title,
            "license": release.package.license_path or release.package.license,
            "creator": [_agent(entry) for entry in citation.authors(release.package)],
            "temporalCoverage": coverage and "/".join(coverage),
            "variableMeasured": [_variable(field) for field in table.fields],
            "distribution": [_download(release, path, f"{table.title} as {name}") for path, name in _files(table)],
        }
    )


def _variable(field: Field) -> dict[str, JSON]:
    return _present(
        {
            "@type": "PropertyValue",
            "name": field.name,
            "alternateName": field.title,
            "description": field.description,
            "unitText": unit(field),
        }
    )


def _download(release: Release, path: str, name: str) -> dict[str, JSON]:
    return {
        "@type": "DataDownload",
        "name": name,
        "contentUrl": release.url(path),
        "encodingFormat": _media_type(path),
        "contentSize": f"{release.size(path)} B",
        "sha256": release.sha256(path),
    }
