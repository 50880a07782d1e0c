"""Checks beyond what frictionless does, switched on by what the descriptor says.

Each takes the table and a row of it as frictionless reads it; some also what they remember of earlier rows.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from api.model.findings import Finding
from api.package.checks import cells, figures, relations
from api.package.checks.base import Checked

Check = Callable[..., Iterable[Finding]]


def checks_of(checked: Checked, header: Any) -> tuple[list[Check], list[Check]]:
    """The checks that apply to a table: of each row, and at the end."""
    figure, sums, conflicts = checked.table.figure, relations.Sums(checked), relations.Conflicts(checked)
    numbers = cells.Numbers(checked, header)
    strict = checked.package.descriptor.get("lantern:strict") is True
    of_standard: list[tuple[Check, bool]] = [
        (numbers.of_row, bool(numbers.columns or numbers.nested)),
        (partial(cells.unique_keys, checked, defaultdict(set)), bool(checked.table.schema.get("uniqueKeys"))),
    ]
    of_rows: list[tuple[Check, bool]] = [
        (partial(relations.in_order, checked, []), strict and bool(checked.table.primary_key)),
        (partial(figures.quantity, checked), "value" in figure),
        (partial(figures.period, checked), "periodType" in figure),
        (partial(figures.evidence, checked), bool(figure)),
        (partial(figures.as_stated, checked), "asStated" in figure),
        (partial(figures.preferred, checked, {}), "standing" in figure),
        (partial(figures.agrees, checked, figures.referred(checked)), "agrees" in figure),
        (conflicts.of_row, conflicts.apply),
        (sums.of_row, bool(sums.rules)),
    ]
    ended: list[tuple[Check, bool]] = [(conflicts.at_end, conflicts.apply), (sums.at_end, bool(sums.rules))]
    mild = checked.package.descriptor.get("lantern:checks") == "warning"
    own, own_at_end = (
        [partial(_mildly, check) if mild else check for check, applies in some if applies] for some in (of_rows, ended)
    )
    return [*(check for check, applies in of_standard if applies), *own], [numbers.at_end, *own_at_end]


def _mildly(check: Check, *row: Any) -> Iterator[Finding]:
    """What a check beyond the standard finds, as warnings."""
    return (replace(finding, level="warning") for finding in check(*row))
