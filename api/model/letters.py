"""Letters of other scripts that look like Latin ones: a code with one of them is another code that nobody can tell."""

import re

_CYRILLIC = ("АВЕКМНОРСТХІЅЈҮаеорсухіѕјһԁԛԝ", "ABEKMHOPCTXISJYaeopcyxisjhdqw")
_GREEK = ("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧο", "ABEZHIKMNOPTYXo")
_FULL_WIDTH = ("".join(chr(0xFEE0 + code) for code in range(0x21, 0x7F)), "".join(map(chr, range(0x21, 0x7F))))
_LATIN = str.maketrans(*("".join(parts) for parts in zip(_CYRILLIC, _GREEK, _FULL_WIDTH, strict=True)))
_LATIN_LETTER = re.compile("[A-Za-z]")
_WORD = re.compile(r"\w+")


def latin(text: str) -> str:
    """A text in which words that mix scripts are all Latin, where each foreign letter looks like a Latin one."""
    return text if text.isascii() else _WORD.sub(_word, text)


def _word(match: re.Match[str]) -> str:
    word = match[0]
    return word.translate(_LATIN) if _LATIN_LETTER.search(word) else word
