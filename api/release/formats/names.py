"""Names as a format allows them: unique without regard to case, not too long, free of what it forbids."""

from collections.abc import Iterable, Sequence
from itertools import count


def unique(names: Iterable[str], longest: int = 1_000, taken: Iterable[str] = (), mark: str = "_{}") -> list[str]:
    """The names, cut to a length and numbered from the second on where they are equal but for case."""
    used = {name.casefold() for name in taken}
    chosen = []
    for name in names:
        candidate = name[:longest]
        number = 1
        while candidate.casefold() in used:
            number += 1
            tail = mark.format(number)
            candidate = name[: longest - len(tail)] + tail
        used.add(candidate.casefold())
        chosen.append(candidate)
    return chosen


def reserved(wanted: Sequence[str], taken: Iterable[str]) -> list[str]:
    """Names of our own, with underscores before those that a package has too."""
    used = {name.casefold() for name in taken}
    return [next(own for own in ("_" * n + name for n in count()) if own.casefold() not in used) for name in wanted]
