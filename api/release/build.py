"""Building: validate, make every file beside the store, publish by one rename.

A package carries its previous versions (api.release.history): those that the store lacks are built first, in order.
Each version is checked against the one before, and lists what changed since; nothing in a release depends on which
releases the store holds.
"""

import os
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api import package
from api.index import layout, making
from api.model import dates, descriptor
from api.model.errors import LanternError
from api.model.files import CHANGELOG, CHANGES, DESCRIPTOR, HISTORY, MANIFEST, RELEASES, SUMS, TEXTS
from api.release import changes, files, history, libraries, notes
from api.release.files import Say
from api.release.formats import FORMATS
from api.release.media_types import media_type
from api.store import atomic_files, manifest, release_index, releases

VALIDATED = "validated"  # the folder in which a store remembers valid tables
PLACE = "build-"  # how the folders of builds under way begin
FIRST = "first"  # the kind of a first version: nothing changed, since nothing was published
IN_THE_SOURCE_ONLY = ("data", "dialect", "compression", "extrapaths", "innerpath")


class BuildError(LanternError):
    """A release that cannot be made; nothing was left behind."""


class NotValid(BuildError):
    """A package that has errors; the message is the report."""


@dataclass(frozen=True)
class _Version:
    """One version to build: its opened package, the one before, and the result of validation."""

    source: package.Source
    previous: history.Previous | None
    report: package.Report

    @property
    def model(self) -> descriptor.Package:
        return self.source.package


def build(
    source: Path,
    root: Path,
    say: Say = lambda _: None,
    index: str = "",
    copies: Path | None = None,
    relaxed: bool = False,
) -> releases.Release:
    """Validate a package and add it to a store as a release, with its index; the release, also if it was there already.

    `index` is the setting of that name, `copies` a folder with what the package names by an address. Where `relaxed`,
    what can be served of a package with errors is published, edited as its descriptor tells (api.package.lenient).
    Previous versions that the package carries and the store lacks come first, as strictly as ever. Raises
    package.PackageError for a package that cannot be read, BuildError for one that is not valid or whose version
    is in the store with other content.
    """
    if releases.is_copy(root):
        raise BuildError(f"{root} mirrors another store: build into a store of your own")
    withdrawn = release_index.withdrawn(root)
    with ExitStack() as stack:
        valid = root / "tmp" / VALIDATED
        new = not root.exists()
        if new:
            stack.callback(_clear, root)
        cache = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lantern-"))) if new else valid
        last = _version(stack.enter_context(package.opened(source, copies, apart=relaxed)), root, cache, say, relaxed)
        if last.model.version in withdrawn:
            reason = withdrawn[last.model.version]
            raise BuildError(f"release {last.model.version} was withdrawn ({reason}): raise the package's version")
        folders = [f for f in history.earlier(last.source.folder, last.model.version) if f.name not in withdrawn]
        missing = [folder for folder in folders if _released(root / RELEASES / folder.name) is None]
        _released(root / RELEASES / last.model.version)  # called for what it refuses: see _add
        earlier = [_version(stack.enter_context(package.open_source(f)), root, cache, say) for f in missing]
        indexes = layout.folder(root, index)
        for version in (*earlier, last):
            release = _add(version, root, indexes, say)
        if new:
            shutil.copytree(cache, valid, dirs_exist_ok=True)
    # Here the store is whole: trust.sign_store(root) signs it.
    return release


def _clear(root: Path) -> None:
    """Remove a store that was new and holds no release: a package that is refused leaves nothing behind."""
    if not any((root / RELEASES).glob("*")) and not any((root / "tmp").glob(f"{PLACE}*")):  # of another build
        shutil.rmtree(root, ignore_errors=True)


def _released(target: Path) -> manifest.Contents | None:
    """The manifest of a release, where it is in the store. Raises BuildError for a folder of its name that is none."""
    if not target.exists():
        return None
    try:
        return manifest.read((target / MANIFEST).read_bytes())
    except (OSError, manifest.BadManifest) as error:
        raise BuildError(f"{target} is not a release: {error}") from error


def _version(source: package.Source, root: Path, cache: Path, say: Say, relaxed: bool = False) -> _Version:
    """A version that may be built: valid, dated after the one that it follows, and that one not removed from the store.

    Raises BuildError for any other.
    `cache` remembers valid tables.
    """
    model = source.package
    previous = history.previous(source)
    removed = {entry.version: entry.withdrawn for entry in release_index.of(root) if entry.removed}
    if previous and previous.version in removed and not (root / RELEASES / model.version).exists():
        raise BuildError(
            f"version {model.version} follows {previous.version}, which was removed ({removed[previous.version]}): "
            f"what changed since would show what was in it. Delete {HISTORY}/{previous.version} from the package, so "
            "that it follows the version before"
        )
    say(f"validating {model.version}")
    source, report = package.checked(source, previous.folder if previous else None, cache, relaxed)
    if not report.valid:
        raise NotValid(report.text())
    created = dates.moment(model.created)
    if created is not None and previous is not None and previous.folder is not None:
        with package.open_source(previous.folder) as before:
            earlier = dates.moment(before.package.created)
            if earlier is not None and earlier >= created:
                raise BuildError(
                    f"version {model.version} was created {model.created}, version {previous.version} not before that "
                    f"({before.package.created}): releases are dated when they are made"
                )
    return _Version(source, previous, report)


def _add(version: _Version, root: Path, indexes: Path, say: Say) -> releases.Release:
    """Put one version into the store, unless it is there with the same content, and its index beside the others."""
    target = root / RELEASES / version.model.version
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_files.workplace(root / "tmp", PLACE) as folder:  # on the store's file system
        described = pack(version.source, version.previous, version.report, folder)
        if not target.exists():
            with making.beside(folder, indexes) as finished:
                _make(version, described, folder, say)
                say("making the index")
                made = finished()
                with making.alone(indexes):  # a server that sees the release at once need not make another
                    if publish(folder, target):
                        release = releases.open_release(target, indexes)
                        making.place(made, release.index)
                        say(f"published {target.name}")
                        return release
        _same(folder, target)
        say(f"release {target.name} is in the store already{libraries.others(target)}")
    release = releases.open_release(target, indexes)
    making.make(release)
    return release


def draft(source: package.Source, report: package.Report, root: Path, say: Say = lambda _: None) -> releases.Release:
    """Put a valid version into a store without what was before it; no signature follows, and nobody relies on it."""
    return _add(_Version(source, None, report), root, layout.folder(root, ""), say)


def publish(folder: Path, target: Path) -> bool:
    """Everything on disk first, then one rename: a crash leaves the old state or the new one.

    False where another build was first.
    """
    atomic_files.settle(folder)
    try:
        os.rename(folder, target)
    except OSError:
        if target.exists():
            return False
        raise
    atomic_files.sync(target.parent)
    return True


# What a release holds


def pack(
    source: package.Source, previous: history.Previous | None, report: package.Report, folder: Path
) -> dict[str, Any]:
    """Write what a package is into a folder: its data as plain CSV, its other files, its texts, its descriptor.

    That is what package.zip holds and the history keeps; the descriptor is also returned.
    """
    (folder / "data").mkdir()
    for table in source.package.tables:
        package.write_csv(source, table, folder / table.path)
    places = package.places(source)
    for path, place in places.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source.folder / path, folder / place)
    for text in texts(source):
        shutil.copyfile(text, folder / text.name)
    rows = {table.name: table.rows for table in report.tables}
    described = _describe(source.package, folder, rows, places)
    if previous:
        described[history.PREVIOUS] = previous.version
    written = manifest.dump(described).encode()
    package.refuse_written(written, DESCRIPTOR)
    (folder / DESCRIPTOR).write_bytes(written)
    return described


def texts(source: package.Source) -> list[Path]:
    """The texts beside the descriptor, which go into every release."""
    paths = (source.descriptor_path.parent / name for name in TEXTS)
    return [path for path in paths if path.is_file()]


def _describe(
    model: descriptor.Package, folder: Path, rows: Mapping[str, int], places: Mapping[str, str]
) -> dict[str, Any]:
    """The package's descriptor as the release has it: schemas inlined, path, bytes, hash and rows of each table; where
    its other files are (`places`). Which version came before is left to the caller.
    """
    tables = {table.name: table for table in model.tables}
    resources = []
    for entry in model.published.get("resources", []):
        resource = package.moved(entry, places)
        table = tables.get(str(resource.get("name")))
        if table is not None:
            path = folder / table.path
            kept = {key: value for key, value in resource.items() if key not in IN_THE_SOURCE_ONLY}
            kept |= {"path": table.path, "format": "csv", "mediatype": "text/csv", "encoding": "utf-8"}
            size, digest = path.stat().st_size, manifest.digest(path)
            resource = {**kept, "bytes": size, "hash": f"sha256:{digest}", "rows": rows[table.name]}
        resources.append(resource)
    described = {**package.moved(model.published, places), "version": model.version, "resources": resources}
    described.pop(history.PREVIOUS, None)
    return described


def _make(version: _Version, described: dict[str, Any], folder: Path, say: Say) -> None:
    """Write every other file of the release."""
    model = version.model
    say(f"finding what changed in {model.version}")
    counts = _changes(version, folder)
    left_out = files.write(
        described, folder, version.report.to_json(), [text.name for text in texts(version.source)], say
    )
    counted = {table.name: table.rows for table in version.report.tables}
    lines = (FORMATS["csv"], FORMATS["jsonl"])
    rows = {one.file(table): counted[table.name] for table in model.tables for one in lines}
    contents = {
        "format": manifest.FORMAT,
        "version": model.version,
        "previous": version.previous.version if version.previous else None,
        "made_with": libraries.here(),
        "published_at": model.published_at,
        "change_kinds": _kinds(version, counts),
        "changes": counts,
        "notes": notes.section((folder / CHANGELOG).read_text(encoding="utf-8", errors="replace"), model.version),
        **({"left_out": left_out} if left_out else {}),
        "files": manifest.entries(folder, rows, media_type),
    }
    raw = manifest.dump(contents).encode()
    (folder / MANIFEST).write_bytes(raw)
    try:
        (folder / SUMS).write_bytes(manifest.read(raw).sums())
    except manifest.BadManifest as error:
        raise BuildError(f"the package has names that cannot be files everywhere: {error}") from error


def _changes(version: _Version, folder: Path) -> dict[str, dict[str, int]]:
    """Write changes.jsonl; how many changes of each kind it holds, by dataset.

    Of a first version it is empty: nothing was published that could have changed, and data/ has every row of it.
    """
    target, previous = folder / CHANGES, version.previous
    if previous is None:
        target.touch()
    elif previous.folder is None:
        assert previous.changes is not None
        shutil.copyfile(previous.changes, target)
    else:
        new = changes.Side(version.model, {table.name: folder / table.path for table in version.model.tables})
        with tempfile.TemporaryDirectory(prefix="lantern-") as scratch:
            with history.side(previous.folder, Path(scratch)) as old:
                changes.write(old, new, target)
    try:
        return changes.counts(target)
    except (ValueError, KeyError) as error:
        raise BuildError(f"{CHANGES} cannot be read: {error}") from error


def _kinds(version: _Version, counts: Mapping[str, Mapping[str, int]]) -> list[str]:
    """What kinds of change a version brings: of rows, of tables and fields, and those of its corrections."""
    if version.previous is None:
        return [FIRST]
    present = {kind for of_dataset in counts.values() for kind, count in of_dataset.items() if count}
    kinds = [kind for kind in changes.ROWS if kind in present]
    kinds += ["schema"] if present - set(changes.ROWS) else []
    return kinds + notes.correction_kinds(version.source)


def _same(folder: Path, target: Path) -> None:
    """Refuse to build a version again with other content: what `pack` wrote is compared with the release."""
    contents = _released(target)
    assert contents is not None
    released = {file.path: file.sha256 for file in contents.files}
    paths = (path for path in folder.rglob("*") if path.is_file())
    packed = {path.relative_to(folder).as_posix(): manifest.digest(path) for path in paths}
    names = {name for name in packed.keys() | released.keys() if name.startswith("data/")}
    names |= packed.keys() & released.keys()
    differ = sorted(name for name in names if packed.get(name) != released.get(name))
    if differ:
        raise BuildError(
            f"release {target.name} is in the store with other content ({', '.join(differ[:5])} differ): "
            "a release never changes; raise the package's version (`lantern release`)"
        )
