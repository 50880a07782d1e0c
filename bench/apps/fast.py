"""FastAPI with sqlite3 written by hand: what a quick and careful developer makes of the same table."""

import os
import sqlite3
import threading

import orjson
from fastapi import FastAPI, Response

NAMES = ("id", "country", "category", "year", "day", "standing", "value", "note")
app = FastAPI()
local = threading.local()


def rows(sql: str, bound: list) -> list:
    """All rows of a statement, over a connection kept for each thread."""
    if not hasattr(local, "db"):
        local.db = sqlite3.connect(f"file:{os.environ['BENCH_DB']}?mode=ro&immutable=1", uri=True)
        local.db.execute("PRAGMA mmap_size=2147418112")
    return local.db.execute(sql, bound).fetchall()


def answer(data: list) -> Response:
    """The envelope."""
    return Response(orjson.dumps({"data": data}), media_type="application/json")


@app.get("/figures")
def figures(
    country: str | None = None,
    category: str | None = None,
    year: int | None = None,
    sort: str = "id",
    limit: int = 100,
) -> Response:
    """A page of rows."""
    given = {"country": country, "category": category, "year": year}
    found = {name: value for name, value in given.items() if value is not None}
    where = " AND ".join(f"{name} = ?" for name in found) or "1"
    column, down = sort.lstrip("-"), " DESC" if sort.startswith("-") else ""
    if column not in NAMES:
        return Response(status_code=400)
    sql = f"SELECT * FROM figures WHERE {where} ORDER BY {column}{down} LIMIT ?"
    return answer([dict(zip(NAMES, row, strict=True)) for row in rows(sql, [*found.values(), min(limit, 1000)])])


@app.get("/years")
def years(country: str | None = None, category: str | None = None) -> Response:
    """Sums by year."""
    name, value = ("country", country) if country else ("category", category)
    sql = f"SELECT year, sum(value), count(*) FROM figures WHERE {name} = ? GROUP BY year"
    return answer([dict(zip(("year", "sum", "count"), row, strict=True)) for row in rows(sql, [value])])
