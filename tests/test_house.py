"""The house: few rooms, rules of import that name each, and few hands between a request and its response."""

import configparser
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import EnvironBuilder

ROOT = Path(__file__).resolve().parents[1]
API = ROOT / "api"
RECORDS, AGGREGATE = "/v1/datasets/exports/records", "/v1/datasets/exports/aggregate"


def rooms() -> set[Path]:
    return {path.parent for path in API.rglob("*.py")} - {API}


def test_few_files_lie_at_the_top_and_few_rooms_below() -> None:
    assert {path.name for path in API.iterdir() if path.is_file()} == {
        *("__init__.py", "__main__.py", "app.py", "py.typed", "server.py", "settings.py")
    }
    assert len(rooms()) <= 20


def test_every_room_and_module_at_the_top_has_its_place_in_the_rules_of_import() -> None:
    rules = configparser.ConfigParser()
    rules.read(ROOT / "setup.cfg")
    layers = rules["importlinter:contract:downwards"]
    assert (layers["containers"], layers["exhaustive"]) == ("api", "True")
    named = layers["layers"].split()
    assert len(named) == len(set(named))
    modules = {path.stem for path in API.glob("*.py")} - {"__init__"}
    assert set(named) == modules | {room.name for room in rooms() if room.parent == API}


def test_storage_is_the_work_of_engines() -> None:
    """No mapped files and no binary formats of our own."""
    text = {path: path.read_text("utf-8") for path in API.rglob("*.py")}
    assert len(text) > 100
    imported = re.compile(r"^\s*(?:import|from) (?:mmap|struct|array|ctypes.*memory)\b", re.MULTILINE)
    assert [path.name for path, lines in text.items() if imported.search(lines)] == []


def test_the_program_stays_small() -> None:
    """Who needs more lines first finds some that can go, or a reason that is worth raising the number here.

    19,500 for the API; 26,500 since any published package is read, mended where it can be, and judged in words; 29,000
    since an operator has status, metrics, logs, limits and takedowns, and a mirror mends what it finds.
    """
    assert sum(len(path.read_text("utf-8").splitlines()) for path in API.rglob("*.py")) <= 29_000


@contextmanager
def traced() -> Iterator[set[str]]:
    """The files of api/ whose functions are called meanwhile, by this thread."""
    files: set[str] = set()

    def note(frame: FrameType, event: str, _: Any) -> None:
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(API):
            files.add(path.relative_to(API).as_posix())

    sys.setprofile(note)
    try:
        yield files
    finally:
        sys.setprofile(None)


@pytest.mark.parametrize(
    ("most", "warm", "cold"),
    [
        (11, f"{RECORDS}?year=2006&sort=-value&limit=5", f"{RECORDS}?year=2007&sort=-value&limit=5"),
        (
            13,
            f"{AGGREGATE}?indicator=dcs_value_shipped&standing=preferred&group_by=year&measure=sum:value",
            f"{AGGREGATE}?indicator=dcs_value_approved&standing=preferred&group_by=year&measure=sum:value",
        ),
    ],
    ids=["page", "aggregate"],
)
def test_a_request_passes_few_files(app: Flask, most: int, warm: str, cold: str) -> None:
    """One that was never made before, whose form is known: the statement is there, the rows are looked up."""
    client = app.test_client()
    assert client.get(warm, headers={"X-Request-Id": "warm"}).status_code == 200
    environ = EnvironBuilder(cold, headers={"Accept": "application/json"}).get_environ()
    statuses: list[str] = []
    with traced() as files:
        body = b"".join(app.wsgi_app(environ, lambda status, *_: statuses.append(status)))  # type: ignore[arg-type]
    assert (statuses, body[:9]) == (["200 OK"], b'{"data":[')
    assert "http/request.py" in files and "index/sqlite.py" in files
    assert len(files) <= most, sorted(files)
