"""A plain Flask view: the SQL of a question on the engine of the index, and the rows' JSON."""

import json
import os
import sqlite3
import threading
from pathlib import Path
from typing import Any

import duckdb
from flask import Flask, Response, request

INDEX = Path(os.environ["BENCH_INDEX"])
ASKED = json.loads(Path(os.environ["BENCH_ASKED"]).read_text())
app = Flask("plain")
local = threading.local()
opening = threading.Lock()
opened: list[duckdb.DuckDBPyConnection] = []


def run(engine: str, sql: str, bound: list[Any]) -> list[Any]:
    """All rows of a statement, over a connection or cursor kept for each thread."""
    if not hasattr(local, engine):
        setattr(local, engine, {"sqlite": lite, "duckdb": duck}[engine]())
    rows: list[Any] = getattr(local, engine).execute(sql, bound).fetchall()
    return rows


def lite() -> sqlite3.Connection:
    db = sqlite3.connect(f"file:{INDEX / 'tables.sqlite'}?mode=ro&immutable=1", uri=True)
    db.execute("PRAGMA cache_size=-65536")
    return db


def duck() -> duckdb.DuckDBPyConnection:
    with opening:
        if not opened:
            opened.append(duckdb.connect(str(next(INDEX.glob("*.duckdb"))), read_only=True))
    return opened[0].cursor()


@app.get("/")
def ready() -> str:
    return "ready"


@app.get("/<int:number>")
def answer(number: int) -> Response:
    """The answer to a question of a known form with these values."""
    asked = ASKED[number]
    bound = json.loads(request.args["v"])
    found = [run(engine, sql, given) for (engine, sql), given in zip(asked["statements"], bound, strict=True)]
    if asked["kind"] == "row":
        text = f'{{"data":{found[0][0][0]}}}'
    elif asked["kind"] == "page":
        limit = int(request.args["limit"])
        rows = found[0]
        if asked["statements"][0][0] == "duckdb":
            numbers = [row[0] for row in rows]
            marks = ", ".join("?" * len(numbers))
            texts = dict(run("sqlite", f"SELECT n, json FROM j0 WHERE n IN ({marks})", numbers))
            rows = [(texts[n],) for n in numbers]
        total = found[1][0][0] if found[1:] else None
        meta = json.dumps({"count": len(rows[:limit]), "total": total, "more": len(rows) > limit})
        text = f'{{"data":[{",".join(row[0] for row in rows[:limit])}],"meta":{meta}}}'
    elif asked["kind"] == "facets":
        limit = int(request.args["limit"])
        facets = {
            name: [{"value": value, "count": count} for value, count in rows[:limit]]
            for name, rows in zip(asked["names"], found, strict=True)
        }
        text = json.dumps({"data": facets})
    else:
        text = json.dumps({"data": [dict(zip(asked["names"], row, strict=True)) for row in found[0]]})
    return Response(text, mimetype="application/json")
