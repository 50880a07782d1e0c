"""The rows under a question as a file: CSV, JSON Lines, XLSX, Parquet.

A whole dataset is the release's own file. A part of one is cut out of that file, row by row, so that it has the same
text; XLSX and Parquet are written by another process from such a cut (api.http.extracts).
"""

import csv
import io
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import IO

from flask import Response, request, send_file

from api.http import extracts
from api.http import request as ask
from api.http.answer import IMMUTABLE, MUTABLE, http_date
from api.http.cache import ENCODERS, encoding
from api.http.errors import ProblemError
from api.http.responses import JSON_TYPE, address, etag, finish, original, unless_known, with_query
from api.http.views.files import IN_MEMORY, send
from api.http.views.page import following, reshape
from api.index.layout import ROW_SEPARATOR, SHEET_CELLS, SHEET_ROWS
from api.index.rows import RowFile, json_text, open_rows
from api.model import csv_lines
from api.model.descriptor import Table, file_stem
from api.query.find import Selection, batches, in_pieces, numbers, select, size
from api.query.parse import Question, wrong
from api.store.releases import Release

FORMATS: Mapping[str, str] = {
    "json": JSON_TYPE,
    "jsonl": "application/jsonl",
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "parquet": "application/vnd.apache.parquet",
}
CUT = {"csv": "data/{}.csv", "jsonl": "jsonl/{}.jsonl"}
WHOLE = {**CUT, "parquet": "parquet/{}.parquet"}
BATCH = 2_000


@dataclass(frozen=True)
class Download:
    """What is sent: which rows, in which format, from which address, with which links."""

    selection: Selection
    kind: str
    path: str
    links: Mapping[str, str | None]

    @property
    def media_type(self) -> str:
        return FORMATS[self.kind]

    @property
    def disposition(self) -> str:
        return f'inline; filename="{_ascii(self.selection.table.name)}.{self.kind}"'

    @property
    def rows(self) -> RowFile:
        """The release's file that rows are cut out of."""
        return open_rows(self.selection.release.folder, CUT[self.kind].format(file_stem(self.selection.table.name)))


def _ascii(name: str) -> str:
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in name)


def download(release: Release, table: Table, asked: Question, kind: str, path: str) -> Response:
    """The rows that a question asks for, in a format of FORMATS other than json."""
    if asked.expand and kind != "jsonl":
        raise wrong("expand", f"rows of {kind} are flat: expand works with json and jsonl")
    schema = address("v1", "datasets", table.name, "schema")
    narrowing = {name for name, _ in asked.canonical} - {"version", "as_of"}
    whole = WHOLE.get(kind, "").format(file_stem(table.name))
    if not narrowing and whole in release.files:
        whole_links = {"describedby": schema, "canonical": original(with_query(path, asked.canonical))}
        return send(release, whole, "version" in dict(asked.canonical), whole_links)
    unless_known(release, path, asked.canonical, FORMATS[kind])
    wanted = Download(select(release, table, asked, ask.seconds()), kind, path, {"describedby": schema})
    streamed = _stream(wanted)
    if streamed is not None:
        return streamed
    found, after = _numbers(wanted.selection, path)
    wanted = replace(wanted, links={"next": after, "describedby": schema})
    return _text(wanted, found) if kind in CUT else _extract(wanted, found)


def _stream(wanted: Download) -> Response | None:
    """Many rows as they are found, where a rollup knows how many bytes they are; None where another way is right."""
    selection, asked = wanted.selection, wanted.selection.asked
    narrowed = asked.fields is not None or asked.expand or asked.cursor is not None or "limit" in asked.more
    if wanted.kind not in CUT or narrowed or encoding(ask.header("ACCEPT_ENCODING")) or not in_pieces(selection):
        return None
    there = size(selection, wanted.kind)
    if there is None or there <= IN_MEMORY:
        return None
    file = wanted.rows

    def pieces() -> Iterator[bytes]:
        yield file.header
        for found in batches(selection):
            yield from file.cut(found)

    response = Response(pieces(), content_type=wanted.media_type)
    response.content_length = len(file.header) + there
    return _dressed(response, wanted, "")


def _numbers(selection: Selection, path: str) -> tuple[Sequence[int], str | None]:
    """The numbers of the rows, in order, and the address of the next page where a limit cuts them off."""
    asked = selection.asked
    limited = "limit" in asked.more
    found = numbers(selection, asked.limit + 1 if limited else -1)
    if limited and len(found) > asked.limit:
        found = found[: asked.limit]
        return found, following(selection, found[-1], path)
    return found, None


def _text(wanted: Download, found: Sequence[int]) -> Response:
    """CSV or JSON Lines: small ones as finished answers, large ones as they are cut."""
    asked = wanted.selection.asked
    if wanted.kind == "jsonl" and (asked.fields is not None or asked.expand):
        pieces: Iterable[bytes] = _json_lines(wanted.selection, found)
        there = None
    else:
        file = wanted.rows
        there = len(file.header) + file.size(found)
        pieces = _whole_rows(file, found)
        if asked.fields is not None:
            pieces, there = _columns(pieces, asked.fields), None
    if there is not None and there <= IN_MEMORY:
        return _finished(b"".join(pieces), wanted)
    chosen = encoding(ask.header("ACCEPT_ENCODING"))
    if there is None or chosen:
        spool = tempfile.TemporaryFile()
        for piece in pieces:
            spool.write(piece)
        if spool.tell() <= IN_MEMORY:
            spool.seek(0)
            with spool:
                return _finished(spool.read(), wanted)
        spool.seek(0)
        return _sent(spool, wanted, chosen)
    response = Response(pieces, content_type=wanted.media_type)
    response.content_length = there
    return _dressed(response, wanted, "")


def _whole_rows(file: RowFile, found: Sequence[int]) -> Iterator[bytes]:
    yield file.header
    yield from file.cut(found)


def _columns(pieces: Iterable[bytes], kept: tuple[int, ...]) -> Iterator[bytes]:
    """Only some columns of CSV; the pieces end where a row ends, and lines end as they did."""
    end = ""
    for piece in pieces:
        end = end or ("\r\n" if piece.endswith(b"\r\n") else "\n")
        rows = csv.reader(io.StringIO(piece.decode(), newline=""))
        out = io.StringIO(newline="")
        csv_lines.write(out, ([row[i] for i in kept] for row in rows), end)
        yield out.getvalue().encode()


def _json_lines(selection: Selection, found: Sequence[int]) -> Iterator[bytes]:
    release, table = selection.release, selection.table
    for start in range(0, len(found), BATCH):
        text = reshape(release, table, selection.asked, json_text(release.folder, table, found[start : start + BATCH]))
        yield (text.replace(ROW_SEPARATOR, "\n").replace("\t", "") + "\n").encode()


def _extract(wanted: Download, found: Sequence[int]) -> Response:
    """XLSX or Parquet, from the rows as CSV."""
    selection, asked = wanted.selection, wanted.selection.asked
    most = min(SHEET_ROWS, SHEET_CELLS // len(asked.fields or selection.table.fields))
    if wanted.kind == "xlsx" and len(found) > most:
        detail = (
            f"At most {most} of these rows are given as a sheet, these are {len(found)}: filter more, or ask for csv."
        )
        raise ProblemError("not-acceptable", detail)
    pieces: Iterable[bytes] = _whole_rows(open_rows(selection.release.folder, selection.table.path), found)
    if asked.fields is not None:
        pieces = _columns(pieces, asked.fields)
    file = extracts.extract(selection, wanted.kind, pieces, len(found))
    if os.fstat(file.fileno()).st_size <= IN_MEMORY:
        with file:
            return _finished(file.read(), wanted)
    return _sent(file, wanted, "")


def _finished(body: bytes, wanted: Download) -> Response:
    canonical = wanted.selection.asked.canonical
    release = wanted.selection.release
    return finish(body, release, wanted.path, canonical, wanted.media_type, wanted.links, wanted.disposition)


def _sent(file: IO[bytes], wanted: Download, chosen: str) -> Response:
    """A file that is done, compressed where the client likes it so."""
    if chosen:
        packed = tempfile.TemporaryFile()
        packed.write(ENCODERS[chosen](file.read()))
        file.close()
        file = packed
    there = file.seek(0, os.SEEK_END)
    file.seek(0)
    response = send_file(file, mimetype=wanted.media_type)
    response.content_length = there
    return _dressed(response, wanted, chosen)


def _dressed(response: Response, wanted: Download, chosen: str) -> Response:
    """The headers of a data answer on one that is too large to be kept."""
    release, canonical = wanted.selection.release, wanted.selection.asked.canonical
    mark = etag(release, wanted.path, wanted.media_type, canonical)
    response.headers["Content-Type"] = wanted.media_type
    response.headers["Content-Disposition"] = wanted.disposition
    response.headers["Last-Modified"] = http_date(release.published_at)
    response.headers["Cache-Control"] = IMMUTABLE if "version" in dict(canonical) else MUTABLE
    response.headers["Vary"] = "Accept, Accept-Encoding"
    response.headers["X-Data-Version"] = release.version
    whole = original(with_query(wanted.path, canonical))
    every = {**wanted.links, "canonical": whole, "license": release.package.license_path}
    response.headers["Link"] = ", ".join(f'<{target}>; rel="{rel}"' for rel, target in every.items() if target)
    response.set_etag(f"{mark}-{chosen}" if chosen else mark)
    if chosen:
        response.headers["Content-Encoding"] = chosen
    response.make_conditional(request)
    return response
