"""Checks beyond what frictionless does: each a frictionless check, switched on by what the descriptor says."""

from api.model.descriptor import Table
from api.model.files import POSITIONS
from api.package.checks.base import Context, TableCheck
from api.package.checks.cells import Readable, UniqueKeys
from api.package.checks.figures import Agrees, Evidence, Period, Preferred, Quantity, Wording
from api.package.checks.relations import Conflicts, Sorted, Sums, has_conflicts, sums_of

__all__ = ["checks_of"]


def checks_of(context: Context, table: Table) -> list[TableCheck]:
    """The checks that apply to a table."""
    chosen: dict[type[TableCheck], bool] = {
        Readable: True,
        UniqueKeys: bool(table.schema.get("uniqueKeys")),
        Sorted: context.strict and bool(table.primary_key),
        Quantity: "value" in table.figure,
        Period: "periodType" in table.figure,
        Evidence: bool(table.figure),
        Wording: "asStated" in table.figure,
        Preferred: "standing" in table.figure,
        Agrees: "agrees" in table.figure,
        Conflicts: table.name == POSITIONS and has_conflicts(context.package),
        Sums: bool(sums_of(context.package, table)),
    }
    return [check(context=context, table=table) for check, applies in chosen.items() if applies]
