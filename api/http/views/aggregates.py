"""Facets and aggregates of a dataset's rows."""

from collections.abc import Callable, Mapping, Sequence
from json.encoder import encode_basestring
from typing import Any

from flask import Blueprint, Response
from marshmallow import ValidationError, fields

from api.http import request as ask
from api.http.errors import ProblemError
from api.http.responses import JSON_TYPE, Raw, address, envelope, finish, pinned, raw_json, unless_known, with_query
from api.index import database
from api.index.layout import FIELD_SEPARATOR
from api.index.rows import json_text
from api.model import types
from api.model.descriptor import Table
from api.query import additivity, parameters, parse
from api.query import groups as aggregate
from api.query.additivity import Variation
from api.query.find import Selection, select, total
from api.query.groups import Measure, Row
from api.query.parse import Question
from api.store.releases import Release

blueprint = Blueprint("groups", __name__)
SHARED = ("limit", "q", "version", "as_of")
COUNT = Measure("count", "count", -1)


class Measures(fields.Field[tuple[Measure, ...]]):
    """A comma-separated list of measures: count, or a function and a numeric field, such as sum:value."""

    def __init__(self, table: Table, **options: Any) -> None:
        super().__init__(**options)
        self.table = table
        self.known = ("count", *(f"{f}:{name}" for f in aggregate.FUNCTIONS[1:] for name in numeric_fields(table)))

    def _deserialize(self, value: str, attr: str | None, data: Any, **kwargs: Any) -> tuple[Measure, ...]:
        names = parameters.cut(value, self.known)
        if len(set(names)) != len(names):
            raise ValidationError("a measure stands there twice")
        return tuple(self._measure(name) for name in names)

    def _measure(self, name: str) -> Measure:
        function, colon, field = name.partition(":")
        if name == "count":
            return COUNT
        if function == "count":
            raise ValidationError({"reason": ["count stands alone: it counts rows"], "did_you_mean": "count"})
        if function not in aggregate.FUNCTIONS:
            near = parameters.nearest(function, aggregate.FUNCTIONS)
            reason = f"{function[:60]!r} is not one of {', '.join(aggregate.FUNCTIONS)}"
            raise ValidationError({"reason": [reason], "did_you_mean": near})
        numeric = numeric_fields(self.table)
        if not colon or field not in numeric:
            reason = f"expected {function}: and a numeric field" + (f" ({', '.join(numeric)})" if numeric else "")
            raise ValidationError({"reason": [reason], "did_you_mean": parameters.nearest(field, numeric)})
        return Measure(name, function, self.table.index[field])


def numeric_fields(table: Table) -> list[str]:
    return [f.name for f in table.fields if f.type in types.NUMERIC]


def groupable(table: Table) -> list[str]:
    return [f.name for f in table.fields if f.type not in types.STRUCTURED]


def facet_control(table: Table) -> ask.Parameters:
    """The parameters of facets, beside the filters."""
    known = parameters.control(table)
    facet = parameters.Names(
        groupable(table), required=True, metadata={"description": "Fields to count the values of, comma-separated."}
    )
    return {"facet": facet, **{name: known[name] for name in SHARED}}


def aggregate_control(table: Table) -> ask.Parameters:
    """The parameters of aggregates, beside the filters."""
    known = parameters.control(table)
    return {
        "group_by": parameters.Names(
            groupable(table), metadata={"description": "Fields to group by, comma-separated."}
        ),
        "measure": Measures(
            table,
            metadata={
                "description": f"Comma-separated: count, or {', '.join(aggregate.FUNCTIONS[1:])} of a numeric field, "
                "written sum:field (default count)."
            },
        ),
        "sort": fields.String(
            metadata={"description": "Groups and measures to sort by, comma-separated, a minus sign turns one round."}
        ),
        **{name: known[name] for name in SHARED},
    }


@blueprint.get("/v1/datasets/<name>/facets")
def facets(name: str) -> Response:
    """The values of fields with their counts, under the same filters as the rows."""
    given = ask.given()
    release = ask.chosen(given)
    table = ask.dataset(release, ask.segment(name))
    asked = parse.read(table, given, facet_control)
    if "facet" not in asked.more:
        raise parse.wrong("facet", "expected at least one field")
    ask.acceptable({"json": JSON_TYPE})
    unless_known(release, address("v1", "datasets", table.name, "facets"), asked.canonical)
    selection = select(release, table, asked, ask.seconds())
    data, more = {}, {}
    for field in asked.more["facet"]:
        found, more[field] = _groups(selection, (table.index[field],), (COUNT,), ((1, True),))
        data[field] = [{"value": Raw(row[0]), "count": Raw(row[1])} for row in found]
    meta = {"count": len(data), "total": total(selection), "more": more}
    return _answer(release, table, asked, "facets", raw_json(data), meta)


@blueprint.get("/v1/datasets/<name>/aggregate")
def aggregates(name: str) -> Response:
    """Measures of groups of rows; a sum that would lie is a not-additive problem."""
    given = ask.given()
    release = ask.chosen(given)
    table = ask.dataset(release, ask.segment(name))
    asked = parse.read(table, given, aggregate_control)
    ask.acceptable({"json": JSON_TYPE})
    unless_known(release, address("v1", "datasets", table.name, "aggregate"), asked.canonical)
    groups = tuple(table.index[n] for n in asked.more.get("group_by", ()))
    measures = asked.more.get("measure", (COUNT,))
    twice = {table.fields[p].name for p in groups} & {m.name for m in measures}
    if twice:
        raise parse.wrong("measure", f"{min(twice)!r} is the name of a group too: ask for another measure")
    order = _order(table, groups, measures, asked)
    selection = select(release, table, asked, ask.seconds())
    for measure in measures:
        _refuse_lies(selection, groups, measure)
    found, more = _groups(selection, groups, measures, order)
    names = [*(table.fields[p].name for p in groups), *(m.name for m in measures)]
    form = "{" + ",".join(encode_basestring(name).replace("%", "%%") + ":%s" for name in names) + "}"
    data = [form % tuple(row) for row in found]
    meta = {"count": len(data), "more": more, **_left_out(selection, measures)}
    return _answer(release, table, asked, "aggregate", "[" + ",\n".join(data) + "]", meta)


def _order(
    table: Table, groups: Sequence[int], measures: Sequence[Measure], asked: Question
) -> tuple[tuple[int, bool], ...]:
    """The places to sort by: first the groups, then the measures."""
    known = [*(table.fields[p].name for p in groups), *(m.name for m in measures)]
    order = []
    for name in parameters.cut(asked.more["sort"], known, signed=True) if "sort" in asked.more else ():
        down = name.startswith("-") and name not in known
        bare = name[1:] if down else name
        if bare not in known:
            raise parse.wrong(
                "sort",
                f"{bare[:60]!r} is not a group or measure of this answer",
                did_you_mean=parameters.nearest(bare, known),
            )
        order.append((known.index(bare), down))
    return tuple(order)


def _answer(release: Release, table: Table, asked: Question, what: str, data: str, meta: Mapping[str, Any]) -> Response:
    path = address("v1", "datasets", table.name, what)
    links = {
        "self": with_query(path, asked.canonical),
        "records": address("v1", "datasets", table.name, "records"),
        "describedby": address("v1", "datasets", table.name, "schema"),
        "permalink": pinned(path, asked.canonical, release),
    }
    body = envelope(data, release, {"dataset": table.name, **meta}, links)
    return finish(body, release, path, asked.canonical, links={"describedby": links["describedby"]})


def _groups(
    selection: Selection, groups: tuple[int, ...], measures: tuple[Measure, ...], order: tuple[tuple[int, bool], ...]
) -> tuple[list[list[str]], bool]:
    """The groups as JSON text of each value and measure, and whether there are more than the limit."""
    release, table, layout, most = selection.release, selection.table, selection.layout, selection.asked.limit
    made = aggregate.grouping(selection.plan.where, layout, groups, measures, order)
    bound = made.statement.bind(selection.bound)
    rows = database.rows(release.folder, made.statement.sql, bound, selection.seconds)
    values = [_group_json(release, table, layout, p, place, made.row_at) for place, p in enumerate(groups)]
    writers = [*values, *made.measures]
    return [[write(row) for write in writers] for row in rows[:most]], len(rows) > most


def _group_json(
    release: Release, table: Table, layout: database.Layout, position: int, place: int, row_at: int
) -> Callable[[Row], str]:
    """How the value of a group becomes JSON: from the compared value where that says all, else from one of its rows.

    `place` says where in an answer of the engine the value stands, `row_at` where the number of such a row does.
    """
    kind = table.fields[position].type
    if kind in ("datetime", "duration", "time") or layout.columns[position]["exact"]:
        head = len(encode_basestring(table.fields[position].name)) + 1

        def whole(row: Row) -> str:
            if row[place] is None:
                return "null"
            return json_text(release.folder, table, (row[row_at],))[1:-1].split(FIELD_SEPARATOR)[position][head:]

        return whole
    if kind == "boolean":
        return lambda row: "null" if row[place] is None else "true" if row[place] else "false"

    def compared(row: Row) -> str:
        stored = row[place]
        if isinstance(stored, str):
            return encode_basestring(stored)
        return "null" if stored is None else repr(stored)

    return compared


def _left_out(selection: Selection, measures: Sequence[Measure]) -> dict[str, Any]:
    """How many rows under the filters have no value for a measure: bounds and unquantified figures are in no sum."""
    table, layout, where = selection.table, selection.layout, selection.plan.conditions
    positions = sorted({m.position for m in measures if m.position >= 0 and layout.columns[m.position]["nulls"]})
    if not positions:
        return {}
    counts = ", ".join(f"count(*) - count(c{p})" for p in positions)
    sql = f"SELECT {counts} FROM t{layout.number}{where.sql}"
    found = database.row(selection.release.folder, sql, where.bind(selection.bound), selection.seconds) or ()
    return {"rows_without_value": {table.fields[p].name: n for p, n in zip(positions, found, strict=True)}}


def _refuse_lies(selection: Selection, groups: tuple[int, ...], measure: Measure) -> None:
    """Raise a not-additive problem where a sum or average would mix what is no whole."""
    if measure.function not in aggregate.ADDING or not additivity.guarded(selection.table.fields[measure.position]):
        return
    found = additivity.variations(selection, groups, measure)
    if not found:
        return
    listed = ", ".join(variation.field for variation in found)
    raise ProblemError(
        "not-additive",
        f"{measure.name} would mix figures that are no parts of one whole: {listed}.",
        errors=[{"field": v.field, "reason": v.reason, **({"found": list(v.found)} if v.found else {})} for v in found],
        example=_example(selection, groups, measure, found),
    )


def _example(selection: Selection, groups: tuple[int, ...], measure: Measure, found: Sequence[Variation]) -> str | None:
    """An address that would work, if there is one."""
    wider = additivity.wider(selection, groups, measure, found)
    if wider is None:
        return None
    rest = [e for e in selection.asked.canonical if e[0] not in ("group_by", "measure", "sort")]
    names = ",".join(selection.table.fields[p].name.replace(",", parameters.COMMA) for p in wider)
    path = address("v1", "datasets", selection.table.name, "aggregate")
    return with_query(path, tuple(sorted([*rest, ("group_by", names), ("measure", measure.name)])))
