"""Groups as files: all of them, unless there is a limit, as CSV or JSON Lines."""

import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from api.http.errors import ProblemError
from api.http.request import DataRequest, address
from api.http.responses import JSON_TYPE, Body
from api.model import csv_lines
from api.query import groups
from api.release.formats import FORMATS

OFFERED: Mapping[str, str] = {"json": JSON_TYPE, **{name: FORMATS[name].media_type for name in ("jsonl", "csv")}}
SAME = {"ndjson": "jsonl"}
Pieces = Iterable[Sequence[Sequence[str]]]  # rows of JSON texts, some at a time


def kind_of(extension: str) -> str:
    """The format that an extension means. Raises a not-acceptable problem for one that is not offered."""
    kind = SAME.get(extension, extension)
    if kind not in OFFERED:
        raise ProblemError("not-acceptable", f"Groups are available as {', '.join(OFFERED)}, not as {extension!r}.")
    return kind


def disposition(kind: str, *names: str) -> str:
    """The header that proposes a file's name."""
    return f'inline; filename="{"-".join(re.sub("[^A-Za-z0-9._-]", "_", name) for name in names)}.{kind}"'


def file(data_request: DataRequest, kind: str, names: Sequence[str], pieces: Pieces, after: str | None = None) -> Body:
    """Rows of JSON texts as a file of that kind; `after` is the address of what follows, if anything does."""
    schema = address("v1", "datasets", data_request.table.name, "schema")
    return Body(_lines(kind, names, pieces), {"next": after, "describedby": schema})


def _lines(kind: str, names: Sequence[str], pieces: Pieces) -> Iterator[bytes]:
    """The lines of a file; null is nothing in CSV."""
    if kind == "csv":
        yield _csv([names])
    for rows in pieces:
        if kind == "csv":
            yield _csv([[plain(text) for text in row] for row in rows])
        else:
            yield "".join([f"{line}\n" for line in groups.objects(names, rows)]).encode()


def plain(text: str, null: str = "") -> str:
    """A JSON text (of no object or array) without its quotes."""
    return null if text == "null" else str(json.loads(text)) if text.startswith('"') else text


def _csv(rows: Iterable[Sequence[str]]) -> bytes:
    out = io.StringIO(newline="")
    csv_lines.write(out, rows)
    return out.getvalue().encode()
