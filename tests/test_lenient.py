"""`--lenient` publishes what can be read of a package that has errors, and tells what it edited; nothing is changed."""

import csv
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from packages import table, write
from served import answer, app_of, rows_path

from api.cli import main
from api.package import validate
from api.release.build import BuildError, build

Change = Callable[[dict[str, Any], Path], object]
MILD = ["id", "n:integer", "day:date", "kind", "other"]
KEY = [{"fields": ["kind"], "reference": {"resource": "kinds", "fields": ["id"]}}]
ROWS = [["a", "1", "2020-01-01", "x", "p"], ["b", "2", "", "y", "q"], ["c", "3", "2020-01-03", "x", ""]]


def package(folder: Path, change: Change = lambda descriptor, folder: None) -> Path:
    """A package of a table, one that it refers to, and one that neither has to do with, changed."""
    things = table("things", MILD, ROWS, foreignKeys=KEY)
    write(folder, things, table("kinds", ["id"], [["x"], ["y"]]), table("whole", ["id:integer"], [["1"], ["2"]]))
    descriptor = json.loads((folder / "datapackage.json").read_text("utf-8"))
    change(descriptor, folder)
    (folder / "datapackage.json").write_text(json.dumps(descriptor), encoding="utf-8")
    return folder


def run(*arguments: object) -> tuple[int, list[str]]:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    return result.exit_code, result.output.splitlines()


def cell(row: int, place: int, text: str) -> Change:
    """Write a cell of things; the row is counted from 0."""

    def change(descriptor: dict[str, Any], folder: Path) -> None:
        lines = (folder / "data/things.csv").read_text("utf-8", "surrogateescape").splitlines()
        cells = lines[row + 1].split(",")
        cells[place] = text
        lines[row + 1] = ",".join(cells)
        whole = "\n".join(lines) + "\n"
        (folder / "data/things.csv").write_bytes(whole.encode("utf-8", "surrogateescape"))

    return change


def content(text: str, encoding: str = "utf-8", name: str = "things") -> Change:
    return lambda descriptor, folder: (folder / f"data/{name}.csv").write_bytes(text.encode(encoding))


def schema(**words: Any) -> Change:
    return lambda descriptor, folder: descriptor["resources"][0]["schema"].update(words)


def resource(**words: Any) -> Change:
    return lambda descriptor, folder: descriptor["resources"][0].update(words)


def field(place: int, **words: Any) -> Change:
    return lambda descriptor, folder: descriptor["resources"][0]["schema"]["fields"][place].update(words)


def both(*changes: Change) -> Change:
    return lambda descriptor, folder: [change(descriptor, folder) for change in changes]


def renamed(descriptor: dict[str, Any], folder: Path) -> None:
    descriptor["resources"][2]["name"] = "things"


AS_FILE = [("things", None, "a table", "a file as it is", 0)]
GONE = [("things", None, "a table", "left out", 0)]
BY_HEADER = [("things", None, "the fields of its schema", "those of its header", 0)]
HEADER = "id,n,day,kind,other\n"
# Each kind of error: the edits, as table, field, was and is, and the number of cells.
KINDS: dict[str, tuple[Change, list[tuple[str, str | None, str, str, int]]]] = {
    "cells of another type": (
        both(cell(0, 1, "one"), cell(2, 1, "3.5")),
        [("things", "n", "integer", "string", 2)],
    ),
    "a limit": (
        both(field(1, constraints={"minimum": 2}), cell(1, 1, "0")),
        [("things", "n", "minimum 2", "left out", 2)],
    ),
    "a value that is required": (
        field(4, constraints={"required": True}),
        [("things", "other", "required True", "left out", 1)],
    ),
    "an enum": (
        field(4, constraints={"enum": ["p"], "required": False}),
        [("things", "other", "enum ['p']", "left out", 1)],
    ),
    "unique values": (
        field(3, constraints={"unique": True}),
        [("things", "kind", "unique True", "left out", 1)],
    ),
    "a key": (cell(1, 0, "a"), [("things", None, "primaryKey id", "left out", 1)]),
    "a key that is empty": (cell(1, 0, ""), [("things", None, "primaryKey id", "left out", 1)]),
    "a unique key": (
        both(schema(uniqueKeys=[["kind"]])),
        [("things", None, "uniqueKeys kind", "left out", 1)],
    ),
    "a foreign key": (
        cell(1, 3, "z"),
        [("things", None, "foreignKeys kind in kinds.id", "left out", 1)],
    ),
    "a foreign key to no table": (
        schema(foreignKeys=[{"fields": ["kind"], "reference": {"resource": "none", "fields": ["id"]}}]),
        [("things", None, "foreignKeys kind in none.id", "left out", 0)],
    ),
    "a key of no field": (schema(primaryKey=["none"]), [("things", None, "primaryKey none", "left out", 0)]),
    "a key of lists": (
        both(field(4, type="array"), schema(primaryKey=["other"]), content(HEADER)),
        [("things", None, "primaryKey other", "left out", 0)],
    ),
    "an index of no field": (
        resource(**{"lantern:indexes": [["none"]]}),
        [("things", None, "lantern:indexes [['none']]", "left out", 0)],
    ),
    "figures of no field": (
        schema(**{"lantern:figure": {"value": "none"}}),
        [("things", None, "lantern:figure", "left out", 0)],
    ),
    "a sum that fails": (
        lambda descriptor, folder: descriptor.update(
            {"lantern:sums": [{"name": "s", "resource": "things", "field": "n", "parts": ["a"], "total": "c"}]}
        ),
        [("", None, "checks beyond the standard are errors", "warnings", 0)],
    ),
    "a sum of no table": (
        lambda descriptor, folder: descriptor.update(
            {"lantern:sums": [{"name": "s", "resource": "none", "field": "n", "parts": ["a"], "total": "c"}]}
        ),
        [("", None, "lantern:sums", "left out", 0)],
    ),
    "a row too long": (
        content(HEADER + "a,1,2020-01-01,x,p,more\n"),
        AS_FILE,
    ),
    "a row too short": (content(HEADER + "a,1\n"), AS_FILE),
    "a quote that never closes": (
        content(HEADER + 'a,1,2020-01-01,x,"p\nb,2,,y,q\n'),
        AS_FILE,
    ),
    "an encoding": (
        content(HEADER + "a,1,2020-01-01,x,é\n", "latin-1"),
        AS_FILE,
    ),
    "no file": (
        lambda descriptor, folder: (folder / "data/things.csv").unlink(),
        GONE,
    ),
    "a path that leads out": (resource(path="../x.csv"), GONE),
    "no path": (
        lambda descriptor, folder: descriptor["resources"][0].pop("path"),
        GONE,
    ),
    "a schema of nonsense": (
        resource(schema={"fields": "id"}),
        BY_HEADER,
    ),
    "no file of a schema": (
        resource(schema="none.json"),
        BY_HEADER,
    ),
    "another column": (
        content("id,n,day,kind,other,more\na,1,2020-01-01,x,p,1\n"),
        BY_HEADER,
    ),
    "a column less": (
        content("id,n,day,kind\na,1,2020-01-01,x\n"),
        BY_HEADER,
    ),
    "columns in another order": (
        content("n,id,day,kind,other\n1,a,2020-01-01,x,p\n"),
        BY_HEADER,
    ),
    "two fields of one name": (
        both(field(4, name="kind"), content("id,n,day,kind,kind\na,1,2020-01-01,x,p\n")),
        BY_HEADER,
    ),
    "two resources of one name": (renamed, [("things_2", None, "the name things", "the name things_2", 0)]),
    "a resource that is none": (
        lambda descriptor, folder: descriptor["resources"].append(5),
        [("", None, "a resource", "left out", 0)],
    ),
    "rows miscounted": (resource(rows=7), [("things", None, "rows 7", "left out", 0)]),
    "a limit of another type": (
        field(1, constraints={"minimum": "soon"}),
        [("things", "n", "minimum soon", "left out", 0)],
    ),
    "a pattern that is none": (
        field(4, constraints={"pattern": "("}),
        [("things", "other", "pattern (", "left out", 0)],
    ),
    "a dialect of nonsense": (
        resource(dialect={"delimiter": ";;"}),
        AS_FILE,
    ),
}


def edits_of(release: Path) -> list[tuple[Any, ...]]:
    told = json.loads((release / "validation.json").read_text("utf-8"))["edits"]
    return [tuple(edit[key] for key in ("table", "field", "was", "is", "cells")) for edit in told]


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_costs_as_little_as_it_can_and_is_told(tmp_path: Path, kind: str) -> None:
    change, edits = KINDS[kind]
    folder, store = package(tmp_path / "p", change), tmp_path / "store"
    assert not validate(folder).valid
    with pytest.raises(BuildError):
        build(folder, store)
    assert not store.exists()
    release = build(folder, store, relaxed=True).folder
    assert edits_of(release) == edits
    strict = validate(release)
    assert strict.valid, strict.text()
    client = app_of(store).test_client()
    assert answer(client, rows_path("whole" if kind != "two resources of one name" else "things_2"))["data"] == [
        {"id": 1},
        {"id": 2},
    ]
    told = [edit for name in names(client) for edit in quality(client, f"/v1/datasets/{name}")]
    told += quality(client, "/v1/")
    assert sorted((edit["table"], edit["was"], edit["is"]) for edit in told) == sorted(
        (table, was, now) for table, _, was, now, _ in edits
    )
    page = client.get("/", headers={"Accept": "text/html"}).get_data(as_text=True)
    assert "Edited to be served" in page
    what_is_served_is_what_is_in_the_file(folder, client)


def names(client: Any) -> list[str]:
    return [entry["name"] for entry in answer(client, "/v1/datasets")["data"]]


def quality(client: Any, path: str) -> list[dict[str, Any]]:
    edits: list[dict[str, Any]] = answer(client, path)["data"].get("quality", {}).get("edits", [])
    return edits


def what_is_served_is_what_is_in_the_file(folder: Path, client: Any) -> None:
    """Every cell of the table of things, where it is served as a table, is that of its file; else the file is there."""
    file = folder / "data/things.csv"
    if "things" in names(client):
        with file.open(encoding="utf-8", newline="") as lines:
            rows = list(csv.reader(lines))
        served = client.get(rows_path("things", "", ".csv")).get_data(as_text=True)
        assert list(csv.reader(served.splitlines()))[1:] == rows[1:]
    elif file.exists() and "data/things.csv" in [
        entry["path"] for entry in answer(client, "/v1/releases/1.0.0")["data"]["files"]
    ]:
        assert client.get("/releases/1.0.0/data/things.csv").data == file.read_bytes()


def test_errors_of_many_kinds_at_once_leave_a_release_that_is_valid(tmp_path: Path) -> None:
    chance = random.Random(13)
    alone = ("two resources of one name", "no file", "no path")
    for number in range(25):
        chosen = chance.sample([kind for kind in KINDS if kind not in alone], 4)
        folder = package(tmp_path / f"p{number}")
        descriptor = json.loads((folder / "datapackage.json").read_text("utf-8"))
        for kind in chosen:
            try:
                KINDS[kind][0](descriptor, folder)
            except (TypeError, AttributeError, IndexError, KeyError):  # the schema is gone already
                continue
        (folder / "datapackage.json").write_text(json.dumps(descriptor), encoding="utf-8")
        release = build(folder, tmp_path / f"store{number}", relaxed=True).folder
        report = validate(release)
        assert report.valid and report.edits, (chosen, report.text())


def test_a_valid_package_is_the_same_with_it(tmp_path: Path) -> None:
    folder = package(tmp_path / "p")
    strict, lenient = build(folder, tmp_path / "a").folder, build(folder, tmp_path / "b", relaxed=True).folder
    for file in sorted(path for path in strict.rglob("*") if path.is_file()):
        assert file.read_bytes() == (lenient / file.relative_to(strict)).read_bytes(), file


def test_the_command_says_what_would_help_and_what_it_did(tmp_path: Path) -> None:
    folder, store = package(tmp_path / "p", cell(0, 1, "one")), tmp_path / "store"
    wrong = 'data/things.csv:2 field "n" of a: "one" is not a whole number (expected: a whole number)'
    told = [wrong, "not valid: 3 tables, 7 rows, 1 error, 0 warnings"]
    told.append("with --lenient what can be read is published, and what was wrong is told beside it")
    assert run("validate", folder) == (1, told)
    assert run("build", folder, "--store", store) == (1, told)
    status, lines = run("validate", "--lenient", folder)
    assert (status, lines) == (
        0,
        [
            f'edited: things field "n": integer → string (1 cell does not fit, the first: {wrong})',
            "valid: 3 tables, 7 rows, 0 errors, 0 warnings",
        ],
    )
    assert run("build", "--lenient", folder, "--store", store)[0] == 0
    assert run("validate", store / "releases/1.0.0") == (0, lines)


def test_the_same_version_built_strictly_with_other_content_is_refused(tmp_path: Path) -> None:
    folder, store = package(tmp_path / "p", cell(0, 1, "one")), tmp_path / "store"
    build(folder, store, relaxed=True)
    cell(0, 1, "1")({}, folder)
    with pytest.raises(BuildError, match=r"other content \(data/things.csv, datapackage.json differ"):
        build(folder, store)


def test_what_has_nothing_to_serve_is_refused(tmp_path: Path) -> None:
    (tmp_path / "datapackage.json").write_text(json.dumps({"resources": [{"name": "t", "path": "gone.csv"}]}))
    status, lines = run("validate", "--lenient", tmp_path)
    assert (status, lines[0]) == (1, "datapackage.json: nothing of the package can be served")
    assert run("build", "--lenient", tmp_path, "--store", tmp_path / "store")[0] == 1
    assert not (tmp_path / "store").exists()


def test_a_column_that_a_key_refers_to_takes_the_key_with_it(tmp_path: Path) -> None:
    """Numbers that are text in one table are compared as text with those of the other."""
    key = [{"fields": ["n"], "reference": {"resource": "numbers", "fields": ["id"]}}]
    folder = write(
        tmp_path / "p",
        table("things", ["id", "n:integer"], [["a", "1"]], foreignKeys=key),
        table("numbers", ["id:integer"], [["1"], ["x"]]),
    )
    release = build(folder, tmp_path / "store", relaxed=True).folder
    assert [(table, field, is_) for table, field, _, is_, _ in edits_of(release)] == [
        ("things", "n", "string"),
        ("numbers", "id", "string"),
    ]
    assert json.loads((release / "datapackage.json").read_text())["resources"][0]["schema"]["foreignKeys"] == key


def test_the_commands_of_the_page_on_packages_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[1] / "docs/PACKAGES.md").read_text(encoding="utf-8")
    commands = [line.split()[1:] for line in page.splitlines() if line.startswith("    lantern ")]
    assert len(commands) == page.count("    lantern ") == 4
    package(tmp_path / "package", cell(0, 1, "one"))
    (tmp_path / "copies").mkdir()
    monkeypatch.chdir(tmp_path)
    assert [run(*command)[0] for command in commands] == [0, 0, 1, 1]
    cell(0, 1, "1")({}, tmp_path / "package")
    assert [run(*command)[0] for command in commands[2:3]] == [0]


ANYTHING: list[Any] = [None, 5, 1.5, True, "", "x", "../x", "a\x1b", [], {}, [5], ["x"], [None], [[]], [{}], {"a": 1}]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value inside a value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [*([path] if path else []), *(one for key, part in inside for one in places(part, (*path, key)))]


def test_no_descriptor_ends_in_a_traceback_and_something_is_left_of_most(tmp_path: Path) -> None:
    chance, left = random.Random(7), 0
    words = {"licenses": [{"name": "MIT"}], "contributors": [{"title": "A", "roles": ["x"]}], "keywords": ["k"]}
    for number in range(60):
        folder = package(tmp_path / f"p{number}")
        descriptor = json.loads((folder / "datapackage.json").read_text("utf-8")) | words
        descriptor["resources"][0] |= {"dialect": {"delimiter": ","}, "bytes": 1, "hash": "x", "title": "T"}
        *path, last = chance.choice(places(descriptor))
        part = descriptor
        for step in path:
            part = part[step]
        part[last] = chance.choice(ANYTHING)
        (folder / "datapackage.json").write_text(json.dumps(descriptor), encoding="utf-8")
        validate(folder)
        left += validate(folder, relaxed=True).valid
    assert left > 50
