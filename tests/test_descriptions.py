"""The files that describe a release: a stranger can read them, and so can every catalogue that asks for a standard."""

import hashlib
import itertools
import json
import re
import warnings
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import mlcroissant
import pyshacl
import pytest
import rdflib
import release_made
import yaml

from api.model import descriptor
from api.release.descriptions import citation, templates

# rdflib's own reader of JSON-LD uses what rdflib has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning")
HERE = Path(__file__).parent
# The schema of CITATION.cff 1.2.0 (CC-BY-4.0), as the package cffconvert 2.0.0 carries it.
CFF_SCHEMA = json.loads((HERE / "schemas" / "cff-1.2.0.json").read_text("utf-8"))
BARE = {"licenses": [], "contributors": [], "created": "2026-03-04"}
NAMED_IN_THE_CONTRACT = (
    *("package.sqlite", "package.xlsx", "package.zip", "codebook.md", "codebook.html", "README.md", "CHANGELOG.md"),
    *("CITATION.cff", "LICENSE", "croissant.json", "dcat.jsonld", "schema-org.jsonld", "validation.json"),
    *("validation.html", "citation.txt", "citation.bib"),
)


@pytest.fixture(scope="module", params=["own", "awkward"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return release_made.release(tmp_path_factory.mktemp(request.param), getattr(release_made, request.param)())


def small(tmp_path: Path, extra: dict[str, str] | None = None, base_url: str = "", **said: Any) -> Path:
    fields = [
        {"name": "n", "type": "integer", "constraints": {"required": True, "minimum": 1}, "example": 3, "unit": "guns"},
        {"name": "kind", "type": "string", "categories": [{"value": "a", "label": "An apple"}, {"value": "b"}]},
    ]
    schema = {"fields": fields, "primaryKey": ["n"], "missingValues": ["", "-"]}
    made = release_made.package({"t": (schema, [["1", "a"]])}, **{"lantern:baseUrl": base_url}, **said)
    return release_made.release(tmp_path, made, extra)


def test_a_release_has_every_file_of_the_contract(made: Path) -> None:
    for name in NAMED_IN_THE_CONTRACT:
        assert (made / name).stat().st_size > 0, name


def test_texts_the_package_brings_are_taken_as_they_are(tmp_path: Path) -> None:
    brought = {
        "README.md": "# Mine\n",
        "LICENSE": "Do as you like.\n",
        "CHANGELOG.md": "- first\n",
        "METHOD.md": "How\n",
    }
    folder = small(tmp_path, brought)
    assert {name: (folder / name).read_text("utf-8") for name in brought} == brought


def test_texts_the_package_lacks_are_made_from_its_descriptor(tmp_path: Path) -> None:
    folder = small(tmp_path)
    assert (folder / "LICENSE").read_text("utf-8") == (
        "Made up\n\nCC-BY-4.0\nCreative Commons\nhttps://creativecommons.org/licenses/\n"
    )
    assert (
        (folder / "README.md")
        .read_text("utf-8")
        .startswith("# Made up\n\nVersion 1.2.3, 2026-03-04. Licence: CC-BY-4.0.")
    )
    assert "## 1.2.3 (2026-03-04)" in (folder / "CHANGELOG.md").read_text("utf-8")


# Citing


def test_citation_cff_is_valid(made: Path) -> None:
    jsonschema.validate(read_cff(made), CFF_SCHEMA)


@pytest.mark.parametrize(
    "said",
    [
        {"contributors": []},
        {"contributors": [{"givenName": "Ana", "familyName": "Pérez", "organization": "UNAM", "roles": ["author"]}]},
        {"licenses": []},
        {"licenses": [{"title": "Own terms", "path": "https://example.org/terms"}]},
        {"licenses": [{"name": "Own-Terms"}]},
        {"id": "https://doi.org/10.5281/zenodo.1234567", "keywords": ["b", "a", "a"]},
        {"title": 'Quotes " and: colons\nand lines', "version": "1.0", "homepage": "https://example.org/"},
        {"created": "2026-03-04"},
    ],
    ids=lambda said: "-".join(said),
)
def test_citation_cff_is_valid_whatever_the_descriptor_says(tmp_path: Path, said: dict[str, Any]) -> None:
    jsonschema.validate(read_cff(small(tmp_path, **said)), CFF_SCHEMA)


def test_citation_cff_names_authors_version_date_and_licence(tmp_path: Path) -> None:
    said = read_cff(small(tmp_path, base_url="https://lantern.example"))
    assert said == {
        "cff-version": "1.2.0",
        "message": citation.MESSAGE,
        "type": "dataset",
        "title": "Made up",
        "version": "1.2.3",
        "date-released": "2026-03-04",
        "authors": [{"name": "The Lantern & Co"}],
        "url": "https://lantern.example/releases/1.2.3/",
        "license": "CC-BY-4.0",
    }


def test_bibtex_and_plain_text_cite_the_release(tmp_path: Path) -> None:
    folder = small(tmp_path, base_url="https://lantern.example/", title="50% of {this} & that_")
    assert (folder / "citation.bib").read_text("utf-8") == (
        "@misc{made_up_1_2_3,\n"
        "  author = {{The Lantern \\& Co}},\n"
        "  title = {{50\\% of \\{this\\} \\& that\\_}},\n"
        "  year = {2026},\n"
        "  version = {1.2.3},\n"
        "  note = {Data set, version 1.2.3},\n"
        "  url = {https://lantern.example/releases/1.2.3/}\n"
        "}\n"
    )
    assert (folder / "citation.txt").read_text("utf-8") == (
        "The Lantern & Co (2026). 50% of {this} & that_ (version 1.2.3) [Data set]. "
        "https://lantern.example/releases/1.2.3/\n"
    )


# Codebook


def test_the_codebook_explains_every_field_and_code_of_every_table(made: Path) -> None:
    page = Page((made / "codebook.html").read_text("utf-8"))
    markdown = (made / "codebook.md").read_text("utf-8")
    for table in opened(made).tables:
        assert table.fields, table.name
        for field in table.fields:
            assert {" ".join(field.name.split()), table.name} <= page.code, field.name
            assert templates.code(field.name) in markdown
            for text in filter(None, (field.title, field.description)):
                assert " ".join(text.split()) in page.text
                assert templates.plain(text) in markdown
            for entry in field.descriptor.get("categories") or []:
                assert entry["value"] in page.code
                assert entry["label"] in page.text


def test_the_codebook_says_type_unit_rules_example_and_missing_values(tmp_path: Path) -> None:
    page = Page((small(tmp_path) / "codebook.html").read_text("utf-8"))
    assert "whole number, in guns; always given; unique; at least 1" in page.text
    assert {"3", "-", "a", "b"} <= page.code
    assert "Missing values an empty cell, -" in page.text
    assert "a An apple" in page.text


def test_the_codebook_defines_the_codes_of_indicators(tmp_path: Path) -> None:
    names = ("id", "title", "definition", "unit", "additive")
    schema = {"fields": [{"name": name, "type": "string"} for name in names], "primaryKey": ["id"]}
    row = ["guns", "Guns", "Guns counted by <hand>", "pieces", "yes"]
    folder = release_made.release(tmp_path, release_made.package({"indicators": (schema, [row])}))
    page = Page((folder / "codebook.html").read_text("utf-8"))
    assert "guns Guns . Guns counted by <hand> pieces yes" in page.text
    line = "| `guns` | **Guns** Guns counted by \\<hand\\> | pieces | yes |"
    assert line in (folder / "codebook.md").read_text("utf-8").splitlines()


@pytest.mark.parametrize("name", ["codebook.html", "validation.html"])
def test_pages_ask_for_nothing_from_elsewhere_and_their_links_lead_somewhere(made: Path, name: str) -> None:
    page = Page((made / name).read_text("utf-8"))
    assert page.fetched == []
    anchors = {link[1:] for link in page.links if link.startswith("#")}
    assert anchors <= set(page.ids)
    assert bool(anchors) == (name == "codebook.html")
    assert len(page.ids) == len(set(page.ids))
    assert "prefers-color-scheme: dark" in page.source
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in page.source


def test_tables_in_the_markdown_codebook_have_as_many_cells_in_every_row(made: Path) -> None:
    tables = re.findall(r"(?:^\|.*\n)+", (made / "codebook.md").read_text("utf-8"), re.M)
    widths = [{len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()} for table in tables]
    assert [len(different) for different in widths] == [1] * len(tables)
    assert len(tables) >= len(opened(made).tables)


# Validation


def test_the_validation_report_names_files_as_the_release_does(made: Path) -> None:
    said = json.loads((made / "validation.json").read_text("utf-8"))
    assert said["valid"] is True
    assert [(t["name"], t["path"]) for t in said["tables"]] == [(t.name, t.path) for t in opened(made).tables]
    assert "Valid: " in Page((made / "validation.html").read_text("utf-8")).text


def test_a_warning_is_told_with_its_place_and_value(tmp_path: Path) -> None:
    from api.release import files

    folder = small(tmp_path)
    described = json.loads((folder / "datapackage.json").read_text("utf-8"))
    problem = {"file": "somewhere.csv", "resource": "t", "row": 2, "field": "n", "key": "1", "value": "<1>"}
    problem |= {"expected": "more", "type": "x", "message": "is <small>"}
    report = {"valid": True, "errors": [], "warnings": [problem], "tables": [{"name": "t", "path": "x", "rows": 1}]}
    files.write(described, folder, report, {})
    assert json.loads((folder / "validation.json").read_text("utf-8"))["warnings"] == [
        {**problem, "file": "data/t.csv"}
    ]
    page = Page((folder / "validation.html").read_text("utf-8"))
    assert "data/t.csv:2 n 1 is <small> <1> more" in page.text


# Catalogues


@pytest.mark.filterwarnings("ignore")  # of mlcroissant and what it imports
def test_croissant_is_valid_and_its_rows_load_from_the_files(made: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = mlcroissant.Dataset(jsonld=str(made / "croissant.json"))
        assert not dataset.metadata.issues.errors
        assert not dataset.metadata.issues.warnings
        resources = json.loads((made / "datapackage.json").read_text("utf-8"))["resources"]
        for resource, records in zip(resources, dataset.metadata.record_sets, strict=True):
            rows = list(itertools.islice(dataset.records(records.uuid), 1_000))
            width = len(resource["schema"]["fields"])
            assert [len(row) for row in rows] == [width] * min(1_000, resource["rows"]), resource["name"]


def test_croissant_says_size_and_checksum_of_each_file(made: Path) -> None:
    said = json.loads((made / "croissant.json").read_text("utf-8"))
    for entry, table in zip(said["distribution"], opened(made).tables, strict=True):
        content = (made / table.path).read_bytes()
        assert (entry["contentUrl"], entry["contentSize"]) == (table.path, f"{len(content)} B")
        assert entry["sha256"] == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("base_url", ["https://lantern.example", ""])
@pytest.mark.parametrize(
    "said", [{}, {"licenses": [], "contributors": [], "created": "2026-03-04"}], ids=["full", "bare"]
)
def test_dcat_has_what_the_european_profile_makes_mandatory(
    tmp_path: Path, base_url: str, said: dict[str, Any]
) -> None:
    conforms(small(tmp_path, base_url=base_url, **said))


def test_dcat_of_whole_packages_has_what_the_profile_makes_mandatory(made: Path) -> None:
    graph = conforms(made)
    dcat = rdflib.Namespace("http://www.w3.org/ns/dcat#")
    tables = opened(made).tables
    assert len(set(graph.subjects(rdflib.RDF.type, dcat.Dataset))) == 1 + len(tables)
    assert len(set(graph.subjects(rdflib.RDF.type, dcat.Distribution))) == 3 + 3 * len(tables)


def test_the_shapes_find_a_catalogue_without_a_title(tmp_path: Path) -> None:
    said = json.loads((small(tmp_path) / "dcat.jsonld").read_text("utf-8"))
    del said["@graph"][0]["dct:title"]
    assert not shacl(graph_of(json.dumps(said)))[0]


def test_schema_org_describes_the_package_its_tables_and_variables(tmp_path: Path) -> None:
    folder = small(tmp_path, base_url="https://lantern.example")
    said = json.loads((folder / "schema-org.jsonld").read_text("utf-8"))
    assert (said["@type"], said["name"], said["version"]) == ("Dataset", "Made up", "1.2.3")
    assert said["license"] == "https://creativecommons.org/licenses/"
    assert [d["contentUrl"] for d in said["distribution"]] == [
        f"https://lantern.example/releases/1.2.3/package.{end}" for end in ("zip", "sqlite", "xlsx")
    ]
    (table,) = said["hasPart"]
    assert [variable["name"] for variable in table["variableMeasured"]] == ["n", "kind"]
    assert table["variableMeasured"][0]["unitText"] == "guns"
    assert [d["encodingFormat"] for d in table["distribution"]] == [
        *("application/jsonl", "text/csv", "application/vnd.apache.parquet")
    ]
    assert "temporalCoverage" not in said


def test_schema_org_covers_the_periods_of_figures(tmp_path: Path) -> None:
    fields = [{"name": "from", "type": "date"}, {"name": "to", "type": "date"}]
    schema = {"fields": fields, "lantern:figure": {"periodStart": "from", "periodEnd": "to"}}
    rows = [["2001-01-01", "2001-12-31"], ["", "2016-06-30"]]
    folder = release_made.release(tmp_path, release_made.package({"t": (schema, rows)}))
    said = json.loads((folder / "schema-org.jsonld").read_text("utf-8"))
    assert said["temporalCoverage"] == "2001-01-01/2016-06-30"


def test_descriptions_take_no_address_for_granted(tmp_path: Path) -> None:
    folder = small(tmp_path)
    for name in ("dcat.jsonld", "schema-org.jsonld", "croissant.json", "CITATION.cff", "citation.txt"):
        assert "localhost" not in (folder / name).read_text("utf-8")
        assert "127.0.0.1" not in (folder / name).read_text("utf-8")


def opened(folder: Path) -> descriptor.Package:
    package = descriptor.package(json.loads((folder / "datapackage.json").read_text("utf-8")))
    assert package.tables
    return package


def read_cff(folder: Path) -> Any:
    return yaml.safe_load((folder / "CITATION.cff").read_text("utf-8"))


def graph_of(text: str) -> rdflib.Graph:
    return rdflib.Graph().parse(data=text, format="json-ld", publicID="https://mirror.example/releases/1/dcat.jsonld")


def shacl(graph: rdflib.Graph) -> tuple[bool, str]:
    shapes = rdflib.Graph().parse(HERE / "dcat_ap.ttl", format="turtle")
    valid, _, words = pyshacl.validate(graph, shacl_graph=shapes, advanced=False)
    return bool(valid), str(words)


def conforms(folder: Path) -> rdflib.Graph:
    graph = graph_of((folder / "dcat.jsonld").read_text("utf-8"))
    valid, words = shacl(graph)
    assert valid, words
    return graph


class Page(HTMLParser):
    """A page's text on one line, its code spans, anchors, links, and what it would fetch."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.source = source
        self.code: set[str] = set()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.words: list[str] = []
        self.inside: list[str] = []
        self.feed(source)
        self.text = (
            " ".join(" ".join(self.words).split()).replace(" , ", ", ").replace(" ; ", "; ").replace(" : ", ": ")
        )

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        self.inside.append(tag)
        self.ids += [said["id"] or ""] if "id" in said else []
        self.links += [said["href"] or ""] if tag == "a" and "href" in said else []
        self.fetched += [value or "" for name, value in attrs if name in ("src", "srcset", "poster", "data")]
        self.fetched += [tag] if tag in ("link", "script", "iframe", "object") else []

    def handle_endtag(self, tag: str) -> None:
        while self.inside and self.inside.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self.inside and self.inside[-1] == "style":
            self.fetched += re.findall(r"url\(|@import", data)
            return
        if self.inside and self.inside[-1] == "code":
            self.code.add(" ".join(data.split()))
        self.words.append(data)
