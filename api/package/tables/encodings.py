"""How text is encoded: which names are encodings, and why bytes are not in one."""

import codecs
import io
from typing import IO, NamedTuple

BLOCK = 2**16
NEAR = 24  # bytes shown before and after the one that is wrong
NO_TEXT = ("idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape")  # of Python, not of files
MARKS = {codecs.BOM_UTF32_LE: "UTF-32", codecs.BOM_UTF32_BE: "UTF-32"}  # before UTF-16, which begins alike
NO_FILES_OF_TEXT = {b"\x1f\x8b": "packed with gzip", b"\xd0\xcf\x11\xe0": "a workbook of Excel", b"%PDF": "a PDF"}
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
    line, read, begins, recent = 1, 0, b"", b""
    while True:
        block = stream.read(BLOCK)
        begins = begins or block[:4]
        read += len(block)
        recent = (recent + block)[-2 * BLOCK :]
        try:
            decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            place = read - len(error.object) + error.start
            line += block[: max(error.start - len(error.object) + len(block), 0)].count(b"\n")
            for mark, kind in NO_FILES_OF_TEXT.items():
                if begins.startswith(mark):
                    return Fault(line, f"the file is {kind}, and no text", kind)
            for mark, name in MARKS.items():
                if begins.startswith(mark):
                    return Fault(line, f"the file is not in {encoding}: it is {name}", name)
            return _described(recent, len(recent) - read + place, Fault(line, encoding, ""), place)
        line += block.count(b"\n")


def _described(recent: bytes, at: int, fault: Fault, place: int) -> Fault:
    """What is said of the byte `at` a place in what was read last, and `place` in the file."""
    text = f"the file is not in {fault.text}: byte {place + 1} is 0x{recent[at]:02X}"
    start, end = recent.rfind(b"\n", 0, at) + 1, recent.find(b"\n", at)
    near = recent[max(start, at - NEAR) : min(at + NEAR, end if end >= 0 else len(recent))].strip()
    for name in ("utf-8", "windows-1252"):
        shown = _shown(near, name)
        if shown:
            return Fault(fault.line, f'{text}; it looks like {name}: "{shown}"', name)
    return fault._replace(text=text)


def _shown(near: bytes, encoding: str) -> str:
    """Some bytes in an encoding; empty where they make no words in it."""
    try:
        text = near.decode(encoding)
    except UnicodeDecodeError:
        return ""
    odd = "".join("x" if c > "\x7f" else " " for c in text)
    letters = all(c.isalpha() or c in "–—‘’“”…«»¿¡°ºª€£§\xa0" for c in text if c > "\x7f")
    return text if letters and (encoding == "utf-8" or "xxx" not in odd) else ""
