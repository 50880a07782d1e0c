"""Finds the descriptor of a package, in a folder, a file or a zip, and reads it and what it is written in."""

import os
from pathlib import Path
from typing import Any

import yaml

from api.model.files import CHANGES, HISTORY, TEXTS
from api.model.findings import Finding
from api.package import halves, loading
from api.package.locating import PackageError
from api.package.tables import unpacking

JSON = Any
DESCRIPTORS = ("datapackage.json", "datapackage.yaml", "datapackage.yml")


def find(path: Path) -> Path:
    """The descriptor in a folder, or a path that is one. Raises PackageError where there is none."""
    if path.is_dir():
        if inside := _descriptor_in(path):
            return inside
        raise unreadable(path.name or str(path), "the folder has no descriptor", DESCRIPTORS[0])
    if not path.is_file():
        raise unreadable(path.name, "no such file or folder", "a data package")
    if path.suffix.lower() not in (".json", *loading.YAML):
        raise unreadable(path.name, "not a data package", "a folder, a datapackage.json or .yaml, or a .zip")
    return path


def _descriptor_in(folder: Path) -> Path | None:
    return next((folder / name for name in DESCRIPTORS if (folder / name).is_file()), None)


def unreadable(file: str, message: str, expected: str) -> PackageError:
    """The error of a package of which nothing can be read."""
    return PackageError(Finding("unreadable-package", message, file=file, expected=expected))


def extracted(archive: Path, target: Path) -> Path:
    """The folder that holds the descriptor, after unpacking: at the root of the archive or one level down.

    Raises PackageError.
    """
    try:
        unpacking.extract(archive, target)
    except unpacking.UNREADABLE as error:
        expected = getattr(error, "expected", None) or "an intact zip file"
        raise unreadable(archive.name, f"the archive cannot be read: {error}", expected) from None
    folders = [target, *sorted(entry for entry in target.iterdir() if entry.is_dir())]
    packages = [folder for folder in folders if _descriptor_in(folder)]
    if packages[:1] != [target] and len(packages) != 1:
        message = f"the archive has {'several packages' if packages else 'no descriptor'}"
        raise unreadable(archive.name, message, f"{DESCRIPTORS[0]} at its root or in its only folder")
    return packages[0]


def loaded(path: Path, name: str) -> tuple[JSON, list[Finding]]:
    """The value of a JSON or YAML file that describes something, and what was noticed. Raises PackageError."""
    kind = "YAML" if path.suffix.lower() in loading.YAML else "JSON"
    try:
        loading.refuse_size(path.stat().st_size, kind)
        text = path.read_text("utf-8-sig")
        value = loading.value(text, kind)
        return value, halves.mended(value, text, name)
    except UnicodeDecodeError:
        raise unreadable(name, "the file is not UTF-8", "UTF-8") from None
    except loading.Refused as error:
        raise unreadable(name, str(error), error.expected) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        message = f"not valid {kind}: {' '.join(str(error).split())}"
        raise unreadable(name, message, f"a complete {kind} document") from None


def refuse_written(text: bytes, name: str) -> None:
    """Raises PackageError for a descriptor that has become too large to be read again, in a release."""
    try:
        loading.refuse_size(len(text), "JSON")
    except loading.Refused as error:
        raise unreadable(name, f"as the release writes it, {error}", error.expected) from None


def refuse_links(described: Path) -> None:
    """Raises PackageError where what is taken from a package's folder by its name alone is a link that leads out."""
    folder = described.parent
    for path in (described, *(folder / name for name in (*TEXTS, CHANGES, HISTORY)), *folder.glob(f"{HISTORY}/*")):
        if _leads_out(path, folder):
            name = path.relative_to(folder).as_posix()
            raise PackageError(Finding("unsafe-path", "the link leads out of the package's folder", name))


def _leads_out(path: Path, folder: Path) -> bool:
    """Whether a path, links followed, is outside of a folder; of links in a circle no file is found."""
    return not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
