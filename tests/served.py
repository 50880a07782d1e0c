"""A small package, built and served: what tests of the query surface ask."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from flask import Flask
from flask.testing import FlaskClient
from packages import write
from werkzeug.test import TestResponse

from api.app import create_app
from api.release.build import build

JSON = Any
PROBLEM = "application/problem+json"


class Client(FlaskClient):
    """A client that reads each answer to its end, as one over the wire would."""

    def open(self, *args: Any, buffered: bool = True, **kwargs: Any) -> TestResponse:
        return super().open(*args, buffered=buffered, **kwargs)


def client_of(source: Path, store: Path) -> FlaskClient:
    """A client of the app over a store with the release of a package."""
    build(source, store)
    return app_of(store).test_client()


def app_of(store: Path, **given: Any) -> Flask:
    """The app over a store, without a public address whatever the environment says."""
    app = create_app(STORE=store, BASE_URL="", **given)
    app.test_client_class = Client
    return app


def served(folder: Path, *tables: dict[str, JSON], **words: JSON) -> FlaskClient:
    """A client of the app over a package made of tables (of tests/packages.py)."""
    return client_of(write(folder / "package", *tables, **words), folder / "store")


def rows_path(dataset: str, query: str = "", extension: str = "") -> str:
    return f"/v1/datasets/{quote(dataset, safe='')}/records{extension}" + (f"?{query}" if query else "")


def parameter(name: str, *values: str) -> str:
    """A parameter as a careful client writes it: everything escaped but the commas between values."""
    return quote(name, safe="") + "=" + ",".join(quote(value, safe="") for value in values)


def get(client: FlaskClient, path: str, **headers: str) -> TestResponse:
    return client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})


def answer(client: FlaskClient, path: str) -> JSON:
    """The body of a 200."""
    response = client.get(path)
    assert response.status_code == 200, (path, response.get_data(as_text=True))
    return response.get_json()


def problem(client: FlaskClient, path: str) -> JSON:
    """A problem document without its request_id, which it must have."""
    response = client.get(path)
    assert response.content_type == PROBLEM, (path, response.status_code, response.data[:300])
    body = response.get_json()
    assert body.pop("request_id") == response.headers["X-Request-Id"]
    assert body["status"] == response.status_code
    return body


def pages(client: FlaskClient, path: str) -> Iterator[JSON]:
    """The bodies of all pages, from the first on."""
    link: str | None = path
    while link:
        body = answer(client, link)
        yield body
        link = body["links"]["next"]


def all_rows(client: FlaskClient, path: str) -> list[JSON]:
    return [row for page in pages(client, path) for row in page["data"]]


def cells(path: Path) -> list[dict[str, str]]:
    """A CSV file's rows as text by name."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def loads(text: str | bytes) -> JSON:
    return json.loads(text)
