"""The format of a release: its bytes for one small package, kept for each number that the manifest's `format` had."""

import hashlib
import json
import sqlite3
from pathlib import Path

import pyarrow
import pytest
from packages import table, write

from api.release.build import build
from api.store.manifest import FORMAT

# The SHA-256 of those files that this program alone writes, so that they are the same whatever versions of its
# libraries are installed. Not those of Parquet (pyarrow), XLSX (XlsxWriter and zlib), SQLite, zip (zlib), the charts
# (vl-convert), nor those that hold the digests of these: the manifest, SHA256SUMS, the three descriptions in JSON-LD.
# A change of one is a change of the format: raise FORMAT, once before a version of the program is published, add the
# digests under the new number, and say so in CHANGELOG.
DIGESTS: dict[int, dict[str, str]] = {
    3: {
        "CHANGELOG.md": "133315641f3258aaabab743c47105537170f667d31509bd46b1608f2141dbf49",
        "CITATION.cff": "190153b6c1acddac2269ee0928df19980b4d1a5eb46db617b203e4be50f1aaac",
        "LICENSE": "fd371fc45a9b30c8467f05e48fc9728f6540588d0269c307aa7adfb51dc0d5be",
        "README.md": "1f4245b88a06fcae750114faa0cfc4293ab6b2ed12edb36dee91b56a39c191f5",
        "changes.jsonl": "2537dac7f240f7b3615df954e29c429d8de259c6c559fc9d864830d5d01e11c0",
        "citation.bib": "e2495db63d57be82196680de5e81a5e04d30c982671374f90f26aaa9e6bc3db6",
        "citation.txt": "c4aea9c0c3537630c63529171a850a654d88edccfd8685f84131dc98aebe6566",
        "codebook.html": "5faf816f4921010a84deb895d77ad3400215c5f703ae597a3302c6f5a99c8bfd",
        "codebook.md": "6864d50c2297a572ba4d49fb45a99c365342d67288151c231b0f44820dfb6954",
        "data/things.csv": "a4d0fa5285f617bcf0d52ab2ea4cdb25b8d9e526a3bc0816cd54eede9b66002f",
        "datapackage.json": "ed345df6d554f914346a093ea4086849a557688f39b5adb25ae8b06a07dc9caa",
        "jsonl/things.jsonl": "a0c3d450815d0e8605249f3db9e3483ad299697ec97f4f14da8679f763b99812",
        "validation.html": "d33913ee015b45e17e573009a74c69175c3d707d9c5bf1de6341103165e500b3",
        "validation.json": "659a8aa3685c20b005a568e0a95afd07d8110315edb0a43b3c24492e024df3b0",
    },
}
OF_LIBRARIES = (".parquet", ".sqlite", ".xlsx", ".zip", ".svg", ".png", ".jsonld")
HOLD_DIGESTS = ("manifest.json", "SHA256SUMS", "croissant.json")


def digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of each file that no library had a hand in."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    own = (path for path in paths if path.suffix not in OF_LIBRARIES and path.name not in HOLD_DIGESTS)
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in own}


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("one"))


def built(folder: Path) -> Path:
    """A release of the package, with a field of each common type, and a version before it."""
    fields = ["id", "year:year", "day:date", "value:number", "count:integer", "sure:boolean", "note"]
    first = ["a", "2007", "2007-03-01", "12.50", "7", "true", 'quoted, "words" and été']
    rows = [first, ["b", "2008", "", "", "", "false", ""]]
    words = {"title": "A small package", "licenses": [{"name": "CC0-1.0", "title": "CC0"}]}
    sources = {"sources": [{"title": "A source", "path": "https://example.org/"}]}
    before = table("things", fields, rows[:1])
    write(folder / "p/history/1.0.0", before, created="2026-01-01T00:00:00Z", **words, **sources)
    write(
        folder / "p", table("things", fields, rows), version="1.1.0", created="2026-02-01T00:00:00Z", **words, **sources
    )
    return build(folder / "p", folder / "store").folder


def test_the_format_has_its_digests_and_they_are_kept(release: Path) -> None:
    manifest = json.loads((release / "manifest.json").read_bytes())
    assert manifest["format"] == FORMAT == max(DIGESTS)
    assert digests(release) == DIGESTS[FORMAT]


def test_the_manifest_names_what_made_the_files(release: Path) -> None:
    made_with = json.loads((release / "manifest.json").read_bytes())["made_with"]
    assert list(made_with) == ["pyarrow", "XlsxWriter", "vl-convert-python", "SQLite", "zlib"]
    assert made_with["pyarrow"] == pyarrow.__version__ and made_with["SQLite"] == sqlite3.sqlite_version


def test_a_second_build_gives_every_byte_again(release: Path, tmp_path: Path) -> None:
    again = built(tmp_path)
    for path in sorted(release.rglob("*")):
        assert path.is_dir() or path.read_bytes() == (again / path.relative_to(release)).read_bytes(), path


def test_every_file_is_of_the_program_or_of_a_library_that_is_named(release: Path) -> None:
    named = {entry["path"] for entry in json.loads((release / "manifest.json").read_bytes())["files"]}
    rest = named - DIGESTS[FORMAT].keys()
    assert {"package.sqlite", "parquet/things.parquet", "dcat.jsonld", "croissant.json"} <= rest
    assert all(path.endswith((*OF_LIBRARIES, *HOLD_DIGESTS)) for path in rest)
