"""Lifts descriptors of Data Package v1 to the shapes of v2, so that nothing else need know of v1.

Pure: what a descriptor names (schemas, dialects, files) is read by api.package.
"""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

JSON = Any
PACKAGE = "https://datapackage.org/profiles/2.0/datapackage.json"
V2 = "datapackage.org/profiles/2"
COMPRESSIONS = {".gz": "gz", ".zip": "zip", ".bz2": "bz2", ".xz": "xz"}
CSV_PROPERTIES = ("delimiter", "quoteChar", "doubleQuote", "escapeChar", "skipInitialSpace")
DIALECT_PROPERTIES = ("header", "headerRows", "headerJoin", "headerCase", "commentChar", "commentRows")


def package(descriptor: Mapping[str, JSON]) -> dict[str, JSON]:
    """A package's own words as v2 has them; its resources are left as they are."""
    lifted = {key: value for key, value in descriptor.items() if key not in ("profile", "$schema")}
    if "contributors" in lifted:
        lifted["contributors"] = [_contributor(entry) for entry in lifted["contributors"]]
    return {"$schema": PACKAGE, **lifted}


def is_v2(descriptor: Mapping[str, JSON]) -> bool:
    return V2 in str(descriptor.get("$schema", ""))


def resource(descriptor: Mapping[str, JSON], position: int) -> dict[str, JSON]:
    """A resource with a name, and with a list of paths only where there are several."""
    lifted = dict(descriptor)
    path = lifted.get("path")
    if isinstance(path, list) and len(path) == 1:
        lifted["path"] = path = path[0]
    if lifted.pop("profile", None) == "tabular-data-resource":
        lifted["type"] = "table"
    first = path[0] if isinstance(path, list) and path else path
    lifted.setdefault("name", _stem(first) if isinstance(first, str) else f"resource-{position}")
    return lifted


def schema(descriptor: Mapping[str, JSON], own: str, v2: bool) -> dict[str, JSON]:
    """A Table Schema whose keys are lists and whose foreign keys name their table."""
    lifted = {key: value for key, value in descriptor.items() if key != "profile"}
    if "fields" in lifted:
        lifted["fields"] = [_field(entry, v2) for entry in lifted["fields"]]
    if "primaryKey" in lifted:
        lifted["primaryKey"] = _list(lifted["primaryKey"])
    if "uniqueKeys" in lifted:
        lifted["uniqueKeys"] = [_list(key) for key in lifted["uniqueKeys"]]
    if "foreignKeys" in lifted:
        lifted["foreignKeys"] = [_foreign_key(entry, own) for entry in lifted["foreignKeys"]]
    match = lifted.get("fieldsMatch")
    if isinstance(match, list) and match:
        lifted["fieldsMatch"] = match[0]
    return lifted


def dialect(descriptor: Mapping[str, JSON]) -> dict[str, JSON]:
    """A Table Dialect in flat form: what v1 and frictionless say otherwise has its v2 name."""
    lifted = {**descriptor, **(descriptor.get("csv") or {})}
    lifted.pop("csv", None)
    lifted.pop("csvddfVersion", None)
    if "caseSensitiveHeader" in lifted:
        lifted["headerCase"] = bool(lifted.pop("caseSensitiveHeader"))
    sheet = (lifted.pop("excel", None) or {}).get("sheet")
    if sheet is not None:
        lifted["sheetName" if isinstance(sheet, str) else "sheetNumber"] = sheet
    return lifted


def format_of(resource: Mapping[str, JSON]) -> str:
    """csv, tsv, xlsx, inline …: what is declared, else what the path ends in."""
    if "data" in resource:
        return "inline"
    declared = str(resource.get("format") or "").lower().lstrip(".")
    return declared if declared and declared not in ("gz", "zip") else _suffix(resource)


def compression_of(resource: Mapping[str, JSON]) -> str:
    """gz, zip, bz2, xz, or nothing."""
    if "data" in resource:
        return ""
    declared = str(resource.get("compression") or "").replace("gzip", "gz")
    suffix = PurePosixPath(_first(resource)).suffix.lower()
    return declared if declared not in ("", "no") else COMPRESSIONS.get(suffix, "")


def for_frictionless(dialect: Mapping[str, JSON], format: str) -> dict[str, JSON]:
    """A flat dialect as frictionless nests it, every choice of CSV spelled out so that it guesses nothing."""
    nested = {key: dialect[key] for key in DIALECT_PROPERTIES if key in dialect}
    if format in ("csv", "tsv"):
        nested["csv"] = {"delimiter": ",", "quoteChar": '"', "skipInitialSpace": False}
        nested["csv"] |= {key: dialect[key] for key in CSV_PROPERTIES if dialect.get(key) is not None}
    if format in ("inline", "json", "jsonl", "ndjson"):
        objects = {"property": dialect.get("property"), "keys": dialect.get("itemKeys")}
        nested["inline" if format == "inline" else "json"] = {k: v for k, v in objects.items() if v}
    sheet = dialect.get("sheetName", dialect.get("sheetNumber"))
    if sheet is not None:
        nested["excel"] = {"sheet": sheet}
    return nested


def _contributor(entry: Mapping[str, JSON]) -> Mapping[str, JSON]:
    if "role" not in entry:
        return entry
    rest = {key: value for key, value in entry.items() if key != "role"}
    return {**rest, "roles": rest.get("roles") or [entry["role"]]}


def _field(entry: Mapping[str, JSON], v2: bool) -> Mapping[str, JSON]:
    """A field without a type is a string in v1 and anything in v2."""
    return {"type": "any" if v2 else "string", **entry}


def _foreign_key(entry: Mapping[str, JSON], own: str) -> Mapping[str, JSON]:
    """A foreign key that names its table also where that is its own."""
    reference = entry["reference"]
    named = {"resource": reference.get("resource") or own, "fields": _list(reference["fields"])}
    return {**entry, "fields": _list(entry["fields"]), "reference": {**reference, **named}}


def _list(value: JSON) -> JSON:
    return [value] if isinstance(value, str) else value


def _first(resource: Mapping[str, JSON]) -> str:
    path = resource.get("path") or ""
    return str(path[0] if isinstance(path, list) else path)


def _suffix(resource: Mapping[str, JSON]) -> str:
    path = PurePosixPath(_first(resource))
    if path.suffix.lower() in COMPRESSIONS:
        path = path.with_suffix("")
    return path.suffix.lower().lstrip(".")


def _stem(path: str) -> str:
    return PurePosixPath(path).name.split(".")[0] or "resource"
