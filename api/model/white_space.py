"""White space that nobody sees in a cell that is compared, as keys and codes are: two texts that look alike are one."""

import re

# Characters without a width. The joiners are part of words in scripts beyond Latin (Persian, Hindi) and of emoji.
_INVISIBLE = re.compile(
    "[\u00ad\u200b\u200e\u200f\u2060\ufeff]|(?<![^\u0000-\u024f])[\u200c\u200d]|[\u200c\u200d](?![^\u0000-\u024f])"
)


def cleaned(text: str) -> str:
    """A text without invisible characters and without white space at its ends, and with one space where there was any.

    White space is what Unicode calls so: no-break spaces, tabs and line ends too.
    """
    return " ".join(_INVISIBLE.sub("", text).split())
