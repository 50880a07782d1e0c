"""Reads the features of a GeoJSON file as a table: their properties, and their geometry where the schema has it.

GeoJSON: RFC 7946.
"""

from collections.abc import Iterator

from api.model import descriptor
from api.model.findings import Finding
from api.package.tables import natives, objects
from api.package.tables.base import BadTable, Given

FEATURES, GEOMETRY, ID = "features", "geometry", "id"


def table(given: Given) -> natives.Table:
    """The header and the rows. Raises BadTable where the schema's fields are not the properties of the features."""
    return objects.of_objects(given, lambda: _features(given))


def _features(given: Given) -> Iterator[objects.Item]:
    """Each feature's properties; its geometry in the schema's field for it, and its id, where the schema has them."""
    fields = descriptor.table(given.resource).fields if given.names else ()
    geometry = next((field.name for field in fields if field.type == "geojson"), GEOMETRY)
    left_out = bool(given.names) and geometry not in (given.names or ())
    found: set[str] = set()
    for path, number, feature in objects.items(given, FEATURES):
        properties = (feature.get("properties") or {}) if isinstance(feature, dict) else None
        if not isinstance(properties, dict):
            message = f"row {number} is not a feature with properties"
            raise BadTable(Finding("unreadable-table", message, path, given.name, number, expected="a GeoJSON feature"))
        row, own = properties, {} if left_out else {geometry: feature.get("geometry")}
        if left_out and feature.get("geometry") is not None:
            _left_out(given, "geometry", "the schema has no field for it", "a field of type geojson")
        if ID in feature and (given.names is None or ID in given.names):
            own[ID] = feature[ID]
        elif ID in feature:
            _left_out(given, "id", "the schema has no field for it", f'a field named "{ID}"')
        for name, value in own.items():
            if row.setdefault(name, value) != value:
                _left_out(given, name, "a property has the same name", "different names")
        found |= row.keys()
        yield path, number, row
    for name in given.names or ():
        if name not in found:
            message = f'no feature has the property "{name}"'
            raise BadTable(Finding("missing-label", message, given.file, given.name, field=name))


def _left_out(given: Given, what: str, why: str, expected: str) -> None:
    message = f"the {what} of the features is left out: {why}"
    given.warn(Finding("geometry", message, given.file, given.name, expected=expected, level="warning"))
