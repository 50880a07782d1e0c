"""What crawlers are told: no parameters, and every address that stands for itself."""

import re
from pathlib import Path
from urllib.parse import urlsplit

from flask.testing import FlaskClient
from packages import table
from served import get, served

from api.app import create_app


def test_robots_are_kept_out_of_parameters_and_told_the_map(client: FlaskClient) -> None:
    answer = get(client, "/robots.txt")
    assert (answer.content_type, answer.text) == (
        "text/plain; charset=utf-8",
        "User-agent: *\nDisallow: /*?\nSitemap: http://localhost/sitemap.xml\n",
    )
    own = create_app(STORE=client.application.config["STORE"], BASE_URL="https://example.org/data")
    lines = get(own.test_client(), "/robots.txt").text.splitlines()
    assert lines[1:] == ["Disallow: /data/*?", "Sitemap: https://example.org/data/sitemap.xml"]


def test_the_map_has_every_dataset_conflict_and_release_and_each_is_there(client: FlaskClient) -> None:
    answer = get(client, "/sitemap.xml")
    links = [urlsplit(link).path for link in re.findall("<loc>http://localhost(.*?)</loc>", answer.text)]
    assert answer.content_type == "application/xml"
    assert {"/", "/docs/", "/v1/datasets/exports", "/v1/conflicts/con-01", "/v1/releases/1.0.0"} <= {*links}
    assert len({*links}) == len(links) == answer.text.count("<lastmod>")
    assert [link for link in links if get(client, link).status_code != 200] == []


def test_a_package_of_any_names_has_a_map(tmp_path: Path) -> None:
    client = served(tmp_path, table("a & <b>", ["id"], [["1"]]))
    assert "<loc>http://localhost/v1/datasets/a%20%26%20%3Cb%3E</loc>" in get(client, "/sitemap.xml").text
