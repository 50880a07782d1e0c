"""Making a site: the store's files first, then the app's answers over them, all checked, then shown by one rename.

The app answers from the files that were just linked, and those are verified against their signature: whatever
happens to the store meanwhile, the site is of one state.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flask import Flask, render_template

from api import mirror, trust
from api.export import ExportError, addresses, sidecars
from api.export.addresses import Address
from api.export.files import Entry, Files
from api.export.swap import swap
from api.model.files import MIRROR, RELEASE_INDEX
from api.store import atomic_files, manifest, release_index
from api.store.releases import NotInStore, Store

Tell = Callable[[str], None]
LIST = sidecars.LIST
OWN = (LIST, "_contents.html", "_headers", "_redirects", "404.html", ".nojekyll", MIRROR)
TRIES = 3
SHOWN = 5


@dataclass(frozen=True)
class Exported:
    """What was made. `changed`: whether it differs from what was there; `left_out`: addresses no file can stand for."""

    addresses: int
    bytes: int
    changed: bool
    left_out: int


def export(root: Path, folder: Path, base_url: str = "", tell: Tell = print, rows: bool = True) -> Exported:
    """Make a store into a static site, in place of the one that was there.

    Raises ExportError where the store is not as it was signed, or the folder holds what no export wrote.
    """
    folder = folder.resolve()
    _allowed(root.resolve(), folder)
    try:
        with _aside(folder) as work:
            return _export(root, folder, work, base_url, tell, rows)
    except (atomic_files.Busy, NotInStore) as error:
        raise ExportError(str(error)) from error
    except OSError as error:
        raise ExportError(f"{folder} cannot be written: {error}") from error


def _export(root: Path, folder: Path, work: Path, base_url: str, tell: Tell, rows: bool) -> Exported:
    from api.app import create_app

    files, linked = _staged(root, folder if folder.exists() else None, work, tell)
    app = create_app(STORE=_view(root, files.folder, work), BASE_URL=base_url, CACHE_MB=1)
    store: Store = app.extensions["store"]
    asked = [address for address in addresses.documents(app, store) if address.file != RELEASE_INDEX]
    single = list(addresses.rows(app, store.latest())) if rows else []
    kept, out = addresses.apart([*linked, *asked, *single])
    here = {entry.sha256: files.folder / entry.file for entry in linked.values() if entry.bytes}
    entries = [linked.get(address) or _answer(app, files, address, here) for address in kept]
    for address, why in out[:SHOWN]:
        tell(f"left out: {address.path} {why}")
    if out[SHOWN:]:
        tell(f"left out: {len(out) - SHOWN} more, see {LIST}")
    _own(app, files, entries, out, {address.path for address in single})
    changed = files.changed()
    if changed:
        os.sync()
        swap(files.folder, folder, work / "old")
    return Exported(len(entries), sum(entry.bytes for entry in entries), changed, len(out))


def _allowed(root: Path, folder: Path) -> None:
    """Nothing is replaced but an export, for the folder that was there is removed."""
    if folder.is_relative_to(root) or root.is_relative_to(folder):
        raise ExportError(f"{folder} and the store {root} lie in each other: name another folder")
    if folder.exists() and not folder.is_dir():
        raise ExportError(f"{folder} is no folder")
    if not folder.exists() or not any(folder.iterdir()):
        return
    try:
        known = {str(entry["file"]) for entry in json.loads((folder / LIST).read_bytes())["addresses"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ExportError(f"{folder} is neither empty nor an export: name another folder") from error
    there = (str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())
    strangers = sorted(path for path in there if path not in known and path not in OWN)
    if strangers:
        named = ", ".join(strangers[:3])
        raise ExportError(f"{folder} holds what no export wrote and what would be lost ({named}): move it away")


@contextmanager
def _aside(folder: Path) -> Iterator[Path]:
    """A place beside the folder, on the same file system, for one export at a time; what one left behind is removed."""
    work = folder.parent / f".{folder.name}.lantern"
    with atomic_files.locked(work, wait=0):
        for path in work.iterdir():
            if path.name != atomic_files.LOCK:
                shutil.rmtree(path)
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _staged(root: Path, old: Path | None, work: Path, tell: Tell) -> tuple[Files, dict[Address, Entry]]:
    """The store's releases and signed metadata, verified; again where the store changed meanwhile."""
    why = ""
    for _ in range(TRIES):
        files = Files(work / "site", old)
        try:
            linked = _link(root, files)
            found = trust.verify(files.folder, partial=_partial(root))
        except trust.TrustError as error:
            raise ExportError(
                f"{root} holds no signed releases: run `lantern build` or `lantern sign` first"
            ) from error
        except (FileNotFoundError, manifest.BadManifest) as error:
            why = str(error)
        else:
            if not found.problems:
                for warning in found.warnings:
                    tell(f"warning: {warning}")
                return files, linked
            why = "; ".join(found.problems[:SHOWN])
        shutil.rmtree(files.folder)
    raise ExportError(f"{root} is not as it was signed: {why}")


def _link(root: Path, files: Files) -> dict[Address, Entry]:
    """The store's own files in the site: releases that are not withdrawn, signed metadata, a mirror's state."""
    linked = {}
    for entry in release_index.of(root):
        folder = root / "releases" / entry.version
        if entry.withdrawn is None and folder.is_dir():
            for address, file in addresses.release_files(folder):
                linked[address] = files.link(address, root / address.file, file)
    for path in _signed(root):
        address = addresses.signed_file(path)
        linked[address] = files.link(address, root / path)
    if mirror.status(root) is not None:
        files.link(Address("", MIRROR, ""), root / MIRROR)
    return linked


def _signed(root: Path) -> list[str]:
    """The signed metadata; not what a crash left there half written, under a name with a dot."""
    found = [path for path in (root / "tuf").rglob("*.json") if not path.name.startswith(".")]
    found += [root / RELEASE_INDEX] if (root / RELEASE_INDEX).exists() else []
    return sorted(path.relative_to(root).as_posix() for path in found)


def _partial(root: Path) -> bool:
    status = mirror.status(root)
    return status is not None and status.holds != "all"


def _view(root: Path, site: Path, work: Path) -> Path:
    """What the app answers from: the site's own files, and what was withdrawn, of which it must know."""
    view = Path(tempfile.mkdtemp(dir=work, prefix="view-"))
    for name in ("releases", "tuf", RELEASE_INDEX, MIRROR):
        if (site / name).exists():
            (view / name).symlink_to(site / name)
    if (root / "withdrawn").exists():
        (view / "withdrawn").symlink_to((root / "withdrawn").resolve())
    return view


def _answer(app: Flask, files: Files, address: Address, here: Mapping[str, Path]) -> Entry:
    """The app's answer as a file."""
    with app.test_client().get(address.goal or address.path) as answer:
        if answer.status_code != 200:
            raise ExportError(f"{address.path}: the app answers with status {answer.status_code}")
        return files.write(address, answer.iter_encoded(), here)


def _own(app: Flask, files: Files, entries: list[Entry], out: list[tuple[Address, str]], single: set[str]) -> None:
    """What helps web servers and people, and is no address."""
    entries.sort(key=lambda entry: entry.address)
    left = [{"address": address.path, "reason": why} for address, why in out]
    files.put(LIST, sidecars.listed(entries, left))
    files.put("_headers", sidecars.headers())
    files.put("_redirects", sidecars.redirects(entries, single))
    files.put(".nojekyll", b"")
    shown = [entry for entry in entries if len(single) <= sidecars.MOST_ROWS or entry.address not in single]
    with app.test_request_context():
        release = app.extensions["store"].latest()
        page = render_template(
            "contents.html", package=release.package, release=release, entries=shown, more=len(entries) - len(shown)
        )
    files.put("_contents.html", page.encode())
    with app.test_client().get("/problems/not-found") as answer:
        files.put("404.html", answer.data)
