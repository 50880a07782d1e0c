"""schema.org, which search engines read. It names addresses."""

from collections.abc import Mapping

from api.index.survey import Survey
from api.model.descriptor import Field
from api.release.descriptions import citation
from api.release.descriptions.subject import (
    JSON,
    Subject,
    agent,
    coverage,
    present,
    unit,
)


def document(subject: Subject) -> dict[str, JSON]:
    """A schema.org Dataset for search engines: the package, and its tables as parts."""
    package = subject.package
    covered = coverage(subject.surveys)
    entry = {
        "@context": "https://schema.org/",
        "@type": "Dataset",
        "@id": citation.address(package) or None,
        "name": package.title,
        "alternateName": package.name,
        "description": package.description or package.title,
        "identifier": f"https://doi.org/{citation.doi(package)}" if citation.doi(package) else None,
        "url": citation.homepage(package) or citation.address(package),
        "version": package.version,
        "datePublished": package.created,
        "dateModified": package.created,
        "license": package.license_path or package.license,
        "creator": [agent(entry) for entry in citation.authors(package)],
        "publisher": {"@type": "Organization", "name": package.publisher or package.name},
        "creditText": citation.text(package).strip(),
        "isBasedOn": [_source(entry) for entry in package.descriptor.get("sources") or []],
        "keywords": package.descriptor.get("keywords"),
        "inLanguage": subject.languages,
        "isAccessibleForFree": True,
        "temporalCoverage": covered and "/".join(covered),
        "distribution": [_download(subject, path, title) for path, title in subject.files(None)],
        "hasPart": [_schema_org_table(subject, survey) for survey in subject.surveys],
    }
    return present(entry)


def _source(entry: Mapping[str, JSON]) -> JSON:
    return present({"@type": "CreativeWork", "name": entry.get("title"), "url": entry.get("path")})


def _schema_org_table(subject: Subject, survey: Survey) -> dict[str, JSON]:
    table = survey.table
    covered = coverage([survey])
    return present(
        {
            "@type": "Dataset",
            "name": table.title,
            "alternateName": table.name,
            "description": table.description or table.title,
            "license": subject.package.license_path or subject.package.license,
            "creator": [agent(entry) for entry in citation.authors(subject.package)],
            "temporalCoverage": covered and "/".join(covered),
            "variableMeasured": [_variable(field) for field in table.fields],
            "distribution": [_download(subject, path, title) for path, title in subject.files(table)],
        }
    )


def _variable(field: Field) -> dict[str, JSON]:
    return present(
        {
            "@type": "PropertyValue",
            "name": field.name,
            "alternateName": field.title,
            "description": field.description,
            "unitText": unit(field),
        }
    )


def _download(subject: Subject, path: str, name: str) -> dict[str, JSON]:
    return {
        "@type": "DataDownload",
        "name": name,
        "contentUrl": subject.url(path),
        "encodingFormat": subject.media_type(path),
        "contentSize": f"{subject.size(path)} B",
        "sha256": subject.sha256(path),
    }
