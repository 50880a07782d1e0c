"""Checks beyond what frictionless does, switched on by what the descriptor says.

Each takes the table and a row of it as frictionless reads it; some also what they remember of earlier rows.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from api.model.findings import Finding
from api.package.checks import cells, codes, figures, relations, spelling, sums
from api.package.checks.base import Checked

Check = Callable[..., Iterable[Finding]]


def checks_of(checked: Checked, header: Any, former: bool) -> tuple[list[Check], list[Check]]:
    """The checks that apply to a table: of each row, and at the end.

    A `former` version was published as it is: whether its figures are right is no longer asked, since a check that was
    added since must not keep it from being built again.
    """
    figure, conflicts = checked.table.figure, relations.Conflicts(checked)
    rules, added, numbers = sums.Rules(checked), sums.Sums(checked), cells.Numbers(checked, header)
    strict = checked.package.descriptor.get("lantern:strict") is True
    compared, real = spelling.columns(checked, header), codes.of(checked.table)
    of_standard: list[tuple[Check, bool]] = [
        (numbers.of_row, bool(numbers.columns or numbers.nested or numbers.years)),
        (partial(cells.unique_keys, checked, defaultdict(set)), bool(checked.table.schema.get("uniqueKeys"))),
    ]
    of_rows: list[tuple[Check, bool]] = [
        (partial(spelling.unseen, checked, compared, "error" if strict else "warning"), bool(compared)),
        (partial(spelling.garbled, checked), strict),
        (partial(spelling.exponent, checked, spelling.numbers(checked, header)), strict),
        (partial(relations.in_order, checked, []), strict and bool(checked.table.primary_key)),
        (partial(codes.real, checked, real), bool(real)),
        (partial(figures.quantity, checked), "value" in figure),
        (partial(figures.precision, checked), "precision" in figure),
        (partial(figures.period, checked), "periodType" in figure),
        (partial(figures.label, checked), "periodLabel" in figure),
        (partial(figures.evidence, checked), bool(figure)),
        (partial(figures.as_stated, checked), "asStated" in figure),
        (partial(figures.preferred, checked, {}), "standing" in figure),
        (partial(figures.competes, checked), {"standing", *figures.RIVALS} <= figure.keys()),
        (partial(figures.agrees, checked, figures.referred(checked)), "agrees" in figure),
        (conflicts.of_row, conflicts.apply),
        (rules.of_row, bool(rules.rules)),
        (added.of_row, added.apply),
    ]
    ended: list[tuple[Check, bool]] = [
        (conflicts.at_end, conflicts.apply),
        (rules.at_end, bool(rules.rules)),
        (added.at_end, added.apply),
    ]
    if former:
        of_rows, ended = [], []
    mild = checked.package.descriptor.get("lantern:checks") == "warning"
    own, own_at_end = (
        [partial(_mildly, check) if mild else check for check, applies in some if applies] for some in (of_rows, ended)
    )
    return [*(check for check, applies in of_standard if applies), *own], [numbers.at_end, *own_at_end]


def _mildly(check: Check, *row: Any) -> Iterator[Finding]:
    """What a check beyond the standard finds, as warnings."""
    return (replace(finding, level="warning") for finding in check(*row))
