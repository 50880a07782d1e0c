"""The rows of a query as a file.

A whole dataset is the release's own file. A part of one has the same lines; formats that have no lines are written by
another process (api.http.extracts).
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from flask import Response, request

from api.http import extracts
from api.http.errors import ProblemError
from api.http.negotiation import best_encoding
from api.http.request import DataRequest, address, latest_version, page_links, pinned, with_query
from api.http.responses import Body, original, release_file, respond
from api.index.bounds import costly
from api.query.engines import DUCKDB
from api.query.find import Selection, access, batches, select, shown, size, total
from api.query.parse import wrong
from api.release.formats import Format, delimited


def download(data_request: DataRequest, format: Format) -> Response:
    """All rows of a query as a file (or as many as its limit says)."""
    release, table, query, path = data_request
    if query.expand and format.flat:
        raise wrong("expand", f"rows of {format.name} are flat: expand works with json and jsonl")
    if "shape" in query.more:
        raise wrong("shape", f"{format.name} has one shape: shape works with json")
    if "excel" in query.more and format.name != "csv":
        raise wrong("excel", "is for records.csv alone")
    schema = address("v1", "datasets", table.name, "schema")
    whole = format.file(table)
    if not {name for name, _ in query.canonical} - {"version", "as_of"} and whole in release.files:
        latest = latest_version(path, query.canonical)
        canonical = original(with_query(path, query.canonical))
        links = {**pinned(data_request, {"describedby": schema}), "latest-version": latest, "canonical": canonical}
        return release_file(release, whole, "version" in dict(query.canonical), links, format.media_type)
    disposition = f'inline; filename="{re.sub("[^A-Za-z0-9._-]", "_", table.name)}.{format.name}"'
    return respond(data_request, lambda: _part(data_request, format, schema), format.media_type, disposition)


def _part(data_request: DataRequest, format: Format, schema: str) -> Body:
    release, table, query, _ = data_request
    selection, links = select(release, table, query), dict[str, str | None]()
    found: Iterator[Sequence[int]]
    whole = query.cursor is None and "limit" not in query.more
    if "limit" in query.more:
        rows, before, after = shown(selection)
        found, links = iter([rows]), page_links(data_request, rows, before, after)
    else:
        if access(selection).engine is DUCKDB:
            costly()
        found = batches(selection)
        # The first are found now: a stream has no status that could say that this takes too long.
        found = chain([next(found, ())], found)
    links["describedby"] = schema
    if format.part is not None:
        pieces = (text.encode() for text in format.part(selection, found))
        return Body(pieces, links, _length(selection, format) if whole else None)
    every: Iterable[Sequence[int]] = found if whole else list(found)
    count = total(selection) if whole else sum(map(len, every))
    most = format.most and format.most(len(query.fields or table.fields))
    if most is not None and count > most:
        words = f"A sheet holds at most {most} of these rows, and {count} match: add filters, or request csv."
        if not most:
            words = "A sheet holds fewer columns than these: name some in `fields`, or request csv."
        raise ProblemError("not-acceptable", words)
    pieces = (text.encode() for text in delimited.part(selection, every))
    return Body(extracts.extract(selection, format, pieces, count), links)


def _length(selection: Selection, format: Format) -> int | None:
    """The bytes of all rows of a selection, where they are many and go out as they stand, as they are found."""
    query = selection.query
    reshaped = query.fields is not None or query.expand or "excel" in query.more
    if not format.lines or reshaped or best_encoding(request.headers.get("Accept-Encoding", "")):
        return None
    lines = size(selection, format.lines)
    return None if lines is None else lines + len(format.head(selection).encode())
