"""The files that a package brings besides its tables: those of other resources, of licences, and its image."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from api.model import descriptor, filenames, published
from api.model.findings import Finding
from api.package.reading import Source
from api.package.upgrade import paths

JSON = Any
_IS_ADDRESS = re.compile("[A-Za-z][A-Za-z0-9+.-]*:|//").match
EXPECTED = "a web address, or a file of the package"


def places(source: Source) -> dict[str, str]:
    """Where a release keeps each of these files, by its path in the package."""
    return published.places(brought(source.package.descriptor, source.folder, source.place.roots), source.package)


def brought(described: Mapping[str, JSON], folder: Path, roots: Collection[Path] = ()) -> list[str]:
    """Their paths: what a descriptor names and its folder holds; links lead into the folder, or the `roots` given."""
    resources = [entry for entry in described.get("resources") or [] if not descriptor.is_table(entry)]
    named = [path for entry in resources for path in paths(entry)] + [path for _, path in _of_words(described)]
    return [path for path in named if _is_file(folder, path, roots)]


def _of_words(described: Mapping[str, JSON]) -> Iterator[tuple[str, str]]:
    """The paths that the licences and the image of a package name, and the property of each; no web addresses."""
    for part in (described, *(described.get("resources") or [])):
        place = "" if part is described else f"{part['name']}: "
        for number, entry in enumerate(part.get("licenses") or []):
            if isinstance(entry, Mapping) and _is_path(entry.get("path")):
                yield f"{place}licenses[{number}].path", entry["path"]
        if _is_path(part.get("image")):
            yield f"{place}image", part["image"]


def _is_path(value: JSON) -> bool:
    return isinstance(value, str) and value != "" and not _IS_ADDRESS(value)


def _is_file(folder: Path, path: str, roots: Collection[Path]) -> bool:
    """Whether a path leads to a file inside a folder or its roots, links followed."""
    inside = not PurePosixPath(path).is_absolute() and ".." not in PurePosixPath(path).parts
    try:
        target = (folder / path).resolve()
        return inside and target.is_file() and any(map(target.is_relative_to, roots or [folder.resolve()]))
    except (OSError, ValueError):  # what no file can be called
        return False


def findings(source: Source) -> Iterator[Finding]:
    """Files that a release keeps under another name, and those that are named and not there."""
    described, file = source.package.descriptor, source.descriptor_path.name
    found = places(source)
    for path, place in found.items():
        if path != place:
            why = _reason(path, list(published.own(source.package)), found.values())
            message = f'the file "{path}" is published as "{place}": {why}'
            yield Finding("renamed-file", message, file, value=path, expected="another name", level="warning")
    for what, path in _of_words(described):
        if not _is_file(source.folder, path, source.place.roots):
            message = f'{what} names a file "{path}" that the package does not have'
            yield Finding("missing-file", message, file, value=path, expected=EXPECTED, level="warning")


def _reason(path: str, own: Sequence[str], others: Iterable[str]) -> str:
    """Why a release cannot keep a file under its own path."""
    if reason := filenames.reason(path):
        return f"its name {reason}"
    for name in own:
        if filenames.clash(path, name):
            return f'a release has a file "{name}" of its own'
    other = next(name for name in others if filenames.clash(path, name))
    return f'"{path}" and "{other}" cannot be files side by side on every system'


def moved(described: Mapping[str, JSON], places: Mapping[str, str]) -> dict[str, JSON]:
    """A descriptor, or a resource of one, whose files are where a release keeps them."""

    def place(path: JSON) -> JSON:
        if isinstance(path, list):
            return [place(part) for part in path]
        return places.get(path, path) if isinstance(path, str) else path

    changed = {key: place(described[key]) for key in ("path", "image") if key in described}
    if isinstance(described.get("licenses"), list):
        changed["licenses"] = [
            {**entry, "path": place(entry["path"])} if isinstance(entry, Mapping) and "path" in entry else entry
            for entry in described["licenses"]
        ]
    return {**described, **changed}
