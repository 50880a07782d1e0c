"""Every wrong question is refused, by name, in one shape; every answer comes in one envelope."""

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from packages import table
from served import PROBLEM, answer, problem, rows_path, served

ROWS = [["a", "0001", "2.5", "true", "2004-02-29", "[-1,2]", "x"], ["b", "", "", "", "", "", ""]]
FIELDS = ("id", "year:year", "value:number", "known:boolean", "day:date", "items:array", "parent")
RECORDS = "/v1/datasets/things/records"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    """Two rows of seven types; `parent` leads to another table."""
    keys = [{"fields": ["parent"], "reference": {"resource": "parents", "fields": ["id"]}}]
    things = table("things", FIELDS, ROWS, foreignKeys=keys)
    things["schema"]["missingValues"] = [""]
    return served(
        tmp_path_factory.mktemp("strictness"), things, table("parents", ["id"], [["x"]]), created="2026-03-01T00:00:00Z"
    )


def refused(kind: str, title: str, status: int, detail: str, instance: str = RECORDS, **more: Any) -> dict[str, Any]:
    return {
        "type": f"/problems/{kind}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": instance,
        **more,
    }


def without_hints(body: Any) -> Any:
    """A problem whose entries have no hints: these have tests of their own (tests/test_hints.py)."""
    for entry in body.get("errors", []):
        entry.pop("hint", None)
    return body


def unknown(name: str, near: str | None, instance: str = RECORDS, reason: str = "unknown") -> dict[str, Any]:
    error = {"parameter": name, "reason": reason, **({"did_you_mean": near} if near else {})}
    title, detail = "Unknown query parameter", f"{name!r} is not a parameter of this resource."
    return refused("unknown-parameter", title, 400, detail, instance, errors=[error])


def invalid(name: str, reason: str, near: str | None = None, instance: str = RECORDS) -> dict[str, Any]:
    error = {"parameter": name, "reason": reason, **({"did_you_mean": near} if near else {})}
    detail = f"{name}: {reason}" if name else reason
    return refused("invalid-parameter", "Invalid query parameter", 400, detail, instance, errors=[error])


TWO = "expected two values, the least and the greatest, found"
CONDITION = "expected field=value or field__operator=value"
LONG_QUERY = "id=" + "a" * 4000
A_DAY = "expected a day or a date and time, such as 2026-11-30 or 2026-11-30T12:00:00Z"
MANY = ",".join(str(n) for n in range(201))
WRONG = {
    # names
    "yaer=2007": unknown("yaer", "year"),
    "fiscalyear=2007": unknown("fiscalyear", "year"),
    "Year=2007": unknown("Year", "year"),
    "year__gretaer=1": unknown("year__gretaer", "year__gte"),
    "year__contains=1": unknown("year__contains", None, reason="contains is for text and lists"),
    "known__lt=true": unknown("known__lt", None, reason="lt is for what has an order"),
    "yaer__gte=1": unknown("yaer__gte", "year__gte"),
    "lmit=5": unknown("lmit", "limit"),
    "curser=5": unknown("curser", "cursor"),
    "order=id": unknown("order", "sort"),
    "select=id": unknown("select", "fields"),
    "zzzzzz": unknown("zzzzzz", None),
    "=1": unknown("", None),
    "__eq=1": unknown("__eq", None),
    "id__eq__eq=1": unknown("id__eq__eq", "id__eq"),
    "facet=id": unknown("facet", None),
    # twice
    "year=1&year=1": invalid("year", "given more than once"),
    "year=1&year=2": invalid("year", "given more than once: for any of several values write year__in=1,2"),
    "year__gte=1&year__gte=2": invalid("year__gte", "given more than once"),
    "limit=1&sort=id&limit=2": invalid("limit", "given more than once"),
    # values
    "year=abc": invalid("year", "'abc' is not a year, such as 2007"),
    "year=": invalid("year", "'' is not a year, such as 2007"),
    "value=1,5": invalid("value", "'1,5' is not a number", "value__in"),
    "known=yes": invalid("known", "'yes' is not true or false"),
    "day=2003-02-29": invalid("day", "'2003-02-29' is not a date that exists, such as 2007-10-01"),
    "items=1": invalid("items", "'1' is not a JSON array"),
    "year__in=2007,abc": invalid("year__in", "'abc' is not a year, such as 2007"),
    "year__isnull=yes": invalid("year__isnull", "expected true or false"),
    "id__in=": invalid("id__in", "expected at least one value"),
    "year__between=1": invalid("year__between", f"{TWO} 1"),
    "year__between=1,2,3": invalid("year__between", f"{TWO} 3"),
    "or=year": invalid("or", f"{CONDITION}, found 'year'; one condition each time"),
    "or==1": invalid("or", f"{CONDITION}, found '=1'; one condition each time"),
    "or=yaer=1": invalid("or", "'yaer' is not a filter of this resource", "year"),
    "or=limit=1": invalid("or", "'limit' is not a filter of this resource"),
    "or=year=abc": invalid("or", "'abc' is not a year, such as 2007"),
    "or=(year.eq.1,id.eq.a)": invalid("or", f"{CONDITION}, found '(year.eq.1,id.eq.a)'; one condition each time"),
    "where=year": invalid("where", f"{CONDITION}, found 'year'; one condition each time"),
    "where=yaer=1": unknown("yaer", "year"),
    "where=year=1&year=2": invalid("year", "given more than once: for any of several values write year__in=1,2"),
    "fields=id,parent.nam": invalid("fields", "'parent.nam' is not a field that can be used here", "parent"),
    "parent.nam=a": unknown("parent.nam", "parent"),
    "parent.parent.id=a": unknown("parent.parent.id", "parent"),
    "year__in=": invalid("year__in", "expected at least one value"),
    "year__not_in=": invalid("year__not_in", "expected at least one value"),
    f"year__in={MANY}": invalid("year__in", "expected at most 200 values, found 201"),
    # limit
    "limit=0": invalid("limit", "expected 1 to 1000"),
    "limit=1001": invalid("limit", "expected 1 to 1000"),
    "limit=-1": invalid("limit", "expected 1 to 1000"),
    "limit=": invalid("limit", "expected 1 to 1000"),
    "limit=ten": invalid("limit", "expected 1 to 1000"),
    "limit=1.0": invalid("limit", "expected 1 to 1000"),
    "limit=1e2": invalid("limit", "expected 1 to 1000"),
    "limit=%2B5": invalid("limit", "expected 1 to 1000"),
    "limit=+5": invalid("limit", "expected 1 to 1000"),
    "limit=99999999999999999999": invalid("limit", "expected 1 to 1000"),
    "limit=%D9%A3": invalid("limit", "expected 1 to 1000"),
    # sort, fields, expand
    "sort=yaer": invalid("sort", "'yaer' is not a field that can be used here", "year"),
    "sort=-yaer": invalid("sort", "'yaer' is not a field that can be used here", "year"),
    "sort=--year": invalid("sort", "'-year' is not a field that can be used here", "year"),
    "sort=%2Byear": invalid("sort", "'+year' is not a field that can be used here", "year"),
    "sort=": invalid("sort", "'' is not a field that can be used here"),
    "sort=year,": invalid("sort", "'' is not a field that can be used here"),
    "sort=year,-year": invalid("sort", "'year' is listed twice"),
    "sort=items": invalid("sort", "'items' is not a field that can be used here"),
    "fields=": invalid("fields", "'' is not a field that can be used here"),
    "fields=id,nam": invalid("fields", "'nam' is not a field that can be used here"),
    "fields=-id": invalid("fields", "'-id' is not a field that can be used here", "id"),
    "fields=id,id": invalid("fields", "'id' is listed twice"),
    "fields=*": invalid("fields", "'*' is not a field that can be used here"),
    "expand=year": invalid("expand", "'year' is not a field that can be used here"),
    "expand=parnt": invalid("expand", "'parnt' is not a field that can be used here", "parent"),
    # text
    "q=": invalid("q", "expected words to search for, 1 to 500 characters"),
    f"q={'a' * 501}": invalid("q", "expected words to search for, 1 to 500 characters"),
    "id=a%00": invalid("id", "a null character cannot be searched for"),
    # cursor
    "cursor=": invalid("cursor", "expected what links.next of the page before holds"),
    "cursor=abc": invalid("cursor", "was altered, or belongs to another query or release: take it from links.next"),
    "cursor=%C3%A9": invalid("cursor", "was altered, or belongs to another query or release: take it from links.next"),
    # version, as_of
    "version=": invalid("version", "expected a version"),
    "as_of=2026-1-1": invalid("as_of", A_DAY),
    "as_of=20260101": invalid("as_of", A_DAY),
    "as_of=2026-02-30": invalid("as_of", A_DAY),
    "as_of=2026-W48-1": invalid("as_of", A_DAY),
    "as_of=yesterday": invalid("as_of", A_DAY),
    # the query itself
    "id=%FF": invalid("id", "is not UTF-8"),
    "%FF=1": invalid("%FF", "is not UTF-8"),
    LONG_QUERY: invalid("", "the query string has 4003 characters, at most 4000 are read"),
}
WRONG["id=%FF"]["detail"] = WRONG["%FF=1"]["detail"] = "the query string is not UTF-8"


@pytest.mark.parametrize("query", WRONG, ids=lambda query: query[:40])
def test_a_wrong_question_is_a_problem_that_names_what_is_wrong(small: FlaskClient, query: str) -> None:
    assert without_hints(problem(small, f"{RECORDS}?{query}")) == WRONG[query]


def test_all_wrong_values_are_told_at_once(small: FlaskClient) -> None:
    body = problem(small, f"{RECORDS}?year=abc&limit=0&sort=zz&value=x")
    assert sorted(e["parameter"] for e in body["errors"]) == ["limit", "sort", "value", "year"]
    body = problem(small, f"{RECORDS}?yaer=1&idd=2")
    assert [e["did_you_mean"] for e in body["errors"]] == ["year", "id"]


def test_a_question_full_of_unknown_names_costs_no_more_than_a_few(small: FlaskClient) -> None:
    body = problem(small, f"{RECORDS}?{'&'.join(f'n{n}__x' for n in range(500))}")
    assert [e["parameter"] for e in body["errors"]] == [f"n{n}__x" for n in range(10)]


def test_version_and_day_exclude_each_other(small: FlaskClient) -> None:
    reason = "give either version or as_of, not both"
    errors = [{"parameter": name, "reason": reason} for name in ("version", "as_of")]
    title = "Conflicting query parameters"
    expected = refused("conflicting-parameters", title, 400, reason, errors=errors)
    assert problem(small, f"{RECORDS}?version=1.0.0&as_of=2026-11-30") == expected


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("version=9.9.9", "there is no release 9.9.9; there are 1.0.0"),
        (
            "version=latest",
            "there is no release latest; there are 1.0.0; the latest is what is asked without a version",
        ),
        ("version=../1.0.0", "there is no release ../1.0.0; there are 1.0.0"),
        ("as_of=2026-02-28", "nothing was published on or before 2026-02-28; there are 1.0.0"),
        ("as_of=0001-01-01", "nothing was published on or before 0001-01-01; there are 1.0.0"),
    ],
)
def test_a_release_that_is_not_there_is_not_found(small: FlaskClient, query: str, detail: str) -> None:
    assert problem(small, f"{RECORDS}?{query}") == refused("not-found", "Not found", 404, detail)
    # It may be published next: a cache must not keep it away.
    assert small.get(f"{RECORDS}?{query}").headers["Cache-Control"] == "public, max-age=1"


def test_a_day_is_answered_by_the_release_of_that_day(small: FlaskClient) -> None:
    for day in ("2026-03-01", "2026-03-02", "9999-12-31"):
        assert answer(small, f"{RECORDS}?as_of={day}")["meta"]["version"] == "1.0.0"


def test_the_number_of_filters_has_a_limit(small: FlaskClient) -> None:
    names = [
        f"{f}__{op}"
        for f in ("id", "parent", "year", "value", "day")
        for op in ("eq", "ne", "lt", "lte", "gt", "gte", "in", "not_in")
    ]
    values = {"id": "a", "parent": "x", "year": "1", "value": "1", "day": "2004-02-29"}
    query = [f"{name}={values[name.partition('__')[0]]}" for name in names]
    assert answer(small, f"{RECORDS}?{'&'.join(query)}")["data"] == []
    body = problem(small, f"{RECORDS}?{'&'.join([*query, 'id=a'])}")
    assert (body["type"], body["detail"]) == ("/problems/invalid-parameter", "id: more than 40 filters")


def test_two_hundred_values_are_read(small: FlaskClient) -> None:
    assert answer(small, f"{RECORDS}?year__in={','.join(str(n) for n in range(200))}")["meta"]["total"] == 1


def test_an_address_of_four_thousand_characters_is_read(small: FlaskClient) -> None:
    assert answer(small, f"{RECORDS}?id={'a' * 3997}")["data"] == []


def test_bytes_that_a_client_did_not_escape_are_utf_8(small: FlaskClient) -> None:
    """As curl sends an accent that somebody typed."""

    def raw(query: bytes) -> dict[str, str]:
        text = query.decode("latin-1")
        return {"QUERY_STRING": text, "RAW_URI": f"{RECORDS}?{text}"}

    response = small.get(RECORDS, environ_overrides=raw("id__ne=Calderón".encode()))
    assert response.get_json()["links"]["self"] == f"{RECORDS}?id__ne=Calder%C3%B3n"
    response = small.get(RECORDS, environ_overrides=raw(b"id=\xe9"))
    assert (response.status_code, response.get_json()["errors"][0]["reason"]) == (400, "is not UTF-8")


@pytest.mark.parametrize("query", ["&", "&&", "limit=5&", "&limit=5"])
def test_stray_ampersands_are_passed_over(small: FlaskClient, query: str) -> None:
    assert answer(small, f"{RECORDS}?{query}")["meta"]["count"] == 2


AGGREGATE = "/v1/datasets/things/aggregate"
FACETS = "/v1/datasets/things/facets"
WRONG_GROUPS = {
    f"{FACETS}": invalid("facet", "expected at least one field", instance=FACETS),
    f"{FACETS}?facet=": invalid("facet", "'' is not a field that can be used here", instance=FACETS),
    f"{FACETS}?facet=yaer": invalid("facet", "'yaer' is not a field that can be used here", "year", FACETS),
    f"{FACETS}?facet=items": invalid("facet", "'items' is not a field that can be used here", instance=FACETS),
    f"{FACETS}?facet=id&cursor=x": unknown("cursor", None, FACETS),
    f"{FACETS}?facet=id&sort=id": invalid("sort", "expected one of -count, count, value, -value", instance=FACETS),
    f"{FACETS}?facet=id&limit=0": invalid("limit", "expected 1 to 1000", instance=FACETS),
    f"{AGGREGATE}?measure=": invalid(
        "measure", "'' is not one of count, sum, avg, min, max, median, count_distinct", instance=AGGREGATE
    ),
    f"{AGGREGATE}?measure=smu:value": invalid(
        "measure", "'smu' is not one of count, sum, avg, min, max, median, count_distinct", "sum", AGGREGATE
    ),
    f"{AGGREGATE}?measure=sum": invalid("measure", "expected sum: and a numeric field (value)", instance=AGGREGATE),
    f"{AGGREGATE}?measure=sum:id": invalid("measure", "expected sum: and a numeric field (value)", instance=AGGREGATE),
    f"{AGGREGATE}?measure=sum:valeu": invalid(
        "measure", "expected sum: and a numeric field (value)", "value", AGGREGATE
    ),
    f"{AGGREGATE}?measure=count:value": invalid("measure", "count takes no field: it counts rows", "count", AGGREGATE),
    f"{AGGREGATE}?measure=count,count": invalid("measure", "'count' is listed twice", instance=AGGREGATE),
    f"{AGGREGATE}?measure=min:known": invalid(
        "measure",
        "expected min: and a field whose values compare (id, year, value, day, parent)",
        instance=AGGREGATE,
    ),
    f"{AGGREGATE}?measure=count_distinct:items": invalid(
        "measure",
        "expected count_distinct: and a field whose values compare (id, year, value, known, day, parent)",
        instance=AGGREGATE,
    ),
    f"{AGGREGATE}?group_by=day__yaer": invalid(
        "group_by", "'day__yaer' is not a field that can be used here", "day__year", AGGREGATE
    ),
    f"{AGGREGATE}?group_by=year__month": invalid(
        "group_by", "'year__month' is not a field that can be used here", "day__month", AGGREGATE
    ),
    f"{AGGREGATE}?group_by=yaer": invalid("group_by", "'yaer' is not a field that can be used here", "year", AGGREGATE),
    f"{AGGREGATE}?group_by=": invalid("group_by", "'' is not a field that can be used here", instance=AGGREGATE),
    f"{AGGREGATE}?group_by=year&sort=value": invalid(
        "sort", "'value' is not a group or measure of this response", instance=AGGREGATE
    ),
    f"{AGGREGATE}?group_by=year&sort=yaer": invalid(
        "sort", "'yaer' is not a group or measure of this response", "year", AGGREGATE
    ),
    f"{AGGREGATE}?groupby=year": unknown("groupby", "group_by", AGGREGATE),
    f"{AGGREGATE}?fields=id": unknown("fields", None, AGGREGATE),
    "/v1/search": invalid("q", "expected words to search for", instance="/v1/search"),
    "/v1/search?q=": invalid("q", "expected words to search for, 1 to 500 characters", instance="/v1/search"),
    "/v1/search?q=a&sort=id": unknown("sort", None, "/v1/search"),
    "/v1/datasets?limit=1": unknown("limit", None, "/v1/datasets"),
    "/v1/datasets/things?x=1": unknown("x", None, "/v1/datasets/things"),
    "/v1/releases?version=1.0.0": unknown("version", None, "/v1/releases"),
    "/v1/?a=1": unknown("a", None, "/v1/"),
    f"{RECORDS}/a?limit=1": unknown("limit", None, f"{RECORDS}/a"),
    f"{RECORDS}/a?year=1": unknown("year", None, f"{RECORDS}/a"),
    f"{RECORDS}.csv?expand=parent": invalid(
        "expand", "rows of csv are flat: expand works with json and jsonl", instance=f"{RECORDS}.csv"
    ),
}


@pytest.mark.parametrize("path", WRONG_GROUPS, ids=lambda path: path.replace("/v1/datasets/things/", ""))
def test_other_resources_are_as_strict(small: FlaskClient, path: str) -> None:
    found = without_hints(problem(small, path))
    expected = WRONG_GROUPS[path]
    if expected["type"] == "/problems/unknown-parameter":  # which name is near is tested above
        found["errors"][0].pop("did_you_mean", None)
        expected["errors"][0].pop("did_you_mean", None)
    assert found == expected


MISSING = (
    *("/nothing", "/v1/nothing", "/v1/datasets/", "/v1/datasets/nothing", "/v1/datasets/nothing/records"),
    *("/v1/datasets/things/", "/v1/datasets/things/records/", "/v1/datasets/things/records/a/", "/v1/search/"),
    *("/v1/datasets/things/records/zzz", "/v1/datasets/things/nothing", "/v1/datasets//records", "/v1/releases/"),
    *("/v1/releases/9.9.9", "/releases/9.9.9/datapackage.json", "/releases/1.0.0/nothing.csv"),
    *("/releases/9.9.9", "/releases/9.9.9/", "/releases/latest/nothing.csv", "/v1/conflicts/x", "/v1/corrections/x"),
    *("/v1/datasets/things/records/zzz/history", "/v1/datasets/things/records//history"),
    *("/releases/1.0.0/../1.0.0/datapackage.json", "/releases/1.0.0/data/../manifest.json", "/healthz/", "/v1//"),
    *("/releases/1.0.0/package.sqlite%00", "/releases/1.0.0//etc/passwd", "/tuf/nothing.json", "/problems/none"),
    *("/v1/datasets/things/schema/", "/v1/datasets/things/records.csv/", "/openapi.json/", "//v1/datasets", "/V1/"),
    *("/v1/conflicts", "/v1/corrections", "/v1/datasets/thing", "/v1/datasets/%00", "/v1/datasets/things/records/%00"),
    *("/v1/datasets/things/records/a,b", "/v1/datasets/%FF/records", "/v1/datasets/things/records/%FF"),
)


@pytest.mark.parametrize("path", MISSING)
def test_what_is_not_there_is_not_found(small: FlaskClient, path: str) -> None:
    body = problem(small, path)
    assert (body["type"], body["title"], body["status"]) == ("/problems/not-found", "Not found", 404)


@pytest.mark.parametrize("path", ["/v1", "/docs"])
def test_the_three_addresses_with_a_slash_are_found_without_it_too(small: FlaskClient, path: str) -> None:
    """By an address without host, which is right behind any proxy."""
    response = small.get(path)
    assert (response.status_code, response.headers["Location"]) == (308, f"{path}/")


def test_a_dataset_that_is_not_there_has_a_nearest_name(small: FlaskClient) -> None:
    body = problem(small, "/v1/datasets/thing/records")
    assert body["detail"] == "There is no dataset 'thing' in release 1.0.0. Did you mean 'things'?"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1/",
        "/v1/datasets",
        RECORDS,
        f"{RECORDS}/a",
        FACETS,
        "/healthz",
        "/releases/1.0.0/manifest.json",
        "/nothing",
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "FOO"])
def test_nothing_can_be_written(small: FlaskClient, path: str, method: str) -> None:
    response = small.open(path, method=method)
    body = response.get_json()
    if path == "/nothing":
        assert (response.status_code, body["type"]) == (404, "/problems/not-found")
        return
    assert (response.status_code, body["type"]) == (405, "/problems/method-not-allowed")
    assert {name.strip() for name in response.headers["Allow"].split(",")} == {"GET", "HEAD", "OPTIONS"}
    assert response.content_type == PROBLEM


@pytest.mark.parametrize("extension", ["xml", "CSV", "json5", "csv.gz", "html", "ods"])
def test_a_format_that_is_not_offered_is_not_acceptable(small: FlaskClient, extension: str) -> None:
    body = problem(small, f"{RECORDS}.{extension}")
    detail = f"Rows are available as json, jsonl, csv, tsv, xlsx, parquet, ndjson, not as {extension!r}."
    expected = refused("not-acceptable", "Not acceptable", 406, detail, f"{RECORDS}.{extension}")
    assert body == expected


def test_a_dot_without_a_format_is_not_found(small: FlaskClient) -> None:
    assert problem(small, f"{RECORDS}.")["status"] == 404


# Every route


SAMPLES = {
    **{"name": "exports", "extension": "csv", "key": "exs-0013", "version": "1.0.0", "kind": "gone"},
    **{"path": "datapackage.json", "release": "1.0.0", "part": "static/swagger-ui.css", "metadata": "root.json"},
}


def routes(app: Flask) -> Iterator[str]:
    """An address of each rule, its variables filled in."""
    for rule in app.url_map.iter_rules():
        if rule.endpoint == "static":
            continue
        yield re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)


def filled(route: str, version: str) -> str:
    own = {**SAMPLES, "version": version, "release": version}
    if route.startswith("/docs/"):
        own["name"] = "static/swagger-ui.css"
    own["key"] = {"conflicts": "con-01", "corrections": "cor-0001"}.get(route.split("/")[-2], own["key"])
    return route.format_map(own)


def test_every_route_refuses_an_unknown_parameter_in_the_one_shape(app: Flask, client: FlaskClient) -> None:
    """But for the page of the documentation, which ignores them, and the page of a problem."""
    version = client.get("/readyz").get_json()["version"]
    refusing = [route for route in routes(app) if not route.startswith(("/docs/", "/problems/"))]
    assert len(refusing) > 20
    for route in refusing:
        path = filled(route, version)
        response = client.get(f"{path}?no_such_parameter=1")
        assert (path, response.status_code, response.content_type) == (path, 400, PROBLEM)
        body = response.get_json()
        request_id = response.headers["X-Request-Id"]
        error = {"parameter": "no_such_parameter", "reason": "unknown"}
        near = without_hints(body)["errors"][0].pop("did_you_mean", None)
        assert near is None or isinstance(near, str)
        detail = "'no_such_parameter' is not a parameter of this resource."
        assert body == {
            **refused("unknown-parameter", "Unknown query parameter", 400, detail, path, errors=[error]),
            "request_id": request_id,
        }


def test_every_problem_type_is_explained_at_its_address(client: FlaskClient) -> None:
    kinds = (
        *("unknown-parameter", "invalid-parameter", "conflicting-parameters", "not-found", "gone", "not-acceptable"),
        *("method-not-allowed", "not-additive", "rate-limited", "internal"),
    )
    for kind in kinds:
        response = client.get(f"/problems/{kind}")
        assert (kind, response.status_code) == (kind, 200)
        assert kind in response.get_data(as_text=True)


ENVELOPE = {"data", "meta", "links"}
META = {"version", "published_at", "license", "citation"}


def enveloped(app: Flask) -> list[str]:
    """The routes that answer with the envelope: all of /v1/ but the schema, redirects, lines, feeds and files."""
    outside = ("/schema", "/latest", "/changes", ".atom", ".{extension}")
    found = [route for route in routes(app) if route.startswith("/v1/") and not route.endswith(outside)]
    assert len(found) > 10
    return found


def test_every_answer_has_the_one_envelope(app: Flask, client: FlaskClient) -> None:
    version = client.get("/readyz").get_json()["version"]
    asked = {"facets": "?facet=indicator", "search": "?q=mexico", "aggregate": "?group_by=unit"}
    for route in enveloped(app):
        path = filled(route, version) + asked.get(route.rpartition("/")[2], "")
        response = client.get(path)
        assert (path, response.status_code, response.content_type) == (path, 200, "application/json")
        body = response.get_json()
        assert ENVELOPE <= set(body) <= ENVELOPE | {"included"}, path
        assert META <= set(body["meta"]), path
        assert body["meta"]["version"] == response.headers["X-Data-Version"]
        assert body["links"]["self"] == path, path
        listed = isinstance(body["data"], list)
        assert ("count" in body["meta"]) >= listed, path
        if listed and "count" in body["meta"]:
            assert body["meta"]["count"] == len(body["data"]), path


def test_the_permalink_of_every_answer_gives_the_same_data(app: Flask, client: FlaskClient) -> None:
    version = client.get("/readyz").get_json()["version"]
    asked = {"facets": "?facet=indicator", "search": "?q=mexico", "aggregate": "?group_by=unit"}
    for route in enveloped(app):
        if route.startswith("/v1/releases"):
            continue
        body = answer(client, filled(route, version) + asked.get(route.rpartition("/")[2], ""))
        again = answer(client, body["links"]["permalink"])
        # What the links within lead to is of the named version.
        data, same = (re.sub(rf"[?&]version={version}", "", json.dumps(one["data"])) for one in (body, again))
        assert (same, again["meta"]) == (data, body["meta"]), route


def test_links_of_a_row_lead_to_what_they_name(client: FlaskClient) -> None:
    links = answer(client, "/v1/datasets/exports/records/exs-0013")["links"]
    assert {"self", "source", "conflicts", "collection", "describedby", "permalink"} <= set(links)
    for link in links.values():
        assert client.get(link).status_code == 200, link
    assert [row["id"] for row in answer(client, links["conflicts"])["data"]] != []


def test_json_is_written_with_every_letter_as_it_is(small: FlaskClient) -> None:
    raw = small.get(rows_path("things", "id=" + quote("ñ"))).data
    assert json.loads(raw)["links"]["self"] == f"{RECORDS}?id=%C3%B1"
