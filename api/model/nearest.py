"""The known name that a misspelt one most likely means."""

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like a misspelt one: the same in another case, similar, or one within the other; or None."""
    names = list(known)
    same = [n for n in names if n.casefold() == name.casefold()]
    if same:
        return same[0]
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.7)
    inside = [n for n in names if len(n) > 2 and (n in name or (len(name) > 2 and name in n))]
    best = close or sorted(inside, key=lambda n: abs(len(n) - len(name)))[:1]
    return next(iter(best or difflib.get_close_matches(name, names, n=1, cutoff=0.5)), None)
