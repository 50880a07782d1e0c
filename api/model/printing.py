"""Text that a terminal may be given: what a file holds must not move the cursor, clear the screen or hide a word."""

import json

AS_IT_IS = "\n\t"
DELETE = "\x7f"


def printable(text: str, kept: str = "") -> str:
    """A text in which each character that cannot be seen, except those `kept`, is written as in JSON: \\u001b."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in kept else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return r"\u007f" if character == DELETE else json.dumps(character)[1:-1]
