"""SQL for every engine: what is asked of SQLite and DuckDB is written for PostgreSQL too, and no table is too wide."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from packages import table
from served import answer, parameter, rows_path, served
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from api.query import additivity, engines, find, groups, reshape, sql

KINDS = ("string", "integer", "number", "boolean", "year", "yearmonth", "date", "time", "datetime", "duration", "list")
CELLS = ("a", 1, 1.5, "true", 1999, "1999-01", "1999-12-31", "13:30:00", "1999-12-31T13:30:00Z", "P1D", "a,b")
ASKED = ("a", "1", "1.5", "true", "1999", "1999-01", "1999-12-31", "13:30:00", "1999-12-31T13:30:00Z", "P1D", "a,b")
PER_TYPE = ("", "__ne", "__lt", "__lte", "__gt", "__gte", "__in", "__not_in", "__contains", "__startswith")


@pytest.mark.parametrize("few", [find.FEW, -1], ids=["SQLite", "DuckDB"])
def test_every_statement_is_written_for_postgresql_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    """The statements are those of all operators, sorts, pages, groups, measures, facets and checks of honest sums."""
    written: set[str] = set()
    plain = engines.statement

    def both(engine: engines.Engine, selected: sa.sql.expression.SelectBase) -> engines.Statement:
        written.add(str(selected.compile(dialect=PGDialect_psycopg())))
        return plain(engine, selected)

    for module in (sql, groups, additivity, reshape):
        monkeypatch.setattr(module, "statement", both)
    monkeypatch.setattr(find, "FEW", few)
    fields = ["id", *(f"{kind}:{kind}" for kind in KINDS), "parent"]
    rows = [[f"r{n}", *CELLS, "r1" if n else ""] for n in range(4)]
    key = {"fields": ["parent"], "reference": {"resource": "", "fields": ["id"]}}
    made = table("things", fields, rows, foreignKeys=[key])
    made["schema"]["fields"][3]["lantern:additiveWithin"] = ["year", "boolean"]
    made["schema"]["fields"][2]["lantern:additiveIf"] = {
        **{"through": "parent", "resource": "things", "field": "string", "equals": "a"}
    }
    made["schema"]["lantern:figure"] = {"periodStart": "date", "periodEnd": "date", "year": "year"}
    client = served(tmp_path, made)
    asked = [parameter(kind + how, value) for kind, value in zip(KINDS, ASKED, strict=True) for how in PER_TYPE]
    asked += [f"{kind}__isnull={flag}" for kind in KINDS for flag in ("true", "false")]
    asked += [f"sort={down}{kind},{down}number&limit=2" for kind in KINDS[:-1] for down in ("", "-")]
    asked += ["q=a", "q=a&year=1999", "expand=parent", "limit=2", "sort=-id&limit=2"]
    answered = 0
    for query in asked:
        response = client.get(rows_path("things", query))
        answered += response.status_code == 200  # not every type has every operator
        after = response.get_json().get("links", {}).get("next")
        assert response.status_code in (200, 400) and (not after or client.get(after).status_code == 200), query
        client.get(rows_path("things", query, ".csv"))
    assert answered > 100
    for query in (
        *(f"group_by={kind}&measure=count,median:number,min:number,max:integer" for kind in KINDS[:-1]),
        *("measure=sum:number", "measure=avg:integer&group_by=year", "measure=sum:integer&q=a", "group_by=id"),
        *(f"measure=count,count_distinct:{kind},max:{kind}" for kind in KINDS[:-1] if kind != "boolean"),
        *(f"group_by={part}&columns=id&limit=1&measure=count" for part in ("date__year", "yearmonth__year")),
        *("group_by=datetime__month,id&measure=sum:number,median:number&having=sum:number__gt=1",),
        *("group_by=id&measure=median:number&limit=1&having=median:number__between=1,2",),
    ):
        assert client.get(f"/v1/datasets/things/aggregate?{query}").status_code in (200, 409), query
    assert client.get("/v1/datasets/things/facets?facet=string,year&number__gt=1").status_code == 200
    assert client.get("/v1/datasets/things/records/r1").status_code == 200
    words = " ".join(written)
    assert len(written) > 100
    for expected in (
        "ANY(",
        "strpos(",
        "starts_with(",
        "NULLS LAST",
        "IS DISTINCT FROM",
        "percentile_disc(",
        "OVER (PARTITION BY",
    ):
        assert expected in words, expected
    for of_sqlite in ("json_each", "MATCH", "instr(", "+c1"):
        assert of_sqlite not in words


@pytest.mark.parametrize("few", [find.FEW, -1], ids=["SQLite", "DuckDB"])
def test_a_table_with_more_columns_than_an_engine_takes_is_asked_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    """Fields in three of the engines' tables (api.index.layout.PART): filtered, sorted, grouped, searched together."""
    monkeypatch.setattr(find, "FEW", few)
    names = [f"f{i:04}" for i in range(1_900)]
    rows = [[f"k{n}", *(f"{(n * i) % 7}" for i in range(1, 1_900))] for n in range(40)]
    rows.reverse()
    client = served(tmp_path, table("wide", names, rows))
    some = [row for row in sorted(rows) if row[950] == "3" and row[1_850] == "2" and row[3] != "9"]
    whole = client.get(rows_path("wide", "f0950=3&f1850=2&f0003__ne=9")).get_json()
    assert [list(row.values()) for row in whole["data"]] == some
    found = answer(client, rows_path("wide", "sort=f1850,f0950&fields=f0000,f1850&limit=10"))
    by = sorted(rows, key=lambda row: (row[1_850], row[950], row[0]))
    assert [list(row.values()) for row in found["data"]] == [[row[0], row[1_850]] for row in by[:10]]
    rest = answer(client, found["links"]["next"])["data"]
    assert [row["f0000"] for row in rest] == [row[0] for row in by[10:20]]
    counts: dict[tuple[str, str], int] = {}
    for row in rows:
        counts[row[1_850], row[1]] = counts.get((row[1_850], row[1]), 0) + 1
    grouped: list[dict[str, Any]] = answer(client, "/v1/datasets/wide/aggregate?group_by=f1850,f0001&limit=1000")[
        "data"
    ]
    assert {(row["f1850"], row["f0001"]): row["count"] for row in grouped} == counts
    (hit,) = answer(client, rows_path("wide", "q=k17&f1850__contains=" + rows[-18][1_850]))["data"]
    assert list(hit.values()) == rows[-18]
