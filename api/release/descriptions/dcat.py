"""DCAT 3, which data portals harvest, as the European profile asks. It names addresses."""

from collections.abc import Mapping
from urllib.parse import quote

from api.index.survey import Survey
from api.model.descriptor import Table
from api.release.descriptions import citation
from api.release.descriptions.subject import JSON, Subject, coverage, present

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
    """DCAT 3 as the European profile asks: a catalogue, the package as a dataset, and each table as one in it.

    After them stands what they refer to, with its types: the API, the publisher, the licence.
    """
    package = subject.package
    here, base, languages = subject.url("dcat.jsonld"), citation.base_url(package), subject.languages
    front = f"{base}/" if base else ""  # the page that the server shows first
    publisher = {"@id": f"{here}#publisher"}
    day_or_time = "xsd:date" if len(package.created) == 10 else "xsd:dateTime"
    issued = {"@value": package.created, "@type": day_or_time} if package.created else None
    codes = [LANGUAGES[code] for code in (language.partition("-")[0] for language in languages) if code in LANGUAGES]
    spoken = [{"@id": f"{EU}language/{code}"} for code in codes]

    def license(table: Table | None) -> dict[str, str] | None:
        path = citation.web(package.license_of(table).path)
        return {"@id": path} if path else None

    def words(text: str) -> dict[str, str]:
        return {"@value": text, "@language": languages[0]}

    def address(url: str) -> dict[str, str]:
        return {"@id": url, "@type": "rdfs:Resource"}

    def name_of(survey: Survey | None) -> dict[str, str]:
        """The identity of a table in the catalogue, or of the package as a whole."""
        return {"@id": f"{here}#table-{quote(survey.table.name, safe='')}" if survey else f"{here}#package"}

    def dataset(survey: Survey | None) -> dict[str, JSON]:
        """A table as a dataset, or the package as a whole."""
        table = survey.table if survey else None
        days = [{"@value": day, "@type": "xsd:date"} for day in coverage([survey] if survey else subject.surveys)]
        entry = {
            **name_of(survey),
            "@type": "dcat:Dataset",
            "dct:title": words((table or package).title),
            "dct:description": words((table or package).description or (table or package).title),
            "dct:identifier": f"{package.name}/{table.name}" if table else citation.doi(package) or package.name,
            "dct:publisher": publisher,
            "dct:issued": issued,
            "dct:language": spoken,
            "dct:license": license(table),
            "dct:accessRights": {"@id": f"{EU}access-right/PUBLIC", "@type": "dct:RightsStatement"},
            "dcat:version": package.version,
            "dcat:keyword": [words(str(word)) for word in package.descriptor.get("keywords") or []],
            "dcat:landingPage": front and {"@id": front, "@type": "foaf:Document"},
            "dct:temporal": days and {"@type": "dct:PeriodOfTime", "dcat:startDate": days[0], "dcat:endDate": days[1]},
            "dcat:distribution": [distribution(table, *file) for file in subject.files(table)],
        }
        parts = {"dct:isPartOf": name_of(None)} if table else {"dct:hasPart": list(map(name_of, subject.surveys))}
        return present(entry) | parts

    def distribution(table: Table | None, path: str, title: str) -> dict[str, JSON]:
        checksum = {
            "@type": "spdx:Checksum",
            "spdx:algorithm": {"@id": "spdx:checksumAlgorithm_sha256", "@type": "spdx:ChecksumAlgorithm"},
            "spdx:checksumValue": {"@value": subject.sha256(path), "@type": "xsd:hexBinary"},
        }
        entry = {
            "@id": f"{here}#file-{quote(path, safe='')}",
            "@type": "dcat:Distribution",
            "dct:title": words(title),
            "dcat:accessURL": address(subject.url(path)),
            "dcat:downloadURL": address(subject.url(path)),
            "dcat:mediaType": {"@id": IANA + subject.media_type(path), "@type": "dct:MediaType"},
            "dcat:byteSize": {"@value": str(subject.size(path)), "@type": "xsd:nonNegativeInteger"},
            "dct:license": license(table),
            "dct:issued": issued,
            "spdx:checksum": checksum,
        }
        return present(entry)

    named = [name_of(survey) for survey in (None, *subject.surveys)]
    service = {
        "@id": f"{here}#api",
        "@type": "dcat:DataService",
        "dct:title": words(f"{package.title}: JSON API"),
        "dct:publisher": publisher,
        "dct:license": license(None),
        "dcat:endpointURL": address(f"{base}/v1/"),
        "dcat:endpointDescription": address(f"{base}/openapi.json"),
        "dcat:servesDataset": named,
    }
    catalogue = {
        "@id": f"{here}#catalogue",
        "@type": "dcat:Catalog",
        "dct:title": words(package.title),
        "dct:description": words(package.description or package.title),
        "dct:publisher": publisher,
        "dct:language": spoken,
        "dct:license": license(None),
        "dct:issued": issued,
        "foaf:homepage": present({"@id": citation.homepage(package) or front}),
        "dcat:dataset": named,
        "dcat:service": [{"@id": service["@id"]}] if base else None,
    }
    agent = {"@type": ["foaf:Agent", "foaf:Organization"], "foaf:name": package.publisher or package.name}
    terms = [
        {"@id": one.path, "@type": "dct:LicenseDocument", "dct:title": one.title}
        for one in package.licenses
        if citation.web(one.path)
    ]
    graph = [catalogue, *map(dataset, (None, *subject.surveys)), *([service] if base else []), publisher | agent]
    graph += terms
    return {"@context": DCAT_CONTEXT, "@graph": [present(entry) for entry in graph]}
