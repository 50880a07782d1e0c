"""What HTTP promises: headers, entity tags, negotiation, ranges, caching; the same for every data answer."""

import base64
import gzip
import hashlib
import http.client
import os
import re
import shutil
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import brotli
import pytest
import zstandard
from flask import Flask
from flask.testing import FlaskClient
from packages import table, write
from served import PROBLEM, answer, app_of, client_of, get, rows_path, served
from werkzeug.test import TestResponse

from api.model.files import INDEX_LIST
from api.release.build import build

MUTABLE = "public, max-age=300, stale-while-revalidate=86400"
IMMUTABLE = "public, max-age=31536000, immutable"
CREATED = "2026-03-01T10:20:30Z"
HTTP_CREATED = "Sun, 01 Mar 2026 10:20:30 GMT"
LICENSE = {"name": "CC0-1.0", "path": "https://creativecommons.org/publicdomain/zero/1.0/"}
TYPES = {
    "json": "application/json",
    "jsonl": "application/jsonl",
    "csv": "text/csv; charset=utf-8",
    "tsv": "text/tab-separated-values; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "parquet": "application/vnd.apache.parquet",
    "ndjson": "application/x-ndjson",
}
UNPACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "br": brotli.decompress,
    "zstd": lambda body: zstandard.ZstdDecompressor().decompress(body, 1 << 26),
    "": lambda body: body,
}
FEW, MANY = 60, 25_000
PLACES = table("places", ["id:integer", "name", "size:number"], [[n, f"place {n}", n / 4] for n in range(FEW)])
LARGE = table("large", ["id:integer", "text"], [[n, f"a text that is long enough, number {n}"] for n in range(MANY)])


def package(folder: Path, *tables: dict[str, object], **words: object) -> Path:
    return write(folder, *tables, **{"created": CREATED, "licenses": [LICENSE], **words})


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    """Sixty rows, and a table whose CSV is larger than what is kept in memory."""
    folder = tmp_path_factory.mktemp("http")
    return client_of(package(folder / "package", PLACES, LARGE), folder / "store")


def links(response: TestResponse) -> dict[str, str]:
    return {rel: target for target, rel in re.findall(r'<([^>]*)>; rel="([^"]*)"', response.headers.get("Link", ""))}


ROWS = rows_path("places")
DATA = (
    *("/v1/", "/v1/datasets", "/v1/datasets/places", "/v1/datasets/places/schema", ROWS, f"{ROWS}?size__gt=3&limit=5"),
    *(f"{ROWS}/7", "/v1/datasets/places/facets?facet=name", "/v1/datasets/places/aggregate?measure=sum:size"),
    *("/v1/search?q=place&limit=3", "/v1/releases", "/v1/releases/1.0.0", "/releases/1.0.0/data/places.csv"),
    *("/releases/1.0.0/manifest.json", "/releases/1.0.0/datapackage.json", "/releases/1.0.0/data/large.csv"),
    *(
        f"{rows_path('large', '', '.csv')}",
        f"{rows_path('large', 'id__gte=5', '.csv')}",
        f"{ROWS}.csv",
        f"{ROWS}.jsonl",
    ),
    *(
        f"{ROWS}.jsonl?id__lt=9",
        f"{ROWS}.csv?fields=name",
        f"{ROWS}.xlsx?id__lt=9",
        f"{ROWS}.parquet",
        f"{ROWS}.parquet?id__lt=9",
    ),
    *("/openapi.json", "/openapi.yaml", "/", f"{rows_path('large', 'id__gte=5&fields=text', '.csv')}", "/v1/changes"),
    *(f"{rows_path('large', 'id__gte=5&fields=text', '.jsonl')}", f"{ROWS}?version=1.0.0", f"{ROWS}.csv?version=1.0.0"),
    *(f"{ROWS}.tsv", f"{ROWS}.tsv?id__lt=9", f"{ROWS}.ndjson", f"{ROWS}.ndjson?id__lt=9", f"{ROWS}.csv?excel=1"),
    *(f"{ROWS}.xlsx", f"{ROWS}?shape=array&limit=5", f"{ROWS}.json?shape=array"),
    *("/v1/search?q=place&limit=3&shape=array", "/v1/datasets/places/aggregate?shape=array"),
)


@pytest.mark.parametrize("path", DATA)
def test_every_data_answer_has_the_headers_of_the_contract(small: FlaskClient, path: str) -> None:
    response = small.get(path)
    assert response.status_code == 200
    headers = response.headers
    assert re.fullmatch(r'"[^"]+"', headers["ETag"])
    assert headers["Last-Modified"] == HTTP_CREATED
    pinned = "version=" in path or path.startswith("/releases/")
    assert headers["Cache-Control"] == (IMMUTABLE if pinned else MUTABLE)
    assert headers["Vary"] == "Accept, Accept-Encoding"
    assert headers["X-Data-Version"] == "1.0.0"
    assert int(headers["Content-Length"]) == len(response.data)
    assert headers["Access-Control-Allow-Origin"] == "*"
    exposed = {name.strip() for name in headers["Access-Control-Expose-Headers"].split(",")}
    assert {
        "Allow",
        "Retry-After",
        "ETag",
        "Link",
        "X-Data-Version",
        "X-Request-Id",
        "Content-Length",
        "Last-Modified",
    } <= exposed
    assert headers["X-Request-Id"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    found = links(response)
    assert found["license"] == LICENSE["path"]
    if not path.startswith("/releases/"):
        assert small.get(found["canonical"]).headers["ETag"] == headers["ETag"]
    if "/records" in path:
        pin = "?version=1.0.0" if "version=" in path or "as_of=" in path else ""
        assert found["describedby"] == f"/v1/datasets/{path.split('/')[3]}/schema{pin}"
    assert ("Repr-Digest" in headers) == (
        path.startswith("/releases/")
        or path.partition("?")[0].endswith((".csv", ".jsonl", ".ndjson", ".parquet"))
        and "=" not in path.replace("version=1.0.0", "")
    )
    assert "Set-Cookie" not in headers


@pytest.mark.parametrize("path", [*DATA, "/healthz", "/readyz", "/nothing", f"{ROWS}?x=1", f"{ROWS}/999"])
def test_head_has_the_headers_of_get_and_no_body(small: FlaskClient, path: str) -> None:
    given = {"X-Request-Id": "a"}
    whole, head = small.get(path, headers=given), small.head(path, headers=given)
    assert (head.status_code, head.data) == (whole.status_code, b"")
    assert {k: v for k, v in head.headers.items() if k != "Date"} == {
        k: v for k, v in whole.headers.items() if k != "Date"
    }


@pytest.mark.parametrize("path", [*DATA[:12], "/healthz", "/nothing"])
def test_options_tells_what_is_allowed(small: FlaskClient, path: str) -> None:
    response = small.options(path, headers={"Origin": "https://a.org", "Access-Control-Request-Method": "GET"})
    if path == "/nothing":
        assert response.status_code == 404
        return
    assert response.status_code in (200, 204)
    assert {part.strip() for part in response.headers["Allow"].split(",")} == {"GET", "HEAD", "OPTIONS"}
    assert response.headers["Access-Control-Allow-Methods"] == "GET, HEAD, OPTIONS"
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert response.headers["Access-Control-Allow-Headers"] == "*, Authorization"


@pytest.mark.parametrize("path", ["/nothing", f"{ROWS}?x=1", f"{ROWS}/999", f"{ROWS}.xml", "/releases/2/a"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_errors_have_the_headers_that_a_client_needs(small: FlaskClient, path: str, method: str) -> None:
    response = small.open(path, method=method, headers={"X-Request-Id": "mine-1"})
    assert response.status_code >= 400
    assert response.content_type == PROBLEM
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert response.headers["X-Request-Id"] == "mine-1"
    assert int(response.headers["Content-Length"]) > 0
    assert "ETag" not in response.headers
    if method == "GET":
        assert response.get_json()["request_id"] == "mine-1"
        assert int(response.headers["Content-Length"]) == len(response.data)


def test_two_workers_of_one_server_never_make_the_same_request_id(small: FlaskClient) -> None:
    """The application is loaded before its workers are forked."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.write(writer, get(small, "/v1/").headers["X-Request-Id"].encode())
        os._exit(0)
    mine = get(small, "/v1/").headers["X-Request-Id"]
    os.waitpid(child, 0)
    other = os.read(reader, 200).decode()
    os.close(reader)
    os.close(writer)
    assert other and other != mine


# Entity tags


@pytest.mark.parametrize("path", DATA)
@pytest.mark.parametrize("encoding", ["", "gzip", "br", "zstd"])
def test_an_answer_that_is_known_is_not_sent_again(small: FlaskClient, path: str, encoding: str) -> None:
    first = get(small, path, Accept_Encoding=encoding)
    tag = first.headers["ETag"]
    plain = small.head(path).headers["ETag"]
    every = (tag, f"W/{tag}", "*", f'"other", {tag}', f'{tag} , "other"', f'W/"x",W/{tag}')
    for known in every if "large" not in path else every[:1]:
        for method in (small.get, small.head):
            again = method(path, headers={"Accept-Encoding": encoding, "If-None-Match": known})
            assert (again.status_code, again.data) == (304, b""), known
            for name in ("ETag", "Cache-Control", "Vary", "X-Data-Version", "Last-Modified"):
                assert again.headers[name] == first.headers[name]
            assert again.headers["Access-Control-Allow-Origin"] == "*"
            assert "Content-Length" not in again.headers
    assert (tag != plain) == ("Content-Encoding" in first.headers)
    if tag != plain:  # a client that keeps the bytes as they are keeps what is still right
        again = get(small, path, Accept_Encoding=encoding, If_None_Match=plain)
        assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", plain)
        assert get(small, path, If_None_Match=tag).status_code == 200
    others = ('"other"', f'"{tag[1:-1]}x"', "", '""', "W/*")
    for other in others if "large" not in path else others[:1]:
        assert get(small, path, Accept_Encoding=encoding, If_None_Match=other).status_code == 200, other


OF_DATA = (
    "/v1/datasets/places/records",
    "/v1/datasets/places/records?size__gt=3&sort=-size&limit=5",
    "/v1/datasets/places/records?version=1.0.0&limit=5",
    "/v1/datasets/places/records.csv?limit=5",
    "/v1/datasets/places/records.jsonl?size__gt=3",
    "/v1/datasets/places/records.xlsx?limit=5",
    "/v1/datasets/places/records/7",
    "/v1/datasets/places/facets?facet=size",
    "/v1/datasets/places/aggregate?group_by=size&measure=sum:id",
    "/v1/search?q=place",
)


@pytest.mark.parametrize("encoding", ["", "br"])
def test_a_server_that_never_gave_an_answer_tells_who_knows_it_so_without_the_data(
    tmp_path: Path, encoding: str
) -> None:
    client = client_of(package(tmp_path / "package", PLACES), tmp_path / "store")
    given = {path: get(client, path, Accept_Encoding=encoding).headers for path in OF_DATA}
    for folder in ("data", "jsonl", "parquet"):
        shutil.rmtree(tmp_path / "store/releases/1.0.0" / folder)
    asked = [path for path in (tmp_path / "store/index").rglob("*") if path.is_file() and path.name != INDEX_LIST]
    assert asked
    for path in asked:
        path.unlink()
    (tmp_path / "store").rename(tmp_path / "moved")  # nothing that this process has open is found again
    other = app_of(tmp_path / "moved").test_client()
    for path, first in given.items():
        for method in (other.get, other.head):
            again = method(path, headers={"Accept-Encoding": encoding, "If-None-Match": first["ETag"]})
            assert (again.status_code, again.data) == (304, b""), path
            for name in ("ETag", "Cache-Control", "Vary", "X-Data-Version", "Last-Modified"):
                assert again.headers[name] == first[name], (path, name)
            assert "Link" not in again.headers  # a cache would put it in the place of the one that names the next page
            assert again.headers["X-Request-Id"]


@pytest.mark.parametrize("path", DATA)
@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd"])
def test_a_packed_answer_holds_the_same_bytes(small: FlaskClient, path: str, encoding: str) -> None:
    plain, packed = get(small, path, Accept_Encoding="identity"), get(small, path, Accept_Encoding=encoding)
    assert int(packed.headers["Content-Length"]) == len(packed.data)
    if packed.headers.get("Content-Encoding") is None:
        assert len(plain.data) <= 1024 or path.startswith("/releases/") or "large" in path
        assert packed.data == plain.data
        return
    assert packed.headers["Content-Encoding"] == encoding
    assert len(plain.data) > 1024
    assert UNPACK[encoding](packed.data) == plain.data
    assert packed.headers["ETag"] != plain.headers["ETag"]
    assert packed.headers["Content-Type"] == plain.headers["Content-Type"]


def test_answers_of_up_to_a_kibibyte_are_not_packed(small: FlaskClient) -> None:
    sizes = set()
    for limit in range(1, 40):
        path = f"{ROWS}?limit={limit}"
        plain, packed = get(small, path, Accept_Encoding="identity"), get(small, path, Accept_Encoding="gzip")
        assert ("Content-Encoding" in packed.headers) == (len(plain.data) > 1024)
        sizes.add(len(plain.data) > 1024)
    assert sizes == {True, False}


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        *[
            ("", ""),
            ("identity", ""),
            ("gzip", "gzip"),
            ("GZIP", "gzip"),
            ("br", "br"),
            ("zstd", "zstd"),
            ("deflate", ""),
        ],
        *[("gzip, br, zstd", "zstd"), ("gzip, br", "br"), ("gzip;q=1.0, br;q=0.5", "gzip"), ("br;q=0, gzip", "gzip")],
        *[
            ("*", "gzip"),
            ("*;q=0", ""),
            ("gzip;q=0", ""),
            ("zstd;q=0, *", "gzip"),
            ("gzip, *", "gzip"),
            ("br, *;q=0.5", "br"),
            ("identity;q=0, *", "gzip"),
            ("gzip;q=0, *", ""),
            ("identity, *;q=0.1", ""),
            ("identity;q=1, gzip;q=0.5", ""),
        ],
        *[
            ("gzip;q=0.5, identity;q=0.4", "gzip"),
            ("gzip ; q=0.8", "gzip"),
            ("x, y;z, ;;,", ""),
            ("gzip;q=abc", "gzip"),
        ],
        *[("gzip, deflate, br, zstd", "zstd"), ("identity;q=0, gzip", "gzip"), ("gzip;q=0.001", "gzip")],
    ],
)
def test_the_encoding_is_the_one_that_is_liked_best(small: FlaskClient, accepted: str, chosen: str) -> None:
    response = get(small, ROWS, Accept_Encoding=accepted)
    assert response.headers.get("Content-Encoding", "") == chosen
    assert response.headers["Vary"] == "Accept, Accept-Encoding"


# Negotiation


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        *[
            ("", "json"),
            ("*/*", "json"),
            ("application/json", "json"),
            ("text/csv", "csv"),
            ("application/jsonl", "jsonl"),
        ],
        *[(TYPES["xlsx"], "xlsx"), (TYPES["parquet"], "parquet"), ("text/*", "csv"), ("application/*", "json")],
        *[("text/csv;q=0.9, application/json;q=0.1", "csv"), ("text/csv;q=0.1, application/json;q=0.9", "json")],
        *[("*/*;q=0.1, text/csv", "csv"), ("text/csv, */*;q=0.1", "csv"), ("application/json;q=0, */*", "jsonl")],
        *[("application/json;q=0.2, application/*;q=0.5, text/csv;q=0.4", "jsonl"), ("text/html, */*;q=0.8", "json")],
        *[("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "json"), ("TEXT/CSV", "csv")],
        *[
            ("application/json; charset=utf-8", "json"),
            ("text/csv; charset=utf-8", "csv"),
            ("text/csv;header=present", "csv"),
        ],
        *[("text/csv ; q=0.5 , application/json ; q=0.4", "csv"), ("text/csv, application/json", "json")],
        *[("text/csv;q=1.0, application/json;q=1", "json"), ("text/csv;q=abc, application/json;q=0.5", "csv")],
        *[("text/csv;q=0.001", "csv"), (",, text/csv ,", "csv")],
    ],
)
def test_the_format_is_the_one_that_accept_likes_best(small: FlaskClient, accept: str, kind: str) -> None:
    response = get(small, f"{ROWS}?id__lt=3", Accept=accept)
    assert (response.status_code, response.content_type) == (200, TYPES[kind])


@pytest.mark.parametrize(
    "accept",
    [
        "text/html",
        "image/*",
        "application/xml",
        "text/csv;q=0",
        "*/*;q=0",
        "json",
        "application/json;q=0",
        "text/html;q=1, image/png",
    ],
)
def test_what_is_not_offered_is_not_acceptable_and_what_is_there_is_listed(small: FlaskClient, accept: str) -> None:
    response = get(small, ROWS, Accept=accept)
    body = response.get_json()
    assert (response.status_code, response.content_type) == (406, PROBLEM)
    assert body["detail"] == "Available here: " + ", ".join(kind.partition(";")[0] for kind in TYPES.values()) + "."
    assert response.headers["Vary"] == "Accept, Accept-Encoding"


@pytest.mark.parametrize(
    "path", ["/v1/", "/v1/datasets", f"{ROWS}/7", "/v1/search?q=a", "/v1/datasets/places/schema", "/v1/releases"]
)
def test_a_resource_of_one_format_is_as_strict(small: FlaskClient, path: str) -> None:
    assert get(small, path, Accept="text/csv").get_json()["detail"] == "Available here: application/json."
    assert get(small, path, Accept="application/*;q=0.1").status_code == 200


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("accept", ["application/json", "text/csv", "text/html", "image/png", "*/*;q=0", ""])
def test_an_extension_beats_accept(small: FlaskClient, kind: str, accept: str) -> None:
    response = get(small, rows_path("places", "id__lt=3", f".{kind}"), Accept=accept)
    assert (response.status_code, response.content_type) == (200, TYPES[kind])


def test_formats_have_entity_tags_of_their_own(small: FlaskClient) -> None:
    by_accept = [
        get(small, f"{ROWS}?id__lt=3", Accept=kind.partition(";")[0]).headers["ETag"] for kind in TYPES.values()
    ]
    assert len(set(by_accept)) == len(TYPES)


def test_the_root_is_a_page_for_browsers_and_json_for_programs(small: FlaskClient) -> None:
    assert get(small, "/", Accept="text/html,*/*;q=0.8").content_type == "text/html; charset=utf-8"
    for accept in ("application/json", "*/*", ""):  # a browser names text/html
        assert get(small, "/", Accept=accept).content_type == "application/json"


# Ranges


FILE = "/releases/1.0.0/data/places.csv"


@pytest.mark.parametrize(
    "path",
    [
        *(FILE, "/releases/1.0.0/data/large.csv", f"{ROWS}.csv", "/releases/1.0.0/package.zip"),
        *(f"{ROWS}.csv?id__lt=50", f"{ROWS}.tsv", f"{ROWS}.ndjson?id__lt=50", f"{ROWS}.parquet?id__lt=50"),
        *(rows_path("large", "id__gte=5", ".csv"), rows_path("large", "id__gte=5&fields=text", ".jsonl")),
    ],
)
@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-99", 0, 100),
        ("bytes=10-", 10, None),
        ("bytes=-10", -10, None),
        ("bytes=5-9999999999", 5, None),
    ],
)
def test_a_file_of_the_release_or_of_some_rows_answers_ranges(
    small: FlaskClient, path: str, asked: str, start: int, end: int | None
) -> None:
    everything = small.get(path, headers={"Accept-Encoding": "identity"})
    part = get(small, path, Range=asked, Accept_Encoding="gzip")
    size = len(everything.data)
    expected = everything.data[start:end]
    first = start if start >= 0 else size + start
    assert (part.status_code, part.data) == (206, expected)
    assert part.headers["Content-Range"] == f"bytes {first}-{first + len(expected) - 1}/{size}"
    assert part.headers["Content-Length"] == str(len(expected))
    for name in ("ETag", "Repr-Digest", "Content-Type", "X-Data-Version", "Last-Modified", "Cache-Control", "Vary"):
        assert part.headers.get(name) == everything.headers.get(name), name
    assert everything.headers["Accept-Ranges"] == part.headers["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize("path", [FILE, f"{ROWS}.csv?id__lt=50", rows_path("large", "id__gte=5", ".tsv")])
@pytest.mark.parametrize("asked", ["bytes=999999999-", "bytes=999999999-9999999999"])
def test_a_range_that_the_file_does_not_have_is_refused(small: FlaskClient, path: str, asked: str) -> None:
    response = get(small, path, Range=asked)
    assert (response.status_code, response.content_type) == (416, PROBLEM)
    assert response.headers["Content-Range"] == f"bytes */{len(small.get(path).data)}"
    assert response.get_json()["status"] == 416


@pytest.mark.parametrize("path", [FILE, "/releases/1.0.0/data/large.csv", f"{ROWS}.csv", f"{ROWS}.csv?id__lt=50"])
@pytest.mark.parametrize(
    "asked",
    ["lines=1-2", "bytes", "bytes=a-b", "bytes=5-1", "bytes=--1", "", "bytes=0-1,5-6", "bytes=0-1,999999999-"],
)
def test_several_ranges_and_what_is_no_range_of_bytes_are_as_good_as_none(
    small: FlaskClient, path: str, asked: str
) -> None:
    """RFC 9110, 14.2."""
    plain, ranged = (get(small, path, Accept_Encoding="gzip", **more) for more in ({}, {"Range": asked}))
    assert (ranged.status_code, ranged.data) == (200, plain.data)
    mine = "X-Request-Id"
    assert [h for h in ranged.headers if h[0] != mine] == [h for h in plain.headers if h[0] != mine]


@pytest.mark.parametrize("path", [FILE, "/releases/1.0.0/data/large.csv", f"{ROWS}.csv?id__lt=50"])
def test_if_range_gives_the_part_of_the_same_file_only(small: FlaskClient, path: str) -> None:
    everything = get(small, path, Accept_Encoding="identity")
    tag = everything.headers["ETag"]
    assert get(small, path, Range="bytes=0-9", If_Range=tag).status_code == 206
    for other in ('"other"', f"W/{tag}", "Sat, 01 Jan 2000 00:00:00 GMT"):
        response = get(small, path, Range="bytes=0-9", If_Range=other)
        assert (response.status_code, response.data) == (200, everything.data), other
    assert get(small, path, Range="bytes=0-9", If_None_Match=tag).status_code == 304  # before any range
    whole, head = small.get(path), small.head(path, headers={"Range": "bytes=0-9"})
    assert (head.status_code, head.data, head.headers["Content-Length"]) == (200, b"", whole.headers["Content-Length"])


@pytest.mark.parametrize(
    "path",
    [
        ROWS,
        f"{ROWS}?id__lt=5",
        "/v1/",
        f"{ROWS}/7",
        f"{ROWS}?shape=array",
    ],
)
def test_a_range_of_what_is_no_file_gives_the_whole(small: FlaskClient, path: str) -> None:
    whole, asked = small.get(path), get(small, path, Range="bytes=0-9")
    assert (asked.status_code, asked.data) == (200, whole.data)
    assert asked.headers["ETag"] == whole.headers["ETag"]


@pytest.mark.parametrize("path", [FILE, "/releases/1.0.0/data/large.csv", rows_path("large", "", ".csv")])
def test_a_release_file_is_known_by_its_date_and_by_no_other(small: FlaskClient, path: str) -> None:
    response = small.get(path)
    date = response.headers["Last-Modified"]
    known = get(small, path, If_Modified_Since=date)
    assert (known.status_code, known.data, known.headers["ETag"]) == (304, b"", response.headers["ETag"])
    for other in ("Sat, 01 Jan 2000 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT", "yesterday"):
        assert get(small, path, If_Modified_Since=other).data == response.data, other
    assert get(small, path, If_Modified_Since=date, If_None_Match='"other"').status_code == 200
    assert get(small, ROWS, If_Modified_Since=date).status_code == 200  # an answer may differ without a new release


def test_a_large_file_is_the_same_when_asked_again_and_a_problem_when_it_has_gone(tmp_path: Path) -> None:
    client = served(tmp_path, LARGE)
    path = rows_path("large", "", ".csv")
    first, again, head = client.get(path), client.get(path), client.head(path)
    assert (again.data, head.data) == (first.data, b"")
    for each in (first, again, head):
        each.headers.remove("X-Request-Id")
    assert first.headers == again.headers == head.headers
    (tmp_path / "store/releases/1.0.0/data/large.csv").unlink()
    gone = client.get(path)
    assert (gone.status_code, gone.content_type, gone.headers["Cache-Control"]) == (503, PROBLEM, "no-store")
    assert client.get(path).status_code == 503


@pytest.mark.parametrize("encoding", ["identity", "gzip", "br", "zstd"])
@pytest.mark.parametrize(
    "path", [FILE, "/releases/1.0.0/data/large.csv", "/releases/1.0.0/manifest.json", f"{ROWS}.csv"]
)
def test_the_digest_is_that_of_what_is_sent(small: FlaskClient, path: str, encoding: str) -> None:
    response = get(small, path, Accept_Encoding=encoding)
    digest = base64.b64encode(hashlib.sha256(response.data).digest()).decode()
    assert response.headers["Repr-Digest"] == f"sha-256=:{digest}:"


def test_every_file_of_the_manifest_is_served_byte_for_byte(small: FlaskClient) -> None:
    files = answer(small, "/v1/releases/1.0.0")["data"]["files"]
    assert len(files) > 20
    for entry in files:
        response = get(small, entry["href"], Accept_Encoding="identity")
        assert (response.status_code, len(response.data)) == (200, entry["bytes"]), entry["path"]
        assert hashlib.sha256(response.data).hexdigest() == entry["sha256"], entry["path"]
        assert response.content_type == entry["media_type"]


# Request identifiers


@pytest.mark.parametrize("given", ["a", "0af7651916cd43dd8448eb211c80319c", "A-b_c.~+/=", "x" * 128])
def test_a_request_id_is_echoed(small: FlaskClient, given: str) -> None:
    for path in (ROWS, "/nothing", FILE, "/healthz"):
        assert get(small, path, X_Request_Id=given).headers["X-Request-Id"] == given


@pytest.mark.parametrize("given", ["", " ", "a b", "<script>", "x" * 129, "é", 'a"b', "a,b", "a;b", "%0d%0aX: y", "\t"])
def test_a_request_id_that_could_do_harm_is_replaced(small: FlaskClient, given: str) -> None:
    found = [get(small, path, X_Request_Id=given).headers["X-Request-Id"] for path in (ROWS, ROWS, "/nothing")]
    assert len(set(found)) == 3
    assert all(re.fullmatch(r"[A-Za-z0-9-]{5,60}", one) for one in found)


# Caching


@pytest.mark.parametrize(
    "queries",
    [
        ("id__gt=3&limit=5&sort=-size", "sort=-size&limit=5&id__gt=3", "limit=5&&sort=-size&id__gt=3"),
        ("", "limit=100", "&"),
        ("id__in=1%2C2", "id__in=1,2", "id__in=1%2c2"),
        ("name=place+1", "name=place%201", "name=%70lace%201"),
        ("fields=id%2Cname", "fields=id,name"),
        ("limit=007", "limit=7"),
        ("shape=envelope&limit=2", "limit=2"),
    ],
)
def test_one_question_has_one_answer_however_it_is_asked(small: FlaskClient, queries: tuple[str, ...]) -> None:
    found = [small.get(f"{ROWS}?{query}" if query else ROWS) for query in queries]
    assert len({response.data for response in found}) == 1
    assert len({response.headers["ETag"] for response in found}) == 1
    assert len({response.headers["Link"] for response in found}) == 1


def test_different_questions_have_different_tags(small: FlaskClient) -> None:
    queries = (
        "",
        "limit=5",
        "sort=-id",
        "sort=id",
        "id=1",
        "id__eq=1",
        "id__in=1",
        "fields=id",
        "q=place",
        "version=1.0.0",
    )
    tags = [small.get(f"{ROWS}?{query}").headers["ETag"] for query in queries]
    assert len(set(tags)) == len(queries)


def test_only_an_address_that_names_a_version_never_changes(small: FlaskClient) -> None:
    for path in (
        ROWS,
        f"{ROWS}?as_of=2026-12-31",
        "/v1/",
        f"{ROWS}/7",
        f"{ROWS}.csv",
        "/v1/releases",
        "/v1/search?q=a",
    ):
        assert small.get(path).headers["Cache-Control"] == MUTABLE, path
    for path in (
        f"{ROWS}?version=1.0.0",
        f"{ROWS}/7?version=1.0.0",
        f"{ROWS}.csv?version=1.0.0",
        FILE,
        "/v1/search?q=a&version=1.0.0",
    ):
        assert small.get(path).headers["Cache-Control"] == IMMUTABLE, path
    for path in ("/healthz", "/readyz"):
        assert small.get(path).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("megabytes", [0, 1, 64])
def test_an_answer_is_the_same_with_and_without_memory(small: FlaskClient, megabytes: int) -> None:
    store = small.application.config["STORE"]
    other = app_of(store, CACHE_MB=megabytes).test_client()
    paths = [path for path in DATA if not re.search("xlsx|parquet|large.*=", path)]
    assert len(paths) > 20
    for path in paths * 2:
        ours, theirs = small.get(path), other.get(path)
        assert ours.data == theirs.data
        assert ours.headers["ETag"] == theirs.headers["ETag"]


def test_what_is_kept_in_memory_stays_within_its_bound(small: FlaskClient) -> None:
    app = app_of(small.application.config["STORE"], CACHE_MB=1)
    client = app.test_client()
    for limit in range(1, 600):
        client.get(rows_path("large", f"limit={limit}"), headers={"Accept-Encoding": ["gzip", "br", ""][limit % 3]})
    entries = app.wsgi_app.entries.values()  # type: ignore[attr-defined]
    assert 0 < sum(len(entry.body) for entry in entries) <= 2**20


def changed(folder: Path, version: str) -> Path:
    rows = [[n, f"place {n} of {version}", n] for n in range(FEW)]
    return package(folder / version, table("places", ["id:integer", "name", "size:number"], rows), version=version)


ASKED = (
    ROWS,
    f"{ROWS}?id=7",
    f"{ROWS}/7",
    "/v1/datasets/places/facets?facet=name",
    f"{ROWS}.csv",
    f"{ROWS}.jsonl?id__lt=9",
    "/v1/search?q=place",
)


def test_a_new_release_is_served_at_once_and_nothing_of_the_old_one(tmp_path: Path) -> None:
    store = tmp_path / "store"
    client = client_of(changed(tmp_path, "1.0.0"), store)
    before = {path: client.get(path) for path in ASKED * 2}
    pinned = {path: client.get(f"{path}{'&' if '?' in path else '?'}version=1.0.0").data for path in ASKED}
    build(changed(tmp_path, "1.1.0"), store)
    end = time.monotonic() + 5
    while client.get(ROWS).headers["X-Data-Version"] == "1.0.0" and time.monotonic() < end:
        time.sleep(0.05)
    for path in ASKED:
        response = client.get(path, headers={"If-None-Match": before[path].headers["ETag"]})
        assert (path, response.status_code, response.headers["X-Data-Version"]) == (path, 200, "1.1.0")
        assert b"1.0.0" not in response.data.replace(b"1.1.0", b"")
        old = client.get(f"{path}{'&' if '?' in path else '?'}version=1.0.0")
        assert old.data == pinned[path]


def test_under_load_no_answer_goes_back_to_the_old_release(tmp_path: Path) -> None:
    store = tmp_path / "store"
    build(changed(tmp_path, "1.0.0"), store)
    app = app_of(store)
    seen: list[list[tuple[str, bytes]]] = [[] for _ in range(3)]
    done = threading.Event()

    def ask(place: int) -> None:
        client = app.test_client()
        while not done.is_set():
            for path in ASKED[:4]:
                response = client.get(path)
                seen[place].append((response.headers["X-Data-Version"], response.data))

    threads = [threading.Thread(target=ask, args=(place,)) for place in range(len(seen))]
    for thread in threads:
        thread.start()
    build(changed(tmp_path, "1.1.0"), store)
    time.sleep(1.5)
    done.set()
    for thread in threads:
        thread.join()
    for answers in seen:
        versions = [version for version, _ in answers]
        assert versions == sorted(versions)
        assert (versions[0], versions[-1]) == ("1.0.0", "1.1.0")
        for version, body in answers:
            assert (b"1.1.0" if version == "1.0.0" else b"1.0.0") not in body


# Over the wire


def asked(server: str, request: bytes) -> http.client.HTTPResponse:
    """What a real server answers to bytes as they are."""
    place = urlsplit(server)
    connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=30)
    connection.connect()
    connection.sock.sendall(request)
    response = http.client.HTTPResponse(connection.sock, method=request.split(b" ", 1)[0].decode())
    response.begin()
    connection.close()
    return response


def plain(method: str, target: bytes, *headers: bytes) -> bytes:
    lines = [method.encode() + b" " + target + b" HTTP/1.1", b"Host: a.org", b"Connection: close", *headers]
    return b"\r\n".join([*lines, b"", b""])


def test_a_server_sends_whole_answers_with_their_length(server: str) -> None:
    for target in (b"/v1/datasets", b"/v1/datasets/exports/records", b"/v1/datasets/exports/records.csv", b"/nothing"):
        for headers in ((b"X-Request-Id: a",), (b"X-Request-Id: a", b"Accept-Encoding: gzip")):
            response = asked(server, plain("GET", target, *headers))
            assert int(response.headers["Content-Length"]) == len(response.read())
            assert response.headers["Transfer-Encoding"] is None
            head = asked(server, plain("HEAD", target, *headers))
            assert (head.headers["Content-Length"], head.read()) == (response.headers["Content-Length"], b"")


def test_a_server_refuses_what_is_no_address(server: str) -> None:
    """gunicorn itself refuses what RFC 3986 does not allow; other servers hand it over: see test_strictness."""
    assert asked(server, plain("GET", "/v1/search?q=méxico".encode())).status == 400
    assert asked(server, plain("GET", b"/v1/search?q=%FF")).status == 400
    assert asked(server, plain("GET", b"/v1/search?q=m%C3%A9xico&limit=1")).status == 200


def test_a_server_takes_an_absolute_target(server: str) -> None:
    for target in (b"http://a.org/v1/datasets", b"http://a.org/v1/datasets/exports/records/exs%2D0013"):
        assert asked(server, plain("GET", target)).status == 200
    body = asked(server, plain("GET", b"http://a.org/v1/datasets/a%2Fb")).read()
    assert b"There is no dataset 'a/b'" in body


def test_a_packed_body_of_a_server_is_whole(server: str) -> None:
    response = asked(server, plain("GET", b"/v1/datasets/exports/records", b"Accept-Encoding: gzip"))
    assert zlib.decompress(response.read(), 31).startswith(b'{"data":[')


def test_the_app_answers_every_thread_alike(app: Flask) -> None:
    expected = app.test_client().get("/v1/datasets/exports/records?sort=-year").data
    found: list[bytes] = []

    def ask() -> None:
        client = app.test_client()
        for _ in range(20):
            found.append(client.get("/v1/datasets/exports/records?sort=-year").data)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(found) == {expected} and len(found) == 80
