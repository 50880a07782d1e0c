"""The rows of a query as a file.

A whole dataset is the release's own file. A part of one is cut out of that file, row by row, so that it has the same
text; formats that no row can be cut out of are written by another process (api.http.extracts).
"""

from collections.abc import Iterator, Sequence

from flask import Response, request

from api.http import extracts
from api.http.compression import size_of
from api.http.errors import ProblemError
from api.http.links import address, following, with_query
from api.http.negotiation import best_encoding
from api.http.request import DataRequest, seconds
from api.http.responses import IN_MEMORY, Body, original, release_file, respond
from api.index.rows import open_rows
from api.query.find import Selection, batches, in_pieces, numbers, select, size
from api.query.parse import wrong
from api.release.formats import Format, delimited


def download(data_request: DataRequest, format: Format) -> Response:
    """All rows of a query as a file (or as many as its limit says)."""
    release, table, query, path = data_request
    if query.expand and format.flat:
        raise wrong("expand", f"rows of {format.name} are flat: expand works with json and jsonl")
    schema = address("v1", "datasets", table.name, "schema")
    whole = format.file(table)
    if not {name for name, _ in query.canonical} - {"version", "as_of"} and whole in release.files:
        links = {"describedby": schema, "canonical": original(with_query(path, query.canonical))}
        return release_file(release, whole, "version" in dict(query.canonical), links)
    disposition = f'inline; filename="{_ascii(table.name)}.{format.name}"'
    return respond(data_request, lambda: _part(data_request, format, schema), format.media_type, disposition)


def _ascii(name: str) -> str:
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in name)


def _part(data_request: DataRequest, format: Format, schema: str) -> Body:
    selection = select(data_request.release, data_request.table, data_request.query, seconds())
    streamed = _streamed(selection, format)
    if streamed is not None:
        return Body(streamed[0], {"describedby": schema}, streamed[1])
    rows, after = _numbers(selection, data_request.path)
    links = {"next": after, "describedby": schema}
    if format.part is not None:
        pieces, length = format.part(selection, rows)
        return Body(pieces, links, length)
    columns = len(data_request.query.fields or data_request.table.fields)
    if format.most is not None and len(rows) > format.most(columns):
        raise ProblemError(
            "not-acceptable",
            f"A sheet holds at most {format.most(columns)} of these rows, and {len(rows)} match: add filters, or "
            "request csv.",
        )
    file = extracts.extract(selection, format, delimited.part(selection, rows)[0], len(rows))
    return Body(file, links, size_of(file))


def _streamed(selection: Selection, format: Format) -> tuple[Iterator[bytes], int] | None:
    """Many rows as they are found, where a rollup knows how many bytes they are; None where another way is right."""
    query = selection.query
    narrowed = query.fields is not None or query.expand or query.cursor is not None or "limit" in query.more
    if not format.cut or narrowed or best_encoding(request.headers.get("Accept-Encoding", "")):
        return None
    length = size(selection, format.name) if in_pieces(selection) else None
    if length is None or length <= IN_MEMORY:
        return None
    file = open_rows(selection.release.folder, format.file(selection.table), selection.release.index)

    def pieces() -> Iterator[bytes]:
        yield file.header
        for some in batches(selection):
            yield from file.cut(some)

    return pieces(), len(file.header) + length


def _numbers(selection: Selection, path: str) -> tuple[Sequence[int], str | None]:
    """The numbers of the rows, in order, and the address of the next page where a limit cuts them off."""
    query = selection.query
    limited = "limit" in query.more
    rows = numbers(selection, query.limit + 1 if limited else -1)
    if limited and len(rows) > query.limit:
        rows = rows[: query.limit]
        return rows, following(selection, rows[-1], path)
    return rows, None
