"""What frictionless finds in a descriptor: errors where rows depend on it, warnings in words."""

from collections.abc import Iterator, Mapping
from typing import Any

import frictionless

from api.model import descriptor
from api.model.findings import Finding
from api.package import reading, translation, upgrade
from api.package.reading import Source

JSON = Any
# Data and paths are judged elsewhere, and frictionless refuses some paths that are harmless; so are checksums.
JUDGED_ELSEWHERE = ("path", "data", "bytes", "hash", descriptor.EDITS, descriptor.AS_FILE)


def findings(source: Source, unsound: set[str | None]) -> Iterator[Finding]:
    """Those of the package's own words, then of each resource; `unsound` names the resources to leave out."""
    package, file = source.package.descriptor, source.descriptor_path.name
    words = {key: value for key, value in package.items() if key != "created"}  # which api.package.metadata judges
    words["resources"] = [{"name": "stand-in", "data": []}]
    yield from (translation.of_descriptor(error, file, None, "warning") for error in _judged(words))
    for resource in [resource for resource in package["resources"] if resource["name"] not in unsound]:
        name, bare = resource["name"], {key: value for key, value in resource.items() if key not in JUDGED_ELSEWHERE}
        if descriptor.is_table(resource):
            bare["schema"] = {**bare["schema"], "fields": [_named(field) for field in bare["schema"]["fields"]]}
        errors = _of_resource({key: bare[key] for key in ("name", "dialect") if key in bare} | _schema(bare))
        yield from (translation.of_descriptor(error, file, name, "error") for error in errors)
        told = {error.note for error in errors}
        rest = [error for error in _of_resource(bare) if error.note not in told]
        yield from (translation.of_descriptor(error, file, name, "warning") for error in rest)


def _schema(resource: Mapping[str, JSON]) -> dict[str, JSON]:
    """What rows depend on of a table's schema."""
    if not descriptor.is_table(resource):
        return {}
    schema = resource["schema"]
    fields = [{"name": field["name"], "type": "any"} for field in schema["fields"]]  # no row depends on their words
    return {"schema": {"fields": fields} | {key: schema[key] for key in reading.FED_OF_SCHEMAS if key in schema}}


def _named(field: Mapping[str, JSON]) -> dict[str, JSON]:
    """A field with its words; its type and what goes with that are judged by checks.declared."""
    return {"type": "any", **{key: field[key] for key in ("name", "title", "description", "rdfType") if key in field}}


def _of_resource(resource: Mapping[str, JSON]) -> list[Any]:
    return _judged({"$schema": upgrade.PACKAGE, "resources": [{**resource, "data": []}]})


def _judged(package: Mapping[str, JSON]) -> list[Any]:
    try:
        frictionless.Package.from_descriptor(dict(package))
    except frictionless.FrictionlessException as exception:
        return list(exception.to_errors())
    return []
