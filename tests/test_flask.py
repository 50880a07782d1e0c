"""What a reader knows of Flask is true here: hooks, error handlers and extensions work on every route."""

from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response, got_request_exception, redirect, request
from flask_limiter import Limiter
from packages import table
from served import PROBLEM, app_of, rows_path, served
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Unauthorized
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from api.app import create_app
from api.settings import SettingError

DATA = "/v1/datasets/figures"
ROUTES = (
    rows_path("figures"),
    rows_path("figures", "year__gte=2006&sort=-year"),
    rows_path("figures", "year=2007", ".csv"),
    rows_path("figures", "", ".csv"),
    f"{DATA}/records/a",
    f"{DATA}/aggregate?group_by=year&measure=sum:value",
    f"{DATA}/facets?facet=year",
    "/releases/1.0.0/data/figures.csv",
    "/v1/search?q=guns",
    "/v1/changes",
    "/",
)
TABLE = table("figures", ["id", "year:year", "value:number", "note"], [["a", 2006, 1, "guns"], ["b", 2007, 2, "guns"]])


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("flask")
    served(folder, TABLE)
    return folder / "store"


def limited(store: Path, limit: str, **settings: Any) -> Flask:
    """The app with Flask-Limiter, which counts readers by a header of the test's own."""
    app = app_of(store, **settings)
    reader = {"key_func": lambda: request.headers.get("X-Reader", "nobody"), "storage_uri": "memory://"}
    Limiter(app=app, application_limits=[limit], headers_enabled=True, **reader)
    return app


@pytest.mark.parametrize("path", ROUTES)
def test_a_limiter_counts_every_request_that_the_cache_does_not_answer(store: Path, path: str) -> None:
    client = limited(store, "9 per hour").test_client()
    first = client.get(path, headers={"X-Reader": "one"})
    assert (first.status_code, first.headers["X-RateLimit-Remaining"]) == (200, "8")
    again = client.get(path, headers={"X-Reader": "two"})
    assert again.data == first.data
    assert not [name for name, _ in again.headers if name.lower().startswith("x-ratelimit")]
    assert client.get("/v1/releases/1.0.0", headers={"X-Reader": "one"}).headers["X-RateLimit-Remaining"] == "7"
    assert client.get("/healthz", headers={"X-Reader": "two"}).headers["X-RateLimit-Remaining"] == "8"


@pytest.mark.parametrize("path", ROUTES)
def test_a_limiter_counts_every_request_where_nothing_is_cached(store: Path, path: str) -> None:
    client = limited(store, "2 per hour", CACHE_MB=0).test_client()
    answers = [client.get(path) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["1", "0", "0"]
    refused = answers[-1]
    assert (refused.content_type, refused.get_json()["type"]) == (PROBLEM, "/problems/rate-limited")
    assert int(refused.headers["Retry-After"]) > 0


@pytest.mark.parametrize("path", ROUTES)
def test_hooks_see_the_request_and_what_they_set_is_for_one_reader(store: Path, path: str) -> None:
    app, paths = app_of(store), []

    @app.before_request
    def note() -> None:
        paths.append(request.path)

    @app.after_request
    def greet(response: Response) -> Response:
        response.set_cookie("reader", request.headers["X-Reader"])
        response.headers["X-Mine"] = request.headers["X-Reader"]
        return response

    client = app.test_client(use_cookies=False)
    first = client.get(path, headers={"X-Reader": "one"})
    assert (paths, first.headers["X-Mine"]) == ([path.partition("?")[0]], "one")
    assert "reader=one" in first.headers["Set-Cookie"]
    again = client.get(path, headers={"X-Reader": "two"})
    assert again.data == first.data
    assert (len(paths), {"X-Mine", "Set-Cookie"} & {*again.headers.keys()}) == (1, set())


def test_a_response_that_a_hook_makes_private_or_varies_by_more_is_not_replayed(store: Path) -> None:
    for header, value in (("Cache-Control", "private"), ("Cache-Control", "no-store"), ("Vary", "Cookie")):
        app = app_of(store)

        @app.after_request
        def change(response: Response, header: str = header, value: str = value) -> Response:
            response.headers[header] = value
            response.headers["X-Mine"] = "here"
            return response

        client = app.test_client()
        assert [client.get(ROUTES[0]).headers.get("X-Mine") for _ in range(2)] == ["here", "here"], value


def test_a_header_that_an_extension_sets_comes_before_ours(store: Path) -> None:
    app = app_of(store)

    @app.after_request
    def change(response: Response) -> Response:
        response.headers["Access-Control-Allow-Origin"] = "https://one.example"
        return response

    for _ in range(2):
        answer = app.test_client().get(ROUTES[0])
        assert answer.headers.getlist("Access-Control-Allow-Origin") == ["https://one.example"]


def test_a_view_of_ones_own_is_an_ordinary_view(store: Path) -> None:
    app, calls = app_of(store), []

    @app.get("/mine")
    def mine() -> dict[str, int]:
        calls.append(1)
        return {"calls": len(calls)}

    client = app.test_client()
    assert [client.get("/mine").get_json() for _ in range(2)] == [{"calls": 1}, {"calls": 2}]
    assert client.get("/mine").headers["Access-Control-Allow-Origin"] == "*"


def test_a_view_of_ones_own_is_given_decoded_paths_and_may_redirect_anywhere(store: Path) -> None:
    app = app_of(store)
    app.add_url_rule("/mine/<name>", "mine", lambda name: {"name": name})
    app.add_url_rule("/files/<path:path>", "files", lambda path: {"path": path})
    app.add_url_rule("/away", "away", lambda: redirect("https://example.org/a?b=1#c", 308))
    client = app.test_client()
    assert client.get("/mine/a%2Cb%25c%20d").get_json() == {"name": "a,b%c d"}
    assert client.get("/files/a/b%2Cc%2Fd").get_json() == {"path": "a/b,c/d"}
    assert client.get("/away").headers["Location"] == "https://example.org/a?b=1#c"


def test_below_a_prefix_every_address_works(store: Path) -> None:
    app = app_of(store)
    client = Client(DispatcherMiddleware(Flask("outer"), {"/data": app}))
    assert client.get("/data/v1/datasets/figures/records/%61").get_json()["data"]["id"] == "a"
    assert client.get("/data/v1/datasets/fig%2Cures/records").status_code == 404
    assert client.get("/data/v1/datasets/figures/records?note=guns%2C").get_json()["data"] == []


def test_an_exception_is_flasks_to_report(store: Path) -> None:
    app, reported = app_of(store, CACHE_MB=0), []
    app.add_url_rule("/broken", "broken", lambda: 1 / 0)
    got_request_exception.connect(lambda _, exception: reported.append(exception), app, weak=False)
    answer = app.test_client().get("/broken")
    assert (answer.status_code, answer.content_type, answer.get_json()["type"]) == (500, PROBLEM, "/problems/internal")
    assert [type(exception) for exception in reported] == [ZeroDivisionError]
    app.testing = True
    with pytest.raises(ZeroDivisionError):
        app.test_client().get("/broken")


def test_an_error_that_has_no_type_here_keeps_its_status_name_and_headers(store: Path) -> None:
    app = app_of(store)

    @app.get("/private")
    def private() -> None:
        raise Unauthorized(www_authenticate=WWWAuthenticate("basic", {"realm": "lantern"}))

    answer = app.test_client().get("/private")
    assert (answer.status_code, answer.content_type) == (401, PROBLEM)
    assert answer.headers["WWW-Authenticate"] == "Basic realm=lantern"
    assert {"type": "about:blank", "title": "Unauthorized", "status": 401}.items() <= answer.get_json().items()


def test_settings_given_in_code_are_read_like_those_of_the_environment(store: Path) -> None:
    app = create_app(STORE=str(store), CACHE_MB="8", BASE_URL="https://data.example/")
    links = app.test_client().get("/v1/").get_json()["links"]
    assert (app.config["CACHE_MB"], links["datasets"]) == (8, "https://data.example/v1/datasets")
    with pytest.raises(SettingError, match="LANTERN_WORKERS='0': must be a whole number of at least 1"):
        create_app(STORE=store, WORKERS="0")
