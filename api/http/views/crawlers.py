"""What crawlers ask first: where they may go (RFC 9309), and a map of the addresses that stand for themselves.

Both name whole addresses. Without the setting BASE_URL these are of the host that was asked, so neither is kept by the
cache in front of the application.
"""

from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit
from xml.sax.saxutils import escape

from flask import Blueprint, Response, request

from api.http.request import address, base, refuse_parameters, store, tables
from api.model.files import CONFLICTS, CORRECTIONS
from api.query.conflicts import conflicts
from api.store.releases import Release

blueprint = Blueprint("crawlers", __name__)
MINUTES = "public, max-age=3600"


@blueprint.get("/robots.txt")
def robots() -> Response:
    """Crawlers may follow every address but those with parameters: filters have no end."""
    refuse_parameters()
    lines = ["User-agent: *", f"Disallow: {urlsplit(base()).path}/*?", f"Sitemap: {_whole(address('sitemap.xml'))}"]
    return _plain("\n".join(lines) + "\n", "text/plain; charset=utf-8")


@blueprint.get("/sitemap.xml")
def sitemap() -> Response:
    """The addresses that stand for themselves: datasets, conflicts, corrections, releases (https://sitemaps.org)."""
    refuse_parameters()
    entries = [
        f"<url><loc>{escape(_whole(link))}</loc>{_changed(release)}</url>"
        for link, release in _addresses(store().latest())
    ]
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">'
    return _plain("\n".join([head, *entries, "</urlset>", ""]), "application/xml")


def _addresses(latest: Release) -> Iterator[tuple[str, Release]]:
    """Each address, with the release by which it changed last."""
    known = tables(latest)
    for parts in (("",), ("docs", ""), ("v1", "datasets"), *(("v1", "datasets", name) for name in known)):
        yield address(*parts), latest
    for name in {CONFLICTS, CORRECTIONS} & known.keys():
        yield address("v1", name), latest
    for key in conflicts(latest).joined:
        yield address("v1", CONFLICTS, key), latest
    yield address("v1", "releases"), latest
    for release in store().releases():
        yield address("v1", "releases", release.version), release


def _changed(release: Release) -> str:
    return f"<lastmod>{release.published_at}</lastmod>" if release.published_at else ""


def _whole(link: str) -> str:
    """A link with its host."""
    return urljoin(request.host_url, link)


def _plain(text: str, media_type: str) -> Response:
    return Response(text, content_type=media_type, headers={"Cache-Control": MINUTES})
