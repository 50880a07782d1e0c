"""The rows of a dataset: by filters, sorts and keys, in every format."""

from collections.abc import Callable, Sequence

from flask import Blueprint, Response

from api.http.errors import ProblemError
from api.http.request import DataRequest, acceptable, address, of_dataset, page_links, picked, quoted
from api.http.responses import JSON_TYPE, Body, envelope, respond
from api.http.rows import key_parts, row_links, row_of, row_path
from api.http.views.downloads import download
from api.http.views.history import changed_in
from api.index.layout import ROW_SEPARATOR
from api.model.descriptor import Table
from api.model.files import CONFLICTS
from api.query import empty, find
from api.query.conflicts import conflicts
from api.query.find import select
from api.query.parameters import control
from api.query.parse import encode, wrong
from api.query.reshape import reshape
from api.release.formats import FORMATS, NDJSON
from api.store.releases import Release

blueprint = Blueprint("records", __name__)
row_control = picked("fields", "expand", "version", "as_of")
Join = Callable[[Release, Table, Sequence[str], Sequence[str]], list[str]]


def offered() -> dict[str, str]:
    """The media types that rows are offered in, by extension; a page of JSON comes first."""
    return {"json": JSON_TYPE, **{one.name: one.media_type for one in (*FORMATS.values(), NDJSON)}}


@blueprint.get("/v1/datasets/<name>/records")
def records(name: str) -> Response:
    """The rows of a dataset, in the format that Accept likes best: a page of JSON, or all of them as a file."""
    return _rows(name, acceptable(offered()), "")


@blueprint.get("/v1/datasets/<name>/records.<extension>")
def records_as(name: str, extension: str) -> Response:
    """The rows of a dataset in the format of an extension."""
    if extension not in offered():
        raise ProblemError("not-acceptable", f"Rows are available as {', '.join(offered())}, not as {extension!r}.")
    return _rows(name, extension, f".{extension}")


def _rows(name: str, kind: str, extension: str) -> Response:
    data_request = of_dataset(name, "records" + extension, control=control, filtered=True)
    return page(data_request) if kind == "json" else download(data_request, FORMATS.get(kind, NDJSON))


def page(data_request: DataRequest, join: Join | None = None, including: bool = True) -> Response:
    """A page of rows in the envelope; `join` adds to rows (whole, as shown) what they name.

    `including`: the conflicts that they take part in stand beside them.
    """
    if "excel" in data_request.query.more:
        raise wrong("excel", "is for records.csv alone")
    return respond(data_request, lambda: _page(data_request, join, including))


def _page(data_request: DataRequest, join: Join | None, including: bool) -> Body:
    release, table, query, _ = data_request
    selection = select(release, table, query)
    shown, data, before, after = find.page(selection)
    every = len(shown) if not before and not after else find.total(selection)
    text = reshape(selection, shown, data) if query.fields is not None or query.expand else data
    if data and join is not None:
        text = ROW_SEPARATOR.join(join(release, table, data.split(ROW_SEPARATOR), text.split(ROW_SEPARATOR)))
    schema = address("v1", "datasets", table.name, "schema")
    meta = {"dataset": table.name, "count": len(shown), "total": every}
    if (not every or query.q) and (why := empty.unread(selection) if every else empty.why(selection)):
        meta["hints"] = why
    links = {**page_links(data_request, shown, before, after), "describedby": schema}
    content = f"[\n{text}\n]" if text else "[]"
    included = _included(release, table, shown) if including else ""
    return Body(envelope(data_request, content, meta, links, included), links)


def _included(release: Release, table: Table, numbers: Sequence[int]) -> str:
    """The conflicts that rows of the page take part in, as a member of the envelope (without positions)."""
    known = conflicts(release)
    if not (of_row := known.of_row.get(table.name)):
        return ""
    names = dict.fromkeys(name for number in numbers for name in of_row.get(number, ()))
    return "" if not names else ',\n"included":{"conflicts":[' + ",".join(known.alone[name] for name in names) + "]}"


@blueprint.get("/v1/datasets/<name>/records/<raw:key>")
def record(name: str, key: str) -> Response:
    """One row by its key."""
    return single(of_dataset(name, "records", control=row_control), key)


def single(data_request: DataRequest, key: str, join: Join | None = None, including: bool = True) -> Response:
    """One row of a collection, whose address the request has, by its key; `join` and `including` as for a page.

    A response of a named version is the same for ever, so what later releases did to the row is not in it: it links the
    row's history. That of a day is kept for minutes, and says which later releases changed the row.
    """
    acceptable({"json": JSON_TYPE})
    release, table, query, collection = data_request
    parts = key_parts(table, key)
    data_request = data_request._replace(path=f"{collection}/{','.join(map(quoted, parts))}")
    later = changed_in(release, table, parts) if "as_of" in query.more else []
    meta = {"dataset": table.name, **({"corrected_in": later} if later else {})}

    def made() -> Body:
        number, row = row_of(release, table, parts)
        links = _links(release, table, parts, number, row) | {"collection": collection}
        text = (
            reshape(select(release, table, query), [number], row) if query.fields is not None or query.expand else row
        )
        if join is not None:
            (text,) = join(release, table, [row], [text])
        included = _included(release, table, [number]) if including else ""
        return Body(envelope(data_request, text, meta, links, included), {"describedby": links["describedby"]})

    return respond(data_request, made, mark=",".join(later))


def _links(release: Release, table: Table, parts: Sequence[str], number: int, row: str) -> dict[str, str]:
    """Where a row leads: to what its foreign keys name, its conflicts, its history and its schema."""
    links = row_links(release, table, row)
    taken = conflicts(release).of_row.get(table.name, {}).get(number, ())
    if taken:
        links[CONFLICTS] = f"{address('v1', CONFLICTS)}?id__in=" + ",".join(map(encode, taken))
    if table.primary_key:
        links["history"] = f"{row_path(table, parts)}/history"
    return {**links, "describedby": address("v1", "datasets", table.name, "schema")}
