"""Decimal numbers: stored so that they compare as numbers do, and written as JSON with every digit."""

import math
import re
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, ROUND_CEILING, ROUND_FLOOR, Context, Decimal

INT64 = 2**63
ORDERS = ("lt", "lte", "gt", "gte")
_PLAIN_NUMBER = re.compile(r"(?!-0$)-?(0|[1-9][0-9]*)(\.[0-9]*[1-9])?").fullmatch
_WIDE = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)  # the default context rounds to 28 digits
# Around what `sortable` makes of numbers: -INF < numbers < INF < NaN.
ENDLESS = {"-Infinity": "/", "Infinity": "3", "NaN": "4"}
_ENDS = {text: name for name, text in ENDLESS.items()}
_COMPLEMENT = str.maketrans("0123456789", "9876543210")


def sortable(number: Decimal) -> str:
    """Text that sorts as the number does: for numbers that neither a 64-bit integer nor a double holds exactly, NaN and
    infinity among them.

    Sign, exponent and digits, each in fixed width; the complement for negative numbers.
    """
    if not number.is_finite():
        return ENDLESS[str(number)]
    if number == 0:
        return "1"
    sign, digits, _ = _WIDE.normalize(number).as_tuple()
    body = f"{number.adjusted() + 500_000:06d}" + "".join(map(str, digits))
    return "2" + body if not sign else "0" + body.translate(_COMPLEMENT) + "~"


def unsorted(text: str) -> Decimal:
    """The number that `sortable` turned into text."""
    if text in _ENDS:
        return Decimal(_ENDS[text])
    if text == "1":
        return Decimal(0)
    body = text[1:] if text[0] == "2" else text[1:-1].translate(_COMPLEMENT)
    digits = body[6:]
    exponent = int(body[:6]) - 500_000 - len(digits) + 1
    return Decimal((int(text[0] == "0"), tuple(map(int, digits)), exponent))


def to_json(number: Decimal) -> str:
    """A decimal as a JSON number, every digit kept, without trailing zeros; null for NaN and infinity."""
    text = str(number)
    if _PLAIN_NUMBER(text):
        return text
    if not number.is_finite():
        return "null"
    if number == number.to_integral_value() and number.adjusted() < 30:
        return f"{number:.0f}" if number else "0"
    shortest = _WIDE.normalize(number)
    return f"{shortest:f}" if -12 < shortest.adjusted() < 400 else str(shortest)


def stored(number: Decimal) -> int | float | None:
    """A decimal as SQLite compares it: a 64-bit integer where it is one, else the nearest double.

    None for NaN and infinity: a column that has them holds what `sortable` makes.
    """
    if not number.is_finite():
        return None
    if number.adjusted() < 19 and number == number.to_integral_value():
        whole = int(number)
        if -INT64 <= whole < INT64:
            return whole
    return float(number)


def double(text: str) -> float:
    """The nearest double of a JSON number. Raises ValueError where that is infinite."""
    nearest = float(text)
    if not math.isfinite(nearest):
        raise ValueError(f"{text} is too large")
    return nearest


def is_exact(number: Decimal) -> bool:
    """Whether stored keeps the number as it is."""
    value = stored(number)
    if value is None:
        return False
    return isinstance(value, int) or (math.isfinite(value) and Decimal(repr(value)) == number)


def compared(number: Decimal, operator: str, whole: bool) -> int | float:
    """The value that stored numbers (`whole`: 64-bit integers, else doubles) are compared with in place of a number.

    A double is the shortest decimal that is read as it. A number that cannot be stored equals none that is; for an
    order, its nearest neighbour on the right side that can be takes its place, infinity where there is none.
    """
    if not number.is_finite():
        return -math.inf if operator in ORDERS and number.is_signed() else math.inf
    up, ordered = operator in ("lt", "gte"), operator in ORDERS
    if whole:
        near = number.to_integral_value(ROUND_CEILING if up else ROUND_FLOOR)
        if (ordered or near == number) and -INT64 <= near < INT64:
            return int(near)
        return math.copysign(math.inf, number) if ordered else math.inf
    nearest = float(number)
    if math.isfinite(nearest) and Decimal(repr(nearest)) == number:
        return nearest
    if not ordered:
        return math.inf
    if not math.isfinite(nearest) or (Decimal(repr(nearest)) < number) == up:
        nearest = math.nextafter(nearest, math.inf if up else -math.inf)
    return nearest
