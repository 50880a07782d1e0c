"""Facets and aggregates of a dataset's rows."""

from collections.abc import Callable, Mapping, Sequence
from json.encoder import encode_basestring
from typing import Any

from flask import Blueprint, Response
from marshmallow import ValidationError

from api.http.errors import ProblemError
from api.http.request import DataRequest, acceptable, address, altered, of_dataset, picked
from api.http.responses import JSON_TYPE, Body, envelope, respond
from api.index import sqlite
from api.index.layout import FIELD_SEPARATOR
from api.model import decimals, types
from api.model.descriptor import Table
from api.model.nearest import nearest
from api.query import additivity, empty, groups, parse, sql
from api.query.fields import COMMA, Names, Parameters, Separated, cut
from api.query.find import Selection, access, select, total
from api.query.groups import Measure, Row
from api.query.parse import Query

blueprint = Blueprint("aggregates", __name__)
SHARED = picked("limit", "q", "version", "as_of")
COUNT = Measure("count", "count", -1)


class Measures(Separated):
    """A comma-separated list of measures: count, or a function and a numeric field, such as sum:value."""

    def __init__(self, table: Table, **options: Any) -> None:
        super().__init__(**options)
        self.table = table
        self.known = ("count", *(f"{f}:{name}" for f in groups.FUNCTIONS[1:] for name in numeric_fields(table)))

    def _deserialize(self, value: str, attr: str | None, data: Any, **kwargs: Any) -> tuple[Measure, ...]:
        names = cut(value, self.known or ())
        if len(set(names)) != len(names):
            raise ValidationError("a measure is listed twice")
        return tuple(self._measure(name) for name in names)

    def _measure(self, name: str) -> Measure:
        if name == "count":
            return COUNT
        function, colon, field = name.partition(":")
        numeric = numeric_fields(self.table)
        near: str | None = "count"
        if function == "count":
            reason = "count takes no field: it counts rows"
        elif function not in groups.FUNCTIONS:
            reason = f"{function[:60]!r} is not one of {', '.join(groups.FUNCTIONS)}"
            near = nearest(function, groups.FUNCTIONS)
        elif not colon or field not in numeric:
            reason = f"expected {function}: and a numeric field" + (f" ({', '.join(numeric)})" if numeric else "")
            near = nearest(field, numeric)
        else:
            return Measure(name, function, self.table.index[field])
        raise ValidationError({"reason": [reason], "did_you_mean": near})


def numeric_fields(table: Table) -> list[str]:
    return [f.name for f in table.fields if f.type in types.NUMERIC]


def groupable(table: Table) -> list[str]:
    return [f.name for f in table.fields if f.type not in types.STRUCTURED]


def facet_control(table: Table) -> Parameters:
    """The parameters of facets, beside the filters."""
    words = {"description": "Fields to count the values of, comma-separated."}
    facet = Names(groupable(table), required=True, metadata=words)
    return {"facet": facet, **SHARED(table)}


def aggregate_control(table: Table) -> Parameters:
    """The parameters of aggregates, beside the filters."""
    by = "Fields to group by, comma-separated."
    measure = (
        f"Comma-separated: count, or {', '.join(groups.FUNCTIONS[1:])} of a numeric field, "
        "written sum:field (default count)."
    )
    sort = "Groups and measures to sort by, comma-separated, a minus sign reverses one."
    return {
        "group_by": Names(groupable(table), metadata={"description": by}),
        "measure": Measures(table, metadata={"description": measure}),
        "sort": Separated(metadata={"description": sort}),
        **SHARED(table),
    }


@blueprint.get("/v1/datasets/<name>/facets")
def facets(name: str) -> Response:
    """The values of fields with their counts, under the same filters as the rows."""
    data_request = of_dataset(name, "facets", control=facet_control, filtered=True)
    if "facet" not in data_request.query.more:
        raise parse.wrong("facet", "expected at least one field")
    acceptable({"json": JSON_TYPE})
    return respond(data_request, lambda: _facets(data_request))


def _facets(data_request: DataRequest) -> Body:
    release, table, query, _ = data_request
    selection = select(release, table, query)
    data, more = [], {}
    for field in query.more["facet"]:
        rows, more[field] = _groups(selection, (table.index[field],), (COUNT,), ((1, True),))
        counted = ",\n".join([f'{{"value":{value},"count":{count}}}' for value, count in rows])
        data.append(f"{encode_basestring(field)}:[{counted}]")
    every = total(selection)
    meta = {"count": len(data), "total": every, "more": more, **(_hints(selection) if not every else {})}
    return _body(data_request, "{" + ",".join(data) + "}", meta)


@blueprint.get("/v1/datasets/<name>/aggregate")
def aggregates(name: str) -> Response:
    """Measures of groups of rows; a sum that would lie is a not-additive problem."""
    data_request = of_dataset(name, "aggregate", control=aggregate_control, filtered=True)
    acceptable({"json": JSON_TYPE})
    return respond(data_request, lambda: _aggregates(data_request))


def _aggregates(data_request: DataRequest) -> Body:
    release, table, query, _ = data_request
    by = tuple(table.index[n] for n in query.more.get("group_by", ()))
    measures = query.more.get("measure", (COUNT,))
    twice = {table.fields[p].name for p in by} & {m.name for m in measures}
    if twice:
        raise parse.wrong("measure", f"{min(twice)!r} is the name of a group too: choose another measure")
    order = _order(table, by, measures, query)
    selection = select(release, table, query)
    for measure in measures:
        _refuse_lies(selection, by, measure)
    rows, more = _groups(selection, by, measures, order)
    names = [*(table.fields[p].name for p in by), *(m.name for m in measures)]
    form = "{" + ",".join(encode_basestring(name).replace("%", "%%") + ":%s" for name in names) + "}"
    data = [form % tuple(row) for row in rows]
    meta = {"count": len(data), "more": more, **_left_out(selection, measures)}
    if not rows or (not by and set(rows[0]) <= {"0", "null"} and not total(selection)):
        meta |= _hints(selection)
    return _body(data_request, "[" + ",\n".join(data) + "]", meta)


def _hints(selection: Selection) -> dict[str, Any]:
    """Why there are no rows, as a part of meta."""
    why = empty.why(selection)
    return {"hints": why} if why else {}


def _body(data_request: DataRequest, data: str, meta: Mapping[str, Any]) -> Body:
    name = data_request.table.name
    schema = address("v1", "datasets", name, "schema")
    links = {"records": address("v1", "datasets", name, "records"), "describedby": schema}
    return Body(envelope(data_request, data, {"dataset": name, **meta}, links), {"describedby": schema})


def _order(table: Table, by: Sequence[int], measures: Sequence[Measure], query: Query) -> tuple[tuple[int, bool], ...]:
    """The places to sort by: first the groups, then the measures."""
    known = [*(table.fields[p].name for p in by), *(m.name for m in measures)]
    order = []
    for name in cut(query.more["sort"], known, signed=True) if "sort" in query.more else ():
        down = name.startswith("-") and name not in known
        bare = name[1:] if down else name
        if bare not in known:
            reason = f"{bare[:60]!r} is not a group or measure of this response"
            raise parse.wrong("sort", reason, did_you_mean=nearest(bare, known))
        order.append((known.index(bare), down))
    return tuple(order)


def _groups(
    selection: Selection, by: tuple[int, ...], measures: tuple[Measure, ...], order: tuple[tuple[int, bool], ...]
) -> tuple[list[list[str]], bool]:
    """The groups as JSON text of each value and measure, and whether there are more than the limit."""
    made, most = groups.grouping(selection, by, measures, order), selection.query.limit
    rows = selection.rows(made.statement)
    written = [_group_json(selection, position, place, made.row_at) for place, position in enumerate(by)]
    writers = [*written, *made.measures]
    return [[write(row) for write in writers] for row in rows[:most]], len(rows) > most


def _group_json(selection: Selection, position: int, place: int, row_at: int) -> Callable[[Row], str]:
    """How the value of a group becomes JSON: from the compared value where that says all, else from one of its rows.

    `place` is the column of the value in a row of the engine, `row_at` that of the number of such a row.
    """
    field, layout, index = selection.table.fields[position], selection.layout, selection.release.index
    of_row = field.type in ("datetime", "duration", "time") or layout.columns[position].exact
    head, truth = len(encode_basestring(field.name)) + 1, field.type == "boolean"

    def written(row: Row) -> str:
        stored = row[place]
        if stored is None:
            return "null"
        if of_row:
            text = sqlite.json_text(index, layout.number, (row[row_at],))
            return text[1:-1].split(FIELD_SEPARATOR)[position][head:]
        if isinstance(stored, str):
            return encode_basestring(stored)
        if truth:
            return "true" if stored else "false"
        return decimals.to_json(sqlite.decimal(stored)) if isinstance(stored, float) else str(stored)

    return written


def _left_out(selection: Selection, measures: Sequence[Measure]) -> dict[str, Any]:
    """How many rows under the filters have no value for a measure: bounds and unquantified figures are in no sum."""
    table, layout = selection.table, selection.layout
    positions = tuple(sorted({m.position for m in measures if m.position >= 0 and layout.columns[m.position].nulls}))
    if not positions:
        return {}
    (counted,) = selection.rows(sql.without(access(selection), positions))
    return {"rows_without_value": {table.fields[p].name: n for p, n in zip(positions, counted, strict=True)}}


def _refuse_lies(selection: Selection, by: tuple[int, ...], measure: Measure) -> None:
    """Raise a not-additive problem where a sum or average would mix what is not one whole."""
    if measure.function not in groups.ADDING or not additivity.guarded(selection.table.fields[measure.position]):
        return
    variations = additivity.variations(selection, by, measure)
    if not variations:
        return
    errors = [
        {"field": one.field, "reason": one.reason, **({"found": list(one.values)} if one.values else {})}
        for one in variations
    ]
    example = None  # an address that would work, if there is one
    if (wider := additivity.wider(selection, by, measure, variations)) is not None:
        groups_by = ",".join(selection.table.fields[position].name.replace(",", COMMA) for position in wider)
        path = address("v1", "datasets", selection.table.name, "aggregate")
        changed = {"group_by": groups_by, "measure": measure.name}
        example = altered(path, selection.query.canonical, *changed, "sort", **changed)
    listed = ", ".join(one.field for one in variations)
    detail = f"{measure.name} would mix figures that are not parts of one whole: {listed}."
    raise ProblemError("not-additive", detail, errors=errors, example=example)
