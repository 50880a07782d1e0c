"""Half characters: JSON and YAML can name one half of a surrogate pair alone, which no file and no answer can hold."""

import re
from collections.abc import Callable, Iterator
from typing import IO, Any

from api.model.findings import Finding

JSON = Any
_ESCAPED = re.compile(r"\\u[dD][89a-fA-F]").search
_HALF = re.compile("[\ud800-\udfff]")
_HIGH, _LOW = rb"\\u[dD][89abAB][0-9a-fA-F]{2}", rb"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_LONE = re.compile(rb"(?<!\\)(?:\\\\)*(?:" + _HIGH + rb"(?!" + _LOW + rb")|(?<!" + _HIGH + rb")" + _LOW + rb")")
_CONTEXT = 64  # bytes before and after an escape that say what it is part of


def mended(value: JSON, text: str, file: str) -> list[Finding]:
    """Put U+FFFD in the place of each half character of a document that was read from `text`; a warning for each."""
    places = _mended(value, "", set()) if _ESCAPED(text) else ()
    return [_finding(place, file) for place in places]


def half(text: str) -> bool:
    """Whether a JSON text names half a character."""
    return "\\u" in text and _LONE.search(text.encode()) is not None


class Watched:
    """A JSON file that is read as it is, and of which `refuse` is called with the line of a half character.

    Whoever parses JSON fast does not say what it makes of one: it may come out as a question mark.
    """

    def __init__(self, file: IO[bytes], refuse: Callable[[int], object]) -> None:
        self.file, self.refuse = file, refuse
        self.tail, self.lines = b"", 1

    def read(self, size: int = -1) -> bytes:
        block = self.file.read(size)
        seen = self.tail + block
        judged, known = len(self.tail) - _CONTEXT // 2, len(seen) - (_CONTEXT // 2 if block else 0)
        for match in _LONE.finditer(seen) if b"\\u" in seen else ():
            if judged < match.end() <= known:
                self.refuse(self.lines + seen[: match.start()].count(b"\n"))
        self.tail = seen[-_CONTEXT:]
        self.lines += seen[:-_CONTEXT].count(b"\n")
        return block


def _finding(place: str, file: str) -> Finding:
    message = f"{place} holds half a character (a lone surrogate), which is replaced with U+FFFD"
    return Finding("half-character", message, file, expected="whole characters", level="warning")


def _mended(part: JSON, place: str, seen: set[int]) -> Iterator[str]:
    """The places that were mended in an object or list, each once however often an alias of YAML names it."""
    if not isinstance(part, dict | list) or id(part) in seen:
        return
    seen.add(id(part))
    for key, value in list(part.items() if isinstance(part, dict) else enumerate(part)):
        inner = f"{place}[{key}]" if isinstance(part, list) else f"{place}.{_whole(str(key))}".lstrip(".")
        if isinstance(part, dict) and isinstance(key, str) and _HALF.search(key):
            yield f"a name in {place or 'the descriptor'}"
            del part[key]
            key = _whole(key)
            part[key] = value
        if isinstance(value, str) and _HALF.search(value):
            yield inner
            part[key] = _whole(value)
        else:
            yield from _mended(value, inner, seen)


def _whole(text: str) -> str:
    return _HALF.sub("\ufffd", text)
