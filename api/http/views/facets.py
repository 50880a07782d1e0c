"""Facets: the values of fields with their counts."""

from collections.abc import Mapping
from json.encoder import encode_basestring

from flask import Blueprint, Response
from marshmallow import fields, validate

from api.http.request import DataRequest, acceptable, of_dataset, picked
from api.http.responses import Body, respond
from api.http.views.aggregates import body, nothing
from api.http.views.listed import OFFERED, Pieces, disposition, file, kind_of
from api.model.descriptor import Table
from api.query import groups, parse
from api.query.fields import Names, Parameters
from api.query.find import Selection, select, total
from api.query.groups import Order
from api.query.measures import COUNT
from api.query.measures import groups as groupable

blueprint = Blueprint("facets", __name__)
SHARED = picked("limit", "q", "version", "as_of")
SORTS: Mapping[str, Order] = {
    **{"-count": ((1, True),), "count": ((1, False),), "value": ((0, False),), "-value": ((0, True),)}
}


def control(table: Table) -> Parameters:
    """The parameters of facets, beside the filters."""
    words = {"description": "Fields to count the values of, comma-separated."}
    known = [name for name, group in groupable(table).items() if not group.part]
    order = fields.String(
        validate=validate.OneOf(SORTS, error=f"expected one of {', '.join(SORTS)}"),
        metadata={"description": "The order of the values (default -count, the most frequent first)."},
    )
    return {"facet": Names(known, required=True, metadata=words), "sort": order, **SHARED(table)}


@blueprint.get("/v1/datasets/<name>/facets")
def facets(name: str) -> Response:
    """The values of fields with their counts, under the same filters as the rows."""
    return _facetted(name, acceptable(OFFERED), "")


@blueprint.get("/v1/datasets/<name>/facets.<extension>")
def facets_as(name: str, extension: str) -> Response:
    """The values of fields with their counts in the format of an extension: all values unless there is a limit."""
    return _facetted(name, kind_of(extension), f".{extension}")


def _facetted(name: str, kind: str, extension: str) -> Response:
    data_request = of_dataset(name, f"facets{extension}", control=control, filtered=True)
    if "facet" not in data_request.query.more:
        raise parse.wrong("facet", "expected at least one field")
    made = _facets if kind == "json" else lambda data_request: _facet_file(data_request, kind)
    proposed = "" if kind == "json" else disposition(kind, data_request.table.name, "facets")
    return respond(data_request, lambda: made(data_request), OFFERED[kind], proposed)


def _facet(selection: Selection, name: str) -> groups.Grouping:
    order = SORTS[selection.query.more.get("sort", "-count")]
    return groups.grouping(selection, (groupable(selection.table)[name],), (COUNT,), order)


def _facets(data_request: DataRequest) -> Body:
    release, table, query, _ = data_request
    selection = select(release, table, query)
    data, more, values = [], {}, {}
    for name in query.more["facet"]:
        facet = _facet(selection, name)
        rows = groups.some(facet, 0, query.limit + 1)
        more[name] = len(rows) > query.limit
        values[name] = groups.total(facet, rows) if more[name] else len(rows)
        counted = groups.objects(("value", "count"), groups.texts(facet, rows[: query.limit]))
        data.append(f"{encode_basestring(name)}:[" + ",\n".join(counted) + "]")
    every = total(selection)
    meta = {"count": len(data), "total": every, "more": more, "values": values} | ({} if every else nothing(selection))
    return body(data_request, "{" + ",".join(data) + "}", meta)


def _facet_file(data_request: DataRequest, kind: str) -> Body:
    release, table, query, _ = data_request
    selection = select(release, table, query)

    def pieces() -> Pieces:
        for name in query.more["facet"]:
            facet, head = _facet(selection, name), encode_basestring(name)
            some = [groups.some(facet, 0, query.limit)] if "limit" in query.more else groups.every(facet, 0)
            yield from ([(head, *row) for row in groups.texts(facet, rows)] for rows in some)

    return file(data_request, kind, ("field", "value", "count"), pieces())
