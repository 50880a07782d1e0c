"""schema.org, which search engines read. It names addresses."""

from api.model.descriptor import Field, Package, Table
from api.release.descriptions import citation
from api.release.descriptions.subject import JSON, Subject, agent, coverage, present, unit


def document(subject: Subject) -> dict[str, JSON]:
    """A schema.org Dataset for search engines: the package, and its tables as parts."""
    package = subject.package
    creators = [agent(entry) for entry in citation.authors(package)]
    parts = [
        {
            "@type": "Dataset",
            "name": survey.table.title,
            "alternateName": survey.table.name,
            "description": survey.table.description or survey.table.title,
            "license": _license(package, survey.table),
            "creator": creators,
            "temporalCoverage": "/".join(coverage([survey])),
            "variableMeasured": [_variable(field) for field in survey.table.fields],
            "distribution": _downloads(subject, survey.table),
        }
        for survey in subject.surveys
    ]
    return present(
        {
            "@context": "https://schema.org/",
            "@type": "Dataset",
            "@id": citation.address(package),
            "name": package.title,
            "alternateName": package.name,
            "description": package.description or package.title,
            "identifier": f"https://doi.org/{citation.doi(package)}" if citation.doi(package) else None,
            "url": citation.homepage(package) or citation.address(package),
            "version": package.version,
            "datePublished": package.created,
            "dateModified": package.created,
            "license": _license(package, None),
            "creator": creators,
            "publisher": {"@type": "Organization", "name": package.publisher or package.name},
            "creditText": citation.text(package).strip(),
            "isBasedOn": [
                present({"@type": "CreativeWork", "name": source.get("title"), "url": source.get("path")})
                for source in package.descriptor.get("sources") or []
            ],
            "keywords": package.descriptor.get("keywords"),
            "inLanguage": subject.languages,
            "isAccessibleForFree": True,
            "temporalCoverage": "/".join(coverage(subject.surveys)),
            "distribution": _downloads(subject, None),
            "hasPart": [present(part) for part in parts],
        }
    )


def _license(package: Package, table: Table | None) -> str:
    license = package.license_of(table)
    return license.path or license.name


def _variable(field: Field) -> dict[str, JSON]:
    words = {"name": field.name, "alternateName": field.title, "description": field.description}
    return present({"@type": "PropertyValue", **words, "unitText": unit(field)})


def _downloads(subject: Subject, table: Table | None) -> list[dict[str, JSON]]:
    return [
        {
            "@type": "DataDownload",
            "name": title,
            "contentUrl": subject.url(path),
            "encodingFormat": subject.media_type(path),
            "contentSize": f"{subject.size(path)} B",
            "sha256": subject.sha256(path),
        }
        for path, title in subject.files(table)
    ]
