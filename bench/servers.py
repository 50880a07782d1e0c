"""The servers: Lantern and its peers, and how each is started."""

import getpass
import sys
from collections.abc import Sequence
from pathlib import Path

from bench import stores
from bench.environments import environment
from bench.places import ROOT, folder
from bench.processes import Server, free_port
from bench.questions import PAGE

WORKERS = 2
GUNICORN = ("-m", "gunicorn", "--config", str(ROOT / "bench" / "gunicorn.conf.py"))
# Nothing that a page of rows does not need, as a careful operator would set it.
DATASETTE = {
    "suggest_facets": "off",
    "facet_time_limit_ms": "60000",
    "default_page_size": "100",
    "max_returned_rows": "1000",
    "max_csv_mb": "0",
    "sql_time_limit_ms": "60000",
}


def gunicorn(
    name: str, app: str, ready: str, env: dict[str, str], more: Sequence[str] = (), python: str = sys.executable
) -> Server:
    """An application under gunicorn with Lantern's own configuration; `more` arguments come after it."""
    env = {"LANTERN_WORKERS": str(WORKERS), **env}
    return Server(name, [python, *GUNICORN, *more, app], ready, env)


def lantern(
    rows: int,
    name: str = "lantern",
    more: Sequence[str] = (),
    python: str = sys.executable,
    ready: str = "/healthz",
    **settings: str,
) -> Server:
    """Lantern over the release of a table; settings by name without their prefix."""
    env = {"LANTERN_STORE": str(stores.store(rows)), **{f"LANTERN_{k}": v for k, v in settings.items()}}
    return gunicorn(name, "wsgi:app", ready, env, more, python)


def serve(rows: int, checkout: Path = ROOT, name: str = "lantern", workers: int = WORKERS) -> Server:
    """`lantern serve` of a checkout over its own store."""
    env = {"LANTERN_STORE": str(stores.store(rows, checkout)), "LANTERN_WORKERS": str(workers)}
    command = [sys.executable, "-P", "-m", "api", "serve"]
    return Server(name, command, "/healthz", {**env, "PYTHONPATH": str(checkout)}, checkout, patience=300)


def plain(rows: int, asked: Path) -> Server:
    """A plain Flask view over the files of the index, for questions of the forms in a file, in one worker."""
    env = {"BENCH_INDEX": str(stores.index(rows)), "BENCH_ASKED": str(asked), "LANTERN_WORKERS": "1"}
    return gunicorn("plain", "bench.apps.plain:app", "/", env)


def bare(page: Path | None = None) -> list[Server]:
    """Raw WSGI and bare Flask on the same gunicorn, sending 5 KB and, with a page, as many bytes as that has."""
    env = {"BENCH_PAGE": str(page)} if page else {}
    return [
        gunicorn("raw", "bench.apps.raw:app", "/small", env),
        gunicorn("flask", "bench.apps.bare:app", "/small", env),
    ]


def datasette(rows: int, indexes: Sequence[str] = stores.INDEXES) -> Server:
    """Datasette over the peers' file, immutable and with lean settings; it has one process and no workers."""
    program, file = environment("datasette") / "datasette", stores.database(rows, indexes)
    argv = [str(program), "serve", "--immutable", str(file), "--host", "127.0.0.1", "--port", "{port}"]
    for name, value in DATASETTE.items():
        argv += ["--setting", name, value]
    return Server("datasette", argv, PAGE["datasette"], patience=120)


def fastapi(rows: int) -> Server:
    """FastAPI with hand-written sqlite3 over the peers' file, under uvicorn with as many workers."""
    program = environment("fastapi") / "uvicorn"
    argv = [str(program), "bench.apps.fast:app", "--port", "{port}", "--workers", str(WORKERS)]
    return Server(
        "fastapi", [*argv, "--log-level", "warning"], PAGE["fastapi"], {"BENCH_DB": str(stores.database(rows))}
    )


def roapi(rows: int) -> Server:
    """ROAPI with the table's CSV in memory."""
    table = f"figures={stores.package(rows) / 'data' / 'figures.csv'}"
    argv = [str(environment("roapi") / "roapi"), "--addr-http", "127.0.0.1:{port}", "--table", table]
    argv += ["--addr-postgres", "127.0.0.1:0"]
    return Server("roapi", argv, PAGE["roapi"], cwd=folder("peers"), patience=120)


NGINX = """
user {user};
worker_processes {workers};
pid {place}/nginx.pid;
error_log {place}/error.log;
daemon off;
events {{ worker_connections 512; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;
  client_body_temp_path {place}/body; proxy_temp_path {place}/proxy; fastcgi_temp_path {place}/fastcgi;
  uwsgi_temp_path {place}/uwsgi; scgi_temp_path {place}/scgi;
  server {{ listen 127.0.0.1:{port}; root {root}; default_type text/csv; }}
}}
"""


def nginx(root: Path, program: str, ready: str) -> Server:
    """nginx with a folder of static files, over sendfile."""
    place, port = folder("nginx"), free_port()
    config = place / "nginx.conf"
    place.chmod(0o755)
    config.write_text(NGINX.format(user=getpass.getuser(), workers=WORKERS, place=place, port=port, root=root))
    return Server("nginx", [program, "-c", str(config), "-e", str(place / "error.log")], ready, port=port)
