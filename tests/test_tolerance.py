"""Metadata never withholds data, and a file that cannot be had costs itself only: what is told, and what is served."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from packages import table, write
from served import answer, app_of, client_of, rows_path

from api.cli import main
from api.package import validate
from api.release.build import build

ROWS = [["a"], ["b"]]
MIT = [{"name": "MIT"}]


def told(folder: Path) -> list[str]:
    """The lines of the report but the last."""
    return validate(folder).text().splitlines()[:-1]


def package(folder: Path, resource: dict[str, Any] | None = None, **words: Any) -> Path:
    """A package of one table, with properties of the resource and of the package."""
    return write(folder, {**table("t", ["id"], ROWS), **(resource or {})}, **words)


def published(folder: Path, store: Path) -> dict[str, Any]:
    """The descriptor of the release of a package, whose rows are all served."""
    client = client_of(folder, store)
    assert answer(client, rows_path("t"))["data"] == [{"id": row[0]} for row in ROWS]
    assert client.get("/", headers={"Accept": "text/html"}).status_code == 200
    release = store / "releases/1.0.0"
    assert validate(release).valid
    descriptor: dict[str, Any] = json.loads((release / "datapackage.json").read_text("utf-8"))
    return descriptor


# Words of the package: what is given, what is published, what is told
LIFTED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "a licence of v0": (
        {"licenses": [{"id": "odc-pddl", "url": "https://example.org/l"}]},
        {"licenses": [{"name": "odc-pddl", "path": "https://example.org/l"}]},
        'note: datapackage.json: licenses is read as [{"name": "odc-pddl", "path": "https://example.org/l"}]'
        " (expected: licenses as Data Package v2 has them)",
    ),
    "a licence with a type": (
        {"licenses": [{"type": "MIT"}]},
        {"licenses": MIT},
        'note: datapackage.json: licenses is read as [{"name": "MIT"}]'
        " (expected: licenses as Data Package v2 has them)",
    ),
    "one licence": (
        {"license": "MIT"},
        {"licenses": MIT},
        'note: datapackage.json: license is read as [{"name": "MIT"}] (expected: licenses as Data Package v2 has them)',
    ),
    "keywords as one text": (
        {"keywords": "guns, borders"},
        {"keywords": ["guns", "borders"]},
        'warning: datapackage.json: keywords is read as ["guns", "borders"] (expected: a list of texts)',
    ),
    "contributors as texts": (
        {"contributors": ["Ana <ana@example.org> (https://example.org)"]},
        {"contributors": [{"title": "Ana", "email": "ana@example.org", "path": "https://example.org"}]},
        'note: datapackage.json: contributors is read as [{"title": "Ana", "email": "ana@example.org", "path": '
        '"https://example.org"}] (expected: contributors as Data Package v2 has them)',
    ),
    "sources with web": (
        {"sources": [{"name": "S", "web": "https://example.org"}]},
        {"sources": [{"title": "S", "path": "https://example.org"}]},
        'note: datapackage.json: sources is read as [{"title": "S", "path": "https://example.org"}]'
        " (expected: sources as Data Package v2 has them)",
    ),
    "a title that is a number": (
        {"title": 1984},
        {"title": "1984"},
        'warning: datapackage.json: title is read as "1984" (expected: a text)',
    ),
    "a title that is an object": (
        {"title": {"en": "T"}},
        {"title": {"en": "T"}},
        'warning: datapackage.json: title is {"en": "T"}: it is published as it is and not relied on'
        " (expected: a text)",
    ),
    "sources that are a number": (
        {"sources": 5},
        {"sources": 5},
        "warning: datapackage.json: sources is 5: it is published as it is and not relied on"
        " (expected: a list of objects)",
    ),
    "a licence that is nothing": (
        {"licenses": [None, {"name": "MIT"}]},
        {"licenses": [None, {"name": "MIT"}]},
        'warning: datapackage.json: licenses is [null, {"name": "MIT"}]: it is published as it is and not relied on'
        " (expected: a list of objects)",
    ),
    "an image that is none": (
        {"image": ["a.png"]},
        {"image": ["a.png"]},
        'warning: datapackage.json: image is ["a.png"]: it is published as it is and not relied on (expected: a text)',
    ),
    "a homepage that is no address": (
        {"homepage": "example"},
        {"homepage": "example"},
        'warning: datapackage.json: homepage is "example": it is published as it is and not relied on'
        " (expected: a web address)",
    ),
    "a name with capitals and a space": (
        {"name": "My Data"},
        {"name": "My Data"},
        'note: datapackage.json: the name is "My Data" (expected: lower-case letters, digits, and . _ -)',
    ),
    "created as a day": (
        {"created": "2020-05-01"},
        {"created": "2020-05-01"},
        'warning: datapackage.json: created is "2020-05-01", which is not a time as RFC 3339 writes it: 2020-05-01 is'
        " taken (expected: a time such as 2026-11-24T09:30:00Z)",
    ),
    "created at no time": (
        {"created": "last spring"},
        {"created": "last spring"},
        'warning: datapackage.json: created is "last spring": it is published as it is and not relied on'
        " (expected: a time such as 2026-11-24T09:30:00Z)",
    ),
    "an unknown property": ({"x": 1}, {"x": 1}, ""),
    "a slip": (
        {"licence": "MIT"},
        {"licence": "MIT"},
        'note: datapackage.json: the standard knows no property "licence" (expected: licenses)',
    ),
    "a profile of v1": ({"profile": "tabular-data-package"}, {}, ""),
    "a wrong $schema": ({"$schema": 5}, {}, ""),
}


@pytest.mark.parametrize("case", LIFTED)
def test_words_of_a_package_withhold_nothing_and_are_told(tmp_path: Path, case: str) -> None:
    given, kept, line = LIFTED[case]
    folder = package(tmp_path / "p", **given)
    assert told(folder) == ([line] if line else [])
    descriptor = published(folder, tmp_path / "store")
    assert kept.items() <= descriptor.items()


OF_RESOURCES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "stale bytes": (
        {"bytes": 1},
        ["note: data/t.csv: the file's size differs from the descriptor: it has 7 bytes (expected: 1)"],
    ),
    "a stale hash": (
        {"hash": "0" * 32},
        [
            "warning: data/t.csv: the file's checksum differs from the descriptor: it is "
            f"847d8e3ccbd72b76582eb200abd92216 (expected: {'0' * 32})"
        ],
    ),
    "a hash of no kind": (
        {"hash": "crc:12"},
        [
            'warning: datapackage.json: hash is "crc:12" (expected: an algorithm and its digest, such as sha256:…)',
        ],
    ),
    "a hash that is a number": (
        {"hash": 12},
        ["warning: datapackage.json: hash is 12 (expected: an algorithm and its digest, such as sha256:…)"],
    ),
    "a title that is a list": (
        {"title": ["T"]},
        [
            'warning: datapackage.json: title is ["T"]: it is published as it is and not relied on (expected: a text)',
        ],
    ),
    "a licence of v0": (
        {"licenses": [{"type": "MIT"}]},
        [
            'note: datapackage.json: licenses is read as [{"name": "MIT"}]'
            " (expected: licenses as Data Package v2 has them)",
        ],
    ),
}


@pytest.mark.parametrize("case", OF_RESOURCES)
def test_words_of_a_resource_withhold_nothing_and_are_told(tmp_path: Path, case: str) -> None:
    given, lines = OF_RESOURCES[case]
    folder = package(tmp_path / "p", given)
    assert told(folder) == lines
    (resource,) = published(folder, tmp_path / "store")["resources"]
    assert (resource["bytes"], resource["hash"][:7]) == (7, "sha256:")  # its own


def test_a_resource_without_a_name_has_that_of_its_file(tmp_path: Path) -> None:
    folder = package(tmp_path / "p")
    descriptor = json.loads((folder / "datapackage.json").read_text())
    for name in (None, "", ["t"]):
        descriptor["resources"][0]["name"] = name
        (folder / "datapackage.json").write_text(json.dumps(descriptor))
        (line,) = told(folder)
        assert line.endswith('it is called "t" (expected: a name)'), line
    del descriptor["resources"][0]["name"]
    (folder / "datapackage.json").write_text(json.dumps(descriptor))
    assert told(folder) == ['warning: datapackage.json: resource 1 has no name: it is called "t" (expected: a name)']
    published(folder, tmp_path / "store")


def test_words_of_fields_withhold_nothing(tmp_path: Path) -> None:
    folder = package(tmp_path / "p")
    descriptor = json.loads((folder / "datapackage.json").read_text())
    descriptor["resources"][0]["schema"]["fields"][0] |= {"title": {"en": "Id"}, "description": 5, "example": [1]}
    (folder / "datapackage.json").write_text(json.dumps(descriptor))
    report = validate(folder)
    assert report.valid and report.warnings
    published(folder, tmp_path / "store")


# Files


def beside(folder: Path, resource: dict[str, Any], **files: bytes) -> Path:
    """A package of a table and another resource."""
    package(folder)
    descriptor = json.loads((folder / "datapackage.json").read_text())
    descriptor["resources"].append(resource)
    (folder / "datapackage.json").write_text(json.dumps(descriptor))
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def test_a_picture_that_is_missing_costs_itself_only(tmp_path: Path) -> None:
    folder = beside(tmp_path / "p", {"name": "map", "path": "map.png"})
    assert told(folder) == ['warning: datapackage.json: the file "map.png" does not exist (expected: an existing file)']
    descriptor = published(folder, tmp_path / "store")
    assert [resource["name"] for resource in descriptor["resources"]] == ["t"]
    (warning,) = json.loads((tmp_path / "store/releases/1.0.0/validation.json").read_text())["warnings"]
    assert (warning["resource"], warning["value"]) == ("map", "map.png")


def test_a_remote_file_is_listed_with_its_address(tmp_path: Path) -> None:
    address = "https://example.org/big.csv"
    schema = {"fields": [{"name": "id"}]}
    folder = beside(tmp_path / "p", {"name": "big", "title": "Big", "path": address, "schema": schema})
    assert told(folder) == [
        f"warning: datapackage.json: {address} is on the network, which is never read: only its address is listed"
        " (expected: a copy: lantern validate --with FOLDER, which holds big.csv)"
    ]
    descriptor = published(folder, tmp_path / "store")
    assert descriptor["resources"][1]["path"] == address
    client = app_of(tmp_path / "store").test_client()
    assert answer(client, "/v1/")["data"]["files"] == [{"name": "big", "title": "Big", "href": address}]
    assert [entry["name"] for entry in answer(client, "/v1/datasets")["data"]] == ["t"]


def test_a_spreadsheet_of_a_kind_that_cannot_be_read_is_offered_as_the_file_that_it_is(tmp_path: Path) -> None:
    schema = {"fields": [{"name": "id"}]}
    folder = beside(
        tmp_path / "p", {"name": "s", "type": "table", "path": "s.wk1", "schema": schema}, **{"s.wk1": b"WK"}
    )
    (line,) = told(folder)
    assert line.startswith("warning: s.wk1: tables in the format wk1 cannot be read: it is offered as a file")
    resource = published(folder, tmp_path / "store")["resources"][1]
    assert (resource["path"], resource["lantern:table"]) == ("s.wk1", False)
    assert (tmp_path / "store/releases/1.0.0/s.wk1").read_bytes() == b"WK"


PATHS = {
    "file:///etc/passwd": "leads out of the package (expected: a path inside its folder)",
    "/etc/passwd": "leads out of the package (expected: a path inside its folder)",
    "../t.csv": "leads out of the package (expected: a path inside its folder)",
    "%2e%2e/t.csv": "leads out of the package (expected: a path inside its folder)",
    "C:\\t.csv": "leads out of the package (expected: a path inside its folder)",
    "c:/t.csv": "leads out of the package (expected: a path inside its folder)",
    "\\\\host\\t.csv": "leads out of the package (expected: a path inside its folder)",
    "..\\t.csv": "leads out of the package (expected: a path inside its folder)",
    "data\\t.csv": "is written with backslashes (expected: data/t.csv)",
    "link.csv": "is a link that leads out of the package (expected: a file inside its folder)",
    "": "has no name (expected: a path inside its folder)",
    "a\x00b": "has a control character in its name (expected: a path inside its folder)",
    "data": "is a folder (expected: an existing file)",
    "x" * 300: "cannot be read: File name too long (expected: an existing file)",
}


@pytest.mark.parametrize("path", PATHS)
def test_a_path_that_must_not_be_read_is_one_error(tmp_path: Path, path: str) -> None:
    folder = package(tmp_path / "p")
    (tmp_path / "secret.csv").write_text("id\n")
    (folder / "link.csv").symlink_to(tmp_path / "secret.csv")
    descriptor = json.loads((folder / "datapackage.json").read_text())
    descriptor["resources"][0]["path"] = path
    (folder / "datapackage.json").write_text(json.dumps(descriptor))
    shown = path.replace("\0", "\\u0000")
    assert told(folder) == [f'datapackage.json: the file "{shown}" {PATHS[path]}']
    descriptor["resources"][0] = {"name": "f", "path": path}  # no table
    (folder / "datapackage.json").write_text(json.dumps(descriptor))
    assert validate(folder).valid == (path in ("data",))


def test_a_package_of_nothing_but_addresses_is_served(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    resources = [{"name": "big", "path": ["https://example.org/1.csv", "https://example.org/2.csv"]}]
    (tmp_path / "p/datapackage.json").write_text(json.dumps({"name": "p", "resources": resources}))
    build(tmp_path / "p", tmp_path / "store")
    client = app_of(tmp_path / "store").test_client()
    assert [entry["href"] for entry in answer(client, "/v1/")["data"]["files"]] == resources[0]["path"]


# Copies of what is on the network


ADDRESS = "https://example.org/a"


def remote(folder: Path) -> Path:
    """A package of which a table, its schema and a report are on the network, and a dialect of a table that is not."""
    folder.mkdir()
    resources = [
        {"name": "t", "path": f"{ADDRESS}/t.csv", "schema": f"{ADDRESS}/t.json"},
        {"name": "u", "path": "u.csv", "schema": f"{ADDRESS}/u.json?raw=1", "dialect": f"{ADDRESS}/dialect.json"},
        {"name": "report", "path": f"{ADDRESS}/the%20report.pdf"},
    ]
    (folder / "u.csv").write_text("id|n\nx|2\n")
    (folder / "datapackage.json").write_text(json.dumps({"name": "p", "version": "1.0.0", "resources": resources}))
    return folder


def copies(folder: Path) -> Path:
    folder.mkdir()
    schema = {"fields": [{"name": "id"}], "primaryKey": "id"}
    (folder / "t.csv").write_text("id\na\nb\n")
    (folder / "t.json").write_text(json.dumps(schema))
    other = {"fields": [{"name": "id"}, {"name": "n", "type": "integer"}]}
    (folder / "other.json").write_text(json.dumps(other))
    (folder / "sources.json").write_text(json.dumps({f"{ADDRESS}/u.json?raw=1": "other.json"}))
    (folder / "dialect.json").write_text(json.dumps({"delimiter": "|"}))
    (folder / "the report.pdf").write_bytes(b"PDF")
    return folder


def test_a_schema_and_a_dialect_on_the_network_are_done_without_and_that_is_told(tmp_path: Path) -> None:
    folder = remote(tmp_path / "p")
    assert told(folder) == [
        f"warning: datapackage.json: {ADDRESS}/t.csv is on the network, which is never read: only its address is listed"
        " (expected: a copy: lantern validate --with FOLDER, which holds t.csv)",
        "warning: datapackage.json: the schema is on the network, which is never read: the table is read without it"
        " (expected: a copy: lantern validate --with FOLDER, which holds u.json)",
        "warning: datapackage.json: the dialect is on the network, which is never read: the table is read without it"
        " (expected: a copy: lantern validate --with FOLDER, which holds dialect.json)",
        f"warning: datapackage.json: {ADDRESS}/the%20report.pdf is on the network, which is never read: only its"
        " address is listed (expected: a copy: lantern validate --with FOLDER, which holds the report.pdf)",
        "warning: u.csv:1: the cells are taken to be separated by bars, which no dialect says; lantern format"
        " mends this (expected: commas, or the delimiter in the dialect)",
    ]
    client = client_of(folder, tmp_path / "store")
    assert answer(client, rows_path("u"))["data"] == [{"id": "x", "n": 2}]


def test_copies_stand_for_what_is_on_the_network(tmp_path: Path) -> None:
    folder, local = remote(tmp_path / "p"), copies(tmp_path / "copies")
    report = validate(folder, copies=local)
    assert report.text().splitlines() == [
        f"note: datapackage.json: {ADDRESS}/t.csv is read from its copy",
        f"note: datapackage.json: {ADDRESS}/the%20report.pdf is read from its copy",
        "valid: 2 tables, 3 rows, 0 errors, 0 warnings, 2 notes",
    ]
    release = build(folder, tmp_path / "store", copies=local).folder
    client = app_of(tmp_path / "store").test_client()
    assert answer(client, rows_path("t"))["data"] == [{"id": "a"}, {"id": "b"}]
    assert answer(client, rows_path("u"))["data"] == [{"id": "x", "n": 2}]
    assert (release / "remote/the report.pdf").read_bytes() == b"PDF"
    assert validate(release).text() == "valid: 2 tables, 3 rows, 0 errors, 0 warnings"


def test_the_command_takes_a_folder_of_copies(tmp_path: Path) -> None:
    folder, local = remote(tmp_path / "p"), copies(tmp_path / "copies")
    for command in (["validate", folder], ["build", folder, "--store", tmp_path / "store"]):
        result = CliRunner().invoke(main, [*map(str, command), "--with", str(local)])
        assert result.exit_code == 0, result.output
    (local / "sources.json").write_text("[]")
    result = CliRunner().invoke(main, ["validate", str(folder), "--with", str(local)])
    assert (result.exit_code, result.output.splitlines()[0]) == (
        1,
        "sources.json: the list of copies cannot be read: it is no object"
        ' (expected: addresses and files: {"https://example.org/t.csv": "t.csv"})',
    )


YAML = """
name: p
version: 1.10
resources:
  - name: t
    type: table
    path: t.csv
    schema:
      fields:
        - {name: no, type: string, constraints: {enum: [yes, no, 010, 1:30, off]}}
        - {name: n, type: number}
      missingValues: ["", NA, -99, -99.50, ~]
"""


def test_yaml_is_read_as_its_version_1_2_and_numbers_as_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "datapackage.yaml").write_text(YAML)
    (tmp_path / "t.csv").write_text("no,n\nyes,1\n010,-99\n1:30,-99.50\n")
    assert told(tmp_path) == [
        'warning: datapackage.yaml: version is read as "1.10" (expected: a text)',
        'note: datapackage.yaml: version is "1.10" (expected: three numbers such as 1.0.0)',
    ]
    rows = answer(client_of(tmp_path, tmp_path / "store"), rows_path("t"))["data"]
    assert rows == [{"no": "yes", "n": 1}, {"no": "010", "n": None}, {"no": "1:30", "n": None}]


def test_a_member_that_is_null_says_nothing(tmp_path: Path) -> None:
    field = {"name": "v", **dict.fromkeys(("type", "format", "missingValues", "categories", "groupChar", "trueValues"))}
    constraints = dict.fromkeys(("required", "minLength", "pattern", "enum", "minimum"))
    schema = {**dict.fromkeys(("primaryKey", "foreignKeys", "uniqueKeys", "missingValues", "fieldsMatch"))}
    made = table("t", ["v"], [["a"], ["b"]])
    made["schema"] = {**schema, "fields": [{**field, "constraints": constraints}]}
    made |= dict.fromkeys(("format", "encoding", "dialect", "compression", "data", "hash", "bytes", "innerpath"))
    client = client_of(write(tmp_path / "package", made), tmp_path / "store")
    assert validate(tmp_path / "package").text() == "valid: 1 table, 2 rows, 0 errors, 0 warnings"
    assert answer(client, rows_path("t"))["data"] == [{"v": "a"}, {"v": "b"}]


def test_a_part_of_a_descriptor_of_another_shape_is_named(tmp_path: Path) -> None:
    made = table("t", ["id", "v"], [["a", "b"]])
    made["schema"]["fields"][1]["constraints"] = {"minLength": "2"}
    assert validate(write(tmp_path, made)).text().splitlines()[0] == (
        """datapackage.json: in the resource "t" fields["v"].constraints.minLength: '2' is not of type 'integer'"""
    )
