"""What catalogues and search engines read of a release: Croissant, DCAT 3 and schema.org, all three JSON-LD."""

from collections.abc import Sequence
from pathlib import Path

from api.index.survey import Survey
from api.model.descriptor import Package
from api.release.descriptions import croissant, dcat, schema_org
from api.release.descriptions.subject import Subject
from api.store import manifest


def write(package: Package, surveys: Sequence[Survey], folder: Path) -> dict[str, str]:
    """croissant.json, dcat.jsonld and schema-org.jsonld."""
    subject = Subject(package, surveys, folder)
    return {
        "croissant.json": manifest.dump(croissant.document(subject)),
        "dcat.jsonld": manifest.dump(dcat.document(subject)),
        "schema-org.jsonld": manifest.dump(schema_org.document(subject)),
    }
