"""A release states nothing that its package does not say: no date, licence or profile is made up or lost."""

import json
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from newsroom import copy, released, serving
from packages import table, write
from served import answer, app_of, client_of, problem, served

from api.cli import main
from api.export.write import export
from api.package import validate
from api.release.build import BuildError, build
from api.trust import sign_store

ATOM = "{http://www.w3.org/2005/Atom}"
ROWS = [["a", "1"]]
T = table("t", ["id", "v:integer"], ROWS)


def text_of(client: FlaskClient, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200, path
    return response.get_data(as_text=True)


def release_of(tmp_path: Path, **words: Any) -> Path:
    return build(write(tmp_path / "package", T, **words), tmp_path / "store").folder


# Dates


def test_a_package_without_a_date_is_published_without_one(tmp_path: Path) -> None:
    client = served(tmp_path, T)
    response = client.get("/v1/datasets/t/records")
    assert "Last-Modified" not in response.headers
    assert response.get_json()["meta"]["published_at"] is None
    assert response.get_json()["meta"]["citation"] == "small. small (version 1.0.0) [Data set]."
    again = client.get("/v1/datasets/t/records", headers={"If-None-Match": response.headers["ETag"]})
    assert (again.status_code, "Last-Modified" in again.headers) == (304, False)
    for path in ("datapackage.json", "package.zip", "README.md"):
        file = client.get(f"/releases/1.0.0/{path}")
        assert (file.status_code, "Last-Modified" in file.headers) == (200, False)
    for path in ("/", "/releases/1.0.0/", "/sitemap.xml", "/v1/releases", "/v1/releases.atom"):
        assert "1970" not in text_of(client, path)
        assert "None" not in client.get(path, headers={"Accept": "text/html"}).get_data(as_text=True)
    assert "<lastmod>" not in text_of(client, "/sitemap.xml")


def test_no_description_of_a_package_without_a_date_names_one(tmp_path: Path) -> None:
    folder = release_of(tmp_path)
    names = ("CITATION.cff", "CHANGELOG.md", "README.md", "codebook.md", "codebook.html", "validation.html")
    names += ("citation.txt", "citation.bib", "dcat.jsonld", "schema-org.jsonld", "croissant.json", "manifest.json")
    texts = {name: (folder / name).read_text("utf-8") for name in names}
    for name, text in texts.items():
        for word in ("1970", "1980", "date-released", "year =", "datePublished", "dct:issued", "None", "Undefined"):
            assert word not in text, (name, word)
    assert texts["citation.txt"] == "small. small (version 1.0.0) [Data set].\n"
    assert json.loads(texts["manifest.json"])["published_at"] is None
    assert texts["CHANGELOG.md"].splitlines()[2] == "## 1.0.0"
    assert texts["codebook.md"].splitlines()[2] == "Version 1.0.0"
    facts = dict(openpyxl.load_workbook(folder / "package.xlsx")["Contents"].iter_rows(2, 6, 1, 2, values_only=True))
    assert facts["Created"] == "not stated"


def test_files_in_archives_of_a_package_without_a_date_have_the_first_one_that_a_zip_can_hold(tmp_path: Path) -> None:
    folder = release_of(tmp_path)
    for name in ("package.zip", "package.xlsx"):
        with zipfile.ZipFile(folder / name) as archive:
            assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_a_feed_has_a_time_that_nobody_takes_for_real_where_none_is_known(tmp_path: Path) -> None:
    feed = ET.fromstring(text_of(served(tmp_path, T), "/v1/releases.atom"))
    [entry] = feed.findall(f"{ATOM}entry")
    assert feed.findtext(f"{ATOM}updated") == entry.findtext(f"{ATOM}updated") == "0001-01-01T00:00:00+00:00"
    assert entry.find(f"{ATOM}published") is None


def test_a_release_without_a_date_is_not_found_by_day_and_says_so(tmp_path: Path) -> None:
    said = problem(served(tmp_path, T), "/v1/datasets/t/records?as_of=2026-01-01")
    assert said["status"] == 404
    assert said["detail"] == (
        "nothing was published on or before 2026-01-01; when 1.0.0 was published is not known: name it by `version`; "
        "there are 1.0.0"
    )


def test_versions_without_dates_follow_one_another_by_their_numbers(tmp_path: Path) -> None:
    source = write(tmp_path / "package", table("t", ["id", "v:integer"], [["a", "2"]]), version="1.10.0")
    write(source / "history/1.9.0", T, version="1.9.0")
    client = client_of(source, tmp_path / "store")
    listed = answer(client, "/v1/releases")["data"]
    assert [(one["version"], one["published_at"]) for one in listed] == [("1.10.0", None), ("1.9.0", None)]
    steps = answer(client, "/v1/datasets/t/records/a/history")["data"]
    assert [(step["version"], step["change"], step["published_at"]) for step in steps] == [
        ("1.10.0", "changed", None),
        ("1.9.0", "added", None),
    ]
    told = CliRunner().invoke(main, ["releases", "--store", str(tmp_path / "store")]).output
    assert [line.split("\t")[:2] for line in told.splitlines()] == [["1.10.0", "not dated"], ["1.9.0", "not dated"]]


def test_a_day_is_kept_as_the_day_and_warned_of(tmp_path: Path) -> None:
    source = write(tmp_path / "package", T, created="2018-01-02")
    assert validate(source).text() == (
        'warning: datapackage.json: created is "2018-01-02", which is not a time as RFC 3339 writes it: '
        "2018-01-02 is taken (expected: a time such as 2026-11-24T09:30:00Z)\n"
        "valid: 1 table, 1 row, 0 errors, 1 warning"
    )
    release = build(source, tmp_path / "store")
    assert release.published_at == "2018-01-02T00:00:00Z"
    assert release.package.descriptor["created"] == "2018-01-02"
    assert "date-released: '2018-01-02'" in (release.folder / "CITATION.cff").read_text("utf-8")
    assert '"@value": "2018-01-02",\n        "@type": "xsd:date"' in (release.folder / "dcat.jsonld").read_text("utf-8")


@pytest.mark.parametrize(
    "created", ["soon", "", "2018", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "2018-02-30", 2018]
)
def test_what_is_no_date_is_one_warning_and_no_date(tmp_path: Path, created: Any) -> None:
    source = write(tmp_path / "package", T, created=created)
    assert validate(source).text() == (
        f"warning: datapackage.json: created is {json.dumps(created)}: it is published as it is and not relied on "
        "(expected: a time such as 2026-11-24T09:30:00Z)\n"
        "valid: 1 table, 1 row, 0 errors, 1 warning"
    )
    assert build(source, tmp_path / "store").published_at is None


@pytest.mark.parametrize("created", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"])
def test_the_first_and_the_last_second_are_served(tmp_path: Path, created: str) -> None:
    client = served(tmp_path, T, created=created)
    assert answer(client, "/v1/datasets/t/records")["meta"]["published_at"] == created
    assert text_of(client, "/v1/releases.atom").count(f"{created[:-1]}+00:00") == 3
    assert client.get("/v1/datasets/t/records?as_of=9999-12-31").status_code == 200


# Versions


def test_a_package_without_a_version_is_told_which_one_is_taken(tmp_path: Path) -> None:
    source = write(tmp_path / "package", T)
    described = json.loads((source / "datapackage.json").read_text())
    (source / "datapackage.json").write_text(json.dumps({k: v for k, v in described.items() if k != "version"}))
    assert validate(source).text() == (
        "warning: datapackage.json: the package has no version: 0.0.0 is taken (expected: a version such as 1.0.0)\n"
        "valid: 1 table, 1 row, 0 errors, 1 warning"
    )
    assert build(source, tmp_path / "store").version == "0.0.0"


VERSIONS = {
    "latest": "it is the name under which the latest release is found",
    "": "it is empty",
    ".": "it escapes its folder (an absolute path, '.', '..' or an empty part)",
    "..": "it escapes its folder (an absolute path, '.', '..' or an empty part)",
    "1.0/2": "it contains a slash",
    "1" * 300: "it is longer than 100 characters",
    "1.0.0 ": "it has a part that begins with a dot or ends with a dot or space",
    "1.0.": "it has a part that begins with a dot or ends with a dot or space",
    "aux": "it is a reserved name on Windows",
    "1:0": "it contains a backslash, a control character or another character that file systems forbid",
}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_version_that_cannot_be_an_address_is_refused_in_words(tmp_path: Path, version: str) -> None:
    source = write(tmp_path / "package", T, version=version)
    said = (
        f'datapackage.json: the version "{version}" cannot name a release: {VERSIONS[version]} '
        "(expected: a version such as 1.0.0)\nnot valid: 1 table, 1 row, 1 error, 0 warnings"
    )
    assert validate(source).text() == said
    with pytest.raises(BuildError) as refused:
        build(source, tmp_path / "store")
    assert str(refused.value) == said
    assert not (tmp_path / "store").exists()


# Profiles


def test_a_profile_of_a_community_is_published(tmp_path: Path) -> None:
    theirs = "https://example.org/camtrap-dp/1.0/profile.json"
    folder = release_of(tmp_path, **{"$schema": theirs})
    assert json.loads((folder / "datapackage.json").read_text())["$schema"] == theirs


def test_a_profile_of_v1_is_published_beside_that_of_v2(tmp_path: Path) -> None:
    theirs = "https://example.org/camtrap-dp/0.1/profile.json"
    folder = release_of(tmp_path, **{"$schema": "", "profile": theirs})
    described = json.loads((folder / "datapackage.json").read_text())
    assert described["$schema"] == "https://datapackage.org/profiles/2.0/datapackage.json"
    assert (described["lantern:profile"], "profile" in described) == (theirs, False)


@pytest.mark.parametrize("name", ["data-package", "tabular-data-package"])
def test_the_profiles_of_the_standard_itself_become_that_of_v2(tmp_path: Path, name: str) -> None:
    described = json.loads((release_of(tmp_path, **{"$schema": "", "profile": name}) / "datapackage.json").read_text())
    assert described["$schema"] == "https://datapackage.org/profiles/2.0/datapackage.json"
    assert not {"profile", "lantern:profile"} & described.keys()


# Other libraries


def test_building_again_with_other_libraries_says_which_and_what_follows(tmp_path: Path) -> None:
    source, told = write(tmp_path / "package", T), []
    folder = build(source, tmp_path / "store").folder
    build(source, tmp_path / "store", told.append)
    assert told[-1] == "release 1.0.0 is in the store already"
    manifest = json.loads((folder / "manifest.json").read_text())
    here = manifest["made_with"]["pyarrow"]
    manifest["made_with"]["pyarrow"] = "1.0.0"
    (folder / "manifest.json").write_text(json.dumps(manifest))
    build(source, tmp_path / "store", told.append)
    assert told[-1] == (
        f"release 1.0.0 is in the store already: it was made with pyarrow 1.0.0 (here {here}); "
        "of the same content these write other bytes"
    )


# Copies


def test_a_release_without_a_date_is_signed_mirrored_verified_and_exported(tmp_path: Path) -> None:
    store, mirrored, site = tmp_path / "store", tmp_path / "copy", tmp_path / "site"
    build(write(tmp_path / "package", T), store)
    sign_store(store, lambda _: None)
    [entry] = json.loads((store / "releases.json").read_text())["releases"]
    assert entry["published_at"] is None
    with serving(store, tmp_path / "log") as url:
        copy(url, mirrored)
    assert released(mirrored) == released(store)
    assert answer(app_of(mirrored).test_client(), "/v1/datasets/t/records")["meta"]["published_at"] is None
    export(store, site, tell=lambda _: None)
    for folder in (store, mirrored, site):
        assert CliRunner().invoke(main, ["verify", str(folder)]).exit_code == 0
    meta = json.loads((site / "v1/datasets/t/index.json").read_text())["meta"]
    assert (meta["version"], meta["published_at"]) == ("1.0.0", None)


def test_a_correction_without_a_date_has_none_in_the_feed(tmp_path: Path) -> None:
    fields = ["id", "dataset", "record", "field", "old", "new", "kind", "reason", "date:date", "version"]
    rows = [
        ["c1", "t", "a", "v", "1", "2", "correction", "a\x01b\x1bc", "", "1.0.0"],
        ["c2", "t", "a", "v", "2", "1", "correction", "again", "2020-05-01", "1.0.0"],
    ]
    client = served(tmp_path, T, table("corrections", fields, rows))
    feed = ET.fromstring(text_of(client, "/v1/corrections.atom"))
    entries = feed.findall(f"{ATOM}entry")
    assert feed.findtext(f"{ATOM}updated") == "2020-05-01T00:00:00+00:00"
    assert [entry.findtext(f"{ATOM}updated") for entry in entries] == [
        *("2020-05-01T00:00:00+00:00", "0001-01-01T00:00:00+00:00")
    ]
    assert [entry.find(f"{ATOM}published") is None for entry in entries] == [False, True]
    assert "a\ufffdb\ufffdc" in (entries[1].findtext(f"{ATOM}content") or "")


def test_the_next_version_of_a_package_without_version_and_date_is_drafted(tmp_path: Path) -> None:
    source = write(tmp_path / "package", T)
    described = json.loads((source / "datapackage.json").read_text())
    del described["version"]
    (source / "datapackage.json").write_text(json.dumps({**described, "created": "soon"}))
    store = str(tmp_path / "store")
    build(source, tmp_path / "store")
    done = CliRunner().invoke(main, ["release", "--bump", "minor", "--note", "more", "--store", store, str(source)])
    assert done.exit_code == 0, done.output
    drafted = json.loads((source / "datapackage.json").read_text())
    assert drafted["version"] == "0.1.0"
    assert drafted["created"] == build(source, tmp_path / "store").published_at
    history = answer(app_of(tmp_path / "store").test_client(), "/v1/releases")["data"]
    assert [(one["version"], one["published_at"] is None) for one in history] == [("0.1.0", False), ("0.0.0", True)]
