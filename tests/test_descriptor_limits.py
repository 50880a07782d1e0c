"""A descriptor is read strictly and within limits: each refusal says which limit, and how much there was."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from api.package import PackageError, open_source

RESOURCE = '{"name": "t", "data": [["a"], [1]]}'
TENFOLD = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
)
MERGED = "a0: &a0 {k: 1}\n" + "".join(
    f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}], k{n}: 1}}\n" for n in range(1, 10)
)
LONG = f'a: &a "{"x" * 100_000}"\nb: [{", ".join(["*a"] * 1_000)}]\n'
MANY = " parts or more (expected: at most 1,048,576 objects and lists, aliases written out, "
MORE = "unless LANTERN_MAX_DESCRIPTOR_MB says more)"
DEEP = "objects and lists are nested too deeply (expected: at most 100 levels)"
TWICE = "an object has the member 'title' twice (expected: each member once)"
INFINITE = "a number is inf, which JSON cannot hold (expected: a number of at most 308 digits)"
REFUSED: dict[str, tuple[str, str]] = {
    "aliases of aliases": (TENFOLD, f"it has 1,048,580{MANY}{MORE}"),
    "merges of merges": (MERGED, f"it has 1,048,580{MANY}{MORE}"),
    "aliases of a long text": (LONG, f"it has 1,564,566{MANY}{MORE}"),
    "a list in itself": ("a: &a [*a]", DEEP),
    "deep YAML": ("a: " + "[" * 150 + "]" * 150, DEEP),
    "deep JSON": ('{"a": ' + "[" * 150 + "]" * 150 + "}", DEEP),
    "many objects": ("[" + "{}," * 2**20 + "{}]", f"it has 1,048,578{MANY}{MORE}"),
    "a member twice": ('{"title": "one", "title": "another", "resources": [' + RESOURCE + "]}", TWICE),
    "a member of YAML twice": ("title: one\ntitle: another\n", TWICE),
    "a member twice far inside": ('{"resources": [{"name": "t", "title": "a", "title": "b"}]}', TWICE),
    "many digits": ('{"a": ' + "7" * 5_000 + "}", "a number has 5,000 digits (expected: at most 4,000 digits)"),
    "a large number": ('{"a": 1e400}', INFINITE),
    "no number": ("a: .inf", INFINITE),
    "bytes": (
        "a: !!binary aGVsbG8=",
        "it has a value of type bytes, which JSON does not know (expected: values that JSON knows)",
    ),
    "a set": (
        "a: !!set {b, c}",
        "it has a value of type set, which JSON does not know (expected: values that JSON knows)",
    ),
    "a large file": (
        " " * (16 * 2**20 + 1),
        f"the file has 16,777,217 bytes (expected: at most 16,777,216 bytes of JSON, {MORE}",
    ),
    "a large file of YAML": (
        "#" * (2**21 + 1),
        f"the file has 2,097,153 bytes (expected: at most 2,097,152 bytes of YAML, {MORE}",
    ),
    "many resources": (
        '{"resources": [' + ",".join([RESOURCE] * 5_001) + "]}",
        "the package has 5,001 resources (expected: at most 5,000 resources, unless LANTERN_MAX_RESOURCES says more)",
    ),
}


def written(folder: Path, text: str, kind: str) -> Path:
    path = folder / f"datapackage.{kind}"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("what", REFUSED)
def test_a_descriptor_beyond_a_limit_is_refused(tmp_path: Path, what: str) -> None:
    text, told = REFUSED[what]
    path = written(tmp_path, text, "json" if text[0] in "{[ " else "yaml")
    with pytest.raises(PackageError) as refused, open_source(path):
        pass
    assert str(refused.value) == f"{path.name}: {told}"


def test_a_schema_beyond_a_limit_is_refused_under_its_own_name(tmp_path: Path) -> None:
    written(tmp_path, '{"fields": [], "fields": []}', "json").rename(tmp_path / "schema.json")
    (tmp_path / "t.csv").write_text("a\n1\n")
    path = written(tmp_path, '{"resources": [{"name": "t", "path": "t.csv", "schema": "schema.json"}]}', "json")
    with pytest.raises(PackageError) as refused, open_source(path):
        pass
    assert str(refused.value) == "schema.json: an object has the member 'fields' twice (expected: each member once)"


def test_a_package_of_too_many_fields_is_refused(tmp_path: Path) -> None:
    for tables, fields, told in (
        (
            2,
            25_001,
            "the package has 50,002 fields (expected: at most 50,000 fields, unless LANTERN_MAX_FIELDS says more)",
        ),
        (1, 50_001, "the header has 50,001 cells (expected: at most 50,000)"),
    ):
        schema = {"fields": [{"name": f"f{n}"} for n in range(fields)]}
        resources = [{"name": f"t{n}", "data": [], "schema": schema} for n in range(tables)]
        written(tmp_path, json.dumps({"resources": resources}), "json")
        with pytest.raises(PackageError) as refused, open_source(tmp_path):
            pass
        assert str(refused.value) == f"datapackage.json: {told}"


def model(folder: Path, text: str, kind: str) -> dict[str, Any]:
    with open_source(written(folder, text, kind)) as source:
        return dict(source.package.descriptor)


def test_aliases_within_the_limit_are_read(tmp_path: Path) -> None:
    text = "words: &words {title: A, keywords: [b]}\nmore: {<<: *words, title: C}\nresources: [" + RESOURCE + "]"
    read = model(tmp_path, text, "yaml")
    assert read["more"] == {"title": "C", "keywords": ["b"]}


def test_names_in_yaml_are_text_as_they_are_written(tmp_path: Path) -> None:
    read = model(tmp_path, "labels: {1: male, 1.10: b, yes: c, 2020-01-01: d}\nresources: [" + RESOURCE + "]", "yaml")
    assert read["labels"] == {"1": "male", "1.10": "b", "yes": "c", "2020-01-01": "d"}


@pytest.mark.parametrize("name", ["datapackage.json", "datapackage.yaml", "package.json"])
def test_what_is_no_file_is_not_waited_for(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    for path in (tmp_path, tmp_path / name):
        with pytest.raises(PackageError, match="the folder has no descriptor|no such file or folder"):
            with open_source(path):
                pass
