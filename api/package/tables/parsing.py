"""Reads JSON without losing anything: numbers keep their digits, and an object that has a member twice says so.

A list is read item by item. Libraries that do so (ijson) turn half a character into a question mark without a word.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from io import TextIOBase
from typing import Any

JSON = Any
LONGEST_LINE = 64 * 2**20  # characters: a line or value without end must not fill the memory
BLOCK = 2**20  # characters
NEAR = 16  # characters: an error so near the end of what was read may be no more than a value that goes on
_SPACE = re.compile(r"\ufeff?[ \t\r\n]*")


class Number(float):
    """A number with a fraction or an exponent; `text` is how it was written."""

    text: str

    def __new__(cls, text: str) -> "Number":
        made = super().__new__(cls, text)
        made.text = str(text)
        return made


class Twice(dict[str, JSON]):
    """An object that has a member twice."""

    member: str


def _object(pairs: Sequence[tuple[str, JSON]]) -> dict[str, JSON]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    twice = Twice(found)
    names = [name for name, _ in pairs]
    twice.member = next(name for name in names if names.count(name) > 1)
    return twice


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a JSON value")


LOSSLESS: Mapping[str, Any] = {"parse_float": Number, "parse_constant": _refuse, "object_pairs_hook": _object}
_decode = json.JSONDecoder(**LOSSLESS).raw_decode


def loads(text: str) -> JSON:
    """The value of a JSON text. Raises ValueError, or RecursionError for one that is nested too deeply."""
    return json.loads(text, **LOSSLESS)


def items(text: TextIOBase, inside: str | None = None) -> Iterator[JSON]:
    """The items of the list that a JSON text is, or that its member `inside` holds.

    Raises ValueError where the text is no such list, and RecursionError for one that is nested too deeply.
    """
    reader = _Reader(text)
    if inside is None:
        if reader.sign() == "{":
            raise ValueError("it is an object, not a list: the dialect's property says which member holds the rows")
        yield from reader.items()
    else:
        yield from _member(reader, inside)
    if reader.sign():
        raise ValueError("text follows after its end")


def _member(reader: "_Reader", inside: str) -> Iterator[JSON]:
    """The items of one member of an object, which is read to its end."""
    found = False
    reader.take("{")
    while reader.sign() != "}":
        name = reader.value()
        reader.take(":")
        if name != inside:
            reader.value()
        elif found or reader.sign() != "[":
            raise ValueError(f'the property "{inside}" ' + ("is there twice" if found else "is not a list"))
        else:
            found = True
            yield from reader.items()
        if reader.sign() != "}":
            reader.take(",")
    reader.take("}")
    if not found:
        raise ValueError(f'it has no property "{inside}"')


class _Reader:
    """A JSON text of which only the value under way is in memory."""

    def __init__(self, text: TextIOBase) -> None:
        self.text, self.buffer, self.place = text, "", 0

    def items(self) -> Iterator[JSON]:
        self.take("[")
        if self.sign() != "]":
            yield self.value()
            while self.sign() != "]":
                self.take(",")
                yield self.value()
        self.take("]")

    def sign(self) -> str:
        """The next character that is no white space, nor a byte order mark; empty at the end."""
        while True:
            match = _SPACE.match(self.buffer, self.place)
            self.place = match.end() if match else self.place
            if self.place < len(self.buffer):
                return self.buffer[self.place]
            if not self._more():
                return ""

    def take(self, wanted: str) -> None:
        """Go past a character. Raises ValueError where another one stands."""
        found = self.sign()
        if found != wanted:
            raise ValueError(f'"{wanted}" is missing before ' + (f'"{found}"' if found else "its end"))
        self.place += 1

    def value(self) -> JSON:
        self.sign()
        while True:
            try:
                value, end = _decode(self.buffer, self.place)
            except json.JSONDecodeError as error:
                goes_on = error.msg.startswith("Unterminated") or error.pos > len(self.buffer) - NEAR
                if goes_on and self._more():
                    continue
                raise ValueError(error.msg[0].lower() + error.msg[1:]) from None
            if end <= len(self.buffer) - NEAR or not self._more():  # a number may go on
                self.place = end
                return value

    def _more(self) -> bool:
        """Read on, twice as much each time a value is longer than what was read; False at the end.

        Raises ValueError for a value that would fill the memory.
        """
        if len(self.buffer) - self.place > LONGEST_LINE:
            raise ValueError(f"a value has more than {LONGEST_LINE:,} characters")
        block = self.text.read(max(BLOCK, len(self.buffer) - self.place))
        if block:
            self.buffer, self.place = self.buffer[self.place :] + block, 0
        return bool(block)
