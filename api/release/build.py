"""Building: validate, make every file beside the store, publish by one rename."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from api import descriptor, package, store
from api.release import files, manifest, offsets, serving

TEXTS = ("README.md", "CHANGELOG.md", "LICENSE", "CITATION.cff")
Say = Callable[[str], None]


class BuildError(Exception):
    """A release that cannot be made; nothing was left behind."""


def build(source: Path, root: Path, say: Say = lambda _: None) -> store.Release:
    """Validate a package and add it to a store as a release; the release, also where it was there already.

    Raises package.PackageError for a package that cannot be read, BuildError for one that is not valid or whose
    version is in the store with other content.
    """
    say("validating")
    report = package.validate(source)
    if not report.valid:
        raise BuildError(report.text())
    with package.open_source(source) as opened:
        version = opened.package.version
        target = root / "releases" / version
        if not version or version.startswith(".") or "/" in version:
            raise BuildError(f"the package's version {version!r} cannot name a release: expected one such as 1.0.0")
        with _workplace(root) as folder:
            _make(opened, report, folder, root, say)
            if target.exists():
                _same(folder, target)
                say(f"release {version} is in the store already")
                return store.open_release(target)
            _publish(folder, target)
    say(f"published {version}")
    return store.open_release(target)


@contextmanager
def _workplace(root: Path) -> Iterator[Path]:
    """A folder on the store's own file system, so that publishing is one rename; gone afterwards in any case."""
    (root / "tmp").mkdir(parents=True, exist_ok=True)
    (root / "releases").mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=root / "tmp"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _make(source: package.Source, report: package.Report, folder: Path, root: Path, say: Say) -> None:
    model = source.package
    (folder / "data").mkdir()
    for table in model.tables:
        say(f"writing {table.path}")
        package.write_csv(source, table, folder / table.path)
    for resource in package.files(source):
        for origin, name in zip(resource.paths, resource.relative, strict=True):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(origin, folder / name)
    say("writing the serving file")
    rows = serving.write(model, folder)
    described = _describe(model, folder, rows)
    (folder / store.DESCRIPTOR).write_text(manifest.dump(described), encoding="utf-8")
    files.write(model, described, folder, report.to_json(), _texts(source), "", say)
    copies = {t.name: (t.path, f"jsonl/{descriptor.file_stem(t.name)}.jsonl") for t in model.tables}
    offsets.write(model, folder, copies)
    by_path = {path: rows[name] for name, paths in copies.items() for path in paths}
    entries = manifest.entries(folder, by_path)
    said = {
        "version": model.version,
        "previous": _previous(root, model.version),
        "published_at": model.created,
        "change_kinds": [],
        "files": entries,
    }
    (folder / store.MANIFEST).write_text(manifest.dump(said), encoding="utf-8")
    sums = [*entries, {"path": store.MANIFEST, "sha256": manifest.sha256(folder / store.MANIFEST)}]
    lines = sorted(f"{entry['sha256']}  {entry['path']}\n" for entry in sums)
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


def _texts(source: package.Source) -> dict[str, str]:
    """The texts that stand beside the descriptor and go into every release."""
    found = (source.descriptor_path.parent / name for name in TEXTS)
    return {path.name: path.read_text(encoding="utf-8") for path in found if path.is_file()}


def _describe(model: descriptor.Package, folder: Path, rows: dict[str, int]) -> dict[str, Any]:
    """The package's descriptor as the release has it: schemas inlined, path, bytes, hash and rows of each table."""
    described = dict(model.descriptor)
    resources = []
    tables = {table.name: table for table in model.tables}
    for resource in model.descriptor.get("resources", []):
        table = tables.get(str(resource.get("name")))
        if table is None:
            resources.append(resource)
            continue
        path = folder / table.path
        plain = {
            k: v for k, v in resource.items() if k not in ("data", "dialect", "compression", "extrapaths", "innerpath")
        }
        resources.append(
            plain
            | {
                "path": table.path,
                "format": "csv",
                "mediatype": "text/csv",
                "encoding": "utf-8",
                "bytes": path.stat().st_size,
                "hash": f"sha256:{manifest.sha256(path)}",
                "rows": rows[table.name],
            }
        )
    described["resources"] = resources
    return described


def _previous(root: Path, version: str) -> str | None:
    """The next lower version in the store."""
    there = [p.name for p in (root / "releases").iterdir() if (p / store.MANIFEST).is_file()]
    lower = [name for name in there if store.order(name) < store.order(version)]
    return max(lower, key=store.order, default=None)


def _same(folder: Path, target: Path) -> None:
    """Refuse to build a version again with other content."""
    new, old = (json.loads((p / store.MANIFEST).read_bytes())["files"] for p in (folder, target))
    if new != old:
        before = {entry["path"]: entry["sha256"] for entry in old}
        after = {entry["path"]: entry["sha256"] for entry in new}
        names = sorted(n for n in before.keys() | after.keys() if before.get(n) != after.get(n))
        raise BuildError(
            f"release {target.name} is in the store with other content ({', '.join(names[:5])} differ): "
            "a release never changes; raise the package's version"
        )


def _publish(folder: Path, target: Path) -> None:
    """Everything on disk first, then one rename: a crash leaves the old state or the new one."""
    for path in [*folder.rglob("*"), folder]:
        path.chmod(0o755 if path.is_dir() else 0o644)
        _sync(path)
    os.rename(folder, target)
    _sync(target.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
