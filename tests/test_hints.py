"""A refused question says what would work: each hint is followed, and what it suggests is answered."""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import pytest
from flask.testing import FlaskClient
from packages import table, write
from served import answer, app_of, problem, served

import api
from api.release.build import build

WORDS = json.loads((Path(api.__file__).parent / "query" / "other_words.json").read_text("utf-8"))
THINGS = "/v1/datasets/things"
RECORDS, FACETS, AGGREGATE = f"{THINGS}/records", f"{THINGS}/facets", f"{THINGS}/aggregate"
FIELDS = ("id", "year:year", "value:number", "known:boolean", "day:date", "items:array", "parent", "note")
ROWS = [
    ["a", "2004", "2.5", "true", "2004-02-29", "[1]", "x", "Mexico bought arms"],
    ["b", "2006", "", "", "", "", "", "iraq"],
]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    """Two rows of eight types; `parent` leads to another table; `as_of` is a field of a third."""
    keys = [{"fields": ["parent"], "reference": {"resource": "parents", "fields": ["id"]}}]
    things = table("things", FIELDS, ROWS, foreignKeys=keys)
    dated = table("dated", ["id", "as_of:date"], [["a", "2011-04-16"]])
    folder = tmp_path_factory.mktemp("hints")
    return served(
        folder, things, table("parents", ["id", "unit"], [["x", "kg"]]), dated, created="2026-03-01T00:00:00Z"
    )


def entry(client: FlaskClient, address: str, query: str) -> dict[str, str]:
    """The one entry of errors[] for a question that is refused."""
    path, _, rest = address.partition("?")
    body = problem(client, f"{path}?{'&'.join(filter(None, [rest, query]))}")
    (found,) = body["errors"]
    return dict(found)


def example(found: dict[str, str]) -> str:
    """What stands behind the colon of a hint."""
    return found.get("hint", "").rpartition(": ")[2] if ": " in found.get("hint", "") else ""


def follow(client: FlaskClient, address: str, query: str) -> str:
    """Ask as the answer to a wrong question suggests: the address that is then asked, which must be answered."""
    found = entry(client, address, query)
    meant, (path, _, rest) = example(found), address.partition("?")
    if meant.startswith("/"):
        to = meant
    else:
        value = query.partition("=")[2]
        if not meant and "did_you_mean" in found:
            meant = f"{quote(found['did_you_mean'])}={value}"
        instead = {name for name, _ in parse_qsl(meant, keep_blank_values=True)}
        kept = urlencode([pair for pair in parse_qsl(rest) if pair[0] not in instead])
        to = f"{path}?{'&'.join(filter(None, [kept, meant]))}"
    assert "hint" in found or "did_you_mean" in found, query
    response = client.get(to)
    assert response.status_code == 200, (query, found, to, response.get_data(as_text=True))
    return to


def is_unknown(client: FlaskClient, address: str, query: str) -> bool:
    response = client.get(f"{address}{'&' if '?' in address else '?'}{query}")
    return response.status_code == 400 and response.get_json()["type"] == "/problems/unknown-parameter"


ASKED = [
    # pages
    ("page=2", None, "limit=1000"),
    ("offset=100", None, "limit=1000"),
    ("$offset=100", None, "limit=1000"),
    ("page[number]=2", None, "limit=1000"),
    ("page[size]=5", "limit", "limit=5"),
    ("per_page=50", "limit", "limit=50"),
    ("pagesize=50", "limit", "limit=50"),
    ("pageSize=5000", "limit", "limit=10"),
    ("$top=3", "limit", "limit=3"),
    ("rows=3", "limit", "limit=3"),
    # formats
    ("format=csv", None, f"{RECORDS}.csv"),
    ("_format=xlsx", None, f"{RECORDS}.xlsx"),
    ("f=pjson", None, f"{RECORDS}.csv"),
    ("output=ndjson", None, f"{RECORDS}.jsonl"),
    # sorts
    ("order=year", "sort", "sort=year"),
    ("order=year.desc", "sort", "sort=-year"),
    ("$orderby=year desc", "sort", "sort=-year"),
    ("ordering=-year,id", "sort", "sort=-year,id"),
    ("order=desc", "sort", "sort=-id"),
    ("_sort_desc=year", "sort", "sort=-year"),
    ("direction=asc", "sort", "sort=id"),
    # fields, text, keys
    ("select=id,year", "fields", "fields=id,year"),
    ("$select=nothing", "fields", "fields=id"),
    ("_col=value", "fields", "fields=value"),
    ("fields[things]=id", "fields", "fields=id"),
    ("_nocol=value", None, "fields=value"),
    ("search=mexico", "q", "q=mexico"),
    ("_search=mexico", "q", "q=mexico"),
    ("keyword=arms deal", "q", "q=arms%20deal"),
    ("include=parent", "expand", "expand=parent"),
    ("populate=*", "expand", "expand=parent"),
    # counts and groups
    ("$count=true", None, "limit=1"),
    ("distinct=year", None, f"{FACETS}?facet=year"),
    ("_facet=year", None, f"{FACETS}?facet=year"),
    ("group_by=year", None, f"{AGGREGATE}?group_by=year"),
    ("measure=sum:value", None, f"{AGGREGATE}?measure=count"),
    ("random=1", None, f"{RECORDS}.csv"),
    # conditions
    ("$where=year > 2005", None, "year__gt=2005"),
    ("$filter=year ge 2005 and known eq true", None, "year__gte=2005&known=true"),
    ('filters={"year": 2006}', None, "year=2006"),
    ("filter=", None, "year__gte=2007"),
    ("and=(year.gte.2004,year.lte.2006)", None, "year__gte=2004&year__lte=2006"),
    ("not=(year.eq.2004)", None, "year__ne=2004"),
    ("year[gte]=2005", "year__gte", "year__gte=2005"),
    ("filter[year]=2005", "year", "year=2005"),
    ("filter[year][gte]=2005", "year__gte", "year__gte=2005"),
    ("filter[year][$lt]=2005", "year__lt", "year__lt=2005"),
    ("year_gte=2005", "year__gte", "year__gte=2005"),
    ("min_year=2005", "year__gte", "year__gte=2005"),
    ("max_year=2005", "year__lte", "year__lte=2005"),
    ("year_from=2005", "year__gte", "year__gte=2005"),
    ("year>2005", "year__gt", "year__gt=2005"),
    ("year>=2005", "year__gte", "year__gte=2005"),
    ("year!=2005", "year__ne", "year__ne=2005"),
    ("year.gte=2005", "year__gte", "year__gte=2005"),
    ("year__ge=2005", "year__gte", "year__gte=2005"),
    ("year__neq=2005", "year__ne", "year__ne=2005"),
    ("year__not=2005", "year__ne", "year__ne=2005"),
    ("year__nin=2005,2006", "year__not_in", "year__not_in=2005,2006"),
    ("year__exact=2005", "year", "year=2005"),
    ("note__like=%25mex%25", "note__contains", "note__contains=mex"),
    ("note__ilike=mex*", "note__contains", "note__contains=mex"),
    ("note__icontains=mex", "note__contains", "note__contains=mex"),
    ("note__regex=^mex", "note__contains", "note__contains=mex"),
    ("note__istartswith=mex", "note__startswith", "note__startswith=mex"),
    ("year__range=2004,2006", "year__between", "year__between=2004,2006"),
    ("note__not_icontains=x", "note__not_contains", "note__not_contains=x"),
    ("note__iendswith=x", "note__endswith", "note__endswith=x"),
    ("note__ieq=IRAQ", "note__iexact", "note__iexact=IRAQ"),
    ("parent__unit=kg", "parent.unit", "parent.unit=kg"),
    ("parent__unit__ne=kg", "parent.unit__ne", "parent.unit__ne=kg"),
    ("year__null=1", "year__isnull", "year__isnull=true"),
    ("year__isnotnull=1", "year__isnull", "year__isnull=false"),
    ("day__date=2004-02-29", "day", "day=2004-02-29"),
    ("start_date=2005", None, "year__gte=2005"),
    ("endPeriod=2005", None, "year__lte=2005"),
    # what is not needed
    ("api_key=secret", None, ""),
    ("callback=f", None, ""),
    ("_=1700000000", None, ""),
    ("utm_campaign=x", None, ""),
    ("pretty=1", None, ""),
    ("resource_id=x", None, "/v1/datasets"),
    # letters come last, and what differs in case first
    ("YEAR=2004", "year", ""),
    ("Limit=5", "limit", ""),
    ("yaer=2004", "year", ""),
    ("yaer__gte=2004", "year__gte", ""),
    ("YEAR__GTE=2004", "year__gte", ""),
    ("year__get=2004", "year__gt", ""),
]


@pytest.mark.parametrize(("query", "near", "said"), ASKED, ids=[query for query, *_ in ASKED])
def test_a_word_of_another_api_is_told_how_it_is_said_here(
    small: FlaskClient, query: str, near: str | None, said: str
) -> None:
    query = re.sub('[ ^{}"<>]', lambda match: quote(match[0]), query)
    found = entry(small, RECORDS, query)
    assert (found["reason"], found.get("did_you_mean"), example(found)) == ("unknown", near, said)
    follow(small, RECORDS, query)


@pytest.mark.parametrize("word", [word for one in WORDS["words"] for word in one["words"]])
def test_the_hint_of_every_known_word_works(small: FlaskClient, word: str) -> None:
    if is_unknown(small, RECORDS, f"{quote(word)}=1"):  # some are parameters or fields here
        follow(small, RECORDS, f"{quote(word)}=1")


ELSEWHERE = [
    *(f"{FACETS}?facet=id", AGGREGATE, f"{AGGREGATE}?group_by=year&measure=sum:value", f"{RECORDS}/a", THINGS),
    *(
        f"{THINGS}/schema",
        "/v1/search?q=mexico",
        "/v1/changes",
        "/v1/datasets",
        "/v1/releases",
        "/v1/",
        "/openapi.json",
    ),
]


@pytest.mark.parametrize("address", ELSEWHERE)
@pytest.mark.parametrize("word", [one["words"][0] for one in WORDS["words"]] + ["year", "year[gte]", "zzz", "sum"])
def test_hints_work_at_the_address_that_was_asked(small: FlaskClient, address: str, word: str) -> None:
    if is_unknown(small, address, f"{quote(word)}=2004"):
        follow(small, address, f"{quote(word)}=2004")


def test_no_word_has_two_meanings() -> None:
    letters = [{re.sub("[^a-z0-9]", "", word.lower()) for word in one["words"]} for one in WORDS["words"]]
    every = [word for words in letters for word in words]
    assert len(every) > 500 and len(every) == len(set(every))


def test_a_hint_names_no_parameter_that_the_address_has_not(small: FlaskClient) -> None:
    found = entry(small, f"{RECORDS}/a", "year=2007")
    assert found == {
        "parameter": "year",
        "reason": "unknown",
        "hint": f"filters are for the list of rows: {RECORDS}?year=2007",
    }
    assert "did_you_mean" not in entry(small, f"{FACETS}?facet=id", "cursor=x")
    assert entry(small, "/v1/releases", "limit=1").keys() == {"parameter", "reason", "hint"}


def test_a_hint_is_never_the_opposite(small: FlaskClient) -> None:
    for word in ("note__not_contain", "note__doesnotcontain", "note__notlike", "note__nlike"):
        near = entry(small, RECORDS, f"{word}=x").get("did_you_mean", "")
        assert "__n" in near or not near, (word, near)


def test_an_operator_that_the_type_has_not_says_what_it_is_for(small: FlaskClient) -> None:
    found = entry(small, RECORDS, "year__contains=20")
    assert found["reason"] == "contains is for text and lists"
    assert found["hint"] == "year has eq, ne, lt, lte, gt, gte, between, in, not_in, isnull: year__gte=2007"
    assert entry(small, RECORDS, "known__lt=true")["reason"] == "lt is for what has an order"


def test_one_answer_names_unknown_parameters_and_wrong_values(small: FlaskClient) -> None:
    body = problem(small, f"{RECORDS}?per_page=1&limit=0&year=abc")
    assert body["type"] == "/problems/unknown-parameter"
    assert [one["parameter"] for one in body["errors"]] == ["per_page", "limit", "year"]


VALUES = [
    ("limit=all", "expected 1 to 1000", None, f"{RECORDS}.csv"),
    ("limit=-1", "expected 1 to 1000", None, f"{RECORDS}.csv"),
    ("limit=0", "expected 1 to 1000", None, f"{RECORDS}.csv"),
    ("limit=5000", "expected 1 to 1000", None, f"{RECORDS}.csv"),
    ("q=", "expected words to search for, 1 to 500 characters", None, ""),
    ("cursor=", "expected what links.next of the page before holds", None, ""),
    ("version=", "expected a version", None, "/v1/releases"),
    ("sort=year desc", "'year desc' is not a field that can be used here", "-year", "sort=-year"),
    ("sort=year:desc", "'year:desc' is not a field that can be used here", "-year", "sort=-year"),
    ("sort=year.desc", "'year.desc' is not a field that can be used here", "-year", "sort=-year"),
    ("sort=desc(year)", "'desc(year)' is not a field that can be used here", "-year", "sort=-year"),
    ("sort=year,desc", "'desc' is not a field that can be used here", "-year", "sort=-year"),
    ("sort=%2Byear", "'+year' is not a field that can be used here", "year", "sort=year"),
    ("sort=YEAR", "'YEAR' is not a field that can be used here", "year", "sort=year"),
    ("sort=zzz", "'zzz' is not a field that can be used here", None, "sort=id"),
    ("fields=*", "'*' is not a field that can be used here", None, ""),
    ("fields=zzz", "'zzz' is not a field that can be used here", None, "fields=id"),
    ("fields=ID", "'ID' is not a field that can be used here", "id", "fields=id"),
    ("expand=zzz", "'zzz' is not a field that can be used here", None, "expand=parent"),
    ("year=gte.2005", "'gte.2005' is not a year, such as 2007", "year__gte", "year__gte=2005"),
    ("year=eq.2005", "'eq.2005' is not a year, such as 2007", None, "year=2005"),
    ("year=>2005", "'>2005' is not a year, such as 2007", "year__gt", "year__gt=2005"),
    (
        "year=not.in.(2004,2005)",
        "'not.in.(2004,2005)' is not a year, such as 2007",
        "year__not_in",
        "year__not_in=2004,2005",
    ),
    ("year=is.null", "'is.null' is not a year, such as 2007", "year__isnull", "year__isnull=true"),
    ("year=null", "'null' is not a year, such as 2007", "year__isnull", "year__isnull=true"),
    ("year=2004,2006", "'2004,2006' is not a year, such as 2007", "year__in", "year__in=2004,2006"),
    ("year=abc", "'abc' is not a year, such as 2007", None, "year=2007"),
    ("year=2004..2006", "'2004..2006' is not a year, such as 2007", "year__between", "year__between=2004,2006"),
    (
        "day=2004",
        "'2004' is not a date, such as 2007-10-01",
        "day__between",
        "day__between=2004-01-01,2004-12-31",
    ),
    ("year=", "'' is not a year, such as 2007", None, "year__isnull=true"),
    (
        "or=(year.eq.2004,note.eq.iraq)",
        "expected field=value or field__operator=value, found '(year.eq.2004,note.eq.iraq)'; one condition each time",
        None,
        "or=year=2004&or=note=iraq",
    ),
    (
        "where=year > 2005",
        "expected field=value or field__operator=value, found 'year > 2005'; one condition each time",
        None,
        "year__gt=2005",
    ),
    ("known=yes", "'yes' is not true or false", None, "known=true"),
]


@pytest.mark.parametrize(("query", "reason", "near", "said"), VALUES, ids=[query for query, *_ in VALUES])
def test_a_wrong_value_is_told_what_would_work(
    small: FlaskClient, query: str, reason: str, near: str | None, said: str
) -> None:
    query = query.replace(" ", "%20")
    found = entry(small, RECORDS, query)
    assert (found["reason"], found.get("did_you_mean"), example(found)) == (reason, near, said)
    if said:
        follow(small, RECORDS, query)


def test_a_value_outside_an_enum_is_told_the_nearest_or_how_several_are_asked(tmp_path: Path) -> None:
    things = table("things", ["id", "standing"], [["a", "preferred"], ["b", "disputed"]])
    things["schema"]["fields"][1]["constraints"] = {"enum": ["preferred", "disputed"]}
    client = served(tmp_path, things)
    assert entry(client, RECORDS, "standing=Preferred")["did_you_mean"] == "preferred"
    for query in ("standing=preferred,disputed", "standing=in.(preferred,disputed)"):
        assert entry(client, RECORDS, query)["did_you_mean"] == "standing__in"
        assert follow(client, RECORDS, query) == f"{RECORDS}?standing__in=preferred,disputed"


def test_what_can_be_used_is_listed_up_to_a_dozen(tmp_path: Path) -> None:
    wide = table("wide", [f"field {n}" for n in range(14)], [["x"] * 14])
    found = entry(served(tmp_path, wide), "/v1/datasets/wide/records", "sort=zzz")
    listed = ", ".join(f"field {n}" for n in range(12))
    assert found["hint"] == f"usable here are {listed}, …: sort=field%200"


def test_measures_of_other_apis_are_told_how_they_are_said(small: FlaskClient) -> None:
    for text, meant in {"sum(value)": "sum:value", "value.mean()": "avg:value", "MAX value": "max:value"}.items():
        found = entry(small, AGGREGATE, f"measure={quote(text)}")
        assert (found["did_you_mean"], example(found)) == (meant, f"measure={meant.replace(':', ':')}")
    assert example(entry(small, AGGREGATE, "measure=zzz")) == "measure=count"


def test_a_comma_in_a_name_is_escaped_in_hints(tmp_path: Path) -> None:
    client = served(tmp_path, table("things", ["a,b", "c"], [["1", "2"]]))
    for query in ("select=zzz", "order=zzz", "distinct=1", "sort=zzz", "sort=A%2CB%20desc", "fields=zzz", "group_by=1"):
        assert "a%2Cb" in example(entry(client, RECORDS, query)), query
        follow(client, RECORDS, query)


ODD = ("the year:year", "a.b:number", "x,y", "größe", "year__gte:year", "limit:integer", "Page", "数")


def test_fields_of_any_name_have_hints_that_work(tmp_path: Path) -> None:
    """Names with spaces, dots, commas and letters of any script, in a table without a key."""
    odd = table("odd näme/x", ODD, [["2004", "1", "p", "q", "2005", "3", "r", "s"]])
    odd["path"] = "data/odd.csv"
    del odd["schema"]["primaryKey"]
    client, records = served(tmp_path, odd), f"/v1/datasets/{quote('odd näme/x', safe='')}/records"
    asked = {
        "the year[gte]=2000": "the%20year__gte=2000",
        "min_the year=2000": "the%20year__gte=2000",
        "filter[a.b][gt]=0": "a.b__gt=0",
        "a.b.gt=0": "a.b__gt=0",
        "x,y__like=p": "x%2Cy__contains=p",
        "größe__icontains=Q": "gr%C3%B6%C3%9Fe__contains=Q",
        "数[ne]=1": "%E6%95%B0__ne=1",
        "year__gte[lt]=2010": "year__gte__lt=2010",
        "order_by=x,y": "sort=-the%20year",
        "order_by=a.b desc": "sort=-a.b",
        "group_by=größe": f"{records[:-8]}/aggregate?group_by=gr%C3%B6%C3%9Fe",
        "format=csv": f"{records}.csv",
        "per_page=2": "limit=2",
        "zzzzz=1": "the%20year__gte=2007",
    }
    for query, said in asked.items():
        written = "&".join(f"{quote(name)}={quote(value)}" for name, value in [query.split("=", 1)])
        assert (query, example(entry(client, records, written)).replace(":", "%3A")) == (query, said)
        follow(client, records, written)
    assert entry(client, records, "page=1")["did_you_mean"] == "Page"
    assert answer(client, f"{records}?Page=r")["meta"]["count"] == 1


# What is not there


NO_VALUE = "no row has such a value:"
NEAREST = {
    "/v1/datasets/": "/v1/datasets",
    "/v1/things": THINGS,
    "/things": THINGS,
    "/datasets": "/v1/datasets",
    "/api": "/v1/",
    "/api/v2/datasets/things": THINGS,
    "/swagger": "/docs/",
    "/swagger.json": "/openapi.json",
    "/v2/datasets/things/records": RECORDS,
    f"{RECORDS}/": RECORDS,
    f"{THINGS}/record/a": f"{RECORDS}/a",
    f"{THINGS}/a": f"{RECORDS}/a",
    f"{THINGS}/rows": RECORDS,
    f"{THINGS}.csv": f"{RECORDS}.csv",
    "/v1/datasets/thing/facets": FACETS,
    "/v1/releases/": "/v1/releases",
    "/v1/release/1.0.0": "/v1/releases/1.0.0",
    "/nothing": None,
}


@pytest.mark.parametrize("path", NEAREST)
def test_an_address_that_is_not_there_leads_to_the_nearest_that_is(small: FlaskClient, path: str) -> None:
    body = problem(small, path)
    assert (body["status"], body["links"].get("nearest")) == (404, NEAREST[path])
    for link in body["links"].values():
        assert small.get(link).status_code in (200, 400), link  # facets ask for a field


def test_a_release_that_is_not_there_leads_to_those_that_are(tmp_path: Path) -> None:
    store = tmp_path / "store"
    for version, rows in {"1.0.0": [["a"], ["b"]], "1.1.0": [["a"], ["c"]], "2.0.0": [["a"]]}.items():
        package = write(tmp_path / version, table("things", ["id"], rows), version=version)
        build(package, store)
    client = app_of(store).test_client()
    asked = {"v1.1.0": "1.1.0", "1.1": "1.1.0", "1": "1.1.0", "v2": "2.0.0", "9.9.9": None, "latest": None}
    for version, meant in asked.items():
        paths = [f"{RECORDS}?version={version}", f"/releases/{version}/manifest.json"]
        for path in paths[: 1 if version == "latest" else 2]:  # the file of the latest release has an address
            body = problem(client, path)
            assert (body["status"], body.get("did_you_mean")) == (404, meant), path
            assert f"there is no release {version}; there are 2.0.0, 1.1.0, 1.0.0" in body["detail"]
    assert problem(client, f"{RECORDS}?version=latest")["detail"].endswith("is what is asked without a version")
    body = problem(client, f"{RECORDS}/b")
    assert (body["versions"], body["detail"]) == (
        ["1.0.0"],
        f"There is no row 'b' in 'things'. It is in 1.0.0: {RECORDS}/b?version=1.0.0",
    )
    assert client.get(f"{RECORDS}/b?version=1.0.0").status_code == 200
    assert "versions" not in problem(client, f"{RECORDS}/zzz")


def test_a_day_that_is_meant_as_a_filter_leads_to_it(small: FlaskClient) -> None:
    path = "/v1/datasets/dated/records?as_of"
    body = problem(small, f"{path}=2011-04-16")
    assert body["detail"].endswith(f"the field as_of is filtered by {path}__eq=2011-04-16")
    assert answer(small, f"{path}__eq=2011-04-16")["meta"]["count"] == 1


# Empty answers


EMPTY: dict[str, list[dict[str, Any]]] = {
    "note=Iraq": [{"parameter": "note", "reason": "no row has this value", "did_you_mean": "iraq"}],
    "note=zzz": [{"parameter": "note", "reason": "no row has this value: they are Mexico bought arms, iraq"}],
    "note__eq=irak": [{"parameter": "note__eq", "reason": "no row has this value", "did_you_mean": "iraq"}],
    "note=eq.iraq": [
        {"parameter": "note", "reason": "no row has this value; an operator is part of the name: note=iraq"}
    ],
    "note=iraq,x": [
        {"parameter": "note", "reason": "no row has this value; an operator is part of the name: note__in=iraq,x"}
    ],
    "note__contains=zzz": [{"parameter": "note__contains", "reason": "no row has such a text"}],
    "year=1999": [{"parameter": "year", "reason": "no row has such a value: they go from 2004 to 2006"}],
    "day__gt=2020-01-01": [
        {"parameter": "day__gt", "reason": "no row has such a value: they go from 2004-02-29 to 2004-02-29"}
    ],
    "id__isnull=true": [{"parameter": "id__isnull", "reason": "every row has a value"}],
    "year=2004&note=iraq": [
        {"parameter": name, "reason": "rows have this, but none of the 1 that the other conditions select"}
        for name in ("note", "year")
    ],
    "q=mexico iraq&year=2004": [
        {"parameter": "q", "reason": "no row has all of this"},
    ],
    "or=year=1999&or=note=zzz": [{"parameter": "or", "reason": "no row meets this"}],
    "parent.unit=zzz": [{"parameter": "parent.unit", "reason": "no row meets this"}],
    "year__between=2005,2005": [
        {
            "parameter": "year__between",
            "reason": f"{NO_VALUE} they go from 2004 to 2006, and the least of two comes first",
        }
    ],
    "q=zzz": [{"parameter": "q", "reason": "no row has the word 'zzz'; a star ends the beginning of one"}],
    "q=mexico OR zzz": [
        {"parameter": "q", "reason": "there is no OR: each word must occur, so ask for each by itself"}
    ],
    "q=NOT zzz": [{"parameter": "q", "reason": "there is no NOT: each word must occur"}],
    "q=*": [{"parameter": "q", "reason": "a star stands only at the end of the beginning of a word"}],
    "q=-zzz": [{"parameter": "q", "reason": "a minus sign excludes nothing: each word must occur"}],
    'q="mexico zzz': [{"parameter": "q", "reason": "a phrase ends with a second quotation mark"}],
    "q=value:240": [{"parameter": "q", "reason": "fields are no part of q but filters: value=240"}],
}


@pytest.mark.parametrize("query", EMPTY)
def test_an_empty_answer_says_why(small: FlaskClient, query: str) -> None:
    body = answer(small, f"{RECORDS}?{quote(query, safe='=&')}")
    assert (body["data"], body["meta"]["hints"]) == ([], EMPTY[query])


def test_facets_groups_and_search_say_why_too(small: FlaskClient) -> None:
    for path in (f"{FACETS}?facet=id&", f"{AGGREGATE}?group_by=year&", f"{AGGREGATE}?"):
        assert answer(small, f"{path}note=Iraq")["meta"]["hints"] == EMPTY["note=Iraq"]
    assert answer(small, "/v1/search?q=mexico+OR+zzz")["meta"]["hints"] == EMPTY["q=mexico OR zzz"]


def test_an_answer_with_rows_has_no_hints(small: FlaskClient) -> None:
    for path in (RECORDS, f"{FACETS}?facet=id", AGGREGATE, f"{AGGREGATE}?group_by=id", "/v1/search?q=mexico"):
        assert "hints" not in answer(small, path)["meta"]
