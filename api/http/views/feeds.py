"""What is new, as Atom feeds (RFC 4287): corrections of published figures, and releases."""

import hashlib
import re
import uuid
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response

from api.http.request import address, of_dataset, refuse_parameters, with_query, without_parameters
from api.http.responses import Body, respond
from api.http.views.conflicts import corrected
from api.http.views.releases import current, every_release
from api.model.descriptor import Package, Table
from api.model.files import CORRECTIONS, RELEASES
from api.query.parse import Query
from api.query.reshape import every_row
from api.store.releases import Release, order

blueprint = Blueprint("feeds", __name__)
ATOM_TYPE = "application/atom+xml; charset=utf-8"
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, 2.2


@blueprint.get("/v1/corrections.atom")
def corrections_feed() -> Response:
    """The corrections of published figures as an Atom feed, newest first."""
    data_request = of_dataset(CORRECTIONS, "corrections.atom", below=False)
    return respond(data_request, lambda: Body(_corrections(*data_request)), ATOM_TYPE)


def _corrections(release: Release, table: Table, query: Query, path: str) -> bytes:
    """The feed; everything in it comes from the release, so that it says the same at any time."""
    package = release.package
    feed = _feed(package, CORRECTIONS, "Corrections", release.published_at)
    feed.subtitle(f"What was changed in published figures, and why. Version {release.version}.")
    feed.link(href=with_query(path, query.canonical), rel="self", type="application/atom+xml")
    feed.link(href=with_query(address("v1", CORRECTIONS), query.canonical), rel="alternate", type="application/json")
    rows = [row for row, _ in every_row(release, table)]
    for row in sorted(rows, key=lambda row: (str(row.get("date")), order(str(row.get("version")))), reverse=True):
        _correction(feed.add_entry(order="append"), row, package.name, corrected(release, row)[1])
    return bytes(feed.atom_str(pretty=True))


def _correction(entry: Any, row: Mapping[str, Any], package: str, record: str | None) -> None:
    """One correction: the old value, the new one, and why; `record` is the address of its row."""
    text = {name: "" if value is None else _text(str(value)) for name, value in row.items()}
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


@blueprint.get("/v1/releases.atom")
def releases_feed() -> Response:
    """The releases as an Atom feed, newest first; one that was withdrawn says so."""
    refuse_parameters()
    release = current()
    entries, data_request = every_release(), without_parameters(release, "v1", "releases.atom")
    feed = _feed(release.package, RELEASES, "Releases", max(str(entry["published_at"]) for entry in entries))
    feed.link(href=data_request.path, rel="self", type="application/atom+xml")
    feed.link(href=address("v1", "releases"), rel="alternate", type="application/json")
    for known in entries:
        _release(feed.add_entry(order="append"), known, release.package)
    body = bytes(feed.atom_str(pretty=True))
    # The feed is about all releases, not about the latest alone.
    return respond(data_request, lambda: Body(body), ATOM_TYPE, mark=hashlib.sha256(body).hexdigest())


def _release(entry: Any, known: Mapping[str, Any], package: Package) -> None:
    """One release: whether it was withdrawn, what kinds of change it brought, its notes."""
    version, withdrawn = known["version"], known["withdrawn"]
    entry.id(_urn(package.name, RELEASES, version))
    entry.title(_text(f"{package.title} {version}") + ("" if withdrawn is None else " (withdrawn)"))
    # When a release was withdrawn is not known: the time stays that of its publication.
    entry.updated(_moment(known["published_at"]))
    entry.published(_moment(known["published_at"]))
    for kind in known["change_kinds"]:
        entry.category(term=_text(kind))
    warning = [] if withdrawn is None else [f"Withdrawn: {withdrawn}"]
    lines = [*warning, ", ".join(known["change_kinds"]), known["notes"]]
    entry.summary(_text("\n".join(line for line in lines if line) or f"Version {version}."))
    entry.link(href=known["links"].get("self") or address("v1", "releases"))


def _feed(package: Package, name: str, title: str, updated: str) -> Any:
    """A feed of a package without entries; `updated` is when its newest was published."""
    from feedgen.feed import FeedGenerator

    feed = FeedGenerator()
    feed.id(_urn(package.name, name))
    feed.title(_text(f"{title}: {package.title}"))
    feed.author({"name": _text(package.publisher or package.name)})
    feed.generator("Lantern")
    feed.updated(_moment(updated))
    if package.license:
        feed.rights(_text(package.license))
    return feed


def _urn(*parts: str) -> str:
    """An address that stays the same for ever and wherever the feed is served (RFC 4122, by name)."""
    return uuid.uuid5(uuid.NAMESPACE_OID, "\0".join(("lantern", *parts))).urn


def _text(text: str) -> str:
    """Text as XML can hold it: control characters, which it cannot, are replaced."""
    return _NOT_XML.sub("\ufffd", text)


def _moment(text: str) -> datetime:
    """A day or time, in UTC; what is neither, or is none there, is the first second of 1970."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return datetime(1970, 1, 1, tzinfo=UTC)
