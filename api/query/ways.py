"""How a word of another API is said here: the ways of `other_words.json`, filled in with what was asked.

A way is `?parameters` at the address that was asked, a path below the dataset, or (with a slash first) an address. The
first that works is taken.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from api.model import types
from api.model.descriptor import Table
from api.query import dialects
from api.query.dialects import OTHER_WORDS, Accepts, Pairs, Said, spelled
from api.query.fields import COMMA, Parameters
from api.query.parameters import LIMIT_MAX, SEPARATOR

_SORTED = re.compile(r"(?P<sign>[-+ ]?)(?P<name>.+?)(?:[\s:.|_]+(?P<way>asc|desc)(?:ending)?(?:[\s.]*nulls.*)?)?", re.I)
_CALLED = re.compile(r"(?P<way>asc|desc)\((?P<sign>)(?P<name>.+)\)", re.I)
_FUNCTION = re.compile(r"\s*(.+?)\s*[(:.\s_]\s*(.+?)\s*(?:\(\s*\))?\)?\s*")
_FUNCTIONS = {word: here for here, words in OTHER_WORDS["functions"].items() for word in words}
_FORMATS = {word: here for here, words in OTHER_WORDS["formats"].items() for word in words}
_UP = frozenset({"asc", "ascending", "up", "0", "false"})


class Address(NamedTuple):
    """What was asked: the table, the parameters that the address has beside filters, whether it has filters too, what
    it takes (a parameter with a value), what the records of the table take, and the parameters of the request.
    """

    table: Table
    known: Parameters
    filtered: bool
    accepts: Accepts
    records: Accepts
    given: Mapping[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all parameters, each filter as its field."""
        return (*(self.table.index if self.filtered else ()), *sorted(self.known))


def said(at: Address, entry: Mapping[str, Any], name: str, value: str) -> dict[str, str]:
    """The hint of an entry for a parameter (did_you_mean, hint)."""
    found = {"did_you_mean": entry["near"]} if entry.get("near") in at.known else {}
    for way in entry.get("ways", ()):
        if example := _filled(at, way, name, value):
            return found | {"hint": f"{entry['say']}: {example}"}
    return found | {"hint": entry["say"] + (", of one dataset: /v1/datasets" if entry.get("ways") else "")}


def dataset(table: Table) -> str:
    """The path of a dataset."""
    return f"/v1/datasets/{quote(table.name, safe='')}"


def _filled(at: Address, way: str, name: str, value: str) -> str | None:
    """An example of a way; None where it does not work at this address or for this table."""
    path, _, template = way.partition("?")
    below = path[:1] not in ("", "/")
    if below and not at.table.name:
        return None
    accepts = at.accepts if not path else at.records
    question = _Question(at, accepts, name, value)
    pairs: list[tuple[str, str]] = []
    for part in filter(None, template.split("&")):
        parameter, separator, text = part.partition("=")
        found = _places(question, text if separator else parameter)
        if not found:
            return None
        pairs += [(parameter, found)] if isinstance(found, str) else found
    if path in ("", "records") and not all(accepts(*pair) for pair in pairs):
        return None
    if path.endswith("{format}"):
        path = path.format(format=_FORMATS.get(value.casefold(), "csv"))
    where = f"{dataset(at.table)}/{path}" if below else path
    return "?".join(filter(None, [where, spelled(tuple(pairs))]))


class _Question(NamedTuple):
    at: Address
    accepts: Accepts
    name: str
    value: str


def _places(question: _Question, template: str) -> str | list[tuple[str, str]] | None:
    """What a placeholder stands for: a value, or parameters; text without one is itself."""
    match = re.fullmatch(r"(-?)\{(\w+)\}(.*)", template)
    if not match:
        return template
    found = _PLACES[match[2]](question)
    return match[1] + found + match[3] if isinstance(found, str) else found


def _scalar(table: Table) -> list[str]:
    return [field.name for field in table.fields if field.type not in types.STRUCTURED]


def listed(names: Iterable[str]) -> str:
    """A list of names as a parameter holds it."""
    return ",".join(name.replace(",", COMMA) for name in names)


def _field(question: _Question) -> str | None:
    """The fields that the value names, else the first."""
    known, given = _scalar(question.at.table), [part.strip() for part in question.value.split(",")]
    return listed(given if set(given) <= set(known) else known[:1]) or None


def _sortable(at: Address) -> list[str]:
    """What the answer can be sorted by."""
    if "group_by" not in at.known:
        return _scalar(at.table)
    return [part for name in ("measure", "group_by") for part in at.given.get(name, "").split(",") if part] or ["count"]


def ordered(value: str, known: Iterable[str]) -> str | None:
    """A list of sort keys as it is written here (`year desc`, `desc(year)`, `+year`); None where it names others."""
    by_letters = {name.casefold(): name for name in reversed([*known])}
    keys: list[tuple[str, bool]] = []
    for item in value.replace(COMMA, ",").split(","):
        if keys and item.strip().casefold() in ("asc", "desc"):
            keys[-1] = (keys[-1][0], item.strip().casefold() == "desc")
            continue
        match = _CALLED.fullmatch(item.strip()) or _SORTED.fullmatch(item.rstrip())
        name = by_letters.get(item.casefold()) or (by_letters.get(match["name"].casefold()) if match else None)
        if name is None or match is None:
            return None
        keys.append((name, match["sign"] == "-" or (match["way"] or "").casefold() == "desc"))
    return ",".join(("-" if down else "") + name.replace(",", COMMA) for name, down in keys)


def _sort(question: _Question) -> str | None:
    known = _sortable(question.at)
    return ordered(question.value, known) or (known and "-" + listed(known[:1])) or None


def _down(question: _Question) -> str | None:
    at, value = question.at, question.value
    known = _sortable(at)
    keys = ordered(value, known) or ordered(at.given.get("sort", ""), known) or listed(known[:1])
    up = value.casefold() in _UP or "asc" in question.name.casefold().replace("case", "")
    return keys if up or keys.startswith("-") or not keys else "-" + keys


def _count(question: _Question) -> str:
    value = question.value
    return value if value.isascii() and value.isdigit() and 1 <= int(value[:9]) <= LIMIT_MAX else "10"


def _foreign(question: _Question) -> str | None:
    keys = [key.fields[0] for key in question.at.table.foreign_keys if len(key.fields) == 1]
    return question.value if question.value in keys else next(iter(keys), None)


def measure(at: Address, text: str) -> str | None:
    """The measure that a text means (`sum(value)`, `value.sum()`, `mean:value`) and the address takes."""
    match = _FUNCTION.fullmatch(text)
    for function, field in ((match[1], match[2]), (match[2], match[1])) if match else ():
        word = function.casefold()
        for name in (word, _FUNCTIONS.get(word)):
            if name and at.accepts("measure", f"{name}:{field}"):
                return f"{name}:{field}"
    return "count" if _FUNCTIONS.get(text.split("(")[0].strip().casefold()) == "count" else None


def _measure(question: _Question) -> str:
    at, name, value = question.at, question.name, question.value
    if "measure" not in at.known:
        return "count"
    asked = at.given.get("measure", "").split(",")[0]
    return measure(at, value) or measure(at, f"{name}:{value}") or asked or "count"


def _time(question: _Question, operator: str) -> Pairs:
    """A condition on the first field of a time that can read the value, else on the first with a value of its own."""
    fields = [f for f in question.at.table.fields if f.type in ("year", "yearmonth", "date", "datetime")]
    for field in fields:
        if question.accepts(name := field.name + SEPARATOR + operator, question.value):
            return ((name, question.value),)
    return dialects.here(Said(fields[0], (operator,), question.value), question.accepts) if fields else ()


def _conditions(question: _Question, negative: bool = False) -> list[tuple[str, str]]:
    found = dialects.conditions(question.at.table, question.value, question.accepts, negative)
    operator = "ne" if negative else ""
    return [*(pair for pairs in found for pair in pairs)] or [
        *dialects.example(question.at.table, question.accepts, operator=operator)
    ]


def _alternatives(question: _Question) -> list[tuple[str, str]]:
    return alternatives(question.at.table, question.value, question.accepts) or [
        *dialects.example(question.at.table, question.accepts, operator="in")
    ]


def alternatives(table: Table, text: str, accepts: Accepts) -> list[tuple[str, str]]:
    """What `(a.eq.1,b.gt.2)` means: conditions of which any may hold; [] where that cannot be said here."""
    found = [pair for pairs in dialects.conditions(table, text, accepts) for pair in pairs]
    either = [("or", "=".join(pair)) for pair in found]
    if either and all(accepts(*pair) for pair in either):
        return either
    names, values = {name for name, _ in found}, [value for _, value in found]
    together = (f"{'/'.join(names)}{SEPARATOR}in", listed(values))
    return [together] if len(names) == 1 and accepts(*together) else []


_PLACES: Mapping[str, Callable[[_Question], Any]] = {
    "count": _count,
    "field": _field,
    "sort": _sort,
    "down": _down,
    "words": lambda question: question.value.strip() or "a",
    "foreign": _foreign,
    "measure": _measure,
    "from": lambda question: [*_time(question, "gte")],
    "to": lambda question: [*_time(question, "lte")],
    "conditions": _conditions,
    "negations": lambda question: _conditions(question, negative=True),
    "alternatives": _alternatives,
    "present": lambda question: [*dialects.example(question.at.table, question.accepts, operator="isnull")],
}
