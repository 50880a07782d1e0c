"""The charts a package names are drawn from its rows, say in words what they show, and reach for nothing outside."""

import json
import struct
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
import release_made

from api.index.survey import Survey, survey
from api.model import descriptor
from api.release import charts

SVG = "{http://www.w3.org/2000/svg}"
FIELDS = [
    {"name": "id", "type": "string"},
    {"name": "year", "type": "year"},
    {"name": "value", "type": "number"},
    {"name": "kind", "type": "string"},
    {"name": "sure", "type": "boolean"},
    {"name": "day", "type": "date"},
]
ROWS = [
    ["a", "2001", "1.5", "x", "true", "2001-02-03"],
    ["b", "2002", "2", "y", "false", ""],
    ["c", "", "12345678901", "", "true", "2003-01-01"],
]
SPEC = {
    "height": 100,
    "mark": "bar",
    "encoding": {"x": {"field": "id"}, "y": {"field": "value", "type": "quantitative"}},
}
CHART = {
    "name": "bars & more",
    "title": "Bars of < three",
    "subtitle": "What is shown",
    "source": "The ministry",
    "alt": "Three bars & a line.",
    "resource": "t",
    "spec": SPEC,
}


def table(tmp_path: Path) -> Survey:
    path = tmp_path / "t.csv"
    lines = [",".join(str(field["name"]) for field in FIELDS), *(",".join(row) for row in ROWS)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return survey(descriptor.table({"name": "t", "schema": {"fields": FIELDS}}), path)


def drawn(tmp_path: Path, *entries: dict[str, Any]) -> Path:
    made = release_made.package({"t": ({"fields": FIELDS}, ROWS)}, **{"lantern:charts": list(entries)})
    return release_made.release(tmp_path, made) / "charts"


def package_of(tmp_path: Path) -> descriptor.Package:
    return descriptor.package(release_made.package({"t": ({"fields": FIELDS}, ROWS)}))


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        ({}, ["a", "b", "c"]),
        ({"kind": "x"}, ["a"]),
        ({"kind": None}, ["c"]),
        ({"kind": {"in": ["x", None]}}, ["a", "c"]),
        ({"year": 2002}, ["b"]),
        ({"year": {"from": 2001, "to": 2001}}, ["a"]),
        ({"year": {"from": 2002}}, ["b"]),
        ({"value": {"to": 2}}, ["a", "b"]),
        ({"sure": True}, ["a", "c"]),
        ({"day": {"from": "2002-01-01"}}, ["c"]),
        ({"sure": True, "year": {"in": [2001, 2002]}}, ["a"]),
        ({"kind": "z"}, []),
    ],
    ids=str,
)
def test_a_filter_keeps_the_rows_it_names(tmp_path: Path, asked: dict[str, Any], kept: list[str]) -> None:
    rows = charts.rows(table(tmp_path), {**CHART, "filter": asked})
    assert [row["id"] for row in rows] == kept


def test_rows_stand_in_the_chart_with_their_types(tmp_path: Path) -> None:
    found = charts.document(
        package_of(tmp_path), [table(tmp_path)], {**CHART, "fields": ["value", "sure", "year", "day"]}
    )
    assert found["data"]["values"] == [
        {"value": 1.5, "sure": True, "year": 2001, "day": "2001-02-03"},
        {"value": 2, "sure": False, "year": 2002, "day": None},
        {"value": 12345678901, "sure": True, "year": None, "day": "2003-01-01"},
    ]


def test_a_chart_carries_title_alternative_text_and_source(tmp_path: Path) -> None:
    found = charts.document(package_of(tmp_path), [table(tmp_path)], CHART)
    assert found["title"]["text"] == ["Bars of < three"]
    assert found["title"]["subtitle"] == ["What is shown"]
    assert found["description"] == "Three bars & a line."
    assert found["vconcat"][1]["mark"]["text"] == ["Source: The ministry", "The Lantern & Co, made-up 1.2.3"]


def test_long_words_are_broken_into_lines_that_fit() -> None:
    assert charts.lines("one two three\nfour", 7) == ["one two", "three", "four"]
    assert charts.lines("unbreakable", 3) == ["unbreakable"]


def test_every_chart_becomes_vega_lite_svg_and_png(tmp_path: Path) -> None:
    folder = drawn(tmp_path, CHART, {**CHART, "name": "second"})
    assert sorted(path.name for path in folder.iterdir()) == [
        *("bars & more.png", "bars & more.svg", "bars & more.vl.json", "second.png", "second.svg", "second.vl.json")
    ]
    assert (folder / "second.vl.json").read_bytes() == (folder / "bars & more.vl.json").read_bytes()


def test_the_svg_says_in_words_what_it_shows(tmp_path: Path) -> None:
    root = ElementTree.parse(drawn(tmp_path, CHART) / "bars & more.svg").getroot()
    assert root.get("role") == "img"
    assert (root[0].tag, root[0].text) == (f"{SVG}title", "Bars of < three")
    assert (root[1].tag, root[1].text) == (f"{SVG}desc", "Three bars & a line.")
    words = "".join(root.itertext())
    assert "Source: The ministry" in words


def test_the_png_is_twice_as_wide_as_the_svg_so_that_it_is_sharp(tmp_path: Path) -> None:
    folder = drawn(tmp_path, CHART)
    root = ElementTree.parse(folder / "bars & more.svg").getroot()
    width, height = struct.unpack(">II", (folder / "bars & more.png").read_bytes()[16:24])
    assert (width, height) == (2 * int(root.get("width", "")), 2 * int(root.get("height", "")))


def test_the_fonts_have_the_same_measures_everywhere(tmp_path: Path) -> None:
    root = ElementTree.parse(drawn(tmp_path, CHART) / "bars & more.svg").getroot()
    fonts = {element.get("font-family") for element in root.iter(f"{SVG}text")}
    assert fonts == {charts.CONFIG["font"]}


def test_a_package_without_charts_gets_no_folder_of_them(tmp_path: Path) -> None:
    assert not drawn(tmp_path).exists()


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({**CHART, "resource": "u"}, "the chart bars & more is of u, which is not a table of the package"),
        ({**CHART, "filter": {"colour": 1}}, "the chart bars & more asks for colour, which t does not have"),
        ({**CHART, "fields": ["size"]}, "the chart bars & more asks for size, which t does not have"),
        ({"name": "n", "title": "T", "resource": "t"}, "the chart n lacks spec"),
        ({**CHART, "spec": {"mark": "no such mark"}}, "the chart bars & more cannot be drawn: Vega-Lite to Vega conv"),
        ("x", "lantern:charts has 'x', which is no chart: expected an object"),
        ({**CHART, "spec": "bars"}, "the chart bars & more has 'bars' as its spec: expected an object"),
        ({**CHART, "indent": "wide"}, "the chart bars & more has 'wide' as its indent: expected a whole number"),
        ({**CHART, "filter": {"year": "soon"}}, "the chart bars & more asks for year 'soon', which is no year"),
        ({**CHART, "filter": {"year": {"in": 3}}}, "the chart bars & more asks for year 3: expected a list"),
    ],
    ids=["resource", "filter", "fields", "spec", "mark", "no chart", "text", "indent", "value", "values"],
)
def test_a_chart_that_cannot_be_drawn_stops_the_build(tmp_path: Path, entry: dict[str, Any], told: str) -> None:
    with pytest.raises(charts.ChartError, match=told):
        drawn(tmp_path, entry)


IMAGE = {"mark": {"type": "image", "width": 9, "height": 9}, "encoding": {"x": {"field": "id"}}}
PICTURE = "is an image mark, which reads pictures from elsewhere"
OUT = "leads out of the package: charts hold no addresses"
OUTWARD: dict[str, tuple[dict[str, Any], str]] = {
    "image": (IMAGE, f"spec.mark {PICTURE}"),
    "image by its short name": ({"mark": "image"}, f"spec {PICTURE}"),
    "layer": ({"layer": [SPEC, IMAGE]}, rf"spec.layer\[1\].mark {PICTURE}"),
    "file": ({**SPEC, "encoding": {"url": {"value": "file:///etc/hostname"}}}, f"spec.encoding.url {OUT}"),
    "link": ({**SPEC, "encoding": {"href": {"field": "kind"}}}, f"spec.encoding.href {OUT}"),
    "link of a mark": ({**SPEC, "mark": {"type": "bar", "href": "https://example.org"}}, f"spec.mark.href {OUT}"),
    "rows": ({"layer": [SPEC, {"data": {"url": "rows.json"}, "mark": "point"}]}, rf"spec.layer\[1\].data.url {OUT}"),
    "rows of another": (
        {**SPEC, "transform": [{"lookup": "id", "from": {"data": {"url": "x"}, "key": "id", "fields": ["y"]}}]},
        rf"spec.transform\[0\].from.data.url {OUT}",
    ),
    "colour": (
        {**SPEC, "mark": {"type": "bar", "color": {"expr": "'URL(' + 'http://127.0.0.1/)'"}}},
        "the drawing has fill='URL\\(http://127.0.0.1/\\)' of a <path>, which leads out of it",
    ),
}


@pytest.mark.parametrize("what", OUTWARD)
def test_a_chart_that_leads_out_of_the_package_is_refused(tmp_path: Path, what: str) -> None:
    spec, told = OUTWARD[what]
    with pytest.raises(charts.ChartError, match=f"^the chart bars & more cannot be drawn: {told}$"):
        drawn(tmp_path, {**CHART, "spec": spec})
    assert not list((tmp_path / "charts").glob("*.svg"))


def test_the_rows_of_a_chart_may_hold_addresses(tmp_path: Path) -> None:
    values = [{"url": "https://example.org", "type": "image", "v": 1}]
    encoding = {"x": {"field": "url"}, "y": {"field": "v", "type": "quantitative"}}
    spec = {"layer": [SPEC, {"data": {"values": values}, "mark": "bar", "encoding": encoding}]}
    assert "https://example.org" in (drawn(tmp_path, {**CHART, "spec": spec}) / "bars & more.svg").read_text()


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({**SPEC, "data": {"sequence": {"start": 0, "stop": 1e9}}}, "it takes too much memory"),
        ({**SPEC, "width": 100_000, "height": 100_000}, "it takes too much memory"),
        ({**SPEC, "transform": [{"calculate": f"length({'replace(' * 60}{'x' * 9}", "as": "y"}]}, "Vega-Lite"),
    ],
    ids=["rows without end", "a picture as large as a house", "a formula that is none"],
)
def test_a_chart_without_bounds_is_given_up(tmp_path: Path, spec: dict[str, Any], told: str) -> None:
    with pytest.raises(charts.ChartError, match=f"the chart bars & more cannot be drawn: {told}"):
        drawn(tmp_path, {**CHART, "spec": spec})


def test_our_own_charts_show_the_rows_they_name(tmp_path: Path) -> None:
    made = release_made.own()
    folder = release_made.release(tmp_path, made)
    names = {entry["name"] for entry in made["lantern:charts"]}
    endings = (".svg", ".png", ".vl.json")
    assert names and {path.name for path in (folder / "charts").iterdir()} == {
        n + end for n in names for end in endings
    }
    for entry in made["lantern:charts"]:
        said = json.loads((folder / "charts" / f"{entry['name']}.vl.json").read_text("utf-8"))
        assert said["data"]["values"], entry["name"]
        assert len(said["description"]) > 100
        root = ElementTree.parse(folder / "charts" / f"{entry['name']}.svg").getroot()
        assert int(root.get("width", "")) <= 700
