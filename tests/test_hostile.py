"""Ten thousand questions that no reasonable client would ask: no server error, and every refusal a problem document."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, quote_from_bytes

from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from served import PROBLEM

from api.app import create_app
from api.http.errors import TYPES

AT_ONCE, ROUNDS = 25, 200
DATASETS = (
    *("exports", "inquiries", "desertions", "vetting", "traces", "statements", "indicators", "sources", "conflicts"),
    *("conflict_positions", "corrections", "nothing", "Exports", "exports ", "", "..", "%", "é"),
)
FIELDS = (
    *(
        "id",
        "indicator",
        "year",
        "period_start",
        "period_end",
        "value",
        "value_low",
        "unit",
        "standing",
        "source",
        "note",
    ),
    *("conflict", "dataset", "record", "destination", "basis", "as_of", "date", "version", "field", "qualifier"),
)
OPERATORS = (
    "eq",
    "ne",
    "lt",
    "lte",
    "gt",
    "gte",
    "in",
    "not_in",
    "contains",
    "startswith",
    "isnull",
    "like",
    "",
    "__eq",
)
CONTROLS = (
    *("limit", "cursor", "sort", "fields", "q", "version", "as_of", "expand", "facet", "group_by", "measure", "since"),
    *("until", "dataset", "format", "callback", "_shape", "offset", "page"),
)
VALUES = (
    *(
        "",
        "1",
        "0",
        "-1",
        "true",
        "false",
        "null",
        "NaN",
        "Infinity",
        "1e999",
        "-1e-999",
        "9" * 40,
        "0x1F",
        "1_0",
        "2007",
    ),
    *(
        "2007-02-29",
        "2007-10-01",
        "0000-00-00",
        "9999-12-31",
        "USD",
        "MEX",
        "preferred",
        "exs-0013",
        "dcs_value_approved",
    ),
    *(
        "1.0.0",
        "1.1.0",
        "9.9.9",
        "latest",
        "../..",
        "id",
        "-year,id",
        "year,-year",
        "id,id",
        "value",
        "-",
        ",",
        ",,",
        "*",
    ),
    *(
        "sum:value",
        "count",
        "avg:value,count",
        "median:year",
        "sum:id",
        "sum:",
        ":value",
        "max:value_low,min:value_high",
    ),
    *(
        '"',
        '"a',
        '""',
        "a*",
        "*a",
        "AND",
        "NOT a",
        "NEAR(a b)",
        "a^b",
        "col:a",
        "()",
        "'; DROP TABLE t0; --",
        "' OR 1=1",
    ),
    *(
        "%",
        "_",
        "\\",
        "\\%",
        "\x01",
        "\x7f",
        "\u202e",
        "\ufeff",
        "\U0010ffff",
        "é",
        "İ",
        "ß",
        "日本",
        "mexico",
        "a" * 600,
    ),
    *(
        "AAAA",
        "AAAAAAABqg4x2Jr3l7dV",
        "=" * 9,
        "_" * 200,
        "{}",
        "[]",
        "[" * 300,
        '{"a":1}',
        "1,2",
        "<script>",
        "${7*7}",
    ),
)
PATHS = (
    *("/", "/v1", "/v1/", "/v1/datasets", "/v1/search", "/v1/conflicts", "/v1/corrections", "/v1/corrections.atom"),
    *(
        "/v1/releases",
        "/v1/releases/latest",
        "/v1/releases/1.0.0",
        "/v1/releases/x",
        "/v1/changes",
        "/healthz",
        "/readyz",
    ),
    *("/releases/1.0.0/manifest.json", "/releases/1.0.0/data/exports.csv", "/releases/x/y", "/tuf/root.json", "/docs/"),
    *(
        "/releases/1.0.0/../../etc/passwd",
        "/releases/1.0.0/package.sqlite",
        "/.well-known/api-catalog",
        "/docs/x",
    ),
    *("/problems/gone", "/problems/x", "/favicon.ico", "/robots.txt", "//", "/v1//datasets", "/static/x", "/V1/"),
)
OF_DATASETS = (
    *(
        "",
        "/schema",
        "/records",
        "/records.json",
        "/records.jsonl",
        "/records.csv",
        "/records.xml",
        "/records/",
        "/facets",
    ),
    *("/aggregate", "/records/exs-0013", "/records/con-01,exports,exs-0013", "/records/%2F", "/records/a,b", "/x", "/"),
)
HEADERS: Mapping[str, tuple[str, ...]] = {
    "Accept": ("*/*", "application/json", "text/csv", "application/jsonl", "text/html", "a/b;q=x", ";;,", "*/*;q=0"),
    "Accept-Encoding": ("gzip", "br", "zstd", "*;q=0", "identity;q=0", "gzip;q=9", ",,"),
    "If-None-Match": ("*", '"x"', 'W/"x"', "", '"' * 50),
    "Range": ("bytes=0-0", "bytes=-1", "bytes=9-1", "bytes=0-1,5-6", "x=1", "bytes=99999999999999999999-", "bytes="),
    "If-Range": ('"x"', "Sat, 01 Jan 2000 00:00:00 GMT", "x"),
    "X-Request-Id": ("a", "a b", "x" * 500, "<a>"),
    "Content-Length": ("0",),
}
SHARED = settings(
    max_examples=ROUNDS, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


@dataclass(frozen=True)
class Asked:
    """A request as it is sent."""

    target: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)


texts = st.one_of(st.sampled_from(VALUES), st.sampled_from(FIELDS), st.text(max_size=20))
escaped = st.one_of(
    texts.map(lambda text: quote(text, safe=",")),
    texts.map(lambda text: quote(text, safe="")),
    st.binary(max_size=12).map(lambda data: quote_from_bytes(data, safe="")),
    st.lists(texts, max_size=5).map(lambda parts: ",".join(quote(part, safe="") for part in parts)),
)
names = st.one_of(
    st.sampled_from(CONTROLS),
    st.sampled_from(FIELDS),
    st.tuples(st.sampled_from(FIELDS), st.sampled_from(OPERATORS)).map("__".join),
    st.tuples(st.sampled_from(FIELDS), st.sampled_from(OPERATORS)).map("__".join),
    texts.map(lambda text: quote(text, safe="")),
)
parameters = st.tuples(names, escaped).map("=".join)
queries = st.lists(parameters, max_size=6).map("&".join)
# Fields that every table of figures has, with values that may well be right: questions that get past the reader.
COMMON = ("id", "indicator", "unit", "standing", "source", "note", "as_of__eq", "qualifier", "locator")
GOOD = (
    *(
        "limit=1",
        "limit=7",
        "limit=1000",
        "sort=-year,id",
        "sort=value",
        "sort=-note",
        "fields=id,value",
        "fields=note",
    ),
    *("q=mexico", "q=%22a+b%22", "expand=source", "expand=source,indicator", "version=1.0.0", "as_of=2027-01-01"),
    *(
        "facet=unit,year",
        "facet=value",
        "group_by=unit",
        "group_by=year,standing",
        "group_by=indicator,unit,standing,year",
    ),
    *("measure=count", "measure=sum:value", "measure=avg:value,median:value", "measure=min:value_low,max:value_high"),
    *(
        "year=2007",
        "year__in=2007,2008",
        "value__gte=5",
        "value__lt=1e3",
        "value__isnull=false",
        "period_start__lte=2007-01-01",
    ),
)
likely = st.one_of(
    st.sampled_from(GOOD),
    st.sampled_from(GOOD),
    st.tuples(
        st.sampled_from(COMMON), st.sampled_from(["", "__ne", "__in", "__contains", "__startswith", "__gt"]), escaped
    ).map(lambda parts: f"{parts[0].removesuffix('__eq') + parts[1] if parts[1] else parts[0]}={parts[2]}"),
)
likely_queries = st.lists(likely, max_size=4, unique_by=lambda part: part.partition("=")[0]).map("&".join)
queries_of_rows = st.one_of(queries, likely_queries, likely_queries)
FIGURES = DATASETS[:5]
of_rows = st.one_of(
    st.tuples(st.sampled_from(DATASETS[:11]), st.sampled_from(OF_DATASETS)).map(lambda p: f"/v1/datasets/{p[0]}{p[1]}"),
    st.tuples(st.sampled_from(FIGURES), st.sampled_from(OF_DATASETS[2:10])).map(lambda p: f"/v1/datasets/{p[0]}{p[1]}"),
)
others = st.one_of(
    st.sampled_from(PATHS),
    st.tuples(st.sampled_from(DATASETS), st.sampled_from(OF_DATASETS)).map(
        lambda p: f"/v1/datasets/{quote(p[0], safe='')}{p[1]}"
    ),
    st.lists(st.one_of(escaped, st.sampled_from(["v1", "datasets", "records", ".."])), max_size=5).map(
        lambda parts: "/" + "/".join(parts)
    ),
)
headers = st.dictionaries(st.sampled_from([*HEADERS]), st.integers(0, 7), max_size=2).map(
    lambda chosen: {name: HEADERS[name][place % len(HEADERS[name])] for name, place in chosen.items()}
)


def batches(paths: st.SearchStrategy[str], queries: st.SearchStrategy[str]) -> st.SearchStrategy[list[Asked]]:
    """Requests for addresses, many at once: that is quicker to make."""
    targets = st.tuples(paths, queries).map(lambda parts: "?".join(part for part in parts if part))
    methods = st.sampled_from(["GET"] * 12 + ["HEAD", "OPTIONS", "POST", "DELETE"])
    asked = st.builds(Asked, targets, methods, st.one_of(st.just({}), headers))
    return st.lists(asked, min_size=AT_ONCE, max_size=AT_ONCE)


def is_problem(document: Any, status: int, request_id: str) -> bool:
    """Whether a document is a whole problem: RFC 9457, with our own members."""
    kind = document["type"].removeprefix("/problems/")
    errors = document.get("errors", [])
    return (
        kind in TYPES
        and document["status"] == status
        and document["title"] == TYPES[kind]["title"]
        and isinstance(document["detail"], str)
        and isinstance(document["instance"], str)
        and document["request_id"] == request_id
        and all({"reason"} < set(e) and all(v is not None for v in e.values()) for e in errors)
        and (kind not in ("unknown-parameter", "conflicting-parameters") or bool(errors))
    )


def check(client: FlaskClient, asked: Asked) -> None:
    response = client.open(f"http://localhost{asked.target}", method=asked.method, headers=dict(asked.headers))
    body = response.data
    response.close()
    about = (asked, response.status_code, body[:500])
    assert response.status_code < 500, about
    assert response.headers["Access-Control-Allow-Origin"] == "*", about
    assert asked.method != "HEAD" or body == b"", about
    if response.status_code >= 400:
        assert response.content_type == PROBLEM, about
        if asked.method != "HEAD":
            assert is_problem(json.loads(body), response.status_code, response.headers["X-Request-Id"]), about
    elif response.status_code == 200 and asked.method == "GET":
        assert int(response.headers["Content-Length"]) == len(body), about
        if response.content_type == "application/json" and "Content-Encoding" not in response.headers:
            json.loads(body)


@SHARED
@given(batch=batches(of_rows, queries_of_rows))
def test_no_question_to_a_dataset_is_answered_with_a_server_error(app: Any, batch: list[Asked]) -> None:
    client = app.test_client()
    for asked in batch:
        check(client, asked)


@SHARED
@given(batch=batches(others, queries))
def test_no_other_address_is_answered_with_a_server_error(app: Any, batch: list[Asked]) -> None:
    client = app.test_client()
    for asked in batch:
        check(client, asked)


def test_hostile_questions_are_no_slower_than_the_limit(store: Any) -> None:
    """The largest question that is read: forty filters of many values, over text, sorted by every field."""
    client = create_app(STORE=store, BASE_URL="").test_client()
    filters = [f"{name}__{op}={'a,' * 20}b" for name in FIELDS[:5] for op in ("in", "not_in", "contains", "startswith")]
    long = "&".join(part for part in filters if not part.startswith(("year", "period")))
    for query in (f"{long}&sort=-note,-value,year&q=a*+b*+c*", f"note__contains={'%25' * 900}", f"q={'a* ' * 160}"):
        check(client, Asked(f"/v1/datasets/exports/records?{query.replace(' ', '+')}"))
        check(client, Asked(f"/v1/datasets/exports/facets?facet=note,as_of&{query.replace(' ', '+')}"))
