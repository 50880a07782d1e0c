"""Regular expressions of `constraints.pattern`, which strangers write: translated, and given a limit of time.

The standard asks for XML Schema's syntax; people write Python's and JavaScript's too. The library `regex` knows most of
it; \\i, \\c, and the subtraction of classes ([a-z-[aeiou]]) are translated. A pattern matches whole texts.
"""

import re
import time
from collections.abc import Callable

import regex

FREE = 50e-6  # seconds of CPU for each text, and for each of its characters: a good pattern takes less
FREE_CHARACTER = 0.2e-6
LONGEST = 100_000  # parts of a pattern, its repeats written out as `regex` does: a{1000000000} takes gigabytes
# https://www.w3.org/TR/xml/#NT-NameStartChar and #NT-NameChar
_INITIAL = (
    r":A-Z_a-z\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u02FF\u0370-\u037D\u037F-\u1FFF\u200C-\u200D\u2070-\u218F\u2C00-\u2FEF"
    r"\u3001-\uD7FF\uF900-\uFDCF\uFDF0-\uFFFD\U00010000-\U000EFFFF"
)
_NAME = rf"{_INITIAL}\-.0-9\u00B7\u0300-\u036F\u203F-\u2040"
_CLASSES = {"i": _INITIAL, "c": _NAME}
_PART = re.compile(r"(?s)\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|(\()|(\))|\{([0-9]+)(?:,[0-9]*)?\}|.")
_TOKEN = re.compile(r"(?s)\\[pP]\{Is(\w+)\}|\\(.)|(\[\^?)|(-\[\^?)|(\])|(.)")


class TooSlow(Exception):
    """A pattern needs more time than it gets."""


class Budget:
    """The time that the patterns of a table may take beyond what good ones do, in seconds of CPU."""

    def __init__(self, seconds: float) -> None:
        self.left = seconds

    def charge(self, began: float, text: str) -> None:
        """Count what was done to a text since `began` (of time.thread_time). Raises TooSlow when nothing is left."""
        self.left -= max(0.0, time.thread_time() - began - FREE - FREE_CHARACTER * len(text))
        if self.left < 0:
            raise TooSlow

    def match(self, match: Callable[..., object], text: str) -> bool:
        """Whether a pattern matches, by its method `fullmatch` or `search`. Raises TooSlow."""
        began = time.thread_time()
        try:
            found = match(text, timeout=max(self.left, 0.01)) is not None
        except TimeoutError:
            raise TooSlow from None
        self.charge(began, text)
        return found


def compiled(pattern: str) -> "regex.Pattern[str]":
    """A pattern ready to use. Raises ValueError saying what is wrong with it."""
    text, flags = translated(pattern)
    try:
        return _compiled(text, flags)
    except ValueError as error:
        if text == pattern:
            raise
        try:
            return _compiled(pattern, regex.V0)  # what looked like XML Schema's was not
        except ValueError:
            raise error from None


def _compiled(text: str, flags: int) -> "regex.Pattern[str]":
    if _length(text) > LONGEST:
        raise ValueError(f"with its repeats written out it has more than {LONGEST:,} parts")
    try:
        return regex.compile(text, flags)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except (regex.error, OverflowError, IndexError, KeyError, TypeError) as error:
        raise ValueError(str(error)) from None


def _length(pattern: str) -> int:
    """How many parts a pattern has with its least repeats written out; a class of characters is one."""
    open_groups, last = [0], 0
    for part in _PART.finditer(pattern):
        opens, closes, times = part.groups()
        if opens:
            open_groups.append(0)
        elif times:
            more = last * max(int(times) - 1, 0) if len(times) < 10 else LONGEST
            last, open_groups[-1] = last + more, open_groups[-1] + more
        else:
            last = open_groups.pop() if closes and len(open_groups) > 1 else 1
            open_groups[-1] += last
    return sum(open_groups)


def translated(pattern: str) -> tuple[str, int]:
    """A pattern as `regex` knows it, and the flag that says which of its syntaxes; the same text for most."""
    out: list[str] = []
    depth, flags, opened = 0, regex.V0, False
    for token in _TOKEN.finditer(pattern):
        block, escaped, opens, subtracts, closes, _ = token.groups()
        text, first, opened = token[0], opened, False
        if block:
            text = text.replace("{Is", "{In", 1)
        elif escaped in _CLASSES:
            text = _CLASSES[escaped] if depth else f"[{_CLASSES[escaped]}]"
        elif escaped in ("I", "C") and not depth:
            text = f"[^{_CLASSES[escaped.lower()]}]"
        elif opens and not depth:
            depth, opened = 1, True
        elif subtracts:
            text, flags = (f"-{text}", regex.V1) if depth else (text, flags)
            depth, opened = depth + 1, True
        elif closes and depth and not first:
            depth -= 1
        out.append(text)
    return "".join(out), flags
