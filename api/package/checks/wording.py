"""Reads the numbers in a phrase: "some $240 million", "89 percent", "123 mil 218", "between 5 and 10 million".

Accepts many ways to write a number, in English or Spanish; where it is ambiguous which number is meant (1.234 may be
more than a thousand or a little over one), each reading counts. A number with a scale or a percent sign
never counts as the number without it; one without a percent sign may be a share if the phrase speaks of percent.
"""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

SCALES = {
    "hundred": 100,
    **dict.fromkeys(("thousand", "thousands", "mil", "miles"), 1_000),
    **dict.fromkeys(("million", "millions", "millón", "millon", "millones"), 10**6),
    **dict.fromkeys(("billion", "billions"), 10**9),
    **dict.fromkeys(("trillion", "trillions", "billón", "billon", "billones"), 10**12),
}
ATTACHED = {"k": 1_000, "m": 10**6, "mn": 10**6, "b": 10**9, "bn": 10**9}  # only touching: 5 m may be metres
CONTINUED = ("mil", "millón", "millon", "millones")  # 123 mil 218 is one number
PERCENT = ("%", "percent", "perc", "percentage", "pct", "porciento")
PERCENT_IN_TWO = (("per", "cent"), ("por", "ciento"))
JOINERS = ("-", "–", "—", "to", "and", "or", "y", "a", "o", "e")
SPACE = " \u00a0\u2009\u202f"
GROUPED = r"\d{{1,3}}(?:(?P<group>[,.'’{space}])\d{{3}})(?:(?P=group)\d{{3}})*(?!\d)(?:[.,]\d+(?!\d))?"
TOKEN = r"(?<!\w)(?:{grouped}|\d+(?:[.,]\d+)?)|(?<![\w.,])\.\d+|[^\W\d_]+|[^\w\s]"  # nosec B105 # of a text, no secret


class Token(NamedTuple):
    text: str
    start: int
    end: int

    @property
    def is_number(self) -> bool:
        return self.text[-1].isdecimal()  # the 2 of km² is none


class Reading(NamedTuple):
    """What one number in a phrase may mean, as a factor says: a scale, a percent sign, both or neither."""

    numbers: frozenset[Decimal]
    factor: Decimal
    percent: bool
    end: int


def numbers(phrase: str, in_percent: bool = False) -> frozenset[Decimal]:
    """Every number that a phrase states; percentages as shares of one, unless `in_percent` keeps them as written."""
    return frozenset(n for space in (SPACE, "") for n in _numbers(_tokens(phrase, space), in_percent))


def _tokens(phrase: str, space: str) -> list[Token]:
    """Words, numbers (`space` may group digits) and signs; the year of FY2007 is a number, the 16 of M16 is not."""
    text = re.sub(r"\b(FY|CY)(?=\d)", r"\1 ", phrase, flags=re.IGNORECASE)
    matches = re.finditer(TOKEN.format(grouped=GROUPED.format(space=space)), text)
    return [Token(match[0].lower(), match.start(), match.end()) for match in matches]


def _numbers(tokens: list[Token], in_percent: bool) -> Iterator[Decimal]:
    position = 0
    share = not in_percent and any(_percent_end(tokens, place) for place in range(len(tokens)))
    while position < len(tokens):
        reading = _reading(tokens, position)
        if reading is None:
            position += 1
            continue
        position = reading.end
        for number in reading.numbers:
            factor = reading.factor if reading.factor != 1 else _range_factor(number, tokens, position)
            percent = reading.percent or factor < 1
            yield number * (factor * 100 if percent and in_percent else factor)
            if share and not percent:
                yield number * factor / 100


def _reading(tokens: list[Token], position: int) -> Reading | None:
    """The number that begins at a token, with its scales, its continuation after them, and a percent sign."""
    token = tokens[position]
    if token.is_number:
        candidates, after = _written(token.text), position + 1
    elif token.text == "mil":
        candidates, after = frozenset({Decimal(1)}), position
    else:
        return None
    scale, end = _scale(tokens, after)
    if tokens[end - 1].text in CONTINUED and (longer := _longer(candidates, scale, tokens, end)):
        return longer
    percent = _percent_end(tokens, end)
    factor = Decimal(scale) / (100 if percent else 1)
    return Reading(candidates, factor, percent is not None, percent or end)


def _longer(heads: frozenset[Decimal], scale: int, tokens: list[Token], end: int) -> Reading | None:
    """The number that continues after its scale: 123 mil 218, 10 mil 170 millones, 42-mil-214."""
    if tokens[end : end + 1] and tokens[end].text == "-" and tokens[end - 1].end == tokens[end].start:
        end += 1
    rest = _reading(tokens, end) if end < len(tokens) and tokens[end].is_number else None
    if rest is None or max(rest.numbers) >= scale:
        return None
    own, common = (rest.factor, Decimal(1)) if max(rest.numbers) * rest.factor < scale else (Decimal(1), rest.factor)
    whole = frozenset(a * scale + b * own for a in heads for b in rest.numbers)
    return Reading(whole, common, False, rest.end)


def _scale(tokens: list[Token], position: int) -> tuple[int, int]:
    """The product of the scale words that follow, and where they end: mil millones is a thousand million."""
    scale = 1
    for place in range(position, len(tokens)):
        token, before, after = tokens[place], tokens[max(place - 1, 0)], tokens[place + 1 : place + 2]
        if token.text == "-" and after and after[0].text in SCALES:
            continue
        touches = before.is_number and before.end == token.start
        factor = SCALES.get(token.text) or (ATTACHED.get(token.text) if touches else None)
        if factor is None:
            return scale, place
        scale *= factor
    return scale, len(tokens)


def _percent_end(tokens: list[Token], position: int) -> int | None:
    words = tuple(token.text for token in tokens[position : position + 2])
    if words[:1] == ("-",):
        return _percent_end(tokens, position + 1)
    if words in PERCENT_IN_TWO:
        return position + 2
    return position + 1 if words and words[0] in PERCENT else None


def _range_factor(number: Decimal, tokens: list[Token], position: int) -> Decimal:
    """In "5 to 10 million" or "20-30%" the first number takes the second's scale; "346 - 1 percent" is not a range."""
    if position + 1 < len(tokens) and tokens[position].text in JOINERS and tokens[position + 1].is_number:
        second = _reading(tokens, position + 1)
        if second is not None and number < max(second.numbers):
            return second.factor
    return Decimal(1)


def _written(text: str) -> frozenset[Decimal]:
    """The numbers that digits with separators may be."""
    separators = re.findall(r"\D", text)
    groups = re.split(r"\D", text)
    plain = Decimal("".join(groups))
    if not separators or separators[0] in "'’" and len(groups[-1]) == 3:  # Mexican: 1'234,567
        return frozenset({plain})
    decimal = Decimal("".join(groups[:-1]) + "." + groups[-1])
    if len(set(separators)) > 1 or len(groups[-1]) != 3 or text.startswith(("0", ".")):
        return frozenset({decimal})
    return frozenset({plain, decimal}) if separators == ["."] else frozenset({plain})
