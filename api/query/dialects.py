"""Conditions as other APIs write them (`year[gte]=2007`, `year=gte.2007`, `min_year`, `year__like`) → as they are here.

What is suggested was tried: `Accepts` says whether the address that was asked takes a parameter with a value.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from api.model import types
from api.model.descriptor import Field, Table
from api.query.fields import COMMA, OPERATORS, operators
from api.query.parameters import SEPARATOR

OTHER_WORDS: Mapping[str, Any] = json.loads(Path(__file__).with_name("other_words.json").read_text("utf-8"))
Accepts = Callable[[str, str], bool]
Pairs = tuple[tuple[str, str], ...]

# By the word of another API: the operators here that may say it, likeliest first; with `=`, also the value.
_ALIASES = {word: tuple(here) for here, words in OTHER_WORDS["operators"] for word in words}
_OPPOSITE = {"eq": "ne", "gt": "lte", "gte": "lt", "lt": "gte", "lte": "gt", "in": "not_in", "contains": "not_contains"}
_OPPOSITE |= {"isnull=true": "isnull=false", "isnull=false": "isnull=true"}
_NULLS = frozenset({"", "null", "none", "nil", "na", "n/a", "nan", "undefined"})
_WORD = "|".join(re.escape(word) for word in sorted(_ALIASES, key=len, reverse=True))
_OPERATOR = rf"(?P<not>not[._ ]+)?(?P<op>{_WORD})(?:(?<=\W)|(?![^\W_]))"
_AFTER_FIELD = re.compile(
    rf"""(?P<by>[\s\]\["'(:.,_|=$]*(?:-(?=[^\W\d]))?)(?:{_OPERATOR})?(?P<to>[\s\]\["'()_.:,|=]*)(?P<value>.*)""",
    re.IGNORECASE | re.DOTALL,
)
_BEFORE_FIELD = re.compile(rf"{_OPERATOR}[_\-.\[(: ]+", re.IGNORECASE)
_WRAPPED = re.compile(r"""(?:filters?|where|query|refine|q)[\[({.:_"'\s]+|[\s"'({\[]+""", re.IGNORECASE)
_RANGE = re.compile(r"(\S+?)(?:\s+TO\s+|\.\.\.?|\s*[:;~–]\s*|\s+-\s+|(?<=\d)-(?=\d))(\S+)", re.IGNORECASE)
# Values of which each type can read one.
_EXAMPLES = (
    *("a", "2007", "2007-10-01", "2007-03", "13:30:00", "2007-10-01T13:30:00Z", "P1Y", "true", "[]", "{}"),
    "-99.13,19.43",
)


class Said(NamedTuple):
    """A condition that another API's words mean: the field, the operators here that may say it, and the value."""

    field: Field
    operators: tuple[str, ...]
    value: str


def named(table: Table, name: str, value: str) -> Said | None:
    """The condition that a parameter with an operator in its name means: `year[gte]`, `min_year`, `year>`."""
    said = _said(table, name)
    if said is None:
        return None
    field, operator, by, residue, symbol = said
    if residue and not (symbol and not value):  # `year>2005` has no equals sign, so that all of it is the name
        return None
    if symbol and not residue:  # the equals sign of `year>=2005` parts the name from the value
        operator = operator + "=" if operator + "=" in _ALIASES else operator
    return Said(field, _meant(operator, by), residue or value)


def written(table: Table, text: str) -> Said | None:
    """The condition that a text means: `year eq 2007`, `year=gte.2007`, `year>=2007`, `"year": 2007`."""
    said = _said(table, text)
    if said is None or not (said.operator or set(said.by) & set("=:,")):
        return None
    return Said(said.field, _meant(said.operator, said.by), said.residue)


class _Parts(NamedTuple):
    field: Field
    operator: str
    by: str
    residue: str
    symbol: bool


def _said(table: Table, text: str) -> _Parts | None:
    """A field, with an operator before or behind it, and what follows. The longest field name that fits is meant."""
    wrapped, before = _WRAPPED.match(text), _BEFORE_FIELD.match(text)
    starts = [(0, None), *([(wrapped.end(), None)] if wrapped else []), *([(before.end(), before)] if before else [])]
    for start, prefix in starts:
        field = _beginning(table, text[start:])
        if field is None:
            continue
        match = _AFTER_FIELD.match(text, start + len(field.name))
        assert match is not None  # every part of the pattern may be empty
        found = prefix or match
        operator = (found["op"] or "").lower()
        residue = match["value"].strip(" ()[]{}\"'")
        by = ("not" if found["not"] else "") + match["by"] + match["to"]
        return _Parts(field, operator, by, residue, bool(operator) and not operator[0].isalnum())
    return None


def _beginning(table: Table, text: str) -> Field | None:
    """The field that a text begins with, in any case, if no letter or digit follows."""
    folded, best = text.casefold(), ""
    for name in table.index:
        end = len(name)
        if end > len(best) and folded.startswith(name.casefold()) and not text[end : end + 1].isalnum():
            best = name
    return table.field(best) if best else None


def _meant(operator: str, by: str) -> tuple[str, ...]:
    every = _ALIASES.get(operator, ("eq",))
    return tuple(_OPPOSITE.get(one, one) for one in every) if by.startswith("not") else every


def here(said: Said, accepts: Accepts) -> Pairs:
    """A condition as it is written here, the value as it was if the field can read it; () where it cannot be said."""
    field, every, value = said
    for name, text in _forms(field, every, value):
        if accepts(name, text):
            return ((name, text),)
    for operator in every:
        if example := example_of(field, operator.partition("=")[0], accepts):
            return (example,)
    return ()


def _forms(field: Field, every: Sequence[str], value: str) -> Iterable[tuple[str, str]]:
    for operator in every:
        name, _, fixed = operator.partition("=")
        text = fixed or value
        if name in ("contains", "not_contains", "startswith", "endswith"):
            text = text.strip("%*.^$")
        if name == "eq":
            yield field.name, text
        yield field.name + SEPARATOR + name, text
    if every[0] not in ("eq", "ne", "in", "not_in"):
        return
    negative = every[0] in ("ne", "not_in")
    if value.casefold() in _NULLS:
        yield f"{field.name}{SEPARATOR}isnull", "false" if negative else "true"
    if "," in value:
        yield f"{field.name}{SEPARATOR}{'not_in' if negative else 'in'}", value
    if every[0] == "eq" and (span := _RANGE.fullmatch(value)):
        yield f"{field.name}{SEPARATOR}between", f"{span[1]},{span[2]}"
    if every[0] == "eq" and re.fullmatch("[0-9]{4}", value):
        yield f"{field.name}{SEPARATOR}between", f"{value}-01-01,{value}-12-31"


def example_of(field: Field, operator: str, accepts: Accepts) -> tuple[str, str] | None:
    """A condition on a field with that operator which the address takes; None where the field has no such operator."""
    if operator not in {one.name for one in operators(field)}:
        return None
    enum = [str(value) for value in field.constraints.get("enum", ())[:1]]
    for value in (*enum, *_EXAMPLES):
        for name in (*([field.name] if operator == "eq" else []), field.name + SEPARATOR + operator):
            for text in (value, f"{value},{value}"):
                if accepts(name, text):
                    return name, text
    return None


def example(table: Table, accepts: Accepts, of_types: Iterable[str] = (), operator: str = "") -> Pairs:
    """A condition on a field of these types (else on any, first on one that can be counted); () where there is none."""
    likely = [field for field in table.fields if field.type in (of_types or ("year", *types.NUMERIC, "date"))]
    for field in likely or ([] if of_types else table.fields):
        for name in (operator,) if operator else ("gte", "eq"):
            if found := example_of(field, name, accepts):
                return (found,)
    return ()


def conditions(table: Table, text: str, accepts: Accepts, negative: bool = False) -> list[Pairs]:
    """The conditions in a text of several (`a eq 1 and b gt 2`, `(a.eq.1,b.in.(2,3))`), each as it is written here."""
    found = []
    text = text[1:-1] if text.startswith("(") and text.endswith(")") else text
    for part in re.split(r"\s+(?:and|or)\s+|;|&&?|\|\||,(?![^(]*\))(?=[\s\"']*[^\W\d])", text, flags=re.IGNORECASE):
        said = written(table, part)
        if said is not None:
            if negative:
                said = said._replace(operators=tuple(_OPPOSITE.get(one, one) for one in said.operators))
            found.append(here(said, accepts))
    return [pairs for pairs in found if pairs]


@lru_cache(maxsize=256)
def applies_to(operator: str) -> str:
    """What an operator is for, in words: those of `types` where they are few."""
    words = {"string": "text", "any": "text", "list": "lists"}
    of = OPERATORS[operator].types
    return " and ".join(sorted({words[one] for one in of}, reverse=True)) if of <= words.keys() else "what has an order"


def spelled(pairs: Pairs) -> str:
    """Parameters as a part of an address; COMMA is a comma within a value of a list."""
    return "&".join(f"{quote(name, safe='')}={_escaped(value)}" for name, value in pairs)


def _escaped(value: str) -> str:
    return "%2C".join(quote(part, safe=",:-._~=") for part in value.split(COMMA))
