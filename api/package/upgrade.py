"""Turns descriptors of Data Package v1 into those of v2, so that nothing else needs to know of v1.

Pure: the files that a descriptor names (schemas, dialects, data) are read by api.package.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any

from api.model.descriptor import is_address

JSON = Any
PACKAGE = "https://datapackage.org/profiles/2.0/datapackage.json"
V2 = "datapackage.org/profiles/2"
PROFILE = "lantern:profile"  # a community's profile of v1
_STANDARD = re.compile(
    r"(tabular-)?data-package$|https?://(specs\.)?frictionlessdata\.io/schemas/(tabular-)?data-package\.json$"
    r"|https?://datapackage\.org/profiles/"
).match
TABULAR = ("csv", "tsv")  # a table whether the descriptor says so or not
JSON_FORMATS = ("inline", "json", "jsonl", "ndjson")
PROFILES_OF_TABLES = (
    "tabular-data-resource",
    "https://specs.frictionlessdata.io/schemas/tabular-data-resource.json",
    "http://specs.frictionlessdata.io/schemas/tabular-data-resource.json",
    "https://datapackage.org/profiles/1.0/tabulardataresource.json",
)
MEDIA_TYPES = {"text/csv": "csv", "text/tab-separated-values": "tsv"}
DIALECT_BEFORE_V1 = {
    "lineterminator": "lineTerminator",
    "quotechar": "quoteChar",
    "doublequote": "doubleQuote",
    "escapechar": "escapeChar",
    "nullsequence": "nullSequence",
    "skipinitialspace": "skipInitialSpace",
}
COMPRESSIONS = {".gz": "gz", ".zip": "zip", ".bz2": "bz2", ".xz": "xz"}


def is_v2(descriptor: Mapping[str, JSON]) -> bool:
    """Whether a package says that it is of v2: by `$schema`, which v1 did not have; a community's stands on v2 too."""
    schema = str(descriptor.get("$schema") or "")
    return V2 in schema or (schema != "" and not _STANDARD(schema))


def package(descriptor: Mapping[str, JSON]) -> dict[str, JSON]:
    """A package's own properties as v2 has them; its resources are left as they are.

    A community's `$schema` stays: it stands on that of v2. A community's `profile` of v1 becomes PROFILE: what was
    written for a descriptor of v1 says nothing of one of v2, and frictionless would fetch it.
    """
    schema, profile = (str(descriptor.get(key) or "") for key in ("$schema", "profile"))
    own = {"$schema": schema if schema and not _STANDARD(schema) else PACKAGE}
    if profile and not _STANDARD(profile):
        own[PROFILE] = profile
    upgraded = {key: value for key, value in descriptor.items() if key not in ("profile", "$schema")}
    return {**own, **upgraded}


def resource(descriptor: Mapping[str, JSON], position: int) -> dict[str, JSON]:
    """A resource with a name, and with a list of paths only where there are several."""
    upgraded = dict(descriptor)
    if "url" in upgraded and not upgraded.keys() & {"path", "data"}:
        upgraded["path"] = upgraded.pop("url")
    path = upgraded.get("path")
    if isinstance(path, list) and len(path) == 1:
        upgraded["path"] = path = path[0]
    if upgraded.pop("profile", None) in PROFILES_OF_TABLES:
        upgraded["type"] = "table"
    first = path[0] if isinstance(path, list) and path else path
    stem = PurePosixPath(first).name.split(".")[0] if isinstance(first, str) else f"resource-{position}"
    upgraded.setdefault("name", stem or "resource")
    return upgraded


def schema(descriptor: Mapping[str, JSON], own: str, v2: bool) -> dict[str, JSON]:
    """A Table Schema whose keys are lists and whose foreign keys name their table.

    A field without a type is a string in v1 and anything in v2.
    """
    untyped = "any" if v2 else "string"
    turned: Mapping[str, Callable[[JSON], JSON]] = {
        "fields": lambda fields: [{"type": untyped, **_with_texts(field)} for field in fields],
        "primaryKey": _list,
        "uniqueKeys": lambda keys: [_list(key) for key in keys],
        "foreignKeys": lambda keys: [_foreign_key(key, own) for key in keys],
        "fieldsMatch": lambda match: match[0] if isinstance(match, list) and match else match,
    }
    upgraded = {key: value for key, value in descriptor.items() if key != "profile"}
    return _with_texts({key: turned[key](value) if key in turned else value for key, value in upgraded.items()})


def _with_texts(part: Mapping[str, JSON]) -> dict[str, JSON]:
    """A schema or field whose missing values are texts, as they are in a CSV file: -99 is "-99", null none."""
    if "missingValues" not in part:
        return dict(part)
    values = (one if isinstance(one, Mapping) else {"value": one} for one in part["missingValues"])
    texts = [{**one, "value": as_text(one["value"])} for one in values if one["value"] is not None]
    return {**part, "missingValues": [one if len(one) > 1 else one["value"] for one in texts]}


def as_text(value: JSON) -> JSON:
    """A number as it was written."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return str(getattr(value, "text", value))  # of api.package.tables.parsing.Number: version 1.10 is not 1.1


def dialect(descriptor: Mapping[str, JSON]) -> dict[str, JSON]:
    """A Table Dialect in flat form: properties that v1 and frictionless name differently get their v2 names.

    A property that is null says nothing, but for quoteChar: cells are not quoted.
    """
    merged = {**descriptor, **(descriptor.get("csv") or {})}
    upgraded = {
        DIALECT_BEFORE_V1.get(key, key): value for key, value in merged.items() if key not in ("csv", "csvddfVersion")
    }
    if "caseSensitiveHeader" in upgraded:
        upgraded["headerCase"] = bool(upgraded.pop("caseSensitiveHeader"))
    sheet = (upgraded.pop("excel", None) or {}).get("sheet")
    if sheet is not None:
        upgraded["sheetName" if isinstance(sheet, str) else "sheetNumber"] = sheet
    if upgraded.get("quoteChar") == "":
        upgraded["quoteChar"] = None
    return {key: value for key, value in upgraded.items() if value is not None or key == "quoteChar"}


def format_of(resource: Mapping[str, JSON]) -> str:
    """csv, tsv, xlsx, inline …: as declared, else from the end of the path, else from the media type."""
    declared = str(resource.get("format") or "").lower().lstrip(".")
    of_media = MEDIA_TYPES.get(str(resource.get("mediatype") or "").partition(";")[0].strip().lower(), "")
    if "data" in resource:
        written = declared or of_media
        return written if isinstance(resource["data"], str) and written in TABULAR else "inline"
    if declared not in ("", "gz", "zip"):
        return declared
    path = PurePosixPath(_first(resource))
    suffix = (path.with_suffix("") if path.suffix.lower() in COMPRESSIONS else path).suffix.lower().lstrip(".")
    return suffix or of_media


def compression_of(resource: Mapping[str, JSON]) -> str:
    """gz, zip, bz2, xz, or empty."""
    if "data" in resource:
        return ""
    declared = str(resource.get("compression") or "").replace("gzip", "gz")
    suffix = PurePosixPath(_first(resource)).suffix.lower()
    return declared if declared not in ("", "no") else COMPRESSIONS.get(suffix, "")


def paths(resource: Mapping[str, JSON]) -> tuple[str, ...]:
    """The files of a resource, relative to the package; none where its data is in the descriptor or on the network."""
    path = resource.get("path") or []
    return tuple(part for part in (path if isinstance(path, list) else [str(path)]) if not is_address(part))


def encoding(resource: Mapping[str, JSON]) -> str:
    return str(resource.get("encoding") or "utf-8")


def _foreign_key(entry: Mapping[str, JSON], own: str) -> Mapping[str, JSON]:
    """A foreign key that names its table even where that is its own."""
    reference = entry["reference"]
    named = {"resource": reference.get("resource") or own, "fields": _list(reference["fields"])}
    return {**entry, "fields": _list(entry["fields"]), "reference": {**reference, **named}}


def _list(value: JSON) -> JSON:
    return [value] if isinstance(value, str) else value


def _first(resource: Mapping[str, JSON]) -> str:
    return next(iter(paths(resource)), "")
