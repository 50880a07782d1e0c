"""A program that knows only links and URI templates finds everything; a description tells what may be asked."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urljoin, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from packages import table, write
from releases import CORRECTION_FIELDS, DAY
from served import answer, app_of, problem, served
from test_links import links_of

from api import trust
from api.http.request import keep_escapes
from api.release.build import build

ODD = "odd things/ü,1"
SLASH = "/releases/<version>"  # leads to the same with a slash: nobody needs a link to it


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A signed store with two releases of a package that has all that the program knows by name."""
    base = tmp_path_factory.mktemp("discovery")
    for version, figures in (("1.0.0", [1, 2]), ("1.1.0", [1, 3])):
        rows = [["a", figures[0], "2004", "one word"], ["b/c d", figures[1], "", "two, words"]]
        build(
            write(
                base / version,
                table(ODD, ["id", "v:integer", "when:year", "text words"], rows),
                table("pairs", ["a", "b"], [["x,y", "/"], ["é", "%"]], primaryKey=["a", "b"]),
                table("bare", ["text"], [["x"]], primaryKey=[]),
                table("conflicts", ["id"], [["x/1"]]),
                table(
                    *("conflict_positions", ["conflict", "dataset", "record"], [["x/1", ODD, "a"]]),
                    primaryKey=["conflict", "dataset", "record"],
                ),
                table(
                    *("corrections", CORRECTION_FIELDS),
                    [["c%1", ODD, "b/c d", "v", "2", "3", "correction", "why", DAY["1.1.0"], "1.1.0"]][
                        : figures[1] - 2
                    ],
                ),
                version=version,
                created=f"{DAY[version]}T10:00:00Z",
            ),
            base / "store",
        )
    trust.sign_store(base / "store")
    return base / "store"


# The crawler: it knows JSON's `links`, `href` and `templates`, what HTML and Link headers link to, and RFC 6570.


def expanded(template: str, values: Mapping[str, Any]) -> str:
    """A template (RFC 6570) with values; parameters without one are left out."""

    def simple(match: "re.Match[str]") -> str:
        safe = ":/?#[]@!$&'()*+,;=" if match[1] else ""
        value = values[match[2]]
        return ",".join(quote(part, safe=safe) for part in (value if isinstance(value, list) else [value]))

    def form(match: "re.Match[str]") -> str:
        pairs = []
        for name in match[1].split(","):
            value = values.get(name.removesuffix("*"))
            pairs += value.items() if isinstance(value, dict) else [(name, value)] if value is not None else []
        return "?" * bool(pairs) + "&".join(f"{quote(n, safe='')}={quote(v, safe='')}" for n, v in pairs)

    return re.sub(r"{(\+?)(\w+)}", simple, re.sub(r"{\?([^}]+)}", form, template))


def templates(value: Any) -> Iterator[tuple[str, str]]:
    """Every template of an answer, with its name."""
    for name, entry in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        if name == "templates":
            yield from entry.items()
        else:
            yield from templates(entry)


class Crawler:
    """What was met: the addresses, the templates by name, and values for their variables."""

    def __init__(self, client: FlaskClient, base: str) -> None:
        self.client, self.base = client, base
        self.seen: set[str] = set()
        self.templates: list[tuple[str, str]] = []
        self.keys: dict[str, list[str]] = {}  # the fields of the key, by dataset
        self.rows: dict[str, list[dict[str, Any]]] = {}
        self.values: dict[str, Any] = {}

    def follow(self, start: str) -> None:
        """Ask an address and everything that the answers link to."""
        waiting = {start: "a template"}
        while waiting:
            url, source = waiting.popitem()
            if url in self.seen:
                continue
            self.seen.add(url)
            path = url.removeprefix(self.base)
            response = self.client.get(path, buffered=True)
            assert response.status_code in (200, 302), (url, "linked by", source, response.data)
            links = [response.headers["Location"]] if response.status_code == 302 else links_of(path, response)
            for link in (urljoin(url, link).partition("#")[0] for link in links):
                if urlsplit(link).netloc == urlsplit(self.base).netloc:
                    assert link.startswith(self.base), (link, "linked by", url)
                    waiting.setdefault(link, url)
            if response.content_type == "application/json" and path.startswith("/v1/"):
                self._learn(path, response.get_json())

    def _learn(self, path: str, body: Any) -> None:
        self.templates += [one for one in templates(body) if one not in self.templates]
        data, dataset = body.get("data"), body.get("meta", {}).get("dataset")
        if dataset and "primary_key" in data:
            self.keys[dataset] = data["primary_key"]
            self.values["extension"] = data["formats"][-1]["name"]
            self.values["path"] = data["downloads"][0]["path"]
        elif path.endswith("/records"):
            self.rows.setdefault(dataset, data)
        elif "version" in body.get("meta", {}):
            self.values["version"] = body["meta"]["version"]

    def keys_of(self, dataset: str) -> list[list[str]]:
        """The keys of the rows of a dataset that were met; of a table without, a row's position."""
        names = self.keys[dataset]
        return [[str(row[name]) for name in names] if names else ["1"] for row in self.rows[dataset]]


def crawled(app: Flask, base: str) -> Crawler:
    """Everything that is found from /v1/: all links first, then all templates, filled with what was found."""
    crawler = Crawler(app.test_client(), base)
    crawler.follow(f"{base}/v1/")
    kind = problem(app.test_client(), "/v1/?no=1")["type"].rpartition("/")[2]
    words = {"kind": kind, "name": "root.json", "q": "words", "filters": {"id__ne": "z"}}
    collections = {"conflict": "conflicts", "correction": "corrections"}
    for name, template in crawler.templates:
        owner = re.search("/v1/datasets/([^/{]+)/", template)
        dataset = unquote(owner[1]) if owner else collections.get(name, "pairs")
        fields = {"dataset": dataset, "facet": (crawler.keys[dataset] or ["text"])[0]}
        filters = {} if "id" in crawler.keys[dataset] else {"filters": None}
        given = {**crawler.values, **words, **fields, **filters, "version": crawler.values["version"]}
        for key in crawler.keys_of(dataset) if "{key}" in template else [[]]:
            crawler.follow(expanded(template, {**given, "key": key}))
    return crawler


@pytest.mark.parametrize("base", ["http://localhost", "http://localhost/data/lantern"])
def test_everything_is_found_from_the_service_document_and_nothing_leads_nowhere(everything: Path, base: str) -> None:
    app = app_of(everything)
    app.config["BASE_URL"] = base
    crawler = crawled(app, base)
    routes = app.url_map.bind("localhost")
    reached = set()
    for url in crawler.seen:
        environ = {"RAW_URI": url.removeprefix(base).partition("?")[0]}
        keep_escapes(environ)
        rule, _ = routes.match(environ.get("PATH_INFO") or unquote(environ["RAW_URI"]), return_rule=True)
        reached.add(rule.rule)
    assert reached == {rule.rule for rule in app.url_map.iter_rules()} - {SLASH}
    assert len(crawler.seen) > 150


def test_links_and_templates_of_the_service_document(everything: Path) -> None:
    """The names are part of the contract."""
    body = answer(app_of(everything).test_client(), "/v1/")
    assert {name: link for name, link in body["links"].items() if name not in ("self", "permalink")} == {
        **{"home": "/", "service": "/v1/", "datasets": "/v1/datasets", "conflicts": "/v1/conflicts"},
        **{"corrections": "/v1/corrections", "corrections-feed": "/v1/corrections.atom", "changes": "/v1/changes"},
        **{"releases": "/v1/releases", "releases-feed": "/v1/releases.atom", "latest": "/v1/releases/latest"},
        **{"latest-files": "/releases/latest/", "datapackage": "/releases/1.1.0/datapackage.json"},
        **{"service-desc": "/openapi.json", "service-desc-yaml": "/openapi.yaml", "service-doc": "/docs/"},
        **{"status": "/healthz", "ready": "/readyz", "api-catalog": "/.well-known/api-catalog"},
        **{"robots": "/robots.txt", "sitemap": "/sitemap.xml"},
        **{"signed-releases": "/releases.json", "signed-metadata": "/tuf/timestamp.json"},
    }
    found = body["data"]["templates"]
    assert found["record"] == "/v1/datasets/{dataset}/records/{key}{?fields,expand,version,as_of}"
    assert found["history"] == "/v1/datasets/{dataset}/records/{key}/history{?version,as_of}"
    assert found["search"] == "/v1/search{?q,limit,cursor,version,as_of,shape,dataset}"
    assert found["file"] == "/releases/{version}/{+path}"
    assert found["latest-file"] == "/releases/latest/{+path}"
    assert found["records"].endswith(",filters*}")


def test_what_a_package_lacks_is_not_linked(tmp_path: Path) -> None:
    body = answer(served(tmp_path, table("things", ["id"], [["a"]])), "/v1/")
    lacking = {"conflicts", "corrections", "corrections-feed", "signed-releases", "signed-metadata"}
    assert not lacking & body["links"].keys()
    assert not {"conflict", "correction", "corrections-feed"} & body["data"]["templates"].keys()


def test_a_dataset_has_templates_of_its_own(everything: Path) -> None:
    datasets = answer(app_of(everything).test_client(), "/v1/datasets")["data"]
    start = f"/v1/datasets/{quote(ODD, safe='')}"
    assert datasets[0]["templates"]["record"] == start + "/records/{key}{?fields,expand,version,as_of}"
    assert datasets[0]["links"]["records.csv"] == f"{start}/records.csv"
    names = {"schema", "records", "records-as", "record", "history", "facets", "aggregates"}
    assert set(datasets[0]["templates"]) >= names
    assert set(datasets[2]["templates"]) == set(datasets[0]["templates"]) - {"history"}


# A dataset's description


FIELDS = ("id", "amount:number", "when:year", "day:date", "yes:boolean", "list:list", "limit", "empty")
ROWS = [
    ["a", "1.50", "2004", "2004-01-31", "true", "x,y", "first", ""],
    ["b", "20", "2007", "2003-12-01", "false", "x,y", "second, third", ""],
    ["c", "", "2007", "", "", "", "first", ""],
]


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    things = table("things", FIELDS, ROWS)
    things["schema"]["fields"][6]["title"] = "The limit"
    return served(
        *(tmp_path_factory.mktemp("described"), things, table("none", FIELDS, [])),
        *(
            table("keys", ["id"], [["a"]]),
            table("shapes", ["a:object", "b:array"], [['{"x":1}', "[1]"]], primaryKey=[]),
        ),
    )


def test_a_description_counts_the_values_of_each_field(described: FlaskClient) -> None:
    found = answer(described, "/v1/datasets/things")["data"]
    told = {
        entry["name"]: (entry["distinct"], entry["nulls"], entry.get("min"), entry.get("max"))
        for entry in found["profile"]
    }
    assert told == {
        "id": (3, 0, "a", "c"),
        "amount": (2, 1, 1.5, 20),
        "when": (2, 0, 2004, 2007),
        "day": (2, 1, "2003-12-01", "2004-01-31"),
        "yes": (2, 1, None, None),
        "list": (1, 1, None, None),
        "limit": (2, 0, "first", "second, third"),
        "empty": (0, 3, None, None),
    }
    assert {"gte", "isnull"} <= set(found["profile"][1]["operators"]) and "gte" not in found["profile"][4]["operators"]
    assert found["coverage"] == [
        {"field": "when", "first": 2004, "last": 2007},
        {"field": "day", "first": "2003-12-01", "last": "2004-01-31"},
    ]
    assert found["fields"] == answer(described, "/v1/datasets/things/schema")["fields"]


def test_a_description_has_questions_that_have_answers(described: FlaskClient) -> None:
    start = "/v1/datasets/things"
    found = answer(described, start)["data"]["examples"]
    assert found == [
        {"question": "Rows whose amount is 1.5", "href": f"{start}/records?amount=1.5"},
        {
            "question": "The ten rows with the highest amount",
            "href": f"{start}/records?limit=10&sort=-amount",
        },
        {
            "question": "How many rows there are of each amount",
            "href": f"{start}/aggregate?group_by=amount&measure=count&sort=-count",
        },
    ]
    for dataset, most in (("things", 3), ("keys", 2), ("shapes", 0), ("none", 0)):
        examples = answer(described, f"/v1/datasets/{dataset}")["data"]["examples"]
        assert len(examples) == most
        for example in examples:
            assert answer(described, example["href"])["data"] != [], example


def test_every_example_of_our_package_has_an_answer(client: FlaskClient) -> None:
    for entry in answer(client, "/v1/datasets")["data"]:
        examples = answer(client, entry["links"]["self"])["data"]["examples"]
        assert len(examples) == 3, entry["name"]
        for example in examples:
            assert answer(client, example["href"])["data"] != [], example


def test_the_figures_of_our_package_cover_the_years_that_their_schema_names(client: FlaskClient) -> None:
    covered = answer(client, "/v1/datasets/exports")["data"]["coverage"]
    assert [entry["field"] for entry in covered] == ["year", "period_start", "period_end"]
    years = [row["year"] for row in answer(client, "/v1/datasets/exports/records?limit=1000")["data"] if row["year"]]
    assert (covered[0]["first"], covered[0]["last"]) == (min(years), max(years))


def test_a_description_names_every_format(described: FlaskClient) -> None:
    formats = answer(described, "/v1/datasets/things")["data"]["formats"]
    assert {"json", "csv", "parquet", "xlsx"} <= {entry["name"] for entry in formats}
    for entry in formats:
        response = described.get(entry["href"])
        assert (response.status_code, response.content_type) == (200, entry["media_type"]), entry


def test_the_home_page_leads_to_the_feeds(client: FlaskClient) -> None:
    page = client.get("/", headers={"Accept": "text/html"}).text
    for feed in ("/v1/releases.atom", "/v1/corrections.atom"):
        assert page.count(f'href="{feed}"') == 2
