"""What is made of the words of a package or a resource: forms of earlier versions are lifted to Data Package v2.

No table depends on them, so that none is withheld for them: what is lifted is a note or a warning, and what cannot be
lifted stays as it is and is a warning.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from api.model import filenames, words
from api.model.findings import Finding, Level
from api.package import upgrade

JSON = Any
LONGEST_SHOWN = 200
LONGEST_PERSON = 500
_NAME = re.compile(r"[a-z0-9._-]+")
_VERSION = re.compile(r"\d+\.\d+\.\d+([-+].*)?")
_PERSON = re.compile(r"\s*([^<(]+?)\s*(?:<([^>]*)>)?\s*(?:\(([^)]*)\))?\s*")  # Name <email> (address), as npm has it
# Names that are easily mistaken: as they are written, and as the standard has them.
SLIPS = {
    **dict.fromkeys(("licence", "licences"), "licenses"),
    **{"source": "sources", "keyword": "keywords", "contributor": "contributors", "authors": "contributors"},
    **{"resource": "resources", "desc": "description", "author": "contributors", "maintainers": "contributors"},
}


def package(raw: Mapping[str, JSON], file: str) -> tuple[dict[str, JSON], list[Finding]]:
    """The words of a package, lifted, beside its other members, and what is to be said of them."""
    lifted, findings = _lifted(upgrade.package(raw), file, None)
    findings += _told(lifted, file, None)
    version = lifted.get("version")
    if isinstance(version, str) and not (_VERSION.fullmatch(version) or filenames.reason_of_version(version)):
        expected = "three numbers such as 1.0.0"
        findings.append(_finding("note", f"version is {_shown(version)}", file, None, version, expected))
    return lifted, findings


def resource(raw: Mapping[str, JSON], position: int, file: str) -> tuple[dict[str, JSON], list[Finding]]:
    """The same for the resource at a position (from 1), which has a name from here on."""
    given = upgrade.as_text(raw.get("name"))
    fits = bool(given) and isinstance(given, str)
    named = {key: given if key == "name" else value for key, value in raw.items() if key != "name" or fits}
    upgraded = upgrade.resource(named, position)
    name = str(upgraded["name"])
    lifted, findings = _lifted(upgraded, file, name)
    if raw.get("name") != name:
        said = "has no name" if "name" not in raw else f"has the name {_shown(raw['name'])}"
        message = f'resource {position} {said}: it is called "{name}"'
        findings.insert(0, _finding("warning", message, file, name, raw.get("name"), "a name"))
    return lifted, findings + _told(lifted, file, name)


def _lifted(part: dict[str, JSON], file: str, resource: str | None) -> tuple[dict[str, JSON], list[Finding]]:
    lifted, findings = dict(part), list[Finding]()
    if "license" in part and "licenses" not in part:
        lifted["licenses"] = lifted.pop("license")
    for name, (level, lift) in LIFTS.items():
        if name not in lifted:
            continue
        before, lifted[name] = lifted[name], lift(lifted[name])
        was = "license" if name == "licenses" and name not in part else name
        if lifted[name] != before or was != name:
            message = f"{was} is read as {_shown(lifted[name])}"
            expected = words.MEMBERS[name].expected if level == "warning" else f"{name} as Data Package v2 has them"
            findings.append(_finding(level, message, file, resource, before, expected))
    return lifted, findings


def _told(part: Mapping[str, JSON], file: str, resource: str | None) -> list[Finding]:
    """What is said of words that stay as they are."""
    findings = []
    for name, value, expected in words.odd(part):
        message = f"{name} is {_shown(value)}: it is published as it is and not relied on"
        findings.append(_finding("warning", message, file, resource, value, expected))
    called = part.get("name")
    if isinstance(called, str) and not _NAME.fullmatch(called):
        expected = "lower-case letters, digits, and . _ -"
        findings.append(_finding("note", f"the name is {_shown(called)}", file, resource, called, expected))
    for slip, meant in SLIPS.items():
        if slip in part and meant not in part:
            message = f'the standard knows no property "{slip}"'
            findings.append(_finding("note", message, file, resource, part[slip], meant))
    return findings


def _finding(level: Level, message: str, file: str, resource: str | None, value: JSON, expected: str) -> Finding:
    shown = value if isinstance(value, str) or value is None else _shown(value)
    return Finding("metadata", message, file, resource, value=shown, expected=expected, level=level)


def _shown(value: JSON) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


# How each member is lifted; what cannot be stays


def _keywords(value: JSON) -> JSON:
    if isinstance(value, str):
        return [word.strip() for word in re.split("[,;]", value) if word.strip()]
    return [upgrade.as_text(word) for word in value] if isinstance(value, list) else value


def _list_of(lift: Callable[[JSON], JSON]) -> Callable[[JSON], JSON]:
    def lifted(value: JSON) -> JSON:
        entries = [value] if isinstance(value, str | Mapping) else value
        return [lift(entry) for entry in entries] if isinstance(entries, list) else value

    return lifted


def _renamed(entry: Mapping[str, JSON], *names: tuple[str, str]) -> dict[str, JSON]:
    """An entry whose members have the names of v2, where these are free."""
    renamed = dict(entry)
    for old, new in names:
        if old in renamed and new not in renamed:
            renamed[new] = renamed.pop(old)
    return renamed


def _is_web(value: JSON) -> bool:
    return isinstance(value, str) and value.startswith(("http://", "https://"))


def _licence(entry: JSON) -> JSON:
    if isinstance(entry, str):
        return {"path": entry} if _is_web(entry) else {"name": entry}
    return _renamed(entry, ("id", "name"), ("type", "name"), ("url", "path")) if isinstance(entry, Mapping) else entry


def _source(entry: JSON) -> JSON:
    if isinstance(entry, str):
        return {"title": entry, **({"path": entry} if _is_web(entry) else {})}
    return _renamed(entry, ("name", "title"), ("web", "path"), ("url", "path")) if isinstance(entry, Mapping) else entry


def _contributor(entry: JSON) -> JSON:
    if isinstance(entry, str):
        match = _PERSON.fullmatch(entry) if len(entry) < LONGEST_PERSON else None
        parts = dict(zip(("title", "email", "path"), match.groups() if match else (entry,), strict=False))
        return {key: value for key, value in parts.items() if value}
    if not isinstance(entry, Mapping):
        return entry
    renamed = _renamed(entry, ("name", "title"), ("web", "path"), ("url", "path"))
    role = renamed.pop("role", None)
    roles = renamed.get("roles") or role
    return renamed if roles is None else {**renamed, "roles": [roles] if isinstance(roles, str) else roles}


LIFTS: Mapping[str, tuple[Level, Callable[[JSON], JSON]]] = {
    **dict.fromkeys(("title", "description", "version"), ("warning", upgrade.as_text)),
    "keywords": ("warning", _keywords),
    "licenses": ("note", _list_of(_licence)),
    "sources": ("note", _list_of(_source)),
    "contributors": ("note", _list_of(_contributor)),
}
