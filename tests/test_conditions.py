"""Conditions beyond a table's own fields: any of several (`or`), in another form (`where`), through foreign keys.

What an answer holds is what plain Python finds in the cells.
"""

import csv
import io
import itertools
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas
import plainly
import pytest
from flask.testing import FlaskClient
from packages import table
from served import all_rows, answer, app_of, get, problem, rows_path, served

from api.query import find

SOURCES = {"id": "string", "kind": "string", "year": "year", "weight": "number"}
THINGS = {"id": "string", "source": "string", "value": "number", "day": "date", "note": "string"}
KEY = [{"fields": ["source"], "reference": {"resource": "sources", "fields": ["id"]}}]
SOURCE_ROWS = [
    ["s1", "official", "2004", "1.5"],
    ["s2", "press", "2006", ""],
    ["s3", "", "", "20"],
    ["s4", "Official, second", "2008", "0.1"],
]


def thing_rows() -> list[list[str]]:
    chance = random.Random(7)
    notes = ["", "alpha beta", "Beta", "gamma, delta", "straße"]
    return [
        [
            f"t{n:03}",
            chance.choice(["s1", "s2", "s3", "s4", ""]),
            chance.choice(["", "1", "2.5", "-3", "100"]),
            chance.choice(["", "2004-02-29", "2006-01-01", "2008-12-31"]),
            chance.choice(notes),
        ]
        for n in range(120)
    ]


def named(fields: Mapping[str, str]) -> list[str]:
    return [f"{name}:{kind}" for name, kind in fields.items()]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    folder = tmp_path_factory.mktemp("conditions")
    things = table("things", named(THINGS), thing_rows(), foreignKeys=KEY)
    served(folder, things, table("sources", named(SOURCES), SOURCE_ROWS))
    return app_of(folder / "store", CACHE_MB=0).test_client()


def plain() -> list[dict[str, Any]]:
    """The rows, each with the fields of its source under names with a dot."""
    sources = plainly.means(SOURCES, [dict(zip(SOURCES, row, strict=True)) for row in SOURCE_ROWS])
    by_id: dict[Any, plainly.Row] = {row["id"]: row for row in sources}
    rows = plainly.means(THINGS, [dict(zip(THINGS, row, strict=True)) for row in thing_rows()])
    empty: dict[str, Any] = dict.fromkeys(SOURCES)
    return [
        {**row, **{f"source.{name}": value for name, value in by_id.get(row["source"], empty).items()}} for row in rows
    ]


KINDS = {**THINGS, **{f"source.{name}": kind for name, kind in SOURCES.items()}}
ASKED = {
    "string": ["s1", "s2", "official", "press", "Official, second", "alpha beta", "be", "STRASSE", "nothing"],
    "number": ["1", "2.5", "0.1", "20", "-3"],
    "date": ["2004-02-29", "2006-01-01", "2007-01-01"],
    "year": ["2004", "2006", "2007"],
}
COMPARING = ("eq", "ne", "lt", "lte", "gt", "gte", "between", "in", "not_in", "isnull")
FOLDING = ("contains", "not_contains", "startswith", "endswith", "iexact")
Condition = tuple[str, str, Any]


def written(said: str, inside: str = "") -> str:
    """A condition as a parameter, or as the value of the parameter `inside`; commas that part values stay bare."""
    name, _, texts = said.partition("=")
    values = quote(texts.replace(", ", "%")).replace("%25", "%2C%20").replace("%2C", ",").replace(",%20", "%2C%20")
    return f"{inside}={quote(name)}%3D{values}" if inside else f"{quote(name)}={values}"


def draw(chance: random.Random) -> tuple[str, Callable[[Mapping[str, Any]], bool]]:
    """A condition (of whose values only those with a space behind it hold a comma), and what it means."""
    name = chance.choice(list(KINDS))
    kind = KINDS[name]
    operator = chance.choice((*COMPARING, *(FOLDING if kind == "string" else ())))
    if operator == "isnull":
        text, asked = chance.choice([("true", True), ("false", False)])
        return f"{name}__isnull={text}", lambda row: plainly.holds(row[name], operator, asked)
    many = {"between": 2, "in": 3, "not_in": 3}.get(operator, 1)
    # A comma of a list separates, unless some value of the field holds one.
    known = [text for text in ASKED[kind] if many == 1 or "," not in text or name in ("note", "source.kind")]
    texts = [chance.choice(known) for _ in range(many)]
    values = [plainly.MEANS[kind](text) for text in texts]
    said = f"{name}__{operator}=" + ",".join(texts)
    asked = values if operator in ("between", "in", "not_in") else values[0]
    return said, lambda row: plainly.holds(row[name], operator, asked)


@pytest.mark.parametrize("few", [find.FEW, -1], ids=["SQLite", "DuckDB"])
@pytest.mark.parametrize("seed", range(12))
def test_conditions_of_every_form_hold_as_plain_python_says(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, few: int, seed: int
) -> None:
    monkeypatch.setattr(find, "FEW", few)
    chance, rows = random.Random(seed), plain()
    for _ in range(25):
        every = [draw(chance) for _ in range(chance.choice([0, 0, 1, 2]))]
        either = [draw(chance) for _ in range(chance.choice([0, 1, 2, 3]))]
        names = [said.partition("=")[0] for said, _ in every]
        if len({*names}) < len(names):
            continue
        query = [written(said, chance.choice(["", "where"])) for said, _ in every]
        query += [written(said, "or") for said, _ in either]
        held = [
            row
            for row in rows
            if all(holds(row) for _, holds in every) and (not either or any(holds(row) for _, holds in either))
        ]
        where = "&".join(query)
        found = answer(client, rows_path("things", f"{where}&limit=1000&fields=id&sort=-value"))
        wanted = [row["id"] for row in plainly.ordered(held, [("value", True)], ["id"])]
        assert ([row["id"] for row in found["data"]], found["meta"]["total"]) == (wanted, len(wanted)), where
        counted = answer(client, f"/v1/datasets/things/aggregate?measure=count&{where}")
        assert counted["data"] == [{"count": len(held)}], where
        pages = all_rows(client, rows_path("things", f"{where}&limit=7&fields=id"))
        assert [row["id"] for row in pages] == [row["id"] for row in held], where


def test_fields_of_the_rows_that_foreign_keys_name_are_given_in_every_format(client: FlaskClient) -> None:
    names = ["id", "source.kind", "source.weight", "value", "source.year"]
    wanted = [plainly.shown(row, names) for row in plain()]
    query = "fields=" + ",".join(names)
    found = answer(client, rows_path("things", f"{query}&limit=1000"))["data"]
    numbers = ("value", "source.weight")
    assert [{n: v if n not in numbers or v is None else float(v) for n, v in row.items()} for row in wanted] == found
    assert list(found[0]) == names
    lines = get(client, rows_path("things", query, ".jsonl")).get_data(as_text=True).splitlines()
    assert "".join(lines) == "".join(
        get(client, rows_path("things", f"{query}&limit=1000"))
        .get_data(as_text=True)
        .partition("[\n")[2]
        .rpartition("\n]")[0]
        .replace("\t", "")
        .split(",\n")
    )
    text = get(client, rows_path("things", query, ".csv")).get_data(as_text=True)
    cells = list(csv.DictReader(io.StringIO(text, newline="")))
    sources: dict[str, Sequence[str]] = {row[0]: row for row in SOURCE_ROWS}
    places = {name: place for place, name in enumerate(SOURCES)}
    assert cells == [
        {
            name: sources[row[1]][places[name[7:]]] if row[1] and "." in name else "" if "." in name else row[at]
            for name, at in ((name, list(THINGS).index(name) if "." not in name else 0) for name in names)
        }
        for row in thing_rows()
    ]
    frame = pandas.read_parquet(io.BytesIO(get(client, rows_path("things", query, ".parquet")).data))
    assert list(frame.columns) == names
    assert frame["source.kind"].isna().sum() == sum(row["source.kind"] is None for row in wanted)
    one = answer(client, "/v1/datasets/things/records/t000?fields=id,source.kind")["data"]
    assert one == {"id": "t000", "source.kind": wanted[0]["source.kind"]}


def test_a_compound_key_is_gone_through_by_its_first_field(tmp_path: Path) -> None:
    places = table(
        "places", ["a", "b:integer", "title"], [["x", 1, "first"], ["x", 2, "second"]], primaryKey=["a", "b"]
    )
    key = [{"fields": ["p", "q"], "reference": {"resource": "places", "fields": ["a", "b"]}}]
    rows = [["r1", "x", 2], ["r2", "x", 1], ["r3", "", ""]]
    client = served(tmp_path, table("rows", ["id", "p", "q:integer"], rows, foreignKeys=key), places)
    assert [row["id"] for row in answer(client, rows_path("rows", "p.title=first"))["data"]] == ["r2"]
    assert [row["p.title"] for row in answer(client, rows_path("rows", "fields=p.title"))["data"]] == [
        *("second", "first", None)
    ]
    assert problem(client, rows_path("rows", "q.title=first"))["type"] == "/problems/unknown-parameter"


def test_a_table_may_lead_to_itself_and_names_with_dots_come_first(tmp_path: Path) -> None:
    key = [{"fields": ["up"], "reference": {"resource": "", "fields": ["id"]}}]
    rows = [["a", "", "top", "own"], ["b", "a", "under", ""], ["c", "b", "deep", ""]]
    client = served(tmp_path, table("t", ["id", "up", "title", "up.id"], rows, foreignKeys=key))
    assert [row["id"] for row in answer(client, rows_path("t", "up.title=top"))["data"]] == ["b"]
    assert [row["id"] for row in answer(client, rows_path("t", "up.title__isnull=true"))["data"]] == ["a"]
    assert [row["id"] for row in answer(client, rows_path("t", "up.id=own"))["data"]] == ["a"]
    found = answer(client, rows_path("t", "fields=id,up.title,up.id"))["data"]
    assert found[:2] == [{"id": "a", "up.title": None, "up.id": "own"}, {"id": "b", "up.title": "top", "up.id": None}]


def test_wide_tables_are_reached_through_keys(tmp_path: Path) -> None:
    wide = [f"w{n}" for n in range(1000)]
    key = [{"fields": ["w950"], "reference": {"resource": "far", "fields": ["w920"]}}]
    near = table("near", ["id", *wide], [["n1", *(f"v{n}" for n in range(1000))]], foreignKeys=key)
    far = table("far", ["id", *wide], [["f1", *("v950" if n == 920 else str(n) for n in range(1000))]])
    client = served(tmp_path, near, {**far, "schema": {**far["schema"], "primaryKey": ["w920"]}})
    assert answer(client, rows_path("near", "w950.w3=3&fields=id,w950.w999"))["data"] == [
        {"id": "n1", "w950.w999": "999"}
    ]


def test_the_limit_of_conditions_counts_them_all(client: FlaskClient) -> None:
    either = "&".join(f"or=value={n}" for n in range(40))
    assert answer(client, rows_path("things", either))["meta"]["total"] >= 0
    assert problem(client, rows_path("things", f"{either}&note=a"))["errors"] == [
        {"parameter": "or", "reason": "more than 40 filters"}
    ]


def test_a_value_outside_an_enum_is_refused_with_the_nearest(tmp_path: Path) -> None:
    fields = [
        {"name": "id", "type": "string"},
        {"name": "kind", "type": "string", "constraints": {"enum": ["preferred", "context"]}},
        {"name": "size", "type": "number", "constraints": {"enum": [1, "2.50"]}},
    ]
    client = served(
        tmp_path, {"name": "t", "schema": {"fields": fields, "primaryKey": ["id"]}, "rows": [["a", "", "1"]]}
    )
    for query in ("kind=prefered", "kind__ne=prefered", "kind__in=context,prefered", "or=kind=prefered"):
        (error,) = problem(client, rows_path("t", query))["errors"]
        assert error["reason"] == "'prefered' is not one of preferred, context", query
        assert error["did_you_mean"] == "preferred"
    assert problem(client, rows_path("t", "size=3"))["status"] == 400
    for query in (
        "kind__contains=prefered",
        "kind__gte=prefered",
        "size=2.5",
        "size=1.0",
        "size__lt=3",
        "kind__isnull=true",
    ):
        assert answer(client, rows_path("t", query))["meta"]["total"] in (0, 1), query


def test_pages_of_conditions_are_bound_to_them(client: FlaskClient) -> None:
    first = answer(client, rows_path("things", "or=value=1&or=value=100&limit=2"))
    same = "or=value%3D100&or=value%3D1&limit=2"  # another order of the same
    assert answer(client, rows_path("things", same))["links"] == first["links"]
    cursor = first["links"]["next"].partition("cursor=")[2].partition("&")[0]
    other = problem(client, rows_path("things", f"or=value=1&limit=2&cursor={cursor}"))
    assert other["errors"][0]["parameter"] == "cursor"


def test_the_names_of_far_fields_are_those_of_the_schemas(client: FlaskClient) -> None:
    for name, operator in itertools.product(SOURCES, ("", "__isnull")):
        text = {"": {"year": "2004", "weight": "1"}.get(name, "a"), "__isnull": "true"}[operator]
        assert get(client, rows_path("things", f"source.{name}{operator}={text}")).status_code == 200
