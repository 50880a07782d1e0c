"""What catalogues and search engines read of a release: Croissant, DCAT 3 and schema.org, all three JSON-LD."""

from collections.abc import Sequence
from pathlib import Path

from api.index.survey import Survey
from api.model.descriptor import Package
from api.release.descriptions import croissant, dcat, schema_org
from api.release.descriptions.described import Release
from api.store import manifest


def write(package: Package, surveys: Sequence[Survey], folder: Path, base_url: str) -> dict[str, str]:
    """croissant.json, dcat.jsonld and schema-org.jsonld."""
    release = Release(package, surveys, folder, base_url)
    return {
        "croissant.json": manifest.dump(croissant.document(release)),
        "dcat.jsonld": manifest.dump(dcat.document(release)),
        "schema-org.jsonld": manifest.dump(schema_org.document(release)),
    }
