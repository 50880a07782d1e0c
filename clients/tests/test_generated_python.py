"""The Python client that openapi-generator makes of the document, as it comes."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import truth
from generators import generate
from programs import run

HEAD = """
import json, sys
import openapi_client as lantern
api = lantern.ApiClient(lantern.Configuration(host=sys.argv[1]))
exports = lantern.ExportsApi(api)
figures = lambda page: [(row.id, row.year, row.value and float(row.value)) for row in page.data]
say = lambda value: print(json.dumps(value))
"""


@pytest.fixture(scope="module")
def made(server: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate("python", server, tmp_path_factory.mktemp("python"))


def said(code: str, made: Path, server: str) -> Any:
    return json.loads(run(sys.executable, "-", server, cwd=made, text=HEAD + code))


def listed(figures: list[truth.Figure]) -> list[list[Any]]:
    return [list(figure) for figure in figures]


def test_a_list_in_a_condition_and_a_list_of_fields(made: Path, server: str) -> None:
    where = [f"indicator__in={','.join(truth.LISTED)}"]
    code = f"say(figures(exports.exports_records(where={where}, sort={truth.SORT})))"
    assert said(code, made, server) == listed(truth.of_the_list())


def test_several_conditions(made: Path, server: str) -> None:
    code = f"""say(figures(exports.exports_records(where={truth.CONDITIONS}, limit=1000)))"""
    assert said(code, made, server) == listed(truth.of_the_conditions())


def test_all_pages(made: Path, server: str) -> None:
    code = """
from urllib.parse import parse_qs, urlsplit
found, cursor = [], None
while True:
    page = exports.exports_records(limit=200, cursor=cursor)
    found += figures(page)
    if page.links["next"] is None:
        break
    [cursor] = parse_qs(urlsplit(page.links["next"]).query)["cursor"]
say(found)
"""
    assert said(code, made, server) == listed(truth.all_exports())


def test_a_row_by_its_compound_key(made: Path, server: str) -> None:
    key = ",".join(truth.POSITION)
    code = f"""say(lantern.ConflictPositionsApi(api).conflict_positions_record("{key}").data.says)"""
    assert said(code, made, server) == truth.position()["says"]


def test_csv_becomes_a_data_frame(made: Path, server: str) -> None:
    code = """say(lantern.DatasetsApi(api).records_csv("exports"))"""
    frame = pd.read_csv(io.StringIO(said(code, made, server)))
    assert truth.figures(frame.to_dict("records")) == truth.figures(truth.rows("exports"))


@pytest.mark.parametrize("extension", ["jsonl", "xlsx", "parquet"])
def test_other_files_come_as_bytes(extension: str, made: Path, server: str) -> None:
    code = f"""say(type(lantern.DatasetsApi(api).records_{extension}("exports", limit=2)).__name__)"""
    assert said(code, made, server) in ("bytes", "bytearray")


def test_an_error_has_a_typed_problem(made: Path, server: str) -> None:
    code = """
try:
    exports.exports_records(where=["yaer__gte=2007"])
except lantern.ApiException as error:
    say([type(error.data).__name__, error.status, error.data.errors[0].did_you_mean])
"""
    assert said(code, made, server) == ["Problem", 400, "year__gte"]
