"""The headers of tables: where they stand, in one part or several, and the names that they give to columns."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, TypeVar

from api.model.findings import Finding
from api.package.tables.base import BadTable, Given, Record

Row = tuple[int, Sequence[str]]  # the line where it begins, and its cells
AnyRow = TypeVar("AnyRow", bound=tuple[Any, ...])  # begins as a Row does, with cells of any type
Joined = Callable[[Given, Sequence[Sequence[Any]]], Sequence[str]]  # one label for each column, of rows of a header
_NUMBER = re.compile(r"[-+]?[0-9]+([.,][0-9]+)?").fullmatch


def joined(given: Given, rows: Sequence[Sequence[str]]) -> Sequence[str]:
    """One label for each column: a row of the header that is shorter than the last goes on with its last label."""
    *above, last = rows
    if not above:
        return last
    join, width = str(given.dialect.get("headerJoin", " ")), max(map(len, rows))
    filled = [[*cells, *[cells[-1] if cells else ""] * (width - len(cells))] for cells in above]
    filled.append([*last, *[""] * (width - len(last))])
    return [join.join(part for part in parts if part) for parts in zip(*filled, strict=True)]


def first(
    given: Given, rows: Iterator[AnyRow], path: str, joined: Joined = joined
) -> tuple[int, Sequence[str] | None, Iterator[AnyRow]]:
    """The line and the labels of the header of the first part, and the rows after it; no labels of an empty part.

    Raises BadTable where the lines that the dialect names are no header.
    """
    if not rows_of(given):
        first = next(rows, None)
        if first is None:
            return 0, given.names, rows
        return 0, given.names or [f"field{number}" for number in range(1, len(first[1]) + 1)], chain([first], rows)
    found, rows = _lines_of_header(given, rows, path)
    if not found:
        return 0, None, rows
    return found[0][0], joined(given, [row[1] for row in found]), rows


def after(
    given: Given, rows: Iterator[AnyRow], labels: Sequence[str], path: str, joined: Joined = joined
) -> Iterator[AnyRow]:
    """The rows of a later part, without the header if it repeats it. Raises BadTable for a header that is another."""
    wanted = rows_of(given)
    found, rows = _lines_of_header(given, rows, path) if wanted else ([], rows)
    if not found:
        return rows
    cells = joined(given, [row[1] for row in found])
    own, first = ([cell.strip().casefold() for cell in some] for some in (cells, labels))
    alike = sum(cell == label for cell, label in zip(own, first, strict=False))
    line = found[0][0]
    place = (path, given.name, line)
    words: dict[str, Any] = {"value": ",".join(cells), "expected": ",".join(labels)}
    # Where lines above a header are left out, a part without one would lose rows.
    above = wanted != [1] or any(number < line for number in given.dialect.get("commentRows") or ())
    if own != first and (above or sorted(own) == sorted(first) or alike * 2 >= len(first)):
        raise BadTable(Finding("header", f"the header is not the one of {given.paths[0]}", *place, **words))
    if own != first and alike:
        message = "the first row is taken for data, although a cell of it stands in the header too"
        given.warn(Finding("header", message, *place, **words, level="warning"))
    elif own == first and list(cells) != list(labels):
        message = f"the header is written otherwise than in {given.paths[0]}"
        given.warn(Finding("header", message, *place, **words, level="warning"))
    return rows if own == first else chain(found, rows)


def rows_of(given: Given) -> list[int]:
    return [] if given.dialect.get("header") is False else list(given.dialect.get("headerRows") or [1])


def _lines_of_header(given: Given, rows: Iterator[AnyRow], path: str) -> tuple[list[AnyRow], Iterator[AnyRow]]:
    """The rows of the header, and those after it: the first row, or those at the lines that a dialect names.

    Rows above them are no data. Raises BadTable where there are rows and none in those lines.
    """
    wanted = rows_of(given)
    if wanted == [1]:
        return list(islice(rows, 1)), rows
    found: list[AnyRow] = []
    row = None
    for row in rows:
        if row[0] in wanted:
            found.append(row)
        if row[0] > max(wanted):
            rows = chain([row], rows)
        if row[0] >= max(wanted):
            break
    if row is not None and not found:
        message, expected = "the header is not where the dialect says", f"labels in the rows {wanted}"
        raise BadTable(Finding("header", message, path, given.name, row[0], expected=expected))
    return found, rows


# Names


def are_names(labels: Sequence[str]) -> bool:
    """Whether the labels of a header can be the names of columns as they are, and are no data."""
    return all(label == label.strip() != "" for label in labels) and len({*labels}) == len(labels) and not _data(labels)


def unique(labels: Sequence[str]) -> list[str]:
    """A name for each column: one without a label, or with that of another column, gets a name of its own."""
    names: dict[str, None] = {}
    again: Counter[str] = Counter()
    for position, label in enumerate(labels, 1):
        name = wanted = label.strip() or f"field{position}"
        while name in names:
            again[wanted] += 1
            name = f"{wanted}_{again[wanted] + 1}"
        names[name] = None
    return list(names)


def named(labels: Sequence[str], header: Record, given: Given) -> list[str]:
    """Names for columns without one, or with that of another column: no schema names them."""

    def warn(message: str, name: str | None = None, label: str | None = None) -> None:
        place = (header.file, given.name, header.line or None, name)
        given.warn(Finding("header", message, *place, value=label, expected="a name of its own", level="warning"))

    names = unique(labels)
    for position, (label, name) in enumerate(zip(labels, names, strict=True), 1):
        if name != label:
            again = " again" * (bool(label.strip()) and name != label.strip())
            why = f'has the name "{label}"{again}' if label.strip() else "has no name"
            warn(f"column {position} {why}: it is named {name}", name, label)
    if header.line and _data(labels):
        warn("the header holds numbers only: where it is data, the dialect says so with header false")
    return names


def _data(labels: Sequence[str]) -> bool:
    return all(_NUMBER(label.strip()) for label in labels)
