"""Which findings are the cause of others: they come first, and what follows from them is left out."""

from collections.abc import Iterable, Sequence

from api.model.files import POSITIONS
from api.model.findings import Finding
from api.package.reading import Source
from api.package.upgrade import paths

# The table is not read, or its cells are not those of its fields.
CAUSES = frozenset(
    (
        *("descriptor", "missing-file", "unsafe-path", "encoding", "dialect", "quote", "header"),
        *("remote-file", "remote-schema", "remote-dialect"),
        *("unreadable-table", "blank-header", "blank-label", "unmatched-header", "column-order", "incorrect-label"),
        *("missing-label", "extra-label", "duplicate-label", "missing-cell", "extra-cell"),
        *("repeated-header", "merge", "no-rows"),
    )
)
# What nobody can see comes before the rest of what is wrong in rows (0); form, and what a change needs, after it.
RANKS = {"white-space": -1, "look-alike": -1, "line-end": 1, "byte-order-mark": 1, "unsorted": 1, "correction": 2}
FIRST = -2


def broken(source: Source, findings: Iterable[Finding]) -> set[str]:
    """The tables that others cannot be judged by: rows of them are missing, or are not what they seem."""
    unread = set(source.names) - {table.name for table in source.package.tables}
    errors = (finding for finding in findings if finding.level == "error" and finding.type in CAUSES)
    return unread | {finding.resource for finding in errors if finding.resource}


def empty(source: Source, tables: Iterable[str], findings: Iterable[Finding]) -> list[Finding]:
    """One finding for each of the tables, which have no rows, that others need rows of."""
    needed = {finding.other for finding in findings}
    found = [table for table in source.package.tables if table.name in tables and table.name in needed]
    words = ("no-rows", "the table has no rows, though other tables refer to rows of it")
    return [Finding(*words, source.file(table), table.name, expected="rows below the header") for table in found]


def standing(findings: Iterable[Finding], broken: set[str]) -> list[Finding]:
    """Findings without those that rest on a table that is broken."""
    kept = (finding for finding in findings if finding.other not in broken)
    return [finding for finding in kept if finding.other != POSITIONS or finding.resource not in broken]


def ordered(source: Source, findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Causes first, then what is wrong in rows, then form and corrections.

    In each, findings of the package come first, then table by table and line by line; the numbers of those that are
    not described come last.
    """
    resources = source.package.descriptor["resources"]
    place = {name: position for position, name in enumerate(source.names)}
    part = {(r["name"], path): position for r in resources for position, path in enumerate(paths(r))}

    def order(finding: Finding) -> tuple[int, int, bool, int, int]:
        resource = finding.resource or ""
        rank = FIRST if finding.type in CAUSES else RANKS.get(finding.type, 0)
        within = part.get((resource, finding.file), -1)
        return rank, place.get(resource, -1), finding.count > 1, within, finding.row or 0

    return tuple(sorted(dict.fromkeys(findings), key=order))
