"""DCAT 3, which data portals harvest, as the European profile asks. It names addresses."""

from collections.abc import Iterator, Mapping
from urllib.parse import quote

from api.index.survey import Survey
from api.model.descriptor import Package, Table
from api.release.descriptions import citation
from api.release.descriptions.subject import (
    JSON,
    Subject,
    coverage,
    present,
)

IANA = "https://www.iana.org/assignments/media-types/"
EU = "http://publications.europa.eu/resource/authority/"
LANGUAGES = {"en": "ENG", "es": "SPA", "fr": "FRA", "de": "DEU", "pt": "POR", "it": "ITA", "nl": "NLD"}

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


def document(subject: Subject) -> dict[str, JSON]:
    """DCAT 3 as the European profile asks: a catalogue, the package as a dataset, and each table as one in it."""
    datasets = [_dataset(subject, survey) for survey in (None, *subject.surveys)]
    references = [{"@id": entry["@id"]} for entry in datasets]
    package = subject.package
    services = [_service(subject, references)] if citation.base_url(package) else []
    catalogue = {
        "@id": subject.url("dcat.jsonld") + "#catalogue",
        "@type": "dcat:Catalog",
        "dct:title": _literal(subject, package.title),
        "dct:description": _literal(subject, package.description or package.title),
        "dct:publisher": {"@id": _publisher_id(subject)},
        "dct:language": _languages(subject),
        "dct:license": _license(package),
        "dct:issued": _moment(package),
        "foaf:homepage": present({"@id": citation.homepage(package) or _front(package)}),
        "dcat:dataset": references,
        "dcat:service": [{"@id": service["@id"]} for service in services],
    }
    return {
        "@context": DCAT_CONTEXT,
        "@graph": [present(catalogue), *datasets, *services, *_concepts(subject)],
    }


def _concepts(subject: Subject) -> Iterator[dict[str, JSON]]:
    """What the catalogue refers to, with its types."""
    yield {
        "@id": _publisher_id(subject),
        "@type": ["foaf:Agent", "foaf:Organization"],
        "foaf:name": subject.package.publisher or subject.package.name,
    }
    license = _license(subject.package)
    if license:
        yield present(
            {"@id": license["@id"], "@type": "dct:LicenseDocument", "dct:title": _license_title(subject.package)}
        )


def _license_title(package: Package) -> str:
    first: Mapping[str, JSON] = next(iter(package.descriptor.get("licenses") or []), {})
    return str(first.get("title") or package.license)


def _publisher_id(subject: Subject) -> str:
    return subject.url("dcat.jsonld") + "#publisher"


def _literal(subject: Subject, text: str) -> dict[str, str]:
    return {"@value": text, "@language": subject.languages[0]}


def _languages(subject: Subject) -> list[JSON]:
    codes = (LANGUAGES.get(code.partition("-")[0]) for code in subject.languages)
    return [{"@id": f"{EU}language/{code}"} for code in codes if code]


def _license(package: Package) -> dict[str, str] | None:
    return {"@id": package.license_path} if package.license_path.startswith("http") else None


def _front(package: Package) -> str:
    """The page that the server shows first; empty where the package does not say where it is served."""
    return f"{citation.base_url(package)}/" if citation.base_url(package) else ""


def _moment(package: Package) -> dict[str, str]:
    return {"@value": package.created, "@type": "xsd:date" if len(package.created) == 10 else "xsd:dateTime"}


def _dataset_id(subject: Subject, table: Table | None) -> str:
    """The identity of a table in the catalogue, or of the package as a whole."""
    return subject.url("dcat.jsonld") + ("#table-" + quote(table.name, safe="") if table else "#package")


def _dataset(subject: Subject, survey: Survey | None) -> dict[str, JSON]:
    """A table as a dataset, or the package as a whole."""
    package = subject.package
    table = survey.table if survey else None
    covered = coverage([survey] if survey else subject.surveys)
    entry = present(
        {
            "@id": _dataset_id(subject, table),
            "@type": "dcat:Dataset",
            "dct:title": _literal(subject, (table or package).title),
            "dct:description": _literal(subject, (table or package).description or (table or package).title),
            "dct:identifier": f"{package.name}/{table.name}" if table else citation.doi(package) or package.name,
            "dct:publisher": {"@id": _publisher_id(subject)},
            "dct:issued": _moment(package),
            "dct:language": _languages(subject),
            "dct:license": _license(package),
            "dct:accessRights": {"@id": EU + "access-right/PUBLIC", "@type": "dct:RightsStatement"},
            "dcat:version": package.version,
            "dcat:keyword": [_literal(subject, str(word)) for word in package.descriptor.get("keywords") or []],
            "dcat:landingPage": _front(package) and {"@id": _front(package), "@type": "foaf:Document"},
            "dct:temporal": covered
            and {
                "@type": "dct:PeriodOfTime",
                "dcat:startDate": {"@value": covered[0], "@type": "xsd:date"},
                "dcat:endDate": {"@value": covered[1], "@type": "xsd:date"},
            },
            "dcat:distribution": [_distribution(subject, path, title) for path, title in subject.files(table)],
        }
    )
    parts = [{"@id": _dataset_id(subject, part.table)} for part in subject.surveys]
    return entry | ({"dct:isPartOf": {"@id": _dataset_id(subject, None)}} if table else {"dct:hasPart": parts})


def _distribution(subject: Subject, path: str, title: str) -> dict[str, JSON]:
    return present(
        {
            "@id": subject.url("dcat.jsonld") + "#file-" + quote(path, safe=""),
            "@type": "dcat:Distribution",
            "dct:title": _literal(subject, title),
            "dcat:accessURL": {"@id": subject.url(path), "@type": "rdfs:Resource"},
            "dcat:downloadURL": {"@id": subject.url(path), "@type": "rdfs:Resource"},
            "dcat:mediaType": {"@id": IANA + subject.media_type(path), "@type": "dct:MediaType"},
            "dcat:byteSize": {"@value": str(subject.size(path)), "@type": "xsd:nonNegativeInteger"},
            "dct:license": _license(subject.package),
            "dct:issued": _moment(subject.package),
            "spdx:checksum": {
                "@type": "spdx:Checksum",
                "spdx:algorithm": {"@id": "spdx:checksumAlgorithm_sha256", "@type": "spdx:ChecksumAlgorithm"},
                "spdx:checksumValue": {"@value": subject.sha256(path), "@type": "xsd:hexBinary"},
            },
        }
    )


def _service(subject: Subject, served: list[JSON]) -> dict[str, JSON]:
    base = citation.base_url(subject.package)
    return present(
        {
            "@id": subject.url("dcat.jsonld") + "#api",
            "@type": "dcat:DataService",
            "dct:title": _literal(subject, f"{subject.package.title}: JSON API"),
            "dct:publisher": {"@id": _publisher_id(subject)},
            "dct:license": _license(subject.package),
            "dcat:endpointURL": {"@id": f"{base}/v1/", "@type": "rdfs:Resource"},
            "dcat:endpointDescription": {"@id": f"{base}/openapi.json", "@type": "rdfs:Resource"},
            "dcat:servesDataset": served,
        }
    )
