"""What our own package must hold: the article's numbers, the official series, and their rivals."""

import csv
import json
import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

DATA = Path(__file__).resolve().parents[1] / "datapackage" / "data"
FIGURES = ("exports", "inquiries", "desertions", "vetting", "traces")


def rows(table: str) -> list[dict[str, str]]:
    with (DATA / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    assert found, table
    return found


def every_row(client: FlaskClient, address: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    following: str | None = address
    while following:
        body = client.get(following).get_json()
        found += body["data"]
        following = body["links"]["next"]
    return found


def test_the_approvals_of_fiscal_year_2007_are_one_row_with_its_source_and_conflicts(client: FlaskClient) -> None:
    question = "indicator=dcs_value_approved&year=2007&standing=preferred"
    body = client.get(f"/v1/datasets/exports/records?{question}").get_json()
    assert [(row["value"], row["unit"], row["source"]) for row in body["data"]] == [(239904382, "USD", "sam-db-2020")]
    topics = [conflict["id"] for conflict in body["included"]["conflicts"]]
    assert "con-01" in topics
    one = client.get(f"/v1/datasets/exports/records/{body['data'][0]['id']}").get_json()
    assert one["data"] == body["data"][0]
    assert client.get(one["links"]["source"]).get_json()["data"]["id"] == "sam-db-2020"
    assert {c["id"] for c in client.get(one["links"]["conflicts"]).get_json()["data"]} == set(topics)


@pytest.mark.parametrize(
    ("dataset", "question", "total", "count"),
    [
        ("exports", "indicator=dcs_value_approved&year__gte=2004&year__lte=2007", 1033707439, 4),
        ("desertions", "indicator=desertions&year__gte=2000&year__lte=2006", 123218, 7),
        ("desertions", "indicator=desertions&year__gte=2007&year__lte=2012", 42986, 6),
        ("desertions", "indicator=desertions&year__gte=2006&year__lte=2011", 56886, 6),
    ],
)
def test_preferred_series_add_up_to_the_totals_that_were_published(
    client: FlaskClient, dataset: str, question: str, total: int, count: int
) -> None:
    address = f"/v1/datasets/{dataset}/aggregate?standing=preferred&measure=sum:value,count&{question}"
    assert client.get(address).get_json()["data"] == [{"sum:value": total, "count": count}]


@pytest.mark.parametrize(
    ("dataset", "record", "field", "number"),
    [
        ("inquiries", "seed-013", "value", 705),
        ("inquiries", "seed-014", "value", 81000),
        ("inquiries", "seed-016", "value", 3),
        ("inquiries", "seed-017", "value", 1),
        ("inquiries", "seed-018", "value", 1),
        ("inquiries", "seed-019", "value", 1),
        ("desertions", "seed-026", "value", 30000),
        ("desertions", "seed-027", "value", 17000),
        ("vetting", "seed-028", "value", 450000),
        ("vetting", "seed-030", "value", 56000),
        ("vetting", "seed-031", "value_high", 0.5),
        ("exports", "seed-003", "value", 240000000),
        ("exports", "seed-001", "value", 1000000000),
    ],
)
def test_the_figures_of_the_article_are_all_there(
    client: FlaskClient, dataset: str, record: str, field: str, number: float
) -> None:
    row = client.get(f"/v1/datasets/{dataset}/records/{record}").get_json()["data"]
    assert (row[field], row["source"]) == (number, "narconews-2009-04")


@pytest.mark.parametrize(
    "record", ["desertions/seed-026", "desertions/seed-027", "vetting/seed-028", "vetting/seed-031"]
)
def test_figures_of_the_article_that_others_contradict_say_so(client: FlaskClient, record: str) -> None:
    dataset, key = record.split("/")
    body = client.get(f"/v1/datasets/{dataset}/records/{key}").get_json()
    assert body["included"]["conflicts"]


@pytest.mark.parametrize("table", FIGURES)
def test_every_figure_names_its_source_and_place_and_quotes_no_sentence(table: str) -> None:
    for row in rows(table):
        assert row["source"] and row["locator"], row["id"]
        assert len(row["as_stated"]) <= 100, row["id"]
        assert (row["as_stated"] == "") == (row["derivation"] == "summed"), row["id"]


def test_yearly_series_are_complete() -> None:
    def years(table: str, **fixed: str) -> list[int]:
        wanted = [r for r in rows(table) if all(r[k] == v for k, v in fixed.items()) and r["standing"] == "preferred"]
        return sorted(int(r["year"]) for r in wanted if r["year"])

    assert years("exports", indicator="dcs_value_approved", destination="MEX") == list(range(1996, 2018))
    assert years("exports", indicator="dcs_value_shipped", destination="MEX") == list(range(2008, 2019))
    assert years("desertions", indicator="desertions") == list(range(2000, 2019))
    checks = years("inquiries", indicator="blue_lantern_checks_initiated", country="WLD")
    assert set(checks) >= {2007, *range(2009, 2023)}


def test_each_measure_of_exports_is_an_indicator_with_one_basis() -> None:
    bases: dict[str, set[str]] = {}
    for row in rows("exports"):
        bases.setdefault(row["indicator"], set()).add(row["basis"])
    assert {name: found for name, found in bases.items() if len(found) > 1} == {}


def test_no_address_or_name_of_a_machine_is_in_the_data() -> None:
    texts = {path.stem: path.read_text(encoding="utf-8") for path in DATA.glob("*.csv")}
    assert texts.keys() > set(FIGURES)
    assert [name for name, text in texts.items() if re.search(r"/(work|root|tmp|home)/", text)] == []


def test_addresses_of_sources_are_of_the_page_and_track_nobody() -> None:
    wrong = r"[?&](utm_|BC=|fbclid|gclid)|//stage\.|//ljz\.mx/?$|/search\?max-results"
    assert [row["id"] for row in rows("sources") if re.search(wrong, row["url"])] == ["cnn-2015-veracruz"]
    assert [row["id"] for row in rows("sources") if not (row["url"] + row["archive_url"]).isascii()] == []


def test_a_source_that_nothing_cites_says_why_it_is_there() -> None:
    cited = {row["source"] for table in (*FIGURES, "statements") for row in rows(table)}
    reason = re.compile(r"no (row|figure) is taken from it", re.IGNORECASE)
    uncited = [row for row in rows("sources") if row["id"] not in cited]
    assert uncited and [row["id"] for row in uncited if not reason.search(row["note"])] == []


def test_the_numbers_of_figures_have_one_type_in_all_tables() -> None:
    schemas = [json.loads((DATA.parent / "schemas" / f"{table}.json").read_bytes())["fields"] for table in FIGURES]
    names = ("value", "value_low", "value_high", "precision")
    types = {name: {field["type"] for fields in schemas for field in fields if field["name"] == name} for name in names}
    assert types == dict.fromkeys(names, {"number"})


def test_a_figure_that_moved_to_another_table_is_gone_with_a_word_on_where_it_is(client: FlaskClient) -> None:
    answer = client.get("/v1/datasets/exports/records/seed-002")
    assert answer.status_code == 410
    assert "moved to the table statements" in answer.get_json()["retraction"]["reason"]
    assert client.get("/v1/datasets/statements/records/seed-002").get_json()["data"]["value"] == 2007
