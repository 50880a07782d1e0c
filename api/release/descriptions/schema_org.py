"""schema.org, which search engines read. It names addresses."""

from collections.abc import Mapping

from api.index.survey import Survey
from api.model.descriptor import Field
from api.release.descriptions import citation
from api.release.descriptions.described import (
    JSON,
    TITLES,
    WHOLE,
    Release,
    agent,
    coverage,
    files_of,
    language_codes,
    media_type,
    present,
    unit,
)


def document(release: Release) -> dict[str, JSON]:
    """A schema.org Dataset for search engines: the package, and its tables as parts."""
    package = release.package
    covered = coverage(release.surveys)
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
        "creator": [agent(entry) for entry in citation.authors(package)],
        "publisher": {"@type": "Organization", "name": package.publisher or package.name},
        "creditText": citation.text(package, release.address).strip(),
        "isBasedOn": [_source(entry) for entry in package.descriptor.get("sources") or []],
        "keywords": package.descriptor.get("keywords"),
        "inLanguage": language_codes(release),
        "isAccessibleForFree": True,
        "temporalCoverage": covered and "/".join(covered),
        "distribution": [_download(release, path, TITLES[path]) for path in kept],
        "hasPart": [_schema_org_table(release, found) for found in release.surveys],
    }
    return present(said)


def _source(entry: Mapping[str, JSON]) -> JSON:
    return present({"@type": "CreativeWork", "name": entry.get("title"), "url": entry.get("path")})


def _schema_org_table(release: Release, found: Survey) -> dict[str, JSON]:
    table = found.table
    covered = coverage([found])
    return present(
        {
            "@type": "Dataset",
            "name": table.title,
            "alternateName": table.name,
            "description": table.description or table.title,
            "license": release.package.license_path or release.package.license,
            "creator": [agent(entry) for entry in citation.authors(release.package)],
            "temporalCoverage": covered and "/".join(covered),
            "variableMeasured": [_variable(field) for field in table.fields],
            "distribution": [_download(release, path, f"{table.title} as {name}") for path, name in files_of(table)],
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


def _download(release: Release, path: str, name: str) -> dict[str, JSON]:
    return {
        "@type": "DataDownload",
        "name": name,
        "contentUrl": release.url(path),
        "encodingFormat": media_type(path),
        "contentSize": f"{release.size(path)} B",
        "sha256": release.sha256(path),
    }
