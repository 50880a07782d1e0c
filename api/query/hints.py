"""What a refused parameter most likely meant, and how that is asked here: by the word's meaning, then by its letters.

A hint is a sentence that ends in an example where there is one: what stands behind `: ` is either parameters to write
in place of the refused one, or (with a slash first) another address. Without an example it is to be left out.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from api.model.nearest import nearest
from api.query import dialects, parameters, ways
from api.query.dialects import OTHER_WORDS, Pairs, spelled
from api.query.fields import COMMA, OPERATORS, Separated, operators
from api.query.parameters import OR, SEPARATOR, resolve
from api.query.ways import Address

LISTED = 12  # names that a hint lists
Hint = dict[str, str]  # members of an entry of a problem's `errors`: did_you_mean, hint, and reason where it is another
_LENGTH = re.compile("Length must be between ([0-9]+) and ([0-9]+)")
_NOT_USABLE = "is not a field that can be used here"
_SIGNS = re.compile(r"[\[\]<>=!~]|^[$_]")  # of an operator, or of another API
_NEGATIVE = re.compile("n[eo]|!|.*not")
_EVERYTHING = frozenset({"", "*", "all", "_all", "**"})


# Names


def unknown(at: Address, name: str) -> Hint:
    """What a parameter that the address does not have most likely meant."""
    value = at.given.get(name, "")
    if not _SIGNS.search(name) and (same := _same(name, at.names)):
        return {"did_you_mean": same}
    if at.filtered and (found := _operator(at, name, value)):
        return found
    if not at.filtered and (meant := resolve(at.table, name)):
        pair = (name, value) if at.records(name, value) else dialects.example_of(meant[0], meant[1].name, at.records)
        rows = f"{ways.dataset(at.table)}/records"
        return {"hint": f"filters are for the list of rows: {rows}{f'?{spelled((pair,))}' if pair else ''}"}
    word = _words().get(_letters(name)) or _words().get(_letters(name.partition("[")[0]))
    if not name:
        return {"hint": _have(at)}
    if word is not None or name.casefold().startswith("utm_") or not _letters(name):
        return ways.said(at, word or _words()["utmsource"], name, value)
    return _by_letters(at, name) or {"hint": _have(at)}


def _letters(name: str) -> str:
    """A name without case, spaces and signs: `pageSize`, `page_size` and `$page[size]` are one word."""
    return "".join(c for c in name.casefold() if c.isalnum())


@lru_cache(maxsize=1)
def _words() -> Mapping[str, Mapping[str, Any]]:
    """What each word of other APIs means, by its letters."""
    return {_letters(word): entry for entry in OTHER_WORDS["words"] for word in entry["words"]}


def _same(name: str, known: Iterable[str]) -> str | None:
    """The known name with the same letters; where an operator follows, in another case."""
    known, letters = tuple(known), _letters(name)
    same = [one for one in known if letters and _letters(one) == letters]
    if same:
        return same[0]
    head, separator, last = name.rpartition(SEPARATOR)
    same = [one for one in known if one.casefold() == head.casefold()]
    found = same[0] + separator + last.lower() if separator and same and last.lower() in OPERATORS else name
    return found if found != name else None


def _operator(at: Address, name: str, value: str) -> Hint | None:
    """What a name with an operator meant: one of other APIs, one that the field's type has not, or one misspelt."""
    dotted = name.replace(SEPARATOR, ".", 1)
    if dotted != name and at.accepts(dotted, value):
        return {"did_you_mean": dotted, "hint": f"a dot leads through a foreign key: {spelled(((dotted, value),))}"}
    said = dialects.named(at.table, name, value)
    head, separator, last = name.rpartition(SEPARATOR)
    if said is None and not (separator and head in at.table.index):
        return None
    asked = last if last in OPERATORS or said is None else said.operators[0].partition("=")[0]
    lacking = {"reason": f"{asked} is for {dialects.applies_to(asked)}"} if asked in OPERATORS else {}
    if said is not None and (pairs := dialects.here(said, at.accepts)):
        return _written(pairs) | (lacking if asked == last and head in at.table.index else {})
    field = said.field if said else at.table.field(head)
    has = [one.name for one in operators(field)]
    if asked not in OPERATORS:
        near = nearest(last, [one for one in has if bool(_NEGATIVE.match(one)) == bool(_NEGATIVE.match(last))])
        if near:
            return {"did_you_mean": field.name + SEPARATOR + near}
    every = (dialects.example_of(field, operator, at.accepts) for operator in ("contains", "gte", "eq"))
    example = next(filter(None, every), None)
    return lacking | {"hint": f"{field.name} has {', '.join(has)}" + (f": {spelled((example,))}" if example else "")}


def _written(pairs: Pairs) -> Hint:
    words = "an operator is part of the name" if SEPARATOR in pairs[0][0] else "a filter is a field and its value"
    return {"did_you_mean": pairs[0][0], "hint": f"{words}: {spelled(pairs)}"}


def _by_letters(at: Address, name: str) -> Hint:
    """The parameter with the most similar name; an operator is kept."""
    head, separator, last = name.rpartition(SEPARATOR)
    if at.filtered and separator and last in OPERATORS:
        near = nearest(head, at.table.index) if head else None
        kept = f"{near}{SEPARATOR}{last}"
        return {"did_you_mean": kept} if near and resolve(at.table, kept) else {}
    near = nearest(name, at.names)
    return {"did_you_mean": near} if near else {}


def _have(at: Address) -> str:
    """What parameters the address has."""
    if not at.names:
        return "no parameter is read here, leave it out"
    listed = ", ".join(sorted(at.known)) or "no others"
    example = dialects.example(at.table, at.accepts) if at.filtered else ()
    return f"there are {listed}" + (f", and filters: {spelled(example)}" if example else "")


# Values


def reason(name: str, said: str) -> str:
    """Why a value was refused, in words that name what was expected."""
    known = OTHER_WORDS["values"].get(name)
    if known and (said.startswith(("expected a whole", "expected 1 to")) or _LENGTH.search(said)):
        return str(known["reason"]).format(limit_max=parameters.LIMIT_MAX, text_max=parameters.TEXT_MAX)
    return _LENGTH.sub(r"expected \1 to \2 characters", said)


def wrong(at: Address, name: str, said: str, near: str | None) -> Hint:
    """What a value that was refused with these words most likely meant."""
    value, field = at.given.get(name, ""), at.known.get(name)
    if isinstance(field, Separated):
        return _listed(at, name, field, value, said)
    if field is not None:
        known = OTHER_WORDS["values"].get(name, {})
        return ways.said(at, known, name, value) if "say" in known else {}
    found = resolve(at.table, name)
    if found is None or found[1].name != "eq":
        return {}
    if not value:
        nulls = ((f"{found[0].name}{SEPARATOR}isnull", "true"),)
        return {"hint": f"left out it stands for any value, and what has none is found so: {spelled(nulls)}"}
    meant = dialects.written(at.table, f"{found[0].name}={value}")
    pairs = dialects.here(meant, at.accepts) if meant else ()
    if not pairs or (near is not None and pairs[0][0] == name):
        return {}
    if pairs[0][0] == name:
        return {"hint": f"a value of {found[0].name} is written so: {spelled(pairs)}"}
    return _written(pairs)


def no_condition(at: Address, parameter: str, text: str) -> Hint:
    """What a text meant that should be a condition: `(a.eq.1,b.gt.2)`, `year > 2005`."""
    if parameter == OR:
        pairs = ways.alternatives(at.table, text, at.accepts)
    else:
        pairs = [pair for meant in dialects.conditions(at.table, text, at.accepts) for pair in meant]
    pairs = pairs or [(parameter, "=".join(pair)) for pair in dialects.example(at.table, at.accepts)]
    return {"hint": f"one condition is written so, and the parameter repeated for more: {spelled(tuple(pairs))}"}


def _listed(at: Address, name: str, field: Separated, value: str, said: str) -> Hint:
    """What a list of names meant."""
    if name == "measure":
        meant = ways.measure(at, value)
        near = {"did_you_mean": meant} if meant else {}
        return near | {"hint": f"a measure is count, or a function and a field: {spelled(((name, meant or 'count'),))}"}
    if field.signed and (meant := ways.ordered(value, field.known or ())) and at.accepts(name, meant):
        as_text = meant.replace(COMMA, "%2C")
        return {"did_you_mean": as_text, "hint": f"a minus sign is for downwards: {spelled(((name, meant),))}"}
    if not said.endswith(_NOT_USABLE):
        return {}
    if name == "fields" and value in _EVERYTHING:
        return {"hint": "a row has all fields where fields is not given, leave it out"}
    if not field.known:
        return {"hint": "this table has none, leave it out"}
    example = spelled(((name, ways.listed(field.known[:1])),))
    return {"hint": f"usable here are {_several(field.known)}: {example}"}


def _several(names: Iterable[str]) -> str:
    first, *rest = [*names][: LISTED + 1]
    return ", ".join([first, *rest[: LISTED - 1], *(["…"] if len(rest) == LISTED else [])])
