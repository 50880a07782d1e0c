"""The rows under a question as a file: CSV, JSON Lines, XLSX, Parquet.

A whole dataset is the release's own file. A part of one is cut out of that file, row by row, so that it has the same
text; XLSX and Parquet are written by another process from such a cut.
"""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from flask import Response, current_app, request, send_file

from api import csvlines, engine
from api.answer import IMMUTABLE, MUTABLE, http_date
from api.cache import ENCODERS, encoding
from api.descriptor import Table, file_stem
from api.http.files import IN_MEMORY, send
from api.http.page import following, in_pieces, numbers, reshape, size_of
from api.http.problems import ProblemError
from api.http.respond import JSON_TYPE, address, etag, finish, original, with_query
from api.layout import ROW_SEPARATOR, SHEET_CELLS, SHEET_ROWS
from api.question import Question, wrong
from api.rowfile import RowFile, json_text, open_rows
from api.store import Release

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
FIRST_BATCH, NEXT_BATCH = 1_000, 20_000
EXTRACT_SECONDS = 120
# Two at a time: each is a process with libraries of some 100 MiB.
_extracts = threading.BoundedSemaphore(2)


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
    name = f'inline; filename="{_ascii(table.name)}.{kind}"'
    streamed = _stream(release, table, asked, kind, path, {"describedby": schema}, name)
    if streamed is not None:
        return streamed
    found, after = _numbers(release, table, asked, path)
    links = {"next": after, "describedby": schema}
    if kind in CUT:
        return _text(release, table, asked, kind, found, path, links, name)
    most = min(SHEET_ROWS, SHEET_CELLS // len(asked.fields or table.fields))
    if kind == "xlsx" and len(found) > most:
        detail = (
            f"At most {most} of these rows are given as a sheet, these are {len(found)}: filter more, or ask for csv."
        )
        raise ProblemError("not-acceptable", detail)
    return _extract(release, table, asked, kind, found, path, links, name)


def _stream(
    release: Release,
    table: Table,
    asked: Question,
    kind: str,
    path: str,
    links: Mapping[str, str | None],
    name: str,
) -> Response | None:
    """Many rows as they are found, where a rollup knows how many bytes they are; None where another way is right."""
    layout = engine.layouts(release.folder)[table.name]
    narrowed = asked.fields is not None or asked.expand or asked.cursor is not None or "limit" in asked.more
    if kind not in CUT or narrowed or encoding(request.headers.get("Accept-Encoding", "")):
        return None
    if not in_pieces(table, layout, asked):
        return None
    seconds = current_app.config["TIME_LIMIT"]
    size = size_of(release, table, layout, asked, kind, seconds)
    if size is None or size <= IN_MEMORY:
        return None
    file = open_rows(release.folder, CUT[kind].format(file_stem(table.name)))

    def pieces() -> Iterator[bytes]:
        yield file.header
        most, last = FIRST_BATCH, 0
        while found := numbers(release, table, layout, asked, most, seconds, last):
            yield from file.cut(found)
            most, last = NEXT_BATCH, found[-1]

    response = Response(pieces(), content_type=FORMATS[kind])
    response.content_length = len(file.header) + size
    return _dressed(response, release, asked, path, FORMATS[kind], links, name, "")


def _ascii(name: str) -> str:
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in name)


def _numbers(release: Release, table: Table, asked: Question, path: str) -> tuple[Sequence[int], str | None]:
    """The numbers of the rows, in order, and the address of the next page where a limit cuts them off."""
    layout = engine.layouts(release.folder)[table.name]
    limited = "limit" in asked.more
    most = asked.limit + 1 if limited else -1
    found = numbers(release, table, layout, asked, most, current_app.config["TIME_LIMIT"])
    if limited and len(found) > asked.limit:
        found = found[: asked.limit]
        return found, following(release, table, asked, found[-1], path)
    return found, None


def _text(
    release: Release,
    table: Table,
    asked: Question,
    kind: str,
    found: Sequence[int],
    path: str,
    links: Mapping[str, str | None],
    name: str,
) -> Response:
    """CSV or JSON Lines: small ones as finished answers, large ones as they are cut."""
    if kind == "jsonl" and (asked.fields is not None or asked.expand):
        pieces: Iterable[bytes] = _json_lines(release, table, asked, found)
        size = None
    else:
        file = open_rows(release.folder, CUT[kind].format(file_stem(table.name)))
        size = len(file.header) + file.size(found)
        pieces = _whole_rows(file, found)
        if asked.fields is not None:
            pieces, size = _columns(pieces, asked.fields), None
    media_type = FORMATS[kind]
    if size is not None and size <= IN_MEMORY:
        return finish(b"".join(pieces), release, path, asked.canonical, media_type, links, name)
    chosen = encoding(request.headers.get("Accept-Encoding", ""))
    if size is None or chosen:
        spool = tempfile.TemporaryFile()
        for piece in pieces:
            spool.write(piece)
        if spool.tell() <= IN_MEMORY:
            spool.seek(0)
            with spool:
                return finish(spool.read(), release, path, asked.canonical, media_type, links, name)
        spool.seek(0)
        return _sent(release, asked, path, media_type, links, name, spool, chosen)
    response = Response(pieces, content_type=media_type)
    response.content_length = size
    return _dressed(response, release, asked, path, media_type, links, name, "")


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
        csvlines.write(out, ([row[i] for i in kept] for row in rows), end)
        yield out.getvalue().encode()


def _json_lines(release: Release, table: Table, asked: Question, found: Sequence[int]) -> Iterator[bytes]:
    for start in range(0, len(found), BATCH):
        text = reshape(release, table, asked, json_text(release.folder, table, found[start : start + BATCH]))
        yield (text.replace(ROW_SEPARATOR, "\n").replace("\t", "") + "\n").encode()


def _extract(
    release: Release,
    table: Table,
    asked: Question,
    kind: str,
    found: Sequence[int],
    path: str,
    links: Mapping[str, str | None],
    name: str,
) -> Response:
    """XLSX or Parquet, written by another process from the rows as CSV."""
    folder = Path(tempfile.mkdtemp(prefix="lantern-"))
    try:
        file = open_rows(release.folder, table.path)
        pieces: Iterable[bytes] = _whole_rows(file, found)
        if asked.fields is not None:
            pieces = _columns(pieces, asked.fields)
        target = folder / table.path
        target.parent.mkdir()
        with target.open("wb") as out:
            out.writelines(pieces)
        (folder / "datapackage.json").write_text(json.dumps(_described(release, table, asked, len(found))))
        with _extracts:
            command = [sys.executable, "-m", "api.release.extract", str(folder), kind]
            subprocess.run(command, check=True, timeout=EXTRACT_SECONDS, cwd=Path(__file__).parents[2])
        out_file = (folder / "extract").open("rb")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if os.fstat(out_file.fileno()).st_size <= IN_MEMORY:
        with out_file:
            return finish(out_file.read(), release, path, asked.canonical, FORMATS[kind], links, name)
    return _sent(release, asked, path, FORMATS[kind], links, name, out_file, "")


def _described(release: Release, table: Table, asked: Question, rows: int) -> dict[str, Any]:
    """A descriptor of the one table, with the fields asked for and no references to tables that are not there."""
    kept = asked.fields if asked.fields is not None else range(len(table.fields))
    names = {table.fields[i].name for i in kept}
    schema = {k: v for k, v in table.schema.items() if k not in ("foreignKeys", "lantern:figure")}
    schema["fields"] = [table.fields[i].descriptor for i in kept]
    if not set(table.primary_key) <= names:
        schema.pop("primaryKey", None)
    resource = {**table.descriptor, "path": table.path, "schema": schema, "rows": rows}
    return {**release.package.descriptor, "resources": [resource]}


def _sent(
    release: Release,
    asked: Question,
    path: str,
    media_type: str,
    links: Mapping[str, str | None],
    name: str,
    file: Any,
    chosen: str,
) -> Response:
    """A file that is done, compressed where the client likes it so."""
    if chosen:
        packed = tempfile.TemporaryFile()
        packed.write(ENCODERS[chosen](file.read()))
        file.close()
        file = packed
    file.seek(0, os.SEEK_END)
    size = file.tell()
    file.seek(0)
    response = send_file(file, mimetype=media_type)
    response.content_length = size
    return _dressed(response, release, asked, path, media_type, links, name, chosen)


def _dressed(
    response: Response,
    release: Release,
    asked: Question,
    path: str,
    media_type: str,
    links: Mapping[str, str | None],
    name: str,
    chosen: str,
) -> Response:
    """The headers of a data answer on one that is too large to be kept."""
    mark = etag(release, path, media_type, asked.canonical)
    response.headers["Content-Type"] = media_type
    response.headers["Content-Disposition"] = name
    response.headers["Last-Modified"] = http_date(release.published_at)
    response.headers["Cache-Control"] = IMMUTABLE if "version" in dict(asked.canonical) else MUTABLE
    response.headers["Vary"] = "Accept, Accept-Encoding"
    response.headers["X-Data-Version"] = release.version
    canonical = original(with_query(path, asked.canonical))
    every = {**links, "canonical": canonical, "license": release.package.license_path}
    response.headers["Link"] = ", ".join(f'<{target}>; rel="{rel}"' for rel, target in every.items() if target)
    response.set_etag(f"{mark}-{chosen}" if chosen else mark)
    if chosen:
        response.headers["Content-Encoding"] = chosen
    response.make_conditional(request)
    return response
