"""Text is read in its encoding; in another one it is one error that names the line, the byte and a guess."""

import codecs
from pathlib import Path

import pytest
from text_tables import PLAIN, read, told

MENDED = "; lantern format mends this"


ENCODED: dict[str, tuple[bytes, str, str]] = {
    "Latin-1": ("id,name\n1,a\n2,caf\u00e9 x\n".encode("latin-1"), "utf-8",
        't.csv:3: the file is not in utf-8: byte 18 is 0xE9; it looks like windows-1252: "2,caf\u00e9 x"'),
    "curly quotes of Windows": ("id,name\n1,\u201ca\u201d\n".encode("cp1252"), "utf-8",
        't.csv:2: the file is not in utf-8: byte 11 is 0x93; it looks like windows-1252: "1,\u201ca\u201d"'),
    "Cyrillic": ("id,name\n1,\u041c\u043e\u0441\u043a\u0432\u0430\n".encode("cp1251"), "utf-8",
        "t.csv:2: the file is not in utf-8: byte 11 is 0xCC"),
    "UTF-16": ("id,name\n1,a\n".encode("utf-16"), "utf-8", f"t.csv:1: the file is not in utf-8: it is UTF-16{MENDED}"),
    "UTF-16 without its mark": ("id,name\n1,a\n".encode("utf-16-le"), "utf-8",
        "t.csv:1: the line holds null characters: it looks like UTF-16"),
    "UTF-8 that is called ASCII": ("id,name\n1,\u00e9\n".encode(), "ascii",
        't.csv:2: the file is not in ascii: byte 11 is 0xC3; it looks like utf-8: "1,\u00e9"'),
    "half a character at the end": (b"id,name\n1,\xc3", "utf-8",
        't.csv:2: the file is not in utf-8: byte 11 is 0xC3; it looks like windows-1252: "1,\u00c3"'),
    "a name that is no encoding": (b"id,name\n", "utf-9",
        'datapackage.json: there is no encoding "utf-9"'),
}  # fmt: skip


@pytest.mark.parametrize("kind", ENCODED)
def test_a_file_in_another_encoding_is_one_error_with_line_byte_and_a_guess(tmp_path: Path, kind: str) -> None:
    content, encoding, expected = ENCODED[kind]
    (line,) = told(tmp_path, {"t.csv": content}, {"encoding": encoding})
    assert line.partition(" (expected: ")[0] == expected
    hint = f'{encoding}, or the file\'s "encoding" in the descriptor)'
    assert line.endswith((hint, 'such as "utf-8" or "windows-1252")', "text without null characters)"))


def test_an_encoding_is_found_far_into_a_file(tmp_path: Path) -> None:
    content = b"id,name\n" + b"1,abcdefghi\n" * 20_000 + b"2,\xe9\n"
    (line,) = told(tmp_path, {"t.csv": content}, {"encoding": "utf-8"})
    assert line.startswith("t.csv:20002: the file is not in utf-8: byte 240011 is 0xE9; it looks like windows-1252: ")


@pytest.mark.parametrize(
    "name",
    ["rot13", "base64", "zip", "hex", "idna", "punycode", "unicode_escape", "undefined", "", " ", "\0", "é", "os"],
)
def test_what_is_no_encoding_of_text_is_refused(tmp_path: Path, name: str) -> None:
    lines = told(tmp_path, {"t.csv": PLAIN}, {"encoding": name})
    assert len(lines) == (name != "") and all("there is no encoding" in line for line in lines)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16", "utf-32", "UTF-8", "utf_8_sig"])
def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path, encoding: str) -> None:
    content = "\ufeff" * (encoding in ("utf-16-le", "UTF-8")) + PLAIN
    assert read(tmp_path, {"t.csv": content.encode(encoding)}, {"encoding": encoding}) == (PLAIN,)


def test_the_mark_of_utf_8_is_no_text(tmp_path: Path) -> None:
    assert read(tmp_path, {"t.csv": codecs.BOM_UTF8 + PLAIN.encode()}, {}) == (PLAIN,)
