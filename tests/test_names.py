"""Every file and table of a package has a place in its release, whatever its name; none replaces another."""

import json
from pathlib import Path
from typing import Any

import pytest
from packages import table, write
from served import answer, app_of, client_of

from api.model import published
from api.model.errors import LanternError
from api.package import validate
from api.release.build import build

T = table("t", ["id", "v:integer"], [["a", "1"]])


def package(folder: Path, *paths: str, tables: tuple[dict[str, Any], ...] = (), **words: Any) -> Path:
    """A package with a table t, kept in t.csv, and files that hold their own paths."""
    source = write(folder / "package", {**T, "path": "t.csv"}, *tables, **words)
    described = json.loads((source / "datapackage.json").read_text("utf-8"))
    for number, path in enumerate(paths):
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_text(path, encoding="utf-8")
        described["resources"].append({"name": f"file-{number}", "path": path, "format": "txt"})
    (source / "datapackage.json").write_text(json.dumps(described, ensure_ascii=False), encoding="utf-8")
    return source


def texts(source: Path) -> list[str]:
    return validate(source).text().splitlines()[:-1]


def kept(tmp_path: Path, *paths: str, **words: Any) -> dict[str, str]:
    """Where the release of a package says that it keeps these files, and what they hold there."""
    folder = build(package(tmp_path, *paths, **words), tmp_path / "store").folder
    described = json.loads((folder / "datapackage.json").read_text("utf-8"))
    places = [entry["path"] for entry in described["resources"] if entry["name"].startswith("file-")]
    return {(folder / place).read_text("utf-8"): place for place in places}


OWN = (
    *("data/t.csv", "jsonl/t.jsonl", "parquet/t.parquet", "manifest.json", "SHA256SUMS", "changes.jsonl"),
    *("package.zip", "package.sqlite", "package.xlsx", "codebook.html", "citation.bib", "validation.json"),
    *("croissant.json", "dcat.jsonld", "Manifest.JSON", "DATA/T.csv", "data/t.csv/inside.txt", "jsonl", "readme.MD"),
)


@pytest.mark.parametrize("path", OWN)
def test_a_file_named_like_one_of_the_releases_own_is_kept_beside_it(tmp_path: Path, path: str) -> None:
    client = client_of(package(tmp_path, path), tmp_path / "store")
    assert answer(client, "/v1/datasets/t/records")["data"] == [{"id": "a", "v": 1}]
    assert client.get(f"/releases/1.0.0/files/{path}").get_data(as_text=True) == path
    described = answer(client, "/releases/1.0.0/datapackage.json")
    assert described["resources"][1]["path"] == f"files/{path}"
    [line] = texts(tmp_path / "package")
    assert line.startswith(
        f'warning: datapackage.json: the file "{path}" is published as "files/{path}": a release has'
    )


def test_the_message_names_both_files(tmp_path: Path) -> None:
    assert texts(package(tmp_path, "DATA/T.csv")) == [
        'warning: datapackage.json: the file "DATA/T.csv" is published as "files/DATA/T.csv": '
        'a release has a file "data/t.csv" of its own (expected: another name)'
    ]


def test_a_release_is_built_again_from_its_archive_with_files_where_they_were(tmp_path: Path) -> None:
    folder = build(package(tmp_path, "manifest.json", "data/t.csv"), tmp_path / "store").folder
    again = build(folder / "package.zip", tmp_path / "again").folder
    assert (again / "files/manifest.json").read_text() == "manifest.json"
    assert (again / "package.zip").read_bytes() == (folder / "package.zip").read_bytes()
    assert validate(folder / "package.zip").findings == ()


def test_names_that_are_one_on_some_systems_are_kept_apart(tmp_path: Path) -> None:
    paths = ("a.txt", "A.TXT", "caf\u00e9.txt", "cafe\u0301.txt", "b.txt", "B.txt/inside.txt")
    places = kept(tmp_path, *paths)
    assert [places[path] for path in paths] == [
        *("a.txt", "files/A.TXT", "caf\u00e9.txt", "files/cafe\u0301.txt", "b.txt", "files/B.txt/inside.txt")
    ]
    assert texts(tmp_path / "package")[0].endswith(
        '"files/A.TXT": "A.TXT" and "a.txt" cannot be files side by side on every system (expected: another name)'
    )


def test_a_name_that_is_taken_twice_gets_another_folder(tmp_path: Path) -> None:
    assert kept(tmp_path, "files/manifest.json", "manifest.json") == {
        "files/manifest.json": "files/manifest.json",
        "manifest.json": "files/2/manifest.json",
    }


NAMES = {
    "what?.txt": "what%3F.txt",
    "con.txt": "%63on.txt",
    ".hidden": "%2Ehidden",
    "end./a.txt": "end%2E/a.txt",
    "space /a.txt": "space%20/a.txt",
    "a\tb.txt": "a%09b.txt",
    "\u202etxt.exe": "%E2%80%AEtxt.exe",
}


@pytest.mark.parametrize("path", NAMES)
def test_a_name_that_some_system_refuses_is_escaped(tmp_path: Path, path: str) -> None:
    assert kept(tmp_path, path) == {path: NAMES[path]}
    assert len(texts(tmp_path / "package")) == 1


@pytest.mark.parametrize(
    ("path", "said"),
    [("x" * 300, "cannot be read: File name too long"), ("a\0b", "has a control character in its name")],
)
def test_a_path_that_no_file_can_have_is_one_line(tmp_path: Path, path: str, said: str) -> None:
    source = package(tmp_path)
    described = json.loads((source / "datapackage.json").read_text("utf-8"))
    described["resources"].append({"name": "file", "path": path})
    (source / "datapackage.json").write_text(json.dumps(described))
    [line] = texts(source)
    assert said in line
    with pytest.raises(LanternError):
        build(source, tmp_path / "store")
    assert not (tmp_path / "store").exists()


LONG = ("n" * 300, "\N{SNOWMAN}" * 300, "con", "a\0b\x1b[31m", "end.", "\x9f\u202e", "a" * 200 + "/", "t\r\nX: y")


@pytest.mark.parametrize("name", LONG)
def test_a_table_may_have_any_name_however_long(tmp_path: Path, name: str) -> None:
    other = {**table(name + "2", ["id"], [["b"]]), "path": "2.csv"}
    source = write(tmp_path / "package", {**T, "name": name, "path": "1.csv"}, other)
    release = build(source, tmp_path / "store")
    client = app_of(tmp_path / "store").test_client()
    links = [entry["links"]["records"] for entry in answer(client, "/v1/datasets")["data"]]
    assert [answer(client, link)["data"] for link in links] == [[{"id": "a", "v": 1}], [{"id": "b"}]]
    assert all(len(part.encode()) <= 255 for file in release.files for part in file.split("/"))
    for path in ("/", "/v1/releases.atom", "/releases/1.0.0/codebook.html", "/openapi.json", links[0] + ".xlsx"):
        assert client.get(path).status_code == 200


def test_titles_with_control_characters_break_no_format(tmp_path: Path) -> None:
    words = "a\0b\x1b]0;x\x07\r\nc\ufffe\x0b"
    entry = {**T, "title": words, "description": words, "licenses": [{"name": words, "path": "https://e.org/\r\nX: y"}]}
    source = write(tmp_path / "package", entry, title=words, description=words, licenses=entry["licenses"])
    client = client_of(source, tmp_path / "store")
    for path in ("/", "/v1/", "/v1/datasets/t", "/v1/datasets/t/records", "/v1/releases.atom", "/openapi.json"):
        assert client.get(path).status_code == 200, path
    for file in answer(client, "/v1/releases/1.0.0")["data"]["files"]:
        assert client.get(file["href"]).status_code == 200
    link = client.get("/v1/datasets/t/records").headers["Link"]
    assert '<https://e.org/%0D%0AX:%20y>; rel="license"' in link


# Files that words name


def test_the_files_of_licences_and_the_image_are_in_the_release(tmp_path: Path) -> None:
    licences = [{"name": "own", "path": "terms/LICENSE.txt"}, {"name": "CC0-1.0", "path": "https://e.org/"}]
    source = package(tmp_path, licenses=licences, image="logo.png")
    for path in ("terms/LICENSE.txt", "logo.png"):
        (source / path).parent.mkdir(exist_ok=True)
        (source / path).write_text(path)
    assert texts(source) == []
    client = client_of(source, tmp_path / "store")
    assert client.get("/releases/1.0.0/terms/LICENSE.txt").get_data(as_text=True) == "terms/LICENSE.txt"
    assert client.get("/releases/1.0.0/logo.png").get_data(as_text=True) == "logo.png"
    assert '</releases/1.0.0/terms/LICENSE.txt>; rel="license"' in client.get("/v1/datasets/t").headers["Link"]
    again = build(tmp_path / "store/releases/1.0.0/package.zip", tmp_path / "again").folder
    assert (again / "logo.png").read_text() == "logo.png"


def test_a_licence_named_like_a_file_of_the_release_is_where_the_descriptor_says(tmp_path: Path) -> None:
    source = package(tmp_path, licenses=[{"name": "own", "path": "manifest.json"}], image="Package.zip")
    (source / "manifest.json").write_text("terms")
    (source / "Package.zip").write_text("picture")
    release = build(source, tmp_path / "store")
    assert release.package.descriptor["licenses"] == [{"name": "own", "path": "files/manifest.json"}]
    assert release.package.descriptor["image"] == "files/Package.zip"
    assert (release.folder / "files/manifest.json").read_text() == "terms"


@pytest.mark.parametrize("path", ["gone.txt", "../secret", "/etc/passwd", "x" * 300])
def test_a_licence_file_that_is_not_there_is_warned_of_and_costs_nothing(tmp_path: Path, path: str) -> None:
    (tmp_path / "secret").write_text("secret")
    source = package(tmp_path, licenses=[{"name": "own", "path": path}])
    assert texts(source) == [
        f'warning: datapackage.json: licenses[0].path names a file "{path}" that the package does not have '
        "(expected: a web address, or a file of the package)"
    ]
    assert answer(client_of(source, tmp_path / "store"), "/v1/datasets/t/records")["meta"]["total"] == 1


def test_the_texts_of_a_package_are_published_byte_for_byte(tmp_path: Path) -> None:
    source, brought = (
        package(tmp_path),
        {"README.md": b"\xef\xbb\xbfone\r\n", "LICENSE": b"caf\xe9", "CHANGELOG.md": b"\xff"},
    )
    for name, data in brought.items():
        (source / name).write_bytes(data)
    folder = build(source, tmp_path / "store").folder
    assert {name: (folder / name).read_bytes() for name in brought} == brought


def test_the_list_of_a_releases_own_files_is_what_it_writes(tmp_path: Path) -> None:
    chart = {"name": "a/b", "title": "a", "resource": "t", "spec": {"mark": "bar", "encoding": {"x": {"field": "id"}}}}
    release = build(package(tmp_path, **{"lantern:charts": [chart]}), tmp_path / "store")
    assert {path.relative_to(release.folder).as_posix() for path in release.folder.rglob("*") if path.is_file()} == {
        *published.own(release.package)
    }
