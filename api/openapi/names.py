"""Names that generators of clients can use: plain, and unique whatever these do with case and punctuation."""

import json
import re
from collections.abc import Iterable, Mapping
from itertools import chain, count
from typing import Any, NamedTuple
from unicodedata import normalize

from apispec import APISpec

from api.model.descriptor import Package, Table


def plain(text: str, otherwise: str) -> str:
    """A text as ASCII letters, digits and underscores; `otherwise` stands before one that begins with no letter."""
    words = re.findall("[A-Za-z0-9]+", normalize("NFKD", text).encode("ascii", "ignore").decode())
    name = "_".join(words)
    return name if name[:1].isalpha() else "_".join([otherwise, *words])


def key(name: str) -> str:
    """What is left of a name in any generator."""
    return re.sub("[^a-z0-9]", "", name.lower())


def unique(wanted: Iterable[str], taken: set[str]) -> str:
    """The first of these names that is not taken, else the last with a number; its key is added to `taken`."""
    wanted = [*wanted]
    name = next(one for one in chain(wanted, (f"{wanted[-1]}_{n}" for n in count(2))) if key(one) not in taken)
    taken.add(key(name))
    return name


def slugs(tables: Iterable[Table]) -> dict[str, str]:
    """A plain name for each table."""
    taken: set[str] = set()
    return {table.name: unique([plain(table.name, "table")], taken) for table in tables}


class Draft(NamedTuple):
    """A document that is being made: names of its tables, the keys of its components' names, and these by content."""

    spec: APISpec
    package: Package
    slugs: Mapping[str, str]
    taken: dict[str, set[str]]
    known: dict[str, str]

    def component(self, kind: str, wanted: Iterable[str], entry: Mapping[str, Any]) -> str:
        """The name of the component (a schema, response or parameter) with that content, added where it is new."""
        content = f"{kind} {json.dumps(entry, sort_keys=True)}"
        if content not in self.known:
            name = self.known[content] = unique(wanted, self.taken.setdefault(kind, set()))
            add = getattr(self.spec.components, kind)
            add(name, entry["in"], dict(entry)) if kind == "parameter" else add(name, dict(entry))
        return self.known[content]
