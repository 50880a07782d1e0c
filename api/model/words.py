"""The words of a descriptor: what people and catalogues read, and what no row depends on.

The members are those of https://datapackage.org/standard/data-package/ and …/data-resource/ . One of another shape
stays in the descriptor as it is published, and is left out of what the rest of the program reads.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from api.model import dates

JSON = Any
TEXTS_OF_ENTRIES = ("name", "title", "path", "email", "role", "organization", "givenName", "familyName", "version")


class Shape(NamedTuple):
    """What a member has to be: in words, and what of a value may be relied on (None: nothing)."""

    expected: str
    kept: Callable[[JSON], JSON]


def _text(value: JSON) -> JSON:
    return value if isinstance(value, str) else None


def _texts(value: JSON) -> JSON:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else None


def _entries(value: JSON) -> JSON:
    return [item for item in value if _is_entry(item)] if isinstance(value, list) else None


def _is_entry(item: JSON) -> bool:
    if not isinstance(item, Mapping) or not all(isinstance(item.get(key, ""), str) for key in TEXTS_OF_ENTRIES):
        return False
    roles = item.get("roles", [])
    return isinstance(roles, list) and all(isinstance(role, str) for role in roles)


def _moment(value: JSON) -> JSON:
    return value if isinstance(value, str) and dates.moment(value) else None


def _address(value: JSON) -> JSON:
    return value if isinstance(value, str) and value.startswith(("http://", "https://")) else None


TEXT, TEXTS, ENTRIES = Shape("a text", _text), Shape("a list of texts", _texts), Shape("a list of objects", _entries)
MEMBERS: Mapping[str, Shape] = {
    **dict.fromkeys(("id", "name", "title", "description", "version", "image"), TEXT),
    **dict.fromkeys(("keywords", "languages"), TEXTS),
    **dict.fromkeys(("licenses", "sources", "contributors"), ENTRIES),
    "created": Shape("a time such as 2026-11-24T09:30:00Z", _moment),
    "homepage": Shape("a web address", _address),
}


def odd(part: Mapping[str, JSON]) -> Iterator[tuple[str, JSON, str]]:
    """The members of a package, resource or field that are not as the standard has them: name, value, expected."""
    for name, shape in MEMBERS.items():
        if name in part and shape.kept(part[name]) != part[name]:
            yield name, part[name], shape.expected


def sound(part: Mapping[str, JSON]) -> dict[str, JSON]:
    """A package, resource or field without what is odd in its words: other members, and other items of a list, stay."""
    kept = dict(part)
    for name, value, _ in odd(part):
        kept[name] = MEMBERS[name].kept(value)
        if kept[name] is None:
            del kept[name]
    return kept
