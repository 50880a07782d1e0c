"""How text is encoded: which names are encodings, and why bytes are not in one."""

import codecs
import io
from typing import IO, NamedTuple

BLOCK = 2**16
NEAR = 24  # bytes shown before and after the one that is wrong
NO_TEXT = ("idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape")  # of Python, not of files
MARKS = {codecs.BOM_UTF32_LE: "UTF-32", codecs.BOM_UTF32_BE: "UTF-32"}  # before UTF-16, which begins alike
MARKS |= {codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16"}


class Fault(NamedTuple):
    """The first byte that is not in an encoding: its line, what is said of it, and the likely encoding."""

    line: int
    text: str
    looks_like: str


def exists(name: str) -> bool:
    """Whether a name is that of an encoding of text; base64 and zip, which Python has too, are none."""
    try:
        io.TextIOWrapper(io.BytesIO(), name)
        return codecs.lookup(name).name.replace("_", "-") not in NO_TEXT
    except (LookupError, ValueError):
        return False


def fault(stream: IO[bytes], encoding: str) -> Fault:
    """The first byte of a stream that is not in an encoding; one must be there."""
    decoder = codecs.getincrementaldecoder(encoding)()
    line, read, begins = 1, 0, b""
    while True:
        block = stream.read(BLOCK)
        begins = begins or block[:4]
        read += len(block)
        try:
            decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            before = error.object[: error.start]
            return _described(error, line + before.count(b"\n"), read - len(error.object) + error.start, begins)
        line += block.count(b"\n")


def _described(error: UnicodeDecodeError, line: int, place: int, begins: bytes) -> Fault:
    raw, byte = error.object, f"0x{error.object[error.start : error.start + 1].hex().upper()}"
    for mark, name in MARKS.items():
        if begins.startswith(mark):
            return Fault(line, f"the file is not in {error.encoding}: it is {name}", name)
    near = raw[raw.rfind(b"\n", 0, error.start) + 1 :].split(b"\n")[0]
    start = error.start - raw.rfind(b"\n", 0, error.start) - 1
    near = near[max(start - NEAR, 0) : start + NEAR].strip()
    text = f"the file is not in {error.encoding}: byte {place + 1} is {byte}"
    for name in ("utf-8", "windows-1252"):
        shown = _shown(near, name)
        if shown:
            return Fault(line, f'{text}; it looks like {name}: "{shown}"', name)
    return Fault(line, text, "")


def _shown(near: bytes, encoding: str) -> str:
    """Some bytes in an encoding; empty where they make no words in it."""
    try:
        text = near.decode(encoding)
    except UnicodeDecodeError:
        return ""
    odd = "".join("x" if c > "\x7f" else " " for c in text)
    letters = all(c.isalpha() or c in "–—‘’“”…«»¿¡°ºª€£§\xa0" for c in text if c > "\x7f")
    return text if letters and (encoding == "utf-8" or "xxx" not in odd) else ""
