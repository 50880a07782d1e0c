"""The codebook: what every table, field, code and number means, as Markdown and as one self-contained page."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from api.index.survey import Survey, records
from api.model import types, untyped
from api.model.descriptor import Field, Package, Table
from api.release.descriptions import citation, templates
from api.release.descriptions.subject import unit

JSON = Any
CODES = "indicators"
CODE_FIELDS = ("id", "title", "definition", "unit", "additive", "preferred_use", "note")
MOST_CODES = 5_000
TYPES: Mapping[str, str] = {
    "string": "text",
    "any": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "year": "year",
    "yearmonth": "year and month (YYYY-MM)",
    "date": "date (YYYY-MM-DD)",
    "time": "time of day (hh:mm:ss)",
    "datetime": "date and time, UTC",
    "duration": "duration (ISO 8601)",
    "list": "list",
    "array": "list, as JSON",
    "object": "object, as JSON",
    "geojson": "GeoJSON",
    "geopoint": "point (longitude, latitude)",
}
LIMITS: Mapping[str, str] = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "pattern": "matches {}",
}
ITEMS = {"minLength": "minItems", "maxLength": "maxItems"}


def write(package: Package, surveys: Sequence[Survey]) -> dict[str, str]:
    """codebook.md and codebook.html."""
    values = {
        "package": package,
        "surveys": surveys,
        "cite": citation.text(package).strip(),
        "codes": _codes(surveys),
        "licenses": _named(package.descriptor.get("licenses")),
        "sources": _named(package.descriptor.get("sources")),
        # what the templates ask of a field
        **{"types": TYPES, "unit": unit, "rules": _rules, "categories": _categories, "text": _text},
    }
    return {name: templates.render(name, **values) for name in ("codebook.md", "codebook.html")}


def _rules(field: Field, table: Table) -> list[str]:
    """A field's constraints in words."""
    limits = dict(field.constraints)
    if field.type in types.STRUCTURED:  # of these the standard counts items, not characters
        limits |= {of: limits.pop(length) for length, of in ITEMS.items() if length in limits}
    needed = limits.get("required") or field.name in table.primary_key
    rules = ["always given" if needed else "may be empty"]
    if untyped.keeps_types(field):
        rules.append("what is no text, or a text that could be taken for something else, is written as JSON")
    if limits.get("unique") or table.primary_key == (field.name,):
        rules.append("unique")
    rules += [words.format(_text(limits[key])) for key, words in LIMITS.items() if key in limits]
    within = field.descriptor.get("lantern:additiveWithin")
    if within is not None:
        rules.append("may be added up only among rows with the same " + ", ".join(map(str, within)))
    return rules


def _categories(field: Field) -> list[dict[str, str]]:
    """The codes a field may hold, each with its meaning where the schema gives one."""
    categories = field.descriptor.get("categories") or []
    entries = [entry if isinstance(entry, Mapping) else {"value": entry} for entry in categories]
    labels = {_text(entry["value"]): str(entry.get("label") or "") for entry in entries}
    allowed = [_text(value) for value in field.constraints.get("enum") or []]
    return [{"value": value, "label": labels.get(value, "")} for value in dict.fromkeys([*labels, *allowed])]


def _text(value: JSON) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _codes(surveys: Sequence[Survey]) -> list[dict[str, str]]:
    """The rows of the table of indicators, where the package has one that defines its codes."""
    survey = next((survey for survey in surveys if survey.table.name == CODES), None)
    if survey is None or not {"id", "definition"} <= survey.table.index.keys() or survey.rows > MOST_CODES:
        return []
    index = survey.table.index
    rows = records(survey, [str] * len(index), "")
    return [{name: row[index[name]] if name in index else "" for name in CODE_FIELDS} for row in rows]


def _named(entries: JSON) -> list[dict[str, str]]:
    """Licences or sources: the name and the web address of each."""
    return [
        {
            "title": str(entry.get("title") or entry.get("name") or entry.get("path") or ""),
            "path": citation.web(entry.get("path")),
        }
        for entry in entries or []
    ]
