"""What changed: the changes between releases as JSON Lines, the corrections as an Atom feed."""

import hashlib
import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from flask import Blueprint, Response
from marshmallow import fields, validate

from api.http.errors import ProblemError
from api.http.request import acceptable, address, dataset, of_dataset, of_release, store, with_query
from api.http.responses import Body, respond
from api.http.views.conflicts import corrected
from api.index.layout import change_head
from api.model.descriptor import Table
from api.model.files import CHANGES, CORRECTIONS
from api.query import parse
from api.query.fields import Parameters
from api.query.parse import Query
from api.query.reshape import every_row
from api.store.releases import Release, order

blueprint = Blueprint("changes", __name__)
LINES_TYPE = "application/jsonl"
ATOM_TYPE = "application/atom+xml; charset=utf-8"
BLOCK = 1 << 18
Span = tuple[int, int]  # where records are in a file: start and length


# Changes


def control(_: Table) -> Parameters:
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
    data_request = of_release("v1", "changes", control=control)
    acceptable({"jsonl": LINES_TYPE})
    more = data_request.query.more
    until = store().version(more["until"]) if "until" in more else data_request.release
    chain = list(reversed([*_back(until, more.get("since"))]))
    name = more.get("dataset")
    spans = [(release, span) for release in chain if (span := _span(release, name))[1]]
    if name is not None and not spans:
        dataset(until, name)  # says which name is near
    size = sum(span[1] for _, span in spans)
    mark = hashlib.sha256("\0".join(release.build for release in chain).encode()).hexdigest()
    return respond(data_request._replace(release=until), lambda: Body(_pieces(spans), {}, size), LINES_TYPE, mark=mark)


def _back(until: Release, since: str | None) -> Iterator[Release]:
    """The releases whose changes lead from `since` to `until`, newest first.

    Raises NotInStore for a release that is not here, QueryError where `since` does not come before.
    """
    if since is not None and order(store().version(since).version) > order(until.version):
        raise parse.wrong("since", f"expected a release before {until.version}")
    here = until
    while here.version != since:
        yield here
        previous = here.manifest.get("previous")
        if previous is None and since is not None:
            raise ProblemError("not-found", f"Release {until.version} does not follow from {since}.")
        known = {release.version for release in store().releases()}
        if previous is None or (since is None and previous not in known):
            return
        here = store().version(previous)


def _span(release: Release, dataset: str | None) -> Span:
    """Where the records of a dataset (None: of all) are in a release's file of changes."""
    if CHANGES not in release.files:
        return 0, 0
    return (0, release.files[CHANGES]["bytes"]) if dataset is None else _spans(release).get(dataset, (0, 0))


@lru_cache(maxsize=64)
def _spans(release: Release) -> Mapping[str, Span]:
    """Where the records of each dataset are: one run each."""
    heads = {change_head(release.version, name).encode(): name for name in release.manifest.get("changes", {})}
    runs: dict[str, Span] = {}
    start, head = 0, b"\n"  # which no line begins with
    with (release.folder / CHANGES).open("rb") as file:
        for line in file:
            if not line.startswith(head):
                head = next(one for one in heads if line.startswith(one))
            first, length = runs.get(heads[head], (start, 0))
            runs[heads[head]] = first, length + len(line)
            start += len(line)
    return runs


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
    data_request = of_dataset(CORRECTIONS, "corrections.atom", below=False)
    return respond(data_request, lambda: Body(_atom(*data_request)), ATOM_TYPE)


def _atom(release: Release, table: Table, query: Query, path: str) -> bytes:
    """The feed; everything in it comes from the release, so that it says the same at any time."""
    from feedgen.feed import FeedGenerator

    package = release.package
    feed = FeedGenerator()
    feed.id(_urn(package.name, CORRECTIONS))
    feed.title(f"Corrections: {package.title}")
    feed.subtitle(f"What was changed in published figures, and why. Version {release.version}.")
    feed.link(href=with_query(path, query.canonical), rel="self", type="application/atom+xml")
    feed.link(href=with_query(address("v1", CORRECTIONS), query.canonical), rel="alternate", type="application/json")
    feed.author({"name": package.publisher or package.name})
    feed.generator("Lantern")
    feed.updated(_moment(release.published_at))
    if package.license:
        feed.rights(package.license)
    rows = [row for row, _ in every_row(release, table)]
    for row in sorted(rows, key=lambda row: (str(row.get("date")), order(str(row.get("version")))), reverse=True):
        _entry(feed.add_entry(order="append"), row, package.name, corrected(release, row)[1])
    return bytes(feed.atom_str(pretty=True))


def _entry(entry: Any, row: Mapping[str, Any], package: str, record: str | None) -> None:
    """One correction: the old value, the new one, and why; `record` is the address of its row."""
    text = {name: "" if value is None else str(value) for name, value in row.items()}
    entry.id(_urn(package, CORRECTIONS, *([text["id"]] if "id" in text else text.values())))
    text = defaultdict(str, text)
    kind, field = text["kind"], text["field"]
    entry.title(f"{kind.capitalize()}: {text['dataset']} {text['record']}" + (f", {field}" if field else ""))
    entry.updated(_moment(text["date"]))
    entry.published(_moment(text["date"]))
    entry.category(term=kind or "correction")
    change = f"{field}: {text['old'] or '(nothing)'} → {text['new'] or '(nothing)'}\n" if field else ""
    entry.content(f"{text['reason']}\n{change}Since version {text['version']}.", type="text")
    if record:
        entry.link(href=record)


def _urn(*parts: str) -> str:
    """An address that stays the same for ever and wherever the feed is served (RFC 4122, by name)."""
    return uuid.uuid5(uuid.NAMESPACE_OID, "\0".join(("lantern", *parts))).urn


def _moment(text: str) -> datetime:
    """A day or time, in UTC; what is neither is the first second of 1970."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return datetime(1970, 1, 1, tzinfo=UTC)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
