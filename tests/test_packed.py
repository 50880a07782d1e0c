"""A table may be in a zip or packed by gz, bz2 or xz; one that is damaged or too large is refused with the reason."""

import bz2
import gzip
import io
import lzma
import zipfile
from pathlib import Path
from typing import Any

import pytest
from text_tables import PLAIN, read, told


def zipped(**entries: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return out.getvalue()


ENCRYPTED = bytes.fromhex(  # t.csv with a password, as Info-ZIP writes it
    "504b03040a00090000000000215c00000000180000000c00000005000000742e637376" + "00" * 24
    + "504b01021e030a00090000000000215c00000000180000000c000000050000000000000000000000a48100000000742e637376"
    + "504b0506000000000100010033000000"  + "3b000000" + "0000"
)  # fmt: skip
UNREAD = "t.csv.zip: the table cannot be read: t.csv.zip"
ZIPS: dict[str, tuple[bytes, dict[str, Any], tuple[str, ...]]] = {
    "a folder first": (zipped(**{"data/": "", "data/t.csv": PLAIN}), {}, (PLAIN,)),
    "from a Mac": (zipped(**{"__MACOSX/._t.csv": "x", "._t.csv": "x", ".DS_Store": "x", "t.csv": PLAIN}), {}, (PLAIN,)),
    "a readme first": (zipped(**{"readme.txt": "x", "t.csv": PLAIN}), {}, (PLAIN,)),
    "capitals": (zipped(**{"README": "x", "T.CSV": PLAIN}), {}, (PLAIN,)),
    "a table in another format": (zipped(**{"t.csv": PLAIN, "t.tsv": "x"}), {}, (PLAIN,)),
    "innerpath": (zipped(**{"a.csv": "x", "b.csv": PLAIN}), {"innerpath": "b.csv"}, (PLAIN,)),
    "two tables": (zipped(**{"a.csv": "x", "b.csv": PLAIN}), {},
        ("", f"{UNREAD} holds 2 files (a.csv, b.csv): innerpath says which of them is the table")),
    "innerpath of no file": (zipped(**{"a.csv": "x"}), {"innerpath": "b.csv"},
        ("", f'{UNREAD} holds no file "b.csv", which innerpath names; it holds a.csv')),
    "nothing": (zipped(), {}, ("", f"{UNREAD} holds 0 files: one is needed")),
    "encrypted": (ENCRYPTED, {}, ("", f"{UNREAD} is encrypted: a table needs a zip without a password")),
    "cut off": (zipped(**{"t.csv": PLAIN})[:-9], {},
        ("", f"{UNREAD} is damaged, or no zip file: File is not a zip file")),
}  # fmt: skip


@pytest.mark.parametrize("kind", ZIPS)
def test_the_table_in_a_zip_is_its_only_one_or_the_one_that_is_named(tmp_path: Path, kind: str) -> None:
    content, words, expected = ZIPS[kind]
    assert read(tmp_path, {"t.csv.zip": content}, words) == expected


PACKED = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


@pytest.mark.parametrize("kind", PACKED)
def test_a_packed_file_that_is_cut_off_or_damaged_is_told(tmp_path: Path, kind: str) -> None:
    packed = PACKED[kind](("id,name\n" + "".join(f"{n},x{n * n}\n" for n in range(999))).encode())
    (line,) = told(tmp_path, {f"t.csv.{kind}": packed[: len(packed) // 2]}, {})
    assert line == (
        f"t.csv.{kind}: the table cannot be read: t.csv.{kind} is cut off: it ends in the middle of its data"
    )
    (line,) = told(tmp_path, {f"t.csv.{kind}": PLAIN}, {})
    assert line.startswith(f"t.csv.{kind}: the table cannot be read: ")


def test_an_unknown_compression_is_told(tmp_path: Path) -> None:
    (line,) = told(tmp_path, {"t.csv": PLAIN}, {"compression": "rar"})
    assert line == (
        't.csv: the table cannot be read: the compression "rar" cannot be unpacked: gz, bz2, xz and zip can'
    )
