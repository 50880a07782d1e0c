"""Answers put together: the envelope, links and headers that all of them share."""

import json
from collections.abc import Mapping
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any

from flask import Response

from api import mirror
from api.http import request as ask
from api.http.answer import Answer, tag
from api.http.cache import encoding, matches
from api.query import parse
from api.query.parameters import encode
from api.store.releases import Release, Store

JSON_TYPE = "application/json"
CODE = "1"  # part of every entity tag: raised when the same question to the same release gives other bytes


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def compact(value: Any) -> str:
    """JSON as answers hold it."""
    return _encode(value)


class Raw(str):
    """Text that is JSON already."""


def raw_json(value: Any) -> str:
    """JSON of lists and objects of which some leaves are JSON text already."""
    if isinstance(value, Raw):
        return value
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{compact(name)}:{raw_json(v)}" for name, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",\n".join(raw_json(v) for v in value) + "]"
    return compact(value)


def address(*parts: str) -> str:
    """A path of which each part may hold any character."""
    return ask.base() + _path(parts)


@lru_cache(maxsize=1024)
def _path(parts: tuple[str, ...]) -> str:
    return "/" + "/".join(quoted(part) for part in parts)


@lru_cache(maxsize=1024)
def quoted(part: str) -> str:
    """One part of a path; slashes and commas in it are escaped."""
    return encode(part).replace("/", "%2F").replace(",", "%2C")


def with_query(path: str, canonical: tuple[tuple[str, str], ...]) -> str:
    """A path with its parameters in their one order."""
    text = parse.written(canonical)
    return f"{path}?{text}" if text else path


def pinned(path: str, canonical: tuple[tuple[str, str], ...], release: Release) -> str:
    """The address that keeps giving this answer: the same question of this version."""
    rest = [entry for entry in canonical if entry[0] not in ("version", "as_of")]
    return with_query(path, tuple(sorted([*rest, ("version", release.version)])))


LEFT = Response()  # what Flask is given for an answer that was left for the cache layer: never sent, nor changed


def finish(
    body: bytes,
    release: Release,
    path: str,
    canonical: tuple[tuple[str, str], ...] = (),
    media_type: str = JSON_TYPE,
    links: Mapping[str, str | None] | None = None,
    disposition: str = "",
) -> Response:
    """Leave the answer for the cache layer, which sends it."""
    found = {name: link for name, link in (links or {}).items() if link}
    found["canonical"] = original(found.get("canonical") or with_query(path, canonical))
    licence = release.package.license_path
    if licence:
        found["license"] = licence
    ask.leave(
        Answer(
            body=body,
            media_type=media_type,
            etag=etag(release, path, media_type, canonical),
            version=release.version,
            modified=release.published_at,
            immutable="version" in [name for name, _ in canonical],
            links=tuple([f'<{target}>; rel="{name}"' for name, target in found.items()]),
            disposition=disposition,
        )
    )
    return LEFT


class KnownAlready(Exception):
    """The client has the answer: a 304 was left for the cache layer, and nothing need be looked up."""


def unless_known(
    release: Release, path: str, canonical: tuple[tuple[str, str], ...], media_type: str = JSON_TYPE
) -> None:
    """Raise KnownAlready where the client named the entity tag of the answer to this question of this release.

    The 304 has no Link: what the client keeps has one, which may name a next page.
    """
    named = ask.header("IF_NONE_MATCH")
    if not named or named.strip() == "*":
        return
    mark = etag(release, path, media_type, canonical)
    chosen = encoding(ask.header("ACCEPT_ENCODING"))
    tags = (f'"{mark}-{chosen}"', f'"{mark}"') if chosen else (f'"{mark}"',)
    known = next((found for found in tags if matches(named, found)), None)
    if known is not None:
        immutable = any(name == "version" for name, _ in canonical)
        ask.leave(Answer(b"", "", mark, release.version, release.published_at, immutable, known=known))
        raise KnownAlready


def original(link: str) -> str:
    """The address of the same thing at the origin; on the origin itself, the link as it is."""
    copied = copied_from(ask.store())
    return copied.upstream + link.removeprefix(ask.base()) if copied else link


def copied_from(store: Store) -> mirror.MirrorStatus | None:
    """Whose copy the store is, if it is one; looked up again when the store changes."""
    return _copied_from(store, store.generation)


@lru_cache(maxsize=8)
def _copied_from(store: Store, generation: int) -> mirror.MirrorStatus | None:
    return mirror.status(store.root)


def etag(release: Release, path: str, media_type: str, canonical: tuple[tuple[str, str], ...]) -> str:
    """The entity tag of an answer: of the release, the question, and of a mirror's sync, which answers tell."""
    copied = copied_from(ask.store())
    synced = copied.synced_at if copied else ""
    return tag(CODE, release.build, ask.base(), synced, path, media_type, parse.written(canonical))


def mirror_meta() -> str:
    """What a mirror says of itself in every meta, as a member of a JSON object; nothing where this is the origin."""
    copied = copied_from(ask.store())
    if copied is None:
        return ""
    said = {
        "upstream": copied.upstream,
        "synced_at": copied.synced_at,
        "upstream_version": copied.upstream_version,
        "stale_after": copied.stale_after,
    }
    return compact({"mirror": said})[1:-1]


@lru_cache(maxsize=256)
def release_meta(release: Release) -> str:
    """What the meta of every answer says of the release, as members of a JSON object."""
    said = {"version": release.version, "published_at": release.published_at}
    said |= {"withdrawn": release.withdrawn} if release.withdrawn is not None else {}
    return compact(said)[1:-1]


@lru_cache(maxsize=256)
def rights_meta(release: Release) -> str:
    """Licence and citation, as members of a JSON object."""
    return compact({"license": release.package.license, "citation": release.package.citation})[1:-1]


def envelope(
    data: str | bytes, release: Release, meta: Mapping[str, Any], links: Mapping[str, Any], more: str = ""
) -> bytes:
    """The one shape of an answer: data, meta, links (and included, where something is)."""
    told = [_member(name, value) for name, value in meta.items()]
    first = told.pop(0) + "," if "dataset" in meta else ""
    rest = ",".join([*told, rights_meta(release), mirror_meta()]).removesuffix(",")
    where = ",".join([_member(name, link) for name, link in links.items()])
    found = data if isinstance(data, bytes) else data.encode()
    said = f',\n"meta":{{{first}{release_meta(release)},{rest}}},\n"links":{{{where}}}{more}}}\n'
    return b"".join((b'{"data":', found, said.encode()))


def _member(name: str, value: Any) -> str:
    """A member of a JSON object; text and small values are most of them, and need no encoder made."""
    if type(value) is str:
        return f"{_head(name)}{encode_basestring(value)}"
    return _head(name) + ("null" if value is None else str(value) if type(value) is int else compact(value))


@lru_cache(maxsize=256)
def _head(name: str) -> str:
    return f"{encode_basestring(name)}:"


def document(
    data: Any,
    release: Release,
    path: str,
    canonical: tuple[tuple[str, str], ...],
    meta: Mapping[str, Any],
    links: Mapping[str, Any],
) -> Response:
    """An answer whose data is small and put together in Python."""
    ask.acceptable({"json": JSON_TYPE})
    every = {
        "self": with_query(path, canonical),
        **links,
        "permalink": pinned(path, canonical, release),
    }
    body = envelope(compact(data), release, meta, every)
    headers = {name: link for name, link in links.items() if name in ("describedby", "next") and isinstance(link, str)}
    return finish(body, release, path, canonical, links=headers)
