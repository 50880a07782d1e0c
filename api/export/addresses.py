"""What a static site serves: every address without parameters, and the file that holds its response.

A document's file is {address}/index.json (.html, .jsonl): a folder may hold more addresses below it. An address that
ends in a file name keeps it. Web servers decode an address before they look for a file, so files have decoded names.
"""

import itertools
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from flask import Flask

from api.export import ExportError
from api.http import errors
from api.http.request import quoted
from api.http.responses import JSON_TYPE, OWN_TYPES
from api.http.rows import key_path
from api.index import sqlite
from api.index.layout import ROW_SEPARATOR
from api.model.filenames import LONGEST_PART
from api.model.files import CONFLICTS, CORRECTIONS, MANIFEST
from api.openapi.interface import FILES
from api.release.formats import FORMATS
from api.store import manifest
from api.store.manifest import File
from api.store.releases import Release, Store

# Responses that only a running server can give: of the moment, or where a release's folder holds its own files alone.
ALIVE = ("health.alive", "health.ready", "releases.files", "releases.files_without_slash", "releases.latest_files")
APART = ("files.file", "tuf.metadata", "documentation.part")  # routes whose files are listed one by one
ENDINGS = {JSON_TYPE: "json", "text/html": "html", "application/jsonl": "jsonl", "application/linkset+json": "linkset"}
BATCH = 1_000
WHOLE = ("crawlers.robots", "crawlers.sitemap")  # which name addresses with their host
ACCEPT = {"Accept": "text/html, */*;q=0.9"}  # a page where there is one


@dataclass(frozen=True)
class Address:
    """An address as a URL has it (without the host), its file below the site's folder, and its media type.

    `goal` is where its bytes come from: itself, or what it redirects to.
    """

    path: str
    file: str
    media_type: str
    goal: str = ""


def release_files(folder: Path) -> Iterator[tuple[Address, File | None]]:
    """The files of a release with what its manifest promises of each (nothing of itself)."""
    contents = manifest.read((folder / MANIFEST).read_bytes())
    kinds = {entry["path"]: entry.get("media_type") for entry in json.loads(contents.raw)["files"]}
    every: dict[str, File | None] = {file.path: file for file in contents.files}
    every |= {path: None for path in OWN_TYPES if path not in every and (folder / path).is_file()}
    for path, file in every.items():
        yield plain(f"releases/{contents.version}/{path}", kinds.get(path) or OWN_TYPES[path]), file


def plain(path: str, kind: str = JSON_TYPE) -> Address:
    """A file of the store, by its path there."""
    return Address("/" + "/".join(map(quoted, path.split("/"))), path, kind)


def documents(app: Flask, store: Store) -> Iterator[Address]:
    """Everything that the app serves without parameters, but for files of releases and single rows."""
    for path, named in _candidates(app, store):
        kind, goal = _head(app, path)
        if kind is not None:
            yield Address(path, _file(path, named, kind), kind, goal)


def rows(app: Flask, release: Release) -> Iterator[Address]:
    """Every row of the latest release by its key, with its history, as a conflict or correction also joined."""
    for table in release.package.tables:
        layout = sqlite.layouts(release.index)[table.name]
        for start in range(0, layout.rows, BATCH):
            numbers = range(1, layout.rows + 1)[start : start + BATCH]
            lines = sqlite.json_text(release.index, layout.number, numbers).split(ROW_SEPARATOR)
            with app.app_context():
                urls = [key_path(table, text, number) for text, number in zip(lines, numbers, strict=True)]
            for path in (url.removeprefix(app.config["BASE_URL"]) for url in urls):
                every = [path, *([f"{path}/history"] if table.primary_key else [])]
                if table.name in (CONFLICTS, CORRECTIONS):
                    every.append(f"/v1/{table.name}/{path.rpartition('/')[2]}")
                yield from (Address(one, _file(one, False, JSON_TYPE), JSON_TYPE) for one in every)


def separate(addresses: Iterable[Address]) -> tuple[list[Address], list[tuple[Address, str]]]:
    """Those that a file can hold, and those that none can, with the reason."""
    every = list(addresses)
    uses = Counter(address.file for address in every)
    reasons = [(address, _reason(address.file, uses)) for address in every]
    return [address for address, reason in reasons if not reason], [(one, reason) for one, reason in reasons if reason]


def _reason(file: str, uses: Counter[str]) -> str:
    """Why no file can hold an address; empty where one can. `uses` counts the addresses of each file."""
    parts = file.split("/")
    if any(part in ("", ".", "..") for part in parts):
        return "has a part that is empty, '.' or '..' once it is decoded"
    if "\0" in file or any(len(part.encode()) > LONGEST_PART for part in parts):
        return f"has a part that cannot be a file name (longer than {LONGEST_PART} bytes, or with a null byte)"
    if uses[file] > 1:
        return "decodes to the same path as another address"
    if any("/".join(parts[:length]) in uses for length in range(1, len(parts))):
        return "would need a folder where another address has a file"
    return ""


def _candidates(app: Flask, store: Store) -> Iterator[tuple[str, bool]]:
    """Addresses that may have a response; whether each is a file's name."""
    known: dict[str, Iterable[str]] = {
        "name": [table.name for table in store.latest().package.tables],
        "version": [release.version for release in store.releases()],
        "kind": errors.TYPES,
        "extension": ["json", *(one.name for one in FORMATS.values() if one.path)],  # package.xlsx holds all tables
    }
    left_out = (*ALIVE, *APART, *(() if app.config["BASE_URL"] else WHOLE))
    for rule in app.url_map.iter_rules():
        if "GET" not in (rule.methods or ()) or rule.endpoint in left_out or not rule.arguments <= known.keys():
            continue
        names = sorted(rule.arguments)
        for values in itertools.product(*(known[name] for name in names)):
            path = rule.rule
            for name, value in zip(names, values, strict=True):
                path = path.replace(f"<{name}>", quoted(value))
            yield path, "." in rule.rule.rpartition("/")[2]
    yield from ((f"/docs/static/{name}", True) for name in FILES)


def _head(app: Flask, path: str) -> tuple[str | None, str]:
    """The media type of the app's response, None where it needs parameters; and where a redirect leads."""
    with app.test_client().head(path, headers=ACCEPT) as response:
        if 300 < response.status_code < 304:
            return _head(app, response.headers["Location"].removeprefix(app.config["BASE_URL"]))
        if response.status_code >= 500:
            told = app.test_client().get(path, headers=ACCEPT).get_json(silent=True) or {}  # HEAD has no body
            raise ExportError(f"{path}: status {response.status_code}: {told.get('detail')}")
        return (response.content_type if response.status_code == 200 else None), path


def _file(path: str, named: bool, kind: str) -> str:
    decoded = unquote(path).removeprefix("/")
    if named:
        return decoded
    ending = ENDINGS.get(kind.partition(";")[0], "bin")
    return f"{decoded.removesuffix('/')}/index.{ending}".removeprefix("/")
