"""Measurements inside one Python process, without a server; run as `python -m bench.inprocess WHAT`."""

import io
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.places import ROOT
from bench.questions import PAGE, by_year, never_asked

FORBIDDEN = ("pandas", "polars", "pyarrow", "frictionless")
ROUNDS = 15


def ask_python(what: str, store: Path, patience: float = 300) -> Any:
    """Run a measurement of this module in a fresh process over a store."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("LANTERN_")} | {"LANTERN_STORE": str(store)}
    command = [sys.executable, "-m", "bench.inprocess", what]
    ended = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=patience)
    if ended.returncode:
        raise RuntimeError(f"{what}: " + " | ".join(ended.stderr.strip().splitlines()[-2:]))
    return json.loads(ended.stdout.strip().splitlines()[-1])


def environ(address: str, **more: Any) -> dict[str, Any]:
    """What gunicorn gives an application for a GET."""
    path, _, query = address.partition("?")
    return {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "SCRIPT_NAME": "",
        "QUERY_STRING": query,
        "RAW_URI": address,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "HTTP_HOST": "127.0.0.1:8000",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.url_scheme": "http",
        "wsgi.version": (1, 0),
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        **more,
    }


def call(app: Any, given: dict[str, Any]) -> tuple[str, int]:
    """Status and length of one answer."""
    said: list[str] = []
    body = app(given, lambda status, headers, exc_info=None: said.append(status))
    size = sum(map(len, body))
    if hasattr(body, "close"):
        body.close()
    return said[0], size


def micros(ask: Callable[[], Any], calls: int) -> float:
    """µs of this thread's CPU a call: what else the machine does meanwhile does not count."""
    start = time.thread_time()
    for _ in range(calls):
        ask()
    return (time.thread_time() - start) / calls * 1e6


def added() -> dict[str, list[float]]:
    """µs a call, alternating rounds: the page from memory and its 304 against a raw application that sends equal
    bytes; bare Flask inside our layer against bare Flask alone.
    """
    from flask import Flask, Response

    from wsgi import app

    page = environ(PAGE["lantern"])
    _, size = call(app, dict(page))
    body = b"x" * size
    headers = [("Content-Type", "application/json"), ("Content-Length", str(size))]
    tags: list[str] = []
    app(dict(page), lambda s, h, e=None: tags.append(dict(h)["ETag"]))

    def raw(given: Any, start: Any) -> Any:
        start("200 OK", headers)
        return (body,)

    flask = Flask("bare")
    flask.add_url_rule("/v1/datasets/figures/records", "page", lambda: Response(body, mimetype="application/json"))
    layer = type(app.wsgi_app)
    wrapped = layer(flask.wsgi_app, app.extensions["store"], 64)
    known = {**page, "HTTP_IF_NONE_MATCH": tags[0]}
    asked = {
        "raw": lambda: call(raw, dict(page)),
        "lantern, from memory": lambda: call(app.wsgi_app, dict(page)),
        "lantern, 304": lambda: call(app.wsgi_app, dict(known)),
        "flask": lambda: call(flask.wsgi_app, dict(page)),
        "flask in our layer": lambda: call(wrapped, dict(page)),
    }
    found: dict[str, list[float]] = {name: [] for name in asked}
    for _ in range(ROUNDS):
        for name, ask in asked.items():
            found[name].append(micros(ask, 1000))
    return found


def questions() -> dict[str, list[float]]:
    """µs a call of questions never asked before, of sums by year, and of bare Flask; medians of rounds."""
    from wsgi import app

    asked = iter(never_asked("lantern"))
    sums = iter(by_year("lantern"))
    found: dict[str, list[float]] = {"never asked": [], "by year": []}
    for _ in range(ROUNDS):
        found["never asked"].append(micros(lambda: call(app.wsgi_app, environ(next(asked))), 200))
        found["by year"].append(micros(lambda: call(app.wsgi_app, environ(next(sums))), 4))
    return found


def threads() -> dict[str, dict[str, float]]:
    """Questions never asked before, put to the application by 1 and by 8 threads at once."""
    from wsgi import app

    asked = iter(never_asked("lantern"))
    found = {}
    for count in (1, 8, 1, 8):
        times: list[float] = []
        end = time.perf_counter() + 2

        def work(times: list[float] = times, end: float = end) -> None:
            while (start := time.perf_counter()) < end:
                call(app.wsgi_app, environ(next(asked)))
                times.append(time.perf_counter() - start)

        started = [threading.Thread(target=work) for _ in range(count)]
        begin = time.perf_counter()
        for thread in started:
            thread.start()
        for thread in started:
            thread.join()
        took = time.perf_counter() - begin
        times.sort()
        found[f"{count} threads"] = {
            "rate": len(times) / took,
            "p50": statistics.median(times) * 1e3,
            "p99": times[int(len(times) * 0.99)] * 1e3,
        }
    return found


def imports() -> dict[str, Any]:
    """Which of the forbidden packages a serving process has imported after questions of every kind."""
    from wsgi import app

    base = "/v1/datasets/figures/"
    paths = [
        "/", "/v1/", "/v1/datasets", base[:-1], f"{base}schema", PAGE["lantern"], f"{base}facets?facet=country",
        f"{base}aggregate?group_by=year&measure=sum:value", f"{base}records?q=firearms", "/v1/search?q=firearms",
        f"{base}records.csv?country=AKX&limit=10", f"{base}records.jsonl?country=AKX&limit=10",
        f"{base}records.xlsx?country=AKX&limit=10", f"{base}records.parquet?country=AKX&limit=10",
        "/openapi.json", "/healthz", "/v1/releases", f"{base}records?wrong=1",
    ]  # fmt: skip
    answers = {}
    imported: dict[str, str] = {}
    for path in paths:
        answers[path] = call(app.wsgi_app, environ(path))[0]
        for name in FORBIDDEN:
            if name in sys.modules:
                imported.setdefault(name, path)
    return {"imported": imported, "answers": answers}


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]]()))
