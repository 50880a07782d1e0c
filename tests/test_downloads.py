"""Rows in CSV and JSON Lines are the lines of the release's files: few or many, in any order, of several lines each."""

import csv
import io
import json
import random
from pathlib import Path

import pytest
from packages import table
from served import answer, rows_path, served

ROWS = 600
MANY = 10_000  # more than SQLite answers one by one (api.index.layout.FEW)


def some(order: str, words: str) -> list[list[str]]:
    """Rows with a key, a group (half, a tenth, one), a number that no order follows, and words of one line or more."""
    chance = random.Random(7)
    keys = list(range(1, ROWS + 1))
    if order == "shuffled":
        chance.shuffle(keys)
    group = {key: "one" if key == 300 else "tenth" if key % 10 == 1 else "half" if key % 2 else "rest" for key in keys}
    text = {
        "a line": "{}: Año",
        "lines": 'first "{}"\nsecond\r\nthird',
        "a return": '"{}"\rx',
        "long": "{} " + "x" * 2000,
    }
    return [[str(key), group[key], str(chance.randrange(50)), text[words].format(key)] for key in keys]


@pytest.mark.parametrize("words", ["a line", "lines", "a return", "long"])
@pytest.mark.parametrize("order", ["in order", "shuffled"])
def test_rows_under_any_filter_and_sort_are_those_of_the_file(tmp_path: Path, order: str, words: str) -> None:
    rows = some(order, words)
    client = served(tmp_path, table("figures", ["id:integer", "group", "value:integer", "words"], rows))
    by_key = sorted(rows, key=lambda row: int(row[0]))
    by_value = sorted(by_key, key=lambda row: -int(row[2]))
    for query, wanted in (
        ("group=half", [row for row in by_key if row[1] == "half"]),
        ("group=tenth", [row for row in by_key if row[1] == "tenth"]),
        ("group=one", [row for row in by_key if row[1] == "one"]),
        ("group=none", []),
        ("group__ne=rest", [row for row in by_key if row[1] != "rest"]),
        ("group__ne=rest&sort=-value", [row for row in by_value if row[1] != "rest"]),
        ("sort=-value", by_value),
        ("limit=450", by_key[:450]),
    ):
        body = client.get(rows_path("figures", query, ".csv")).get_data(as_text=True)
        assert list(csv.reader(io.StringIO(body, newline=""))) == [["id", "group", "value", "words"], *wanted], query
        lines = client.get(rows_path("figures", query, ".jsonl")).get_data(as_text=True).split("\n")[:-1]
        assert len(lines) == len(wanted), query
    page = answer(client, rows_path("figures", "group=half&sort=-value&limit=200"))["data"]
    assert [[str(value) for value in row.values()] for row in page] == [r for r in by_value if r[1] == "half"][:200]


def test_the_rest_of_a_table_after_a_cursor_is_the_rest_of_the_file(tmp_path: Path) -> None:
    client = served(
        tmp_path, table("figures", ["id:integer", "group", "value:integer", "words"], some("in order", "lines"))
    )
    after = answer(client, rows_path("figures", "limit=7"))["links"]["next"].replace("records?", "records.csv?")
    rest = client.get(after.replace("limit=7", "limit=1000")).get_data(as_text=True)
    assert [row[0] for row in csv.reader(io.StringIO(rest, newline=""))][1:] == [str(n) for n in range(8, ROWS + 1)]


@pytest.mark.parametrize("order", ["in order", "shuffled"])
def test_many_rows_are_sent_as_they_are_found_and_are_those_of_the_file(tmp_path: Path, order: str) -> None:
    chance = random.Random(7)
    keys = list(range(1, MANY + 1))
    if order == "shuffled":
        chance.shuffle(keys)
    rows = [[str(n), chance.choice("abcd"), str(chance.choice([1999, 2000, 2001])), "x" * 300] for n in keys]
    client = served(tmp_path, table("figures", ["id:integer", "kind", "year:year", "words"], rows))
    by_key = sorted(rows, key=lambda row: int(row[0]))
    for query, wanted in (
        ("kind__ne=d", [row for row in by_key if row[1] != "d"]),
        ("kind__in=a,c&year__gt=1999", [row for row in by_key if row[1] in "ac" and row[2] != "1999"]),
        ("id__gt=10&kind__ne=d", [row for row in by_key[10:] if row[1] != "d"]),
    ):
        response = client.get(rows_path("figures", query, ".csv"))
        assert response.headers["Content-Length"] == str(len(response.data)), query
        assert list(csv.reader(io.StringIO(response.text)))[1:] == wanted, query
        lines = client.get(rows_path("figures", query, ".jsonl"))
        assert lines.headers["Content-Length"] == str(len(lines.data)), query
        assert [str(json.loads(line)["id"]) for line in lines.text.splitlines()] == [row[0] for row in wanted], query
