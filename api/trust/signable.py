"""Which releases of a folder may be signed, as a list."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from api import settings
from api.index import layout
from api.model.files import MANIFEST
from api.store import atomic_files, manifest, release_index, removal
from api.store.releases import order
from api.trust import metadata
from api.trust.keys import Tell, TrustError


def releases(root: Path, known: Iterable[release_index.Entry], tell: Tell) -> tuple[release_index.Entry, ...]:
    """The list of releases, newest first: those signed before (`known`) and those that are new in the folder.

    Raises TrustError where it must not be signed.
    """
    folder = root / "releases"
    present = {path.name for path in folder.glob("*") if (path / MANIFEST).is_file()}
    entries = {entry.version: entry for entry in known}
    for version, entry in entries.items():
        if entry.removed:
            if take_away(root, version, settings.load()["INDEX"]):
                tell(f"release {version} was removed ({entry.withdrawn}): what was left of it is deleted")
            present.discard(version)
        elif version in present:
            _unchanged(root, entry, tell)
        elif entry.withdrawn is None:
            raise TrustError(f"release {version} was published and is missing: restore it, or `lantern withdraw` it")
    for version in present - entries.keys():
        entries[version] = _checked(folder / version)
    return tuple(sorted(entries.values(), key=lambda entry: order(entry.version), reverse=True))


def set_aside(root: Path, version: str) -> bool:
    """Move a withdrawn release into `withdrawn`, where it stays until somebody removes it; whether it was served."""
    source, target = root / "releases" / version, root / "withdrawn" / version
    if not source.exists():
        return False
    target.parent.mkdir(exist_ok=True)
    if target.exists():
        shutil.rmtree(target)
    os.rename(source, target)
    atomic_files.sync(target.parent)
    atomic_files.sync(source.parent)
    return True


def take_away(root: Path, version: str, index: str) -> bool:
    """Delete all of a removed release; whether there was anything. Raises TrustError that names what is left.

    `index` is the setting of that name.
    """
    there = removal.left(root, layout.folder(root, index), version)
    if failed := removal.erase(there):
        raise TrustError(
            f"release {version} was removed and is given to nobody any more, but {'; '.join(failed)}. Mend that, then "
            "run the same command again"
        )
    return bool(there)


def _unchanged(root: Path, entry: release_index.Entry, tell: Tell) -> None:
    same = manifest.digest(root / "releases" / entry.version / MANIFEST) == entry.manifest
    if entry.withdrawn is not None and same:
        set_aside(root, entry.version)
        tell(f"release {entry.version} was withdrawn ({entry.withdrawn}): it is in {root / 'withdrawn'}")
    elif entry.withdrawn is not None:
        raise TrustError(f"release {entry.version} was withdrawn ({entry.withdrawn}): raise the package's version")
    elif not same:
        raise TrustError(f"release {entry.version} differs from the one that was signed: a release never changes")


def _checked(folder: Path) -> release_index.Entry:
    """A release that is new here, checked byte by byte: what is signed is right."""
    raw = (folder / MANIFEST).read_bytes()
    try:
        contents = manifest.read(raw)
    except manifest.BadManifest as error:
        raise TrustError(f"release {folder.name} cannot be signed: {error}") from error
    findings = [] if contents.version == folder.name else [f"its manifest says it is version {contents.version}"]
    findings += manifest.differences(folder, contents)
    if findings:
        raise TrustError(f"release {folder.name} cannot be signed: {'; '.join(findings[:3])}")
    return release_index.Entry(contents.version, metadata.fingerprint(raw), contents.published_at)
