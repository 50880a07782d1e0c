"""Half characters, which JSON can name and no file can hold: told, never served as something else."""

import json
from pathlib import Path

import pytest
from packages import table, write

from api.package import validate
from api.release.build import build

T = table("t", ["id", "v:integer"], [["a", "1"]])


def test_half_a_character_in_a_descriptor_is_one_line(tmp_path: Path) -> None:
    source = write(tmp_path / "package", T)
    described = {**json.loads((source / "datapackage.json").read_text()), "title": "a\ud83d"}
    (source / "datapackage.json").write_text(json.dumps(described))
    assert validate(source).text() == (
        "warning: datapackage.json: title holds half a character (a lone surrogate), which is replaced with U+FFFD "
        "(expected: whole characters)\nvalid: 1 table, 1 row, 0 errors, 1 warning"
    )
    assert build(source, tmp_path / "store").package.title == "a\ufffd"


HALVES = {
    "json": r'[{"id": "\ud83d\ude00"}, {"id": "\\ud83d"},' + "\n" + r'{"id": "a\ud83d"}]',
    "jsonl": r'{"id": "\ud83d\ude00\\ud83d"}' + "\n" + r'{"id": "\ude00"}',
}
TOLD = {
    "json": r't.json row 3 field "id": "a\ud83d" holds half a character',
    "jsonl": r't.jsonl:2 field "id": "\ude00" holds half a character',
}


@pytest.mark.parametrize("format", HALVES)
def test_half_a_character_in_a_file_is_refused_with_its_row(tmp_path: Path, format: str) -> None:
    """Whoever reads JSON fast makes a question mark of it: a value would change without a word."""
    source = write(tmp_path / "package", {**table("t", ["id"], []), "path": f"t.{format}"})
    (source / f"t.{format}").write_text(HALVES[format])
    assert validate(source).text() == (
        f"{TOLD[format]} (expected: whole characters)\nnot valid: 0 tables, 0 rows, 1 error, 0 warnings"
    )
    text = HALVES[format].replace(r"a\ud83d", "a").replace(r'"\ude00"', '"a"')
    for padding in range(0, 140, 3):  # wherever the blocks in which it is read end
        (source / f"t.{format}").write_text(text.replace('"id"', " " * (65_536 - 70 + padding) + '"id"', 1))
        assert validate(source).valid, padding
        break_at = 65_536 - 20 + padding
        (source / f"t.{format}").write_text(HALVES[format].replace('"id"', " " * break_at + '"id"', 1))
        assert not validate(source).valid, padding
