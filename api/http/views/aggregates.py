"""Aggregates of a dataset's rows: groups with their measures, and wide series."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, Response

from api.http.errors import ProblemError
from api.http.request import DataRequest, acceptable, address, altered, of_dataset, picked, turned
from api.http.responses import Body, envelope, respond
from api.http.views import listed, wide
from api.http.views.listed import OFFERED, file
from api.model.descriptor import Table
from api.model.nearest import nearest
from api.query import additivity, empty, groups, having, measures, parse, sql
from api.query.fields import COMMA, Names, Parameters, Repeated, Separated, cut
from api.query.find import Selection, access, place_of, select, total
from api.query.groups import Order
from api.query.measures import COUNT, FUNCTIONS, Group, Measure, Measures
from api.query.parse import Query

blueprint = Blueprint("aggregates", __name__)
SHARED = picked("limit", "cursor", "q", "version", "as_of")


def control(table: Table) -> Parameters:
    """The parameters of aggregates, beside the filters."""
    known = measures.groups(table)
    by = "Fields to group by, comma-separated; of dates also the year or month, written field__year or field__month."
    measure = (
        f"Comma-separated: count, or {', '.join(list(FUNCTIONS)[1:])} of a field, written sum:field (default count)."
    )
    columns = "A field whose values become columns (a wide series), with one measure or the one value of each cell."
    condition = (
        f"A condition on a measure, such as {having.EXAMPLE}: {' '.join(having.OPERATORS)} (two values, "
        "comma-separated) or isnull. Repeatable: all must hold."
    )
    sort = "Groups and measures to sort by, comma-separated, a minus sign reverses one."
    return {
        "group_by": Names(known, metadata={"description": by}),
        "measure": Measures(table, metadata={"description": measure}),
        "columns": Names(known, metadata={"description": columns}),
        "having": Repeated(metadata={"description": condition}),
        "sort": Separated(metadata={"description": sort}),
        **SHARED(table),
        **picked("shape")(table),
    }


@blueprint.get("/v1/datasets/<name>/aggregate")
def aggregates(name: str) -> Response:
    """Measures of groups of rows; a sum that would lie is a not-additive problem."""
    return _aggregated(name, acceptable(OFFERED), "")


@blueprint.get("/v1/datasets/<name>/aggregate.<extension>")
def aggregates_as(name: str, extension: str) -> Response:
    """Measures of groups of rows in the format of an extension: all groups unless there is a limit."""
    return _aggregated(name, listed.kind_of(extension), f".{extension}")


def _aggregated(name: str, kind: str, extension: str) -> Response:
    data_request = of_dataset(name, f"aggregate{extension}", control=control, filtered=True)
    made = _wide if "columns" in data_request.query.more else _groups
    disposition = "" if kind == "json" else listed.disposition(kind, data_request.table.name, "aggregate")
    return respond(data_request, lambda: made(data_request, kind), OFFERED[kind], disposition)


def _groups(data_request: DataRequest, kind: str) -> Body:
    """Groups, one a row. Each page computes all of them again; whatever its place, it costs the same."""
    release, table, query, _ = data_request
    by, measured = _by(table, query), _measures(table, query) or (COUNT,)
    names = [*(group.name for group in by), *(measure.name for measure in measured)]
    if twice := {group.name for group in by} & {measure.name for measure in measured}:
        raise parse.wrong("measure", f"{min(twice)!r} is the name of a group too: choose another measure")
    order, conditions = _order(names, query), _conditions(table, measured, query)
    selection, skip = select(release, table, query), _skip(data_request)
    for measure in measured:
        _refuse_lies(selection, by, measure)
    asked = groups.grouping(selection, by, measured, order, conditions)
    if kind != "json" and "limit" not in query.more:
        pieces = (groups.texts(asked, rows) for rows in groups.every(asked, skip))
        return file(data_request, kind, names, pieces)
    found = groups.some(asked, skip, query.limit + 1)
    rows, more = groups.texts(asked, found[: query.limit]), len(found) > query.limit
    after = _next(data_request, skip + len(rows)) if more else None
    if kind != "json":
        return file(data_request, kind, names, [rows], after)
    every = groups.total(asked, found) if more or skip else len(rows)
    left_out = _left_out(selection, measured)
    if not rows or (not by and {*rows[0]} <= {"0", "null"}):
        left_out |= nothing(selection)
    return _page(data_request, names, rows, {**_before(data_request, skip), "next": after}, every, left_out)


def _wide(data_request: DataRequest, kind: str) -> Body:
    """A wide series, one group a row. Its pages cost what those of groups do; their places are counted in cells."""
    release, table, query, _ = data_request
    by, measured, named = _by(table, query), _measures(table, query), query.more["columns"]
    columns = measures.groups(table)[named[0]]
    if len(named) > 1 or columns in by:
        raise parse.wrong("columns", "expected one field, by which the rows are not grouped already")
    if len(measured) > 1:
        raise parse.wrong("measure", "expected one measure: columns has a column for each value of the field")
    conditions, order = _conditions(table, measured, query), _order([group.name for group in by], query)
    selection, skip = select(release, table, query), _skip(data_request)
    if measured:
        _refuse_lies(selection, (*by, columns), measured[0])
    else:
        measured = (wide.only_value(table, (*by, columns)),)
        wide.refuse_several(selection, by, columns, order)
    series = wide.series(selection, by, columns, measured[0], order, conditions)
    names = [*(group.name for group in by), *series.names]
    if kind != "json" and "limit" not in query.more:
        return file(data_request, kind, names, wide.every(series, skip))
    rows, place, every = wide.page(series, skip, query.limit)
    after = None if place is None else _next(data_request, place)
    if kind != "json":
        return file(data_request, kind, names, [rows], after)
    more = {"columns": series.names, **_left_out(selection, measured)}
    paged = {"first": altered(data_request.path, query.canonical, "cursor"), "next": after}
    return _page(data_request, names, rows, paged, every, more if rows else more | nothing(selection))


def _page(
    data_request: DataRequest,
    names: Sequence[str],
    rows: Sequence[Sequence[str]],
    paged: Mapping[str, str | None],
    every: int,
    more: Mapping[str, Any],
) -> Body:
    data = ",\n".join(groups.objects(names, rows))
    meta = {"count": len(rows), "total": every, "more": paged["next"] is not None, **more}
    return body(data_request, f"[{data}]", meta, paged)


def nothing(selection: Selection) -> dict[str, Any]:
    """Why nothing is found, as a part of meta."""
    if total(selection):
        having = "having" in selection.query.more
        return {"hints": [{"parameter": "having", "reason": "no group meets all of this"}]} if having else {}
    why = empty.why(selection)
    return {"hints": why} if why else {}


def body(data_request: DataRequest, data: str, meta: Mapping[str, Any], paged: Mapping[str, str | None] = {}) -> Body:
    """The JSON response with that data; `paged` are links to other pages."""
    name = data_request.table.name
    schema = address("v1", "datasets", name, "schema")
    links = {**paged, "records": address("v1", "datasets", name, "records"), "describedby": schema}
    return Body(envelope(data_request, data, {"dataset": name, **meta}, links), {**paged, "describedby": schema})


# A cursor holds how many groups (of a wide series: cells) come before its page. Releases never change, and the order is
# total: it ends in the groups' values.


def _scope(table: Table) -> str:
    return f"{table.name}\0aggregate"  # no cursor of rows


def _skip(data_request: DataRequest) -> int:
    release, table, query, _ = data_request
    return 0 if query.cursor is None else int.from_bytes(place_of(query, release.tag, _scope(table)), "big")


def _before(data_request: DataRequest, skip: int) -> dict[str, str | None]:
    """The links to the first page, and to the one before that of groups which begins behind so many."""
    query = data_request.query
    first = altered(data_request.path, query.canonical, "cursor")
    back = skip - query.limit
    return {"first": first, "prev": None if not skip else _next(data_request, back) if back > 0 else first}


def _next(data_request: DataRequest, skip: int) -> str:
    return turned(data_request, skip.to_bytes(6, "big"), _scope(data_request.table))


# Parameters


def _by(table: Table, query: Query) -> tuple[Group, ...]:
    return tuple([measures.groups(table)[name] for name in query.more.get("group_by", ())])


def _measures(table: Table, query: Query) -> tuple[Measure, ...]:
    return tuple([measures.measures(table)[name] for name in query.more.get("measure", ())])


def _order(known: Sequence[str], query: Query) -> Order:
    """The places to sort by, in the groups and measures of the response."""
    order = []
    for name in cut(query.more["sort"], known, signed=True) if "sort" in query.more else ():
        down = name.startswith("-") and name not in known
        bare = name[1:] if down else name
        if bare not in known:
            reason = f"{bare[:60]!r} is not a group or measure of this response"
            raise parse.wrong("sort", reason, did_you_mean=nearest(bare, known))
        order.append((known.index(bare), down))
    return tuple(order)


def _conditions(table: Table, measured: Sequence[Measure], query: Query) -> list[having.Condition]:
    return having.read(query.more["having"], measured, table) if "having" in query.more else []


def _left_out(selection: Selection, measured: Sequence[Measure]) -> dict[str, Any]:
    """How many rows under the filters have no value for a measure: bounds and unquantified figures are in no sum."""
    table, layout = selection.table, selection.layout
    positions = tuple(sorted({m.position for m in measured if m.position >= 0 and layout.columns[m.position].nulls}))
    if not positions:
        return {}
    (counted,) = selection.rows(sql.without(access(selection), positions))
    return {"rows_without_value": {table.fields[p].name: n for p, n in zip(positions, counted, strict=True)}}


def _refuse_lies(selection: Selection, by: tuple[Group, ...], measure: Measure) -> None:
    """Raise a not-additive problem where a sum or average would mix what is not one whole."""
    if measure.function not in measures.ADDING or not additivity.guarded(selection.table.fields[measure.position]):
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
        columns = selection.query.more.get("columns", ())
        groups_by = ",".join(group.name.replace(",", COMMA) for group in wider if group.name not in columns)
        path = address("v1", "datasets", selection.table.name, "aggregate")
        changed = {"group_by": groups_by, "measure": measure.name}
        gone = (*changed, "sort", "having", "cursor")
        example = altered(path, selection.query.canonical, *gone, **changed)
    listed_names = ", ".join(one.field for one in variations)
    detail = f"{measure.name} would mix figures that are not parts of one whole: {listed_names}."
    raise ProblemError("not-additive", detail, errors=errors, example=example)
