"""Mistakes that curators make, each in a copy of a part of our package: what the first line of the report says.

The part is the table of desertions with what it refers to. Every line must tell a person who does not program where
the mistake is and what was expected.
"""

import csv
import gzip
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from api.package import validate

OURS = Path(__file__).resolve().parents[1] / "datapackage"
KEPT = ("desertions", "indicators", "sources", "conflicts", "conflict_positions", "sums", "corrections")
FIGURES, SOURCES, INDICATORS = "data/desertions.csv", "data/sources.csv", "data/indicators.csv"
CONFLICTS, POSITIONS, SUMS = "data/conflicts.csv", "data/conflict_positions.csv", "data/sums.csv"
LEDGER, DESCRIPTOR, SCHEMA = "data/corrections.csv", "datapackage.json", "schemas/desertions.json"
Edit = Callable[[bytes], bytes]
Row = dict[str, str]


def cut(folder: Path) -> None:
    """Our package without what does not concern desertions."""
    rows: dict[str, list[Row]] = {}
    for name in KEPT:
        with (OURS / f"data/{name}.csv").open(encoding="utf-8", newline="") as file:
            rows[name] = list(csv.DictReader(file))
    used = {row["source"] for row in rows["desertions"]}
    of_dataset = ("indicators", "conflicts", "conflict_positions", "sums", "corrections")
    rows |= {name: [row for row in rows[name] if row["dataset"] == "desertions"] for name in of_dataset}
    rows["sources"] = [row for row in rows["sources"] if row["id"] in used]
    rows["conflict_positions"] = [
        r for r in rows["conflict_positions"] if r["conflict"] in {c["id"] for c in rows["conflicts"]}
    ]
    (folder / "data").mkdir(parents=True)
    for name, kept in rows.items():
        assert kept, name
        with (folder / f"data/{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(kept[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(kept)
    shutil.copytree(OURS / "schemas", folder / "schemas")
    described = json.loads((OURS / DESCRIPTOR).read_text("utf-8"))
    described["resources"] = [entry for entry in described["resources"] if entry["name"] in KEPT]
    del described["lantern:sums"], described["lantern:charts"]
    (folder / DESCRIPTOR).write_text(json.dumps(described, ensure_ascii=False, indent=2), encoding="utf-8")


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("part") / "package"
    cut(folder)
    return folder


# Ways to edit a file


def text(edit: Callable[[str], str], encoding: str = "utf-8") -> Edit:
    return lambda raw: edit(raw.decode()).encode(encoding)


def put(before: str, after: str) -> Edit:
    """One text in place of another that is there once."""

    def edit(raw: bytes) -> bytes:
        assert raw.count(before.encode()) == 1, before
        return raw.replace(before.encode(), after.encode())

    return edit


def table(edit: Callable[[list[list[str]]], object], **options: str) -> Edit:
    """The rows of the file, the header first, changed and written again by a program that needs no quotes."""

    def changed(raw: bytes) -> bytes:
        rows = list(csv.reader(raw.decode().splitlines(keepends=True)))
        edit(rows)
        lines: list[str] = []
        csv.writer(type("Lines", (), {"write": staticmethod(lines.append)}), lineterminator="\n", **options).writerows(
            rows
        )
        return "".join(lines).encode()

    return changed


def cell(key: str, field: str, change: str | Callable[[str], str]) -> Edit:
    """Another text in one cell; the text before stands in it as {}."""

    def edit(rows: list[list[str]]) -> None:
        [row] = [row for row in rows if row[0] == key]
        place = rows[0].index(field)
        row[place] = change.format(row[place]) if isinstance(change, str) else change(row[place])

    return table(edit)


def cells(key: str, **changes: str) -> Edit:
    def edit(rows: list[list[str]]) -> None:
        [row] = [row for row in rows if row[0] == key]
        for field, change in changes.items():
            row[rows[0].index(field)] = change

    return table(edit)


def swapped(key: str, one: str, other: str) -> Edit:
    def edit(rows: list[list[str]]) -> None:
        [row] = [row for row in rows if row[0] == key]
        a, b = rows[0].index(one), rows[0].index(other)
        row[a], row[b] = row[b], row[a]

    return table(edit)


def column(field: str, edit: Callable[[str], str]) -> Edit:
    def change(rows: list[list[str]]) -> None:
        place = rows[0].index(field)
        for row in rows[1:]:
            row[place] = edit(row[place])

    return table(change)


def copied(key: str, **changes: str) -> Edit:
    """A copy of a row below it."""

    def edit(rows: list[list[str]]) -> None:
        place = next(place for place, row in enumerate(rows) if row[0] == key)
        rows.insert(place + 1, [changes.get(name, text) for name, text in zip(rows[0], rows[place], strict=True)])

    return table(edit)


def both(*edits: Edit) -> Edit:
    def edit(raw: bytes) -> bytes:
        for one in edits:
            raw = one(raw)
        return raw

    return edit


def without(field: str) -> Edit:
    """Without a column."""

    def edit(rows: list[list[str]]) -> None:
        place = rows[0].index(field)
        for row in rows:
            del row[place]

    return table(edit)


def moved(place: int) -> Edit:
    """A column in the first place."""

    def edit(rows: list[list[str]]) -> None:
        for row in rows:
            row.insert(0, row.pop(place))

    return table(edit)


def inserted(name: str, place: int) -> Edit:
    """One more column, empty."""

    def edit(rows: list[list[str]]) -> None:
        for number, row in enumerate(rows):
            row.insert(place, "" if number else name)

    return table(edit)


def shifted(field: str, first: int) -> Edit:
    """The cells of a column from a row on, each one row higher."""

    def edit(rows: list[list[str]]) -> None:
        place = rows[0].index(field)
        cells = [row[place] for row in rows[first:]]
        for row, text in zip(rows[first:], [*cells[1:], cells[0]], strict=True):
            row[place] = text

    return table(edit)


def exchanged(one: str, other: str, rows: slice) -> Edit:
    """Two columns, in some of the lines."""

    def edit(lines: list[list[str]]) -> None:
        a, b = lines[0].index(one), lines[0].index(other)
        for line in lines[rows]:
            line[a], line[b] = line[b], line[a]

    return table(edit)


def sorted_by(field: str) -> Edit:
    def edit(rows: list[list[str]]) -> None:
        place = rows[0].index(field)
        rows[1:] = sorted(rows[1:], key=lambda row: row[place])

    return table(edit)


def removed(key: str) -> Edit:
    def edit(rows: list[list[str]]) -> None:
        rows[:] = [row for row in rows if row[0] != key]

    return table(edit)


def american(day: str) -> str:
    return re.sub(r"\d\d(\d\d)-(\d\d)-(\d\d)", r"\2/\3/\1", day)


# Title, file and edit
MISTAKES: list[tuple[str, str, Edit]] = [
    # spreadsheets
    (
        "a month turned into a date by LibreOffice",
        FIGURES,
        column("period_label", lambda label: {"December 2011": "12/01/11"}.get(label, label)),
    ),
    ("a month turned into a date by Excel", FIGURES, cell("des-063", "period_label", "Dec-11")),
    ("dates turned into US dates", FIGURES, column("period_start", american)),
    ("days and months turned", FIGURES, cells("des-009", period_start="2006-01-12")),
    ("semicolons", FIGURES, table(lambda rows: None, delimiter=";")),
    ("tabs", FIGURES, table(lambda rows: None, delimiter="\t")),
    ("a tab pasted into a cell", FIGURES, cell("des-003", "population", "Army\tand Air Force")),
    ("CRLF line ends", FIGURES, text(lambda t: t.replace("\n", "\r\n"))),
    ("a byte order mark", FIGURES, lambda raw: b"\xef\xbb\xbf" + raw),
    ("UTF-16", FIGURES, text(lambda t: t, "utf-16")),
    ("Latin-1", FIGURES, text(lambda t: t, "latin-1")),
    (
        "UTF-8 read as Latin-1 and saved again",
        FIGURES,
        cell("des-009", "period_label", lambda t: t.encode().decode("latin-1")),
    ),
    (
        "a workbook under the name of a CSV file",
        FIGURES,
        lambda raw: b"PK\x03\x04\x14\x00\x06\x00\x08\x00\x00\x00!\x00",
    ),
    ("no line end after the last line", FIGURES, lambda raw: raw[:-1]),
    ("an empty file", FIGURES, lambda raw: b""),
    ("only the header is left", FIGURES, lambda raw: raw.split(b"\n")[0] + b"\n"),
    ("a thousands separator", FIGURES, cell("des-003", "value", "15,503")),
    ("a decimal comma", FIGURES, cell("des-093", "value", "0,09")),
    ("an exponent that lost digits", FIGURES, cell("des-002", "value", "1.587E+04")),
    ("an exponent that rounds", FIGURES, cell("des-008", "value", "1.232E+05")),
    ("a unit in a number", FIGURES, cell("des-003", "value", "15503 soldiers")),
    ("digits of another width", FIGURES, cell("des-003", "value", "１５５０３")),
    ("a formula's error", FIGURES, cell("des-003", "value", "#REF!")),
    ("a year as a decimal", FIGURES, cell("des-003", "year", "2002.0")),
    ("a missing-value word", FIGURES, cell("des-003", "value", "n/a")),
    (
        "an identifier counted up by dragging",
        FIGURES,
        column("source", lambda t: "jornada-2007-08" if t == "jornada-2007-07" else t),
    ),
    ("empty columns at the end", FIGURES, table(lambda rows: [row.extend(["", ""]) for row in rows])),
    ("an empty row", FIGURES, table(lambda rows: rows.insert(4, [""] * len(rows[0])))),
    ("a blank line", FIGURES, text(lambda t: t.replace("\ndes-004", "\n\ndes-004"))),
    ("sorted by another column", FIGURES, sorted_by("population")),
    ("one column sorted without the others", FIGURES, shifted("value", 11)),
    ("a page of errors in place of the file", FIGURES, lambda raw: b"<!DOCTYPE html><html><body>404</body></html>"),
    ("a packed file under the name of a CSV file", FIGURES, gzip.compress),
    ("an old workbook under the name of a CSV file", FIGURES, lambda raw: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + raw),
    ("the end of the file overwritten", FIGURES, lambda raw: raw[:-100] + bytes(100)),
    ("half a file", FIGURES, lambda raw: raw[: len(raw) // 2]),
    ("a table of another program that quotes with apostrophes", FIGURES, table(lambda rows: None, quotechar="'")),
    ("UTF-8 read as windows-1252 and saved again", FIGURES, text(lambda t: t.encode().decode("cp1252", "replace"))),
    ("characters that a program could not read", FIGURES, text(lambda t: t.replace("ñ", "\ufffd"))),
    ("a line end as Excel escapes it", FIGURES, cell("des-003", "note", "read twice_x000D_")),
    ("an accent apart from its letter", FIGURES, copied("des-014", id="des-014b", population="Fuerza Ae\u0301rea")),
    # columns
    (
        "a column of row numbers, by pandas",
        FIGURES,
        table(lambda rows: [r.insert(0, str(n)[:n]) for n, r in enumerate(rows)]),
    ),
    ("row names, by R", FIGURES, table(lambda rows: [row.insert(0, str(n)) for n, row in enumerate(rows) if n])),
    ("a column deleted", FIGURES, without("unit")),
    ("a column added", FIGURES, inserted("comment", 3)),
    ("a column renamed", FIGURES, put(",value,", ",Value,")),
    ("columns in another order", FIGURES, moved(10)),
    ("two columns swapped under their headers", FIGURES, exchanged("period_start", "period_end", slice(1, None))),
    ("two names of the header swapped", FIGURES, exchanged("source", "locator", slice(1))),
    ("the header deleted", FIGURES, lambda raw: raw.partition(b"\n")[2]),
    ("a title above the header", FIGURES, lambda raw: b"Desertions 2000-2017\n" + raw),
    # rows
    ("a cell too many", FIGURES, put('2002, 15 mil 503"', '2002", 15 mil 503')),
    ("a comma without quotes", FIGURES, put('"en 2002, 15 mil 503"', "en 2002, 15 mil 503")),
    ("a cell too few", FIGURES, put("des-003,desertions,2002,", "des-003,desertions,")),
    ("a quote that never closes", FIGURES, put('"en 2002, 15 mil 503"', '"en 2002, 15 mil 503')),
    ("typographic quotes", FIGURES, put('"en 2002, 15 mil 503"', "“en 2002, 15 mil 503”")),
    ("a row twice", FIGURES, copied("des-003")),
    ("a row twice with another id", FIGURES, copied("des-003", id="des-003b")),
    ("an id in capitals", FIGURES, cell("des-003", "id", "DES-003")),
    ("an id that others name was changed", FIGURES, cell("des-003", "id", "des-203")),
    (
        "rows added at the end",
        FIGURES,
        text(lambda t: t + t.split("\n")[3].replace("des-003", "des-000").replace("preferred", "context") + "\n"),
    ),
    ("the two sides of a merge", FIGURES, text(lambda t: t.replace("\ndes-004", "\n<<<<<<< HEAD\ndes-004"))),
    ("two files one after the other", FIGURES, lambda raw: raw + raw),
    # cells
    ("a source that does not exist", FIGURES, cell("des-003", "source", "jornada-2007-70")),
    ("an indicator that does not exist", FIGURES, cell("des-003", "indicator", "desertion")),
    ("another word for a code", FIGURES, cell("des-003", "standing", "Preferred")),
    ("the unit of another indicator", FIGURES, cell("des-003", "unit", "marines")),
    ("a trailing space in a series", FIGURES, cell("des-003", "population", "{} ")),
    ("two spaces in a series", FIGURES, cell("des-003", "population", "Army  and Air Force")),
    ("a no-break space in a series", FIGURES, copied("des-014", id="des-014b", population="Army and Air Force\u00a0")),
    ("a Cyrillic letter in a series", FIGURES, cell("des-003", "population", "Аrmy and Air Force")),
    ("an invisible character in a code", FIGURES, cell("des-003", "source", "jornada-2007\u200b-07")),
    ("a country that does not exist", FIGURES, cell("des-003", "country", "XXX")),
    ("a region that does not exist", FIGURES, cell("des-112", "region", "MX-ZZZ")),
    ("low and high swapped", FIGURES, cells("des-093", value="", value_low="0.1", value_high="0.09")),
    ("a bound as a value", FIGURES, swapped("des-087", "value", "value_low")),
    ("a percentage instead of a share", FIGURES, cell("des-093", "value", "9")),
    ("a value without its words", FIGURES, cell("des-003", "as_stated", "")),
    ("a value changed and not its words", FIGURES, cell("des-003", "value", "15530")),
    ("a value without a locator", FIGURES, cell("des-003", "locator", "")),
    ("a year that its dates do not have", FIGURES, cell("des-003", "year", "2003")),
    ("a day that does not exist", FIGURES, cell("des-024", "period_end", "2017-02-30")),
    ("a period that ends before it begins", FIGURES, swapped("des-024", "period_start", "period_end")),
    ("two preferred figures", FIGURES, cell("des-027", "standing", "preferred")),
    (
        "two undated preferred figures",
        FIGURES,
        both(cell("des-066", "standing", "preferred"), copied("des-066", id="des-066b")),
    ),
    ("a phrase that is too long", FIGURES, cell("des-003", "as_stated", "{} " + "y así" * 20)),
    (
        "a part of a sum changed, and its words",
        FIGURES,
        cells("des-002", value="15871", as_stated="el número fue de 15 mil 871"),
    ),
    (
        "a figure added up without its parts",
        FIGURES,
        cells("des-036", derivation="summed", as_stated="", note="Added up."),
    ),
    ("a part of a sum that does not exist", SUMS, column("part", lambda t: "des-999" if t == "des-002" else t)),
    (
        "a position of a conflict that does not exist",
        POSITIONS,
        put("con-11,desertions,des-027", "con-11,desertions,des-999"),
    ),
    ("a conflict without its positions", CONFLICTS, copied("con-11", id="con-11b")),
    ("a preferred record that is not", CONFLICTS, cell("con-11", "preferred_record", "des-027")),
    ("a source without a licence", SOURCES, column("licence", lambda t: "")),
    ("a source renamed", SOURCES, text(lambda t: t.replace("\njornada-2007-07,", "\njornada-2007-7,"))),
    ("an address without a scheme", SOURCES, text(lambda t: t.replace("https://", "www.", 1))),
    ("the reason of a correction not written", LEDGER, cell("cor-0009", "reason", "TODO")),
    ("a row deleted", FIGURES, removed("des-011")),
    ("a published note changed", FIGURES, cell("des-004", "note", "Read twice.")),
    ("a comma too many in the descriptor", DESCRIPTOR, text(lambda t: t.replace('"resources": [', '"resources": [,'))),
    (
        "a file name misspelt in the descriptor",
        DESCRIPTOR,
        text(lambda t: t.replace("data/desertions.csv", "data/desertion.csv")),
    ),
    ("a copy of a file left beside it", "data/desertions (copy).csv", lambda _: b"id\n"),
]

# Mistakes in what was published already: the package without them is the version before.
PUBLISHED = ("a row deleted", "a published note changed", "the reason of a correction not written")
# The first line of the report on each mistake, below its title.
SAID = dict(
    re.findall(r"^(\S.*)\n    (.*)$", Path(__file__).with_name("mistakes.txt").read_text("utf-8"), re.MULTILINE)
)


@pytest.mark.parametrize(("title", "file", "edit"), MISTAKES, ids=[title for title, *_ in MISTAKES])
def test_the_first_line_of_the_report_tells_the_mistake(
    part: Path, tmp_path: Path, title: str, file: str, edit: Edit
) -> None:
    shutil.copytree(part, tmp_path / "package")
    path = tmp_path / "package" / file
    before = path.read_bytes() if path.exists() else b""
    after = edit(before)
    assert after != before
    path.write_bytes(after)
    report = validate(tmp_path / "package", part if title in PUBLISHED else None)
    assert (report.valid, report.text().splitlines()[0]) == (False, SAID[title])


def test_the_list_is_long_and_the_package_is_valid_without_its_mistakes(part: Path) -> None:
    assert [title for title, *_ in MISTAKES] == [*SAID]
    assert len(SAID) >= 60
    assert validate(part).findings == ()
