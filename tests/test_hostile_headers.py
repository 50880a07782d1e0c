"""Headers of eight kilobytes cost a server neither time nor memory."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from packages import table, write
from served import app_of

from api.release.build import build

LENGTH = 8_000
SECONDS = 2
ROWS = "/v1/datasets/things/records"
# What makes a careless reader go back and forth: long runs of one thing before a character that does not fit.
RUNS = {
    "weight": "a/b;q=1" + "1" * LENGTH,
    "fraction": "a/b;q=1." + "1" * LENGTH,
    "spaces": '"a" ' + " " * LENGTH,
    "tabs": "a/b;q=1" + "\t" * LENGTH,
    "commas": "," * LENGTH,
    "names": "a," * (LENGTH // 2),
    "weights": "a;q=0," * (LENGTH // 6),
    "semicolons": "a/b" + ";" * LENGTH,
    "parameters": "a/b" + ";q=1" * (LENGTH // 4),
    "quotes": '"' * LENGTH,
    "backslashes": '"' + "\\" * LENGTH,
    "tags": 'W/"",' * (LENGTH // 5),
    "ranges": "bytes=" + "0-1," * (LENGTH // 4),
    "digits": "bytes=0-" + "9" * LENGTH,
    "days": "Sat, " + "0 " * (LENGTH // 2),
}
HEADERS = (
    *("Accept", "Accept-Encoding", "If-None-Match", "If-Match", "If-Modified-Since", "If-Unmodified-Since"),
    *("If-Range", "Range", "X-Request-Id", "Origin", "Cookie", "Content-Type"),
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    things = table("things", ["id", "n:integer"], [["a", 1], ["b", 2]])
    build(write(folder / "package", things), folder / "store")
    return folder / "store"


@pytest.fixture(scope="module")
def small(store: Path) -> FlaskClient:
    return app_of(store, CACHE_MB=0).test_client()


@pytest.mark.parametrize("path", [ROWS, f"{ROWS}.csv?n__gte=1", "/releases/1.0.0/data/things.csv", "/healthz", "/"])
@pytest.mark.parametrize("name", HEADERS)
def test_no_long_header_holds_a_worker_up(small: FlaskClient, name: str, path: str) -> None:
    small.get(path)
    for kind, run in RUNS.items():
        for end in ("", "x", ";", '"'):
            start = time.perf_counter()
            response = small.get(path, headers={"Range": "bytes=0-1", name: run + end})
            taken = time.perf_counter() - start
            assert response.status_code < 500, (kind, end)
            assert taken < SECONDS, (kind, end, taken)


GROWTH = """
import sys, tracemalloc
from pathlib import Path
from api.app import create_app

client = create_app(STORE=Path(sys.argv[1]), BASE_URL="", CACHE_MB=1).test_client()
name, times = sys.argv[2], int(sys.argv[3])

def ask(number):
    path, text = sys.argv[4], f"{number:08}" + "x" * (7000 if name else 3500)
    headers = {name: f"application/json;a={text}"} if name else {}
    assert client.get(path if name else f"{path}?id={text}", headers=headers).status_code == 200

for number in range(100):
    ask(number)
tracemalloc.start()
for number in range(100, times):
    ask(number)
print(tracemalloc.get_traced_memory()[0])
"""


@pytest.mark.parametrize(
    ("name", "times", "most"),
    [("Accept", 1_200, 4), ("Accept-Encoding", 1_200, 4), ("X-Request-Id", 1_200, 4), ("", 3_000, 10)],
)
def test_what_clients_write_does_not_stay_in_memory(store: Path, name: str, times: int, most: int) -> None:
    """A bound of 1 MiB, and texts of 8 to 10 MB, each with an answer to it; those without a name are questions."""
    command = [sys.executable, "-c", GROWTH, str(store), name, str(times), ROWS]
    grown = int(subprocess.run(command, check=True, capture_output=True, cwd=Path(__file__).parents[1]).stdout)
    assert grown < most * 2**20
