"""DCAT 3, which data portals harvest, as the European profile asks. It names addresses."""

from collections.abc import Iterator, Mapping
from urllib.parse import quote

from api.index.survey import Survey
from api.model.descriptor import Package
from api.release.descriptions import citation
from api.release.descriptions.described import (
    JSON,
    TITLES,
    WHOLE,
    Release,
    coverage,
    files_of,
    language_codes,
    media_type,
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


def document(release: Release) -> dict[str, JSON]:
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
        "@graph": [present(catalogue), *datasets, *services, *_concepts(release)],
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
        yield present(
            {"@id": license["@id"], "@type": "dct:LicenseDocument", "dct:title": _license_title(release.package)}
        )


def _license_title(package: Package) -> str:
    first: Mapping[str, JSON] = next(iter(package.descriptor.get("licenses") or []), {})
    return str(first.get("title") or package.license)


def _publisher_id(release: Release) -> str:
    return release.url("dcat.jsonld") + "#publisher"


def _literal(release: Release, text: str) -> dict[str, str]:
    return {"@value": text, "@language": language_codes(release)[0]}


def _languages(release: Release) -> list[JSON]:
    codes = (LANGUAGES.get(code.partition("-")[0]) for code in language_codes(release))
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
        coverage(release.surveys),
    ) | {"dct:hasPart": [{"@id": _dataset_id(release, f.table.name)} for f in release.surveys]}


def _dcat_table(release: Release, found: Survey) -> dict[str, JSON]:
    table = found.table
    return _dcat_dataset(
        release,
        table.name,
        table.title,
        table.description,
        [_distribution(release, path, f"{table.title} as {name}") for path, name in files_of(table)],
        coverage([found]),
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
    return present(
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
    return present(
        {
            "@id": release.url("dcat.jsonld") + "#file-" + quote(path, safe=""),
            "@type": "dcat:Distribution",
            "dct:title": _literal(release, title),
            "dcat:accessURL": {"@id": release.url(path), "@type": "rdfs:Resource"},
            "dcat:downloadURL": {"@id": release.url(path), "@type": "rdfs:Resource"},
            "dcat:mediaType": {"@id": IANA + media_type(path), "@type": "dct:MediaType"},
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
    return present(
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
