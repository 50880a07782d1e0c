"""Pages never overlap and never skip: their union is the table, for every sort, filter and limit, of any table."""

import csv
import itertools
import json
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import plainly
import pytest
from conftest import PACKAGE
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from packages import write
from plainly import Row
from served import all_rows, answer, app_of, client_of, pages, parameter, problem, rows_path, served

from api.release.build import BuildError, build

NULL = "NA"
WORDS = (
    "",
    "a",
    "A",
    "a,b",
    "a/b",
    "á",
    "Zürich",
    "zurich",
    "50%",
    "a_b",
    "null",
    "0",
    "日本",
    "😀",
    '"',
    " ",
    "-year",
    NULL,
)
WHOLES = ("0", "1", "-1", "2", "9007199254740993", "9223372036854775807", "-9223372036854775808", NULL, NULL)
NUMBERS = ("0", "0.1", "0.10", "-2.5", "1e3", "1000", "0.30000000000000004", "123456789.25", NULL)
EXACT = ("12345678901234567890.1", "12345678901234567890.2", "-12345678901234567890.1", "0.1", "1", "0", NULL)
DAYS = ("2004-02-29", "1999-12-31", "2007-10-01", NULL)
YEARS = ("1999", "2007", "2008", NULL)
TRUTHS = ("true", "false", NULL)
COLUMNS: dict[str, tuple[str, Sequence[str]]] = {
    "word": ("string", WORDS),
    "whole": ("integer", WHOLES),
    "amount": ("number", NUMBERS),
    "exact": ("number", EXACT),
    "day": ("date", DAYS),
    "year": ("year", YEARS),
    "known": ("boolean", TRUTHS),
    "empty": ("string", (NULL,)),
    "same": ("string", ("same",)),
}
TEXT_KEYS = [
    f"{a}{b}" for a, b in itertools.product(("k", "K", "é", "a,b", "a/b", "10", "9", "", "%2C", "k "), "012345")
]


@dataclass(frozen=True)
class Made:
    """A made-up table: the types of its fields, its key and its cells in the order of the file."""

    name: str
    fields: Mapping[str, str]
    key: tuple[str, ...]
    cells: Sequence[Sequence[str]]

    @property
    def rows(self) -> list[Row]:
        named = [dict(zip(self.fields, row, strict=True)) for row in self.cells]
        return plainly.means(self.fields, named, (NULL,))

    def resource(self) -> dict[str, Any]:
        fields = [{"name": name, "type": kind} for name, kind in self.fields.items()]
        schema = {"fields": fields, "missingValues": [NULL], **({"primaryKey": [*self.key]} if self.key else {})}
        return {"name": self.name, "schema": schema, "rows": self.cells}


def made(
    name: str, keys: Mapping[str, tuple[str, Sequence[str]]], rows: Sequence[Sequence[str]], columns: Sequence[str]
) -> Made:
    """A table of given key columns and random others, always the same ones."""
    dice = random.Random(name)
    fields = {**{key: kind for key, (kind, _) in keys.items()}, **{c: COLUMNS[c][0] for c in columns}}
    cells = [[*row, *(dice.choice(COLUMNS[c][1]) for c in columns)] for row in rows]
    dice.shuffle(cells)
    return Made(name, fields, tuple(keys), cells)


EVERY = tuple(COLUMNS)
TABLES = (
    made("unsorted", {"id": ("string", ())}, [[key] for key in TEXT_KEYS], EVERY),
    made("numbered", {"id": ("integer", ())}, [[str(n)] for n in (*range(-5, 30), 2**63 - 1, -(2**63))], EVERY),
    made("huge", {"id": ("integer", ())}, [[str(2**64 + n)] for n in range(25)], ("word", "exact")),
    made(
        "dated",
        {"id": ("date", ())},
        [[date.fromordinal(1 + n * 9999).isoformat()] for n in range(25)],
        ("word", "year"),
    ),
    made(
        *("compound", {"first": ("string", ()), "second": ("integer", ())}),
        *([[a, str(b)] for a, b in itertools.product(("a,b", "a", "b/c", "", "é"), (3, 1, 2, 10))], EVERY),
    ),
    made(
        "truths",
        {"yes": ("boolean", ()), "no": ("string", ())},
        [[a, b] for a in ("true", "false") for b in "zyx"],
        ("word",),
    ),
    made("keyless", {}, [[]] * 60, EVERY),
    made("alike", {}, [[]] * 40, ("same", "empty")),
    made("crowded", {"id": ("integer", ())}, [[str(n)] for n in range(6_000)], ("year", "known", "word", "amount")),
    Made("none", {"id": "string", "v": "number"}, ("id",), []),
    Made("one", {"id": "string", "v": "number"}, ("id",), [["a", NULL]]),
)
NAMES = {table.name: table for table in TABLES}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    return served(tmp_path_factory.mktemp("paging"), *(table.resource() for table in TABLES))


def exact(client: FlaskClient, path: str) -> Any:
    """An answer whose numbers keep all their digits."""
    response = client.get(path)
    assert response.status_code == 200, response.get_data(as_text=True)
    return json.loads(response.data, parse_float=Decimal)


def union(client: FlaskClient, path: str, most: int = 10_000) -> tuple[list[Row], bool]:
    """The rows of the first pages, and whether they are all; the way back meets the same rows."""
    found: list[Row] = []
    link: str | None = path
    body: Any = {}
    while link and len(found) < most:
        body = exact(client, link)
        found += body["data"]
        link = body["links"]["next"]
    assert found == back(client, body)
    return found, link is None


def back(client: FlaskClient, body: Any) -> list[Row]:
    """The rows of a page and of all before it, by the links to the previous page."""
    pages = [body["data"]]
    while link := body["links"]["prev"]:
        body = exact(client, link)
        pages.append(body["data"])
    return [row for page in reversed(pages) for row in page]


# Any question


ORDERED = ("eq", "ne", "lt", "lte", "gt", "gte", "in", "not_in", "isnull")
ALLOWED = {"string": (*ORDERED, "contains", "startswith"), "boolean": ("eq", "ne", "in", "not_in", "isnull")}


@st.composite
def conditions(draw: st.DrawFn, table: Made) -> tuple[str, str, list[str]]:
    """A field, an operator and the texts of what is asked: mostly values that the column holds."""
    name = draw(st.sampled_from([*table.fields]))
    kind = table.fields[name]
    op = draw(st.sampled_from(ALLOWED.get(kind, ORDERED)))
    if op == "isnull":
        return name, op, [draw(st.sampled_from(["true", "false"]))]
    place = [*table.fields].index(name)
    there = sorted({row[place] for row in table.cells} - {NULL})
    pool = [*there[:60], *(COLUMNS[name][1] if name in COLUMNS else ())]
    pool = [text for text in pool if text != NULL] or ["0" if kind in ("number", "integer") else "a"]
    if op in ("in", "not_in"):
        texts = draw(st.lists(st.sampled_from(pool), min_size=1, max_size=5))
        return name, op, texts if texts != [""] else ["", ""]
    text = draw(st.sampled_from(pool))
    if op in ("contains", "startswith"):
        start = draw(st.integers(0, len(text)))
        text = text[start : start + draw(st.integers(0, 3))]
    return name, op, [text]


@st.composite
def questions(draw: st.DrawFn) -> tuple[Made, list[tuple[str, str, list[str]]], list[tuple[str, bool]], int, list[str]]:
    table = draw(st.sampled_from(TABLES))
    filters = draw(st.lists(conditions(table), max_size=3, unique_by=lambda c: (c[0], c[1])))
    names = draw(st.lists(st.sampled_from([*table.fields]), max_size=3, unique=True))
    sort = [(name, draw(st.booleans())) for name in names]
    limit = draw(st.sampled_from([1, 2, 3, 7, 50, 999, 1000]))
    fields = draw(st.lists(st.sampled_from([*table.fields]), max_size=4, unique=True))
    return table, filters, sort, limit, fields


@settings(max_examples=500, deadline=None, database=None, derandomize=True)
@given(question=questions())
def test_any_question_is_answered_as_plain_python_would(small: FlaskClient, question: Any) -> None:
    table, filters, sort, limit, fields = question
    parts = [parameter(f"{name}__{op}", *texts) for name, op, texts in filters]
    if sort:
        parts.append(parameter("sort", *(("-" if down else "") + name for name, down in sort)))
    if fields:
        parts.append(parameter("fields", *fields))
    asked = []
    for name, op, texts in filters:
        mean = plainly.MEANS[table.fields[name]]
        values = [text if op == "isnull" else mean(text) for text in texts]
        asked.append(
            (name, op, texts[0] == "true" if op == "isnull" else values if op in ("in", "not_in") else values[0])
        )
    rows = [row for row in table.rows if all(plainly.holds(row[name], op, value) for name, op, value in asked)]
    expected = [plainly.shown(row, fields or None) for row in plainly.ordered(rows, sort, table.key)]
    most = 12 * limit
    found, whole = union(small, rows_path(table.name, "&".join([*parts, f"limit={limit}"])), most)
    assert found == expected[: len(found)]
    assert whole == (len(found) == len(expected))
    assert exact(small, rows_path(table.name, "&".join(parts)))["meta"]["total"] == len(expected)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
@pytest.mark.parametrize("limit", [7, 1000])
def test_every_sort_of_a_made_up_table_pages_through_all_of_it(small: FlaskClient, table: Made, limit: int) -> None:
    limit = limit if len(table.cells) < 1000 else 1000
    for name, down in itertools.product(table.fields, (False, True)):
        found, _ = union(small, rows_path(table.name, f"limit={limit}&sort={'-' if down else ''}{name}"))
        assert found == [plainly.shown(row) for row in plainly.ordered(table.rows, [(name, down)], table.key)]


@pytest.mark.parametrize("table", [t for t in TABLES if t.name != "crowded"], ids=lambda table: table.name)
def test_pages_of_one_row_are_as_whole_as_any(small: FlaskClient, table: Made) -> None:
    found, _ = union(small, rows_path(table.name, "limit=1"))
    assert found == [plainly.shown(row) for row in plainly.ordered(table.rows, [], table.key)]


@pytest.mark.parametrize("table", [t for t in TABLES if t.key], ids=lambda table: table.name)
def test_each_row_has_an_address_by_its_key(small: FlaskClient, table: Made) -> None:
    for row in table.rows[:30]:
        parts = [str(row[name]).lower() if isinstance(row[name], bool) else str(row[name]) for name in table.key]
        if parts == [""]:
            continue
        path = rows_path(table.name) + "/" + parameter("", *parts)[1:]
        assert exact(small, path)["data"] == plainly.shown(row)


def test_rows_without_a_key_are_known_by_their_place(small: FlaskClient) -> None:
    table = NAMES["keyless"]
    assert len(table.rows) == 60
    for place, row in enumerate(table.rows, 1):
        assert exact(small, f"{rows_path('keyless')}/{place}")["data"] == plainly.shown(row)
    for place in ("0", "61", "-1", "1.0", "01x", "9" * 30):
        assert problem(small, f"{rows_path('keyless')}/{place}")["status"] == 404


def test_a_key_that_is_null_is_refused_at_build(tmp_path: Path) -> None:
    table = Made("t", {"id": "string", "v": "string"}, ("id",), [["a", "1"], [NULL, "2"]])
    with pytest.raises(BuildError, match='field "id".*a value is missing'):
        build(write(tmp_path / "package", table.resource()), tmp_path / "store")


def test_limit_says_how_many_rows_a_page_has(small: FlaskClient) -> None:
    for limit, count in ((None, 100), (1, 1), (1000, 1000)):
        body = answer(small, rows_path("crowded", f"limit={limit}" if limit else ""))
        assert (len(body["data"]), body["meta"]["count"], body["meta"]["total"]) == (count, count, 6000)


def test_the_last_page_has_no_next_even_when_it_is_full(small: FlaskClient) -> None:
    bodies = list(pages(small, rows_path("keyless", "limit=20")))
    assert [len(body["data"]) for body in bodies] == [20, 20, 20]
    assert [body["meta"]["total"] for body in bodies] == [60, 60, 60]


@pytest.mark.parametrize("query", ["", "&sort=-year,word", "&year__gte=2007&sort=amount", "&q=a&sort=word", "&q=a"])
def test_every_page_leads_to_its_neighbours_and_to_the_first(small: FlaskClient, query: str) -> None:
    first, second, third = itertools.islice(pages(small, rows_path("crowded", f"limit=7{query}")), 3)
    assert first["links"]["prev"] is None
    for page in (first, second, third):
        assert page["links"]["first"] == first["links"]["self"]
    again = answer(small, third["links"]["prev"])
    assert (again["data"], again["links"]["next"]) == (second["data"], second["links"]["next"])
    start = answer(small, again["links"]["prev"])
    assert (start["data"], start["links"]["prev"]) == (first["data"], None)


def test_the_way_back_never_meets_a_row_twice_whatever_the_limits(small: FlaskClient) -> None:
    second = answer(small, rows_path("keyless", "limit=10"))["links"]["next"]
    shorter = exact(small, second.replace("limit=10", "limit=4"))
    assert back(small, shorter) == exact(small, rows_path("keyless", "limit=14"))["data"]


def test_the_link_header_has_the_neighbours_too(small: FlaskClient) -> None:
    for extension in ("", ".csv", ".jsonl"):
        first = small.get(rows_path("keyless", "limit=20", extension))
        second = small.get(relations(first)["next"])
        assert relations(second)["prev"] != relations(first)["next"]
        assert relations(second)["first"] == relations(first)["first"]
        assert "prev" not in relations(first)
        assert small.get(relations(second)["prev"]).data.splitlines()[:20] == first.data.splitlines()[:20]


def relations(response: Any) -> dict[str, str]:
    return {name: target for target, name in re.findall(r'<([^>]*)>; rel="([^"]*)"', response.headers["Link"])}


def test_a_file_from_a_cursor_that_leads_back_holds_all_rows_before_it(small: FlaskClient) -> None:
    for sort in ("", "&sort=-word"):
        second = answer(small, answer(small, rows_path("crowded", f"limit=50{sort}"))["links"]["next"])
        prev = second["links"]["prev"].replace("limit=50&", "").replace("records?", "records.jsonl?")
        rows = [json.loads(line) for line in small.get(prev).text.splitlines()]
        assert rows == answer(small, rows_path("crowded", f"limit=50{sort}"))["data"]


# The real package


def real(name: str) -> tuple[dict[str, str], tuple[str, ...], list[Row]]:
    """Types, key and rows of a table of this package, from its own files."""
    descriptor = json.loads((PACKAGE / "datapackage.json").read_text())
    resource = next(entry for entry in descriptor["resources"] if entry["name"] == name)
    schema = resource["schema"]
    if isinstance(schema, str):
        schema = json.loads((PACKAGE / schema).read_text())
    fields = {field["name"]: field["type"] for field in schema["fields"]}
    with (PACKAGE / resource["path"]).open(encoding="utf-8", newline="") as file:
        rows = plainly.means(fields, csv.DictReader(file), schema.get("missingValues", [""]))
    return fields, tuple(schema["primaryKey"]), rows


REAL = {
    entry["name"]: real(entry["name"]) for entry in json.loads((PACKAGE / "datapackage.json").read_text())["resources"]
}
SORTS = [(name, field, down) for name, (fields, _, _) in REAL.items() for field in fields for down in (False, True)]


@pytest.mark.parametrize(("name", "field", "down"), SORTS, ids=lambda part: str(part))
def test_the_union_of_all_pages_is_the_table_for_every_sort(
    client: FlaskClient, name: str, field: str, down: bool
) -> None:
    _, key, rows = REAL[name]
    limit = 1 + len(rows) // 4
    found, _ = union(client, rows_path(name, f"sort={'-' if down else ''}{field}&limit={limit}"))
    assert found == [plainly.shown(row) for row in plainly.ordered(rows, [(field, down)], key)]


@pytest.mark.parametrize(
    ("name", "sort"),
    [
        ("exports", "-year,value"),
        ("exports", "unit,-value,year"),
        ("exports", "-value_low,-value_high,-period_start,source"),
        ("exports", "standing,-indicator,id"),
        ("conflict_positions", "-role,dataset,-record"),
        ("conflict_positions", "-conflict,-dataset,-record"),
        ("vetting", "value,-as_of"),
        ("sources", "publisher,-published"),
    ],
)
@pytest.mark.parametrize("limit", [13, 100])
def test_the_union_of_all_pages_is_the_table_for_compound_sorts(
    client: FlaskClient, name: str, sort: str, limit: int
) -> None:
    _, key, rows = REAL[name]
    keys = [(part.removeprefix("-"), part.startswith("-")) for part in sort.split(",")]
    found, _ = union(client, rows_path(name, f"sort={sort}&limit={limit}"))
    assert found == [plainly.shown(row) for row in plainly.ordered(rows, keys, key)]


# Cursors


ALTERED = {
    "parameter": "cursor",
    "reason": "was altered, or belongs to another query or release: take it from links.next",
}


def cursor_of(client: FlaskClient, path: str) -> str:
    link = answer(client, path)["links"]["next"]
    return dict(parse_qsl(urlsplit(link).query))["cursor"]


def refusal(client: FlaskClient, path: str) -> Any:
    body = problem(client, path)
    assert (body["status"], body["type"]) == (400, "/problems/invalid-parameter")
    return body["errors"]


def test_an_altered_cursor_is_refused_whichever_letter_was_changed(small: FlaskClient) -> None:
    for query in ("limit=3", "limit=3&sort=word"):
        sealed = cursor_of(small, rows_path("unsorted", query))
        others = [
            sealed[:i] + other + sealed[i + 1 :] for i in range(len(sealed)) for other in "AB-_" if sealed[i] != other
        ]
        for other in [*others, sealed + "A", sealed + "=", sealed[:-1], sealed[1:], sealed.swapcase(), sealed + "%20"]:
            assert refusal(small, rows_path("unsorted", f"{query}&cursor={other}")) == [ALTERED]


@pytest.mark.parametrize(
    "query",
    [
        "sort=-word&limit=3",
        "sort=word,id&limit=3",
        "limit=3",
        "sort=word&limit=3&whole__lt=5",
        "sort=word&limit=3&whole__lt=4",
        "sort=word&limit=3&q=a",
    ],
)
def test_a_cursor_serves_no_other_question(small: FlaskClient, query: str) -> None:
    sealed = cursor_of(small, rows_path("unsorted", "sort=word&limit=3&whole__isnull=false"))
    assert refusal(small, rows_path("unsorted", f"{query}&cursor={sealed}")) == [ALTERED]


def test_a_cursor_serves_no_other_table(small: FlaskClient) -> None:
    sealed = cursor_of(small, rows_path("unsorted", "limit=3"))
    assert refusal(small, rows_path("keyless", f"limit=3&cursor={sealed}")) == [ALTERED]
    assert refusal(small, f"/v1/search?q=a&cursor={sealed}") == [ALTERED]


def test_a_cursor_of_the_search_serves_no_other_words(small: FlaskClient) -> None:
    sealed = cursor_of(small, "/v1/search?q=same&limit=3")
    assert refusal(small, f"/v1/search?q=zurich&limit=3&cursor={sealed}") == [ALTERED]
    assert refusal(small, rows_path("unsorted", f"q=same&cursor={sealed}")) == [ALTERED]


def test_limit_and_fields_may_change_on_the_way(small: FlaskClient) -> None:
    rows = all_rows(small, rows_path("unsorted", "sort=-whole"))
    sealed = cursor_of(small, rows_path("unsorted", "sort=-whole&limit=3"))
    body = answer(small, rows_path("unsorted", f"sort=-whole&limit=5&fields=id&cursor={sealed}"))
    assert body["data"] == [{"id": row["id"]} for row in rows[3:8]]


def test_a_cursor_of_one_format_continues_in_another(small: FlaskClient) -> None:
    whole = small.get(rows_path("unsorted", "sort=-whole", ".jsonl")).data.splitlines()
    sealed = cursor_of(small, rows_path("unsorted", "sort=-whole&limit=3"))
    rest = small.get(rows_path("unsorted", f"sort=-whole&cursor={sealed}", ".jsonl"))
    assert rest.data.splitlines() == whole[3:]
    part = small.get(rows_path("unsorted", f"sort=-whole&limit=4&cursor={sealed}", ".jsonl"))
    assert part.data.splitlines() == whole[3:7]
    link = next(text for text in part.headers["Link"].split(", ") if 'rel="next"' in text)[1:].partition(">")[0]
    assert small.get(link).data.splitlines() == whole[7:11]
    sealed = dict(parse_qsl(urlsplit(link).query))["cursor"]
    body = answer(small, rows_path("unsorted", f"sort=-whole&limit=2&cursor={sealed}"))
    assert body["data"] == [json.loads(line) for line in whole[7:9]]


def test_a_cursor_ends_with_the_release_it_came_from(tmp_path: Path) -> None:
    """What was page two of the old rows would be neither page two of the new ones nor whole."""
    table = NAMES["unsorted"]
    store = tmp_path / "store"
    client = client_of(write(tmp_path / "old", table.resource(), version="1.0.0"), store)
    sealed = cursor_of(client, rows_path("unsorted", "limit=3"))
    build(write(tmp_path / "new", table.resource(), version="1.1.0"), store)
    client = app_of(store).test_client()
    assert refusal(client, rows_path("unsorted", f"limit=3&cursor={sealed}")) == [ALTERED]
    assert refusal(client, rows_path("unsorted", f"limit=3&cursor={sealed}&version=1.1.0")) == [ALTERED]
    old = answer(client, rows_path("unsorted", f"limit=3&cursor={sealed}&version=1.0.0"))
    assert old["data"] == all_rows(client, rows_path("unsorted", "version=1.0.0"))[3:6]
    link = answer(client, rows_path("unsorted", "limit=3&version=1.0.0"))["links"]["next"]
    assert "version=1.0.0" in link and answer(client, link)["data"] == old["data"]
