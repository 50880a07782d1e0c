"""Half characters: JSON and YAML can name one half of a surrogate pair alone, which no file and no answer can hold."""

import re
from collections.abc import Iterator
from typing import Any

from api.model.findings import Finding

JSON = Any
_ESCAPED = re.compile(r"\\u[dD][89a-fA-F]").search
_HALF = re.compile("[\ud800-\udfff]")


def mended(value: JSON, text: str, file: str) -> list[Finding]:
    """Put U+FFFD in the place of each half character of a document that was read from `text`; a warning for each."""
    places = _mended(value, "", set()) if _ESCAPED(text) else ()
    return [_finding(place, file) for place in places]


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
