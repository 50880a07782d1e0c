"""The licence of a table is its own where it has one, wherever it is told; else it is that of the package."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import openpyxl
import pyarrow.parquet as pq
from packages import table, write
from served import answer, served

from api.release.build import build

T = table("t", ["id", "v:integer"], [["a", "1"]])


def test_a_table_with_a_licence_of_its_own_is_under_that_one_alone(tmp_path: Path) -> None:
    odbl = {"name": "ODbL-1.0", "title": "Open Database License", "path": "https://opendatacommons.org/licenses/odbl/"}
    cc0 = {"name": "CC0-1.0", "path": "https://creativecommons.org/publicdomain/zero/1.0/"}
    own, other = {**T, "licenses": [odbl]}, table("u", ["id"], [["b"]])
    client = served(tmp_path, own, other, licenses=[cc0])
    for path in ("", "/records", "/records/a", "/facets?facet=id", "/aggregate?group_by=id", "/schema"):
        response = client.get(f"/v1/datasets/t{path}")
        assert f'<{odbl["path"]}>; rel="license"' in response.headers["Link"], path
        if path != "/schema":
            assert response.get_json()["meta"]["license"] == "ODbL-1.0"
    assert answer(client, "/v1/datasets/t")["data"]["licenses"] == [odbl]
    for path in ("/v1/datasets/u/records", "/v1/datasets", "/v1/search?q=a"):
        assert answer(client, path)["meta"]["license"] == "CC0-1.0"
        assert f'<{cc0["path"]}>; rel="license"' in client.get(path).headers["Link"]
    for path in ("data/t.csv", "jsonl/t.jsonl", "parquet/t.parquet"):
        assert f'<{odbl["path"]}>; rel="license"' in client.get(f"/releases/1.0.0/{path}").headers["Link"], path
    assert f'<{cc0["path"]}>; rel="license"' in client.get("/releases/1.0.0/data/u.csv").headers["Link"]


def test_every_file_that_names_licences_names_that_of_each_table(tmp_path: Path) -> None:
    odbl = {"name": "ODbL-1.0", "title": "Open Database License", "path": "https://opendatacommons.org/licenses/odbl/"}
    cc0 = {"name": "CC0-1.0", "path": "https://creativecommons.org/publicdomain/zero/1.0/"}
    source = write(tmp_path / "package", {**T, "licenses": [odbl]}, table("u", ["id"], [["b"]]), licenses=[cc0])
    folder = build(source, tmp_path / "store").folder
    assert (folder / "LICENSE").read_text("utf-8") == (
        "small\n\nCC0-1.0\nhttps://creativecommons.org/publicdomain/zero/1.0/\n\n"
        "data/t.csv has a licence of its own:\nODbL-1.0\nOpen Database License\n"
        "https://opendatacommons.org/licenses/odbl/\n"
    )
    assert f"- Licence: Open Database License <{odbl['path']}>" in (folder / "codebook.md").read_text("utf-8")
    assert f'<a href="{odbl["path"]}">Open Database License</a></dd>' in (folder / "codebook.html").read_text("utf-8")
    graph = json.loads((folder / "dcat.jsonld").read_text("utf-8"))["@graph"]
    named = {entry["dct:identifier"]: entry["dct:license"]["@id"] for entry in graph if "dct:identifier" in entry}
    assert named == {"small": cc0["path"], "small/t": odbl["path"], "small/u": cc0["path"]}
    assert {e["@id"] for e in graph if e["@type"] == "dct:LicenseDocument"} == {cc0["path"], odbl["path"]}
    parts = json.loads((folder / "schema-org.jsonld").read_text("utf-8"))
    assert [parts["license"], *(part["license"] for part in parts["hasPart"])] == [
        *(cc0["path"], odbl["path"], cc0["path"])
    ]
    assert json.loads((folder / "croissant.json").read_text("utf-8"))["license"] == [cc0["path"], odbl["path"]]
    said = {name: pq.read_schema(folder / f"parquet/{name}.parquet").metadata[b"license"] for name in ("t", "u")}
    assert said == {"t": b"ODbL-1.0", "u": b"CC0-1.0"}
    with closing(sqlite3.connect(folder / "package.sqlite")) as db:
        rows = dict(db.execute("SELECT * FROM _package WHERE property LIKE 'license%'"))
    assert rows == {
        **{"license": "CC0-1.0", "license_path": cc0["path"]},
        **{"license of t": "ODbL-1.0", "license_path of t": odbl["path"]},
    }
    sheet = openpyxl.load_workbook(folder / "package.xlsx")["Contents"]
    assert dict(sheet.iter_rows(2, 8, 1, 2, values_only=True))["Licence of t"] == f"ODbL-1.0 {odbl['path']}"
