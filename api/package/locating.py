"""Where the files are that a descriptor names: in the package's folder, on the network, or nowhere.

Addresses on the network are never fetched. A folder of copies gives what is found there in their place, by the last
part of the address, or by a map in its sources.json: {"https://example.org/a/t.csv": "t.csv"}.
"""

import json
import os
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any
from urllib.parse import unquote, urlsplit

from api.model import descriptor
from api.model.errors import LanternError
from api.model.findings import Finding, Level
from api.package import upgrade

JSON = Any
SOURCES = "sources.json"
FOLDER = "remote"  # of the package, for copies
SUGGESTED = "a copy: lantern validate --with FOLDER, which holds {}"


class PackageError(LanternError):
    """A package that cannot be read; each finding names the file and what was expected."""

    def __init__(self, *findings: Finding) -> None:
        super().__init__("\n".join(finding.text() for finding in findings))
        self.findings = findings


@dataclass(frozen=True)
class Place:
    """A package's folder and descriptor as they are read; `local` gives the paths there of what has an address.

    `roots` are the folders and files in which whatever is read must lie, links followed; `scratch` is a folder for what
    is made of them.
    """

    folder: Path
    descriptor: Path
    roots: tuple[Path, ...]
    scratch: Path
    copies: Path | None
    local: Mapping[str, str]


def place(path: Path, scratch: Path, copies: Path | None, resources: list[JSON]) -> Place:
    """Where the package of a descriptor is read. Raises PackageError for a map of copies that cannot be read.

    Where copies are to be used, that is a folder in `scratch`: it holds links to all that is in the package's own
    folder, and to the copies.
    """
    own, target = path.parent, scratch / "package"
    found: dict[str, Path] = {}
    for resource in resources:
        for address in descriptor.addresses(resource) if isinstance(resource, Mapping) else ():
            copy = _copy(copies, address)
            if copy is not None:
                found[address] = copy
    if not found:
        return Place(own, path, (Path(os.path.realpath(own)),), scratch, copies, {})
    target.mkdir()
    for entry in own.iterdir():
        (target / entry.name).symlink_to(os.path.realpath(entry))
    folder = next(name for name in (FOLDER, *(f"{FOLDER}-{n}" for n in range(2, 1_000))) if not (own / name).exists())
    (target / folder).mkdir()
    local: dict[str, str] = {}
    for address, copy in found.items():
        name = _last(address)
        taken = f"{folder}/{name}" in local.values()
        local[address] = f"{folder}/{len(local)}-{name}" if taken else f"{folder}/{name}"
        (target / local[address]).symlink_to(Path(os.path.realpath(copy)))
    roots = (Path(os.path.realpath(own)), *(Path(os.path.realpath(copy)) for copy in found.values()))
    return Place(target, target / path.name, roots, scratch, copies, local)


def here(resource: dict[str, JSON], place: Place) -> tuple[dict[str, JSON], list[Finding]]:
    """A resource whose files are those that exist; what is on the network keeps its address.

    Raises PackageError for a path that must not be read, for a table's file that does not exist (errors), and where
    no file is left (warnings).
    """
    findings: list[Finding] = []
    entries = resource.get("path", [])
    kept: list[str] = []
    for path in entries if isinstance(entries, list) else [entries]:
        if path in place.local:
            message = f"{path} is read from its copy"
            findings.append(_finding("remote-file", message, place, resource, path, "note"))
            kept.append(place.local[path])
        elif descriptor.is_address(path):
            message = f"{path} is on the network, which is never read: only its address is listed"
            expected = SUGGESTED.format(_last(path) or SOURCES)
            findings.append(_finding("remote-file", message, place, resource, path, "warning", expected))
            kept.append(path)
        else:
            fault = _fault(place, path, resource)
            if fault is None:
                kept.append(path)
            elif fault.type == "missing-file" and not _is_tabular(resource):
                findings.append(fault)
            else:
                raise PackageError(fault)
    if "path" not in resource:
        return resource, findings
    if not kept:
        raise PackageError(*findings)
    return {**resource, "path": kept if len(kept) > 1 else kept[0]}, findings


def part(resource: Mapping[str, JSON], key: str, place: Place) -> Path | Finding:
    """The file of a resource's schema or dialect, or the warning that it is on the network and has no copy.

    Raises PackageError for a file that does not exist or must not be read.
    """
    path = str(resource[key])
    if not descriptor.is_address(path):
        fault = _fault(place, path, resource)
        if fault is not None:
            raise PackageError(fault)
        return place.folder / path
    copy = _copy(place.copies, path)
    if copy is not None:
        return copy
    message = f"the {key} is on the network, which is never read: the table is read without it"
    return _finding(
        f"remote-{key}", message, place, resource, path, "warning", SUGGESTED.format(_last(path) or SOURCES)
    )


def _fault(place: Place, path: str, resource: Mapping[str, JSON]) -> Finding | None:
    """Why a path must not or cannot be read; None for a file inside the package's folder, links followed."""
    message, expected = _unsafe(path)
    level: Level = "error"
    type = "unsafe-path"
    if not message:
        target = place.folder / path
        try:
            real = Path(os.path.realpath(target))
            if not any(real.is_relative_to(root) for root in place.roots):
                message, expected = "is a link that leads out of the package", "a file inside its folder"
            elif not target.is_file():
                type, expected = "missing-file", "an existing file"
                message = (
                    "does not exist" if not target.exists() else "is a folder" if target.is_dir() else "is no file"
                )
                level = "error" if _is_tabular(resource) else "warning"
        except (OSError, RuntimeError) as error:  # a name that is too long, links in a circle
            message, expected = f"cannot be read: {getattr(error, 'strerror', error)}", "an existing file"
    if not message:
        return None
    return _finding(type, f'the file "{path}" {message}', place, resource, path, level, expected)


def _unsafe(path: str) -> tuple[str, str]:
    """What is wrong with a path as it is written, and what was expected; empty where nothing is."""
    out, inside = "leads out of the package", "a path inside its folder"
    if not path:
        return "has no name", inside
    if any(c == "\0" or unicodedata.category(c) == "Cs" for c in path):  # a release escapes all others in its names
        return "has a control character in its name", inside
    if path.lower().startswith("file:") or PureWindowsPath(path).is_absolute():
        return out, inside
    for written in (path, unquote(path), path.replace("\\", "/")):
        pure = PurePosixPath(written)
        if pure.is_absolute() or ".." in pure.parts:
            return out, inside
    if "\\" in path:
        return "is written with backslashes", path.replace("\\", "/")
    return "", ""


def _is_tabular(resource: Mapping[str, JSON]) -> bool:
    """Whether a resource is, or should be, a table."""
    if resource.get(descriptor.AS_FILE) is False:
        return False
    declared = resource.get("type") == "table" or bool(resource.get("schema"))
    return declared or upgrade.format_of(resource) in upgrade.TABULAR


def _finding(
    type: str, message: str, place: Place, resource: Mapping[str, JSON], path: str, level: Level, expected: str = ""
) -> Finding:
    name = str(resource["name"])
    return Finding(type, message, place.descriptor.name, name, value=path, expected=expected or None, level=level)


# Copies


def _copy(copies: Path | None, address: str) -> Path | None:
    """The copy of what is at an address, if there is one."""
    if copies is None:
        return None
    mapped = _mapped(copies).get(address) or _last(address)
    copy = copies / str(mapped)
    return copy if mapped and copy.is_file() else None


def _mapped(copies: Path) -> Mapping[str, JSON]:
    file = copies / SOURCES
    if not file.is_file():
        return {}
    try:
        mapped = json.loads(file.read_text("utf-8"))
    except ValueError as error:
        mapped, reason = None, str(error)
    else:
        reason = "it is no object"
    if not isinstance(mapped, Mapping):
        expected = 'addresses and files: {"https://example.org/t.csv": "t.csv"}'
        raise PackageError(
            Finding("copies", f"the list of copies cannot be read: {reason}", SOURCES, expected=expected)
        )
    return mapped


def _last(address: str) -> str:
    """The last part of an address as a file name; empty where it has none."""
    name = PurePosixPath(unquote(urlsplit(address).path)).name
    return "" if "/" in name or "\\" in name or name in ("", ".", "..") else name
