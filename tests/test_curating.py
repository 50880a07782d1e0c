"""What a curator cannot see is found: labels that a spreadsheet changed, white space, look-alikes, codes, sums."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from packages import table, write
from test_validate import FIGURE, GOOD, SOURCES, UNITS, only, place

from api.cli import main
from api.model.findings import Report
from api.package import validate
from api.release.build import build

STRICT = {"lantern:strict": True}
FIELDS = tuple(GOOD)


def figures(folder: Path, *changes: dict[str, str], **words: Any) -> Report:
    """What validation says of a table of figures whose periods have labels: one good row for each set of changes."""
    good = {**GOOD, "period_label": "FY2007"}
    rows = [[*{**good, "id": f"f{number}", **change}.values()] for number, change in enumerate(changes, 1)]
    types = {"year": "year", "period_start": "date", "period_end": "date", "value": "number"}
    named = [f"{name}:{types.get(name, 'string')}" for name in good]
    made = table("figures", named, rows)
    made["schema"]["lantern:figure"] = {
        **{part: name for part, name in FIGURE.items() if part not in ("low", "high", "agrees")},
        **{"periodLabel": "period_label", "series": ["indicator"]},
    }
    return validate(write(folder, made, SOURCES, UNITS, **words))


def period(kind: str, label: str, start: str = "", end: str = "", year: str = "") -> dict[str, str]:
    return {
        "period_type": kind,
        "period_label": label,
        "period_start": start,
        "period_end": end,
        "year": year,
    }


# Labels

OCTOBER = ("2002-10-01", "2002-10-31")
TERM = ("2007-01-01", "2012-12-31")


@pytest.mark.parametrize(
    "change",
    [
        period("fiscal_year", "FY2007", "2006-10-01", "2007-09-30", "2007"),
        period("calendar_year", "to 2006", "2006-01-01", "2006-12-31", "2006"),
        period("month", "October 2002", *OCTOBER),
        period("month", "octubre de 2002", *OCTOBER),
        period("month", "first month of the government (October 2002)", *OCTOBER),
        period("month", "Oktober 2002", *OCTOBER),
        period("day", "August 2015", "2015-08-31", "2015-08-31"),
        period("day", "end of 2011 (data to September 2011)", "2011-09-30", "2011-09-30"),
        period("fiscal_years", "FY2003 to FY2006", "2002-10-01", "2006-09-30"),
        period("calendar_years", "Calderón term (2007-2012)", *TERM),
        period("calendar_years", "2007-2012 against 2001-2006", *TERM),
        period("calendar_years", "first term", *TERM),
        period("span", "year to 12 March 2015", "2014-03-01", "2015-03-12"),
        period("undated", "spring 2009"),
        period("undated", "not stated"),
    ],
    ids=lambda change: change["period_label"],
)
def test_a_label_that_names_its_period_is_right(tmp_path: Path, change: dict[str, str]) -> None:
    report = figures(tmp_path, change)
    assert report.valid, report.text()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (period("month", "10/01/02", *OCTOBER), "the period in words, such as October 2002"),
        (period("month", "Oct-02", *OCTOBER), "the period in words, such as October 2002"),
        (period("month", "2002-10-01 00:00:00", *OCTOBER), "the period in words, such as October 2002"),
        (period("month", "37530", *OCTOBER), "the period in words, such as October 2002"),
        (period("month", "November 2002", *OCTOBER), "a label that names October 2002"),
        (period("month", "October 2003", *OCTOBER), "a label that names October 2002"),
        (period("day", "08/31/15", "2015-08-31", "2015-08-31"), "the period in words, such as 31 August 2015"),
        (period("day", "July 2015", "2015-08-31", "2015-08-31"), "a label that names August 2015"),
        (period("undated", "11/01/08"), "the period in words, such as October 2002"),
        (period("fiscal_year", "FY2008", "2006-10-01", "2007-09-30", "2007"), "a label that names 2007"),
        (period("fiscal_year", "FY07", "2006-10-01", "2007-09-30", "2007"), "a label that names 2007"),
        (period("calendar_year", "2007.0", "2007-01-01", "2007-12-31", "2007"), "the period in words, such as 2007"),
        (period("fiscal_years", "FY2002-FY2006", "2002-10-01", "2006-09-30"), "a label that names 2003 to 2006"),
        (period("calendar_years", "2007-2011", *TERM), "a label that names 2007 to 2012"),
        (period("span", "January 2001", "2014-03-01", "2015-03-12"), "a label that names a year from 2014 to 2015"),
    ],
    ids=lambda change: change if isinstance(change, str) else change["period_label"],
)
def test_a_label_that_is_not_for_its_period_is_an_error(tmp_path: Path, change: dict[str, str], expected: str) -> None:
    found = only(figures(tmp_path, change))
    assert place(found) == ("data/figures.csv", 2, "period_label", change["period_label"], "period-label")
    assert found.expected == expected


def test_two_undated_preferred_figures_of_one_series_and_label_are_an_error(tmp_path: Path) -> None:
    spring, autumn = (period("undated", label) for label in ("spring 2009", "autumn 2009"))
    assert figures(tmp_path, spring, autumn).valid
    assert only(figures(tmp_path, spring, {**spring, "period_label": "Spring  2009"})).type == "preferred"
    dated = period("month", "first month (October 2002)", *OCTOBER)
    again = only(figures(tmp_path, dated, {**dated, "period_label": "October 2002"}))
    assert (again.type, again.key) == ("preferred", "f2")


# White space and look-alikes


@pytest.mark.parametrize(
    ("cell", "kind", "said"),
    [
        (
            "guns ",
            "white-space",
            '"guns " has white space or characters that cannot be seen; lantern format mends this (expected: "guns")',
        ),
        (
            " guns",
            "white-space",
            '" guns" has white space or characters that cannot be seen; lantern format mends this (expected: "guns")',
        ),
        (
            "hand  guns",
            "white-space",
            '"hand  guns" has white space or characters that cannot be seen; lantern format mends this',
        ),
        (
            "guns\u00a0",
            "white-space",
            '"guns\\u00a0" has white space or characters that cannot be seen; lantern format mends this',
        ),
        (
            "gu\u200bns",
            "white-space",
            '"gu\\u200bns" has white space or characters that cannot be seen; lantern format mends this',
        ),
        (
            "gun\u0455",
            "look-alike",
            '"gun\u0455" has a letter of another script, "\u0455", that looks like a Latin one',
        ),
        (
            "\uff47uns",
            "look-alike",
            '"\uff47uns" has a letter of another script, "\uff47", that looks like a Latin one',
        ),
    ],
    ids=ascii,
)
def test_what_nobody_sees_in_a_key_or_code_is_one_error_in_a_strict_package_and_a_warning_elsewhere(
    tmp_path: Path, cell: str, kind: str, said: str
) -> None:
    foreign = [{"fields": ["code"], "reference": {"resource": "codes", "fields": ["id"]}}]
    tables = (
        table("t", ["id", "code", "note"], [["a", cell, f" {cell} is "]], foreignKeys=foreign),
        table("codes", ["id"], [["guns"], ["hand guns"]]),
    )
    tables[0]["schema"]["fields"][1]["constraints"] = {"pattern": "[a-z ]+"}
    found = only(validate(write(tmp_path, *tables, **STRICT)))
    assert place(found) == ("data/t.csv", 2, "code", cell, kind)
    assert found.text().startswith(f'data/t.csv:2 field "code" of a: {said}')
    loose = validate(write(tmp_path / "loose", table("codes", ["id"], [["guns"], [cell]])))
    assert (loose.valid, [warning.type for warning in loose.warnings]) == (True, [kind])


@pytest.mark.parametrize("cell", ["μg", "β-carotene", "Армия", "naïve café", "日本", "Ω"])
def test_words_of_other_scripts_are_no_look_alikes(tmp_path: Path, cell: str) -> None:
    report = validate(write(tmp_path, table("codes", ["id"], [[cell]]), **STRICT))
    assert report.findings == ()


@pytest.mark.parametrize("other", ["guns\u00a0", " guns", "gun\u0455", "Guns"], ids=ascii)
def test_two_preferred_figures_are_found_although_their_series_differ_in_what_nobody_sees(
    tmp_path: Path, other: str
) -> None:
    report = figures(tmp_path, {}, {"indicator": other})
    assert [(error.type, error.key) for error in report.errors] == [("preferred", "f2")]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("gun\u0455", "guns", "letters of another script made Latin in 1 keys and codes"),
        ("r\u0456fles", "r\u0456fles", ""),
    ],
)
def test_format_mends_a_look_alike_where_another_row_has_the_code_without_it(
    tmp_path: Path, before: str, after: str, said: str
) -> None:
    folder = write(tmp_path, table("t", ["id", "code"], [["a", before], ["b", "guns"]], uniqueKeys=[["code", "id"]]))
    done = CliRunner().invoke(main, ["format", str(folder)])
    assert (done.exit_code, said in done.output) == (0, True)
    assert (folder / "data/t.csv").read_text("utf-8") == f"id,code\na,{after}\nb,guns\n"


# Codes


def test_codes_of_countries_and_regions_are_real(tmp_path: Path) -> None:
    rows = [["a", "MEX", "MX-VER"], ["b", "WLD", "AF"], ["c", "", ""], ["d", "XXX", "MX-ZZZ"]]
    small = table("t", ["id", "country", "region"], rows)
    small["schema"]["fields"][1]["lantern:codes"] = {"list": "iso3166-1-alpha-3", "also": ["WLD"]}
    small["schema"]["fields"][2]["lantern:codes"] = {"list": "iso3166-2", "also": ["AF"]}
    assert validate(write(tmp_path, small)).text().splitlines()[:-1] == [
        'data/t.csv:5 field "country" of d: "XXX" is not a code of the list '
        "(expected: a country of ISO 3166-1, such as MEX, or WLD)",
        'data/t.csv:5 field "region" of d: "MX-ZZZ" is not a code of the list '
        "(expected: a subdivision of ISO 3166-2, such as MX-VER, or AF)",
    ]


def test_a_list_of_codes_that_is_not_known_is_an_error_of_the_descriptor(tmp_path: Path) -> None:
    small = table("t", ["id", "country"], [["a", "MEX"]])
    small["schema"]["fields"][1]["lantern:codes"] = {"list": "iso3166"}
    assert only(validate(write(tmp_path, small))).type == "descriptor"


# Sums


def added(folder: Path, *rows: list[str], value: str = "3") -> Report:
    """What is said of a table of three figures, of which c is added up, and the table of sums with these rows."""
    numbers = table(
        "figures", ["id", "n:number", "how"], [["a", "1", "read"], ["b", "2", "read"], ["c", value, "summed"]]
    )
    numbers["schema"]["lantern:figure"] = {"value": "n", "derivation": "how"}
    fields = ["sum", "number:integer", "dataset", "total", "part", "note"]
    return validate(write(folder, numbers, table("sums", fields, rows, primaryKey=["sum", "number"])))


A, B = (["s", str(number), "figures", "c", part, ""] for number, part in enumerate("ab", 1))


def test_a_total_is_the_sum_of_its_parts(tmp_path: Path) -> None:
    assert added(tmp_path, A, B).valid
    assert added(tmp_path, A, B, value="4").text().splitlines()[0] == (
        'data/figures.csv:4 field "n" of c: the total 4 is not the sum of its parts, 1 (a) + 2 (b) '
        "(expected: 3, or other parts in sums)"
    )


def test_a_sum_whose_parts_are_not_in_the_package_says_why(tmp_path: Path) -> None:
    assert added(tmp_path, ["s", "1", "figures", "c", "", "The months are not published."]).valid
    found = only(added(tmp_path, ["s", "1", "figures", "c", "", ""]))
    assert place(found) == ("data/sums.csv", 2, "part", "", "sum")


@pytest.mark.parametrize(
    ("rows", "where"),
    [
        ([], ("data/figures.csv", 4, "how", "summed", "sum")),
        ([A, ["s", "2", "figures", "c", "z", ""]], ("data/sums.csv", 3, "part", "z", "sum")),
        ([A, B, ["s", "3", "figures", "c", "b", ""]], ("data/sums.csv", 4, "part", "b", "sum")),
        ([A, B, ["s", "3", "figures", "c", "c", ""]], ("data/sums.csv", 4, "part", "c", "sum")),
        ([A, B, ["s", "3", "figures", "a", "b", ""]], ("data/sums.csv", 4, "total", "a", "sum")),
        ([A, B, ["t", "1", "figures", "z", "a", ""]], ("data/sums.csv", 4, "total", "z", "sum")),
        ([A, B, ["t", "1", "nowhere", "c", "a", ""]], ("data/sums.csv", 4, "dataset", "nowhere", "sum")),
    ],
    ids=["none", "unknown part", "part twice", "total as part", "two totals", "unknown total", "unknown table"],
)
def test_a_sum_that_cannot_be_checked_is_an_error(tmp_path: Path, rows: list[list[str]], where: Any) -> None:
    assert place(only(added(tmp_path, *rows))) == where


# Versions that were published before


def test_a_former_version_is_built_again_although_a_check_became_stricter(tmp_path: Path) -> None:
    codes = table("codes", ["id"], [["guns "], ["a"]])
    history = {**codes, "rows": [["guns "], ["a"]]}
    new = write(
        tmp_path / "package",
        table("codes", ["id"], [["a"], ["b"]]),
        **STRICT,
        version="1.1.0",
        created="2026-02-01T00:00:00Z",
    )
    write(new / "history/1.0.0", history, **STRICT, version="1.0.0", created="2026-01-01T00:00:00Z")
    assert build(new, tmp_path / "store").version == "1.1.0"
    assert (tmp_path / "store/releases/1.0.0/data/codes.csv").read_text() == "id\nguns \na\n"
    write(new / "history/1.0.0", {**history, "rows": [["a"], ["a"]]}, **STRICT, version="1.0.0")
    assert only(validate(new / "history/1.0.0")).type == "duplicate-key"
