"""Editing made easy: `lantern release` drafts the next version, `lantern format` reads what spreadsheets save."""

import codecs
import csv
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from packages import table, write
from releases import corrections, guns, package

from api.cli import main
from api.editing.format import tidied
from api.model import descriptor
from api.model.white_space import cleaned
from api.package import validate
from api.release.build import build

ROWS = [["a", 1, "first"], ["b", 2, ""]]
EPOCH = "1800000000"  # 2027-01-15T08:00:00Z
PLAIN = 'id,value,note\na,1,"x, y"\nb,2,\n'


def lantern(*arguments: str | Path, store: Path | None = None) -> Result:
    environ = {"LANTERN_STORE": str(store or "nowhere"), "SOURCE_DATE_EPOCH": EPOCH}
    return CliRunner().invoke(main, [*map(str, arguments)], env=environ)


def draft(source: Path, *arguments: str | Path, bump: str = "minor") -> Result:
    """Draft the next version of a package whose published one is in the store beside it."""
    options = ["--bump", bump, "--note", "Numbers checked again."] if bump else []
    result = lantern("release", "--package", source, *options, *arguments, store=source.parent / "store")
    assert result.exit_code == 0, result.output
    return result


def rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [*csv.reader(file)]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A package whose version 1.0.0 is in the store beside it."""
    made = package(tmp_path / "package", {"1.0.0": [guns(ROWS), corrections()]})
    build(made, tmp_path / "store")
    return made


def edit(source: Path, *lines: Sequence[object], name: str = "guns") -> None:
    head, *_ = rows(source / f"data/{name}.csv")
    with (source / f"data/{name}.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([head, *lines])


# release


@pytest.mark.parametrize(("bump", "version"), [("major", "2.0.0"), ("minor", "1.1.0"), ("patch", "1.0.1")])
def test_the_version_is_raised_and_dated(source: Path, bump: str, version: str) -> None:
    draft(source, bump=bump)
    said = json.loads((source / "datapackage.json").read_text())
    assert (said["version"], said["created"]) == (version, "2027-01-15T08:00:00Z")


def test_everything_else_in_the_descriptor_stays_as_it_stands(source: Path) -> None:
    before = (source / "datapackage.json").read_text().replace('"name":', '"name" :\n ')
    (source / "datapackage.json").write_text(before)
    draft(source, "--from", source.parent / "store/releases/1.0.0")
    after = (source / "datapackage.json").read_text()
    undone = after.replace('"1.1.0"', '"1.0.0"').replace("2027-01-15T08:00:00Z", "2026-03-01T10:00:00Z")
    assert undone == before


def test_the_previous_version_goes_into_the_history_as_it_was_published(source: Path) -> None:
    edit(source, ["a", 9, "first"], ["b", 2, ""])
    draft(source)
    published = source.parent / "store/releases/1.0.0"
    for name in ("datapackage.json", "data/guns.csv", "data/corrections.csv"):
        assert (source / "history/1.0.0" / name).read_bytes() == (published / name).read_bytes()
    build(source / "history/1.0.0", source.parent / "again")
    again = source.parent / "again/releases/1.0.0/manifest.json"
    assert again.read_bytes() == (published / "manifest.json").read_bytes()


def test_corrections_are_drafted_for_what_changed(source: Path) -> None:
    edit(source, ["a", 9, "second"], ["c", 3, ""])
    result = draft(source)
    assert "3 corrections drafted" in result.output
    drafted = [
        ["cor-0001", "guns", "a", "value", "1", "9", "correction", "TODO", "2027-01-15", "1.1.0"],
        ["cor-0002", "guns", "a", "note", "first", "second", "clarification", "TODO", "2027-01-15", "1.1.0"],
        ["cor-0003", "guns", "b", "", "", "", "retraction", "TODO", "2027-01-15", "1.1.0"],
    ]
    assert rows(source / "data/corrections.csv")[1:] == drafted


def test_a_draft_is_refused_until_its_reasons_are_written(source: Path) -> None:
    edit(source, ["a", 9, "first"], ["b", 2, ""])
    draft(source)
    refused = lantern("build", "--package", source, store=source.parent / "store")
    assert refused.exit_code == 1 and "still to be written" in refused.output
    ledger = source / "data/corrections.csv"
    ledger.write_text(ledger.read_text().replace("TODO", "A slip."))
    done = lantern("build", "--package", source, store=source.parent / "store")
    assert (done.exit_code, done.stdout.split()[0]) == (0, "1.1.0")


def test_drafting_again_keeps_what_was_written_and_follows_the_data(source: Path) -> None:
    edit(source, ["a", 9, "first"], ["b", 8, ""])
    draft(source)
    ledger = source / "data/corrections.csv"
    ledger.write_text(ledger.read_text().replace("TODO", "A slip.", 1))
    edit(source, ["a", 9, "first"], ["b", 2, "new"])
    draft(source, bump="")
    assert [(row[2], row[3], row[7]) for row in rows(ledger)[1:]] == [("a", "value", "A slip."), ("b", "note", "TODO")]
    assert json.loads((source / "datapackage.json").read_text())["version"] == "1.1.0"


def test_a_row_that_is_back_is_drafted_as_a_reinstatement(tmp_path: Path) -> None:
    gone = corrections(["cor-0001", "b", "", "retraction", "not a gun", "1.1.0"])
    versions = {"1.0.0": [guns(ROWS), corrections()], "1.1.0": [guns(ROWS[:1]), gone]}
    source = package(tmp_path / "package", versions)
    build(source, tmp_path / "store")
    edit(source, *ROWS)
    draft(source)
    assert rows(source / "data/corrections.csv")[-1][:7] == ["cor-0002", "guns", "b", "", "", "", "reinstatement"]


def test_a_change_log_is_drafted(source: Path) -> None:
    draft(source)
    text = (source / "CHANGELOG.md").read_text()
    assert text == "# Changes of the data\n\n## 1.1.0 (2027-01-15)\n\nNumbers checked again.\n"


def test_the_newest_section_comes_first_and_others_stay(source: Path) -> None:
    old = "# Our changes\n\nWhat was done.\n\n## 1.0.0 (2026-03-01)\n\nFirst.\n"
    (source / "CHANGELOG.md").write_text(old)
    draft(source)
    text = (source / "CHANGELOG.md").read_text()
    assert re.findall(r"^## (\S+)", text, re.MULTILINE) == ["1.1.0", "1.0.0"]
    assert text.replace("## 1.1.0 (2027-01-15)\n\nNumbers checked again.\n\n", "") == old


def test_a_release_without_a_note_is_wrong_usage(source: Path) -> None:
    assert lantern("release", "--package", source, "--bump", "minor").exit_code == 2


def test_without_the_published_version_nothing_is_drafted(source: Path) -> None:
    before = (source / "datapackage.json").read_bytes()
    result = lantern("release", "--package", source, "--bump", "minor", "--note", "n")
    assert result.exit_code == 1 and "--from" in result.output
    assert (source / "datapackage.json").read_bytes() == before and not (source / "history").exists()


def test_the_published_version_may_be_named(source: Path) -> None:
    edit(source, ["a", 9, "first"], ["b", 2, ""])
    published = source.parent / "store/releases/1.0.0/package.zip"
    result = lantern("release", "--package", source, "--bump", "patch", "--note", "n", "--from", published)
    assert result.exit_code == 0, result.output
    assert "first" in (source / "history/1.0.0/data/guns.csv").read_text()


def test_a_previous_version_that_is_another_is_refused(source: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "other", guns(ROWS), version="3.0.0")
    result = lantern("release", "--package", source, "--bump", "minor", "--note", "n", "--from", other)
    assert result.exit_code == 1 and "3.0.0" in result.output


def test_a_zip_is_not_drafted_since_nothing_can_be_written_into_it(source: Path) -> None:
    published = source.parent / "store/releases/1.0.0/package.zip"
    result = lantern("release", "--package", published, "--bump", "minor", "--note", "n", "--from", published)
    assert result.exit_code == 1 and "only a folder" in result.output


def test_a_time_before_the_previous_version_is_refused(source: Path) -> None:
    environ = {"LANTERN_STORE": str(source.parent / "store"), "SOURCE_DATE_EPOCH": "1000000000"}
    arguments = ["release", "--package", str(source), "--bump", "minor", "--note", "n"]
    assert CliRunner().invoke(main, arguments, env=environ).exit_code == 1
    assert json.loads((source / "datapackage.json").read_text())["version"] == "1.0.0"


def test_a_package_without_corrections_is_drafted_too(tmp_path: Path) -> None:
    source = package(tmp_path / "package", {"1.0.0": [guns(ROWS)]})
    build(source, tmp_path / "store")
    edit(source, ["a", 9, "first"])
    draft(source)
    build(source, tmp_path / "store")
    assert sorted(path.name for path in (tmp_path / "store/releases").iterdir()) == ["1.0.0", "1.1.0"]


# format


def saved(encoding: str = "utf-8", **dialect: object) -> bytes:
    """The plain table as a spreadsheet saves it."""
    out = io.StringIO(newline="")
    csv.writer(out, **dialect).writerows(csv.reader(io.StringIO(PLAIN)))  # type: ignore[arg-type]  # dialects vary
    return out.getvalue().encode(encoding)


def formatted(tmp_path: Path, raw: bytes, *arguments: str) -> tuple[Result, bytes]:
    """What `lantern format` says of a file, and what it holds then."""
    source = write(tmp_path / "package", guns([]))
    file = source / "data/guns.csv"
    file.write_bytes(raw)
    result = lantern("format", source, *arguments)
    return result, file.read_bytes()


SAVED = {
    "byte order mark": saved("utf-8-sig", lineterminator="\n"),
    "line ends": saved(),
    "semicolons": saved(delimiter=";"),
    "tabs": saved(delimiter="\t"),
    "bars": saved(delimiter="|"),
    "UTF-16": saved("utf-16", delimiter="\t"),
    "quotes": saved(lineterminator="\n", quoting=csv.QUOTE_ALL),
    "Excel's first line": b"sep=;\r\n" + saved(delimiter=";"),
    "blank lines": PLAIN.encode() + b"\n,,\n\n",
    "empty columns": b'id,value,note,,\na,1,"x, y",,\nb,2,,,\n',
    "another order of rows": b'id,value,note\nb,2,\na,1,"x, y"\n',
    "another order of columns": b'note,id,value\n"x, y",a,1\n,b,2\n',
    "spaces around names": b' id,value ,note\na,1,"x, y"\nb,2,\n',
    "white space in a key": 'id,value,note\n" a\u200b",1,"x, y"\n\u00a0b ,2,\n'.encode(),
    "no last line end": PLAIN.encode().rstrip(b"\n"),
}


@pytest.mark.parametrize("kind", SAVED)
def test_what_spreadsheets_save_is_put_in_form(tmp_path: Path, kind: str) -> None:
    result, found = formatted(tmp_path, SAVED[kind])
    assert (result.exit_code, found) == (0, PLAIN.encode()), result.output
    assert result.output.startswith("data/guns.csv: ")
    assert validate(tmp_path / "package").valid


def test_a_file_in_form_is_left_alone(tmp_path: Path) -> None:
    result, found = formatted(tmp_path, PLAIN.encode())
    assert (result.exit_code, result.output, found) == (0, "", PLAIN.encode())


def test_everything_that_was_done_is_said(tmp_path: Path) -> None:
    result, _ = formatted(tmp_path, codecs.BOM_UTF8 + b"id;value;note\r\nb;2;\r\na;1;\r\n")
    done = "byte order mark removed, line ends made LF, semicolons made commas, rows sorted by key"
    assert result.output == f"data/guns.csv: {done}\n"


def test_checking_writes_nothing(tmp_path: Path) -> None:
    result, found = formatted(tmp_path, SAVED["semicolons"], "--check")
    assert (result.exit_code, found) == (1, SAVED["semicolons"])
    assert formatted(tmp_path, PLAIN.encode(), "--check")[0].exit_code == 0


REFUSED = {
    "latin-1": ("id,value,note\na,1,caf\u00e9\n".encode("latin-1"), "line 2 is not UTF-8"),
    "a row too short": (b"id,value,note\na,1\n", "row 2 has 2 cells, expected 3"),
    "a row too long": (b"id,value,note\na,1,x,y\n", "row 2 has 4 cells, expected 3"),
    "another header": (b"id,amount,note\na,1,x\n", "lacks 'value' and has 'amount'"),
    "a field twice": (b"id,value,note,note\na,1,x,y\n", "twice"),
    "an open quote": (b'id,value,note\na,1,"x\n', "cannot be read as CSV"),
    "nulls": (b"id,value,note\na,1,\x00\n", "null characters"),
    "no header": (b"", "its header differs from the schema"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_would_have_to_be_guessed_is_left_as_it_is(tmp_path: Path, kind: str) -> None:
    raw, message = REFUSED[kind]
    result, found = formatted(tmp_path, raw)
    assert (result.exit_code, found) == (1, raw)
    assert message in result.output, result.output


def test_white_space_is_mended_in_keys_series_and_codes_and_nowhere_else(tmp_path: Path) -> None:
    fields = ["id", "population", "kind", "to", "note"]
    figure = {"series": ["population"]}
    keys = [{"fields": ["to"], "reference": {"resource": "", "fields": ["id"]}}]
    entry = table("t", fields, [], foreignKeys=keys, **{"lantern:figure": figure})
    entry["schema"]["fields"][2]["constraints"] = {"enum": ["x y"]}
    source = write(tmp_path, entry)
    file = source / "data/t.csv"
    file.write_text(
        "id,population,kind,to,note\n a,Army and  Air\u00a0Force ,x\u00a0y,a ,  as  it is \n", encoding="utf-8"
    )
    assert lantern("format", source).output == "data/t.csv: white space removed from 4 keys and codes\n"
    assert file.read_text(encoding="utf-8").splitlines()[1] == "a,Army and Air Force,x y,a,  as  it is "


def test_a_key_of_white_space_only_is_left(tmp_path: Path) -> None:
    source = write(tmp_path, table("t", ["id", "x"], [["\u00a0", "1"]]))
    assert lantern("format", source).output == ""


@pytest.mark.parametrize("kind", ["byte order mark", "line ends", "semicolons", "tabs", "UTF-16", "blank lines"])
def test_what_format_mends_is_an_error_of_a_strict_package_that_says_so(tmp_path: Path, kind: str) -> None:
    source = write(tmp_path, guns([]), **{"lantern:strict": True})
    (source / "data/guns.csv").write_bytes(SAVED[kind])
    report = validate(source)
    messages = [error.message for error in report.errors if error.type != "required"]
    assert messages and all(message.endswith("; lantern format mends this") for message in messages)
    assert lantern("format", source).exit_code == 0
    assert validate(source).valid


def test_whole_numbers_are_sorted_as_numbers(tmp_path: Path) -> None:
    source = write(tmp_path, table("t", ["n:integer"], [[10], [9], [100]]))
    assert lantern("format", source).exit_code == 0
    assert (source / "data/t.csv").read_text() == "n\n9\n10\n100\n"


def test_keys_that_cannot_be_read_leave_the_order(tmp_path: Path) -> None:
    source = write(tmp_path, table("t", ["n:integer", "note"], [["x", ""], [9, ""]]))
    (source / "data/t.csv").write_bytes(b"n;note\nx;\n9;\n")
    assert "not sorted" in lantern("format", source).output
    assert (source / "data/t.csv").read_text() == "n,note\nx,\n9,\n"


def test_a_file_with_a_dialect_of_its_own_keeps_it(tmp_path: Path) -> None:
    source = write(tmp_path, {**guns([]), "dialect": {"delimiter": ";"}})
    (source / "data/guns.csv").write_text("id;value;note\nb;2;\na;1;\n")
    result = lantern("format", source)
    assert result.exit_code == 1 and "dialect of its own" in result.output
    assert (source / "data/guns.csv").read_text() == "id;value;note\nb;2;\na;1;\n"


def test_a_zip_is_not_formatted(tmp_path: Path) -> None:
    assert lantern("format", tmp_path / "package.zip").exit_code == 2


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), max_size=6)
DIALECTS = st.sampled_from([",", ";", "\t", "|"])


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(CELLS.filter(str.strip), CELLS, CELLS), max_size=6),
    DIALECTS,
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
)
def test_no_cell_is_ever_lost(cells: list[tuple[str, str, str]], delimiter: str, encoding: str, quoting: int) -> None:
    fields = [{"name": name, "type": "string"} for name in ("id", "value", "note")]
    model = descriptor.table({"name": "t", "schema": {"fields": fields, "primaryKey": ["id"]}})
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, quoting=quoting)  # type: ignore[arg-type]  # an int is what it takes
    writer.writerows([("id", "value", "note"), *cells])
    data, _ = tidied(out.getvalue().encode(encoding), model)
    head, *found = csv.reader(io.StringIO(data.decode(), newline=""))
    assert head == ["id", "value", "note"]
    assert sorted(found) == sorted([cleaned(key) or key, *others] for key, *others in cells)
    assert [row[0] for row in found] == sorted(row[0] for row in found)
    assert tidied(data, model) == (data, [])


def test_our_package_is_in_form() -> None:
    result = lantern("format", Path(__file__).parents[1] / "datapackage", "--check")
    assert (result.exit_code, result.output) == (0, "")


UNREAD = "Mend this first; --lenient is for what is served only"


def test_a_table_that_cannot_be_read_is_not_drafted(source: Path) -> None:
    (source / "data/guns.csv").write_text('id,value,note\na,"1,first\n')
    before = {path: path.read_bytes() for path in source.rglob("*") if path.is_file()}
    result = lantern("release", source, "--bump", "minor", "--note", "More.", store=source.parent / "store")
    assert result.exit_code == 1
    first, last = result.output.splitlines()
    assert first.startswith("data/guns.csv:2: a quote is opened here and still open")
    assert last == f"nothing is drafted: published rows are compared with those of tables that can be read. {UNREAD}"
    assert {path: path.read_bytes() for path in source.rglob("*") if path.is_file()} == before


def test_wrong_values_are_drafted_and_put_in_order_like_any_other(source: Path) -> None:
    edit(source, ["b", "many", ""], ["a", "1", "first"])
    assert lantern("format", source).exit_code == 0
    assert rows(source / "data/guns.csv")[1:] == [["a", "1", "first"], ["b", "many", ""]]
    assert "1.1.0" in draft(source).output
    assert validate(source).errors[0].value == "many"


def test_a_descriptor_that_cannot_be_opened_is_not_put_in_order(source: Path) -> None:
    (source / "datapackage.json").write_text('{"resources": [7]}')
    result = lantern("format", source)
    assert result.exit_code == 1
    first, last = result.output.splitlines()
    assert first == "datapackage.json: resource 1 is no object (expected: an object)"
    assert last.startswith("nothing is put in order: ") and last.endswith(UNREAD)
