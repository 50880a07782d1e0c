"""Facets, aggregates and honest sums, search, foreign keys as objects, conflicts and corrections."""

import csv
import json
import re
import statistics
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import plainly
import pytest
from conftest import PACKAGE
from flask.testing import FlaskClient
from packages import table
from plainly import Row
from served import all_rows, answer, parameter, problem, rows_path, served

from api.release.build import BuildError

FUNCTIONS = ("count", "sum", "avg", "min", "max", "median")
FIELDS = {
    **{"id": "integer", "kind": "string", "known": "boolean", "day": "date", "year": "year", "amount": "number"},
    **{"whole": "integer", "exact": "number", "beyond": "integer", "double": "number", "none": "number"},
}
KINDS = ("a", "A", "a,b", "é", "", "x y")
WHOLES = ("9223372036854775807", "9223372036854775806", "-9223372036854775808", "9007199254740993", "1", "", "3")
EXACTS = ("12345678901234567890.12", "0.01", "-12345678901234567890.11", "", "1000000000000000000000.5")
BEYONDS = ("123456789012345678901234567890", "-1", "", "18446744073709551617")
DOUBLES = ("0.30000000000000004", "1e-9", "", "2.5", "123456.789012345678")
AMOUNTS = ("0.1", "0.2", "0.7", "", "-1.05", "1234567.89", "3")
LARGE = 6_000


def cells(rows: int) -> list[list[str]]:
    """Rows in which every pair of values of the grouping fields occurs."""
    return [
        [
            *(str(n), KINDS[n % 6], ("true", "false", "")[n % 3], ("2004-02-29", "1999-12-31", "")[n % 5 % 3]),
            *(("2004", "1999", "")[n % 4 % 3], AMOUNTS[n % 7], WHOLES[n % 7] if rows < LARGE else str(n)),
            *(EXACTS[n % 5], BEYONDS[n % 4], DOUBLES[n % 5], ""),
        ]
        for n in range(rows)
    ]


def made(name: str, rows: int) -> dict[str, Any]:
    return table(name, [f"{field}:{kind}" for field, kind in FIELDS.items()], cells(rows))


SMALL, ROLLED = 97, LARGE
DATA: dict[str, list[Row]] = {
    name: plainly.means(FIELDS, [dict(zip(FIELDS, row, strict=True)) for row in cells(rows)])
    for name, rows in (("small", SMALL), ("rolled", ROLLED))
}


@pytest.fixture(scope="module")
def served_tables(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    """A small table, one large enough for totals kept in advance, and one without rows."""
    empty = table("empty", ["id:integer", "kind", "amount:number"], [])
    counting = table("counting", ["count:integer", "sum:number", "limit"], [[1, "2.5", "x"], [2, "", "x"]])
    return served(tmp_path_factory.mktemp("groups"), made("small", SMALL), made("rolled", ROLLED), empty, counting)


def exact(client: FlaskClient, path: str) -> Any:
    response = client.get(path)
    assert response.status_code == 200, response.get_data(as_text=True)
    return json.loads(response.data, parse_float=Decimal, parse_int=Decimal)


# Facets


@pytest.mark.parametrize("name", ["small", "rolled"])
@pytest.mark.parametrize("field", [f for f in FIELDS if f != "id"])
@pytest.mark.parametrize("condition", ["", "kind__ne=a", "known=true", "day__isnull=false&kind__in=a,A"])
def test_a_facet_counts_each_value_most_frequent_first(
    served_tables: FlaskClient, name: str, field: str, condition: str
) -> None:
    keep = {
        "": lambda row: True,
        "kind__ne=a": lambda row: row["kind"] not in ("a", None),
        "known=true": lambda row: row["known"] is True,
        "day__isnull=false&kind__in=a,A": lambda row: row["day"] is not None and row["kind"] in ("a", "A"),
    }[condition]
    counts = Counter(plainly.shown(row)[field] for row in DATA[name] if keep(row))
    body = exact(served_tables, f"/v1/datasets/{name}/facets?facet={field}&limit=1000&{condition}")
    found = [(entry["value"], entry["count"]) for entry in body["data"][field]]
    assert body["meta"]["total"] == sum(counts.values()) > 0
    assert len(dict(found)) == len(found) == min(len(counts), 1000)
    assert dict(found).items() <= counts.items()
    assert [count for _, count in found] == sorted((count for _, count in found), reverse=True)


def test_several_facets_come_at_once_under_the_same_filters(served_tables: FlaskClient) -> None:
    body = answer(served_tables, "/v1/datasets/small/facets?facet=kind,known,year&known=true")
    assert list(body["data"]) == ["kind", "known", "year"]
    assert body["data"]["known"] == [{"value": True, "count": 33}]
    assert body["meta"]["count"] == 3
    assert all(sum(entry["count"] for entry in facet) == 33 for facet in body["data"].values())


def test_a_facet_says_when_it_was_cut_off(served_tables: FlaskClient) -> None:
    body = answer(served_tables, "/v1/datasets/small/facets?facet=kind,known&limit=3")
    assert [len(facet) for facet in body["data"].values()] == [3, 3]
    assert body["meta"]["more"] == {"kind": True, "known": False}


def test_a_facet_of_an_empty_table_is_empty(served_tables: FlaskClient) -> None:
    body = answer(served_tables, "/v1/datasets/empty/facets?facet=kind")
    assert (body["data"], body["meta"]["total"]) == ({"kind": []}, 0)


# Aggregates


def measured(rows: Iterable[Row], function: str, field: str) -> Any:
    """A measure in exact fractions; None without values."""
    present = [Fraction(row[field]) for row in rows if row[field] is not None]
    if not present:
        return None
    return {
        "sum": lambda: sum(present),
        "avg": lambda: sum(present) / len(present),
        "min": lambda: min(present),
        "max": lambda: max(present),
        "median": lambda: statistics.median(present),
    }[function]()


def agrees(found: Any, wanted: Any, function: str, field: str) -> bool:
    """Exact, but for what no decimal of 15 digits holds: averages, and doubles of 16 digits or more."""
    if found is None or wanted is None:
        return found is wanted
    exactly = function != "avg" and field != "double"
    return Fraction(found) == wanted if exactly else abs(Fraction(found) - wanted) <= abs(wanted) / 10**13


NUMERIC = ("amount", "whole", "exact", "beyond", "double", "none")
GROUPS = (
    (),
    ("kind",),
    ("known",),
    ("day",),
    ("year",),
    ("kind", "known"),
    ("known", "day", "year"),
    ("kind", "day", "known", "year"),
)


@pytest.mark.parametrize("name", ["small", "rolled"])
@pytest.mark.parametrize("groups", GROUPS, ids=",".join)
@pytest.mark.parametrize("field", NUMERIC)
def test_every_measure_of_every_group_is_that_of_plain_python(
    served_tables: FlaskClient, name: str, groups: tuple[str, ...], field: str
) -> None:
    held: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in DATA[name]:
        held[tuple(plainly.shown(row)[group] for group in groups)].append(row)
    measures = [f"{function}:{field}" for function in FUNCTIONS[1:]]
    by = f"group_by={','.join(groups)}&" if groups else ""
    body = exact(served_tables, f"/v1/datasets/{name}/aggregate?{by}measure=count,{','.join(measures)}&limit=1000")
    assert body["meta"]["count"] == len(body["data"]) == len(held)
    assert body["meta"]["more"] is False
    for entry in body["data"]:
        rows = held.pop(tuple(entry[group] for group in groups))
        assert list(entry) == [*groups, "count", *measures]
        assert entry["count"] == len(rows)
        for function in FUNCTIONS[1:]:
            wanted = measured(rows, function, field)
            assert agrees(entry[f"{function}:{field}"], wanted, function, field), (entry, function, wanted)
    assert held == {}


@pytest.mark.parametrize("name", ["small", "rolled"])
def test_groups_come_in_the_order_of_their_values_nulls_last(served_tables: FlaskClient, name: str) -> None:
    found = answer(served_tables, f"/v1/datasets/{name}/aggregate?group_by=known,kind")["data"]
    kinds = [*sorted(kind for kind in KINDS if kind), None]
    assert [(entry["known"], entry["kind"]) for entry in found] == [
        (known, kind)
        for known in (False, True, None)
        for kind in kinds
        if any((row["known"], row["kind"]) == (known, kind) for row in DATA[name])
    ]


@pytest.mark.parametrize("name", ["small", "rolled"])
@pytest.mark.parametrize(
    "measure",
    ["count", "sum:amount", "min:amount", "max:whole", "median:amount", "sum:exact", "avg:amount", "median:exact"],
)
@pytest.mark.parametrize("down", [False, True])
def test_groups_are_sorted_by_any_measure_nulls_last(
    served_tables: FlaskClient, name: str, measure: str, down: bool
) -> None:
    sign = "-" if down else ""
    body = exact(
        served_tables, f"/v1/datasets/{name}/aggregate?group_by=kind,day&measure={measure}&sort={sign}{measure},kind"
    )
    found = [entry[measure] for entry in body["data"]]
    valued = [value for value in found if value is not None]
    assert valued == sorted(valued, reverse=down)
    assert found == valued + [None] * (len(found) - len(valued))


def test_groups_are_sorted_by_several_keys_and_cut_off_openly(served_tables: FlaskClient) -> None:
    path = "/v1/datasets/small/aggregate?group_by=kind,known&measure=count&sort=-known,count,-kind"
    whole = answer(served_tables, path)
    assert whole["meta"]["more"] is False
    part = answer(served_tables, f"{path}&limit=4")
    assert part["data"] == whole["data"][:4]
    assert (part["meta"]["count"], part["meta"]["more"]) == (4, True)


def test_rows_without_a_value_are_counted_beside_a_measure(served_tables: FlaskClient) -> None:
    body = answer(served_tables, "/v1/datasets/small/aggregate?measure=sum:amount,count&known=true")
    rows = [row for row in DATA["small"] if row["known"] is True]
    assert body["meta"]["rows_without_value"] == {"amount": sum(row["amount"] is None for row in rows)}


def test_nothing_adds_up_to_null_and_counts_as_nought(served_tables: FlaskClient) -> None:
    for path in ("/v1/datasets/empty/aggregate?", "/v1/datasets/small/aggregate?id=-1&"):
        measures = ",".join(f"{function}:amount" for function in FUNCTIONS[1:])
        [entry] = answer(served_tables, f"{path}measure=count,{measures}")["data"]
        assert entry == {"count": 0, **{name: None for name in measures.split(",")}}
        assert answer(served_tables, f"{path}group_by=kind")["data"] == []


def test_a_group_and_a_measure_of_one_name_are_refused(served_tables: FlaskClient) -> None:
    """One would hide the other in a JSON object."""
    body = problem(served_tables, "/v1/datasets/counting/aggregate?group_by=count")
    assert (body["type"], body["errors"][0]["parameter"]) == ("/problems/invalid-parameter", "measure")
    found = answer(served_tables, "/v1/datasets/counting/aggregate?group_by=count&measure=sum:sum")["data"]
    assert found == [{"count": 1, "sum:sum": 2.5}, {"count": 2, "sum:sum": None}]
    assert answer(served_tables, "/v1/datasets/counting/aggregate?group_by=limit")["data"] == [
        {"limit": "x", "count": 2}
    ]


def test_filters_of_every_kind_work_on_groups(served_tables: FlaskClient) -> None:
    rows = [
        r
        for r in DATA["small"]
        if r["kind"] is not None and "a" in r["kind"].casefold() and (r["whole"] or 0) >= 2**63 - 2
    ]
    found = answer(
        served_tables,
        "/v1/datasets/small/aggregate?kind__contains=A&whole__gte=9223372036854775806&measure=count,sum:whole",
    )
    assert found["data"] == [{"count": len(rows), "sum:whole": sum(row["whole"] for row in rows)}]


# Honest sums


FIGURE = {"value": "value", "year": "year", "periodStart": "start", "periodEnd": "end"}
FIGURES = (
    "id",
    "indicator",
    "unit",
    "basis",
    "standing",
    "year:year",
    "start:date",
    "end:date",
    "value:number",
    "case",
)
INDICATORS = table("indicators", ["id", "additive"], [["guns", "yes"], ["share", "no"], ["money", "yes"]])
GOOD = ["guns", "pieces", "approved", "preferred"]
YEAR = {n: [str(n), f"{n}-01-01", f"{n}-12-31"] for n in range(2000, 2010)}
FISCAL = {n: [str(n), f"{n - 1}-10-01", f"{n}-09-30"] for n in range(2000, 2010)}
CASES: dict[str, tuple[list[list[str]], list[str]]] = {
    "one": ([[*GOOD, *YEAR[2000], "1"]], []),
    "years": ([[*GOOD, *YEAR[n], str(n)] for n in range(2000, 2006)], []),
    "adjacent": ([[*GOOD, *YEAR[2000], "1"], [*GOOD, "", "2001-01-01", "2001-01-01", "2"]], []),
    "units": ([[*GOOD, *YEAR[2000], "1"], ["guns", "tons", "approved", "preferred", *YEAR[2001], "2"]], ["unit"]),
    "bases": ([[*GOOD, *YEAR[2000], "1"], ["guns", "pieces", "shipped", "preferred", *YEAR[2001], "2"]], ["basis"]),
    "rivals": (
        [[*GOOD, *YEAR[2000], "1"], ["guns", "pieces", "approved", "alternative", *YEAR[2001], "2"]],
        ["standing"],
    ),
    "several": (
        [[*GOOD, *YEAR[2000], "1"], ["money", "USD", "shipped", "context", *YEAR[2000], "2"]],
        ["unit", "basis", "standing"],
    ),
    "null unit": ([[*GOOD, *YEAR[2000], "1"], ["guns", "", "approved", "preferred", *YEAR[2001], "2"]], ["unit"]),
    "no value": ([[*GOOD, *YEAR[2000], "1"], ["guns", "tons", "shipped", "context", *YEAR[2000], ""]], []),
    "overlap": ([[*GOOD, *YEAR[2001], "1"], [*GOOD, *FISCAL[2002], "2"]], ["start", "end"]),
    "one day": (
        [[*GOOD, "", "2000-01-01", "2000-12-31", "1"], [*GOOD, "", "2000-12-31", "2001-12-31", "2"]],
        ["start", "end"],
    ),
    "inside": (
        [[*GOOD, "", "2000-01-01", "2009-12-31", "1"], [*GOOD, *YEAR[2001], "2"], [*GOOD, *YEAR[2008], "2"]],
        ["start", "end"],
    ),
    "twice": ([[*GOOD, *YEAR[2000], "1"], [*GOOD, *YEAR[2000], "1"]], ["start", "end"]),
    "undated": ([[*GOOD, "", "", "", "1"], [*GOOD, *YEAR[2000], "2"]], ["start", "end"]),
    "undated years": ([[*GOOD, "2000", "", "", "1"], [*GOOD, "2001", "", "", "2"]], []),
    "undated same year": ([[*GOOD, "2000", "", "", "1"], [*GOOD, *YEAR[2000], "2"]], ["start", "end"]),
    "undated in a span": (
        [[*GOOD, "2005", "", "", "1"], [*GOOD, "", "2000-01-01", "2009-12-31", "2"]],
        ["start", "end"],
    ),
    "shares": ([["share", "share", "approved", "preferred", *YEAR[n], "0.5"] for n in (2000, 2001)], ["indicator"]),
    "one share": ([["share", "share", "approved", "preferred", *YEAR[2000], "0.5"]], []),
}


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    """Rows of several cases, each of which may or may not be added."""
    rows = [
        [f"{place}-{n}", *row, case]
        for place, (case, (found, _)) in enumerate(CASES.items())
        for n, row in enumerate(found)
    ]
    keys = [{"fields": ["indicator"], "reference": {"resource": "indicators", "fields": ["id"]}}]
    made = table("figures", FIGURES, rows, foreignKeys=keys, **{"lantern:figure": FIGURE})
    made["schema"]["fields"][8] |= {
        "lantern:additiveWithin": ["unit", "basis", "standing"],
        "lantern:additiveIf": {"through": "indicator", "resource": "indicators", "field": "additive", "equals": "yes"},
    }
    return served(tmp_path_factory.mktemp("figures"), made, INDICATORS)


SUMS = "/v1/datasets/figures/aggregate"


@pytest.mark.parametrize("function", ["sum", "avg"])
@pytest.mark.parametrize("case", CASES)
def test_what_is_no_part_of_one_whole_is_not_added(figures: FlaskClient, case: str, function: str) -> None:
    rows, fields = CASES[case]
    path = f"{SUMS}?{parameter('case', case)}&measure={function}:value"
    values = [Decimal(row[-1]) for row in rows if row[-1]]
    if not fields:
        wanted = sum(values) if function == "sum" else sum(values) / len(values)
        assert exact(figures, path)["data"] == [{f"{function}:value": wanted}]
        return
    body = problem(figures, path)
    assert (body["status"], body["type"]) == (409, "/problems/not-additive")
    assert [error["field"] for error in body["errors"]] == fields
    assert body["detail"] == f"{function}:value would mix figures that are not parts of one whole: {', '.join(fields)}."
    again = answer(figures, body["example"])
    assert sum(entry[f"{function}:value"] for entry in again["data"]) == pytest.approx(float(sum(values)))


def test_a_problem_says_what_varies_and_which_values_there_are(figures: FlaskClient) -> None:
    body = problem(figures, f"{SUMS}?case=several&measure=count,sum:value")
    assert body == {
        "type": "/problems/not-additive",
        "title": "These values must not be added",
        "status": 409,
        "detail": "sum:value would mix figures that are not parts of one whole: unit, basis, standing.",
        "instance": SUMS,
        "errors": [
            {"field": "unit", "reason": "varies", "found": ["USD", "pieces"]},
            {"field": "basis", "reason": "varies", "found": ["approved", "shipped"]},
            {"field": "standing", "reason": "varies", "found": ["context", "preferred"]},
        ],
        "example": f"{SUMS}?case=several&group_by=unit,basis,standing&measure=sum:value",
    }


@pytest.mark.parametrize("function", ["count", "min:value", "max:value", "median:value"])
def test_what_adds_nothing_is_never_refused(figures: FlaskClient, function: str) -> None:
    for case in CASES:
        assert len(answer(figures, f"{SUMS}?{parameter('case', case)}&measure={function}")["data"]) == 1


def test_groups_keep_apart_what_must_not_be_added(figures: FlaskClient) -> None:
    found = answer(figures, f"{SUMS}?case=several&group_by=unit,basis,standing&measure=sum:value")["data"]
    assert [entry["sum:value"] for entry in found] == [2, 1]
    assert problem(figures, f"{SUMS}?group_by=unit&measure=sum:value")["status"] == 409


def test_an_indicator_whose_values_never_add_is_refused_even_alone_in_its_group(figures: FlaskClient) -> None:
    body = problem(figures, f"{SUMS}?case=shares&group_by=indicator&measure=sum:value")
    assert body["errors"] == [{"field": "indicator", "reason": "its values must never be added", "found": ["share"]}]
    assert len(answer(figures, body["example"])["data"]) == 2


REAL = ("exports", "inquiries", "desertions", "vetting", "traces")
REAL_QUESTIONS = (
    *(
        "",
        "standing=preferred",
        "unit=USD",
        "year=2007",
        "year__gte=2004&year__lte=2007",
        "q=mexico",
        "source__contains=a",
    ),
    *(
        "standing=preferred&group_by=year",
        "group_by=indicator",
        "group_by=unit,standing",
        "group_by=year,indicator,standing",
    ),
    *("year__isnull=true", "group_by=source", "qualifier=exact&group_by=period_type"),
)


@pytest.mark.parametrize("dataset", REAL)
@pytest.mark.parametrize("function", ["sum", "avg"])
def test_every_refusal_of_the_real_package_names_fields_and_an_example_that_works(
    client: FlaskClient, dataset: str, function: str
) -> None:
    path = f"/v1/datasets/{dataset}/aggregate?measure={function}:value"
    responses = [client.get(f"{path}&{question}") for question in REAL_QUESTIONS]
    assert {409} <= {response.status_code for response in responses} <= {200, 409}
    names = {field["name"] for field in answer(client, f"/v1/datasets/{dataset}/schema")["fields"]}
    for body in (response.get_json() for response in responses if response.status_code == 409):
        assert set() < {error["field"] for error in body["errors"]} <= names, body["instance"]
        assert answer(client, body["example"])["data"], body["instance"]


@pytest.mark.parametrize("dataset", REAL)
def test_sums_of_the_real_package_mix_nothing(client: FlaskClient, dataset: str) -> None:
    """Each sum that is given, by a year's series, is of rows that agree in all that a sum must not mix."""
    schema = answer(client, f"/v1/datasets/{dataset}/schema")
    within = next(f for f in schema["fields"] if f["name"] == "value")["lantern:additiveWithin"]
    rows = [row for row in all_rows(client, rows_path(dataset, "limit=1000")) if row["value"] is not None]
    preferred = [row for row in rows if row["standing"] == "preferred"]
    added = set()
    for indicator in {row["indicator"] for row in preferred}:
        query = f"indicator={indicator}&standing=preferred&measure=sum:value,count"
        response = client.get(f"/v1/datasets/{dataset}/aggregate?{query}")
        mine = [row for row in preferred if row["indicator"] == indicator]
        if response.status_code == 200:
            added.add(indicator)
            assert all(len({row[name] for row in mine}) == 1 for name in within), indicator
            spans = sorted((row["period_start"], row["period_end"]) for row in mine if row["period_start"])
            assert all(a[1] < b[0] for a, b in zip(spans, spans[1:], strict=False)), indicator
            assert response.get_json()["data"][0]["sum:value"] == pytest.approx(sum(row["value"] for row in mine))
    assert added


def test_the_totals_that_were_published_come_out(client: FlaskClient) -> None:
    exports = "/v1/datasets/exports/aggregate?standing=preferred&indicator=dcs_value_approved&destination=MEX"
    found = answer(client, f"{exports}&year__gte=2004&year__lte=2007&measure=sum:value")
    assert found["data"] == [{"sum:value": 1033707439}]
    desertions = "/v1/datasets/desertions/aggregate?standing=preferred&indicator=desertions"
    found = answer(client, f"{desertions}&year__gte=2000&year__lte=2006&measure=sum:value")
    assert found["data"] == [{"sum:value": 123218}]
    by_year = answer(client, f"{exports}&group_by=year&measure=sum:value")["data"]
    assert [entry["year"] for entry in by_year] == list(range(1996, 2018))


# Search


TEXTS = {
    "a": "Calderón spoke in México",
    "b": "calderon MEXICO",
    "c": "Straße nach Zürich",
    "d": "arms AND ammunition OR NOT NEAR here",
    "e": "the drug trade in arms",
    "f": "arms trade",
    "g": "naïve façade, Ångström; 日本語 текст",
    "h": "col:value -minus ^caret (paren) 50% c++",
    "i": "",
    "j": "mexican-american e-mail o'neil",
}
SAYINGS = table("sayings", ["id", "text", "n:integer"], [[key, text, n] for n, (key, text) in enumerate(TEXTS.items())])
OTHERS = table("others", ["id", "note"], [[f"o{n}", f"Mexico {n}"] for n in range(30)])
NUMBERS_ONLY = table("numbers", ["id:integer"], [[1]])


@pytest.fixture(scope="module")
def sayings(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    return served(tmp_path_factory.mktemp("search"), SAYINGS, OTHERS, NUMBERS_ONLY)


def folded(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c)).lower()


def words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", folded(text))


@pytest.mark.parametrize(
    ("q", "found"),
    [
        *[("calderon", "ab"), ("Calderón", "ab"), ("CALDERÓN", "ab"), ("mexico", "ab"), ("méxico calderon", "ab")],
        *[
            ("straße", "c"),
            ("zurich", "c"),
            ("angstrom", "g"),
            ("FACADE", "g"),
            ("naive", "g"),
            ("日本語", "g"),
            ("ТЕКСТ", "g"),
        ],
        *[
            ("arms trade", "ef"),
            ('"arms trade"', "f"),
            ('"drug trade"', "e"),
            ('"trade arms"', ""),
            ('arms "drug trade"', "e"),
        ],
        *[("mex*", "abj"), ("mexic*", "abj"), ("cal* mex*", "ab"), ("zzz*", ""), ("*", ""), ("m*x", ""), ("mex", "")],
        *[
            ("AND", "d"),
            ("and", "d"),
            ("arms AND", "d"),
            ("arms OR trade", ""),
            ("NOT", "d"),
            ("NOT arms", "d"),
            ("NEAR", "d"),
        ],
        *[("NEAR(arms here)", ""), ("arms NOT trade", ""), ("col:value", "h"), ("text:calderon", ""), ("-minus", "h")],
        *[
            ("^caret", "h"),
            ("(paren)", "h"),
            ("50%", "h"),
            ("c++", "ch"),
            ('"', ""),
            ('"calderon', "ab"),
            ('cal"deron', ""),
        ],
        *[
            ("'", ""),
            ("--", ""),
            ("o'neil", "j"),
            ("e-mail", "j"),
            ("mexican american", "j"),
            ("{a b}", ""),
            ("a:b:c", ""),
        ],
        *[
            ('""', ""),
            ("+", ""),
            ("calderon  mexico", "ab"),
            ("\tcalderon\n", "ab"),
            ("_", ""),
            ("%", ""),
            ('"mex*"', ""),
        ],
    ],
)
def test_words_are_found_and_nothing_is_an_operator(sayings: FlaskClient, q: str, found: str) -> None:
    rows = answer(sayings, rows_path("sayings", parameter("q", q)))["data"]
    assert "".join(row["id"] for row in rows) == found
    hits = answer(sayings, f"/v1/search?{parameter('q', q)}&limit=1000")["data"]
    assert sorted(hit["record"]["id"] for hit in hits if hit["dataset"] == "sayings") == [*found]


def test_the_search_goes_over_all_tables_best_first(sayings: FlaskClient) -> None:
    body = answer(sayings, "/v1/search?q=mexico")
    assert body["meta"]["datasets"] == {"sayings": 2, "others": 30}
    assert (body["meta"]["count"], body["meta"]["total"], len(body["data"])) == (32, 32, 32)
    scores = [hit["score"] for hit in body["data"]]
    assert scores == sorted(scores, reverse=True)
    for hit in body["data"]:
        assert set(hit) == {"dataset", "score", "record", "links"}
        assert answer(sayings, hit["links"]["self"])["data"] == hit["record"]


@pytest.mark.parametrize("limit", [1, 3, 7, 31, 32, 1000])
def test_pages_of_the_search_do_not_overlap(sayings: FlaskClient, limit: int) -> None:
    hits = all_rows(sayings, f"/v1/search?q=mexico&limit={limit}")
    assert len(hits) == len({json.dumps(hit["record"]) for hit in hits}) == 32
    assert hits == answer(sayings, "/v1/search?q=mexico&limit=1000")["data"]


@pytest.mark.parametrize(
    "word", ["calderon", "mexico", "desertores", "arms", "blue lantern", "2007", "sedena", "licen*"]
)
def test_the_search_of_the_real_package_finds_what_plain_python_finds(client: FlaskClient, word: str) -> None:
    wanted = Counter()
    for path in sorted((PACKAGE / "data").glob("*.csv")):
        schema = answer(client, f"/v1/datasets/{path.stem}/schema")
        texts = [field["name"] for field in schema["fields"] if field["type"] == "string"]
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                there = {found for name in texts for found in words(row[name])}
                parts = word.split()
                wanted[path.stem] += all(
                    any(one.startswith(part[:-1]) for one in there) if part.endswith("*") else part in there
                    for part in parts
                )
    body = answer(client, f"/v1/search?{parameter('q', word)}&limit=1")
    assert body["meta"]["datasets"] == {name: count for name, count in wanted.items() if count} != {}


def test_text_and_filters_and_sorts_work_together(sayings: FlaskClient) -> None:
    rows = answer(sayings, rows_path("sayings", "q=arms&n__gte=4&sort=-n"))["data"]
    assert [row["id"] for row in rows] == ["f", "e"]


# Foreign keys as objects


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    """People whose parents are people, in a town; a table whose key is compound; a reference to no key."""
    people = table(
        *("people", ["id:integer", "parent:integer", "town", "street", "nick"]),
        [[1, "", "a,b", "x/y", "one"], [2, 1, "a,b", "x/y", ""], [3, 2, "", "", "one"]],
        foreignKeys=[
            {"fields": ["parent"], "reference": {"resource": "", "fields": ["id"]}},
            {"fields": ["town"], "reference": {"resource": "towns", "fields": ["name"]}},
            {"fields": ["town", "street"], "reference": {"resource": "streets", "fields": ["town", "name"]}},
        ],
    )
    towns = table("towns", ["name", "size:number"], [["a,b", "1.50"]])
    streets = table("streets", ["town", "name"], [["a,b", "x/y"]], primaryKey=["town", "name"])
    return served(tmp_path_factory.mktemp("family"), people, towns, streets)


ONE = {"id": 1, "parent": None, "town": "a,b", "street": "x/y", "nick": "one"}
TWO = {"id": 2, "parent": 1, "town": "a,b", "street": "x/y", "nick": None}
THREE = {"id": 3, "parent": 2, "town": None, "street": None, "nick": "one"}
TOWN = {"name": "a,b", "size": 1.5}


def test_a_foreign_key_is_given_as_the_row_it_names(family: FlaskClient) -> None:
    assert answer(family, rows_path("people", "expand=town"))["data"] == [
        {**ONE, "town": TOWN},
        {**TWO, "town": TOWN},
        THREE,
    ]
    both = answer(family, rows_path("people", "expand=parent,town&fields=id,parent,town"))["data"]
    assert both == [
        {"id": 1, "parent": None, "town": TOWN},
        {"id": 2, "parent": ONE, "town": TOWN},
        {"id": 3, "parent": TWO, "town": None},
    ]
    one = answer(family, f"{rows_path('people')}/2?expand=parent,town")
    assert one["data"] == {**TWO, "parent": ONE, "town": TOWN}
    lines = family.get(rows_path("people", "expand=town&fields=town,id", ".jsonl")).data.splitlines()
    assert [json.loads(line) for line in lines] == [
        {"town": TOWN, "id": 1},
        {"town": TOWN, "id": 2},
        {"town": None, "id": 3},
    ]


def test_only_keys_of_one_field_can_be_given_as_objects(family: FlaskClient) -> None:
    for name in ("street", "nick", "id"):
        assert problem(family, rows_path("people", f"expand={name}"))["errors"][0]["parameter"] == "expand"


def test_a_row_links_to_the_rows_it_names(family: FlaskClient) -> None:
    links = answer(family, f"{rows_path('people')}/2")["links"]
    assert (links["parent"], links["town"]) == ("/v1/datasets/people/records/1", "/v1/datasets/towns/records/a%2Cb")
    for name in ("parent", "town"):
        assert family.get(links[name]).status_code == 200
    assert "town" not in answer(family, f"{rows_path('people')}/3")["links"]
    assert answer(family, "/v1/datasets/streets/records/a%2Cb,x%2Fy")["data"] == {"town": "a,b", "name": "x/y"}


def test_sources_of_the_real_package_are_given_as_objects(client: FlaskClient) -> None:
    sources = {row["id"]: row for row in all_rows(client, rows_path("sources", "limit=1000"))}
    plain_rows = all_rows(client, rows_path("exports", "limit=1000"))
    expanded = all_rows(client, rows_path("exports", "limit=1000&expand=source"))
    assert expanded == [{**row, "source": sources[row["source"]]} for row in plain_rows]


# Conflicts and corrections


def test_conflicts_are_joined_with_their_positions_and_figures(client: FlaskClient) -> None:
    conflicts = all_rows(client, rows_path("conflicts", "limit=1000"))
    positions = all_rows(client, rows_path("conflict_positions", "limit=1000"))
    figures = {
        (name, row["id"]): row
        for name in {p["dataset"] for p in positions}
        for row in all_rows(client, rows_path(name, "limit=1000"))
    }
    expected = [
        {
            **conflict,
            "positions": [
                {**p, "figure": figures.get((p["dataset"], p["record"]))}
                for p in positions
                if p["conflict"] == conflict["id"]
            ],
        }
        for conflict in conflicts
    ]
    assert all_rows(client, "/v1/conflicts?limit=7") == expected
    joined = [position["figure"] for conflict in expected for position in conflict["positions"]]
    assert len(joined) == len(positions) > 0
    assert None not in joined


def test_conflicts_can_be_filtered_sorted_and_searched(client: FlaskClient) -> None:
    rows = answer(client, "/v1/conflicts?dataset=exports&sort=-id&limit=3")["data"]
    plain_rows = answer(client, rows_path("conflicts", "dataset=exports&sort=-id&limit=3"))["data"]
    assert [{k: v for k, v in row.items() if k != "positions"} for row in rows] == plain_rows
    assert problem(client, "/v1/conflicts?fields=id")["type"] == "/problems/unknown-parameter"


def test_a_row_in_conflict_says_so_on_every_page(client: FlaskClient) -> None:
    positions = all_rows(client, rows_path("conflict_positions", "limit=1000&dataset=exports"))
    of_row: dict[str, list[str]] = defaultdict(list)
    for position in positions:
        of_row[position["record"]].append(position["conflict"])
    for body in (answer(client, rows_path("exports", f"limit=200&sort={sort}")) for sort in ("id", "-year", "source")):
        wanted = {name for row in body["data"] for name in of_row[row["id"]]}
        included = {conflict["id"] for conflict in body.get("included", {}).get("conflicts", [])}
        assert included == wanted != set()


CORRECTIONS = ("id", "dataset", "record", "field", "old", "new", "kind", "reason", "date:date", "version")
CORRECTED = [
    ["c1", "things", "a", "v", "1", "2", "correction", "typing error", "2026-01-01", "1.0.0"],
    ["c2", "things", "gone,1", "", "", "", "retraction", "never happened", "2026-01-02", "1.0.0"],
    ["c3", "things", "back", "", "", "", "retraction", "was doubted", "2026-01-02", "1.0.0"],
    ["c4", "things", "back", "", "", "", "addition", "is certain now", "2026-01-03", "1.0.0"],
    ["c5", "things", "nowhere", "v", "1", "2", "correction", "of a row that is not there", "2026-01-01", "1.0.0"],
]


@pytest.fixture(scope="module")
def corrected(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    things = table("things", ["id", "v:number"], [["a", "2"], ["back", "3"]])
    return served(tmp_path_factory.mktemp("corrections"), things, table("corrections", CORRECTIONS, CORRECTED))


def test_corrections_are_joined_with_the_rows_they_are_about(corrected: FlaskClient) -> None:
    found = answer(corrected, "/v1/corrections")["data"]
    plain_rows = answer(corrected, rows_path("corrections"))["data"]
    rows = {"a": {"id": "a", "v": 2}, "back": {"id": "back", "v": 3}}
    assert [{k: v for k, v in row.items() if k not in ("row", "links")} for row in found] == plain_rows
    assert [row["row"] for row in found] == [rows.get(row["record"]) for row in plain_rows]
    assert found[1]["links"] == {"record": "/v1/datasets/things/records/gone%2C1"}


def test_corrections_of_picked_fields_hold_these_alone(corrected: FlaskClient) -> None:
    whole = answer(corrected, "/v1/corrections")["data"]
    few = answer(corrected, "/v1/corrections?fields=record,id")["data"]
    assert few == [{"record": row["record"], "id": row["id"]} for row in whole]


def test_a_retracted_row_is_gone_and_says_why(corrected: FlaskClient) -> None:
    body = problem(corrected, "/v1/datasets/things/records/gone%2C1")
    assert (body["status"], body["type"], body["title"]) == (410, "/problems/gone", "Gone")
    assert body["retraction"]["reason"] == "never happened"
    assert answer(corrected, "/v1/datasets/things/records/back")["data"] == {"id": "back", "v": 3}
    assert problem(corrected, "/v1/datasets/things/records/nowhere")["status"] == 404
    feed = corrected.get("/v1/corrections.atom")
    assert (feed.status_code, feed.content_type) == (200, "application/atom+xml; charset=utf-8")
    assert feed.data.count(b"<entry>") == 5


def test_a_foreign_key_to_nowhere_is_refused_at_build(tmp_path: Path) -> None:
    keys = [{"fields": ["town"], "reference": {"resource": "towns", "fields": ["name"]}}]
    with pytest.raises(BuildError, match='"c" does not exist in towns.name'):
        served(tmp_path, table("p", ["id", "town"], [["1", "c"]], foreignKeys=keys), table("towns", ["name"], [["a"]]))
