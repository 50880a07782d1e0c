"""The rows of a dataset: by filters, sorts and keys, in every format."""

from flask import Blueprint, Response

from api.http import request as ask
from api.http.errors import ProblemError
from api.http.responses import JSON_TYPE, address, envelope, finish, pinned, unless_known, with_query
from api.http.views.downloads import FORMATS, download
from api.http.views.page import included, page, reshape, row_links, row_of, row_path
from api.model.descriptor import Table
from api.query import parameters, parse
from api.query.conflicts import conflicts

blueprint = Blueprint("records", __name__)


@blueprint.get("/v1/datasets/<name>/records")
def records(name: str) -> Response:
    """The rows of a dataset, in the format that Accept likes best: a page of JSON, or all of them as a file."""
    return _rows(name, ask.acceptable(FORMATS), "")


@blueprint.get("/v1/datasets/<name>/records.<extension>")
def records_as(name: str, extension: str) -> Response:
    """The rows of a dataset in the format of an extension."""
    if extension not in FORMATS:
        raise ProblemError("not-acceptable", f"Rows are offered as {', '.join(FORMATS)}, not as {extension!r}.")
    return _rows(name, extension, f".{extension}")


def _rows(name: str, kind: str, extension: str) -> Response:
    given = ask.given()
    release = ask.chosen(given)
    table = ask.dataset(release, ask.segment(name))
    asked = parse.read(table, given, parameters.control)
    path = address("v1", "datasets", table.name, "records" + extension)
    if kind == "json":
        return page(release, table, asked, path)
    return download(release, table, asked, kind, path)


@blueprint.get("/v1/datasets/<name>/records/<path:key>")
def record(name: str, key: str) -> Response:
    """One row by its key."""
    given = ask.given()
    release = ask.chosen(given)
    table = ask.dataset(release, ask.segment(name))
    asked = parse.read(table, given, row_control, filtered=False)
    ask.acceptable({"json": JSON_TYPE})
    parts = [ask.segment(part) for part in key.split(",")] if len(table.primary_key) > 1 else [ask.segment(key)]
    path = row_path(table, parts)
    unless_known(release, path, asked.canonical)
    number, text = row_of(release, table, parts)
    links = row_links(release, table, text)
    if number in conflicts(release).of_row.get(table.name, {}):
        links["conflicts"] = f"{address('v1', 'conflicts')}?id__in=" + ",".join(
            parameters.encode(name) for name in conflicts(release).of_row[table.name][number]
        )
    if asked.fields is not None or asked.expand:
        text = reshape(release, table, asked, text)
    schema = address("v1", "datasets", table.name, "schema")
    every = {
        "self": with_query(path, asked.canonical),
        **links,
        "collection": address("v1", "datasets", table.name, "records"),
        "describedby": schema,
        "permalink": pinned(path, asked.canonical, release),
    }
    body = envelope(text, release, {"dataset": table.name}, every, included(release, table, [number]))
    return finish(body, release, path, asked.canonical, links={"describedby": schema})


def row_control(table: Table) -> ask.Parameters:
    """The parameters of one row."""
    known = parameters.control(table)
    return {name: known[name] for name in ("fields", "expand", "version", "as_of")}
