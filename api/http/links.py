"""Addresses in responses: paths, query strings, and the Link header."""

import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import quote

from flask import current_app

from api.query import cursor, parse
from api.query.find import Selection
from api.query.parameters import encode
from api.query.parse import Pairs
from api.store.releases import Release


def base() -> str:
    """What links begin with: the setting BASE_URL."""
    return str(current_app.config["BASE_URL"])


def address(*parts: str) -> str:
    """A path of which each part may hold any character."""
    return base() + _path(parts)


@lru_cache(maxsize=256)
def _path(parts: tuple[str, ...]) -> str:
    return "/" + "/".join(quoted(part) for part in parts)


@lru_cache(maxsize=128)
def quoted(part: str) -> str:
    """One part of a path; slashes and commas in it are escaped."""
    return encode(part).replace("/", "%2F").replace(",", "%2C")


def file_address(version: str, path: str) -> str:
    """The address of a release's file."""
    return address("releases", version, *path.split("/"))


def with_query(path: str, canonical: Pairs) -> str:
    """A path with its parameters in their one order."""
    text = parse.written(canonical)
    return f"{path}?{text}" if text else path


def permalink(path: str, canonical: Pairs, release: Release) -> str:
    """The address that keeps giving this response: the same query of this version."""
    rest = [entry for entry in canonical if entry[0] not in ("version", "as_of")]
    return with_query(path, tuple(sorted([*rest, ("version", release.version)])))


def following(selection: Selection, last: int, path: str) -> str:
    """The address of the page after the row with that number."""
    query = selection.query
    sealed = cursor.write(last.to_bytes(6, "big"), query, selection.release.tag, selection.table.name)
    rest = [entry for entry in query.canonical if entry[0] != "cursor"]
    return with_query(path, tuple(sorted([*rest, ("cursor", sealed)])))


def link_header(release: Release, links: Mapping[str, str | None]) -> str:
    """The Link header (RFC 8288) of a response: targets by relation, and the licence of the release; '' without any."""
    every = {**links, "license": _license(release)}
    return ", ".join([f'<{_uri(target)}>; rel="{relation}"' for relation, target in every.items() if target])


_LONE_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")
_SCHEME = re.compile("[A-Za-z][A-Za-z0-9+.-]*:").match
_PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))


@lru_cache(maxsize=256)
def _uri(target: str) -> str:
    """An address as a URI: what RFC 3986 does not allow in one is percent-encoded."""
    return quote(_LONE_PERCENT.sub("%25", target), safe=":/?#[]@!$&'()*+,;=%", errors="replace")


def _license(release: Release) -> str:
    """The licence's address as it is; for a path within the package that of the release's file; '' for none."""
    path = release.package.license_path
    if not path or _SCHEME(path):
        return path
    return file_address(release.version, path) if path in release.files else ""


@lru_cache(maxsize=256)
def header_text(text: str) -> str:
    """Text from elsewhere as a header may hold it: what is not printable ASCII is percent-encoded."""
    return quote(text, safe=_PRINTABLE, errors="replace")
