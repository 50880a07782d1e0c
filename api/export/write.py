"""Making a site: the store's files first, then the app's responses over them, all checked, then shown by one rename.

The app reads the files that were just linked, and those are verified against their signature: whatever happens to the
store meanwhile, the site is of one state.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flask import Flask, render_template

from api import mirror, trust
from api.app import create_app
from api.export import ExportError, addresses, sidecars
from api.export.addresses import ACCEPT, Address
from api.export.files import Files
from api.index import layout, making
from api.model.files import MIRROR, RELEASE_INDEX
from api.store import atomic_files, manifest, release_index
from api.store.manifest import File
from api.store.releases import NotInStore, Store
from api.trust.keys import Tell

LIST = sidecars.LIST
OWN = (LIST, "_contents.html", "_headers", "_redirects", "404.html", ".nojekyll", MIRROR)
TRIES = 3
SHOWN = 5


@dataclass(frozen=True)
class Exported:
    """What was made. `changed`: whether it differs from the old site; `left_out`: addresses that no file can hold."""

    addresses: int
    bytes: int
    changed: bool
    left_out: int


def export(
    root: Path, folder: Path, base_url: str = "", tell: Tell = print, rows: bool = True, index: str = ""
) -> Exported:
    """Make a store into a static site, in place of the one that was there.

    `index` is the setting of that name. Raises ExportError where the store is not as it was signed, or the folder holds
    what no export wrote.
    """
    folder = folder.resolve()
    _allowed(root.resolve(), folder)
    try:
        with _aside(folder) as work:
            return _export(root, folder, work, base_url, tell, rows, index or str(root / layout.FOLDER))
    except (atomic_files.Busy, NotInStore) as error:
        raise ExportError(str(error)) from error
    except OSError as error:
        raise ExportError(f"{folder} cannot be written: {error}") from error


def _export(root: Path, folder: Path, work: Path, base_url: str, tell: Tell, rows: bool, index: str) -> Exported:
    files, linked = _staged(root, folder if folder.exists() else None, work, tell)
    app = create_app(STORE=_view(root, files.folder, work), INDEX=index, BASE_URL=base_url, PROXIES=0, CACHE_MB=1)
    store: Store = app.extensions["store"]
    for release in Store(store.root, store.index).releases():
        try:
            making.make(release)
        except making.NotMade as error:
            raise ExportError(f"release {release.version} cannot be read: {error}") from error
    documents = [address for address in addresses.documents(app, store) if address.file != RELEASE_INDEX]
    single = list(addresses.rows(app, store.latest())) if rows else []
    usable, left_out = addresses.separate([*linked, *documents, *single])
    made = {address: linked.get(address) or _response(app, files, address) for address in usable}
    entries = dict(sorted(made.items(), key=lambda entry: entry[0].path))
    for address, reason in left_out[:SHOWN]:
        tell(f"left out: {address.path} {reason}")
    if left_out[SHOWN:]:
        tell(f"left out: {len(left_out) - SHOWN} more, see {LIST}")
    _own(app, files, entries, left_out, set(single))
    changed = files.changed()
    if changed:
        os.sync()
        atomic_files.swap(files.folder, folder, work / "old")
    return Exported(len(entries), sum(file.bytes for file in entries.values()), changed, len(left_out))


def _allowed(root: Path, folder: Path) -> None:
    """Only an export is replaced, for the old folder is removed. Raises ExportError for any other."""
    if folder.is_relative_to(root) or root.is_relative_to(folder):
        raise ExportError(f"one of {folder} and the store {root} contains the other: name another folder")
    if folder.exists() and not folder.is_dir():
        raise ExportError(f"{folder} is not a folder")
    if not folder.exists() or not any(folder.iterdir()):
        return
    try:
        known = {str(entry["file"]) for entry in json.loads((folder / LIST).read_bytes())["addresses"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ExportError(f"{folder} is neither empty nor an export: name another folder") from error
    paths = (str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())
    strangers = sorted(path for path in paths if path not in known and path not in OWN)
    if strangers:
        named = ", ".join(strangers[:3])
        raise ExportError(f"{folder} holds files that no export wrote and that would be lost ({named}): move them away")


@contextmanager
def _aside(folder: Path) -> Iterator[Path]:
    """A folder beside the site, on the same file system, for one export at a time; emptied first."""
    work = folder.parent / f".{folder.name}.lantern"
    with atomic_files.locked(work, wait=0):
        for path in work.iterdir():
            if path.name != atomic_files.LOCK:
                shutil.rmtree(path)
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _staged(root: Path, old: Path | None, work: Path, tell: Tell) -> tuple[Files, dict[Address, File]]:
    """The store's releases and signed metadata, verified; again where the store changed meanwhile."""
    reason = ""
    for _ in range(TRIES):
        files = Files(work / "site", old)
        try:
            linked = _link(root, files)
            copied = mirror.status(root)
            verdict = trust.verify(files.folder, partial=copied is not None and copied.holds != "all")
        except trust.TrustError as error:
            message = f"{root} holds no signed releases: run `lantern build` or `lantern sign` first"
            raise ExportError(message) from error
        except (FileNotFoundError, manifest.BadManifest) as error:
            reason = str(error)
        else:
            if not verdict.problems:
                for warning in verdict.warnings:
                    tell(f"warning: {warning}")
                return files, linked
            reason = "; ".join(verdict.problems[:SHOWN])
        shutil.rmtree(files.folder)
    raise ExportError(f"{root} is not as it was signed: {reason}")


def _link(root: Path, files: Files) -> dict[Address, File]:
    """The store's own files in the site: releases that are not withdrawn, signed metadata, a mirror's state."""
    linked = {}
    for entry in release_index.of(root):
        folder = root / "releases" / entry.version
        if entry.withdrawn is None and folder.is_dir():
            for address, file in addresses.release_files(folder):
                linked[address] = files.link(address.file, root / address.file, file)
    # The signed metadata, without what a crash left half written, under a name with a dot.
    for path in sorted([*(root / "tuf").rglob("[!.]*.json"), *root.glob(RELEASE_INDEX)]):
        address = addresses.plain(path.relative_to(root).as_posix())
        linked[address] = files.link(address.file, path)
    if mirror.status(root) is not None:
        files.link(MIRROR, root / MIRROR)
    return linked


def _view(root: Path, site: Path, work: Path) -> Path:
    """The store that the app reads: the site's own files, and the withdrawn releases, which it must know."""
    view = Path(tempfile.mkdtemp(dir=work, prefix="view-"))
    for path in (*(site / name for name in ("releases", "tuf", RELEASE_INDEX, MIRROR)), root.resolve() / "withdrawn"):
        if path.exists():
            (view / path.name).symlink_to(path)
    return view


def _response(app: Flask, files: Files, address: Address) -> File:
    """The app's response as a file."""
    with app.test_client().get(address.goal or address.path, headers=ACCEPT) as response:
        if response.status_code != 200:
            told = response.get_json(silent=True) or {}
            raise ExportError(f"{address.path}: status {response.status_code}: {told.get('detail')}")
        return files.write(address.file, response.iter_encoded())


def _own(
    app: Flask, files: Files, entries: Mapping[Address, File], left_out: list[tuple[Address, str]], rows: set[Address]
) -> None:
    """Files that help web servers and people, and have no address."""
    reasons = [{"address": address.path, "reason": reason} for address, reason in left_out]
    files.write(LIST, [sidecars.listed(entries, reasons)])
    files.write("_headers", [sidecars.headers()])
    files.write("_redirects", [sidecars.redirects(entries, rows)])
    files.write(".nojekyll", [])
    hidden = rows if len(rows) > sidecars.MOST_ROWS else set()
    shown = {address: file for address, file in entries.items() if address not in hidden}
    with app.test_request_context():
        release, more = app.extensions["store"].latest(), len(entries) - len(shown)
        page = render_template("contents.html", package=release.package, release=release, entries=shown, more=more)
    files.write("_contents.html", [page.encode()])
    with app.test_client().get("/problems/not-found") as response:
        files.write("404.html", [response.data])
