"""What Python's libraries get by their natural calls."""

import io
from pathlib import Path
from urllib.parse import quote, urljoin
from urllib.request import urlretrieve

import duckdb
import duckdb_extension_httpfs
import feedparser
import httpx
import pandas as pd
import polars as pl
import pytest
import requests
import truth


@pytest.fixture
def records(base: str) -> str:
    return f"{base}/exports/records"


@pytest.mark.parametrize("get", [requests.get, httpx.get], ids=["requests", "httpx"])
@pytest.mark.parametrize("write", [list, ",".join], ids=["repeated", "commas"])
def test_a_list_given_as_a_list_or_as_text_means_the_same(get, write, records: str) -> None:
    answer = get(records, params={"indicator__in": write(truth.LISTED), "sort": write(truth.SORT)})
    assert truth.figures(answer.json()["data"]) == truth.of_the_list()


@pytest.mark.parametrize("get", [requests.get, httpx.get], ids=["requests", "httpx"])
def test_conditions_in_where_are_filters(get, records: str) -> None:
    answer = get(records, params={"where": truth.CONDITIONS, "limit": 1000})
    assert truth.figures(answer.json()["data"]) == truth.of_the_conditions()


def test_requests_follows_the_link_header_to_the_last_page(records: str) -> None:
    found, address = [], records
    with requests.Session() as session:
        while address:
            page = session.get(address)
            found += page.json()["data"]
            address = urljoin(page.url, page.links["next"]["url"]) if "next" in page.links else ""
    assert truth.figures(found) == truth.all_exports()


def test_httpx_follows_links_next_to_the_last_page(server: str) -> None:
    found, address = [], "/v1/datasets/exports/records"
    with httpx.Client(base_url=server) as client:
        while address:
            page = client.get(address).json()
            found += page["data"]
            address = page["links"]["next"]
    assert truth.figures(found) == truth.all_exports()


@pytest.mark.parametrize("get", [requests.get, httpx.get], ids=["requests", "httpx"])
def test_a_compound_key_may_be_escaped(get, base: str) -> None:
    answer = get(f"{base}/conflict_positions/records/{quote(','.join(truth.POSITION), safe='')}")
    assert answer.json()["data"] == {name: cell or None for name, cell in truth.position().items()}


@pytest.mark.parametrize("get", [requests.get, httpx.get], ids=["requests", "httpx"])
def test_an_error_is_a_problem_that_names_the_parameter(get, records: str) -> None:
    answer = get(records, params={"yaer": 2007})
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "application/problem+json")
    assert answer.json()["errors"][0] | {"parameter": "yaer", "did_you_mean": "year"} == answer.json()["errors"][0]


def test_requests_may_ask_for_true(records: str) -> None:
    answer = requests.get(records, params={"year__isnull": True, "limit": 1000})
    expected = [figure for figure in truth.all_exports() if figure[1] is None]
    assert truth.figures(answer.json()["data"]) == expected != []


def frame(found: pd.DataFrame) -> list[truth.Figure]:
    return truth.figures(found.to_dict("records"))


def test_pandas_reads_csv(records: str) -> None:
    assert frame(pd.read_csv(f"{records}.csv")) == truth.figures(truth.rows("exports"))


def test_pandas_reads_the_filtered_csv(records: str) -> None:
    assert frame(pd.read_csv(f"{records}.csv?{truth.QUERY}")) == truth.of_the_list()


def test_pandas_reads_json_lines(records: str) -> None:
    found = pd.read_json(f"{records}.jsonl", lines=True, precise_float=True)
    assert frame(found) == truth.figures(truth.rows("exports"))


def test_pandas_reads_a_bare_array(records: str) -> None:
    assert frame(pd.read_json(f"{records}?shape=array&{truth.QUERY}")) == truth.of_the_list()


def test_pandas_reads_parquet(records: str) -> None:
    assert frame(pd.read_parquet(f"{records}.parquet")) == truth.figures(truth.rows("exports"))


def test_pandas_reads_the_rows_of_a_filtered_workbook(records: str) -> None:
    assert frame(pd.read_excel(f"{records}.xlsx?{truth.QUERY}")) == truth.of_the_list()


def test_polars_reads_csv(records: str) -> None:
    found = pl.read_csv(f"{records}.csv", infer_schema_length=None)
    assert truth.figures(found.to_dicts()) == truth.figures(truth.rows("exports"))


def test_polars_reads_json_lines(records: str) -> None:
    body = io.BytesIO(httpx.get(f"{records}.jsonl").content)
    found = pl.read_ndjson(body, infer_schema_length=None)
    assert truth.figures(found.to_dicts()) == truth.figures(truth.rows("exports"))


def test_polars_scans_the_parquet_of_a_release_by_ranges(server: str) -> None:
    address = f"{server}/releases/{truth.release().name}/parquet/exports.parquet"
    found = pl.scan_parquet(address).filter(pl.col("indicator").is_in(truth.LISTED)).collect()
    assert sorted(truth.figures(found.to_dicts())) == sorted(truth.of_the_list())


def test_polars_reads_the_rows_of_a_filtered_workbook(records: str) -> None:
    found = pl.read_excel(io.BytesIO(httpx.get(f"{records}.xlsx?{truth.QUERY}").content))
    assert truth.figures(found.to_dicts()) == truth.of_the_list()


@pytest.fixture(scope="module")
def database() -> duckdb.DuckDBPyConnection:
    """With its extension for HTTP from PyPI: `INSTALL httpfs` would fetch it from its makers' server."""
    connection = duckdb.connect()
    [extension] = Path(duckdb_extension_httpfs.__path__[0]).rglob("httpfs.duckdb_extension")
    connection.load_extension(str(extension))
    return connection


@pytest.mark.parametrize("extension", ["csv", "parquet", "jsonl"])
def test_duckdb_reads_rows_over_http(extension: str, records: str, database: duckdb.DuckDBPyConnection) -> None:
    read = {"csv": "read_csv", "parquet": "read_parquet", "jsonl": "read_json"}[extension]
    found = database.sql(f"SELECT id, year, value FROM {read}('{records}.{extension}')").fetchall()
    assert truth.figures({"id": i, "year": y, "value": v} for i, y, v in found) == truth.figures(truth.rows("exports"))


def test_duckdb_sums_the_parquet_of_a_release_over_http(server: str, database: duckdb.DuckDBPyConnection) -> None:
    address = f"{server}/releases/{truth.release().name}/parquet/exports.parquet"
    found = database.execute(f"SELECT count(*) FROM '{address}' WHERE indicator IN (?, ?)", truth.LISTED).fetchone()
    assert found == (len(truth.of_the_list()),)


@pytest.mark.parametrize("feed", ["corrections", "releases"])
def test_feedparser_reads_the_feeds(feed: str, server: str) -> None:
    found = feedparser.parse(f"{server}/v1/{feed}.atom")
    entries = {"corrections": len(truth.rows("corrections")), "releases": len(truth.releases())}[feed]
    assert (found.bozo, found.status, len(found.entries)) == (False, 200, entries)
    assert feedparser.parse(found.href, etag=found.etag).status == 304


def test_a_download_is_the_file_of_the_release(records: str, tmp_path: Path) -> None:
    urlretrieve(f"{records}.csv", tmp_path / "exports.csv")
    assert (tmp_path / "exports.csv").read_bytes() == (truth.release() / "data" / "exports.csv").read_bytes()
