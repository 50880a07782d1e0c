"""What changed: the changes between releases as JSON Lines, the corrections as an Atom feed."""

import hashlib
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from flask import Blueprint, Response, request
from marshmallow import fields, validate

from api.http import request as ask
from api.http.answer import MUTABLE, http_date, tag
from api.http.cache import ENCODERS, encoding
from api.http.errors import ProblemError
from api.http.responses import address, finish, original, quoted, with_query
from api.http.views.files import IN_MEMORY
from api.index import database
from api.index.layout import ROW_SEPARATOR, change_head
from api.index.rows import json_text
from api.model.descriptor import Table
from api.model.files import CHANGES, CORRECTIONS
from api.query import parse
from api.store.releases import Release, order

blueprint = Blueprint("changes", __name__)
LINES_TYPE = "application/jsonl"
ATOM_TYPE = "application/atom+xml; charset=utf-8"
BLOCK = 1 << 18
PACKED = 1 << 26  # larger bodies are sent as they are: packing them would take as much memory
Span = tuple[int, int]  # where records stand in a file: start and length


# Changes


def control(_: Table) -> ask.Parameters:
    """The parameters of the changes."""
    words = {
        "since": "Changes after this release; without it, from the first release on.",
        "until": "Changes up to and with this release (default: the latest).",
        "dataset": "Only changes of this dataset.",
    }
    length = validate.Length(1, 200)
    return {name: fields.String(validate=length, metadata={"description": text}) for name, text in words.items()}


@blueprint.get("/v1/changes")
def changes() -> Response:
    """Added, changed and removed rows between releases: each release's own changes, one after the other."""
    asked = parse.read(ask.PLAIN, ask.given(), control)
    ask.acceptable({"jsonl": LINES_TYPE})
    until = ask.store().version(asked.more["until"]) if "until" in asked.more else ask.store().latest()
    chain = list(reversed([*_back(until, asked.more.get("since"))]))
    dataset = asked.more.get("dataset")
    spans = [(release, span) for release in chain if (span := _span(release, dataset))[1]]
    if dataset is not None and not spans and dataset not in ask.tables(until):
        ask.dataset(until, dataset)  # says which name is near
    path = address("v1", "changes")
    size = sum(span[1] for _, span in spans)
    if size <= IN_MEMORY:
        body = b"".join(_pieces(spans))
        marked = f"{path}#{_mark(chain)}"
        links = {"canonical": with_query(path, asked.canonical)}
        return finish(body, until, marked, asked.canonical, LINES_TYPE, links)
    chosen = encoding(request.headers.get("Accept-Encoding", "")) if size <= PACKED else ""
    pieces = [ENCODERS[chosen](b"".join(_pieces(spans)))] if chosen else _pieces(spans)
    response = Response(pieces, content_type=LINES_TYPE)
    response.content_length = len(pieces[0]) if isinstance(pieces, list) else size
    response.headers["Last-Modified"] = http_date(until.published_at)
    response.headers["Cache-Control"] = MUTABLE
    response.headers["Vary"] = "Accept, Accept-Encoding"
    response.headers["X-Data-Version"] = until.version
    response.headers["Link"] = f'<{original(with_query(path, asked.canonical))}>; rel="canonical"'
    mark = tag(_mark(chain), path, parse.written(asked.canonical))
    response.set_etag(f"{mark}-{chosen}" if chosen else mark)
    if chosen:
        response.headers["Content-Encoding"] = chosen
    response.make_conditional(request)
    return response


def _back(until: Release, since: str | None) -> Iterator[Release]:
    """The releases whose changes lead from `since` to `until`, newest first.

    Raises NotInStore for a release that is not here, BadQuestion where `since` does not come before.
    """
    if since is not None and order(ask.store().version(since).version) > order(until.version):
        raise parse.wrong("since", f"expected a release before {until.version}")
    here = until
    while here.version != since:
        yield here
        previous = here.manifest.get("previous")
        if previous is None and since is not None:
            raise ProblemError("not-found", f"Release {until.version} does not follow from {since}.")
        known = {release.version for release in ask.store().releases()}
        if previous is None or (since is None and previous not in known):
            return
        here = ask.store().version(previous)


def _mark(chain: Sequence[Release]) -> str:
    return hashlib.blake2b("\0".join(release.build for release in chain).encode(), digest_size=12).hexdigest()


def _span(release: Release, dataset: str | None) -> Span:
    """Where the records of a dataset stand in a release's file of changes; of all datasets for None."""
    if dataset is None:
        entry = release.files.get(CHANGES)
        return (0, entry["bytes"] if entry else 0)
    return spans(release).get(dataset, (0, 0))


@lru_cache(maxsize=64)
def spans(release: Release) -> Mapping[str, Span]:
    """Where the records of each dataset stand: they stand together."""
    found: dict[str, Span] = {}
    if CHANGES not in release.files:
        return found
    heads = {name: change_head(release.version, name).encode() for name in release.manifest.get("changes", {})}
    start, current = 0, ""
    with (release.folder / CHANGES).open("rb") as file:
        for line in file:
            if not current or not line.startswith(heads[current]):
                current = next(name for name, text in heads.items() if line.startswith(text))
                found[current] = (start, 0)
            found[current] = (found[current][0], found[current][1] + len(line))
            start += len(line)
    return found


def _pieces(spans: Sequence[tuple[Release, Span]]) -> Iterator[bytes]:
    for release, (start, length) in spans:
        with (release.folder / CHANGES).open("rb") as file:
            file.seek(start)
            while length > 0 and (piece := file.read(min(BLOCK, length))):
                length -= len(piece)
                yield piece


# Corrections


@blueprint.get("/v1/corrections.atom")
def corrections_feed() -> Response:
    """The corrections of published figures as an Atom feed, newest first."""
    asked = ask.plain()
    release = ask.chosen(asked.canonical)
    table = ask.tables(release).get(CORRECTIONS)
    if table is None:
        raise ProblemError("not-found", f"The package has no table {CORRECTIONS!r}.")
    path = address("v1", "corrections.atom")
    body = _atom(release, table, path, asked.canonical)
    return finish(body, release, path, asked.canonical, ATOM_TYPE)


def _atom(release: Release, table: Table, path: str, canonical: tuple[tuple[str, str], ...]) -> bytes:
    """The feed; everything in it comes from the release, so that it says the same at any time."""
    from feedgen.feed import FeedGenerator

    package = release.package
    feed = FeedGenerator()
    feed.id(_urn(package.name, CORRECTIONS))
    feed.title(f"Corrections: {package.title}")
    feed.subtitle(f"What was changed in published figures, and why. Version {release.version}.")
    feed.link(href=with_query(path, canonical), rel="self", type="application/atom+xml")
    feed.link(href=with_query(address("v1", CORRECTIONS), canonical), rel="alternate", type="application/json")
    feed.author({"name": package.publisher or package.name})
    feed.generator("Lantern")
    feed.updated(_moment(release.published_at))
    if package.license:
        feed.rights(package.license)
    for row in _newest_first(release, table):
        _entry(feed.add_entry(order="append"), row, package.name)
    return bytes(feed.atom_str(pretty=True))


def _newest_first(release: Release, table: Table) -> list[dict[str, Any]]:
    layout = database.layouts(release.folder)[table.name]
    text = json_text(release.folder, table, range(1, layout.rows + 1))
    rows = [json.loads(line) for line in text.split(ROW_SEPARATOR)] if text else []
    return sorted(rows, key=lambda row: (str(row.get("date")), order(str(row.get("version")))), reverse=True)


def _entry(entry: Any, row: Mapping[str, Any], package: str) -> None:
    """One correction: what was said, what is said now, why."""
    said = {name: "" if value is None else str(value) for name, value in row.items()}
    kind, field = said.get("kind", ""), said.get("field", "")
    place = f"{said.get('dataset', '')} {said.get('record', '')}"
    entry.id(_urn(package, CORRECTIONS, *said.values()) if "id" not in said else _urn(package, CORRECTIONS, said["id"]))
    entry.title(f"{kind.capitalize()}: {place}" + (f", {field}" if field else ""))
    entry.updated(_moment(said.get("date", "")))
    entry.published(_moment(said.get("date", "")))
    entry.category(term=kind or "correction")
    old, new = said.get("old") or "(nothing)", said.get("new") or "(nothing)"
    change = f"{field}: {old} → {new}\n" if field else ""
    entry.content(f"{said.get('reason', '')}\n{change}Since version {said.get('version', '')}.", type="text")
    record = address("v1", "datasets", said.get("dataset", ""), "records")
    entry.link(href=f"{record}/{','.join(map(quoted, said.get('record', '').split(',')))}")


def _urn(*parts: str) -> str:
    """An address that stays the same for ever and wherever the feed is served (RFC 4122, by name)."""
    return uuid.uuid5(uuid.NAMESPACE_OID, "\0".join(("lantern", *parts))).urn


def _moment(text: str) -> datetime:
    """A day or time, in UTC; what is neither is the first second of 1970."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return datetime(1970, 1, 1, tzinfo=UTC)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
