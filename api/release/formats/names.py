"""Names as a format allows them: unique without regard to case, not too long, free of what it forbids."""

from collections.abc import Iterable, Sequence


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
    """Names of our own that must not collide with those of the package: underscores are put before them until they do
    not.
    """
    used = {name.casefold() for name in taken}
    chosen = []
    for name in wanted:
        while name.casefold() in used:
            name = "_" + name
        chosen.append(name)
    return chosen
