"""What JavaScript's libraries get by their natural calls, in Node.js."""

import json

import pytest
import truth
from programs import javascript

WORDS = f"const LISTED = {json.dumps(truth.LISTED)}, SORT = {json.dumps(truth.SORT)};"
CSV = 'RECORDS + ".csv?" + new URLSearchParams({ indicator__in: LISTED, sort: SORT })'


@pytest.mark.parametrize(
    "query",
    ["{ indicator__in: LISTED, sort: SORT }", '[...LISTED.map(i => ["indicator__in", i]), ["sort", SORT]]'],
    ids=["commas", "repeated"],
)
def test_fetch_takes_a_list(query: str, server: str) -> None:
    code = f"{WORDS} const query = new URLSearchParams({query});"
    found = javascript(code + "say(await (await fetch(`${RECORDS}?${query}`)).json());", server)
    assert truth.figures(found["data"]) == truth.of_the_list()


@pytest.mark.parametrize("indexes", ["null", "undefined", "false"])
def test_axios_takes_a_list_however_it_is_told_to_write_one(indexes: str, server: str) -> None:
    """As a=1&a=2 (null) and as a[]=1&a[]=2 (false, which is its default)."""
    code = f"""
        import axios from "axios"; {WORDS}
        const params = {{ indicator__in: LISTED, sort: SORT }};
        say((await axios.get(RECORDS, {{ params, paramsSerializer: {{ indexes: {indexes} }} }})).data);
    """
    assert truth.figures(javascript(code, server)["data"]) == truth.of_the_list()


def test_axios_takes_conditions(server: str) -> None:
    code = f"""
        import axios from "axios";
        const params = {{ where: {json.dumps(truth.CONDITIONS)}, limit: 1000 }};
        say((await axios.get(RECORDS, {{ params }})).data);
    """
    assert truth.figures(javascript(code, server)["data"]) == truth.of_the_conditions()


def test_axios_follows_links_next_to_the_last_page(server: str) -> None:
    code = """
        import axios from "axios";
        const api = axios.create({ baseURL: SERVER });
        const found = [];
        for (let next = "/v1/datasets/exports/records?limit=200"; next; ) {
            const { data, links } = (await api.get(next)).data;
            found.push(...data);
            next = links.next;
        }
        say(found);
    """
    assert truth.figures(javascript(code, server)) == truth.all_exports()


def test_axios_finds_a_row_by_its_escaped_compound_key(server: str) -> None:
    code = f"""
        import axios from "axios";
        const key = encodeURIComponent({json.dumps(",".join(truth.POSITION))});
        say((await axios.get(`${{SERVER}}/v1/datasets/conflict_positions/records/${{key}}`)).data);
    """
    expected = {name: cell or None for name, cell in truth.position().items()}
    assert javascript(code, server)["data"] == expected


def test_axios_meets_an_error_as_a_problem(server: str) -> None:
    code = """
        import axios from "axios";
        try { await axios.get(RECORDS, { params: { yaer: 2007 } }); }
        catch (error) { say([error.response.status, error.response.data.errors[0].did_you_mean]); }
    """
    assert javascript(code, server) == [400, "year"]


def test_d3_reads_csv(server: str) -> None:
    code = f"""import {{ csv }} from "d3-fetch"; {WORDS} say(await csv({CSV}));"""
    assert truth.figures(javascript(code, server)) == truth.of_the_list()


def test_d3_dsv_guesses_the_types_of_csv(server: str) -> None:
    code = f"""
        import {{ autoType, csvParse }} from "d3-dsv"; {WORDS}
        say(csvParse(await (await fetch({CSV})).text(), autoType));
    """
    found = javascript(code, server)
    assert truth.figures(found) == truth.of_the_list()
    assert {type(row["value"]) for row in found} == {int, type(None)}


def test_d3_reads_tsv(server: str) -> None:
    code = f"""import {{ tsv }} from "d3-fetch"; {WORDS} say(await tsv({CSV.replace("csv", "tsv")}));"""
    assert truth.figures(javascript(code, server)) == truth.of_the_list()


@pytest.mark.parametrize(
    ("extension", "form"),
    [
        (".csv", {"type": "csv"}),
        ("", {"type": "json", "property": "data"}),
    ],
    ids=["csv", "json"],
)
def test_a_chart_of_vega_lite_loads_our_rows(extension: str, form: dict[str, str], server: str) -> None:
    """Its data is an address; a sum for each indicator shows that they were read as numbers."""
    query = f"indicator__in={','.join(truth.LISTED)}&standing=preferred"
    total = {"op": "sum", "field": "value", "as": "total"}
    chart = {
        "data": {"name": "rows", "url": f"{server}/v1/datasets/exports/records{extension}?{query}", "format": form},
        "transform": [{"aggregate": [total], "groupby": ["indicator"]}],
        "mark": "bar",
        "encoding": {"x": {"field": "indicator"}, "y": {"field": "total", "type": "quantitative"}},
    }
    code = f"""
        import * as vega from "vega";
        import {{ compile }} from "vega-lite";
        const view = new vega.View(vega.parse(compile({json.dumps(chart)}).spec), {{ renderer: "none" }});
        await view.runAsync();
        say(Object.fromEntries(view.data("rows").map((row) => [row.indicator, row.total])));
    """
    expected = dict.fromkeys(truth.LISTED, 0.0)
    for row in truth.rows("exports"):
        if row["indicator"] in expected and row["standing"] == "preferred":
            expected[row["indicator"]] += float(row["value"])
    assert javascript(code, server) == expected
