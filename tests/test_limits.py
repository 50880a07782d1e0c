"""Limits are settings: what passes one is refused with how much there was, how much may be, and which setting it is."""

import gzip
import io
import json
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import packages
import pytest
from click.testing import CliRunner

from api import settings
from api.cli import main

ROOT = Path(__file__).resolve().parents[1]
MIB = 2**20
LIMITS = {one.name: int(one.default) for one in settings.SETTINGS if one.name.startswith("MAX_")}


ROW = b"x" * 1_023 + b"\n"  # few rows are fast


def package(folder: Path, *resources: dict[str, Any], **words: Any) -> Path:
    described = {"$schema": packages.V2, "name": "p", "version": "1.0.0", "resources": resources, **words}
    (folder / "datapackage.json").write_text(json.dumps(described))
    return folder


def file(folder: Path, name: str, data: bytes, **words: Any) -> dict[str, Any]:
    (folder / name).write_bytes(data)
    return {"name": name.partition(".")[0], "type": "table", "path": name, **words}


def zipped(path: Path, **entries: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def workbook(rows: str) -> bytes:
    from stranger import archive, ods

    with zipfile.ZipFile(io.BytesIO(ods("x", ""))) as parts:
        content = parts.read("content.xml").decode()
        old = '<table:table-row><table:table-cell office:value-type="string"><text:p>x'
        assert old in content
        return archive({"mimetype": parts.read("mimetype"), "content.xml": content.replace(old, rows + old).encode()})


@dataclass(frozen=True)
class Case:
    """A package that passes a limit of `most`, and what is said of it; without `most` the limit stays as it is."""

    setting: str
    most: int | None
    write: Callable[[Path], Path]
    found: str
    allowed: str


INLINE = {"name": "t", "type": "table", "data": [["a"], ["1"]]}
CELL = '<table:table-cell office:value-type="string"><text:p>{}</text:p></table:table-cell>'
CHART = {"name": "c", "title": "C", "resource": "t", "spec": {"mark": "bar", "encoding": {"x": {"field": "a"}}}}
ENDLESS = {**CHART["spec"], "data": {"sequence": {"start": 0, "stop": 3e8}}, "mark": "point"}  # type: ignore[dict-item]  # a dict


def large_descriptor(folder: Path) -> Path:
    return package(folder, INLINE, title="x" * MIB)


def large_yaml(folder: Path) -> Path:
    path = folder / "datapackage.yaml"
    path.write_text(f"resources: [{json.dumps(INLINE)}]\n" + "#" * (MIB // 8) + "\n")
    return path


def large_schema(folder: Path) -> Path:
    (folder / "s.json").write_text(json.dumps({"fields": [{"name": "a"}], "title": "x" * MIB}))
    return package(folder, {**INLINE, "schema": "s.json"})


def many_parts(folder: Path) -> Path:
    return package(folder, INLINE, keywords=[[]] * 2**16)


def many_files(folder: Path) -> Path:
    return zipped(folder / "p.zip", a=b"", b=b"", c=b"")


def large_zip(folder: Path) -> Path:
    return zipped(folder / "p.zip", **{"datapackage.json": b" " * (MIB + 1)})


def dense_zip(folder: Path) -> Path:
    return zipped(folder / "p.zip", **{"datapackage.json": b" " * (17 * MIB)})


def packed(folder: Path) -> Path:
    return package(folder, file(folder, "t.csv.gz", gzip.compress(b"a\n" + ROW * 1024)))


def dense(folder: Path) -> Path:
    return package(folder, file(folder, "t.csv.gz", gzip.compress(b"a\n" + ROW * 17 * 1024)))


def two_packed(folder: Path) -> Path:
    data = gzip.compress(b"a\n" + ROW * 700)
    return package(folder, *(file(folder, name, data) for name in ("t.csv.gz", "u.csv.gz")))


def repeated_cell(folder: Path) -> Path:
    """Few bytes that stand for two megabytes of CSV."""
    row = f'<table:table-row table:number-rows-repeated="2000">{CELL.format("x" * 1_000)}</table:table-row>'
    return package(folder, file(folder, "t.ods", workbook(row), format="ods"))


def long_null(folder: Path) -> Path:
    """Few bytes that stand for two megabytes of CSV, by a missing value that is long."""
    rows = {"data": [["a"], *([None] for _ in range(2_000))]}
    schema = {"fields": [{"name": "a", "type": "integer"}], "missingValues": ["x" * 1_000]}
    return package(folder, {"name": "t", "type": "table", **rows, "schema": schema})


def large_sheet(folder: Path) -> Path:
    return package(folder, file(folder, "t.ods", workbook(f"<!--{os.urandom(MIB).hex()}-->"), format="ods"))


def packed_sheet(folder: Path) -> Path:
    data = gzip.compress(os.urandom(MIB + 1))
    return package(folder, file(folder, "t.ods.gz", data, format="ods"))


def grown(folder: Path) -> Path:
    """A descriptor that has more bytes as a release writes it."""
    return package(folder, INLINE, keywords=["a"] * 200_000)


def chart(spec: dict[str, Any]) -> Callable[[Path], Path]:
    table = {**INLINE, "data": [["a"], ["1"], ["2"]]}
    return lambda folder: package(folder, table, **{"lantern:charts": [{**CHART, "spec": spec}]})


OPENED = {
    "a descriptor": Case("DESCRIPTOR_MB", 1, large_descriptor, "the file has 1,048,", "1,048,576 bytes of JSON"),
    "YAML": Case("DESCRIPTOR_MB", 1, large_yaml, "the file has 131,1", "131,072 bytes of YAML"),
    "a schema": Case("DESCRIPTOR_MB", 1, large_schema, "s.json: the file has 1,048,", "1,048,576 bytes of JSON"),
    "parts": Case("DESCRIPTOR_MB", 1, many_parts, "it has 65,5", "65,536 objects and lists, aliases written out"),
    "resources": Case(
        "RESOURCES",
        1,
        lambda folder: package(folder, INLINE, {**INLINE, "name": "u"}),
        "the package has 2 resources",
        "1 resources",
    ),
    "fields": Case(
        "FIELDS",
        2,
        lambda folder: package(folder, {**INLINE, "data": [["a", "b", "c"]]}),
        "the package has 3 fields",
        "2 fields",
    ),
    "files": Case("FILES", 2, many_files, "it holds 3 files", "2 files"),
    "a zip": Case("UNPACKED_MB", 1, large_zip, "it unpacks to 1,048,577 bytes", "1,048,576 bytes"),
    "a packed table": Case("UNPACKED_MB", 1, packed, "t.csv.gz unpacks to more than 1,048,576 b", "1,048,576 bytes"),
    "all tables": Case(
        "UNPACKED_MB", 1, two_packed, "the tables have 1,433,604 bytes of CSV or more", "1,048,576 bytes"
    ),
    "a repeated cell": Case("UNPACKED_MB", 1, repeated_cell, "bytes of CSV or more", "1,048,576 bytes"),
    "a long missing value": Case("UNPACKED_MB", 1, long_null, "bytes of CSV or more", "1,048,576 bytes"),
    "a sheet": Case("SHEET_MB", 1, large_sheet, "it unpacks to ", "1,048,576 bytes"),
    "a packed sheet": Case("SHEET_MB", 1, packed_sheet, "it unpacks to 1,048,577 bytes", "1,048,576 bytes"),
}
DRAWN = {
    "rows": Case("CHART_ROWS", 1, chart(CHART["spec"]), "the chart c has 2 rows or more: filter them", "1 rows"),  # type: ignore[arg-type]  # a dict
    "seconds": Case("CHART_SECONDS", 1, chart(ENDLESS), "the chart c cannot be drawn: it takes too long", "1 seconds"),
    "memory": Case("CHART_MB", 250, chart(ENDLESS), "the chart c cannot be drawn: it takes too much memory", "250 MiB"),
}


def said(arguments: list[str], **environ: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, arguments, env=environ)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


@pytest.mark.parametrize("what", OPENED)
def test_what_passes_a_limit_is_refused_with_the_setting_that_raises_it(tmp_path: Path, what: str) -> None:
    case = OPENED[what]
    setting = f"LANTERN_MAX_{case.setting}"
    path = case.write(tmp_path)
    code, told = said(["validate", str(path)], **{setting: str(case.most)})
    assert (code, case.found in told) == (1, True), told
    assert f"(expected: at most {case.allowed}, unless {setting} says more)" in told
    assert "says more" not in said(["validate", str(path)])[1]


@pytest.mark.parametrize("what", DRAWN)
def test_a_chart_that_passes_a_limit_stops_the_build(tmp_path: Path, what: str) -> None:
    case = DRAWN[what]
    setting, store = f"LANTERN_MAX_{case.setting}", tmp_path / "store"
    code, told = said(["build", str(case.write(tmp_path))], LANTERN_STORE=str(store), **{setting: str(case.most)})
    assert (code, case.found in told) == (1, True), told
    assert f"(expected: at most {case.allowed}, unless {setting} says more)" in told
    assert not (store / "releases" / "1.0.0").exists()


def test_a_release_whose_descriptor_could_not_be_read_again_is_not_made(tmp_path: Path) -> None:
    path, limit, store = grown(tmp_path), {"LANTERN_MAX_DESCRIPTOR_MB": "1"}, tmp_path / "store"
    assert said(["validate", str(path)], **limit)[0] == 0
    code, told = said(["build", str(path)], LANTERN_STORE=str(store), **limit)
    assert (code, "as the release writes it, the file has 1,800," in told) == (1, True), told
    assert "(expected: at most 1,048,576 bytes of JSON, unless LANTERN_MAX_DESCRIPTOR_MB says more)" in told
    assert not store.exists()


@pytest.mark.parametrize(
    ("write", "told"),
    [
        (dense_zip, "p.zip: the archive cannot be read: it unpacks to 17,825,792 bytes (expected: at most 16,777,216"),
        (dense, "t.csv.gz: the table cannot be read: t.csv.gz unpacks to more than 16,777,216 bytes (expected: at m"),
    ],
    ids=["package", "table"],
)
def test_what_is_packed_too_densely_is_to_be_unpacked_by_a_person(
    tmp_path: Path, write: Callable[[Path], Path], told: str
) -> None:
    code, text = said(["validate", str(write(tmp_path))])
    assert (code, told in text) == (1, True), text
    assert "(16,777,216, or 200 times its size): unpack it yourself if it is right)" in text


def test_a_row_that_few_bytes_stand_for_does_not_fill_the_memory(tmp_path: Path) -> None:
    schema = {"fields": [{"name": f"f{n}", "type": "integer"} for n in range(1_000)], "missingValues": ["x" * 70_000]}
    rows = [[f"f{n}" for n in range(1_000)], [None] * 1_000]
    code, text = said(["validate", str(package(tmp_path, {**INLINE, "data": rows, "schema": schema}))])
    assert (code, "the row has more than 67,108,864 characters" in text) == (1, True), text


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of three megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "lantern-test", str(folder)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


LARGE = {
    "a zip": lambda folder: zipped(folder / "p.zip", **{"datapackage.json": b" " * (5 * MIB)}),
    "a table": lambda folder: package(folder, file(folder, "t.csv.gz", gzip.compress(b"a\n" + ROW * 3 * 1024))),
}


@pytest.mark.parametrize("what", LARGE)
def test_unpacking_does_not_fill_the_disk(
    tmp_path: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    path = LARGE[what](tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(small_disk))
    code, text = said(["validate", str(path)])
    free = rf"[\d,]+ bytes more are needed, [\d,]+ are free in {small_disk}/\S+ \(expected: room, or another TMPDIR\)"
    assert (code, bool(re.search(free, text))) == (1, True), text
    assert list(small_disk.iterdir()) == []


def test_a_pattern_gets_the_time_that_the_setting_says(tmp_path: Path) -> None:
    schema = {"fields": [{"name": "a", "type": "string", "constraints": {"pattern": "(a|aa)+b"}}]}
    path = str(package(tmp_path, {**INLINE, "data": [["a"], ["a" * 34]], "schema": schema}))
    told = said(["validate", path])[1]
    assert 'the pattern takes too long for "aaa' in told
    expected = (
        "at most 1 seconds longer than patterns of the table should, unless LANTERN_MAX_PATTERN_SECONDS says more"
    )
    assert f"(expected: {expected})" in told
    assert "does not match the pattern" in said(["validate", path], LANTERN_MAX_PATTERN_SECONDS="60")[1]


def test_a_limit_that_is_no_number_is_wrong_usage() -> None:
    assert said(["settings"], LANTERN_MAX_FILES="many")[0] == 2
    assert said(["settings"], LANTERN_MAX_FILES="0")[0] == 2


def test_security_says_the_limits_that_the_settings_have() -> None:
    text = (ROOT / "SECURITY.md").read_text("utf-8")
    rows = re.findall(r"^\| ([\d,]+) [^|]*\| `LANTERN_(MAX_[A-Z_]+)` \|$", text, re.M)
    assert {name: int(number.replace(",", "")) for number, name in rows} == LIMITS
    assert len(rows) == len(LIMITS) > 5
